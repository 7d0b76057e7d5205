/* See rack.h. */
#include "rack.h"

#include "base/assert.h"
#include "wire/frame.h"
#include "wire/tcpmig.h"

enum { HOME = 0, HOME_PORT = 80, MEASURED_NET = 0x0a010000, UNKNOWN_NET = 0x0a020000 };
enum { FILLER_NET = 0x0b000000, PORT_FIRST = 1024, PORTS = 60000 };

static struct capy_mac mac_of(unsigned id)
{
    return (struct capy_mac){{0x02, 0xca, 10, 0, 0, (uint8_t)(id + 1)}};
}

/* Of a server by its number, of a client by its port; 200 is the switch. */
static struct capy_ip ip_of(unsigned id)
{
    return capy_ip_from_v4(0x0a000001u + id);
}

const char *rack_way_name(enum rack_way way)
{
    static const char *const name[RACK_WAYS] = {"forward", "miss", "miss_back", "hit_forward",
                                                "hit_reverse"};
    return name[way];
}

void rack_cfg(struct capy_switch_cfg *cfg, uint32_t levels, uint32_t slots)
{
    capy_switch_cfg_default(cfg);
    cfg->mac = mac_of(200);
    cfg->ip = ip_of(200);
    cfg->key = (struct capy_key){1, 2};
    cfg->hash_key = (struct capy_key){3, 4};
    cfg->levels = levels;
    cfg->slots = slots;
    cfg->lease_ns = CAPY_SEC(3600); /* nobody beats while it is measured */
    cfg->age_ns = CAPY_SEC(3600);
    cfg->learn_ns = 0;
    cfg->port_cnt = RACK_SERVERS + 2;
    cfg->server_cnt = RACK_SERVERS;
    for (uint16_t i = 0; i < RACK_SERVERS; i++) {
        cfg->role[i] = CAPY_PORT_SERVER;
        cfg->server[i].ip = ip_of(i);
        cfg->server[i].mac = mac_of(i);
        cfg->server[i].port = i;
    }
}

/* ---- frames that are measured ---- */

static void build_segment(struct rack_load *load, const struct capy_frame_to *to)
{
    static const uint8_t data[RACK_FRAME_LEN - 54] = {1};
    const struct capy_tcp_segment seg = {
        .flags = CAPY_TCP_ACK, .data = data, .data_len = sizeof data};
    size_t len = capy_frame_build_tcp(load->frame, to, &seg);
    CAPY_ASSERT(len == RACK_FRAME_LEN);
}

void rack_load(struct rack_load *load, const struct capy_switch_cfg *cfg, enum rack_way way)
{
    static const char *const counter[RACK_WAYS] = {"forwarded", "forwarded", "forwarded",
                                                   "rewritten_to_owner", "rewritten_from_owner"};
    const bool back = way == RACK_MISS_BACK || way == RACK_HIT_REVERSE;
    struct capy_frame_to to = {
        .dst_mac = cfg->server[HOME].mac,
        .src_mac = mac_of(RACK_CLIENT),
        .src = ip_of(RACK_CLIENT),
        .dst = cfg->server[HOME].ip,
        .src_port = PORT_FIRST,
        .dst_port = HOME_PORT,
    };
    if (back)
        to = (struct capy_frame_to){to.src_mac, to.dst_mac, to.dst, to.src, HOME_PORT,
                                    PORT_FIRST, 0,          0,      false,  0};
    *load = (struct rack_load){.ingress = back ? HOME : RACK_CLIENT,
                               .ip_at = back ? 30 : 26,
                               .port_at = back ? 36 : 34,
                               .counter = counter[way]};
    if (way == RACK_FORWARD) {
        to.dst_mac = mac_of(RACK_STATION);
        to.dst = ip_of(RACK_STATION);
        size_t len = capy_frame_build_udp(load->frame, &to, RACK_FRAME_LEN - CAPY_UDP_AT);
        CAPY_ASSERT(len == RACK_FRAME_LEN);
        return;
    }
    build_segment(load, &to);
}

void rack_set_flow(const struct rack_load *load, uint8_t *frame, struct rack_flow flow)
{
    __builtin_memcpy(frame + load->ip_at, &flow.ip, sizeof flow.ip);
    __builtin_memcpy(frame + load->port_at, &flow.port, sizeof flow.port);
}

/* ---- what the plane learns first ---- */

static void feed_message(const struct capy_switch_cfg *cfg, rack_feed *feed, void *plane,
                         uint16_t sender, const struct capy_mig_msg *msg, uint8_t *frame)
{
    const struct capy_frame_to to = {
        .dst_mac = cfg->mac,
        .src_mac = cfg->server[sender].mac,
        .src = cfg->server[sender].ip,
        .dst = cfg->ip,
        .src_port = cfg->tcpmig_port,
        .dst_port = cfg->tcpmig_port,
    };
    size_t len = capy_mig_build(frame + CAPY_UDP_AT, cfg->key, msg);
    feed(plane, sender, frame, capy_frame_build_udp(frame, &to, len));
}

void rack_begin(const struct capy_switch_cfg *cfg, rack_feed *feed, void *plane)
{
    uint8_t frame[CAPY_FRAME_MAX] = {0};
    const struct capy_frame_to station = {.dst_mac = cfg->server[HOME].mac,
                                          .src_mac = mac_of(RACK_STATION),
                                          .src = ip_of(RACK_STATION),
                                          .dst = cfg->server[HOME].ip};
    for (uint16_t i = 0; i < RACK_SERVERS; i++) {
        const struct capy_mig_heartbeat beat = {.free_cnt = 1000000, .incarnation = i + 1u};
        const struct capy_mig_msg msg = {.type = CAPY_MIG_HEARTBEAT,
                                         .origin = i,
                                         .target = CAPY_SERVER_ANY,
                                         .total = CAPY_MIG_HEARTBEAT_LEN,
                                         .length = CAPY_MIG_HEARTBEAT_LEN};
        capy_mig_heartbeat_store(frame + CAPY_UDP_AT + CAPY_MIG_HEADER_LEN, &beat);
        feed_message(cfg, feed, plane, i, &msg, frame);
    }
    feed(plane, RACK_STATION, frame, capy_frame_build_udp(frame, &station, 22));
    struct rack_load client;
    rack_load(&client, cfg, RACK_FORWARD); /* its station, too, is known */
    feed(plane, RACK_CLIENT, client.frame, sizeof client.frame);
}

static struct rack_flow flow_of(uint32_t net, uint32_t n)
{
    return (struct rack_flow){__builtin_bswap32(net + 1 + n / PORTS),
                              __builtin_bswap16((uint16_t)(PORT_FIRST + n % PORTS)), 0};
}

struct rack_flow rack_flow_measured(uint32_t n)
{
    return flow_of(MEASURED_NET, n);
}

struct rack_flow rack_flow_unknown(uint32_t n)
{
    return flow_of(UNKNOWN_NET, n);
}

struct rack_flow rack_flow_filler(uint32_t n)
{
    return flow_of(FILLER_NET, n);
}

void rack_announce(const struct capy_switch_cfg *cfg, rack_feed *feed, void *plane,
                   struct rack_flow flow)
{
    uint8_t frame[CAPY_FRAME_MAX] = {0};
    const struct capy_mig_msg msg = {.type = CAPY_MIG_ANNOUNCE,
                                     .origin = HOME,
                                     .target = CAPY_SERVER_ANY,
                                     .epoch = 2,
                                     .target_port = HOME_PORT,
                                     .key = {capy_ip_from_v4(__builtin_bswap32(flow.ip)),
                                             cfg->server[HOME].ip, __builtin_bswap16(flow.port),
                                             HOME_PORT}};
    feed_message(cfg, feed, plane, HOME, &msg, frame);
}

uint32_t rack_flows_in(const struct capy_switch *view, struct rack_flow *flow, uint32_t max)
{
    uint32_t cnt = 0, cursor = 0;
    struct capy_switch_entry_info e;
    while (cnt < max && capy_switch_next_entry(view, &cursor, &e))
        if (capy_ip_v4(&e.key.client) >> 16 == MEASURED_NET >> 16)
            flow[cnt++] = (struct rack_flow){__builtin_bswap32(capy_ip_v4(&e.key.client)),
                                             __builtin_bswap16(e.key.client_port), 0};
    return cnt;
}
