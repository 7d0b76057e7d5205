/* A pool of indices 0..cnt-1 over a caller's array: take, give, count. O(1), never allocates;
 * LIFO, so that hot members stay hot. The caller owns the array the indices name. */
#ifndef CAPY_BASE_POOL_H
#define CAPY_BASE_POOL_H

#include "base/arena.h"
#include "base/assert.h"
#include "base/bits.h"

struct capy_pool {
    uint32_t *next; /* free list; a taken member holds CAPY_POOL_TAKEN (asserted on give) */
    uint32_t head, free_cnt, cnt;
};

#define CAPY_POOL_TAKEN (UINT32_MAX - 1u)

/* Carves the free list from the arena; when the arena measures, only sizes it. cnt >= 0. */
void capy_pool_init(struct capy_pool *p, struct capy_arena *a, uint32_t cnt);
/* An index, or CAPY_NONE when empty. */
uint32_t capy_pool_take(struct capy_pool *p);
void capy_pool_give(struct capy_pool *p, uint32_t idx);

static inline int capy_pool_is_taken(const struct capy_pool *p, uint32_t idx)
{
    return idx < p->cnt && p->next[idx] == CAPY_POOL_TAKEN;
}

#endif
