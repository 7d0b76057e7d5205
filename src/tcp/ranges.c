/* Range lists (tcp/ranges.h). The lists are short and mostly empty: linear walks are the fast way.
 */
#include "tcp/ranges.h"
#include "tcp/reserve.h"
#include <string.h>

static bool touches(const struct capy_tcp_range *r, uint64_t left, uint64_t right)
{
    return r->left <= right && left <= r->right;
}

bool capy_tcp_ranges_fits(const struct capy_tcp_ranges *l, uint64_t left, uint64_t right)
{
    if (l->cnt < CAPY_TCP_RANGE_MAX)
        return true;
    for (uint32_t i = 0; i < l->cnt; i++)
        if (touches(&l->r[i], left, right))
            return true;
    return false;
}

/* Takes out every range that touches *whole, which grows to cover them. */
static void absorb(struct capy_tcp_ranges *l, struct capy_tcp_range *whole)
{
    uint64_t left = whole->left, right = whole->right;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < l->cnt; i++) {
        struct capy_tcp_range r = l->r[i];
        if (touches(&r, left, right)) {
            whole->left = capy_min64(whole->left, r.left);
            whole->right = capy_max64(whole->right, r.right);
        } else {
            l->r[kept++] = r;
        }
    }
    l->cnt = kept;
}

bool capy_tcp_ranges_add(struct capy_tcp_ranges *l, uint64_t left, uint64_t right,
                         enum capy_tcp_range_order order)
{
    CAPY_ASSERT(left < right);
    if (!capy_tcp_ranges_fits(l, left, right))
        return false;
    struct capy_tcp_range whole = {left, right};
    absorb(l, &whole);
    uint32_t at = 0;
    if (order == CAPY_TCP_ASCENDING)
        while (at < l->cnt && l->r[at].left < whole.left)
            at++;
    memmove(&l->r[at + 1], &l->r[at], (l->cnt - at) * sizeof l->r[0]);
    l->r[at] = whole;
    l->cnt++;
    return true;
}

void capy_tcp_ranges_trim(struct capy_tcp_ranges *l, uint64_t pos)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < l->cnt; i++) {
        struct capy_tcp_range r = l->r[i];
        r.left = capy_max64(r.left, pos);
        if (r.left < r.right)
            l->r[kept++] = r;
    }
    l->cnt = kept;
}

uint64_t capy_tcp_ranges_gap_end(const struct capy_tcp_ranges *l, uint64_t left, uint64_t right)
{
    for (uint32_t i = l->cnt; i-- > 0 && left < right;)
        if (l->r[i].left < right && right <= l->r[i].right)
            right = l->r[i].left;
    return capy_max64(left, right);
}

uint64_t capy_tcp_ranges_missing(const struct capy_tcp_ranges *l, uint64_t left, uint64_t right)
{
    uint64_t missing = right - left;
    for (uint32_t i = 0; i < l->cnt; i++) {
        uint64_t from = capy_max64(left, l->r[i].left), to = capy_min64(right, l->r[i].right);
        if (from < to)
            missing -= to - from;
    }
    return missing;
}

uint32_t capy_tcp_ranges_total(const struct capy_tcp_ranges *l)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < l->cnt; i++)
        sum += l->r[i].right - l->r[i].left;
    return (uint32_t)sum;
}

static struct capy_tcp_marks *marks_at(const struct capy_blocks *blocks, uint32_t idx)
{
    /* Blocks are 64-byte aligned: the arena aligns the array and CAPY_BLOCK_LEN is a multiple. */
    return (struct capy_tcp_marks *)(void *)(blocks->data + (size_t)idx * CAPY_BLOCK_LEN);
}

const struct capy_tcp_marks *capy_tcp_marks_in(const struct capy_tcp *tcb,
                                               const struct capy_blocks *blocks)
{
    static const struct capy_tcp_marks none;
    return tcb->marks == CAPY_NONE ? &none : marks_at(blocks, tcb->marks);
}

const struct capy_tcp_marks *capy_tcp_marks(const struct capy_tcp *tcb,
                                            const struct capy_tcp_env *env)
{
    return capy_tcp_marks_in(tcb, env->blocks);
}

struct capy_tcp_marks *capy_tcp_marks_need(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    if (tcb->marks == CAPY_NONE) {
        tcb->marks = capy_pool_take(&env->blocks->pool);
        if (tcb->marks == CAPY_NONE)
            return NULL;
        struct capy_tcp_marks *m = marks_at(env->blocks, tcb->marks);
        m->ooo.cnt = 0;
        m->sacked.cnt = 0;
        m->sent.cnt = 0;
        m->dup = (struct capy_tcp_range){0};
        m->episode = (struct capy_tcp_episode){0};
    }
    return marks_at(env->blocks, tcb->marks);
}

struct capy_tcp_marks *capy_tcp_marks_to_send(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    bool spare = tcb->marks != CAPY_NONE || capy_tcp_blocks_to_send(env->blocks) > 0;
    return spare ? capy_tcp_marks_need(tcb, env) : NULL;
}

bool capy_tcp_marks_used(const struct capy_tcp_marks *m)
{
    return m->ooo.cnt + m->sacked.cnt + m->sent.cnt > 0 || m->dup.right != 0 ||
           m->episode.doubt != CAPY_TCP_DOUBT_NONE;
}

void capy_tcp_marks_settle(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    const struct capy_tcp_marks *m = capy_tcp_marks(tcb, env);
    if (tcb->marks == CAPY_NONE || capy_tcp_marks_used(m))
        return;
    capy_pool_give(&env->blocks->pool, tcb->marks);
    tcb->marks = CAPY_NONE;
}
