/* What is seen on the wire, and what follows from it. The watcher reads frames by its own parser, and
 * keeps its own account of who speaks for each connection:
 *
 *   one at a time   when a server speaks after another one did, a message that may have made it the
 *                   owner (CONN_STATE, or an answer of the switch) has reached it since;
 *   fencing         what reaches the client is never from an earlier owner than what reached it before;
 *   home            the client only ever hears the address that it opened the connection to, and over
 *                   IPv6 one flow label (RFC 6437 §3).
 *
 * Frames that a fault has changed are nobody's word and are left out. */
#include "sim/world.h"
#include "switch/core/counters.h"

#define COOKIE_NS CAPY_SEC(1)

enum {
    PREPARE_MIG = 1,
    CONN_STATE = 3,
    CANCEL = 5,
    NACK = 6,
    HEARTBEAT_ACK = 8,
    ANNOUNCE = 9,
    DEAD_LEASES = 8 /* docs/protocol.md, section 5, "Death" */
};

static struct sim_life *find(struct sim_world *w, const struct capy_ip *client, uint16_t port,
                             const struct capy_ip *home, uint16_t home_port)
{
    uint32_t slot = port - SIM_FIRST_CLIENT_PORT;
    unsigned host = sim_host_of(client);
    for (uint32_t i = port == SIM_OPENED_TO_PORT ? 0 : slot;
         i < w->plan.slots && (i == slot || port == SIM_OPENED_TO_PORT); i++) {
        struct sim_life *l = w->slot[i] == SIM_NOBODY ? NULL : &w->life[w->slot[i]];
        if (!l || l->client != host || l->client_port != port || l->ipv6 == capy_ip_is_v4(client))
            continue;
        if (!l->opened || (l->home_port == home_port && (!home || sim_host_of(home) == l->home)))
            return l;
    }
    return NULL;
}

/* ---- a server's segment leaves it ---------------------------------------------------------- */

static void speaks(struct sim_world *w, unsigned host, struct sim_stamp *stamp,
                   const struct sim_view *v)
{
    struct sim_life *l =
        sim_host_of(&v->src) == host ? find(w, &v->dst, v->dst_port, NULL, v->src_port) : NULL;
    if (!l || l->place == SIM_OVER || (v->flags & SIM_RST))
        return;
    if (l->home == SIM_VIP && (v->flags & SIM_SYN)) { /* not yet a word of who runs it */
        l->answered |= (uint16_t)(1u << host);
        return;
    }
    if (l->runner != host) {
        for (unsigned other = 0; other < w->r.server_cnt; other++)
            if (other != host && l->clean && l->runner != SIM_HOSTS_MAX &&
                l->spoke[other] > l->licensed[host])
                sim_fail(w,
                         "connection %u: server %u speaks for it, and nothing has made it the "
                         "owner since server %u spoke",
                         (uint32_t)(l - w->life), host + 1, other + 1);
        l->runner = (uint16_t)host;
        l->turn++;
    }
    l->spoke[host] = w->event;
    stamp->turn = l->turn;
}

/* ---- a message reaches a server ------------------------------------------------------------ */

static void is_told(struct sim_world *w, unsigned host, const struct sim_view *v)
{
    struct sim_life *l =
        find(w, &v->key.client, v->key.client_port, &v->key.home, v->key.home_port);
    bool state = v->type == CONN_STATE && v->target == host;
    bool answer = v->type == CANCEL || v->type == NACK || v->type == ANNOUNCE ||
                  v->type == PREPARE_MIG || v->type == CONN_STATE;
    if (l && (state || answer))
        l->licensed[host] = w->event;
}

/* ---- a segment leaves the switch for its client -------------------------------------------- */

/* A SYN that is repeated may be answered twice, by a cookie and by a connection: the label goes with the
 * sequence number, and the first segment after them tells which it is. */
static void heard_label(struct sim_world *w, struct sim_life *l, const struct sim_view *v)
{
    if ((v->flags & SIM_SYN) && v->label != l->label[0]) {
        l->label[1] = l->label[0];
        l->label[0] = v->label;
    } else if (!(v->flags & SIM_SYN) && l->label[0] != 0) {
        if (l->clean && v->label != l->label[0] && v->label != l->label[1])
            sim_fail(w, "connection %u: its flow label changed", (uint32_t)(l - w->life));
        l->label[0] = l->label[1] = v->label;
    }
}

/* What the client of a connection to the service address never sees: below what servers open from. */
static bool is_of_birth(uint16_t port)
{
    return port >= SIM_MIG_PORT_FIRST - 4096 - 16 && port < SIM_MIG_PORT_FIRST - 4096;
}

static void hears(struct sim_world *w, unsigned client, const struct sim_stamp *stamp,
                  const struct sim_view *v)
{
    unsigned from = sim_host_of(&v->src);
    if ((from >= w->r.server_cnt && from != SIM_VIP) || sim_host_of(&v->dst) != client)
        return;
    if (v->src_port >= SIM_MIG_PORT_FIRST || is_of_birth(v->src_port))
        sim_fail(w, "client %u is sent a segment from a port of migrated connections",
                 client - w->r.server_cnt + 1);
    struct sim_life *l = find(w, &v->dst, v->dst_port, &v->src, v->src_port);
    if (!l || (v->flags & SIM_RST))
        return;
    if (l->place == SIM_OVER) { /* the last words of a server that died, perhaps: they were heard */
        if (stamp->turn > 0)
            l->served = w->event;
        return;
    }
    uint32_t id = (uint32_t)(l - w->life);
    if (from != l->home || v->src_port != l->home_port)
        sim_fail(w, "connection %u: its client is sent a segment from server %u, home is %u", id,
                 from + 1, l->home + 1u);
    /* An earlier word of who owns it now is only late; and of what died on its way with its servers home
     * is the owner again. */
    bool homes = l->died_at > 0 && l->place == SIM_BETWEEN && stamp->from == l->home;
    bool handshake = l->home == SIM_VIP && (v->flags & SIM_SYN);
    if (l->clean && stamp->turn < l->passed && stamp->from != l->owner && !homes && !handshake &&
        stamp->sent_at >= w->r.rebooted_at)
        sim_fail(w, "connection %u: its client is sent what an earlier owner said", id);
    if (l->place == SIM_BETWEEN && stamp->from == l->owner && stamp->turn > 0) {
        l->said_late_by = stamp->from;
        l->said_late_at = w->r.now;
    }
    l->passed = capy_max32(stamp->turn, l->passed);
    if (stamp->turn > 0)
        l->served = w->event;
    heard_label(w, l, v);
}

/* Whose entry was it? Perhaps that of any whose handshake was not over. */
static void look_who_gave_way(struct sim_world *w)
{
    uint64_t cnt = 0;
    (void)capy_switch_counter(w->r.plane, CAPY_COUNT_vip_half_evicted, &cnt);
    if (cnt > w->gave_way_cnt)
        w->gave_way_at = w->r.now;
    w->gave_way_cnt = cnt; /* less: a switch that has just booted */
}

/* The switch names the owner to whoever asks, or is passed something on. */
static void names_owner(struct sim_world *w, const struct sim_view *v)
{
    struct sim_life *l =
        find(w, &v->key.client, v->key.client_port, &v->key.home, v->key.home_port);
    if (l && v->phase == CAPY_PHASE_SETTLED && v->owner < w->r.server_cnt)
        l->owner = v->owner;
    if (l)
        l->named_at = w->r.now;
    if (l && v->type == ANNOUNCE && v->verdict == CAPY_VERDICT_FULL)
        l->no_room_at = w->r.now;
    if (l && v->type == CANCEL && v->verdict == CAPY_VERDICT_FULL)
        l->no_cancel_at = w->r.now;
}

/* ---- silence ------------------------------------------------------------------------------- */

/* The switch rebooted, and half of its time to learn is over without a word of this server, or to it: what it
 * runs may be taken for somebody else's. */
static bool missed_learning(const struct sim_world *w, unsigned server)
{
    bool met = w->heard_at[server] > w->r.rebooted_at && w->told_at[server] > w->r.rebooted_at;
    return w->r.rebooted_at > 0 && !met &&
           w->r.now > w->r.rebooted_at + w->r.switch_cfg.learn_ns / 2;
}

static void heard(struct sim_world *w, unsigned server)
{
    if (sim_silent_since(w, server, w->r.now))
        w->silent_at[server] = w->r.now;
    w->heard_at[server] = w->r.now;
}

bool sim_silent_since(const struct sim_world *w, unsigned server, uint64_t at)
{
    uint64_t dead_ns = DEAD_LEASES * w->r.switch_cfg.lease_ns;
    dead_ns -= dead_ns / 1000; /* clocks drift */
    return w->silent_at[server] >= at || w->r.now - w->heard_at[server] >= dead_ns ||
           missed_learning(w, server);
}

static bool may_begin_at(const struct sim_life *l, unsigned server)
{
    return l->home == SIM_VIP ? (l->answered >> server & 1) : l->home == server;
}

/* What may have become of its handshake at a server where it began. */
static void excuse_beginning(struct sim_world *w, struct sim_life *l, unsigned server)
{
    if (l->home == SIM_VIP && l->place == SIM_NOWHERE &&
        sim_silent_since(w, server, l->opened_at)) /* it has an entry, as what has moved */
        l->excuses |= SIM_EXCUSE_SILENCE;
    if (l->home == SIM_VIP && l->place == SIM_NOWHERE && w->gave_way_at > l->opened_at)
        l->excuses |= SIM_EXCUSE_NO_ROOM; /* docs/protocol.md, "SYN floods" */
    if (w->r.down_until[server] != CAPY_NEVER)
        return;
    const struct capy_stack_counters *n = capy_stack_counters(w->r.host[server]);
    if (l->place == SIM_NOWHERE && (n->half_open_evicted + n->no_slot + n->syn_cookies_bad > 0 ||
                                    n->pressure_resets + n->orphans_reset > l->policy_ends))
        l->excuses |= SIM_EXCUSE_PRESSURE; /* of it nothing is left */
    if (w->r.now < l->opened_at + COOKIE_NS && l->moves == 0 && n->syn_cookies_bad > 0)
        l->excuses |= SIM_EXCUSE_COOKIE;
}

bool sim_excused(struct sim_world *w, struct sim_life *l)
{
    if (l->place != SIM_NOWHERE && sim_silent_since(w, l->at, l->arrived_at))
        l->excuses |= SIM_EXCUSE_SILENCE;
    if (l->place != SIM_NOWHERE && w->r.down_until[l->at] == CAPY_NEVER) {
        const struct capy_stack_counters *n = capy_stack_counters(w->r.host[l->at]);
        if (n->pressure_resets + n->orphans_reset + n->half_open_evicted > l->policy_ends)
            l->excuses |= SIM_EXCUSE_PRESSURE;
    }
    for (unsigned h = 0; h < w->r.server_cnt; h++)
        if (may_begin_at(l, h))
            excuse_beginning(w, l, h);
    if (l->no_room_at > 0)
        l->excuses |= SIM_EXCUSE_NO_ROOM;
    return l->excuses != 0;
}

/* ---- every frame --------------------------------------------------------------------------- */

void sim_watch(void *ctx, enum sim_moment moment, unsigned host, bool to_switch,
               struct sim_stamp *stamp, const struct sim_view *v)
{
    struct sim_world *w = ctx;
    bool server = host < w->r.server_cnt;
    w->event++;
    sim_trace_frame(w->trace, w->r.now, moment, host, to_switch, stamp->corrupted, v);
    sim_print_last(w);
    if (moment == SIM_SWITCHED)
        look_who_gave_way(w);
    if (stamp->corrupted)
        return;
    if (moment == SIM_SENT && server && v->kind == SIM_TCP)
        speaks(w, host, stamp, v);
    else if (moment == SIM_DELIVERED && server && v->kind == SIM_MIG && v->type != HEARTBEAT_ACK)
        is_told(w, host, v);
    else if (moment == SIM_DELIVERED && server && v->kind == SIM_MIG)
        w->told_at[host] = w->r.now;
    else if (moment == SIM_SWITCHED && server && v->kind == SIM_MIG && v->type == HEARTBEAT_ACK)
        heard(w, host);
    else if (moment == SIM_SWITCHED && v->kind == SIM_MIG)
        names_owner(w, v);
    else if (moment == SIM_SWITCHED && !server && v->kind == SIM_TCP)
        hears(w, host, stamp, v);
}
