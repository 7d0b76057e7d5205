/* Output: one function decides what the next segment is (next_plan), others carry it out. Because
 * capy_tcp_wants_output asks the same function, "may I send?" and "do I want to?" cannot differ. */
#include "tcp/output.h"
#include "tcp/congestion.h"
#include "tcp/ecn.h"
#include "tcp/pacing.h"
#include "tcp/path.h"
#include "tcp/position.h"
#include "tcp/reassembly.h"
#include "tcp/recovery.h"
#include "tcp/rightsize.h"
#include "tcp/rtt.h"
#include "tcp/scoreboard.h"
#include "tcp/sent.h"
#include "tcp/state.h"
#include "tcp/timers.h"
#include "tcp/window.h"

enum plan_kind {
    PLAN_NOTHING,
    PLAN_SYN,
    PLAN_RESET,
    PLAN_LOST,  /* [pos, end) was lost and goes again */
    PLAN_AGAIN, /* [pos, end) goes again; nothing is known to be lost */
    PLAN_NEW,   /* [nxt, end) goes for the first time */
    PLAN_ACK,
    PLAN_KEEPALIVE, /* an ACK below what the peer expects */
};

struct plan {
    enum plan_kind kind;
    uint64_t pos, end;
};

static bool may_carry_data(const struct capy_tcp *tcb)
{
    switch (capy_tcp_state_of(tcb)) {
    case CAPY_TCP_ESTABLISHED:
    case CAPY_TCP_FIN_WAIT_1:
    case CAPY_TCP_CLOSE_WAIT:
    case CAPY_TCP_CLOSING:
    case CAPY_TCP_LAST_ACK:
        return true;
    case CAPY_TCP_CLOSED:
    case CAPY_TCP_SYN_SENT:
    case CAPY_TCP_SYN_RECEIVED:
    case CAPY_TCP_FIN_WAIT_2:
    case CAPY_TCP_TIME_WAIT:
    case CAPY_TCP_STATE_CNT:
        break;
    }
    return false;
}

/* n bytes from nxt on, and the FIN when they are the last. */
static uint32_t with_fin(const struct capy_tcp *tcb, uint32_t n)
{
    return n + (tcb->fin_queued && tcb->snd.nxt + n == tcb->snd.end ? 1u : 0u);
}

/* Bytes of new data that one segment can hold and the peer's window has room for. */
static uint32_t sendable(const struct capy_tcp *tcb)
{
    const struct capy_tcp_snd *snd = &tcb->snd;
    uint64_t edge = snd->una + snd->wnd;
    if (snd->nxt >= snd->end || snd->nxt >= edge)
        return 0;
    return (uint32_t)capy_min64(snd->mss, capy_min64(snd->end, edge) - snd->nxt);
}

/* Less than a segment, and the last of what is queued: does it wait? For acknowledgments when the
 * application asked for Nagle's algorithm, for more bytes when it said that they come. */
static bool holds_back(const struct capy_tcp *tcb)
{
    if (tcb->fin_queued)
        return false;
    return (tcb->tune.nagle && capy_tcp_flight(tcb) > 0) || tcb->tune.cork || tcb->more;
}

uint32_t capy_tcp_may_send_new(const struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    const struct capy_tcp_snd *snd = &tcb->snd;
    if (!may_carry_data(tcb) || snd->nxt >= capy_tcp_snd_last(tcb))
        return 0;
    uint32_t n = sendable(tcb);
    if (n == 0) /* a lone FIN takes no buffer: it may stand at the window's edge */
        return snd->nxt == snd->end && snd->nxt <= snd->una + snd->wnd ? 1 : 0;
    if (n < snd->mss) {
        bool all = snd->nxt + n == snd->end;
        if (all && holds_back(tcb))
            return 0;
        if (!all && n < snd->wnd_max / 2)
            return 0;
    }
    if (snd->una < snd->nxt) { /* else a segment may go in any case */
        uint32_t pipe = capy_tcp_pipe(tcb, env);
        if (pipe > 0 && (uint64_t)pipe + n > tcb->cc.cwnd)
            return 0;
    }
    return with_fin(tcb, n);
}

/* n bytes may go; behind a full segment more of them, for a device that cuts segments: just those
 * that would go one after the other now. */
static uint32_t with_burst(const struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t n)
{
    const struct capy_tcp_snd *snd = &tcb->snd;
    if (n != snd->mss || env->burst_max < 2u * n)
        return n;
    uint32_t pipe = capy_tcp_pipe(tcb, env);
    uint64_t room = capy_min64(snd->end, snd->una + snd->wnd) - snd->nxt;
    room = capy_min64(room, tcb->cc.cwnd > pipe ? tcb->cc.cwnd - pipe : 0);
    uint32_t whole = (uint32_t)capy_min64(room, env->burst_max) / snd->mss * snd->mss;
    if (tcb->tune.pacing > 0)
        whole = capy_min32(whole, capy_tcp_pacing_segments(tcb, env) * snd->mss);
    return with_fin(tcb, capy_max32(n, whole));
}

static struct plan plan_again(const struct capy_tcp *tcb, uint64_t pos, uint32_t max)
{
    return (struct plan){PLAN_AGAIN, pos, capy_min64(pos + max, tcb->snd.nxt)};
}

/* Into a closed window: one byte, or what fits when sender SWS avoidance had held it back. */
static struct plan plan_window_probe(const struct capy_tcp *tcb)
{
    const struct capy_tcp_snd *snd = &tcb->snd;
    if (snd->una < snd->nxt)
        return plan_again(tcb, snd->una, 1);
    if (snd->nxt >= capy_tcp_snd_last(tcb))
        return (struct plan){PLAN_NOTHING, 0, 0};
    uint32_t n = snd->nxt < snd->end ? capy_max32(sendable(tcb), 1) : 0;
    return (struct plan){PLAN_NEW, snd->nxt, snd->nxt + with_fin(tcb, n)};
}

/* RFC 8985 §7.3: new data if the peer's window has room, else the last segment again. */
static struct plan plan_tail_probe(const struct capy_tcp *tcb)
{
    const struct capy_tcp_snd *snd = &tcb->snd;
    uint32_t n = sendable(tcb);
    if (snd->una == snd->nxt)
        return (struct plan){PLAN_NOTHING, 0, 0};
    if (n > 0)
        return (struct plan){PLAN_NEW, snd->nxt, snd->nxt + with_fin(tcb, n)};
    return plan_again(tcb, capy_max64(snd->una, snd->nxt - snd->mss), snd->mss);
}

/* The window is open again. The probe goes once more, for the peer had no room for it; and what waits
 * behind it in the same segment (RFC 9293 §3.8.1 lets what goes again be cut anew). Apart, one byte
 * would be a silly segment, and Nagle's algorithm would hold the rest until its ACK, which the peer
 * may delay. A cork still holds, and so does a window not worth a segment (§3.8.6.2.1). */
static struct plan plan_reopened(const struct capy_tcp *tcb)
{
    const struct capy_tcp_snd *snd = &tcb->snd;
    struct plan p = plan_again(tcb, snd->una, snd->mss);
    uint64_t end = capy_min64(capy_min64(snd->end, snd->una + snd->wnd), snd->una + snd->mss);
    if (tcb->phase != CAPY_TCP_OPEN || end <= snd->nxt)
        return p;
    bool all = end == snd->end;
    bool waits = all ? !tcb->fin_queued && (tcb->tune.cork || tcb->more)
                     : end - snd->una < capy_min32(snd->mss, snd->wnd_max / 2);
    if (!waits)
        p.end = end + (all && tcb->fin_queued ? 1u : 0u);
    return p;
}

/* Lost pieces, as far as the congestion window allows; the first of a phase in any case. */
static struct plan plan_lost(const struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    const struct capy_tcp_snd *snd = &tcb->snd;
    uint64_t pos, end;
    bool at_once = tcb->probe == CAPY_TCP_PROBE_RETRANS;
    if (tcb->phase == CAPY_TCP_FRTO || (!at_once && capy_tcp_undisturbed(tcb)))
        return (struct plan){PLAN_NOTHING, 0, 0};
    if (!capy_tcp_next_lost(tcb, env, &pos, &end)) {
        if (at_once && snd->una < snd->nxt)
            return plan_reopened(tcb);
        return (struct plan){PLAN_NOTHING, 0, 0};
    }
    end = capy_min64(end, pos + snd->mss);
    if (!at_once &&
        (capy_tcp_pipe(tcb, env) + (end - pos) > tcb->cc.cwnd || capy_tcp_pacing_holds(tcb, env)))
        return (struct plan){PLAN_NOTHING, 0, 0};
    return (struct plan){PLAN_LOST, pos, end};
}

static struct plan plan_data(const struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    struct plan p = {PLAN_NOTHING, 0, 0};
    if (tcb->probe == CAPY_TCP_PROBE_WINDOW)
        p = plan_window_probe(tcb);
    else if (tcb->probe == CAPY_TCP_PROBE_TAIL)
        p = plan_tail_probe(tcb);
    if (p.kind == PLAN_NOTHING)
        p = plan_lost(tcb, env);
    if (p.kind == PLAN_NOTHING) {
        uint32_t n = capy_tcp_may_send_new(tcb, env);
        if (n > 0 && !capy_tcp_pacing_holds(tcb, env))
            p = (struct plan){PLAN_NEW, tcb->snd.nxt, tcb->snd.nxt + with_burst(tcb, env, n)};
    }
    return p;
}

static struct plan next_plan(const struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    enum capy_tcp_state state = capy_tcp_state_of(tcb);
    struct plan p = {PLAN_NOTHING, 0, 0};
    if (state == CAPY_TCP_CLOSED)
        return p;
    if (tcb->probe == CAPY_TCP_PROBE_RESET)
        return (struct plan){PLAN_RESET, 0, 0};
    bool opening = state == CAPY_TCP_SYN_SENT || state == CAPY_TCP_SYN_RECEIVED;
    if (opening && (tcb->snd.nxt == tcb->snd.una || tcb->probe == CAPY_TCP_PROBE_RETRANS))
        return (struct plan){PLAN_SYN, 0, 0};
    if (!opening)
        p = plan_data(tcb, env);
    if (p.kind == PLAN_NOTHING && tcb->probe == CAPY_TCP_PROBE_KEEPALIVE)
        p.kind = PLAN_KEEPALIVE;
    if (p.kind == PLAN_NOTHING && (tcb->ack_now || capy_tcp_window_update_owed(tcb)))
        p.kind = PLAN_ACK;
    return p;
}

bool capy_tcp_wants_output(const struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    return next_plan(tcb, env).kind != PLAN_NOTHING;
}

/* Line by line what next_plan asks, where the answer is "nothing". */
bool capy_tcp_is_silent(const struct capy_tcp *tcb)
{
    return tcb->snd.nxt >= capy_tcp_snd_last(tcb) && tcb->state >= CAPY_TCP_ESTABLISHED &&
           tcb->probe == CAPY_TCP_PROBE_NONE && capy_tcp_undisturbed(tcb) && !tcb->ack_now &&
           !capy_tcp_window_update_owed(tcb);
}

/* ---- carrying it out ----------------------------------------------------------------------------
 */

/* Acknowledges all that arrived, or what ECN has to say something of its own about first: every
 * segment but a first SYN does. */
static void put_ack(struct capy_tcp *tcb, struct capy_tcp_segment *seg)
{
    uint64_t ack = tcb->ecn_rcv ? capy_tcp_ecn_put_echo(tcb, seg) : tcb->rcv.nxt;
    seg->flags |= CAPY_TCP_ACK;
    seg->ack = capy_tcp_seq_at(tcb->rcv.irs, ack);
    seg->window = capy_tcp_window_offer(tcb, ack, seg->flags & CAPY_TCP_SYN);
    tcb->rcv.acked = capy_tcp_near(ack);
    tcb->ack_now = ack < tcb->rcv.nxt;
    tcb->delack_at = CAPY_NEVER;
}

static void put_timestamps(const struct capy_tcp *tcb, const struct capy_tcp_env *env,
                           struct capy_tcp_segment *seg)
{
    seg->opts |= CAPY_TCP_OPT_TS;
    seg->ts_val = capy_tcp_ts_now(tcb, env);
    seg->ts_ecr = seg->flags & CAPY_TCP_ACK ? tcb->rcv.ts_recent : 0;
}

/* A SYN offers everything; a SYN-ACK only what the SYN offered (RFC 7323 §2.2, §3.2, RFC 2018 §2).
 */
static void emit_syn(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                     struct capy_tcp_segment *seg)
{
    bool first = tcb->snd.nxt == tcb->snd.una;
    bool answer = tcb->state == CAPY_TCP_SYN_RECEIVED;
    const struct capy_tcp_tuning *tune = &tcb->tune;
    seg->seq = tcb->snd.iss;
    seg->flags = CAPY_TCP_SYN;
    seg->opts = CAPY_TCP_OPT_MSS;
    seg->mss = tune->mss_max;
    if (answer ? tcb->wscale_ok : tune->window_scale) {
        seg->opts |= CAPY_TCP_OPT_WSCALE;
        seg->wscale = capy_tcp_wscale_for(tune->rcv_buf);
    }
    if (answer ? tcb->sack_ok : tune->sack)
        seg->opts |= CAPY_TCP_OPT_SACK_OK;
    if (answer)
        put_ack(tcb, seg);
    else
        seg->window = (uint16_t)capy_min32(capy_tcp_rcv_buf(tcb), UINT16_MAX);
    if (answer ? tcb->ts_ok : tune->timestamps)
        put_timestamps(tcb, env, seg);
    capy_tcp_ecn_put_syn(tcb, env, first, seg);
    tcb->snd.nxt = CAPY_TCP_POS_DATA;
    tcb->probe = CAPY_TCP_PROBE_NONE;
    if (first)
        capy_tcp_rtt_sent(tcb, env, tcb->snd.nxt);
    else
        capy_tcp_rtt_cancel(tcb);
    capy_tcp_timers_changed(tcb, env);
}

/* RST in answer to data that nobody will read; the block ends. */
static void emit_reset(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                       struct capy_tcp_segment *seg)
{
    seg->seq = capy_tcp_seq_at(tcb->snd.iss, tcb->snd.nxt);
    seg->flags = CAPY_TCP_RST;
    put_ack(tcb, seg);
    if (tcb->ts_ok)
        put_timestamps(tcb, env, seg);
    capy_tcp_ecn_put_control(tcb, seg);
    env->count->resets_out++;
    capy_tcp_set_state(tcb, CAPY_TCP_CLOSED);
    tcb->probe = CAPY_TCP_PROBE_NONE;
    capy_tcp_timers_end_at(tcb, env->now);
}

/* SACK blocks beside whatever else goes out; the bytes of options they take. */
static uint32_t put_sack(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                         struct capy_tcp_segment *seg)
{
    if (!tcb->sack_ok)
        return 0;
    capy_tcp_sack_fill(tcb, env, tcb->ts_ok ? 3 : CAPY_TCP_SACK_MAX, seg);
    return seg->sack_cnt > 0 ? 4u + 8u * seg->sack_cnt : 0; /* RFC 2018 §3, padded to 4 bytes */
}

static void emit_ack(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                     struct capy_tcp_segment *seg)
{
    seg->seq = capy_tcp_seq_at(tcb->snd.iss, tcb->snd.nxt);
    put_ack(tcb, seg);
    put_sack(tcb, env, seg);
    if (tcb->ts_ok)
        put_timestamps(tcb, env, seg);
}

/* Keeps the books for [p->pos, end), which just left. */
static void account(struct capy_tcp *tcb, const struct capy_tcp_env *env, const struct plan *p,
                    uint64_t end)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    bool tail = tcb->probe == CAPY_TCP_PROBE_TAIL;
    if (tcb->probe == CAPY_TCP_PROBE_WINDOW)
        env->count->zero_window_probes++;
    tcb->probe = CAPY_TCP_PROBE_NONE;
    bool recorded = capy_tcp_sent_went(tcb, env, p->pos, end, p->kind != PLAN_NEW);
    if (p->kind == PLAN_NEW) {
        snd->nxt = end;
        tcb->cwnd_used = capy_tcp_flight(tcb) >= tcb->cc.cwnd / 2;
        capy_tcp_rtt_sent(tcb, env, end);
    } else {
        capy_tcp_rtt_cancel(tcb);
        tcb->retrans_segs++;
        env->count->retrans_segs++;
        if (p->kind == PLAN_LOST && !recorded)
            snd->rtx_nxt = end;
        snd->nxt = capy_max64(snd->nxt, end); /* plan_reopened */
    }
    if (tail) {
        snd->tlp_end = snd->nxt;
        tcb->tlp_again = p->kind != PLAN_NEW;
    }
    if (tcb->phase != CAPY_TCP_OPEN)
        capy_tcp_recovery_sent(tcb, env, p->pos, end, p->kind != PLAN_NEW);
    if (tcb->tune.pacing > 0)
        capy_tcp_pacing_sent(tcb, env, (uint32_t)(end - p->pos));
    tcb->sent_at = env->now;
    if (p->kind == PLAN_NEW && tcb->timer == CAPY_TCP_TIMER_TLP)
        capy_tcp_timers_restart(tcb);
    capy_tcp_timers_changed(tcb, env);
}

static void emit_data(struct capy_tcp *tcb, const struct capy_tcp_env *env, const struct plan *p,
                      struct capy_tcp_segment *seg, uint64_t *data_offset)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    if (p->kind == PLAN_NEW && snd->una == snd->nxt &&
        env->now - tcb->sent_at > capy_tcp_rto(tcb, env))
        capy_tcp_cc_resume(tcb);
    if (tcb->shrunk && p->kind == PLAN_NEW)
        capy_tcp_path_try(tcb, env);

    seg->seq = capy_tcp_seq_at(snd->iss, p->pos);
    put_ack(tcb, seg);
    uint32_t sack_len = put_sack(tcb, env, seg), room = snd->mss - sack_len;
    if (sack_len == 0) /* else every segment would carry them */
        room = capy_max32(room, env->burst_max);
    if (tcb->ts_ok)
        put_timestamps(tcb, env, seg);
    uint64_t data_end = capy_min64(p->end, snd->end);
    if (data_end > p->pos) {
        seg->data_len = (uint32_t)capy_min64(data_end - p->pos, room);
        *data_offset = p->pos;
    }
    if (tcb->ecn_snd && p->kind == PLAN_NEW && seg->data_len > 0 &&
        tcb->probe != CAPY_TCP_PROBE_WINDOW)
        capy_tcp_ecn_put_data(tcb, seg);
    uint64_t end = p->pos + seg->data_len;
    if (end == snd->end) {
        if (seg->data_len > 0)
            seg->flags |= CAPY_TCP_PSH;
        if (p->end > end) {
            seg->flags |= CAPY_TCP_FIN;
            end++;
        }
    }
    env->count->bytes_out += seg->data_len;
    if (seg->data_len > snd->mss)
        env->count->segs_out += (seg->data_len - 1) / snd->mss; /* and one as any other */
    account(tcb, env, p, end);
}

bool capy_tcp_output(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                     struct capy_tcp_segment *seg, uint64_t *data_offset)
{
    struct plan p = next_plan(tcb, env);
    if (p.kind == PLAN_NOTHING)
        return false;
    *seg = (struct capy_tcp_segment){0};
    *data_offset = 0;
    switch (p.kind) {
    case PLAN_SYN:
        emit_syn(tcb, env, seg);
        break;
    case PLAN_RESET:
        emit_reset(tcb, env, seg);
        break;
    case PLAN_LOST:
    case PLAN_AGAIN:
    case PLAN_NEW:
        emit_data(tcb, env, &p, seg, data_offset);
        break;
    case PLAN_ACK:
        emit_ack(tcb, env, seg);
        break;
    case PLAN_KEEPALIVE:
        emit_ack(tcb, env, seg);
        seg->seq = capy_seq_add(seg->seq, UINT32_MAX); /* SND.NXT - 1, no data: SHLD-12 */
        tcb->probe = CAPY_TCP_PROBE_NONE;
        env->count->keepalive_probes++;
        break;
    case PLAN_NOTHING:
        break;
    }
    env->count->segs_out++;
    return true;
}
