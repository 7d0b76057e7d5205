/* The switch as a state machine: start, one frame's way in, ageing, and the view for tools
 * (contract in plane.h). The work is in flows.c (TCP), tcpmig.c (ownership) and local.c (what the
 * switch answers itself). */
#include "base/assert.h"
#include "switch/core/one.h"

#include "switch/core/input.h"
#include "switch/core/quick.h"
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

static bool vip_ok(const struct capy_switch_cfg *c)
{
    return c->vip.port_cnt == 0 ||
           (c->vip.port_cnt <= CAPY_VIP_PORT_CNT && addresses_ok(&c->vip.ip, &c->vip.ip6) &&
            !capy_ip_is_unset(&c->vip.ip) &&
            c->mig_port_first > CAPY_OPENED_PORT_CNT + CAPY_VIP_PORT_CNT);
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
    return addresses_ok(&c->ip, &c->ip6) && vip_ok(c);
}

/* All memory of a switch. */
struct memory {
    struct capy_switch sw;
    struct capy_switch_cfg cfg;
    struct capy_index index;
    struct capy_switch_live live;
    uint64_t count[CAPY_COUNT_END];
};

/* Measures when a->base is NULL, lays out otherwise. */
static struct capy_switch *lay_out(struct capy_arena *a, const struct capy_switch_cfg *cfg)
{
    struct memory *m = capy_arena_take(a, 1, sizeof *m);
    struct capy_directory dir;
    struct capy_l2 l2;
    capy_directory_init(&dir, a, cfg->levels, cfg->slots, cfg->mig_port_first, cfg->hash_key);
    capy_l2_init(&l2, a, cfg->hash_key);
    if (!m)
        return NULL;
    memset(m, 0, sizeof *m);
    m->cfg = *cfg;
    capy_index_build(&m->index, cfg);
    m->sw = (struct capy_switch){.cfg = &m->cfg,
                                 .index = &m->index,
                                 .live = &m->live,
                                 .count = m->count,
                                 .dir = dir,
                                 .l2 = l2};
    return &m->sw;
}

size_t capy_switch_size(const struct capy_switch_cfg *cfg)
{
    struct capy_arena a = {NULL, 0};
    if (!cfg_ok(cfg))
        return 0;
    (void)lay_out(&a, cfg);
    return a.used;
}

void capy_switch_live_init(struct capy_switch_live *live, const struct capy_switch_cfg *cfg,
                           uint64_t now)
{
    *live = (struct capy_switch_live){
        .learn_until = now + cfg->learn_ns, .boot_id = cfg->boot_id, .hash_key = cfg->hash_key};
    for (uint16_t i = 0; i < cfg->server_cnt; i++) {
        live->server[i].silent_from = live->learn_until;
        live->server[i].families = capy_family_of(&cfg->server[i].ip);
        if (!capy_ip_is_unset(&cfg->server[i].ip6))
            live->server[i].families |= CAPY_FAMILY_V6;
    }
}

/* A server's number for Maglev's table: of its address, so that it is the same in every rack file. */
static uint64_t name_of(const struct capy_ip *ip)
{
    static const struct capy_key key = {0x6d61676c6576, 0};
    return capy_siphash13(key, ip->b, sizeof ip->b);
}

void capy_switch_refill(struct capy_switch_live *live, const struct capy_switch_cfg *cfg,
                        uint64_t now)
{
    uint64_t members = 0, name[CAPY_SWITCH_SERVER_MAX] = {0};
    if (cfg->vip.port_cnt == 0)
        return;
    for (uint16_t i = 0; i < cfg->server_cnt; i++) {
        const struct capy_server *s = &live->server[i];
        if (!s->draining && capy_server_alive(s, now, cfg->lease_ns))
            members |= 1ull << i;
        name[i] = name_of(&cfg->server[i].ip);
    }
    if (members != live->maglev.members)
        capy_maglev_build(&live->maglev, members, name);
}

struct capy_switch *capy_switch_init(void *mem, const struct capy_switch_cfg *cfg, uint64_t now)
{
    struct capy_arena a = {mem, 0};
    CAPY_ASSERT(mem && cfg_ok(cfg));
    struct capy_switch *sw = lay_out(&a, cfg);
    capy_switch_live_init(sw->live, cfg, now);
    return sw;
}

/* ---- a frame ---- */

void capy_plane_send_both(struct capy_job *j, uint16_t peer, uint16_t sender)
{
    const struct capy_switch_cfg *cfg = j->sw->cfg;
    struct capy_view v = *j->view;
    size_t len = (size_t)(j->end - j->frame);
    uint8_t *extra = j->out->extra;
    memcpy(extra, j->frame, len);
    capy_mig_address(cfg, j->frame, j->end, &v, peer, &cfg->server[sender].ip);
    capy_plane_put(j, cfg->server[peer].port, j->frame, len);
    v = *j->view;
    capy_mig_address(cfg, extra, extra + len, &v, sender, &cfg->ip);
    capy_plane_put(j, cfg->server[sender].port, extra, len);
}

uint64_t capy_plane_payload_hash(const struct capy_mig_job *m)
{
    const struct capy_job *j = m->j;
    const uint8_t *payload = j->frame + j->view->data_at + CAPY_MIG_HEADER_LEN;
    return capy_mig_payload_hash(j->sw->cfg->key, payload, m->msg->length);
}

void capy_plane_answer_heartbeat(struct capy_mig_job *m, const struct capy_mig_heartbeat_ack *ack)
{
    struct capy_job *j = m->j;
    const struct capy_switch_cfg *cfg = j->sw->cfg;
    const struct capy_mig_msg msg = capy_mig_heartbeat_answer(m);
    const struct capy_frame_to to = {
        .dst_mac = cfg->server[m->sender].mac,
        .src_mac = cfg->mac,
        .src = cfg->ip,
        .dst = cfg->server[m->sender].ip,
        .src_port = cfg->tcpmig_port,
        .dst_port = cfg->tcpmig_port,
    };
    uint8_t *p = j->frame + (capy_ip_is_v4(&to.dst) ? CAPY_UDP_AT : CAPY_UDP_AT6);
    capy_mig_heartbeat_ack_store(p + CAPY_MIG_HEADER_LEN, ack);
    capy_plane_cut(j, capy_frame_build_udp(j->frame, &to, capy_mig_build(p, cfg->key, &msg)));
    capy_plane_send(j, j->port);
}

void capy_switch_input(struct capy_switch *sw, uint16_t port, uint8_t *frame, size_t len,
                       uint64_t now, struct capy_switch_out *out)
{
    struct capy_view view;
    struct capy_mig_msg msg;
    struct capy_mig_job m;
    struct capy_job j = {.sw = sw,
                         .now = now,
                         .port = port,
                         .frame = frame,
                         .end = frame + len,
                         .view = &view,
                         .out = out};
    out->cnt = 0;
    if ((!sw->long_way && capy_quick_input(&j)) || !capy_input_begin(&j, len))
        return;
    switch (j.view->kind) {
    case CAPY_VIEW_TCP:
        capy_flow_input(&j);
        break;
    case CAPY_VIEW_UDP:
        if (capy_input_udp(&j) && capy_mig_begin(&m, &j, &msg))
            capy_mig_end(&m, capy_mig_decide(&m, capy_mig_hash(&m)));
        break;
    case CAPY_VIEW_ARP:
        capy_own_arp(&j);
        break;
    case CAPY_VIEW_ICMP:
    case CAPY_VIEW_ICMP6:
        capy_switch_icmp(&j);
        break;
    case CAPY_VIEW_OTHER:
    case CAPY_VIEW_RUNT:
    case CAPY_VIEW_MIXED:
        capy_flow_forward(&j);
        break;
    }
}

/* ---- ageing ---- */

uint64_t capy_switch_expire(struct capy_switch *sw, uint64_t now)
{
    uint32_t cnt = sw->dir.levels * sw->dir.slots;
    for (uint32_t i = 0; i < capy_directory_sweep_part(cnt) && sw->dir.used > 0; i++) {
        struct capy_entry *e = &sw->dir.entries[sw->sweep_next];
        sw->sweep_next = (sw->sweep_next + 1u) % cnt;
        if (e->phase == CAPY_PHASE_NONE)
            continue;
        capy_input_age(sw, e, now);
    }
    capy_switch_refill(sw->live, sw->cfg, now);
    return now + CAPY_DIRECTORY_SWEEP_EVERY_NS;
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
    CAPY_ASSERT(id < sw->cfg->server_cnt);
    const struct capy_server *s = &sw->live->server[id];
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
    return now < sw->live->learn_until;
}
