/* Explicit congestion notification: agreeing on it, echoing marks, marking our own data and
 * answering the peer's echo (RFC 3168 §6.1), and DCTCP's way to echo (RFC 8257 §3.2).
 *
 * Two facts say what was agreed on (tcp/tcb.h): ecn_rcv, we echo marks on what arrives; ecn_snd, our
 * new data may be marked and we obey the peer's echo. A connection that fell back to a plain SYN has
 * only the first (§6.1.1). Without them ECN bits mean nothing, whatever the network makes of them. */
#ifndef CAPY_TCP_ECN_H
#define CAPY_TCP_ECN_H

#include "tcp/arrival.h"

/* ---- the handshake (§6.1.1) ---- */

/* A SYN or SYN-ACK arrived and is taken; the state is still the one before. */
void capy_tcp_ecn_take_syn(struct capy_tcp *tcb, const struct capy_tcp_segment *seg);
/* The peer's SYN came once more: without ECN, because it gave up on that? */
void capy_tcp_ecn_syn_again(struct capy_tcp *tcb, const struct capy_tcp_segment *seg);
/* A RST answered our ECN-setup SYN. True: it goes again without (§6.1.1.1). */
bool capy_tcp_ecn_refused(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* ECE and CWR on our SYN or SYN-ACK. */
void capy_tcp_ecn_put_syn(struct capy_tcp *tcb, const struct capy_tcp_env *env, bool first,
                          struct capy_tcp_segment *seg);

/* ---- the receiver (§6.1.3) ---- */

/* With ecn_rcv, in-window data was placed; nxt: snd.nxt before. */
void capy_tcp_ecn_arrived(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                          const struct capy_tcp_arrival *a, uint64_t nxt);
/* With ecn_rcv: puts ECE on an acknowledgment; the position that it acknowledges. */
uint64_t capy_tcp_ecn_put_echo(struct capy_tcp *tcb, struct capy_tcp_segment *seg);

/* ---- the sender (§6.1.2) ---- */

/* With ecn_snd, new data leaves: ECT(0), and CWR when the window was reduced since the last. */
void capy_tcp_ecn_put_data(struct capy_tcp *tcb, struct capy_tcp_segment *seg);
/* What DCTCP marks beside data: SYN, SYN-ACK and RST (RFC 8257 §3.6). */
void capy_tcp_ecn_put_control(const struct capy_tcp *tcb, struct capy_tcp_segment *seg);
/* With ecn_snd, an ACK that advances snd.una, before it does. True: it tells of a mark in this round trip, which
 * capy_tcp_ecn_cut answers once the ACK has had its other effects. */
bool capy_tcp_ecn_told(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                       const struct capy_tcp_arrival *a);
/* flight: bytes that were out before. */
void capy_tcp_ecn_cut(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t flight);

#endif
