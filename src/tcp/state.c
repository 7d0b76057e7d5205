/* Connection states and their edges: RFC 9293 §3.3.2, Figure 5. Every state may also go to CLOSED:
 * by RST, by ABORT, by giving up, or because it is over. */
#include "tcp/state.h"

#define TO(s) (1u << CAPY_TCP_##s)

static const uint16_t edges[CAPY_TCP_STATE_CNT] = {
    [CAPY_TCP_CLOSED] = TO(SYN_SENT) | TO(SYN_RECEIVED),
    [CAPY_TCP_SYN_SENT] = TO(CLOSED) | TO(SYN_RECEIVED) | TO(ESTABLISHED),
    [CAPY_TCP_SYN_RECEIVED] = TO(CLOSED) | TO(ESTABLISHED),
    [CAPY_TCP_ESTABLISHED] = TO(CLOSED) | TO(FIN_WAIT_1) | TO(CLOSE_WAIT),
    [CAPY_TCP_FIN_WAIT_1] = TO(CLOSED) | TO(FIN_WAIT_2) | TO(CLOSING),
    [CAPY_TCP_FIN_WAIT_2] = TO(CLOSED) | TO(TIME_WAIT),
    [CAPY_TCP_CLOSE_WAIT] = TO(CLOSED) | TO(LAST_ACK),
    [CAPY_TCP_CLOSING] = TO(CLOSED) | TO(TIME_WAIT),
    [CAPY_TCP_LAST_ACK] = TO(CLOSED),
    [CAPY_TCP_TIME_WAIT] = TO(CLOSED),
};

void capy_tcp_set_state(struct capy_tcp *tcb, enum capy_tcp_state to)
{
    CAPY_ASSERT(edges[tcb->state] & 1u << to);
    tcb->state = (uint8_t)to;
}

const char *capy_tcp_state_name(enum capy_tcp_state s)
{
    static const char *const names[CAPY_TCP_STATE_CNT] = {
        [CAPY_TCP_CLOSED] = "CLOSED",
        [CAPY_TCP_SYN_SENT] = "SYN_SENT",
        [CAPY_TCP_SYN_RECEIVED] = "SYN_RECEIVED",
        [CAPY_TCP_ESTABLISHED] = "ESTABLISHED",
        [CAPY_TCP_FIN_WAIT_1] = "FIN_WAIT_1",
        [CAPY_TCP_FIN_WAIT_2] = "FIN_WAIT_2",
        [CAPY_TCP_CLOSE_WAIT] = "CLOSE_WAIT",
        [CAPY_TCP_CLOSING] = "CLOSING",
        [CAPY_TCP_LAST_ACK] = "LAST_ACK",
        [CAPY_TCP_TIME_WAIT] = "TIME_WAIT",
    };
    return (unsigned)s < CAPY_TCP_STATE_CNT ? names[s] : "?";
}
