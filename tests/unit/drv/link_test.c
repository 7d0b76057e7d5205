/* The in-memory link: order, full rings, reserved frames, closing. */
#include "rig.h"

static void link_carries_frames_in_order_both_ways(void **state)
{
    (void)state;
    struct capy_drv *a, *b;
    assert_int_equal(capy_drv_link_pair(64, &a, &b), CAPY_OK);
    for (uint32_t round = 0; round < 10; round++) {
        rig_send(a, round * 40, 40);
        rig_send(b, round * 40 + 7, 40);
        rig_expect(b, round * 40, 40);
        rig_expect(a, round * 40 + 7, 40);
    }
    assert_int_equal(a->tx_frames, 400);
    assert_int_equal(a->rx_frames, 400);
    a->ops->close(a);
    b->ops->close(b);
}

static void full_ring_drops_the_newest_and_counts(void **state)
{
    (void)state;
    struct capy_drv *a, *b;
    assert_int_equal(capy_drv_link_pair(16, &a, &b), CAPY_OK);
    rig_send(a, 0, 20);
    assert_int_equal(a->tx_drops, 4);
    assert_int_equal(a->tx_frames, 16);
    rig_expect(b, 0, 16);
    rig_send(a, 100, 16); /* the dropped frames' memory is free again */
    rig_expect(b, 100, 16);
    a->ops->close(a);
    b->ops->close(b);
}

static void frame_given_back_unsent_does_not_travel(void **state)
{
    (void)state;
    struct capy_drv *a, *b;
    struct capy_frame f;
    assert_int_equal(capy_drv_link_pair(2, &a, &b), CAPY_OK);
    for (unsigned i = 0; i < 10000; i++) { /* far more than there are frames */
        assert_int_equal(a->ops->reserve(a, &f, 1), 1);
        a->ops->submit(a, &f, 1);
    }
    assert_int_equal(b->ops->receive(b, &f, 1), 0);
    assert_int_equal(a->tx_frames, 0);
    a->ops->close(a);
    b->ops->close(b);
}

static void reserve_ends_when_all_frames_are_in_hands(void **state)
{
    (void)state;
    struct capy_drv *a, *b;
    struct capy_frame f[1024];
    assert_int_equal(capy_drv_link_pair(2, &a, &b), CAPY_OK);
    unsigned n = a->ops->reserve(a, f, 1024);
    assert_in_range(n, CAPY_DRV_BURST, 1023);
    assert_int_equal(a->ops->reserve(a, f + n, 1), 0);
    a->ops->submit(a, f, n); /* len 0: all given back */
    assert_int_equal(a->ops->reserve(a, f, 1024), n);
    a->ops->submit(a, f, n);
    a->ops->close(a);
    b->ops->close(b);
}

static void sending_to_a_closed_end_is_a_drop(void **state)
{
    (void)state;
    struct capy_drv *a, *b;
    assert_int_equal(capy_drv_link_pair(8, &a, &b), CAPY_OK);
    b->ops->close(b);
    rig_send(a, 0, 3);
    assert_int_equal(a->tx_drops, 3);
    a->ops->close(a);
}

static void depth_must_be_a_power_of_two(void **state)
{
    (void)state;
    struct capy_drv *a, *b;
    assert_int_equal(capy_drv_link_pair(0, &a, &b), CAPY_E_INVAL);
    assert_int_equal(capy_drv_link_pair(48, &a, &b), CAPY_E_INVAL);
    assert_int_equal(capy_drv_link_pair(2 * CAPY_DRV_LINK_DEPTH_MAX, &a, &b), CAPY_E_INVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(link_carries_frames_in_order_both_ways),
        cmocka_unit_test(full_ring_drops_the_newest_and_counts),
        cmocka_unit_test(frame_given_back_unsent_does_not_travel),
        cmocka_unit_test(reserve_ends_when_all_frames_are_in_hands),
        cmocka_unit_test(sending_to_a_closed_end_is_a_drop),
        cmocka_unit_test(depth_must_be_a_power_of_two),
    };
    return cmocka_run_group_tests_name("drv/link", tests, NULL, NULL);
}
