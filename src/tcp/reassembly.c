/* Reassembly (tcp/reassembly.h). Bytes never move: they are written once, at their position in the
 * stream; the list of ranges says which positions beyond rcv.nxt are real. Memory is bounded by the
 * window and by the pool; when either the list or the pool is full, the segment is dropped, which
 * is safe because nothing beyond rcv.nxt was ever acknowledged. */
#include "tcp/reassembly.h"
#include "tcp/position.h"
#include "tcp/ranges.h"
#include "tcp/reserve.h"

/* Of several duplicates between two ACKs the last one is told. */
static void note(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t left,
                 uint64_t right)
{
    bool spare = tcb->marks != CAPY_NONE || capy_tcp_blocks_out_of_order(env->blocks) > 0;
    if (!tcb->sack_ok || left >= right || !spare)
        return;
    struct capy_tcp_marks *m = capy_tcp_marks_need(tcb, env);
    if (m)
        m->dup = (struct capy_tcp_range){left, right};
}

void capy_tcp_note_duplicate(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t left,
                             uint64_t right)
{
    note(tcb, env, capy_max64(left, CAPY_TCP_POS_DATA), capy_min64(right, capy_tcp_rcv_last(tcb)));
}

/* The same from rcv.nxt on: what of [left, right) is held already. */
static void note_held(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t left,
                      uint64_t right)
{
    const struct capy_tcp_ranges *ooo = &capy_tcp_marks(tcb, env)->ooo;
    for (uint32_t i = 0; i < ooo->cnt; i++)
        note(tcb, env, capy_max64(left, ooo->r[i].left), capy_min64(right, ooo->r[i].right));
}

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
    note_held(tcb, env, pos, pos + len);
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
    if (!capy_tcp_may_pile_up(env->blocks, capy_tcp_readable(tcb)) ||
        capy_stream_write(&tcb->rcv.queue, env->blocks, pos, data, len) != CAPY_OK) {
        env->count->no_block_drops++;
        return CAPY_TCP_PLACED_NOTHING;
    }
    if (tcb->rcv.ooo == 0) {
        tcb->rcv.nxt += len;
        return CAPY_TCP_PLACED_NEXT;
    }
    if (capy_tcp_marks(tcb, env)->dup.right != pos) /* its first duplicate, just before, is told */
        note_held(tcb, env, pos, pos + len);
    tcb->rcv.nxt += len;
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

static void put_block(const struct capy_tcp *tcb, struct capy_tcp_segment *seg,
                      const struct capy_tcp_range *r)
{
    struct capy_sack_block *block = &seg->sack[seg->sack_cnt++];
    block->left = capy_tcp_seq_at(tcb->rcv.irs, r->left);
    block->right = capy_tcp_seq_at(tcb->rcv.irs, r->right);
}

void capy_tcp_sack_fill(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint8_t max,
                        struct capy_tcp_segment *seg)
{
    if (tcb->marks == CAPY_NONE)
        return;
    struct capy_tcp_marks *m = capy_tcp_marks_need(tcb, env);
    if (m->dup.right != 0)
        put_block(tcb, seg, &m->dup);
    m->dup = (struct capy_tcp_range){0};
    for (uint32_t i = 0; i < m->ooo.cnt && seg->sack_cnt < max; i++)
        put_block(tcb, seg, &m->ooo.r[i]);
    capy_tcp_marks_settle(tcb, env);
}
