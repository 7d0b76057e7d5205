/* The configuration of a rack's hosts and switch, before anybody makes it stranger. */
#include "sim/rack.h"
#include <string.h>

#define START_AT CAPY_SEC(10)
#define SWITCH_NO 253u /* of its addresses, where hosts have their own numbers */
#define V4_NET 0x0a000a00u

static const struct capy_key rack_key = {0x1122334455667788u, 0x99aabbccddeeff00u};

struct capy_ip sim_ip(unsigned host, bool ipv6)
{
    struct capy_ip six = {{0xfd, 0, [15] = (uint8_t)(1 + host)}};
    return ipv6 ? six : capy_ip_from_v4(V4_NET + 1u + host);
}

unsigned sim_host_of(const struct capy_ip *ip)
{
    unsigned host = (unsigned)ip->b[15] - 1u;
    if (host >= SIM_HOSTS_MAX && host != SIM_VIP)
        return SIM_HOSTS_MAX;
    const struct capy_ip its = sim_ip(host, !capy_ip_is_v4(ip));
    return capy_ip_eq(ip, &its) ? host : SIM_HOSTS_MAX;
}

static struct capy_mac mac_of(unsigned host)
{
    return (struct capy_mac){{2, 0xca, 10, 0, 10, (uint8_t)(1 + host)}};
}

/* A member of the rack, as the others know it. */
static struct capy_stack_peer member(const struct sim_rack *r, unsigned host)
{
    struct capy_stack_peer p = {.ip = sim_ip(host, r->version == SIM_IPV6_ALONE),
                                .mac = mac_of(host)};
    if (r->version == SIM_BOTH)
        p.ip6 = sim_ip(host, true);
    return p;
}

static struct capy_ip prefix64(void)
{
    return (struct capy_ip){{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
}

/* One draw per statement: the order of evaluation within one is the compiler's, and a seed must
 * mean the same run everywhere. */
static struct capy_key some_key(struct sim_rack *r)
{
    uint64_t k0 = capy_prng_next(&r->rng);
    return (struct capy_key){k0, capy_prng_next(&r->rng)};
}

static void fill_member(struct sim_rack *r, unsigned h)
{
    struct capy_stack_cfg *c = &r->cfg[h];
    c->mig_port_first = SIM_MIG_PORT_FIRST;
    c->mig_port_cnt = SIM_MIG_PORT_CNT;
    c->self = (uint16_t)h;
    c->peer_cnt = (uint16_t)r->server_cnt;
    for (unsigned i = 0; i < r->server_cnt; i++)
        c->peers[i] = member(r, i);
    c->tor = member(r, SWITCH_NO);
    c->rack_key = rack_key;
    c->incarnation = (uint32_t)capy_prng_next(&r->rng);
    c->heartbeat_ns = CAPY_MS(5);
    c->announce_ns = CAPY_SEC(1);
}

static void fill_host(struct sim_rack *r, unsigned h)
{
    struct capy_stack_cfg *c = &r->cfg[h];
    bool server = h < r->server_cnt;
    capy_stack_cfg_default(c);
    c->mac = mac_of(h);
    bool alone = r->version == SIM_IPV6_ALONE && server;
    c->ip = sim_ip(h, alone);
    c->netmask = alone ? prefix64() : capy_ip_from_v4(0xffffff00u);
    if (!alone && !(r->version == SIM_IPV4_ALONE && server))
        c->ip6 = sim_ip(h, true);
    c->prefix6_len = 64;
    c->conn_max = 256;
    c->block_cnt = 8192;
    c->migrate_max = 64;
    c->memory_max = 1024;
    c->tcp.time_wait_ns = CAPY_MS(200);
    c->hash_key = some_key(r);
    if (server)
        fill_member(r, h);
}

static void fill_switch(struct sim_rack *r)
{
    struct capy_switch_cfg *c = &r->switch_cfg;
    capy_switch_cfg_default(c);
    const struct capy_stack_peer tor = member(r, SWITCH_NO);
    c->mac = tor.mac;
    c->ip = tor.ip;
    c->ip6 = tor.ip6;
    c->tcpmig_port = r->cfg[0].tcpmig_port;
    c->mig_port_first = SIM_MIG_PORT_FIRST;
    c->mig_port_cnt = SIM_MIG_PORT_CNT;
    c->key = rack_key;
    c->hash_key = some_key(r);
    c->slots = 256;
    c->lease_ns = 3 * r->cfg[0].heartbeat_ns;
    c->learn_ns = CAPY_MS(50);
    c->linger_ns = CAPY_SEC(1);
    c->age_ns = 3 * r->cfg[0].announce_ns;
    c->boot_id = capy_prng_next(&r->rng) | 1;
    c->port_cnt = (uint16_t)r->host_cnt;
    c->server_cnt = (uint16_t)r->server_cnt;
    for (unsigned h = 0; h < r->server_cnt; h++) {
        c->role[h] = CAPY_PORT_SERVER;
        const struct capy_stack_peer server = member(r, h);
        c->server[h].ip = server.ip;
        c->server[h].ip6 = server.ip6;
        c->server[h].mac = server.mac;
        c->server[h].port = (uint16_t)h;
    }
    for (unsigned h = r->server_cnt; h < r->host_cnt; h++)
        c->role[h] = CAPY_PORT_CLIENT;
}

/* Memory is kept; all else begins anew. */
static void clear(struct sim_rack *r)
{
    struct sim_rack old = *r;
    *r = (struct sim_rack){.flight = old.flight,
                           .has_memory = old.has_memory,
                           .switch_mem = old.switch_mem,
                           .switch_size = old.switch_size};
    memcpy(r->host_mem, old.host_mem, sizeof r->host_mem);
    memcpy(r->host_size, old.host_size, sizeof r->host_size);
}

void sim_setup(struct sim_rack *r, uint64_t seed, unsigned servers, unsigned clients,
               enum sim_ip_version version)
{
    CAPY_ASSERT(servers >= 1 && servers <= SIM_SERVERS_MAX && clients >= 1 &&
                clients <= SIM_CLIENTS_MAX);
    clear(r);
    r->server_cnt = servers;
    r->host_cnt = servers + clients;
    r->version = version;
    capy_prng_seed(&r->rng, seed);
    r->now = START_AT;
    r->delay_ns = CAPY_US(5);
    r->digest = 1;
    for (unsigned h = 0; h < r->host_cnt; h++) {
        fill_host(r, h);
        r->down_until[h] = CAPY_NEVER;
    }
    for (unsigned h = 0; h <= SIM_HOSTS_MAX; h++)
        r->clock[h] = (struct sim_clock){r->now, r->now, 0};
    fill_switch(r);
}

void sim_add_vip(struct sim_rack *r, enum capy_vip_policy policy)
{
    const struct capy_stack_peer vip = member(r, SIM_VIP);
    r->switch_cfg.vip.ip = vip.ip;
    r->switch_cfg.vip.ip6 = vip.ip6;
    r->switch_cfg.vip.port[0] = SIM_SERVICE_PORT;
    r->switch_cfg.vip.port_cnt = 1;
    r->switch_cfg.vip.policy = (uint8_t)policy;
    for (unsigned h = 0; h < r->server_cnt; h++) {
        r->cfg[h].vip.ip = vip.ip;
        r->cfg[h].vip.ip6 = vip.ip6;
        r->cfg[h].vip.port[0] = SIM_SERVICE_PORT;
        r->cfg[h].vip.port_cnt = 1;
    }
}
