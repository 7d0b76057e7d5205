/* Which server has this address? Every frame asks, some of them four times, so the answer is one look into
 * a table: a hash without collisions, found by trying when the configuration is read, for it does not
 * change. Header only but for the building. Addresses of the configuration are compared whole. */
#ifndef CAPY_SWITCH_INDEX_H
#define CAPY_SWITCH_INDEX_H

#include "switch/core/l2.h"
#include "switch/core/plane.h"
#include "wire/addr6.h"

/* So many slots that the first few dozen multipliers tried serve for 64 servers of two addresses. */
#define CAPY_INDEX_MAC_BITS 10u
#define CAPY_INDEX_IP_BITS 11u
#define CAPY_INDEX_NONE 0xffu

struct capy_index {
    uint64_t mac_by, ip_by[2]; /* odd multipliers, whose products' high bits differ */
    uint8_t mac[1u << CAPY_INDEX_MAC_BITS], ip[1u << CAPY_INDEX_IP_BITS]; /* servers */
    /* Addresses as they are compared: capy_l2_word; capy_raw32 of IPv4's, 0: has none. */
    uint64_t own_mac, server_mac[CAPY_SWITCH_SERVER_MAX];
    uint32_t own_v4, vip_v4, server_v4[CAPY_SWITCH_SERVER_MAX];
};

static inline uint32_t capy_index_of_mac(const struct capy_index *x, uint64_t word)
{
    return (uint32_t)(word * x->mac_by >> (64 - CAPY_INDEX_MAC_BITS));
}

static inline uint32_t capy_index_of_ip(const struct capy_index *x, const struct capy_ip *ip)
{
    uint64_t high = capy_load64(ip->b), low = capy_load64(ip->b + 8);
    return (uint32_t)((high * x->ip_by[0] + low * x->ip_by[1]) >> (64 - CAPY_INDEX_IP_BITS));
}

/* The server with this address, of either version, or CAPY_SERVER_ANY. */
static inline uint16_t capy_index_server_of(const struct capy_index *x,
                                            const struct capy_switch_cfg *cfg,
                                            const struct capy_ip *ip)
{
    const uint16_t id = x->ip[capy_index_of_ip(x, ip)];
    if (id >= CAPY_SWITCH_SERVER_MAX ||
        capy_ip_is_unset(ip)) /* else it would be a server's that has no ip6 */
        return CAPY_SERVER_ANY;
    return capy_ip_eq(&cfg->server[id].ip, ip) || capy_ip_eq(&cfg->server[id].ip6, ip)
               ? id
               : CAPY_SERVER_ANY;
}

/* word: capy_l2_word of a MAC address. */
static inline uint16_t capy_index_server_of_mac(const struct capy_index *x,
                                                const struct capy_switch_cfg *cfg, uint64_t word)
{
    const uint16_t id = x->mac[capy_index_of_mac(x, word)];
    (void)cfg;
    return id < CAPY_SWITCH_SERVER_MAX && x->server_mac[id] == word ? id : CAPY_SERVER_ANY;
}

/* v4: raw. As capy_index_server_of. */
static inline uint16_t capy_index_server_of_v4(const struct capy_index *x, uint32_t v4)
{
    const uint64_t low = (uint64_t)0xffffu << 32 | capy_host32(v4);
    const uint16_t id = x->ip[low * x->ip_by[1] >> (64 - CAPY_INDEX_IP_BITS)];
    return id < CAPY_SWITCH_SERVER_MAX && x->server_v4[id] == v4 && v4 != 0 ? id : CAPY_SERVER_ANY;
}

/* Of two servers with one address the first has it. */
void capy_index_build(struct capy_index *x, const struct capy_switch_cfg *cfg);

#endif
