/* base/prng: the published generator's own numbers, bounds, and replay. */
#include "base/prng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void splitmix64_reference_seeds(void **state)
{
    (void)state;
    struct capy_prng p;
    capy_prng_seed(&p, 0);
    assert_int_equal(p.s[0], 0xe220a8397b1dcdafu);
    assert_int_equal(p.s[1], 0x6e789e6aa1b965f4u);
    assert_int_equal(p.s[2], 0x06c45d188009454fu);
    assert_int_equal(p.s[3], 0xf88bb8a8724c81ecu);
}

static void xoshiro256_starstar_reference_sequence(void **state)
{
    (void)state;
    struct capy_prng p = {{1, 2, 3, 4}};
    static const uint64_t expect[] = {
        11520, 0, 1509978240, 1215971899390074240u, 1216172134540287360u, 607988272756665600u};
    for (size_t i = 0; i < sizeof expect / sizeof expect[0]; i++)
        assert_int_equal(capy_prng_next(&p), expect[i]);
}

static void below_stays_below_and_reaches_everything(void **state)
{
    (void)state;
    struct capy_prng p;
    capy_prng_seed(&p, 6);
    for (uint64_t bound = 1; bound <= 40; bound++) {
        uint64_t seen = 0;
        for (int i = 0; i < 2000; i++) {
            uint64_t v = capy_prng_below(&p, bound);
            assert_true(v < bound);
            seen |= 1ull << v;
        }
        assert_int_equal(seen, (1ull << bound) - 1);
    }
}

/* For bound 3 * 2^62 a plain remainder would make the lower third twice as likely. */
static void below_rejects_what_would_bias(void **state)
{
    (void)state;
    struct capy_prng p;
    capy_prng_seed(&p, 7);
    int low = 0;
    for (int i = 0; i < 30000; i++)
        low += capy_prng_below(&p, 3ull << 62) < 1ull << 62;
    assert_in_range(low, 9600, 10400);
}

static void chance_is_what_was_asked(void **state)
{
    (void)state;
    struct capy_prng p;
    capy_prng_seed(&p, 8);
    int hits = 0;
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(capy_prng_chance(&p, 0), 0);
        assert_int_equal(capy_prng_chance(&p, 1000000), 1);
        hits += capy_prng_chance(&p, 250000);
    }
    assert_in_range(hits, 24400, 25600);
}

static void same_seed_same_sequence(void **state)
{
    (void)state;
    struct capy_prng a, b, c;
    capy_prng_seed(&a, 9);
    capy_prng_seed(&b, 9);
    capy_prng_seed(&c, 10);
    int differ = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t v = capy_prng_next(&a);
        assert_int_equal(v, capy_prng_next(&b));
        differ += v != capy_prng_next(&c);
    }
    assert_int_equal(differ, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splitmix64_reference_seeds),
        cmocka_unit_test(xoshiro256_starstar_reference_sequence),
        cmocka_unit_test(below_stays_below_and_reaches_everything),
        cmocka_unit_test(below_rejects_what_would_bias),
        cmocka_unit_test(chance_is_what_was_asked),
        cmocka_unit_test(same_seed_same_sequence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
