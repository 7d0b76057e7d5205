/* The log-linear histogram (base/hist.h). Values below 128 have a bucket each; above, every power of
 * two is split into 128 equal buckets, so a bucket is never wider than 1/128 of its smallest value.
 */
#include "base/hist.h"
#include "base/assert.h"
#include "base/bits.h"
#include <string.h>

#define SUB_CNT (1u << CAPY_HIST_SUB_BITS)
#define QUANTILE_ONE 100000u

static uint32_t bucket_of(uint64_t value)
{
    if (value < SUB_CNT)
        return (uint32_t)value;
    uint32_t shift = 63u - (uint32_t)__builtin_clzll(value) - CAPY_HIST_SUB_BITS;
    return (shift << CAPY_HIST_SUB_BITS) + (uint32_t)(value >> shift);
}

static uint64_t upper_edge(uint32_t bucket)
{
    if (bucket < SUB_CNT)
        return bucket;
    uint32_t shift = (bucket >> CAPY_HIST_SUB_BITS) - 1;
    uint64_t step = (bucket & (SUB_CNT - 1)) + SUB_CNT;
    return ((step + 1) << shift) - 1; /* the last bucket's edge wraps to UINT64_MAX, as it should */
}

void capy_hist_init(struct capy_hist *h)
{
    memset(h, 0, sizeof *h);
}

void capy_hist_add(struct capy_hist *h, uint64_t value)
{
    h->min = h->cnt ? capy_min64(h->min, value) : value;
    h->max = capy_max64(h->max, value);
    h->cnt++;
    h->sum += value;
    h->bucket[bucket_of(value)]++;
}

void capy_hist_add_many(struct capy_hist *h, uint64_t value, uint64_t cnt)
{
    if (cnt == 0)
        return;
    capy_hist_add(h, value);
    h->cnt += cnt - 1;
    h->sum += value * (cnt - 1);
    h->bucket[bucket_of(value)] += cnt - 1;
}

void capy_hist_merge(struct capy_hist *into, const struct capy_hist *from)
{
    if (from->cnt == 0)
        return;
    into->min = into->cnt ? capy_min64(into->min, from->min) : from->min;
    into->max = capy_max64(into->max, from->max);
    into->cnt += from->cnt;
    into->sum += from->sum;
    for (uint32_t i = 0; i < CAPY_HIST_BUCKETS; i++)
        into->bucket[i] += from->bucket[i];
}

/* ceil(cnt * per_100k / 100,000), at least 1, without overflow. */
static uint64_t rank_of(uint64_t cnt, uint32_t per_100k)
{
    uint64_t whole = cnt / QUANTILE_ONE * per_100k;
    uint64_t part = (cnt % QUANTILE_ONE * per_100k + QUANTILE_ONE - 1) / QUANTILE_ONE;
    return capy_max64(whole + part, 1);
}

uint64_t capy_hist_quantile(const struct capy_hist *h, uint32_t per_100k)
{
    CAPY_ASSERT(per_100k <= QUANTILE_ONE);
    uint64_t rank = rank_of(h->cnt, per_100k);
    uint64_t seen = 0;
    for (uint32_t i = 0; i < CAPY_HIST_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen >= rank)
            return capy_min64(upper_edge(i), h->max);
    }
    return 0; /* empty */
}

uint64_t capy_hist_mean(const struct capy_hist *h)
{
    return h->cnt ? h->sum / h->cnt : 0;
}
