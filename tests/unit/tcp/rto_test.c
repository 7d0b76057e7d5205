/* The retransmission timer, rule by rule (RFC 6298). Without SACK, so that no tail loss probe comes
 * first. */
#include "harness.h"

#include "tcp/rtt.h"

#define AT(i) (1 + (i)*MSS) /* where segment i of the data begins */
#define FIRST_RTT CAPY_MS(100)

/* Established; the handshake gave no sample. */
static void start(struct end *e)
{
    end_init(e, 64);
    establish(e, 0, 60000);
    e->tcb.rtt = (struct capy_tcp_rtt){0};
    e->tcb.snd.min_rtt_ns = 0;
}

static void send(struct end *e, uint32_t i)
{
    put(e, MSS);
    out(e, A, AT(i), 1, MSS);
}

/* One segment made the round trip. */
static void measure(struct end *e, uint32_t i, uint64_t rtt)
{
    send(e, i);
    pass(e, rtt);
    in(e, ack_of(AT(i + 1)));
}

/* Waits for the timeout, which is due after exactly so long, and retransmits. */
static void expect_timeout(struct end *e, uint64_t ns, uint32_t i)
{
    uint32_t fired = (uint32_t)e->count.rto_fired;
    pass(e, ns - 1);
    quiet(e);
    assert_int_equal(e->count.rto_fired, fired);
    pass(e, 1);
    assert_int_equal(e->count.rto_fired, fired + 1);
    out(e, A, AT(i), 1, MSS); /* §5.4: the earliest, and nothing else */
    quiet(e);
}

/* RFC 6298 §2.1: one second before there is a sample. */
static void test_2_1_before_the_first_sample_a_second(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    send(&e, 0);
    expect_timeout(&e, CAPY_SEC(1), 0);
    end_done(&e);
}

/* §2.2: SRTT = R, RTTVAR = R/2. §2.3: beta = 1/4, then alpha = 1/8, in that order. */
static void test_2_2_and_2_3_smoothing(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    measure(&e, 0, FIRST_RTT);
    assert_int_equal(e.tcb.rtt.srtt_ns, CAPY_MS(100));
    assert_int_equal(e.tcb.rtt.rttvar_ns, CAPY_MS(50));
    assert_int_equal(capy_tcp_rto(&e.tcb, &e.env), CAPY_MS(300));
    measure(&e, 1, CAPY_MS(180));
    assert_int_equal(e.tcb.rtt.rttvar_ns, CAPY_US(57500)); /* 3/4 * 50 + 1/4 * |100 - 180| */
    assert_int_equal(e.tcb.rtt.srtt_ns, CAPY_MS(110));     /* 7/8 * 100 + 1/8 * 180 */
    assert_int_equal(capy_tcp_rto(&e.tcb, &e.env), CAPY_MS(340));
    end_done(&e);
}

/* §2.4, with the deviation that tcp.h names: 200 ms. §2.5: at least 60 s at most. */
static void test_2_4_and_2_5_bounds(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    measure(&e, 0, CAPY_US(20));
    assert_int_equal(capy_tcp_rto(&e.tcb, &e.env), CAPY_MS(200));
    e.tcb.rtt.srtt_ns = CAPY_SEC(70);
    assert_int_equal(capy_tcp_rto(&e.tcb, &e.env), CAPY_SEC(60));
    end_done(&e);
}

/* §3, Karn: what was sent twice is no sample; with timestamps it is one. */
static void test_3_no_sample_of_what_went_twice(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    measure(&e, 0, FIRST_RTT);
    send(&e, 1);
    expect_timeout(&e, CAPY_MS(300), 1);
    pass(&e, CAPY_MS(5));
    in(&e, ack_of(AT(2)));
    assert_int_equal(e.tcb.rtt.srtt_ns, FIRST_RTT);
    end_done(&e);
}

/* Nor is it when three duplicate ACKs were the reason. */
static void test_3_no_sample_after_a_fast_retransmission(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    measure(&e, 0, FIRST_RTT);
    for (uint32_t i = 1; i < 5; i++)
        send(&e, i);
    pass(&e, FIRST_RTT);
    for (int i = 0; i < 3; i++)
        in(&e, ack_of(AT(1)));
    out(&e, A, AT(1), 1, MSS);
    pass(&e, CAPY_MS(50));
    in(&e, ack_of(AT(5)));
    assert_int_equal(e.tcb.rtt.srtt_ns, FIRST_RTT);
    end_done(&e);
}

/* §5.1: sending starts the timer only if it does not run. */
static void test_5_1_the_first_segment_starts_the_timer(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    measure(&e, 0, FIRST_RTT);
    assert_true(capy_tcp_next_at(&e.tcb) == CAPY_NEVER);
    send(&e, 1);
    uint64_t at = e.env.now;
    pass(&e, CAPY_MS(100));
    send(&e, 2);
    assert_int_equal(capy_tcp_next_at(&e.tcb) - at, CAPY_MS(300));
    end_done(&e);
}

/* §5.2: all acknowledged: off. §5.3: new data acknowledged: it starts over; a duplicate does not. */
static void test_5_2_and_5_3_acks_stop_and_restart_it(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    measure(&e, 0, FIRST_RTT);
    send(&e, 1);
    send(&e, 2);
    pass(&e, FIRST_RTT);
    in(&e, ack_of(AT(2)));
    uint64_t rto = capy_tcp_rto(&e.tcb, &e.env), at = e.env.now;
    assert_int_equal(capy_tcp_next_at(&e.tcb) - at, rto);
    pass(&e, CAPY_MS(10));
    in(&e, ack_of(AT(2)));
    assert_int_equal(capy_tcp_next_at(&e.tcb) - at, rto);
    in(&e, ack_of(AT(3)));
    assert_true(capy_tcp_next_at(&e.tcb) == CAPY_NEVER);
    end_done(&e);
}

/* §5.4: the earliest goes again. §5.5: the timeout doubles, up to its maximum. §5.6: the timer runs
 * on. §5, end: a sample ends the backoff. */
static void test_5_4_to_5_6_backoff(void **state)
{
    (void)state;
    struct end e;
    start(&e);
    measure(&e, 0, FIRST_RTT);
    send(&e, 1);
    send(&e, 2);
    uint64_t rto = CAPY_MS(300);
    for (uint32_t i = 0; i < 10; i++) {
        expect_timeout(&e, rto, 1);
        rto = capy_min64(2 * rto, CAPY_SEC(60));
    }
    assert_int_equal(rto, CAPY_SEC(60));
    in(&e, ack_of(AT(3)));
    measure(&e, 3, FIRST_RTT);
    assert_true(capy_tcp_rto(&e.tcb, &e.env) < CAPY_MS(300));
    end_done(&e);
}

/* §5.7: after a SYN that timed out the first RTO is three seconds, wherever the connection is by
 * then, until there is a sample. */
static void test_5_7_after_a_lost_syn_three_seconds(void **state)
{
    (void)state;
    struct end e, twin;
    struct capy_prng prng;
    capy_prng_seed(&prng, 1);
    end_init(&e, 64);
    capy_tcp_open_active(&e.tcb, &e.env, (struct capy_seq){OUR_ISS}, 0);
    out(&e, S, 0, 0, 0);
    pass(&e, CAPY_SEC(1));
    out(&e, S, 0, 0, 0);
    pass(&e, CAPY_MS(100));
    in(&e, (struct in){.flags = S | A, .ack = 1, .win = 60000});
    out(&e, A, 1, 1, 0);
    assert_int_equal(e.tcb.snd.mss, 536); /* the SYN-ACK named none */
    end_twin(&e, &twin, 3, &prng);
    put(&e, 500);
    out(&e, A, 1, 1, 500);
    assert_int_equal(capy_tcp_next_at(&e.tcb) - e.env.now, CAPY_SEC(3));
    pass(&e, CAPY_MS(100));
    in(&e, ack_of(501));
    put(&e, 500);
    out(&e, A, 501, 1, 500);
    assert_int_equal(capy_tcp_next_at(&e.tcb) - e.env.now, CAPY_MS(300));
    end_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_2_1_before_the_first_sample_a_second),
        cmocka_unit_test(test_2_2_and_2_3_smoothing),
        cmocka_unit_test(test_2_4_and_2_5_bounds),
        cmocka_unit_test(test_3_no_sample_of_what_went_twice),
        cmocka_unit_test(test_3_no_sample_after_a_fast_retransmission),
        cmocka_unit_test(test_5_1_the_first_segment_starts_the_timer),
        cmocka_unit_test(test_5_2_and_5_3_acks_stop_and_restart_it),
        cmocka_unit_test(test_5_4_to_5_6_backoff),
        cmocka_unit_test(test_5_7_after_a_lost_syn_three_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
