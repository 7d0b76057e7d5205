/* TCP through the switch (paper §3.2): client frames of a flow with an entry go to its owner, the
 * owner's segments go to the client as if home had sent them, everybody else's are fenced off; ICMP
 * errors about them go to the owner. Also plain forwarding by MAC address for all the rest.
 * Header only, for every plane; what an entry says is read and changed under its client's lock, the
 * frame is rewritten after it. Needs a plane's functions: state.h. */
#ifndef CAPY_SWITCH_FLOWS_H
#define CAPY_SWITCH_FLOWS_H

#include "switch/core/quote.h"
#include "switch/core/state.h"
#include "switch/core/vip.h"

/* by MAC address */

/* A frame sent to the switch's own MAC: it routes, for put-back frames, to servers only. */
static inline void capy_flow_route(struct capy_job *j)
{
    struct capy_switch *sw = j->sw;
    bool ip = j->view->kind == CAPY_VIEW_TCP || j->view->kind == CAPY_VIEW_UDP;
    uint16_t id = ip ? capy_switch_server_of(sw, &j->view->dst) : CAPY_SERVER_ANY;
    if (id == CAPY_SERVER_ANY || j->frame + CAPY_ETHER_LEN > j->end) {
        capy_job_drop(j, CAPY_COUNT_drop_to_switch);
        return;
    }
    capy_rewrite_mac(j->frame, &CAPY_SWITCH_PLACE(sw, id)->mac);
    capy_switch_count(sw, CAPY_COUNT_routed);
    capy_plane_send(j, CAPY_SWITCH_PLACE(sw, id)->port);
}

static inline void capy_flow_forward(struct capy_job *j)
{
    struct capy_switch *sw = j->sw;
    if (j->frame + CAPY_ETHER_LEN > j->end)
        return; /* never: it has a view */
    const uint64_t dst = capy_l2_word(j->frame);
    if (dst == capy_l2_word(sw->cfg->mac.b)) {
        capy_flow_route(j);
        return;
    }
    uint16_t port = CAPY_L2_UNKNOWN;
    if (!capy_l2_is_group(dst)) {
        uint16_t id = capy_switch_server_of_mac(sw, dst);
        port = id == CAPY_SERVER_ANY ? capy_l2_find(&sw->l2, dst, j->now)
                                     : CAPY_SWITCH_PLACE(sw, id)->port;
    }
    if (port == CAPY_L2_UNKNOWN) {
        capy_switch_count(sw, CAPY_COUNT_flooded);
        capy_plane_send(j, CAPY_PORT_FLOOD);
    } else if (port == j->port) {
        capy_job_drop(j, CAPY_COUNT_drop_same_port);
    } else {
        capy_switch_count(sw, CAPY_COUNT_forwarded);
        capy_plane_send(j, port);
    }
}

/* ---- what an entry says of a segment; under the lock ---- */

enum capy_steer_to {
    CAPY_STEER_MISS,  /* no entry */
    CAPY_STEER_PLAIN, /* there is, or was, one that leaves it alone: by MAC address */
    CAPY_STEER_OWNER, /* to a server, at a port of its own */
    CAPY_STEER_HOME,  /* from the owner, as home's */
    CAPY_STEER_FENCED,
};

struct capy_steer {
    enum capy_steer_to to;
    uint16_t id, port; /* OWNER: the server and its port. HOME: its port alone */
    struct capy_ip home;
};

/* A client's segment. */
static inline void capy_steer_client(struct capy_job *j, uint64_t hash,
                                     const struct capy_flow_key *key, struct capy_steer *s)
{
    struct capy_switch *sw = j->sw;
    struct capy_entry *e = capy_switch_find(sw, hash, key, j->now);
    s->to = e ? CAPY_STEER_PLAIN : CAPY_STEER_MISS;
    if (!e)
        return;
    if (capy_entry_note_client(e, j->view->tcp_flags, j->now)) {
        capy_directory_remove(&sw->dir, e);
        capy_switch_count(sw, CAPY_COUNT_entries_removed);
    } else if (capy_entry_dead(e)) {
        capy_switch_count(sw, CAPY_COUNT_to_home_of_tombstone);
    } else {
        s->to = CAPY_STEER_OWNER;
        s->id = e->owner.id;
        s->port = e->owner.port;
    }
}

static inline bool capy_steer_is_holder(const struct capy_holder *h, uint16_t id, uint16_t port)
{
    return h->id == id && h->port == port;
}

/* s->home, s->port: what the sender would be as a home, itself or the service address. */
static inline bool capy_steer_is_from_home(const struct capy_entry *e, const struct capy_steer *s)
{
    return e->key.home_port == s->port && capy_ip_eq(&e->key.home, &s->home);
}

static inline bool capy_steer_is_of(const struct capy_entry *e, const struct capy_view *v)
{
    return e->phase != CAPY_PHASE_NONE && e->key.client_port == v->dst_port &&
           capy_ip_eq(&e->key.client, &v->dst);
}

/* The entry that a server's segment belongs to: one it may send for, else one that fences it. Both
 * can exist: a port that a flow left may serve another flow of the same client by now. */
static inline struct capy_entry *capy_steer_entry_of(struct capy_job *j, uint64_t hash, uint16_t id,
                                                     const struct capy_steer *s)
{
    struct capy_switch *sw = j->sw;
    const struct capy_view *v = j->view;
    uint32_t level = 0, found = CAPY_NONE;
    for (; level < sw->dir.levels && level < CAPY_DIRECTORY_LEVELS_MAX; level++)
        if (capy_steer_is_of(capy_directory_at(&sw->dir, hash, level), v))
            capy_switch_refresh(sw, capy_directory_at(&sw->dir, hash, level), j->now);
    for (level = 0; level < sw->dir.levels && level < CAPY_DIRECTORY_LEVELS_MAX; level++) {
        const uint32_t slot = capy_directory_slot(&sw->dir, hash, level);
        const struct capy_entry *e = &sw->dir.entries[slot];
        if (!capy_steer_is_of(e, v))
            continue;
        if (!capy_entry_dead(e) && capy_entry_may_send(e, id, v->src_port)) {
            found = slot;
            break;
        }
        if (capy_steer_is_holder(&e->owner, id, v->src_port) ||
            capy_steer_is_holder(&e->previous, id, v->src_port) || capy_steer_is_from_home(e, s))
            found = slot;
    }
    return capy_directory_in(&sw->dir, found);
}

/* A server opens a connection. */
static inline bool capy_steer_opens(const struct capy_switch *sw, const struct capy_view *v)
{
    return capy_mig_is_opened_port(sw->cfg->mig_port_first, v->src_port) &&
           (v->tcp_flags & (CAPY_SEG_SYN | CAPY_SEG_ACK | CAPY_SEG_RST)) == CAPY_SEG_SYN;
}

/* A segment of server id, from its own port. */
static inline void capy_steer_server(struct capy_job *j, uint64_t hash, uint16_t id,
                                     struct capy_steer *s)
{
    struct capy_entry *e = capy_steer_entry_of(j, hash, id, s);
    s->to = e ? CAPY_STEER_FENCED : CAPY_STEER_MISS;
    if (!e)
        return;
    if (capy_entry_dead(e)) {
        if (capy_steer_is_from_home(e, s))
            s->to = CAPY_STEER_PLAIN; /* home resets what died elsewhere */
        if (s->to == CAPY_STEER_PLAIN && capy_steer_opens(j->sw, j->view)) { /* under its name */
            capy_directory_remove(&j->sw->dir, e);
            capy_switch_count(j->sw, CAPY_COUNT_entries_removed);
        }
    } else if (capy_entry_may_send(e, id, j->view->src_port)) {
        capy_entry_note_owner(e, j->view->tcp_flags, j->view->data_len > 0, j->now);
        s->to = CAPY_STEER_HOME;
        s->home = e->key.home;
        s->port = e->key.home_port;
    }
}

/* An error about the segments of a flow: to who sends them now. */
static inline void capy_steer_error(struct capy_job *j, uint64_t hash,
                                    const struct capy_flow_key *key, struct capy_steer *s)
{
    struct capy_entry *e = capy_switch_find(j->sw, hash, key, j->now);
    s->to = CAPY_STEER_MISS;
    if (!e || capy_entry_dead(e))
        return;
    const struct capy_holder *h = e->phase == CAPY_PHASE_PENDING ? &e->previous : &e->owner;
    s->to = CAPY_STEER_OWNER;
    s->id = h->id;
    s->port = h->port;
}

/* client -> owner */

/* e, the client's first entry, is the flow's and steady, and nobody wrote since the lock had this turn: so
 * there is no need for it. */
static inline bool capy_steer_client_steady(const struct capy_job *j, const struct capy_lock *lock,
                                            uint32_t turn, struct capy_entry *e,
                                            const struct capy_flow_key *key, struct capy_steer *s)
{
    const struct capy_switch *sw = j->sw;
    const struct capy_holder owner = e->owner;
    if (!capy_entry_is_steady(e, j->view->tcp_flags) || !(e->flags & CAPY_ENTRY_ACKED) ||
        !capy_flow_key_eq(&e->key, key) ||
        capy_server_dead(capy_switch_server_at(sw, owner.id), owner.gen, j->now,
                         sw->cfg->lease_ns) ||
        !capy_plane_looked(lock, turn))
        return false;
    e->touched_at = j->now; /* of whatever flow it may be by now */
    s->to = CAPY_STEER_OWNER;
    s->id = owner.id;
    s->port = owner.port;
    return true;
}

/* What the directory says of a client's segment. */
static inline void capy_flow_look_up(struct capy_job *j, uint64_t hash,
                                     const struct capy_flow_key *key, struct capy_steer *s)
{
    struct capy_lock *lock = capy_plane_lock_of(j->sw, hash);
    s->to = CAPY_STEER_MISS;
    if (!lock || capy_plane_is_empty(j->sw))
        return;
    uint32_t turn = capy_plane_look(lock);
    struct capy_entry *e = capy_directory_first(&j->sw->dir, hash, &key->client, key->client_port);
    if (!e || capy_steer_client_steady(j, lock, turn, e, key, s))
        return;
    capy_plane_lock(lock);
    capy_steer_client(j, hash, key, s);
    capy_plane_unlock(lock);
}

/* Hairpins are allowed: a put-back frame may have to return to the port it came from (its TTL bounds
 * that). */
static inline void capy_flow_to_server(struct capy_job *j, uint16_t id, uint16_t port)
{
    struct capy_switch *sw = j->sw;
    const struct capy_ip *ip = capy_switch_address(sw, id, capy_family_of(&j->view->src));
    if (!ip ||
        !capy_rewrite_dst(j->frame, j->end, j->view, &CAPY_SWITCH_PLACE(sw, id)->mac, ip, port)) {
        capy_job_drop(j, CAPY_COUNT_drop_family);
        return;
    }
    capy_switch_count(sw, CAPY_COUNT_rewritten_to_owner);
    capy_plane_send(j, CAPY_SWITCH_PLACE(sw, id)->port);
}

/* Where the frame's destination is, by now. Both ends of a connection between two servers can have
 * moved: then it is rewritten twice. */
static inline void capy_flow_to_its_place(struct capy_job *j)
{
    struct capy_switch *sw = j->sw;
    const struct capy_flow_key key = {j->view->src, j->view->dst, j->view->src_port,
                                      j->view->dst_port};
    const bool vip = capy_vip_is(sw->cfg, &key.home);
    struct capy_steer s = {.to = CAPY_STEER_MISS};
    if (!vip && (capy_plane_is_empty(sw) ||
                 capy_switch_server_of(sw, &key.home) == CAPY_SERVER_ANY)) { /* nobody's home */
        capy_flow_forward(j);
        return;
    }
    uint64_t hash = capy_directory_hash_of(&sw->dir, &key);
    capy_flow_look_up(j, hash, &key, &s);
    if (s.to != CAPY_STEER_OWNER && vip) {
        struct capy_holder owner;
        if (!capy_vip_assign(j, hash, &key, &owner))
            return;
        s.to = CAPY_STEER_OWNER;
        s.id = owner.id;
        s.port = owner.port;
    }
    if (s.to == CAPY_STEER_OWNER)
        capy_flow_to_server(j, s.id, s.port);
    else
        capy_flow_forward(j);
}

/* owner -> client */

/* A port under which this server runs only what came to it: without an entry nobody may hear of it,
 * for the peer would reset what it does not know. */
static inline bool capy_flow_is_of_arrivals(const struct capy_switch *sw, uint16_t id,
                                            uint16_t port)
{
    const struct capy_switch_cfg *cfg = sw->cfg;
    if (capy_mig_is_opened_port(cfg->mig_port_first, port))
        return port % cfg->server_cnt != id;
    if (capy_vip_is_birth_port(cfg, port))
        return true;
    return port >= cfg->mig_port_first && (uint32_t)port - cfg->mig_port_first < cfg->mig_port_cnt;
}

/* While the switch learns, no entry proves nothing: the name may be a connection's that lives elsewhere and was not
 * announced yet. So nothing is opened under it: of that connection a server that restarted knows nothing, the peer
 * would answer to it, and the opener would reset it. And nobody says that there is none, by a RST
 * without ACK, the answer to a segment with one (RFC 9293 §3.10.7.1): a server that does not own the flow may have sent it
 * a moment before the switch booted. Who refuses a SYN, or aborts what he runs, says ACK. The SYN, or
 * what was answered, comes again when the switch has learned. */
static inline bool capy_flow_is_early(const struct capy_job *j)
{
    const struct capy_switch *sw = j->sw;
    const uint8_t flags = j->view->tcp_flags;
    const bool denies = (flags & (CAPY_SEG_RST | CAPY_SEG_ACK)) == CAPY_SEG_RST;
    return (denies || capy_steer_opens(sw, j->view)) && capy_switch_in_learning(sw, j->now);
}

/* As capy_steer_client_steady, of a segment of server id: e's flow is one that it owns. */
static inline bool capy_steer_server_steady(const struct capy_job *j, const struct capy_lock *lock,
                                            uint32_t turn, struct capy_entry *e, uint16_t id,
                                            struct capy_steer *s)
{
    const struct capy_switch *sw = j->sw;
    const struct capy_holder owner = e->owner;
    const struct capy_ip home = e->key.home;
    const uint16_t port = e->key.home_port;
    if (!capy_entry_is_steady(e, j->view->tcp_flags) ||
        !capy_steer_is_holder(&owner, id, j->view->src_port) ||
        capy_server_dead(capy_switch_server_at(sw, id), owner.gen, j->now, sw->cfg->lease_ns) ||
        !capy_plane_looked(lock, turn))
        return false;
    e->touched_at = j->now;
    s->to = CAPY_STEER_HOME;
    s->home = home;
    s->port = port;
    return true;
}

/* What the directory says of a segment of server id. */
static inline void capy_flow_look_up_server(struct capy_job *j, uint16_t id, struct capy_steer *s)
{
    struct capy_switch *sw = j->sw;
    struct capy_view *v = j->view;
    const bool birth = capy_vip_is_birth_port(sw->cfg, v->src_port);
    s->to = CAPY_STEER_MISS;
    s->home = v->src;
    s->port = v->src_port;
    if (birth)
        capy_vip_name(sw->cfg, v, &s->home, &s->port);
    uint64_t hash = capy_directory_hash(&sw->dir, &v->dst, v->dst_port, v->src_port);
    struct capy_lock *lock = capy_plane_lock_of(sw, hash);
    if (lock && !capy_plane_is_empty(sw)) {
        uint32_t turn = capy_plane_look(lock);
        struct capy_entry *e = capy_directory_first(&sw->dir, hash, &v->dst, v->dst_port);
        if (e && !capy_steer_server_steady(j, lock, turn, e, id, s)) {
            capy_plane_lock(lock);
            capy_steer_server(j, hash, id, s);
            capy_plane_unlock(lock);
        }
    }
    /* A connection of the service address that is over is reset by whoever was asked about it. */
    if (birth && (s->to == CAPY_STEER_MISS || s->to == CAPY_STEER_PLAIN))
        s->to = (v->tcp_flags & CAPY_SEG_RST) && !capy_switch_in_learning(sw, j->now)
                    ? CAPY_STEER_HOME
                    : CAPY_STEER_MISS;
}

/* The MAC of who is home: a server's, or ours for the service address; as it is when it is nobody's. */
static inline void capy_flow_mac_of_home(struct capy_job *j, const struct capy_ip *home)
{
    const struct capy_switch *sw = j->sw;
    uint16_t id = capy_switch_server_of(sw, home);
    if (j->frame + CAPY_ETHER_LEN > j->end)
        return; /* never */
    if (capy_vip_is(sw->cfg, home))
        capy_rewrite_mac(j->frame + 6, &sw->cfg->mac);
    else if (id != CAPY_SERVER_ANY)
        capy_rewrite_mac(j->frame + 6, &CAPY_SWITCH_PLACE(sw, id)->mac);
}

/* False: it goes nowhere. Otherwise it is on its way to the client, from home if an entry says so. */
static inline bool capy_flow_from_server(struct capy_job *j, uint16_t id)
{
    struct capy_switch *sw = j->sw;
    struct capy_view *v = j->view;
    struct capy_steer s;
    capy_flow_look_up_server(j, id, &s);
    if (s.to == CAPY_STEER_FENCED ||
        (s.to == CAPY_STEER_MISS &&
         (capy_flow_is_of_arrivals(sw, id, v->src_port) || capy_flow_is_early(j)))) {
        capy_job_drop(j,
                      s.to == CAPY_STEER_FENCED ? CAPY_COUNT_drop_fenced : CAPY_COUNT_drop_unowned);
        return false;
    }
    if (s.to != CAPY_STEER_HOME)
        return true;
    if (!capy_rewrite_src(j->frame, j->end, v, NULL, &s.home, s.port)) {
        capy_job_drop(j, CAPY_COUNT_drop_family);
        return false;
    }
    capy_flow_mac_of_home(j, &s.home);
    capy_switch_count(sw, CAPY_COUNT_rewritten_from_owner);
    return true;
}

/* ---- what routers say of the owner's segments ---- */

/* True when it was about a migrated flow. */
static inline bool capy_flow_error(struct capy_job *j)
{
    struct capy_switch *sw = j->sw;
    struct capy_quote q;
    struct capy_steer s = {.to = CAPY_STEER_MISS};
    if (capy_plane_is_empty(sw) || !capy_quote_parse(j->frame, j->end, j->view, &q) ||
        !capy_ip_eq(&q.src, &j->view->dst)) /* it comes to whom it says it was from */
        return false;
    const struct capy_flow_key key = {q.dst, q.src, q.dst_port, q.src_port};
    uint64_t hash = capy_directory_hash_of(&sw->dir, &key);
    struct capy_lock *lock = capy_plane_lock_of(sw, hash);
    if (!lock || !capy_directory_first(&sw->dir, hash, &key.client, key.client_port))
        return false;
    capy_plane_lock(lock);
    capy_steer_error(j, hash, &key, &s);
    capy_plane_unlock(lock);
    if (s.to != CAPY_STEER_OWNER)
        return false;
    const struct capy_ip *ip = capy_switch_address(sw, s.id, capy_family_of(&q.src));
    if (!ip || !capy_quote_rewrite(j->frame, j->end, j->view, &q, &CAPY_SWITCH_PLACE(sw, s.id)->mac,
                                   ip, s.port))
        return false;
    capy_switch_count(sw, CAPY_COUNT_errors_to_owner);
    capy_plane_send(j, CAPY_SWITCH_PLACE(sw, s.id)->port);
    return true;
}

static inline void capy_flow_input(struct capy_job *j)
{
    struct capy_switch *sw = j->sw;
    uint16_t id = CAPY_SERVER_ANY;
    if (capy_vip_is(sw->cfg, &j->view->src)) { /* nobody but we speaks for it */
        capy_job_drop(j, CAPY_COUNT_drop_ip_spoofed);
        return;
    }
    if (sw->cfg->role[j->port % CAPY_SWITCH_PORT_MAX] == CAPY_PORT_SERVER)
        id = capy_switch_server_of(sw, &j->view->src);
    if (id != CAPY_SERVER_ANY) {
        if (CAPY_SWITCH_PLACE(sw, id)->port == j->port) {
            if (!capy_flow_from_server(j, id))
                return;
        } else if (capy_switch_server_of(sw, &j->view->dst) == CAPY_SERVER_ANY) {
            /* From another's port only one server's segment to another may come, relayed or put back
             * by a third. */
            capy_job_drop(j, CAPY_COUNT_drop_ip_spoofed);
            return;
        }
    }
    capy_flow_to_its_place(j);
}

#endif
