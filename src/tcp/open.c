/* Opening: fresh control blocks, and what both ends agree on in the handshake. */
#include "tcp/open.h"
#include "tcp/congestion.h"
#include "tcp/ecn.h"
#include "tcp/position.h"
#include "tcp/rightsize.h"
#include "tcp/rtt.h"
#include "tcp/state.h"
#include "tcp/timers.h"
#include "tcp/tuning.h"
#include "tcp/validation.h"
#include "tcp/window.h"

#define TS_OPTION_LEN 12u /* in every segment once negotiated, padded */

void capy_tcp_cfg_default(struct capy_tcp_cfg *cfg)
{
    *cfg = (struct capy_tcp_cfg){
        .snd_buf_max = 512u << 10,
        .rcv_buf_max = 256u << 10,
        .mss_max = 1460,
        .mss_default = 536,
        .rto_min_ns = CAPY_MS(200),
        .rto_max_ns = CAPY_SEC(60),
        .tlp_min_ns = CAPY_MS(2),
        .delack_ns = CAPY_MS(40),
        .time_wait_ns = CAPY_SEC(60),
        .user_timeout_ns = CAPY_SEC(300), /* RFC 9293 §3.9.1: five minutes */
        .keep_idle_ns = CAPY_SEC(7200),   /* RFC 9293 MUST-28: no less than two hours */
        .keep_interval_ns = CAPY_SEC(75),
        .keep_cnt = 9,
        .fin_wait_2_ns = CAPY_SEC(60),
        .syn_retries = 7, /* after 1, 3, 7, 15, 31, 63 and 123 s; given up after 183 */
        .syn_ack_retries = 5,
        .congestion = CAPY_TCP_CUBIC,
        .initial_window = 10,
        .timestamps = true,
        .sack = true,
        .window_scale = true,
        .ecn = CAPY_TCP_ECN_ACCEPT,
    };
}

void capy_tcp_blank(struct capy_tcp *tcb)
{
    *tcb = (struct capy_tcp){.state = CAPY_TCP_CLOSED};
    tcb->snd.una = tcb->snd.nxt = CAPY_TCP_POS_SYN;
    tcb->snd.rtx_nxt = tcb->snd.lost_end = tcb->snd.recover = CAPY_TCP_POS_SYN;
    tcb->snd.end = CAPY_TCP_POS_DATA;
    tcb->snd.mss = CAPY_TCP_MSS_MIN;
    capy_stream_init(&tcb->snd.queue, CAPY_TCP_POS_DATA);
    capy_stream_init(&tcb->rcv.queue, CAPY_TCP_POS_DATA);
    tcb->rcv.nxt = CAPY_TCP_POS_DATA;
    tcb->rcv.adv = tcb->rcv.acked = capy_tcp_near(CAPY_TCP_POS_DATA);
    tcb->timer_at = tcb->delack_at = tcb->give_up_at = CAPY_NEVER;
    tcb->marks = CAPY_NONE;
}

static void fresh(struct capy_tcp *tcb, const struct capy_tcp_env *env, struct capy_seq iss,
                  uint32_t ts_offset)
{
    capy_tcp_blank(tcb);
    tcb->snd.iss = iss;
    tcb->snd.mss = env->cfg->mss_default; /* until a SYN says more */
    tcb->sent_at = env->now;
    tcb->ts_offset = ts_offset;
    if (env->tuning)
        tcb->tune = *env->tuning;
    else
        capy_tcp_tuning_default(&tcb->tune, env->cfg);
    /* What fits the link depends on the IP version, and a listener serves both. */
    tcb->tune.mss_max = (uint16_t)capy_min32(tcb->tune.mss_max, env->cfg->mss_max);
    tcb->congestion = tcb->tune.congestion;
    capy_tcp_rightsize_start(tcb, env);
}

void capy_tcp_take_syn(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                       const struct capy_tcp_segment *syn)
{
    const struct capy_tcp_tuning *tune = &tcb->tune;
    uint32_t mss = syn->opts & CAPY_TCP_OPT_MSS ? syn->mss : tcb->snd.mss;
    mss = capy_max32(capy_min32(mss, tune->mss_max), CAPY_TCP_MSS_MIN);
    tcb->rcv.irs = syn->seq;
    capy_tcp_ecn_take_syn(tcb, syn);
    tcb->wscale_ok = tune->window_scale && syn->opts & CAPY_TCP_OPT_WSCALE;
    if (tcb->wscale_ok) {
        tcb->snd.wscale = syn->wscale;
        tcb->rcv.wscale = capy_tcp_wscale_for(tune->rcv_buf);
    }
    tcb->sack_ok = tune->sack && syn->opts & CAPY_TCP_OPT_SACK_OK;
    tcb->ts_ok = tune->timestamps && syn->opts & CAPY_TCP_OPT_TS;
    if (tcb->ts_ok) {
        tcb->rcv.ts_recent = syn->ts_val;
        tcb->rcv.ts_recent_s = capy_tcp_clock_s(env);
        mss -= TS_OPTION_LEN;
    }
    /* What we may send is a good guess of the peer's full-sized segment, too. */
    tcb->snd.mss = tcb->rcv.mss = (uint16_t)mss;
    tcb->snd.wnd = tcb->snd.wnd_max = syn->window; /* never scaled on a SYN (RFC 7323 §2.2) */
    tcb->snd.wl1 = syn->seq;
    tcb->snd.wl2 = syn->ack;
}

void capy_tcp_limit_mss(struct capy_tcp *tcb)
{
    uint32_t options = tcb->ts_ok ? TS_OPTION_LEN : 0;
    tcb->snd.mss = (uint16_t)capy_min32(tcb->snd.mss, tcb->tune.mss_max - options);
}

/* What both ends agreed on, which no later setting exceeds. */
static uint16_t agreed_mss(const struct capy_tcp *tcb)
{
    return (uint16_t)(tcb->snd.mss + (tcb->ts_ok ? TS_OPTION_LEN : 0));
}

void capy_tcp_established(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                          const struct capy_tcp_segment *seg)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    snd->una = CAPY_TCP_POS_DATA;
    tcb->tune.mss_max = agreed_mss(tcb);
    snd->rtx_nxt = snd->lost_end = snd->una;
    snd->recover = snd->una - 1;
    tcb->phase = CAPY_TCP_OPEN;
    tcb->probe = CAPY_TCP_PROBE_NONE;
    capy_tcp_cc_start(tcb);
    capy_tcp_validation_start(tcb, env);
    tcb->syn_again = tcb->backoff > 0;
    tcb->backoff = 0; /* it counted SYNs; and a repeated SYN's echo would be no good sample */
    capy_tcp_rtt_acked(tcb, env, snd->una, seg);
    capy_tcp_set_state(tcb, CAPY_TCP_ESTABLISHED);
    env->count->ecn_opened += tcb->ecn_rcv;
    if (tcb->fin_queued)
        capy_tcp_set_state(tcb, CAPY_TCP_FIN_WAIT_1);
    capy_tcp_timers_progress(tcb, env);
    capy_tcp_timers_restart(tcb);
}

void capy_tcp_open_passive(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                           const struct capy_tcp_segment *syn, struct capy_seq iss,
                           uint32_t ts_offset)
{
    fresh(tcb, env, iss, ts_offset);
    capy_tcp_take_syn(tcb, env, syn);
    capy_tcp_set_state(tcb, CAPY_TCP_SYN_RECEIVED);
    capy_tcp_timers_changed(tcb, env);
}

void capy_tcp_syn_ack_left(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    struct capy_tcp_counters counted_then = {0};
    struct capy_tcp_env then = *env;
    struct capy_tcp_segment syn_ack;
    uint64_t unused;
    then.count = &counted_then;
    bool any = capy_tcp_output(tcb, &then, &syn_ack, &unused);
    CAPY_ASSERT(any && (syn_ack.flags & CAPY_TCP_SYN));
    capy_tcp_rtt_cancel(tcb); /* it began when, nobody knows */
}

void capy_tcp_open_active(struct capy_tcp *tcb, const struct capy_tcp_env *env, struct capy_seq iss,
                          uint32_t ts_offset)
{
    fresh(tcb, env, iss, ts_offset);
    capy_tcp_set_state(tcb, CAPY_TCP_SYN_SENT);
    capy_tcp_timers_changed(tcb, env);
}
