/* What all congestion controls share, and NewReno (RFC 5681, RFC 6928, RFC 3465), on a bare control
 * block. */
#include "harness.h"

#include <string.h>

#include "tcp/congestion.h"
#include "tcp/position.h"

static struct capy_tcp_env env;

static struct capy_tcp block(enum capy_tcp_congestion algorithm, uint32_t flight)
{
    struct capy_tcp tcb = {.congestion = (uint8_t)algorithm, .tune.initial_window = 10};
    tcb.snd.mss = MSS;
    tcb.snd.una = tcb.snd.recover = CAPY_TCP_POS_DATA;
    tcb.snd.nxt = CAPY_TCP_POS_DATA + flight;
    tcb.marks = CAPY_NONE;
    capy_tcp_cc_start(&tcb);
    return tcb;
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < CAPY_TCP_CONGESTION_CNT; i++)
        assert_int_equal(
            capy_tcp_congestion_by_name(capy_tcp_congestion_name((enum capy_tcp_congestion)i)), i);
    assert_int_equal(capy_tcp_congestion_by_name("dctcp"), CAPY_TCP_DCTCP);
    assert_int_equal(capy_tcp_congestion_by_name("bbr"), CAPY_E_INVAL);
}

/* RFC 6928 §2, which takes the place of RFC 5681 §3.1's IW; and other sizes of it. */
static void test_initial_window(void **state)
{
    (void)state;
    static const uint32_t cases[][3] = {{536, 10, 5360},   {1460, 10, 14600}, {4000, 10, 14600},
                                        {9000, 10, 18000}, {1460, 4, 5840},   {1460, 1, 1460},
                                        {536, 1, 536},     {9000, 1, 9000}};
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct capy_tcp tcb = {.snd.mss = (uint16_t)cases[i][0],
                               .tune.initial_window = (uint8_t)cases[i][1]};
        capy_tcp_cc_start(&tcb);
        assert_int_equal(tcb.cc.cwnd, cases[i][2]);
    }
}

/* RFC 5681 §3.1: after a lost SYN or SYN-ACK the initial window is one segment; ssthresh begins
 * arbitrarily high either way. */
static void test_a_lost_syn_leaves_one_segment(void **state)
{
    (void)state;
    struct capy_tcp tcb = {.snd.mss = MSS, .tune.initial_window = 10, .backoff = 1};
    capy_tcp_cc_start(&tcb);
    assert_int_equal(tcb.cc.cwnd, MSS);
    assert_true(tcb.cc.ssthresh >= CAPY_TCP_CWND_MAX);
}

static void test_slow_start_only_while_the_window_is_used(void **state)
{
    (void)state;
    struct capy_tcp tcb = block(CAPY_TCP_DCTCP, 0);
    capy_tcp_cc_acked(&tcb, &env, 2 * MSS, 2 * MSS); /* a fifth of it: no reason to grow */
    assert_int_equal(tcb.cc.cwnd, 10 * MSS);
    capy_tcp_cc_acked(&tcb, &env, 2 * MSS, 10 * MSS);
    assert_int_equal(tcb.cc.cwnd, 12 * MSS);
}

/* RFC 5681 §3.1 equation 2: no more than what was acknowledged; and no more than L segments: 2
 * (RFC 3465 §2.3), after a timeout 1, under the eye of HyStart++ 8 (RFC 9406 §4.3). */
static void test_an_ack_opens_slow_start_by_what_it_says_and_by_little(void **state)
{
    (void)state;
    struct capy_tcp tcb = block(CAPY_TCP_DCTCP, 0);
    capy_tcp_cc_acked(&tcb, &env, 100, 10 * MSS);
    assert_int_equal(tcb.cc.cwnd, 10 * MSS + 100);
    capy_tcp_cc_acked(&tcb, &env, 5 * MSS, 10 * MSS);
    assert_int_equal(tcb.cc.cwnd, 12 * MSS + 100);

    tcb = block(CAPY_TCP_NEWRENO, 0);
    capy_tcp_cc_acked(&tcb, &env, 5 * MSS, 10 * MSS);
    assert_int_equal(tcb.cc.cwnd, 15 * MSS);
    capy_tcp_cc_acked(&tcb, &env, 15 * MSS, 15 * MSS);
    assert_int_equal(tcb.cc.cwnd, 23 * MSS);

    tcb = block(CAPY_TCP_NEWRENO, 20 * MSS);
    capy_tcp_cc_timed_out(&tcb, false);
    tcb.phase = CAPY_TCP_LOSS;
    capy_tcp_cc_acked(&tcb, &env, 5 * MSS, MSS);
    assert_int_equal(tcb.cc.cwnd, 2 * MSS);
}

/* RFC 5681 §3.1 equation 3, MUST NOT more than one segment per round trip; equation 4. */
static void test_reno_adds_a_segment_per_round_trip_and_halves(void **state)
{
    (void)state;
    struct capy_tcp tcb = block(CAPY_TCP_NEWRENO, 20 * MSS);
    tcb.cc.cwnd = 30 * MSS;
    capy_tcp_cc_lost(&tcb, capy_tcp_flight(&tcb));
    assert_int_equal(tcb.cc.cwnd, 10 * MSS); /* half of FlightSize, not of cwnd */
    for (uint32_t round = 0; round < 5; round++)
        for (uint32_t acked = 0, cwnd = tcb.cc.cwnd; acked < cwnd; acked += MSS)
            capy_tcp_cc_acked(&tcb, &env, MSS, tcb.cc.cwnd);
    assert_int_equal(tcb.cc.cwnd, 15 * MSS);
    capy_tcp_cc_acked(&tcb, &env, 1000 * MSS, tcb.cc.cwnd); /* however much it says */
    assert_int_equal(tcb.cc.cwnd, 16 * MSS);
}

/* RFC 5681 §3.1: a timeout leaves one segment (LW) and half the flight as ssthresh, at least two
 * segments; a second timeout of the same data holds that. §4.3 is in recovery_test.c. */
static void test_timeouts(void **state)
{
    (void)state;
    for (int a = 0; a < CAPY_TCP_CONGESTION_CNT; a++) {
        uint32_t factor = a == CAPY_TCP_CUBIC ? 7 : 5;
        struct capy_tcp tcb = block((enum capy_tcp_congestion)a, 20 * MSS);
        capy_tcp_cc_timed_out(&tcb, false);
        assert_int_equal(tcb.cc.cwnd, MSS);
        assert_int_equal(tcb.cc.ssthresh, 2 * factor * MSS);
        tcb.snd.nxt = tcb.snd.una + MSS;
        capy_tcp_cc_timed_out(&tcb, true);
        assert_int_equal(tcb.cc.ssthresh, 2 * factor * MSS);
        capy_tcp_cc_timed_out(&tcb, false);
        assert_int_equal(tcb.cc.ssthresh, 2 * MSS);
    }
}

/* RFC 5681 §4.1: after an idle timeout the restart window is min(IW, cwnd). */
static void test_the_restart_window_is_the_smaller(void **state)
{
    (void)state;
    struct capy_tcp tcb = block(CAPY_TCP_CUBIC, 0);
    tcb.cc.cwnd = 100 * MSS;
    capy_tcp_cc_resume(&tcb);
    assert_int_equal(tcb.cc.cwnd, 10 * MSS);
    tcb.cc.cwnd = 3 * MSS;
    capy_tcp_cc_resume(&tcb);
    assert_int_equal(tcb.cc.cwnd, 3 * MSS);
}

/* Every way from one to another and on: the window stays, the threshold stays, and the newcomer
 * works. */
static void test_the_algorithm_changes_at_any_time(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2 * CAPY_TCP_CONGESTION_CNT * CAPY_TCP_CONGESTION_CNT; i++) {
        enum capy_tcp_congestion from = i / 2 % CAPY_TCP_CONGESTION_CNT;
        enum capy_tcp_congestion to = i / 2 / CAPY_TCP_CONGESTION_CNT;
        struct capy_tcp tcb = block(from, 40 * MSS);
        if (i & 1) {
            tcb.cc.cwnd = 40 * MSS;
            capy_tcp_cc_lost(&tcb, 40 * MSS);
            capy_tcp_cc_acked(&tcb, &env, MSS, tcb.cc.cwnd);
        }
        uint32_t cwnd = tcb.cc.cwnd, ssthresh = tcb.cc.ssthresh;
        capy_tcp_set_congestion(&tcb, &env, to);
        assert_int_equal(tcb.congestion, to);
        assert_int_equal(tcb.cc.cwnd, cwnd);
        assert_int_equal(tcb.cc.ssthresh, ssthresh);
        for (uint32_t n = 0; n < 100; n++)
            capy_tcp_cc_acked(&tcb, &env, MSS, tcb.cc.cwnd);
        assert_true(tcb.cc.cwnd > cwnd && tcb.cc.cwnd <= cwnd + 100 * MSS);
        capy_tcp_cc_lost(&tcb, 10 * MSS);
        assert_int_equal(tcb.cc.cwnd, (to == CAPY_TCP_CUBIC ? 7 : 5) * MSS);
    }
}

/* RFC 9438 §4.9.1: window, threshold and curve as before, but no window that has grown since gets
 * smaller. */
static void test_undo_goes_back_to_before_the_loss(void **state)
{
    (void)state;
    struct capy_tcp tcb = block(CAPY_TCP_CUBIC, 100 * MSS);
    env.now = CAPY_SEC(5);
    capy_tcp_cc_lost(&tcb, capy_tcp_flight(&tcb));
    tcb.cc.cwnd = 100 * MSS;
    capy_tcp_cc_acked(&tcb, &env, MSS, 100 * MSS);
    const struct capy_tcp_cc before = tcb.cc;
    assert_true(before.cubic.epoch_at == CAPY_SEC(5));
    capy_tcp_cc_lost(&tcb, capy_tcp_flight(&tcb));
    assert_true(tcb.cc.cwnd < before.cwnd && tcb.cc.cubic.epoch_at == CAPY_NEVER);
    capy_tcp_cc_undo(&tcb, &before);
    assert_memory_equal(&tcb.cc, &before, sizeof before);

    tcb.cc.cwnd = 200 * MSS;
    capy_tcp_cc_undo(&tcb, &before);
    assert_int_equal(tcb.cc.cwnd, 200 * MSS);
    assert_int_equal(tcb.cc.ssthresh, before.ssthresh);
}

/* The first reduction of a life is undone into slow start, watched as it was. */
static void test_undo_of_the_first_reduction(void **state)
{
    (void)state;
    for (int a = 0; a < CAPY_TCP_CONGESTION_CNT; a++) {
        struct capy_tcp tcb = block((enum capy_tcp_congestion)a, 20 * MSS);
        const struct capy_tcp_cc before = tcb.cc;
        capy_tcp_cc_timed_out(&tcb, false);
        capy_tcp_cc_undo(&tcb, &before);
        assert_memory_equal(&tcb.cc, &before, sizeof before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_initial_window),
        cmocka_unit_test(test_a_lost_syn_leaves_one_segment),
        cmocka_unit_test(test_slow_start_only_while_the_window_is_used),
        cmocka_unit_test(test_an_ack_opens_slow_start_by_what_it_says_and_by_little),
        cmocka_unit_test(test_reno_adds_a_segment_per_round_trip_and_halves),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_the_restart_window_is_the_smaller),
        cmocka_unit_test(test_the_algorithm_changes_at_any_time),
        cmocka_unit_test(test_undo_goes_back_to_before_the_loss),
        cmocka_unit_test(test_undo_of_the_first_reduction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
