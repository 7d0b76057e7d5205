/* What a run tells while it lasts: a line of JSON now and then to whoever started it, or one line on a
 * terminal that is written over. */
#ifndef CAPY_APPS_LOAD_PROGRESS_H
#define CAPY_APPS_LOAD_PROGRESS_H

#include "apps/load/options.h"
#include "apps/load/result.h"

struct load_progress {
    uint64_t every_ns, next_at, zero_at; /* every 0: nothing is told */
    uint64_t told_at, told_requests;
    bool json;
};

void load_progress_begin(struct load_progress *p, const struct load_options *opt, uint64_t zero_at,
                         uint64_t now);
/* When it is time. */
void load_progress_tell(struct load_progress *p, const struct load_result *r, uint64_t now);
/* A program is told once more, how it ended; the line on a terminal goes away. */
void load_progress_end(struct load_progress *p, const struct load_result *r, uint64_t now);

#endif
