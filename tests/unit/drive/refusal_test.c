/* Calls of libcapy_drive that make no sense: each says why by errno, as POSIX has it, and changes
 * nothing. And options out of range, by name. */
#include "tool.h"

#include <sys/ioctl.h>

static struct drive *d;

static int set_up(void **state)
{
    (void)state;
    const struct drive_options o = tool_options();
    d = drive_create(&o, NULL, 0);
    return d ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    drive_destroy(d);
    d = NULL;
    return 0;
}

#define FAILS(call, error)                                                                         \
    do {                                                                                           \
        errno = 0;                                                                                 \
        assert_int_equal(call, -1);                                                                \
        assert_int_equal(errno, error);                                                            \
    } while (0)

static int fresh(void)
{
    int fd = drive_socket(d, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 3);
    return fd;
}

static int bound(uint16_t port)
{
    const struct sockaddr_in name = tool_name(0xc0000201u, port);
    int fd = fresh();
    assert_int_equal(drive_bind(d, fd, (const struct sockaddr *)&name, sizeof name), 0);
    return fd;
}

static void no_call_takes_a_descriptor_that_is_none(void **state)
{
    (void)state;
    const struct sockaddr_in name = tool_name(0xc0000202u, PEER_PORT);
    const struct sockaddr *at = (const struct sockaddr *)&name;
    struct sockaddr_in out;
    socklen_t len = sizeof out;
    int value = 0, closed = fresh();
    char byte = 0;
    assert_int_equal(drive_close(d, closed), 0);
    const int wrong[] = {-1, 0, 2, 3, closed, DRIVE_SOCKET_MAX + 3, INT32_MAX};
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        int fd = wrong[i];
        FAILS(drive_bind(d, fd, at, sizeof name), EBADF);
        FAILS(drive_listen(d, fd, 1), EBADF);
        FAILS(drive_accept(d, fd, NULL, NULL), EBADF);
        FAILS(drive_ioctl(d, fd, FIONREAD, &value), EBADF);
        FAILS(drive_connect(d, fd, at, sizeof name), EBADF);
        FAILS(drive_getsockname(d, fd, (struct sockaddr *)&out, &len), EBADF);
        FAILS(drive_getpeername(d, fd, (struct sockaddr *)&out, &len), EBADF);
        FAILS(drive_read(d, fd, &byte, 1), EBADF);
        FAILS(drive_write(d, fd, &byte, 1), EBADF);
        FAILS(drive_shutdown(d, fd, SHUT_WR), EBADF);
        FAILS(drive_close(d, fd), EBADF);
        FAILS(drive_fcntl(d, fd, F_GETFL, 0), EBADF);
        FAILS(drive_setsockopt(d, fd, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof value), EBADF);
        FAILS(drive_getsockopt(d, fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len), EBADF);
    }
}

static void sockets_of_another_kind_are_refused(void **state)
{
    (void)state;
    FAILS(drive_socket(d, AF_INET6, SOCK_STREAM, 0), EAFNOSUPPORT); /* the host is of IPv4 */
    FAILS(drive_socket(d, AF_UNIX, SOCK_STREAM, 0), EAFNOSUPPORT);
    FAILS(drive_socket(d, AF_INET, SOCK_DGRAM, 0), EPROTONOSUPPORT);
    FAILS(drive_socket(d, AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
    int cnt = 0;
    while (drive_socket(d, AF_INET, SOCK_STREAM, IPPROTO_TCP) >= 0)
        cnt++;
    assert_int_equal(errno, EMFILE);
    assert_int_equal(cnt, DRIVE_SOCKET_MAX);
}

static void names_must_be_whole_and_of_the_hosts_family(void **state)
{
    (void)state;
    struct sockaddr_in name = tool_name(0xc0000202u, PEER_PORT);
    const struct sockaddr *at = (const struct sockaddr *)&name;
    int fd = fresh();
    FAILS(drive_connect(d, fd, NULL, sizeof name), EINVAL);
    FAILS(drive_connect(d, fd, at, 1), EINVAL);
    FAILS(drive_connect(d, fd, at, sizeof name - 1), EINVAL);
    name.sin_family = AF_INET6;
    FAILS(drive_connect(d, fd, at, sizeof name), EAFNOSUPPORT);
    FAILS(drive_bind(d, fd, at, sizeof name), EAFNOSUPPORT);
    FAILS(drive_getsockname(d, fd, (struct sockaddr *)&name, NULL), EINVAL);
}

static void a_socket_that_has_no_peer_says_so(void **state)
{
    (void)state;
    struct sockaddr_in out;
    socklen_t len = sizeof out;
    char byte = 0;
    int fd = fresh();
    for (uint16_t i = 0; i < 2; i++) {
        FAILS(drive_read(d, fd, &byte, 1), ENOTCONN);
        FAILS(drive_write(d, fd, &byte, 1), ENOTCONN);
        FAILS(drive_shutdown(d, fd, SHUT_WR), ENOTCONN);
        FAILS(drive_getpeername(d, fd, (struct sockaddr *)&out, &len), ENOTCONN);
        fd = bound((uint16_t)(SERVICE_PORT + i));
        assert_int_equal(drive_listen(d, fd, 1), 0);
    }
    FAILS(drive_shutdown(d, fd, 77), EINVAL);
    FAILS(drive_recv(d, fd, &byte, 1, MSG_OOB), EOPNOTSUPP);
    FAILS(drive_send(d, fd, &byte, 1, MSG_OOB), EOPNOTSUPP);
    FAILS(drive_recv(d, fd, NULL, 1, 0), EFAULT);
    FAILS(drive_send(d, fd, NULL, 1, 0), EFAULT);
    FAILS(drive_accept4(d, fd, NULL, NULL, SOCK_STREAM), EINVAL);
}

static void only_a_listener_accepts_and_it_does_not_connect(void **state)
{
    (void)state;
    const struct sockaddr_in name = tool_name(0xc0000202u, PEER_PORT);
    const struct sockaddr *at = (const struct sockaddr *)&name;
    int fd = bound(SERVICE_PORT), other = fresh(), connecting = fresh();
    FAILS(drive_accept(d, fd, NULL, NULL), EINVAL);
    assert_int_equal(drive_listen(d, fd, 1), 0);
    assert_int_equal(drive_listen(d, fd, 5), 0); /* once more is no harm */
    FAILS(drive_accept(d, fd, NULL, NULL), EAGAIN);
    FAILS(drive_connect(d, fd, at, sizeof name), EOPNOTSUPP);
    FAILS(drive_connect(d, connecting, at, sizeof name), EINPROGRESS);
    FAILS(drive_connect(d, connecting, at, sizeof name), EALREADY);
    FAILS(drive_listen(d, connecting, 1), EINVAL);
    /* Without a name it listens where it may. */
    assert_int_equal(drive_listen(d, other, 1), 0);
    struct sockaddr_in out;
    socklen_t len = sizeof out;
    assert_int_equal(drive_getsockname(d, other, (struct sockaddr *)&out, &len), 0);
    assert_true(ntohs(out.sin_port) >= 49152);
}

static void ports_are_shared_only_by_those_who_say_so(void **state)
{
    (void)state;
    const struct sockaddr_in name = tool_name(0xc0000201u, SERVICE_PORT);
    const struct sockaddr_in any = tool_name(0, 0);
    int one = 1, first = bound(SERVICE_PORT), fd = fresh();
    FAILS(drive_bind(d, fd, (const struct sockaddr *)&name, sizeof name), EADDRINUSE);
    assert_int_equal(drive_setsockopt(d, fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    FAILS(drive_bind(d, fd, (const struct sockaddr *)&name, sizeof name), EADDRINUSE);
    assert_int_equal(drive_setsockopt(d, first, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    assert_int_equal(drive_bind(d, fd, (const struct sockaddr *)&name, sizeof name), 0);
    FAILS(drive_bind(d, fd, (const struct sockaddr *)&name, sizeof name), EINVAL);
    assert_int_equal(drive_listen(d, first, 1), 0);
    FAILS(drive_listen(d, fd, 1), EADDRINUSE);
    int chosen = fresh();
    assert_int_equal(drive_bind(d, chosen, (const struct sockaddr *)&any, sizeof any), 0);
}

static void options_of_sockets_are_honoured_or_refused(void **state)
{
    (void)state;
    struct linger linger = {.l_onoff = 1, .l_linger = -5};
    int fd = fresh(), value = 1, listener = bound(SERVICE_PORT);
    socklen_t len = sizeof value;
    assert_int_equal(drive_listen(d, listener, 1), 0);
    FAILS(drive_setsockopt(d, fd, SOL_SOCKET, SO_KEEPALIVE, NULL, sizeof value), EFAULT);
    FAILS(drive_setsockopt(d, fd, SOL_SOCKET, SO_LINGER, &linger, 4), EINVAL);
    FAILS(drive_setsockopt(d, fd, SOL_SOCKET, SO_BROADCAST, &value, sizeof value), ENOPROTOOPT);
    FAILS(drive_setsockopt(d, fd, IPPROTO_IP, 1, &value, sizeof value), ENOPROTOOPT);
    FAILS(drive_setsockopt(d, fd, SOL_SOCKET, SO_TYPE, &value, sizeof value), ENOPROTOOPT);
    FAILS(drive_setsockopt(d, fd, IPPROTO_TCP, TCP_QUICKACK, &value, 1), ENOPROTOOPT);
    FAILS(drive_setsockopt(d, fd, SOL_SOCKET, SO_BROADCAST, NULL, 0), ENOPROTOOPT);
    FAILS(drive_setsockopt(d, fd, SOL_SOCKET, SO_REUSEADDR, &value, 1), EINVAL);
    FAILS(drive_setsockopt(d, fd, IPPROTO_TCP, TCP_NODELAY, &value, 0), EINVAL);
    FAILS(drive_getsockopt(d, fd, SOL_SOCKET, SO_ERROR, NULL, &len), EFAULT);
    FAILS(drive_poll(d, NULL, 1, 0), EFAULT);
    FAILS(drive_inject(d, NULL, 40), EFAULT);
    FAILS(drive_getsockopt(d, fd, SOL_SOCKET, SO_KEEPALIVE, NULL, &len), EFAULT);
    FAILS(drive_getsockopt(d, fd, SOL_SOCKET, SO_KEEPALIVE, &value, NULL), EFAULT);
    FAILS(drive_getsockopt(d, fd, SOL_SOCKET, SO_BROADCAST, &value, &len), ENOPROTOOPT);
    FAILS(drive_getsockopt(d, fd, IPPROTO_IP, 1, &value, &len), ENOPROTOOPT);
    FAILS(drive_fcntl(d, fd, F_GETLK, 0), EINVAL);
    assert_int_equal(drive_setsockopt(d, fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    len = sizeof linger;
    assert_int_equal(drive_getsockopt(d, fd, SOL_SOCKET, SO_LINGER, &linger, &len), 0);
    assert_true(linger.l_onoff == 1 && linger.l_linger == 0);
    static const struct {
        int name;
        bool listening;
        int value;
    } told[] = {{SO_TYPE, false, SOCK_STREAM},
                {SO_ACCEPTCONN, false, 0},
                {SO_ACCEPTCONN, true, 1},
                {SO_REUSEADDR, false, 0},
                {SO_ERROR, false, 0}};
    for (unsigned i = 0; i < sizeof told / sizeof told[0]; i++) {
        len = sizeof value;
        assert_int_equal(drive_getsockopt(d, told[i].listening ? listener : fd, SOL_SOCKET,
                                          told[i].name, &value, &len),
                         0);
        assert_int_equal(value, told[i].value);
    }
}

static void packets_must_have_a_length_and_fit(void **state)
{
    (void)state;
    static uint8_t packet[DRIVE_PACKET_MAX + 1];
    const struct sockaddr_in name = tool_name(0xc0000202u, PEER_PORT);
    FAILS(drive_inject(d, packet, 0), EMSGSIZE);
    FAILS(drive_inject(d, packet, sizeof packet), EMSGSIZE);
    FAILS(drive_connect(d, fresh(), (const struct sockaddr *)&name, sizeof name), EINPROGRESS);
    FAILS(drive_sniff(d, packet, 10, NULL, 0), EMSGSIZE);
    assert_true(drive_sniff(d, packet, sizeof packet, NULL, 0) > 40); /* it stayed: the SYN */
    assert_int_equal(drive_sniff(d, packet, sizeof packet, NULL, 0), 0);
}

static void refused(const struct drive_options *o, int error, const char *named)
{
    char err[128];
    errno = 0;
    assert_null(drive_create(o, err, sizeof err));
    assert_int_equal(errno, error);
    assert_non_null(strstr(err, named));
    assert_null(drive_create(o, NULL, 0));
}

#define REFUSED(field, wrong, error)                                                               \
    do {                                                                                           \
        struct drive_options o = tool_options();                                                   \
        o.field = wrong;                                                                           \
        refused(&o, error, #field);                                                                \
    } while (0)

static void options_out_of_range_are_refused_by_name(void **state)
{
    (void)state;
    REFUSED(local, NULL, EINVAL);
    REFUSED(local, "192.0.2.256", EINVAL);
    REFUSED(local, "192.0.2.2", EINVAL); /* the remote's */
    REFUSED(local, "127.0.0.1", EINVAL); /* and those that no host can have */
    REFUSED(local, "224.0.0.1", EINVAL);
    REFUSED(local, "192.0.2.255", EINVAL);
    REFUSED(local, "192.0.2.0", EINVAL);
    REFUSED(remote, "192.0.2.255", EINVAL);
    REFUSED(remote, "255.255.255.255", EINVAL);
    REFUSED(remote, "localhost", EINVAL);
    REFUSED(gateway, "none", EINVAL);
    REFUSED(prefix_len, 0, EINVAL);
    REFUSED(prefix_len, 33, EINVAL);
    REFUSED(mtu, 575, EINVAL);
    REFUSED(mtu, 1501, EINVAL);
    REFUSED(congestion, NULL, EOPNOTSUPP);
    REFUSED(congestion, "vegas", EOPNOTSUPP);
    REFUSED(initial_window, 0, EINVAL);
    REFUSED(initial_window, 65, EINVAL);
    REFUSED(receive_buffer, 4095, EINVAL);
    REFUSED(receive_buffer, (1u << 24) + 1, EINVAL);
    REFUSED(delayed_ack_ms, 500, EINVAL);
    drive_destroy(NULL); /* is nothing */
}

static void addresses_that_do_not_go_together_are_refused(void **state)
{
    (void)state;
    struct drive_options o = tool_options();
    o.local = "2001:db8::1";
    refused(&o, EINVAL, "versions");
    o.remote = "2001:db8:1::2";
    o.prefix_len = 64;
    o.local = "::1";
    refused(&o, EINVAL, "local");
    o.local = "2001:db8::1";
    refused(&o, ENETUNREACH, "gateway");
    o.gateway = "2001:db8::ff";
    o.mtu = 1279;
    refused(&o, EINVAL, "mtu");
    o = tool_options();
    o.remote = "198.51.100.1";
    refused(&o, ENETUNREACH, "gateway");
    o.gateway = "192.0.2.254";
    struct drive *reachable = drive_create(&o, NULL, 0);
    assert_non_null(reachable);
    drive_destroy(reachable);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_call_takes_a_descriptor_that_is_none),
        TEST(sockets_of_another_kind_are_refused),
        TEST(names_must_be_whole_and_of_the_hosts_family),
        TEST(a_socket_that_has_no_peer_says_so),
        TEST(only_a_listener_accepts_and_it_does_not_connect),
        TEST(ports_are_shared_only_by_those_who_say_so),
        TEST(options_of_sockets_are_honoured_or_refused),
        TEST(packets_must_have_a_length_and_fit),
        cmocka_unit_test(options_out_of_range_are_refused_by_name),
        cmocka_unit_test(addresses_that_do_not_go_together_are_refused),
    };
    return cmocka_run_group_tests_name("drive/refusal", tests, NULL, NULL);
}
