/* The window we offer (RFC 9293 §3.8.6.2.2, RFC 7323 §2). Its right edge never moves left. */
#ifndef CAPY_TCP_WINDOW_H
#define CAPY_TCP_WINDOW_H

#include "tcp/tcp.h"

/* The smallest shift that lets 16 bits say the whole receive buffer. */
uint8_t capy_tcp_wscale_for(uint32_t rcv_buf_max);
/* The window field of the next segment, which acknowledges everything before ack; remembers the edge
 * that it promises. */
uint16_t capy_tcp_window_offer(struct capy_tcp *tcb, uint64_t ack, bool syn);
/* True when the peer should hear of room without being asked. */
bool capy_tcp_window_update_owed(const struct capy_tcp *tcb);

#endif
