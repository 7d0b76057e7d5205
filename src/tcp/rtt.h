/* Round-trip time and retransmission timeout (RFC 6298), and the timestamp clock (RFC 7323). */
#ifndef CAPY_TCP_RTT_H
#define CAPY_TCP_RTT_H

#include "tcp/tcp.h"

/* Starts timing the segment that ends at pos, unless one is being timed already. */
void capy_tcp_rtt_sent(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t pos);
/* Karn's rule: something was retransmitted, so the running sample would be ambiguous. */
void capy_tcp_rtt_cancel(struct capy_tcp *tcb);
/* New data was acknowledged up to ack; seg may carry an echoed timestamp. */
void capy_tcp_rtt_acked(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t ack,
                        const struct capy_tcp_segment *seg);
/* A timeout was spurious: an ACK of what timed out came after r ns (RFC 4015 §3.2). */
void capy_tcp_rtt_spurious(struct capy_tcp *tcb, uint64_t r);
/* The timeout now, backed off. */
uint64_t capy_tcp_rto(const struct capy_tcp *tcb, const struct capy_tcp_env *env);

/* The clock in whole seconds and milliseconds, for what need not be told more exactly. */
static inline uint32_t capy_tcp_clock_s(const struct capy_tcp_env *env)
{
    return (uint32_t)(env->now / CAPY_SEC(1));
}

static inline uint32_t capy_tcp_clock_ms(const struct capy_tcp_env *env)
{
    return (uint32_t)(env->now / CAPY_MS(1));
}

/* TSval now: milliseconds, from an offset that differs per connection (RFC 7323 §5.4, §7.1). */
uint32_t capy_tcp_ts_now(const struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* TSval of what was sent at `at`, not after now. */
uint32_t capy_tcp_ts_at(const struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t at);

#endif
