/* Many moves in the background: drains, bulk moves, refusals and retries. */
#include "rig.h"
#include <string.h>

#define CONNS 40u

static struct rig rig;

/* CONNS connections at s1, each with a pop outstanding; s2 accepts whatever comes. */
static int open_rig(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    for (unsigned i = 0; i < CONNS; i++) {
        int qd;
        (void)rig_connect(&rig, 0, &qd);
        assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
        assert_int_equal(capy_accept(rig.os[1], rig.lqd[1]), CAPY_OK);
    }
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    assert_false(rig.client_events & (CAPY_EV_RESET | CAPY_EV_TIMED_OUT));
    rig_close(&rig);
    return 0;
}

/* Long enough for several HEARTBEATs: the switch gives out no more than they offered. */
static void turn_for_long(void)
{
    rig_turns(&rig, 6000);
}

static void forget_completions(void)
{
    memset(rig.done_cnt, 0, sizeof rig.done_cnt);
}

static void a_drain_moves_every_connection(void **state)
{
    (void)state;
    capy_mover_drain(rig.os[0], true);
    turn_for_long();
    assert_int_equal(rig.os[0]->live_cnt, 0);
    assert_int_equal(rig.os[1]->live_cnt, CONNS);
    assert_int_equal(rig.os[0]->mover.moved, CONNS);
    assert_in_range(rig.os[0]->mover.moved_at, rig.os[0]->mover.began_at + 1, rig.now - CAPY_MS(1));
    assert_int_equal(rig.os[0]->mover.in_flight, 0);
    assert_int_equal(rig.done_cnt[0], CONNS);
    assert_int_equal(rig.done_cnt[1], CONNS);
}

static void a_drain_takes_what_comes_later_too(void **state)
{
    (void)state;
    capy_mover_drain(rig.os[0], true);
    turn_for_long();
    forget_completions();
    int qd;
    (void)rig_connect(&rig, 0, &qd);
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
    (void)rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT);
    capy_mover_drain(rig.os[0], false);
    (void)rig_connect(&rig, 0, &qd);
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
    rig_expect_none(&rig, 0);
}

static void a_draining_target_is_not_chosen_and_the_refused_are_retried(void **state)
{
    (void)state;
    capy_mover_drain(rig.os[1], true);
    rig_turns(&rig, 500); /* the next HEARTBEAT says so */
    capy_mover_drain(rig.os[0], true);
    turn_for_long();
    assert_int_equal(rig.os[0]->live_cnt, CONNS);
    assert_true(rig.os[0]->mover.refused > 0);
    assert_int_equal(rig.os[0]->mover.verdict, CAPY_VERDICT_NO_TARGET);
    capy_mover_drain(rig.os[1], false);
    turn_for_long();
    assert_int_equal(rig.os[0]->live_cnt, 0);
    assert_int_equal(rig.os[0]->mover.moved, CONNS);
}

/* It waits for connections to come, and for nothing else: a drained server's core is idle. */
static void a_server_that_is_drained_sleeps(void **state)
{
    (void)state;
    capy_mover_drain(rig.os[0], true);
    assert_true(capy_mover_next_at(rig.os[0]) == CAPY_NEVER); /* the window is full */
    turn_for_long();
    assert_int_equal(rig.os[0]->live_cnt, 0);
    assert_true(capy_mover_next_at(rig.os[0]) == CAPY_NEVER);
}

/* Where none can go now, looking at all of them takes a small part of the time. */
static void a_round_in_vain_is_followed_by_a_rest(void **state)
{
    (void)state;
    for (uint32_t idx = 0; idx < rig.os[0]->pool.cnt; idx++)
        rig.os[0]->queues[idx].flags &= (uint32_t)~CAPY_QUEUE_POP; /* busy with an answer */
    capy_mover_drain(rig.os[0], true);
    assert_int_equal(rig.os[0]->mover.in_flight, 0);
    assert_true(capy_mover_next_at(rig.os[0]) >= rig.os[0]->now + CAPY_MS(1));
}

static void a_drain_sends_less_at_a_time_where_messages_are_lost(void **state)
{
    (void)state;
    (void)capy_mover_begin(rig.os[0], 4, CAPY_SERVER_ANY);
    rig_turns(&rig, 100); /* how long an answer takes is known now */
    struct capy_mover *m = &rig.os[0]->mover;
    m->flight = (struct capy_flight){.most = 256, .window = 100, .borne = 64};
    capy_mover_drain(rig.os[0], true);
    assert_int_equal(m->flight.window, 100);
    rig.tor_silent = true;
    rig_turns(&rig, 200);
    rig.tor_silent = false;
    rig_turns(&rig, 400);
    assert_true(m->lost > 0);
    assert_int_equal(m->flight.borne, 64);
    assert_in_range(m->flight.window, 64, 99);
    turn_for_long();
    assert_int_equal(rig.os[0]->live_cnt, 0);
    assert_int_equal(rig.os[1]->live_cnt, CONNS);
}

/* The target takes fewer at a time than are sent to it. */
static void a_full_target_gets_fewer_at_a_time_and_all_in_the_end(void **state)
{
    (void)state;
    const struct capy_mover *m = &rig.os[0]->mover;
    assert_int_equal(m->flight.window, 16);
    capy_mover_refused(rig.os[0], CAPY_REASON_CLASH, CAPY_VERDICT_NONE); /* that connection's own */
    assert_int_equal(m->flight.window, 16);
    capy_mover_refused(rig.os[0], CAPY_REASON_FULL, CAPY_VERDICT_NONE);
    assert_int_equal(m->flight.window, 8);
    assert_true(m->rest_until > rig.os[0]->now);
    capy_mover_drain(rig.os[0], true);
    turn_for_long();
    assert_int_equal(rig.os[1]->live_cnt, CONNS);
}

/* Room for one or two more is left until there is room for a quarter of the window. */
static void moves_begin_by_the_train(void **state)
{
    (void)state;
    struct capy_mover *m = &rig.os[0]->mover;
    m->in_flight = m->flight.window - 3; /* as if so many were under way */
    capy_mover_drain(rig.os[0], true);
    assert_int_equal(m->started, 0);
    assert_true(capy_mover_next_at(rig.os[0]) == CAPY_NEVER);
    m->in_flight--;
    capy_mover_step(rig.os[0]);
    assert_int_equal(m->started, 4);
    m->in_flight = 4;
    turn_for_long();
    assert_int_equal(rig.os[0]->live_cnt, 0);
}

static void a_bulk_move_begins_as_many_as_asked(void **state)
{
    (void)state;
    uint32_t started = capy_mover_begin(rig.os[0], 25, CAPY_SERVER_ANY);
    assert_int_equal(started, rig.rack.migrate_max); /* the rest as slots come free */
    turn_for_long();
    const struct capy_mover *m = &rig.os[0]->mover;
    assert_int_equal(m->todo, 0);
    assert_int_equal(m->started, 25);
    assert_int_equal(m->moved + m->refused, 25); /* a refused one is not tried again */
    assert_true(m->moved >= rig.rack.migrate_max);
    assert_int_equal(rig.os[1]->live_cnt, m->moved);
}

static void a_bulk_move_of_more_than_there_are_ends(void **state)
{
    (void)state;
    (void)capy_mover_begin(rig.os[0], 1000, 1);
    turn_for_long();
    assert_int_equal(rig.os[0]->mover.moved, CONNS);
    assert_int_equal(rig.os[0]->mover.todo, 0);
    assert_true(capy_mover_next_at(rig.os[0]) == CAPY_NEVER);
}

static void a_bulk_move_to_ourselves_begins_nothing(void **state)
{
    (void)state;
    assert_int_equal(capy_mover_begin(rig.os[0], 3, 0), 0);
    rig_turns(&rig, 1000);
    assert_int_equal(rig.os[0]->live_cnt, CONNS);
    assert_int_equal(rig.os[0]->mover.in_flight, 0);
}

int main(void)
{
#define IN_RIG(test) cmocka_unit_test_setup_teardown(test, open_rig, close_rig)
    const struct CMUnitTest tests[] = {
        IN_RIG(a_drain_moves_every_connection),
        IN_RIG(a_drain_takes_what_comes_later_too),
        IN_RIG(a_draining_target_is_not_chosen_and_the_refused_are_retried),
        IN_RIG(a_server_that_is_drained_sleeps),
        IN_RIG(a_round_in_vain_is_followed_by_a_rest),
        IN_RIG(a_drain_sends_less_at_a_time_where_messages_are_lost),
        IN_RIG(a_full_target_gets_fewer_at_a_time_and_all_in_the_end),
        IN_RIG(moves_begin_by_the_train),
        IN_RIG(a_bulk_move_begins_as_many_as_asked),
        IN_RIG(a_bulk_move_of_more_than_there_are_ends),
        IN_RIG(a_bulk_move_to_ourselves_begins_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
