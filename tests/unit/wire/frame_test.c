/* wire/frame: whole frames to values and back; every drop reason by name; truncation at every
 * length; checksums after every rewrite are right by a full sum, not by our own parser alone. */
#include "base/checksum.h"
#include "base/prng.h"
#include "wire/frame.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#define IP_AT CAPY_ETHER_LEN
#define L4_AT (CAPY_ETHER_LEN + CAPY_IPV4_LEN)

static const struct capy_mac mac_a = {{0x02, 0xca, 10, 0, 0, 1}};
static const struct capy_mac mac_b = {{0x02, 0xca, 10, 0, 0, 2}};
static const struct capy_mac mac_c = {{0x02, 0xca, 10, 0, 0, 3}};

static struct capy_frame_to from_a_to_b(void)
{
    return (struct capy_frame_to){
        .dst_mac = mac_b,
        .src_mac = mac_a,
        .src = capy_ip_from_v4(0x0a000001u),
        .dst = capy_ip_from_v4(0xc0a8fffeu),
        .src_port = 50000,
        .dst_port = 80,
        .ecn = 2,
    };
}

static size_t tcp_frame(uint8_t *frame, uint32_t data_len)
{
    static uint8_t data[1460];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 31 + 7);
    struct capy_frame_to to = from_a_to_b();
    struct capy_tcp_segment seg = {
        .seq = {0xfffffff0u},
        .ack = {0x12345678u},
        .flags = CAPY_TCP_ACK | CAPY_TCP_PSH,
        .window = 65535,
        .opts = CAPY_TCP_OPT_TS,
        .ts_val = 1,
        .ts_ecr = 2,
        .data = data,
        .data_len = data_len,
    };
    return capy_frame_build_tcp(frame, &to, &seg);
}

static size_t udp_frame(uint8_t *frame, size_t data_len)
{
    struct capy_frame_to to = from_a_to_b();
    for (size_t i = 0; i < data_len; i++)
        frame[CAPY_UDP_AT + i] = (uint8_t)i;
    return capy_frame_build_udp(frame, &to, data_len);
}

static void fix_ip_checksum(uint8_t *frame)
{
    size_t len = (size_t)(frame[IP_AT] & 15) * 4;
    capy_store16(frame + IP_AT + 10, 0);
    capy_store16(frame + IP_AT + 10, capy_sum_finish(capy_sum(0, frame + IP_AT, len)));
}

/* An echo request with data_len bytes of data, made from a UDP frame's IP header. */
static size_t echo_frame(uint8_t *frame, size_t data_len)
{
    size_t len = udp_frame(frame, data_len);
    uint8_t *icmp = frame + L4_AT;
    frame[IP_AT + 9] = 1;
    fix_ip_checksum(frame);
    static const uint8_t head[8] = {8, 0, 0, 0, 0x12, 0x34, 0, 1};
    memcpy(icmp, head, sizeof head);
    capy_store16(icmp + 2, capy_sum_finish(capy_sum(0, icmp, 8 + data_len)));
    return len;
}

static void expect_good_ip_checksum(const uint8_t *frame)
{
    size_t len = (size_t)(frame[IP_AT] & 15) * 4;
    assert_int_equal(capy_sum_fold(capy_sum(0, frame + IP_AT, len)), 0xffff);
}

/* The pseudo-header written out as bytes, in front of a copy: RFC 9293 §3.1 to the letter. */
static void expect_good_transport_checksum(const uint8_t *frame, size_t len)
{
    static uint8_t p[12 + CAPY_FRAME_MAX];
    size_t header_len = (size_t)(frame[IP_AT] & 15) * 4;
    size_t l4_len = len - IP_AT - header_len;
    memcpy(p, frame + IP_AT + 12, 8);
    p[8] = 0;
    p[9] = frame[IP_AT + 9];
    capy_store16(p + 10, (uint16_t)l4_len);
    memcpy(p + 12, frame + IP_AT + header_len, l4_len);
    assert_int_equal(capy_sum_fold(capy_sum(0, p, 12 + l4_len)), 0xffff);
}

static void tcp_round_trip(void **state)
{
    (void)state;
    static const uint32_t data_len[] = {0, 1, 2, 3, 63, 64, 1448};
    for (size_t i = 0; i < sizeof data_len / sizeof data_len[0]; i++) {
        uint8_t frame[CAPY_FRAME_MAX];
        size_t len = tcp_frame(frame, data_len[i]);
        assert_int_equal(len, 14 + 20 + 32 + data_len[i]);
        expect_good_ip_checksum(frame);
        expect_good_transport_checksum(frame, len);
        assert_int_equal(capy_load16(frame + IP_AT + 6), 0x4000); /* DF */

        struct capy_packet p;
        assert_int_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_NONE);
        assert_int_equal(p.kind, CAPY_PACKET_TCP);
        assert_true(capy_mac_eq(&p.dst_mac, &mac_b));
        assert_true(capy_mac_eq(&p.src_mac, &mac_a));
        assert_int_equal(capy_ip_v4(&p.src), 0x0a000001u);
        assert_int_equal(capy_ip_v4(&p.dst), 0xc0a8fffeu);
        assert_true(capy_ip_is_v4(&p.src) && capy_ip_is_v4(&p.dst));
        assert_int_equal(p.src_port, 50000);
        assert_int_equal(p.dst_port, 80);
        assert_int_equal(p.ttl, 64);
        assert_int_equal(p.ecn, 2);
        assert_int_equal(p.tcp.seq.v, 0xfffffff0u);
        assert_int_equal(p.tcp.ts_ecr, 2);
        assert_int_equal(p.tcp.data_len, data_len[i]);
        assert_ptr_equal(p.tcp.data, frame + 66);
        for (uint32_t b = 0; b < data_len[i]; b++)
            assert_int_equal(p.tcp.data[b], (uint8_t)(b * 31 + 7));
    }
}

static void tcp_data_may_lie_in_place_already(void **state)
{
    (void)state;
    uint8_t copied[CAPY_FRAME_MAX], placed[CAPY_FRAME_MAX];
    struct capy_frame_to to = from_a_to_b();
    static const uint8_t data[] = {1, 2, 3, 4, 5};
    struct capy_tcp_segment seg = {.flags = CAPY_TCP_ACK, .data = data, .data_len = sizeof data};
    size_t len = capy_frame_build_tcp(copied, &to, &seg);
    memcpy(placed + capy_frame_tcp_data_at(&to, &seg), data, sizeof data);
    seg.data = NULL;
    assert_int_equal(capy_frame_build_tcp(placed, &to, &seg), len);
    assert_memory_equal(copied, placed, len);
}

static void udp_round_trip(void **state)
{
    (void)state;
    for (size_t data_len = 0; data_len < 100; data_len++) {
        uint8_t frame[CAPY_FRAME_MAX];
        size_t len = udp_frame(frame, data_len);
        assert_int_equal(len, CAPY_UDP_AT + data_len);
        expect_good_ip_checksum(frame);
        expect_good_transport_checksum(frame, len);
        struct capy_packet p;
        assert_int_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_NONE);
        assert_int_equal(p.kind, CAPY_PACKET_UDP);
        assert_int_equal(p.src_port, 50000);
        assert_int_equal(p.dst_port, 80);
        assert_int_equal(p.udp.data_len, data_len);
        assert_ptr_equal(p.udp.data, frame + CAPY_UDP_AT);
    }
}

/* RFC 768: a computed checksum of zero goes out as all ones; zero means there is none. */
static void udp_checksum_zero_is_absent(void **state)
{
    (void)state;
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_packet p;
    struct capy_frame_to to = from_a_to_b();
    size_t zero_sums = 0;
    for (uint32_t v = 0; v <= 0xffff; v++) {
        capy_store16(frame + CAPY_UDP_AT, (uint16_t)v);
        capy_frame_build_udp(frame, &to, 2);
        uint16_t check = capy_load16(frame + L4_AT + 6);
        assert_int_not_equal(check, 0);
        zero_sums += check == 0xffff;
    }
    assert_true(zero_sums > 0);

    size_t len = udp_frame(frame, 10);
    capy_store16(frame + L4_AT + 6, 0);
    frame[CAPY_UDP_AT] ^= 0xff;
    assert_int_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_NONE);
}

static void udp_may_be_shorter_than_ip_carries(void **state)
{
    (void)state;
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_packet p;
    size_t len = udp_frame(frame, 10);
    capy_store16(frame + IP_AT + 2, (uint16_t)(len - IP_AT + 6));
    fix_ip_checksum(frame);
    assert_int_equal(capy_frame_parse(frame, len + 6, &p), CAPY_DROP_NONE);
    assert_int_equal(p.udp.data_len, 10);
}

static void ethernet_padding_is_ignored(void **state)
{
    (void)state;
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_packet p;
    size_t len = udp_frame(frame, 3);
    memset(frame + len, 0xee, CAPY_FRAME_MIN - len);
    assert_int_equal(capy_frame_parse(frame, CAPY_FRAME_MIN, &p), CAPY_DROP_NONE);
    assert_int_equal(p.udp.data_len, 3);
}

static void ip_options_are_skipped(void **state)
{
    (void)state;
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_packet p;
    size_t len = tcp_frame(frame, 20);
    memmove(frame + L4_AT + 4, frame + L4_AT, len - L4_AT);
    memset(frame + L4_AT, 1, 4);
    frame[IP_AT] = 0x46;
    capy_store16(frame + IP_AT + 2, (uint16_t)(len + 4 - IP_AT));
    fix_ip_checksum(frame);
    assert_int_equal(capy_frame_parse(frame, len + 4, &p), CAPY_DROP_NONE);
    assert_int_equal(p.tcp.data_len, 20);

    struct capy_ip dst = capy_ip_from_v4(0x0a0000ffu);
    assert_true(capy_frame_readdress(frame, len + 4, &mac_c, &mac_a, &dst, 61440));
    assert_int_equal(capy_frame_parse(frame, len + 4, &p), CAPY_DROP_NONE);
    assert_int_equal(p.dst_port, 61440);
}

static void arp_passes_through(void **state)
{
    (void)state;
    uint8_t frame[CAPY_FRAME_MIN] = {0};
    struct capy_packet p;
    struct capy_arp arp = {CAPY_ARP_REPLY, mac_a, mac_b, capy_ip_from_v4(1), capy_ip_from_v4(2)};
    capy_arp_build(frame, &mac_b, &arp);
    assert_int_equal(capy_frame_parse(frame, sizeof frame, &p), CAPY_DROP_NONE);
    assert_int_equal(p.kind, CAPY_PACKET_ARP);
    assert_int_equal(p.arp.op, CAPY_ARP_REPLY);
    assert_true(capy_mac_eq(&p.arp.target_mac, &mac_b));
    assert_true(capy_mac_eq(&p.src_mac, &mac_a));
}

static void echo_request_becomes_its_reply(void **state)
{
    (void)state;
    for (size_t data_len = 0; data_len < 70; data_len += 7) {
        uint8_t frame[CAPY_FRAME_MAX];
        struct capy_packet p;
        size_t len = echo_frame(frame, data_len);
        frame[IP_AT + 8] = 3;
        fix_ip_checksum(frame);
        assert_int_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_NONE);
        assert_int_equal(p.kind, CAPY_PACKET_ICMP);
        assert_int_equal(p.icmp.type, 8);
        assert_int_equal(p.icmp.message_len, 8 + data_len);

        /* Ethernet's padding is not part of the reply. */
        assert_int_equal(capy_frame_build_echo_reply(frame, len + 5), len);
        assert_int_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_NONE);
        assert_int_equal(p.icmp.type, 0);
        assert_int_equal(p.ttl, 64);
        assert_true(capy_mac_eq(&p.dst_mac, &mac_a));
        assert_true(capy_mac_eq(&p.src_mac, &mac_b));
        assert_int_equal(capy_ip_v4(&p.src), 0xc0a8fffeu);
        assert_int_equal(capy_ip_v4(&p.dst), 0x0a000001u);
        assert_int_equal(capy_load32(p.icmp.message + 4), 0x12340001u);
    }
}

static void readdressed_frames_have_right_checksums(void **state)
{
    (void)state;
    struct capy_prng rng;
    capy_prng_seed(&rng, 1624);
    static const uint32_t edge[] = {0, 1, 0xffff, 0x10000, 0xffff0000u, 0xffffffffu};
    for (int i = 0; i < 3000; i++) {
        uint8_t frame[CAPY_FRAME_MAX];
        struct capy_packet p;
        size_t len = tcp_frame(frame, (uint32_t)capy_prng_below(&rng, 100));
        uint32_t v4 = i % 2 ? edge[i / 2 % 6] : (uint32_t)capy_prng_next(&rng);
        uint16_t port = i % 3 ? (uint16_t)capy_prng_next(&rng) : (uint16_t)edge[i % 4];
        struct capy_ip dst = capy_ip_from_v4(v4);
        assert_true(capy_frame_readdress(frame, len, &mac_c, &mac_b, &dst, port));
        expect_good_ip_checksum(frame);
        expect_good_transport_checksum(frame, len);
        assert_int_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_NONE);
        assert_int_equal(capy_ip_v4(&p.dst), v4);
        assert_int_equal(capy_ip_v4(&p.src), 0x0a000001u);
        assert_int_equal(p.dst_port, port);
        assert_int_equal(p.src_port, 50000);
        assert_int_equal(p.ttl, 63);
        assert_true(capy_mac_eq(&p.dst_mac, &mac_c));
        assert_true(capy_mac_eq(&p.src_mac, &mac_b));
    }
}

/* RFC 3168 §5.3, RFC 2474: what the network wrote into the frame goes on with it, of both versions. */
static void readdressing_keeps_the_traffic_class(void **state)
{
    (void)state;
    const struct capy_ip v4 = capy_ip_from_v4(0x0a000007u), v6 = {{0x20, 0x01, [15] = 7}};
    for (unsigned n = 0; n < 512; n++) {
        bool ipv6 = n >= 256;
        struct capy_packet p;
        uint8_t frame[CAPY_FRAME_MAX];
        const struct capy_ip *dst = ipv6 ? &v6 : &v4;
        struct capy_frame_to to = {.src = *dst, .dst = *dst, .flow_label = ipv6 ? 0x12345 : 0};
        to.src.b[15] = 9;
        const struct capy_tcp_segment seg = {.flags = CAPY_TCP_ACK | CAPY_TCP_CWR};
        size_t len = capy_frame_build_tcp(frame, &to, &seg);
        uint32_t word = capy_load32(frame + IP_AT) | (n & 255u) << (ipv6 ? 20 : 16);
        if (!ipv6)
            capy_store16(frame + IP_AT + 10, capy_checksum_update16(capy_load16(frame + IP_AT + 10),
                                                                    capy_load16(frame + IP_AT),
                                                                    (uint16_t)(word >> 16)));
        capy_store32(frame + IP_AT, word);
        assert_true(capy_frame_readdress(frame, len, &mac_c, &mac_b, dst, 61440));
        assert_int_equal(capy_load32(frame + IP_AT), word);
        assert_int_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_NONE);
        assert_int_equal(p.ecn, n & 3u);
        assert_int_equal(p.tcp.flags, CAPY_TCP_ACK | CAPY_TCP_CWR);
    }
}

static void readdressing_is_refused_with_the_frame_untouched(void **state)
{
    (void)state;
    struct capy_ip v4 = capy_ip_from_v4(5), v6 = {{0x20, 0x01}};
    uint8_t frame[CAPY_FRAME_MAX], before[CAPY_FRAME_MAX];

#define EXPECT_REFUSED(len, dst)                                                                   \
    do {                                                                                           \
        memcpy(before, frame, sizeof before);                                                      \
        assert_false(capy_frame_readdress(frame, len, &mac_c, &mac_b, dst, 9));                    \
        assert_memory_equal(frame, before, sizeof before);                                         \
    } while (0)

    memset(frame, 0, sizeof frame);
    size_t len = tcp_frame(frame, 9);
    EXPECT_REFUSED(len, &v6);
    EXPECT_REFUSED((size_t)L4_AT + 19, &v4);
    EXPECT_REFUSED((size_t)IP_AT + 19, &v4);
    EXPECT_REFUSED((size_t)0, &v4);
    frame[IP_AT + 8] = 1; /* the TTL is spent */
    EXPECT_REFUSED(len, &v4);
    frame[IP_AT + 8] = 0;
    EXPECT_REFUSED(len, &v4);
    udp_frame(frame, 30);
    EXPECT_REFUSED(len, &v4);
    tcp_frame(frame, 9);
    capy_store16(frame + 12, CAPY_ETHERTYPE_IPV6);
    EXPECT_REFUSED(len, &v4);
#undef EXPECT_REFUSED
}

/* One changed frame per reason; fix: make the IP checksum right again. */
struct drop_case {
    const char *what;
    size_t (*build)(uint8_t *frame);
    size_t at;
    uint8_t value;
    bool fix;
    enum capy_drop expect;
};

static size_t build_tcp(uint8_t *frame)
{
    return tcp_frame(frame, 30);
}

static size_t build_udp(uint8_t *frame)
{
    return udp_frame(frame, 30);
}

static size_t build_echo(uint8_t *frame)
{
    return echo_frame(frame, 30);
}

static size_t build_arp(uint8_t *frame)
{
    struct capy_arp arp = {CAPY_ARP_REPLY, mac_a, mac_b, capy_ip_from_v4(1), capy_ip_from_v4(2)};
    return capy_arp_build(frame, &mac_b, &arp);
}

/* Byte 13 of the TCP header holds the data offset; with its own checksum made right. */
static size_t build_tcp_bad_offset(uint8_t *frame)
{
    size_t len = tcp_frame(frame, 30);
    uint8_t *check = frame + L4_AT + 16, *word = frame + L4_AT + 12;
    uint16_t bad = (uint16_t)(0x4000 | word[1]);
    capy_store16(check, capy_checksum_update16(capy_load16(check), capy_load16(word), bad));
    capy_store16(word, bad);
    return len;
}

static const struct drop_case drop_cases[] = {
    {"unknown ethertype", build_tcp, 12, 0x99, false, CAPY_DROP_ETHERTYPE},
    {"ARP hardware", build_arp, IP_AT, 9, false, CAPY_DROP_ARP},
    {"IP version", build_tcp, IP_AT, 0x65, true, CAPY_DROP_IP_HEADER},
    {"IP header length", build_tcp, IP_AT, 0x44, true, CAPY_DROP_IP_HEADER},
    {"total below header", build_tcp, IP_AT + 3, 19, true, CAPY_DROP_IP_HEADER},
    {"total beyond frame", build_tcp, IP_AT + 3, 255, true, CAPY_DROP_SHORT},
    {"IP checksum", build_tcp, IP_AT + 8, 65, false, CAPY_DROP_IP_CHECKSUM},
    {"more fragments", build_tcp, IP_AT + 6, 0x20, true, CAPY_DROP_IP_FRAGMENT},
    {"fragment offset", build_tcp, IP_AT + 7, 1, true, CAPY_DROP_IP_FRAGMENT},
    {"IP protocol", build_tcp, IP_AT + 9, 47, true, CAPY_DROP_PROTOCOL},
    {"ICMP too short", build_echo, IP_AT + 3, 27, true, CAPY_DROP_ICMP},
    {"ICMP checksum", build_echo, L4_AT + 5, 0xee, false, CAPY_DROP_ICMP},
    {"UDP too short", build_udp, IP_AT + 3, 27, true, CAPY_DROP_UDP_HEADER},
    {"UDP length small", build_udp, L4_AT + 5, 7, false, CAPY_DROP_UDP_HEADER},
    {"UDP length big", build_udp, L4_AT + 5, 39, false, CAPY_DROP_UDP_HEADER},
    {"UDP checksum", build_udp, CAPY_UDP_AT, 0xee, false, CAPY_DROP_UDP_CHECKSUM},
    {"UDP pseudo-header", build_udp, IP_AT + 19, 0xee, true, CAPY_DROP_UDP_CHECKSUM},
    {"TCP too short", build_tcp, IP_AT + 3, 39, true, CAPY_DROP_TCP_HEADER},
    {"TCP data offset", build_tcp_bad_offset, IP_AT + 8, 64, true, CAPY_DROP_TCP_HEADER},
    {"TCP checksum", build_tcp, L4_AT + 40, 0xee, false, CAPY_DROP_TCP_CHECKSUM},
    {"TCP pseudo-header", build_tcp, IP_AT + 12, 0xee, true, CAPY_DROP_TCP_CHECKSUM},
};

static void every_reason_is_reached(void **state)
{
    (void)state;
    bool reached[CAPY_DROP_CNT] = {[CAPY_DROP_NONE] = true};
    static const enum capy_drop of_ipv6[] = {CAPY_DROP_IP_ADDRESS, CAPY_DROP_IP_EXTENSION,
                                             CAPY_DROP_IP_OPTION, CAPY_DROP_IP_ROUTING};
    for (size_t i = 0; i < sizeof of_ipv6 / sizeof of_ipv6[0]; i++)
        reached[of_ipv6[i]] = true; /* by ipv6_test.c */
    for (size_t i = 0; i < sizeof drop_cases / sizeof drop_cases[0]; i++) {
        const struct drop_case *c = &drop_cases[i];
        uint8_t frame[CAPY_FRAME_MAX];
        struct capy_packet p;
        size_t len = c->build(frame);
        frame[c->at] = c->value;
        if (c->fix)
            fix_ip_checksum(frame);
        enum capy_drop got = capy_frame_parse(frame, len, &p);
        if (got != c->expect)
            fail_msg("%s: %s, not %s", c->what, capy_drop_name(got), capy_drop_name(c->expect));
        reached[got] = true;
    }
    for (unsigned d = 0; d < CAPY_DROP_CNT; d++)
        if (!reached[d])
            fail_msg("no case reaches %s", capy_drop_name((enum capy_drop)d));
}

static void truncation_at_every_length_is_short(void **state)
{
    (void)state;
    size_t (*const build[])(uint8_t *) = {build_tcp, build_udp, build_echo, build_arp};
    for (size_t b = 0; b < sizeof build / sizeof build[0]; b++) {
        uint8_t frame[CAPY_FRAME_MAX];
        size_t full = build[b](frame);
        for (size_t len = 0; len < full; len++) {
            uint8_t *cut = malloc(len + 1); /* ends exactly, for the address sanitizer */
            assert_non_null(cut);
            memcpy(cut + 1, frame, len);
            struct capy_packet p;
            assert_int_equal(capy_frame_parse(cut + 1, len, &p), CAPY_DROP_SHORT);
            free(cut);
        }
    }
}

/* Shorter and shorter IP packets, each with a right IP header: the transport's own checks. */
static void ip_truncation_never_reads_outside(void **state)
{
    (void)state;
    size_t (*const build[])(uint8_t *) = {build_tcp, build_udp, build_echo};
    for (size_t b = 0; b < sizeof build / sizeof build[0]; b++) {
        uint8_t frame[CAPY_FRAME_MAX];
        size_t full = build[b](frame);
        for (size_t len = L4_AT; len < full; len++) {
            uint8_t *cut = malloc(len);
            assert_non_null(cut);
            memcpy(cut, frame, len);
            capy_store16(cut + IP_AT + 2, (uint16_t)(len - IP_AT));
            fix_ip_checksum(cut);
            struct capy_packet p;
            enum capy_drop got = capy_frame_parse(cut, len, &p);
            static const enum capy_drop early[] = {CAPY_DROP_TCP_HEADER, CAPY_DROP_UDP_HEADER,
                                                   CAPY_DROP_ICMP};
            static const enum capy_drop late[] = {CAPY_DROP_TCP_CHECKSUM, CAPY_DROP_UDP_HEADER,
                                                  CAPY_DROP_ICMP};
            assert_int_equal(got, len - L4_AT < 20 ? early[b] : late[b]);
            free(cut);
        }
    }
}

static void random_bytes_never_read_outside(void **state)
{
    (void)state;
    struct capy_prng rng;
    capy_prng_seed(&rng, 8);
    for (int i = 0; i < 20000; i++) {
        uint8_t frame[CAPY_FRAME_MAX];
        size_t full = i % 2 ? build_tcp(frame) : build_udp(frame);
        size_t len = capy_prng_below(&rng, full + 1);
        uint8_t *cut = malloc(len + 1);
        assert_non_null(cut);
        memcpy(cut + 1, frame, len);
        for (int n = 0; n < 3 && len > 0; n++)
            cut[1 + capy_prng_below(&rng, len)] = (uint8_t)capy_prng_next(&rng);
        if (len >= (size_t)L4_AT)
            cut[1 + IP_AT] = 0x45;
        if (len >= (size_t)L4_AT)
            fix_ip_checksum(cut + 1);
        struct capy_packet p;
        capy_frame_parse(cut + 1, len, &p);
        free(cut);
    }
}

static void any_flipped_bit_of_the_payload_is_noticed(void **state)
{
    (void)state;
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_packet p;
    size_t len = build_tcp(frame);
    for (size_t bit = (size_t)IP_AT * 8; bit < len * 8; bit++) {
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_NONE);
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_round_trip),
        cmocka_unit_test(tcp_data_may_lie_in_place_already),
        cmocka_unit_test(udp_round_trip),
        cmocka_unit_test(udp_checksum_zero_is_absent),
        cmocka_unit_test(udp_may_be_shorter_than_ip_carries),
        cmocka_unit_test(ethernet_padding_is_ignored),
        cmocka_unit_test(ip_options_are_skipped),
        cmocka_unit_test(arp_passes_through),
        cmocka_unit_test(echo_request_becomes_its_reply),
        cmocka_unit_test(readdressed_frames_have_right_checksums),
        cmocka_unit_test(readdressing_keeps_the_traffic_class),
        cmocka_unit_test(readdressing_is_refused_with_the_frame_untouched),
        cmocka_unit_test(every_reason_is_reached),
        cmocka_unit_test(truncation_at_every_length_is_short),
        cmocka_unit_test(ip_truncation_never_reads_outside),
        cmocka_unit_test(random_bytes_never_read_outside),
        cmocka_unit_test(any_flipped_bit_of_the_payload_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
