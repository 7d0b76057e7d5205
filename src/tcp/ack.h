/* The fifth step of SEGMENT ARRIVES: the acknowledgment (RFC 9293 §3.10.7.4). */
#ifndef CAPY_TCP_ACK_H
#define CAPY_TCP_ACK_H

#include "tcp/arrival.h"

/* RFC 5961 §5: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT; else a challenge, and no more. */
bool capy_tcp_ack_plausible(const struct capy_tcp *tcb, const struct capy_tcp_arrival *a);
/* A synchronized connection. False: the segment goes no further. */
bool capy_tcp_take_ack(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                       struct capy_tcp_arrival *a);

#endif
