/* ARP for the host (RFC 826): answers for our address, asks for others, and tells the neighbour
 * cache what it hears. */
#include "stack/host.h"

static const struct capy_mac broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

static void answer(struct capy_stack *s, const struct capy_arp *asked)
{
    uint8_t *frame = capy_control_reserve(s);
    if (!frame)
        return;
    struct capy_arp reply = {CAPY_ARP_REPLY, s->cfg.mac, asked->sender_mac, s->net[CAPY_V4].ip,
                             asked->sender_ip};
    capy_control_commit(s, capy_arp_build(frame, &asked->sender_mac, &reply));
}

void capy_arp_input(struct capy_stack *s, const struct capy_arp *arp)
{
    static const struct capy_ip zero = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}};
    const struct capy_ip *self = &s->net[CAPY_V4].ip;
    s->count.arp_in++;
    if (!s->net[CAPY_V4].on || (arp->sender_mac.b[0] & 1))
        return; /* a group's MAC is nobody's */
    if (capy_ip_eq(&arp->sender_ip, self)) {
        s->count.address_claims += !capy_mac_eq(&arp->sender_mac, &s->cfg.mac);
        return;
    }
    bool asks_us = arp->op == CAPY_ARP_REQUEST && capy_ip_eq(&arp->target_ip, self);
    bool told_us = arp->op == CAPY_ARP_REPLY && capy_mac_eq(&arp->target_mac, &s->cfg.mac);
    if (!capy_ip_eq(&arp->sender_ip, &zero)) { /* zero: a probe (RFC 5227), claims nothing */
        bool news = asks_us ? capy_neigh_asker(&s->neigh, &arp->sender_ip, &arp->sender_mac, s->now)
                            : capy_neigh_answer(&s->neigh, &arp->sender_ip, &arp->sender_mac,
                                                told_us, true, s->now);
        if (news)
            capy_neigh_wake(s, &arp->sender_ip, false);
        capy_neigh_arm(s);
    }
    if (asks_us)
        answer(s, arp);
}

size_t capy_arp_ask(struct capy_stack *s, const struct capy_neighbour *e, uint8_t *frame)
{
    struct capy_arp ask = {CAPY_ARP_REQUEST, s->cfg.mac, {{0}}, s->net[CAPY_V4].ip, e->ip};
    const struct capy_mac *to = e->state == CAPY_NEIGH_PROBE ? &e->mac : &broadcast;
    return capy_arp_build(frame, to, &ask);
}
