/* What a decoded head must satisfy before anything believes it. Bytes that came through the rack's
 * network are authenticated but not trusted: a bug or a mistaken version at the origin must end as
 * a refused migration, not as a failed assertion here. */
#include "tcp/arrival.h"
#include "tcp/keepalive.h"
#include "tcp/open.h"
#include "tcp/position.h"
#include "tcp/snapshot_head.h"
#include "tcp/tuning.h"

#define SPAN_MAX (UINT64_C(1) << 30)     /* no window or queue is longer (RFC 7323 §2.3) */
#define RTT_MAX_NS CAPY_SEC(3600)        /* keeps sums and backoff of RTO in 64 bits */
#define DEADLINE_MAX_NS CAPY_SEC(864000) /* longer than any timer of any configuration */
#define TS_OPTION_LEN 12u

static bool fin_acked(const struct capy_tcp *tcb)
{
    return tcb->state == CAPY_TCP_FIN_WAIT_2 || tcb->state == CAPY_TCP_TIME_WAIT;
}

/* The states in which our FIN is queued, and those in which the peer's has arrived. */
static bool state_ok(const struct capy_tcp *tcb)
{
    bool ours = false, theirs = false;
    switch ((enum capy_tcp_state)tcb->state) {
    case CAPY_TCP_ESTABLISHED:
        break;
    case CAPY_TCP_FIN_WAIT_1:
    case CAPY_TCP_FIN_WAIT_2:
        ours = true;
        break;
    case CAPY_TCP_CLOSE_WAIT:
        theirs = true;
        break;
    case CAPY_TCP_CLOSING:
    case CAPY_TCP_LAST_ACK:
    case CAPY_TCP_TIME_WAIT:
        ours = theirs = true;
        break;
    case CAPY_TCP_CLOSED:
    case CAPY_TCP_SYN_SENT:
    case CAPY_TCP_SYN_RECEIVED:
    case CAPY_TCP_STATE_CNT:
    default: /* any byte may have come */
        return false;
    }
    return tcb->fin_queued == ours && (tcb->rcv.nxt > capy_tcp_fin_pos(tcb)) == theirs &&
           tcb->phase <= CAPY_TCP_FRTO && tcb->probe <= CAPY_TCP_PROBE_RESET &&
           tcb->congestion < CAPY_TCP_CONGESTION_CNT &&
           (tcb->probe != CAPY_TCP_PROBE_RESET || tcb->app_gone);
}

static bool deadline_ok(uint64_t at, uint64_t now)
{
    return at == CAPY_NEVER || at - now <= DEADLINE_MAX_NS;
}

static bool timers_ok(const struct capy_tcp *tcb, uint64_t now)
{
    bool in_flight = tcb->snd.una < tcb->snd.nxt;
    bool waits = in_flight || tcb->snd.nxt < capy_tcp_snd_last(tcb);
    bool reset = tcb->probe == CAPY_TCP_PROBE_RESET;
    bool ok = false;
    switch ((enum capy_tcp_timer)tcb->timer) {
    case CAPY_TCP_TIMER_NONE:
        ok = reset || !in_flight;
        break;
    case CAPY_TCP_TIMER_RTO:
    case CAPY_TCP_TIMER_TLP:
    case CAPY_TCP_TIMER_REORDER:
        ok = in_flight;
        break;
    case CAPY_TCP_TIMER_PERSIST:
        ok = waits;
        break;
    case CAPY_TCP_TIMER_KEEPALIVE:
        ok = !in_flight && capy_tcp_keepalive_wanted(tcb);
        break;
    case CAPY_TCP_TIMER_FIN_WAIT_2:
        ok = tcb->state == CAPY_TCP_FIN_WAIT_2;
        break;
    case CAPY_TCP_TIMER_END:
        ok = tcb->state == CAPY_TCP_TIME_WAIT;
        break;
    case CAPY_TCP_TIMER_CNT:
    default: /* any byte may have come */
        break;
    }
    return ok && (tcb->state != CAPY_TCP_TIME_WAIT || tcb->timer == CAPY_TCP_TIMER_END) &&
           (tcb->timer == CAPY_TCP_TIMER_NONE) == (tcb->timer_at == CAPY_NEVER) &&
           (tcb->give_up_at != CAPY_NEVER) == (waits && !reset) &&
           deadline_ok(tcb->timer_at, now) && deadline_ok(tcb->delack_at, now) &&
           deadline_ok(tcb->give_up_at, now) &&
           tcb->challenge_ms - (uint32_t)(now / CAPY_MS(1)) <= CAPY_TCP_CHALLENGE_MS;
}

static bool mss_ok(const struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t mss)
{
    uint32_t options = tcb->ts_ok ? TS_OPTION_LEN : 0;
    return mss >= CAPY_TCP_MSS_MIN - options &&
           mss <= capy_max32(env->cfg->mss_max, CAPY_TCP_MSS_MIN) - options;
}

static bool snd_ok(const struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    const struct capy_tcp_snd *snd = &tcb->snd;
    uint64_t flight = snd->nxt - snd->una;
    uint64_t wnd_limit = (uint64_t)UINT16_MAX << capy_min32(snd->wscale, 14);
    return snd->una >= CAPY_TCP_POS_DATA + (fin_acked(tcb) ? 1u : 0u) &&
           snd->end - snd->queue.start <= SPAN_MAX && flight <= SPAN_MAX &&
           (!fin_acked(tcb) || (flight == 0 && snd->end == snd->queue.start)) &&
           snd->nxt <= capy_tcp_snd_last(tcb) && snd->rtx_nxt <= snd->nxt &&
           snd->lost_end <= snd->nxt && snd->recover <= snd->nxt && snd->tlp_end <= snd->nxt &&
           (tcb->phase == CAPY_TCP_OPEN || snd->recover > snd->una) && snd->sacked <= flight &&
           snd->wscale <= (tcb->wscale_ok ? 14u : 0u) && snd->wnd <= wnd_limit &&
           snd->wnd <= snd->wnd_max && snd->wnd_max <= SPAN_MAX && mss_ok(tcb, env, snd->mss);
}

static bool rcv_ok(const struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    const struct capy_tcp_rcv *rcv = &tcb->rcv;
    uint64_t fin_pos = capy_tcp_fin_pos(tcb), edge = capy_tcp_rcv_edge(tcb);
    uint64_t acked = capy_tcp_rcv_acked(tcb);
    bool fin_done = rcv->nxt > fin_pos;
    return rcv->nxt >= CAPY_TCP_POS_DATA + (fin_done ? 1u : 0u) &&
           rcv->queue.start >= CAPY_TCP_POS_DATA && rcv->queue.start <= capy_tcp_rcv_last(tcb) &&
           acked >= CAPY_TCP_POS_DATA && acked <= rcv->nxt && edge - rcv->nxt <= SPAN_MAX &&
           capy_tcp_readable(tcb) <= SPAN_MAX &&
           (fin_pos == CAPY_NEVER || fin_done || (fin_pos > rcv->nxt && fin_pos <= edge)) &&
           rcv->wscale <= (tcb->wscale_ok ? 14u : 0u) && mss_ok(tcb, env, rcv->mss);
}

static bool ecn_ok(const struct capy_tcp *tcb)
{
    uint64_t from = capy_tcp_rcv_ce_from(tcb);
    bool told = !tcb->ce_changed || (from > capy_tcp_rcv_acked(tcb) && from <= tcb->rcv.nxt);
    return (tcb->ecn_rcv || !(tcb->ecn_snd || tcb->ce || tcb->ce_changed)) &&
           (tcb->ecn_snd || !tcb->cwr) && told;
}

static bool path_ok(const struct capy_tcp *tcb)
{
    const struct capy_tcp_rtt *rtt = &tcb->rtt;
    return rtt->srtt_ns <= RTT_MAX_NS && rtt->rttvar_ns <= RTT_MAX_NS &&
           (rtt->srtt_ns > 0 || rtt->rttvar_ns == 0) && rtt->timed_pos <= tcb->snd.nxt &&
           capy_snap_cc_ok(&tcb->cc, tcb->congestion, tcb->snd.una, tcb->snd.nxt);
}

/* Disjoint, not touching, within [low, high]. */
static bool ranges_ok(const struct capy_tcp_ranges *l, uint64_t low, uint64_t high, bool ascending)
{
    for (uint32_t i = 0; i < l->cnt; i++) {
        const struct capy_tcp_range *r = &l->r[i];
        if (r->left < low || r->left >= r->right || r->right > high)
            return false;
        for (uint32_t k = 0; k < i; k++) {
            bool before = l->r[k].right < r->left, after = r->right < l->r[k].left;
            if (!before && (ascending || !after))
                return false;
        }
    }
    return true;
}

/* Records cover the flight, all of it and no more. */
static bool sent_ok(const struct capy_tcp *tcb, const struct capy_tcp_marks *marks)
{
    const struct capy_tcp_sent *l = &marks->sent;
    const struct capy_tcp_snd *snd = &tcb->snd;
    if (l->cnt == 0)
        return marks->sacked.cnt == 0;
    uint64_t before = snd->una;
    for (uint32_t i = 0; i < l->cnt; i++) {
        if (l->r[i].end <= before)
            return false;
        before = l->r[i].end;
    }
    return tcb->sack_ok && before == snd->nxt && l->rack_end <= snd->nxt &&
           l->rack_rtt <= DEADLINE_MAX_NS && l->dsack_round <= snd->nxt &&
           snd->lost_end == snd->una && snd->rtx_nxt == snd->una;
}

/* An episode needs something in flight, or about to be once recovery is over; F-RTO needs an
 * episode, and has an ACK to wait for. */
static bool episode_ok(const struct capy_tcp *tcb, const struct capy_tcp_episode *ep)
{
    if (ep->doubt == CAPY_TCP_DOUBT_NONE)
        return tcb->phase != CAPY_TCP_FRTO;
    uint64_t una = tcb->snd.una, nxt = tcb->snd.nxt;
    bool late = ep->doubt == CAPY_TCP_DOUBT_LATE;
    uint64_t turn_max = late ? capy_max64(nxt, una + 1) : nxt;
    return ep->doubt <= CAPY_TCP_DOUBT_LATE && late == (tcb->phase == CAPY_TCP_OPEN) &&
           (tcb->phase != CAPY_TCP_FRTO || ep->doubt == CAPY_TCP_DOUBT_ACK) &&
           (late || una < nxt) && ep->turn <= turn_max && ep->end <= nxt &&
           ep->told_right <= ep->end && (!late || ep->turn > una) && ep->prr.flight <= SPAN_MAX &&
           (tcb->phase == CAPY_TCP_RECOVERY || ep->prr.flight == 0) &&
           capy_snap_cc_ok(&ep->before, tcb->congestion, una, nxt);
}

/* A duplicate to be told of: among what we hold, in order or not. */
static bool dup_ok(const struct capy_tcp *tcb, const struct capy_tcp_range *dup)
{
    if (dup->left == 0)
        return dup->right == 0;
    return tcb->sack_ok && dup->left >= CAPY_TCP_POS_DATA && dup->left < dup->right &&
           dup->right <= capy_tcp_rcv_edge(tcb);
}

bool capy_snap_head_ok(const struct capy_tcp *tcb, const struct capy_tcp_env *env,
                       const struct capy_tcp_marks *marks, const struct capy_snap_meta *meta)
{
    const struct capy_tcp_rcv *rcv = &tcb->rcv;
    return state_ok(tcb) && snd_ok(tcb, env) && rcv_ok(tcb, env) && path_ok(tcb) && ecn_ok(tcb) &&
           timers_ok(tcb, env->now) &&
           ranges_ok(&marks->ooo, rcv->nxt + 1,
                     capy_min64(capy_tcp_rcv_edge(tcb), capy_tcp_fin_pos(tcb)), false) &&
           /* A peer that acknowledges half of what it SACKed leaves a range at una. */
           ranges_ok(&marks->sacked, tcb->snd.una, tcb->snd.nxt, true) && sent_ok(tcb, marks) &&
           capy_tcp_tuning_ok(&tcb->tune) && episode_ok(tcb, &marks->episode) &&
           dup_ok(tcb, &marks->dup) && meta->app_len <= CAPY_APP_STATE_MAX;
}
