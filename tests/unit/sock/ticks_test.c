/* The clock of the host cost probe (src/sock/ticks.c): readings become CLOCK_MONOTONIC nanoseconds. */
#include "sock/ticks.h"

#include "base/bits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* A counter of 3 ticks a nanosecond, in step with the other clock at (1000, 50000). */
static struct capy_ticks three_a_ns(void)
{
    struct capy_ticks t = {.counter = true, .ns_per_tick = 1.0};
    capy_ticks_anchor(&t, 1000, 50000);
    capy_ticks_anchor(&t, 1000 + 3 * CAPY_MS(2), 50000 + CAPY_MS(2));
    return t;
}

static void two_anchors_give_the_rate(void **state)
{
    (void)state;
    struct capy_ticks t = three_a_ns();
    assert_int_equal(capy_ticks_to_ns(&t, 300), 100);
    assert_int_equal(capy_ticks_to_ns(&t, 301), 100);
    assert_int_equal(capy_ticks_to_ns(&t, 302), 101);
    assert_int_equal(capy_ticks_to_ns(&t, 0), 0);
    assert_int_equal(t.anchor_life, 3u * CAPY_TICKS_ANCHOR_NS);
}

static void readings_count_from_the_present_anchor_either_way(void **state)
{
    (void)state;
    struct capy_ticks t = three_a_ns();
    assert_int_equal(capy_ticks_at_ns(&t, t.anchor_ticks), 50000 + CAPY_MS(2));
    assert_int_equal(capy_ticks_at_ns(&t, t.anchor_ticks + 30), 50010 + CAPY_MS(2));
    assert_int_equal(capy_ticks_at_ns(&t, t.anchor_ticks - 30), 49990 + CAPY_MS(2));
    /* The other clock was slewed by 500 ns: from here on the new anchor holds. */
    capy_ticks_anchor(&t, t.anchor_ticks + 3000000, t.anchor_ns + 1000500);
    assert_int_equal(capy_ticks_at_ns(&t, t.anchor_ticks), 50000 + CAPY_MS(3) + 500);
}

static void without_a_counter_ticks_are_nanoseconds(void **state)
{
    (void)state;
    struct capy_ticks t = {.counter = false, .ns_per_tick = 1.0};
    uint64_t now = capy_ticks_read(&t);
    capy_ticks_keep(&t);
    assert_int_equal(capy_ticks_at_ns(&t, now), now);
    assert_int_equal(capy_ticks_to_ns(&t, 7), 7);
    assert_string_equal(capy_ticks_name(&t), "clock_gettime(CLOCK_MONOTONIC)");
}

/* On this machine: each reading lies between two of the other clock. An interruption only moves these apart;
 * one that is longer than an anchor is good for proves nothing. */
static void readings_lie_between_those_of_clock_monotonic(void **state)
{
    (void)state;
    const uint64_t slack = CAPY_US(20); /* of a pair that was interrupted on all its tries */
    const struct capy_ticks monotonic = {.counter = false};
    struct capy_ticks t;
    capy_ticks_init(&t);
    for (int i = 0; i < 20000;) {
        uint64_t before = capy_ticks_read(&monotonic);
        capy_ticks_keep(&t);
        uint64_t at = capy_ticks_at_ns(&t, capy_ticks_read(&t));
        uint64_t after = capy_ticks_read(&monotonic);
        if (after - before > CAPY_TICKS_ANCHOR_NS)
            continue;
        i++;
        assert_in_range(at, before - slack, after + slack);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_anchors_give_the_rate),
        cmocka_unit_test(readings_count_from_the_present_anchor_either_way),
        cmocka_unit_test(without_a_counter_ticks_are_nanoseconds),
        cmocka_unit_test(readings_lie_between_those_of_clock_monotonic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
