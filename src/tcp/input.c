/* SEGMENT ARRIVES (RFC 9293 §3.10.7): one function per step, called in order by capy_tcp_input.
 * Input never sends; it marks what is owed. Every step answers: does the segment go on?
 *
 * DEVIATION(RFC 9293 MUST-32, MUST-33): urgent data is delivered in line, as RFC 6093 §4
 * asks for, but the application is not told of it, nor can it ask: RFC 6093 §3 advises applications
 * not to use it, and no field of the block is kept for it. */
#include "tcp/ack.h"
#include "tcp/arrival.h"
#include "tcp/ecn.h"
#include "tcp/open.h"
#include "tcp/position.h"
#include "tcp/reassembly.h"
#include "tcp/rtt.h"
#include "tcp/state.h"
#include "tcp/timers.h"

/* A sender that counts ACKs, and not what they acknowledge, grows by as much per ACK in slow start
 * (RFC 9406 §4.2's L). */
#define STRETCH_SEGMENTS 8u
#define TS_RECENT_MAX_S (24u * 24 * 3600) /* RFC 7323 §5.5: then it may have wrapped */

void capy_tcp_challenge(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    uint32_t now_ms = capy_tcp_clock_ms(env);
    /* By how far ahead it lies: after weeks of silence the clock may have wrapped. */
    if (tcb->challenge_ms - now_ms - 1 < CAPY_TCP_CHALLENGE_MS)
        return;
    tcb->challenge_ms = now_ms + CAPY_TCP_CHALLENGE_MS;
    tcb->ack_now = true;
    env->count->challenge_acks++;
}

/* ---- SYN-SENT (§3.10.7.3) ---- */

static bool end_by_reset(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                         struct capy_tcp_arrival *a, uint32_t event)
{
    env->count->resets_in++;
    capy_tcp_free(tcb, env);
    a->events |= event;
    return false;
}

static void input_syn_sent(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                           struct capy_tcp_arrival *a)
{
    const struct capy_tcp_segment *seg = a->seg;
    bool has_ack = seg->flags & CAPY_TCP_ACK;
    bool ack_ok = has_ack && a->ack == tcb->snd.nxt && tcb->snd.una < tcb->snd.nxt;
    if (has_ack && !ack_ok) {
        env->count->bad_ack++;
        if (!(seg->flags & CAPY_TCP_RST))
            a->events |= CAPY_TCP_SEGMENT_REFUSED;
        return;
    }
    if (seg->flags & CAPY_TCP_RST) {
        if (ack_ok && !capy_tcp_ecn_refused(tcb, env))
            end_by_reset(tcb, env, a, CAPY_TCP_WAS_RESET);
        return;
    }
    if (!(seg->flags & CAPY_TCP_SYN))
        return;
    capy_tcp_take_syn(tcb, env, seg);
    tcb->probe = CAPY_TCP_PROBE_NONE;
    if (!ack_ok) { /* both sides open at once: ours goes again, as SYN-ACK (Figure 8) */
        capy_tcp_set_state(tcb, CAPY_TCP_SYN_RECEIVED);
        tcb->probe = CAPY_TCP_PROBE_RETRANS;
        capy_tcp_timers_changed(tcb, env);
        return;
    }
    capy_tcp_established(tcb, env, seg);
    tcb->ack_now = true;
    a->events |= CAPY_TCP_ESTABLISHED_EV;
}

/* ---- first step: sequence number, and PAWS before it (RFC 7323 §5.3) ---- */

/* A segment that is refused for its numbers is answered with an ACK; when it takes no sequence
 * space only now and then, so that two confused ends do not answer each other for ever. */
static void refuse(struct capy_tcp *tcb, const struct capy_tcp_env *env, struct capy_tcp_arrival *a)
{
    if (a->seg->flags & CAPY_TCP_RST)
        return;
    if (capy_tcp_segment_len(a->seg) > 0) {
        tcb->ack_now = true;
        a->events |= CAPY_TCP_ACK_DUE;
    } else {
        capy_tcp_challenge(tcb, env);
    }
    /* The peer did not get our ACK of its FIN: wait anew (§3.10.7.4, TIME-WAIT). */
    if (tcb->state == CAPY_TCP_TIME_WAIT && a->seg->flags & CAPY_TCP_FIN)
        capy_tcp_timers_end_at(tcb, env->now + env->cfg->time_wait_ns);
}

static bool check_timestamp(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                            struct capy_tcp_arrival *a)
{
    if (!tcb->ts_ok || a->seg->flags & CAPY_TCP_RST)
        return true;
    if (!(a->seg->opts & CAPY_TCP_OPT_TS)) { /* RFC 7323 §3.2: drop silently */
        env->count->paws_drops++;
        return false;
    }
    bool older = (int32_t)(a->seg->ts_val - tcb->rcv.ts_recent) < 0;
    if (!older || capy_tcp_clock_s(env) - tcb->rcv.ts_recent_s > TS_RECENT_MAX_S)
        return true;
    env->count->paws_drops++;
    refuse(tcb, env, a);
    return false;
}

/* The four cases of RFC 9293 Table 6. A closed window still lets a segment at its edge through, so
 * that its ACK and RST count; its data is cut off below.
 * DEVIATION(RFC 9293 Table 6): an empty segment right at the edge is taken, as Linux does. It is all
 * that a peer can say which has filled our window and whose first bytes were lost; were both ends so,
 * neither would ever hear that its retransmission has come. */
static bool in_window(const struct capy_tcp *tcb, const struct capy_tcp_arrival *a)
{
    uint64_t nxt = tcb->rcv.nxt, edge = capy_tcp_rcv_edge(tcb);
    uint64_t end = a->seq + capy_tcp_segment_len(a->seg);
    if (a->seq == nxt)
        return true;
    return (a->seq < edge || (a->seq == edge && end == edge)) && (a->seq > nxt || end > nxt);
}

/* Cuts off what was received before and what the window has no room for. */
static void trim(const struct capy_tcp *tcb, struct capy_tcp_arrival *a)
{
    if (a->seq < tcb->rcv.nxt) {
        uint32_t old = (uint32_t)(tcb->rcv.nxt - a->seq);
        old = capy_min32(old, a->len);
        a->data += old;
        a->len -= old;
        a->seq += old;
    }
    uint64_t edge = capy_min64(capy_tcp_rcv_edge(tcb), capy_tcp_fin_pos(tcb));
    uint64_t room = edge > a->seq ? edge - a->seq : 0;
    if (a->len > room) {
        a->len = (uint32_t)room;
        a->fin = false;
    }
}

static bool ack_syn_received(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                             struct capy_tcp_arrival *a)
{
    if (a->ack != tcb->snd.nxt || tcb->snd.una == tcb->snd.nxt) {
        env->count->bad_ack++;
        a->events |= CAPY_TCP_SEGMENT_REFUSED;
        return false;
    }
    uint8_t shift = a->seg->flags & CAPY_TCP_SYN ? 0 : tcb->snd.wscale; /* RFC 7323 §2.2 */
    tcb->snd.wnd = (uint32_t)a->seg->window << shift;
    tcb->snd.wnd_max = capy_max32(tcb->snd.wnd_max, tcb->snd.wnd);
    tcb->snd.wl1 = a->seg->seq;
    tcb->snd.wl2 = a->seg->ack;
    capy_tcp_established(tcb, env, a->seg);
    a->events |= CAPY_TCP_ESTABLISHED_EV;
    return true;
}

/* The peer's SYN once more, in SYN_RECEIVED. Without ACK: it did not get our SYN-ACK, and an ACK
 * alone would not help it. With ACK: both sides opened at once (RFC 9293 Figure 8); the answer is
 * for a peer that goes by Table 6 and so refuses our SYN-ACK. */
static void hear_syn_again(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                           struct capy_tcp_arrival *a)
{
    if (!(a->seg->flags & CAPY_TCP_ACK)) {
        capy_tcp_ecn_syn_again(tcb, a->seg);
        tcb->probe = CAPY_TCP_PROBE_RETRANS;
    } else if (ack_syn_received(tcb, env, a))
        tcb->ack_now = true;
}

static bool check_sequence(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                           struct capy_tcp_arrival *a)
{
    const struct capy_tcp_segment *seg = a->seg;
    if (!check_timestamp(tcb, env, a))
        return false;
    capy_tcp_note_duplicate(tcb, env, a->seq, a->seq + a->len);
    if (!in_window(tcb, a)) {
        env->count->bad_seq++;
        if (tcb->state == CAPY_TCP_SYN_RECEIVED && a->seq == CAPY_TCP_POS_SYN &&
            (seg->flags & (CAPY_TCP_SYN | CAPY_TCP_RST)) == CAPY_TCP_SYN)
            hear_syn_again(tcb, env, a);
        else
            refuse(tcb, env, a);
        return false;
    }
    trim(tcb, a);
    return true;
}

/* RFC 7323 §4.3 (2): only a segment that spans what we last acknowledged gives TS.Recent; and only
 * one that the fifth step will take: else whoever guesses a sequence number, but no ACK, could have
 * PAWS drop all that the peer sends from then on. */
static void take_timestamp(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                           const struct capy_tcp_arrival *a)
{
    uint64_t seq = capy_tcp_pos_of(tcb->rcv.irs, a->seg->seq, tcb->rcv.nxt);
    if (!tcb->ts_ok || !(a->seg->opts & CAPY_TCP_OPT_TS) || seq > capy_tcp_rcv_acked(tcb))
        return;
    if (!(a->seg->flags & CAPY_TCP_ACK) || !capy_tcp_ack_plausible(tcb, a))
        return;
    tcb->rcv.ts_recent = a->seg->ts_val;
    tcb->rcv.ts_recent_s = capy_tcp_clock_s(env);
}

/* ---- second to fourth step ---- */

/* RFC 5961 §3: only the exact next sequence number resets; others in the window are challenged. */
static bool check_rst(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                      struct capy_tcp_arrival *a)
{
    if (!(a->seg->flags & CAPY_TCP_RST))
        return true;
    if (capy_tcp_pos_of(tcb->rcv.irs, a->seg->seq, tcb->rcv.nxt) != tcb->rcv.nxt) {
        capy_tcp_challenge(tcb, env);
        return false;
    }
    bool was_closing = tcb->state == CAPY_TCP_CLOSING || tcb->state == CAPY_TCP_LAST_ACK ||
                       tcb->state == CAPY_TCP_TIME_WAIT;
    if (!was_closing)
        return end_by_reset(tcb, env, a, CAPY_TCP_WAS_RESET);
    env->count->resets_in++;
    a->events |= capy_tcp_finish(tcb, env); /* all has come: it stays until it is read */
    return false;
}

/* RFC 5961 §4: whoever restarted will answer the challenge with a RST. */
static bool check_syn(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                      const struct capy_tcp_arrival *a)
{
    if (!(a->seg->flags & CAPY_TCP_SYN))
        return true;
    capy_tcp_challenge(tcb, env);
    return false;
}

/* ---- fifth step: ACK ---- */

static bool check_ack(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                      struct capy_tcp_arrival *a)
{
    if (!(a->seg->flags & CAPY_TCP_ACK))
        return false;
    if (tcb->state == CAPY_TCP_SYN_RECEIVED)
        return ack_syn_received(tcb, env, a);
    return capy_tcp_take_ack(tcb, env, a);
}

/* ---- seventh step: text ---- */

/* RFC 9293 §3.8.6.3, RFC 5681 §4.2: at once for every second full-sized segment and around holes,
 * else within delack_ns.
 * DEVIATION(RFC 9293 SHLD-19): of a burst that is taken in together up to STRETCH_SEGMENTS share one
 * ACK, which is less than what kernels join before their TCP sees it. */
static void owe_ack(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                    struct capy_tcp_arrival *a)
{
    uint64_t unacked = tcb->rcv.nxt - capy_tcp_rcv_acked(tcb);
    if (unacked > tcb->rcv.mss)
        tcb->ack_now = true;
    else if (tcb->delack_at == CAPY_NEVER)
        tcb->delack_at = env->now + CAPY_MS(tcb->tune.delack_ms);
    if (unacked >= STRETCH_SEGMENTS * tcb->rcv.mss)
        a->events |= CAPY_TCP_ACK_DUE;
}

static bool may_receive(const struct capy_tcp *tcb)
{
    return tcb->state == CAPY_TCP_ESTABLISHED || tcb->state == CAPY_TCP_FIN_WAIT_1 ||
           tcb->state == CAPY_TCP_FIN_WAIT_2;
}

static bool take_text(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                      struct capy_tcp_arrival *a)
{
    if (a->len < a->seg->data_len)
        tcb->ack_now = true; /* something was cut off: the sender should learn where we stand */
    if (a->len == 0)
        return true;
    if (!may_receive(tcb)) {
        tcb->ack_now = true;
        return false;
    }
    if (tcb->app_gone) { /* RFC 9293 SHLD-3, RFC 2525 §2.17: lost data is told by RST */
        tcb->probe = CAPY_TCP_PROBE_RESET;
        tcb->ack_now = false;
        return false;
    }
    uint64_t before = tcb->rcv.nxt;
    switch (capy_tcp_place(tcb, env, a->seq, a->data, a->len)) {
    case CAPY_TCP_PLACED_NOTHING:
        return false;
    case CAPY_TCP_PLACED_AHEAD:
        env->count->ooo_segs_in++;
        tcb->ack_now = true;
        a->events |= CAPY_TCP_ACK_DUE;
        break;
    case CAPY_TCP_PLACED_GAP:
        tcb->ack_now = true;
        a->events |= CAPY_TCP_DATA_ARRIVED | CAPY_TCP_ACK_DUE;
        break;
    case CAPY_TCP_PLACED_NEXT:
        owe_ack(tcb, env, a);
        a->events |= CAPY_TCP_DATA_ARRIVED;
        break;
    }
    env->count->bytes_in += tcb->rcv.nxt - before;
    if (tcb->ecn_rcv)
        capy_tcp_ecn_arrived(tcb, env, a, before);
    return true;
}

/* ---- eighth step: FIN ---- */

static void enter_time_wait(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    capy_tcp_set_state(tcb, CAPY_TCP_TIME_WAIT);
    capy_tcp_timers_end_at(tcb, env->now + env->cfg->time_wait_ns);
}

static void take_fin(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                     struct capy_tcp_arrival *a)
{
    struct capy_tcp_rcv *rcv = &tcb->rcv;
    uint64_t pos = a->seq + a->len;
    /* A FIN below data that arrived is a lie; so is a second one elsewhere. */
    if (a->fin && may_receive(tcb) && !rcv->fin_seen && pos >= capy_tcp_held_end(tcb, env)) {
        rcv->fin_seen = true;
        rcv->fin = capy_tcp_near(pos);
    }
    if (a->fin)
        tcb->ack_now = true;
    if (rcv->nxt != capy_tcp_fin_pos(tcb))
        return;
    tcb->ack_now = true; /* also of a FIN that came before the text which now completes it */
    uint64_t edge = capy_tcp_rcv_edge(tcb);
    rcv->nxt++;
    rcv->adv = capy_tcp_near(capy_max64(edge, rcv->nxt));
    a->events |= CAPY_TCP_FIN_ARRIVED;
    switch (capy_tcp_state_of(tcb)) {
    case CAPY_TCP_ESTABLISHED:
        capy_tcp_set_state(tcb, CAPY_TCP_CLOSE_WAIT);
        break;
    case CAPY_TCP_FIN_WAIT_1: /* had our FIN been acknowledged, this were FIN_WAIT_2 */
        capy_tcp_set_state(tcb, CAPY_TCP_CLOSING);
        break;
    case CAPY_TCP_FIN_WAIT_2:
        enter_time_wait(tcb, env);
        break;
    case CAPY_TCP_CLOSED:
    case CAPY_TCP_SYN_SENT:
    case CAPY_TCP_SYN_RECEIVED:
    case CAPY_TCP_CLOSE_WAIT:
    case CAPY_TCP_CLOSING:
    case CAPY_TCP_LAST_ACK:
    case CAPY_TCP_TIME_WAIT:
    case CAPY_TCP_STATE_CNT:
        CAPY_ASSERT(false);
    }
}

/* ---- the walk ---- */

/* RFC 9293 §3.10.7.4 on TIME-WAIT, RFC 6191 §2: a SYN that cannot be an old duplicate opens anew.
 */
static bool is_syn_reuse(const struct capy_tcp *tcb, const struct capy_tcp_arrival *a)
{
    const struct capy_tcp_segment *seg = a->seg;
    if (tcb->state != CAPY_TCP_TIME_WAIT ||
        (seg->flags & (CAPY_TCP_SYN | CAPY_TCP_ACK | CAPY_TCP_RST)) != CAPY_TCP_SYN)
        return false;
    if (tcb->ts_ok && seg->opts & CAPY_TCP_OPT_TS && seg->ts_val != tcb->rcv.ts_recent)
        return (int32_t)(seg->ts_val - tcb->rcv.ts_recent) > 0;
    return a->seq > tcb->rcv.nxt;
}

static void walk(struct capy_tcp *tcb, const struct capy_tcp_env *env, struct capy_tcp_arrival *a)
{
    if (!check_sequence(tcb, env, a) || !check_rst(tcb, env, a) || !check_syn(tcb, env, a))
        return;
    take_timestamp(tcb, env, a);
    capy_tcp_timers_heard(tcb, env);
    if (check_ack(tcb, env, a) && take_text(tcb, env, a))
        take_fin(tcb, env, a);
}

uint32_t capy_tcp_input(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                        const struct capy_tcp_segment *seg, uint8_t ecn)
{
    env->count->segs_in++;
    if (tcb->state == CAPY_TCP_CLOSED || tcb->probe == CAPY_TCP_PROBE_RESET)
        return 0;
    struct capy_tcp_arrival a = {
        .seg = seg,
        .seq = capy_tcp_pos_of(tcb->rcv.irs, seg->seq, tcb->rcv.nxt),
        .ack = capy_tcp_pos_of(tcb->snd.iss, seg->ack, tcb->snd.una),
        .data = seg->data,
        .len = seg->data_len,
        .ecn = ecn,
        .fin = seg->flags & CAPY_TCP_FIN,
    };
    if (is_syn_reuse(tcb, &a))
        return CAPY_TCP_SYN_REUSE;
    if (tcb->state == CAPY_TCP_SYN_SENT)
        input_syn_sent(tcb, env, &a);
    else
        walk(tcb, env, &a);
    capy_tcp_timers_changed(tcb, env);
    return a.events;
}
