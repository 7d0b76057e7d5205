/* Settings of a connection (capy/option.h): ranges and rounding, what each changes in the handshake
 * and afterwards, and that they move along. */
#include "harness.h"

#include "tcp/position.h"
#include "tcp/tuning.h"

static int set(struct end *e, enum capy_option option, uint64_t value)
{
    return capy_tcp_set(&e->tcb, &e->env, option, value);
}

static void test_every_option_has_its_range_and_its_rounding(void **state)
{
    (void)state;
    static const struct {
        uint64_t min, max, set, get;
    } cases[CAPY_OPTION_CNT] = {
        [CAPY_OPTION_NAGLE] = {0, 1, 1, 1},
        [CAPY_OPTION_CORK] = {0, 1, 1, 1},
        [CAPY_OPTION_KEEPALIVE] = {0, 1, 1, 1},
        [CAPY_OPTION_KEEP_IDLE_NS] = {1, CAPY_SEC(32767), CAPY_SEC(3) + 1, CAPY_SEC(4)},
        [CAPY_OPTION_KEEP_INTERVAL_NS] = {1, CAPY_SEC(32767), 1, CAPY_SEC(1)},
        [CAPY_OPTION_KEEP_COUNT] = {1, 127, 3, 3},
        [CAPY_OPTION_USER_TIMEOUT_NS] = {0, CAPY_MS(UINT32_MAX), CAPY_MS(7) + 1, CAPY_MS(8)},
        [CAPY_OPTION_SEND_BUFFER] = {2048, 512u << 10, 5000, 5000},
        [CAPY_OPTION_RECEIVE_BUFFER] = {2048, 256u << 10, 6000, 6000},
        [CAPY_OPTION_MAX_SEGMENT] = {88, MSS, 536, 536},
        [CAPY_OPTION_CONGESTION] = {0, CAPY_TCP_CONGESTION_CNT - 1, 1, 1},
        [CAPY_OPTION_DELAYED_ACK_NS] = {0, CAPY_MS(500), CAPY_US(10), CAPY_MS(1)},
        [CAPY_OPTION_MAX_PACING_RATE] = {0, UINT32_MAX, 123456, 123456},
        [CAPY_OPTION_TIMESTAMPS] = {0, 1, 0, 0},
        [CAPY_OPTION_SACK] = {0, 1, 0, 0},
        [CAPY_OPTION_WINDOW_SCALE] = {0, 1, 0, 0},
        [CAPY_OPTION_INITIAL_WINDOW] = {1, 64, 4, 4},
        [CAPY_OPTION_ECN] = {0, 2, 2, 2},
    };
    struct end e;
    end_init(&e, 16);
    struct capy_tcp_tuning t;
    for (unsigned i = 0; i < CAPY_OPTION_CNT; i++) {
        enum capy_option o = (enum capy_option)i;
        capy_tcp_tuning_default(&t, &e.cfg);
        const struct capy_tcp_tuning before = t;
        assert_true(capy_tcp_tuning_ok(&t));
        if (cases[i].min > 0)
            assert_int_equal(capy_tcp_tuning_set(&t, &e.cfg, o, cases[i].min - 1), CAPY_E_INVAL);
        assert_int_equal(capy_tcp_tuning_set(&t, &e.cfg, o, cases[i].max + 1), CAPY_E_INVAL);
        assert_int_equal(capy_tcp_tuning_set(&t, &e.cfg, o, UINT64_MAX), CAPY_E_INVAL);
        assert_memory_equal(&t, &before, sizeof t);
        assert_int_equal(capy_tcp_tuning_set(&t, &e.cfg, o, cases[i].min), CAPY_OK);
        assert_int_equal(capy_tcp_tuning_set(&t, &e.cfg, o, cases[i].max), CAPY_OK);
        assert_int_equal(capy_tcp_tuning_set(&t, &e.cfg, o, cases[i].set), CAPY_OK);
        assert_int_equal(capy_tcp_tuning_get(&t, o), cases[i].get);
        assert_true(capy_tcp_tuning_ok(&t));
    }
    assert_int_equal(capy_tcp_tuning_set(&t, &e.cfg, CAPY_OPTION_CNT, 0), CAPY_E_INVAL);
    assert_int_equal(capy_tcp_tuning_get(&t, CAPY_OPTION_CNT), 0);
    end_done(&e);
}

/* RFC 7323 §2.2, §3.2, RFC 2018 §2: what is not offered is not used. */
static void test_options_of_an_active_open_can_be_left_out(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 16);
    capy_tcp_open_active(&e.tcb, &e.env, (struct capy_seq){OUR_ISS}, 0);
    assert_int_equal(set(&e, CAPY_OPTION_TIMESTAMPS, 0), CAPY_OK);
    assert_int_equal(set(&e, CAPY_OPTION_SACK, 0), CAPY_OK);
    assert_int_equal(set(&e, CAPY_OPTION_WINDOW_SCALE, 0), CAPY_OK);
    assert_int_equal(set(&e, CAPY_OPTION_MAX_SEGMENT, 700), CAPY_OK);
    assert_int_equal(set(&e, CAPY_OPTION_INITIAL_WINDOW, 2), CAPY_OK);
    assert_int_equal(set(&e, CAPY_OPTION_RECEIVE_BUFFER, 5000), CAPY_OK);
    out(&e, S, 0, 0, 0);
    assert_int_equal(e.last.opts, CAPY_TCP_OPT_MSS);
    assert_int_equal(e.last.mss, 700);
    assert_int_equal(e.last.window, 5000);
    assert_int_equal(set(&e, CAPY_OPTION_SACK, 1), CAPY_E_STATE); /* too late */
    struct capy_tcp_segment syn_ack = {
        .seq = {PEER_ISS},
        .ack = {OUR_ISS + 1},
        .window = 60000,
        .flags = S | A,
        .opts = CAPY_TCP_OPT_MSS | CAPY_TCP_OPT_TS | CAPY_TCP_OPT_SACK_OK | CAPY_TCP_OPT_WSCALE,
        .mss = 1460,
    };
    end_input(&e, &syn_ack); /* says yes to what nobody asked */
    out(&e, A, 1, 1, 0);
    assert_int_equal(e.last.opts, 0);
    assert_int_equal(capy_tcp_get(&e.tcb, CAPY_OPTION_TIMESTAMPS), 0);
    assert_int_equal(capy_tcp_get(&e.tcb, CAPY_OPTION_SACK), 0);
    assert_int_equal(capy_tcp_get(&e.tcb, CAPY_OPTION_WINDOW_SCALE), 0);
    put(&e, 5000);
    out(&e, A, 1, 1, 700);
    out(&e, A, 701, 1, 700);
    quiet(&e); /* the initial window */
    end_done(&e);
}

/* The same at a listener, whose settings come with the environment of the opening. */
static void test_a_passive_open_takes_only_what_it_is_told_to(void **state)
{
    (void)state;
    struct end e;
    struct capy_tcp_tuning t;
    end_init(&e, 16);
    capy_tcp_tuning_default(&t, &e.cfg);
    t.timestamps = t.sack = t.window_scale = false;
    t.delack_ms = 0;
    e.env.tuning = &t;
    establish(&e, WITH_SACK | WITH_WSCALE, 60000);
    assert_int_equal(e.last.opts, CAPY_TCP_OPT_MSS); /* of the SYN-ACK */
    in(&e, (struct in){.flags = A, .seq = 1, .ack = 1, .win = 60000, .len = 10});
    pass(&e, 0);
    out(&e, A, 1, 11, 0); /* at once: no delayed ACK */
    end_done(&e);
}

static void test_the_segment_size_only_shrinks_once_open(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, WITH_TS, 60000);
    assert_int_equal(capy_tcp_get(&e.tcb, CAPY_OPTION_MAX_SEGMENT), MSS - 12);
    assert_int_equal(set(&e, CAPY_OPTION_MAX_SEGMENT, MSS + 1), CAPY_E_INVAL);
    assert_int_equal(set(&e, CAPY_OPTION_MAX_SEGMENT, 87), CAPY_E_INVAL);
    assert_int_equal(set(&e, CAPY_OPTION_MAX_SEGMENT, 512), CAPY_OK);
    put(&e, 1000);
    out(&e, A, 1, 1, 500);
    out(&e, A, 501, 1, 500);
    assert_int_equal(set(&e, CAPY_OPTION_MAX_SEGMENT, 600), CAPY_E_INVAL);
    end_done(&e);
}

static void test_buffers_bound_what_is_queued_and_what_is_offered(void **state)
{
    (void)state;
    struct end e;
    uint8_t data[4096] = {0};
    end_init(&e, 64);
    establish(&e, 0, 60000);
    assert_int_equal(set(&e, CAPY_OPTION_SEND_BUFFER, 3000), CAPY_OK);
    assert_int_equal(end_write(&e, data, sizeof data), 3000);
    uint64_t edge = capy_tcp_rcv_edge(&e.tcb);
    assert_int_equal(set(&e, CAPY_OPTION_RECEIVE_BUFFER, 2048), CAPY_OK);
    in(&e, (struct in){.flags = A, .seq = 1, .ack = 1, .win = 60000, .len = 1000});
    while (next_segment(&e))
        ;
    assert_true(capy_tcp_rcv_edge(&e.tcb) == edge); /* what was promised stays (RFC 9293 SHLD-14) */
    assert_int_equal(e.last.window, edge - e.tcb.rcv.nxt);
    end_done(&e);
}

/* ---- holding back ---- */

static void test_a_corked_connection_sends_whole_segments_until_the_cork_is_pulled(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    assert_int_equal(set(&e, CAPY_OPTION_CORK, 1), CAPY_OK);
    put(&e, 300);
    quiet(&e);
    put(&e, MSS);
    out(&e, A, 1, 1, MSS);
    quiet(&e);
    assert_int_equal(set(&e, CAPY_OPTION_CORK, 0), CAPY_OK);
    out(&e, A, 1001, 1, 300);
    end_done(&e);
}

static void test_a_cork_does_not_hold_for_ever(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    assert_int_equal(set(&e, CAPY_OPTION_CORK, 1), CAPY_OK);
    put(&e, 300);
    pass(&e, CAPY_MS(199));
    quiet(&e);
    pass(&e, CAPY_MS(1));
    out(&e, A, 1, 1, 300);
    in(&e, ack_of(301));
    put(&e, 10);
    quiet(&e);
    end_shutdown(&e); /* and a close waits for nothing */
    out(&e, F | A, 301, 1, 10);
    end_done(&e);
}

static void test_more_to_come_holds_the_rest_until_it_came(void **state)
{
    (void)state;
    struct end e;
    uint8_t data[1500];
    end_init(&e, 64);
    establish(&e, 0, 60000);
    for (uint32_t i = 0; i < sizeof data; i++)
        data[i] = pattern(2, (uint32_t)e.tcb.snd.end + i);
    assert_int_equal(capy_tcp_write_more(&e.tcb, &e.env, data, sizeof data), sizeof data);
    out(&e, A, 1, 1, MSS);
    quiet(&e);
    put(&e, 1);
    out(&e, A, 1001, 1, 501);
    end_done(&e);
}

/* ---- moving ---- */

static void test_settings_move_with_the_connection(void **state)
{
    (void)state;
    static const uint64_t values[CAPY_OPTION_CNT] = {
        [CAPY_OPTION_NAGLE] = 1,
        [CAPY_OPTION_CORK] = 1,
        [CAPY_OPTION_KEEPALIVE] = 1,
        [CAPY_OPTION_KEEP_IDLE_NS] = CAPY_SEC(11),
        [CAPY_OPTION_KEEP_INTERVAL_NS] = CAPY_SEC(12),
        [CAPY_OPTION_KEEP_COUNT] = 13,
        [CAPY_OPTION_USER_TIMEOUT_NS] = CAPY_SEC(14),
        [CAPY_OPTION_SEND_BUFFER] = 15000,
        [CAPY_OPTION_RECEIVE_BUFFER] = 16000,
        [CAPY_OPTION_MAX_SEGMENT] = 700,
        [CAPY_OPTION_CONGESTION] = CAPY_TCP_NEWRENO,
        [CAPY_OPTION_DELAYED_ACK_NS] = CAPY_MS(18),
        [CAPY_OPTION_MAX_PACING_RATE] = 19000000,
    };
    struct end e, twin;
    struct capy_prng prng;
    capy_prng_seed(&prng, 1);
    end_init(&e, 64);
    establish(&e, 0, 60000);
    for (unsigned i = 0; i <= CAPY_OPTION_MAX_PACING_RATE; i++)
        assert_int_equal(set(&e, (enum capy_option)i, values[i]), CAPY_OK);
    put(&e, 300); /* corked at the moment of the move */
    quiet(&e);
    end_twin(&e, &twin, 5, &prng);
    for (unsigned i = 0; i <= CAPY_OPTION_MAX_PACING_RATE; i++)
        assert_int_equal(capy_tcp_get(&twin.tcb, (enum capy_option)i), values[i]);
    pass(&e, CAPY_SEC(1));
    out(&e, A, 1, 1, 300);
    end_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_option_has_its_range_and_its_rounding),
        cmocka_unit_test(test_options_of_an_active_open_can_be_left_out),
        cmocka_unit_test(test_a_passive_open_takes_only_what_it_is_told_to),
        cmocka_unit_test(test_the_segment_size_only_shrinks_once_open),
        cmocka_unit_test(test_buffers_bound_what_is_queued_and_what_is_offered),
        cmocka_unit_test(test_a_corked_connection_sends_whole_segments_until_the_cork_is_pulled),
        cmocka_unit_test(test_a_cork_does_not_hold_for_ever),
        cmocka_unit_test(test_more_to_come_holds_the_rest_until_it_came),
        cmocka_unit_test(test_settings_move_with_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
