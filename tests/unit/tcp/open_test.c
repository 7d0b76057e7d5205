/* Opening (RFC 9293 §3.5, §3.7.1; RFC 7323; RFC 2018): who offers what, and lost handshake
 * segments. */
#include "harness.h"

static struct capy_tcp_segment syn_with(uint8_t opts)
{
    return (struct capy_tcp_segment){.seq = {PEER_ISS},
                                     .window = 5000,
                                     .flags = S,
                                     .opts = opts,
                                     .mss = 900,
                                     .wscale = 3,
                                     .ts_val = PEER_TS};
}

static void test_passive_open_answers_only_what_was_offered(void **state)
{
    (void)state;
    for (uint8_t opts = 0; opts < 16; opts++) {
        struct end e;
        end_init(&e, 16);
        struct capy_tcp_segment syn = syn_with(opts);
        capy_tcp_open_passive(&e.tcb, &e.env, &syn, (struct capy_seq){OUR_ISS}, 50);
        out(&e, S | A, 0, 1, 0);
        /* MSS is always ours to say (RFC 9293 SHLD-5); the rest needs an offer. */
        assert_int_equal(e.last.opts, opts | CAPY_TCP_OPT_MSS);
        assert_int_equal(e.last.mss, MSS);
        if (opts & CAPY_TCP_OPT_TS) {
            assert_int_equal(e.last.ts_ecr, PEER_TS);
            assert_int_equal(e.last.ts_val, 1000 + 50); /* one second in milliseconds, and offset */
        }
        /* MUST-15: 536 without the option; the timestamp option takes its 12 bytes. */
        uint32_t mss = opts & CAPY_TCP_OPT_MSS ? 900 : 536;
        assert_int_equal(e.tcb.snd.mss, mss - (opts & CAPY_TCP_OPT_TS ? 12 : 0));
        end_done(&e);
    }
}

static void test_windows_are_scaled_after_the_syn_only(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 16);
    struct capy_tcp_segment syn = syn_with(CAPY_TCP_OPT_WSCALE);
    capy_tcp_open_passive(&e.tcb, &e.env, &syn, (struct capy_seq){OUR_ISS}, 0);
    out(&e, S | A, 0, 1, 0);
    assert_int_equal(e.last.wscale, 3); /* 256 KiB need a shift of 3 */
    assert_int_equal(e.last.window, 65535);
    assert_int_equal(e.tcb.snd.wnd, 5000);
    in(&e, (struct in){.flags = A, .seq = 1, .ack = 1, .win = 5000});
    assert_int_equal(e.tcb.snd.wnd, 5000 << 3);
    in(&e, (struct in){.flags = A, .seq = 1, .ack = 1, .win = 5000, .len = 1});
    pass(&e, CAPY_MS(40));
    out(&e, A, 1, 2, 0);
    assert_int_equal(e.last.window, ((256u << 10) - 1) >> 3);
    end_done(&e);
}

static void test_a_lost_syn_ack_goes_again_by_timer_and_by_the_peers_syn(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 16);
    struct capy_tcp_segment syn = syn_with(0);
    capy_tcp_open_passive(&e.tcb, &e.env, &syn, (struct capy_seq){OUR_ISS}, 0);
    out(&e, S | A, 0, 1, 0);
    quiet(&e);
    pass(&e, CAPY_SEC(1)); /* RFC 6298 §2.1 */
    out(&e, S | A, 0, 1, 0);
    in(&e, (struct in){.flags = S, .win = 5000});
    out(&e, S | A, 0, 1, 0);
    quiet(&e);
    assert_int_equal(in(&e, (struct in){.flags = A, .seq = 1, .ack = 1, .win = 5000}),
                     CAPY_TCP_ESTABLISHED_EV);
    assert_int_equal(e.tcb.cc.cwnd, e.tcb.snd.mss); /* RFC 5681 §3.1 after a lost SYN-ACK */
    end_done(&e);
}

static void test_a_peer_that_never_answers_is_given_up(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 16);
    capy_tcp_open_active(&e.tcb, &e.env, (struct capy_seq){OUR_ISS}, 0);
    uint32_t sent = 0;
    while (!(e.events & CAPY_TCP_TIMED_OUT)) {
        while (next_segment(&e))
            sent++;
        pass(&e, CAPY_SEC(100));
    }
    assert_int_equal(sent, 1u + e.cfg.syn_retries);
    assert_int_equal(e.tcb.state, CAPY_TCP_CLOSED);
    end_done(&e);
}

static void test_active_open(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 16);
    capy_tcp_open_active(&e.tcb, &e.env, (struct capy_seq){OUR_ISS}, 0);
    out(&e, S, 0, 0, 0);
    assert_int_equal(e.last.opts, CAPY_TCP_OPT_MSS | CAPY_TCP_OPT_WSCALE | CAPY_TCP_OPT_SACK_OK |
                                      CAPY_TCP_OPT_TS);
    quiet(&e);
    /* An ACK of something never sent is refused, and changes nothing (§3.10.7.3). */
    assert_int_equal(in(&e, (struct in){.flags = S | A, .ack = 7, .win = 5000}),
                     CAPY_TCP_SEGMENT_REFUSED);
    assert_int_equal(e.tcb.state, CAPY_TCP_SYN_SENT);
    assert_int_equal(in(&e, (struct in){.flags = S | A, .ack = 1, .win = 5000}),
                     CAPY_TCP_ESTABLISHED_EV);
    out(&e, A, 1, 1, 0);
    quiet(&e);
    end_done(&e);
}

static void test_a_refused_active_open_says_so(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 16);
    capy_tcp_open_active(&e.tcb, &e.env, (struct capy_seq){OUR_ISS}, 0);
    out(&e, S, 0, 0, 0);
    assert_int_equal(in(&e, (struct in){.flags = R}), 0); /* acknowledges nothing: ignored */
    assert_int_equal(in(&e, (struct in){.flags = R | A, .ack = 1}), CAPY_TCP_WAS_RESET);
    assert_int_equal(e.tcb.state, CAPY_TCP_CLOSED);
    end_done(&e);
}

/* RFC 9293 Figure 8. */
static void test_simultaneous_open(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 16);
    capy_tcp_open_active(&e.tcb, &e.env, (struct capy_seq){OUR_ISS}, 0);
    out(&e, S, 0, 0, 0);
    in(&e, (struct in){.flags = S, .win = 5000});
    assert_int_equal(e.tcb.state, CAPY_TCP_SYN_RECEIVED);
    out(&e, S | A, 0, 1, 0);
    in(&e, (struct in){.flags = S | A, .ack = 1, .win = 5000});
    assert_int_equal(e.tcb.state, CAPY_TCP_ESTABLISHED); /* RFC 9293 Figure 8 */
    out(&e, A, 1, 1, 0); /* and not a SYN-ACK again: that would never end */
    end_done(&e);
}

static void test_a_bad_ack_of_the_syn_ack_is_refused(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 16);
    struct capy_tcp_segment syn = syn_with(0);
    capy_tcp_open_passive(&e.tcb, &e.env, &syn, (struct capy_seq){OUR_ISS}, 0);
    out(&e, S | A, 0, 1, 0);
    assert_int_equal(in(&e, (struct in){.flags = A, .seq = 1, .ack = 9, .win = 5000}),
                     CAPY_TCP_SEGMENT_REFUSED);
    assert_int_equal(e.tcb.state, CAPY_TCP_SYN_RECEIVED);
    assert_int_equal(in(&e, (struct in){.flags = R, .seq = 1}), CAPY_TCP_WAS_RESET);
    end_done(&e);
}

static void test_reset_reply_follows_3_10_7_1(void **state)
{
    (void)state;
    struct capy_tcp_segment rst, seg = {.seq = {100}, .ack = {200}, .flags = A | F, .data_len = 5};
    assert_true(capy_tcp_reset_reply(&seg, &rst));
    assert_int_equal(rst.flags, R);
    assert_int_equal(rst.seq.v, 200);
    seg.flags = S;
    assert_true(capy_tcp_reset_reply(&seg, &rst));
    assert_int_equal(rst.flags, R | A);
    assert_int_equal(rst.seq.v, 0);
    assert_int_equal(rst.ack.v, 106);
    seg.flags = R;
    assert_false(capy_tcp_reset_reply(&seg, &rst));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passive_open_answers_only_what_was_offered),
        cmocka_unit_test(test_windows_are_scaled_after_the_syn_only),
        cmocka_unit_test(test_a_lost_syn_ack_goes_again_by_timer_and_by_the_peers_syn),
        cmocka_unit_test(test_a_peer_that_never_answers_is_given_up),
        cmocka_unit_test(test_active_open),
        cmocka_unit_test(test_a_refused_active_open_says_so),
        cmocka_unit_test(test_simultaneous_open),
        cmocka_unit_test(test_a_bad_ack_of_the_syn_ack_is_refused),
        cmocka_unit_test(test_reset_reply_follows_3_10_7_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
