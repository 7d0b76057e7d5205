/* Closing (RFC 9293 §3.6, §3.10.4, §3.10.5): half-close, every order of FINs and ACKs, TIME-WAIT,
 * abort, and an application that leaves before its bytes do. */
#include "harness.h"

static struct in seg(uint8_t flags, uint32_t seq, uint32_t ack)
{
    return (struct in){.flags = flags, .seq = seq, .ack = ack, .win = 60000};
}

static void start(struct end *e)
{
    end_init(e, 64);
    establish(e, 0, 60000);
}

/* RFC 7323 §3.2: SHOULD be in a RST, too. */
static void test_resets_carry_timestamps(void **state)
{
    (void)state;
    for (uint32_t aborted = 0; aborted < 2; aborted++) {
        struct end e;
        struct capy_tcp_segment rst;
        end_init(&e, 64);
        establish(&e, WITH_TS, 60000);
        pass(&e, CAPY_MS(7));
        if (aborted) {
            assert_true(capy_tcp_abort(&e.tcb, &e.env, &rst));
        } else { /* data that nobody will read */
            capy_tcp_close(&e.tcb, &e.env);
            while (next_segment(&e))
                ;
            in(&e, (struct in){.flags = A, .seq = 1, .ack = 1, .win = 60000, .len = 10});
            assert_true(next_segment(&e));
            rst = e.last;
        }
        assert_int_equal(rst.flags, R | A);
        assert_int_equal(rst.opts, CAPY_TCP_OPT_TS);
        assert_int_equal(rst.ts_val, e.env.now / CAPY_MS(1));
        assert_int_equal(rst.ts_ecr, PEER_TS);
        end_done(&e);
    }
}

static void test_half_close_goes_on_receiving(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    put(&e, 10);
    end_shutdown(&e);
    out(&e, F | A, 1, 1, 10); /* the FIN rides on the last data */
    assert_int_equal(capy_tcp_write(&e.tcb, &e.env, (const uint8_t *)"x", 1), CAPY_E_STATE);
    in(&e, seg(A, 1, 12));
    assert_int_equal(e.tcb.state, CAPY_TCP_FIN_WAIT_2);
    struct in d = seg(A, 1, 12);
    d.len = 100;
    assert_int_equal(in(&e, d), CAPY_TCP_DATA_ARRIVED);
    end_consume(&e, 100);
    assert_int_equal(in(&e, seg(F | A, 101, 12)), CAPY_TCP_FIN_ARRIVED);
    assert_int_equal(e.tcb.state, CAPY_TCP_TIME_WAIT);
    out(&e, A, 12, 102, 0);
    pass(&e, e.cfg.time_wait_ns - 1);
    assert_int_equal(e.events & CAPY_TCP_FINISHED, 0);
    pass(&e, 1);
    assert_int_equal(e.events & CAPY_TCP_FINISHED, CAPY_TCP_FINISHED);
    end_done(&e);
}

static void test_the_peer_closes_first(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    assert_int_equal(in(&e, seg(F | A, 1, 1)), CAPY_TCP_FIN_ARRIVED);
    out(&e, A, 1, 2, 0);
    assert_int_equal(e.tcb.state, CAPY_TCP_CLOSE_WAIT);
    put(&e, 5); /* we may still talk */
    out(&e, A, 1, 2, 5);
    in(&e, seg(A, 2, 6));
    end_shutdown(&e);
    assert_int_equal(e.tcb.state, CAPY_TCP_LAST_ACK);
    out(&e, F | A, 6, 2, 0);
    assert_int_equal(in(&e, seg(A, 2, 7)), CAPY_TCP_FINISHED);
    assert_int_equal(e.tcb.state, CAPY_TCP_CLOSED);
    end_done(&e);
}

/* RFC 9293 Figure 13. */
static void test_both_close_at_once(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    end_shutdown(&e);
    out(&e, F | A, 1, 1, 0);
    in(&e, seg(F | A, 1, 1));
    assert_int_equal(e.tcb.state, CAPY_TCP_CLOSING);
    out(&e, A, 2, 2, 0);
    in(&e, seg(A, 2, 2));
    assert_int_equal(e.tcb.state, CAPY_TCP_TIME_WAIT);
    end_done(&e);
}

static void test_fin_and_ack_of_fin_in_one_segment(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    end_shutdown(&e);
    out(&e, F | A, 1, 1, 0);
    in(&e, seg(F | A, 1, 2));
    assert_int_equal(e.tcb.state, CAPY_TCP_TIME_WAIT);
    out(&e, A, 2, 2, 0);
    end_done(&e);
}

/* All has come, and is only not read yet when a RST ends the TIME-WAIT (RFC 1337), or takes the place
 * of the last ACK. */
static void test_a_reset_of_what_is_closed_loses_no_unread_byte(void **state)
{
    (void)state;
    for (int last_ack = 0; last_ack < 2; last_ack++) {
        struct end e;
        start(&e);
        struct in d = seg(A, 1, 1);
        d.len = 100;
        in(&e, d);
        if (last_ack) {
            in(&e, seg(F | A, 101, 1));
            end_shutdown(&e);
        } else {
            end_shutdown(&e);
            out(&e, F | A, 1, 101, 0);
            in(&e, seg(F | A, 101, 2));
        }
        assert_int_equal(e.tcb.state, last_ack ? CAPY_TCP_LAST_ACK : CAPY_TCP_TIME_WAIT);
        struct in rst = seg(R, 102, 0);
        assert_int_equal(in(&e, rst), 0);
        assert_int_equal(capy_tcp_readable(&e.tcb), 100);
        assert_true(capy_tcp_at_fin(&e.tcb));
        end_consume(&e, 100);
        pass(&e, 1);
        assert_int_equal(e.tcb.state, CAPY_TCP_CLOSED);
        end_done(&e);
    }
}

static void test_time_wait_answers_a_repeated_fin_and_starts_over(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    end_shutdown(&e);
    out(&e, F | A, 1, 1, 0);
    in(&e, seg(F | A, 1, 2));
    out(&e, A, 2, 2, 0);
    pass(&e, CAPY_SEC(30));
    in(&e, seg(F | A, 1, 2));
    out(&e, A, 2, 2, 0);
    assert_true(capy_tcp_next_at(&e.tcb) == e.env.now + e.cfg.time_wait_ns);
    end_done(&e);
}

/* RFC 9293 §3.10.7.4, RFC 6191. */
static void test_a_new_syn_may_reuse_time_wait(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    end_shutdown(&e);
    out(&e, F | A, 1, 1, 0);
    in(&e, seg(F | A, 1, 2));
    out(&e, A, 2, 2, 0);
    assert_int_equal(in(&e, (struct in){.flags = S, .seq = 1, .win = 5}),
                     CAPY_TCP_ACK_DUE); /* an old duplicate */
    out(&e, A, 2, 2, 0);
    assert_int_equal(in(&e, (struct in){.flags = S, .seq = 3, .win = 5}), CAPY_TCP_SYN_REUSE);
    end_done(&e);
}

static void test_a_reset_ends_every_state(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    end_shutdown(&e);
    out(&e, F | A, 1, 1, 0);
    assert_int_equal(in(&e, seg(R | A, 1, 1)), CAPY_TCP_WAS_RESET);
    end_done(&e);
    start(&e);
    in(&e, seg(F | A, 1, 1));
    end_shutdown(&e);
    assert_int_equal(in(&e, seg(R | A, 2, 1)), CAPY_TCP_FINISHED); /* LAST-ACK: both had closed */
    end_done(&e);
}

static void test_abort_tells_the_peer(void **state)
{
    (void)state;
    struct end e;
    struct capy_tcp_segment rst;
    start(&e);
    put(&e, 3000);
    out(&e, A, 1, 1, MSS);
    assert_true(capy_tcp_abort(&e.tcb, &e.env, &rst));
    assert_int_equal(rst.flags & R, R);
    assert_int_equal(rst.seq.v - OUR_ISS, 1 + MSS);
    assert_int_equal(e.tcb.state, CAPY_TCP_CLOSED);
    quiet(&e);
    assert_true(capy_tcp_next_at(&e.tcb) == CAPY_NEVER);
    end_done(&e);
}

/* ---- the application leaves ---- */

static void test_close_with_unread_bytes_resets(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    struct in d = seg(A, 1, 1);
    d.len = 10;
    in(&e, d);
    capy_tcp_close(&e.tcb, &e.env);
    out(&e, R | A, 1, 11, 0);
    quiet(&e);
    pass(&e, 0);
    assert_int_equal(e.events & CAPY_TCP_FINISHED, CAPY_TCP_FINISHED);
    end_done(&e);
}

static void test_close_sends_what_is_queued_and_answers_late_data_with_rst(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    put(&e, 10);
    capy_tcp_close(&e.tcb, &e.env);
    out(&e, F | A, 1, 1, 10);
    in(&e, seg(A, 1, 12));
    struct in d = seg(A, 1, 12);
    d.len = 1;
    assert_int_equal(in(&e, d), 0);
    out(&e, R | A, 12, 1, 0);
    pass(&e, 0);
    assert_int_equal(e.events & CAPY_TCP_FINISHED, CAPY_TCP_FINISHED);
    end_done(&e);
}

static void test_fin_wait_2_does_not_last_for_ever_without_an_application(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    capy_tcp_close(&e.tcb, &e.env);
    out(&e, F | A, 1, 1, 0);
    in(&e, seg(A, 1, 2));
    pass(&e, e.cfg.time_wait_ns);
    assert_int_equal(e.events & CAPY_TCP_FINISHED, CAPY_TCP_FINISHED);
    end_done(&e);
}

static void test_finished_waits_for_the_last_byte_to_be_read(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    struct in d = seg(F | A, 1, 1);
    d.len = 10;
    in(&e, d);
    end_shutdown(&e);
    out(&e, F | A, 1, 12, 0);
    assert_int_equal(in(&e, seg(A, 12, 2)), 0);
    assert_int_equal(e.tcb.state, CAPY_TCP_CLOSED);
    assert_int_equal(capy_tcp_readable(&e.tcb), 10);
    assert_true(capy_tcp_at_fin(&e.tcb));
    end_consume(&e, 10);
    pass(&e, 0);
    assert_int_equal(e.events & CAPY_TCP_FINISHED, CAPY_TCP_FINISHED);
    end_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resets_carry_timestamps),
        cmocka_unit_test(test_half_close_goes_on_receiving),
        cmocka_unit_test(test_the_peer_closes_first),
        cmocka_unit_test(test_both_close_at_once),
        cmocka_unit_test(test_fin_and_ack_of_fin_in_one_segment),
        cmocka_unit_test(test_a_reset_of_what_is_closed_loses_no_unread_byte),
        cmocka_unit_test(test_time_wait_answers_a_repeated_fin_and_starts_over),
        cmocka_unit_test(test_a_new_syn_may_reuse_time_wait),
        cmocka_unit_test(test_a_reset_ends_every_state),
        cmocka_unit_test(test_abort_tells_the_peer),
        cmocka_unit_test(test_close_with_unread_bytes_resets),
        cmocka_unit_test(test_close_sends_what_is_queued_and_answers_late_data_with_rst),
        cmocka_unit_test(test_fin_wait_2_does_not_last_for_ever_without_an_application),
        cmocka_unit_test(test_finished_waits_for_the_last_byte_to_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
