/* The scoreboard of RFC 6675 (tcp/scoreboard.h). Without SACK, snd.sacked counts one segment per
 * duplicate ACK, so that the pipe has the same meaning for both kinds of peer. */
#include "tcp/scoreboard.h"
#include "tcp/position.h"
#include "tcp/ranges.h"

uint32_t capy_tcp_scoreboard_add(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                                 const struct capy_tcp_segment *seg)
{
    if (!tcb->sack_ok || seg->sack_cnt == 0)
        return 0;
    struct capy_tcp_snd *snd = &tcb->snd;
    for (uint32_t i = 0; i < seg->sack_cnt; i++) {
        uint64_t left = capy_tcp_pos_of(snd->iss, seg->sack[i].left, snd->una);
        uint64_t right = capy_tcp_pos_of(snd->iss, seg->sack[i].right, snd->una);
        /* Below una: a duplicate report (RFC 2883) or old. Beyond nxt: nonsense. */
        if (left <= snd->una || left >= right || right > snd->nxt)
            continue;
        struct capy_tcp_marks *m = capy_tcp_marks_need(tcb, env);
        /* No block or no room: we know less, and may retransmit more. */
        if (m)
            (void)capy_tcp_ranges_add(&m->sacked, left, right, CAPY_TCP_ASCENDING);
    }
    uint32_t before = snd->sacked;
    snd->sacked = capy_tcp_ranges_total(&capy_tcp_marks(tcb, env)->sacked);
    return snd->sacked - before;
}

void capy_tcp_scoreboard_trim(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    if (!tcb->sack_ok || tcb->snd.sacked == 0)
        return;
    struct capy_tcp_marks *m = capy_tcp_marks_need(tcb, env);
    CAPY_ASSERT(m);
    capy_tcp_ranges_trim(&m->sacked, tcb->snd.una);
    tcb->snd.sacked = capy_tcp_ranges_total(&m->sacked);
    capy_tcp_marks_settle(tcb, env);
}

void capy_tcp_scoreboard_clear(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    if (tcb->sack_ok && tcb->snd.sacked > 0) {
        struct capy_tcp_marks *m = capy_tcp_marks_need(tcb, env);
        CAPY_ASSERT(m);
        m->sacked.cnt = 0;
        capy_tcp_marks_settle(tcb, env);
    }
    tcb->snd.sacked = 0;
}

void capy_tcp_scoreboard_mark_lost(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    const struct capy_tcp_ranges *l = &capy_tcp_marks(tcb, env)->sacked;
    if (l->cnt == 0)
        return;
    /* RFC 8985 §7: the probe left two round trips after everything before it. When the peer has the
     * probe, what it lacks below is lost, however little was SACKed. */
    const struct capy_tcp_range *top = &l->r[l->cnt - 1];
    if (snd->tlp_end != 0 && top->right >= snd->tlp_end)
        snd->lost_end = capy_max64(snd->lost_end, top->left);
    /* RFC 6675 §4 IsLost(): DupThresh ranges, or more than DupThresh - 1 segments, SACKed above. */
    uint64_t above = 0;
    for (uint32_t i = l->cnt; i-- > 0;) {
        above += l->r[i].right - l->r[i].left;
        if (l->cnt - i >= CAPY_TCP_DUP_THRESH || above > (CAPY_TCP_DUP_THRESH - 1u) * snd->mss) {
            snd->lost_end = capy_max64(snd->lost_end, l->r[i].left);
            return;
        }
    }
}

/* SACKed bytes within [left, right). */
static uint64_t sacked_within(const struct capy_tcp_ranges *l, uint64_t left, uint64_t right)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < l->cnt; i++) {
        uint64_t from = capy_max64(left, l->r[i].left), to = capy_min64(right, l->r[i].right);
        if (from < to)
            sum += to - from;
    }
    return sum;
}

uint32_t capy_tcp_pipe(const struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    const struct capy_tcp_snd *snd = &tcb->snd;
    uint64_t gone = snd->sacked;
    if (snd->rtx_nxt < snd->lost_end)
        gone += snd->lost_end - snd->rtx_nxt -
                sacked_within(&capy_tcp_marks(tcb, env)->sacked, snd->rtx_nxt, snd->lost_end);
    uint32_t flight = capy_tcp_flight(tcb);
    return gone < flight ? flight - (uint32_t)gone : 0;
}

bool capy_tcp_next_lost(const struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t *pos,
                        uint64_t *end)
{
    const struct capy_tcp_snd *snd = &tcb->snd;
    if (snd->rtx_nxt >= snd->lost_end)
        return false;
    const struct capy_tcp_ranges *l = &capy_tcp_marks(tcb, env)->sacked;
    uint64_t p = snd->rtx_nxt, limit = snd->lost_end;
    for (uint32_t i = 0; i < l->cnt; i++) {
        if (l->r[i].left <= p) {
            p = capy_max64(p, l->r[i].right);
        } else {
            limit = capy_min64(limit, l->r[i].left);
            break;
        }
    }
    *pos = p;
    *end = limit;
    return p < limit;
}
