/* How many moves are in flight (src/sock/flight.h). */
#include "sock/flight.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#define MOST 256u
#define SOON (CAPY_FLIGHT_SOON_NS / 2)
#define LATE (CAPY_FLIGHT_SOON_NS * 2)

/* So many moves end well, one after the other, and each makes room for the next. */
static void moves(struct capy_flight *f, uint32_t cnt, uint64_t trip_ns)
{
    while (cnt-- > 0)
        capy_flight_moved(f, f->window, trip_ns);
}

static void it_doubles_with_each_round_up_to_what_is_borne_anywhere(void **state)
{
    (void)state;
    struct capy_flight f;
    capy_flight_init(&f, MOST);
    assert_int_equal(f.window, CAPY_FLIGHT_FIRST);
    moves(&f, CAPY_FLIGHT_FIRST, LATE);
    assert_int_equal(f.window, 2 * CAPY_FLIGHT_FIRST);
    moves(&f, 1000, LATE); /* and not beyond while answers are late */
    assert_int_equal(f.window, CAPY_FLIGHT_BORNE);
}

static void beyond_that_it_grows_by_one_a_round_while_answers_come_soon(void **state)
{
    (void)state;
    struct capy_flight f;
    capy_flight_init(&f, MOST);
    moves(&f, CAPY_FLIGHT_BORNE - CAPY_FLIGHT_FIRST, SOON);
    assert_int_equal(f.window, CAPY_FLIGHT_BORNE);
    moves(&f, CAPY_FLIGHT_BORNE - 1, SOON);
    assert_int_equal(f.window, CAPY_FLIGHT_BORNE);
    moves(&f, 1, SOON);
    assert_int_equal(f.window, CAPY_FLIGHT_BORNE + 1);
    moves(&f, 100000, SOON); /* a slot each: there are no more */
    assert_int_equal(f.window, MOST);
}

static void a_window_that_is_not_used_does_not_grow(void **state)
{
    (void)state;
    struct capy_flight f;
    capy_flight_init(&f, MOST);
    for (unsigned i = 0; i < 1000; i++)
        capy_flight_moved(&f, CAPY_FLIGHT_FIRST / 2, SOON);
    assert_int_equal(f.window, CAPY_FLIGHT_FIRST);
}

static void a_failure_halves_it_once_for_all_that_are_in_flight(void **state)
{
    (void)state;
    struct capy_flight f;
    capy_flight_init(&f, MOST);
    moves(&f, 1000, LATE);
    capy_flight_failed(&f, 64);
    capy_flight_failed(&f, 64); /* of the same burst */
    assert_int_equal(f.window, 32);
    moves(&f, 64, SOON); /* they began before, and say nothing new */
    assert_int_equal(f.window, 32);
    moves(&f, 32, SOON); /* what was too much is approached step by step */
    assert_int_equal(f.window, 33);
    capy_flight_failed(&f, 33);
    assert_int_equal(f.window, 16);
}

static void losses_halve_it_down_to_what_fits_any_queue(void **state)
{
    (void)state;
    struct capy_flight f;
    capy_flight_init(&f, MOST);
    moves(&f, 100000, SOON);
    capy_flight_lost(&f, 0);
    assert_int_equal(f.window, MOST / 2);
    for (unsigned i = 0; i < 10; i++)
        capy_flight_lost(&f, 0);
    assert_int_equal(f.window, CAPY_FLIGHT_BORNE);
    capy_flight_failed(&f, 0);
    capy_flight_lost(&f, 0);
    assert_int_equal(f.window, CAPY_FLIGHT_BORNE / 2);
}

/* Not one by one, as room comes: a quarter of the window has to be free. */
static void the_window_counts_as_used_until_a_train_may_leave(void **state)
{
    (void)state;
    struct capy_flight f;
    capy_flight_init(&f, MOST);
    assert_int_equal(capy_flight_train(&f), CAPY_FLIGHT_FIRST / 4);
    capy_flight_moved(&f, CAPY_FLIGHT_FIRST * 3 / 4, SOON);
    assert_int_equal(f.window, CAPY_FLIGHT_FIRST);
    capy_flight_moved(&f, CAPY_FLIGHT_FIRST * 3 / 4 + 1, SOON);
    assert_int_equal(f.window, CAPY_FLIGHT_FIRST + 1);
    capy_flight_init(&f, 1);
    assert_int_equal(capy_flight_train(&f), 1);
}

static void some_are_always_in_flight(void **state)
{
    (void)state;
    struct capy_flight f;
    capy_flight_init(&f, MOST);
    for (unsigned i = 0; i < 100; i++)
        capy_flight_failed(&f, 0);
    assert_int_equal(f.window, CAPY_FLIGHT_LEAST);
    capy_flight_init(&f, 4); /* a rack file says so */
    capy_flight_failed(&f, 0);
    moves(&f, 100, SOON);
    assert_int_equal(f.window, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_doubles_with_each_round_up_to_what_is_borne_anywhere),
        cmocka_unit_test(beyond_that_it_grows_by_one_a_round_while_answers_come_soon),
        cmocka_unit_test(a_window_that_is_not_used_does_not_grow),
        cmocka_unit_test(a_failure_halves_it_once_for_all_that_are_in_flight),
        cmocka_unit_test(losses_halve_it_down_to_what_fits_any_queue),
        cmocka_unit_test(the_window_counts_as_used_until_a_train_may_leave),
        cmocka_unit_test(some_are_always_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
