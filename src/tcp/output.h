/* What other files of src/tcp ask of output. */
#ifndef CAPY_TCP_OUTPUT_H
#define CAPY_TCP_OUTPUT_H

#include "tcp/tcp.h"

/* How much sequence space of new data and FIN may go out in one segment now (0: none): the peer's
 * window, congestion window, sender SWS avoidance and Nagle (RFC 9293 §3.8.6.2.1, §3.7.4). */
uint32_t capy_tcp_may_send_new(const struct capy_tcp *tcb, const struct capy_tcp_env *env);

#endif
