/* The stack's memory, its defaults, and the four entry points of a run loop: input, output
 * (send.c), next_at, expire. One block of memory, carved once by the same code that measured it. */
#include "stack/host.h"
#include "wire/addr6.h"

/* Of the connection table, for connections whose application is gone. A server that closes first has
 * one per close for a round trip; only peers that never answer a FIN gather more. */
#define ORPHAN_SHARE 4u

#define DEFAULT_LEASE_BEATS 3u /* as the switch's default */

void capy_stack_cfg_default(struct capy_stack_cfg *cfg)
{
    *cfg = (struct capy_stack_cfg){
        .mtu = 1500,
        .conn_max = 65536,
        .block_cnt = 65536, /* 128 MiB of queues */
        .listener_max = 16,
        .migrate_max = 1024,
        .memory_max = 65536,
        .syn_backlog_max = 1024,
        .sit_ns = CAPY_SEC(10), /* longer than any client that reads at all takes for a queue */
        .syn_cookies = true,
        .syn_rate = 20000, /* a busy proxy's, and a fraction of what one core answers */
        .rst_rate = 1000,
        .icmp_rate = 1000,
        .mig_port_first = 61440,
        .mig_port_cnt = 4096,
        .tcpmig_port = 10000,
        .heartbeat_ns = CAPY_MS(10),
        .announce_ns = CAPY_SEC(60),
    };
    capy_tcp_cfg_default(&cfg->tcp);
    capy_mig_cfg_default(&cfg->mig);
}

/* TCPMig runs between primary addresses, so the switch needs one of our version. */
static const struct capy_ip *tor_ip(const struct capy_stack_cfg *c)
{
    return capy_version_of(&c->tor.ip) == capy_version_of(&c->ip) ? &c->tor.ip : &c->tor.ip6;
}

static bool tor_is_sound(const struct capy_stack_cfg *c)
{
    return c->peer_cnt == 0 || capy_version_of(tor_ip(c)) == capy_version_of(&c->ip);
}

static bool cfg_is_sound(const struct capy_stack_cfg *c)
{
    bool counts = c->conn_max >= 1 && c->conn_max < CAPY_STACK_CONN_MAX && c->block_cnt >= 1 &&
                  c->listener_max >= 1 && c->listener_max <= UINT16_MAX &&
                  c->syn_backlog_max >= 1 && c->mtu >= 576 && c->mtu <= 1500;
    bool rack = c->peer_cnt == 0 ||
                (c->peer_cnt <= CAPY_STACK_PEER_MAX && c->self < c->peer_cnt &&
                 capy_ip_eq(&c->ip, &c->peers[c->self].ip) && c->migrate_max >= 1 &&
                 c->migrate_max <= UINT16_MAX && c->memory_max >= 1 && c->mig_port_first > 0 &&
                 c->mig_port_cnt > 0 && c->mig_port_first + c->mig_port_cnt <= UINT16_MAX + 1 &&
                 c->heartbeat_ns > 0 && c->announce_ns > 0 && c->tcpmig_port > 0);
    return counts && rack && capy_net_is_sound(c) && tor_is_sound(c) && capy_vip_is_sound(c);
}

/* Everything the stack owns, in one order, for measuring and for carving alike. */
static void carve(struct capy_stack *s, struct capy_arena *a, uint64_t now)
{
    const struct capy_stack_cfg *cfg = &s->cfg;
    bool rack = cfg->peer_cnt > 0;
    uint32_t migrations = rack ? cfg->migrate_max : 0;
    s->conns = capy_arena_take(a, cfg->conn_max, sizeof *s->conns);
    capy_pool_init(&s->conn_pool, a, cfg->conn_max);
    capy_demux_init(s, a);
    capy_rate_init(s, a);
    s->origin_clocks = cfg->conn_max;
    s->target_clocks = s->origin_clocks + migrations;
    s->closed_clocks = s->target_clocks + migrations;
    s->clocks = s->closed_clocks + (rack ? CAPY_CLOSED_MAX : 0);
    capy_wheel_init(&s->wheel, a, s->clocks + CAPY_CLOCK_CNT, now);
    s->listeners = capy_arena_take(a, cfg->listener_max, sizeof *s->listeners);
    s->control.frames = capy_arena_take(a, CAPY_CONTROL_FRAMES, CAPY_FRAME_MAX);
    s->control.lens = capy_arena_take(a, CAPY_CONTROL_FRAMES, sizeof *s->control.lens);
    if (rack) {
        capy_origin_init(s, a);
        capy_target_init(s, a);
        capy_mig_memory_init(&s->memory, a, cfg->memory_max, s->index_key);
        s->seen_at = capy_arena_take(a, cfg->memory_max, sizeof *s->seen_at);
        s->closed = capy_arena_take(a, CAPY_CLOSED_MAX, sizeof *s->closed);
        s->closed_buckets = capy_arena_take(a, CAPY_CLOSED_MAX, sizeof *s->closed_buckets);
        capy_pool_init(&s->closed_pool, a, CAPY_CLOSED_MAX);
    }
    capy_blocks_init(&s->blocks, a, cfg->block_cnt); /* last: the large one */
}

size_t capy_stack_size(const struct capy_stack_cfg *cfg)
{
    if (!cfg_is_sound(cfg))
        return 0;
    struct capy_arena a = {NULL, 0};
    struct capy_stack s = {.cfg = *cfg}; /* only for its pointers to be carved into */
    capy_arena_take(&a, 1, sizeof s);
    carve(&s, &a, 0);
    return a.used;
}

/* Independent keys from the one random one, by the hash itself. */
static struct capy_key derive(struct capy_key key, uint8_t purpose)
{
    uint8_t in[2] = {purpose, 0};
    uint64_t k0 = capy_siphash24(key, in, sizeof in);
    in[1] = 1;
    return (struct capy_key){k0, capy_siphash24(key, in, sizeof in)};
}

static void init_lists(struct capy_stack *s)
{
    capy_list_init(&s->ready, &s->conns[0].out, sizeof s->conns[0]);
    capy_list_init(&s->waiting, &s->conns[0].out, sizeof s->conns[0]);
    capy_list_init(&s->events, &s->conns[0].event, sizeof s->conns[0]);
    capy_age_init(s);
    capy_list_init(&s->announced, &s->conns[0].epoch_link, sizeof s->conns[0]);
    capy_list_init(&s->unannounced, &s->conns[0].epoch_link, sizeof s->conns[0]);
    if (s->cfg.peer_cnt > 0) {
        capy_list_init(&s->origin_out, &s->origins[0].out, sizeof s->origins[0]);
        capy_list_init(&s->target_out, &s->targets[0].out, sizeof s->targets[0]);
        capy_list_init(&s->closed_due, &s->closed[0].link, sizeof s->closed[0]);
        capy_list_init(&s->closed_sent, &s->closed[0].link, sizeof s->closed[0]);
    } else { /* nothing ever comes into these */
        const struct capy_list empty = {.head = CAPY_NONE, .tail = CAPY_NONE};
        s->origin_out = s->target_out = s->closed_due = s->closed_sent = empty;
    }
}

/* TCP's largest segment must fit the link, below the headers of each version (RFC 9293 §3.7.1); and of
 * IPv6 every link takes 1280 bytes (RFC 8200 §5). */
static void fit_mtu(struct capy_stack *s)
{
    enum { IP_AND_TCP_V4 = 40, IP_AND_TCP_V6 = 60, LINK_MIN_V6 = 1280 };
    uint32_t asked = s->cfg.tcp.mss_max, mtu = s->cfg.mtu;
    s->cfg.tcp.mss_max = (uint16_t)capy_min32(asked, mtu - IP_AND_TCP_V4);
    s->tcp6 = s->cfg.tcp;
    s->tcp6.mss_max = (uint16_t)capy_min32(asked, mtu - IP_AND_TCP_V6);
    s->tcp6.mss_default = LINK_MIN_V6 - IP_AND_TCP_V6;
}

static void init_addresses(struct capy_stack *s)
{
    capy_net_init(s->net, &s->cfg);
    if (s->net[CAPY_V6].on)
        s->link_local = capy_ip_link_local(&s->cfg.mac);
    s->tor_ip = *tor_ip(&s->cfg);
    s->msg_at = capy_ip_is_v4(&s->cfg.ip) ? CAPY_UDP_AT : CAPY_UDP_AT6;
}

struct capy_stack *capy_stack_init(void *mem, const struct capy_stack_cfg *cfg, uint64_t now)
{
    CAPY_ASSERT(cfg_is_sound(cfg) && ((uintptr_t)mem & 63u) == 0);
    struct capy_arena a = {mem, 0};
    struct capy_stack *s = capy_arena_take(&a, 1, sizeof *s);
    memset(s, 0, sizeof *s);
    s->cfg = *cfg;
    s->now = now;
    s->tor.lease_until = CAPY_NEVER;
    fit_mtu(s);
    init_addresses(s);
    capy_peer_init(s);
    s->mig_env = (struct capy_mig_env){.cfg = &s->cfg.mig,
                                       .blocks = &s->blocks,
                                       .key = s->cfg.rack_key,
                                       .tagger = &s->tagger,
                                       .seal = s->cfg.seal,
                                       .self = s->cfg.self,
                                       .now = now,
                                       .origin_pace = &s->origin_pace,
                                       .target_pace = &s->target_pace};
    capy_mig_tagger_init(&s->tagger, s->cfg.rack_key);
    capy_mig_state_key_init(&s->mig_env.state_key, s->cfg.rack_key);
    if (s->cfg.orphan_max == 0)
        s->cfg.orphan_max = capy_max32(s->cfg.conn_max / ORPHAN_SHARE, 1);
    if (s->cfg.lease_ns == 0)
        s->cfg.lease_ns = DEFAULT_LEASE_BEATS * s->cfg.heartbeat_ns;
    s->index_key = derive(cfg->hash_key, 'i');
    s->isn_key = derive(cfg->hash_key, 's');
    s->port_key = derive(cfg->hash_key, 'p');
    s->cookie_key = derive(cfg->hash_key, 'c');
    s->rate_key = derive(cfg->hash_key, 'r');
    /* All servers of a rack label a flow alike. */
    s->label_key = derive(cfg->peer_cnt > 0 ? cfg->rack_key : cfg->hash_key, 'l');
    capy_neigh_init(&s->neigh, derive(cfg->hash_key, 'n').k0);
    carve(s, &a, now);
    memset(s->conns, 0, sizeof *s->conns * s->cfg.conn_max);
    memset(s->listeners, 0, sizeof *s->listeners * s->cfg.listener_max);
    init_lists(s);
    capy_pressure_start(s);
    if (cfg->peer_cnt > 0) {
        memset(s->seen_at, 0, sizeof *s->seen_at * s->cfg.memory_max);
        for (uint32_t i = 0; i < CAPY_CLOSED_MAX; i++)
            s->closed_buckets[i] = CAPY_NONE;
        capy_rack_start(s);
    }
    return s;
}

static void drop(struct capy_stack *s, enum capy_drop why, const uint8_t *frame, size_t len)
{
    s->count.drop[why]++;
    if (why == CAPY_DROP_IP_EXTENSION || why == CAPY_DROP_IP_OPTION ||
        why == CAPY_DROP_IP_ROUTING || why == CAPY_DROP_PROTOCOL)
        capy_icmp6_problem(s, frame, len);
}

static void take(struct capy_stack *s, enum capy_drop why, const struct capy_packet *p,
                 const uint8_t *frame, size_t len)
{
    if (why != CAPY_DROP_NONE)
        drop(s, why, frame, len);
    else if (p->kind == CAPY_PACKET_ARP)
        capy_arp_input(s, &p->arp);
    else
        capy_receive_ip(s, p, frame, len);
}

void capy_stack_input(struct capy_stack *s, const uint8_t *frame, size_t len, uint64_t now)
{
    struct capy_packet p;
    capy_now_is(s, now);
    s->count.frames_in++;
    if (capy_udp_inlet_may(&s->inlet, frame, len) && capy_rack_frame(s, frame, len))
        return;
    if (len <= CAPY_FRAME_MAX)
        take(s, capy_frame_parse(frame, len, &p), &p, frame, len);
    else
        s->count.oversize++;
}

/* As it came over the wire, packet by packet: for whoever keeps frames or sends them on. */
static void input_pieces(struct capy_stack *s, const uint8_t *frame, size_t len,
                         const struct capy_offload *done)
{
    struct capy_cutter c;
    struct capy_packet p;
    size_t n;
    if (!capy_cutter_begin(&c, frame, len, done) || c.data_at + c.piece_max > sizeof s->scratch) {
        s->count.oversize++;
        return;
    }
    while ((n = capy_cutter_next(&c, s->scratch)) > 0)
        take(s, capy_frame_parse(s->scratch, n, &p), &p, s->scratch, n);
}

void capy_stack_input_offloaded(struct capy_stack *s, const uint8_t *frame, size_t len,
                                const struct capy_offload *done, uint64_t now)
{
    struct capy_packet p;
    capy_now_is(s, now);
    s->count.frames_in++;
    bool whole = done->segment == 0 && !done->partial;
    if (len > CAPY_FRAME_MAX && (done->segment == 0 || len > CAPY_LARGE_FRAME_MAX)) {
        s->count.oversize++;
        return;
    }
    enum capy_drop why = done->checked || done->partial ? capy_frame_parse_checked(frame, len, &p)
                                                        : capy_frame_parse(frame, len, &p);
    if (why == CAPY_DROP_NONE && p.kind == CAPY_PACKET_TCP && !whole &&
        (s->foreign || !capy_runs_here(s, &p)))
        input_pieces(s, frame, len, done);
    else
        take(s, why, &p, frame, len);
}

uint64_t capy_stack_next_at(const struct capy_stack *s)
{
    return capy_wheel_next_at(&s->wheel);
}

static void clock_fired(struct capy_stack *s, enum capy_clock clock)
{
    switch (clock) {
    case CAPY_CLOCK_HEARTBEAT:
        capy_heartbeat_timer(s);
        break;
    case CAPY_CLOCK_ANNOUNCE:
        capy_announce_timer(s);
        break;
    case CAPY_CLOCK_NEIGH:
        capy_neigh_timer(s);
        break;
    case CAPY_CLOCK_PRESSURE:
        capy_pressure_timer(s);
        break;
    case CAPY_CLOCK_CNT:
        break;
    }
}

void capy_stack_expire(struct capy_stack *s, uint64_t now)
{
    uint32_t idx;
    capy_now_is(s, now);
    while ((idx = capy_wheel_due(&s->wheel, now)) != CAPY_NONE) {
        if (idx < s->origin_clocks)
            capy_conn_timer(s, idx);
        else if (idx < s->target_clocks)
            capy_origin_timer(s, idx - s->origin_clocks);
        else if (idx < s->closed_clocks)
            capy_target_timer(s, idx - s->target_clocks);
        else if (idx < s->clocks)
            capy_closed_timer(s, idx - s->closed_clocks);
        else
            clock_fired(s, (enum capy_clock)(idx - s->clocks));
    }
}
