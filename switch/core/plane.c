/* The switch as a state machine: start, one frame's way in, ageing, and the view for tools
 * (contract in plane.h). The work is in flows.c (TCP), tcpmig.c (ownership) and local.c (what the
 * switch answers itself). */
#include "base/assert.h"
#include "switch/core/state.h"
#include "wire/addr6.h"
#include <string.h>

/* Reasons for the values: docs/protocol.md, "Timers". */
void capy_switch_cfg_default(struct capy_switch_cfg *cfg)
{
    *cfg = (struct capy_switch_cfg){
        .tcpmig_port = 10002,
        .mig_port_first = 61440,
        .mig_port_cnt = 4096,
        .levels = 2,
        .slots = 65536,
        .lease_ns = CAPY_MS(30),
        .learn_ns = CAPY_MS(500),
        .age_ns = CAPY_SEC(300),
        .linger_ns = CAPY_SEC(10),
        .boot_id = 1,
    };
}

/* ---- start ---- */

static bool addresses_ok(const struct capy_ip *ip, const struct capy_ip *ip6)
{
    return capy_ip_is_unset(ip6) || (capy_ip_is_v4(ip) && !capy_ip_is_v4(ip6));
}

static bool cfg_ok(const struct capy_switch_cfg *c)
{
    if (c->levels < 1 || c->levels > CAPY_DIRECTORY_LEVELS_MAX || c->slots < 1 ||
        (c->slots & (c->slots - 1u)) != 0 || c->slots > 1u << 26)
        return false;
    if (c->port_cnt < 1 || c->port_cnt > CAPY_SWITCH_PORT_MAX ||
        c->server_cnt > CAPY_SWITCH_SERVER_MAX || c->boot_id == 0 || c->lease_ns == 0)
        return false;
    if ((uint32_t)c->mig_port_first + c->mig_port_cnt > 65536u || c->mig_port_first == 0)
        return false;
    for (uint16_t i = 0; i < c->server_cnt; i++)
        if (c->server[i].port >= c->port_cnt || c->role[c->server[i].port] != CAPY_PORT_SERVER ||
            capy_family_of(&c->server[i].ip) != capy_family_of(&c->ip) ||
            !addresses_ok(&c->server[i].ip, &c->server[i].ip6))
            return false;
    return addresses_ok(&c->ip, &c->ip6);
}

/* Measures when a->base is NULL, lays out otherwise. */
static struct capy_switch *lay_out(struct capy_arena *a, const struct capy_switch_cfg *cfg)
{
    struct capy_switch *sw = capy_arena_take(a, 1, sizeof *sw);
    struct capy_directory dir;
    struct capy_l2 l2;
    capy_directory_init(&dir, a, cfg->levels, cfg->slots, cfg->mig_port_first, cfg->hash_key);
    capy_l2_init(&l2, a, cfg->hash_key);
    if (sw) {
        memset(sw, 0, sizeof *sw);
        sw->cfg = *cfg;
        sw->dir = dir;
        sw->l2 = l2;
    }
    return sw;
}

size_t capy_switch_size(const struct capy_switch_cfg *cfg)
{
    struct capy_arena a = {NULL, 0};
    if (!cfg_ok(cfg))
        return 0;
    (void)lay_out(&a, cfg);
    return a.used;
}

struct capy_switch *capy_switch_init(void *mem, const struct capy_switch_cfg *cfg, uint64_t now)
{
    struct capy_arena a = {mem, 0};
    CAPY_ASSERT(mem && cfg_ok(cfg));
    struct capy_switch *sw = lay_out(&a, cfg);
    sw->learn_until = now + cfg->learn_ns;
    for (uint16_t i = 0; i < cfg->server_cnt; i++) {
        sw->servers[i].silent_from = sw->learn_until;
        sw->servers[i].families = capy_family_of(&cfg->server[i].ip);
        if (!capy_ip_is_unset(&cfg->server[i].ip6))
            sw->servers[i].families |= CAPY_FAMILY_V6;
    }
    return sw;
}

/* ---- a frame ---- */

uint16_t capy_switch_server_of(const struct capy_switch *sw, const struct capy_ip *ip)
{
    if (capy_ip_is_unset(ip)) /* else it would be each server's that has no ip6 */
        return CAPY_SERVER_ANY;
    for (uint16_t i = 0; i < sw->cfg.server_cnt; i++)
        if (capy_ip_eq(&sw->cfg.server[i].ip, ip) || capy_ip_eq(&sw->cfg.server[i].ip6, ip))
            return i;
    return CAPY_SERVER_ANY;
}

const struct capy_ip *capy_switch_address(const struct capy_switch *sw, uint16_t id, uint8_t family)
{
    if (!(sw->servers[id].families & family))
        return NULL;
    return capy_family_of(&sw->cfg.server[id].ip) == family ? &sw->cfg.server[id].ip
                                                            : &sw->cfg.server[id].ip6;
}

bool capy_switch_is_own(const struct capy_switch *sw, const struct capy_ip *ip)
{
    return !capy_ip_is_unset(ip) && (capy_ip_eq(ip, &sw->cfg.ip) || capy_ip_eq(ip, &sw->cfg.ip6));
}

bool capy_switch_server_alive(const struct capy_switch *sw, uint16_t id, uint64_t now)
{
    return capy_server_alive(&sw->servers[id], now, sw->cfg.lease_ns);
}

/* Learns where the sender is. False: it claims to be a server, or us, and is elsewhere. */
static bool learn_station(struct capy_job *j)
{
    struct capy_switch *sw = j->sw;
    struct capy_mac src;
    memcpy(src.b, j->frame + 6, sizeof src.b);
    if (capy_mac_eq(&src, &sw->cfg.mac))
        return false;
    for (uint16_t i = 0; i < sw->cfg.server_cnt; i++)
        if (capy_mac_eq(&src, &sw->cfg.server[i].mac))
            return sw->cfg.server[i].port == j->port;
    capy_l2_learn(&sw->l2, &src, j->port, j->now);
    return true;
}

/* UDP on the TCPMig port is for the switch alone, from servers alone, whoever it is addressed to. */
static void input_udp(struct capy_job *j)
{
    struct capy_switch *sw = j->sw;
    bool to_us = capy_switch_is_own(sw, &j->view.dst);
    if (j->view.dst_port != sw->cfg.tcpmig_port) {
        if (to_us)
            capy_job_drop(j, CAPY_COUNT_drop_to_switch);
        else
            capy_switch_forward(j);
    } else if (!to_us && capy_switch_server_of(sw, &j->view.dst) == CAPY_SERVER_ANY) {
        capy_switch_forward(j); /* somebody else's traffic with the same port number */
    } else if (sw->cfg.role[j->port] != CAPY_PORT_SERVER) {
        capy_job_drop(j, CAPY_COUNT_drop_mig_client_port);
    } else if (!to_us) {
        capy_job_drop(j, CAPY_COUNT_drop_mig_bypass);
    } else {
        capy_switch_tcpmig(j);
    }
}

void capy_switch_input(struct capy_switch *sw, uint16_t port, uint8_t *frame, size_t len,
                       uint64_t now, struct capy_switch_out *out)
{
    struct capy_job j = {
        .sw = sw, .now = now, .port = port, .frame = frame, .len = len, .out = out};
    out->cnt = 0;
    capy_switch_count(sw, CAPY_COUNT_frames_in);
    if (port >= sw->cfg.port_cnt || len > CAPY_FRAME_MAX) {
        capy_job_drop(&j, CAPY_COUNT_drop_bad_port);
        return;
    }
    capy_view_parse(frame, frame + len, &j.view);
    if (j.view.kind == CAPY_VIEW_RUNT || j.view.kind == CAPY_VIEW_MIXED) {
        capy_job_drop(&j, j.view.kind == CAPY_VIEW_RUNT ? CAPY_COUNT_drop_runt
                                                        : CAPY_COUNT_drop_mixed_ip);
        return;
    }
    if (!learn_station(&j)) {
        capy_job_drop(&j, CAPY_COUNT_drop_mac_spoofed);
        return;
    }
    switch (j.view.kind) {
    case CAPY_VIEW_TCP:
        capy_switch_tcp(&j);
        break;
    case CAPY_VIEW_UDP:
        input_udp(&j);
        break;
    case CAPY_VIEW_ARP:
        capy_switch_arp(&j);
        break;
    case CAPY_VIEW_ICMP:
    case CAPY_VIEW_ICMP6:
        capy_switch_icmp(&j);
        break;
    case CAPY_VIEW_OTHER:
    case CAPY_VIEW_RUNT:
    case CAPY_VIEW_MIXED:
        capy_switch_forward(&j);
        break;
    }
}

/* ---- ageing ---- */

/* A call looks at 1/64 of the directory, at least 64 slots: a whole sweep takes 640 ms, well below
 * the shortest linger that makes sense, and one call a few microseconds. */
#define SWEEP_PARTS 64u
#define SWEEP_SLOTS_MIN 64u
#define SWEEP_EVERY_NS CAPY_MS(10)

uint64_t capy_switch_expire(struct capy_switch *sw, uint64_t now)
{
    uint32_t cnt = sw->dir.levels * sw->dir.slots;
    uint32_t part = capy_min32(cnt, capy_max32(cnt / SWEEP_PARTS, SWEEP_SLOTS_MIN));
    for (uint32_t i = 0; i < part && sw->dir.used > 0; i++) {
        struct capy_entry *e = &sw->dir.entries[sw->sweep_next];
        sw->sweep_next = (sw->sweep_next + 1u) % cnt;
        if (e->phase == CAPY_PHASE_NONE)
            continue;
        capy_switch_refresh(sw, e, now);
        if (capy_entry_over(e, now, sw->cfg.linger_ns, sw->cfg.age_ns)) {
            capy_directory_remove(&sw->dir, e);
            capy_switch_count(sw, CAPY_COUNT_entries_aged);
        }
    }
    return now + SWEEP_EVERY_NS;
}

/* ---- for people and tools ---- */

bool capy_switch_next_entry(const struct capy_switch *sw, uint32_t *cursor,
                            struct capy_switch_entry_info *out)
{
    uint32_t cnt = sw->dir.levels * sw->dir.slots;
    while (*cursor < cnt) {
        const struct capy_entry *e = &sw->dir.entries[(*cursor)++];
        if (e->phase == CAPY_PHASE_NONE)
            continue;
        *out = (struct capy_switch_entry_info){
            .key = e->key,
            .phase = (enum capy_phase)e->phase,
            .owner = e->owner.id,
            .previous = e->previous.id,
            .owner_port = e->owner.port,
            .previous_port = e->previous.port,
            .epoch = e->epoch,
            .served = e->flags & CAPY_ENTRY_SERVED,
            .owner_dead = capy_entry_dead(e),
            .touched_at = e->touched_at,
        };
        return true;
    }
    return false;
}

void capy_switch_server(const struct capy_switch *sw, uint16_t id, uint64_t now,
                        struct capy_switch_server_info *out)
{
    CAPY_ASSERT(id < sw->cfg.server_cnt);
    const struct capy_server *s = &sw->servers[id];
    *out = (struct capy_switch_server_info){
        .alive = capy_switch_server_alive(sw, id, now),
        .draining = s->draining,
        .load = s->load,
        .free_cnt = s->free_cnt,
        .conn_cnt = s->conn_cnt,
        .heard_at = s->heard_at,
        .incarnation = s->incarnation,
    };
}

const char *capy_switch_counter(const struct capy_switch *sw, unsigned i, uint64_t *value)
{
    static const char *const names[CAPY_COUNT_END] = {
#define X(name) #name,
        CAPY_SWITCH_COUNTERS(X)
#undef X
    };
    if (i >= CAPY_COUNT_END)
        return NULL;
    *value = sw->count[i];
    return names[i];
}

uint32_t capy_switch_entry_cnt(const struct capy_switch *sw)
{
    return sw->dir.used;
}

bool capy_switch_learning(const struct capy_switch *sw, uint64_t now)
{
    return now < sw->learn_until;
}
