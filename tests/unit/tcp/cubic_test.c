/* CUBIC (RFC 9438) on a bare control block: the formulae against the same in floating point, and
 * what begins and ends an epoch. */
#include "harness.h"

#include <math.h>
#include <stdio.h>

#include "tcp/congestion.h"
#include "tcp/position.h"

static struct capy_tcp_env env;

static struct capy_tcp block(uint32_t cwnd, uint32_t mss)
{
    struct capy_tcp tcb = {.congestion = CAPY_TCP_CUBIC, .tune.initial_window = 10};
    tcb.snd.mss = (uint16_t)mss;
    tcb.snd.una = tcb.snd.recover = CAPY_TCP_POS_DATA;
    tcb.snd.nxt = CAPY_TCP_POS_DATA + cwnd;
    tcb.marks = CAPY_NONE;
    capy_tcp_cc_start(&tcb);
    tcb.cc.cwnd = cwnd;
    return tcb;
}

/* A round trip's ACKs, one per two segments. */
static void round_trip(struct capy_tcp *tcb)
{
    uint32_t cwnd = tcb->cc.cwnd, step = 2u * tcb->snd.mss;
    for (uint32_t left = cwnd; left > 0; left -= capy_min32(step, left))
        capy_tcp_cc_acked(tcb, &env, capy_min32(step, left), tcb->cc.cwnd);
}

/* RFC 9438 §4.1 to §4.7 once more, in segments, seconds and doubles, fed with the same ACKs. */
struct model {
    double cwnd, w_max, w_est, k, prior, epoch; /* epoch < 0: none */
};

static double curve(const struct model *m, double t)
{
    return 0.4 * pow(t - m->k, 3) + m->w_max;
}

static void model_acked(struct model *m, double now, double rtt, double acked)
{
    if (m->epoch < 0) {
        m->epoch = now;
        m->w_est = m->cwnd;
        if (m->w_max < m->cwnd)
            m->w_max = m->cwnd;
        m->k = cbrt((m->w_max - m->cwnd) / 0.4);
    }
    double t = now - m->epoch;
    double alpha = m->w_est >= m->prior ? 1 : 3 * (1 - 0.7) / (1 + 0.7);
    m->w_est += alpha * acked / m->cwnd;
    if (curve(m, t) < m->w_est) {
        m->cwnd = fmax(m->cwnd, m->w_est);
        return;
    }
    double target = fmin(fmax(curve(m, t + rtt), m->cwnd), 1.5 * m->cwnd);
    m->cwnd += (target - m->cwnd) / m->cwnd * acked;
}

static void model_lost(struct model *m)
{
    m->prior = m->cwnd;
    m->w_max = m->cwnd < m->w_max ? m->cwnd * (1 + 0.7) / 2 : m->cwnd;
    m->cwnd = fmax(m->cwnd * 0.7, 2);
    m->epoch = -1;
}

/* Three losses at growing distances, so that concave and convex region, fast convergence and the
 * Reno-friendly region all take their turn. Returns the worst deviation, in percent. */
static double compare(uint32_t mss, uint32_t segments, uint64_t rtt_ns, uint32_t rounds)
{
    struct capy_tcp tcb = block(segments * mss, mss);
    struct model m = {.cwnd = segments, .epoch = -1};
    double worst = 0, rtt = (double)rtt_ns / 1e9;
    tcb.rtt.srtt_ns = rtt_ns;
    env.now = CAPY_SEC(3);
    for (uint32_t loss = 0; loss < 3; loss++) {
        capy_tcp_cc_lost(&tcb, tcb.cc.cwnd);
        model_lost(&m);
        for (uint32_t i = 0; i < rounds * (loss + 1); i++) {
            uint32_t cwnd = tcb.cc.cwnd, step = 2 * mss;
            env.now += rtt_ns;
            for (uint32_t left = cwnd; left > 0; left -= capy_min32(step, left)) {
                uint32_t acked = capy_min32(step, left);
                capy_tcp_cc_acked(&tcb, &env, acked, tcb.cc.cwnd);
                model_acked(&m, (double)env.now / 1e9, rtt, (double)acked / mss);
            }
            worst = fmax(worst, fabs(tcb.cc.cwnd / (m.cwnd * mss) - 1) * 100);
        }
    }
    printf("mss %5u, %6u segments, RTT %9.3f ms: off by %.3f%% at most\n", mss, segments, rtt * 1e3,
           worst);
    return worst;
}

static void test_the_integers_follow_the_formulae(void **state)
{
    (void)state;
    assert_true(compare(1460, 400, CAPY_MS(100), 60) < 1);
    assert_true(compare(1460, 40, CAPY_MS(20), 200) < 1);
    assert_true(compare(1460, 10000, CAPY_MS(150), 30) < 1);
    assert_true(compare(536, 100, CAPY_MS(5), 400) < 1);
    assert_true(compare(8948, 30, CAPY_US(200), 500) < 1); /* the Reno-friendly region throughout */
    assert_true(compare(1448, 20000, CAPY_MS(1), 40) < 1);
}

/* §4.2: concave up to W_max at K = cbrt(W_max * (1 - beta) / C), then convex (§4.4, §4.5). */
static void test_it_returns_to_w_max_after_k(void **state)
{
    (void)state;
    const uint32_t w = 400 * MSS;
    struct capy_tcp tcb = block(w, MSS);
    capy_tcp_cc_lost(&tcb, w);
    assert_int_equal(tcb.cc.cwnd, w / 10 * 7);
    assert_int_equal(tcb.cc.cubic.w_max, w);
    const uint64_t rtt = CAPY_MS(100), start = CAPY_SEC(5);
    tcb.rtt.srtt_ns = rtt;
    uint32_t at_half_k = 0, at_k = 0;
    for (env.now = start; env.now < start + CAPY_SEC(14); env.now += rtt) {
        uint32_t last = tcb.cc.cwnd;
        round_trip(&tcb);
        assert_true(tcb.cc.cwnd >= last);
        assert_true(tcb.cc.cwnd <= last + last / 2); /* §4.2: target at most 1.5 cwnd */
        if (env.now - start <= CAPY_MS(3300))
            at_half_k = tcb.cc.cwnd;
        if (env.now - start <= CAPY_MS(6600)) /* K = cbrt(400 * 0.3 / 0.4) = 6.69 s */
            at_k = tcb.cc.cwnd;
    }
    assert_in_range(tcb.cc.cubic.k_ms, 6685, 6700);
    assert_in_range(at_half_k, w / 100 * 93, w / 100 * 98);
    assert_in_range(at_k, w / 100 * 99, w / 100 * 101);
    assert_true(tcb.cc.cwnd > w / 100 * 130);
}

/* §4.3: alpha is 9/17 until W_est is back at cwnd_prior, then 1, as Reno's: seen where the round
 * trip is so short that the curve stands still. */
static void test_reno_friendly_region(void **state)
{
    (void)state;
    struct capy_tcp tcb = block(100 * MSS, MSS);
    tcb.rtt.srtt_ns = CAPY_US(50);
    env.now = CAPY_SEC(1);
    capy_tcp_cc_lost(&tcb, 100 * MSS);
    for (int i = 0; i < 17; i++)
        round_trip(&tcb);
    assert_in_range(tcb.cc.cwnd, 78 * MSS, 79 * MSS); /* 70 + 9 */
    while (tcb.cc.cwnd < 100 * MSS)
        round_trip(&tcb);
    uint32_t before = tcb.cc.cwnd;
    for (int i = 0; i < 17; i++)
        round_trip(&tcb);
    assert_in_range(tcb.cc.cwnd - before, 16 * MSS, 17 * MSS);
}

/* §4.6: what was in flight counts, not a window that was not used; never below two segments. */
static void test_reductions(void **state)
{
    (void)state;
    struct capy_tcp tcb = block(100 * MSS, MSS);
    capy_tcp_cc_lost(&tcb, 50 * MSS);
    assert_int_equal(tcb.cc.cwnd, 35 * MSS);
    assert_int_equal(tcb.cc.ssthresh, 35 * MSS);
    capy_tcp_cc_lost(&tcb, MSS);
    assert_int_equal(tcb.cc.cwnd, 2 * MSS);
    tcb.snd.recover = tcb.snd.una;
    assert_true(capy_tcp_cc_marked(&tcb, 2 * MSS)); /* a mark may leave fewer (§4.6) */
    assert_int_equal(tcb.cc.cwnd, 1400);
    assert_int_equal(tcb.cc.ssthresh, 2 * MSS);
}

/* §4.7 */
static void test_fast_convergence(void **state)
{
    (void)state;
    struct capy_tcp tcb = block(200 * MSS, MSS);
    capy_tcp_cc_lost(&tcb, 200 * MSS);
    tcb.cc.cwnd = 150 * MSS;
    capy_tcp_cc_lost(&tcb, 150 * MSS);
    assert_int_equal(tcb.cc.cubic.w_max, 150 * MSS / 20 * 17); /* (1 + beta) / 2 */
    tcb.cc.cwnd = 160 * MSS;
    capy_tcp_cc_lost(&tcb, 160 * MSS);
    assert_int_equal(tcb.cc.cubic.w_max, 160 * MSS);
}

/* §4.8: beta as ever for ssthresh, one segment, and then a curve that starts where slow start ended
 * with K = 0, not one that climbs back to the old W_max. */
static void test_after_a_timeout_the_curve_starts_afresh(void **state)
{
    (void)state;
    struct capy_tcp tcb = block(100 * MSS, MSS);
    capy_tcp_cc_lost(&tcb, 100 * MSS);
    tcb.cc.cwnd = 110 * MSS;
    capy_tcp_cc_timed_out(&tcb, false);
    assert_int_equal(tcb.cc.ssthresh, 70 * MSS);
    assert_int_equal(tcb.cc.cwnd, MSS);
    while (tcb.cc.cwnd < tcb.cc.ssthresh)
        capy_tcp_cc_acked(&tcb, &env, MSS, tcb.cc.cwnd);
    env.now = CAPY_SEC(9);
    uint32_t cwnd = tcb.cc.cwnd;
    capy_tcp_cc_acked(&tcb, &env, MSS, cwnd);
    assert_int_equal(tcb.cc.cubic.k_ms, 0);
    assert_int_equal(tcb.cc.cubic.w_max, cwnd);
    assert_true(tcb.cc.cubic.epoch_at == CAPY_SEC(9));
}

/* §4.2, §5.8: time in which the application left the window unused does not move the curve. */
static void test_unused_time_does_not_count(void **state)
{
    (void)state;
    struct capy_tcp tcb = block(400 * MSS, MSS), busy;
    tcb.rtt.srtt_ns = CAPY_MS(100);
    env.now = CAPY_SEC(1);
    capy_tcp_cc_lost(&tcb, 400 * MSS);
    for (int i = 0; i < 10; i++, env.now += CAPY_MS(100))
        round_trip(&tcb);
    busy = tcb;
    uint64_t then = env.now;
    for (int i = 0; i < 10; i++, env.now += CAPY_MS(100)) /* it grows on */
        round_trip(&busy);
    env.now = then;
    for (int i = 0; i < 100; i++, env.now += CAPY_SEC(1)) /* a segment a second: not limited */
        capy_tcp_cc_acked(&tcb, &env, MSS, MSS);
    for (int i = 0; i < 10; i++, env.now += CAPY_MS(100))
        round_trip(&tcb);
    assert_true(busy.cc.cwnd > 300 * MSS);
    assert_in_range(tcb.cc.cwnd, busy.cc.cwnd - MSS, busy.cc.cwnd + MSS);
}

/* A new avoidance begins after the slow start that follows an idle time. */
static void test_idle_ends_the_epoch(void **state)
{
    (void)state;
    struct capy_tcp tcb = block(400 * MSS, MSS);
    env.now = CAPY_SEC(1);
    capy_tcp_cc_lost(&tcb, 400 * MSS);
    round_trip(&tcb);
    assert_true(tcb.cc.cubic.epoch_at == CAPY_SEC(1));
    capy_tcp_cc_resume(&tcb);
    assert_int_equal(tcb.cc.cwnd, 10 * MSS);
    assert_true(tcb.cc.cubic.epoch_at == CAPY_NEVER);
    assert_int_equal(tcb.cc.cubic.w_max, 400 * MSS);
}

static void test_extreme_values_neither_overflow_nor_divide_by_zero(void **state)
{
    (void)state;
    struct capy_tcp tcb = block(CAPY_TCP_CWND_MAX, MSS);
    capy_tcp_cc_lost(&tcb, CAPY_TCP_CWND_MAX);
    tcb.cc.ssthresh = 1;
    tcb.cc.cwnd = 1;
    assert_int_equal(tcb.cc.cubic.w_max, CAPY_TCP_CWND_MAX);
    for (uint32_t i = 0; i < 64; i++) {
        env.now = UINT64_C(1) << i;
        capy_tcp_cc_acked(&tcb, &env, UINT16_MAX, UINT32_MAX);
        assert_true(tcb.cc.cwnd >= 1 && tcb.cc.cwnd <= CAPY_TCP_CC_LIMIT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_integers_follow_the_formulae),
        cmocka_unit_test(test_it_returns_to_w_max_after_k),
        cmocka_unit_test(test_reno_friendly_region),
        cmocka_unit_test(test_reductions),
        cmocka_unit_test(test_fast_convergence),
        cmocka_unit_test(test_after_a_timeout_the_curve_starts_afresh),
        cmocka_unit_test(test_unused_time_does_not_count),
        cmocka_unit_test(test_idle_ends_the_epoch),
        cmocka_unit_test(test_extreme_values_neither_overflow_nor_divide_by_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
