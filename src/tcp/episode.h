/* Was it a loss at all? An episode is what the sender remembers from the moment it takes something
 * for lost until nothing can show any more that it was only late. It holds the congestion state of
 * before, so that a spurious recovery can be undone (RFC 4015, RFC 9438 §4.9), and the counts of
 * proportional rate reduction (tcp/prr.h). Four witnesses are heard:
 *
 *   what was taken for lost, before any of it went again         (the plainest of all)
 *   the timestamp echoed by the first ACK of what went again     Eifel detection, RFC 3522
 *   without timestamps and after an RTO, the two ACKs after it   F-RTO, RFC 5682
 *   reports of duplicates, until all that went again is told     DSACK, RFC 3708
 *
 * It lives in the marks block (tcp/ranges.h). When the pool has none to spare there is no episode:
 * then every loss counts as one. Only tcp/recovery.c calls. */
#ifndef CAPY_TCP_EPISODE_H
#define CAPY_TCP_EPISODE_H

#include "tcp/arrival.h"
#include "tcp/ranges.h"

/* Something is taken for lost; before phase, records and congestion control know. */
void capy_tcp_episode_begin(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* [pos, end) went again. */
void capy_tcp_episode_sent(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t pos,
                           uint64_t end);
/* What was taken for lost arrived and had not gone again: undoes the episode if nothing went again
 * in it. Before snd.una advances. */
void capy_tcp_episode_late(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* snd.una advanced. May undo the episode: then the phase is OPEN and nothing is lost. May enter
 * FRTO, and leaves it. */
void capy_tcp_episode_acked(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                            const struct capy_tcp_arrival *a);
/* An ACK in the phase FRTO that says something arrived, but not in order. */
void capy_tcp_episode_duplicate(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* A DSACK arrived; may undo the episode. */
void capy_tcp_episode_dsack(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                            const struct capy_tcp_arrival *a);
/* What goes again from now on does so for another reason: there is nothing to find out. */
void capy_tcp_episode_none(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* Recovery ended. */
void capy_tcp_episode_over(struct capy_tcp *tcb, const struct capy_tcp_env *env);

#endif
