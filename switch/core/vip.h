/* The service address (VIP): one address for the whole rack, beside those of its servers. A client's SYN
 * to one of its ports makes an entry, SETTLED at epoch 1, of a server that the switch chooses; there the
 * connection is born as if it had migrated there, under a port of its own below the migration range
 * (capy_mig_vip_port), so that the server knows it for a connection of the VIP. From then on the
 * entry alone says whose it is: servers may come and go, only a migration moves it (docs/protocol.md,
 * "The service address").
 *
 * A SYN proves nothing, so its entry is HALF (entry.h): it gives way to any flow that needs its slot, until
 * the client answers the SYN-ACK. Who answers blindly is reset by the owner, and gives way again; what
 * the owner sends besides, and its ANNOUNCE, ends the doubt.
 *
 * Header only, for every plane; needs a plane's functions: state.h. */
#ifndef CAPY_SWITCH_VIP_H
#define CAPY_SWITCH_VIP_H

#include "switch/core/maglev.h"
#include "switch/core/state.h"

/* Of a table that names a server which cannot take a connection just now, so many others are tried
 * before the least-loaded one is taken. */
#define CAPY_VIP_TRIES 4u

/* ---- names ---- */

static inline bool capy_vip_is(const struct capy_switch_cfg *cfg, const struct capy_ip *ip)
{
    return cfg->vip.port_cnt > 0 && !capy_ip_is_unset(ip) &&
           (capy_ip_eq(ip, &cfg->vip.ip) || capy_ip_eq(ip, &cfg->vip.ip6));
}

/* Which of the VIP's services has this port; CAPY_VIP_PORT_CNT: none. */
static inline uint32_t capy_vip_service(const struct capy_switch_cfg *cfg, uint16_t port)
{
    for (uint32_t i = 0; i < CAPY_VIP_PORT_CNT && i < cfg->vip.port_cnt; i++)
        if (cfg->vip.port[i] == port)
            return i;
    return CAPY_VIP_PORT_CNT;
}

/* A server's port at which connections of the VIP are born. */
static inline bool capy_vip_is_birth_port(const struct capy_switch_cfg *cfg, uint16_t port)
{
    const uint16_t first = capy_mig_vip_port(cfg->mig_port_first, 0);
    return cfg->vip.port_cnt > 0 && port >= first && port - first < cfg->vip.port_cnt;
}

/* By what name the client knows what a server sends from there, in its version of IP. */
static inline void capy_vip_name(const struct capy_switch_cfg *cfg, const struct capy_view *v,
                                 struct capy_ip *home, uint16_t *port)
{
    const uint32_t i = v->src_port - capy_mig_vip_port(cfg->mig_port_first, 0);
    *home = capy_family_of(&cfg->vip.ip) == capy_family_of(&v->src) ? cfg->vip.ip : cfg->vip.ip6;
    *port = cfg->vip.port[i % CAPY_VIP_PORT_CNT];
}

/* ---- the choice ---- */

static inline bool capy_vip_takes(const struct capy_job *j, uint32_t id, uint16_t client_id)
{
    const struct capy_switch *sw = j->sw;
    if (id >= sw->cfg->server_cnt || id == client_id)
        return false;
    const struct capy_server *s = capy_switch_server_at(sw, (uint16_t)id);
    return !s->draining && s->free_cnt > 0 && (s->families & capy_family_of(&j->view->src)) &&
           capy_server_alive(s, j->now, sw->cfg->lease_ns);
}

/* By the table: the same server for the same client and port, as long as it is there. */
static inline uint16_t capy_vip_by_table(const struct capy_job *j, uint16_t client_id)
{
    const struct capy_switch *sw = j->sw;
    _Alignas(8) uint8_t bytes[20];
    __builtin_memcpy(bytes, j->view->src.b, 16);
    capy_store16(bytes + 16, j->view->src_port);
    capy_store16(bytes + 18, j->view->dst_port);
    uint64_t h = capy_siphash13(sw->cfg->key, bytes, sizeof bytes);
    for (uint32_t i = 0; i < CAPY_VIP_TRIES; i++) {
        uint32_t at = (uint32_t)h % CAPY_MAGLEV_SLOTS;
        CAPY_PIN(at);
        if (at >= CAPY_MAGLEV_SLOTS)
            break; /* never; the verifier does not follow a division */
        uint32_t id = sw->live->maglev.slot[at];
        if (capy_vip_takes(j, id, client_id))
            return (uint16_t)id;
        h >>= 16;
    }
    return CAPY_SERVER_ANY;
}

static inline uint16_t capy_vip_by_load(const struct capy_job *j, uint16_t client_id)
{
    const struct capy_switch_ask ask = {.target = CAPY_SERVER_ANY,
                                        .asker = client_id,
                                        .from = CAPY_SERVER_ANY,
                                        .families = capy_family_of(&j->view->src),
                                        .now = j->now};
    return capy_plane_choose(j->sw, &ask);
}

/* A server for a connection that this frame begins; CAPY_SERVER_ANY: none takes any. A client that is
 * itself a server gets another: no host talks to its own address through the switch. */
static inline uint16_t capy_vip_choose(const struct capy_job *j)
{
    const uint16_t client_id = capy_switch_server_of(j->sw, &j->view->src);
    uint16_t id = CAPY_SERVER_ANY;
    if (j->sw->cfg->vip.policy == CAPY_VIP_MAGLEV)
        id = capy_vip_by_table(j, client_id);
    return id != CAPY_SERVER_ANY ? id : capy_vip_by_load(j, client_id);
}

/* ---- the entry; under the lock ---- */

/* A slot for a flow that has no entry; a HALF one gives way. */
static inline struct capy_entry *capy_switch_room(struct capy_switch *sw, uint64_t hash)
{
    struct capy_entry *e = capy_directory_room(&sw->dir, hash);
    uint32_t found = CAPY_NONE;
    if (e)
        return e;
    for (uint32_t level = 0; level < sw->dir.levels && level < CAPY_DIRECTORY_LEVELS_MAX; level++) {
        const uint32_t slot = capy_directory_slot(&sw->dir, hash, level);
        if (capy_entry_gives_way(&sw->dir.entries[slot])) {
            found = slot;
            break;
        }
    }
    e = capy_directory_in(&sw->dir, found);
    if (e) {
        capy_directory_remove(&sw->dir, e);
        capy_switch_count(sw, CAPY_COUNT_vip_half_evicted);
    }
    return e;
}

/* Makes the entry of a new connection to server id; false: there is no room. Somebody else may have made
 * one since it was missed: then that one counts, and *owner is its. */
static inline bool capy_vip_install(struct capy_job *j, uint64_t hash,
                                    const struct capy_flow_key *key, struct capy_holder *owner)
{
    struct capy_switch *sw = j->sw;
    struct capy_entry *e = capy_switch_find(sw, hash, key, j->now);
    if (e) {
        *owner = e->owner;
        return !capy_entry_dead(e);
    }
    e = capy_switch_room(sw, hash);
    if (!e)
        return false;
    *e = (struct capy_entry){.key = *key, .touched_at = j->now};
    e->owner = *owner;
    e->previous = *owner;
    e->epoch = 1;
    e->phase = CAPY_PHASE_SETTLED;
    e->flags = CAPY_ENTRY_HALF;
    e->home = CAPY_SERVER_ANY;
    capy_directory_add(&sw->dir, e, hash);
    capy_switch_count(sw, CAPY_COUNT_vip_assigned);
    return true;
}

/* ---- a frame to the VIP that no live entry has ---- */

/* The holder that shall have it, in *owner. False: dropped. */
static inline bool capy_vip_assign(struct capy_job *j, uint64_t hash,
                                   const struct capy_flow_key *key, struct capy_holder *owner)
{
    struct capy_switch *sw = j->sw;
    const uint32_t service = capy_vip_service(sw->cfg, key->home_port);
    const uint8_t kind = j->view->tcp_flags & (CAPY_SEG_SYN | CAPY_SEG_ACK | CAPY_SEG_RST);
    if (service == CAPY_VIP_PORT_CNT) {
        capy_job_drop(j, CAPY_COUNT_drop_to_switch);
        return false;
    }
    /* Its owner may be about to announce it; and a RST is answered by nobody. */
    if (kind != CAPY_SEG_SYN && ((kind & CAPY_SEG_RST) || capy_switch_in_learning(sw, j->now))) {
        capy_job_drop(j, CAPY_COUNT_drop_vip_unknown);
        return false;
    }
    const uint16_t id = capy_vip_choose(j);
    if (id == CAPY_SERVER_ANY) {
        capy_job_drop(j, CAPY_COUNT_drop_vip_no_server);
        return false;
    }
    *owner = (struct capy_holder){id, capy_mig_vip_port(sw->cfg->mig_port_first, service),
                                  capy_switch_server_at(sw, id)->gen};
    if (kind != CAPY_SEG_SYN) { /* that server will reset it */
        capy_switch_count(sw, CAPY_COUNT_vip_to_reset);
        return true;
    }
    struct capy_lock *lock = capy_plane_lock_of(sw, hash);
    if (!lock)
        return false; /* never */
    capy_plane_lock(lock);
    bool ok = capy_vip_install(j, hash, key, owner);
    capy_plane_unlock(lock);
    if (!ok)
        capy_job_drop(j, CAPY_COUNT_drop_vip_full);
    return ok;
}

#endif
