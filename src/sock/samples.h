/* Host cost of migrations, step by step (paper Fig. 4): a ring of the last samples, so that those
 * of origin and target can be joined by mig_id. The clock is clock_gettime(CLOCK_MONOTONIC): one
 * clock for both servers of one machine, at about 20 ns a reading (measured at start, reported
 * beside). */
#ifndef CAPY_SOCK_SAMPLES_H
#define CAPY_SOCK_SAMPLES_H

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
    uint64_t began_at[CAPY_STEP_CNT];
    uint32_t clock_cost_ns; /* median cost of one reading */
};

/* Sets the stack's probe. CAPY_OK or CAPY_E_NOMEM. */
int capy_samples_init(struct capy_samples *s, struct capy_stack *stack);
void capy_samples_free(struct capy_samples *s);

#endif
