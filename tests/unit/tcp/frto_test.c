/* F-RTO after a retransmission timeout, with SACK and without (RFC 5682). */
#include "flight.h"

static void test_two_new_segments_and_an_ack_undo_a_timeout(void **state)
{
    (void)state;
    for (uint32_t sack = 0; sack < 2; sack++) {
        struct end e;
        fly(&e, sack ? WITH_SACK : 0, 5, 4);
        e.tcb.cc.cwnd = 20 * MSS;
        e.tcb.snd.wnd = 5 * MSS; /* a tail probe would be new data */
        struct capy_tcp_cc before = e.tcb.cc;
        uint64_t left_at = e.env.now;
        timeout(&e);
        in(&e, ack_of(AT(1))); /* RFC 5682 step 2b */
        assert_int_equal(e.tcb.phase, CAPY_TCP_FRTO);
        send(&e, 5, 7);
        quiet(&e);
        in(&e, ack_of(AT(2))); /* step 3b: it was not sent again */
        assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN);
        assert_int_equal(e.tcb.cc.ssthresh, before.ssthresh);
        assert_true(e.tcb.cc.cwnd >= before.cwnd);
        assert_int_equal(e.tcb.backoff, 0);
        if (!sack)
            assert_int_equal(e.tcb.rtt.srtt_ns, e.env.now - left_at);
        assert_int_equal(e.count.spurious_losses, 1);
        send(&e, 7, 9);
        quiet(&e);
        assert_int_equal(e.tcb.retrans_segs, sack ? 2 : 1);
        end_done(&e);
    }
}

/* §3.1 step 3b by SACK: the segment behind the hole left before the timeout. */
static void test_news_of_old_segments_by_sack_undoes_a_timeout(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_SACK, 5, 4);
    e.tcb.cc.cwnd = 20 * MSS;
    e.tcb.snd.wnd = 5 * MSS;
    timeout(&e);
    in(&e, ack_of(AT(1)));
    send(&e, 5, 7);
    in(&e, sack_of(AT(1), AT(3), AT(4)));
    assert_int_equal(e.count.spurious_losses, 1);
    assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN);
    end_done(&e);
}

/* Step 3a: a duplicate, or with SACK news of the new segments: then retransmission goes on with a
 * window of three segments. */
static void test_a_duplicate_after_new_data_means_loss(void **state)
{
    (void)state;
    for (uint32_t sack = 0; sack < 2; sack++) {
        struct end e;
        fly(&e, sack ? WITH_SACK : 0, 5, 4);
        e.tcb.cc.cwnd = 20 * MSS;
        e.tcb.snd.wnd = 5 * MSS;
        timeout(&e);
        in(&e, ack_of(AT(1)));
        send(&e, 5, 7);
        in(&e, sack ? sack_of(AT(1), AT(5), AT(6)) : ack_of(AT(1)));
        assert_int_equal(e.tcb.phase, CAPY_TCP_LOSS);
        assert_int_equal(e.tcb.cc.cwnd, 3 * MSS);
        segment(&e, 1);
        assert_int_equal(e.count.spurious_losses, 0);
        in(&e, ack_of(AT(7)));
        assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN);
        end_done(&e);
    }
}

/* Step 2: without new data, or when all was acknowledged, there is no F-RTO; §2.1 step 1: nor at a
 * second timeout of the same data. */
static void test_where_frto_does_not_apply(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 0, 5, 0);
    timeout(&e);
    in(&e, ack_of(AT(1)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_LOSS);
    segment(&e, 1);
    end_done(&e);

    fly(&e, 0, 5, 4);
    timeout(&e);
    in(&e, ack_of(AT(5)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN);
    assert_true(e.tcb.cc.cwnd <= 3 * MSS); /* slow start from one segment */
    assert_int_equal(e.count.spurious_losses, 0);
    end_done(&e);

    fly(&e, WITH_TS, 5, 4); /* the timestamp has told that the retransmission was needed */
    timeout(&e);
    e.in_ecr = e.last.ts_val;
    in(&e, ack_of(AT(1)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_LOSS);
    segment(&e, 1);
    end_done(&e);

    fly(&e, 0, 5, 4);
    timeout(&e);
    pass(&e, CAPY_SEC(10));
    segment(&e, 0);
    in(&e, ack_of(AT(1)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_LOSS);
    segment(&e, 1);
    end_done(&e);

    fly(&e, 0, 5, 4); /* an ACK in F-RTO beyond what was out at the timeout says nothing */
    timeout(&e);
    in(&e, ack_of(AT(1)));
    send(&e, 5, 7);
    in(&e, ack_of(AT(6)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN);
    assert_int_equal(e.count.spurious_losses, 0);
    end_done(&e);
}

static void test_a_timeout_within_frto_is_a_loss(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 0, 5, 4);
    timeout(&e);
    in(&e, ack_of(AT(1)));
    send(&e, 5, 7);
    pass(&e, CAPY_SEC(10));
    assert_int_equal(e.tcb.phase, CAPY_TCP_LOSS);
    segment(&e, 1);
    in(&e, ack_of(AT(2)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_LOSS);
    segment(&e, 2);
    assert_int_equal(e.count.spurious_losses, 0);
    end_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_new_segments_and_an_ack_undo_a_timeout),
        cmocka_unit_test(test_news_of_old_segments_by_sack_undoes_a_timeout),
        cmocka_unit_test(test_a_duplicate_after_new_data_means_loss),
        cmocka_unit_test(test_where_frto_does_not_apply),
        cmocka_unit_test(test_a_timeout_within_frto_is_a_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
