/* The stage of protocol_test: virtual time, channels that lose, repeat and delay, the hosts' state, and
 * what must hold at every instant. One world at a time; included by protocol_test.c alone. */
#ifndef CAPY_TESTS_SIM_PROTOCOL_WORLD_H
#define CAPY_TESTS_SIM_PROTOCOL_WORLD_H

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
    struct capy_mig_pace origin_pace, target_pace;
    struct capy_blocks blocks;
    uint64_t slot_boot[FLOWS]; /* the switch's boot id when the target slot was opened */
    uint64_t freeze_at[FLOWS]; /* when the application lets go */
    void *memory_mem, *blocks_mem;
};

struct world {
    struct capy_prng prng;
    uint64_t now, order, seed;
    bool calm, seal, lossy_beats;
    bool ipv6; /* rack and flows: of every second seed */
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
    struct capy_ip six = {{0xfd, [15] = (uint8_t)id}};
    return w.ipv6 ? six : capy_ip_from_v4(0x0a000000u + id);
}

/* Where a TCPMig message begins in a frame. */
static uint8_t *msg_at(uint8_t *frame)
{
    return frame + (w.ipv6 ? CAPY_UDP_AT6 : CAPY_UDP_AT);
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

static struct capy_mig_tagger *tagger(void)
{
    static struct capy_mig_tagger t;
    if (t.key.k0 != RACK_KEY.k0)
        capy_mig_tagger_init(&t, RACK_KEY);
    return &t;
}

static struct capy_mig_env env_of(struct host *h)
{
    return (struct capy_mig_env){.cfg = &w.mig,
                                 .blocks = &h->blocks,
                                 .key = RACK_KEY,
                                 .tagger = tagger(),
                                 .seal = w.seal,
                                 .self = h->id,
                                 .now = w.now,
                                 .origin_pace = &h->origin_pace,
                                 .target_pace = &h->target_pace};
}

/* ---- channels ---- */

static void put_packet(uint16_t port, bool to_switch, const uint8_t *data, size_t len, uint64_t at)
{
    assert_true(w.packet_cnt < PACKETS_MAX);
    struct packet *p = malloc(sizeof *p);
    assert_non_null(p);
    *p = (struct packet){
        .at = at, .order = w.order++, .port = port, .to_switch = to_switch, .len = len};
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
    const struct capy_frame_to to = {.dst_mac = mac_of(100),
                                     .src_mac = mac_of(h->id + 1u),
                                     .src = ip_of(h->id + 1u),
                                     .dst = ip_of(100),
                                     .src_port = TCPMIG_PORT,
                                     .dst_port = TCPMIG_PORT};
    bool sure = !w.lossy_beats && msg_at(frame)[1] == CAPY_MIG_HEARTBEAT;
    size_t n = capy_frame_build_udp(frame, &to, len);
    transmit(h->id, true, frame, n, sure);
}

static void send_tcp(uint16_t port, const struct capy_mac *src_mac, const struct capy_mac *dst_mac,
                     struct capy_ip src, uint16_t src_port, struct capy_ip dst, uint16_t dst_port)
{
    uint8_t frame[CAPY_FRAME_MAX], data[4] = {0};
    const struct capy_frame_to to = {.dst_mac = *dst_mac,
                                     .src_mac = *src_mac,
                                     .src = src,
                                     .dst = dst,
                                     .src_port = src_port,
                                     .dst_port = dst_port};
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
            fail_msg("seed %llu: %u owners of flow %u at %llu", (unsigned long long)w.seed, running,
                     f, (unsigned long long)w.now);
    }
}

#endif
