/* The path to the peer as the connection sees it: how large a segment may be on it, and what ICMP
 * says of it.
 *
 * Segment size. Queues hold bytes, not segments: snd.mss may change at any time, and what is sent
 * again is cut anew. It shrinks
 *   - when a router says that a segment of ours was too big (RFC 1191, RFC 8201), if the segment it
 *     quotes is in flight (RFC 5927 §4, §7): then all is sent again at once, in smaller pieces and
 *     without a response of the congestion control (RFC 8201 §5.4);
 *   - when full-sized segments time out again and again: a router may drop them without a word
 *     (RFC 2923 §2.1, RFC 4821 §7.7, RFC 8899 §4.4);
 * and grows again after a while, never beyond what both ends agreed on. */
#ifndef CAPY_TCP_PATH_H
#define CAPY_TCP_PATH_H

#include "tcp/tcp.h"
#include "wire/icmp_error.h"

/* An ICMP error that quotes a segment of this connection. mss: for TOO_BIG, what the MTU it names
 * leaves for a segment, options included; 0: it names none. Returns event bits; *believed, when not
 * NULL, tells whether a TOO_BIG changed the segment size. */
uint32_t capy_tcp_icmp(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                       const struct capy_icmp_error *e, uint32_t mss, bool *believed);
/* The host knows that segments above this are too big for this destination. */
void capy_tcp_path_known(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t mss);
/* A retransmission timeout; tcb->backoff still counts those before it. */
void capy_tcp_path_doubt(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* New data is being sent at a size below what was agreed on: perhaps it is time to try more. */
void capy_tcp_path_try(struct capy_tcp *tcb, const struct capy_tcp_env *env);

#endif
