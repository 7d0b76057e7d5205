/* Offloads in software, around an in-memory link. */
#include "rig.h"

#include "wire/frame.h"

static uint8_t data[60000];

/* A large frame of ours at f; what it is to be cut into. */
static void fill(struct capy_frame *f, uint32_t len, uint16_t segment)
{
    const struct capy_frame_to to = {.src = capy_ip_from_v4(0x0a000001u),
                                     .dst = capy_ip_from_v4(0x0a000002u),
                                     .src_port = 1,
                                     .dst_port = 2,
                                     .partial = true};
    const struct capy_tcp_segment seg = {
        .seq = {7}, .flags = CAPY_TCP_ACK, .data = data, .data_len = len};
    f->len = (uint32_t)capy_frame_build_tcp(f->data, &to, &seg);
    f->offload = (struct capy_offload){.segment = segment, .partial = true};
}

static struct capy_drv *open_pair(uint32_t depth, struct capy_drv **peer)
{
    struct capy_drv *a;
    assert_int_equal(capy_drv_link_pair(depth, &a, peer), CAPY_OK);
    assert_true(a->can.segment == 0 && !a->can.partial);
    struct capy_drv *w = capy_drv_offload(a);
    assert_non_null(w);
    assert_true(w->can.partial && w->can.segment > 0);
    assert_int_equal(w->frame_max, CAPY_LARGE_FRAME_MAX);
    return w;
}

static void large_frames_leave_as_packets(void **state)
{
    (void)state;
    struct capy_drv *peer, *w = open_pair(256, &peer);
    struct capy_frame f[2], in[CAPY_DRV_BURST];
    struct capy_packet p;
    for (uint32_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 5 + (i >> 9));
    assert_int_equal(w->ops->reserve(w, f, 2), 2);
    fill(&f[0], 10000, 1460);
    fill(&f[1], 60000, 1460);
    w->ops->submit(w, f, 2);
    w->ops->flush(w);
    uint32_t at = 0;
    for (unsigned cnt, total = 0; total < 7 + 42; total += cnt) {
        cnt = peer->ops->receive(peer, in, CAPY_DRV_BURST);
        assert_true(cnt > 0);
        for (unsigned i = 0; i < cnt; i++) {
            assert_int_equal(capy_frame_parse(in[i].data, in[i].len, &p), CAPY_DROP_NONE);
            if (total + i == 7)
                at = 0;
            assert_int_equal(p.tcp.seq.v, 7 + at);
            assert_memory_equal(p.tcp.data, data + at, p.tcp.data_len);
            at += p.tcp.data_len;
        }
        peer->ops->release(peer, in, cnt);
    }
    assert_int_equal(at, 60000);
    assert_int_equal(w->tx_frames, 49);
    assert_int_equal(w->tx_drops, 0);
    w->ops->close(w);
    peer->ops->close(peer);
}

static void other_frames_pass_both_ways(void **state)
{
    (void)state;
    struct capy_drv *peer, *w = open_pair(256, &peer);
    rig_send(w, 0, 20);
    rig_send(peer, 0, 20);
    struct capy_frame in[CAPY_DRV_BURST];
    for (unsigned side = 0; side < 2; side++) {
        struct capy_drv *d = side ? peer : w;
        assert_int_equal(d->ops->receive(d, in, CAPY_DRV_BURST), 20);
        for (uint32_t i = 0; i < 20; i++)
            rig_check(&in[i], i);
        d->ops->release(d, in, 20);
    }
    w->ops->close(w);
    peer->ops->close(peer);
}

static void what_the_device_has_no_room_for_is_counted(void **state)
{
    (void)state;
    struct capy_drv *peer, *w = open_pair(16, &peer);
    struct capy_frame f;
    for (unsigned round = 0; round < 300; round++) { /* more than it has frames: none is lost */
        assert_int_equal(w->ops->reserve(w, &f, 1), 1);
        fill(&f, 20 * 1000, 1000);
        w->ops->submit(w, &f, 1);
    }
    assert_int_equal(w->tx_frames, 16);
    assert_int_equal(w->tx_frames + w->tx_drops, 300 * 20);
    w->ops->close(w);
    peer->ops->close(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_frames_leave_as_packets),
        cmocka_unit_test(other_frames_pass_both_ways),
        cmocka_unit_test(what_the_device_has_no_room_for_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
