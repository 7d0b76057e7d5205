/* Migrations, as marks in a run's time series. They are learnt once the run is over, so that nobody is
 * disturbed: from the control sockets of servers on this machine, or from a file. */
#ifndef CAPY_APPS_LOAD_MARKS_H
#define CAPY_APPS_LOAD_MARKS_H

#include <stddef.h>
#include <stdint.h>

struct load_mark {
    uint64_t at_ns;  /* CLOCK_MONOTONIC, when the connection ran at its target */
    uint64_t mig_id; /* 0: not told */
};

struct load_marks {         /* all zero: none */
    struct load_mark *mark; /* one per migration, in order of time */
    size_t cnt, room;
};

/* path: a rack's directory, where every server's socket is asked; one socket; or a file of JSON, an object
 * per line with at_ns and perhaps duration_ns, mig_id, and step (those other than "import" are passed
 * over), or with such objects under "samples". Takes those of from_ns .. to_ns. 0; -1 with one line in err when
 * not all could be had: m has the others. */
int load_marks_read(struct load_marks *m, const char *path, uint64_t from_ns, uint64_t to_ns,
                    char *err, size_t err_len);
void load_marks_free(struct load_marks *m);

#endif
