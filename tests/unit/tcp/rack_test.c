/* RACK and the tail loss probe as scripts (RFC 8985). The round trip is 1 ms unless said otherwise,
 * so the reordering window is 250 us. */
#include "harness.h"

#define AT(i) (1 + MSS + (i)*MSS) /* where segment i of fly begins */
#define QUARTER CAPY_US(250)

/* n segments of MSS leave, gap_ns apart, after a first one whose round trip took 1 ms. */
static void fly(struct end *e, uint32_t n, uint64_t gap_ns)
{
    end_init(e, 256);
    establish(e, WITH_SACK, 60000);
    e->tcb.rtt.srtt_ns = e->tcb.snd.min_rtt_ns = 0; /* the handshake took no time */
    put(e, MSS);
    out(e, A, 1, 1, MSS);
    pass(e, CAPY_MS(1));
    in(e, ack_of(1 + MSS));
    for (uint32_t i = 0; i < n; i++) {
        put(e, MSS);
        out(e, A, AT(i), 1, MSS);
        pass(e, i + 1 < n ? gap_ns : 0);
    }
    quiet(e);
}

/* §6.2 step 5: one SACK is enough, given a quarter of a round trip for reordering. */
static void test_a_single_sack_proves_loss_after_the_reordering_window(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 2, 0);
    pass(&e, CAPY_MS(1));
    in(&e, sack_of(AT(0), AT(1), AT(2)));
    quiet(&e);
    assert_int_equal(e.tcb.timer, CAPY_TCP_TIMER_REORDER);
    assert_int_equal(capy_tcp_next_at(&e.tcb) - e.env.now, QUARTER);
    pass(&e, QUARTER);
    assert_int_equal(e.tcb.phase, CAPY_TCP_RECOVERY);
    out(&e, A, AT(0), 1, MSS);
    quiet(&e);
    assert_int_equal(e.count.rto_fired, 0);
    end_done(&e);
}

static void test_what_is_late_within_the_window_is_not_sent_again(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 2, 0);
    pass(&e, CAPY_MS(1));
    in(&e, sack_of(AT(0), AT(1), AT(2)));
    pass(&e, QUARTER - 1);
    quiet(&e);
    in(&e, ack_of(AT(2)));
    assert_true(e.tcb.reordering); /* step 3 */
    assert_true(capy_tcp_next_at(&e.tcb) == CAPY_NEVER);
    assert_int_equal(e.tcb.retrans_segs, 0);
    assert_int_equal(e.tcb.marks, CAPY_NONE);
    end_done(&e);
}

/* Once reordering was seen, three SACKed segments prove nothing before the window is over. */
static void test_reordering_replaces_the_duplicate_threshold(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 5, 0);
    e.tcb.reordering = true;
    pass(&e, CAPY_MS(1));
    in(&e, sack_of(AT(0), AT(1), AT(5)));
    quiet(&e);
    pass(&e, QUARTER);
    out(&e, A, AT(0), 1, MSS);
    end_done(&e);
}

/* What left after the last that arrived may still be on its way. */
static void test_only_what_left_earlier_is_suspect(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 3, CAPY_US(100)); /* at 0, 100, 200 us */
    pass(&e, CAPY_US(900));
    in(&e, sack_of(AT(0), AT(1), AT(2))); /* segment 1 took 1 ms */
    pass(&e, QUARTER);                    /* 0 left 100 us earlier */
    out(&e, A, AT(0), 1, MSS);
    pass(&e, CAPY_MS(100));
    assert_int_equal(e.tcb.retrans_segs, 1);
    end_done(&e);
}

/* The retransmission is lost, too: an ACK of something sent after it tells, long before the RTO. */
static void test_a_lost_retransmission_is_found_without_a_timeout(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 6, 0);
    pass(&e, CAPY_MS(1));
    in(&e, sack_of(AT(0), AT(1), AT(4)));
    out(&e, A, AT(0), 1, MSS); /* lost */
    uint32_t cwnd = e.tcb.cc.cwnd;
    pass(&e, CAPY_US(100));
    put(&e, MSS);
    in(&e, sack_of(AT(0), AT(1), AT(6)));
    out(&e, A, AT(6), 1, MSS);
    pass(&e, CAPY_MS(1));
    in(&e, sack_of(AT(0), AT(1), AT(7)));
    out(&e, A, AT(0), 1, MSS);
    quiet(&e);
    assert_true(e.tcb.cc.cwnd < cwnd); /* RFC 5681 §4.3: twice lost, twice reduced */
    assert_int_equal(e.tcb.retrans_segs, 2);
    pass(&e, CAPY_MS(1));
    in(&e, ack_of(AT(7)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN);
    assert_int_equal(e.count.rto_fired, 0);
    end_done(&e);
}

/* Step 2: an ACK that comes sooner than any round trip is for the original, and says nothing about
 * what left before the retransmission. */
static void test_an_early_ack_of_a_retransmission_proves_nothing(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 5, 0);
    pass(&e, CAPY_MS(1));
    in(&e, sack_of(AT(0), AT(1), AT(4)));
    out(&e, A, AT(0), 1, MSS);
    pass(&e, CAPY_US(200));
    in(&e, ack_of(AT(4))); /* the original of 0, late */
    quiet(&e);             /* segment 4 left with the originals, not before them */
    assert_int_equal(e.tcb.retrans_segs, 1);
    end_done(&e);
}

/* Step 4: every round trip with a DSACK adds a quarter; sixteen recoveries without forget it. */
static void test_dsack_widens_the_window_once_per_round_trip(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 4, 0);
    pass(&e, CAPY_MS(1));
    struct in s = sack_of(AT(0), 1, AT(0)); /* a duplicate of what was acknowledged */
    s.sack[1].left = AT(1);
    s.sack[1].right = AT(2);
    in(&e, s);
    assert_int_equal(e.tcb.reo_mult, 1);
    in(&e, s);
    s.sack[1].right = AT(3);
    in(&e, s);
    assert_int_equal(e.tcb.reo_persist, 16);
    assert_int_equal(e.tcb.reo_mult, 1);
    assert_int_equal(capy_tcp_next_at(&e.tcb) - e.env.now, 2 * QUARTER);
    pass(&e, 2 * QUARTER);
    out(&e, A, AT(0), 1, MSS);
    end_done(&e);
}

/* §7.4.2: new data acknowledged beyond a repeated tail: the probe repaired a loss, which counts. */
static void test_a_loss_repaired_by_the_probe_reduces_the_window(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 3, 0);
    uint32_t cwnd = e.tcb.cc.cwnd;
    pass(&e, CAPY_SEC(1));
    out(&e, A, AT(2), 1, MSS);
    pass(&e, CAPY_MS(1));
    in(&e, ack_of(AT(3)));
    assert_int_equal(e.tcb.cc.cwnd, cwnd); /* it may have arrived twice: not known yet */
    put(&e, MSS);
    out(&e, A, AT(3), 1, MSS);
    pass(&e, CAPY_MS(1));
    in(&e, ack_of(AT(4)));
    assert_true(e.tcb.cc.cwnd < cwnd);
    assert_int_equal(e.tcb.snd.tlp_end, 0);
    end_done(&e);
}

static void test_a_needless_probe_costs_nothing(void **state)
{
    (void)state;
    for (uint32_t by_dsack = 0; by_dsack < 2; by_dsack++) {
        struct end e;
        fly(&e, 3, 0);
        uint32_t cwnd = e.tcb.cc.cwnd;
        pass(&e, CAPY_SEC(1));
        out(&e, A, AT(2), 1, MSS);
        in(&e, ack_of(AT(3)));
        pass(&e, CAPY_MS(1)); /* the probe arrived as a duplicate */
        in(&e, by_dsack ? sack_of(AT(3), AT(2), AT(3)) : ack_of(AT(3)));
        assert_int_equal(e.tcb.snd.tlp_end, 0);
        put(&e, MSS);
        out(&e, A, AT(3), 1, MSS);
        pass(&e, CAPY_MS(1));
        in(&e, ack_of(AT(4)));
        assert_true(e.tcb.cc.cwnd >= cwnd);
        end_done(&e);
    }
}

/* Request and response never pay for records. */
static void test_one_burst_in_flight_takes_no_block(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 3, 0);
    assert_int_equal(e.tcb.marks, CAPY_NONE);
    in(&e, ack_of(AT(1)));
    assert_int_equal(e.tcb.marks, CAPY_NONE);
    pass(&e, CAPY_US(500));
    put(&e, MSS);
    out(&e, A, AT(3), 1, MSS); /* a second time of sending */
    assert_int_not_equal(e.tcb.marks, CAPY_NONE);
    in(&e, ack_of(AT(3))); /* the second burst is alone now */
    assert_int_equal(e.tcb.marks, CAPY_NONE);
    in(&e, ack_of(AT(4)));
    assert_int_equal(e.tcb.marks, CAPY_NONE);
    end_done(&e);
}

/* Far more times of sending than there are records: the list stays bounded and covers the flight. */
static void test_records_are_bounded(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 0, 0);
    e.tcb.cc.cwnd = 1u << 20;
    for (uint32_t i = 0; i < 55; i++) {
        put(&e, MSS);
        out(&e, A, AT(i), 1, MSS);
        end_set_now(&e, e.env.now + CAPY_US(100));
    }
    const struct capy_tcp_sent *l = &capy_tcp_marks(&e.tcb, &e.env)->sent;
    assert_true(l->cnt > 10 && l->cnt <= CAPY_TCP_RUN_MAX);
    assert_true(l->r[l->cnt - 1].end == e.tcb.snd.nxt);
    end_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_single_sack_proves_loss_after_the_reordering_window),
        cmocka_unit_test(test_what_is_late_within_the_window_is_not_sent_again),
        cmocka_unit_test(test_reordering_replaces_the_duplicate_threshold),
        cmocka_unit_test(test_only_what_left_earlier_is_suspect),
        cmocka_unit_test(test_a_lost_retransmission_is_found_without_a_timeout),
        cmocka_unit_test(test_an_early_ack_of_a_retransmission_proves_nothing),
        cmocka_unit_test(test_dsack_widens_the_window_once_per_round_trip),
        cmocka_unit_test(test_a_loss_repaired_by_the_probe_reduces_the_window),
        cmocka_unit_test(test_a_needless_probe_costs_nothing),
        cmocka_unit_test(test_one_burst_in_flight_takes_no_block),
        cmocka_unit_test(test_records_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
