/* RFC 6298 in integer nanoseconds. One segment per round trip is timed by our own clock, which is
 * finer than the timestamp option; echoed timestamps serve only where Karn's rule leaves us without
 * a sample, after a retransmission. */
#include "tcp/rtt.h"

#define RTO_INITIAL_NS CAPY_SEC(1)   /* RFC 6298 §2.1 */
#define RTO_AFTER_SYN_NS CAPY_SEC(3) /* RFC 6298 §5.7 */
#define TS_TICK_NS CAPY_MS(1)        /* RFC 7323 §5.4: between 1 ms and 1 s */
#define TS_SAMPLE_MAX_MS 600000u     /* an echo older than that is a broken peer's */

void capy_tcp_rtt_sent(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t pos)
{
    if (tcb->rtt.timed_pos != 0)
        return;
    tcb->rtt.timed_pos = pos;
    tcb->rtt.timed_at = env->now;
}

void capy_tcp_rtt_cancel(struct capy_tcp *tcb)
{
    tcb->rtt.timed_pos = 0;
    tcb->rtt.timed_at = 0;
}

/* RFC 6298 §2.2, §2.3: alpha 1/8, beta 1/4. A valid sample ends the backoff (§5, Karn). */
static void sample(struct capy_tcp *tcb, uint64_t r)
{
    struct capy_tcp_rtt *t = &tcb->rtt;
    r = capy_max64(r, 1); /* 0 means "no sample yet" */
    if (t->srtt_ns == 0) {
        t->srtt_ns = r;
        t->rttvar_ns = r / 2;
    } else {
        uint64_t off = r > t->srtt_ns ? r - t->srtt_ns : t->srtt_ns - r;
        t->rttvar_ns = t->rttvar_ns - t->rttvar_ns / 4 + off / 4;
        t->srtt_ns = capy_max64(t->srtt_ns - t->srtt_ns / 8 + r / 8, 1);
    }
    tcb->backoff = 0;
}

/* Four seconds are as good as more: the minimum serves to tell early from late. */
static void note_min(struct capy_tcp *tcb, uint64_t r)
{
    uint32_t ns = (uint32_t)capy_max64(capy_min64(r, UINT32_MAX), 1);
    if (tcb->snd.min_rtt_ns == 0 || ns < tcb->snd.min_rtt_ns)
        tcb->snd.min_rtt_ns = ns;
}

void capy_tcp_rtt_acked(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t ack,
                        const struct capy_tcp_segment *seg)
{
    if (tcb->rtt.timed_pos != 0) {
        if (ack < tcb->rtt.timed_pos)
            return;
        uint64_t r = env->now - tcb->rtt.timed_at;
        sample(tcb, r);
        note_min(tcb, r);
        capy_tcp_rtt_cancel(tcb);
        return;
    }
    if (!tcb->ts_ok || !(seg->opts & CAPY_TCP_OPT_TS) || tcb->backoff == 0)
        return;
    uint32_t ms = capy_tcp_ts_now(tcb, env) - seg->ts_ecr;
    if (ms <= TS_SAMPLE_MAX_MS)
        sample(tcb, ms * TS_TICK_NS);
}

void capy_tcp_rtt_spurious(struct capy_tcp *tcb, uint64_t r)
{
    struct capy_tcp_rtt *t = &tcb->rtt;
    t->srtt_ns = capy_max64(t->srtt_ns, r);
    t->rttvar_ns = capy_max64(t->rttvar_ns, r / 2);
}

uint64_t capy_tcp_rto(const struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    const struct capy_tcp_rtt *t = &tcb->rtt;
    /* The clock's granularity G (§2.3) is a nanosecond: the maximum with it never matters. */
    uint64_t initial = tcb->syn_again ? RTO_AFTER_SYN_NS : RTO_INITIAL_NS;
    uint64_t rto = t->srtt_ns ? t->srtt_ns + 4 * t->rttvar_ns : initial;
    rto = capy_max64(rto, env->cfg->rto_min_ns);
    for (uint8_t i = 0; i < tcb->backoff && rto < env->cfg->rto_max_ns; i++)
        rto *= 2;
    return capy_min64(rto, env->cfg->rto_max_ns);
}

uint32_t capy_tcp_ts_now(const struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    return (uint32_t)(env->now / TS_TICK_NS) + tcb->ts_offset;
}

uint32_t capy_tcp_ts_at(const struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t at)
{
    /* `at` may lie before this host's clock began: count ticks back from now. */
    uint64_t age = env->now - at, since_tick = env->now % TS_TICK_NS;
    uint64_t ticks = age <= since_tick ? 0 : (age - since_tick + TS_TICK_NS - 1) / TS_TICK_NS;
    return capy_tcp_ts_now(tcb, env) - (uint32_t)ticks;
}
