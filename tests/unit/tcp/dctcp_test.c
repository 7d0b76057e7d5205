/* DCTCP (RFC 8257), the sender's half on a bare control block: alpha against floating point, and
 * how each sign of congestion is answered. */
#include "harness.h"

#include <math.h>

#include "tcp/congestion.h"
#include "tcp/position.h"

static struct capy_tcp_env env;

static struct capy_tcp block(uint32_t segments)
{
    struct capy_tcp tcb = {.congestion = CAPY_TCP_DCTCP, .tune.initial_window = 10};
    tcb.snd.mss = MSS;
    tcb.snd.una = tcb.snd.nxt = tcb.snd.recover = CAPY_TCP_POS_DATA;
    tcb.marks = CAPY_NONE;
    capy_tcp_cc_start(&tcb);
    tcb.cc.cwnd = segments * MSS;
    return tcb;
}

/* The same in doubles, in segments. */
struct model {
    double alpha, acked, marked;
    uint32_t una, nxt, end;
};

/* A window's ACKs, of which the last `marked` carry ECE. */
static void window(struct capy_tcp *tcb, struct model *m, uint32_t segments, uint32_t marked)
{
    tcb->snd.nxt += segments * MSS;
    m->nxt += segments;
    for (uint32_t i = 0; i < segments; i++) {
        bool echo = i >= segments - marked;
        uint64_t ack = tcb->snd.una + MSS;
        capy_tcp_cc_watch(tcb, &env, ack, echo);
        tcb->snd.una = ack;
        m->acked++;
        m->marked += echo;
        if (++m->una <= m->end)
            continue;
        m->alpha = m->alpha * (1 - 1.0 / 16) + m->marked / m->acked / 16;
        m->end = m->nxt;
        m->acked = m->marked = 0;
    }
}

static double alpha_of(const struct capy_tcp *tcb)
{
    return tcb->cc.dctcp.alpha / (double)(1u << 20);
}

/* RFC 8257 §3.3: alpha = alpha * (1 - g) + g * M once per window, g = 1/16, from 1 on. */
static void test_alpha_follows_the_share_of_marked_bytes(void **state)
{
    (void)state;
    struct capy_tcp tcb = block(20);
    struct model m = {.alpha = 1};
    static const uint32_t marked[] = {0, 5, 20, 1, 0, 10, 0, 0};
    assert_true(alpha_of(&tcb) == 1);
    for (uint32_t i = 0; i < 200; i++) {
        window(&tcb, &m, 20 + i % 3, marked[i % (sizeof marked / sizeof marked[0])]);
        assert_true(fabs(alpha_of(&tcb) - m.alpha) < 1e-4);
    }
    assert_true(m.alpha > 0.1 && m.alpha < 0.4); /* marks did count */
}

/* §4.2: without marks it decays to nothing, not to a remainder. */
static void test_alpha_reaches_zero(void **state)
{
    (void)state;
    struct capy_tcp tcb = block(20);
    struct model m = {.alpha = 1};
    for (uint32_t i = 0; i < 300; i++)
        window(&tcb, &m, 2, 0);
    assert_int_equal(tcb.cc.dctcp.alpha, 0);
    tcb.cc.cwnd = 100 * MSS;
    assert_true(capy_tcp_cc_marked(&tcb, 100 * MSS));
    assert_int_equal(tcb.cc.cwnd, 100 * MSS);
}

/* §3.3: cwnd * (1 - alpha / 2) for a mark; §3.5: half for a loss, one segment for a timeout. */
static void test_reductions(void **state)
{
    (void)state;
    static const uint32_t alphas[][2] = {{1u << 20, 50}, {1u << 19, 75}, {1u << 16, 97}};
    for (uint32_t i = 0; i < 3; i++) {
        struct capy_tcp tcb = block(100);
        tcb.cc.dctcp.alpha = alphas[i][0];
        assert_true(capy_tcp_cc_marked(&tcb, 100 * MSS));
        assert_int_equal((tcb.cc.cwnd + MSS / 2) / MSS, alphas[i][1]);
        assert_int_equal(tcb.cc.ssthresh, tcb.cc.cwnd);

        tcb.cc.cwnd = 100 * MSS;
        capy_tcp_cc_lost(&tcb, 100 * MSS);
        assert_int_equal(tcb.cc.cwnd, 50 * MSS);
        capy_tcp_cc_timed_out(&tcb, false);
        assert_int_equal(tcb.cc.cwnd, MSS);
    }
}

/* §3.5: a loss in a window that a mark has cut by little is answered in full all the same. */
static void test_a_loss_counts_beside_a_mark(void **state)
{
    (void)state;
    struct capy_tcp tcb = block(100);
    tcb.snd.nxt += 100 * MSS;
    tcb.cc.dctcp.alpha = 1u << 16;
    capy_tcp_cc_marked(&tcb, 100 * MSS);
    tcb.snd.recover = tcb.snd.nxt;
    capy_tcp_cc_lost(&tcb, tcb.cc.cwnd);
    assert_in_range(tcb.cc.cwnd, 48 * MSS, 49 * MSS);
}

/* A window of two segments at least: a lone one waits for its receiver's delayed ACK. */
static void test_two_segments_at_least(void **state)
{
    (void)state;
    struct capy_tcp tcb = block(3);
    assert_true(capy_tcp_cc_marked(&tcb, 3 * MSS));
    assert_int_equal(tcb.cc.cwnd, 2 * MSS);
    assert_true(capy_tcp_cc_marked(&tcb, 2 * MSS));
    assert_int_equal(tcb.cc.cwnd, 2 * MSS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alpha_follows_the_share_of_marked_bytes),
        cmocka_unit_test(test_alpha_reaches_zero),
        cmocka_unit_test(test_reductions),
        cmocka_unit_test(test_a_loss_counts_beside_a_mark),
        cmocka_unit_test(test_two_segments_at_least),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
