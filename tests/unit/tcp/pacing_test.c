/* Pacing (tcp/pacing.h) as scripts on explicit time, and on a link (bottleneck.h). The smoothed round
 * trip is 10 ms and the window 10 segments, so that a segment takes 500 us in slow start, two make a
 * quantum, and 5/6 of 1 ms afterwards. */
#include "bottleneck.h"

#include "tcp/congestion.h"
#include "tcp/pacing.h"
#include "tcp/position.h"
#include "tcp/tuning.h"

#include <stdio.h>

#define RTT CAPY_MS(10)
#define AT(i) (1 + (i)*MSS)

static void set_rate(struct end *e, uint64_t rate)
{
    assert_int_equal(capy_tcp_set(&e->tcb, &e->env, CAPY_OPTION_MAX_PACING_RATE, rate), CAPY_OK);
}

static void begin(struct end *e, uint32_t segments, uint64_t rate)
{
    end_init(e, 256);
    establish(e, WITH_SACK, 60000);
    e->tcb.rtt.srtt_ns = RTT;
    e->tcb.snd.min_rtt_ns = (uint32_t)RTT;
    set_rate(e, rate);
    put(e, segments * MSS);
}

/* What leaves by ns from now on, timers run as they fall due: how many segments. */
static uint32_t leaves_within(struct end *e, uint64_t ns)
{
    uint64_t end = e->env.now + ns;
    uint32_t cnt = 0;
    for (;;) {
        while (next_segment(e))
            cnt++;
        uint64_t at = capy_tcp_next_at(&e->tcb);
        if (at > end)
            break;
        end_set_now(e, at);
        end_expire(e);
    }
    end_set_now(e, end);
    return cnt;
}

static void test_off_unless_asked_for(void **state)
{
    (void)state;
    struct end e;
    begin(&e, 12, 0);
    assert_int_equal(leaves_within(&e, 0), 10);
    assert_int_equal(capy_tcp_get(&e.tcb, CAPY_OPTION_MAX_PACING_RATE), 0);
    end_done(&e);
}

/* Twice the window per round trip while it is below half of ssthresh, 1.2 times then. "May I send?"
 * and "when do I wake?" agree to the nanosecond. */
static void test_the_pace_of_the_window(void **state)
{
    (void)state;
    static const uint32_t bursts[] = {2, 2, 2, 2, 2};
    for (int avoidance = 0; avoidance < 2; avoidance++) {
        struct end e;
        uint32_t sent = 0;
        begin(&e, 12, UINT32_MAX);
        if (avoidance) {
            e.tcb.cc.ssthresh = 10 * MSS;
            e.tcb.cc.cubic = (struct capy_tcp_cubic){.epoch_at = CAPY_NEVER};
        }
        uint64_t quantum = avoidance ? 2 * (CAPY_MS(1) * 5 / 6) : CAPY_MS(1);
        for (uint32_t i = 0; i < sizeof bursts / sizeof *bursts; i++) {
            if (i > 0) {
                quiet(&e);
                assert_int_equal(capy_tcp_next_at(&e.tcb) - e.env.now, quantum);
                end_set_now(&e, e.env.now + quantum - 1);
                end_expire(&e);
                quiet(&e);
                end_set_now(&e, e.env.now + 1);
            }
            for (uint32_t k = 0; k < bursts[i]; k++, sent++)
                out(&e, A, AT(sent), 1, MSS);
        }
        quiet(&e); /* the window is used up */
        end_done(&e);
    }
}

/* No faster than asked for, whatever the window allows; a segment in half a second at the least. */
static void test_the_rate_asked_for(void **state)
{
    (void)state;
    static const struct {
        uint32_t rate, segments_ms;
    } cases[] = {{500000, 2}, {100000, 10}, {2000, 500}, {1, 500}};
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct end e;
        begin(&e, 10, cases[i].rate);
        uint64_t segment = CAPY_MS(cases[i].segments_ms);
        assert_int_equal(leaves_within(&e, 0), 2);
        e.tcb.give_up_at = e.tcb.timer_at = CAPY_NEVER; /* nobody answers here */
        assert_true(capy_tcp_next_at(&e.tcb) == e.env.now + 2 * segment);
        end_set_now(&e, e.env.now + 2 * segment);
        assert_int_equal(leaves_within(&e, 0), 2);
        end_done(&e);
    }
}

/* Who wakes late makes up for half a quantum, and no more. */
static void test_a_late_timer_catches_up_a_little(void **state)
{
    (void)state;
    static const struct {
        uint32_t late_us, cnt, wait_us;
    } cases[] = {{0, 2, 1000}, {200, 2, 800}, {400, 3, 1100}, {500, 3, 1000}, {5000, 3, 1000}};
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct end e;
        begin(&e, 12, UINT32_MAX);
        assert_int_equal(leaves_within(&e, 0), 2);
        end_set_now(&e, e.env.now + CAPY_MS(1) + CAPY_US(cases[i].late_us));
        uint32_t cnt = 0;
        while (next_segment(&e))
            cnt++;
        assert_int_equal(cnt, cases[i].cnt);
        assert_int_equal(capy_tcp_next_at(&e.tcb) - e.env.now, CAPY_US(cases[i].wait_us));
        end_done(&e);
    }
}

/* What recovery sends waits like new data, but for the first of it, and so do later quanta of it. */
static void test_retransmissions_are_paced(void **state)
{
    (void)state;
    struct end e;
    begin(&e, 20, 0);
    e.tcb.cc.cwnd = 20 * MSS;
    assert_int_equal(leaves_within(&e, 0), 20);
    end_set_now(&e, e.env.now + RTT);
    set_rate(&e, UINT32_MAX);
    in(&e, sack_of(AT(0), AT(8), AT(20))); /* eight are lost */
    e.tcb.cc.cwnd = 20 * MSS;              /* what PRR would make of it is not the matter here */
    e.tcb.cc.ssthresh = 20 * MSS;          /* 1.2 times 20 segments: 416 us each, 1 ms for three */
    static const uint32_t bursts[] = {4, 3, 1}; /* the first has waited for a round trip */
    for (uint32_t i = 0; i < sizeof bursts / sizeof *bursts; i++) {
        assert_int_equal(leaves_within(&e, 0), bursts[i]);
        end_set_now(&e, e.env.now + 3 * (CAPY_US(500) * 5 / 6));
    }
    assert_int_equal(e.tcb.retrans_segs, 8);
    end_done(&e);
}

/* The probe of a closed window and of a tail do not wait. */
static void test_probes_do_not_wait(void **state)
{
    (void)state;
    struct end e;
    begin(&e, 4, 1);
    assert_int_equal(leaves_within(&e, 0), 2);
    in(&e, ack_of(AT(1)));
    assert_int_equal(e.tcb.timer, CAPY_TCP_TIMER_TLP);
    quiet(&e);
    /* A timer that counts from the last sending does not fire while the next waits for its turn. */
    uint64_t at = e.tcb.timer_at;
    assert_true(at > capy_tcp_pacing_release(&e.tcb));
    end_set_now(&e, at - 1);
    set_rate(&e, 1);
    e.tcb.paced_out = true;
    e.tcb.pace_ns = INT32_MAX;
    quiet(&e);
    end_set_now(&e, at);
    end_expire(&e);
    out(&e, A, AT(2), 1, MSS);
    end_done(&e);
}

/* Off again: what waited leaves at once. */
static void test_it_can_be_turned_off(void **state)
{
    (void)state;
    struct end e;
    begin(&e, 10, UINT32_MAX);
    assert_int_equal(leaves_within(&e, 0), 2);
    assert_int_not_equal(capy_tcp_next_at(&e.tcb), CAPY_NEVER);
    set_rate(&e, 0);
    assert_int_equal(leaves_within(&e, 0), 8);
    end_done(&e);
}

/* A device that cuts segments gets just those that would have left one after the other. */
static void test_large_segments_are_of_a_quantum(void **state)
{
    (void)state;
    struct end e, large;
    begin(&e, 10, UINT32_MAX);
    begin(&large, 10, UINT32_MAX);
    large.env.burst_max = 60000;
    for (uint32_t sent = 0; sent < 10;) {
        uint64_t offset;
        struct capy_tcp_segment seg;
        uint32_t cnt = leaves_within(&e, 0);
        assert_true(capy_tcp_output(&large.tcb, &large.env, &seg, &offset));
        assert_int_equal(seg.data_len, cnt * MSS);
        assert_false(capy_tcp_wants_output(&large.tcb, &large.env));
        assert_true(capy_tcp_next_at(&large.tcb) == capy_tcp_next_at(&e.tcb));
        sent += cnt;
        end_set_now(&e, e.env.now + CAPY_MS(1));
        end_set_now(&large, e.env.now);
    }
    end_done(&e);
    end_done(&large);
}

/* In the middle of a wait, with another clock: the rest of it passes there. */
static void test_what_remains_of_a_wait_moves(void **state)
{
    (void)state;
    struct capy_prng prng;
    capy_prng_seed(&prng, 3);
    for (uint64_t us = 0; us < 2500; us += 300) {
        struct end e, twin;
        begin(&e, 10, UINT32_MAX);
        uint32_t sent = leaves_within(&e, CAPY_US(us));
        end_twin(&e, &twin, 77, &prng);
        assert_int_equal(capy_tcp_get(&twin.tcb, CAPY_OPTION_MAX_PACING_RATE), UINT32_MAX);
        sent += leaves_within(&e, CAPY_MS(8)); /* asserts that both send the same, and wake alike */
        assert_int_equal(sent, 10);
        end_done(&e);
    }
}

/* ---- on a link ---- */

/* The longest queue while the window doubles up to what the link carries in a round trip. */
static uint64_t slow_start_peak(bool paced, uint64_t *took)
{
    struct bottleneck b;
    bottleneck_init(&b, 100, CAPY_MS(40), 1, CAPY_TCP_CUBIC, 0);
    bottleneck_run(&b, CAPY_MS(20));
    struct end *e = &b.flow[0].sender;
    if (paced)
        assert_int_equal(capy_tcp_set(&e->tcb, &e->env, CAPY_OPTION_MAX_PACING_RATE, UINT32_MAX),
                         CAPY_OK);
    while (e->tcb.cc.cwnd == 0 || e->tcb.cc.cwnd < bottleneck_bdp(&b) / 2)
        bottleneck_run(&b, CAPY_US(100));
    *took = b.now;
    uint64_t peak = b.peak / PACKET_LEN;
    bottleneck_done(&b);
    return peak;
}

/* Aggarwal, Savage and Anderson 2000: the queue holds what left at once. */
static void test_pacing_shortens_the_queue(void **state)
{
    (void)state;
    uint64_t took, took_paced;
    uint64_t plain = slow_start_peak(false, &took), paced = slow_start_peak(true, &took_paced);
    printf("slow start's longest queue: %lu packets, paced %lu; after %lu and %lu us\n",
           (unsigned long)plain, (unsigned long)paced, (unsigned long)(took / 1000),
           (unsigned long)(took_paced / 1000));
    assert_true(plain > 50);
    assert_true(paced * 5 < plain);
    assert_true(took_paced < took + CAPY_MS(40)); /* and takes no round trip longer */
}

/* What the application allows is what passes, over a long time. */
static void test_a_paced_flow_keeps_to_its_rate(void **state)
{
    (void)state;
    for (uint32_t mbit = 1; mbit <= 64; mbit *= 8) {
        struct bottleneck b;
        bottleneck_init(&b, 100, CAPY_MS(10), 1, CAPY_TCP_CUBIC, 0);
        struct end *e = &b.flow[0].sender;
        bottleneck_run(&b, CAPY_MS(10));
        assert_int_equal(
            capy_tcp_set(&e->tcb, &e->env, CAPY_OPTION_MAX_PACING_RATE, mbit * 125000u), CAPY_OK);
        bottleneck_run(&b, CAPY_SEC(2));
        b.flow[0].read = 0;
        bottleneck_count_anew(&b);
        bottleneck_run(&b, CAPY_SEC(4));
        assert_in_range(b.flow[0].read * 8 / 4, mbit * 990000u, mbit * 1010000u);
        assert_in_range(b.peak, 1, 10 * PACKET_LEN);
        /* RFC 7661 §4.1: a window that the pace keeps from being used does not grow for ever. */
        assert_true(e->tcb.cc.cwnd < capy_max32(4 * mbit * 1250, 64 * 1460));
        assert_int_equal(e->tcb.retrans_segs, 0);
        bottleneck_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_off_unless_asked_for),
        cmocka_unit_test(test_the_pace_of_the_window),
        cmocka_unit_test(test_the_rate_asked_for),
        cmocka_unit_test(test_a_late_timer_catches_up_a_little),
        cmocka_unit_test(test_retransmissions_are_paced),
        cmocka_unit_test(test_probes_do_not_wait),
        cmocka_unit_test(test_it_can_be_turned_off),
        cmocka_unit_test(test_large_segments_are_of_a_quantum),
        cmocka_unit_test(test_what_remains_of_a_wait_moves),
        cmocka_unit_test(test_pacing_shortens_the_queue),
        cmocka_unit_test(test_a_paced_flow_keeps_to_its_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
