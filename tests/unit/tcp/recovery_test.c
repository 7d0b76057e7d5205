/* Loss as scripts: retransmission timeout (RFC 6298), fast retransmit and recovery with SACK (RFC
 * 6675) and without (RFC 6582), limited transmit (RFC 3042), tail loss probe (RFC 8985 §7). */
#include "harness.h"

#include "tcp/scoreboard.h"
#include "tcp/timers.h"

/* n segments of MSS in flight; a round trip of 1 ms is known. Next position: 1 + MSS + n * MSS. */
static void fly(struct end *e, uint32_t with, uint32_t n)
{
    end_init(e, 256);
    establish(e, with, 60000);
    e->tcb.rtt.srtt_ns = e->tcb.snd.min_rtt_ns = 0; /* the handshake took no time */
    put(e, MSS);
    out(e, A, 1, 1, MSS);
    pass(e, CAPY_MS(1));
    in(e, ack_of(1 + MSS));
    put(e, n * MSS);
    for (uint32_t i = 0; i < n; i++)
        out(e, A, 1 + MSS + i * MSS, 1, MSS);
    quiet(e);
}

#define AT(i) (1 + MSS + (i)*MSS) /* where segment i of fly begins */

static void test_a_timeout_doubles_and_retransmits_the_first_segment_only(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 0, 3);
    uint64_t at = e.env.now;
    uint64_t rto = CAPY_MS(200); /* the minimum: srtt + 4 rttvar is 3 ms */
    for (uint32_t i = 0; i < 5; i++) {
        pass(&e, CAPY_SEC(100));
        assert_int_equal(e.env.now - at, rto);
        out(&e, A, AT(0), 1, MSS);
        quiet(&e);
        assert_int_equal(e.tcb.cc.cwnd, MSS); /* RFC 5681 §3.1: the loss window */
        at = e.env.now;
        rto *= 2;
    }
    assert_int_equal(e.tcb.cc.ssthresh,
                     2100); /* 0.7 of three segments; held at repeated timeouts */
    end_done(&e);
}

static void test_after_a_timeout_slow_start_resends_what_is_lost(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 0, 4);
    pass(&e, CAPY_SEC(1));
    out(&e, A, AT(0), 1, MSS);
    in(&e, ack_of(AT(1)));
    out(&e, A, AT(1), 1, MSS);
    out(&e, A, AT(2), 1, MSS);
    quiet(&e);
    in(&e, ack_of(AT(4))); /* the last had arrived after all */
    quiet(&e);
    assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN);
    assert_true(capy_tcp_next_at(&e.tcb) == CAPY_NEVER);
    end_done(&e);
}

/* Karn: the ACK of what was sent twice is no sample, and the backoff stays until there is one. */
static void test_karns_rule_without_timestamps(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 0, 1);
    uint64_t srtt = e.tcb.rtt.srtt_ns;
    pass(&e, CAPY_SEC(1));
    out(&e, A, AT(0), 1, MSS);
    pass(&e, CAPY_MS(100));
    in(&e, ack_of(AT(1)));
    assert_int_equal(e.tcb.rtt.srtt_ns, srtt);
    assert_int_equal(e.tcb.backoff, 1);
    put(&e, 10);
    out(&e, A, AT(1), 1, 10);
    pass(&e, CAPY_MS(1));
    in(&e, ack_of(AT(1) + 10));
    assert_int_equal(e.tcb.backoff, 0);
    end_done(&e);
}

/* A burst of ACKs is taken in before anything is sent, and a receiver that takes in dozens of segments
 * at once acknowledges most of a window by the ACK that shows the hole: the network carried the whole
 * window all the same (RFC 9438 §4.6). But what was not there to be sent was not in use. */
static void test_a_loss_found_amid_a_burst_of_acks_cuts_what_was_in_use(void **state)
{
    (void)state;
    struct end e;
    for (int waits = 0; waits < 2; waits++) {
        fly(&e, WITH_SACK, 10);
        put(&e, waits ? 20 * MSS : 1);
        e.tcb.cc.cwnd = 10 * MSS;
        e.tcb.cc.ssthresh = 2 * MSS;
        e.tcb.cc.cubic = (struct capy_tcp_cubic){.epoch_at = CAPY_NEVER};
        pass(&e, CAPY_US(500));
        in(&e, ack_of(AT(4)));
        in(&e, sack_of(AT(6), AT(7), AT(10)));
        assert_int_equal(e.tcb.phase, CAPY_TCP_RECOVERY);
        if (waits)
            assert_in_range(e.tcb.cc.ssthresh, 7 * MSS, 8 * MSS);
        else /* six segments and a byte: the flight, and what the ACK took off it */
            assert_in_range(e.tcb.cc.ssthresh, 6 * MSS * 7 / 10, 5 * MSS);
        while (next_segment(&e))
            ;
        in(&e, ack_of(AT(10) + (waits ? 20 * MSS : 1)));
        end_done(&e);
    }
}

static void test_three_duplicates_retransmit_and_new_reno_goes_on_by_partial_acks(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 0, 8);
    put(&e, 20 * MSS);
    e.tcb.cc.cwnd = 8 * MSS;
    in(&e, ack_of(AT(0)));
    out(&e, A, AT(8), 1, MSS); /* RFC 3042: limited transmit */
    in(&e, ack_of(AT(0)));
    out(&e, A, AT(9), 1, MSS);
    quiet(&e);
    in(&e, ack_of(AT(0)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_RECOVERY);
    assert_int_equal(e.count.fast_retrans, 1);
    out(&e, A, AT(0), 1, MSS);
    quiet(&e);
    in(&e, ack_of(AT(3))); /* partial: segment 3 is lost, too */
    out(&e, A, AT(3), 1, MSS);
    while (next_segment(&e)) /* new data as the pipe allows */
        assert_true(e.last.seq.v - OUR_ISS >= AT(10));
    in(&e, ack_of(AT(10)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN);
    assert_int_equal(e.tcb.cc.cwnd, e.tcb.cc.ssthresh);
    assert_int_equal(e.count.rto_fired, 0);
    end_done(&e);
}

/* RFC 3042: the first two duplicates, and with SACK whatever arrives, let one new segment out each;
 * the congestion window itself does not grow. */
static void test_limited_transmit(void **state)
{
    (void)state;
    for (uint32_t sack = 0; sack < 2; sack++) {
        struct end e;
        fly(&e, sack ? WITH_SACK : 0, 4);
        put(&e, 20 * MSS);
        e.tcb.cc.cwnd = 4 * MSS;
        quiet(&e);
        for (uint32_t i = 0; i < 2; i++) {
            in(&e, sack ? sack_of(AT(0), AT(1), AT(2 + i)) : ack_of(AT(0)));
            out(&e, A, AT(4 + i), 1, MSS);
            quiet(&e);
            assert_int_equal(e.tcb.cc.cwnd, 4 * MSS);
        }
        assert_int_equal(e.tcb.retrans_segs, 0);
        end_done(&e);
    }
    struct end e; /* not beyond the peer's window */
    fly(&e, 0, 4);
    put(&e, 20 * MSS);
    struct in dup = ack_of(AT(0));
    dup.win = 4 * MSS;
    in(&e, dup);
    in(&e, dup);
    quiet(&e);
    end_done(&e);
}

/* RFC 6582 §3.2 step 2, careful: duplicates of what a timeout sent needlessly follow the ACK that
 * ends it; they are no new loss. Once una is beyond, three duplicates are. */
static void test_duplicates_after_a_recovery_are_no_loss(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 0, 4);
    pass(&e, CAPY_SEC(1));
    out(&e, A, AT(0), 1, MSS);
    in(&e, ack_of(AT(4)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN);
    e.tcb.cc.cwnd = 10 * MSS;
    put(&e, 4 * MSS);
    for (uint32_t i = 4; i < 8; i++)
        out(&e, A, AT(i), 1, MSS);
    for (uint32_t i = 0; i < 3; i++)
        in(&e, ack_of(AT(4)));
    quiet(&e);
    assert_int_equal(e.count.fast_retrans, 0);
    in(&e, ack_of(AT(5)));
    for (uint32_t i = 0; i < 3; i++)
        in(&e, ack_of(AT(5)));
    out(&e, A, AT(5), 1, MSS);
    assert_int_equal(e.count.fast_retrans, 1);
    end_done(&e);
}

/* What RFC 6675's rescue retransmission is for: a hole and the tail are lost. As soon as the hole's
 * retransmission arrives RACK knows that the tail left before it (RFC 8985 §6.2 step 5). */
static void test_a_tail_lost_with_a_hole_needs_no_timeout(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_SACK, 9);
    pass(&e, CAPY_MS(1));
    in(&e, sack_of(AT(0), AT(1), AT(6))); /* 0, 6, 7 and 8 are lost */
    out(&e, A, AT(0), 1, MSS);
    quiet(&e);
    pass(&e, CAPY_MS(1));
    in(&e, ack_of(AT(6)));
    for (uint32_t i = 6; i < 9; i++)
        out(&e, A, AT(i), 1, MSS);
    in(&e, ack_of(AT(9)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN);
    assert_int_equal(e.count.rto_fired, 0);
    end_done(&e);
}

/* RFC 6675 §4 SetPipe(): neither what is SACKed nor what is lost counts, what went again does. */
static void test_the_pipe_counts_what_is_in_the_network(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_SACK, 9);
    assert_int_equal(capy_tcp_pipe(&e.tcb, &e.env), 9 * MSS);
    pass(&e, CAPY_MS(1));
    struct in s = sack_of(AT(0), AT(1), AT(3));
    s.sack[1].left = AT(5);
    s.sack[1].right = AT(7);
    in(&e, s); /* 0, 3 and 4 are lost; 7 and 8 are not known to be */
    assert_int_equal(capy_tcp_pipe(&e.tcb, &e.env), 2 * MSS);
    out(&e, A, AT(0), 1, MSS);
    assert_int_equal(capy_tcp_pipe(&e.tcb, &e.env), 3 * MSS);
    end_done(&e);
}

/* RFC 8985 §6.2: with three segments SACKed there is no more waiting; what left before them and is
 * missing is lost. */
static void test_sack_recovery_resends_just_the_holes(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_SACK, 9);
    pass(&e, CAPY_MS(1));
    struct in s = sack_of(AT(0), AT(1), AT(3)); /* 0 and 3 are lost */
    in(&e, s);
    quiet(&e);
    s.sack[1] = s.sack[0];
    s.sack[0].left = AT(4);
    s.sack[0].right = AT(5);
    in(&e, s);
    assert_int_equal(e.tcb.phase, CAPY_TCP_RECOVERY);
    out(&e, A, AT(0), 1, MSS);
    quiet(&e); /* one segment arrived, one went: RFC 9937 */
    s.sack[0].right = AT(8);
    in(&e, s);
    out(&e, A, AT(3), 1, MSS);
    quiet(&e); /* segment 8 is not known to be lost */
    in(&e, ack_of(AT(9)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN);
    assert_int_equal(e.tcb.marks, CAPY_NONE);
    assert_int_equal(e.tcb.retrans_segs, 2);
    end_done(&e);
}

/* RFC 2018 §8: a timeout forgets what was SACKed; the peer may have. */
static void test_a_timeout_forgets_sack(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_SACK, 3);
    in(&e, sack_of(AT(0), AT(1), AT(2)));
    assert_int_equal(e.tcb.snd.sacked, MSS);
    pass(&e, CAPY_SEC(1));
    out(&e, A, AT(0), 1, MSS); /* by RACK */
    pass(&e, CAPY_SEC(1));
    assert_int_equal(e.count.rto_fired, 1);
    out(&e, A, AT(0), 1, MSS);
    assert_int_equal(e.tcb.snd.sacked, 0);
    in(&e, ack_of(AT(1)));
    out(&e, A, AT(1), 1, MSS);
    end_done(&e);
}

/* RFC 8985 also works after a timeout, but the window stays what slow start makes it: no second cut
 * while the first is being paid (RFC 6675 §5.1). */
static void test_a_loss_after_a_timeout_is_no_new_recovery(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_SACK, 4);
    e.tcb.snd.tlp_end = e.tcb.snd.nxt; /* probed already */
    capy_tcp_timers_changed(&e.tcb, &e.env);
    pass(&e, CAPY_SEC(1));
    out(&e, A, AT(0), 1, MSS);
    pass(&e, CAPY_MS(1));
    in(&e, ack_of(AT(1)));
    out(&e, A, AT(1), 1, MSS); /* lost again */
    out(&e, A, AT(2), 1, MSS);
    uint32_t ssthresh = e.tcb.cc.ssthresh;
    pass(&e, CAPY_MS(1));
    in(&e, sack_of(AT(1), AT(2), AT(3)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_LOSS);
    out(&e, A, AT(1), 1, MSS);
    assert_int_equal(e.tcb.cc.ssthresh, ssthresh);
    in(&e, ack_of(AT(4)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN);
    end_done(&e);
}

static void test_nonsense_sack_blocks_are_ignored(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_SACK, 3);
    in(&e, sack_of(AT(0), AT(2), AT(9))); /* beyond what was sent */
    in(&e, sack_of(AT(0), AT(2), AT(1))); /* backward */
    in(&e, sack_of(AT(0), 1, AT(0)));     /* a duplicate report (RFC 2883) */
    in(&e, sack_of(AT(0), AT(0), AT(1))); /* would be a cumulative ACK */
    assert_int_equal(e.tcb.snd.sacked, 0);
    assert_int_equal(e.tcb.snd.dup_acks, 0);
    end_done(&e);
}

/* The probe goes after two round trips, long before the timeout; what it reveals is repaired. */
static void test_a_lost_tail_is_probed_and_repaired_without_a_timeout(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_SACK, 4);
    uint64_t at = e.env.now;
    pass(&e, CAPY_SEC(1));
    assert_int_equal(e.env.now - at, 2 * e.tcb.rtt.srtt_ns);
    out(&e, A, AT(3), 1, MSS); /* nothing new to send: the last segment again */
    quiet(&e);
    pass(&e, CAPY_MS(1));
    in(&e, sack_of(AT(1), AT(3), AT(4)));
    out(&e, A, AT(1), 1, MSS);
    in(&e, sack_of(AT(2), AT(3), AT(4)));
    out(&e, A, AT(2), 1, MSS);
    in(&e, ack_of(AT(4)));
    quiet(&e);
    assert_int_equal(e.count.rto_fired, 0);
    end_done(&e);
}

static void test_only_one_tail_probe_then_the_timeout(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_SACK, 2);
    pass(&e, CAPY_SEC(1));
    out(&e, A, AT(1), 1, MSS);
    uint64_t at = e.env.now;
    pass(&e, CAPY_SEC(1));
    assert_int_equal(e.env.now - at, CAPY_MS(200));
    assert_int_equal(e.count.rto_fired, 1);
    out(&e, A, AT(0), 1, MSS);
    end_done(&e);
}

static void test_a_lost_fin_goes_again(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 0, 0);
    end_shutdown(&e);
    out(&e, F | A, AT(0), 1, 0);
    pass(&e, CAPY_SEC(1));
    out(&e, F | A, AT(0), 1, 0);
    in(&e, ack_of(AT(0) + 1));
    assert_int_equal(e.tcb.state, CAPY_TCP_FIN_WAIT_2);
    end_done(&e);
}

static void test_silence_ends_by_the_user_timeout(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 0, 1);
    e.cfg.user_timeout_ns = CAPY_SEC(300);
    uint64_t at = e.env.now;
    while (!(e.events & CAPY_TCP_TIMED_OUT)) {
        while (next_segment(&e))
            ;
        pass(&e, CAPY_SEC(10));
    }
    assert_int_equal(e.env.now - at, CAPY_SEC(300));
    assert_int_equal(e.tcb.state, CAPY_TCP_CLOSED);
    end_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_timeout_doubles_and_retransmits_the_first_segment_only),
        cmocka_unit_test(test_after_a_timeout_slow_start_resends_what_is_lost),
        cmocka_unit_test(test_karns_rule_without_timestamps),
        cmocka_unit_test(test_a_loss_found_amid_a_burst_of_acks_cuts_what_was_in_use),
        cmocka_unit_test(test_three_duplicates_retransmit_and_new_reno_goes_on_by_partial_acks),
        cmocka_unit_test(test_limited_transmit),
        cmocka_unit_test(test_duplicates_after_a_recovery_are_no_loss),
        cmocka_unit_test(test_a_tail_lost_with_a_hole_needs_no_timeout),
        cmocka_unit_test(test_the_pipe_counts_what_is_in_the_network),
        cmocka_unit_test(test_sack_recovery_resends_just_the_holes),
        cmocka_unit_test(test_a_timeout_forgets_sack),
        cmocka_unit_test(test_a_loss_after_a_timeout_is_no_new_recovery),
        cmocka_unit_test(test_nonsense_sack_blocks_are_ignored),
        cmocka_unit_test(test_a_lost_tail_is_probed_and_repaired_without_a_timeout),
        cmocka_unit_test(test_only_one_tail_probe_then_the_timeout),
        cmocka_unit_test(test_a_lost_fin_goes_again),
        cmocka_unit_test(test_silence_ends_by_the_user_timeout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
