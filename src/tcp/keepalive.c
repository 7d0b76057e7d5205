/* Keep-alive (tcp/keepalive.h). The probe is a segment without data below what the peer expects: it
 * must be answered with an ACK (RFC 9293 §3.10.7.4, first step). */
#include "tcp/keepalive.h"
#include "tcp/state.h"

bool capy_tcp_keepalive_wanted(const struct capy_tcp *tcb)
{
    if (!tcb->tune.keepalive)
        return false;
    enum capy_tcp_state state = capy_tcp_state_of(tcb);
    return state == CAPY_TCP_ESTABLISHED || state == CAPY_TCP_CLOSE_WAIT ||
           state == CAPY_TCP_FIN_WAIT_2;
}

uint64_t capy_tcp_keepalive_ns(const struct capy_tcp *tcb)
{
    return CAPY_SEC(tcb->keep_sent == 0 ? tcb->tune.keep_idle_s : tcb->tune.keep_interval_s);
}

/* RFC 9293 MUST-29: no single unanswered probe says that the peer is dead. An application that set a
 * user timeout said how long silence may last (RFC 5482 §4.2). */
static bool has_waited_enough(const struct capy_tcp *tcb)
{
    const struct capy_tcp_tuning *tune = &tcb->tune;
    uint64_t silent_s = tune->keep_idle_s + (uint64_t)tcb->keep_sent * tune->keep_interval_s;
    if (tune->user_timeout_ms != 0)
        return tcb->keep_sent > 0 && CAPY_SEC(silent_s) >= CAPY_MS(tune->user_timeout_ms);
    return tcb->keep_sent >= tune->keep_cnt;
}

bool capy_tcp_keepalive_fired(struct capy_tcp *tcb)
{
    if (has_waited_enough(tcb))
        return false;
    if (tcb->keep_sent < UINT8_MAX)
        tcb->keep_sent++;
    tcb->probe = CAPY_TCP_PROBE_KEEPALIVE;
    return true;
}
