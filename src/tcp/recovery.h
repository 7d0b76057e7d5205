/* Loss recovery: what an ACK, a timeout or a probe means for what is sent again (RFC 8985 and RFC
 * 6675's pipe with SACK, RFC 6582 without, RFC 5681 §3.2), and what it means when nothing was lost
 * (tcp/episode.h). Moves state only; output sends. */
#ifndef CAPY_TCP_RECOVERY_H
#define CAPY_TCP_RECOVERY_H

#include "tcp/arrival.h"

/* An acceptable ACK, before snd.una advances: what it says about duplicates and the probe. */
void capy_tcp_recovery_told(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                            const struct capy_tcp_arrival *a);
/* snd.una advanced by acked bytes, flight were out before. */
void capy_tcp_recovery_advanced(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                                const struct capy_tcp_arrival *a, uint32_t acked, uint32_t flight);
/* An ACK that acknowledges nothing new but says that a segment arrived (RFC 5681 §2, RFC 6675 §2).
 */
void capy_tcp_recovery_duplicate(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                                 const struct capy_tcp_arrival *a);
/* [pos, end) left while the phase was not OPEN. */
void capy_tcp_recovery_sent(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t pos,
                            uint64_t end, bool again);
/* The reordering timer fired: what RACK waited for is lost now (RFC 8985 §6.2 step 5). */
void capy_tcp_recovery_waited(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* The retransmission timer fired (RFC 6298 §5, RFC 6675 §5.1). */
void capy_tcp_recovery_timed_out(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* What is in flight was too big for the path: all of it goes again, cut anew, and nothing is said of
 * congestion (RFC 8201 §5.4). */
void capy_tcp_recovery_resend(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* True when a tail loss probe is the right timer for what is in flight (RFC 8985 §7.2). */
bool capy_tcp_tlp_wanted(const struct capy_tcp *tcb);
/* The probe timeout. */
uint64_t capy_tcp_tlp_ns(const struct capy_tcp *tcb, const struct capy_tcp_env *env);

#endif
