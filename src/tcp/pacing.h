/* Pacing: new data and what was lost leave spread over the round trip, not as fast as the window
 * opens, so that queues on the way stay short. Off unless CAPY_OPTION_MAX_PACING_RATE is set.
 *
 * The pace is what Linux's tcp_update_pacing_rate makes it: twice the congestion window per smoothed
 * round trip while the window is below half of ssthresh, 1.2 times afterwards, so that the window
 * stays what limits; and no faster than the application said. Bytes leave in quanta (Linux's
 * tcp_tso_autosize): a millisecond's worth, two segments at least, 64 KiB at most.
 *
 * What is kept: the release, when the next quantum may leave, as its distance from tcb->sent_at,
 * which moves as an age; and whether output waits for it. One fact answers "may I send?" and "when
 * do I wake?". Probes, and the first retransmission of a phase, do not ask, and count. */
#ifndef CAPY_TCP_PACING_H
#define CAPY_TCP_PACING_H

#include "tcp/tcp.h"

/* True while what is not urgent must wait: until the release, when capy_tcp_next_at wakes. */
static inline bool capy_tcp_pacing_holds(const struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    return tcb->paced_out && (int64_t)(capy_tcp_pacing_release(tcb) - env->now) > 0;
}

/* What a timer that counts from a sending waits beside (as Linux's tcp_reset_xmit_timer has it). */
static inline uint64_t capy_tcp_pacing_left(const struct capy_tcp *tcb,
                                            const struct capy_tcp_env *env)
{
    return capy_tcp_pacing_holds(tcb, env) ? capy_tcp_pacing_release(tcb) - env->now : 0;
}

/* Time has passed: output will be asked again. */
static inline void capy_tcp_pacing_expire(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    if (tcb->paced_out)
        tcb->paced_out = capy_tcp_pacing_holds(tcb, env);
}

/* n bytes leave now; before tcb->sent_at says so. */
void capy_tcp_pacing_sent(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t n);
/* So many full-sized segments may leave one after the other now, at least one. */
uint32_t capy_tcp_pacing_segments(const struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* The pace is another one, or none. */
void capy_tcp_pacing_start(struct capy_tcp *tcb);

#endif
