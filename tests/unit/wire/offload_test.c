/* Large frames cut into packets, and unfinished checksums completed. */
#include "base/prng.h"
#include "wire/frame.h"
#include "wire/offload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka needs the three above first */
#include <cmocka.h>

enum { MSS = 1448 };
#define SEQ (UINT32_MAX - 2000u) /* wraps within the frame */

static uint8_t large[CAPY_LARGE_FRAME_MAX], piece[2048];

static uint8_t byte_at(uint32_t i)
{
    return (uint8_t)(i * 7 + (i >> 8));
}

static size_t build(bool v4, uint32_t data_len, uint8_t flags)
{
    static uint8_t data[65000];
    for (uint32_t i = 0; i < data_len; i++)
        data[i] = byte_at(i);
    struct capy_frame_to to = {.src_port = 80, .dst_port = 40000, .ecn = 2, .partial = true};
    to.src = v4 ? capy_ip_from_v4(0x0a000001u) : (struct capy_ip){{0xfd, 1, [15] = 1}};
    to.dst = v4 ? capy_ip_from_v4(0x0a000002u) : (struct capy_ip){{0xfd, 1, [15] = 2}};
    const struct capy_tcp_segment seg = {.seq = {SEQ},
                                         .ack = {99},
                                         .flags = flags,
                                         .window = 500,
                                         .opts = CAPY_TCP_OPT_TS,
                                         .ts_val = 5,
                                         .ts_ecr = 6,
                                         .data = data,
                                         .data_len = data_len};
    return capy_frame_build_tcp(large, &to, &seg);
}

/* Cuts what build() made; every piece is a good packet. How many. */
static unsigned cut(size_t len, uint16_t segment, uint32_t data_len, uint8_t flags)
{
    const struct capy_offload how = {.segment = segment, .partial = true};
    struct capy_cutter c;
    struct capy_packet p;
    uint32_t at = 0;
    unsigned cnt = 0;
    size_t n;
    assert_true(capy_cutter_begin(&c, large, len, &how));
    while ((n = capy_cutter_next(&c, piece)) > 0) {
        assert_int_equal(capy_frame_parse(piece, n, &p), CAPY_DROP_NONE);
        assert_int_equal(p.kind, CAPY_PACKET_TCP);
        assert_int_equal(p.tcp.seq.v, SEQ + at);
        assert_int_equal(p.tcp.ts_val, 5);
        assert_int_equal(p.ecn, 2);
        for (uint32_t i = 0; i < p.tcp.data_len; i++)
            assert_int_equal(p.tcp.data[i], byte_at(at + i));
        uint8_t want = flags;
        if (at > 0)
            want &= (uint8_t)~CAPY_TCP_CWR;
        at += p.tcp.data_len;
        if (at < data_len) {
            want &= (uint8_t) ~(CAPY_TCP_PSH | CAPY_TCP_FIN);
            assert_int_equal(p.tcp.data_len, segment);
        }
        assert_int_equal(p.tcp.flags, want);
        cnt++;
    }
    assert_int_equal(at, data_len);
    return cnt;
}

static void pieces_are_the_packets_that_would_have_been(void **state)
{
    (void)state;
    const uint8_t flags = CAPY_TCP_ACK | CAPY_TCP_PSH | CAPY_TCP_FIN | CAPY_TCP_CWR;
    for (unsigned v4 = 0; v4 < 2; v4++) {
        assert_int_equal(cut(build(v4, 3 * MSS, flags), MSS, 3 * MSS, flags), 3);
        assert_int_equal(cut(build(v4, 3 * MSS + 1, flags), MSS, 3 * MSS + 1, flags), 4);
        assert_int_equal(cut(build(v4, 64000, flags), MSS, 64000, flags), 45);
    }
}

static void one_packet_is_completed(void **state)
{
    (void)state;
    for (unsigned v4 = 0; v4 < 2; v4++) {
        assert_int_equal(cut(build(v4, 100, CAPY_TCP_ACK), 0, 100, CAPY_TCP_ACK), 1);
        assert_int_equal(cut(build(v4, 0, CAPY_TCP_ACK), 0, 0, CAPY_TCP_ACK), 1);
    }
}

static void an_unfinished_checksum_is_taken_only_on_the_device_s_word(void **state)
{
    (void)state;
    struct capy_packet p;
    for (unsigned v4 = 0; v4 < 2; v4++) {
        size_t len = build(v4, 5000, CAPY_TCP_ACK);
        assert_int_equal(capy_frame_parse(large, len, &p), CAPY_DROP_TCP_CHECKSUM);
        assert_int_equal(capy_frame_parse_checked(large, len, &p), CAPY_DROP_NONE);
        assert_int_equal(p.tcp.data_len, 5000);
        if (v4) { /* the IP header's own is not the device's affair */
            large[CAPY_ETHER_LEN + 8]--;
            assert_int_equal(capy_frame_parse_checked(large, len, &p), CAPY_DROP_IP_CHECKSUM);
        }
    }
}

static void what_is_no_tcp_frame_is_not_cut(void **state)
{
    (void)state;
    const struct capy_offload how = {.segment = MSS, .partial = true};
    struct capy_cutter c;
    size_t len = build(true, 5000, CAPY_TCP_ACK);
    assert_false(capy_cutter_begin(&c, large, 20, &how));
    assert_false(capy_cutter_begin(&c, large, len - 1, &how)); /* less than IP says */
    large[CAPY_ETHER_LEN + 9] = 17;
    assert_false(capy_cutter_begin(&c, large, len, &how));
    len = build(true, 5000, CAPY_TCP_ACK);
    large[12] = 0x08, large[13] = 0x06;
    assert_false(capy_cutter_begin(&c, large, len, &how));
    len = build(false, 10, CAPY_TCP_ACK);
    large[CAPY_ETHER_LEN + 40 + 12] = 0x40; /* a header of four words */
    assert_false(capy_cutter_begin(&c, large, len, &how));
}

/* No bytes, however wrong, make it read or write beyond them. */
static void noise_is_survived(void **state)
{
    (void)state;
    struct capy_prng prng;
    capy_prng_seed(&prng, 1);
    for (unsigned round = 0; round < 20000; round++) {
        size_t len = build(round & 1, (uint32_t)capy_prng_below(&prng, 4000), CAPY_TCP_ACK);
        for (unsigned i = 0; i < 3; i++)
            large[capy_prng_below(&prng, 90)] = (uint8_t)capy_prng_next(&prng);
        uint8_t *exact = malloc(len); /* for the sanitizer's sake */
        memcpy(exact, large, len);
        const struct capy_offload how = {.segment = (uint16_t)capy_prng_below(&prng, 1200),
                                         .partial = true};
        struct capy_cutter c;
        uint32_t sum = 0;
        if (capy_cutter_begin(&c, exact, len, &how) && c.data_at + c.piece_max <= sizeof piece) {
            for (size_t n; (n = capy_cutter_next(&c, piece)) > 0; sum += (uint32_t)(n - c.data_at))
                assert_true(n <= sizeof piece);
            assert_int_equal(sum, c.data_len);
        }
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_the_packets_that_would_have_been),
        cmocka_unit_test(one_packet_is_completed),
        cmocka_unit_test(an_unfinished_checksum_is_taken_only_on_the_device_s_word),
        cmocka_unit_test(what_is_no_tcp_frame_is_not_cut),
        cmocka_unit_test(noise_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
