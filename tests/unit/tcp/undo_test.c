/* What was taken for lost and was not: Eifel detection (RFC 3522) and reports of duplicates (RFC
 * 3708), the way back (RFC 4015, RFC 9438 §4.9), and all of it in flight from one host to another.
 * F-RTO has a file of its own. */
#include "flight.h"

#include "tcp/rtt.h"

/* ---- nothing went again ---- */

/* One burst of ACKs makes a segment look lost, and then acknowledges it, before we could send. */
static void test_what_arrives_before_it_goes_again_was_late(void **state)
{
    (void)state;
    for (uint32_t kind = 0; kind < 4; kind++) {
        bool sack = kind > 0, by_sack = kind == 2;
        struct end e;
        fly(&e, sack ? WITH_SACK : 0, 8, 8);
        struct capy_tcp_cc before = e.tcb.cc;
        pass(&e, kind == 3 ? CAPY_SEC(10) : RTT);
        if (kind == 3 && e.tcb.snd.tlp_end != 0)
            pass(&e, CAPY_SEC(10));
        uint32_t from = by_sack ? 2 : 1;
        for (uint32_t i = 0; i < 3 && kind < 3; i++)
            in(&e, sack ? sack_of(AT(0), AT(from), AT(from + 1 + i)) : ack_of(AT(0)));
        assert_int_equal(e.tcb.phase, kind == 3 ? CAPY_TCP_LOSS : CAPY_TCP_RECOVERY);
        assert_true(e.tcb.cc.ssthresh < before.ssthresh);
        in(&e, by_sack ? sack_of(AT(0), AT(1), AT(5)) : ack_of(AT(1)));
        assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN);
        assert_int_equal(e.tcb.reordering, kind < 3);
        assert_int_equal(e.tcb.cc.ssthresh, before.ssthresh);
        assert_true(e.tcb.cc.cwnd >= before.cwnd);
        assert_int_equal(e.count.spurious_losses, 1);
        assert_int_equal(e.tcb.reo_mult, 0);
        while (next_segment(&e))
            ;
        assert_int_equal(e.tcb.retrans_segs, 0);
        end_done(&e);
    }
}

/* ---- Eifel ---- */

/* RFC 3522 step 4; RFC 9438 §4.9.2: the curve as before, too. */
static void test_an_older_echo_undoes_fast_recovery(void **state)
{
    (void)state;
    for (uint32_t sack = 0; sack < 2; sack++) {
        struct end e;
        fly(&e, WITH_TS | (sack ? WITH_SACK : 0), 8, 0);
        e.tcb.cc.ssthresh = 20 * len_(&e);
        e.tcb.cc.cubic = (struct capy_tcp_cubic){
            .w_max = 30000, .w_est = 29000, .k_ms = 77, .epoch_at = e.env.now};
        struct capy_tcp_cc before = e.tcb.cc;
        if (sack) {
            lose_first(&e);
        } else {
            pass(&e, RTT);
            for (uint32_t i = 0; i < 3; i++)
                in(&e, ack_of(AT(0)));
            segment(&e, 0);
        }
        assert_true(e.tcb.cc.ssthresh < before.ssthresh);
        pass(&e, RTT / 2);
        in(&e, ack_of(AT(4))); /* the original was late */
        assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN);
        same_window(&e.tcb.cc, &before);
        assert_int_equal(e.count.spurious_losses, 1);
        assert_int_equal(e.tcb.retrans_segs, 1);
        assert_true(e.tcb.reordering);
        quiet(&e);
        in(&e, ack_of(AT(8)));
        assert_int_equal(e.tcb.marks, CAPY_NONE);
        end_done(&e);
    }
}

static void test_the_echo_of_the_retransmission_undoes_nothing(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_TS | WITH_SACK, 8, 0);
    lose_first(&e);
    uint32_t ssthresh = e.tcb.cc.ssthresh;
    e.in_ecr = e.last.ts_val;
    pass(&e, RTT);
    in(&e, ack_of(AT(4)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_RECOVERY);
    e.in_ecr -= 10; /* only the first ACK tells: later ones may be for other segments */
    in(&e, ack_of(AT(5)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_RECOVERY);
    in(&e, ack_of(AT(8)));
    assert_int_equal(e.tcb.cc.cwnd, ssthresh);
    assert_int_equal(e.count.spurious_losses, 0);
    end_done(&e);
}

/* RFC 3522 step 5: the ACK reports a duplicate, or acknowledges all and the peer was never seen to
 * report any: perhaps only ACKs were lost. */
static void test_when_acks_were_lost_nothing_is_undone(void **state)
{
    (void)state;
    for (uint32_t kind = 0; kind < 3; kind++) {
        struct end e;
        fly(&e, WITH_TS | WITH_SACK, 4, 0);
        timeout(&e);
        e.tcb.reo_persist = kind == 2 ? 3 : 0; /* a DSACK came in one of the last recoveries */
        pass(&e, RTT);
        in(&e, kind == 0 ? sack_of(AT(4), AT(0), AT(1)) : ack_of(AT(4)));
        assert_int_equal(e.count.spurious_losses, kind == 2);
        assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN);
        end_done(&e);
    }
}

/* A peer that always echoes the same would otherwise never meet congestion. */
static void test_an_echo_older_than_the_original_undoes_nothing(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_TS | WITH_SACK, 8, 0);
    lose_first(&e);
    e.in_ecr--;
    pass(&e, RTT / 2);
    in(&e, ack_of(AT(4)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_RECOVERY);
    assert_int_equal(e.count.spurious_losses, 0);
    end_done(&e);
}

/* RFC 4015 §3.2: what is in flight is not sent again, and the estimator learns how long it took. */
static void test_an_older_echo_undoes_a_timeout(void **state)
{
    (void)state;
    for (uint32_t sack = 0; sack < 2; sack++) {
        struct end e;
        fly(&e, WITH_TS | (sack ? WITH_SACK : 0), 5, 3);
        e.tcb.snd.wnd = 5 * len_(&e); /* a tail probe would be new data */
        struct capy_tcp_cc before = e.tcb.cc;
        uint64_t left_at = e.env.now;
        timeout(&e);
        assert_int_equal(e.tcb.cc.cwnd, len_(&e));
        pass(&e, CAPY_MS(3));
        in(&e, ack_of(AT(1)));
        assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN);
        before.cwnd += e.tcb.snd.mss; /* of this ACK */
        same_window(&e.tcb.cc, &before);
        assert_int_equal(e.tcb.backoff, 0);
        uint64_t took = e.env.now - left_at;
        if (!sack) { /* a probe of the tail left later than the original */
            assert_int_equal(e.tcb.rtt.srtt_ns, took);
            assert_int_equal(capy_tcp_rto(&e.tcb, &e.env), took + 4 * (took / 2));
        }
        assert_true(e.tcb.rtt.srtt_ns > CAPY_MS(100));
        send(&e, 5, 7); /* new data at once: one segment left, one more fits */
        quiet(&e);
        in(&e, ack_of(AT(7)));
        send(&e, 7, 8);
        assert_int_equal(e.tcb.retrans_segs, sack ? 2 : 1);
        end_done(&e);
    }
}

/* RFC 3522 step 2: a second timeout does not overwrite RetransmitTS. */
static void test_a_second_timeout_is_undone_with_the_first(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_TS, 5, 0);
    struct capy_tcp_cc before = e.tcb.cc;
    timeout(&e);
    uint32_t first = e.last.ts_val;
    pass(&e, CAPY_SEC(10));
    segment(&e, 0);
    struct end twin;
    struct capy_prng prng;
    capy_prng_seed(&prng, 1);
    end_twin(&e, &twin, 5, &prng);
    e.in_ecr = first; /* between the two: the first retransmission */
    in(&e, ack_of(AT(1)));
    assert_int_equal(e.count.spurious_losses, 0);
    end_done(&e);

    fly(&e, WITH_TS, 5, 0);
    timeout(&e);
    pass(&e, CAPY_SEC(10));
    segment(&e, 0);
    in(&e, ack_of(AT(1)));
    assert_int_equal(e.count.spurious_losses, 1);
    assert_int_equal(e.tcb.cc.ssthresh, before.ssthresh);
    end_done(&e);
}

/* The timeout has fired again, and before anything is sent the first ACK arrives. */
static void test_an_undone_timeout_sends_nothing_again(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_TS, 5, 0);
    timeout(&e);
    pass(&e, CAPY_SEC(10));
    assert_int_equal(e.count.rto_fired, 2);
    in(&e, ack_of(AT(1)));
    assert_int_equal(e.count.spurious_losses, 1);
    quiet(&e);
    end_done(&e);
}

/* RACK's patience grows once for an overtaken segment, not again when the DSACK comes. */
static void test_a_spurious_retransmission_widens_the_reordering_window_once(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_TS | WITH_SACK, 8, 8);
    lose_first(&e);
    pass(&e, RTT / 2);
    in(&e, ack_of(AT(4)));
    assert_int_equal(e.tcb.reo_mult, 1);
    assert_true(next_segment(&e));
    in(&e, sack_of(AT(4), AT(0), AT(1)));
    assert_int_equal(e.tcb.reo_mult, 1);
    end_done(&e);
}

/* ---- DSACK ---- */

/* Two holes are repaired, and both retransmissions may turn out to be duplicates: RFC 3708 §3. */
static void two_holes(struct end *e)
{
    fly(e, WITH_SACK, 8, 20);
    pass(e, RTT);
    struct in s = sack_of(1 + len_(e), 1 + 2 * len_(e), 1 + 3 * len_(e));
    s.sack[1].left = 1 + 4 * len_(e);
    s.sack[1].right = 1 + 6 * len_(e);
    in(e, s);
    while (next_segment(e))
        ;
    s.sack[1].right = 1 + 8 * len_(e);
    in(e, s);
    while (next_segment(e))
        ;
    assert_int_equal(e->tcb.retrans_segs, 2);
}

static void test_recovery_is_undone_when_all_it_sent_was_duplicate(void **state)
{
    (void)state;
    struct end e;
    two_holes(&e);
    struct capy_tcp_cc before = capy_tcp_marks(&e.tcb, &e.env)->episode.before;
    assert_int_equal(before.cwnd, 8 * MSS);
    end_done(&e);
    for (uint32_t swapped = 0; swapped < 2; swapped++) { /* reports overtake each other, too */
        two_holes(&e);
        uint32_t first = swapped ? 2 : 0, second = 2 - first;
        in(&e, ack_of(AT(7)));
        in(&e, sack_of(AT(7), AT(first), AT(first + 1)));
        assert_int_equal(e.tcb.phase, CAPY_TCP_RECOVERY); /* one of two */
        in(&e, sack_of(AT(7), AT(first), AT(first + 1))); /* told twice, counted once */
        assert_int_equal(e.tcb.phase, CAPY_TCP_RECOVERY);
        in(&e, sack_of(AT(7), AT(second), AT(second + 1)));
        assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN);
        assert_int_equal(e.count.spurious_losses, 1);
        assert_true(e.tcb.reordering);
        same_window(&e.tcb.cc, &before);
        end_done(&e);
    }
}

static void test_duplicates_are_heard_for_a_round_trip_after_recovery(void **state)
{
    (void)state;
    for (uint32_t late = 0; late < 2; late++) {
        struct end e;
        two_holes(&e);
        uint64_t recover = e.tcb.snd.recover;
        struct capy_tcp_cc before = capy_tcp_marks(&e.tcb, &e.env)->episode.before;
        in(&e, ack_of((uint32_t)recover));
        assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN);
        uint32_t ssthresh = e.tcb.cc.ssthresh;
        assert_true(ssthresh < before.ssthresh);
        while (next_segment(&e))
            ;
        uint32_t una = (uint32_t)recover;
        if (late) {
            una = (uint32_t)capy_tcp_marks(&e.tcb, &e.env)->episode.turn;
            in(&e, ack_of(una));
        }
        in(&e, sack_of(una, AT(0), AT(1)));
        in(&e, sack_of(una, AT(2), AT(3)));
        assert_int_equal(e.count.spurious_losses, late ? 0 : 1);
        assert_int_equal(e.tcb.cc.ssthresh, late ? ssthresh : before.ssthresh);
        end_done(&e);
    }
}

/* Also when one ACK covers all, as long as more waits to be sent. */
static void test_duplicates_are_heard_when_the_flight_was_empty(void **state)
{
    (void)state;
    for (uint32_t late = 0; late < 2; late++) {
        struct end e, twin;
        struct capy_prng prng;
        capy_prng_seed(&prng, 6);
        two_holes(&e);
        struct capy_tcp_cc before = capy_tcp_marks(&e.tcb, &e.env)->episode.before;
        uint32_t una = (uint32_t)e.tcb.snd.nxt;
        in(&e, ack_of(una));
        assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN);
        end_twin(&e, &twin, 7, &prng);
        while (next_segment(&e))
            ;
        if (late)
            in(&e, ack_of(una += len_(&e)));
        in(&e, sack_of(una, AT(0), AT(1)));
        in(&e, sack_of(una, AT(2), AT(3)));
        assert_int_equal(e.count.spurious_losses, late ? 0 : 1);
        assert_int_equal(e.tcb.cc.ssthresh == before.ssthresh, !late);
        end_done(&e);
    }
}

/* The next recovery begins while the duplicates of the last one are being reported: both are undone
 * when all of both are. */
static void test_recoveries_in_a_row_are_undone_together(void **state)
{
    (void)state;
    struct end e, twin;
    struct capy_prng prng;
    capy_prng_seed(&prng, 5);
    two_holes(&e);
    struct capy_tcp_cc before = capy_tcp_marks(&e.tcb, &e.env)->episode.before;
    uint32_t una = (uint32_t)e.tcb.snd.recover;
    pass(&e, RTT / 10);
    in(&e, ack_of(una));
    while (next_segment(&e))
        ;
    in(&e, sack_of(una, AT(0), AT(1)));
    pass(&e, RTT);
    in(&e, sack_of(una, una + MSS, una + 4 * MSS));
    pass(&e, RTT); /* the window for reordering */
    assert_int_equal(e.tcb.phase, CAPY_TCP_RECOVERY);
    out(&e, A, una, 1, MSS);
    end_twin(&e, &twin, 4, &prng);
    in(&e, sack_of(una, AT(2), AT(3)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_RECOVERY);
    in(&e, ack_of(una + 4 * MSS));
    in(&e, sack_of(una + 4 * MSS, una, una + MSS));
    assert_int_equal(e.count.spurious_losses, 1);
    assert_int_equal(e.tcb.cc.ssthresh, before.ssthresh);
    assert_int_equal(twin.tcb.cc.ssthresh, before.ssthresh);
    end_done(&e);
}

/* Unless none was reported of the last one: then this one stands for itself. */
static void test_a_recovery_after_a_real_one_is_undone_alone(void **state)
{
    (void)state;
    struct end e;
    two_holes(&e);
    uint32_t una = (uint32_t)e.tcb.snd.recover;
    pass(&e, RTT / 10);
    in(&e, ack_of(una));
    while (next_segment(&e))
        ;
    uint32_t between = e.tcb.cc.ssthresh;
    pass(&e, RTT);
    in(&e, sack_of(una, una + MSS, una + 4 * MSS));
    out(&e, A, una, 1, MSS);
    in(&e, ack_of(una + 4 * MSS));
    in(&e, sack_of(una + 4 * MSS, una, una + MSS));
    assert_int_equal(e.count.spurious_losses, 1);
    assert_int_equal(e.tcb.cc.ssthresh, between);
    end_done(&e);
}

/* Whatever times out again, "before" is before the first time. */
static void test_repeated_timeouts_are_one_episode(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_SACK, 5, 0);
    uint32_t ssthresh = e.tcb.cc.ssthresh;
    timeout(&e);
    in(&e, ack_of(AT(1)));
    while (next_segment(&e))
        ;
    pass(&e, CAPY_SEC(10));
    assert_int_equal(e.count.rto_fired, 2);
    assert_true(e.tcb.cc.ssthresh < ssthresh);
    assert_int_equal(capy_tcp_marks(&e.tcb, &e.env)->episode.before.ssthresh, ssthresh);
    end_done(&e);
}

/* Duplicates of what was not retransmitted are the network's. */
static void test_other_duplicates_do_not_count(void **state)
{
    (void)state;
    struct end e;
    two_holes(&e);
    in(&e, ack_of(AT(7)));
    in(&e, sack_of(AT(7), 1, 1 + MSS));
    in(&e, sack_of(AT(7), AT(3), AT(5)));
    assert_int_equal(e.count.spurious_losses, 0);
    end_done(&e);
}

/* ---- memory ---- */

static void test_no_block_is_kept_when_all_is_acknowledged(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_SACK, 8, 0);
    lose_first(&e);
    in(&e, ack_of(AT(8)));
    assert_int_equal(e.tcb.marks, CAPY_NONE);
    end_done(&e);

    fly(&e, 0, 8, 8); /* without SACK nobody will report duplicates */
    timeout(&e);
    in(&e, ack_of(AT(1)));
    send(&e, 8, 10);
    in(&e, ack_of(AT(1)));
    while (next_segment(&e))
        ;
    in(&e, ack_of(AT(8)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN);
    assert_int_equal(e.tcb.marks, CAPY_NONE);
    end_done(&e);
}

/* Then every loss counts as one. */
static void test_without_a_block_nothing_is_undone_and_all_arrives(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_TS, 5, 2);
    uint32_t held[256], cnt = 0;
    while ((held[cnt] = capy_pool_take(&e.blocks.pool)) != CAPY_NONE)
        cnt++;
    timeout(&e);
    in(&e, ack_of(AT(1)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_LOSS);
    segment(&e, 1);
    segment(&e, 2);
    in(&e, ack_of(AT(5)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN);
    send(&e, 5, 7);
    in(&e, ack_of(AT(7)));
    quiet(&e);
    assert_int_equal(e.count.spurious_losses, 0);
    while (cnt > 0)
        capy_pool_give(&e.blocks.pool, held[--cnt]);
    end_done(&e);
}

/* A SYN that times out has no congestion state to go back to. */
static void test_the_handshake_has_no_episode(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 16);
    capy_tcp_open_active(&e.tcb, &e.env, (struct capy_seq){OUR_ISS}, 0);
    out(&e, S, 0, 0, 0);
    pass(&e, CAPY_SEC(2));
    out(&e, S, 0, 0, 0);
    assert_int_equal(e.tcb.marks, CAPY_NONE);
    end_done(&e);
}

/* ---- moving ---- */

/* Moves at each stage of an episode; the twin must go the same way (harness.h). */
static void test_an_episode_moves_at_every_stage(void **state)
{
    (void)state;
    struct capy_prng prng;
    capy_prng_seed(&prng, 7);
    for (uint32_t stage = 0; stage < 6; stage++) {
        struct end e, twin;
        fly(&e, stage < 2 ? WITH_TS | WITH_SACK : WITH_SACK, 8, 12);
        if (stage < 2) { /* nothing has gone again; the first ACK is awaited */
            pass(&e, RTT);
            in(&e, sack_of(AT(0), AT(1), AT(4)));
            if (stage == 0)
                end_twin(&e, &twin, 9, &prng);
            segment(&e, 0);
            if (stage == 1)
                end_twin(&e, &twin, 9, &prng);
            in(&e, ack_of(AT(4)));
        } else if (stage < 4) { /* after the timeout; in F-RTO */
            e.tcb.snd.wnd = 8 * MSS;
            timeout(&e);
            if (stage == 2)
                end_twin(&e, &twin, 9, &prng);
            in(&e, ack_of(AT(1)));
            send(&e, 8, 10);
            if (stage == 3)
                end_twin(&e, &twin, 9, &prng);
            in(&e, ack_of(AT(2)));
        } else { /* before and after recovery ends */
            end_done(&e);
            two_holes(&e);
            if (stage == 4)
                end_twin(&e, &twin, 9, &prng);
            in(&e, ack_of(AT(8)));
            assert_int_equal(capy_tcp_marks(&e.tcb, &e.env)->episode.doubt, CAPY_TCP_DOUBT_LATE);
            if (stage == 5)
                end_twin(&e, &twin, 9, &prng);
            in(&e, sack_of(AT(8), AT(0), AT(1)));
            in(&e, sack_of(AT(8), AT(2), AT(3)));
        }
        assert_int_equal(e.count.spurious_losses, 1);
        assert_int_equal(twin.count.spurious_losses, 1);
        while (next_segment(&e))
            ;
        same_window(&e.tcb.cc, &twin.tcb.cc);
        in(&e, ack_of((uint32_t)e.tcb.snd.nxt));
        while (next_segment(&e))
            ;
        end_done(&e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_arrives_before_it_goes_again_was_late),
        cmocka_unit_test(test_an_older_echo_undoes_fast_recovery),
        cmocka_unit_test(test_the_echo_of_the_retransmission_undoes_nothing),
        cmocka_unit_test(test_when_acks_were_lost_nothing_is_undone),
        cmocka_unit_test(test_an_echo_older_than_the_original_undoes_nothing),
        cmocka_unit_test(test_an_older_echo_undoes_a_timeout),
        cmocka_unit_test(test_a_second_timeout_is_undone_with_the_first),
        cmocka_unit_test(test_an_undone_timeout_sends_nothing_again),
        cmocka_unit_test(test_a_spurious_retransmission_widens_the_reordering_window_once),
        cmocka_unit_test(test_recovery_is_undone_when_all_it_sent_was_duplicate),
        cmocka_unit_test(test_duplicates_are_heard_for_a_round_trip_after_recovery),
        cmocka_unit_test(test_duplicates_are_heard_when_the_flight_was_empty),
        cmocka_unit_test(test_recoveries_in_a_row_are_undone_together),
        cmocka_unit_test(test_a_recovery_after_a_real_one_is_undone_alone),
        cmocka_unit_test(test_repeated_timeouts_are_one_episode),
        cmocka_unit_test(test_other_duplicates_do_not_count),
        cmocka_unit_test(test_no_block_is_kept_when_all_is_acknowledged),
        cmocka_unit_test(test_without_a_block_nothing_is_undone_and_all_arrives),
        cmocka_unit_test(test_the_handshake_has_no_episode),
        cmocka_unit_test(test_an_episode_moves_at_every_stage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
