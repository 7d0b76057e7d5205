/* Which connection a request that is due goes to: drawn by weights that are the product of the
 * connection's own (all alike, or Zipf: the k-th has 1/k^s) and its server's. A phase of the run has one such
 * table; all are made before the run. */
#ifndef CAPY_APPS_LOAD_SKEW_H
#define CAPY_APPS_LOAD_SKEW_H

#include "base/prng.h"
#include <stdbool.h>

#define LOAD_WEIGHT_MAX 1000u

struct load_skew_options {
    uint32_t zipf_milli;     /* s in thousandths; 0: uniform */
    uint32_t rotate;         /* the connection of rank 0 is number rotate, and so on around */
    const uint16_t *weights; /* of each target; NULL: all alike */
};

struct load_skew {
    uint32_t cnt;
    uint64_t *below; /* [i]: the sum of the weights of connections 0 .. i */
};

/* Connection i goes to target i % target_cnt. 0; -1: out of memory, or no connection has any weight
 * (errno ENOMEM or EINVAL). load_skew_free frees. */
int load_skew_make(struct load_skew *s, const struct load_skew_options *opt,
                   uint32_t connection_cnt, unsigned target_cnt);
uint32_t load_skew_draw(const struct load_skew *s, struct capy_prng *rng);
void load_skew_free(struct load_skew *s);

#endif
