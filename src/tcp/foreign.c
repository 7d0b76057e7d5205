/* See foreign.h. Positions count on as if all were ours; what ties them to the wire, the initial
 * sequence numbers, is computed anew whenever the other TCP tells where it is. */
#include "tcp/foreign.h"
#include "tcp/congestion.h"
#include "tcp/open.h"
#include "tcp/position.h"
#include "tcp/ranges.h"
#include "tcp/rightsize.h"
#include "tcp/rtt.h"
#include "tcp/timers.h"
#include "tcp/tuning.h"
#include "tcp/validation.h"

#define TS_OPTION_LEN 12u
/* TCP_REPAIR does not tell ts_recent. One that is as old as this is no reason to drop anything (RFC
 * 7323 §5.5: 24 days), and the next segment replaces it. */
#define TS_RECENT_UNKNOWN_S (25u * 86400u)

static void nothing_in_flight(struct capy_tcp *tcb)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    capy_stream_init(&snd->queue, snd->end);
    snd->una = snd->nxt = snd->rtx_nxt = snd->lost_end = snd->end;
    snd->recover = snd->una - 1;
    snd->tlp_end = 0;
    snd->sacked = 0;
    snd->dup_acks = 0;
    tcb->phase = CAPY_TCP_OPEN;
    tcb->probe = CAPY_TCP_PROBE_NONE;
    tcb->timer = CAPY_TCP_TIMER_NONE;
    tcb->timer_at = tcb->delack_at = tcb->give_up_at = CAPY_NEVER;
    tcb->backoff = 0;
    tcb->rtt.timed_pos = 0;
    tcb->ack_now = tcb->paced_out = tcb->tlp_again = false;
}

void capy_tcp_foreign_open(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    capy_tcp_blank(tcb);
    capy_tcp_tuning_default(&tcb->tune, env->cfg);
    if (env->tuning)
        tcb->tune = *env->tuning;
    tcb->congestion = tcb->tune.congestion;
    tcb->state = CAPY_TCP_ESTABLISHED;
    tcb->sent_at = env->now;
    tcb->rcv.ts_recent_s = capy_tcp_clock_s(env) - TS_RECENT_UNKNOWN_S;
    capy_tcp_rightsize_start(tcb, env);
    nothing_in_flight(tcb);
}

void capy_tcp_foreign_sent(struct capy_tcp *tcb, uint32_t n)
{
    CAPY_ASSERT(capy_tcp_unacked(tcb) == 0);
    tcb->snd.end += n;
    nothing_in_flight(tcb);
}

int capy_tcp_foreign_received(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                              const uint8_t *data, uint32_t n)
{
    struct capy_tcp_rcv *rcv = &tcb->rcv;
    CAPY_ASSERT(!rcv->fin_seen);
    if (capy_stream_write(&rcv->queue, env->blocks, rcv->nxt, data, n) != CAPY_OK)
        return CAPY_E_NOMEM;
    rcv->nxt += n;
    rcv->adv = rcv->acked = capy_tcp_near(rcv->nxt);
    return CAPY_OK;
}

void capy_tcp_foreign_fin(struct capy_tcp *tcb)
{
    struct capy_tcp_rcv *rcv = &tcb->rcv;
    if (rcv->fin_seen)
        return;
    rcv->fin_seen = true;
    rcv->fin = capy_tcp_near(rcv->nxt);
    rcv->nxt++;
    rcv->adv = rcv->acked = capy_tcp_near(rcv->nxt);
    tcb->state = CAPY_TCP_CLOSE_WAIT;
}

static void take_options(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                         const struct capy_tcp_foreign *f)
{
    uint32_t mss = capy_max32(capy_min32(f->mss, env->cfg->mss_max), CAPY_TCP_MSS_MIN);
    tcb->tune.mss_max = (uint16_t)mss;
    tcb->shrunk = false;
    tcb->tries = 0;
    tcb->wscale_ok = f->wscale;
    tcb->sack_ok = f->sack;
    tcb->ts_ok = f->timestamps;
    tcb->ecn_rcv = tcb->ecn_snd = f->ecn;
    tcb->ce = tcb->ce_changed = tcb->cwr = false;
    tcb->snd.wscale = f->wscale ? f->snd_wscale : 0;
    tcb->rcv.wscale = f->wscale ? f->rcv_wscale : 0;
    tcb->snd.mss = tcb->rcv.mss = (uint16_t)(mss - (f->timestamps ? TS_OPTION_LEN : 0));
    tcb->ts_offset = 0;
    tcb->ts_offset = f->ts_now - capy_tcp_ts_now(tcb, env);
}

static void take_sending(struct capy_tcp *tcb, const struct capy_tcp_foreign *f)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    snd->iss = (struct capy_seq){f->snd_end.v - (uint32_t)snd->end};
    snd->una = snd->rtx_nxt = snd->lost_end = snd->end - f->snd_queued;
    snd->nxt = snd->end - f->snd_unsent;
    snd->recover = snd->una - 1;
    snd->wnd = f->snd_wnd;
    snd->wnd_max = capy_max32(f->snd_wnd_max, f->snd_wnd);
    snd->wl1 = f->snd_wl1;
    snd->wl2 = capy_tcp_seq_at(snd->iss, snd->una);
}

static void take_receiving(struct capy_tcp *tcb, const struct capy_tcp_foreign *f)
{
    struct capy_tcp_rcv *rcv = &tcb->rcv;
    rcv->irs = (struct capy_seq){f->rcv_nxt.v - (uint32_t)rcv->nxt};
    uint64_t acked = capy_tcp_pos_of(rcv->irs, f->rcv_wup, rcv->nxt);
    acked = capy_max64(capy_min64(acked, rcv->nxt), CAPY_TCP_POS_DATA);
    rcv->acked = capy_tcp_near(acked);
    rcv->adv = capy_tcp_near(capy_max64(acked + f->rcv_wnd, rcv->nxt));
}

/* As after a handshake, but for what the other TCP knows better. */
static void take_path(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                      const struct capy_tcp_foreign *f)
{
    tcb->rtt = (struct capy_tcp_rtt){.srtt_ns = f->srtt_ns,
                                     .rttvar_ns = f->srtt_ns > 0 ? f->rttvar_ns : 0};
    capy_tcp_cc_start(tcb);
    tcb->cc.cwnd = capy_min32(capy_max32(tcb->cc.cwnd, f->cwnd), CAPY_TCP_CWND_MAX);
    capy_tcp_validation_start(tcb, env);
    tcb->sent_at = env->now;
}

int capy_tcp_foreign_take(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                          const struct capy_tcp_foreign *f, const uint8_t *snd)
{
    CAPY_ASSERT(tcb->state == CAPY_TCP_ESTABLISHED && f->snd_unsent <= f->snd_queued);
    uint64_t una = tcb->snd.end - f->snd_queued;
    if (una < CAPY_TCP_POS_DATA) /* it sent what we never gave it */
        return CAPY_E_NOMEM;
    capy_stream_init(&tcb->snd.queue, una);
    if (f->snd_queued > 0 &&
        capy_stream_write(&tcb->snd.queue, env->blocks, una, snd, f->snd_queued) != CAPY_OK) {
        nothing_in_flight(tcb);
        return CAPY_E_NOMEM;
    }
    take_options(tcb, env, f);
    take_sending(tcb, f);
    take_receiving(tcb, f);
    take_path(tcb, env, f);
    tcb->ack_now = capy_tcp_rcv_acked(tcb) < tcb->rcv.nxt;
    capy_tcp_timers_progress(tcb, env);
    capy_tcp_timers_changed(tcb, env);
    return CAPY_OK;
}

bool capy_tcp_foreign_give(const struct capy_tcp *tcb, const struct capy_tcp_env *env,
                           struct capy_tcp_foreign *f)
{
    if (tcb->state != CAPY_TCP_ESTABLISHED || tcb->app_gone || tcb->probe == CAPY_TCP_PROBE_RESET)
        return false;
    *f = (struct capy_tcp_foreign){
        .snd_end = capy_tcp_seq_at(tcb->snd.iss, tcb->snd.end),
        .snd_queued = (uint32_t)(tcb->snd.end - tcb->snd.una),
        .snd_unsent = (uint32_t)(tcb->snd.end - tcb->snd.nxt),
        .rcv_nxt = capy_tcp_seq_at(tcb->rcv.irs, tcb->rcv.nxt),
        .rcv_wup = capy_tcp_seq_at(tcb->rcv.irs, capy_tcp_rcv_acked(tcb)),
        .snd_wl1 = tcb->snd.wl1,
        .rcv_wnd = (uint32_t)(capy_tcp_rcv_edge(tcb) - capy_tcp_rcv_acked(tcb)),
        .snd_wnd = tcb->snd.wnd,
        .snd_wnd_max = tcb->snd.wnd_max,
        .ts_now = capy_tcp_ts_now(tcb, env),
        .mss = tcb->tune.mss_max,
        .snd_wscale = tcb->snd.wscale,
        .rcv_wscale = tcb->rcv.wscale,
        .wscale = tcb->wscale_ok,
        .sack = tcb->sack_ok,
        .timestamps = tcb->ts_ok,
        .ecn = tcb->ecn_rcv,
        .cwnd = tcb->cc.cwnd,
        .srtt_ns = tcb->rtt.srtt_ns,
        .rttvar_ns = tcb->rtt.rttvar_ns,
    };
    return true;
}

void capy_tcp_foreign_quiet(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    struct capy_tcp_rcv *rcv = &tcb->rcv;
    uint64_t end = capy_tcp_rcv_last(tcb);
    capy_stream_clear(&tcb->snd.queue, env->blocks);
    if (capy_tcp_readable(tcb) > 0)
        capy_stream_truncate(&rcv->queue, env->blocks, end);
    else
        capy_stream_clear(&rcv->queue, env->blocks);
    if (tcb->marks != CAPY_NONE)
        capy_pool_give(&env->blocks->pool, tcb->marks);
    tcb->marks = CAPY_NONE;
    rcv->ooo = 0;
    if (rcv->nxt <= capy_tcp_fin_pos(tcb)) /* beyond a hole: it comes again */
        rcv->fin_seen = false;
    rcv->adv = rcv->acked = capy_tcp_near(rcv->nxt);
    nothing_in_flight(tcb);
}
