/* xoshiro256** seeded by splitmix64 (Blackman and Vigna): for the simulator, fault injection and
 * tie-breaking; never for secrets. The state belongs to the caller, so every sequence replays. */
#ifndef CAPY_BASE_PRNG_H
#define CAPY_BASE_PRNG_H

#include <stdint.h>

struct capy_prng {
    uint64_t s[4];
};

void capy_prng_seed(struct capy_prng *p, uint64_t seed);
uint64_t capy_prng_next(struct capy_prng *p);
/* Uniform in 0..bound-1; bound >= 1. Unbiased by rejection. */
uint64_t capy_prng_below(struct capy_prng *p, uint64_t bound);
/* 1 with probability ppm / 1,000,000. */
int capy_prng_chance(struct capy_prng *p, uint32_t ppm);

#endif
