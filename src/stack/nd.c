/* Neighbour discovery for the host (RFC 4861 §7.2): answers for our IPv6 addresses, asks for others,
 * and tells the neighbour cache what it hears.
 *
 * DEVIATION(RFC 4862 §5.4): no duplicate address detection before an address is used. Addresses come
 * from the rack file, which is checked for clashes, and a second's silence at every start would
 * outlast the lease of a server that restarts. Others' detection is answered, and a claim to our
 * address counted.
 * DEVIATION(RFC 4862 §5.4.2, RFC 3810): no multicast listener reports: AF_XDP and TAP take every
 * frame, and the rack's switch floods multicast.
 * DEVIATION(RFC 4861 §6.3, §8.3): router advertisements and redirects are not heard: prefix and
 * gateway are configured, and nobody on the link may change them. */
#include "wire/nd.h"
#include "stack/host.h"
#include "wire/addr6.h"

bool capy_is_own6(const struct capy_stack *s, const struct capy_ip *ip)
{
    return s->net[CAPY_V6].on &&
           (capy_ip_eq(ip, &s->net[CAPY_V6].ip) || capy_ip_eq(ip, &s->link_local));
}

bool capy_is_own_group(const struct capy_stack *s, const struct capy_ip *ip)
{
    struct capy_ip all = capy_ip_all_nodes();
    struct capy_ip ours = capy_ip_solicited_node(&s->net[CAPY_V6].ip);
    struct capy_ip local = capy_ip_solicited_node(&s->link_local);
    return s->net[CAPY_V6].on &&
           (capy_ip_eq(ip, &ours) || capy_ip_eq(ip, &local) || capy_ip_eq(ip, &all));
}

/* RFC 4861 §7.2.4. The answer goes to the MAC that was told, else to the one it came from, which is
 * what asking for it would find. Who has no address yet is answered before all (it asks whether ours
 * is taken). */
static void answer(struct capy_stack *s, const struct capy_packet *p, const struct capy_nd *asked)
{
    uint8_t *frame = capy_control_reserve(s);
    if (!frame)
        return;
    bool probe = capy_ip_is_unset(&p->src);
    struct capy_ip to_ip = probe ? capy_ip_all_nodes() : p->src;
    struct capy_frame_to to = {.src_mac = s->cfg.mac, .src = asked->target, .dst = to_ip};
    to.dst_mac = probe ? capy_mac_of_group(&to_ip) : asked->has_mac ? asked->mac : p->src_mac;
    struct capy_nd nd = {.type = CAPY_ND_ADVERT,
                         .solicited = !probe,
                         .override = true,
                         .has_mac = true,
                         .target = asked->target,
                         .mac = s->cfg.mac};
    capy_control_commit(s, capy_nd_build(frame, &to, &nd));
}

static void solicited(struct capy_stack *s, const struct capy_packet *p, const struct capy_nd *nd)
{
    if (!capy_is_own6(s, &nd->target))
        return;
    if (nd->has_mac && capy_neigh_asker(&s->neigh, &p->src, &nd->mac, s->now))
        capy_neigh_wake(s, &p->src, false);
    s->count.address_claims += capy_ip_is_unset(&p->src);
    answer(s, p, nd);
}

static void advertised(struct capy_stack *s, const struct capy_nd *nd)
{
    if (capy_is_own6(s, &nd->target)) {
        s->count.address_claims++;
        return;
    }
    if (capy_neigh_answer(&s->neigh, &nd->target, nd->has_mac ? &nd->mac : NULL, nd->solicited,
                          nd->override, s->now))
        capy_neigh_wake(s, &nd->target, false);
}

void capy_nd_input(struct capy_stack *s, const struct capy_packet *p)
{
    struct capy_nd nd;
    if (!capy_nd_parse(p, &nd)) {
        s->count.nd_bad++;
        return;
    }
    if (nd.type == CAPY_ND_SOLICIT)
        solicited(s, p, &nd);
    else
        advertised(s, &nd);
    capy_neigh_arm(s);
}

/* From our address of the same scope (RFC 4861 §7.2.2). */
size_t capy_nd_ask(struct capy_stack *s, const struct capy_neighbour *e, uint8_t *frame)
{
    struct capy_frame_to to = {
        .src_mac = s->cfg.mac,
        .src = capy_ip_is_link_local(&e->ip) ? s->link_local : s->net[CAPY_V6].ip,
        .dst = e->ip,
        .dst_mac = e->mac,
    };
    if (e->state != CAPY_NEIGH_PROBE) {
        to.dst = capy_ip_solicited_node(&e->ip);
        to.dst_mac = capy_mac_of_group(&to.dst);
    }
    struct capy_nd nd = {
        .type = CAPY_ND_SOLICIT, .has_mac = true, .target = e->ip, .mac = s->cfg.mac};
    return capy_nd_build(frame, &to, &nd);
}
