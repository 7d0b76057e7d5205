/* Urgent data (RFC 9293 §3.8.5, RFC 6093): in line, like any other; and bounds on what is held out
 * of order. */
#include "harness.h"

#include "tcp/position.h"

static uint32_t urgent(struct end *e, uint32_t seq, uint32_t len, uint16_t pointer)
{
    uint8_t data[2048];
    for (uint32_t i = 0; i < len; i++)
        data[i] = pattern(1, seq + i);
    struct capy_tcp_segment seg = {.seq = {PEER_ISS + seq},
                                   .ack = {OUR_ISS + 1},
                                   .window = 60000,
                                   .urgent = pointer,
                                   .flags = A | CAPY_TCP_URG,
                                   .data = data,
                                   .data_len = len};
    return end_input(e, &seg);
}

/* RFC 9293 MUST-30, MUST-31 (of any length), RFC 6093 §4: no byte is taken out of the stream,
 * wherever the pointer points. */
static void test_urgent_bytes_stay_in_the_stream(void **state)
{
    (void)state;
    static const uint16_t pointers[] = {0, 1, 99, 100, 101, 5000, 65535};
    for (uint32_t k = 0; k < sizeof pointers / sizeof *pointers; k++) {
        struct end e;
        uint32_t got;
        end_init(&e, 64);
        establish(&e, 0, 60000);
        assert_int_equal(urgent(&e, 1, 100, pointers[k]), CAPY_TCP_DATA_ARRIVED);
        assert_int_equal(urgent(&e, 101, 1, pointers[k]), CAPY_TCP_DATA_ARRIVED);
        const uint8_t *p = capy_tcp_read_span(&e.tcb, &e.env, 0, &got);
        assert_int_equal(got, 101);
        for (uint32_t i = 0; i < got; i++)
            assert_int_equal(p[i], pattern(1, 1 + i));
        end_done(&e);
    }
}

/* A pointer without data, and one into a closed window, are just segments. */
static void test_a_lone_urgent_pointer_is_harmless(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    assert_int_equal(urgent(&e, 1, 0, 700), 0);
    quiet(&e);
    assert_int_equal(capy_tcp_readable(&e.tcb), 0);
    assert_int_equal(e.tcb.state, CAPY_TCP_ESTABLISHED);
    end_done(&e);
}

/* We never send any. */
static void test_nothing_we_send_is_urgent(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, 0, 60000);
    put(&e, 3000);
    end_shutdown(&e);
    while (next_segment(&e)) {
        assert_int_equal(e.last.flags & CAPY_TCP_URG, 0);
        assert_int_equal(e.last.urgent, 0);
    }
    end_done(&e);
}

/* ---- out of order ---- */

/* No more ranges than there is room for in one block, nothing beyond the window, and all is given
 * back when the holes close. */
static void test_what_is_held_out_of_order_is_bounded(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 256);
    establish(&e, WITH_SACK, 60000);
    uint64_t edge = capy_tcp_rcv_edge(&e.tcb);
    for (uint32_t i = 0; i < 2 * CAPY_TCP_RANGE_MAX; i++)
        in(&e, (struct in){.flags = A, .seq = 11 + 20 * i, .ack = 1, .win = 60000, .len = 10});
    assert_int_equal(e.tcb.rcv.ooo, 10 * CAPY_TCP_RANGE_MAX);
    assert_int_equal(e.count.no_block_drops, CAPY_TCP_RANGE_MAX);
    uint32_t far = (uint32_t)(edge - CAPY_TCP_POS_SYN);
    in(&e, (struct in){.flags = A, .seq = far, .ack = 1, .win = 60000, .len = 10});
    assert_int_equal(e.tcb.rcv.ooo, 10 * CAPY_TCP_RANGE_MAX);
    assert_true(capy_tcp_rcv_edge(&e.tcb) == edge);
    for (uint32_t i = 0; i < CAPY_TCP_RANGE_MAX; i++)
        in(&e, (struct in){.flags = A, .seq = 1 + 20 * i, .ack = 1, .win = 60000, .len = 10});
    assert_int_equal(e.tcb.rcv.ooo, 0);
    assert_int_equal(capy_tcp_readable(&e.tcb), 20 * CAPY_TCP_RANGE_MAX);
    end_consume(&e, 20 * CAPY_TCP_RANGE_MAX);
    while (next_segment(&e))
        ;
    assert_int_equal(e.blocks.pool.free_cnt, 256);
    end_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urgent_bytes_stay_in_the_stream),
        cmocka_unit_test(test_a_lone_urgent_pointer_is_harmless),
        cmocka_unit_test(test_nothing_we_send_is_urgent),
        cmocka_unit_test(test_what_is_held_out_of_order_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
