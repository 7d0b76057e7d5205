/* apps/load/skew: the shares that uniform, Zipf, weights and rotation should give, drawn and counted. */
#include "apps/load/skew.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#define CONNECTIONS 50u
#define DRAWS 400000u

static uint32_t drawn[CONNECTIONS];

static void draw(const struct load_skew_options *opt, unsigned targets, uint64_t seed)
{
    struct load_skew s;
    struct capy_prng rng;
    capy_prng_seed(&rng, seed);
    memset(drawn, 0, sizeof drawn);
    assert_int_equal(load_skew_make(&s, opt, CONNECTIONS, targets), 0);
    for (unsigned n = 0; n < DRAWS; n++)
        drawn[load_skew_draw(&s, &rng)]++;
    load_skew_free(&s);
}

/* Within five standard deviations of a binomial count. */
static void is_about(uint32_t got, double share)
{
    double mean = DRAWS * share, spread = 5 * sqrt(mean * (1 - share)) + 1;
    assert_true(got > mean - spread && got < mean + spread);
}

static void uniform_is_even(void **state)
{
    (void)state;
    draw(&(struct load_skew_options){0}, 1, 1);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        is_about(drawn[i], 1.0 / CONNECTIONS);
}

static void zipf_falls_with_the_rank(void **state)
{
    (void)state;
    for (unsigned milli = 500; milli <= 1500; milli += 500) {
        double sum = 0;
        for (unsigned i = 0; i < CONNECTIONS; i++)
            sum += pow(i + 1, -(double)milli / 1000);
        draw(&(struct load_skew_options){.zipf_milli = milli}, 1, milli);
        for (unsigned i = 0; i < CONNECTIONS; i++)
            is_about(drawn[i], pow(i + 1, -(double)milli / 1000) / sum);
    }
}

static void ranks_rotate(void **state)
{
    (void)state;
    uint32_t before[CONNECTIONS];
    draw(&(struct load_skew_options){.zipf_milli = 1000}, 1, 3);
    memcpy(before, drawn, sizeof drawn);
    draw(&(struct load_skew_options){.zipf_milli = 1000, .rotate = CONNECTIONS + 7}, 1, 3);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        is_about(drawn[(i + 7) % CONNECTIONS], (double)before[i] / DRAWS);
}

static void targets_have_their_weights(void **state)
{
    (void)state;
    const uint16_t weights[] = {8, 0, 1};
    uint32_t of[3] = {0};
    draw(&(struct load_skew_options){.weights = weights}, 3, 4);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        of[i % 3] += drawn[i];
    /* 17 connections go to target 0, 17 to 1 and 16 to 2. */
    assert_int_equal(of[1], 0);
    is_about(of[0], 8.0 * 17 / (8 * 17 + 16));
}

static void no_weight_at_all_is_refused(void **state)
{
    (void)state;
    const uint16_t weights[] = {0, 1};
    struct load_skew s;
    struct load_skew_options opt = {.weights = weights};
    errno = 0;
    assert_int_equal(load_skew_make(&s, &opt, 1, 2), -1);
    assert_int_equal(errno, EINVAL);
}

static void the_largest_table_does_not_overflow(void **state)
{
    (void)state;
    const uint16_t weights[] = {LOAD_WEIGHT_MAX};
    struct load_skew s;
    struct load_skew_options opt = {.weights = weights};
    assert_int_equal(load_skew_make(&s, &opt, 65536, 1), 0);
    for (unsigned i = 1; i < 65536; i++)
        assert_true(s.below[i] > s.below[i - 1]);
    load_skew_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uniform_is_even),
        cmocka_unit_test(zipf_falls_with_the_rank),
        cmocka_unit_test(ranks_rotate),
        cmocka_unit_test(targets_have_their_weights),
        cmocka_unit_test(no_weight_at_all_is_refused),
        cmocka_unit_test(the_largest_table_does_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
