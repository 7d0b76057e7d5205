/* Host cost of migrations, step by step (paper Fig. 4): a ring of the last samples, so that those
 * of origin and target can be joined by mig_id. Times are CLOCK_MONOTONIC's, one clock for all
 * servers of a machine, read by the time stamp counter where possible (ticks.h); what a reading
 * costs is measured at start and reported beside. */
#ifndef CAPY_SOCK_SAMPLES_H
#define CAPY_SOCK_SAMPLES_H

#include "sock/ticks.h"
#include "stack/stack.h"

#define CAPY_SAMPLE_MAX 65536u /* power of two */

struct capy_sample {
    uint64_t mig_id;
    uint64_t at_ns; /* when the step began */
    uint32_t duration_ns;
    uint8_t step; /* enum capy_mig_step */
};

struct capy_samples {
    struct capy_sample *ring;
    uint64_t cnt; /* ever taken; sample n is at ring[n % CAPY_SAMPLE_MAX] */
    struct capy_ticks ticks;
    uint64_t began_at[CAPY_STEP_CNT]; /* in ticks */
    uint32_t clock_cost_ns;           /* median cost of one reading */
};

/* Sets the stack's probe. CAPY_OK or CAPY_E_NOMEM. */
int capy_samples_init(struct capy_samples *s, struct capy_stack *stack);
void capy_samples_free(struct capy_samples *s);

#endif
