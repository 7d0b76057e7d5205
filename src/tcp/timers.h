/* The connection's timers. Callers name what happened; which timer runs follows from the block's
 * facts, never from who asks. */
#ifndef CAPY_TCP_TIMERS_H
#define CAPY_TCP_TIMERS_H

#include "tcp/tcp.h"

/* Something changed: starts, stops or changes the slow timer if the facts ask for another one. */
void capy_tcp_timers_changed(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* The peer acknowledged something, or new data went out with a probe timer running: what is running
 * starts over (RFC 6298 §5.3, RFC 8985 §7.2) when capy_tcp_timers_changed is called next, which
 * must be before the event is over. */
void capy_tcp_timers_restart(struct capy_tcp *tcb);
/* The peer showed that it makes progress: patience begins anew. */
void capy_tcp_timers_progress(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* Patience is another one now; what is running is measured by it, from when it began. */
void capy_tcp_timers_patience(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                              uint32_t user_timeout_ms);
/* The peer was heard: keep-alive's silence begins anew. */
void capy_tcp_timers_heard(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* The block ends at this time: TIME_WAIT, or CLOSED with its last segment sent. */
void capy_tcp_timers_end_at(struct capy_tcp *tcb, uint64_t at);
/* Both directions are closed in order. Returns FINISHED with the block freed; or 0 while there is
 * something left to read for an application that still lives: then it ends when that is done. */
uint32_t capy_tcp_finish(struct capy_tcp *tcb, const struct capy_tcp_env *env);

#endif
