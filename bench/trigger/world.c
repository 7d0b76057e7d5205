/* The rack of a scene: library OSes, switch and client, joined by links in memory. */
#include "bench/trigger/world.h"
#include "switch/user/config.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINK_DEPTH 4096u
#define HASH_KEY ((struct capy_key){3, 4})

_Noreturn void world_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("trigger: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(1);
}

uint64_t world_exponential(struct world *w, uint64_t mean)
{
    double u = (double)(capy_prng_next(&w->rng) >> 11) * 0x1p-53;
    return (uint64_t)(-log1p(-u) * (double)mean);
}

static uint64_t world_clock(void *ctx)
{
    return ((struct world *)ctx)->now;
}

static struct capy_ip ip_of(unsigned host)
{
    return capy_ip_from_v4(0x0a630000u + host); /* 10.99.0.0/24 */
}

static void make_rack(struct world *w)
{
    const struct scene *s = w->scene;
    struct capy_rack *rack = &w->rack;
    capy_rack_default(rack);
    rack->key[0] = 1;
    rack->heartbeat_us = s->heartbeat_us;
    rack->lease_us = 3 * s->heartbeat_us;
    rack->learn_us = rack->lease_us;
    rack->directory_levels = 4;
    rack->directory_slots = 4096;
    rack->conn_max = 2 * SCENE_CONNECTIONS_MAX;
    rack->buffer_mib = 32;
    rack->memory_max = 4 * SCENE_CONNECTIONS_MAX;
    rack->load_threshold = s->threshold;
    rack->load_low = s->low;
    rack->load_patience_us = s->patience_us;
    rack->load_interval_us = s->interval_us;
    rack->load_cool_ms = s->cool_down_ms;
    rack->load_budget = s->budget;
    rack->server_cnt = s->servers;
    rack->client_port_cnt = 1;
    memcpy(rack->switch_ip, ip_of(1).b, 16);
    memcpy(rack->switch_mac, (uint8_t[]){2, 0xca, 0, 0, 0, 1}, 6);
    for (unsigned i = 0; i < s->servers; i++) {
        struct capy_rack_server *at = &rack->server[i];
        memcpy(at->ip, ip_of(11 + i).b, 16);
        memcpy(at->mac, (uint8_t[]){2, 0xca, 0, 0, 0, (uint8_t)(11 + i)}, 6);
        (void)snprintf(at->name, sizeof at->name, "s%u", i + 1);
    }
}

static void open_switch(struct world *w)
{
    struct capy_switch_cfg cfg;
    capy_plane_cfg(&w->rack, HASH_KEY, 7, &cfg);
    size_t size = capy_switch_size(&cfg);
    void *mem = size > 0 ? aligned_alloc(64, (size + 63u) & ~(size_t)63u) : NULL;
    if (!mem)
        world_fail("no memory for the switch");
    w->tor = capy_switch_init(mem, &cfg, w->now);
}

static void open_server(struct world *w, unsigned i)
{
    struct server *s = &w->server[i];
    struct capy_drv *mine;
    char err[256];
    if (capy_drv_link_pair(LINK_DEPTH, &mine, &s->wire) != CAPY_OK)
        world_fail("no memory for links");
    s->w = w;
    s->id = i;
    s->os = capy_open_with(mine, &w->rack, w->rack.server[i].name, world_clock, w, err, sizeof err);
    if (!s->os)
        world_fail("%s", err);
    server_open(s);
}

void world_open(struct world *w)
{
    w->now = CAPY_SEC(1);
    capy_prng_seed(&w->rng, w->scene->seed);
    make_rack(w);
    open_switch(w);
    for (unsigned i = 0; i < w->scene->servers; i++)
        open_server(w, i);
}

void world_close(struct world *w)
{
    for (unsigned i = 0; i < w->scene->servers; i++) {
        capy_close_os(w->server[i].os);
        w->server[i].wire->ops->close(w->server[i].wire);
    }
    client_close(w);
    free(w->tor);
}

static void to_server(struct server *s, const uint8_t *data, size_t len)
{
    struct capy_frame frame;
    if (s->wire->ops->reserve(s->wire, &frame, 1) != 1)
        return; /* its ring is full: lost, as on a device */
    memcpy(frame.data, data, len);
    frame.len = (uint32_t)len;
    s->wire->ops->submit(s->wire, &frame, 1);
    s->wire->ops->flush(s->wire);
}

void world_frame(struct world *w, unsigned from, uint8_t *data, size_t len)
{
    static struct capy_switch_out out;
    unsigned ports = w->scene->servers + 1; /* the last one is the client's */
    capy_switch_input(w->tor, (uint16_t)from, data, len, w->now, &out);
    for (unsigned k = 0; k < out.cnt; k++)
        for (unsigned port = 0; port < ports; port++) {
            bool flood = out.frame[k].port == CAPY_PORT_FLOOD && port != from;
            if (out.frame[k].port != port && !flood)
                continue;
            if (port + 1 == ports)
                capy_stack_input(w->client.stack, out.frame[k].data, out.frame[k].len, w->now);
            else
                to_server(&w->server[port], out.frame[k].data, out.frame[k].len);
        }
}
