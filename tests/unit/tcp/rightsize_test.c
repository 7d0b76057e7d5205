/* The receive window grows with what the application reads in a round trip, within its bound and the
 * pool's upper half, and never shrinks. */
#include "harness.h"

#include "tcp/position.h"
#include "tcp/rightsize.h"
#include "tcp/tuning.h"

#define RTT CAPY_MS(10)
#define START (16u << 10)
#define BOUND (128u << 10)

/* An active open, whose handshake takes RTT, at a peer that scales. */
static void start(struct end *e, uint32_t blocks)
{
    end_init(e, blocks);
    e->cfg.rcv_buf_start = START;
    e->cfg.rcv_buf_max = BOUND;
    capy_tcp_open_active(&e->tcb, &e->env, (struct capy_seq){OUR_ISS}, 0);
    out(e, S, 0, 0, 0);
    assert_int_equal(e->last.window, START);
    assert_int_equal(e->last.wscale, 2); /* enough for the bound: it cannot change later */
    pass(e, RTT);
    struct capy_tcp_segment syn_ack = {.seq = {PEER_ISS},
                                       .ack = {OUR_ISS + 1},
                                       .window = 60000,
                                       .flags = S | A,
                                       .opts = CAPY_TCP_OPT_MSS | CAPY_TCP_OPT_WSCALE,
                                       .mss = MSS};
    end_input(e, &syn_ack);
    out(e, A, 1, 1, 0);
}

/* The peer fills the window, or sends most bytes; the application reads all; a round trip passes. */
static uint32_t round_trip(struct end *e, uint32_t most)
{
    uint32_t sent = 0;
    uint64_t edge = capy_tcp_rcv_edge(&e->tcb);
    while (sent < most && e->tcb.rcv.nxt + MSS <= edge) {
        in(e, (struct in){
                  .flags = A, .seq = (uint32_t)e->tcb.rcv.nxt, .ack = 1, .win = 60000, .len = MSS});
        sent += MSS;
    }
    pass(e, RTT);
    pass(e, RTT / 50);
    end_consume(e, capy_tcp_readable(&e->tcb));
    while (next_segment(e))
        ;
    assert_true(capy_tcp_rcv_edge(&e->tcb) >= edge); /* RFC 9293 SHLD-14 */
    return sent;
}

static uint32_t window(const struct end *e)
{
    return (uint32_t)(capy_tcp_rcv_edge(&e->tcb) - e->tcb.rcv.nxt);
}

static void test_a_fast_reader_grows_to_the_bound(void **state)
{
    (void)state;
    struct end e;
    start(&e, 256);
    assert_true(window(&e) <= START);
    uint32_t rounds = 0;
    while (capy_tcp_rcv_buf(&e.tcb) < BOUND) {
        uint32_t before = capy_tcp_rcv_buf(&e.tcb);
        round_trip(&e, UINT32_MAX);
        assert_true(capy_tcp_rcv_buf(&e.tcb) <= 4 * before);
        assert_true(++rounds < 8);
    }
    assert_int_equal(e.tcb.rcv.buf_kib, 0);
    assert_true(window(&e) > BOUND - 2 * MSS);
    end_done(&e);
}

/* The peer sends twice as much in each round trip, when it has heard of the window that there was a
 * round trip before; but for a fifth, which whole KiB and rounds that take longer may cost. */
static void test_slow_start_is_not_held_back(void **state)
{
    (void)state;
    struct end e;
    start(&e, 256);
    round_trip(&e, MSS); /* the first one has the handshake in it */
    uint32_t heard = START;
    for (uint32_t segments = 8; segments <= 64; segments *= 2) {
        assert_true(segments * MSS / 10 * 8 <= heard);
        heard = capy_tcp_rcv_buf(&e.tcb);
        assert_int_equal(round_trip(&e, segments * MSS), segments * MSS);
    }
    end_done(&e);
}

static void test_a_slow_sender_gets_no_more_than_four_times_what_it_sends(void **state)
{
    (void)state;
    struct end e;
    start(&e, 256);
    for (uint32_t i = 0; i < 50; i++)
        round_trip(&e, 7 * MSS);
    assert_true(capy_tcp_rcv_buf(&e.tcb) >= START);
    assert_true(capy_tcp_rcv_buf(&e.tcb) <= 4 * 7 * MSS);
    end_done(&e);
}

static void test_a_reader_that_lags_gets_no_more(void **state)
{
    (void)state;
    struct end e;
    start(&e, 256);
    for (uint32_t i = 0; i < 20; i++) {
        pass(&e, 20 * RTT);
        round_trip(&e, UINT32_MAX);
    }
    assert_int_equal(capy_tcp_rcv_buf(&e.tcb), START);
    end_done(&e);
}

/* A pool that is half used gives no larger windows. */
static void test_the_pool_bounds_growth(void **state)
{
    (void)state;
    struct end e;
    start(&e, 256);
    static const uint8_t bytes[160 * CAPY_BLOCK_LEN];
    struct capy_stream others;
    capy_stream_init(&others, 0);
    assert_int_equal(capy_stream_write(&others, &e.blocks, 0, bytes, sizeof bytes), CAPY_OK);
    for (uint32_t i = 0; i < 10; i++)
        round_trip(&e, UINT32_MAX);
    assert_int_equal(capy_tcp_rcv_buf(&e.tcb), START);
    capy_stream_clear(&others, &e.blocks);
    for (uint32_t i = 0; i < 10; i++)
        round_trip(&e, UINT32_MAX);
    assert_int_equal(capy_tcp_rcv_buf(&e.tcb), BOUND);
    end_done(&e);
}

static void test_who_sets_a_size_gets_it(void **state)
{
    (void)state;
    struct end e;
    start(&e, 256);
    assert_int_equal(capy_tcp_set(&e.tcb, &e.env, CAPY_OPTION_RECEIVE_BUFFER, 100000), CAPY_OK);
    assert_int_equal(capy_tcp_rcv_buf(&e.tcb), 100000);
    end_done(&e);
}

static void test_growth_goes_on_after_a_move(void **state)
{
    (void)state;
    struct end e, twin;
    struct capy_prng prng;
    capy_prng_seed(&prng, 3);
    start(&e, 256);
    round_trip(&e, UINT32_MAX);
    round_trip(&e, UINT32_MAX);
    assert_int_not_equal(e.tcb.rcv.buf_kib, 0);
    pass(&e, RTT / 2);
    end_twin(&e, &twin, 99, &prng);
    for (uint32_t i = 0; i < 6; i++) {
        round_trip(&e, UINT32_MAX);
        assert_int_equal(capy_tcp_rcv_buf(&twin.tcb), capy_tcp_rcv_buf(&e.tcb));
    }
    assert_int_equal(capy_tcp_rcv_buf(&e.tcb), BOUND);
    end_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_fast_reader_grows_to_the_bound),
        cmocka_unit_test(test_slow_start_is_not_held_back),
        cmocka_unit_test(test_a_slow_sender_gets_no_more_than_four_times_what_it_sends),
        cmocka_unit_test(test_a_reader_that_lags_gets_no_more),
        cmocka_unit_test(test_the_pool_bounds_growth),
        cmocka_unit_test(test_who_sets_a_size_gets_it),
        cmocka_unit_test(test_growth_goes_on_after_a_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
