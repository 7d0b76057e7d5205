/* The one way to change a connection's state (RFC 9293 §3.3.2, Figure 5). */
#ifndef CAPY_TCP_STATE_H
#define CAPY_TCP_STATE_H

#include "tcp/tcp.h"

/* Asserts that the figure has this edge. */
void capy_tcp_set_state(struct capy_tcp *tcb, enum capy_tcp_state to);

static inline enum capy_tcp_state capy_tcp_state_of(const struct capy_tcp *tcb)
{
    return (enum capy_tcp_state)tcb->state;
}

#endif
