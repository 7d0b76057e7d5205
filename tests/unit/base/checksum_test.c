/* base/checksum against the definition, word by word (RFC 1071 §1), and RFC 1624's update. */
#include "base/checksum.h"
#include "base/prng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* The definition: 16-bit big-endian words, end-around carry after each. */
static uint16_t naive(uint16_t sum, const uint8_t *p, size_t len)
{
    uint32_t s = sum;
    for (size_t i = 0; i < len; i++) {
        s += i % 2 ? p[i] : (uint32_t)p[i] << 8;
        s = (s & 0xffffu) + (s >> 16);
    }
    return (uint16_t)s;
}

static void fill(struct capy_prng *rng, uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)capy_prng_next(rng);
}

static void rfc_1071_example(void **state)
{
    (void)state;
    /* §3: the numerical example; sum ddf2. */
    const uint8_t p[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    assert_int_equal(capy_sum_fold(capy_sum(0, p, sizeof p)), 0xddf2);
    assert_int_equal(capy_sum_finish(capy_sum(0, p, sizeof p)), 0x220d);
}

static void equals_the_definition_at_every_length_and_alignment(void **state)
{
    (void)state;
    struct capy_prng rng;
    capy_prng_seed(&rng, 1071);
    uint8_t p[8 + 200];
    fill(&rng, p, sizeof p);
    for (size_t at = 0; at < 8; at++)
        for (size_t len = 0; len <= 200; len++)
            assert_int_equal(capy_sum_fold(capy_sum(0xabcd, p + at, len)),
                             naive(0xabcd, p + at, len));
}

static void reads_nothing_behind_the_end(void **state)
{
    (void)state;
    for (size_t len = 1; len < 70; len++) {
        uint8_t *p = malloc(len); /* exact, for the address sanitizer */
        assert_non_null(p);
        memset(p, 0xff, len);
        assert_int_equal(capy_sum_fold(capy_sum(0, p, len)), naive(0, p, len));
        free(p);
    }
}

static void every_carry_counts(void **state)
{
    (void)state;
    uint8_t p[1500];
    memset(p, 0xff, sizeof p);
    for (size_t len = 2; len <= sizeof p; len += 2)
        assert_int_equal(capy_sum_fold(capy_sum(0, p, len)), 0xffff);
    p[sizeof p - 1] = 0;
    assert_int_equal(capy_sum_fold(capy_sum(0, p, sizeof p)), naive(0, p, sizeof p));
}

static void pieces_add_up(void **state)
{
    (void)state;
    struct capy_prng rng;
    capy_prng_seed(&rng, 2);
    uint8_t p[301];
    fill(&rng, p, sizeof p);
    for (size_t cut = 0; cut <= sizeof p; cut += 2) {
        uint64_t sum = capy_sum(0, p, cut);
        sum = capy_sum(sum, p + cut, sizeof p - cut);
        assert_int_equal(capy_sum_fold(sum), naive(0, p, sizeof p));
    }
}

static void rfc_1624_update_equals_a_new_sum(void **state)
{
    (void)state;
    struct capy_prng rng;
    capy_prng_seed(&rng, 1624);
    uint8_t p[20];
    for (int i = 0; i < 20000; i++) {
        fill(&rng, p, sizeof p);
        uint16_t check = capy_sum_finish(capy_sum(0, p, sizeof p));
        size_t at = capy_prng_below(&rng, sizeof p / 2) * 2;
        /* The edge values often: they are where one's complement has two zeros. */
        static const uint16_t edge[] = {0, 1, 0xfffe, 0xffff};
        uint16_t to = i % 2 ? edge[i / 2 % 4] : (uint16_t)capy_prng_next(&rng);
        check = capy_checksum_update16(check, capy_load16(p + at), to);
        capy_store16(p + at, to);
        /* What a receiver does: sum with the field included must be all ones. */
        assert_int_equal(capy_sum_fold(capy_sum(check, p, sizeof p)), 0xffff);
    }
}

/* Several words at once give what one after the other does, bit for bit. */
static void a_change_of_many_words_equals_many_changes(void **state)
{
    (void)state;
    struct capy_prng rng;
    capy_prng_seed(&rng, 16);
    for (int i = 0; i < 200000; i++) {
        uint8_t from[18], to[18];
        fill(&rng, from, sizeof from);
        fill(&rng, to, sizeof to);
        for (size_t at = 0; at < sizeof from && i % 2; at++) { /* the edges, as above */
            from[at] = capy_prng_below(&rng, 2) ? 0xff : 0;
            to[at] = capy_prng_below(&rng, 2) ? 0xff : 0;
        }
        static const size_t lens[] = {2, 4, 6, 16, 18};
        size_t len = lens[i % 5];
        uint16_t check = i % 3 ? (uint16_t)capy_prng_next(&rng) : i % 2 ? 0xffff : 0;
        uint16_t step = check;
        for (size_t at = 0; at < len; at += 2)
            step = capy_checksum_update16(step, capy_load16(from + at), capy_load16(to + at));
        assert_int_equal(capy_checksum_change(check, capy_sum_change(from, to, len)), step);
    }
}

static void rfc_1624_section_4_example(void **state)
{
    (void)state;
    /* The case that RFC 1141's method gets wrong: 0x5555 -> 0x3285 on checksum 0xdd2f is 0. */
    assert_int_equal(capy_checksum_update16(0xdd2f, 0x5555, 0x3285), 0x0000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_1071_example),
        cmocka_unit_test(equals_the_definition_at_every_length_and_alignment),
        cmocka_unit_test(reads_nothing_behind_the_end),
        cmocka_unit_test(every_carry_counts),
        cmocka_unit_test(pieces_add_up),
        cmocka_unit_test(rfc_1624_update_equals_a_new_sum),
        cmocka_unit_test(a_change_of_many_words_equals_many_changes),
        cmocka_unit_test(rfc_1624_section_4_example),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
