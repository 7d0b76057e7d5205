/* ARP for the host (RFC 826): answers for our address, asks for others, and wakes the connections
 * that waited for an answer. */
#include "stack/host.h"

static const struct capy_mac broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

static void arm(struct capy_stack *s)
{
    capy_wheel_arm(&s->wheel, s->clocks + CAPY_CLOCK_NEIGH, capy_neigh_next_at(&s->neigh));
}

static bool on_link(const struct capy_stack *s, const struct capy_ip *ip)
{
    for (unsigned i = 0; i < sizeof ip->b; i++)
        if ((ip->b[i] ^ s->cfg.ip.b[i]) & s->cfg.netmask.b[i])
            return false;
    return true;
}

/* The address to ask for: the peer itself on our link, else the gateway (RFC 1122 §3.3.1.1). */
static struct capy_ip hop_of(const struct capy_stack *s, const struct capy_ip *ip)
{
    static const struct capy_ip unset;
    bool direct = on_link(s, ip) || capy_ip_eq(&s->cfg.gateway, &unset);
    return direct ? *ip : s->cfg.gateway;
}

static bool waits_for(const struct capy_stack *s, const struct capy_conn *c,
                      const struct capy_ip *ip)
{
    struct capy_ip hop = hop_of(s, &c->remote);
    return capy_ip_eq(&hop, ip);
}

bool capy_next_hop(struct capy_stack *s, const struct capy_ip *ip, struct capy_mac *out)
{
    struct capy_ip hop = hop_of(s, ip);
    struct capy_neighbour *e = capy_neigh_ask(&s->neigh, &hop, s->now);
    if (!e) {
        s->count.neighbour_full++;
        return false;
    }
    if (e->state == CAPY_NEIGH_RESOLVED) {
        *out = e->mac;
        return true;
    }
    arm(s);
    return false;
}

/* Those who waited go on; or, when nobody answered, have failed. */
static void wake(struct capy_stack *s, const struct capy_ip *ip, bool failed)
{
    uint32_t idx = s->waiting.head;
    while (idx != CAPY_NONE) {
        struct capy_conn *c = &s->conns[idx];
        uint32_t next = c->out.next;
        if (waits_for(s, c, ip)) {
            capy_conn_unready(s, idx);
            if (failed)
                capy_conn_end(s, idx, CAPY_EV_TIMED_OUT);
            else
                capy_conn_settle(s, idx);
        }
        idx = next;
    }
}

static void answer(struct capy_stack *s, const struct capy_arp *asked)
{
    uint8_t *frame = capy_control_reserve(s);
    if (!frame)
        return;
    struct capy_arp reply = {CAPY_ARP_REPLY, s->cfg.mac, asked->sender_mac, s->cfg.ip,
                             asked->sender_ip};
    capy_control_commit(s, capy_arp_build(frame, &asked->sender_mac, &reply));
}

void capy_arp_input(struct capy_stack *s, const struct capy_arp *arp)
{
    static const struct capy_ip zero = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}};
    s->count.arp_in++;
    if (capy_ip_eq(&arp->sender_ip, &s->cfg.ip) || (arp->sender_mac.b[0] & 1))
        return; /* somebody claims our address, or a group's MAC: believe neither */
    bool for_us = capy_ip_eq(&arp->target_ip, &s->cfg.ip);
    if (!capy_ip_eq(&arp->sender_ip, &zero)) { /* zero: a probe (RFC 5227), claims nothing */
        if (capy_neigh_heard(&s->neigh, &arp->sender_ip, &arp->sender_mac,
                             for_us && arp->op == CAPY_ARP_REQUEST, s->now))
            wake(s, &arp->sender_ip, false);
        arm(s);
    }
    if (for_us && arp->op == CAPY_ARP_REQUEST)
        answer(s, arp);
}

void capy_neigh_timer(struct capy_stack *s)
{
    struct capy_ip ip;
    bool failed;
    while (capy_neigh_expire(&s->neigh, s->now, &ip, &failed))
        if (failed)
            wake(s, &ip, true);
    arm(s);
}

size_t capy_neigh_output(struct capy_stack *s, uint8_t *frame)
{
    struct capy_ip ip;
    if (!capy_neigh_owed(&s->neigh, &ip))
        return 0;
    struct capy_arp ask = {CAPY_ARP_REQUEST, s->cfg.mac, {{0}}, s->cfg.ip, ip};
    return capy_arp_build(frame, &broadcast, &ask);
}
