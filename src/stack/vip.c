/* Connections of the rack's service address (docs/protocol.md, "The service address"). The switch gives a
 * client's SYN to us under a port of birth, one for each service: the connection's home is then the
 * service address, which is no server's, and its epoch 1, as if it had migrated here. So everything that
 * holds for an arrival holds for it: it is announced, moves on, and its end is told to the switch. */
#include "stack/host.h"
#include "wire/addr6.h"

static uint16_t first_port(const struct capy_stack *s)
{
    return capy_mig_vip_port(s->cfg.mig_port_first, 0);
}

bool capy_vip_is_sound(const struct capy_stack_cfg *c)
{
    return c->vip.port_cnt == 0 || (c->vip.port_cnt <= CAPY_VIP_PORT_CNT && c->peer_cnt > 0 &&
                                    c->mig_port_first > CAPY_OPENED_PORT_CNT + CAPY_VIP_PORT_CNT);
}

uint16_t capy_vip_service_of(const struct capy_stack *s, uint16_t local_port)
{
    bool birth = local_port >= first_port(s) && local_port - first_port(s) < s->cfg.vip.port_cnt;
    return s->cfg.vip.port_cnt > 0 && birth ? s->cfg.vip.port[local_port - first_port(s)] : 0;
}

/* While a HEARTBEAT of our former life may still be under way, the switch may take us for what we were, and
 * then for one that restarted: all that began here meanwhile would be dead to it (docs/protocol.md, Leases). */
bool capy_vip_may_begin(const struct capy_stack *s, uint16_t local_port)
{
    return capy_vip_service_of(s, local_port) == 0 ||
           (s->now >= s->tor.quiet_until && s->tor.lease_until != CAPY_NEVER);
}

bool capy_vip_is(const struct capy_stack *s, const struct capy_ip *ip)
{
    return s->cfg.vip.port_cnt > 0 && !capy_ip_is_unset(ip) &&
           (capy_ip_eq(ip, &s->cfg.vip.ip) || capy_ip_eq(ip, &s->cfg.vip.ip6));
}

const struct capy_ip *capy_vip_ip(const struct capy_stack *s, const struct capy_ip *like)
{
    bool first = capy_version_of(&s->cfg.vip.ip) == capy_version_of(like);
    return first ? &s->cfg.vip.ip : &s->cfg.vip.ip6;
}

struct capy_flow_key capy_vip_key_of(const struct capy_stack *s, const struct capy_packet *p)
{
    const uint16_t service = capy_vip_service_of(s, p->dst_port);
    return (struct capy_flow_key){p->src, service ? *capy_vip_ip(s, &p->src) : p->dst, p->src_port,
                                  service ? service : p->dst_port};
}
