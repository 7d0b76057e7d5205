/* SEGMENT ARRIVES in the synchronized states (RFC 9293 §3.10.7.4): data, delayed ACKs, holes,
 * windows, RST and SYN by RFC 5961, PAWS by RFC 7323. */
#include "harness.h"
#include "tcp/position.h"

static struct in data(uint32_t seq, uint32_t len)
{
    return (struct in){.flags = A, .seq = seq, .ack = 1, .win = 60000, .len = len};
}

/* Reads all there is and compares it with the pattern from position `from` on. */
static void read_all(struct end *e, uint32_t from, uint32_t len)
{
    uint32_t got;
    assert_int_equal(capy_tcp_readable(&e->tcb), len);
    while (len > 0) {
        const uint8_t *p = capy_tcp_read_span(&e->tcb, &e->env, 0, &got);
        assert_non_null(p);
        for (uint32_t i = 0; i < got; i++)
            assert_int_equal(p[i], pattern(1, from + i));
        end_consume(e, got);
        from += got;
        len -= got;
    }
}

static void test_every_second_full_segment_is_acknowledged_at_once(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    assert_int_equal(in(&e, data(1, MSS)), CAPY_TCP_DATA_ARRIVED);
    quiet(&e);
    in(&e, data(1 + MSS, MSS));
    out(&e, A, 1, 1 + 2 * MSS, 0);
    quiet(&e);
    in(&e, data(1 + 2 * MSS, 10));
    quiet(&e);
    pass(&e, CAPY_MS(39)); /* RFC 9293 MUST-40 says 500 ms; ours are 40 */
    quiet(&e);
    pass(&e, CAPY_MS(1));
    out(&e, A, 1, 11 + 2 * MSS, 0);
    read_all(&e, 1, 2 * MSS + 10);
    end_done(&e);
}

/* RFC 9293 MUST-58, MUST-59: what arrived together is acknowledged together. */
static void test_queued_segments_share_one_ack(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    for (uint32_t i = 0; i < 6; i++)
        in(&e, data(1 + i * MSS, MSS));
    out(&e, A, 1, 1 + 6 * MSS, 0);
    quiet(&e);
    read_all(&e, 1, 6 * MSS);
    end_done(&e);
}

static void test_an_answer_carries_the_ack(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    in(&e, data(1, 100));
    read_all(&e, 1, 100);
    put(&e, 30);
    out(&e, A, 1, 101, 30);
    quiet(&e);
    assert_true(e.tcb.delack_at == CAPY_NEVER);
    end_done(&e);
}

/* RFC 5681 §4.2, RFC 2018 §4. */
static void test_holes_are_reported_at_once_the_latest_first(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, WITH_SACK, 60000);
    assert_int_equal(in(&e, data(101, 100)), CAPY_TCP_ACK_DUE);
    out(&e, A, 1, 1, 0);
    assert_int_equal(e.last.sack_cnt, 1);
    in(&e, data(301, 100));
    out(&e, A, 1, 1, 0);
    assert_int_equal(e.last.sack_cnt, 2);
    assert_int_equal(e.last.sack[0].left.v - PEER_ISS, 301);
    assert_int_equal(e.last.sack[0].right.v - PEER_ISS, 401);
    assert_int_equal(e.last.sack[1].left.v - PEER_ISS, 101);
    in(&e, data(201, 50)); /* grows the older one: now that is the latest */
    out(&e, A, 1, 1, 0);
    assert_int_equal(e.last.sack[0].left.v - PEER_ISS, 101);
    assert_int_equal(e.last.sack[0].right.v - PEER_ISS, 251);
    assert_int_equal(in(&e, data(1, 100)), CAPY_TCP_DATA_ARRIVED | CAPY_TCP_ACK_DUE);
    out(&e, A, 1, 251, 0); /* filling a gap: at once */
    assert_int_equal(e.last.sack_cnt, 1);
    in(&e, data(251, 50));
    out(&e, A, 1, 401, 0);
    assert_int_equal(e.last.sack_cnt, 0);
    read_all(&e, 1, 400);
    end_done(&e);
}

static void test_overlaps_and_duplicates_deliver_each_byte_once(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    in(&e, data(1, 100));
    in(&e, data(51, 100));
    in(&e, data(1, 150)); /* wholly old: an ACK, nothing else */
    assert_int_equal(e.count.bad_seq, 1);
    out(&e, A, 1, 151, 0);
    read_all(&e, 1, 150);
    end_done(&e);
}

static void test_a_fin_beyond_a_hole_waits_for_it(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    struct in fin = data(101, 50);
    fin.flags |= F;
    assert_int_equal(in(&e, fin), CAPY_TCP_ACK_DUE);
    assert_false(capy_tcp_at_fin(&e.tcb));
    assert_int_equal(in(&e, data(1, 100)),
                     CAPY_TCP_DATA_ARRIVED | CAPY_TCP_FIN_ARRIVED | CAPY_TCP_ACK_DUE);
    out(&e, A, 1, 152, 0);
    assert_true(capy_tcp_at_fin(&e.tcb));
    assert_int_equal(e.tcb.state, CAPY_TCP_CLOSE_WAIT);
    read_all(&e, 1, 150);
    end_done(&e);
}

/* The stream cannot end before bytes of it that came: it is not believed, and nothing is lost. */
static void test_a_fin_below_what_arrived_is_no_end(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    in(&e, data(101, 100));
    struct in fin = data(1, 50);
    fin.flags |= F;
    in(&e, fin);
    assert_false(capy_tcp_at_fin(&e.tcb));
    assert_int_equal(e.tcb.state, CAPY_TCP_ESTABLISHED);
    in(&e, data(51, 50));
    out(&e, A, 1, 201, 0);
    read_all(&e, 1, 200);
    end_done(&e);
}

/* ---- the window we offer ---- */

static void test_a_full_window_closes_and_opens_again_by_a_whole_segment(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    e.cfg.rcv_buf_max = 4 * MSS;
    establish(&e, 0, 60000);
    for (uint32_t i = 0; i < 4; i++)
        in(&e, data(1 + i * MSS, MSS));
    while (next_segment(&e))
        ;
    assert_int_equal(e.last.window, 0);
    /* A probe of one byte is not taken, but its ACK counts, and it is answered. */
    in(&e, data(1 + 4 * MSS, 1));
    assert_int_equal(capy_tcp_readable(&e.tcb), 4 * MSS);
    out(&e, A, 1, 1 + 4 * MSS, 0);
    assert_int_equal(e.last.window, 0);
    end_consume(&e, MSS - 1); /* RFC 9293 §3.8.6.2.2: less than a segment is not worth telling */
    quiet(&e);
    end_consume(&e, 1);
    out(&e, A, 1, 1 + 4 * MSS, 0);
    assert_int_equal(e.last.window, MSS);
    quiet(&e);
    end_done(&e);
}

/* A buffer that 16 bits cannot say is no reason to repeat the same window for ever. */
static void test_a_window_that_cannot_be_said_is_not_an_update(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    in(&e, data(1, MSS));
    quiet(&e);
    read_all(&e, 1, MSS);
    quiet(&e);
    end_done(&e);
}

static void test_what_lies_beyond_the_window_is_cut_off(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    e.cfg.rcv_buf_max = 1500;
    establish(&e, 0, 60000);
    in(&e, data(1, 1000));
    in(&e, data(1001, 1000));
    assert_int_equal(capy_tcp_readable(&e.tcb), 1500);
    out(&e, A, 1, 1501, 0);
    in(&e, data(5000, 10)); /* outside */
    assert_int_equal(e.count.bad_seq, 1);
    out(&e, A, 1, 1501, 0);
    read_all(&e, 1, 1500);
    end_done(&e);
}

/* The peer has filled our window and its first segment was lost: its ACK comes from right behind the
 * window, and counts; one from further on does not. */
static void test_an_ack_at_the_edge_of_the_window_counts(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    uint32_t edge = (uint32_t)(capy_tcp_rcv_edge(&e.tcb) - CAPY_TCP_POS_DATA + 1);
    put(&e, 10);
    out(&e, A, 1, 1, 10);
    struct in ack = {.flags = A, .seq = edge + 1, .ack = 11, .win = 60000};
    in(&e, ack);
    assert_int_equal(capy_tcp_unacked(&e.tcb), 10);
    ack.seq = edge;
    in(&e, ack);
    assert_int_equal(capy_tcp_unacked(&e.tcb), 0);
    end_done(&e);
}

static void test_an_empty_pool_drops_and_counts(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 1);
    establish(&e, 0, 60000);
    in(&e, data(1, 1000));
    assert_int_equal(in(&e, data(1001, 2000)), 0);
    assert_int_equal(e.count.no_block_drops, 1);
    read_all(&e, 1, 1000);
    assert_int_equal(in(&e, data(1001, 1000)), CAPY_TCP_DATA_ARRIVED);
    end_done(&e);
}

/* ---- RFC 5961 ---- */

static void test_only_the_exact_rst_resets(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    in(&e, (struct in){.flags = R, .seq = 0}); /* below the window */
    in(&e, (struct in){.flags = R, .seq = 70001});
    quiet(&e);
    in(&e, (struct in){.flags = R, .seq = 2}); /* §3.2: in the window but not exact: challenge */
    out(&e, A, 1, 1, 0);
    assert_int_equal(e.count.challenge_acks, 1);
    assert_int_equal(e.tcb.state, CAPY_TCP_ESTABLISHED);
    assert_int_equal(in(&e, (struct in){.flags = R, .seq = 1}), CAPY_TCP_WAS_RESET);
    assert_int_equal(e.tcb.state, CAPY_TCP_CLOSED);
    end_done(&e);
}

static void test_challenges_are_rate_limited(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    in(&e, (struct in){.flags = S, .seq = 500, .win = 1});
    out(&e, A, 1, 1, 0);
    for (uint32_t i = 0; i < 100; i++) {
        in(&e, (struct in){.flags = S, .seq = 500 + i, .win = 1});
        quiet(&e);
    }
    pass(&e, CAPY_MS(500));
    in(&e, (struct in){.flags = S, .seq = 500, .win = 1});
    out(&e, A, 1, 1, 0);
    end_done(&e);
}

/* §5. */
static void test_an_ack_of_what_was_never_sent_is_challenged(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    struct in bad = data(1, 10);
    bad.ack = 2;
    assert_int_equal(in(&e, bad), 0);
    assert_int_equal(e.count.bad_ack, 1);
    out(&e, A, 1, 1, 0);
    bad.ack = 1u - 60001u; /* older than any window we were offered */
    in(&e, bad);
    assert_int_equal(e.count.bad_ack, 2);
    assert_int_equal(capy_tcp_readable(&e.tcb), 0);
    end_done(&e);
}

/* ---- RFC 7323 ---- */

static void test_paws_drops_old_segments_and_answers(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, WITH_TS, 60000);
    e.in_ts = PEER_TS + 100; /* crosses the wrap of the timestamp clock */
    in(&e, data(1, 100));
    e.in_ts = PEER_TS + 99;
    assert_int_equal(in(&e, data(101, 100)), CAPY_TCP_ACK_DUE);
    assert_int_equal(e.count.paws_drops, 1);
    out(&e, A, 1, 101, 0);
    assert_int_equal(e.last.ts_ecr, PEER_TS + 100);
    e.in_opts = 0; /* §3.2: without the option, once negotiated: dropped in silence */
    assert_int_equal(in(&e, data(101, 100)), 0);
    quiet(&e);
    /* §5.5: after 24 days the remembered timestamp may have wrapped. */
    e.in_opts = CAPY_TCP_OPT_TS;
    end_set_now(&e, e.env.now + CAPY_SEC(25 * 24 * 3600));
    assert_int_equal(in(&e, data(101, 100)), CAPY_TCP_DATA_ARRIVED);
    end_done(&e);
}

static void test_ts_recent_comes_from_the_segment_that_was_acknowledged_last(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, WITH_TS, 60000);
    e.in_ts = PEER_TS + 10;
    in(&e, data(1, 100));
    e.in_ts = PEER_TS + 20;
    in(&e, data(101, 100)); /* not yet acknowledged what is before: §4.3 keeps the older one */
    pass(&e, CAPY_MS(40));
    out(&e, A, 1, 201, 0);
    assert_int_equal(e.last.ts_ecr, PEER_TS + 10);
    end_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_second_full_segment_is_acknowledged_at_once),
        cmocka_unit_test(test_queued_segments_share_one_ack),
        cmocka_unit_test(test_an_answer_carries_the_ack),
        cmocka_unit_test(test_holes_are_reported_at_once_the_latest_first),
        cmocka_unit_test(test_overlaps_and_duplicates_deliver_each_byte_once),
        cmocka_unit_test(test_a_fin_beyond_a_hole_waits_for_it),
        cmocka_unit_test(test_a_fin_below_what_arrived_is_no_end),
        cmocka_unit_test(test_a_full_window_closes_and_opens_again_by_a_whole_segment),
        cmocka_unit_test(test_a_window_that_cannot_be_said_is_not_an_update),
        cmocka_unit_test(test_what_lies_beyond_the_window_is_cut_off),
        cmocka_unit_test(test_an_ack_at_the_edge_of_the_window_counts),
        cmocka_unit_test(test_an_empty_pool_drops_and_counts),
        cmocka_unit_test(test_only_the_exact_rst_resets),
        cmocka_unit_test(test_challenges_are_rate_limited),
        cmocka_unit_test(test_an_ack_of_what_was_never_sent_is_challenged),
        cmocka_unit_test(test_paws_drops_old_segments_and_answers),
        cmocka_unit_test(test_ts_recent_comes_from_the_segment_that_was_acknowledged_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
