/* See wire.h. */
#include "wire.h"
#include "cold.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

enum {
    TCPMIG_PORT = 7777,
    MIG_PORT_FIRST = 61440,
    MIG_PORT_CNT = 4096,
    STATE_MAX = 2 << 20,
    SLOTS = 1 << 17,
};

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t wire_ticks(void)
{
#if defined(__x86_64__)
    return __rdtsc();
#else
    return clock_ns();
#endif
}

double wire_tick_ns(void)
{
    uint64_t t0 = clock_ns(), c0 = wire_ticks();
    while (clock_ns() - t0 < 20000000u)
        ;
    return (double)(clock_ns() - t0) / (double)(wire_ticks() - c0);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

uint64_t wire_reading_ticks(void)
{
    enum { PAIRS = 1001 };
    static uint64_t ticks[PAIRS];
    for (unsigned i = 0; i < PAIRS; i++) {
        uint64_t t0 = wire_ticks();
        ticks[i] = wire_ticks() - t0;
    }
    qsort(ticks, PAIRS, sizeof ticks[0], by_value);
    return ticks[PAIRS / 2];
}

static struct capy_mac mac_of(unsigned host)
{
    return (struct capy_mac){{2, 0xca, 0, 0, 0, (uint8_t)(host + 1)}};
}

static struct capy_ip ip_of(unsigned host)
{
    return capy_ip_from_v4(0x0a630000u + host + 1);
}

static void set_rack(struct capy_stack_cfg *cfg, unsigned host)
{
    cfg->self = (uint16_t)host;
    cfg->peer_cnt = WIRE_CLIENT;
    for (unsigned i = 0; i < WIRE_CLIENT; i++)
        cfg->peers[i] = (struct capy_stack_peer){.ip = ip_of(i), .mac = mac_of(i)};
    cfg->tor = (struct capy_stack_peer){.ip = ip_of(WIRE_HOSTS), .mac = mac_of(WIRE_HOSTS)};
    cfg->tcpmig_port = TCPMIG_PORT;
    cfg->mig_port_first = MIG_PORT_FIRST;
    cfg->mig_port_cnt = MIG_PORT_CNT;
    cfg->rack_key = (struct capy_key){3, 4};
    cfg->incarnation = host + 1;
    cfg->mig.state_max = STATE_MAX;
}

/* In memory that it has, if it is another client. */
static void open_host(struct wire *w, unsigned host)
{
    struct capy_stack_cfg cfg;
    capy_stack_cfg_default(&cfg);
    cfg.mac = mac_of(host);
    cfg.ip = ip_of(host);
    cfg.netmask = capy_ip_from_v4(0xff000000u);
    cfg.conn_max = w->size.conn_max[host];
    cfg.block_cnt = 4096;
    cfg.syn_rate = 0; /* time hardly passes while connections are opened */
    cfg.hash_key = (struct capy_key){host + 1, 2};
    if (w->size.queue_max > 0)
        cfg.tcp.snd_buf_max = w->size.queue_max;
    if (host == WIRE_CLIENT)
        cfg.ip = capy_ip_from_v4(0x0a640000u + w->client_cnt++);
    else
        set_rack(&cfg, host);
    size_t size = capy_stack_size(&cfg);
    if (!w->mem[host])
        w->mem[host] = aligned_alloc(64, (size + 63u) & ~(size_t)63u);
    CAPY_ASSERT(size > 0 && w->mem[host]);
    w->host[host] = capy_stack_init(w->mem[host], &cfg, w->now);
    if (host != WIRE_CLIENT)
        CAPY_ASSERT(capy_stack_listen(w->host[host], WIRE_SERVICE_PORT, 0) == CAPY_OK);
}

void wire_next_client(struct wire *w)
{
    open_host(w, WIRE_CLIENT);
}

void wire_open(struct wire *w, const struct wire_size *sizes)
{
    struct capy_switch_cfg cfg;
    memset(w, 0, sizeof *w);
    w->size = *sizes;
    w->now = CAPY_SEC(1);
    w->reading_ticks = wire_reading_ticks();
    capy_switch_cfg_default(&cfg);
    cfg.mac = mac_of(WIRE_HOSTS);
    cfg.ip = ip_of(WIRE_HOSTS);
    cfg.tcpmig_port = TCPMIG_PORT;
    cfg.mig_port_first = MIG_PORT_FIRST;
    cfg.mig_port_cnt = MIG_PORT_CNT;
    cfg.key = (struct capy_key){3, 4};
    cfg.hash_key = (struct capy_key){5, 6};
    cfg.boot_id = 7;
    cfg.levels = 4; /* two levels of one slot refuse the first flow at some 8,000 of them */
    cfg.slots = SLOTS;
    cfg.port_cnt = WIRE_HOSTS;
    cfg.server_cnt = WIRE_CLIENT;
    for (unsigned i = 0; i < WIRE_HOSTS; i++)
        cfg.role[i] = i == WIRE_CLIENT ? CAPY_PORT_CLIENT : CAPY_PORT_SERVER;
    for (unsigned i = 0; i < WIRE_CLIENT; i++) {
        cfg.server[i].ip = ip_of(i);
        cfg.server[i].mac = mac_of(i);
        cfg.server[i].port = (uint16_t)i;
    }
    size_t size = capy_switch_size(&cfg);
    w->mem[WIRE_HOSTS] = aligned_alloc(64, (size + 63u) & ~(size_t)63u);
    CAPY_ASSERT(size > 0 && w->mem[WIRE_HOSTS]);
    w->plane = capy_switch_init(w->mem[WIRE_HOSTS], &cfg, w->now);
    for (unsigned host = 0; host < WIRE_HOSTS; host++)
        open_host(w, host);
    w->now += CAPY_SEC(2); /* past the switch's learning time */
}

void wire_close(struct wire *w)
{
    for (unsigned i = 0; i <= WIRE_HOSTS; i++)
        free(w->mem[i]);
}

/* ---- what callgrind counts, and the clock: of the servers ---- */

void wire_called(struct wire *w, unsigned host, uint64_t t0)
{
    uint64_t ticks = wire_ticks() - t0;
    w->ticks[host] += ticks > w->reading_ticks ? ticks - w->reading_ticks : 0;
    w->awake[host] = true;
}

BENCH_AS_WRITTEN void measured_input(struct capy_stack *s, const uint8_t *frame, size_t len,
                                     uint64_t now);
void measured_input(struct capy_stack *s, const uint8_t *frame, size_t len, uint64_t now)
{
    capy_stack_input(s, frame, len, now);
}

BENCH_AS_WRITTEN size_t measured_output(struct capy_stack *s, uint8_t *frame, uint64_t now);
size_t measured_output(struct capy_stack *s, uint8_t *frame, uint64_t now)
{
    return capy_stack_output(s, frame, now);
}

/* As a run loop begins its turn. False: nothing was due. */
BENCH_AS_WRITTEN bool measured_timers(struct capy_stack *s, uint64_t now);
bool measured_timers(struct capy_stack *s, uint64_t now)
{
    if (capy_stack_next_at(s) > now)
        return false;
    capy_stack_expire(s, now);
    return true;
}

static void deliver(struct wire *w, unsigned host, const uint8_t *frame, size_t len)
{
    if (w->cold && host != WIRE_CLIENT)
        cold_caches();
    uint64_t t0 = wire_ticks();
    if (host == WIRE_CLIENT)
        capy_stack_input(w->host[host], frame, len, w->now);
    else
        measured_input(w->host[host], frame, len, w->now);
    wire_called(w, host, t0);
}

static size_t next_frame(struct wire *w, unsigned host, uint8_t *frame)
{
    uint64_t t0 = wire_ticks();
    size_t len = host == WIRE_CLIENT ? capy_stack_output(w->host[host], frame, w->now)
                                     : measured_output(w->host[host], frame, w->now);
    wire_called(w, host, t0);
    return len;
}

/* Whose timers had nothing to do stays asleep. */
static void turn_begins(struct wire *w, unsigned host)
{
    bool was_awake = w->awake[host];
    uint64_t t0 = wire_ticks();
    bool fired = measured_timers(w->host[host], w->now);
    wire_called(w, host, t0);
    w->awake[host] = was_awake || fired;
}

/* ---- frames ---- */

/* One frame of a host through the switch to where it goes. False: the host was silent. */
static bool carry(struct wire *w, unsigned host)
{
    static uint8_t frame[CAPY_FRAME_MAX];
    static struct capy_switch_out out;
    size_t len = next_frame(w, host, frame);
    if (len == 0)
        return false;
    capy_switch_input(w->plane, (uint16_t)host, frame, len, w->now, &out);
    for (unsigned i = 0; i < out.cnt; i++)
        for (unsigned to = 0; to < WIRE_HOSTS; to++)
            if (out.frame[i].port == to || (out.frame[i].port == CAPY_PORT_FLOOD && to != host))
                deliver(w, to, out.frame[i].data, out.frame[i].len);
    return true;
}

void wire_settle(struct wire *w)
{
    bool busy = true;
    w->now += CAPY_US(1);
    if (w->now >= w->switch_at)
        w->switch_at = capy_switch_expire(w->plane, w->now);
    for (unsigned host = 0; host < WIRE_CLIENT; host++)
        turn_begins(w, host);
    capy_stack_expire(w->host[WIRE_CLIENT], w->now);
    w->awake[WIRE_CLIENT] = true;
    while (busy) {
        busy = false;
        for (unsigned host = 0; host < WIRE_HOSTS; host++) {
            while (w->awake[host] && carry(w, host))
                busy = true;
            w->awake[host] = false;
        }
    }
}
