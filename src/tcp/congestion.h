/* Congestion control: a table of functions per algorithm, named in the control block by number so
 * that it can move (RFC 5681; RFC 9438; RFC 8257). All amounts in bytes.
 *
 * What is private to an algorithm lies in one union (tcp/tcb.h). Until the first reduction, while
 * ssthresh is CAPY_TCP_CWND_MAX, it belongs to HyStart++ for the algorithms that use that; then it
 * is the algorithm's own. */
#ifndef CAPY_TCP_CONGESTION_H
#define CAPY_TCP_CONGESTION_H

#include "tcp/tcp.h"

/* What told of congestion. */
enum capy_tcp_sign {
    CAPY_TCP_SIGN_LOSS,
    CAPY_TCP_SIGN_MARK, /* an ECN-Echo (RFC 3168) */
    CAPY_TCP_SIGN_TIMEOUT,
};

struct capy_tcp_cc_ops {
    const char *name;
    bool hystart; /* its first slow start is watched (RFC 9406) */
    /* A mark is as bad as a loss, so that both in one window are one sign of congestion. */
    bool mark_is_loss;
    /* The private state begins afresh; cwnd and ssthresh are set. */
    void (*start)(struct capy_tcp *tcb);
    /* acked bytes of new data were acknowledged in congestion avoidance. */
    void (*avoid)(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t acked);
    /* Congestion while flight bytes were out: what the window should be. */
    uint32_t (*reduce)(struct capy_tcp *tcb, uint32_t flight, enum capy_tcp_sign sign);
    /* The window is not used up: from now on time does not count. NULL: it never does. */
    void (*pause)(struct capy_tcp *tcb, const struct capy_tcp_env *env);
    /* Slow start begins again, without a reduction. NULL: no matter. */
    void (*renew)(struct capy_tcp *tcb);
    /* An ACK of bytes up to ack, before snd.una advances; echo: it carries ECE. NULL: no matter. */
    void (*watch)(struct capy_tcp *tcb, uint64_t ack, bool echo);
};

extern const struct capy_tcp_cc_ops capy_tcp_newreno, capy_tcp_cubic, capy_tcp_dctcp;

/* No window is larger, so that arithmetic on windows fits (RFC 7323 §2.3: windows stay below 2^30).
 */
#define CAPY_TCP_CWND_MAX (UINT32_C(1) << 30)
/* One step beyond that, which is how far sums get. */
#define CAPY_TCP_CC_LIMIT (CAPY_TCP_CWND_MAX + 8u * UINT16_MAX)

/* Whose the private state is. */
enum capy_tcp_cc_owner {
    CAPY_TCP_CC_HYSTART,
    CAPY_TCP_CC_CUBIC,
    CAPY_TCP_CC_NEWRENO,
    CAPY_TCP_CC_DCTCP,
};
enum capy_tcp_cc_owner capy_tcp_cc_owner(const struct capy_tcp_cc *cc,
                                         enum capy_tcp_congestion algorithm);

/* The handshake is over: the initial window (RFC 6928), or one segment when a SYN was lost. */
void capy_tcp_cc_start(struct capy_tcp *tcb);
/* An ACK that advances snd.una to ack, before it does; echo: it carries ECE. */
void capy_tcp_cc_watch(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t ack,
                       bool echo);
/* acked new bytes; flight: what was out before they were. */
void capy_tcp_cc_acked(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t acked,
                       uint32_t flight);
/* Loss seen by duplicate ACKs or SACK while flight bytes were out; before the phase and snd.recover
 * say so. Does nothing when a mark has cut this window already (RFC 3168 §6.1.2). */
void capy_tcp_cc_lost(struct capy_tcp *tcb, uint32_t flight);
/* A mark on what was sent since the last reduction, while flight bytes were out. False: the window
 * is as small as can be, and sending must slow down further (RFC 3168 §6.1.2). */
bool capy_tcp_cc_marked(struct capy_tcp *tcb, uint32_t flight);
/* Retransmission timeout; again: of the same data. */
void capy_tcp_cc_timed_out(struct capy_tcp *tcb, bool again);
/* The loss since `before` was none: back to it (RFC 9438 §4.9). */
void capy_tcp_cc_undo(struct capy_tcp *tcb, const struct capy_tcp_cc *before);
/* Not half of the window was used for long: half of it goes (RFC 7661 §4.4.3). */
void capy_tcp_cc_unused(struct capy_tcp *tcb);
/* About to send after a pause (RFC 5681 §4.1). */
void capy_tcp_cc_resume(struct capy_tcp *tcb);

#endif
