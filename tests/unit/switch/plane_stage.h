/* The stage of the plane's tests: a booted switch, three servers, a client, and frames of every kind
 * fed to it and read back with all checksums verified. Servers 0, 1, 2 are .1, .2, .3 on ports 0..2,
 * the client is .200 on port 3, the switch .100, of 10.0.0.0/24 and of fd99:1:2:3::/64.
 *
 * There are three racks, and what holds in one holds in all: IPv4, IPv6, and IPv4 with second
 * addresses, where the clients' flows are IPv6 and TCPMig is IPv4. */
#ifndef CAPY_TESTS_SWITCH_PLANE_STAGE_H
#define CAPY_TESTS_SWITCH_PLANE_STAGE_H

#include "base/checksum.h"
#include "switch/core/plane.h"
#include "wire/addr6.h"
#include "wire/ipv6.h"
#include "wire/nd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SERVERS = 3, CLIENT_PORT = 3, TCPMIG = 10002, MIG_PORT = 61440 };

static const struct capy_key RACK_KEY = {11, 22};

struct stage {
    struct capy_switch_cfg cfg;
    struct capy_switch *sw;
    void *mem;
    uint64_t now;
    uint8_t ecn; /* of what tcp() sends */
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_switch_out out;
    struct capy_packet packet; /* out.frame[0], parsed: so its checksums are right */
};

enum rack_kind { RACK_IPV4, RACK_IPV6, RACK_BOTH };
static enum rack_kind rack_kind;

static inline struct capy_ip ip4(unsigned n)
{
    return capy_ip_from_v4(0x0a000000u + n);
}

static inline struct capy_ip ip6(unsigned n)
{
    return (struct capy_ip){
        {0xfd, 0x99, 0, 1, 0, 2, 0, 3, 0, 0, 0, 0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n}};
}

/* What clients and their flows use. */
static inline struct capy_ip ip(unsigned n)
{
    return rack_kind == RACK_IPV4 ? ip4(n) : ip6(n);
}

/* What TCPMig uses. */
static inline struct capy_ip primary(unsigned n)
{
    return rack_kind == RACK_IPV6 ? ip6(n) : ip4(n);
}

static inline size_t message_at(void)
{
    return rack_kind == RACK_IPV6 ? CAPY_UDP_AT6 : CAPY_UDP_AT;
}

static inline struct capy_mac mac(unsigned n)
{
    return (struct capy_mac){{2, 0xca, 10, 0, 0, (uint8_t)n}};
}

static inline struct capy_flow_key flow(uint16_t client_port)
{
    return (struct capy_flow_key){ip(200), ip(1), client_port, 80};
}

static inline uint64_t counter(const struct stage *s, const char *name)
{
    const char *n;
    uint64_t value;
    for (unsigned i = 0; (n = capy_switch_counter(s->sw, i, &value)) != NULL; i++)
        if (strcmp(n, name) == 0)
            return value;
    fail_msg("no counter %s", name);
    return 0;
}

static inline void input(struct stage *s, uint16_t port, size_t len)
{
    capy_switch_input(s->sw, port, s->frame, len, s->now, &s->out);
    if (s->out.cnt > 0)
        assert_int_equal(capy_frame_parse(s->out.frame[0].data, s->out.frame[0].len, &s->packet),
                         CAPY_DROP_NONE);
}

/* A message from a server (its id in from) as the servers send them. */
static inline void mig_via(struct stage *s, uint16_t port, unsigned from, struct capy_mig_msg msg,
                           const uint8_t *payload)
{
    const struct capy_frame_to to = {.dst_mac = mac(100),
                                     .src_mac = mac(from + 1),
                                     .src = primary(from + 1),
                                     .dst = primary(100),
                                     .src_port = TCPMIG,
                                     .dst_port = TCPMIG};
    if (payload)
        memcpy(s->frame + message_at() + CAPY_MIG_HEADER_LEN, payload, msg.length);
    size_t n = capy_mig_build(s->frame + message_at(), RACK_KEY, &msg);
    input(s, port, capy_frame_build_udp(s->frame, &to, n));
}

static inline void mig(struct stage *s, unsigned from, struct capy_mig_msg msg,
                       const uint8_t *payload)
{
    mig_via(s, (uint16_t)from, from, msg, payload);
}

/* The i-th frame that came out, as a message, and that it goes to this server. */
static inline struct capy_mig_msg got(struct stage *s, unsigned i, unsigned to)
{
    struct capy_packet p;
    struct capy_mig_msg m;
    struct capy_ip dst = primary(to + 1);
    struct capy_mac dst_mac = mac(to + 1);
    assert_true(i < s->out.cnt);
    assert_int_equal(s->out.frame[i].port, to);
    assert_int_equal(capy_frame_parse(s->out.frame[i].data, s->out.frame[i].len, &p),
                     CAPY_DROP_NONE);
    assert_true(capy_ip_eq(&p.dst, &dst) && capy_mac_eq(&p.dst_mac, &dst_mac));
    assert_int_equal(capy_mig_parse(p.udp.data, p.udp.data_len, RACK_KEY, &m), CAPY_MIG_GOOD);
    return m;
}

static inline void beat(struct stage *s, unsigned id, uint64_t incarnation, uint32_t load)
{
    uint8_t payload[CAPY_MIG_HEARTBEAT_LEN];
    const struct capy_mig_heartbeat h = {
        .load = load, .free_cnt = 100000, .conn_cnt = load, .incarnation = incarnation};
    capy_mig_heartbeat_store(payload, &h);
    mig(s, id,
        (struct capy_mig_msg){.type = CAPY_MIG_HEARTBEAT,
                              .origin = (uint16_t)id,
                              .target = CAPY_SERVER_ANY,
                              .mig_id = 4711,
                              .total = sizeof payload,
                              .length = sizeof payload},
        payload);
}

static inline void beats(struct stage *s)
{
    for (unsigned i = 0; i < SERVERS; i++)
        beat(s, i, 1, 0);
}

static inline void cfg_make(struct stage *s, uint32_t slots)
{
    memset(s, 0, sizeof *s);
    capy_switch_cfg_default(&s->cfg);
    s->cfg.mac = mac(100);
    s->cfg.ip = primary(100);
    if (rack_kind == RACK_BOTH)
        s->cfg.ip6 = ip6(100);
    s->cfg.key = RACK_KEY;
    s->cfg.slots = slots;
    s->cfg.port_cnt = CLIENT_PORT + 1;
    s->cfg.server_cnt = SERVERS;
    for (uint16_t i = 0; i < SERVERS; i++) {
        s->cfg.role[i] = CAPY_PORT_SERVER;
        s->cfg.server[i].ip = primary(i + 1u);
        if (rack_kind == RACK_BOTH)
            s->cfg.server[i].ip6 = ip6(i + 1u);
        s->cfg.server[i].mac = mac(i + 1u);
        s->cfg.server[i].port = i;
    }
}

static inline void start(struct stage *s)
{
    assert_true(capy_switch_size(&s->cfg) > 0);
    s->mem = aligned_alloc(64, (capy_switch_size(&s->cfg) + 63u) & ~(size_t)63u);
    s->sw = capy_switch_init(s->mem, &s->cfg, CAPY_SEC(1));
    s->now = CAPY_SEC(1) + s->cfg.learn_ns;
    beats(s);
}

static inline void boot(struct stage *s, uint32_t slots)
{
    cfg_make(s, slots);
    start(s);
}

static inline struct capy_mig_msg message(enum capy_mig_type type, uint16_t port, uint16_t origin,
                                          uint16_t target, uint32_t epoch)
{
    return (struct capy_mig_msg){.type = (uint8_t)type,
                                 .origin = origin,
                                 .target = target,
                                 .mig_id = 77,
                                 .epoch = epoch,
                                 .key = flow(port)};
}

static inline void grant(struct stage *s, uint16_t port, uint16_t origin, uint16_t target,
                         uint32_t epoch)
{
    struct capy_mig_msg m = message(CAPY_MIG_PREPARE_MIG_ACK, port, origin, target, epoch);
    m.target_port = target == 0 ? 80 : MIG_PORT;
    mig(s, target, m, NULL);
}

static inline void state(struct stage *s, uint16_t port, uint16_t origin, uint16_t target,
                         uint32_t epoch, bool last)
{
    const uint8_t bytes[16] = {1, 2, 3};
    struct capy_mig_msg m = message(CAPY_MIG_CONN_STATE, port, origin, target, epoch);
    m.total = last ? 16 : 32;
    m.length = 16;
    mig(s, origin, m, bytes);
}

/* The flow of this client port settled at server 1, epoch 1. */
static inline void settle(struct stage *s, uint16_t port)
{
    grant(s, port, 0, 1, 1);
    assert_int_equal(got(s, 0, 0).verdict, CAPY_VERDICT_OK);
    state(s, port, 0, 1, 1, true);
    assert_int_equal(got(s, 0, 1).phase, CAPY_PHASE_SETTLED);
}

static inline void tcp(struct stage *s, uint16_t in, unsigned src_mac, unsigned dst_mac,
                       unsigned src, uint16_t src_port, unsigned dst, uint16_t dst_port,
                       uint8_t flags)
{
    uint8_t data[5] = {9, 8, 7, 6, 5};
    const struct capy_frame_to to = {.dst_mac = mac(dst_mac),
                                     .src_mac = mac(src_mac),
                                     .src = ip(src),
                                     .dst = ip(dst),
                                     .src_port = src_port,
                                     .dst_port = dst_port,
                                     .ttl = 61,
                                     .ecn = s->ecn};
    const struct capy_tcp_segment seg = {.seq = {0xfffffff0u},
                                         .ack = {77},
                                         .window = 500,
                                         .flags = flags,
                                         .data = data,
                                         .data_len = flags & CAPY_TCP_SYN ? 0 : 5};
    input(s, in, capy_frame_build_tcp(s->frame, &to, &seg));
}

static inline void client_sends(struct stage *s, uint16_t port, uint8_t flags)
{
    tcp(s, CLIENT_PORT, 200, 1, 200, port, 1, 80, flags);
}

static inline void server_sends(struct stage *s, unsigned id, uint16_t src_port, uint16_t port,
                                uint8_t flags)
{
    tcp(s, (uint16_t)id, id + 1, 200, id + 1, src_port, 200, port, flags);
}

/* The client asks who has an address: by ARP, or by a neighbour solicitation of its group. */
static inline void ask(struct stage *s, uint16_t port, unsigned asks_for)
{
    if (rack_kind == RACK_IPV4) {
        const struct capy_mac all = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
        const struct capy_arp a = {.op = CAPY_ARP_REQUEST,
                                   .sender_mac = mac(200),
                                   .sender_ip = ip(200),
                                   .target_ip = ip(asks_for)};
        input(s, port, capy_arp_build(s->frame, &all, &a));
        return;
    }
    const struct capy_nd nd = {
        .type = CAPY_ND_SOLICIT, .has_mac = true, .target = ip(asks_for), .mac = mac(200)};
    const struct capy_ip group = capy_ip_solicited_node(&nd.target);
    const struct capy_frame_to to = {
        .dst_mac = capy_mac_of_group(&group), .src_mac = mac(200), .src = ip(200), .dst = group};
    input(s, port, capy_nd_build(s->frame, &to, &nd));
}

/* The MAC that the one answer to it names, which goes back to where the question came from. */
static inline struct capy_mac answered(struct stage *s, uint16_t port)
{
    struct capy_nd nd;
    struct capy_mac asker = mac(200);
    assert_int_equal(s->out.cnt, 1);
    assert_int_equal(s->out.frame[0].port, port);
    assert_true(capy_mac_eq(&s->packet.dst_mac, &asker));
    if (rack_kind == RACK_IPV4) {
        assert_int_equal(s->packet.arp.op, CAPY_ARP_REPLY);
        return s->packet.arp.sender_mac;
    }
    assert_int_equal(s->packet.kind, CAPY_PACKET_ICMP6);
    assert_true(capy_nd_parse(&s->packet, &nd));
    assert_int_equal(nd.type, CAPY_ND_ADVERT);
    assert_true(nd.has_mac && nd.solicited && !nd.router);
    return nd.mac;
}

/* An ICMP or ICMPv6 frame around a message whose checksum is filled in; its length. */
static inline size_t build_icmp(struct stage *s, const struct capy_frame_to *to,
                                const uint8_t *message, size_t len)
{
    enum { PROTOCOL_AT = 8 /* the word with TTL and protocol */, CHECK_AT = 10 };
    if (rack_kind != RACK_IPV4) {
        memcpy(s->frame + CAPY_ICMP6_AT, message, len);
        return capy_frame_build_icmp6(s->frame, to, len);
    }
    /* There is no builder for what no host of ours sends: a UDP frame is turned into it. */
    uint8_t *ip_at = s->frame + CAPY_ETHER_LEN, *icmp = ip_at + CAPY_IPV4_LEN;
    size_t frame_len = capy_frame_build_udp(s->frame, to, len - CAPY_UDP_LEN);
    memcpy(icmp, message, len);
    capy_store16(icmp + 2, capy_sum_finish(capy_sum(0, icmp, len)));
    uint16_t from = capy_load16(ip_at + PROTOCOL_AT), becomes = (uint16_t)((from & 0xff00u) | 1u);
    capy_store16(ip_at + CHECK_AT,
                 capy_checksum_update16(capy_load16(ip_at + CHECK_AT), from, becomes));
    capy_store16(ip_at + PROTOCOL_AT, becomes);
    return frame_len;
}

static inline bool out_is(const struct stage *s, uint16_t egress, unsigned src, uint16_t src_port,
                          unsigned dst, uint16_t dst_port)
{
    struct capy_ip a = ip(src), b = ip(dst);
    return s->out.cnt == 1 && s->out.frame[0].port == egress && capy_ip_eq(&s->packet.src, &a) &&
           capy_ip_eq(&s->packet.dst, &b) && s->packet.src_port == src_port &&
           s->packet.dst_port == dst_port;
}

static inline void shut(struct stage *s)
{
    free(s->mem);
}

#endif
