/* Timers (tcp/timers.h): one slow timer whose meaning is tcb->timer, the delayed ACK, and the user
 * timeout. All are absolute times in the block; the stack's wheel asks only for the nearest. */
#include "tcp/timers.h"
#include "tcp/keepalive.h"
#include "tcp/output.h"
#include "tcp/pacing.h"
#include "tcp/path.h"
#include "tcp/position.h"
#include "tcp/rack.h"
#include "tcp/recovery.h"
#include "tcp/rtt.h"
#include "tcp/state.h"

/* A window probe waits at most this long (RFC 9293 §3.8.6.1: exponential, bounded). */
#define PERSIST_MAX_NS CAPY_SEC(60)
/* RFC 9293 §3.8.3, R1: at least three (SHLD-10). */
#define R1_RETRANSMISSIONS 3u

/* True when the peer owes us something. */
static bool waits_for_peer(const struct capy_tcp *tcb)
{
    return tcb->snd.una < capy_tcp_snd_last(tcb) || tcb->snd.una < tcb->snd.nxt;
}

static enum capy_tcp_timer wanted(const struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    enum capy_tcp_state state = capy_tcp_state_of(tcb);
    if (tcb->probe == CAPY_TCP_PROBE_RESET)
        return CAPY_TCP_TIMER_NONE; /* nothing matters any more but to send it */
    if (state == CAPY_TCP_SYN_SENT || state == CAPY_TCP_SYN_RECEIVED)
        return CAPY_TCP_TIMER_RTO;
    if (tcb->snd.wnd == 0 && waits_for_peer(tcb))
        return CAPY_TCP_TIMER_PERSIST;
    uint64_t ns;
    if (tcb->marks != CAPY_NONE && capy_tcp_flight(tcb) > 0 && capy_tcp_rack_waits(tcb, env, &ns))
        return CAPY_TCP_TIMER_REORDER;
    if (capy_tcp_flight(tcb) > 0)
        return capy_tcp_tlp_wanted(tcb) ? CAPY_TCP_TIMER_TLP : CAPY_TCP_TIMER_RTO;
    /* Sender SWS avoidance holds back what is queued: the override timeout of §3.8.6.2.1. */
    if (waits_for_peer(tcb) && !capy_tcp_may_send_new(tcb, env))
        return CAPY_TCP_TIMER_PERSIST;
    if (state == CAPY_TCP_FIN_WAIT_2 && tcb->app_gone)
        return CAPY_TCP_TIMER_FIN_WAIT_2;
    if (capy_tcp_keepalive_wanted(tcb))
        return CAPY_TCP_TIMER_KEEPALIVE;
    return CAPY_TCP_TIMER_NONE;
}

static uint64_t duration(const struct capy_tcp *tcb, const struct capy_tcp_env *env,
                         enum capy_tcp_timer timer)
{
    uint64_t ns = 0;
    switch (timer) {
    case CAPY_TCP_TIMER_REORDER:
        (void)capy_tcp_rack_waits(tcb, env, &ns);
        return ns;
    case CAPY_TCP_TIMER_RTO:
        return capy_tcp_rto(tcb, env) + capy_tcp_pacing_left(tcb, env);
    case CAPY_TCP_TIMER_TLP:
        return capy_tcp_tlp_ns(tcb, env) + capy_tcp_pacing_left(tcb, env);
    case CAPY_TCP_TIMER_PERSIST:
        return capy_min64(capy_tcp_rto(tcb, env), PERSIST_MAX_NS);
    case CAPY_TCP_TIMER_KEEPALIVE:
        return capy_tcp_keepalive_ns(tcb);
    case CAPY_TCP_TIMER_FIN_WAIT_2:
        return env->cfg->fin_wait_2_ns;
    case CAPY_TCP_TIMER_END:
        return env->cfg->time_wait_ns;
    case CAPY_TCP_TIMER_NONE:
    case CAPY_TCP_TIMER_CNT:
        break;
    }
    return 0;
}

static void start(struct capy_tcp *tcb, const struct capy_tcp_env *env, enum capy_tcp_timer timer)
{
    if (timer == CAPY_TCP_TIMER_KEEPALIVE && tcb->timer != CAPY_TCP_TIMER_KEEPALIVE)
        tcb->keep_sent = 0; /* whatever it waited for has come */
    tcb->timer = (uint8_t)timer;
    tcb->timer_at =
        timer == CAPY_TCP_TIMER_NONE ? CAPY_NEVER : env->now + duration(tcb, env, timer);
}

/* The user timeout (RFC 9293 §3.8.3, R2): of the connection, or as configured. */
static uint64_t patience(const struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    return tcb->tune.user_timeout_ms ? CAPY_MS(tcb->tune.user_timeout_ms)
                                     : env->cfg->user_timeout_ns;
}

void capy_tcp_timers_changed(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    if (tcb->state == CAPY_TCP_CLOSED || tcb->timer == CAPY_TCP_TIMER_END)
        return;
    enum capy_tcp_timer timer = wanted(tcb, env);
    /* RACK's patience changes with every ACK; all others run from when they began. */
    if (timer != (enum capy_tcp_timer)tcb->timer || timer == CAPY_TCP_TIMER_REORDER)
        start(tcb, env, timer);
    if (!waits_for_peer(tcb) || tcb->probe == CAPY_TCP_PROBE_RESET)
        tcb->give_up_at = CAPY_NEVER;
    else if (tcb->give_up_at == CAPY_NEVER)
        tcb->give_up_at = env->now + patience(tcb, env);
}

void capy_tcp_timers_restart(struct capy_tcp *tcb)
{
    if (tcb->timer != CAPY_TCP_TIMER_RTO && tcb->timer != CAPY_TCP_TIMER_TLP)
        return;
    tcb->timer = CAPY_TCP_TIMER_NONE;
    tcb->timer_at = CAPY_NEVER;
}

void capy_tcp_timers_progress(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    tcb->give_up_at = waits_for_peer(tcb) ? env->now + patience(tcb, env) : CAPY_NEVER;
    tcb->unreachable = false;
}

void capy_tcp_timers_end_at(struct capy_tcp *tcb, uint64_t at)
{
    tcb->timer = CAPY_TCP_TIMER_END;
    tcb->timer_at = at;
    tcb->delack_at = CAPY_NEVER;
    tcb->give_up_at = CAPY_NEVER;
}

void capy_tcp_timers_patience(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                              uint32_t user_timeout_ms)
{
    uint64_t before = patience(tcb, env);
    tcb->tune.user_timeout_ms = user_timeout_ms;
    if (tcb->give_up_at == CAPY_NEVER)
        return;
    /* It may have begun before this host's clock did: count from now. */
    int64_t left = (int64_t)(tcb->give_up_at - env->now - before + patience(tcb, env));
    tcb->give_up_at = env->now + (left > 0 ? (uint64_t)left : 0);
}

void capy_tcp_timers_heard(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    if (tcb->timer != CAPY_TCP_TIMER_KEEPALIVE)
        return;
    tcb->keep_sent = 0;
    start(tcb, env, CAPY_TCP_TIMER_KEEPALIVE);
}

uint32_t capy_tcp_finish(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    if (capy_tcp_readable(tcb) == 0 || tcb->app_gone) {
        capy_tcp_free(tcb, env);
        return CAPY_TCP_FINISHED;
    }
    if (tcb->state != CAPY_TCP_CLOSED)
        capy_tcp_set_state(tcb, CAPY_TCP_CLOSED);
    capy_tcp_timers_end_at(tcb, CAPY_NEVER); /* until capy_tcp_consume or capy_tcp_close */
    return 0;
}

static uint32_t give_up(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    capy_tcp_free(tcb, env);
    return CAPY_TCP_TIMED_OUT;
}

void capy_tcp_path_is_back(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    if (tcb->state < CAPY_TCP_ESTABLISHED || tcb->backoff == 0 ||
        (tcb->timer != CAPY_TCP_TIMER_RTO && tcb->timer != CAPY_TCP_TIMER_PERSIST))
        return;
    /* Not 0: what is lost now is the loss of before, which the window has paid for. */
    tcb->backoff = 1;
    tcb->timer_at = env->now;
}

static uint32_t rto_fired(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    bool opening = tcb->state == CAPY_TCP_SYN_SENT || tcb->state == CAPY_TCP_SYN_RECEIVED;
    uint8_t tries =
        tcb->state == CAPY_TCP_SYN_SENT ? env->cfg->syn_retries : env->cfg->syn_ack_retries;
    if (opening && tcb->backoff >= tries)
        return give_up(tcb, env);
    if (!opening)
        capy_tcp_path_doubt(tcb, env);
    capy_tcp_recovery_timed_out(tcb, env);
    start(tcb, env, CAPY_TCP_TIMER_RTO);
    return tcb->backoff >= R1_RETRANSMISSIONS ? CAPY_TCP_PATH_SUSPECT : 0;
}

static uint32_t timer_fired(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    switch ((enum capy_tcp_timer)tcb->timer) {
    case CAPY_TCP_TIMER_RTO:
        return rto_fired(tcb, env);
    case CAPY_TCP_TIMER_TLP:
        tcb->probe = CAPY_TCP_PROBE_TAIL;
        tcb->snd.tlp_end = tcb->snd.nxt; /* output moves it when the probe is new data */
        start(tcb, env, CAPY_TCP_TIMER_RTO);
        return 0;
    case CAPY_TCP_TIMER_REORDER:
        capy_tcp_recovery_waited(tcb, env);
        start(tcb, env, wanted(tcb, env));
        return 0;
    case CAPY_TCP_TIMER_PERSIST:
        tcb->probe = CAPY_TCP_PROBE_WINDOW;
        if (tcb->backoff < UINT8_MAX)
            tcb->backoff++;
        start(tcb, env, CAPY_TCP_TIMER_PERSIST);
        return 0;
    case CAPY_TCP_TIMER_KEEPALIVE:
        if (!capy_tcp_keepalive_fired(tcb))
            return give_up(tcb, env);
        start(tcb, env, CAPY_TCP_TIMER_KEEPALIVE);
        return 0;
    case CAPY_TCP_TIMER_FIN_WAIT_2:
    case CAPY_TCP_TIMER_END:
        return capy_tcp_finish(tcb, env);
    case CAPY_TCP_TIMER_NONE:
    case CAPY_TCP_TIMER_CNT:
        break;
    }
    CAPY_ASSERT(false);
    return 0;
}

uint32_t capy_tcp_expire(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    if (tcb->give_up_at <= env->now)
        return give_up(tcb, env);
    if (tcb->delack_at <= env->now) {
        tcb->delack_at = CAPY_NEVER;
        tcb->ack_now = true;
    }
    capy_tcp_pacing_expire(tcb, env);
    return tcb->timer_at <= env->now ? timer_fired(tcb, env) : 0;
}
