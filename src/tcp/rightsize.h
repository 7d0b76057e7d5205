/* How much window an application deserves (dynamic right-sizing): what it reads in a round trip says
 * how fast it could receive, and four times that lets the sender find out as fast as slow start does.
 * A connection begins with a small window and grows, to its bound, while it reads fast and the pool
 * has blocks to spare; the right edge never moves left. */
#ifndef CAPY_TCP_RIGHTSIZE_H
#define CAPY_TCP_RIGHTSIZE_H

#include "tcp/tcp.h"

/* The most that may be unread now: the bound, or what the connection has grown to. */
static inline uint32_t capy_tcp_rcv_buf(const struct capy_tcp *tcb)
{
    return tcb->rcv.buf_kib ? (uint32_t)tcb->rcv.buf_kib << 10 : tcb->tune.rcv_buf;
}

/* A fresh connection, whose settings are there. */
void capy_tcp_rightsize_start(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* The application read something. */
void capy_tcp_rightsize_read(struct capy_tcp *tcb, const struct capy_tcp_env *env);

#endif
