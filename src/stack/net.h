/* Our place in each version of IP: address, link and gateway. A host has one address of a version,
 * or none; and, with an IPv6 one, a link-local address made from its MAC (RFC 4291 §2.8), which
 * takes part in neighbour discovery and answers echo, and has no TCP. Plain values. */
#ifndef CAPY_STACK_NET_H
#define CAPY_STACK_NET_H

#include "stack/stack.h"

enum capy_version { CAPY_V4, CAPY_V6, CAPY_VERSION_CNT };

struct capy_net {
    bool on; /* we have an address of this version; else all of the rest is zero */
    struct capy_ip ip, mask;
    struct capy_ip broadcast; /* all of the link; all zero: there is none (IPv6, RFC 3021) */
    struct capy_ip gateway;   /* all zero: none */
};

static inline enum capy_version capy_version_of(const struct capy_ip *ip)
{
    return capy_ip_is_v4(ip) ? CAPY_V4 : CAPY_V6;
}

/* Whether a host on a link of this prefix length can have this address. */
bool capy_net_is_host(const struct capy_ip *ip, unsigned prefix_len);
/* False when the addresses of cfg do not go together. */
bool capy_net_is_sound(const struct capy_stack_cfg *cfg);
void capy_net_init(struct capy_net net[CAPY_VERSION_CNT], const struct capy_stack_cfg *cfg);
/* The address to send to for ip: itself on our link, else the gateway (RFC 1122 §3.3.1.1, RFC 4861
 * §5.2); itself, too, when there is no gateway. */
struct capy_ip capy_net_hop(const struct capy_net *net, const struct capy_ip *ip);
/* Whether hop is there by rule, rather than for want of a gateway. */
bool capy_net_reaches(const struct capy_net *net, const struct capy_ip *ip);
/* No node's own address: unspecified, loopback, multicast, broadcast (RFC 1122 §3.2.1.3, RFC 4291
 * §2.7). */
static inline bool capy_net_is_nobody(const struct capy_ip *ip)
{
    if (capy_ip_is_v4(ip))
        return ip->b[12] == 0 || ip->b[12] == 127 || ip->b[12] >= 224;
    bool low = capy_load64(ip->b) == 0 && capy_load64(ip->b + 8) <= 1; /* :: and ::1 */
    return low || ip->b[0] == 0xff;
}

#endif
