/* TCPMig as a whole on virtual time: real origin and target machines (src/mig) on three hosts, the
 * real switch (switch/core) between them, and channels that lose, repeat, delay and so reorder
 * every frame. Connections are stubs: a counter that only the running owner may raise, and a
 * patterned encoding of one to six fragments. Hosts may crash and the switch may reboot.
 *
 * Checked at every instant: at most one host runs a connection, and its counter is the newest. At
 * the end, after the faults stopped: every slot is free, every block is back, exactly one host runs
 * each connection that no crash could have killed, and the directory agrees who it is. */
#include "mig/mig.h"
#include "switch/core/plane.h"

#include "base/prng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    HOSTS = 3,
    FLOWS = 3,
    CLIENT_PORT = HOSTS, /* switch port of the client */
    PACKETS_MAX = 4096,
    BLOCKS = 256,
    TCPMIG_PORT = 10002,
    MIG_PORT_FIRST = 61440,
};

#define FAULTS_UNTIL CAPY_MS(700)
#define RUN_UNTIL CAPY_MS(4000)
#define BEAT_NS CAPY_MS(10)
#define LEASE_NS CAPY_MS(30)
#define DEAD_NS (8u * LEASE_NS)
#define LEARN_NS CAPY_MS(150)

static const struct capy_key RACK_KEY = {1, 2};

/* ---- a connection that is only a counter ---- */

/* SUSPENDED: it may run again once an ANNOUNCE says that the switch did not take us for dead. */
enum copy_state { COPY_NONE, COPY_RUNNING, COPY_FROZEN, COPY_SUSPENDED };

struct copy {
    enum copy_state state;
    uint32_t epoch, counter;
    uint16_t port;
    bool announced;
    uint64_t announce_at, suspended_at;
};

#define SNAP_FIXED 8u

static uint8_t pattern(uint32_t counter, uint32_t i)
{
    return (uint8_t)(counter * 31u + i * 7u + (i >> 8));
}

/* Stand-ins for tcp/snapshot: the machines read nothing else of a connection. */
uint32_t capy_snap_len(const struct capy_snap *snap)
{
    return snap->head_len + snap->recv_len;
}

void capy_snap_read(struct capy_snap *snap, const struct capy_blocks *blocks, uint32_t offset,
                    uint8_t *out, uint32_t len)
{
    (void)blocks;
    uint32_t counter = capy_load32(snap->head);
    for (uint32_t i = 0; i < len; i++)
        out[i] = offset + i < SNAP_FIXED ? snap->head[offset + i] : pattern(counter, offset + i);
}

/* ---- the world ---- */

struct packet {
    uint64_t at;
    uint64_t order; /* ties: first sent, first delivered */
    uint16_t port;  /* switch port */
    bool to_switch;
    size_t len;
    uint8_t data[CAPY_FRAME_MAX];
};

struct host {
    uint16_t id;
    uint64_t incarnation, booted_at, switch_boot, beat_at, lease_until;
    uint32_t next_mig;
    struct copy copy[FLOWS];
    bool origin_on[FLOWS], target_on[FLOWS];
    struct capy_mig_origin origin[FLOWS];
    struct capy_mig_target target[FLOWS];
    struct capy_mig_memory memory;
    struct capy_blocks blocks;
    uint64_t slot_boot[FLOWS]; /* the switch's boot id when the target slot was opened */
    uint64_t freeze_at[FLOWS]; /* when the application lets go */
    void *memory_mem, *blocks_mem;
};

struct world {
    struct capy_prng prng;
    uint64_t now, order, seed;
    bool calm, seal, lossy_beats;
    uint32_t loss_ppm, dup_ppm, delay_max_ns;
    struct capy_switch *sw;
    void *sw_mem;
    struct capy_switch_cfg sw_cfg;
    struct capy_switch_out out;
    struct host host[HOSTS];
    struct capy_mig_cfg mig;
    struct packet *packet[PACKETS_MAX];
    unsigned packet_cnt;
    bool hurt[FLOWS];       /* a crash or reboot may have killed it */
    uint32_t newest[FLOWS]; /* the counter's true value */
    uint32_t moved, resumed, client_got;
    uint64_t client_at, sweep_at;
};

static struct world w;

static struct capy_mac mac_of(unsigned id)
{
    return (struct capy_mac){{2, 0xca, 10, 0, 0, (uint8_t)id}};
}

static struct capy_ip ip_of(unsigned id)
{
    return capy_ip_from_v4(0x0a000000u + id);
}

/* Hosts are .1 .2 .3, the switch .100, the client .200. */
static struct capy_flow_key key_of(unsigned flow)
{
    return (struct capy_flow_key){ip_of(200), ip_of(1u + flow % HOSTS), (uint16_t)(5000u + flow),
                                  80};
}

static int flow_of(const struct capy_flow_key *key)
{
    for (unsigned f = 0; f < FLOWS; f++) {
        struct capy_flow_key k = key_of(f);
        if (capy_flow_key_eq(&k, key))
            return (int)f;
    }
    return -1;
}

static struct capy_mig_env env_of(struct host *h)
{
    return (struct capy_mig_env){.cfg = &w.mig,
                                 .blocks = &h->blocks,
                                 .key = RACK_KEY,
                                 .seal = w.seal,
                                 .self = h->id,
                                 .now = w.now};
}

/* ---- channels ---- */

static void put_packet(uint16_t port, bool to_switch, const uint8_t *data, size_t len, uint64_t at)
{
    assert_true(w.packet_cnt < PACKETS_MAX);
    struct packet *p = malloc(sizeof *p);
    assert_non_null(p);
    *p = (struct packet){.at = at, .order = w.order++, .port = port, .to_switch = to_switch,
                         .len = len};
    memcpy(p->data, data, len);
    unsigned i = w.packet_cnt++; /* a binary heap by (at, order) */
    while (i > 0) {
        unsigned up = (i - 1) / 2;
        if (w.packet[up]->at < p->at ||
            (w.packet[up]->at == p->at && w.packet[up]->order < p->order))
            break;
        w.packet[i] = w.packet[up];
        i = up;
    }
    w.packet[i] = p;
}

static bool before(const struct packet *a, const struct packet *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static struct packet *take_packet(void)
{
    struct packet *first = w.packet[0], *last = w.packet[--w.packet_cnt];
    unsigned i = 0;
    for (;;) {
        unsigned child = 2 * i + 1;
        if (child >= w.packet_cnt)
            break;
        if (child + 1 < w.packet_cnt && before(w.packet[child + 1], w.packet[child]))
            child++;
        if (before(last, w.packet[child]))
            break;
        w.packet[i] = w.packet[child];
        i = child;
    }
    w.packet[i] = last;
    return first;
}

/* One frame into a channel. HEARTBEATs are spared by `sure`: false deaths have their own test. */
static void transmit(uint16_t port, bool to_switch, const uint8_t *data, size_t len, bool sure)
{
    unsigned copies = 1;
    if (!w.calm && !sure) {
        if (capy_prng_chance(&w.prng, w.loss_ppm))
            copies = 0;
        else if (capy_prng_chance(&w.prng, w.dup_ppm))
            copies = 2;
    }
    for (unsigned i = 0; i < copies; i++) {
        uint64_t delay = CAPY_US(2);
        if (!w.calm && !sure)
            delay += capy_prng_below(&w.prng, w.delay_max_ns);
        put_packet(port, to_switch, data, len, w.now + delay);
    }
}

static void send_mig(struct host *h, uint8_t *frame, size_t len)
{
    const struct capy_frame_to to = {
        .dst_mac = mac_of(100), .src_mac = mac_of(h->id + 1u), .src = ip_of(h->id + 1u),
        .dst = ip_of(100), .src_port = TCPMIG_PORT, .dst_port = TCPMIG_PORT};
    bool sure = !w.lossy_beats && frame[CAPY_UDP_AT + 1] == CAPY_MIG_HEARTBEAT;
    size_t n = capy_frame_build_udp(frame, &to, len);
    transmit(h->id, true, frame, n, sure);
}

static void send_tcp(uint16_t port, const struct capy_mac *src_mac, const struct capy_mac *dst_mac,
                     struct capy_ip src, uint16_t src_port, struct capy_ip dst, uint16_t dst_port)
{
    uint8_t frame[CAPY_FRAME_MAX], data[4] = {0};
    const struct capy_frame_to to = {.dst_mac = *dst_mac, .src_mac = *src_mac, .src = src,
                                     .dst = dst, .src_port = src_port, .dst_port = dst_port};
    const struct capy_tcp_segment seg = {.flags = CAPY_TCP_ACK, .data = data, .data_len = 4};
    size_t n = capy_frame_build_tcp(frame, &to, &seg);
    transmit(port, true, frame, n, false);
}

/* ---- what must always hold ---- */

static bool lease_holds(const struct host *h)
{
    return w.now < h->lease_until;
}

static void check_owners(void)
{
    for (unsigned f = 0; f < FLOWS; f++) {
        unsigned running = 0;
        for (unsigned i = 0; i < HOSTS; i++) {
            const struct copy *c = &w.host[i].copy[f];
            if (c->state != COPY_RUNNING)
                continue;
            running++;
            if (c->counter != w.newest[f])
                fail_msg("seed %llu: host %u runs flow %u at counter %u, newest is %u",
                         (unsigned long long)w.seed, i, f, c->counter, w.newest[f]);
        }
        if (running > 1)
            fail_msg("seed %llu: %u owners of flow %u at %llu", (unsigned long long)w.seed,
                     running, f, (unsigned long long)w.now);
    }
}

/* ---- a host ---- */

static void host_boot(struct host *h)
{
    struct capy_arena a = {h->memory_mem, 0}, b = {h->blocks_mem, 0};
    capy_mig_memory_init(&h->memory, &a, 64, RACK_KEY);
    capy_blocks_init(&h->blocks, &b, BLOCKS);
    h->incarnation = capy_prng_next(&w.prng) | 1u;
    h->booted_at = w.now;
    h->switch_boot = 0;
    h->beat_at = w.now;
    h->lease_until = 0;
    for (unsigned f = 0; f < FLOWS; f++) {
        h->copy[f] = (struct copy){0};
        h->origin_on[f] = h->target_on[f] = false;
    }
}

static void host_act(struct host *h, unsigned f, enum capy_mig_action act);

/* The snapshot's bytes as they came: true, and the counter, when every one is right. */
static bool import_state(struct host *h, struct capy_mig_target *t, uint32_t *counter)
{
    uint8_t buf[2048];
    capy_stream_read(&t->state, &h->blocks, 0, buf, SNAP_FIXED);
    *counter = capy_load32(buf);
    if (capy_load32(buf + 4) != t->total)
        return false;
    for (uint32_t at = SNAP_FIXED; at < t->total;) {
        uint32_t n = capy_min32(t->total - at, sizeof buf);
        capy_stream_read(&t->state, &h->blocks, at, buf, n);
        for (uint32_t i = 0; i < n; i++)
            if (buf[i] != pattern(*counter, at + i))
                return false;
        at += n;
    }
    return true;
}

static void pump(struct host *h, unsigned f)
{
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_mig_env env = env_of(h);
    size_t n;
    while (h->origin_on[f] &&
           (n = capy_mig_origin_output(&h->origin[f], &env, frame + CAPY_UDP_AT)) > 0)
        send_mig(h, frame, n);
    while (h->target_on[f] &&
           (n = capy_mig_target_output(&h->target[f], &env, frame + CAPY_UDP_AT)) > 0) {
        send_mig(h, frame, n);
        if (h->target[f].phase == CAPY_TARGET_DONE) {
            capy_mig_target_free(&h->target[f], &env);
            h->target_on[f] = false;
        }
    }
}

static void do_import(struct host *h, unsigned f)
{
    struct capy_mig_target *t = &h->target[f];
    struct capy_mig_env env = env_of(h);
    struct capy_flow_key key = key_of(f);
    uint32_t counter;
    if (!import_state(h, t, &counter))
        fail_msg("seed %llu: state differs", (unsigned long long)w.seed);
    /* Sometimes it does not fit after all; and nothing starts without a lease. */
    if ((!w.calm && capy_prng_chance(&w.prng, 100000)) || !lease_holds(h)) {
        capy_mig_target_refuse(t, &env, CAPY_REASON_BAD_STATE);
        return;
    }
    assert_int_equal(h->copy[f].state, COPY_NONE);
    h->copy[f] = (struct copy){.state = COPY_RUNNING, .epoch = t->epoch, .counter = counter,
                               .port = t->target_port,
                               .announced = h->slot_boot[f] == h->switch_boot};
    struct capy_mig_record *r = capy_mig_memory_touch(&h->memory, &key, w.now);
    r->imported_epoch = t->epoch;
    r->imported_id = t->mig_id;
    r->left_epoch = 0;
    uint8_t frame[CAPY_FRAME_MAX];
    while (capy_mig_target_unhold(t, &env, frame) > 0)
        w.newest[f] = ++h->copy[f].counter; /* the replay is work done */
    capy_mig_target_imported(t, &env);
    w.moved++;
}

static void do_drop(struct host *h, unsigned f)
{
    struct capy_mig_env env = env_of(h);
    struct capy_flow_key key = key_of(f);
    struct capy_mig_record *r = capy_mig_memory_touch(&h->memory, &key, w.now);
    r->refused_epoch = capy_max32(r->refused_epoch, h->target[f].epoch);
    capy_mig_target_free(&h->target[f], &env);
    h->target_on[f] = false;
}

static void host_act(struct host *h, unsigned f, enum capy_mig_action act)
{
    struct capy_mig_origin *o = &h->origin[f];
    switch (act) {
    case CAPY_MIG_DO_NOTHING:
        break;
    case CAPY_MIG_DO_FREEZE:
        h->freeze_at[f] = w.now + capy_prng_below(&w.prng, CAPY_MS(30)); /* release_ns is 20 ms */
        break;
    case CAPY_MIG_DO_RESUME:
        h->copy[f].state = COPY_RUNNING;
        h->copy[f].epoch = o->epoch_after;
        h->copy[f].announced = false;
        h->copy[f].announce_at = w.now + CAPY_MS(1);
        if (w.hurt[f]) /* whatever the dead owner did beyond this died with it, unseen */
            w.newest[f] = h->copy[f].counter;
        h->origin_on[f] = false;
        w.resumed++;
        break;
    case CAPY_MIG_DO_RELEASE:
        h->copy[f].state = COPY_NONE;
        h->origin_on[f] = false;
        break;
    case CAPY_MIG_DO_IMPORT:
        do_import(h, f);
        break;
    case CAPY_MIG_DO_DROP:
        do_drop(h, f);
        break;
    }
    pump(h, f);
}

static void freeze(struct host *h, unsigned f)
{
    struct capy_mig_origin *o = &h->origin[f];
    struct capy_mig_env env = env_of(h);
    h->freeze_at[f] = 0;
    if (!h->origin_on[f] || o->phase != CAPY_ORIGIN_GRANTED)
        return;
    h->copy[f].state = COPY_FROZEN;
    o->snap.head_len = SNAP_FIXED;
    o->snap.recv_len = (uint32_t)capy_prng_below(&w.prng, 8000);
    capy_store32(o->snap.head, h->copy[f].counter);
    capy_store32(o->snap.head + 4, capy_snap_len(&o->snap));
    capy_mig_origin_frozen(o, &env);
    pump(h, f);
}

static void start_migration(struct host *h, unsigned f)
{
    struct capy_mig_env env = env_of(h);
    struct capy_flow_key key = key_of(f);
    uint16_t target = (uint16_t)capy_prng_below(&w.prng, HOSTS + 1);
    if (target == h->id || target == HOSTS)
        target = CAPY_SERVER_ANY;
    capy_mig_origin_start(&h->origin[f], &env, &key,
                          (h->incarnation & 0xffffffffu) << 32 | ++h->next_mig,
                          h->copy[f].epoch + 1u, target);
    h->origin[f].local_port = h->copy[f].port;
    h->origin_on[f] = true;
    h->freeze_at[f] = 0;
    pump(h, f);
}

static void send_one(struct host *h, uint8_t *frame, size_t n)
{
    if (n > 0)
        send_mig(h, frame, n);
}

static void input_prepare(struct host *h, unsigned f, const struct capy_mig_msg *m)
{
    struct capy_mig_env env = env_of(h);
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_mig_record *r;
    if (h->target_on[f] && h->target[f].mig_id == m->mig_id) {
        host_act(h, f, capy_mig_target_input(&h->target[f], &env, m));
        return;
    }
    if (h->origin_on[f])
        host_act(h, f, capy_mig_origin_input(&h->origin[f], &env, m));
    r = capy_mig_memory_find(&h->memory, &m->key);
    if (r && r->imported_id == m->mig_id)
        return;
    bool refused = r && m->epoch <= r->refused_epoch;
    if (refused || h->copy[f].state != COPY_NONE || h->target_on[f] || !lease_holds(h) ||
        w.now < h->booted_at + CAPY_MIG_QUIET_NS) {
        r = capy_mig_memory_touch(&h->memory, &m->key, w.now);
        r->refused_epoch = capy_max32(r->refused_epoch, m->epoch);
        send_one(h, frame, capy_mig_refusal(&env, m, CAPY_REASON_CLASH, frame + CAPY_UDP_AT));
        return;
    }
    bool home = f % HOSTS == h->id;
    capy_mig_target_start(&h->target[f], &env, m, home ? 80 : (uint16_t)(MIG_PORT_FIRST + f));
    h->target_on[f] = true;
    h->slot_boot[f] = h->switch_boot;
    pump(h, f);
}

static void input_state(struct host *h, unsigned f, const struct capy_mig_msg *m)
{
    struct capy_mig_env env = env_of(h);
    uint8_t frame[CAPY_FRAME_MAX];
    if (h->target_on[f] && h->target[f].mig_id == m->mig_id) {
        host_act(h, f, capy_mig_target_input(&h->target[f], &env, m));
        return;
    }
    struct capy_mig_record *r = capy_mig_memory_touch(&h->memory, &m->key, w.now);
    if (r->imported_id == m->mig_id && r->imported_epoch == m->epoch) {
        send_one(h, frame, capy_mig_repeat_ack(&env, m, frame + CAPY_UDP_AT));
        return;
    }
    r->refused_epoch = capy_max32(r->refused_epoch, m->epoch);
    send_one(h, frame, capy_mig_refusal(&env, m, CAPY_REASON_UNKNOWN_FLOW, frame + CAPY_UDP_AT));
}

/* The switch's answer to "what is this flow": still not ours? Then exactly that epoch is given up. */
static void input_unknown_answer(struct host *h, unsigned f, const struct capy_mig_msg *m)
{
    struct capy_mig_env env = env_of(h);
    uint8_t frame[CAPY_FRAME_MAX];
    if (m->verdict != CAPY_VERDICT_STALE || m->owner != h->id || m->entry_epoch == 0 ||
        m->epoch != m->entry_epoch || h->copy[f].state != COPY_NONE || h->target_on[f])
        return;
    struct capy_mig_record *r = capy_mig_memory_touch(&h->memory, &m->key, w.now);
    r->refused_epoch = capy_max32(r->refused_epoch, m->epoch);
    send_one(h, frame, capy_mig_unknown_flow(&env, &m->key, m->epoch, frame + CAPY_UDP_AT));
}

static void input_announce_answer(struct host *h, unsigned f, const struct capy_mig_msg *m)
{
    struct copy *c = &h->copy[f];
    if (m->verdict == CAPY_VERDICT_OK && m->epoch == c->epoch) {
        c->announced = true;
        if (c->state == COPY_SUSPENDED && m->mig_id > c->suspended_at && lease_holds(h))
            c->state = COPY_RUNNING;
    } else if (m->verdict == CAPY_VERDICT_STALE && !h->origin_on[f] &&
               (c->state == COPY_RUNNING || c->state == COPY_SUSPENDED) &&
               m->entry_epoch > c->epoch) {
        if (m->owner == h->id && m->phase == CAPY_PHASE_SETTLED)
            c->epoch = m->entry_epoch; /* burned behind our back */
        else if (m->owner != h->id && m->phase == CAPY_PHASE_SETTLED)
            c->state = COPY_NONE; /* taken for dead, and replaced */
    }
}

static void input_beat_answer(struct host *h, const struct capy_mig_msg *m)
{
    struct capy_mig_heartbeat_ack ack;
    assert_true(capy_mig_heartbeat_ack_load(m->payload, m->length, &ack));
    if (m->mig_id < h->booted_at)
        return; /* answers a HEARTBEAT of our former life */
    h->lease_until = capy_max64(h->lease_until, m->mig_id + DEAD_NS);
    if (ack.switch_boot == h->switch_boot)
        return;
    h->switch_boot = ack.switch_boot;
    for (unsigned f = 0; f < FLOWS; f++) {
        h->copy[f].announced = h->copy[f].epoch == 0;
        h->copy[f].announce_at = w.now;
    }
}

static void host_mig(struct host *h, const struct capy_mig_msg *m)
{
    struct capy_mig_env env = env_of(h);
    if (m->type == CAPY_MIG_HEARTBEAT_ACK) {
        input_beat_answer(h, m);
        return;
    }
    int found = flow_of(&m->key);
    if (found < 0)
        return;
    unsigned f = (unsigned)found;
    bool ours = m->origin == h->id; /* bounced, or for the origin */
    switch ((enum capy_mig_type)m->type) {
    case CAPY_MIG_PREPARE_MIG:
        if (!ours) {
            input_prepare(h, f, m);
            return;
        }
        break;
    case CAPY_MIG_CONN_STATE:
        if (!ours) {
            input_state(h, f, m);
            return;
        }
        break;
    case CAPY_MIG_NACK:
        if (m->mig_id == 0) {
            input_unknown_answer(h, f, m);
            return;
        }
        break;
    case CAPY_MIG_ANNOUNCE:
        input_announce_answer(h, f, m);
        return;
    case CAPY_MIG_PREPARE_MIG_ACK:
    case CAPY_MIG_CONN_STATE_ACK:
    case CAPY_MIG_CANCEL:
    case CAPY_MIG_HEARTBEAT:
    case CAPY_MIG_HEARTBEAT_ACK:
    case CAPY_MIG_FLOW_CLOSED:
    case CAPY_MIG_TYPE_END:
        break;
    }
    if (ours && h->origin_on[f])
        host_act(h, f, capy_mig_origin_input(&h->origin[f], &env, m));
    else if (!ours && h->target_on[f])
        host_act(h, f, capy_mig_target_input(&h->target[f], &env, m));
}

static void host_tcp(struct host *h, uint8_t *frame, size_t len, const struct capy_packet *p)
{
    struct capy_mig_env env = env_of(h);
    unsigned f = (unsigned)p->src_port - 5000u;
    struct capy_mac self = mac_of(h->id + 1u), tor = mac_of(100);
    if (f >= FLOWS || p->tcp.flags & CAPY_TCP_RST)
        return;
    struct capy_flow_key key = key_of(f);
    struct copy *c = &h->copy[f];
    if (c->state == COPY_RUNNING && c->port == p->dst_port) {
        w.newest[f] = ++c->counter;
        send_tcp(h->id, &self, &p->src_mac, p->dst, p->dst_port, p->src, p->src_port);
    } else if (h->target_on[f]) {
        (void)capy_mig_target_hold(&h->target[f], &env, frame, len);
    } else if (c->state == COPY_FROZEN) {
        /* Not repeated by the network: repeats of repeats would grow without bound in 64 hops. */
        if (capy_frame_readdress(frame, len, &tor, &self, &key.home, key.home_port))
            transmit(h->id, true, frame, len, true);
    } else if (c->state == COPY_NONE && p->dst_port >= MIG_PORT_FIRST) {
        uint8_t query[CAPY_FRAME_MAX];
        key.home = p->dst;
        key.home_port = p->dst_port;
        send_one(h, query, capy_mig_unknown_flow(&env, &key, 0, query + CAPY_UDP_AT));
    }
}

static void host_input(struct host *h, uint8_t *frame, size_t len)
{
    struct capy_packet p;
    struct capy_mig_msg m;
    if (capy_frame_parse(frame, len, &p) != CAPY_DROP_NONE)
        fail_msg("seed %llu: the switch sent a broken frame", (unsigned long long)w.seed);
    struct capy_ip self = ip_of(h->id + 1u);
    if (!capy_ip_eq(&p.dst, &self))
        return; /* flooded */
    if (p.kind == CAPY_PACKET_TCP) {
        host_tcp(h, frame, len, &p);
    } else if (p.kind == CAPY_PACKET_UDP) {
        assert_int_equal(capy_mig_parse(p.udp.data, p.udp.data_len, RACK_KEY, &m), CAPY_MIG_GOOD);
        host_mig(h, &m);
    }
}

/* ---- time ---- */

static void host_beat(struct host *h)
{
    struct capy_mig_env env = env_of(h);
    uint8_t frame[CAPY_FRAME_MAX];
    const struct capy_mig_heartbeat beat = {.free_cnt = 100, .incarnation = h->incarnation,
                                            .switch_boot = h->switch_boot};
    send_one(h, frame, capy_mig_heartbeat_build(&env, &beat, frame + CAPY_UDP_AT));
    h->beat_at = w.now + BEAT_NS;
}

/* Whoever lost its lease may have been replaced: nothing that migrated may run unasked. */
static void suspend_all(struct host *h)
{
    for (unsigned f = 0; f < FLOWS; f++) {
        struct copy *c = &h->copy[f];
        if (c->state != COPY_RUNNING || c->epoch == 0)
            continue;
        c->state = COPY_SUSPENDED;
        c->suspended_at = w.now;
        c->announced = false;
        c->announce_at = w.now + 1;
        w.hurt[f] = true;
    }
}

static void announce(struct host *h, unsigned f)
{
    struct capy_mig_env env = env_of(h);
    struct capy_flow_key key = key_of(f);
    struct copy *c = &h->copy[f];
    uint8_t frame[CAPY_FRAME_MAX];
    send_one(h, frame,
             capy_mig_announce(&env, &key, c->epoch, c->port, c->state == COPY_FROZEN,
                               frame + CAPY_UDP_AT));
    c->announce_at = w.now + CAPY_MS(5);
}

static bool owes_announce(const struct host *h, unsigned f)
{
    return h->copy[f].state != COPY_NONE && !h->copy[f].announced && h->switch_boot != 0;
}

static uint64_t host_next_at(const struct host *h)
{
    uint64_t at = h->beat_at;
    if (lease_holds(h))
        at = capy_min64(at, h->lease_until);
    for (unsigned f = 0; f < FLOWS; f++) {
        if (h->origin_on[f])
            at = capy_min64(at, capy_mig_origin_next_at(&h->origin[f]));
        if (h->target_on[f])
            at = capy_min64(at, capy_mig_target_next_at(&h->target[f]));
        if (h->origin_on[f] && h->freeze_at[f])
            at = capy_min64(at, h->freeze_at[f]);
        if (owes_announce(h, f))
            at = capy_min64(at, h->copy[f].announce_at);
    }
    return at;
}

static void host_expire(struct host *h)
{
    struct capy_mig_env env = env_of(h);
    if (w.now >= h->beat_at)
        host_beat(h);
    if (!lease_holds(h))
        suspend_all(h);
    for (unsigned f = 0; f < FLOWS; f++) {
        if (h->origin_on[f] && h->freeze_at[f] && w.now >= h->freeze_at[f])
            freeze(h, f);
        if (h->origin_on[f])
            host_act(h, f, capy_mig_origin_expire(&h->origin[f], &env));
        if (h->target_on[f])
            host_act(h, f, capy_mig_target_expire(&h->target[f], &env));
        if (owes_announce(h, f) && w.now >= h->copy[f].announce_at)
            announce(h, f);
        if (!w.calm && h->copy[f].state == COPY_RUNNING && !h->origin_on[f] &&
            !h->target_on[f] && capy_prng_chance(&w.prng, 200000))
            start_migration(h, f);
    }
}

static void client_turn(void)
{
    struct capy_mac client = mac_of(200);
    for (unsigned f = 0; f < FLOWS; f++) {
        struct capy_flow_key key = key_of(f);
        struct capy_mac home = mac_of(1u + f % HOSTS);
        send_tcp(CLIENT_PORT, &client, &home, key.client, key.client_port, key.home,
                 key.home_port);
    }
    w.client_at = w.now + capy_prng_below(&w.prng, w.calm ? CAPY_MS(40) : CAPY_MS(4));
}

static void client_input(const uint8_t *frame, size_t len)
{
    struct capy_packet p;
    assert_int_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_NONE);
    struct capy_ip client = ip_of(200);
    if (p.kind != CAPY_PACKET_TCP || !capy_ip_eq(&p.dst, &client))
        return;
    struct capy_flow_key key = key_of((unsigned)p.dst_port - 5000u);
    if (!capy_ip_eq(&p.src, &key.home) || p.src_port != key.home_port)
        fail_msg("seed %llu: the client saw another server", (unsigned long long)w.seed);
    w.client_got++;
}

/* Frames from the switch that the faults leave alone: see transmit and host_tcp. */
static bool is_spared(const uint8_t *frame)
{
    enum { AT_TTL = CAPY_ETHER_LEN + 8, AT_PROTOCOL = CAPY_ETHER_LEN + 9, UDP = 17, TTL = 64 };
    if (frame[AT_PROTOCOL] == UDP)
        return !w.lossy_beats && frame[CAPY_UDP_AT + 1] == CAPY_MIG_HEARTBEAT_ACK;
    return frame[AT_TTL] != TTL;
}

static void deliver(struct packet *p)
{
    if (!p->to_switch) {
        if (p->port == CLIENT_PORT)
            client_input(p->data, p->len);
        else
            host_input(&w.host[p->port], p->data, p->len);
        return;
    }
    capy_switch_input(w.sw, p->port, p->data, p->len, w.now, &w.out);
    for (unsigned i = 0; i < w.out.cnt; i++)
        for (uint16_t port = 0; port <= CLIENT_PORT; port++)
            if (w.out.frame[i].port == port ||
                (w.out.frame[i].port == CAPY_PORT_FLOOD && port != p->port))
                transmit(port, false, w.out.frame[i].data, w.out.frame[i].len,
                         is_spared(w.out.frame[i].data));
}

static void crash_something(bool switch_too)
{
    uint64_t which = capy_prng_below(&w.prng, HOSTS + (switch_too ? 1u : 0u));
    if (which == HOSTS) {
        w.sw_cfg.boot_id = capy_prng_next(&w.prng) | 1u;
        w.sw = capy_switch_init(w.sw_mem, &w.sw_cfg, w.now);
        return;
    }
    for (unsigned f = 0; f < FLOWS; f++)
        if (w.host[which].copy[f].state != COPY_NONE || w.host[which].target_on[f])
            w.hurt[f] = true;
    host_boot(&w.host[which]);
}

static void world_init(uint64_t seed)
{
    void *sw_mem = w.sw_mem;
    struct host saved[HOSTS];
    memcpy(saved, w.host, sizeof saved);
    memset(&w, 0, offsetof(struct world, out));
    w.sw_mem = sw_mem;
    memset(w.hurt, 0, sizeof w.hurt);
    memset(w.newest, 0, sizeof w.newest);
    w.packet_cnt = 0;
    w.moved = w.resumed = w.client_got = 0;
    w.client_at = w.sweep_at = 0;
    w.seed = seed;
    w.now = CAPY_SEC(1);
    capy_prng_seed(&w.prng, seed);
    w.seal = capy_prng_chance(&w.prng, 250000);
    w.loss_ppm = (uint32_t)capy_prng_below(&w.prng, 300000);
    w.dup_ppm = (uint32_t)capy_prng_below(&w.prng, 200000);
    w.delay_max_ns = (uint32_t)CAPY_US(1 + capy_prng_below(&w.prng, 20000));
    capy_mig_cfg_default(&w.mig);
    capy_switch_cfg_default(&w.sw_cfg);
    w.sw_cfg.mac = mac_of(100);
    w.sw_cfg.ip = ip_of(100);
    w.sw_cfg.key = RACK_KEY;
    w.sw_cfg.slots = 4;
    w.sw_cfg.lease_ns = LEASE_NS;
    w.sw_cfg.learn_ns = LEARN_NS;
    w.sw_cfg.port_cnt = CLIENT_PORT + 1;
    w.sw_cfg.server_cnt = HOSTS;
    for (uint16_t i = 0; i < HOSTS; i++) {
        w.sw_cfg.role[i] = CAPY_PORT_SERVER;
        w.sw_cfg.server[i].ip = ip_of(i + 1u);
        w.sw_cfg.server[i].mac = mac_of(i + 1u);
        w.sw_cfg.server[i].port = i;
    }
    if (!w.sw_mem)
        w.sw_mem = aligned_alloc(64, (capy_switch_size(&w.sw_cfg) + 63u) & ~(size_t)63u);
    w.sw = capy_switch_init(w.sw_mem, &w.sw_cfg, w.now);
    for (uint16_t i = 0; i < HOSTS; i++) {
        struct host *h = &w.host[i];
        *h = (struct host){.id = i, .memory_mem = saved[i].memory_mem,
                           .blocks_mem = saved[i].blocks_mem};
        if (!h->memory_mem) {
            struct capy_arena a = {NULL, 0}, b = {NULL, 0};
            capy_mig_memory_init(&h->memory, &a, 64, RACK_KEY);
            capy_blocks_init(&h->blocks, &b, BLOCKS);
            h->memory_mem = aligned_alloc(64, (a.used + 63u) & ~(size_t)63u);
            h->blocks_mem = aligned_alloc(64, (b.used + 63u) & ~(size_t)63u);
        }
        host_boot(h);
    }
    for (unsigned f = 0; f < FLOWS; f++)
        w.host[f % HOSTS].copy[f] =
            (struct copy){.state = COPY_RUNNING, .port = 80, .announced = true};
}

/* Directory, hosts and pools after everything came to rest. */
static void check_rest(void)
{
    for (unsigned i = 0; i < HOSTS; i++) {
        for (unsigned f = 0; f < FLOWS; f++)
            if (w.host[i].origin_on[f] || w.host[i].target_on[f])
                fail_msg("seed %llu: host %u flow %u: %s slot never ended (phase %u)",
                         (unsigned long long)w.seed, i, f,
                         w.host[i].origin_on[f] ? "origin" : "target",
                         w.host[i].origin_on[f] ? w.host[i].origin[f].phase
                                                : w.host[i].target[f].phase);
        assert_int_equal(w.host[i].blocks.pool.free_cnt, BLOCKS);
    }
    struct capy_switch_entry_info e;
    uint16_t owner[FLOWS];
    for (unsigned f = 0; f < FLOWS; f++)
        owner[f] = (uint16_t)(f % HOSTS);
    for (uint32_t cursor = 0; capy_switch_next_entry(w.sw, &cursor, &e);) {
        owner[flow_of(&e.key)] = e.owner;
        if (!e.owner_dead && e.phase != CAPY_PHASE_SETTLED)
            fail_msg("seed %llu: entry still pending", (unsigned long long)w.seed);
    }
    for (unsigned f = 0; f < FLOWS; f++) {
        unsigned running = 0;
        for (uint16_t i = 0; i < HOSTS; i++) {
            if (w.host[i].copy[f].state == COPY_NONE)
                continue;
            running++;
            if (w.host[i].copy[f].state != COPY_RUNNING || i != owner[f])
                fail_msg("seed %llu: host %u has flow %u (state %u), the directory says %u",
                         (unsigned long long)w.seed, i, f, w.host[i].copy[f].state, owner[f]);
        }
        if (running == 0 && !w.hurt[f])
            fail_msg("seed %llu: flow %u is lost", (unsigned long long)w.seed, f);
    }
}

static void run_seed(uint64_t seed, unsigned crashes, bool switch_too, bool lossy_beats)
{
    world_init(seed);
    w.lossy_beats = lossy_beats;
    uint64_t start = w.now, crash_at = CAPY_NEVER;
    if (crashes)
        crash_at = start + LEARN_NS + capy_prng_below(&w.prng, FAULTS_UNTIL);
    while (w.now < start + RUN_UNTIL) {
        uint64_t at = capy_min64(capy_min64(w.client_at, w.sweep_at), crash_at);
        if (w.packet_cnt)
            at = capy_min64(at, w.packet[0]->at);
        for (unsigned i = 0; i < HOSTS; i++)
            at = capy_min64(at, host_next_at(&w.host[i]));
        w.now = capy_max64(w.now, at);
        w.calm = w.now >= start + FAULTS_UNTIL;
        while (w.packet_cnt && w.packet[0]->at <= w.now) {
            struct packet *p = take_packet();
            deliver(p);
            free(p);
            check_owners();
        }
        if (w.now >= w.client_at)
            client_turn();
        if (w.now >= w.sweep_at)
            w.sweep_at = capy_switch_expire(w.sw, w.now);
        if (w.now >= crash_at) {
            crash_something(switch_too);
            crash_at = --crashes && !w.calm
                           ? w.now + capy_prng_below(&w.prng, CAPY_MS(400))
                           : CAPY_NEVER;
        }
        for (unsigned i = 0; i < HOSTS; i++)
            host_expire(&w.host[i]);
        check_owners();
    }
    check_rest();
    while (w.packet_cnt)
        free(take_packet());
}

static unsigned long seeds(void)
{
    const char *s = getenv("CAPY_SEEDS");
    return s ? strtoul(s, NULL, 10) : 400;
}

static void run_seeds(uint64_t base, unsigned crashes, bool switch_too, bool lossy_beats)
{
    uint64_t moved = 0, resumed = 0, got = 0;
    for (unsigned long i = 0; i < seeds(); i++) {
        run_seed(base + i, crashes, switch_too, lossy_beats);
        moved += w.moved;
        resumed += w.resumed;
        got += w.client_got;
    }
    print_message("%lu seeds: %llu moved, %llu resumed, %llu answers\n", seeds(),
                  (unsigned long long)moved, (unsigned long long)resumed,
                  (unsigned long long)got);
    assert_true(moved > 0 && resumed > 0 && got > 0);
}

static void lossy_network_keeps_one_owner(void **state)
{
    (void)state;
    run_seeds(1, 0, false, false);
}

static void host_crashes_keep_one_owner(void **state)
{
    (void)state;
    run_seeds(100000, 3, false, false);
}

static void switch_reboots_keep_one_owner(void **state)
{
    (void)state;
    run_seeds(200000, 3, true, false);
}

static void false_deaths_keep_one_owner(void **state)
{
    (void)state;
    run_seeds(300000, 2, true, true);
}

static void one_seed(void **state)
{
    (void)state;
    const char *s = getenv("CAPY_SEED");
    if (!s)
        skip();
    uint64_t seed = strtoull(s, NULL, 10);
    run_seed(seed, seed < 100000 ? 0 : seed < 300000 ? 3 : 2, seed >= 200000, seed >= 300000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_seed),
        cmocka_unit_test(lossy_network_keeps_one_owner),
        cmocka_unit_test(host_crashes_keep_one_owner),
        cmocka_unit_test(switch_reboots_keep_one_owner),
        cmocka_unit_test(false_deaths_keep_one_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
