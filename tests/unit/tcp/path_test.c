/* The path to the peer: segments that are too big for it (RFC 1191, RFC 8201, RFC 4821), ICMP errors
 * believed or not (RFC 5927, RFC 9293 §3.9.2.2), and segment size rules (§3.7.1, RFC 6691). */
#include "harness.h"

#include "tcp/open.h"
#include "tcp/path.h"
#include "tcp/tuning.h"

static uint32_t icmp(struct end *e, enum capy_icmp_advice advice, uint32_t seq, uint32_t mss)
{
    struct capy_icmp_error error = {.advice = advice, .seq = {OUR_ISS + seq}};
    uint32_t events = capy_tcp_icmp(&e->tcb, &e->env, &error, mss, NULL);
    if (e->twin)
        assert_int_equal(capy_tcp_icmp(&e->twin->tcb, &e->twin->env, &error, mss, NULL), events);
    return events;
}

/* Suspicion as servers have it. */
static void start(struct end *e, uint32_t with)
{
    end_init(e, 64);
    e->cfg.suspect_timeouts = 2;
    establish(e, with, 60000);
}

static void drain(struct end *e)
{
    while (next_segment(e))
        ;
}

/* ---- too big ---- */

/* RFC 1191 §3, RFC 8201 §5.4: at once, in smaller pieces, and it says nothing of congestion. */
static void test_too_big_segments_go_again_at_once_in_smaller_pieces(void **state)
{
    (void)state;
    struct end e;
    start(&e, WITH_SACK);
    put(&e, 3 * MSS + 100);
    for (uint32_t i = 0; i < 3; i++)
        out(&e, A, 1 + i * MSS, 1, MSS);
    out(&e, A, 3001, 1, 100);
    uint32_t cwnd = e.tcb.cc.cwnd, ssthresh = e.tcb.cc.ssthresh;
    assert_int_equal(icmp(&e, CAPY_ICMP_TOO_BIG, 1, 600), 0);
    for (uint32_t i = 0; i < 5; i++)
        out(&e, A, 1 + i * 600, 1, 600);
    out(&e, A, 3001, 1, 100);
    quiet(&e);
    assert_int_equal(e.tcb.cc.cwnd, cwnd);
    assert_int_equal(e.tcb.cc.ssthresh, ssthresh);
    assert_int_equal(e.tcb.backoff, 0);
    in(&e, ack_of(3101));
    assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN);
    put(&e, 1000);
    out(&e, A, 3101, 1, 600);
    end_done(&e);
}

static void test_too_big_without_sack_and_with_timestamps(void **state)
{
    (void)state;
    struct end e;
    start(&e, WITH_TS);
    put(&e, 2 * (MSS - 12));
    out(&e, A, 1, 1, MSS - 12);
    out(&e, A, 989, 1, MSS - 12);
    icmp(&e, CAPY_ICMP_TOO_BIG, 989, 600);
    out(&e, A, 1, 1, 588); /* 600 with options: what the link takes */
    out(&e, A, 589, 1, 588);
    out(&e, A, 1177, 1, 588);
    out(&e, A, 1765, 1, 212);
    quiet(&e);
    end_done(&e);
}

/* RFC 5927 §4, §7: what quotes nothing in flight, or names no smaller size, changes nothing. */
static void test_what_cannot_be_true_is_not_believed(void **state)
{
    (void)state;
    struct end e;
    start(&e, 0);
    icmp(&e, CAPY_ICMP_TOO_BIG, 1, 600); /* nothing in flight */
    put(&e, 2 * MSS);
    out(&e, A, 1, 1, MSS);
    out(&e, A, 1001, 1, MSS);
    in(&e, ack_of(1001));
    icmp(&e, CAPY_ICMP_TOO_BIG, 1000, 600); /* acknowledged: it got there */
    icmp(&e, CAPY_ICMP_TOO_BIG, 2001, 600); /* never sent */
    icmp(&e, CAPY_ICMP_TOO_BIG, 1u << 31, 600);
    assert_int_equal(e.count.icmp_ignored, 4);
    icmp(&e, CAPY_ICMP_TOO_BIG, 1001, MSS); /* as large as it is */
    quiet(&e);
    assert_int_equal(e.tcb.snd.mss, MSS);
    icmp(&e, CAPY_ICMP_TOO_BIG, 1001, 1); /* no path is that narrow */
    assert_int_equal(e.tcb.snd.mss, CAPY_TCP_MSS_MIN);
    end_done(&e);
}

/* RFC 1191 §5: an old router does not say what would fit. */
static void test_a_router_that_names_no_size_leaves_it_to_us(void **state)
{
    (void)state;
    struct end e;
    start(&e, 0);
    put(&e, MSS);
    out(&e, A, 1, 1, MSS);
    icmp(&e, CAPY_ICMP_TOO_BIG, 1, 0);
    out(&e, A, 1, 1, 984);
    out(&e, A, 985, 1, 16);
    end_done(&e);
}

/* RFC 1191 §6.3, RFC 8201 §5.3: more is tried after ten minutes, not before. */
static void test_the_whole_size_is_tried_again_after_ten_minutes(void **state)
{
    (void)state;
    struct end e;
    start(&e, 0);
    put(&e, MSS);
    out(&e, A, 1, 1, MSS);
    icmp(&e, CAPY_ICMP_TOO_BIG, 1, 600);
    drain(&e);
    in(&e, ack_of(1001));
    pass(&e, CAPY_SEC(600) - CAPY_MS(1));
    put(&e, 600);
    out(&e, A, 1001, 1, 600);
    in(&e, ack_of(1601));
    pass(&e, CAPY_MS(2));
    put(&e, 1600);
    out(&e, A, 1601, 1, 600); /* the one that finds the time over */
    out(&e, A, 2201, 1, MSS);
    assert_false(e.tcb.shrunk);
    end_done(&e);
}

static void test_what_the_host_knows_is_used_from_the_start(void **state)
{
    (void)state;
    struct end e;
    start(&e, 0);
    capy_tcp_path_known(&e.tcb, &e.env, 2 * MSS); /* wider than what was agreed on */
    assert_int_equal(e.tcb.snd.mss, MSS);
    capy_tcp_path_known(&e.tcb, &e.env, 700);
    put(&e, MSS);
    out(&e, A, 1, 1, 700);
    end_done(&e);
}

/* ---- black holes (RFC 2923 §2.1, RFC 4821 §7.7) ---- */

/* Sends what is due and what times out, n times in a row, all in vain. */
static void time_out(struct end *e, uint32_t n)
{
    drain(e);
    for (uint32_t i = 0; i < n; i++) {
        pass(e, CAPY_SEC(100));
        drain(e);
    }
}

static void test_full_segments_that_vanish_become_smaller(void **state)
{
    (void)state;
    struct end e;
    start(&e, 0);
    put(&e, 2 * MSS);
    drain(&e);
    for (uint32_t i = 0; i < 2; i++) { /* everyday loss */
        pass(&e, CAPY_SEC(100));
        out(&e, A, 1, 1, MSS);
    }
    pass(&e, CAPY_SEC(100));
    out(&e, A, 1, 1, 984);
    pass(&e, CAPY_SEC(100));
    out(&e, A, 1, 1, 536);
    pass(&e, CAPY_SEC(100));
    out(&e, A, 1, 1, 536); /* never less */
    assert_int_equal(e.count.path_suspected, 2);
    in(&e, ack_of(537));
    out(&e, A, 537, 1, 536);
    end_done(&e);
}

/* RFC 8899 §5.2: what every link carries (over IPv6 1280 bytes) is too large for none. */
static void test_no_size_is_suspect_that_every_link_carries(void **state)
{
    (void)state;
    struct end e;
    start(&e, 0);
    e.cfg.mss_default = 984;
    put(&e, MSS);
    time_out(&e, 6);
    assert_int_equal(e.tcb.snd.mss, 984);
    assert_int_equal(e.count.path_suspected, 1);
    end_done(&e);
}

static void test_small_segments_that_vanish_say_nothing_of_the_size(void **state)
{
    (void)state;
    struct end e;
    start(&e, 0);
    put(&e, MSS - 1);
    time_out(&e, 6);
    assert_int_equal(e.tcb.snd.mss, MSS);
    end_done(&e);
}

/* What the peer is sent and acknowledges: enough new data for one segment that looks at the time. */
static void acknowledge_all(struct end *e)
{
    put(e, 100);
    drain(e);
    in(e, ack_of((uint32_t)e->tcb.snd.end));
    drain(e);
}

static uint32_t end_of(const struct end *e)
{
    return (uint32_t)e->tcb.snd.end; /* positions begin at 2^32 */
}

static void test_nothing_is_suspected_unless_configured(void **state)
{
    (void)state;
    struct end e;
    start(&e, 0);
    e.cfg.suspect_timeouts = 0;
    put(&e, MSS);
    time_out(&e, 6);
    assert_int_equal(e.tcb.snd.mss, MSS);
    end_done(&e);
}

/* RFC 8899 §5.3.3: more is tried again, the whole at first (it may have been an outage), then step
 * by step and ever more rarely. */
static void test_a_suspicion_is_forgotten_step_by_step(void **state)
{
    (void)state;
    struct end e;
    start(&e, 0);
    put(&e, MSS);
    time_out(&e, 4);
    assert_int_equal(e.tcb.snd.mss, 536);
    in(&e, ack_of(end_of(&e)));
    pass(&e, CAPY_SEC(60) - CAPY_MS(1));
    acknowledge_all(&e);
    assert_int_equal(e.tcb.snd.mss, 536);
    pass(&e, CAPY_MS(1));
    acknowledge_all(&e);
    assert_int_equal(e.tcb.snd.mss, MSS);
    /* It fails again: two minutes, then one step. */
    put(&e, MSS);
    time_out(&e, 4);
    assert_int_equal(e.tcb.snd.mss, 536);
    in(&e, ack_of(end_of(&e)));
    pass(&e, CAPY_SEC(120) - CAPY_MS(1));
    acknowledge_all(&e);
    assert_int_equal(e.tcb.snd.mss, 536);
    pass(&e, CAPY_MS(1));
    acknowledge_all(&e);
    assert_int_equal(e.tcb.snd.mss, 984);
    pass(&e, CAPY_SEC(60));
    acknowledge_all(&e);
    assert_int_equal(e.tcb.snd.mss, MSS);
    assert_false(e.tcb.shrunk);
    /* Long after, a suspicion is as good as the first. */
    pass(&e, CAPY_SEC(1000));
    put(&e, MSS);
    time_out(&e, 4);
    in(&e, ack_of(end_of(&e)));
    pass(&e, CAPY_SEC(60));
    acknowledge_all(&e);
    assert_int_equal(e.tcb.snd.mss, MSS);
    end_done(&e);
}

/* ---- errors ---- */

/* RFC 9293 SHLD-26, RFC 5927 §5.2: hard errors end an open that is under way, and nothing else. */
static void test_hard_errors_end_what_is_not_open_yet(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    capy_tcp_open_active(&e.tcb, &e.env, (struct capy_seq){OUR_ISS}, 0);
    assert_int_equal(icmp(&e, CAPY_ICMP_HARD, 0, 0), 0); /* the SYN has not left */
    out(&e, S, 0, 0, 0);
    assert_int_equal(icmp(&e, CAPY_ICMP_HARD, 1, 0), 0); /* not its number */
    assert_int_equal(icmp(&e, CAPY_ICMP_HARD, 0, 0), CAPY_TCP_WAS_RESET);
    assert_int_equal(e.tcb.state, CAPY_TCP_CLOSED);
    assert_int_equal(icmp(&e, CAPY_ICMP_HARD, 0, 0), 0);
    end_done(&e);

    start(&e, 0);
    put(&e, 10);
    out(&e, A, 1, 1, 10);
    assert_int_equal(icmp(&e, CAPY_ICMP_HARD, 1, 0), 0);
    assert_int_equal(e.tcb.state, CAPY_TCP_ESTABLISHED);
    assert_true(e.tcb.unreachable);
    end_done(&e);
}

/* RFC 9293 MUST-56: soft errors never abort; SHLD-25: they are told when it comes to the end. */
static void test_soft_errors_are_remembered_until_something_is_acknowledged(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    capy_tcp_open_active(&e.tcb, &e.env, (struct capy_seq){OUR_ISS}, 0);
    out(&e, S, 0, 0, 0);
    assert_int_equal(icmp(&e, CAPY_ICMP_SOFT, 0, 0), 0);
    assert_int_equal(e.tcb.state, CAPY_TCP_SYN_SENT);
    assert_true(e.tcb.unreachable);
    in(&e, (struct in){.flags = S | A, .ack = 1, .win = 5000});
    assert_false(e.tcb.unreachable);
    out(&e, A, 1, 1, 0);
    put(&e, 10);
    out(&e, A, 1, 1, 10);
    icmp(&e, CAPY_ICMP_SOFT, 1, 0);
    while (!(e.events & CAPY_TCP_TIMED_OUT))
        time_out(&e, 1);
    assert_true(e.tcb.unreachable);
    end_done(&e);
}

/* ---- the segment size of the handshake ---- */

static struct capy_tcp_segment syn_with_mss(uint16_t mss)
{
    return (struct capy_tcp_segment){.seq = {PEER_ISS},
                                     .window = 60000,
                                     .flags = S,
                                     .opts = mss ? CAPY_TCP_OPT_MSS : 0,
                                     .mss = mss};
}

/* RFC 9293 MUST-14, MUST-15, MUST-16: the smaller of both, 536 when the peer says nothing; what we
 * offer does not depend on it (RFC 6691). */
static void test_the_smaller_offer_counts_and_ours_is_our_own(void **state)
{
    (void)state;
    static const uint16_t cases[][2] = {{0, 536}, {300, 300}, {9000, MSS}, {1, CAPY_TCP_MSS_MIN}};
    for (uint32_t i = 0; i < 4; i++) {
        struct end e;
        end_init(&e, 64);
        struct capy_tcp_segment syn = syn_with_mss(cases[i][0]);
        capy_tcp_open_passive(&e.tcb, &e.env, &syn, (struct capy_seq){OUR_ISS}, 0);
        out(&e, S | A, 0, 1, 0);
        assert_int_equal(e.last.opts, CAPY_TCP_OPT_MSS);
        assert_int_equal(e.last.mss, MSS);
        in(&e, (struct in){.flags = A, .seq = 1, .ack = 1, .win = 60000});
        put(&e, 2 * MSS);
        out(&e, A, 1, 1, cases[i][1]);
        end_done(&e);
    }
}

/* ---- moving ---- */

static void test_a_shrunk_path_moves_with_the_connection(void **state)
{
    (void)state;
    struct end e, twin;
    struct capy_prng prng;
    capy_prng_seed(&prng, 3);
    start(&e, WITH_SACK);
    put(&e, 4 * MSS);
    drain(&e);
    icmp(&e, CAPY_ICMP_TOO_BIG, 1001, 600);
    out(&e, A, 1, 1, 600); /* the rest is still to be sent again */
    icmp(&e, CAPY_ICMP_SOFT, 1001, 0);
    end_twin(&e, &twin, 12345, &prng);
    assert_true(twin.tcb.unreachable);
    for (uint32_t i = 1; i < 6; i++)
        out(&e, A, 1 + i * 600, 1, 600);
    out(&e, A, 3601, 1, 400);
    in(&e, ack_of(4001));
    pass(&e, CAPY_SEC(600));
    acknowledge_all(&e);
    assert_int_equal(twin.tcb.snd.mss, MSS);
    put(&e, MSS);
    time_out(&e, 4);
    end_untwin(&e);
    end_twin(&e, &twin, 77, &prng); /* suspected, a try behind it */
    in(&e, ack_of(end_of(&e)));
    pass(&e, CAPY_SEC(60));
    acknowledge_all(&e);
    assert_int_equal(twin.tcb.snd.mss, e.tcb.snd.mss);
    end_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_too_big_segments_go_again_at_once_in_smaller_pieces),
        cmocka_unit_test(test_too_big_without_sack_and_with_timestamps),
        cmocka_unit_test(test_what_cannot_be_true_is_not_believed),
        cmocka_unit_test(test_a_router_that_names_no_size_leaves_it_to_us),
        cmocka_unit_test(test_the_whole_size_is_tried_again_after_ten_minutes),
        cmocka_unit_test(test_what_the_host_knows_is_used_from_the_start),
        cmocka_unit_test(test_full_segments_that_vanish_become_smaller),
        cmocka_unit_test(test_no_size_is_suspect_that_every_link_carries),
        cmocka_unit_test(test_small_segments_that_vanish_say_nothing_of_the_size),
        cmocka_unit_test(test_nothing_is_suspected_unless_configured),
        cmocka_unit_test(test_a_suspicion_is_forgotten_step_by_step),
        cmocka_unit_test(test_hard_errors_end_what_is_not_open_yet),
        cmocka_unit_test(test_soft_errors_are_remembered_until_something_is_acknowledged),
        cmocka_unit_test(test_the_smaller_offer_counts_and_ours_is_our_own),
        cmocka_unit_test(test_a_shrunk_path_moves_with_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
