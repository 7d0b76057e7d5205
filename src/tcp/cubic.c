/* CUBIC (RFC 9438) in integers: windows in bytes, times in milliseconds. C = 0.4, beta = 0.7.
 *
 *   W_cubic(t) = C * (t - K)^3 + W_max      [segments, seconds]                  §4.2
 *   K = cbrt((W_max - cwnd_epoch) / C)                                           §4.2
 *   W_est += alpha * acked / cwnd,  alpha = 3 (1 - beta) / (1 + beta) = 9/17     §4.3 */
#include "tcp/congestion.h"

#define NS_PER_MS 1000000u
/* (t - K) is clamped so that its cube times a segment fits 63 bits; by then the window has long
 * reached any cap. */
#define DISTANCE_MAX_MS 100000

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
    int64_t d = (int64_t)capy_min64(t_ms, 2 * DISTANCE_MAX_MS) - (int64_t)tcb->cc.k_ms;
    if (d > DISTANCE_MAX_MS)
        d = DISTANCE_MAX_MS;
    if (d < -DISTANCE_MAX_MS)
        d = -DISTANCE_MAX_MS;
    /* C = 4/10; the cube of milliseconds is 10^9 times that of seconds. */
    int64_t w = (int64_t)tcb->cc.w_max + d * d * d / 1000 * 4 / 10 * tcb->snd.mss / 1000000;
    if (w < tcb->snd.mss)
        return tcb->snd.mss;
    return w > CAPY_TCP_CWND_MAX ? CAPY_TCP_CWND_MAX : (uint32_t)w;
}

static void start_epoch(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    struct capy_tcp_cc *cc = &tcb->cc;
    cc->epoch_at = env->now;
    cc->w_est = cc->cwnd;
    cc->acked = 0;
    /* §4.8: after slow start without a loss there is no W_max: the curve starts here. */
    cc->w_max = capy_max32(cc->w_max, cc->cwnd);
    uint64_t deficit = cc->w_max - cc->cwnd;
    cc->k_ms = cube_root(deficit * 10 / 4 * 1000000 / tcb->snd.mss * 1000);
}

static void avoid(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t acked)
{
    struct capy_tcp_cc *cc = &tcb->cc;
    if (cc->epoch_at == CAPY_NEVER)
        start_epoch(tcb, env);
    uint64_t t_ms = (env->now - cc->epoch_at) / NS_PER_MS;
    uint64_t rtt_ms = tcb->rtt.srtt_ns / NS_PER_MS;

    /* §4.3: what Reno with this beta would have. */
    cc->w_est += (uint32_t)((uint64_t)acked * tcb->snd.mss * 9 / 17 / cc->cwnd);
    cc->w_est = capy_min32(cc->w_est, CAPY_TCP_CWND_MAX);
    if (w_cubic(tcb, t_ms) < cc->w_est) {
        cc->cwnd = capy_max32(cc->cwnd, cc->w_est);
        return;
    }
    /* §4.4, §4.5: toward the curve one round trip ahead, at most half a window per round trip. */
    uint32_t target = w_cubic(tcb, t_ms + rtt_ms);
    target = capy_min32(target, cc->cwnd + cc->cwnd / 2);
    if (target > cc->cwnd)
        cc->cwnd += (uint32_t)((uint64_t)(target - cc->cwnd) * acked / cc->cwnd);
}

/* §4.6, and fast convergence §4.7. */
static uint32_t reduce(struct capy_tcp *tcb, uint32_t flight)
{
    struct capy_tcp_cc *cc = &tcb->cc;
    cc->w_max = cc->cwnd < cc->w_max ? (uint32_t)((uint64_t)cc->cwnd * 17 / 20) : cc->cwnd;
    cc->epoch_at = CAPY_NEVER;
    return capy_max32((uint32_t)((uint64_t)flight * 7 / 10), 2u * tcb->snd.mss);
}

const struct capy_tcp_cc_ops capy_tcp_cubic = {"cubic", avoid, reduce};
