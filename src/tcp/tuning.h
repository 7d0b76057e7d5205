/* What can be set per connection (capy/option.h): the values a listener or a fresh connection begins
 * with, and changes to a running one. */
#ifndef CAPY_TCP_TUNING_H
#define CAPY_TCP_TUNING_H

#include "tcp/tcp.h"

/* What the configuration gives every connection. */
void capy_tcp_tuning_default(struct capy_tcp_tuning *t, const struct capy_tcp_cfg *cfg);
/* Sets one value for connections yet to open. CAPY_OK or CAPY_E_INVAL (unchanged). */
CAPY_MUST_USE int capy_tcp_tuning_set(struct capy_tcp_tuning *t, const struct capy_tcp_cfg *cfg,
                                      enum capy_option option, uint64_t value);
/* The same value back, rounded; 0 for what is no option. */
uint64_t capy_tcp_tuning_get(const struct capy_tcp_tuning *t, enum capy_option option);
/* True when every value is one that could have been set. */
bool capy_tcp_tuning_ok(const struct capy_tcp_tuning *t);

/* A connection. CAPY_OK, CAPY_E_INVAL, CAPY_E_STATE (its SYN has left, or it is CLOSED). */
CAPY_MUST_USE int capy_tcp_set(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                               enum capy_option option, uint64_t value);
/* What is in force now. */
uint64_t capy_tcp_get(const struct capy_tcp *tcb, enum capy_option option);

#endif
