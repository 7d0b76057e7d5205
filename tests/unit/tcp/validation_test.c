/* A congestion window that is not used neither grows nor stays (RFC 7661), and begins anew after a
 * pause (RFC 5681 §4.1). Requests and responses, one per 100 ms, so that no pause is one. */
#include "harness.h"

#include "tcp/validation.h"

#define RTT CAPY_MS(10)
#define PERIOD CAPY_MS(CAPY_TCP_NON_VALIDATED_MS)

static void start(struct end *e, uint32_t cwnd)
{
    end_init(e, 256);
    e->cfg.congestion = CAPY_TCP_NEWRENO;
    establish(e, WITH_SACK, 60000);
    e->tcb.cc.cwnd = cwnd * MSS;
    e->tcb.cc.ssthresh = 12 * MSS;
}

/* n segments make the round trip. */
static void round_trip(struct end *e, uint32_t n)
{
    put(e, n * MSS);
    while (next_segment(e))
        ;
    pass(e, RTT);
    in(e, ack_of((uint32_t)e->tcb.snd.nxt));
    pass(e, CAPY_MS(100) - RTT);
}

/* Small exchanges until a moment. */
static void trickle(struct end *e, uint64_t until)
{
    while (e->env.now < until)
        round_trip(e, 1);
}

/* §4.4.3: five minutes without use, then half of it goes; ssthresh lets it come back quickly. */
static void test_an_unused_window_is_halved_every_five_minutes(void **state)
{
    (void)state;
    struct end e;
    start(&e, 40);
    uint64_t begin = e.env.now;
    trickle(&e, begin + PERIOD);
    assert_int_equal(e.tcb.cc.cwnd, 40 * MSS);
    trickle(&e, begin + PERIOD + CAPY_MS(200));
    assert_int_equal(e.tcb.cc.cwnd, 20 * MSS);
    assert_int_equal(e.tcb.cc.ssthresh, 30 * MSS);
    trickle(&e, begin + 2 * PERIOD + CAPY_MS(400));
    assert_int_equal(e.tcb.cc.cwnd, 10 * MSS);
    trickle(&e, begin + 3 * PERIOD + CAPY_MS(600));
    assert_int_equal(e.tcb.cc.cwnd, 10 * MSS); /* never below the initial window */
    assert_int_equal(e.tcb.cc.ssthresh, 30 * MSS);
    end_done(&e);
}

/* §4.3: half of it in flight is use. */
static void test_use_begins_the_period_anew(void **state)
{
    (void)state;
    struct end e;
    start(&e, 40);
    uint64_t begin = e.env.now;
    trickle(&e, begin + PERIOD / 2);
    round_trip(&e, 20);
    uint32_t cwnd = e.tcb.cc.cwnd;
    uint64_t used = e.env.now;
    trickle(&e, used + PERIOD - CAPY_MS(200));
    assert_int_equal(e.tcb.cc.cwnd, cwnd);
    trickle(&e, used + PERIOD + CAPY_MS(200));
    assert_int_equal(e.tcb.cc.cwnd, cwnd / 2);
    end_done(&e);
}

/* §4.4.1: growth only for what is used. */
static void test_an_unused_window_does_not_grow(void **state)
{
    (void)state;
    struct end e;
    start(&e, 11);
    trickle(&e, e.env.now + CAPY_SEC(20));
    assert_int_equal(e.tcb.cc.cwnd, 11 * MSS);
    round_trip(&e, 8);
    assert_true(e.tcb.cc.cwnd > 11 * MSS);
    end_done(&e);
}

/* §4.4.1: a loss is measured by what was in flight, not by the stale window. */
static void test_a_loss_counts_from_the_flight(void **state)
{
    (void)state;
    struct end e;
    start(&e, 40);
    round_trip(&e, 1);
    uint32_t una = (uint32_t)e.tcb.snd.una;
    put(&e, 8 * MSS);
    while (next_segment(&e))
        ;
    pass(&e, RTT);
    in(&e, sack_of(una, una + MSS, una + 4 * MSS));
    assert_int_equal(e.tcb.phase, CAPY_TCP_RECOVERY);
    assert_true(e.tcb.cc.ssthresh < 8 * MSS);
    end_done(&e);
}

/* RFC 5681 §4.1: a pause longer than an RTO. */
static void test_a_pause_restarts(void **state)
{
    (void)state;
    struct end e;
    start(&e, 40);
    round_trip(&e, 1);
    pass(&e, CAPY_SEC(1));
    round_trip(&e, 1);
    assert_int_equal(e.tcb.cc.cwnd, 10 * MSS);
    end_done(&e);
}

static void test_the_period_moves(void **state)
{
    (void)state;
    struct end e, twin;
    struct capy_prng prng;
    capy_prng_seed(&prng, 2);
    start(&e, 40);
    uint64_t begin = e.env.now;
    trickle(&e, begin + PERIOD - CAPY_MS(500));
    end_twin(&e, &twin, 12345, &prng);
    for (uint32_t i = 0; i < 10; i++) {
        round_trip(&e, 1);
        assert_int_equal(twin.tcb.cc.cwnd, e.tcb.cc.cwnd);
    }
    assert_int_equal(e.tcb.cc.cwnd, 20 * MSS);
    end_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_unused_window_is_halved_every_five_minutes),
        cmocka_unit_test(test_use_begins_the_period_anew),
        cmocka_unit_test(test_an_unused_window_does_not_grow),
        cmocka_unit_test(test_a_loss_counts_from_the_flight),
        cmocka_unit_test(test_a_pause_restarts),
        cmocka_unit_test(test_the_period_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
