/* apps/load/engine on virtual time, against a server that stalls, errs or hangs up when told to: latency
 * counts from when a request should have left, nothing is lost from the count, and the same seed gives the
 * same run. */
#include "apps/load/engine.h"
#include "apps/load/schedule.h"
#include "fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)

static struct fake fake;
static struct load_options opt;
static struct load_result result, other;

/* Open loop, constant: 1000 a second for two seconds, ten connections to a server that takes 100 us. */
static int set_up(void **state)
{
    (void)state;
    opt = (struct load_options){.target_cnt = 1,
                                .connection_cnt = 10,
                                .duration_ns = 2 * S,
                                .bytes = 100,
                                .seed = 1,
                                .timeout_ns = 5 * S};
    capy_endpoint_parse("10.99.0.11:80", 80, &opt.target[0]);
    load_schedule_begin(&opt);
    load_schedule_rate(&opt, "1k");
    fake_init(&fake, 100 * US);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    load_timeline_free(&result.timeline);
    load_timeline_free(&other.timeline);
    return 0;
}

static int run_into(struct load_result *r)
{
    char err[200] = "";
    assert_int_equal(load_schedule_check(&opt), 0);
    int rc = load_run(&opt, &fake.base, r, err, sizeof err);
    assert_string_equal(err, "");
    return rc;
}

static void run(void)
{
    assert_int_equal(run_into(&result), 0);
}

static uint64_t latency(uint32_t per_100k)
{
    return capy_hist_quantile(&result.latency_ns, per_100k);
}

/* As a histogram has it. */
static void is_near(uint64_t got, uint64_t want)
{
    assert_in_range(got, want - want / 100 - US, want + want / 100 + US);
}

static void an_undisturbed_run_has_the_servers_latency(void **state)
{
    (void)state;
    run();
    assert_int_equal(result.requests, 1999); /* due at 1 ms, 2 ms, ... 1999 ms */
    assert_int_equal(result.due, 1999);
    assert_int_equal(result.never_sent, 0);
    assert_int_equal(load_errors(&result), 0);
    assert_int_equal(result.latency_ns.min, 100 * US);
    assert_int_equal(result.latency_ns.max, 100 * US);
    assert_int_equal(result.lag_ns.max, 0);
    assert_int_equal(result.retransmits, 2 * 10); /* as the transport has it */
    assert_int_equal(result.server_cnt, 3);
}

/* So that no SYN waits, and is lost, while the kernel looks for a server's MAC. */
static void the_first_connection_of_each_target_opens_before_the_others(void **state)
{
    (void)state;
    opt.target_cnt = 3;
    opt.target[1] = opt.target[2] = opt.target[0];
    fake.open_ns = MS;
    run();
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(fake.conn[i].opened_at, i < 3 ? FAKE_START : FAKE_START + MS);
    assert_int_equal(result.due, 1999);
}

/* The first attempt begins before the others and is soon out of step with them, so that one is always on its
 * way; the load begins and ends all the same. */
static void a_target_that_never_answers_holds_nothing_up(void **state)
{
    (void)state;
    opt.timeout_ns = 200 * MS;
    opt.interval_ns = 100 * MS;
    fake.open_ns = 1000 * S;
    assert_int_equal(run_into(&result), 0);
    assert_in_range(result.error[LOAD_ERROR_CONNECT], 10, 100);
    assert_int_equal(result.requests, 0);
    assert_int_equal(result.never_sent, result.due);
    /* What failed before the load began is in no row: the series is as long as the load. */
    assert_in_range(result.timeline.cnt, 20, 30);
}

/* The server stands still for half a second. 500 requests are due meanwhile, of which ten connections
 * can send ten: all 500 must be late by what they had to wait, from 500 ms down to nothing. */
static void a_stall_shows_in_the_latency_of_all_that_were_due(void **state)
{
    (void)state;
    fake.stall_from = FAKE_START + S;
    fake.stall_to = FAKE_START + S + 500 * MS;
    run();
    assert_int_equal(result.requests, 1999);
    assert_int_equal(result.never_sent, 0);
    is_near(latency(50000), 100 * US);
    /* The late ones are a quarter, spread evenly over half a second. */
    is_near(latency(87500), 252 * MS); /* two more until its turn came */
    is_near(latency(99000), 480 * MS);
    is_near(latency(100000), 500 * MS);
    /* From when they were sent, only the ten that were in flight are. */
    is_near(capy_hist_quantile(&result.service_ns, 99000), 100 * US);
    assert_true(result.service_ns.max > 490 * MS);
    /* And the loader itself was never late. */
    assert_int_equal(result.lag_ns.max, 0);
}

static void what_was_never_sent_counts_with_what_it_waited(void **state)
{
    (void)state;
    fake.stall_from = FAKE_START + S;
    fake.stall_to = FAKE_NEVER;
    run();
    assert_int_equal(result.error[LOAD_ERROR_TIMEOUT], 10);
    assert_int_equal(result.requests + result.never_sent + 10, 1999);
    assert_int_equal(result.latency_ns.cnt, 1999); /* all of them, also those that timed out */
    assert_in_range(result.latency_ns.max, 5 * S, 5 * S + 50 * MS);
    assert_in_range(result.never_sent, 985, 995);
    assert_true(latency(75000) > 500 * MS);
    assert_non_null(strstr(result.first_error, "timeout: no whole answer in time"));
    /* Two seconds of load, and three in which the last answers were awaited in vain: no load was in them. */
    assert_in_range(result.seconds * 1000, 2000, 2005);
}

/* Two hundred million are due in two seconds. All are counted, in the series as well, without drawing each. */
static void a_rate_that_nobody_can_send_ends_soon(void **state)
{
    (void)state;
    load_schedule_rate(&opt, "100M");
    opt.interval_ns = 100 * MS;
    run();
    assert_in_range(result.requests, 199900, 200100); /* 10 connections, 100 us */
    assert_in_range(result.due, 199990000, 200010000);
    assert_int_equal(result.never_sent, result.due - result.requests);
    assert_int_equal(result.latency_ns.cnt, result.due);
    is_near(latency(50000), S);
    is_near(latency(100000), 2 * S);
    uint64_t due = 0;
    for (size_t i = 0; i < result.timeline.cnt; i++)
        due += result.timeline.row[i].due;
    assert_int_equal(due, result.due);
}

static void the_same_seed_gives_the_same_run(void **state)
{
    (void)state;
    opt.process.poisson = true;
    opt.spread = LOAD_SPREAD_WEIGHTS;
    opt.zipf_milli = 1200;
    fake.service_ns = 3 * MS;
    run();
    fake_init(&fake, 3 * MS);
    assert_int_equal(run_into(&other), 0);
    assert_memory_equal(&result.latency_ns, &other.latency_ns, sizeof result.latency_ns);
    fake_init(&fake, 3 * MS);
    opt.seed = 2;
    load_timeline_free(&other.timeline);
    assert_int_equal(run_into(&other), 0);
    assert_memory_not_equal(&result.latency_ns, &other.latency_ns, sizeof result.latency_ns);
}

/* With Zipf the first connection has more than it can do, and its requests wait for it alone. */
static void a_connections_own_requests_wait_for_it(void **state)
{
    (void)state;
    opt.spread = LOAD_SPREAD_WEIGHTS;
    opt.zipf_milli = 3000; /* 83 percent are the first one's: 830/s, of which it can answer 500/s */
    fake.service_ns = 2 * MS;
    run();
    assert_in_range(fake.conn[0].asked, 990, 1001);
    assert_in_range(result.never_sent, 600, 720);
    assert_true(fake.conn[1].asked > fake.conn[2].asked);
    assert_true(latency(99000) > 500 * MS);
}

static void the_warm_up_does_not_count(void **state)
{
    (void)state;
    opt.warm_up_ns = S;
    fake.stall_from = FAKE_START;
    fake.stall_to = FAKE_START + 900 * MS;
    run();
    assert_int_equal(result.requests, 2000); /* due at 1000 ms ... 2999 ms */
    assert_int_equal(result.warm_up_requests, 999);
    assert_int_equal(result.latency_ns.max, 100 * US);
    assert_int_equal(result.begun_at_ns, FAKE_START + S);
    assert_in_range(result.seconds * 1000, 2000, 2001);
}

static void shifts_change_rate_and_shares(void **state)
{
    (void)state;
    opt.target_cnt = 2;
    opt.target[1] = opt.target[0];
    opt.interval_ns = 100 * MS;
    assert_int_equal(load_schedule_weights(&opt, "1,0"), 0);
    assert_int_equal(load_schedule_shift(&opt, "500ms:rate=2x"), 0);
    assert_int_equal(load_schedule_shift(&opt, "1s:weights=0,1"), 0);
    run();
    const struct load_interval *row = result.timeline.row;
    assert_int_equal(result.timeline.cnt, 21); /* of the last, nothing has passed */
    for (unsigned i = 0; i < 20; i++) {
        assert_in_range(row[i].due, i < 5 ? 99 : 199, i < 5 ? 101 : 201);
        assert_in_range(row[i].answered, i < 5 ? 98 : 198, i < 5 ? 102 : 202);
        assert_int_equal(row[i].max_ns, 100 * US);
    }
    uint64_t of[2] = {0};
    for (unsigned i = 0; i < 10; i++)
        of[i % 2] += fake.conn[i].asked;
    assert_in_range(of[0], 1498, 1502);
    assert_in_range(of[1], 1998, 2002);
}

static void so_many_requests_are_due_and_all_are_answered(void **state)
{
    (void)state;
    opt.request_max = 300;
    opt.duration_ns = 0;
    fake.service_ns = 50 * MS; /* ten connections keep up with 200/s */
    run();
    assert_int_equal(result.requests, 300);
    assert_int_equal(result.never_sent, 0);
    assert_true(result.seconds > 1.4);
}

static void a_closed_loop_asks_again_when_answered(void **state)
{
    (void)state;
    load_schedule_begin(&opt);
    opt.open_loop = false;
    run();
    assert_in_range(result.requests, 10 * 20000, 10 * 20000 + 10); /* those begun at the end, too */
    assert_int_equal(result.latency_ns.max, 100 * US);
    assert_int_equal(result.due, result.requests);
}

static void a_stop_ends_it_and_answers_in_flight_are_awaited(void **state)
{
    (void)state;
    fake.stop_at = FAKE_START + S + 50 * US; /* the one due at 1000 ms is in flight */
    assert_int_equal(run_into(&result), 1);
    assert_int_equal(result.requests, 1000);
    assert_int_equal(result.never_sent, 0);
}

/* It hangs, and would be waited for for five seconds. The first of these signals comes twice. */
static void a_second_stop_does_not_wait(void **state)
{
    fake.stall_from = FAKE_START + S;
    fake.stall_to = FAKE_NEVER;
    fake.stop_at = FAKE_START + S + 10 * MS;
    fake.stop_every = MS;
    fake.stop_cnt = 3;
    assert_int_equal(run_into(&result), 1);
    assert_in_range(fake.now, FAKE_START + 6 * S, FAKE_START + 6 * S + 50 * MS);

    load_timeline_free(&result.timeline);
    set_up(state);
    fake.stall_from = FAKE_START + S;
    fake.stall_to = FAKE_NEVER;
    fake.stop_at = FAKE_START + S + 10 * MS;
    fake.stop_every = 300 * MS;
    fake.stop_cnt = 2;
    assert_int_equal(run_into(&result), 1);
    assert_in_range(fake.now, FAKE_START + S + 310 * MS, FAKE_START + S + 311 * MS);
    assert_int_equal(result.error[LOAD_ERROR_TIMEOUT], 10);
    assert_int_equal(result.requests + result.never_sent + load_errors(&result), result.due);
}

/* A request in the middle of the run meets it; the connection is opened again, and all others are fine. */
static void meets(enum fake_sin sin, enum load_error error)
{
    load_timeline_free(&result.timeline);
    fake_init(&fake, 100 * US);
    fake.sin = sin;
    fake.sin_at = 700;
    run();
    assert_int_equal(load_errors(&result), 1);
    assert_int_equal(result.error[error], 1);
    assert_int_equal(result.requests, 1998);
    assert_int_equal(fake.opened, 11);
}

static void each_failure_is_told_apart(void **state)
{
    (void)state;
    meets(FAKE_WRONG_BYTE, LOAD_ERROR_BODY);
    assert_non_null(strstr(result.first_error, "byte 99 of the body for seed 701 is wrong"));
    meets(FAKE_WRONG_STATUS, LOAD_ERROR_ANSWER);
    meets(FAKE_CLOSES, LOAD_ERROR_CLOSED);
    meets(FAKE_RESETS, LOAD_ERROR_RESET);
}

static void a_server_may_close_behind_an_answer(void **state)
{
    (void)state;
    fake.sin = FAKE_LAST;
    fake.sin_at = 700;
    run();
    assert_int_equal(load_errors(&result), 0);
    assert_int_equal(result.requests, 1999);
    assert_int_equal(result.reconnects, 1);
    assert_int_equal(fake.opened, 11);
}

static void answers_may_come_in_pieces(void **state)
{
    (void)state;
    fake.piece = 7;
    run();
    assert_int_equal(result.requests, 1999);
    assert_int_equal(load_errors(&result), 0);
}

int main(void)
{
#define RUN(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        RUN(an_undisturbed_run_has_the_servers_latency),
        RUN(the_first_connection_of_each_target_opens_before_the_others),
        RUN(a_target_that_never_answers_holds_nothing_up),
        RUN(a_stall_shows_in_the_latency_of_all_that_were_due),
        RUN(what_was_never_sent_counts_with_what_it_waited),
        RUN(a_rate_that_nobody_can_send_ends_soon),
        RUN(the_same_seed_gives_the_same_run),
        RUN(a_connections_own_requests_wait_for_it),
        RUN(the_warm_up_does_not_count),
        RUN(shifts_change_rate_and_shares),
        RUN(so_many_requests_are_due_and_all_are_answered),
        RUN(a_closed_loop_asks_again_when_answered),
        RUN(a_stop_ends_it_and_answers_in_flight_are_awaited),
        RUN(a_second_stop_does_not_wait),
        RUN(each_failure_is_told_apart),
        RUN(a_server_may_close_behind_an_answer),
        RUN(answers_may_come_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
