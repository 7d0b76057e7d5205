/* IPv6 in wire's frame, build and rewrite: whole frames to values and back, every flaw by its name,
 * checksums after every rewrite right by a full sum. */
#include "frames6.h"

/* The pseudo-header written out as bytes, in front of a copy: RFC 8200 §8.1 to the letter. */
static void expect_good_checksum(const uint8_t *frame, size_t len, uint8_t protocol)
{
    static uint8_t p[40 + CAPY_FRAME_MAX];
    size_t l4_len = len - L4_AT;
    memcpy(p, frame + IP_AT + 8, 32);
    capy_store32(p + 32, (uint32_t)l4_len);
    capy_store32(p + 36, protocol);
    memcpy(p + 40, frame + L4_AT, l4_len);
    assert_int_equal(capy_sum_fold(capy_sum(0, p, 40 + l4_len)), 0xffff);
}

/* ---- whole frames ---- */

static void tcp_round_trip(void **state)
{
    (void)state;
    static const uint32_t data_len[] = {0, 1, 2, 3, 63, 64, 1428};
    for (size_t i = 0; i < sizeof data_len / sizeof data_len[0]; i++) {
        uint8_t frame[CAPY_FRAME_MAX];
        size_t len = tcp_frame(frame, data_len[i]);
        assert_int_equal(len, 14 + 40 + 32 + data_len[i]);
        expect_good_checksum(frame, len, 6);
        assert_int_equal(capy_load32(frame + IP_AT), 0x601abcdeu); /* ECN 1, the flow label */
        struct capy_packet p;
        assert_int_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_NONE);
        assert_int_equal(p.kind, CAPY_PACKET_TCP);
        struct capy_frame_to to = from_a_to_b();
        assert_true(capy_ip_eq(&p.src, &to.src) && capy_ip_eq(&p.dst, &to.dst));
        assert_true(capy_mac_eq(&p.dst_mac, &mac_b) && capy_mac_eq(&p.src_mac, &mac_a));
        assert_int_equal(p.src_port, 50000);
        assert_int_equal(p.dst_port, 80);
        assert_int_equal(p.ttl, 64);
        assert_int_equal(p.ecn, 1);
        assert_int_equal(p.tcp.seq.v, 0xfffffff0u);
        assert_int_equal(p.tcp.data_len, data_len[i]);
        assert_ptr_equal(p.tcp.data, frame + 86);
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
        assert_int_equal(len, CAPY_UDP_AT6 + data_len);
        expect_good_checksum(frame, len, 17);
        struct capy_packet p;
        assert_int_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_NONE);
        assert_int_equal(p.kind, CAPY_PACKET_UDP);
        assert_int_equal(p.udp.data_len, data_len);
        assert_ptr_equal(p.udp.data, frame + CAPY_UDP_AT6);
    }
}

/* RFC 8200 §8.1: a UDP checksum of zero must be discarded; a computed zero goes out as all ones. */
static void udp_must_have_a_checksum(void **state)
{
    (void)state;
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_packet p;
    struct capy_frame_to to = from_a_to_b();
    size_t zero_sums = 0, len = 0;
    for (uint32_t v = 0; v <= 0xffff; v++) {
        capy_store16(frame + CAPY_UDP_AT6, (uint16_t)v);
        len = capy_frame_build_udp(frame, &to, 2);
        uint16_t check = capy_load16(frame + L4_AT + 6);
        assert_int_not_equal(check, 0);
        zero_sums += check == 0xffff;
    }
    assert_true(zero_sums > 0);
    capy_store16(frame + L4_AT + 6, 0);
    assert_int_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_UDP_CHECKSUM);
}

/* RFC 3168 §5: every code point both ways. */
static void the_traffic_class_carries_ecn(void **state)
{
    (void)state;
    for (uint8_t ecn = 0; ecn < 4; ecn++) {
        uint8_t frame[CAPY_FRAME_MAX];
        struct capy_packet p;
        struct capy_frame_to to = from_a_to_b();
        to.ecn = ecn;
        to.flow_label = 0xfff00000u; /* only its 20 bits go out */
        size_t len = capy_frame_build_udp(frame, &to, 0);
        assert_int_equal(capy_load32(frame + IP_AT), 0x60000000u | (uint32_t)ecn << 20);
        frame[IP_AT] |= 0x0f;     /* any traffic class and flow label besides */
        frame[IP_AT + 1] |= 0xcf; /* whose low two bits stay */
        assert_int_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_NONE);
        assert_int_equal(p.ecn, ecn);
    }
}

static void echo_request_becomes_its_reply(void **state)
{
    (void)state;
    static const uint8_t pad[16] = {0, 1, 1, 12}; /* PadN */
    for (size_t data_len = 0; data_len < 70; data_len += 7) {
        uint8_t frame[CAPY_FRAME_MAX];
        struct capy_packet p;
        size_t bare = echo_frame(frame, data_len);
        size_t len = data_len % 2 ? insert(frame, bare, 60, pad, sizeof pad) : bare;
        frame[IP_AT + 7] = 3;
        assert_int_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_NONE);
        assert_int_equal(p.kind, CAPY_PACKET_ICMP6);
        assert_int_equal(p.icmp.type, 128);
        assert_int_equal(p.icmp.message_len, 8 + data_len);
        assert_int_equal(capy_frame_build_echo_reply(frame, len + 5), bare);
        expect_good_checksum(frame, bare, 58);
        assert_int_equal(capy_frame_parse(frame, bare, &p), CAPY_DROP_NONE);
        assert_int_equal(p.icmp.type, 129);
        assert_int_equal(p.ttl, 64);
        struct capy_frame_to to = from_a_to_b();
        assert_true(capy_ip_eq(&p.src, &to.dst) && capy_ip_eq(&p.dst, &to.src));
        assert_true(capy_mac_eq(&p.dst_mac, &mac_a) && capy_mac_eq(&p.src_mac, &mac_b));
        assert_int_equal(capy_load32(p.icmp.message + 4), 0x12340001u);
        for (size_t i = 0; i < data_len; i++)
            assert_int_equal(p.icmp.message[8 + i], (uint8_t)i);
    }
}

static void readdressed_frames_have_right_checksums(void **state)
{
    (void)state;
    struct capy_prng rng;
    capy_prng_seed(&rng, 1624);
    for (int i = 0; i < 3000; i++) {
        uint8_t frame[CAPY_FRAME_MAX];
        struct capy_packet p;
        struct capy_ip dst;
        size_t len = tcp_frame(frame, (uint32_t)capy_prng_below(&rng, 100));
        for (size_t b = 0; b < 16; b++) /* every third: edges of ones' complement */
            dst.b[b] = i % 3 ? (uint8_t)capy_prng_next(&rng) : (uint8_t)(i % 2 ? 0xff : 0);
        dst.b[0] = 0x20;
        uint16_t port = (uint16_t)capy_prng_next(&rng);
        assert_true(capy_frame_readdress(frame, len, &mac_c, &mac_b, &dst, port));
        expect_good_checksum(frame, len, 6);
        assert_int_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_NONE);
        assert_true(capy_ip_eq(&p.dst, &dst));
        assert_int_equal(p.dst_port, port);
        assert_int_equal(p.src_port, 50000);
        assert_int_equal(p.ttl, 63);
        assert_int_equal(capy_load32(frame + IP_AT), 0x601abcdeu); /* label and ECN are not ours */
        assert_true(capy_mac_eq(&p.dst_mac, &mac_c) && capy_mac_eq(&p.src_mac, &mac_b));
    }
}

static void readdressing_is_refused_with_the_frame_untouched(void **state)
{
    (void)state;
    struct capy_ip v4 = capy_ip_from_v4(5), v6 = ip6("2001:db8::5");
    uint8_t frame[CAPY_FRAME_MAX], before[CAPY_FRAME_MAX];

#define EXPECT_REFUSED(len, dst)                                                                   \
    do {                                                                                           \
        memcpy(before, frame, sizeof before);                                                      \
        assert_false(capy_frame_readdress(frame, len, &mac_c, &mac_b, dst, 9));                    \
        assert_memory_equal(frame, before, sizeof before);                                         \
    } while (0)

    memset(frame, 0, sizeof frame);
    size_t len = tcp_frame(frame, 9);
    EXPECT_REFUSED(len, &v4);
    EXPECT_REFUSED((size_t)L4_AT + 19, &v6);
    EXPECT_REFUSED((size_t)IP_AT + 39, &v6);
    EXPECT_REFUSED((size_t)0, &v6);
    frame[IP_AT + 7] = 1; /* the hop limit is spent */
    EXPECT_REFUSED(len, &v6);
    frame[IP_AT + 7] = 0;
    EXPECT_REFUSED(len, &v6);
    len = udp_frame(frame, 30);
    EXPECT_REFUSED(len, &v6);
#undef EXPECT_REFUSED
}

/* ---- drops ---- */

struct drop_case {
    const char *what;
    size_t (*build)(uint8_t *frame);
    size_t at;
    uint8_t value;
    enum capy_drop expect;
};

static const struct drop_case drop_cases[] = {
    {"IP version", build_tcp, IP_AT, 0x45, CAPY_DROP_IP_HEADER},
    {"length beyond frame", build_tcp, IP_AT + 5, 255, CAPY_DROP_SHORT},
    {"ICMP too short", build_echo, IP_AT + 5, 7, CAPY_DROP_ICMP},
    {"ICMP checksum", build_echo, L4_AT + 5, 0xee, CAPY_DROP_ICMP},
    {"ICMP pseudo-header", build_echo, IP_AT + 30, 0xee, CAPY_DROP_ICMP},
    {"UDP too short", build_udp, IP_AT + 5, 7, CAPY_DROP_UDP_HEADER},
    {"UDP length small", build_udp, L4_AT + 5, 7, CAPY_DROP_UDP_HEADER},
    {"UDP length big", build_udp, L4_AT + 5, 39, CAPY_DROP_UDP_HEADER},
    {"UDP checksum", build_udp, CAPY_UDP_AT6, 0xee, CAPY_DROP_UDP_CHECKSUM},
    {"UDP pseudo-header", build_udp, IP_AT + 39, 0xee, CAPY_DROP_UDP_CHECKSUM},
    {"TCP too short", build_tcp, IP_AT + 5, 19, CAPY_DROP_TCP_HEADER},
    {"TCP checksum", build_tcp, L4_AT + 40, 0xee, CAPY_DROP_TCP_CHECKSUM},
    {"TCP pseudo-header", build_tcp, IP_AT + 9, 0xee, CAPY_DROP_TCP_CHECKSUM},
};

static void every_flaw_has_its_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof drop_cases / sizeof drop_cases[0]; i++) {
        const struct drop_case *c = &drop_cases[i];
        uint8_t frame[CAPY_FRAME_MAX];
        struct capy_packet p;
        size_t len = c->build(frame);
        frame[c->at] = c->value;
        enum capy_drop got = capy_frame_parse(frame, len, &p);
        if (got != c->expect)
            fail_msg("%s: %s, not %s", c->what, capy_drop_name(got), capy_drop_name(c->expect));
    }
}

/* An IPv4-mapped address inside IPv6 would be taken for the IPv4 host of that address. */
static void mapped_addresses_are_dropped(void **state)
{
    (void)state;
    struct capy_ip mapped = capy_ip_from_v4(0x0a000001u);
    for (size_t at = 8; at <= 24; at += 16) {
        uint8_t frame[CAPY_FRAME_MAX];
        struct capy_packet p;
        size_t len = tcp_frame(frame, 0);
        memcpy(frame + IP_AT + at, mapped.b, 16);
        assert_int_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_IP_ADDRESS);
    }
}

static void truncation_at_every_length_is_short(void **state)
{
    (void)state;
    size_t (*const build[])(uint8_t *) = {build_tcp, build_udp, build_echo};
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

static void any_flipped_bit_of_what_is_checked_is_noticed(void **state)
{
    (void)state;
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_packet p;
    size_t len = build_tcp(frame);
    for (size_t bit = (size_t)(IP_AT + 8) * 8; bit < len * 8; bit++) {
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
        cmocka_unit_test(udp_must_have_a_checksum),
        cmocka_unit_test(the_traffic_class_carries_ecn),
        cmocka_unit_test(echo_request_becomes_its_reply),
        cmocka_unit_test(readdressed_frames_have_right_checksums),
        cmocka_unit_test(readdressing_is_refused_with_the_frame_untouched),
        cmocka_unit_test(every_flaw_has_its_name),
        cmocka_unit_test(mapped_addresses_are_dropped),
        cmocka_unit_test(truncation_at_every_length_is_short),
        cmocka_unit_test(any_flipped_bit_of_what_is_checked_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
