/* The part of the command line that says when requests are due, and whose they are: rate, arrivals, skew,
 * weights, shifts, sweep. Each takes the text of an option; 0, or -1 and said so. */
#ifndef CAPY_APPS_LOAD_SCHEDULE_H
#define CAPY_APPS_LOAD_SCHEDULE_H

#include "apps/load/options.h"

/* One phase, closed loop. */
void load_schedule_begin(struct load_options *opt);
int load_schedule_rate(struct load_options *opt, const char *text);
int load_schedule_arrivals(struct load_options *opt, const char *text);
int load_schedule_skew(struct load_options *opt, const char *text);
int load_schedule_weights(struct load_options *opt, const char *text);
int load_schedule_shift(struct load_options *opt, const char *text);
int load_schedule_sweep(struct load_options *opt, const char *text);
/* All options were taken: do they go together? */
int load_schedule_check(struct load_options *opt);

#endif
