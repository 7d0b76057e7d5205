/* The trigger, rule by rule: when it acts, which connection it takes, and what keeps it from acting.
 * Whole racks under load are in tests/trigger. */
#include "rig.h"
#include <string.h>

#define INTERVAL_US 1000u
#define COOL_MS 20u
#define INTERVAL_TURNS 200u /* of 5 us */

static struct rig rig;

static void watch_for_four(struct capy_rack *rack)
{
    rack->load_threshold = 4;
    rack->load_low = 2;
    rack->load_patience_us = INTERVAL_US;
    rack->load_interval_us = INTERVAL_US;
    rack->load_cool_ms = COOL_MS;
    rack->load_budget = 2;
}

static int open_rig(void **state)
{
    (void)state;
    rig_open(&rig, watch_for_four);
    return 0;
}

static int open_calm_rig(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static const struct capy_trigger *trigger(unsigned server)
{
    return &rig.os[server]->trigger;
}

static void work(unsigned server, capy_handle c, int qd, unsigned requests)
{
    for (unsigned i = 0; i < requests; i++) {
        rig_client_send(&rig, c, "work");
        rig_read(&rig, server, qd, "work");
    }
    assert_int_equal(capy_pop(rig.os[server], qd, 0), CAPY_OK);
    rig_turns(&rig, 4); /* the last of it is charged, too */
}

/* A connection of s1 that has had so many requests, and waits for the next. */
static int worked(unsigned requests)
{
    int qd;
    capy_handle c = rig_connect(&rig, 0, &qd);
    work(0, c, qd, requests);
    return qd;
}

static void wait_intervals(unsigned cnt)
{
    rig_turns(&rig, cnt * INTERVAL_TURNS + INTERVAL_TURNS / 2);
}

static void the_heaviest_that_fits_goes_first(void **state)
{
    (void)state;
    (void)worked(12);
    int most = worked(18);
    (void)worked(10);
    capy_set_load(rig.os[0], 5);
    assert_int_equal(rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT).qd, most);
    assert_int_equal(trigger(0)->moved_cnt, 1);
    assert_int_equal(trigger(0)->why, CAPY_WHY_MOVED);
    rig_turns(&rig, INTERVAL_TURNS / 2);
    assert_int_equal(rig.done_cnt[0], 0);
    assert_int_equal(trigger(0)->in_flight, 0);
}

static void a_giant_stays_and_the_others_go(void **state)
{
    (void)state;
    int giant = worked(40), dwarf = worked(10);
    capy_set_load(rig.os[0], 5);
    assert_int_equal(rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT).qd, dwarf);
    wait_intervals(20);
    assert_int_equal(rig.done_cnt[0], 0);
    assert_int_equal(trigger(0)->why, CAPY_WHY_TOO_HEAVY);
    assert_true(capy_queue_find(rig.os[0], giant, CAPY_QUEUE_CONN) != CAPY_NONE);
}

/* Few requests that take long weigh more than many that do not. */
static void it_is_the_time_that_weighs(void **state)
{
    (void)state;
    int many = worked(12), slow;
    capy_handle c = rig_connect(&rig, 0, &slow);
    for (unsigned i = 0; i < 4; i++) {
        work(0, c, slow, 1);
        capy_work_note(rig.os[0], capy_queue_find(rig.os[0], slow, 0));
        rig.now += CAPY_US(100);
        rig_turn(&rig);
    }
    assert_true(capy_work_share(rig.os[0], capy_queue_find(rig.os[0], slow, 0)) >
                4 * capy_work_share(rig.os[0], capy_queue_find(rig.os[0], many, 0)));
}

/* The more there is too much, the sooner it is sure. */
static void a_high_load_is_acted_on_sooner(void **state)
{
    (void)state;
    uint64_t took[2];
    for (unsigned i = 0; i < 2; i++) {
        (void)worked(5);
        (void)worked(5);
        (void)worked(5);
        uint64_t since = rig.now, before = trigger(0)->why_cnt[CAPY_WHY_MOVED];
        capy_set_load(rig.os[0], i == 0 ? 5 : 12);
        while (trigger(0)->why_cnt[CAPY_WHY_MOVED] == before)
            rig_turn(&rig);
        took[i] = rig.now - since;
        capy_set_load(rig.os[0], 0);
        rig_turns(&rig, 4000);
        rig.done_cnt[0] = 0; /* it moved */
    }
    assert_true(took[0] >= CAPY_US(4 * INTERVAL_US)); /* a quarter over: four times the patience */
    assert_in_range(took[1], CAPY_US(2 * rig.rack.heartbeat_us), CAPY_US(4 * INTERVAL_US) - 1);
}

static void at_the_threshold_nothing_moves(void **state)
{
    (void)state;
    (void)worked(1);
    (void)worked(1);
    capy_set_load(rig.os[0], 4);
    wait_intervals(10);
    assert_int_equal(rig.done_cnt[0], 0);
    assert_int_equal(trigger(0)->why, CAPY_WHY_CALM);
    assert_true(capy_trigger_next_at(rig.os[0]) == CAPY_NEVER);
}

static void without_a_threshold_nothing_is_even_counted(void **state)
{
    (void)state;
    int qd = worked(3);
    capy_set_load(rig.os[0], 1000);
    rig_turns(&rig, 4000);
    assert_int_equal(rig.done_cnt[0], 0);
    assert_int_equal(trigger(0)->why, CAPY_WHY_OFF);
    assert_int_equal(capy_work_share(rig.os[0], capy_queue_find(rig.os[0], qd, 0)), 0);
}

static void a_burst_is_over_before_it_is_worth_a_move(void **state)
{
    (void)state;
    (void)worked(1);
    (void)worked(1);
    for (unsigned i = 0; i < 5; i++) {
        capy_set_load(rig.os[0], 9);
        rig_turns(&rig, INTERVAL_TURNS * 3 / 4);
        capy_set_load(rig.os[0], 1);
        rig_turns(&rig, INTERVAL_TURNS);
    }
    assert_int_equal(rig.done_cnt[0], 0);
    assert_int_equal(trigger(0)->why_cnt[CAPY_WHY_WAITING], 5);
}

/* Above the low mark it goes on, below the high one it does not begin. */
static void between_the_marks_it_goes_on_as_it_was(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        (void)worked(5);
    capy_set_load(rig.os[0], 3);
    capy_set_load(rig.os[1], 0);
    wait_intervals(5);
    assert_int_equal(rig.done_cnt[0], 0);
    capy_set_load(rig.os[0], 5);
    (void)rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT);
    rig_turns(&rig, 50);
    unsigned before = (unsigned)trigger(0)->moved_cnt;
    capy_set_load(rig.os[0], 3);
    wait_intervals(30);
    assert_true(trigger(0)->moved_cnt > before);
    capy_set_load(rig.os[0], 2);
    rig_turns(&rig, 2);
    before = (unsigned)trigger(0)->moved_cnt;
    assert_int_equal(trigger(0)->why, CAPY_WHY_CALM);
    wait_intervals(30);
    assert_int_equal(trigger(0)->moved_cnt, before);
}

static void load_that_falls_by_itself_is_left_to_fall(void **state)
{
    (void)state;
    (void)worked(1);
    (void)worked(1);
    for (uint32_t load = 1000; load > 4; load = load * 3 / 4) {
        capy_set_load(rig.os[0], load);
        rig_turns(&rig, INTERVAL_TURNS);
    }
    assert_int_equal(rig.done_cnt[0], 0);
    assert_true(trigger(0)->why_cnt[CAPY_WHY_FALLING] > 10);
}

static void where_all_are_loaded_nothing_moves(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++)
        (void)worked(5);
    capy_set_load(rig.os[0], 50);
    capy_set_load(rig.os[1], 3);
    rig_turns(&rig, 2 * INTERVAL_TURNS); /* the switch hears of it before the trigger acts */
    unsigned before = (unsigned)trigger(0)->moved_cnt;
    wait_intervals(20);
    assert_int_equal(trigger(0)->moved_cnt, before);
    assert_int_equal(trigger(0)->why, CAPY_WHY_NO_ROOM);
    capy_set_load(rig.os[1], 2);
    (void)rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT);
}

static void a_silent_switch_is_not_asked(void **state)
{
    (void)state;
    (void)worked(5);
    (void)worked(5);
    rig.tor_silent = true;
    wait_intervals(10);
    capy_set_load(rig.os[0], 5);
    wait_intervals(5);
    assert_int_equal(trigger(0)->why, CAPY_WHY_NO_SWITCH);
    assert_int_equal(rig.os[0]->mover.in_flight, 0);
    rig.tor_silent = false;
}

static void no_more_are_under_way_than_the_budget(void **state)
{
    (void)state;
    assert_int_equal(capy_ask_before_migration(rig.os[0], rig.lqd[0]), CAPY_OK);
    for (unsigned i = 0; i < 12; i++)
        (void)worked(5);
    capy_set_load(rig.os[0], 100);
    for (unsigned i = 0; i < 20 * INTERVAL_TURNS; i++) { /* and the application does not answer */
        rig_turn(&rig);
        assert_in_range(trigger(0)->in_flight, 0, 2);
    }
    assert_int_equal(rig.os[0]->mover.in_flight, 2);
    assert_int_equal(trigger(0)->why, CAPY_WHY_BUDGET);
    while (rig.done_cnt[0] > 0) {
        struct capy_done d = rig_expect(&rig, 0, CAPY_OP_MIGRATE);
        assert_int_equal(capy_veto(rig.os[0], d.qd), CAPY_OK);
    }
    rig_turns(&rig, 100);
    assert_int_equal(trigger(0)->refused_cnt, 2);
}

static void what_has_moved_stays_until_it_has_cooled(void **state)
{
    (void)state;
    int stays, qd;
    capy_handle other = rig_connect(&rig, 1, &stays), c = rig_connect(&rig, 0, &qd);
    work(0, c, qd, 1);
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_OK);
    (void)rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT);
    qd = rig_expect(&rig, 1, CAPY_OP_ACCEPT).accepted;
    uint64_t arrived_at = rig.now;
    work(1, other, stays, 9);
    work(1, c, qd, 5);
    capy_set_load(rig.os[1], 5);
    assert_int_equal(capy_veto(rig.os[1], stays), CAPY_E_STATE);
    rig.os[1]->queues[capy_queue_find(rig.os[1], stays, 0)].cool_until = CAPY_NEVER;
    wait_intervals(5);
    assert_int_equal(trigger(1)->why, CAPY_WHY_COOLING);
    assert_int_equal(rig_expect(&rig, 1, CAPY_OP_MIGRATED_OUT).qd, qd);
    assert_true(rig.now - arrived_at >= CAPY_MS(COOL_MS));
}

/* Both halves of a server's work fit an idle one, each by itself; together they do not. */
static void what_was_sent_counts_until_it_shows(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        (void)worked(10);
    capy_set_load(rig.os[0], 5);
    (void)rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT);
    wait_intervals(1);
    assert_int_equal(rig.done_cnt[0], 0);
    assert_int_equal(trigger(0)->why, CAPY_WHY_SETTLING);
}

static void each_decision_is_on_record(void **state)
{
    (void)state;
    (void)worked(5);
    (void)worked(5);
    capy_set_load(rig.os[0], 5);
    (void)rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT);
    json_t *log = capy_decisions_json(rig.os[0], 0), *list = json_object_get(log, "decisions");
    assert_true(json_array_size(list) >= 2);
    json_t *first = json_array_get(list, 0), *second = json_array_get(list, 1);
    assert_string_equal(json_string_value(json_object_get(first, "why")), "waiting");
    assert_string_equal(json_string_value(json_object_get(second, "why")), "moved");
    assert_non_null(json_string_value(json_object_get(second, "client")));
    assert_true(json_number_value(json_object_get(second, "load")) == 5.0);
    json_decref(log);
    for (uint64_t i = 0; i < 2 * CAPY_DECISION_MAX; i++) { /* older ones make room */
        capy_set_load(rig.os[0], i % 2 ? 0 : 5);
        rig_turn(&rig);
    }
    log = capy_decisions_json(rig.os[0], 0);
    assert_true(json_integer_value(json_object_get(log, "first")) >= CAPY_DECISION_MAX);
    json_decref(log);
}

int main(void)
{
#define IN_RIG(test) cmocka_unit_test_setup_teardown(test, open_rig, close_rig)
    const struct CMUnitTest tests[] = {
        IN_RIG(the_heaviest_that_fits_goes_first),
        IN_RIG(a_giant_stays_and_the_others_go),
        IN_RIG(it_is_the_time_that_weighs),
        IN_RIG(a_high_load_is_acted_on_sooner),
        IN_RIG(at_the_threshold_nothing_moves),
        cmocka_unit_test_setup_teardown(without_a_threshold_nothing_is_even_counted, open_calm_rig,
                                        close_rig),
        IN_RIG(a_burst_is_over_before_it_is_worth_a_move),
        IN_RIG(between_the_marks_it_goes_on_as_it_was),
        IN_RIG(load_that_falls_by_itself_is_left_to_fall),
        IN_RIG(where_all_are_loaded_nothing_moves),
        IN_RIG(a_silent_switch_is_not_asked),
        IN_RIG(no_more_are_under_way_than_the_budget),
        IN_RIG(what_has_moved_stays_until_it_has_cooled),
        IN_RIG(what_was_sent_counts_until_it_shows),
        IN_RIG(each_decision_is_on_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
