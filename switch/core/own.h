/* What the switch says of its own accord where every plane can: ARP for its own addresses and for those
 * of a server that is down (its migrated-away flows must stay reachable to a client whose neighbour
 * entry ran out). Header only; needs a plane's functions: state.h. What takes a whole parser of hosts,
 * echo and neighbour discovery, is local.c's. */
#ifndef CAPY_SWITCH_OWN_H
#define CAPY_SWITCH_OWN_H

#include "switch/core/flows.h"
#include "wire/arp.h"

struct capy_own {
    const struct capy_mac *mac; /* NULL: not ours to answer */
    bool proxied;               /* another's address */
};

/* Who has this address? */
static inline struct capy_own capy_own_of(const struct capy_job *j, const struct capy_ip *ip)
{
    const struct capy_switch *sw = j->sw;
    if (capy_switch_is_own(sw, ip) || capy_vip_is(sw->cfg, ip))
        return (struct capy_own){&sw->cfg->mac, false};
    uint16_t id = capy_switch_server_of(sw, ip);
    /* Never to the server itself, who may be probing for its own address as it starts. */
    if (id == CAPY_SERVER_ANY || CAPY_SWITCH_PLACE(sw, id)->port == j->port ||
        capy_switch_server_alive(sw, id, j->now))
        return (struct capy_own){NULL, false};
    return (struct capy_own){&CAPY_SWITCH_PLACE(sw, id)->mac, true};
}

/* Offsets in an ARP packet for IPv4 over Ethernet (RFC 826), from the frame's start. */
enum {
    CAPY_OWN_ARP_END = CAPY_ETHER_LEN + CAPY_ARP_LEN,
    CAPY_OWN_ARP_KIND = CAPY_ETHER_LEN, /* Ethernet, IPv4, lengths of both */
    CAPY_OWN_ARP_OP = CAPY_ETHER_LEN + 6,
    CAPY_OWN_ARP_SENDER = CAPY_ETHER_LEN + 8, /* MAC, and the address behind it */
    CAPY_OWN_ARP_TARGET = CAPY_ETHER_LEN + 18,
};

/* Turns the question into its answer, in place. */
static inline void capy_own_arp_answer(uint8_t *frame, const struct capy_mac *mac)
{
    uint8_t asked[4];
    capy_copy(asked, frame + CAPY_OWN_ARP_TARGET + 6, 4);
    capy_copy(frame, frame + CAPY_OWN_ARP_SENDER, 6);
    capy_rewrite_mac(frame + 6, mac);
    capy_store16(frame + CAPY_OWN_ARP_OP, CAPY_ARP_REPLY);
    capy_copy(frame + CAPY_OWN_ARP_TARGET, frame + CAPY_OWN_ARP_SENDER, 10);
    capy_rewrite_mac(frame + CAPY_OWN_ARP_SENDER, mac);
    capy_copy(frame + CAPY_OWN_ARP_SENDER + 6, asked, 4);
}

static inline void capy_own_arp(struct capy_job *j)
{
    uint8_t *frame = j->frame;
    struct capy_own own = {NULL, false};
    bool whole = frame + CAPY_OWN_ARP_END <= j->end;
    if (whole && capy_load32(frame + CAPY_OWN_ARP_KIND) == 0x00010800u &&
        capy_load32(frame + CAPY_OWN_ARP_KIND + 4) == (0x06040000u | CAPY_ARP_REQUEST)) {
        const struct capy_ip ip = capy_ip_from_v4(capy_load32(frame + CAPY_OWN_ARP_TARGET + 6));
        own = capy_own_of(j, &ip);
    }
    if (!own.mac) {
        capy_flow_forward(j);
        return;
    }
    capy_own_arp_answer(frame, own.mac);
    capy_switch_count(j->sw, own.proxied ? CAPY_COUNT_arp_proxied : CAPY_COUNT_arp_answered);
    capy_plane_cut(j, CAPY_OWN_ARP_END);
    capy_plane_send(j, j->port);
}

#endif
