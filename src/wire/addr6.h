/* Kinds of IPv6 address (RFC 4291) and the Ethernet addresses that go with multicast ones
 * (RFC 2464 §7). Header only, for the switch core. */
#ifndef CAPY_WIRE_ADDR6_H
#define CAPY_WIRE_ADDR6_H

#include "wire/addr.h"

/* ::, which names nobody (RFC 4291 §2.5.2); as configuration: no address. */
static inline bool capy_ip_is_unset(const struct capy_ip *ip)
{
    return (capy_load64(ip->b) | capy_load64(ip->b + 8)) == 0;
}

static inline bool capy_ip_is_multicast6(const struct capy_ip *ip)
{
    return ip->b[0] == 0xff;
}

/* fe80::/10: valid on one link only, never routed (RFC 4291 §2.5.6). */
static inline bool capy_ip_is_link_local(const struct capy_ip *ip)
{
    return ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80;
}

/* The link-local address of an interface, from its MAC (RFC 4291 §2.5.6, appendix A). */
static inline struct capy_ip capy_ip_link_local(const struct capy_mac *mac)
{
    struct capy_ip ip = {{0xfe, 0x80, 0, 0, 0, 0, 0, 0, (uint8_t)(mac->b[0] ^ 2), mac->b[1],
                          mac->b[2], 0xff, 0xfe, mac->b[3], mac->b[4], mac->b[5]}};
    return ip;
}

/* ff02::1:ffXX:XXXX, where questions for an address go (RFC 4291 §2.7.1). */
static inline struct capy_ip capy_ip_solicited_node(const struct capy_ip *ip)
{
    struct capy_ip group = {
        {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ip->b[13], ip->b[14], ip->b[15]}};
    return group;
}

/* ff02::1: every node of the link. */
static inline struct capy_ip capy_ip_all_nodes(void)
{
    struct capy_ip group = {{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
    return group;
}

/* Where frames to a multicast address go (RFC 2464 §7). */
static inline struct capy_mac capy_mac_of_group(const struct capy_ip *group)
{
    struct capy_mac mac = {{0x33, 0x33, group->b[12], group->b[13], group->b[14], group->b[15]}};
    return mac;
}

#endif
