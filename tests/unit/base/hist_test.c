/* base/hist: exact counts, quantiles within 1/128 above the truth, merging. */
#include "base/hist.h"
#include "base/prng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* The definition: the smallest sample at or below which per_100k of all lie. */
static uint64_t true_quantile(const uint64_t *sorted, uint64_t cnt, uint32_t per_100k)
{
    uint64_t rank = (cnt * per_100k + 99999) / 100000;
    return sorted[rank ? rank - 1 : 0];
}

static void empty_answers_zero(void **state)
{
    (void)state;
    static struct capy_hist h;
    capy_hist_init(&h);
    assert_int_equal(capy_hist_quantile(&h, 50000), 0);
    assert_int_equal(capy_hist_quantile(&h, 100000), 0);
    assert_int_equal(capy_hist_mean(&h), 0);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    static struct capy_hist h;
    capy_hist_init(&h);
    for (uint64_t v = 0; v < 128; v++)
        capy_hist_add(&h, v);
    assert_int_equal(h.min, 0);
    assert_int_equal(h.max, 127);
    assert_int_equal(capy_hist_quantile(&h, 0), 0);
    assert_int_equal(capy_hist_quantile(&h, 50000), 63);
    assert_int_equal(capy_hist_quantile(&h, 100000), 127);
    assert_int_equal(capy_hist_mean(&h), 63);
}

static void quantiles_are_at_most_one_128th_above_the_truth(void **state)
{
    (void)state;
    static struct capy_hist h;
    static uint64_t sample[5000];
    static const uint32_t per_100k[] = {0,     1,     1000,  25000, 50000,
                                        90000, 99000, 99900, 99999, 100000};
    struct capy_prng rng;
    capy_prng_seed(&rng, 3);
    /* Magnitudes from one bit to all 64. */
    for (unsigned bits = 1; bits <= 64; bits++) {
        capy_hist_init(&h);
        size_t cnt = bits % 2 ? 5000 : 777;
        for (size_t i = 0; i < cnt; i++) {
            sample[i] = capy_prng_next(&rng) >> (64 - 1 - capy_prng_below(&rng, bits));
            capy_hist_add(&h, sample[i]);
        }
        qsort(sample, cnt, sizeof sample[0], compare);
        for (size_t q = 0; q < sizeof per_100k / sizeof per_100k[0]; q++) {
            uint64_t truth = true_quantile(sample, cnt, per_100k[q]);
            uint64_t got = capy_hist_quantile(&h, per_100k[q]);
            assert_true(got >= truth);
            assert_true(got - truth <= truth / 128);
            assert_true(got <= h.max);
        }
        assert_int_equal(h.min, sample[0]);
        assert_int_equal(h.max, sample[cnt - 1]);
        assert_int_equal(h.cnt, cnt);
    }
}

static void many_are_as_if_added_one_by_one(void **state)
{
    (void)state;
    static struct capy_hist one, many;
    capy_hist_init(&one);
    capy_hist_init(&many);
    for (unsigned i = 0; i < 7; i++)
        capy_hist_add(&one, 4711);
    capy_hist_add_many(&many, 4711, 7);
    capy_hist_add_many(&many, 99, 0);
    assert_memory_equal(&one, &many, sizeof one);
}

static void the_largest_value_fits(void **state)
{
    (void)state;
    static struct capy_hist h;
    capy_hist_init(&h);
    capy_hist_add(&h, UINT64_MAX);
    assert_int_equal(capy_hist_quantile(&h, 50000), UINT64_MAX);
    assert_int_equal(h.bucket[CAPY_HIST_BUCKETS - 1], 1);
}

static void merged_is_as_if_added_to_one(void **state)
{
    (void)state;
    static struct capy_hist a, b, both;
    capy_hist_init(&a);
    capy_hist_init(&b);
    capy_hist_init(&both);
    struct capy_prng rng;
    capy_prng_seed(&rng, 4);
    for (int i = 0; i < 1000; i++) {
        uint64_t v = capy_prng_below(&rng, 1000000) + 5;
        capy_hist_add(i % 3 ? &a : &b, v);
        capy_hist_add(&both, v);
    }
    static struct capy_hist into, empty;
    capy_hist_init(&into);
    capy_hist_init(&empty);
    capy_hist_merge(&into, &a);
    capy_hist_merge(&into, &empty);
    capy_hist_merge(&into, &b);
    assert_memory_equal(&into, &both, sizeof both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_answers_zero),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(quantiles_are_at_most_one_128th_above_the_truth),
        cmocka_unit_test(many_are_as_if_added_one_by_one),
        cmocka_unit_test(the_largest_value_fits),
        cmocka_unit_test(merged_is_as_if_added_to_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
