/* The scoreboard of RFC 6675 (tcp/scoreboard.h). Without SACK, snd.sacked counts one segment per
 * duplicate ACK, so that the pipe has the same meaning for both kinds of peer. */
#include "tcp/scoreboard.h"
#include "tcp/position.h"
#include "tcp/rack.h"

/* RFC 2883 §4: the first block reports a duplicate when it lies below the ACK, or within the second
 * block. */
static void take_dsack(const struct capy_tcp *tcb, struct capy_tcp_arrival *a)
{
    const struct capy_tcp_segment *seg = a->seg;
    struct capy_seq iss = tcb->snd.iss;
    uint64_t una = tcb->snd.una;
    uint64_t left = capy_tcp_pos_of(iss, seg->sack[0].left, una);
    uint64_t right = capy_tcp_pos_of(iss, seg->sack[0].right, una);
    if (left >= right || left < CAPY_TCP_POS_DATA || left + tcb->snd.wnd_max < una)
        return; /* RFC 8985 §6.2 step 4 trusts it, so it must be something that we sent */
    bool within = seg->sack_cnt >= 2 && left >= capy_tcp_pos_of(iss, seg->sack[1].left, una) &&
                  right <= capy_tcp_pos_of(iss, seg->sack[1].right, una);
    if (right > a->ack && !within)
        return;
    a->dsack_left = left;
    a->dsack_right = right;
}

void capy_tcp_scoreboard_add(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                             struct capy_tcp_arrival *a)
{
    a->sacked_was = tcb->snd.sacked;
    /* Without records: all from una on is lost, and none of it went again. */
    a->late = a->ack > tcb->snd.una && tcb->snd.rtx_nxt <= tcb->snd.una &&
              tcb->snd.lost_end > tcb->snd.una;
    if (!tcb->sack_ok || (a->seg->sack_cnt == 0 && tcb->marks == CAPY_NONE))
        return;
    struct capy_tcp_snd *snd = &tcb->snd;
    const struct capy_tcp_segment *seg = a->seg;
    const struct capy_tcp_ranges *known = &capy_tcp_marks(tcb, env)->sacked;
    uint64_t fack = known->cnt > 0 ? known->r[known->cnt - 1].right : snd->una;
    if (a->ack > snd->una)
        a->late |= capy_tcp_rack_delivered(tcb, env, seg, snd->una, a->ack, fack);
    if (seg->sack_cnt == 0)
        return;
    take_dsack(tcb, a);
    for (uint32_t i = 0; i < seg->sack_cnt; i++) {
        uint64_t left = capy_tcp_pos_of(snd->iss, seg->sack[i].left, snd->una);
        uint64_t right = capy_tcp_pos_of(snd->iss, seg->sack[i].right, snd->una);
        /* Below una: a duplicate report (RFC 2883) or old. Beyond nxt: nonsense. */
        if (left <= snd->una || left >= right || right > snd->nxt || right <= a->ack)
            continue;
        /* No block or no room: we know less, and may retransmit more. */
        if (!capy_tcp_sent_need(tcb, env))
            continue;
        a->late |= capy_tcp_rack_delivered(tcb, env, seg, left, right, fack);
        (void)capy_tcp_ranges_add(&capy_tcp_marks_need(tcb, env)->sacked, left, right,
                                  CAPY_TCP_ASCENDING);
    }
    snd->sacked = capy_tcp_ranges_total(&capy_tcp_marks(tcb, env)->sacked);
    a->sacked = snd->sacked - a->sacked_was;
}

void capy_tcp_scoreboard_trim(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    if (tcb->marks == CAPY_NONE || capy_tcp_marks(tcb, env)->sent.cnt == 0)
        return;
    struct capy_tcp_marks *m = capy_tcp_marks_need(tcb, env);
    capy_tcp_ranges_trim(&m->sacked, tcb->snd.una);
    tcb->snd.sacked = capy_tcp_ranges_total(&m->sacked);
    capy_tcp_sent_trim(tcb, m);
    capy_tcp_marks_settle(tcb, env);
}

void capy_tcp_scoreboard_clear(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    tcb->snd.sacked = 0;
    if (!tcb->sack_ok || tcb->marks == CAPY_NONE)
        return;
    struct capy_tcp_marks *m = capy_tcp_marks_need(tcb, env);
    m->sacked.cnt = m->sent.cnt = 0;
    capy_tcp_marks_settle(tcb, env);
}

uint32_t capy_tcp_pipe(const struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    const struct capy_tcp_snd *snd = &tcb->snd;
    uint32_t flight = capy_tcp_flight(tcb);
    if (capy_tcp_undisturbed(tcb))
        return flight - capy_min32(snd->sacked, flight);
    const struct capy_tcp_marks *m = capy_tcp_marks(tcb, env);
    uint64_t gone = snd->sacked, start = snd->una;
    if (m->sent.cnt == 0 && snd->rtx_nxt < snd->lost_end)
        gone += snd->lost_end - snd->rtx_nxt;
    for (uint32_t i = 0; i < m->sent.cnt; start = m->sent.r[i++].end)
        if (m->sent.r[i].lost)
            gone += capy_tcp_ranges_missing(&m->sacked, start, m->sent.r[i].end);
    return gone < flight ? flight - (uint32_t)gone : 0;
}

/* The first piece of [*pos, *end) that was not SACKed. False: there is none. */
static bool first_missing(const struct capy_tcp_ranges *l, uint64_t *pos, uint64_t *end)
{
    for (uint32_t i = 0; i < l->cnt; i++) {
        if (l->r[i].left > *pos) {
            *end = capy_min64(*end, l->r[i].left);
            break;
        }
        *pos = capy_max64(*pos, l->r[i].right);
    }
    return *pos < *end;
}

bool capy_tcp_next_lost(const struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t *pos,
                        uint64_t *end)
{
    const struct capy_tcp_marks *m = capy_tcp_marks(tcb, env);
    if (m->sent.cnt == 0) {
        *pos = tcb->snd.rtx_nxt;
        *end = tcb->snd.lost_end;
        return *pos < *end;
    }
    uint64_t start = tcb->snd.una;
    for (uint32_t i = 0; i < m->sent.cnt; start = m->sent.r[i++].end) {
        *pos = start;
        *end = m->sent.r[i].end;
        if (m->sent.r[i].lost && first_missing(&m->sacked, pos, end))
            return true;
    }
    return false;
}
