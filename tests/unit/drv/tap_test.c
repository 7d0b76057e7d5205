/* The TAP driver in a network namespace of its own; the kernel's end is read and written through a
 * packet socket. */
#include "rig.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

static struct capy_drv *open_or_skip(const char *ifname)
{
    char err[ERR_LEN];
    struct capy_drv *d = capy_drv_tap_open(ifname, err, sizeof err);
    if (!d && (strstr(err, "no privilege") || strstr(err, "no /dev/net/tun"))) {
        print_message("skipped: %s\n", err);
        skip();
    }
    if (!d)
        fail_msg("%s", err);
    return d;
}

/* A packet socket on the kernel's end that sees only the tests' frames. */
static int kernel_end(const char *ifname)
{
    int fd = socket(AF_PACKET, SOCK_RAW, htons(ETHERTYPE_EXPERIMENT));
    assert_true(fd >= 0);
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETHERTYPE_EXPERIMENT),
                             .sll_ifindex = (int)if_nametoindex(ifname)};
    assert_int_equal(bind(fd, (void *)&at, sizeof at), 0);
    return fd;
}

static void frames_cross_to_and_from_the_kernel(void **state)
{
    (void)state;
    rig_enter_namespace();
    struct capy_drv *d = open_or_skip("captap0");
    int fd = kernel_end("captap0");
    uint8_t frame[2048];
    for (uint32_t n = 0; n < 3000; n += 10) { /* more than the driver has frames */
        rig_send(d, n, 10);
        for (uint32_t i = n; i < n + 10; i++) {
            ssize_t len = recv(fd, frame, sizeof frame, 0);
            assert_int_equal(len, rig_len(i));
            rig_check(&(struct capy_frame){.data = frame, .len = (uint32_t)len}, i);
            rig_fill(frame, rig_len(i + 1), i + 1);
            assert_int_equal(send(fd, frame, rig_len(i + 1), 0), rig_len(i + 1));
        }
        rig_expect(d, n + 1, 10);
    }
    assert_int_equal(d->tx_frames, 3000);
    assert_string_equal(d->ops->name, "tap");
    close(fd);
    d->ops->close(d);
}

static void frames_longer_than_we_take_are_dropped_and_counted(void **state)
{
    (void)state;
    rig_enter_namespace();
    struct capy_drv *d = open_or_skip("captap0");
    rig_run("ip link set captap0 mtu 1600");
    int fd = kernel_end("captap0");
    uint8_t frame[CAPY_FRAME_MAX + 1];
    rig_fill(frame, sizeof frame, 9);
    assert_int_equal(send(fd, frame, sizeof frame, 0), sizeof frame);
    rig_fill(frame, rig_len(1), 1);
    assert_int_equal(send(fd, frame, rig_len(1), 0), rig_len(1));
    rig_expect(d, 1, 1);
    assert_int_equal(d->rx_drops, 1);
    close(fd);
    d->ops->close(d);
}

static void own_device_goes_with_the_driver_and_an_existing_one_stays(void **state)
{
    (void)state;
    rig_enter_namespace();
    struct capy_drv *d = open_or_skip("captap0");
    assert_non_null(strstr(d->detail, "made by this program"));
    d->ops->close(d);
    assert_int_equal(if_nametoindex("captap0"), 0);

    rig_run("ip tuntap add dev captap1 mode tap");
    d = open_or_skip("captap1");
    assert_non_null(strstr(d->detail, "existing"));
    d->ops->close(d);
    assert_int_not_equal(if_nametoindex("captap1"), 0);
}

static void other_devices_and_busy_ones_are_refused_with_a_remedy(void **state)
{
    (void)state;
    char err[ERR_LEN];
    rig_enter_namespace();
    struct capy_drv *d = open_or_skip("captap0");
    assert_null(capy_drv_tap_open("captap0", err, sizeof err));
    assert_non_null(strstr(err, "another program"));
    d->ops->close(d);
    assert_null(capy_drv_tap_open("lo", err, sizeof err));
    assert_non_null(strstr(err, "not a TAP"));
    assert_null(capy_drv_tap_open("a-name-beyond-all-limits", err, sizeof err));
    assert_non_null(strstr(err, "15 characters"));
}

static void auto_makes_a_tap_where_no_device_is(void **state)
{
    (void)state;
    char err[ERR_LEN];
    rig_enter_namespace();
    struct capy_drv *d = open_or_skip("captap0");
    d->ops->close(d);
    d = capy_drv_open("auto", "captap0", err, sizeof err);
    assert_non_null(d);
    assert_string_equal(d->ops->name, "tap");
    assert_non_null(strstr(d->detail, "(auto)"));
    d->ops->close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_cross_to_and_from_the_kernel),
        cmocka_unit_test(frames_longer_than_we_take_are_dropped_and_counted),
        cmocka_unit_test(own_device_goes_with_the_driver_and_an_existing_one_stays),
        cmocka_unit_test(other_devices_and_busy_ones_are_refused_with_a_remedy),
        cmocka_unit_test(auto_makes_a_tap_where_no_device_is),
    };
    return cmocka_run_group_tests_name("drv/tap", tests, NULL, NULL);
}
