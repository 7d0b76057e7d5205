/* The stack that a rack file asks for; see config.h. */
#include "sock/config.h"
#include "wire/addr6.h"
#include <string.h>

#define SUSPECT_TIMEOUTS 2u /* more than everyday loss; a black hole then costs about a second */
#define FIRST_WINDOW 65536u /* what a SYN can say at most; it grows from there to rcv_buf */
#define MIB (1024u * 1024u)

static struct capy_ip ip_of(const uint8_t bytes[16])
{
    struct capy_ip ip;
    memcpy(ip.b, bytes, sizeof ip.b);
    return ip;
}

static struct capy_mac mac_of(const uint8_t bytes[6])
{
    struct capy_mac mac;
    memcpy(mac.b, bytes, sizeof mac.b);
    return mac;
}

/* A netmask in the form of its addresses: IPv4-mapped for IPv4. */
static struct capy_ip netmask(const struct capy_ip *like, unsigned prefix_len)
{
    if (capy_ip_is_v4(like))
        return capy_ip_from_v4(prefix_len ? UINT32_MAX << (32 - prefix_len) : 0);
    struct capy_ip mask = {{0}};
    for (unsigned bit = 0; bit < prefix_len; bit++)
        mask.b[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
    return mask;
}

void capy_host_cfg(const struct capy_rack *rack, int self, const struct capy_host_seed *seed,
                   struct capy_stack_cfg *cfg)
{
    bool alone = self < 0;
    const struct capy_rack_server *me = &rack->server[alone ? 0 : self];
    capy_stack_cfg_default(cfg);
    cfg->mac = mac_of(me->mac);
    cfg->ip = ip_of(me->ip);
    cfg->netmask = netmask(&cfg->ip, rack->prefix_len);
    cfg->gateway = ip_of(rack->gateway);
    cfg->ip6 = ip_of(me->ip6);
    cfg->prefix6_len = rack->prefix6_len;
    cfg->gateway6 = ip_of(rack->gateway6);
    cfg->mtu = rack->mtu;
    cfg->conn_max = rack->conn_max;
    cfg->block_cnt =
        (uint32_t)capy_min64((uint64_t)rack->buffer_mib * MIB / CAPY_BLOCK_LEN, UINT32_MAX / 2);
    cfg->listener_max = CAPY_LISTENER_MAX;
    cfg->syn_backlog_max = rack->syn_backlog;
    cfg->syn_rate = rack->syn_rate;
    cfg->sit_ns = CAPY_MS(rack->sit_ms);
    cfg->migrate_max = rack->migrate_max;
    cfg->memory_max = rack->memory_max;
    cfg->mig_port_first = rack->mig_port_first;
    cfg->mig_port_cnt = rack->mig_port_cnt;
    cfg->tcp.suspect_timeouts = SUSPECT_TIMEOUTS;
    cfg->tcp.rcv_buf_start = FIRST_WINDOW;
    cfg->tcp.snd_buf_max = rack->snd_buf;
    cfg->tcp.rcv_buf_max = rack->rcv_buf;
    /* A connection whose queues are full must still move. */
    cfg->mig.state_max =
        capy_max32(cfg->mig.state_max,
                   rack->snd_buf + rack->rcv_buf + CAPY_APP_STATE_MAX + CAPY_SNAP_HEAD_MAX);
    cfg->hash_key = seed->hash_key;
    cfg->incarnation = seed->incarnation;
    cfg->self = (uint16_t)(alone ? 0 : self);
    cfg->peer_cnt = (uint16_t)(alone ? 0 : rack->server_cnt);
    for (unsigned i = 0; i < rack->server_cnt; i++)
        cfg->peers[i] = (struct capy_stack_peer){.ip = ip_of(rack->server[i].ip),
                                                 .ip6 = ip_of(rack->server[i].ip6),
                                                 .mac = mac_of(rack->server[i].mac)};
    cfg->tor = (struct capy_stack_peer){.ip = ip_of(rack->switch_ip),
                                        .ip6 = ip_of(rack->switch_ip6),
                                        .mac = mac_of(rack->switch_mac)};
    cfg->vip.ip = ip_of(rack->vip);
    cfg->vip.ip6 = ip_of(rack->vip6);
    for (unsigned i = 0; i < rack->service_cnt && !capy_ip_is_unset(&cfg->vip.ip); i++)
        cfg->vip.port[cfg->vip.port_cnt++] = rack->service[i].port;
    cfg->tcpmig_port = rack->tcpmig_port;
    cfg->rack_key = (struct capy_key){rack->key[0], rack->key[1]};
    cfg->seal = rack->encrypt;
    cfg->heartbeat_ns = CAPY_US(rack->heartbeat_us);
    cfg->lease_ns = CAPY_US(rack->lease_us);
    cfg->announce_ns = CAPY_SEC(rack->announce_s);
}
