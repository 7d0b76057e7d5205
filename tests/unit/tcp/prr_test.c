/* Proportional rate reduction (RFC 9937) as scripts: twenty segments in flight, NewReno, so that
 * the target is ten. */
#include "harness.h"

#include "tcp/position.h"
#include "tcp/scoreboard.h"

#define AT(i) (1 + MSS + (i)*MSS) /* where segment i of fly begins */
#define RTT CAPY_MS(10)
#define FLIGHT 20u

static void fly(struct end *e, uint32_t with, uint32_t more)
{
    end_init(e, 256);
    e->cfg.congestion = CAPY_TCP_NEWRENO;
    establish(e, with, 60000);
    e->tcb.congestion = CAPY_TCP_NEWRENO;
    e->tcb.rtt.srtt_ns = e->tcb.snd.min_rtt_ns = 0; /* the handshake took no time */
    put(e, MSS);
    out(e, A, 1, 1, MSS);
    pass(e, RTT);
    in(e, ack_of(1 + MSS));
    e->tcb.cc.cwnd = FLIGHT * MSS;
    put(e, FLIGHT * MSS);
    for (uint32_t i = 0; i < FLIGHT; i++)
        out(e, A, AT(i), 1, MSS);
    quiet(e);
    put(e, more * MSS);
    pass(e, RTT);
}

/* Segments that go out now. */
static uint32_t count(struct end *e)
{
    uint32_t n = 0;
    while (next_segment(e))
        n++;
    return n;
}

/* §6.2, pipe above ssthresh: one segment for every two that arrive; at the end the flight is at
 * ssthresh, and so is the window. */
static void test_the_flight_shrinks_evenly_to_ssthresh(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_SACK, 30);
    for (uint32_t i = 2; i < 4; i++) {
        in(&e, sack_of(AT(0), AT(1), AT(i)));
        assert_int_equal(count(&e), 1); /* limited transmit: segments 20 and 21 */
    }
    in(&e, sack_of(AT(0), AT(1), AT(4)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_RECOVERY);
    assert_int_equal(e.tcb.cc.ssthresh, 10 * MSS);
    /* RecoverFS: 22 in flight, less the three SACKed, with the one of this ACK. */
    assert_int_equal(capy_tcp_marks(&e.tcb, &e.env)->episode.prr.flight, 20 * MSS);
    out(&e, A, AT(0), 1, MSS);
    quiet(&e);
    uint32_t sent = 1;
    for (uint32_t delivered = 2; delivered <= 19; delivered++) {
        in(&e, sack_of(AT(0), AT(1), AT(3 + delivered)));
        sent += count(&e);
        assert_in_range(sent, (delivered - 1) / 2, (delivered + 1) / 2);
    }
    assert_in_range(capy_tcp_pipe(&e.tcb, &e.env), 9 * MSS, 10 * MSS);
    in(&e, ack_of(AT(22)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN);
    assert_int_equal(e.tcb.cc.cwnd, 10 * MSS);
    assert_int_equal(e.tcb.retrans_segs, 1);
    end_done(&e);
}

/* Pipe below ssthresh: one for one while ACKs only repeat una or tell of more loss (PRR-CRB); one
 * more for each that advances and tells of none (safeACK, PRR-SSRB). */
static void test_after_heavy_loss_safe_acks_speed_up(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_SACK, 30);
    in(&e, sack_of(AT(0), AT(16), AT(17)));
    in(&e, sack_of(AT(0), AT(16), AT(18)));
    assert_int_equal(count(&e), 2); /* limited transmit; both are lost, too */
    pass(&e, RTT / 10);
    in(&e, sack_of(AT(0), AT(16), AT(19)));
    out(&e, A, AT(0), 1, MSS);
    quiet(&e);
    pass(&e, RTT / 10);
    in(&e, sack_of(AT(0), AT(16), AT(20)));
    out(&e, A, AT(1), 1, MSS);
    quiet(&e);
    pass(&e, RTT);
    in(&e, sack_of(AT(1), AT(16), AT(20))); /* and tells that 20 and 21 are lost */
    assert_int_equal(count(&e), 1);
    pass(&e, RTT / 10);
    in(&e, sack_of(AT(2), AT(16), AT(20)));
    assert_int_equal(count(&e), 2);
    assert_int_equal(e.tcb.phase, CAPY_TCP_RECOVERY);
    end_done(&e);
}

/* Never above ssthresh, however much one ACK says. */
static void test_a_large_ack_stops_at_ssthresh(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_SACK, 30);
    in(&e, sack_of(AT(0), AT(1), AT(19)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_RECOVERY);
    count(&e);
    assert_int_equal(capy_tcp_pipe(&e.tcb, &e.env), 10 * MSS);
    end_done(&e);
}

/* Nothing arrived when the reordering timer began it: still the first segment goes. */
static void test_the_timer_begins_with_one_segment(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_SACK, 0);
    e.tcb.reordering = true;
    in(&e, sack_of(AT(0), AT(1), AT(2)));
    pass(&e, RTT);
    assert_int_equal(e.tcb.phase, CAPY_TCP_RECOVERY);
    uint32_t pipe = capy_tcp_pipe(&e.tcb, &e.env);
    assert_int_equal(e.tcb.cc.cwnd, pipe + MSS);
    assert_int_equal(count(&e), 1);
    assert_int_equal(capy_tcp_pipe(&e.tcb, &e.env), pipe + MSS);
    end_done(&e);
}

/* Without SACK a duplicate ACK is a segment that arrived. */
static void test_the_same_without_sack(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 0, 30);
    for (uint32_t i = 0; i < 2; i++) {
        in(&e, ack_of(AT(0)));
        assert_int_equal(count(&e), 1);
    }
    in(&e, ack_of(AT(0)));
    out(&e, A, AT(0), 1, MSS);
    quiet(&e);
    uint32_t sent = 1;
    for (uint32_t delivered = 2; delivered <= 19; delivered++) {
        in(&e, ack_of(AT(0)));
        sent += count(&e);
        assert_in_range(sent, (delivered - 1) / 2, (delivered + 1) / 2);
    }
    in(&e, ack_of(AT(22)));
    assert_int_equal(e.tcb.cc.cwnd, 10 * MSS);
    end_done(&e);
}

/* RFC 5681 §4.3: a lost retransmission cuts from the window, not from what PRR made of it. */
static void test_a_second_cut_halves_the_first(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_SACK, 30);
    in(&e, sack_of(AT(0), AT(1), AT(4)));
    assert_true(count(&e) >= 1);
    pass(&e, RTT / 10);
    in(&e, sack_of(AT(0), AT(1), AT(12)));
    assert_true(count(&e) >= 1); /* after the retransmission, which is lost */
    uint32_t newest = (uint32_t)e.tcb.snd.nxt;
    assert_int_equal(e.tcb.cc.ssthresh, 10 * MSS);
    pass(&e, RTT);
    in(&e, sack_of(AT(0), AT(1), newest));
    assert_int_equal(e.tcb.cc.ssthresh, 5 * MSS);
    out(&e, A, AT(0), 1, MSS);
    in(&e, ack_of(newest));
    end_done(&e);
}

/* Where the pool has no block for the counts, the window is ssthresh at once (RFC 6675 §5). */
static void test_without_a_block_the_window_is_cut_at_once(void **state)
{
    (void)state;
    struct end e;
    fly(&e, 0, 30);
    uint32_t held[256], cnt = 0;
    while ((held[cnt] = capy_pool_take(&e.blocks.pool)) != CAPY_NONE)
        cnt++;
    for (uint32_t i = 0; i < 3; i++)
        in(&e, ack_of(AT(0)));
    assert_int_equal(e.tcb.phase, CAPY_TCP_RECOVERY);
    assert_int_equal(e.tcb.cc.cwnd, 10 * MSS);
    out(&e, A, AT(0), 1, MSS);
    in(&e, ack_of(AT(20)));
    assert_int_equal(e.tcb.cc.cwnd, 10 * MSS);
    while (cnt > 0)
        capy_pool_give(&e.blocks.pool, held[--cnt]);
    end_done(&e);
}

/* The counts move: the twin sends the same, segment by segment (harness.h). */
static void test_recovery_moves(void **state)
{
    (void)state;
    struct end e, twin;
    struct capy_prng prng;
    capy_prng_seed(&prng, 3);
    fly(&e, WITH_SACK, 30);
    in(&e, sack_of(AT(0), AT(1), AT(4)));
    count(&e);
    in(&e, sack_of(AT(0), AT(1), AT(7)));
    count(&e);
    end_twin(&e, &twin, 11, &prng);
    for (uint32_t i = 8; i <= 20; i++) {
        in(&e, sack_of(AT(0), AT(1), AT(i)));
        count(&e);
    }
    in(&e, sack_of(AT(1), AT(1), AT(20)));
    count(&e);
    in(&e, ack_of((uint32_t)e.tcb.snd.nxt));
    count(&e);
    assert_int_equal(twin.tcb.cc.cwnd, e.tcb.cc.cwnd);
    end_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_flight_shrinks_evenly_to_ssthresh),
        cmocka_unit_test(test_after_heavy_loss_safe_acks_speed_up),
        cmocka_unit_test(test_a_large_ack_stops_at_ssthresh),
        cmocka_unit_test(test_the_timer_begins_with_one_segment),
        cmocka_unit_test(test_the_same_without_sack),
        cmocka_unit_test(test_a_second_cut_halves_the_first),
        cmocka_unit_test(test_without_a_block_the_window_is_cut_at_once),
        cmocka_unit_test(test_recovery_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
