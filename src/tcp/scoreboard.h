/* What the peer holds out of order (RFC 6675 §3), and what of the rest is lost. With SACK the send
 * records know what is lost (RACK; tcp/sent.h); without, loss is one number: everything in
 * [snd.rtx_nxt, snd.lost_end). */
#ifndef CAPY_TCP_SCOREBOARD_H
#define CAPY_TCP_SCOREBOARD_H

#include "tcp/arrival.h"

#define CAPY_TCP_DUP_THRESH 3u /* RFC 6675 §2, RFC 5681 §3.2 */

/* Nothing is lost, late or out of order, as far as is known: request and response stay here, and
 * need not look at lists. */
static inline bool capy_tcp_undisturbed(const struct capy_tcp *tcb)
{
    return tcb->marks == CAPY_NONE && tcb->snd.lost_end <= tcb->snd.rtx_nxt;
}

/* Takes in what an acceptable ACK says (Update()), before snd.una advances; tells the arrival what
 * was news. */
void capy_tcp_scoreboard_add(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                             struct capy_tcp_arrival *a);
/* snd.una advanced. */
void capy_tcp_scoreboard_trim(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* Forgets all, send records included: a peer may drop what it SACKed (RFC 2018 §8). */
void capy_tcp_scoreboard_clear(struct capy_tcp *tcb, const struct capy_tcp_env *env);

/* Bytes believed to be in the network (SetPipe()). */
uint32_t capy_tcp_pipe(const struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* The first lost piece that was not retransmitted yet (NextSeg() rule 1). False: none. */
bool capy_tcp_next_lost(const struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t *pos,
                        uint64_t *end);

#endif
