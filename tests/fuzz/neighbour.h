/* Whoever a host under test asks for, by ARP or neighbour discovery, is found at one MAC, at once: link addresses are not what these tests are about. Header only. */
#ifndef CAPY_TESTS_FUZZ_NEIGHBOUR_H
#define CAPY_TESTS_FUZZ_NEIGHBOUR_H

#include "stack/stack.h"
#include "wire/nd.h"

/* True when the host's frame was such a question; the answer, far, has gone in. */
static inline bool fuzz_answer_neighbour(struct capy_stack *s, const uint8_t *frame, size_t len,
                                         struct capy_mac far, uint64_t now)
{
    uint8_t answer[CAPY_FRAME_MAX];
    struct capy_packet p;
    struct capy_nd nd;
    if (capy_frame_parse(frame, len, &p) != CAPY_DROP_NONE)
        return false;
    if (p.kind == CAPY_PACKET_ARP) {
        struct capy_arp reply = {CAPY_ARP_REPLY, far, p.arp.sender_mac, p.arp.target_ip,
                                 p.arp.sender_ip};
        if (p.arp.op == CAPY_ARP_REQUEST)
            capy_stack_input(s, answer, capy_arp_build(answer, &p.arp.sender_mac, &reply), now);
        return true;
    }
    if (p.kind != CAPY_PACKET_ICMP6 || !capy_nd_parse(&p, &nd))
        return false;
    if (nd.type == CAPY_ND_SOLICIT) {
        struct capy_frame_to to = {
            .dst_mac = p.src_mac, .src_mac = far, .src = nd.target, .dst = p.src};
        struct capy_nd advert = {.type = CAPY_ND_ADVERT,
                                 .solicited = true,
                                 .override = true,
                                 .has_mac = true,
                                 .target = nd.target,
                                 .mac = far};
        capy_stack_input(s, answer, capy_nd_build(answer, &to, &advert), now);
    }
    return true;
}

#endif
