/* How long a connection waits for its peer: R1, R2 and the user timeout (RFC 9293 §3.8.3, RFC 5482),
 * closed windows (§3.8.6.1, RFC 6429), SYNs, and a half-close that the peer never answers. */
#include "harness.h"

#include "tcp/tuning.h"

static void set_timeout(struct end *e, uint64_t ns)
{
    assert_int_equal(capy_tcp_set(&e->tcb, &e->env, CAPY_OPTION_USER_TIMEOUT_NS, ns), CAPY_OK);
}

/* Lets everything be sent in vain; how long until the end. */
static uint64_t until_given_up(struct end *e)
{
    uint64_t at = e->env.now;
    e->events = 0;
    while (!(e->events & CAPY_TCP_TIMED_OUT)) {
        while (next_segment(e))
            ;
        pass(e, CAPY_SEC(1000));
    }
    return e->env.now - at;
}

/* RFC 9293 MUST-20 (c), SHLD-11: R2 is more than 100 seconds. */
static void test_unacknowledged_data_is_given_up_after_the_configured_time(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    put(&e, 10);
    assert_true(until_given_up(&e) == e.cfg.user_timeout_ns);
    assert_true(e.cfg.user_timeout_ns >= CAPY_SEC(100));
    end_done(&e);
}

/* RFC 9293 MUST-21: the application sets R2 of a connection. */
static void test_the_application_says_how_long(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    set_timeout(&e, CAPY_SEC(7));
    put(&e, 2 * MSS);
    out(&e, A, 1, 1, MSS);
    out(&e, A, 1001, 1, MSS);
    pass(&e, CAPY_MS(100));
    in(&e, ack_of(1001)); /* progress: it starts over */
    assert_true(until_given_up(&e) == CAPY_SEC(7));
    end_done(&e);
}

/* RFC 9293 MUST-20 (b), SHLD-10: negative advice about the path from the third retransmission. */
static void test_the_path_is_suspect_after_three_retransmissions(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    put(&e, 10);
    out(&e, A, 1, 1, 10);
    for (unsigned i = 1; i <= 5; i++) {
        e.events = 0;
        pass(&e, CAPY_SEC(100));
        out(&e, A, 1, 1, 10);
        assert_int_equal(e.events, i < 3 ? 0 : CAPY_TCP_PATH_SUSPECT);
    }
    end_done(&e);
}

/* RFC 9293 MUST-23: three minutes at least; MUST-22: like data. */
static void test_a_syn_is_repeated_for_three_minutes(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    capy_tcp_open_active(&e.tcb, &e.env, (struct capy_seq){OUR_ISS}, 0);
    uint64_t last = 0, start = e.env.now;
    while (!(e.events & CAPY_TCP_TIMED_OUT)) {
        while (next_segment(&e))
            last = e.env.now - start;
        pass(&e, CAPY_SEC(100));
    }
    assert_true(e.env.now - start >= CAPY_SEC(180));
    assert_true(last >= CAPY_SEC(120)); /* and not in vain at the end */
    end_done(&e);
}

static void test_a_syn_obeys_the_user_timeout(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    capy_tcp_open_active(&e.tcb, &e.env, (struct capy_seq){OUR_ISS}, 0);
    set_timeout(&e, CAPY_SEC(5));
    assert_true(until_given_up(&e) == CAPY_SEC(5));
    end_done(&e);
}

/* A peer that answers each probe of its closed window. */
static bool lasts(struct end *e, uint64_t ns)
{
    uint64_t until = e->env.now + ns;
    while (e->env.now < until && !(e->events & CAPY_TCP_TIMED_OUT)) {
        while (next_segment(e))
            ;
        in(e, (struct in){.flags = A, .seq = 1, .ack = 1001});
        pass(e, CAPY_SEC(1));
    }
    return e->env.now >= until;
}

/* RFC 9293 MUST-37 unless the application set a limit, RFC 6429 §3. */
static void test_a_closed_window_lasts_no_longer_than_the_application_wants(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 1000);
    put(&e, 2000);
    out(&e, A, 1, 1, 1000);
    in(&e, (struct in){.flags = A, .seq = 1, .ack = 1001});
    assert_true(lasts(&e, 5 * e.cfg.user_timeout_ns));
    set_timeout(&e, CAPY_SEC(20));
    assert_true(lasts(&e, CAPY_SEC(19)));
    assert_false(lasts(&e, CAPY_SEC(5)));
    end_done(&e);
}

static void test_an_opened_window_starts_the_limit_over(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 1000);
    set_timeout(&e, CAPY_SEC(20));
    put(&e, 3000);
    out(&e, A, 1, 1, 1000);
    in(&e, (struct in){.flags = A, .seq = 1, .ack = 1001});
    assert_true(lasts(&e, CAPY_SEC(15)));
    in(&e, (struct in){.flags = A, .seq = 1, .ack = 1001, .win = 1000});
    while (next_segment(&e))
        ;
    in(&e, (struct in){.flags = A, .seq = 1, .ack = 2001});
    pass(&e, CAPY_SEC(15));
    assert_int_equal(e.tcb.state, CAPY_TCP_ESTABLISHED);
    end_done(&e);
}

/* RFC 9293 §3.6: the peer may take its time to close, unless nobody is left to read. */
static void test_fin_wait_2_ends_only_when_the_application_is_gone(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    e.cfg.fin_wait_2_ns = CAPY_SEC(33);
    establish(&e, 0, 60000);
    end_shutdown(&e);
    out(&e, F | A, 1, 1, 0);
    in(&e, ack_of(2));
    assert_true(capy_tcp_next_at(&e.tcb) == CAPY_NEVER);
    pass(&e, CAPY_SEC(3600));
    assert_int_equal(in(&e, (struct in){.flags = A, .seq = 1, .ack = 2, .win = 60000, .len = 5}),
                     CAPY_TCP_DATA_ARRIVED);
    end_consume(&e, 5);
    capy_tcp_close(&e.tcb, &e.env);
    pass(&e, 0);
    assert_true(e.tcb.timer_at == e.env.now + CAPY_SEC(33));
    pass(&e, CAPY_MS(40));
    out(&e, A, 2, 6, 0);
    pass(&e, CAPY_SEC(33));
    assert_int_equal(e.events & CAPY_TCP_FINISHED, CAPY_TCP_FINISHED);
    end_done(&e);
}

static void test_patience_moves_with_the_connection(void **state)
{
    (void)state;
    struct end e, twin;
    struct capy_prng prng;
    capy_prng_seed(&prng, 3);
    end_init(&e, 64);
    establish(&e, 0, 60000);
    set_timeout(&e, CAPY_SEC(7));
    put(&e, 10);
    out(&e, A, 1, 1, 10);
    pass(&e, CAPY_MS(100));
    end_twin(&e, &twin, 1234, &prng);
    assert_true(until_given_up(&e) == CAPY_SEC(7) - CAPY_MS(100));
    end_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unacknowledged_data_is_given_up_after_the_configured_time),
        cmocka_unit_test(test_the_application_says_how_long),
        cmocka_unit_test(test_the_path_is_suspect_after_three_retransmissions),
        cmocka_unit_test(test_a_syn_is_repeated_for_three_minutes),
        cmocka_unit_test(test_a_syn_obeys_the_user_timeout),
        cmocka_unit_test(test_a_closed_window_lasts_no_longer_than_the_application_wants),
        cmocka_unit_test(test_an_opened_window_starts_the_limit_over),
        cmocka_unit_test(test_fin_wait_2_ends_only_when_the_application_is_gone),
        cmocka_unit_test(test_patience_moves_with_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
