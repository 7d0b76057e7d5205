/* wire/udp_inlet: takes what comes to it, and nothing that the general parser would not take alike. */
#include "base/checksum.h"
#include "base/prng.h"
#include "wire/udp_inlet.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { PORT = 10000, DATA_MAX = 1448, IP_AT = 14, UDP_AT = 34, PADDING = 18 };

static const struct capy_mac ours = {{2, 0xca, 0, 0, 0, 1}};

static struct capy_frame_to way_here(void)
{
    return (struct capy_frame_to){
        .dst_mac = ours,
        .src_mac = {{2, 0xca, 0, 0, 0, 0xff}},
        .src = capy_ip_from_v4(0x0a630004u),
        .dst = capy_ip_from_v4(0xfffefdfcu),
        .src_port = PORT,
        .dst_port = PORT,
        .ecn = 2,
    };
}

static struct capy_udp_inlet inlet(void)
{
    struct capy_udp_inlet in;
    struct capy_frame_to to = way_here();
    capy_udp_inlet_init(&in, &ours, &to.dst, PORT);
    return in;
}

static size_t build(uint8_t *frame, const struct capy_frame_to *to, size_t len, struct capy_prng *r)
{
    for (size_t i = 0; i < len; i++)
        frame[CAPY_UDP_AT + i] = (uint8_t)capy_prng_next(r);
    return capy_frame_build_udp(frame, to, len);
}

/* What the inlet took is what the parser says of the same frame. */
static size_t look(const struct capy_udp_inlet *in, const uint8_t *frame, size_t len)
{
    struct capy_packet p;
    struct capy_frame_to to = way_here();
    size_t n = capy_udp_inlet_may(in, frame, len) ? capy_udp_inlet_look(in, frame, len) : 0;
    if (n == 0)
        return 0;
    struct capy_ip src = capy_udp_inlet_source(frame);
    assert_int_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_NONE);
    assert_int_equal(p.kind, CAPY_PACKET_UDP);
    assert_ptr_equal(p.udp.data, frame + CAPY_UDP_AT);
    assert_int_equal(p.udp.data_len, n);
    assert_true(capy_mac_eq(&p.dst_mac, &ours) && capy_ip_eq(&p.dst, &to.dst));
    assert_true(capy_ip_eq(&p.src, &src) && p.src_port == PORT && p.dst_port == PORT);
    return n;
}

static void test_takes_every_length_with_padding_and_without(void **state)
{
    (void)state;
    static uint8_t frame[CAPY_UDP_AT + DATA_MAX + PADDING];
    struct capy_udp_inlet in = inlet();
    struct capy_frame_to to = way_here();
    struct capy_prng r;
    capy_prng_seed(&r, 7);
    for (size_t len = 1; len <= DATA_MAX; len++) {
        size_t whole = build(frame, &to, len, &r);
        assert_int_equal(look(&in, frame, whole), len);
        assert_int_equal(look(&in, frame, whole + PADDING), len);
        assert_int_equal(look(&in, frame, whole - 1), 0);
    }
    assert_int_equal(look(&in, frame, build(frame, &to, 0, &r)), 0);
}

static void fix_sums(uint8_t *frame, size_t udp_len)
{
    capy_store16(frame + IP_AT + 10, 0);
    capy_store16(frame + IP_AT + 10, capy_sum_finish(capy_sum(0, frame + IP_AT, 20)));
    capy_store16(frame + UDP_AT + 6, 0);
    uint64_t sum = capy_sum(frame[IP_AT + 9] + udp_len, frame + IP_AT + 12, 8 + udp_len);
    capy_store16(frame + UDP_AT + 6, capy_sum_finish(sum));
}

/* A byte of the headers changed in any way, the sums as they were or made good again. Behind it what
 * matters and what does not: the sender's MAC and address, TOS, identification, TTL, don't-fragment. */
static void test_a_changed_header_is_the_parsers_business(void **state)
{
    (void)state;
    uint8_t good[CAPY_UDP_AT + 96], bad[sizeof good];
    struct capy_udp_inlet in = inlet();
    struct capy_frame_to to = way_here();
    struct capy_prng r;
    capy_prng_seed(&r, 7);
    size_t len = build(good, &to, 96, &r);
    for (size_t at = 0; at < CAPY_UDP_AT; at++) {
        bool free = (at >= 6 && at < 12) || at == IP_AT + 1 || at == IP_AT + 4 || at == IP_AT + 5 ||
                    at == IP_AT + 8 || (at >= IP_AT + 10 && at < IP_AT + 16) || at >= UDP_AT + 6;
        for (unsigned change = 1; change < 256; change++) {
            memcpy(bad, good, len);
            bad[at] ^= (uint8_t)change;
            bool mac = at >= 6 && at < 12;
            assert_int_equal(look(&in, bad, len), mac ? 96 : 0);
            fix_sums(bad, 104);
            bool whole = at == IP_AT + 6 && (change & 0x3fu) == 0;
            assert_int_equal(look(&in, bad, len), free || whole ? 96 : 0);
        }
    }
}

static void test_a_changed_payload_is_found_out(void **state)
{
    (void)state;
    uint8_t frame[CAPY_UDP_AT + 96];
    struct capy_udp_inlet in = inlet();
    struct capy_frame_to to = way_here();
    struct capy_prng r;
    capy_prng_seed(&r, 7);
    size_t len = build(frame, &to, 96, &r);
    for (size_t at = CAPY_UDP_AT; at < len; at++) {
        frame[at] ^= 0x40;
        assert_int_equal(look(&in, frame, len), 0);
        frame[at] ^= 0x40;
    }
    assert_int_equal(look(&in, frame, len), 96);
}

/* RFC 768: none at all is allowed over IPv4; rare, so the parser's. */
static void test_no_checksum_takes_the_general_way(void **state)
{
    (void)state;
    uint8_t frame[CAPY_UDP_AT + 96];
    struct capy_udp_inlet in = inlet();
    struct capy_frame_to to = way_here();
    struct capy_packet p;
    struct capy_prng r;
    capy_prng_seed(&r, 7);
    size_t len = build(frame, &to, 96, &r);
    capy_store16(frame + UDP_AT + 6, 0);
    assert_int_equal(look(&in, frame, len), 0);
    assert_int_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_NONE);
}

static void test_nobody_else_has_our_address(void **state)
{
    (void)state;
    uint8_t frame[CAPY_UDP_AT + 96];
    struct capy_udp_inlet in = inlet();
    struct capy_frame_to to = way_here();
    struct capy_prng r;
    capy_prng_seed(&r, 7);
    to.src = to.dst;
    assert_int_equal(look(&in, frame, build(frame, &to, 96, &r)), 0);
}

static void test_an_address_of_ipv6_has_none(void **state)
{
    (void)state;
    struct capy_udp_inlet in;
    uint8_t frame[CAPY_UDP_AT + 96] = {0};
    struct capy_ip ip6 = {{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0xfd, 0xfc}};
    struct capy_frame_to to = way_here();
    struct capy_prng r;
    capy_prng_seed(&r, 7);
    capy_udp_inlet_init(&in, &ours, &ip6, PORT);
    assert_int_equal(look(&in, frame, build(frame, &to, 96, &r)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_every_length_with_padding_and_without),
        cmocka_unit_test(test_a_changed_header_is_the_parsers_business),
        cmocka_unit_test(test_a_changed_payload_is_found_out),
        cmocka_unit_test(test_no_checksum_takes_the_general_way),
        cmocka_unit_test(test_nobody_else_has_our_address),
        cmocka_unit_test(test_an_address_of_ipv6_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
