/* Congestion control (RFC 5681, RFC 6928, RFC 9438) on a bare control block. */
#include "harness.h"

#include "tcp/congestion.h"
#include "tcp/position.h"

static struct capy_tcp_cfg cfg;
static struct capy_tcp_env env = {.cfg = &cfg};

static struct capy_tcp block(enum capy_tcp_congestion algorithm, uint32_t flight)
{
    struct capy_tcp tcb = {.congestion = (uint8_t)algorithm, .tune.initial_window = 10};
    tcb.snd.mss = MSS;
    tcb.snd.una = CAPY_TCP_POS_DATA;
    tcb.snd.nxt = CAPY_TCP_POS_DATA + flight;
    capy_tcp_cc_start(&tcb);
    return tcb;
}

static void test_initial_window(void **state)
{
    (void)state;
    static const uint32_t cases[][2] = {{536, 5360}, {1460, 14600}, {4000, 14600}, {9000, 18000}};
    for (uint32_t i = 0; i < 4; i++) {
        struct capy_tcp tcb = {.snd.mss = (uint16_t)cases[i][0], .tune.initial_window = 10};
        capy_tcp_cc_start(&tcb);
        assert_int_equal(tcb.cc.cwnd, cases[i][1]);
    }
}

static void test_slow_start_only_while_the_window_is_used(void **state)
{
    (void)state;
    struct capy_tcp tcb = block(CAPY_TCP_NEWRENO, 0);
    capy_tcp_cc_acked(&tcb, &env, 2 * MSS, 2 * MSS); /* a fifth of it: no reason to grow */
    assert_int_equal(tcb.cc.cwnd, 10 * MSS);
    capy_tcp_cc_acked(&tcb, &env, 5 * MSS, 10 * MSS);
    assert_int_equal(tcb.cc.cwnd, 12 * MSS); /* RFC 3465: two segments per ACK */
}

static void test_reno_adds_a_segment_per_round_trip_and_halves(void **state)
{
    (void)state;
    struct capy_tcp tcb = block(CAPY_TCP_NEWRENO, 20 * MSS);
    tcb.cc.cwnd = 20 * MSS;
    capy_tcp_cc_lost(&tcb, capy_tcp_flight(&tcb));
    assert_int_equal(tcb.cc.cwnd, 10 * MSS);
    for (uint32_t round = 0; round < 5; round++)
        for (uint32_t acked = 0, cwnd = tcb.cc.cwnd; acked < cwnd; acked += MSS)
            capy_tcp_cc_acked(&tcb, &env, MSS, tcb.cc.cwnd);
    assert_int_equal(tcb.cc.cwnd, 15 * MSS);
    tcb.snd.nxt = tcb.snd.una + MSS;
    capy_tcp_cc_timed_out(&tcb, false);
    assert_int_equal(tcb.cc.ssthresh, 2 * MSS); /* equation 4's floor */
    assert_int_equal(tcb.cc.cwnd, MSS);
}

/* RFC 9438 §4.2: concave up to W_max at K = cbrt(W_max * (1 - beta) / C), then convex. */
static void test_cubic_returns_to_w_max_after_k(void **state)
{
    (void)state;
    const uint32_t w = 400 * MSS;
    struct capy_tcp tcb = block(CAPY_TCP_CUBIC, w);
    tcb.cc.cwnd = w;
    capy_tcp_cc_lost(&tcb, capy_tcp_flight(&tcb));
    assert_int_equal(tcb.cc.cwnd, w / 10 * 7);
    assert_int_equal(tcb.cc.w_max, w);
    const uint64_t rtt = CAPY_MS(100), start = CAPY_SEC(5);
    tcb.rtt.srtt_ns = rtt;
    uint32_t at_half_k = 0, at_k = 0, later = 0, last = tcb.cc.cwnd;
    for (env.now = start; env.now < start + CAPY_SEC(14); env.now += rtt) {
        for (uint32_t acked = 0, cwnd = tcb.cc.cwnd; acked < cwnd; acked += MSS)
            capy_tcp_cc_acked(&tcb, &env, MSS, tcb.cc.cwnd);
        assert_true(tcb.cc.cwnd >= last);
        last = tcb.cc.cwnd;
        uint64_t t = env.now - start;
        if (t <= CAPY_MS(3300))
            at_half_k = last;
        if (t <= CAPY_MS(6600)) /* K = cbrt(400 * 0.3 / 0.4) = 6.69 s */
            at_k = last;
        later = last;
    }
    assert_in_range(tcb.cc.k_ms, 6685, 6700);
    assert_in_range(at_half_k, w / 100 * 93, w / 100 * 98);
    assert_in_range(at_k, w / 100 * 99, w / 100 * 101);
    assert_true(later > w / 100 * 130);
}

static void test_cubic_fast_convergence(void **state)
{
    (void)state;
    struct capy_tcp tcb = block(CAPY_TCP_CUBIC, 100 * MSS);
    tcb.cc.cwnd = 100 * MSS;
    tcb.cc.w_max = 200 * MSS;
    capy_tcp_cc_lost(&tcb, capy_tcp_flight(&tcb));
    assert_int_equal(tcb.cc.w_max, 85 * MSS); /* §4.7: (1 + beta) / 2 */
}

/* RFC 9438 §4.9.1: window, threshold and curve as before, but no window that has grown since gets
 * smaller. */
static void test_undo_goes_back_to_before_the_loss(void **state)
{
    (void)state;
    struct capy_tcp tcb = block(CAPY_TCP_CUBIC, 100 * MSS);
    env.now = CAPY_SEC(5);
    tcb.cc.cwnd = 100 * MSS;
    tcb.cc.ssthresh = 90 * MSS;
    capy_tcp_cc_acked(&tcb, &env, MSS, 100 * MSS);
    const struct capy_tcp_cc before = tcb.cc;
    assert_true(before.epoch_at == CAPY_SEC(5));
    capy_tcp_cc_lost(&tcb, capy_tcp_flight(&tcb));
    assert_true(tcb.cc.cwnd < before.cwnd && tcb.cc.epoch_at == CAPY_NEVER);
    capy_tcp_cc_undo(&tcb, &before);
    assert_memory_equal(&tcb.cc, &before, sizeof before);

    tcb.cc.cwnd = 200 * MSS;
    capy_tcp_cc_undo(&tcb, &before);
    assert_int_equal(tcb.cc.cwnd, 200 * MSS);
    assert_int_equal(tcb.cc.ssthresh, before.ssthresh);
}

static void test_extreme_values_neither_overflow_nor_divide_by_zero(void **state)
{
    (void)state;
    struct capy_tcp tcb = block(CAPY_TCP_CUBIC, 0);
    tcb.cc.ssthresh = 1;
    tcb.cc.cwnd = 1;
    tcb.cc.w_max = CAPY_TCP_CWND_MAX;
    for (uint32_t i = 0; i < 64; i++) {
        env.now = UINT64_C(1) << i;
        capy_tcp_cc_acked(&tcb, &env, UINT16_MAX, UINT32_MAX);
        assert_true(tcb.cc.cwnd >= 1 && tcb.cc.cwnd <= CAPY_TCP_CWND_MAX + UINT16_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_initial_window),
        cmocka_unit_test(test_slow_start_only_while_the_window_is_used),
        cmocka_unit_test(test_reno_adds_a_segment_per_round_trip_and_halves),
        cmocka_unit_test(test_cubic_returns_to_w_max_after_k),
        cmocka_unit_test(test_cubic_fast_convergence),
        cmocka_unit_test(test_undo_goes_back_to_before_the_loss),
        cmocka_unit_test(test_extreme_values_neither_overflow_nor_divide_by_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
