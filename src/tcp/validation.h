/* Congestion window validation: a window that the application does not use tells nothing about the
 * path, and must neither grow (tcp/congestion.c sees to that) nor be kept for ever.
 *
 * By RFC 7661, not by the older RFC 2861, which that one makes historic: 2861 takes away half of
 * what is unused per round trip, so that applications that pause send padding to keep their window.
 * RFC 7661 also needs less memory: the time when the window was last known to be used. pipeACK, the
 * volume acknowledged in a round trip, is taken to be the flight that an ACK finds: the same, as
 * long as nothing is lost, and never more.
 *
 * DEVIATION(RFC 7661 §4.4.2): after a pause longer than an RTO the window restarts as RFC 5681 §4.1
 * has it, without paced use of the old one. */
#ifndef CAPY_TCP_VALIDATION_H
#define CAPY_TCP_VALIDATION_H

#include "tcp/tcp.h"

/* §4.4, the non-validated period: how long an unused window is kept. */
#define CAPY_TCP_NON_VALIDATED_MS 300000u

/* The connection is established: the window counts as used (§4.2, pipeACK undefined). */
void capy_tcp_validation_start(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* New data was acknowledged outside of recovery; flight bytes were out before. */
void capy_tcp_validate(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t flight);

#endif
