/* TCP through the switch (paper §3.2): client frames of a flow with an entry go to its owner, the
 * owner's segments go to the client as if home had sent them, everybody else's are fenced off; ICMP
 * errors about them go to the owner. Also plain forwarding by MAC address for all the rest. */
#include "switch/core/quote.h"
#include "switch/core/state.h"
#include <string.h>

void capy_switch_refresh(struct capy_switch *sw, struct capy_entry *e, uint64_t now)
{
    uint32_t epoch = e->epoch;
    capy_entry_refresh(e, &sw->servers[e->owner.id], &sw->servers[e->previous.id], now,
                       sw->cfg.lease_ns);
    if (e->epoch != epoch)
        capy_switch_count(sw, CAPY_COUNT_entries_given_back);
}

struct capy_entry *capy_switch_find(struct capy_switch *sw, const struct capy_flow_key *key,
                                    uint64_t now)
{
    struct capy_entry *e = capy_directory_find(&sw->dir, key);
    if (e)
        capy_switch_refresh(sw, e, now);
    return e;
}

/* ---- by MAC address ---- */

/* A frame sent to the switch's own MAC: it routes, for put-back frames, to servers only. */
static void route(struct capy_job *j)
{
    struct capy_switch *sw = j->sw;
    bool ip = j->view.kind == CAPY_VIEW_TCP || j->view.kind == CAPY_VIEW_UDP;
    uint16_t id = ip ? capy_switch_server_of(sw, &j->view.dst) : CAPY_SERVER_ANY;
    if (id == CAPY_SERVER_ANY) {
        capy_job_drop(j, CAPY_COUNT_drop_to_switch);
        return;
    }
    capy_rewrite_mac(j->frame, &sw->cfg.server[id].mac);
    capy_switch_count(sw, CAPY_COUNT_routed);
    capy_job_send(j, sw->cfg.server[id].port, j->frame, j->len);
}

/* The configured port of a server's MAC, or CAPY_L2_UNKNOWN. */
static uint16_t server_port_of(const struct capy_switch *sw, const struct capy_mac *mac)
{
    for (uint16_t i = 0; i < sw->cfg.server_cnt; i++)
        if (capy_mac_eq(&sw->cfg.server[i].mac, mac))
            return sw->cfg.server[i].port;
    return CAPY_L2_UNKNOWN;
}

void capy_switch_forward(struct capy_job *j)
{
    struct capy_switch *sw = j->sw;
    struct capy_mac dst;
    memcpy(dst.b, j->frame, sizeof dst.b);
    if (capy_mac_eq(&dst, &sw->cfg.mac)) {
        route(j);
        return;
    }
    uint16_t port = CAPY_L2_UNKNOWN;
    if (!capy_mac_is_group(&dst)) {
        port = server_port_of(sw, &dst);
        if (port == CAPY_L2_UNKNOWN)
            port = capy_l2_find(&sw->l2, &dst, j->now);
    }
    if (port == CAPY_L2_UNKNOWN) {
        capy_switch_count(sw, CAPY_COUNT_flooded);
        capy_job_send(j, CAPY_PORT_FLOOD, j->frame, j->len);
    } else if (port == j->port) {
        capy_job_drop(j, CAPY_COUNT_drop_same_port);
    } else {
        capy_switch_count(sw, CAPY_COUNT_forwarded);
        capy_job_send(j, port, j->frame, j->len);
    }
}

/* ---- client -> owner ---- */

/* True when the frame was dealt with. Hairpins are allowed: a put-back frame may have to return to
 * the port it came from (its TTL bounds that). */
static bool to_owner(struct capy_job *j)
{
    struct capy_switch *sw = j->sw;
    const struct capy_flow_key key = {j->view.src, j->view.dst, j->view.src_port, j->view.dst_port};
    struct capy_entry *e = capy_switch_find(sw, &key, j->now);
    if (!e)
        return false;
    if (capy_entry_note_client(e, j->view.tcp_flags, j->now)) {
        capy_directory_remove(&sw->dir, e);
        capy_switch_count(sw, CAPY_COUNT_entries_removed);
        capy_switch_forward(j);
        return true;
    }
    if (capy_entry_dead(e)) {
        capy_switch_count(sw, CAPY_COUNT_to_home_of_tombstone);
        capy_switch_forward(j);
        return true;
    }
    uint16_t id = e->owner.id;
    const struct capy_ip *ip = capy_switch_address(sw, id, capy_family_of(&key.client));
    if (!ip || !capy_rewrite_dst(j->frame, &j->view, &sw->cfg.server[id].mac, ip, e->owner.port)) {
        capy_job_drop(j, CAPY_COUNT_drop_family);
        return true;
    }
    capy_switch_count(sw, CAPY_COUNT_rewritten_to_owner);
    capy_job_send(j, sw->cfg.server[id].port, j->frame, j->len);
    return true;
}

/* ---- owner -> client ---- */

static bool is_holder(const struct capy_holder *h, uint16_t id, uint16_t port)
{
    return h->id == id && h->port == port;
}

/* The entry that a server's segment belongs to: one it may send for, else one that fences it. Both
 * can exist: a port that a flow left may serve another flow of the same client by now. */
static struct capy_entry *entry_of_segment(struct capy_job *j, uint16_t id)
{
    struct capy_switch *sw = j->sw;
    struct capy_entry *fenced = NULL;
    if (sw->dir.used == 0)
        return NULL;
    uint64_t h = capy_directory_hash(&sw->dir, &j->view.dst, j->view.dst_port, j->view.src_port);
    for (uint32_t level = 0; level < sw->dir.levels; level++) {
        struct capy_entry *e = capy_directory_at(&sw->dir, h, level);
        if (e->phase == CAPY_PHASE_NONE || e->key.client_port != j->view.dst_port ||
            !capy_ip_eq(&e->key.client, &j->view.dst))
            continue;
        capy_switch_refresh(sw, e, j->now);
        if (!capy_entry_dead(e) && capy_entry_may_send(e, id, j->view.src_port))
            return e;
        if (is_holder(&e->owner, id, j->view.src_port) ||
            is_holder(&e->previous, id, j->view.src_port) ||
            (capy_ip_eq(&e->key.home, &j->view.src) && e->key.home_port == j->view.src_port))
            fenced = e;
    }
    return fenced;
}

/* A port under which this server runs only what came to it: without an entry nobody may hear of it,
 * for the peer would reset what it does not know. */
static bool is_of_arrivals(const struct capy_switch *sw, uint16_t id, uint16_t port)
{
    const struct capy_switch_cfg *cfg = &sw->cfg;
    if (capy_mig_is_opened_port(cfg->mig_port_first, port))
        return port % cfg->server_cnt != id;
    return port >= cfg->mig_port_first && (uint32_t)port - cfg->mig_port_first < cfg->mig_port_cnt;
}

/* Where the frame's destination is, by now. Both ends of a connection between two servers can have
 * moved: then it is rewritten twice. */
static void to_its_place(struct capy_job *j)
{
    if (!to_owner(j))
        capy_switch_forward(j);
}

static void send_as_home(struct capy_job *j, struct capy_entry *e)
{
    struct capy_switch *sw = j->sw;
    uint16_t home = capy_switch_server_of(sw, &e->key.home);
    const struct capy_mac *mac = home == CAPY_SERVER_ANY ? NULL : &sw->cfg.server[home].mac;
    capy_entry_note_owner(e, j->view.tcp_flags, j->view.data_len > 0, j->now);
    if (!capy_rewrite_src(j->frame, &j->view, mac, &e->key.home, e->key.home_port)) {
        capy_job_drop(j, CAPY_COUNT_drop_family);
        return;
    }
    capy_switch_count(sw, CAPY_COUNT_rewritten_from_owner);
    j->view.src = e->key.home;
    j->view.src_port = e->key.home_port;
    to_its_place(j);
}

static void from_server(struct capy_job *j, uint16_t id)
{
    struct capy_entry *e = entry_of_segment(j, id);
    if (!e) {
        if (is_of_arrivals(j->sw, id, j->view.src_port))
            capy_job_drop(j, CAPY_COUNT_drop_unowned);
        else
            to_its_place(j);
        return;
    }
    bool from_home = capy_ip_eq(&e->key.home, &j->view.src) && e->key.home_port == j->view.src_port;
    if (capy_entry_dead(e) && from_home)
        to_its_place(j); /* home resets what died elsewhere */
    else if (!capy_entry_dead(e) && capy_entry_may_send(e, id, j->view.src_port))
        send_as_home(j, e);
    else
        capy_job_drop(j, CAPY_COUNT_drop_fenced);
}

/* ---- what routers say of the owner's segments ---- */

bool capy_switch_error(struct capy_job *j)
{
    struct capy_switch *sw = j->sw;
    struct capy_quote q;
    if (sw->dir.used == 0 || !capy_quote_parse(j->frame, j->frame + j->len, &j->view, &q) ||
        !capy_ip_eq(&q.src, &j->view.dst)) /* it comes to whom it says it was from */
        return false;
    const struct capy_flow_key key = {q.dst, q.src, q.dst_port, q.src_port};
    struct capy_entry *e = capy_switch_find(sw, &key, j->now);
    if (!e || capy_entry_dead(e))
        return false;
    const struct capy_holder *h = e->phase == CAPY_PHASE_PENDING ? &e->previous : &e->owner;
    const struct capy_ip *ip = capy_switch_address(sw, h->id, capy_family_of(&q.src));
    if (!ip)
        return false;
    capy_quote_rewrite(j->frame, &j->view, &q, &sw->cfg.server[h->id].mac, ip, h->port);
    capy_switch_count(sw, CAPY_COUNT_errors_to_owner);
    capy_job_send(j, sw->cfg.server[h->id].port, j->frame, j->len);
    return true;
}

void capy_switch_tcp(struct capy_job *j)
{
    struct capy_switch *sw = j->sw;
    uint16_t id = CAPY_SERVER_ANY;
    if (sw->cfg.role[j->port] == CAPY_PORT_SERVER)
        id = capy_switch_server_of(sw, &j->view.src);
    if (id != CAPY_SERVER_ANY && sw->cfg.server[id].port == j->port)
        from_server(j, id);
    /* From another's port: one server's segment to another, relayed or put back by a third. */
    else if (id == CAPY_SERVER_ANY || capy_switch_server_of(sw, &j->view.dst) != CAPY_SERVER_ANY)
        to_its_place(j);
    else
        capy_job_drop(j, CAPY_COUNT_drop_ip_spoofed);
}
