/* A run as a series of equal intervals: what was due, what was answered and how late, in each. An answer
 * counts where it came, with its latency; a request where it was due. */
#ifndef CAPY_APPS_LOAD_TIMELINE_H
#define CAPY_APPS_LOAD_TIMELINE_H

#include "base/hist.h"
#include <stddef.h>

#define LOAD_SERVER_MAX 64u /* different X-Capy-Server names; one bit each */

struct load_interval {
    uint64_t due, answered, errors, p50_ns, p99_ns, max_ns;
    uint32_t migrations;                 /* ended in it (marks.h) */
    uint32_t by_server[LOAD_SERVER_MAX]; /* answered by each */
};

struct load_timeline { /* all zero: none is kept */
    uint64_t interval_ns;
    size_t cnt, room, open; /* open: the row whose percentiles are still to be taken */
    struct load_interval *row;
    struct capy_hist now; /* latencies of the open row */
};

/* Nothing is kept when interval_ns is 0. */
void load_timeline_init(struct load_timeline *t, uint64_t interval_ns);
/* at_ns: since time 0, not before any earlier answer's or error's. */
void load_timeline_answer(struct load_timeline *t, uint64_t at_ns, uint64_t latency_ns, int server);
void load_timeline_error(struct load_timeline *t, uint64_t at_ns);
/* Anywhere in the past, or in the future. */
void load_timeline_due(struct load_timeline *t, uint64_t at_ns, uint64_t cnt);
/* Behind the last row, it is nobody's. */
void load_timeline_migration(struct load_timeline *t, uint64_t at_ns);
/* The run is over, so long after time 0. */
void load_timeline_end(struct load_timeline *t, uint64_t at_ns);
void load_timeline_free(struct load_timeline *t);

#endif
