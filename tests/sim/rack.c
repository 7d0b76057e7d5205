/* See rack.h. One heap of frames under way; the next thing to happen is the earliest of a frame, a
 * host's timer, a restart and the switch's own clock. */
#include "rack.h"
#include <stdlib.h>
#include <string.h>

#define START_AT CAPY_SEC(10)
#define HOST_NONE CAPY_NEVER

static const struct capy_key rack_key = {0x1122334455667788u, 0x99aabbccddeeff00u};

#define HOST_TOR 253u

struct capy_ip sim_ip(unsigned host, bool ipv6)
{
    struct capy_ip six = {{0xfd, 0, [15] = (uint8_t)(1 + host)}};
    return ipv6 ? six : capy_ip_from_v4(0x0a000a01u + host);
}

static struct capy_mac sim_mac(unsigned host)
{
    return (struct capy_mac){{2, 0xca, 10, 0, 10, (uint8_t)(1 + host)}};
}

/* A member of the rack, as the others know it. */
static struct capy_stack_peer member(const struct sim_rack *r, unsigned host)
{
    struct capy_stack_peer p = {.ip = sim_ip(host, r->ipv6_only), .mac = sim_mac(host)};
    if (!r->ipv6_only)
        p.ip6 = sim_ip(host, true);
    return p;
}

static struct capy_ip prefix64(void)
{
    return (struct capy_ip){{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
}

/* ---- configuration ------------------------------------------------------------------------- */

/* One draw per statement: the order of evaluation within one is the compiler's, and a seed must
 * mean the same run everywhere. */
static struct capy_key some_key(struct sim_rack *r)
{
    uint64_t k0 = capy_prng_next(&r->rng);
    return (struct capy_key){k0, capy_prng_next(&r->rng)};
}

static void fill_host(struct sim_rack *r, unsigned h)
{
    struct capy_stack_cfg *c = &r->cfg[h];
    capy_stack_cfg_default(c);
    c->mac = sim_mac(h);
    bool alone = r->ipv6_only && h != SIM_CLIENT;
    c->ip = sim_ip(h, alone);
    c->netmask = alone ? prefix64() : capy_ip_from_v4(0xffffff00u);
    if (!alone)
        c->ip6 = sim_ip(h, true);
    c->prefix6_len = 64;
    c->conn_max = 256;
    c->block_cnt = 8192;
    c->migrate_max = 64;
    c->memory_max = 1024;
    c->tcp.time_wait_ns = CAPY_MS(200);
    c->hash_key = some_key(r);
    if (h == SIM_CLIENT)
        return;
    c->mig_port_first = SIM_MIG_PORT_FIRST;
    c->mig_port_cnt = SIM_MIG_PORT_CNT;
    c->self = (uint16_t)h;
    c->peer_cnt = SIM_SERVERS;
    for (unsigned i = 0; i < SIM_SERVERS; i++)
        c->peers[i] = member(r, i);
    c->tor = member(r, HOST_TOR);
    c->rack_key = rack_key;
    c->incarnation = (uint32_t)capy_prng_next(&r->rng);
    c->heartbeat_ns = CAPY_MS(5);
    c->announce_ns = CAPY_SEC(1);
}

static void fill_switch(struct sim_rack *r)
{
    struct capy_switch_cfg *c = &r->switch_cfg;
    capy_switch_cfg_default(c);
    const struct capy_stack_peer tor = member(r, HOST_TOR);
    c->mac = tor.mac;
    c->ip = tor.ip;
    c->ip6 = tor.ip6;
    c->tcpmig_port = r->cfg[0].tcpmig_port;
    c->mig_port_first = SIM_MIG_PORT_FIRST;
    c->mig_port_cnt = SIM_MIG_PORT_CNT;
    c->key = rack_key;
    c->hash_key = some_key(r);
    c->slots = 256;
    c->lease_ns = 3 * r->cfg[0].heartbeat_ns;
    c->learn_ns = CAPY_MS(50);
    c->linger_ns = CAPY_SEC(1);
    c->age_ns = 3 * r->cfg[0].announce_ns;
    c->boot_id = capy_prng_next(&r->rng) | 1;
    c->port_cnt = SIM_HOSTS;
    c->server_cnt = SIM_SERVERS;
    for (unsigned h = 0; h < SIM_SERVERS; h++) {
        c->role[h] = CAPY_PORT_SERVER;
        const struct capy_stack_peer server = member(r, h);
        c->server[h].ip = server.ip;
        c->server[h].ip6 = server.ip6;
        c->server[h].mac = server.mac;
        c->server[h].port = (uint16_t)h;
    }
    c->role[SIM_CLIENT] = CAPY_PORT_CLIENT;
}

void sim_init(struct sim_rack *r, uint64_t seed)
{
    sim_init_as(r, seed, seed % 3 == 0);
}

void sim_init_as(struct sim_rack *r, uint64_t seed, bool ipv6_only)
{
    memset(r, 0, sizeof *r);
    r->ipv6_only = ipv6_only;
    capy_prng_seed(&r->rng, seed);
    r->now = START_AT;
    r->delay_ns = CAPY_US(5);
    r->digest = 1;
    for (unsigned h = 0; h < SIM_HOSTS; h++) {
        fill_host(r, h);
        r->down_until[h] = HOST_NONE;
    }
    fill_switch(r);
}

/* ---- memory -------------------------------------------------------------------------------- */

static void *take(size_t size)
{
    void *mem = aligned_alloc(64, (size + 63) & ~(size_t)63);
    CAPY_ASSERT(mem && size > 0);
    return mem;
}

static void start_host(struct sim_rack *r, unsigned h)
{
    if (!r->host_mem[h])
        r->host_mem[h] = take(capy_stack_size(&r->cfg[h]));
    r->host[h] = capy_stack_init(r->host_mem[h], &r->cfg[h], r->now);
    r->down_until[h] = HOST_NONE;
    if (r->started)
        r->started(r, h, r->ctx);
    sim_flush(r, h);
}

void sim_start(struct sim_rack *r)
{
    struct capy_arena a = {NULL, 0};
    capy_pool_init(&r->frame_pool, &a, SIM_FRAMES_MAX);
    r->pool_mem = take(a.used);
    a = (struct capy_arena){r->pool_mem, 0};
    capy_pool_init(&r->frame_pool, &a, SIM_FRAMES_MAX);
    r->frames = take(SIM_FRAMES_MAX * sizeof *r->frames);
    r->heap = take(SIM_FRAMES_MAX * sizeof *r->heap);
    r->switch_mem = take(capy_switch_size(&r->switch_cfg));
    r->plane = capy_switch_init(r->switch_mem, &r->switch_cfg, r->now);
    r->switch_next_at = r->now;
    for (unsigned h = 0; h < SIM_HOSTS; h++)
        start_host(r, h);
}

void sim_free(struct sim_rack *r)
{
    for (unsigned h = 0; h < SIM_HOSTS; h++)
        free(r->host_mem[h]);
    free(r->switch_mem);
    free(r->frames);
    free(r->heap);
    free(r->pool_mem);
}

/* ---- frames under way ---------------------------------------------------------------------- */

static bool earlier(const struct sim_rack *r, uint32_t a, uint32_t b)
{
    const struct sim_frame *x = &r->frames[a], *y = &r->frames[b];
    return x->at != y->at ? x->at < y->at : x->order < y->order;
}

static void heap_push(struct sim_rack *r, uint32_t f)
{
    uint32_t i = r->heap_cnt++;
    while (i > 0 && earlier(r, f, r->heap[(i - 1) / 2])) {
        r->heap[i] = r->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    r->heap[i] = f;
}

static uint32_t heap_pop(struct sim_rack *r)
{
    uint32_t top = r->heap[0], last = r->heap[--r->heap_cnt], i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= r->heap_cnt)
            break;
        if (child + 1 < r->heap_cnt && earlier(r, r->heap[child + 1], r->heap[child]))
            child++;
        if (!earlier(r, r->heap[child], last))
            break;
        r->heap[i] = r->heap[child];
        i = child;
    }
    r->heap[i] = last;
    return top;
}

static void carry(struct sim_rack *r, unsigned link, bool to_switch, const uint8_t *data,
                  size_t len)
{
    uint32_t f = capy_pool_take(&r->frame_pool);
    if (f == CAPY_NONE) {
        r->overflowed++;
        return;
    }
    struct sim_frame *frame = &r->frames[f];
    uint64_t jitter = r->faults.jitter_ns > 0 ? capy_prng_below(&r->rng, r->faults.jitter_ns) : 0;
    frame->at = r->now + r->delay_ns + jitter;
    frame->order = r->order++;
    frame->link = (uint16_t)link;
    frame->to_switch = to_switch;
    frame->len = (uint16_t)len;
    memcpy(frame->data, data, len);
    heap_push(r, f);
}

/* Puts a frame on a link, as the faults allow. */
static void send(struct sim_rack *r, unsigned link, bool to_switch, const uint8_t *data, size_t len)
{
    r->sent++;
    if (capy_prng_chance(&r->rng, r->faults.loss_ppm)) {
        r->lost++;
        return;
    }
    carry(r, link, to_switch, data, len);
    if (capy_prng_chance(&r->rng, r->faults.repeat_ppm)) {
        r->repeated++;
        carry(r, link, to_switch, data, len);
    }
}

static bool runs(const struct sim_rack *r, unsigned host)
{
    return r->down_until[host] == HOST_NONE && r->stalled_until[host] <= r->now;
}

void sim_flush(struct sim_rack *r, unsigned host)
{
    uint8_t frame[CAPY_FRAME_MAX];
    size_t len;
    while (runs(r, host) && (len = capy_stack_output(r->host[host], frame, r->now)) > 0)
        send(r, host, true, frame, len);
}

static void through_switch(struct sim_rack *r, struct sim_frame *f)
{
    static struct capy_switch_out out;
    capy_switch_input(r->plane, f->link, f->data, f->len, r->now, &out);
    for (unsigned i = 0; i < out.cnt; i++) {
        if (out.frame[i].port != CAPY_PORT_FLOOD) {
            send(r, out.frame[i].port, false, out.frame[i].data, out.frame[i].len);
            continue;
        }
        for (unsigned h = 0; h < SIM_HOSTS; h++)
            if (h != f->link)
                send(r, h, false, out.frame[i].data, out.frame[i].len);
    }
}

/* FNV-1a over time and bytes: two runs with equal digests were the same run. */
static void digest(struct sim_rack *r, const struct sim_frame *f)
{
    uint64_t d = r->digest ^ f->at;
    for (unsigned i = 0; i < f->len; i++)
        d = (d ^ f->data[i]) * 0x100000001b3u;
    r->digest = d;
}

static void after(struct sim_rack *r, unsigned h)
{
    if (r->turn)
        r->turn(r, h, r->ctx);
    sim_flush(r, h);
}

/* A segment that a server's connection sent. */
static void check_label(struct sim_rack *r, const struct sim_frame *f)
{
    struct capy_packet p;
    if (f->to_switch || f->link != SIM_CLIENT ||
        capy_frame_parse(f->data, f->len, &p) != CAPY_DROP_NONE || p.kind != CAPY_PACKET_TCP ||
        capy_ip_is_v4(&p.src) || (p.tcp.flags & CAPY_TCP_RST))
        return;
    uint32_t label = capy_load32(f->data + CAPY_ETHER_LEN) & CAPY_FLOW_LABEL_MASK;
    uint16_t flow = p.dst_port ^ p.src_port; /* one of them is the same for all */
    if (p.tcp.flags & CAPY_TCP_SYN)
        r->label[flow] = label;
    CAPY_ASSERT(label == r->label[flow]);
}

static void deliver(struct sim_rack *r, uint32_t idx)
{
    struct sim_frame *f = &r->frames[idx];
    digest(r, f);
    check_label(r, f);
    if (f->to_switch) {
        through_switch(r, f);
    } else if (runs(r, f->link)) {
        capy_stack_input(r->host[f->link], f->data, f->len, r->now);
        after(r, f->link);
    }
    capy_pool_give(&r->frame_pool, idx);
}

/* ---- time ---------------------------------------------------------------------------------- */

static uint64_t next_at(const struct sim_rack *r)
{
    uint64_t at = r->heap_cnt > 0 ? r->frames[r->heap[0]].at : CAPY_NEVER;
    at = capy_min64(at, r->switch_next_at);
    for (unsigned h = 0; h < SIM_HOSTS; h++) {
        uint64_t own = r->down_until[h] != HOST_NONE
                           ? r->down_until[h]
                           : capy_max64(capy_stack_next_at(r->host[h]), r->stalled_until[h]);
        at = capy_min64(at, own);
    }
    return at;
}

static void step(struct sim_rack *r)
{
    while (r->heap_cnt > 0 && r->frames[r->heap[0]].at <= r->now)
        deliver(r, heap_pop(r));
    if (r->switch_next_at <= r->now)
        r->switch_next_at = capy_max64(capy_switch_expire(r->plane, r->now), r->now + 1);
    for (unsigned h = 0; h < SIM_HOSTS; h++) {
        if (r->down_until[h] != HOST_NONE) {
            if (r->down_until[h] <= r->now)
                start_host(r, h);
        } else if (runs(r, h) && capy_stack_next_at(r->host[h]) <= r->now) {
            capy_stack_expire(r->host[h], r->now);
            after(r, h);
        }
    }
}

void sim_run_until(struct sim_rack *r, uint64_t until)
{
    uint64_t at;
    while ((at = next_at(r)) <= until) {
        r->now = capy_max64(r->now, at);
        step(r);
    }
    r->now = until;
}

void sim_crash(struct sim_rack *r, unsigned host, uint64_t down_ns)
{
    r->down_until[host] = r->now + down_ns;
    r->cfg[host].incarnation = (uint32_t)capy_prng_next(&r->rng);
    r->cfg[host].hash_key = some_key(r);
}

void sim_stall(struct sim_rack *r, unsigned host, uint64_t stall_ns)
{
    r->stalled_until[host] = r->now + stall_ns;
}

void sim_reboot_switch(struct sim_rack *r)
{
    r->switch_cfg.boot_id = capy_prng_next(&r->rng) | 1;
    r->plane = capy_switch_init(r->switch_mem, &r->switch_cfg, r->now);
    r->switch_next_at = r->now;
}
