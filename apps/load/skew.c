/* Which connection a request goes to. See skew.h. */
#include "apps/load/skew.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define WEIGHT_ONE 4294967296.0 /* of rank 0: leaves room for 2^16 connections of weight 1000 */

int load_skew_make(struct load_skew *s, const struct load_skew_options *opt,
                   uint32_t connection_cnt, unsigned target_cnt)
{
    uint64_t sum = 0;
    *s = (struct load_skew){.cnt = connection_cnt,
                            .below = calloc(connection_cnt, sizeof *s->below)};
    if (!s->below)
        return -1; /* errno is ENOMEM */
    for (uint32_t i = 0; i < connection_cnt; i++) {
        uint32_t rank = (i + connection_cnt - opt->rotate % connection_cnt) % connection_cnt;
        double share = pow((double)rank + 1, -(double)opt->zipf_milli / 1000);
        uint64_t weight = (uint64_t)(WEIGHT_ONE * share);
        sum += (weight > 0 ? weight : 1) * (opt->weights ? opt->weights[i % target_cnt] : 1);
        s->below[i] = sum;
    }
    if (sum > 0)
        return 0;
    load_skew_free(s);
    errno = EINVAL;
    return -1;
}

uint32_t load_skew_draw(const struct load_skew *s, struct capy_prng *rng)
{
    uint64_t x = capy_prng_below(rng, s->below[s->cnt - 1]);
    uint32_t low = 0, high = s->cnt - 1; /* the first whose sum is above x is among these */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s->below[middle] > x)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

void load_skew_free(struct load_skew *s)
{
    free(s->below);
    *s = (struct load_skew){0};
}
