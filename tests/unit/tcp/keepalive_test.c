/* Keep-alive (RFC 9293 §3.8.4). */
#include "harness.h"

#include "tcp/tuning.h"

enum { IDLE_S = 10, INTERVAL_S = 3, COUNT = 4 };

static void set(struct end *e, enum capy_option option, uint64_t value)
{
    assert_int_equal(capy_tcp_set(&e->tcb, &e->env, option, value), CAPY_OK);
}

static void start(struct end *e)
{
    end_init(e, 64);
    establish(e, 0, 60000);
    set(e, CAPY_OPTION_KEEP_IDLE_NS, CAPY_SEC(IDLE_S));
    set(e, CAPY_OPTION_KEEP_INTERVAL_NS, CAPY_SEC(INTERVAL_S));
    set(e, CAPY_OPTION_KEEP_COUNT, COUNT);
    set(e, CAPY_OPTION_KEEPALIVE, 1);
}

/* RFC 9293 SHLD-12: no data, below what the peer expects. */
static void probe_comes_after(struct end *e, uint64_t seconds)
{
    uint64_t at = e->env.now;
    pass(e, CAPY_SEC(100));
    assert_true(e->env.now - at == CAPY_SEC(seconds));
    out(e, A, 0, 1, 0);
    quiet(e);
}

/* RFC 9293 MUST-25: off unless asked for; MUST-28: two hours unless said otherwise. */
static void test_nothing_is_sent_unless_asked_for_and_then_not_for_two_hours(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    assert_true(capy_tcp_next_at(&e.tcb) == CAPY_NEVER);
    set(&e, CAPY_OPTION_KEEPALIVE, 1);
    assert_true(capy_tcp_next_at(&e.tcb) == e.env.now + CAPY_SEC(7200));
    /* MUST-24: and off again. */
    set(&e, CAPY_OPTION_KEEPALIVE, 0);
    assert_true(capy_tcp_next_at(&e.tcb) == CAPY_NEVER);
    end_done(&e);
}

/* RFC 9293 MUST-29: no single unanswered probe is the end; MUST-27: times and count are set. */
static void test_a_silent_peer_is_given_up_after_several_probes(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    probe_comes_after(&e, IDLE_S);
    for (unsigned i = 1; i < COUNT; i++)
        probe_comes_after(&e, INTERVAL_S);
    pass(&e, CAPY_SEC(INTERVAL_S));
    assert_int_equal(e.events, CAPY_TCP_TIMED_OUT);
    assert_int_equal(e.count.keepalive_probes, COUNT);
    end_done(&e);
}

static void test_an_answer_starts_the_silence_over(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    for (unsigned i = 0; i < 3 * COUNT; i++) {
        probe_comes_after(&e, IDLE_S);
        in(&e, ack_of(1));
        quiet(&e);
    }
    /* One that is out of the window says nothing. */
    probe_comes_after(&e, IDLE_S);
    in(&e, (struct in){.flags = A, .seq = 1u << 20, .ack = 1, .win = 60000});
    out(&e, A, 1, 1, 0); /* a challenge */
    probe_comes_after(&e, INTERVAL_S);
    end_done(&e);
}

/* RFC 9293 MUST-26: not while sent data is outstanding, and not within the interval of anything
 * that was received. */
static void test_traffic_of_either_side_keeps_probes_away(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    uint32_t seq = 1;
    for (unsigned i = 0; i < 5; i++) { /* received data */
        pass(&e, CAPY_SEC(IDLE_S) - CAPY_MS(40) - 1);
        quiet(&e);
        in(&e, (struct in){.flags = A, .seq = seq, .ack = 1, .win = 60000, .len = 10});
        pass(&e, CAPY_MS(40));
        out(&e, A, 1, seq + 10, 0);
        seq += 10;
    }
    put(&e, 10);
    out(&e, A, 1, seq, 10);
    set(&e, CAPY_OPTION_KEEP_IDLE_NS, CAPY_SEC(1));
    for (unsigned i = 0; i < 4; i++) { /* retransmissions, but no probe */
        pass(&e, CAPY_SEC(100));
        out(&e, A, 1, seq, 10);
    }
    in(&e, (struct in){.flags = A, .seq = seq, .ack = 11, .win = 60000});
    uint64_t at = e.env.now;
    pass(&e, CAPY_SEC(100));
    assert_true(e.env.now - at == CAPY_SEC(1));
    out(&e, A, 10, seq, 0);
    end_done(&e);
}

static void test_the_end_of_a_probing_run_is_forgotten_when_data_was_acknowledged(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    probe_comes_after(&e, IDLE_S);
    put(&e, 10);
    out(&e, A, 1, 1, 10);
    in(&e, ack_of(11));
    uint64_t at = e.env.now;
    pass(&e, CAPY_SEC(100));
    assert_true(e.env.now - at == CAPY_SEC(IDLE_S));
    out(&e, A, 10, 1, 0);
    end_done(&e);
}

/* RFC 5482 §4.2: a user timeout says how long; the count does not matter then. */
static void test_a_user_timeout_replaces_the_count(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    set(&e, CAPY_OPTION_USER_TIMEOUT_NS, CAPY_SEC(IDLE_S + 7 * INTERVAL_S));
    probe_comes_after(&e, IDLE_S);
    for (unsigned i = 1; i < 7; i++)
        probe_comes_after(&e, INTERVAL_S);
    pass(&e, CAPY_SEC(INTERVAL_S));
    assert_int_equal(e.events, CAPY_TCP_TIMED_OUT);
    end_done(&e);
    /* One that ends before the first probe leaves that probe its time. */
    start(&e);
    set(&e, CAPY_OPTION_USER_TIMEOUT_NS, CAPY_SEC(1));
    probe_comes_after(&e, IDLE_S);
    pass(&e, CAPY_SEC(INTERVAL_S));
    assert_int_equal(e.events, CAPY_TCP_TIMED_OUT);
    end_done(&e);
}

/* A peer's probe is answered, whether or not we ask ourselves. */
static void test_a_probe_of_the_peer_is_answered(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    in(&e, (struct in){.flags = A, .seq = 0, .ack = 1, .win = 60000});
    out(&e, A, 1, 1, 0);
    pass(&e, CAPY_SEC(1));
    /* RFC 9293 MAY-6: with one garbage octet. */
    in(&e, (struct in){.flags = A, .seq = 0, .ack = 1, .win = 60000, .len = 1});
    out(&e, A, 1, 1, 0);
    assert_int_equal(capy_tcp_readable(&e.tcb), 0);
    end_done(&e);
}

static void test_half_closed_connections_are_asked_too(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    end_shutdown(&e);
    out(&e, F | A, 1, 1, 0);
    in(&e, ack_of(2));
    assert_int_equal(e.tcb.state, CAPY_TCP_FIN_WAIT_2);
    uint64_t at = e.env.now;
    pass(&e, CAPY_SEC(100));
    assert_true(e.env.now - at == CAPY_SEC(IDLE_S));
    out(&e, A, 1, 1, 0); /* SND.NXT is 2 */
    end_done(&e);
}

static void test_probing_goes_on_after_a_move(void **state)
{
    (void)state;
    struct end e, twin;
    struct capy_prng prng;
    capy_prng_seed(&prng, 3);
    start(&e);
    probe_comes_after(&e, IDLE_S);
    probe_comes_after(&e, INTERVAL_S);
    pass(&e, CAPY_SEC(1)); /* amid an interval, two probes sent */
    end_twin(&e, &twin, 77, &prng);
    probe_comes_after(&e, INTERVAL_S - 1);
    probe_comes_after(&e, INTERVAL_S);
    pass(&e, CAPY_SEC(INTERVAL_S));
    assert_int_equal(e.events, CAPY_TCP_TIMED_OUT);
    end_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_sent_unless_asked_for_and_then_not_for_two_hours),
        cmocka_unit_test(test_a_silent_peer_is_given_up_after_several_probes),
        cmocka_unit_test(test_an_answer_starts_the_silence_over),
        cmocka_unit_test(test_traffic_of_either_side_keeps_probes_away),
        cmocka_unit_test(test_the_end_of_a_probing_run_is_forgotten_when_data_was_acknowledged),
        cmocka_unit_test(test_a_user_timeout_replaces_the_count),
        cmocka_unit_test(test_a_probe_of_the_peer_is_answered),
        cmocka_unit_test(test_half_closed_connections_are_asked_too),
        cmocka_unit_test(test_probing_goes_on_after_a_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
