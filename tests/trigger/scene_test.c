/* The trigger under load: whole racks on virtual time (bench/trigger), the same each time. What it is
 * for, and what it must not do: move where nothing is gained, and move to and fro. */
#include "bench/trigger/scene.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define THRESHOLD 8u

static struct scene_outcome off, on;

static struct scene three(unsigned first, unsigned second, unsigned third)
{
    struct scene s;
    scene_default(&s);
    s.threshold = THRESHOLD;
    s.low = THRESHOLD / 2;
    s.duration_ms = 1200;
    s.group_cnt = 3;
    s.group[0] = (struct scene_group){.server = 0, .connections = 64, .load_percent = first};
    s.group[1] = (struct scene_group){.server = 1, .connections = 32, .load_percent = second};
    s.group[2] = (struct scene_group){.server = 2, .connections = 32, .load_percent = third};
    return s;
}

static void tell(const char *what, const struct scene_outcome *o)
{
    printf("%-4s p99 %8" PRIu64 " us, second half %8" PRIu64 " us, answered %" PRIu64
           ", moves %" PRIu32 " (at most %" PRIu32 " of one), slow until %" PRIu64 " ms\n",
           what, o->p99_ns / 1000, o->late_p99_ns / 1000, o->answered, o->moves,
           o->moves_of_one_max, o->slow_until_ns / 1000000);
}

/* Into off and on. */
static void run_both(struct scene s)
{
    scene_run(&s, &on);
    s.threshold = 0;
    scene_run(&s, &off);
    tell("off", &off);
    tell("on", &on);
}

static void the_overloaded_one_of_three_is_relieved(void **state)
{
    (void)state;
    static const uint32_t heartbeats_us[] = {1000, 50000};
    for (unsigned i = 0; i < 2; i++) {
        struct scene s = three(150, 20, 20);
        s.heartbeat_us = heartbeats_us[i];
        run_both(s);
        assert_true(2 * on.p99_ns <= off.p99_ns);
        assert_true(2 * on.late_p99_ns <= off.late_p99_ns);
        assert_true(on.late_p99_ns < 2000000);
        assert_true(on.answered >= off.answered);
        assert_in_range(on.moves_of_one_max, 1, 2);
        assert_in_range(on.turned_back, 0, 1);
        assert_in_range(on.late_moves, 0, 4);
        assert_true(on.slow_until_ns < 600000000);
        for (unsigned k = 0; k < 3; k++)
            assert_in_range(on.busy_percent[k], 30, 90);
    }
}

static void a_run_repeats(void **state)
{
    (void)state;
    struct scene s = three(150, 20, 20);
    s.duration_ms = 500;
    scene_run(&s, &off);
    scene_run(&s, &on);
    assert_true(on.moves > 0 && on.digest == off.digest && on.moves == off.moves);
    s.seed++;
    scene_run(&s, &on);
    assert_true(on.digest != off.digest);
}

static void where_all_are_busy_alike_hardly_anything_moves(void **state)
{
    (void)state;
    static const uint32_t load[] = {70, 90}, heartbeats_us[] = {1000, 50000};
    for (unsigned i = 0; i < 4; i++) {
        struct scene s = three(load[i % 2], load[i % 2], load[i % 2]);
        s.heartbeat_us = heartbeats_us[i / 2];
        s.exponential = true;
        run_both(s);
        assert_in_range(on.moves, 0, 5);
        assert_true(on.p99_ns <= off.p99_ns * 11 / 10);
    }
}

static void where_all_are_overloaded_nothing_moves(void **state)
{
    (void)state;
    static const uint32_t heartbeats_us[] = {1000, 50000};
    for (unsigned i = 0; i < 2; i++) {
        struct scene s = three(120, 120, 120);
        s.heartbeat_us = heartbeats_us[i];
        run_both(s);
        assert_int_equal(on.moves, 0);
        assert_true(on.answered == off.answered);
    }
}

/* Both find the same server idle, and neither may fill it for itself. */
static void two_that_unload_on_one_do_not_drown_it(void **state)
{
    (void)state;
    struct scene s = three(120, 120, 10);
    s.heartbeat_us = 1000;
    run_both(s);
    assert_true(2 * on.p99_ns <= off.p99_ns);
    assert_true(on.answered >= off.answered);
    assert_in_range(on.busy_percent[2], 30, 92);
    assert_in_range(on.moves_of_one_max, 1, 2);
}

/* Nine tenths of a core: wherever it went, it would be as bad there. */
static void a_giant_stays_where_it_is(void **state)
{
    (void)state;
    struct scene s = three(150, 20, 20);
    s.group[0].heaviest_percent = 60;
    run_both(s);
    assert_int_equal(on.heaviest_moves, 0);
    assert_true(on.moves > 0);
    assert_true(2 * on.late_p99_ns <= off.late_p99_ns);
    assert_true(on.answered >= off.answered);
}

static void a_burst_shorter_than_a_move_is_worth_is_ridden_out(void **state)
{
    (void)state;
    struct scene s = three(30, 20, 20);
    s.heartbeat_us = 1000;
    s.group[0].burst_ms = 2;
    s.group[0].every_ms = 20;
    run_both(s);
    assert_int_equal(on.moves, 0);
    assert_true(on.waits > 0); /* it was over */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_overloaded_one_of_three_is_relieved),
        cmocka_unit_test(a_run_repeats),
        cmocka_unit_test(where_all_are_busy_alike_hardly_anything_moves),
        cmocka_unit_test(where_all_are_overloaded_nothing_moves),
        cmocka_unit_test(two_that_unload_on_one_do_not_drown_it),
        cmocka_unit_test(a_giant_stays_where_it_is),
        cmocka_unit_test(a_burst_shorter_than_a_move_is_worth_is_ridden_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
