/* The AF_XDP driver over a veth pair in a network namespace of its own. */
#include "rig.h"

#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct capy_drv *open_or_skip(const char *ifname)
{
    char err[ERR_LEN];
    struct capy_drv *d = capy_drv_af_xdp_open(ifname, err, sizeof err);
    if (!d && (strstr(err, "no privilege") || strstr(err, "no AF_XDP"))) {
        print_message("skipped: %s\n", err);
        skip();
    }
    if (!d)
        fail_msg("%s", err);
    return d;
}

static void frames_cross_between_two_sockets(void **state)
{
    (void)state;
    rig_veth(1500);
    struct capy_drv *a = open_or_skip("veth0"), *b = open_or_skip("veth1");
    print_message("%s\n", a->detail);
    /* More than all frames of either side, so that every one of them comes round. */
    for (uint32_t n = 0; n < 20000; n += 50) {
        rig_send(a, n, 50);
        rig_expect(b, n, 50);
        if (n % 1000 == 0) {
            rig_send(b, n, 3);
            rig_expect(a, n, 3);
        }
    }
    assert_int_equal(a->tx_frames, 20000);
    assert_string_equal(a->ifname, "veth0");
    assert_non_null(strstr(a->detail, "AF_XDP"));
    a->ops->close(a);
    b->ops->close(b);
}

#define ECHO_CNT 100000u
#define ECHO_WINDOW 64u

/* Sends back every frame, until it is killed. */
static void echo_for_ever(const char *ifname, int ready)
{
    char err[ERR_LEN];
    struct capy_frame in[CAPY_DRV_BURST], out[CAPY_DRV_BURST];
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed parent must not leave us spinning */
    struct capy_drv *d = capy_drv_af_xdp_open(ifname, err, sizeof err);
    if (!d || write(ready, "r", 1) != 1)
        _exit(1);
    for (;;) {
        unsigned n = d->ops->receive(d, in, CAPY_DRV_BURST);
        unsigned m = d->ops->reserve(d, out, n);
        for (unsigned i = 0; i < m; i++) {
            memcpy(out[i].data, in[i].data, in[i].len);
            out[i].len = in[i].len;
        }
        d->ops->release(d, in, n);
        d->ops->submit(d, out, m);
        d->ops->flush(d);
        if (n == 0)
            sched_yield();
    }
}

/* Kernel and both ends at work at once: the rings' indices are seen half way through their moves.
 */
static void rings_hold_when_both_ends_run_at_once(void **state)
{
    (void)state;
    int ready[2];
    char byte;
    rig_veth(1500);
    struct capy_drv *d = open_or_skip("veth0");
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        echo_for_ever("veth1", ready[1]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    uint32_t sent = 0, seen = 0;
    struct capy_frame f[CAPY_DRV_BURST];
    while (seen < ECHO_CNT) {
        if (sent - seen < ECHO_WINDOW) {
            unsigned n = ECHO_WINDOW - (sent - seen);
            rig_send(d, sent, n);
            sent += n;
        }
        /* Spinning, for who sleeps in poll comes too late to see a ring half moved. */
        unsigned n = d->ops->receive(d, f, CAPY_DRV_BURST);
        if (n == 0)
            assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
        for (unsigned i = 0; i < n; i++)
            seen += capy_load16(f[i].data + 12) == ETHERTYPE_EXPERIMENT;
        d->ops->release(d, f, n);
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    d->ops->close(d);
}

/* A bridge device knows no native XDP. Being promiscuous it takes frames for any MAC. */
static void device_without_native_xdp_is_served_in_generic_mode(void **state)
{
    (void)state;
    rig_veth(1500);
    rig_run("ip link add bridge0 type bridge && ip link set bridge0 addrgenmode none up "
            "&& ip link set veth1 master bridge0");
    rig_wait_up("bridge0");
    struct capy_drv *a = open_or_skip("veth0"), *b = open_or_skip("bridge0");
    assert_non_null(strstr(b->detail, "generic"));
    for (uint32_t n = 0; n < 200; n += 20) {
        rig_send(a, n, 20);
        rig_expect(b, n, 20);
        rig_send(b, n, 20);
        rig_expect(a, n, 20);
    }
    a->ops->close(a);
    b->ops->close(b);
}

static void frames_longer_than_we_take_are_dropped_and_counted(void **state)
{
    (void)state;
    rig_veth(1600);
    struct capy_drv *d = open_or_skip("veth1");
    int fd = socket(AF_PACKET, SOCK_RAW, 0);
    assert_true(fd >= 0);
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("veth0")};
    uint8_t frame[CAPY_FRAME_MAX + 1];
    rig_fill(frame, sizeof frame, 9);
    assert_int_equal(sendto(fd, frame, sizeof frame, 0, (void *)&to, sizeof to), sizeof frame);
    rig_fill(frame, rig_len(1), 1);
    assert_int_equal(sendto(fd, frame, rig_len(1), 0, (void *)&to, sizeof to), rig_len(1));
    rig_expect(d, 1, 1);
    assert_int_equal(d->rx_drops, 1);
    close(fd);
    d->ops->close(d);
}

static void busy_device_is_refused_with_a_remedy(void **state)
{
    (void)state;
    char err[ERR_LEN];
    rig_veth(1500);
    struct capy_drv *d = open_or_skip("veth0");
    assert_null(capy_drv_af_xdp_open("veth0", err, sizeof err));
    assert_non_null(strstr(err, "another program"));
    assert_null(strchr(err, '\n'));
    d->ops->close(d);
    d = open_or_skip("veth0"); /* closing gave everything back */
    d->ops->close(d);
}

static void killed_process_leaves_the_device_free(void **state)
{
    (void)state;
    rig_veth(1500);
    struct capy_drv *probe = open_or_skip("veth0");
    probe->ops->close(probe);
    int ready[2];
    char byte = 0;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char err[ERR_LEN];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (capy_drv_af_xdp_open("veth0", err, sizeof err) && write(ready[1], "r", 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(ready[0]);
    close(ready[1]);
    struct capy_drv *d = open_or_skip("veth0");
    d->ops->close(d);
}

static void unfit_devices_are_refused_with_a_remedy(void **state)
{
    (void)state;
    char err[ERR_LEN];
    rig_veth(1500);
    assert_null(capy_drv_af_xdp_open("nosuch0", err, sizeof err));
    assert_non_null(strstr(err, "ip link"));
    rig_run("ip link set veth0 down");
    assert_null(capy_drv_af_xdp_open("veth0", err, sizeof err));
    assert_non_null(strstr(err, "ip link set veth0 up"));
    rig_run("ip link add wide0 numrxqueues 2 numtxqueues 2 type veth peer name wide1 "
            "&& ip link set wide0 up");
    assert_null(capy_drv_af_xdp_open("wide0", err, sizeof err));
    assert_non_null(strstr(err, "ethtool -L wide0"));
}

static void auto_takes_af_xdp_on_a_veth(void **state)
{
    (void)state;
    char err[ERR_LEN];
    rig_veth(1500);
    struct capy_drv *probe = open_or_skip("veth0");
    probe->ops->close(probe);
    struct capy_drv *d = capy_drv_open("auto", "veth0", err, sizeof err);
    assert_non_null(d);
    assert_string_equal(d->ops->name, "af_xdp");
    d->ops->close(d);
    assert_null(capy_drv_open("dpdk", "veth0", err, sizeof err));
    assert_non_null(strstr(err, "no driver"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_cross_between_two_sockets),
        cmocka_unit_test(rings_hold_when_both_ends_run_at_once),
        cmocka_unit_test(device_without_native_xdp_is_served_in_generic_mode),
        cmocka_unit_test(frames_longer_than_we_take_are_dropped_and_counted),
        cmocka_unit_test(busy_device_is_refused_with_a_remedy),
        cmocka_unit_test(killed_process_leaves_the_device_free),
        cmocka_unit_test(unfit_devices_are_refused_with_a_remedy),
        cmocka_unit_test(auto_takes_af_xdp_on_a_veth),
    };
    return cmocka_run_group_tests_name("drv/af_xdp", tests, NULL, NULL);
}
