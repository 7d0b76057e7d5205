/* Proportional rate reduction (RFC 9937): how much may go during fast recovery, so that the flight
 * shrinks to ssthresh evenly, ACK by ACK, and is neither above nor far below it at the end. Its
 * counts live in the episode (tcp/episode.h); without one the window is ssthresh from the start, as
 * RFC 6675 §5 has it. Only tcp/recovery.c calls. */
#ifndef CAPY_TCP_PRR_H
#define CAPY_TCP_PRR_H

#include "tcp/ranges.h"

/* Recovery begins, or cuts the window again: ssthresh is set. */
void capy_tcp_prr_begin(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* An ACK that begins recovery or arrives during it, or the timer that begins it: delivered bytes
 * arrived since the last one. safe: snd.una advanced, and nothing more was found lost. */
void capy_tcp_prr_acked(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t delivered,
                        bool safe);
/* n bytes left, new or again. */
void capy_tcp_prr_sent(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t n);
/* A timeout ends recovery, though the episode may go on. */
void capy_tcp_prr_end(struct capy_tcp *tcb, const struct capy_tcp_env *env);

#endif
