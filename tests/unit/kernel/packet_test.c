/* Frames that the kernel's own sockets do not want, as a driver: over a veth pair whose other end is a
 * raw socket. What the gate would set aside is here addressed to somebody else. */
#include "rig.h"

#include "kernel/packet.h"
#include "wire/frame.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>

#define FRAMES 256u /* of the driver's pool */

static const struct capy_mac elsewhere = {{0x02, 0xca, 9, 9, 9, 9}};

static struct capy_drv *open_it(void)
{
    char err[ERR_LEN] = "";
    rig_veth(1500);
    struct capy_drv *d = capy_packet_open("veth0", err, sizeof err);
    if (!d)
        fail_msg("%s", err);
    return d;
}

/* The other end of the cable. */
static int open_peer(void)
{
    const struct sockaddr_ll at = {.sll_family = AF_PACKET,
                                   .sll_protocol = htons(ETH_P_ALL),
                                   .sll_ifindex = (int)if_nametoindex("veth1")};
    int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    rig_patience(fd);
    return fd;
}

/* A datagram to a port, its payload the number n. */
static size_t datagram(uint8_t *frame, const struct capy_mac *dst, const char *from, const char *to,
                       uint32_t n)
{
    const struct capy_frame_to way = {.dst_mac = *dst,
                                      .src_mac = {{0x02, 0xca, 0, 0, 0, 1}},
                                      .src = rig_ip(from),
                                      .dst = rig_ip(to),
                                      .src_port = 7,
                                      .dst_port = 4711};
    capy_store32(frame + (capy_ip_is_v4(&way.dst) ? CAPY_UDP_AT : CAPY_UDP_AT6), n);
    return capy_frame_build_udp(frame, &way, 4);
}

static uint32_t number_of(const struct capy_frame *f)
{
    return capy_load32(f->data + f->len - 4);
}

static unsigned receive_some(struct capy_drv *d, struct capy_frame *f, unsigned max)
{
    unsigned cnt = 0;
    for (unsigned turn = 0; cnt == 0 && turn < WAIT_MS; turn++) {
        cnt = d->ops->receive(d, f, max);
        if (cnt == 0)
            poll(NULL, 0, 1);
    }
    return cnt;
}

static void what_is_set_aside_comes_of_both_versions(void **state)
{
    (void)state;
    struct capy_drv *d = open_it();
    int peer = open_peer();
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_frame f[4];
    /* What is for the kernel is no business of ours. */
    size_t len = datagram(frame, &d->mac, "10.0.0.1", "10.0.0.2", 1);
    assert_int_equal(send(peer, frame, len, 0), len);
    for (uint32_t n = 2; n < 6; n++) {
        len = n % 2 ? datagram(frame, &elsewhere, "fd00::1", "fd00::2", n)
                    : datagram(frame, &elsewhere, "10.0.0.1", "10.0.0.2", n);
        assert_int_equal(send(peer, frame, len, 0), len);
        assert_int_equal(receive_some(d, f, 4), 1);
        assert_int_equal(f[0].len, len);
        assert_int_equal(number_of(&f[0]), n);
        assert_memory_equal(f[0].data, frame, len);
        d->ops->release(d, f, 1);
    }
    assert_int_equal(d->rx_frames, 4);
    close(peer);
    d->ops->close(d);
}

static void what_is_sent_leaves_and_unused_frames_come_back(void **state)
{
    (void)state;
    struct capy_drv *d = open_it();
    int peer = open_peer();
    struct capy_frame f[FRAMES];
    uint8_t seen[CAPY_FRAME_MAX];
    for (unsigned round = 0; round < 3; round++) {
        /* Half of the frames are kept for receiving. */
        assert_int_equal(d->ops->reserve(d, f, FRAMES), FRAMES / 2);
        for (unsigned i = 0; i < FRAMES / 2; i++)
            f[i].len = 0;
        f[0].len = (uint32_t)datagram(f[0].data, &elsewhere, "10.0.0.2", "10.0.0.1", round);
        d->ops->submit(d, f, FRAMES / 2);
        d->ops->flush(d);
        ssize_t n;
        do
            n = recv(peer, seen, sizeof seen, 0);
        while (n > 0 && capy_load16(seen + 12) != ETH_P_IP);
        assert_int_equal(n, 14 + 20 + 8 + 4);
        assert_int_equal(capy_load32(seen + n - 4), round);
    }
    assert_int_equal(d->tx_frames, 3);
    rig_run("ip link set veth0 down");
    assert_int_equal(d->ops->reserve(d, f, 1), 1);
    f[0].len = (uint32_t)datagram(f[0].data, &elsewhere, "10.0.0.2", "10.0.0.1", 9);
    d->ops->submit(d, f, 1);
    assert_int_equal(d->tx_drops, 1);
    close(peer);
    d->ops->close(d);
}

static void without_frames_nothing_is_received_and_nothing_lost(void **state)
{
    (void)state;
    struct capy_drv *d = open_it();
    int peer = open_peer();
    uint8_t frame[CAPY_FRAME_MAX];
    static struct capy_frame f[FRAMES + 10];
    for (uint32_t n = 0; n < FRAMES + 10; n++) {
        size_t len = datagram(frame, &elsewhere, "10.0.0.1", "10.0.0.2", n);
        assert_int_equal(send(peer, frame, len, 0), len);
    }
    unsigned cnt = 0;
    while (cnt < FRAMES)
        cnt += receive_some(d, f + cnt, FRAMES + 10 - cnt);
    assert_int_equal(cnt, FRAMES);
    assert_int_equal(d->ops->receive(d, f + cnt, 10), 0);
    assert_int_equal(d->ops->reserve(d, f + cnt, 10), 0);
    d->ops->release(d, f, cnt);
    for (cnt = 0; cnt < 10;)
        cnt += receive_some(d, f + cnt, 10 - cnt);
    assert_int_equal(number_of(&f[9]), FRAMES + 9);
    d->ops->release(d, f, 10);
    close(peer);
    d->ops->close(d);
}

/* Who waits for more than frames looks only when it was told that there are any. */
static void woken_by_another_it_looks_when_it_is_told(void **state)
{
    (void)state;
    struct capy_drv *d = open_it();
    int peer = open_peer(), fds[2], other[2];
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_frame f[4];
    assert_int_equal(pipe(other), 0);
    assert_int_equal(capy_packet_fds(d, fds), 2);
    assert_int_equal(d->ops->poll_fd(d), fds[0]);
    capy_packet_wake_by(d, other[0]);
    assert_int_equal(d->ops->poll_fd(d), other[0]);
    size_t len = datagram(frame, &elsewhere, "10.0.0.1", "10.0.0.2", 5);
    assert_int_equal(send(peer, frame, len, 0), len);
    struct pollfd there = {.fd = fds[0], .events = POLLIN};
    assert_int_equal(poll(&there, 1, WAIT_MS), 1);
    assert_int_equal(d->ops->receive(d, f, 4), 0);
    capy_packet_ready(d);
    assert_int_equal(d->ops->receive(d, f, 4), 1);
    assert_int_equal(d->ops->receive(d, f, 4), 0);
    d->ops->release(d, f, 1);
    close(other[0]);
    close(other[1]);
    close(peer);
    d->ops->close(d);
}

/* By the loopback device, to whatever socket it is for. */
static void what_is_injected_reaches_the_kernels_socket(void **state)
{
    (void)state;
    struct capy_drv *d = open_it();
    rig_run("ip link set lo up && ip addr add 10.0.0.2/24 dev veth0");
    const struct capy_ip ip = rig_ip("10.0.0.2");
    union capy_sockaddr at;
    socklen_t len = capy_sockaddr_make(&ip, 4711, &at);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(fd, &at.any, len), 0);
    rig_patience(fd);
    uint8_t frame[CAPY_FRAME_MAX], got[8];
    size_t frame_len = datagram(frame, &d->mac, "10.0.0.1", "10.0.0.2", 77);
    assert_true(capy_packet_inject(d, frame, frame_len));
    assert_int_equal(recv(fd, got, sizeof got, 0), 4);
    assert_int_equal(capy_load32(got), 77);
    assert_false(capy_packet_inject(d, frame, 13)); /* no whole Ethernet header */
    close(fd);
    d->ops->close(d);
}

static void it_is_refused_with_a_remedy(void **state)
{
    (void)state;
    char err[ERR_LEN] = "";
    rig_veth(1500);
    assert_null(capy_packet_open("nosuch0", err, sizeof err));
    assert_non_null(strstr(err, "ip link"));
    rig_powerless();
    struct capy_drv *d = capy_packet_open("veth0", err, sizeof err);
    rig_powerful();
    assert_null(d);
    assert_non_null(strstr(err, "CAP_NET_RAW"));
    assert_null(strchr(err, '\n'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_set_aside_comes_of_both_versions),
        cmocka_unit_test(what_is_sent_leaves_and_unused_frames_come_back),
        cmocka_unit_test(without_frames_nothing_is_received_and_nothing_lost),
        cmocka_unit_test(woken_by_another_it_looks_when_it_is_told),
        cmocka_unit_test(what_is_injected_reaches_the_kernels_socket),
        cmocka_unit_test(it_is_refused_with_a_remedy),
    };
    return cmocka_run_group_tests_name("kernel/packet", tests, NULL, NULL);
}
