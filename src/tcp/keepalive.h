/* Keep-alive (RFC 9293 §3.8.4): an idle peer is asked whether it is still there. Off unless the
 * application asks for it, per connection (CAPY_OPTION_KEEPALIVE). It has no timer of its own: it is
 * what the slow timer waits for when nothing else is to be waited for, so a probe never leaves while
 * sent data is outstanding. */
#ifndef CAPY_TCP_KEEPALIVE_H
#define CAPY_TCP_KEEPALIVE_H

#include "tcp/tcp.h"

/* True when an idle connection in this state waits for its peer. */
bool capy_tcp_keepalive_wanted(const struct capy_tcp *tcb);
/* From now to the next probe, or to giving up. */
uint64_t capy_tcp_keepalive_ns(const struct capy_tcp *tcb);
/* The time is over: owes a probe and counts it. False: the peer is given up. */
CAPY_MUST_USE bool capy_tcp_keepalive_fired(struct capy_tcp *tcb);

#endif
