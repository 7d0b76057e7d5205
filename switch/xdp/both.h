/* Messages that go two ways (NACK, FLOW_CLOSED, a refused PREPARE_MIG_ACK): on to the peer, and back to
 * the sender with the switch's verdict. XDP sends one frame as it is to many devices, so such a message
 * leaves, addressed to the peer, through a device map of its own, to every port; the program of that
 * map, which runs where a copy leaves, lets the peer's pass, makes the sender's, and drops the rest. */
#ifndef CAPY_XDP_BOTH_H
#define CAPY_XDP_BOTH_H

#include "switch/xdp/many.h"

/* port: where this copy would leave. */
static inline bool both_egress(uint8_t *frame, const uint8_t *end, uint32_t port)
{
    const struct capy_switch_cfg *c = many_cfg();
    struct capy_view v;
    capy_view_parse(frame, end, &v);
    if (v.kind != CAPY_VIEW_UDP)
        return false; /* never */
    uint16_t peer = capy_index_server_of(many_index(), c, &v.dst);
    uint16_t sender = capy_index_server_of(many_index(), c, &v.src);
    if (peer == CAPY_SERVER_ANY || sender == CAPY_SERVER_ANY)
        return false;
    if (c->server[peer % CAPY_SWITCH_SERVER_MAX].port == port)
        return true;
    if (c->server[sender % CAPY_SWITCH_SERVER_MAX].port != port)
        return false;
    capy_mig_address(c, frame, end, &v, sender, &c->ip);
    return true;
}

#endif
