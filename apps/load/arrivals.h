/* When requests are due: a point process of a rate that changes over time, constant, Poisson, or in
 * bursts, the same for the same seed. Integers only: times in nanoseconds, nothing lost to rounding, so
 * the rate is exact over any length. The caller owns the value.
 *
 * Bursts come once per period: for the first 1/factor of it requests arrive (Poisson) at factor times
 * the rate, then none until its end; so the mean is the rate. */
#ifndef CAPY_APPS_LOAD_ARRIVALS_H
#define CAPY_APPS_LOAD_ARRIVALS_H

#include "base/prng.h"
#include <stdbool.h>

#define LOAD_PHASE_MAX 33u /* the beginning and 32 shifts */
#define LOAD_RATE_MAX UINT64_C(100000000)
#define LOAD_NEVER UINT64_MAX

struct load_process {
    bool poisson;             /* else constant, outside of bursts */
    uint64_t burst_period_ns; /* 0: no bursts */
    uint32_t burst_factor;    /* 2 or more */
};

struct load_rate {    /* from here on so many */
    uint64_t from_ns; /* rising; of the first: 0 */
    uint64_t per_second;
};

struct load_arrivals {
    struct load_process process;
    struct load_rate rate[LOAD_PHASE_MAX];
    unsigned rate_cnt, phase;
    uint64_t at_ns;   /* where on the time line we are */
    uint64_t carried; /* of the last gap, less than a nanosecond */
    struct capy_prng rng;
};

/* 1 <= cnt <= LOAD_PHASE_MAX; rates up to LOAD_RATE_MAX, times the burst factor, too. */
void load_arrivals_init(struct load_arrivals *a, struct load_process process,
                        const struct load_rate *rate, unsigned cnt, uint64_t seed);
/* The next one: ns since the beginning, never before the one before it; LOAD_NEVER: none any more. */
uint64_t load_arrivals_next(struct load_arrivals *a);
/* Passes over those up to to_ns: how many there are on average. */
uint64_t load_arrivals_pass(struct load_arrivals *a, uint64_t to_ns);
/* A draw of the exponential distribution of mean one, in units of 2^-LOAD_GAP_BITS. */
#define LOAD_GAP_BITS 26u
uint64_t load_exponential(struct capy_prng *rng);

#endif
