/* What a SYN's options mean to the connection (RFC 9293 §3.7.1, RFC 7323, RFC 2018). */
#ifndef CAPY_TCP_OPEN_H
#define CAPY_TCP_OPEN_H

#include "tcp/tcp.h"

/* The peer sends segments too small to carry our options below this: such an offer is raised. */
#define CAPY_TCP_MSS_MIN 88u

/* A CLOSED block that owns nothing. */
void capy_tcp_blank(struct capy_tcp *tcb);
/* Takes a SYN or SYN-ACK in: its sequence number, options and window. */
void capy_tcp_take_syn(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                       const struct capy_tcp_segment *syn);
/* The largest segment may have become smaller: so does what we send. */
void capy_tcp_limit_mss(struct capy_tcp *tcb);
/* The handshake is over: this segment acknowledges our SYN. */
void capy_tcp_established(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                          const struct capy_tcp_segment *seg);

#endif
