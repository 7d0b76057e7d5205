/* What the peer holds out of order and what is lost (RFC 6675 §3, §4). Loss is one number:
 * everything below snd.lost_end that was not SACKed counts as lost, because a hole that is lost has
 * only lost holes below it. What was retransmitted of it ends at snd.rtx_nxt. */
#ifndef CAPY_TCP_SCOREBOARD_H
#define CAPY_TCP_SCOREBOARD_H

#include "tcp/tcp.h"

#define CAPY_TCP_DUP_THRESH 3u /* RFC 6675 §2, RFC 5681 §3.2 */

/* Takes in the SACK blocks of an acceptable ACK (Update()). Bytes newly SACKed. */
uint32_t capy_tcp_scoreboard_add(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                                 const struct capy_tcp_segment *seg);
/* snd.una advanced. */
void capy_tcp_scoreboard_trim(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* Forgets all: a peer may drop what it SACKed (RFC 2018 §8). */
void capy_tcp_scoreboard_clear(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* Moves lost_end up to where the SACKed data above proves loss (IsLost()). */
void capy_tcp_scoreboard_mark_lost(struct capy_tcp *tcb, const struct capy_tcp_env *env);

/* Bytes believed to be in the network (SetPipe()). */
uint32_t capy_tcp_pipe(const struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* The first lost piece that was not retransmitted yet (NextSeg() rule 1). False: none. */
bool capy_tcp_next_lost(const struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t *pos,
                        uint64_t *end);

#endif
