/* CUBIC (RFC 9438) in integers: windows in bytes, times in milliseconds. C = 0.4, beta = 0.7.
 *
 *   W_cubic(t) = C * (t - K)^3 + W_max      [segments, seconds]                  §4.2
 *   K = cbrt((W_max - cwnd_epoch) / C)                                           §4.2
 *   W_est += alpha * acked / cwnd,  alpha = 3 (1 - beta) / (1 + beta) = 9/17     §4.3
 *
 * Between reductions, and while the window is not in use, there is no epoch or it pauses: time in
 * which the window could not grow does not count (§4.2, §5.8). §4.9 is capy_tcp_cc_undo; §4.10's
 * slow start is common to all algorithms. */
#include "tcp/congestion.h"

#define NS_PER_MS 1000000u
/* (t - K) is clamped so that its cube times a segment fits 63 bits; by then the window has long
 * reached any cap. */
#define DISTANCE_MAX_MS 100000
#define K_MS_MAX 0x1fffffu /* what 21 bits of a cube root can be */

/* cwnd_prior, the window before the last reduction (§4.6), by what else is known. */
enum {
    PRIOR_W_MAX,     /* it is W_max */
    PRIOR_CONVERGED, /* W_max was lowered below it by fast convergence */
    PRIOR_SSTHRESH,  /* after a timeout: what ssthresh came from */
};

/* The integer cube root, by bits. */
static uint32_t cube_root(uint64_t a)
{
    uint64_t root = 0;
    for (int bit = 20; bit >= 0; bit--) {
        uint64_t next = root | UINT64_C(1) << bit;
        if (next * next * next <= a)
            root = next;
    }
    return (uint32_t)root;
}

/* §4.2, at t_ms after the epoch's start. */
static uint32_t w_cubic(const struct capy_tcp *tcb, uint64_t t_ms)
{
    const struct capy_tcp_cubic *c = &tcb->cc.cubic;
    int64_t d = (int64_t)capy_min64(t_ms, 2 * DISTANCE_MAX_MS) - (int64_t)c->k_ms;
    if (d > DISTANCE_MAX_MS)
        d = DISTANCE_MAX_MS;
    if (d < -DISTANCE_MAX_MS)
        d = -DISTANCE_MAX_MS;
    /* C = 4/10; the cube of milliseconds is 10^9 times that of seconds. */
    int64_t w = (int64_t)c->w_max + d * d * d / 1000 * 4 / 10 * tcb->snd.mss / 1000000;
    if (w < tcb->snd.mss)
        return tcb->snd.mss;
    return w > CAPY_TCP_CWND_MAX ? CAPY_TCP_CWND_MAX : (uint32_t)w;
}

static void start(struct capy_tcp *tcb)
{
    tcb->cc.cubic = (struct capy_tcp_cubic){.epoch_at = CAPY_NEVER};
}

static void start_epoch(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    struct capy_tcp_cubic *c = &tcb->cc.cubic;
    uint32_t cwnd = tcb->cc.cwnd;
    c->epoch_at = env->now;
    c->paused = 0;
    c->w_est = cwnd;
    c->acked = 0;
    /* §4.8, §4.10: after a timeout, and after slow start without a loss, there is no W_max (it is
     * 0): the curve starts here, with K = 0. */
    c->w_max = capy_max32(c->w_max, cwnd);
    uint64_t deficit = c->w_max - cwnd;
    c->k_ms = cube_root(deficit * 10 / 4 * 1000000 / tcb->snd.mss * 1000) & K_MS_MAX;
}

static uint32_t cwnd_prior(const struct capy_tcp *tcb)
{
    const struct capy_tcp_cubic *c = &tcb->cc.cubic;
    if (c->prior == PRIOR_CONVERGED)
        return (uint32_t)((uint64_t)c->w_max * 20 / 17);
    if (c->prior == PRIOR_SSTHRESH)
        return (uint32_t)((uint64_t)tcb->cc.ssthresh * 10 / 7);
    return c->w_max;
}

/* §4.3: what Reno with this beta would have; once that is back at cwnd_prior it grows as Reno does.
 * Acknowledged bytes that are not yet worth a byte of window wait in `acked`. */
static void estimate(struct capy_tcp *tcb, uint32_t acked)
{
    struct capy_tcp_cubic *c = &tcb->cc.cubic;
    bool caught_up = c->w_est >= cwnd_prior(tcb);
    uint64_t num = (uint64_t)tcb->snd.mss * (caught_up ? 17 : 9);
    uint64_t den = (uint64_t)tcb->cc.cwnd * 17;
    uint64_t counted = capy_min64((uint64_t)c->acked + acked, CAPY_TCP_CWND_MAX);
    uint64_t growth = counted * num / den;
    c->acked = (uint32_t)(counted - growth * den / num);
    c->w_est = (uint32_t)capy_min64(c->w_est + growth, CAPY_TCP_CWND_MAX);
}

static void avoid(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t acked)
{
    struct capy_tcp_cubic *c = &tcb->cc.cubic;
    uint32_t cwnd = tcb->cc.cwnd;
    if (c->epoch_at == CAPY_NEVER)
        start_epoch(tcb, env);
    if (c->paused) {
        c->epoch_at = env->now - c->epoch_at;
        c->paused = 0;
    }
    uint64_t t_ms = (env->now - c->epoch_at) / NS_PER_MS;
    uint64_t rtt_ms = tcb->rtt.srtt_ns / NS_PER_MS;
    estimate(tcb, acked);
    if (w_cubic(tcb, t_ms) < c->w_est) { /* §4.3: the Reno-friendly region */
        tcb->cc.cwnd = capy_max32(cwnd, c->w_est);
        return;
    }
    /* §4.4, §4.5: toward the curve one round trip ahead, at most half a window per round trip. */
    uint32_t target = capy_min32(w_cubic(tcb, t_ms + rtt_ms), cwnd + cwnd / 2);
    if (target > cwnd)
        tcb->cc.cwnd += (uint32_t)((uint64_t)(target - cwnd) * capy_min32(acked, cwnd) / cwnd);
}

/* Avoidance begins anew when slow start is over. */
static void renew(struct capy_tcp *tcb)
{
    tcb->cc.cubic.epoch_at = CAPY_NEVER;
    tcb->cc.cubic.paused = 0;
}

/* §4.6 and §4.8, fast convergence §4.7. */
static uint32_t reduce(struct capy_tcp *tcb, uint32_t flight, enum capy_tcp_sign sign)
{
    struct capy_tcp_cubic *c = &tcb->cc.cubic;
    uint32_t cwnd = tcb->cc.cwnd;
    bool converge = cwnd < c->w_max;
    c->w_max = converge ? (uint32_t)((uint64_t)cwnd * 17 / 20) : cwnd;
    c->prior = converge ? PRIOR_CONVERGED : PRIOR_W_MAX;
    if (sign == CAPY_TCP_SIGN_TIMEOUT) {
        c->w_max = 0;
        c->prior = PRIOR_SSTHRESH;
    }
    renew(tcb);
    return (uint32_t)((uint64_t)flight * 7 / 10);
}

static void pause(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    struct capy_tcp_cubic *c = &tcb->cc.cubic;
    if (c->paused || c->epoch_at == CAPY_NEVER)
        return;
    c->epoch_at = env->now - c->epoch_at;
    c->paused = 1;
}

const struct capy_tcp_cc_ops capy_tcp_cubic = {
    .name = "cubic",
    .hystart = true,
    .mark_is_loss = true,
    .start = start,
    .avoid = avoid,
    .reduce = reduce,
    .pause = pause,
    .renew = renew,
};
