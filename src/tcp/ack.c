/* Acknowledgments (tcp/ack.h): RFC 9293 §3.10.7.4 fifth step, RFC 5961 §5, RFC 5681 §2. */
#include "tcp/ack.h"
#include "tcp/congestion.h"
#include "tcp/ecn.h"
#include "tcp/position.h"
#include "tcp/recovery.h"
#include "tcp/rtt.h"
#include "tcp/scoreboard.h"
#include "tcp/state.h"
#include "tcp/timers.h"

bool capy_tcp_ack_plausible(const struct capy_tcp *tcb, const struct capy_tcp_arrival *a)
{
    return a->ack + tcb->snd.wnd_max >= tcb->snd.una && a->ack <= tcb->snd.nxt;
}

/* SND.WND moves only by segments not older than the last that moved it (§3.10.7.4). True when it
 * changed. */
static bool update_window(struct capy_tcp *tcb, const struct capy_tcp_arrival *a)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    const struct capy_tcp_segment *seg = a->seg;
    if (!capy_seq_lt(snd->wl1, seg->seq) &&
        !(capy_seq_eq(snd->wl1, seg->seq) && capy_seq_le(snd->wl2, seg->ack)))
        return false;
    uint32_t before = snd->wnd;
    snd->wnd = (uint32_t)seg->window << snd->wscale;
    snd->wnd_max = capy_max32(snd->wnd_max, snd->wnd);
    snd->wl1 = seg->seq;
    snd->wl2 = seg->ack;
    if (before == 0 && snd->wnd > 0) {
        tcb->backoff = 0; /* it counted probes; the path itself is not in doubt */
        tcb->probe = CAPY_TCP_PROBE_NONE;
        if (snd->una < snd->nxt) /* what we sent into the closed window may be gone */
            tcb->probe = CAPY_TCP_PROBE_RETRANS;
    }
    return snd->wnd != before;
}

/* Forgets what was acknowledged. */
static void advance_una(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                        struct capy_tcp_arrival *a)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    uint32_t flight = capy_tcp_flight(tcb);
    uint32_t acked = (uint32_t)(a->ack - snd->una);
    bool marked = tcb->ecn_snd && capy_tcp_ecn_told(tcb, env, a);
    capy_tcp_cc_watch(tcb, env, a->ack, tcb->echo);
    snd->una = a->ack;
    uint64_t data = capy_min64(a->ack, snd->end);
    if (data > snd->queue.start) {
        capy_stream_trim(&snd->queue, env->blocks, data);
        if (data == snd->end)
            capy_stream_clear(&snd->queue, env->blocks);
        a->events |= CAPY_TCP_ROOM_FREED;
    }
    if (tcb->probe == CAPY_TCP_PROBE_TAIL || snd->una == snd->nxt)
        tcb->probe = CAPY_TCP_PROBE_NONE;
    capy_tcp_rtt_acked(tcb, env, a->ack, a->seg);
    capy_tcp_recovery_advanced(tcb, env, a, acked, flight);
    if (marked)
        capy_tcp_ecn_cut(tcb, env, flight);
    capy_tcp_timers_progress(tcb, env);
}

/* RFC 5681 §2; with SACK, RFC 6675 §2: what counts is news about a segment that arrived. */
static bool is_duplicate(const struct capy_tcp *tcb, const struct capy_tcp_arrival *a,
                         bool window_changed)
{
    if (tcb->snd.una == tcb->snd.nxt || a->ack != tcb->snd.una)
        return false;
    if (tcb->sack_ok)
        return a->sacked > 0;
    /* Answers to probes of a closed window look alike and say nothing about loss. */
    return capy_tcp_segment_len(a->seg) == 0 && !window_changed && tcb->snd.wnd > 0;
}

/* Our FIN is acknowledged. False: the connection is over. */
static bool fin_acked(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                      struct capy_tcp_arrival *a)
{
    enum capy_tcp_state state = capy_tcp_state_of(tcb);
    if (state == CAPY_TCP_FIN_WAIT_1) {
        capy_tcp_set_state(tcb, CAPY_TCP_FIN_WAIT_2);
    } else if (state == CAPY_TCP_CLOSING) {
        capy_tcp_set_state(tcb, CAPY_TCP_TIME_WAIT);
        capy_tcp_timers_end_at(tcb, env->now + env->cfg->time_wait_ns);
    } else if (state == CAPY_TCP_LAST_ACK) {
        a->events |= capy_tcp_finish(tcb, env);
        return false;
    }
    return true;
}

bool capy_tcp_take_ack(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                       struct capy_tcp_arrival *a)
{
    if (!capy_tcp_ack_plausible(tcb, a)) {
        env->count->bad_ack++;
        capy_tcp_challenge(tcb, env);
        return false;
    }
    bool window_changed = update_window(tcb, a);
    if (a->ack >= tcb->snd.una) {
        capy_tcp_scoreboard_add(tcb, env, a);
        capy_tcp_recovery_told(tcb, env, a);
    }
    if (a->ack > tcb->snd.una) {
        advance_una(tcb, env, a);
        capy_tcp_timers_restart(tcb);
    } else if (is_duplicate(tcb, a, window_changed)) {
        env->count->dup_acks_in++;
        capy_tcp_recovery_duplicate(tcb, env, a);
    }
    /* RFC 9293 MUST-37: a peer that answers probes of its closed window is alive. How long it may
     * stay closed all the same is the application's to say (RFC 6429 §3). */
    if (tcb->snd.wnd == 0 && tcb->tune.user_timeout_ms == 0)
        capy_tcp_timers_progress(tcb, env);
    if (tcb->fin_queued && tcb->snd.una == capy_tcp_snd_last(tcb))
        return fin_acked(tcb, env, a);
    return true;
}
