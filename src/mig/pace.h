/* Inside src/mig only: when a message that was not answered goes out again. The interval follows
 * RFC 6298: smoothed time from a message to its answer plus four times its mean deviation, doubled
 * for each repeat, within the configured bounds. A server that waits in its own queues, or in those
 * of its neighbours, thereby repeats no sooner than an answer can come.
 *
 * One struct capy_mig_pace per server and side (mig.h) is shared by all its migrations; a struct
 * capy_mig_repeat is one message under way, in the slot that sent it. */
#ifndef CAPY_MIG_PACE_H
#define CAPY_MIG_PACE_H

#include "mig/mig.h"

/* A message is owed at once, and has not left yet. */
void capy_mig_repeat_begin(struct capy_mig_repeat *r, const struct capy_mig_env *env,
                           const struct capy_mig_pace *pace);
/* A copy left: by the timer, or because it was asked for. The next is due an interval later. */
void capy_mig_repeat_sent(struct capy_mig_repeat *r, const struct capy_mig_env *env,
                          struct capy_mig_pace *pace);
/* The peer repeated its question, so our answer was lost or is late: owed at once again. That is
 * the peer's timer, so ours slows down for nobody. */
void capy_mig_repeat_asked(struct capy_mig_repeat *r, const struct capy_mig_env *env);
/* Its answer came. With one copy sent that is a measurement; with more nobody knows which copy was
 * answered (Karn; RFC 6298 §3), only that it took no longer than since the first. */
void capy_mig_repeat_answered(const struct capy_mig_repeat *r, const struct capy_mig_env *env,
                              struct capy_mig_pace *pace);
/* How long to wait for an answer before giving up: at least so long, and not before the fourth
 * copy could be answered. */
uint64_t capy_mig_patience(const struct capy_mig_pace *pace, uint64_t at_least_ns);

#endif
