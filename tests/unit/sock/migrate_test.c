/* Connections that move between two library OSes: quiet points, asking mode, what is carried along,
 * and what happens when a move falls through. */
#include "rig.h"
#include <string.h>

#define HEARTBEAT_TURNS 3000u /* more than one from one HEARTBEAT to the next */
#define ASK_TURNS 24000u      /* 120 ms: the ask expires after release_ns, 100 ms */

static struct rig rig;

static int open_rig(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    return 0;
}

static int open_asking_rig(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    for (unsigned i = 0; i < RIG_SERVERS; i++)
        assert_int_equal(capy_ask_before_migration(rig.os[i], rig.lqd[i]), CAPY_OK);
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    /* Nobody noticed anything: no test here lets an application reset. */
    assert_false(rig.client_events & (CAPY_EV_RESET | CAPY_EV_TIMED_OUT));
    rig_close(&rig);
    return 0;
}

/* The next connection of server `at` arrived by migration: its queue. */
static int expect_arrival(unsigned at)
{
    struct capy_done done = rig_expect(&rig, at, CAPY_OP_ACCEPT);
    assert_true(done.migrated);
    assert_int_equal(capy_accept(rig.os[at], rig.lqd[at]), CAPY_OK);
    return done.accepted;
}

static void a_connection_moves_at_its_quiet_point(void **state)
{
    (void)state;
    int qd;
    capy_handle c = rig_connect(&rig, 0, &qd);
    rig_client_send(&rig, c, "one");
    rig_read(&rig, 0, qd, "one");
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_OK);
    rig_expect_none(&rig, 0); /* granted, but no pop is outstanding: it stays */
    rig_client_send(&rig, c, "two");
    assert_int_equal(capy_push(rig.os[0], qd, "ONE", 3), 3);
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
    assert_int_equal(rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT).qd, qd);
    int there = expect_arrival(1);
    rig_read(&rig, 1, there, "two");
    assert_int_equal(capy_push(rig.os[1], there, "TWO", 3), 3);
    rig_client_expect(&rig, c, "ONETWO");
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_E_BADQD);
    assert_int_equal(rig.os[0]->mover.in_flight, 0);
}

static void a_push_after_the_pop_of_the_same_turn_goes_along(void **state)
{
    (void)state;
    int qd;
    capy_handle c = rig_connect(&rig, 0, &qd);
    rig_client_send(&rig, c, "one");
    rig_read(&rig, 0, qd, "one");
    assert_int_equal(capy_migrate(rig.os[0], qd, NULL), CAPY_OK);
    rig_expect_none(&rig, 0);
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
    assert_int_equal(capy_push(rig.os[0], qd, "ONE", 3), 3);
    (void)rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT);
    (void)expect_arrival(1);
    rig_client_expect(&rig, c, "ONE");
}

static void a_connection_that_never_gets_quiet_stays(void **state)
{
    (void)state;
    int qd;
    capy_handle c = rig_connect(&rig, 0, &qd);
    rig_client_send(&rig, c, "one");
    rig_read(&rig, 0, qd, "one");
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_OK);
    rig_turns(&rig, ASK_TURNS); /* the ask expires */
    assert_int_equal(rig.done_cnt[0], 0);
    assert_int_equal(rig.os[0]->mover.in_flight, 0);
    assert_int_equal(rig.os[0]->mover.refused, 1);
    assert_int_equal(rig.os[0]->mover.reason, CAPY_REASON_APP_LATE);
    assert_int_equal(rig.os[0]->mover.verdict, CAPY_VERDICT_NONE);
    assert_int_equal(capy_push(rig.os[0], qd, "ONE", 3), 3);
    rig_client_expect(&rig, c, "ONE");
}

static uint64_t client_reads(capy_handle c)
{
    uint64_t got = 0;
    uint32_t n;
    while (capy_stack_read_span(rig.client, c, 0, &n)) {
        assert_int_equal(capy_stack_consume(rig.client, c, n, rig.now), CAPY_OK);
        got += n;
    }
    return got;
}

/* A push was short: the rest of the answer is with the application. No move begins, also not when
 * there is room again, until the rest is pushed. */
static void the_rest_of_an_answer_is_waited_for(void **state)
{
    (void)state;
    static const uint8_t much[1100 * 1024];
    int qd;
    uint64_t got = 0;
    capy_handle c = rig_connect(&rig, 0, &qd);
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
    int64_t sent = capy_push(rig.os[0], qd, much, sizeof much);
    assert_true(sent > 0 && sent < (int64_t)sizeof much);
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_E_AGAIN);
    for (int i = 0; i < 50000 && rig.done_cnt[0] == 0; i++) {
        rig_turn(&rig);
        got += client_reads(c);
    }
    (void)rig_expect(&rig, 0, CAPY_OP_PUSH);
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_E_AGAIN);
    for (uint32_t left = (uint32_t)((int64_t)sizeof much - sent); left > 0;) {
        int64_t n = capy_push(rig.os[0], qd, much, left);
        assert_true(n >= 0);
        left -= (uint32_t)n;
        got += client_reads(c);
        rig_turn(&rig);
        if (rig.done_cnt[0] > 0)
            (void)rig_expect(&rig, 0, CAPY_OP_PUSH);
    }
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_OK);
    (void)rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT);
    (void)expect_arrival(1);
    for (unsigned i = 0; i < 50000 && got < sizeof much; i++) {
        rig_turn(&rig);
        got += client_reads(c);
    }
    assert_int_equal(got, sizeof much);
}

/* It was quiet when the move began, and is in the middle of an answer when it is granted. */
static void an_answer_begun_meanwhile_ends_the_move(void **state)
{
    (void)state;
    static const uint8_t much[1100 * 1024];
    int qd;
    (void)rig_connect(&rig, 0, &qd);
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_OK);
    assert_true(capy_push(rig.os[0], qd, much, sizeof much) < (int64_t)sizeof much);
    rig_turns(&rig, 50); /* far less than an ask may last */
    assert_int_equal(rig.os[0]->mover.in_flight, 0);
    assert_int_equal(rig.os[0]->mover.reason, CAPY_REASON_APP_VETO);
    assert_int_equal(rig.os[0]->live_cnt, 1);
}

static void there_and_back_again(void **state)
{
    (void)state;
    int qd;
    capy_handle c = rig_connect(&rig, 0, &qd);
    for (unsigned round = 0; round < 6; round++) {
        unsigned here = round % 2, there = 1 - here;
        assert_int_equal(capy_pop(rig.os[here], qd, 0), CAPY_OK);
        assert_int_equal(capy_migrate(rig.os[here], qd, NULL), CAPY_OK);
        (void)rig_expect(&rig, here, CAPY_OP_MIGRATED_OUT);
        qd = expect_arrival(there);
        rig_client_send(&rig, c, "ping");
        rig_read(&rig, there, qd, "ping");
        assert_int_equal(capy_push(rig.os[there], qd, "pong", 4), 4);
        rig_client_expect(&rig, c, "pong");
    }
}

static void unread_and_unsent_bytes_move(void **state)
{
    (void)state;
    int qd;
    capy_handle c = rig_connect(&rig, 0, &qd);
    rig_client_send(&rig, c, "unread");
    rig_turns(&rig, 50);
    assert_int_equal(capy_pop(rig.os[0], qd, 100), CAPY_OK);
    assert_int_equal(capy_push(rig.os[0], qd, "unsent", 6), 6);
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_OK);
    (void)rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT);
    int there = expect_arrival(1);
    rig_read(&rig, 1, there, "unread");
    rig_client_expect(&rig, c, "unsent");
}

static void a_connection_that_nobody_accepted_moves_too(void **state)
{
    (void)state;
    int qd;
    (void)rig_connect(&rig, 0, &qd);
    capy_handle c;
    struct capy_ip ip;
    memcpy(ip.b, rig.rack.server[0].ip, sizeof ip.b);
    assert_int_equal(capy_stack_connect(rig.client, &ip, RIG_PORT, 0, 0, &c, rig.now), CAPY_OK);
    (void)rig_expect(&rig, 0, CAPY_OP_ACCEPT);
    assert_int_equal(capy_stack_connect(rig.client, &ip, RIG_PORT, 0, 0, &c, rig.now), CAPY_OK);
    rig_turns(&rig, 50);
    uint32_t idx = rig.os[0]->listener[0].backlog.head;
    assert_int_not_equal(idx, CAPY_NONE);
    assert_int_equal(capy_migrate_queue(rig.os[0], idx, 1), CAPY_OK);
    int there = expect_arrival(1);
    rig_expect_none(&rig, 0); /* the application here never knew it */
    rig_client_send(&rig, c, "hi");
    rig_read(&rig, 1, there, "hi");
}

static void what_the_application_does_while_frozen_is_settled_later(void **state)
{
    (void)state;
    int qd;
    capy_handle c = rig_connect(&rig, 0, &qd);
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_OK);
    uint32_t idx = capy_queue_find(rig.os[0], qd, CAPY_QUEUE_CONN);
    for (int i = 0; i < 100 && !(rig.os[0]->queues[idx].flags & CAPY_QUEUE_FROZEN); i++)
        rig_turn(&rig);
    assert_true(rig.os[0]->queues[idx].flags & CAPY_QUEUE_FROZEN);
    assert_int_equal(capy_push(rig.os[0], qd, "late", 4), 0); /* PUSH, or gone: we shall see */
    (void)rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT);
    int there = expect_arrival(1);
    rig_client_send(&rig, c, "hi");
    rig_read(&rig, 1, there, "hi");
}

static void a_close_while_frozen_leaves_it_to_the_target(void **state)
{
    (void)state;
    int qd;
    capy_handle c = rig_connect(&rig, 0, &qd);
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_OK);
    uint32_t idx = capy_queue_find(rig.os[0], qd, CAPY_QUEUE_CONN);
    for (int i = 0; i < 100 && !(rig.os[0]->queues[idx].flags & CAPY_QUEUE_FROZEN); i++)
        rig_turn(&rig);
    assert_int_equal(capy_close(rig.os[0], qd), CAPY_OK);
    assert_int_equal(capy_close(rig.os[0], qd), CAPY_E_BADQD);
    int there = expect_arrival(1);
    rig_expect_none(&rig, 0);
    assert_int_equal(rig.os[0]->live_cnt, 0);
    rig_client_send(&rig, c, "hi");
    rig_read(&rig, 1, there, "hi");
}

static void an_asking_application_sends_its_state_along(void **state)
{
    (void)state;
    static uint8_t mine[CAPY_APP_STATE_MAX], theirs[CAPY_APP_STATE_MAX];
    for (uint32_t i = 0; i < sizeof mine; i++)
        mine[i] = (uint8_t)(i * 7 + i / 256);
    int qd;
    capy_handle c = rig_connect(&rig, 0, &qd);
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_OK);
    assert_int_equal(rig_expect(&rig, 0, CAPY_OP_MIGRATE).qd, qd);
    assert_int_equal(capy_release(rig.os[0], qd, mine, sizeof mine + 1), CAPY_E_INVAL);
    assert_int_equal(capy_release(rig.os[0], qd, mine, sizeof mine), CAPY_OK);
    assert_int_equal(capy_release(rig.os[0], qd, mine, 1), CAPY_E_STATE);
    (void)rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT);
    int there = expect_arrival(1);
    assert_int_equal(capy_migrated_state(rig.os[1], there, theirs, 10), sizeof mine);
    assert_int_equal(capy_migrated_state(rig.os[1], there, theirs, sizeof theirs), sizeof mine);
    assert_memory_equal(mine, theirs, sizeof mine);
    assert_int_equal(capy_migrated_state(rig.os[1], there, theirs, sizeof theirs), 0);
    rig_client_send(&rig, c, "hi");
    rig_read(&rig, 1, there, "hi");
}

static void state_that_nobody_fetched_goes_on_with_the_connection(void **state)
{
    (void)state;
    char fetched[16];
    int qd;
    (void)rig_connect(&rig, 0, &qd);
    rig.os[1]->queues[rig.os[1]->listener[0].queue].flags &= (uint16_t)~CAPY_QUEUE_ASKS;
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_OK);
    (void)rig_expect(&rig, 0, CAPY_OP_MIGRATE);
    assert_int_equal(capy_release(rig.os[0], qd, "state", 5), CAPY_OK);
    (void)rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT);
    int there = expect_arrival(1);
    assert_int_equal(capy_pop(rig.os[1], there, 0), CAPY_OK);
    assert_int_equal(capy_migrate(rig.os[1], there, "s1"), CAPY_OK);
    (void)rig_expect(&rig, 1, CAPY_OP_MIGRATED_OUT);
    int back = expect_arrival(0);
    assert_int_equal(capy_migrated_state(rig.os[0], back, fetched, sizeof fetched), 5);
    assert_memory_equal(fetched, "state", 5);
}

static void a_veto_keeps_the_connection(void **state)
{
    (void)state;
    int qd;
    capy_handle c = rig_connect(&rig, 0, &qd);
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_OK);
    (void)rig_expect(&rig, 0, CAPY_OP_MIGRATE);
    assert_int_equal(capy_veto(rig.os[0], qd), CAPY_OK);
    rig_expect_none(&rig, 0);
    assert_int_equal(rig.os[0]->mover.in_flight, 0);
    rig_client_send(&rig, c, "hi");
    rig_read(&rig, 0, qd, "hi");
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_OK);
    (void)rig_expect(&rig, 0, CAPY_OP_MIGRATE);
    assert_int_equal(capy_release(rig.os[0], qd, NULL, 0), CAPY_OK);
    (void)rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT);
}

static void an_ask_that_is_not_answered_ends(void **state)
{
    (void)state;
    int qd;
    (void)rig_connect(&rig, 0, &qd);
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_OK);
    (void)rig_expect(&rig, 0, CAPY_OP_MIGRATE);
    rig_turns(&rig, ASK_TURNS);
    assert_int_equal(rig.done_cnt[0], 0); /* it had not released: it is told nothing */
    assert_int_equal(capy_release(rig.os[0], qd, NULL, 0), CAPY_E_STATE);
}

static void a_move_that_falls_through_brings_kept(void **state)
{
    (void)state;
    int qd;
    capy_handle c = rig_connect(&rig, 0, &qd);
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_OK);
    (void)rig_expect(&rig, 0, CAPY_OP_MIGRATE);
    /* The target is stopped in the middle: its listening queue goes, so it cannot take the state.
     */
    assert_int_equal(capy_close(rig.os[1], rig.lqd[1]), CAPY_OK);
    assert_int_equal(capy_release(rig.os[0], qd, "mine", 4), CAPY_OK);
    assert_int_equal(rig_expect(&rig, 0, CAPY_OP_MIGRATE_KEPT).qd, qd);
    rig_client_send(&rig, c, "hi");
    assert_int_equal(rig_expect(&rig, 0, CAPY_OP_POP).len, 2); /* the pop was still outstanding */
}

/* A connection moved from server 0 to server 1; its queue there. */
static int move_one(capy_handle *client)
{
    int qd;
    *client = rig_connect(&rig, 0, &qd);
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_OK);
    (void)rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT);
    return expect_arrival(1);
}

/* The switch is silent for so long that it may have given our flows away. What the application does
 * meanwhile waits, and is done when the switch says that they are still ours. */
static void calls_wait_while_the_switch_is_silent(void **state)
{
    (void)state;
    capy_handle talker, leaver;
    bool fin = false;
    int talks = move_one(&talker), leaves = move_one(&leaver);
    rig.tor_silent = true;
    rig.now += CAPY_SEC(2);
    rig_turns(&rig, 2);
    assert_int_equal(capy_push(rig.os[1], talks, "late", 4), 0);
    assert_int_equal(capy_close(rig.os[1], leaves), CAPY_OK);
    assert_int_equal(capy_close(rig.os[1], leaves), CAPY_E_BADQD);
    rig_turns(&rig, 100);
    assert_int_equal(rig.done_cnt[1], 0);

    rig.tor_silent = false;
    assert_int_equal(rig_expect(&rig, 1, CAPY_OP_PUSH).qd, talks);
    assert_int_equal(capy_push(rig.os[1], talks, "late", 4), 4);
    rig_client_expect(&rig, talker, "late");
    rig_turns(&rig, 20000);
    assert_int_equal(capy_stack_readable(rig.client, leaver, &fin), 0);
    assert_true(fin);
}

static uint32_t load_at_switch(unsigned server)
{
    struct capy_switch_server_info info;
    capy_switch_server(rig.tor, (uint16_t)server, rig.now, &info);
    return info.load;
}

/* What the switch estimated when it sent the connection there, a HEARTBEAT does not erase. */
static void what_is_on_its_way_counts_as_load(void **state)
{
    (void)state;
    int qd;
    rig_connect(&rig, 0, &qd);
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
    rig_turns(&rig, HEARTBEAT_TURNS);
    assert_int_equal(load_at_switch(1), 0);
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_OK);
    assert_int_equal(rig_expect(&rig, 0, CAPY_OP_MIGRATE).qd, qd);
    rig_turns(&rig, HEARTBEAT_TURNS); /* the application takes its time */
    assert_int_equal(load_at_switch(1), 1);
    assert_int_equal(capy_release(rig.os[0], qd, NULL, 0), CAPY_OK);
    (void)rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT);
    int there = expect_arrival(1);
    assert_int_equal(capy_pop(rig.os[1], there, 0), CAPY_OK);
    rig_turns(&rig, 2 * HEARTBEAT_TURNS);
    assert_int_equal(load_at_switch(1), 0);
}

int main(void)
{
#define IN_RIG(test) cmocka_unit_test_setup_teardown(test, open_rig, close_rig)
#define IN_ASKING_RIG(test) cmocka_unit_test_setup_teardown(test, open_asking_rig, close_rig)
    const struct CMUnitTest tests[] = {
        IN_RIG(a_connection_moves_at_its_quiet_point),
        IN_RIG(a_push_after_the_pop_of_the_same_turn_goes_along),
        IN_RIG(a_connection_that_never_gets_quiet_stays),
        IN_RIG(the_rest_of_an_answer_is_waited_for),
        IN_RIG(an_answer_begun_meanwhile_ends_the_move),
        IN_RIG(there_and_back_again),
        IN_RIG(unread_and_unsent_bytes_move),
        IN_RIG(a_connection_that_nobody_accepted_moves_too),
        IN_RIG(what_the_application_does_while_frozen_is_settled_later),
        IN_RIG(a_close_while_frozen_leaves_it_to_the_target),
        IN_RIG(calls_wait_while_the_switch_is_silent),
        IN_ASKING_RIG(what_is_on_its_way_counts_as_load),
        IN_ASKING_RIG(an_asking_application_sends_its_state_along),
        IN_ASKING_RIG(state_that_nobody_fetched_goes_on_with_the_connection),
        IN_ASKING_RIG(a_veto_keeps_the_connection),
        IN_ASKING_RIG(an_ask_that_is_not_answered_ends),
        IN_ASKING_RIG(a_move_that_falls_through_brings_kept),
    };
    int failed = cmocka_run_group_tests_name("IPv4", tests, NULL, NULL);
    rig_kind = RIG_BESIDE;
    failed += cmocka_run_group_tests_name("IPv6 beside IPv4", tests, NULL, NULL);
    rig_kind = RIG_IPV6_ONLY;
    return failed + cmocka_run_group_tests_name("IPv6 alone", tests, NULL, NULL);
}
