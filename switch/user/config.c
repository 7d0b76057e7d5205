/* The plane that a rack file asks for; see config.h. */
#include "switch/user/config.h"
#include "wire/addr6.h"
#include <string.h>

static void add_ports(const struct capy_rack *rack, struct capy_switch_cfg *cfg)
{
    cfg->server_cnt = (uint16_t)rack->server_cnt;
    for (uint16_t i = 0; i < rack->server_cnt; i++) {
        memcpy(cfg->server[i].ip.b, rack->server[i].ip, sizeof cfg->server[i].ip.b);
        memcpy(cfg->server[i].ip6.b, rack->server[i].ip6, sizeof cfg->server[i].ip6.b);
        memcpy(cfg->server[i].mac.b, rack->server[i].mac, sizeof cfg->server[i].mac.b);
        cfg->server[i].port = i;
    }
    cfg->port_cnt = 0;
    for (unsigned i = 0; i < rack->server_cnt + rack->client_port_cnt; i++) {
        if (cfg->port_cnt < CAPY_SWITCH_PORT_MAX)
            cfg->role[cfg->port_cnt] = i < rack->server_cnt ? CAPY_PORT_SERVER : CAPY_PORT_CLIENT;
        cfg->port_cnt++; /* too many are the program's to refuse */
    }
}

/* All services of the rack together have the service address. */
static void fill_vip(const struct capy_rack *rack, struct capy_switch_cfg *cfg)
{
    memcpy(cfg->vip.ip.b, rack->vip, sizeof cfg->vip.ip.b);
    memcpy(cfg->vip.ip6.b, rack->vip6, sizeof cfg->vip.ip6.b);
    cfg->vip.policy =
        strcmp(rack->vip_policy, "maglev") == 0 ? CAPY_VIP_MAGLEV : CAPY_VIP_LEAST_LOADED;
    for (unsigned i = 0; i < rack->service_cnt && !capy_ip_is_unset(&cfg->vip.ip); i++)
        cfg->vip.port[cfg->vip.port_cnt++] = rack->service[i].port;
}

void capy_plane_cfg(const struct capy_rack *rack, struct capy_key hash_key, uint64_t boot_id,
                    struct capy_switch_cfg *cfg)
{
    capy_switch_cfg_default(cfg);
    memcpy(cfg->mac.b, rack->switch_mac, sizeof cfg->mac.b);
    memcpy(cfg->ip.b, rack->switch_ip, sizeof cfg->ip.b);
    memcpy(cfg->ip6.b, rack->switch_ip6, sizeof cfg->ip6.b);
    fill_vip(rack, cfg);
    cfg->tcpmig_port = rack->tcpmig_port;
    cfg->mig_port_first = rack->mig_port_first;
    cfg->mig_port_cnt = rack->mig_port_cnt;
    cfg->key = (struct capy_key){rack->key[0], rack->key[1]};
    cfg->levels = rack->directory_levels;
    cfg->slots = rack->directory_slots;
    cfg->lease_ns = CAPY_US(rack->lease_us);
    cfg->learn_ns = CAPY_US(rack->learn_us);
    cfg->age_ns = CAPY_SEC(rack->age_s);
    cfg->linger_ns = CAPY_MS(rack->linger_ms);
    cfg->hash_key = hash_key;
    cfg->boot_id = boot_id;
    add_ports(rack, cfg);
}
