/* What a peer hears of a burst that the run loop takes in at once (RFC 5681 §4.2): as many ACKs as if
 * its segments had come one by one where something is missing, and one for eight where nothing is. */
#include "rig.h"
#include <string.h>

enum { SEGMENT = 1448, FLIGHT = 10 }; /* the client's initial window */

static struct rig rig;

static int open_rig(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static const struct capy_tcp_counters *client(void)
{
    return &capy_stack_counters(rig.client)->tcp;
}

/* The client sends a flight; all of it is there when the server looks. */
static void send_flight(capy_handle conn)
{
    static uint8_t bytes[FLIGHT * SEGMENT];
    int64_t n = capy_stack_write(rig.client, conn, bytes, sizeof bytes, rig.now);
    assert_int_equal(n, sizeof bytes);
    rig_turn(&rig);
}

static void eight_segments_in_order_share_an_ack(void **state)
{
    (void)state;
    int qd;
    capy_handle conn = rig_connect(&rig, 0, &qd);
    uint64_t before = client()->segs_in;
    send_flight(conn);
    rig_turns(&rig, 2);
    assert_int_equal(client()->segs_in - before, 2); /* behind the eighth, and for the rest */
    assert_int_equal(client()->dup_acks_in, 0);
}

static void each_segment_beyond_a_hole_has_its_own(void **state)
{
    (void)state;
    int qd;
    capy_handle conn = rig_connect(&rig, 0, &qd);
    rig_turns(&rig, 2);
    uint64_t before = client()->dup_acks_in;
    rig.lose = 1;
    send_flight(conn);
    assert_int_equal(client()->dup_acks_in - before, FLIGHT - 1);
    rig_turns(&rig, 2);
    assert_int_equal(client()->retrans_segs, 1);
    assert_int_equal(capy_pop(rig.os[0], qd, FLIGHT * SEGMENT - 1), CAPY_OK);
    assert_int_equal(rig_expect(&rig, 0, CAPY_OP_POP).avail, FLIGHT * SEGMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(eight_segments_in_order_share_an_ack, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(each_segment_beyond_a_hole_has_its_own, open_rig,
                                        close_rig),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
