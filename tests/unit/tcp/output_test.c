/* What may be sent: windows, silly window avoidance and Nagle at the sender (RFC 9293 §3.8.6,
 * §3.7.4), zero window probes, initial window (RFC 6928), restart after idle (RFC 5681 §4.1). */
#include "harness.h"

static struct in ack(uint32_t n, uint16_t win)
{
    return (struct in){.flags = A, .seq = 1, .ack = n, .win = win};
}

static void test_data_goes_in_full_segments_and_the_rest_at_once(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    put(&e, 2500);
    out(&e, A, 1, 1, MSS);
    assert_false(e.last.flags & P);
    out(&e, A, 1001, 1, MSS);
    out(&e, A, 2001, 1, 500);
    assert_true(e.last.flags & P); /* RFC 9293 MUST-61: the last of what is queued */
    quiet(&e);
    assert_int_equal(in(&e, ack(2501, 60000)), CAPY_TCP_ROOM_FREED);
    assert_int_equal(e.blocks.pool.free_cnt, 64);
    end_done(&e);
}

static void test_the_initial_window_is_ten_segments(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    put(&e, 30 * MSS);
    for (uint32_t i = 0; i < 10; i++)
        out(&e, A, 1 + i * MSS, 1, MSS);
    quiet(&e);
    in(&e, ack(1 + 2 * MSS, 60000)); /* slow start: two went, four may come */
    for (uint32_t i = 10; i < 14; i++)
        out(&e, A, 1 + i * MSS, 1, MSS);
    quiet(&e);
    end_done(&e);
}

static void test_nagle_holds_small_segments_back_only_when_asked_for(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    put(&e, 10);
    out(&e, A, 1, 1, 10);
    put(&e, 10);
    out(&e, A, 11, 1, 10);
    e.tcb.tune.nagle = true;
    put(&e, 10);
    quiet(&e);
    in(&e, ack(21, 60000));
    out(&e, A, 21, 1, 10);
    end_done(&e);
}

/* RFC 9293 §3.8.6.2.1: less than a segment and than half the largest window waits, but not for
 * ever. */
static void test_a_small_window_is_not_nibbled_at(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 4000);
    put(&e, 8000);
    for (uint32_t i = 0; i < 4; i++)
        out(&e, A, 1 + i * MSS, 1, MSS);
    quiet(&e);
    in(&e, ack(4001, 300));
    quiet(&e);
    pass(&e, CAPY_SEC(10));
    out(&e, A, 4001, 1, 300); /* the override timeout */
    end_done(&e);
}

static void test_a_closed_window_is_probed_with_backoff_and_opens_at_once(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 2000);
    put(&e, 5000);
    out(&e, A, 1, 1, MSS);
    out(&e, A, 1001, 1, MSS);
    quiet(&e);
    in(&e, ack(2001, 0));
    quiet(&e);
    uint64_t at = e.env.now, wait = CAPY_MS(200);
    for (uint32_t i = 0; i < 4; i++) {
        pass(&e, CAPY_SEC(100));
        assert_int_equal(e.env.now - at, wait);
        out(&e, A, 2001, 1, 1);
        quiet(&e);
        in(&e, ack(2001, 0)); /* not taken */
        at = e.env.now;
        wait *= 2;
    }
    assert_int_equal(e.count.zero_window_probes, 4);
    assert_int_equal(e.count.rto_fired, 0); /* the path is not to blame */
    in(&e, ack(2001, 2000));
    out(&e, A, 2001, 1, MSS); /* the probe's byte was dropped: again, at once, and more with it */
    end_done(&e);
}

/* RFC 9293 MUST-37: a peer that answers probes may keep its window closed as long as it likes. */
static void test_an_answered_probe_is_no_reason_to_give_up(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 1000);
    put(&e, 3000);
    out(&e, A, 1, 1, MSS);
    in(&e, ack(1001, 0));
    uint64_t until = e.env.now + 10 * e.cfg.user_timeout_ns;
    while (e.env.now < until) {
        pass(&e, CAPY_SEC(100));
        while (next_segment(&e))
            ;
        in(&e, ack(1001, 0));
    }
    assert_int_equal(e.tcb.state, CAPY_TCP_ESTABLISHED);
    /* An unanswered one is. */
    while (!(e.events & CAPY_TCP_TIMED_OUT)) {
        pass(&e, CAPY_SEC(100));
        while (next_segment(&e))
            ;
    }
    end_done(&e);
}

/* RFC 9293 §3.10.7.4: an older segment must not move the window. */
static void test_an_old_segment_does_not_move_the_window(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 5000);
    in(&e, (struct in){.flags = A, .seq = 11, .ack = 1, .win = 7000, .len = 10});
    in(&e, (struct in){.flags = A, .seq = 1, .ack = 1, .win = 5000, .len = 10});
    assert_int_equal(e.tcb.snd.wnd, 7000);
    end_done(&e);
}

static void test_after_a_pause_the_window_starts_small(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    e.tcb.cc.cwnd = 50 * MSS;
    put(&e, 10);
    out(&e, A, 1, 1, 10);
    assert_int_equal(e.tcb.cc.cwnd, 50 * MSS);
    pass(&e, CAPY_MS(1));
    in(&e, ack(11, 60000));
    pass(&e, CAPY_SEC(2));
    put(&e, 10);
    out(&e, A, 11, 1, 10);
    assert_int_equal(e.tcb.cc.cwnd, 10 * MSS);
    end_done(&e);
}

static void test_sack_blocks_take_their_room_from_the_data(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, WITH_SACK | WITH_TS, 60000);
    in(&e, (struct in){.flags = A, .seq = 11, .ack = 1, .win = 60000, .len = 10});
    put(&e, 2 * MSS);
    out(&e, A, 1, 1, MSS - 12 - 12); /* timestamps, and one block */
    assert_int_equal(e.last.sack_cnt, 1);
    assert_true(capy_tcp_header_len(&e.last) + e.last.data_len <= 20 + MSS);
    end_done(&e);
}

static void test_the_reserve_of_the_pool_is_not_for_writers(void **state)
{
    (void)state;
    struct end e;
    static uint8_t data[64 * CAPY_BLOCK_LEN];
    end_init(&e, 64);
    establish(&e, 0, 60000);
    assert_int_equal(capy_tcp_write(&e.tcb, &e.env, data, sizeof data), 48 * CAPY_BLOCK_LEN);
    assert_int_equal(capy_tcp_room(&e.tcb, &e.env), 0);
    end_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_goes_in_full_segments_and_the_rest_at_once),
        cmocka_unit_test(test_the_initial_window_is_ten_segments),
        cmocka_unit_test(test_nagle_holds_small_segments_back_only_when_asked_for),
        cmocka_unit_test(test_a_small_window_is_not_nibbled_at),
        cmocka_unit_test(test_a_closed_window_is_probed_with_backoff_and_opens_at_once),
        cmocka_unit_test(test_an_answered_probe_is_no_reason_to_give_up),
        cmocka_unit_test(test_an_old_segment_does_not_move_the_window),
        cmocka_unit_test(test_after_a_pause_the_window_starts_small),
        cmocka_unit_test(test_sack_blocks_take_their_room_from_the_data),
        cmocka_unit_test(test_the_reserve_of_the_pool_is_not_for_writers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
