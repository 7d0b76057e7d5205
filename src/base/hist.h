/* A log-linear histogram of unsigned values (nanoseconds, bytes): 128 linear steps per power of two,
 * so a percentile is within 0.8 % of the truth; fixed size, mergeable, integer only. */
#ifndef CAPY_BASE_HIST_H
#define CAPY_BASE_HIST_H

#include <stdint.h>

#define CAPY_HIST_SUB_BITS 7u
#define CAPY_HIST_BUCKETS (((64u - CAPY_HIST_SUB_BITS) + 1u) << CAPY_HIST_SUB_BITS)

struct capy_hist {
    uint64_t cnt, sum, min, max;
    uint64_t bucket[CAPY_HIST_BUCKETS];
};

void capy_hist_init(struct capy_hist *h);
void capy_hist_add(struct capy_hist *h, uint64_t value);
/* The same value so many times; cnt may be 0. */
void capy_hist_add_many(struct capy_hist *h, uint64_t value, uint64_t cnt);
void capy_hist_merge(struct capy_hist *into, const struct capy_hist *from);
/* The value at or below which per_100k/100,000 of the samples lie (50,000: median; 99,900: p99.9).
 * The bucket's upper edge, never above max; 0 when empty. */
uint64_t capy_hist_quantile(const struct capy_hist *h, uint32_t per_100k);
uint64_t capy_hist_mean(const struct capy_hist *h);

#endif
