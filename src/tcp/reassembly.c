/* Reassembly (tcp/reassembly.h). Bytes never move: they are written once, at their position in the
 * stream; the list of ranges says which positions beyond rcv.nxt are real. Memory is bounded by the
 * window and by the pool; when either the list or the pool is full, the segment is dropped, which
 * is safe because nothing beyond rcv.nxt was ever acknowledged. */
#include "tcp/reassembly.h"
#include "tcp/position.h"
#include "tcp/ranges.h"
#include "tcp/reserve.h"

static enum capy_tcp_placed place_ahead(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                                        uint64_t pos, const uint8_t *data, uint32_t len)
{
    /* One segment needs two blocks at most, and the list its own. */
    bool spare = capy_tcp_blocks_out_of_order(env->blocks) >= len / CAPY_BLOCK_LEN + 3;
    struct capy_tcp_marks *m = spare ? capy_tcp_marks_need(tcb, env) : NULL;
    if (!m || !capy_tcp_ranges_fits(&m->ooo, pos, pos + len) ||
        capy_stream_write(&tcb->rcv.queue, env->blocks, pos, data, len) != CAPY_OK) {
        env->count->no_block_drops++;
        capy_tcp_marks_settle(tcb, env);
        return CAPY_TCP_PLACED_NOTHING;
    }
    CAPY_ASSERT(capy_tcp_ranges_add(&m->ooo, pos, pos + len, CAPY_TCP_RECENT_FIRST));
    tcb->rcv.ooo = capy_tcp_ranges_total(&m->ooo);
    return CAPY_TCP_PLACED_AHEAD;
}

/* Moves nxt over the ranges that it now touches. */
static void close_gap(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    struct capy_tcp_marks *m = capy_tcp_marks_need(tcb, env);
    CAPY_ASSERT(m);
    for (uint32_t i = 0; i < m->ooo.cnt; i++)
        if (m->ooo.r[i].left <= tcb->rcv.nxt)
            tcb->rcv.nxt = capy_max64(tcb->rcv.nxt, m->ooo.r[i].right);
    capy_tcp_ranges_trim(&m->ooo, tcb->rcv.nxt);
    tcb->rcv.ooo = capy_tcp_ranges_total(&m->ooo);
    capy_tcp_marks_settle(tcb, env);
}

enum capy_tcp_placed capy_tcp_place(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                                    uint64_t pos, const uint8_t *data, uint32_t len)
{
    CAPY_ASSERT(len > 0 && pos >= tcb->rcv.nxt);
    if (pos > tcb->rcv.nxt)
        return place_ahead(tcb, env, pos, data, len);
    if (capy_stream_write(&tcb->rcv.queue, env->blocks, pos, data, len) != CAPY_OK) {
        env->count->no_block_drops++;
        return CAPY_TCP_PLACED_NOTHING;
    }
    tcb->rcv.nxt += len;
    if (tcb->rcv.ooo == 0)
        return CAPY_TCP_PLACED_NEXT;
    close_gap(tcb, env);
    return CAPY_TCP_PLACED_GAP;
}

uint64_t capy_tcp_held_end(const struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    const struct capy_tcp_ranges *ooo = &capy_tcp_marks(tcb, env)->ooo;
    uint64_t end = tcb->rcv.nxt;
    for (uint32_t i = 0; i < ooo->cnt; i++)
        end = capy_max64(end, ooo->r[i].right);
    return end;
}

void capy_tcp_sack_fill(const struct capy_tcp *tcb, const struct capy_tcp_env *env, uint8_t max,
                        struct capy_tcp_segment *seg)
{
    const struct capy_tcp_ranges *ooo = &capy_tcp_marks(tcb, env)->ooo;
    seg->sack_cnt = (uint8_t)capy_min32(ooo->cnt, max);
    for (uint32_t i = 0; i < seg->sack_cnt; i++) {
        seg->sack[i].left = capy_tcp_seq_at(tcb->rcv.irs, ooo->r[i].left);
        seg->sack[i].right = capy_tcp_seq_at(tcb->rcv.irs, ooo->r[i].right);
    }
}
