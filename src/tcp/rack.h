/* RACK (RFC 8985 §6): what left before something that has arrived, and is missing for longer than
 * reordering explains, is lost. Works on the send records (tcp/sent.h). */
#ifndef CAPY_TCP_RACK_H
#define CAPY_TCP_RACK_H

#include "tcp/arrival.h"
#include "tcp/sent.h"

/* The peer reports [left, right) to have arrived; before the scoreboard knows. fack: the highest
 * position that had arrived before this ACK (steps 1 to 3). True when some of it was taken for lost
 * and did not go again: it was late. */
bool capy_tcp_rack_delivered(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                             const struct capy_tcp_segment *seg, uint64_t left, uint64_t right,
                             uint64_t fack);
/* A DSACK arrived: the window for reordering was too small (step 4). */
void capy_tcp_rack_dsack(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* A recovery ended: sixteen without DSACK make the window small again (step 4). */
void capy_tcp_rack_recovered(struct capy_tcp *tcb);

enum capy_tcp_rack_found {
    CAPY_TCP_RACK_NOTHING,
    CAPY_TCP_RACK_LOSS,
    CAPY_TCP_RACK_LOST_AGAIN, /* also a retransmission made after the last cut of the window */
};
/* Marks what is lost by now (step 5). */
enum capy_tcp_rack_found capy_tcp_rack_detect(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* True when something may be lost that is given a little more time: *ns from now. */
bool capy_tcp_rack_waits(const struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t *ns);

#endif
