/* The load metric, and the trigger that moves the busiest connection away. */
#include "rig.h"
#include <string.h>

#define INTERVAL_US 1000u

static struct rig rig;

static void watch_for_two(struct capy_rack *rack)
{
    rack->load_threshold = 2;
    rack->load_interval_us = INTERVAL_US;
}

static int open_rig(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    return 0;
}

static int open_watching_rig(void **state)
{
    (void)state;
    rig_open(&rig, watch_for_two);
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static uint32_t stack_load(unsigned server)
{
    struct capy_stack_status st;
    capy_stack_status(rig.os[server]->stack, &st);
    return st.load;
}

static void requests_in_hand_are_the_load(void **state)
{
    (void)state;
    int qd[5];
    capy_handle c[5];
    for (unsigned i = 0; i < 5; i++) {
        c[i] = rig_connect(&rig, 0, &qd[i]);
        assert_int_equal(capy_pop(rig.os[0], qd[i], 0), CAPY_OK);
    }
    rig_turns(&rig, 1000);
    assert_int_equal(stack_load(0), 0);
    for (unsigned i = 0; i < 4; i++)
        rig_client_send(&rig, c[i], "work");
    rig_turns(&rig, 1000);
    assert_int_equal(stack_load(0), 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(capy_consume(rig.os[0], qd[i], 4), CAPY_OK);
        assert_int_equal(capy_pop(rig.os[0], qd[i], 0), CAPY_OK);
    }
    rig_turns(&rig, 1000);
    assert_int_equal(stack_load(0), 0);
}

static void a_burst_of_a_moment_is_smoothed(void **state)
{
    (void)state;
    rig.os[0]->load.in_hand += 100;
    rig_turn(&rig);
    assert_true(stack_load(0) > 0 && stack_load(0) < 10);
    rig.os[0]->load.in_hand -= 100;
    rig_turns(&rig, 1000);
    assert_int_equal(stack_load(0), 0);
}

static void the_applications_word_counts(void **state)
{
    (void)state;
    capy_set_load(rig.os[0], 77);
    rig_turns(&rig, 100);
    assert_int_equal(stack_load(0), 77);
}

static void an_overloaded_server_moves_its_busiest_connection(void **state)
{
    (void)state;
    int quiet, busy;
    capy_handle q = rig_connect(&rig, 0, &quiet), b = rig_connect(&rig, 0, &busy);
    rig_client_send(&rig, q, "x");
    rig_read(&rig, 0, quiet, "x");
    rig_client_send(&rig, b, "much more than one byte");
    rig_read(&rig, 0, busy, "much more than one byte");
    assert_int_equal(capy_pop(rig.os[0], quiet, 0), CAPY_OK);
    assert_int_equal(capy_pop(rig.os[0], busy, 0), CAPY_OK);
    capy_set_load(rig.os[0], 3);
    struct capy_done done = rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT);
    assert_int_equal(done.qd, busy);
    assert_int_equal(rig.os[0]->load.moved_cnt, 1);
    done = rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT); /* one interval later: the next */
    assert_int_equal(done.qd, quiet);
}

static void at_the_threshold_nothing_moves(void **state)
{
    (void)state;
    int qd;
    capy_handle c = rig_connect(&rig, 0, &qd);
    rig_client_send(&rig, c, "x");
    rig_read(&rig, 0, qd, "x");
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
    capy_set_load(rig.os[0], 2);
    rig_turns(&rig, 2000);
    assert_int_equal(rig.done_cnt[0], 0);
    assert_true(capy_load_next_at(rig.os[0]) == CAPY_NEVER);
}

static void a_connection_that_just_came_cools_down_first(void **state)
{
    (void)state;
    int qd;
    capy_handle c = rig_connect(&rig, 0, &qd);
    rig_client_send(&rig, c, "x");
    rig_read(&rig, 0, qd, "x");
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_OK);
    (void)rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT);
    qd = rig_expect(&rig, 1, CAPY_OP_ACCEPT).accepted;
    rig_client_send(&rig, c, "y");
    rig_read(&rig, 1, qd, "y");
    assert_int_equal(capy_pop(rig.os[1], qd, 0), CAPY_OK);
    capy_set_load(rig.os[1], 100);
    uint64_t arrived_at = rig.now;
    while (rig.done_cnt[1] == 0)
        rig_turn(&rig);
    assert_true(rig.now - arrived_at > CAPY_LOAD_COOL_NS / 2);
    (void)rig_expect(&rig, 1, CAPY_OP_MIGRATED_OUT);
}

int main(void)
{
#define IN_RIG(test) cmocka_unit_test_setup_teardown(test, open_rig, close_rig)
#define IN_WATCHING_RIG(test) cmocka_unit_test_setup_teardown(test, open_watching_rig, close_rig)
    const struct CMUnitTest tests[] = {
        IN_RIG(requests_in_hand_are_the_load),
        IN_RIG(a_burst_of_a_moment_is_smoothed),
        IN_RIG(the_applications_word_counts),
        IN_WATCHING_RIG(an_overloaded_server_moves_its_busiest_connection),
        IN_WATCHING_RIG(at_the_threshold_nothing_moves),
        IN_WATCHING_RIG(a_connection_that_just_came_cools_down_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
