/* wire/tcp: headers and options, bytes to value and back (RFC 9293 §3.1-3.2, RFC 7323, RFC 2018).
 */
#include "base/prng.h"
#include "wire/tcp.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#define HEADER_LEN 20u

/* A header with these option bytes (padded by the caller to words) and no data. */
static size_t with_options(uint8_t *p, const uint8_t *options, size_t len)
{
    struct capy_tcp_segment seg = {.seq = {1}, .ack = {2}, .flags = CAPY_TCP_ACK};
    capy_tcp_build(p, 1, 2, &seg);
    memcpy(p + HEADER_LEN, options, len);
    p[12] = (uint8_t)((HEADER_LEN + len) / 4 << 4);
    return HEADER_LEN + len;
}

#define OPTIONS(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static bool parse_options(struct capy_tcp_segment *seg, const uint8_t *options, size_t len)
{
    uint8_t p[CAPY_TCP_HEADER_MAX];
    return capy_tcp_parse(p, with_options(p, options, len), seg);
}

static void syn_bytes_are_as_the_rfc_lays_them_out(void **state)
{
    (void)state;
    struct capy_tcp_segment seg = {
        .seq = {0x01020304u},
        .ack = {0x05060708u},
        .flags = CAPY_TCP_SYN | CAPY_TCP_ACK,
        .window = 0x1112,
        .urgent = 0x2122,
        .opts = CAPY_TCP_OPT_MSS | CAPY_TCP_OPT_SACK_OK | CAPY_TCP_OPT_TS | CAPY_TCP_OPT_WSCALE,
        .mss = 1460,
        .wscale = 7,
        .ts_val = 0x31323334u,
        .ts_ecr = 0x41424344u,
    };
    static const uint8_t expect[] = {
        0x00, 80,   0xc3, 0x50, 1,    2,    3,    4,    5,    6,    7, 8, 0xa0, 0x12,
        0x11, 0x12, 0,    0,    0x21, 0x22, 2,    4,    0x05, 0xb4, 4, 2, 8,    10,
        0x31, 0x32, 0x33, 0x34, 0x41, 0x42, 0x43, 0x44, 1,    3,    3, 7,
    };
    uint8_t p[CAPY_TCP_HEADER_MAX];
    memset(p, 0xee, sizeof p);
    assert_int_equal(capy_tcp_build(p, 80, 50000, &seg), sizeof expect);
    assert_int_equal(capy_tcp_header_len(&seg), sizeof expect);
    assert_memory_equal(p, expect, sizeof expect);
}

static void expect_same(const struct capy_tcp_segment *a, const struct capy_tcp_segment *b)
{
    assert_true(capy_seq_eq(a->seq, b->seq));
    assert_true(capy_seq_eq(a->ack, b->ack));
    assert_int_equal(a->window, b->window);
    assert_int_equal(a->urgent, b->urgent);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->opts, b->opts);
    assert_int_equal(a->mss, b->mss);
    assert_int_equal(a->wscale, b->wscale);
    assert_int_equal(a->ts_val, b->ts_val);
    assert_int_equal(a->ts_ecr, b->ts_ecr);
    assert_int_equal(a->sack_cnt, b->sack_cnt);
    assert_memory_equal(a->sack, b->sack, a->sack_cnt * sizeof a->sack[0]);
    assert_int_equal(a->data_len, b->data_len);
}

static struct capy_tcp_segment random_segment(struct capy_prng *rng)
{
    struct capy_tcp_segment seg = {
        .seq = {(uint32_t)capy_prng_next(rng)},
        .ack = {(uint32_t)capy_prng_next(rng)},
        .window = (uint16_t)capy_prng_next(rng),
        .urgent = (uint16_t)capy_prng_next(rng),
        .flags = (uint8_t)capy_prng_next(rng),
        .opts = (uint8_t)capy_prng_below(rng, 16),
        .sack_cnt = (uint8_t)capy_prng_below(rng, 5),
    };
    if (seg.opts & CAPY_TCP_OPT_MSS)
        seg.mss = (uint16_t)capy_prng_next(rng);
    if (seg.opts & CAPY_TCP_OPT_WSCALE)
        seg.wscale = (uint8_t)capy_prng_below(rng, 15);
    if (seg.opts & CAPY_TCP_OPT_TS) {
        seg.ts_val = (uint32_t)capy_prng_next(rng);
        seg.ts_ecr = (uint32_t)capy_prng_next(rng);
    }
    for (uint8_t i = 0; i < seg.sack_cnt; i++)
        seg.sack[i] = (struct capy_sack_block){{(uint32_t)capy_prng_next(rng)},
                                               {(uint32_t)capy_prng_next(rng)}};
    return seg;
}

/* SACK blocks that 40 bytes of options leave room for beside the others. */
static uint8_t sack_room(uint8_t opts)
{
    size_t used = 0;
    if (opts & CAPY_TCP_OPT_MSS)
        used += 4;
    if (opts & CAPY_TCP_OPT_WSCALE)
        used += 4;
    if (opts & CAPY_TCP_OPT_TS)
        used += 12;
    else if (opts & CAPY_TCP_OPT_SACK_OK)
        used += 4;
    return (uint8_t)((40 - used - 4) / 8);
}

static void every_option_mix_round_trips(void **state)
{
    (void)state;
    struct capy_prng rng;
    capy_prng_seed(&rng, 9293);
    for (int i = 0; i < 5000; i++) {
        struct capy_tcp_segment seg = random_segment(&rng), back;
        uint8_t p[CAPY_TCP_HEADER_MAX + 10];
        size_t len = capy_tcp_build(p, 1234, 80, &seg);
        assert_int_equal(len, capy_tcp_header_len(&seg));
        assert_true(len <= CAPY_TCP_HEADER_MAX && len % 4 == 0);
        assert_true(capy_tcp_parse(p, len + 10, &back));
        seg.data_len = 10;
        /* Blocks beyond the room are left out, the first (most recent) kept: RFC 2018 §4. */
        seg.sack_cnt = (uint8_t)capy_min32(seg.sack_cnt, sack_room(seg.opts));
        expect_same(&back, &seg);
        assert_ptr_equal(back.data, p + len);
    }
}

static void data_offset_out_of_range_is_refused(void **state)
{
    (void)state;
    uint8_t p[CAPY_TCP_HEADER_MAX];
    struct capy_tcp_segment seg;
    size_t len = with_options(p, OPTIONS(1, 1, 1, 1));
    for (uint8_t words = 0; words < 16; words++) {
        p[12] = (uint8_t)(words << 4);
        assert_int_equal(capy_tcp_parse(p, len, &seg), words == 5 || words == 6);
    }
}

/* RFC 9293 MUST-7: illegal option lengths must be survived. */
static void must_7_bad_option_lengths_are_refused(void **state)
{
    (void)state;
    struct capy_tcp_segment seg;
    assert_false(parse_options(&seg, OPTIONS(2, 0, 0, 0)));  /* zero */
    assert_false(parse_options(&seg, OPTIONS(99, 0, 0, 0))); /* zero, unknown kind */
    assert_false(parse_options(&seg, OPTIONS(99, 1, 0, 0))); /* one */
    assert_false(parse_options(&seg, OPTIONS(99, 5, 0, 0))); /* beyond the header */
    assert_false(parse_options(&seg, OPTIONS(1, 1, 99, 3))); /* beyond, though within 4 bytes */
    assert_false(parse_options(&seg, OPTIONS(1, 1, 1, 99))); /* no length byte */
    assert_false(parse_options(&seg, OPTIONS(1, 1, 1, 2)));  /* no length byte, known kind */
    assert_false(parse_options(&seg, OPTIONS(2, 3, 5, 0)));  /* MSS of 3 */
    assert_false(parse_options(&seg, OPTIONS(3, 4, 5, 0)));  /* window scale of 4 */
    assert_false(parse_options(&seg, OPTIONS(3, 2, 1, 1)));  /* window scale of 2 */
    assert_false(parse_options(&seg, OPTIONS(4, 3, 0, 1)));  /* SACK-permitted of 3 */
    assert_false(parse_options(&seg, OPTIONS(8, 8, 0, 0, 0, 0, 0, 0))); /* timestamps of 8 */
    assert_false(parse_options(&seg, OPTIONS(5, 2, 1, 1)));             /* SACK without a block */
    assert_false(parse_options(&seg, OPTIONS(5, 8, 0, 0, 0, 0, 0, 0))); /* SACK of 6 bytes */
    assert_false(parse_options(&seg, OPTIONS(1, 1, 8, 11, 0, 0, 0, 0, 0, 0, 0, 0)));
}

/* MUST-4, MUST-6: options in any alignment, unknown ones are skipped; nothing behind the end. */
static void must_6_unknown_options_are_skipped(void **state)
{
    (void)state;
    struct capy_tcp_segment seg;
    assert_true(parse_options(&seg, OPTIONS(99, 3, 0xff, 2, 4, 0x05, 0xb4, 1)));
    assert_int_equal(seg.opts, CAPY_TCP_OPT_MSS);
    assert_int_equal(seg.mss, 1460);
    assert_true(parse_options(&seg, OPTIONS(1, 0, 2, 0)));
    assert_int_equal(seg.opts, 0);
    assert_true(parse_options(&seg, OPTIONS(1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 0)));
    assert_int_equal(seg.opts, CAPY_TCP_OPT_TS);
    assert_int_equal(seg.ts_val, 1);
    assert_int_equal(seg.ts_ecr, 2);
    assert_true(parse_options(&seg, OPTIONS(99, 2, 98, 2)));
}

static void window_scale_above_14_is_read_as_14(void **state)
{
    (void)state;
    struct capy_tcp_segment seg;
    assert_true(parse_options(&seg, OPTIONS(3, 3, 15, 0)));
    assert_int_equal(seg.wscale, 14);
    assert_true(parse_options(&seg, OPTIONS(3, 3, 255, 0)));
    assert_int_equal(seg.wscale, 14);
}

/* A segment never shows what an earlier parse left in the same memory. */
static void absent_options_leave_no_trace(void **state)
{
    (void)state;
    struct capy_tcp_segment seg;
    memset(&seg, 0xff, sizeof seg);
    assert_true(parse_options(&seg, OPTIONS(1, 1, 1, 1)));
    assert_int_equal(seg.opts, 0);
    assert_int_equal(seg.sack_cnt, 0);
    assert_int_equal(seg.mss, 0);
    assert_int_equal(seg.wscale, 0);
    assert_int_equal(seg.ts_val, 0);
    assert_int_equal(seg.ts_ecr, 0);
}

static void random_options_never_read_outside(void **state)
{
    (void)state;
    struct capy_prng rng;
    capy_prng_seed(&rng, 7);
    for (int i = 0; i < 50000; i++) {
        uint8_t options[40];
        size_t len = capy_prng_below(&rng, 11) * 4;
        for (size_t b = 0; b < len; b++) /* small numbers: kinds and lengths that mean something */
            options[b] = (uint8_t)capy_prng_below(&rng, 12);
        uint8_t *p = malloc(HEADER_LEN + len); /* exact, for the address sanitizer */
        assert_non_null(p);
        struct capy_tcp_segment seg;
        with_options(p, options, len);
        capy_tcp_parse(p, HEADER_LEN + len, &seg);
        free(p);
    }
}

static void every_short_length_is_refused(void **state)
{
    (void)state;
    uint8_t p[CAPY_TCP_HEADER_MAX];
    size_t full = with_options(p, OPTIONS(1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2));
    for (size_t len = 0; len < full; len++) {
        struct capy_tcp_segment seg;
        uint8_t *cut = malloc(len + 1);
        assert_non_null(cut);
        memcpy(cut, p, len);
        assert_false(capy_tcp_parse(cut, len, &seg));
        free(cut);
    }
}

static void sequence_space_counts_syn_and_fin(void **state)
{
    (void)state;
    struct capy_tcp_segment seg = {.flags = CAPY_TCP_ACK, .data_len = 5};
    assert_int_equal(capy_tcp_segment_len(&seg), 5);
    seg.flags = CAPY_TCP_SYN;
    assert_int_equal(capy_tcp_segment_len(&seg), 6);
    seg.flags = CAPY_TCP_SYN | CAPY_TCP_FIN;
    assert_int_equal(capy_tcp_segment_len(&seg), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(syn_bytes_are_as_the_rfc_lays_them_out),
        cmocka_unit_test(every_option_mix_round_trips),
        cmocka_unit_test(data_offset_out_of_range_is_refused),
        cmocka_unit_test(must_7_bad_option_lengths_are_refused),
        cmocka_unit_test(must_6_unknown_options_are_skipped),
        cmocka_unit_test(window_scale_above_14_is_read_as_14),
        cmocka_unit_test(absent_options_leave_no_trace),
        cmocka_unit_test(random_options_never_read_outside),
        cmocka_unit_test(every_short_length_is_refused),
        cmocka_unit_test(sequence_space_counts_syn_and_fin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
