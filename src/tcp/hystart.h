/* HyStart++ (RFC 9406): leaves the first slow start when round trips grow longer, before the queue
 * overflows. */
#ifndef CAPY_TCP_HYSTART_H
#define CAPY_TCP_HYSTART_H

#include "tcp/tcp.h"

void capy_tcp_hystart_start(struct capy_tcp *tcb);
/* An ACK of bytes up to ack, before snd.una advances. True: slow start is over. */
bool capy_tcp_hystart_watch(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t ack);
/* By how much the window grows for acked bytes. */
uint32_t capy_tcp_hystart_growth(const struct capy_tcp *tcb, uint32_t acked);

#endif
