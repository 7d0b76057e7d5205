/* A LIFO free list of indices (base/pool.h). The list's memory is carved from the caller's arena at
 * start; nothing is allocated here. One thread, like everything in the core. */
#include "base/pool.h"

void capy_pool_init(struct capy_pool *p, struct capy_arena *a, uint32_t cnt)
{
    CAPY_ASSERT(cnt < CAPY_POOL_TAKEN);
    *p = (struct capy_pool){
        .next = capy_arena_take(a, cnt, sizeof *p->next),
        .head = cnt ? 0 : CAPY_NONE,
        .free_cnt = cnt,
        .cnt = cnt,
    };
    if (!a->base)
        return;
    for (uint32_t i = 0; i < cnt; i++)
        p->next[i] = i + 1 < cnt ? i + 1 : CAPY_NONE;
}

uint32_t capy_pool_take(struct capy_pool *p)
{
    uint32_t idx = p->head;
    if (idx == CAPY_NONE)
        return CAPY_NONE;
    p->head = p->next[idx];
    p->next[idx] = CAPY_POOL_TAKEN;
    p->free_cnt--;
    return idx;
}

void capy_pool_give(struct capy_pool *p, uint32_t idx)
{
    CAPY_ASSERT(capy_pool_is_taken(p, idx));
    p->next[idx] = p->head;
    p->head = idx;
    p->free_cnt++;
}
