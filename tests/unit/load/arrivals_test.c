/* apps/load/arrivals: rates that hold exactly, the mean and variance of each process, shifts and bursts
 * where they should be, and the same sequence for the same seed. */
#include "apps/load/arrivals.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)

static const struct load_process constant = {.poisson = false}, poisson = {.poisson = true};

static void begin(struct load_arrivals *a, struct load_process process, uint64_t rate,
                  uint64_t seed)
{
    const struct load_rate one = {0, rate};
    load_arrivals_init(a, process, &one, 1, seed);
}

/* How many there are in each of cnt windows, side by side. */
static void count_windows(struct load_arrivals *a, uint64_t window_ns, uint32_t *in, size_t cnt)
{
    for (;;) {
        uint64_t i = load_arrivals_next(a) / window_ns;
        if (i >= cnt)
            return;
        in[i]++;
    }
}

static void sum_up(const uint32_t *in, size_t cnt, double *mean, double *variance)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < cnt; i++) {
        sum += in[i];
        squares += (double)in[i] * in[i];
    }
    *mean = sum / (double)cnt;
    *variance = squares / (double)cnt - *mean * *mean;
}

/* A rate that does not divide a second, and still: nothing is lost to rounding. */
static void constant_arrivals_are_exact_over_any_length(void **state)
{
    (void)state;
    struct load_arrivals a;
    begin(&a, constant, 7777777, 1);
    for (uint64_t n = 1; n <= 7777777; n++) {
        uint64_t at = load_arrivals_next(&a);
        if (n % 777777 == 0)
            assert_int_equal(at, n * S / 7777777);
    }
    assert_int_equal(a.at_ns, S);
}

/* The counts of a Poisson process have a variance equal to their mean. */
static void poisson_counts_have_their_mean_and_variance(void **state)
{
    (void)state;
    static uint32_t in[20000];
    struct load_arrivals a;
    double mean, variance;
    begin(&a, poisson, 10000, 2);
    count_windows(&a, MS, in, 20000);
    sum_up(in, 20000, &mean, &variance);
    /* Three standard errors: sqrt(10 / 20000) of the mean, about 10 * sqrt(2 / 20000) of the variance. */
    assert_true(mean > 9.93 && mean < 10.07);
    assert_true(variance > 9.7 && variance < 10.3);
}

/* Gaps are exponential: a fraction of exp(-x) is longer than x times the mean. */
static void gaps_are_exponential(void **state)
{
    (void)state;
    struct capy_prng rng;
    uint32_t above[4] = {0};
    const uint64_t one = UINT64_C(1) << LOAD_GAP_BITS;
    const uint64_t limit[4] = {one / 2, one, 2 * one, 5 * one};
    const double share[4] = {0.606531, 0.367879, 0.135335, 0.006738};
    capy_prng_seed(&rng, 3);
    for (unsigned n = 0; n < 200000; n++) {
        uint64_t gap = load_exponential(&rng);
        for (unsigned i = 0; i < 4; i++)
            above[i] += gap > limit[i];
    }
    for (unsigned i = 0; i < 4; i++) {
        double got = above[i] / 200000.0;
        assert_true(got > share[i] - 0.0035 && got < share[i] + 0.0035);
    }
}

static void the_same_seed_gives_the_same_times(void **state)
{
    (void)state;
    struct load_arrivals a, b, c;
    bool differs = false;
    begin(&a, poisson, 100000, 4);
    begin(&b, poisson, 100000, 4);
    begin(&c, poisson, 100000, 5);
    for (unsigned n = 0; n < 10000; n++) {
        uint64_t at = load_arrivals_next(&a);
        assert_int_equal(at, load_arrivals_next(&b));
        differs |= at != load_arrivals_next(&c);
    }
    assert_true(differs);
}

static void bursts_keep_the_rate_and_their_time(void **state)
{
    (void)state;
    static uint32_t in[1000];
    struct load_arrivals a;
    uint64_t total = 0;
    begin(&a, (struct load_process){.poisson = true, .burst_period_ns = 10 * MS, .burst_factor = 5},
          50000, 6);
    count_windows(&a, MS, in, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        total += in[i];
        if (i % 10 >= 2)
            assert_int_equal(in[i], 0); /* on for a fifth of ten */
        else
            assert_in_range(in[i], 170, 330); /* 250, five standard deviations around */
    }
    assert_in_range(total, 49300, 50700);
}

static void the_rate_shifts_when_it_should(void **state)
{
    (void)state;
    static uint32_t in[8];
    struct load_arrivals a;
    const struct load_rate rates[] = {{0, 1000}, {2 * S, 3000}, {4 * S, 0}, {6 * S, 500}};
    load_arrivals_init(&a, constant, rates, 4, 1);
    count_windows(&a, S, in, 8);
    const uint32_t want[8] = {1000, 1000, 3000, 3000, 0, 0, 500, 500};
    uint32_t sum = 0, wanted = 0;
    for (unsigned i = 0; i < 8; i++) {
        sum += in[i];
        wanted += want[i];
        assert_true(sum + 1 >= wanted && sum <= wanted + 1); /* one may fall on the border */
    }
}

static void with_no_rate_left_there_are_none(void **state)
{
    (void)state;
    struct load_arrivals a;
    const struct load_rate rates[] = {{0, 10}, {S, 0}};
    load_arrivals_init(&a, constant, rates, 2, 1);
    for (unsigned n = 0; n < 9; n++)
        assert_true(load_arrivals_next(&a) < S);
    assert_int_equal(load_arrivals_next(&a), LOAD_NEVER);
    assert_int_equal(load_arrivals_next(&a), LOAD_NEVER);
}

static void the_highest_rate_is_kept(void **state)
{
    (void)state;
    struct load_arrivals a;
    begin(&a, poisson, LOAD_RATE_MAX, 7);
    uint64_t cnt = 0;
    while (load_arrivals_next(&a) < 10 * MS)
        cnt++;
    assert_in_range(cnt, 996000, 1004000);
}

/* As many as there would have been, across shifts and bursts, and it goes on behind them. */
static void what_is_passed_over_is_as_many(void **state)
{
    (void)state;
    struct load_arrivals a;
    const struct load_process bursty = {.burst_period_ns = 10 * MS, .burst_factor = 5};
    const struct load_rate rates[] = {{0, 1000}, {2 * S, 3000}, {4 * S, 0}, {6 * S, 500}};
    load_arrivals_init(&a, bursty, rates, 4, 1);
    assert_int_equal(load_arrivals_pass(&a, S + 5 * MS), 1010); /* the whole burst of this period */
    assert_int_equal(load_arrivals_pass(&a, 3 * S), 990 + 3000);
    assert_int_equal(load_arrivals_pass(&a, 5 * S), 3000);
    assert_int_equal(load_arrivals_pass(&a, 5 * S), 0);
    assert_in_range(load_arrivals_next(&a), 6 * S, 7 * S);
    begin(&a, constant, 7777777, 1);
    assert_int_equal(load_arrivals_pass(&a, 10 * S), 77777770);
    assert_in_range(load_arrivals_next(&a), 10 * S, 10 * S + 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constant_arrivals_are_exact_over_any_length),
        cmocka_unit_test(poisson_counts_have_their_mean_and_variance),
        cmocka_unit_test(gaps_are_exponential),
        cmocka_unit_test(the_same_seed_gives_the_same_times),
        cmocka_unit_test(bursts_keep_the_rate_and_their_time),
        cmocka_unit_test(the_rate_shifts_when_it_should),
        cmocka_unit_test(with_no_rate_left_there_are_none),
        cmocka_unit_test(the_highest_rate_is_kept),
        cmocka_unit_test(what_is_passed_over_is_as_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
