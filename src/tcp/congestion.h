/* Congestion control: a table of functions per algorithm, named in the control block by number so
 * that it can move (RFC 5681; RFC 9438). All amounts in bytes. */
#ifndef CAPY_TCP_CONGESTION_H
#define CAPY_TCP_CONGESTION_H

#include "tcp/tcp.h"

struct capy_tcp_cc_ops {
    const char *name;
    /* acked bytes of new data were acknowledged in congestion avoidance. */
    void (*avoid)(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t acked);
    /* A window of data lost something while flight bytes were out: the new ssthresh. */
    uint32_t (*reduce)(struct capy_tcp *tcb, uint32_t flight);
};

extern const struct capy_tcp_cc_ops capy_tcp_newreno, capy_tcp_cubic;

/* No window is larger, so that arithmetic on windows fits (RFC 7323 §2.3: windows stay below 2^30).
 */
#define CAPY_TCP_CWND_MAX (UINT32_C(1) << 30)

/* The handshake is over: the initial window (RFC 6928), or one segment when a SYN was lost. */
void capy_tcp_cc_start(struct capy_tcp *tcb);
/* acked new bytes; flight: what was out before they were. */
void capy_tcp_cc_acked(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t acked,
                       uint32_t flight);
/* Loss seen by duplicate ACKs or SACK while flight bytes were out. */
void capy_tcp_cc_lost(struct capy_tcp *tcb, uint32_t flight);
/* Retransmission timeout; again: of the same data. */
void capy_tcp_cc_timed_out(struct capy_tcp *tcb, bool again);
/* The loss since `before` was none: back to it (RFC 9438 §4.9). */
void capy_tcp_cc_undo(struct capy_tcp *tcb, const struct capy_tcp_cc *before);
/* Not half of the window was used for long: half of it goes (RFC 7661 §4.4.3). */
void capy_tcp_cc_unused(struct capy_tcp *tcb);
/* About to send after a pause (RFC 5681 §4.1). */
void capy_tcp_cc_resume(struct capy_tcp *tcb);

#endif
