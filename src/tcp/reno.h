/* RFC 5681's increase, for all who fall back to them. */
#ifndef CAPY_TCP_RENO_H
#define CAPY_TCP_RENO_H

#include "tcp/congestion.h"

/* Equation 3 by bytes: a segment more for every window of acknowledged bytes. *counted: those that
 * did not yet count. */
void capy_tcp_reno_grow(struct capy_tcp *tcb, uint32_t *counted, uint32_t acked);

#endif
