/* What `capy sim` says: of a failure all that is needed to see it again, and of all seeds together
 * what happened in them, and what never did. */
#ifndef CAPY_APPS_SIM_REPORT_H
#define CAPY_APPS_SIM_REPORT_H

#include "apps/sim/crew.h"

/* Seeds enough that everything the simulator can do must have happened in them. */
#define REPORT_SEEDS_FOR_ALL 1000u
#define REPORT_SEEDS_FOR_RARE 50000u /* ... and even what takes several things at once */

void report_failure(const struct crew_failure *f, uint32_t events, FILE *out);
void report_progress(const struct crew_sum *sum, uint64_t seeds, FILE *out);
void report_sum(const struct crew_sum *sum, const struct crew *c, uint64_t wall_ns, FILE *out);
/* Names what never happened. How many such things there are. */
unsigned report_never(const struct sim_tally *t, uint64_t seeds, FILE *out);

#endif
