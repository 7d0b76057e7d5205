/* How long a loop looks for work before it sleeps, by the pauses between frames. */
#include "base/spin.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LEAST CAPY_US(50)

static struct capy_spin spin;
static uint64_t now;

static int fresh(void **state)
{
    (void)state;
    now = CAPY_SEC(1);
    capy_spin_init(&spin, LEAST, now);
    return 0;
}

/* Work after a pause; whether the loop was still looking when it came. */
static bool catches(uint64_t pause_ns)
{
    now += pause_ns;
    bool looked = capy_spin_wanted(&spin, now);
    capy_spin_worked(&spin, now);
    return looked;
}

static void without_traffic_it_sleeps(void **state)
{
    (void)state;
    assert_true(capy_spin_wanted(&spin, now + LEAST - 1));
    assert_false(capy_spin_wanted(&spin, now + LEAST));
}

/* Both levels of a request and its answer: nobody sleeps, and everybody does. */
static void a_conversation_is_caught_after_one_pause(void **state)
{
    (void)state;
    assert_false(catches(CAPY_US(140)));
    for (int i = 0; i < 1000; i++)
        assert_true(catches(i % 2 ? CAPY_US(33) : CAPY_US(140)));
}

static void a_hiccup_is_forgiven(void **state)
{
    (void)state;
    (void)catches(CAPY_US(140));
    assert_false(catches(CAPY_MS(4)));
    assert_true(catches(CAPY_US(90)));
}

static void sparse_traffic_costs_the_least(void **state)
{
    (void)state;
    (void)catches(CAPY_US(190));
    for (int i = 0; i < 3; i++)
        assert_false(catches(CAPY_MS(1)));
    assert_int_equal(spin.look_ns, LEAST);
    assert_false(catches(CAPY_MS(1)));
    assert_int_equal(spin.look_ns, LEAST);
}

/* Just too rare to be caught: it must not look longer and longer in vain. */
static void what_no_look_bridges_is_not_looked_for(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        assert_false(catches(CAPY_SPIN_GROWTH * LEAST + 1));
    assert_int_equal(spin.look_ns, LEAST);
}

/* Somebody computes on the core: it comes back after a slice of 4 ms. */
static void whoever_waits_for_the_core_sleeps_instead(void **state)
{
    (void)state;
    assert_true(capy_spin_wanted(&spin, now));
    now += CAPY_MS(4);
    capy_spin_back(&spin, now);
    capy_spin_worked(&spin, now);
    uint64_t until = now + 100 * CAPY_MS(4);
    while (now + CAPY_US(10) < until)
        assert_false(catches(CAPY_US(10)));
    now = until;
    capy_spin_worked(&spin, now);
    assert_true(catches(CAPY_US(10)));
}

/* Programs that look, too, give it back at once. */
static void a_core_may_be_shared_by_those_who_yield(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_true(capy_spin_wanted(&spin, now));
        now += CAPY_US(11);
        capy_spin_back(&spin, now);
    }
    now += LEAST;
    assert_false(capy_spin_wanted(&spin, now));
    now += CAPY_MS(4); /* asleep: that is no waiting for the core */
    capy_spin_back(&spin, now);
    capy_spin_worked(&spin, now);
    assert_true(catches(CAPY_US(10)));
}

static void never_when_told_so(void **state)
{
    (void)state;
    capy_spin_init(&spin, 0, now);
    for (int i = 0; i < 100; i++) {
        assert_false(capy_spin_wanted(&spin, now));
        assert_false(catches(CAPY_US(10)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_traffic_it_sleeps, fresh),
        cmocka_unit_test_setup(a_conversation_is_caught_after_one_pause, fresh),
        cmocka_unit_test_setup(a_hiccup_is_forgiven, fresh),
        cmocka_unit_test_setup(sparse_traffic_costs_the_least, fresh),
        cmocka_unit_test_setup(what_no_look_bridges_is_not_looked_for, fresh),
        cmocka_unit_test_setup(whoever_waits_for_the_core_sleeps_instead, fresh),
        cmocka_unit_test_setup(a_core_may_be_shared_by_those_who_yield, fresh),
        cmocka_unit_test_setup(never_when_told_so, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
