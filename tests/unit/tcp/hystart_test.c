/* HyStart++ (RFC 9406 §4.2, §4.3): round by round, with explicit round-trip times. */
#include "harness.h"

#include "tcp/congestion.h"
#include "tcp/position.h"
#include "tcp/tuning.h"

#define QUEUED 400000u

static void begin(struct end *e, uint32_t with)
{
    end_init(e, 512);
    e->cfg.snd_buf_max = QUEUED;
    establish(e, with, 60000);
    static uint8_t zeros[QUEUED];
    assert_int_equal(end_write(e, zeros, QUEUED), QUEUED);
}

static uint32_t send_all(struct end *e)
{
    uint32_t cnt = 0;
    for (; next_segment(e); cnt++)
        assert_int_equal(e->last.data_len, MSS);
    return cnt;
}

static void ack_next(struct end *e, uint32_t segments)
{
    uint32_t una = (uint32_t)(e->tcb.snd.una - CAPY_TCP_POS_DATA);
    in(e, ack_of(1 + una + segments * MSS));
}

/* All that the window allows leaves at once, arrives at once and is acknowledged segment by
 * segment. Returns by how many segments the window grew. */
static uint32_t round_of(struct end *e, uint64_t rtt_ns)
{
    uint32_t before = e->tcb.cc.cwnd, cnt = send_all(e);
    end_set_now(e, e->env.now + rtt_ns);
    while (cnt-- > 0)
        ack_next(e, 1);
    return (e->tcb.cc.cwnd - before) / MSS;
}

static bool in_css(const struct end *e)
{
    return e->tcb.cc.hystart.base_ns != UINT32_MAX;
}

static bool in_slow_start(const struct end *e)
{
    return e->tcb.cc.cwnd < e->tcb.cc.ssthresh;
}

static void test_even_round_trips_double_the_window(void **state)
{
    (void)state;
    struct end e;
    begin(&e, WITH_SACK);
    assert_int_equal(round_of(&e, CAPY_MS(20)), 10);
    assert_int_equal(round_of(&e, CAPY_MS(20)), 20);
    assert_false(in_css(&e));
    assert_true(in_slow_start(&e));
    end_done(&e);
}

/* RttThresh = max(4 ms, min(lastRoundMinRTT / 8, 16 ms)). */
static void test_the_threshold(void **state)
{
    (void)state;
    static const struct {
        uint32_t base_us, more_us; /* the least increase that counts */
    } cases[] = {{1000, 4000}, {20000, 4000}, {40000, 5000}, {100000, 12500}, {500000, 16000}};
    for (uint32_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        uint64_t base = CAPY_US(cases[i / 2].base_us), more = CAPY_US(cases[i / 2].more_us);
        struct end e;
        begin(&e, WITH_SACK);
        round_of(&e, base);
        round_of(&e, base + more - (i & 1));
        assert_int_equal(in_css(&e), !(i & 1));
        end_done(&e);
    }
}

/* §4.2, §4.3: L is eight segments, without pacing; with it there is no limit. */
static void test_one_ack_adds_eight_segments_unless_paced(void **state)
{
    (void)state;
    for (uint32_t paced = 0; paced < 2; paced++) {
        struct end e;
        begin(&e, WITH_SACK);
        send_all(&e);
        assert_int_equal(
            capy_tcp_set(&e.tcb, &e.env, CAPY_OPTION_MAX_PACING_RATE, paced * UINT32_MAX), CAPY_OK);
        end_set_now(&e, e.env.now + CAPY_MS(20));
        ack_next(&e, 10);
        assert_int_equal(e.tcb.cc.cwnd, (paced ? 20 : 18) * MSS);
        end_done(&e);
    }
}

/* In CSS the window grows by a quarter; after five rounds, the one it began in among them, slow
 * start is over: ssthresh = cwnd. */
static void test_conservative_slow_start_and_its_end(void **state)
{
    (void)state;
    struct end e;
    begin(&e, WITH_SACK);
    round_of(&e, CAPY_MS(20));
    /* Seven samples, each of which still doubles; the eighth proves it; then quarters. */
    assert_int_equal(round_of(&e, CAPY_MS(30)), 7 + 13 / 4);
    assert_true(in_css(&e));
    for (int i = 0; i < 3; i++) {
        uint32_t segments = e.tcb.cc.cwnd / MSS, grown = round_of(&e, CAPY_MS(30));
        assert_in_range(grown, segments / 4, segments / 4 + 1);
        assert_true(in_slow_start(&e));
    }
    uint32_t cwnd = e.tcb.cc.cwnd;
    round_of(&e, CAPY_MS(30));
    send_all(&e);
    end_set_now(&e, e.env.now + CAPY_MS(30));
    assert_true(in_slow_start(&e));
    ack_next(&e, 1); /* the first of the next round ends the fifth */
    assert_false(in_slow_start(&e));
    assert_true(e.tcb.cc.ssthresh >= cwnd);
    assert_int_equal(capy_tcp_cc_owner(&e.tcb.cc, CAPY_TCP_CUBIC), CAPY_TCP_CC_CUBIC);
    /* RFC 9438 §4.10: the curve begins here, with K = 0. */
    assert_int_equal(e.tcb.cc.cubic.k_ms, 0);
    end_done(&e);
}

/* The increase was noise: short round trips again, below what CSS began with, resume slow start. */
static void test_a_false_alarm_resumes_slow_start(void **state)
{
    (void)state;
    struct end e;
    begin(&e, WITH_SACK);
    round_of(&e, CAPY_MS(20));
    round_of(&e, CAPY_MS(30));
    assert_true(in_css(&e));
    round_of(&e, CAPY_MS(20));
    assert_false(in_css(&e));
    assert_true(in_slow_start(&e));
    end_done(&e);
}

/* N_RTT_SAMPLE = 8: seven say nothing. */
static void test_few_samples_say_nothing(void **state)
{
    (void)state;
    struct end e;
    begin(&e, WITH_SACK);
    round_of(&e, CAPY_MS(20));
    send_all(&e);
    end_set_now(&e, e.env.now + CAPY_MS(40));
    for (int i = 0; i < 7; i++)
        ack_next(&e, 1);
    assert_false(in_css(&e));
    ack_next(&e, 1);
    assert_true(in_css(&e));
    end_done(&e);
}

/* One short sample in a round is enough to take the alarm back: the minimum counts. */
static void test_the_minimum_of_a_round_counts(void **state)
{
    (void)state;
    struct end e;
    begin(&e, WITH_SACK);
    round_of(&e, CAPY_MS(20));
    uint32_t cnt = send_all(&e);
    end_set_now(&e, e.env.now + CAPY_MS(21));
    ack_next(&e, 1);
    end_set_now(&e, e.env.now + CAPY_MS(20));
    while (--cnt > 0)
        ack_next(&e, 1);
    assert_false(in_css(&e));
    end_done(&e);
}

/* Segments that left one by one are timed one by one, by their records. */
static void test_paced_segments_are_timed_by_their_records(void **state)
{
    (void)state;
    struct end e;
    begin(&e, WITH_SACK);
    round_of(&e, CAPY_MS(20));
    for (int i = 0; i < 18; i++) { /* two milliseconds apart, answered after 20 */
        assert_true(next_segment(&e));
        end_set_now(&e, e.env.now + CAPY_MS(2));
        if (i >= 9)
            ack_next(&e, 1);
    }
    assert_int_equal(e.tcb.cc.hystart.min_ns, CAPY_MS(20));
    assert_false(in_css(&e));
    end_done(&e);
}

/* Without SACK there are no records; slow start is the standard one. */
static void test_without_sack_there_is_none(void **state)
{
    (void)state;
    struct end e;
    begin(&e, 0);
    round_of(&e, CAPY_MS(20));
    assert_int_equal(round_of(&e, CAPY_MS(80)), 20);
    assert_false(in_css(&e));
    end_done(&e);
}

/* RFC 9406 §4.2: a loss ends it as it ends any slow start; §4.3: only the first one is watched. */
static void test_a_loss_ends_it_for_good(void **state)
{
    (void)state;
    struct end e;
    begin(&e, WITH_SACK);
    round_of(&e, CAPY_MS(20));
    capy_tcp_cc_timed_out(&e.tcb, false);
    assert_int_equal(e.tcb.cc.cwnd, MSS);
    assert_int_equal(capy_tcp_cc_owner(&e.tcb.cc, CAPY_TCP_CUBIC), CAPY_TCP_CC_CUBIC);
    end_done(&e);
}

/* In the middle of a round, in CSS: what moved goes on as what stayed. */
static void test_it_moves(void **state)
{
    (void)state;
    struct end e, twin;
    struct capy_prng prng;
    capy_prng_seed(&prng, 7);
    begin(&e, WITH_SACK);
    round_of(&e, CAPY_MS(20));
    send_all(&e);
    end_set_now(&e, e.env.now + CAPY_MS(40));
    for (int i = 0; i < 5; i++)
        ack_next(&e, 1);
    end_twin(&e, &twin, 1000, &prng);
    for (int i = 0; i < 5; i++)
        ack_next(&e, 1);
    assert_true(in_css(&e) && in_css(&twin));
    end_untwin(&e);
    end_twin(&e, &twin, 3, &prng);
    for (int i = 0; i < 6; i++)
        round_of(&e, CAPY_MS(40));
    assert_false(in_slow_start(&e));
    assert_int_equal(twin.tcb.cc.ssthresh, e.tcb.cc.ssthresh);
    assert_int_equal(twin.tcb.cc.cwnd, e.tcb.cc.cwnd);
    end_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_even_round_trips_double_the_window),
        cmocka_unit_test(test_the_threshold),
        cmocka_unit_test(test_one_ack_adds_eight_segments_unless_paced),
        cmocka_unit_test(test_conservative_slow_start_and_its_end),
        cmocka_unit_test(test_a_false_alarm_resumes_slow_start),
        cmocka_unit_test(test_few_samples_say_nothing),
        cmocka_unit_test(test_the_minimum_of_a_round_counts),
        cmocka_unit_test(test_paced_segments_are_timed_by_their_records),
        cmocka_unit_test(test_without_sack_there_is_none),
        cmocka_unit_test(test_a_loss_ends_it_for_good),
        cmocka_unit_test(test_it_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
