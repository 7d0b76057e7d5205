/* Building the index of servers; contract in index.h. */
#include "switch/core/index.h"
#include "base/assert.h"
#include "base/prng.h"
#include <string.h>

/* With 64 servers of two addresses one multiplier in twenty serves. */
#define TRIES_MAX 100000u

static uint32_t v4_of(const struct capy_ip *ip)
{
    return capy_ip_is_v4(ip) ? capy_raw32(ip->b + 12) : 0;
}

static bool place(uint8_t *slot, uint16_t id)
{
    if (*slot != CAPY_INDEX_NONE)
        return false;
    *slot = (uint8_t)id;
    return true;
}

static bool try_macs(struct capy_index *x, const struct capy_switch_cfg *cfg, uint64_t by)
{
    x->mac_by = by | 1u;
    memset(x->mac, CAPY_INDEX_NONE, sizeof x->mac);
    for (uint16_t id = 0; id < cfg->server_cnt; id++) {
        uint64_t word = capy_l2_word(cfg->server[id].mac.b);
        if (capy_index_server_of_mac(x, cfg, word) == CAPY_SERVER_ANY &&
            !place(&x->mac[capy_index_of_mac(x, word)], id))
            return false;
    }
    return true;
}

static bool try_ip(struct capy_index *x, const struct capy_switch_cfg *cfg, uint16_t id,
                   const struct capy_ip *ip)
{
    return capy_ip_is_unset(ip) || capy_index_server_of(x, cfg, ip) != CAPY_SERVER_ANY ||
           place(&x->ip[capy_index_of_ip(x, ip)], id);
}

static bool try_ips(struct capy_index *x, const struct capy_switch_cfg *cfg, uint64_t by,
                    uint64_t and_by)
{
    x->ip_by[0] = by | 1u;
    x->ip_by[1] = and_by | 1u;
    memset(x->ip, CAPY_INDEX_NONE, sizeof x->ip);
    for (uint16_t id = 0; id < cfg->server_cnt; id++)
        if (!try_ip(x, cfg, id, &cfg->server[id].ip) || !try_ip(x, cfg, id, &cfg->server[id].ip6))
            return false;
    return true;
}

void capy_index_build(struct capy_index *x, const struct capy_switch_cfg *cfg)
{
    struct capy_prng prng;
    uint32_t tries = 0;
    x->own_mac = capy_l2_word(cfg->mac.b);
    x->own_v4 = v4_of(&cfg->ip);
    x->vip_v4 = cfg->vip.port_cnt > 0 ? v4_of(&cfg->vip.ip) : 0;
    for (uint16_t id = 0; id < cfg->server_cnt; id++) {
        x->server_mac[id] = capy_l2_word(cfg->server[id].mac.b);
        x->server_v4[id] = v4_of(&cfg->server[id].ip);
    }
    capy_prng_seed(&prng, 1);
    while (!try_macs(x, cfg, capy_prng_next(&prng)))
        CAPY_ASSERT(++tries < TRIES_MAX);
    while (!try_ips(x, cfg, capy_prng_next(&prng), capy_prng_next(&prng)))
        CAPY_ASSERT(++tries < TRIES_MAX);
}
