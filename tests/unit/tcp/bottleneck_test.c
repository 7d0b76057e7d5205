/* Congestion control where it shows: on a link that senders share (bottleneck.h). The runs are
 * deterministic, and so is every figure that they print. */
#include "bottleneck.h"

#include "tcp/congestion.h"

#include <stdio.h>

/* Jain's index of what two flows read, in parts per thousand (RFC 5166 §2.3.1); reading begins
 * anew. */
static uint32_t fairness(struct bottleneck *b)
{
    uint64_t sum = 0, squares = 0;
    for (uint32_t i = 0; i < b->flow_cnt; i++) {
        uint64_t kib = b->flow[i].read >> 10;
        b->flow[i].read = 0;
        sum += kib;
        squares += kib * kib;
    }
    return (uint32_t)(1000 * sum * sum / (b->flow_cnt * squares));
}

static struct capy_tcp *sender(struct bottleneck *b, uint32_t i)
{
    return &b->flow[i].sender.tcb;
}

/* ---- fairness ---- */

/* 20 Mbit/s, 20 ms, a queue of one round trip's bytes; the second comes when the first has filled
 * the link, at two different moments. Windows of ten seconds, from the third on. */
static void test_two_flows_of_a_kind_share(void **state)
{
    (void)state;
    for (uint32_t algorithm = CAPY_TCP_CUBIC; algorithm <= CAPY_TCP_NEWRENO; algorithm++) {
        uint32_t worst = 1000;
        for (uint64_t later_ms = 300; later_ms < 3000; later_ms += 1400) {
            struct bottleneck b;
            bottleneck_init(&b, 20, CAPY_MS(20), 2, (enum capy_tcp_congestion)algorithm,
                            CAPY_MS(later_ms));
            b.queue_max = bottleneck_bdp(&b);
            bottleneck_run(&b, CAPY_SEC(20));
            (void)fairness(&b);
            bottleneck_count_anew(&b);
            for (int i = 0; i < 2; i++) {
                bottleneck_run(&b, CAPY_SEC(10));
                worst = capy_min32(worst, fairness(&b));
            }
            assert_true(b.drop_cnt > 0); /* they did meet at the queue */
            assert_true(bottleneck_busy(&b, CAPY_SEC(20)) >= 990);
            bottleneck_done(&b);
        }
        printf("%s beside %s: Jain's index 0.%03u at worst\n",
               capy_tcp_congestion_name((enum capy_tcp_congestion)algorithm),
               capy_tcp_congestion_name((enum capy_tcp_congestion)algorithm), worst);
        assert_true(worst >= 900);
    }
}

/* ---- marks ---- */

#define K 30u /* packets; RFC 8257 §5.1 asks for more than a seventh of what is in flight */

/* RFC 8257 §3.3 and Alizadeh et al. 2010, §3.3: the queue swings just above and below the threshold,
 * the link is always busy, and nothing is lost. 1 Gbit/s, 200 us. */
static void test_dctcp_keeps_the_queue_near_the_threshold(void **state)
{
    (void)state;
    for (uint32_t flows = 1; flows <= 2; flows++) {
        struct bottleneck b;
        bottleneck_init(&b, 1000, CAPY_US(200), flows, CAPY_TCP_DCTCP, CAPY_MS(20));
        b.mark_at = K * PACKET_LEN;
        bottleneck_run(&b, CAPY_MS(200));
        (void)fairness(&b);
        bottleneck_count_anew(&b);
        bottleneck_run(&b, CAPY_MS(100));
        uint64_t mean = b.queue_sum / b.packet_cnt / PACKET_LEN, peak = b.peak / PACKET_LEN;
        uint32_t jain = fairness(&b);
        printf("dctcp, %u flows, threshold %u: queue %lu on average, %lu at most; Jain's index "
               "%u.%03u\n",
               flows, K, (unsigned long)mean, (unsigned long)peak, jain / 1000, jain % 1000);
        assert_in_range(mean, K * 2 / 3, K);
        assert_in_range(peak, K, K + K / 4);
        assert_true(bottleneck_busy(&b, CAPY_MS(100)) >= 999);
        assert_true(b.flow[0].mark_cnt > 0 && b.drop_cnt == 0);
        assert_true(jain >= 990);
        assert_int_equal(sender(&b, 0)->retrans_segs, 0);
        bottleneck_done(&b);
    }
}

/* RFC 3168 §5: with a queue that marks, congestion costs nobody a packet. */
static void test_marks_instead_of_losses(void **state)
{
    (void)state;
    struct bottleneck b;
    bottleneck_init(&b, 20, CAPY_MS(20), 2, CAPY_TCP_CUBIC, CAPY_MS(300));
    b.queue_max = 4 * bottleneck_bdp(&b);
    b.mark_at = bottleneck_bdp(&b) / 2;
    for (uint32_t i = 0; i < 2; i++)
        b.flow[i].sender.cfg.ecn = CAPY_TCP_ECN_OFFER;
    bottleneck_run(&b, CAPY_SEC(10));
    (void)fairness(&b);
    bottleneck_count_anew(&b);
    bottleneck_run(&b, CAPY_SEC(20));
    assert_true(b.flow[0].mark_cnt > 0 && b.flow[1].mark_cnt > 0);
    assert_int_equal(b.drop_cnt, 0);
    assert_int_equal(sender(&b, 0)->retrans_segs + sender(&b, 1)->retrans_segs, 0);
    assert_true(fairness(&b) >= 900);
    assert_true(bottleneck_busy(&b, CAPY_SEC(20)) >= 990);
    bottleneck_done(&b);
}

/* ---- slow start ---- */

/* What is lost until slow start is over for a second; whether a loss ended it. */
static uint64_t slow_start_losses(uint32_t queue_rtts, bool plain, bool *by_loss)
{
    struct bottleneck b;
    bottleneck_init(&b, 100, CAPY_MS(28), 1, CAPY_TCP_CUBIC, 0);
    b.queue_max = queue_rtts * bottleneck_bdp(&b);
    b.plain_slow_start = plain;
    struct capy_tcp *tcb = sender(&b, 0);
    while (!b.flow[0].opened || tcb->cc.ssthresh >= CAPY_TCP_CWND_MAX || tcb->cc.ssthresh == 0)
        bottleneck_run(&b, CAPY_MS(1));
    *by_loss = b.drop_cnt > 0;
    bottleneck_run(&b, CAPY_SEC(1));
    uint64_t lost = b.drop_cnt;
    assert_true(bottleneck_busy(&b, CAPY_SEC(1)) > 0);
    bottleneck_done(&b);
    return lost;
}

/* RFC 9406 §4.2: delay tells one round trip before the window has doubled again, and five rounds of
 * a quarter each follow. A queue of so many round trips is spared the overflow that ends standard
 * slow start; a shorter one loses less. */
static void test_hystart_ends_slow_start_before_the_queue_overflows(void **state)
{
    (void)state;
    bool by_loss;
    for (uint32_t queue_rtts = 2; queue_rtts <= 8; queue_rtts += 2) {
        uint64_t with = slow_start_losses(queue_rtts, false, &by_loss);
        bool overflowed = by_loss;
        uint64_t without = slow_start_losses(queue_rtts, true, &by_loss);
        printf("a queue of %u round trips: %lu packets lost with HyStart++, %lu without\n",
               queue_rtts, (unsigned long)with, (unsigned long)without);
        assert_true(by_loss && without > 100);
        assert_true(with * 3 < without);
        if (queue_rtts == 8)
            assert_true(!overflowed && with == 0);
    }
}

struct first_second {
    uint64_t css_at; /* the window when conservative slow start began; 0: a loss came first */
    uint64_t lost;
    uint32_t busy; /* of its time */
};

static struct first_second first_second(uint64_t rtt_ms, uint32_t queue_quarters, bool plain)
{
    struct first_second got = {0};
    struct bottleneck b;
    bottleneck_init(&b, 100, CAPY_MS(rtt_ms), 1, CAPY_TCP_CUBIC, 0);
    b.queue_max = queue_quarters * bottleneck_bdp(&b) / 4;
    b.plain_slow_start = plain;
    const struct capy_tcp *tcb = sender(&b, 0);
    for (int ms = 0; ms < 1000; ms++) {
        bottleneck_run(&b, CAPY_MS(1));
        bool first = tcb->state == CAPY_TCP_ESTABLISHED && tcb->cc.ssthresh == CAPY_TCP_CWND_MAX;
        if (first && tcb->cc.hystart.base_ns != UINT32_MAX && got.css_at == 0)
            got.css_at = tcb->cc.cwnd;
    }
    got.lost = b.drop_cnt;
    got.busy = bottleneck_busy(&b, CAPY_SEC(1));
    bottleneck_done(&b);
    return got;
}

/* Not too early, not too late. Round trips tell of the flight before: its first packets found a queue
 * of an eighth of the round trip (RFC 9406's RTT_DIVISOR) if the window was 9/8 of what the path holds
 * already then. By now it is twice that, and up to twice as much again as windows double: 2.25 to
 * 4.5. Below the path's own size it must not end. Shorter queues overflow while their round trips are
 * still short at the beginning of each round: there it cannot help, and must do no harm. */
static void test_hystart_on_short_queues(void **state)
{
    (void)state;
    for (uint64_t rtt_ms = 10; rtt_ms <= 40; rtt_ms *= 2)
        for (uint32_t quarters = 1; quarters <= 16; quarters *= 2) {
            struct first_second with = first_second(rtt_ms, quarters, false);
            struct first_second without = first_second(rtt_ms, quarters, true);
            uint64_t percent =
                with.css_at * 100 / (CAPY_MS(rtt_ms) / 80); /* of the path, 100 Mbit/s */
            printf("%2lu ms, a queue of %u/4 round trips: conservative at %3lu %% of the path; %lu "
                   "lost, %lu without; busy 0.%03u, 0.%03u without\n",
                   (unsigned long)rtt_ms, quarters, (unsigned long)percent,
                   (unsigned long)with.lost, (unsigned long)without.lost, with.busy, without.busy);
            assert_true(with.lost <= without.lost && with.busy >= without.busy);
            assert_true(percent == 0 || (percent >= 225 && percent <= 450));
            assert_true(percent > 0 || quarters < 4);
            assert_int_equal(without.css_at, 0);
        }
}

/* ---- after a loss ---- */

/* RFC 9438 §4.6: with a queue of half a round trip's bytes, a window reduced to 0.7 still fills the
 * link (1.5 * 0.7 > 1), and so does recovery (RFC 9937); NewReno's half does not. */
static void test_cubic_fills_the_pipe_after_a_loss(void **state)
{
    (void)state;
    uint32_t busy[2];
    for (uint32_t algorithm = CAPY_TCP_CUBIC; algorithm <= CAPY_TCP_NEWRENO; algorithm++) {
        struct bottleneck b;
        bottleneck_init(&b, 50, CAPY_MS(40), 1, (enum capy_tcp_congestion)algorithm, 0);
        b.queue_max = bottleneck_bdp(&b) / 2;
        const struct end *e = &b.flow[0].sender;
        bottleneck_run(&b, CAPY_SEC(10)); /* slow start's losses are over */
        uint32_t sent_again = e->tcb.retrans_segs;
        bottleneck_count_anew(&b);
        bottleneck_run(&b, CAPY_SEC(20));
        busy[algorithm] = bottleneck_busy(&b, CAPY_SEC(20));
        printf("%s: busy for %u.%03u of 20 s, %lu packets lost\n",
               capy_tcp_congestion_name((enum capy_tcp_congestion)algorithm),
               busy[algorithm] / 1000, busy[algorithm] % 1000, (unsigned long)b.drop_cnt);
        assert_true(b.drop_cnt > 0);
        /* What was lost went again, once, and nothing else did. */
        assert_int_equal(e->tcb.retrans_segs - sent_again, b.drop_cnt);
        bottleneck_done(&b);
    }
    assert_true(busy[CAPY_TCP_CUBIC] >= 995);
    assert_true(busy[CAPY_TCP_NEWRENO] < busy[CAPY_TCP_CUBIC]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_flows_of_a_kind_share),
        cmocka_unit_test(test_dctcp_keeps_the_queue_near_the_threshold),
        cmocka_unit_test(test_marks_instead_of_losses),
        cmocka_unit_test(test_hystart_ends_slow_start_before_the_queue_overflows),
        cmocka_unit_test(test_hystart_on_short_queues),
        cmocka_unit_test(test_cubic_fills_the_pipe_after_a_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
