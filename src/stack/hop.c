/* The next hop of what we send: neighbours asked for by ARP (arp.c) or neighbour discovery (nd.c),
 * the connections that wait for an answer, and what TCP knows of neighbours that are in doubt. */
#include "stack/host.h"

void capy_neigh_arm(struct capy_stack *s)
{
    capy_wheel_arm(&s->wheel, s->clocks + CAPY_CLOCK_NEIGH, capy_neigh_next_at(&s->neigh));
}

static struct capy_ip hop_of(const struct capy_stack *s, const struct capy_ip *ip)
{
    return capy_net_hop(capy_net_of(s, ip), ip);
}

bool capy_next_hop(struct capy_stack *s, const struct capy_ip *ip, struct capy_mac *out)
{
    struct capy_ip hop = hop_of(s, ip);
    struct capy_neighbour *e = capy_neigh_use(&s->neigh, &hop, s->now);
    if (!e) {
        s->count.neighbour_full++;
        return false;
    }
    capy_neigh_arm(s);
    if (!capy_neigh_usable(e))
        return false;
    *out = e->mac;
    return true;
}

void capy_neigh_wake(struct capy_stack *s, const struct capy_ip *ip, bool failed)
{
    uint32_t idx = s->waiting.head;
    while (idx != CAPY_NONE) {
        struct capy_conn *c = &s->conns[idx];
        uint32_t next = c->out.next;
        struct capy_ip hop = hop_of(s, &c->remote);
        if (capy_ip_eq(&hop, ip)) {
            capy_conn_unready(s, idx);
            if (failed)
                capy_conn_end(s, idx, CAPY_EV_TIMED_OUT);
            else
                capy_conn_settle(s, idx);
        }
        idx = next;
    }
}

void capy_neigh_timer(struct capy_stack *s)
{
    struct capy_ip ip;
    bool failed;
    while (capy_neigh_expire(&s->neigh, s->now, &ip, &failed))
        if (failed)
            capy_neigh_wake(s, &ip, true);
    capy_neigh_arm(s);
}

size_t capy_neigh_output(struct capy_stack *s, uint8_t *frame)
{
    struct capy_neighbour e;
    if (!capy_neigh_owed(&s->neigh, &e))
        return 0;
    return capy_ip_is_v4(&e.ip) ? capy_arp_ask(s, &e, frame) : capy_nd_ask(s, &e, frame);
}

void capy_hop_confirmed(struct capy_stack *s, const struct capy_conn *c,
                        const struct capy_packet *p)
{
    struct capy_ip hop = hop_of(s, &c->remote);
    capy_neigh_confirm(&s->neigh, &hop, &p->src_mac, s->now);
    capy_neigh_arm(s);
}

/* RFC 9293 MUST-20 (b): what was learned from the peer's segments may not be the way any more. Until
 * somebody else answers, sending goes on to where it went: the peer may only be slow. */
void capy_hop_doubted(struct capy_stack *s, struct capy_conn *c)
{
    const struct capy_net *net = capy_net_of(s, &c->remote);
    /* A forged SYN's sender never answers: the cache is not for asking after it. */
    if (c->half_open || !capy_net_reaches(net, &c->remote))
        return;
    struct capy_ip hop = capy_net_hop(net, &c->remote);
    const struct capy_neighbour *known = capy_neigh_find(&s->neigh, &hop);
    if (known && known->state == CAPY_NEIGH_REACHABLE && !capy_mac_eq(&known->mac, &c->next_hop))
        c->next_hop = known->mac;
    else
        (void)capy_neigh_doubt(&s->neigh, &hop, s->now);
    capy_neigh_arm(s);
}
