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

/* Step 2, first condition: with timestamps an echo from before the retransmission tells, however
 * late it comes. */
static void test_an_older_echo_is_for_the_original(void **state)
{
    (void)state;
    for (uint32_t original = 0; original < 2; original++) {
        struct end e;
        end_init(&e, 256);
        establish(&e, WITH_SACK | WITH_TS, 60000);
        uint32_t len = e.tcb.snd.mss;
        e.tcb.rtt.srtt_ns = e.tcb.snd.min_rtt_ns = CAPY_MS(3); /* the handshake took no time */
        put(&e, 5 * len);
        for (uint32_t i = 0; i < 5; i++)
            out(&e, A, 1 + i * len, 1, len);
        uint32_t before = e.last.ts_val;
        pass(&e, CAPY_MS(3));
        in(&e, sack_of(1, 1 + len, 1 + 4 * len)); /* RACK knows the fourth segment now */
        out(&e, A, 1, 1, len);
        uint64_t again_at = e.env.now;
        e.in_ecr = original ? before : e.last.ts_val;
        pass(&e, CAPY_MS(4));
        in(&e, ack_of(1 + 4 * len));
        const struct capy_tcp_sent *l = &capy_tcp_marks(&e.tcb, &e.env)->sent;
        assert_int_equal(l->rack_at, original ? again_at - CAPY_MS(3) : again_at);
        end_done(&e);
    }
}

/* Steps 1 and 4: the window is a quarter of the shortest round trip, not of the usual one, and no
 * longer than the usual one however often duplicates were told. */
static void test_the_window_follows_the_shortest_round_trip(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 2, 0);
    e.tcb.reordering = true;
    e.tcb.rtt.srtt_ns = CAPY_MS(3);
    pass(&e, CAPY_MS(3));
    in(&e, sack_of(AT(0), AT(1), AT(2)));
    assert_int_equal(capy_tcp_next_at(&e.tcb) - e.env.now, QUARTER);
    end_done(&e);

    fly(&e, 2, 0);
    e.tcb.reordering = true;
    e.tcb.reo_mult = 200;
    pass(&e, CAPY_MS(1));
    in(&e, sack_of(AT(0), AT(1), AT(2)));
    assert_int_equal(capy_tcp_next_at(&e.tcb) - e.env.now, e.tcb.rtt.srtt_ns);
    end_done(&e);
}

/* Step 4: sixteen recoveries without a DSACK make the window small again. */
static void test_sixteen_recoveries_forget_duplicates(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 4, 0);
    e.tcb.reo_mult = 3;
    e.tcb.reo_persist = 16;
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t una = (uint32_t)e.tcb.snd.una;
        assert_int_equal(e.tcb.reo_mult, 3);
        pass(&e, CAPY_MS(1));
        in(&e, sack_of(una, una + MSS, una + 4 * MSS));
        assert_true(next_segment(&e));
        in(&e, ack_of((uint32_t)e.tcb.snd.nxt));
        e.tcb.cc.cwnd = 10 * MSS;
        put(&e, 4 * MSS);
        while (next_segment(&e))
            ;
    }
    assert_int_equal(e.tcb.reo_mult, 0);
    end_done(&e);
}

/* §7.2: two round trips; for a lone segment, whose ACK may be delayed, 40 ms more; never beyond the
 * RTO; none without SACK. §7.3: new data if there is any. */
static void test_when_and_what_the_tail_probe_is(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 2, 0);
    assert_int_equal(e.tcb.timer, CAPY_TCP_TIMER_TLP);
    assert_int_equal(capy_tcp_next_at(&e.tcb) - e.env.now, CAPY_MS(2));
    put(&e, MSS);
    e.tcb.cc.cwnd = 2 * MSS;
    quiet(&e);
    pass(&e, CAPY_MS(2));
    out(&e, A, AT(2), 1, MSS);
    end_done(&e);

    fly(&e, 1, 0);
    assert_int_equal(capy_tcp_next_at(&e.tcb) - e.env.now, CAPY_MS(42));
    e.tcb.rtt.srtt_ns = CAPY_MS(250);
    e.tcb.rtt.rttvar_ns = 0;
    put(&e, MSS); /* sent while the probe's timer runs: it starts over */
    out(&e, A, AT(1), 1, MSS);
    assert_int_equal(capy_tcp_next_at(&e.tcb) - e.env.now, CAPY_MS(250));
    end_done(&e);

    fly(&e, 0, 0);
    e.tcb.sack_ok = false;
    put(&e, MSS);
    out(&e, A, AT(0), 1, MSS);
    assert_int_equal(e.tcb.timer, CAPY_TCP_TIMER_RTO);
    end_done(&e);
}

/* §7.2 leaves a floor open: however short the round trip, the peer may have to wait for its turn. */
static void test_the_tail_probe_waits_no_less_than_configured(void **state)
{
    (void)state;
    static const struct {
        uint64_t floor_ns, srtt_ns;
        uint32_t segments;
        uint64_t pto_ns;
    } cases[] = {
        {CAPY_MS(2), CAPY_US(100), 2, CAPY_MS(2)},    /* the floor */
        {CAPY_MS(2), CAPY_US(100), 1, CAPY_MS(42)},   /* and the delayed ACK */
        {CAPY_MS(2), CAPY_US(1500), 2, CAPY_MS(3)},   /* above it */
        {CAPY_US(50), CAPY_US(100), 2, CAPY_US(200)}, /* configured lower */
        {CAPY_SEC(9), CAPY_US(100), 2, CAPY_MS(200)}, /* never beyond the RTO */
    };
    struct end e;
    end_init(&e, 1);
    assert_int_equal(e.cfg.tlp_min_ns, CAPY_MS(2));
    end_done(&e);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fly(&e, 0, 0);
        e.cfg.tlp_min_ns = cases[i].floor_ns;
        e.tcb.rtt.srtt_ns = cases[i].srtt_ns;
        e.tcb.rtt.rttvar_ns = 0;
        put(&e, cases[i].segments * MSS);
        while (next_segment(&e))
            ;
        assert_int_equal(e.tcb.timer, CAPY_TCP_TIMER_TLP);
        assert_int_equal(capy_tcp_next_at(&e.tcb) - e.env.now, cases[i].pto_ns);
        end_done(&e);
    }
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

/* New data just before and just behind a retransmission: what left behind it is not taken for lost
 * when it has arrived, although a run of bytes has one time. */
static void test_what_left_behind_a_retransmission_is_not_lost_with_it(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 4, 0);
    pass(&e, CAPY_MS(1));
    put(&e, MSS);
    out(&e, A, AT(4), 1, MSS);
    pass(&e, CAPY_US(10));
    in(&e, sack_of(AT(0), AT(1), AT(4)));
    out(&e, A, AT(0), 1, MSS);
    e.tcb.cc.cwnd = 10 * MSS;
    put(&e, MSS);
    pass(&e, CAPY_US(1));
    out(&e, A, AT(5), 1, MSS);
    pass(&e, CAPY_MS(1) - 1);
    in(&e, ack_of(AT(4)));
    out(&e, A, AT(4), 1, MSS); /* it left before, and did not arrive */
    quiet(&e);
    assert_int_equal(e.tcb.retrans_segs, 2);
    end_done(&e);
}

static void send_new(struct end *e, uint32_t i, uint64_t at)
{
    end_set_now(e, at);
    e->tcb.cc.cwnd = 1u << 20;
    put(e, MSS);
    out(e, A, AT(i), 1, MSS);
}

/* A flight of a round trip and a half has more runs than there are records. Those that are joined
 * must not be the last before a retransmission and the first behind it: what left before it would
 * then tell, when it arrives, that the retransmission is lost. */
static void test_a_long_recovery_does_not_lose_its_retransmission(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 0, 0);
    e.tcb.snd.min_rtt_ns = CAPY_US(900); /* now there is a queue */
    uint64_t start = e.env.now;
    uint32_t sent = 0, sacked = 1;
    for (; sent < 23; sent++)
        send_new(&e, sent, start + sent * CAPY_US(50));
    send_new(&e, sent++, start + CAPY_US(1145));
    end_set_now(&e, start + CAPY_US(1150));
    in(&e, sack_of(AT(0), AT(1), AT(4)));
    out(&e, A, AT(0), 1, MSS);
    send_new(&e, sent++, start + CAPY_US(1151));
    for (uint64_t us = 1200; us < 2150; us += 50) {
        send_new(&e, sent++, start + CAPY_US(us));
        sacked = (uint32_t)(us - 1000) / 50;
        in(&e, sack_of(AT(0), AT(1), AT(sacked + 1)));
        assert_int_equal(e.tcb.retrans_segs, 1);
        e.tcb.cc.cwnd = 1u << 20;
        quiet(&e);
    }
    end_set_now(&e, start + CAPY_US(2145));
    in(&e, sack_of(AT(0), AT(1), AT(24)));
    quiet(&e);
    end_set_now(&e, start + CAPY_US(2150));
    in(&e, ack_of(AT(24)));
    quiet(&e);
    assert_int_equal(e.count.fast_retrans, 1);
    end_done(&e);
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
        cmocka_unit_test(test_an_older_echo_is_for_the_original),
        cmocka_unit_test(test_the_window_follows_the_shortest_round_trip),
        cmocka_unit_test(test_sixteen_recoveries_forget_duplicates),
        cmocka_unit_test(test_when_and_what_the_tail_probe_is),
        cmocka_unit_test(test_the_tail_probe_waits_no_less_than_configured),
        cmocka_unit_test(test_a_loss_repaired_by_the_probe_reduces_the_window),
        cmocka_unit_test(test_a_needless_probe_costs_nothing),
        cmocka_unit_test(test_what_left_behind_a_retransmission_is_not_lost_with_it),
        cmocka_unit_test(test_a_long_recovery_does_not_lose_its_retransmission),
        cmocka_unit_test(test_one_burst_in_flight_takes_no_block),
        cmocka_unit_test(test_records_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
