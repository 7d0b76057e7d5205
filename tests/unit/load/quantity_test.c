/* apps/load/quantity: what is read, and what is not. */
#include "apps/load/quantity.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

struct good {
    const char *text;
    uint64_t value;
};

typedef bool reader(const char *text, size_t len, uint64_t max, uint64_t *out);

static void reads(reader *read, const struct good *good, uint64_t max)
{
    uint64_t got;
    for (; good->text; good++) {
        assert_true(read(good->text, strlen(good->text), max, &got));
        assert_int_equal(got, good->value);
    }
}

static void refuses(reader *read, const char *const *bad, uint64_t max)
{
    for (; *bad; bad++) {
        uint64_t got = 42;
        assert_false(read(*bad, strlen(*bad), max, &got));
        assert_int_equal(got, 42);
    }
}

static void times(void **state)
{
    (void)state;
    const struct good good[] = {
        {"0s", 0},          {"1ns", 1},           {"2us", 2000},   {"10ms", 10000000},
        {"2s", 2000000000}, {"1.5s", 1500000000}, {"0.25us", 250}, {"1.000000001s", 1000000001},
        {NULL, 0}};
    const char *const bad[] = {
        "",     "5",   "s",   "1 s",  "1.s",    ".5s",   "-1s",  "1.5ns",
        "1h",   "1ss", "1s ", "0x1s", "1.2.3s", "1001s", "1e3s", "99999999999999999999s",
        "1,5s", NULL};
    reads(load_quantity_time, good, UINT64_C(1000000000000));
    refuses(load_quantity_time, bad, UINT64_C(1000000000000));
}

static void counts(void **state)
{
    (void)state;
    const struct good good[] = {
        {"0", 0},        {"17", 17}, {"10k", 10000},       {"1.5M", 1500000},
        {"2.50k", 2500}, {"1.0", 1}, {"1000000", 1000000}, {NULL, 0}};
    const char *const bad[] = {"",
                               "k",
                               "1.5",
                               "1kk",
                               "1K",
                               "-1",
                               "+1",
                               "1.0001k",
                               "10000001",
                               "3G",
                               "18446744073709551616",
                               NULL};
    reads(load_quantity_count, good, 10000000);
    refuses(load_quantity_count, bad, 10000000);
}

static void thousandths(void **state)
{
    (void)state;
    const struct good good[] = {
        {"1.2", 1200}, {"0.99", 990}, {"10", 10000}, {"0.001", 1}, {NULL, 0}};
    const char *const bad[] = {"", "1.2345", "11", "1x", ".", NULL};
    reads(load_quantity_milli, good, 10000);
    refuses(load_quantity_milli, bad, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times),
        cmocka_unit_test(counts),
        cmocka_unit_test(thousandths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
