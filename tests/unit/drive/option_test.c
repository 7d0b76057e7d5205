/* Socket options of libcapy_drive: set, read back, inherited, refused; names and units are Linux's.
 * That they do what they say is for the tests of the protocol to show. */
#include "tool.h"

#include <sys/ioctl.h>

static int get_int(struct tool *t, int fd, int level, int name)
{
    int v = -1;
    socklen_t len = sizeof v;
    assert_int_equal(drive_getsockopt(tool_step(t), fd, level, name, &v, &len), 0);
    return v;
}

static void set_int(struct tool *t, int fd, int level, int name, int v)
{
    assert_int_equal(drive_setsockopt(tool_step(t), fd, level, name, &v, sizeof v), 0);
}

static void refuse_int(struct tool *t, int fd, int level, int name, int v, int error)
{
    assert_fails(drive_setsockopt(tool_step(t), fd, level, name, &v, sizeof v), error);
}

/* Set and read back; a listener's go to what it accepts. */
static void set_numbers(struct tool *t, int fd)
{
    set_int(t, fd, SOL_SOCKET, SO_KEEPALIVE, 7);
    set_int(t, fd, SOL_SOCKET, SO_RCVBUF, 100000);
    set_int(t, fd, SOL_SOCKET, SO_SNDBUF, 50000);
    set_int(t, fd, SOL_SOCKET, SO_MAX_PACING_RATE, 7000000);
    set_int(t, fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_int(t, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 12345);
    set_int(t, fd, IPPROTO_TCP, TCP_KEEPIDLE, 20);
    set_int(t, fd, IPPROTO_TCP, TCP_KEEPINTVL, 3);
    set_int(t, fd, IPPROTO_TCP, TCP_KEEPCNT, 2);
}

static void check_numbers(struct tool *t, int fd)
{
    assert_int_equal(get_int(t, fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(get_int(t, fd, SOL_SOCKET, SO_RCVBUF), 100000);
    assert_int_equal(get_int(t, fd, SOL_SOCKET, SO_SNDBUF), 50000);
    assert_int_equal(get_int(t, fd, SOL_SOCKET, SO_MAX_PACING_RATE), 7000000);
    assert_int_equal(get_int(t, fd, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(get_int(t, fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 12345);
    assert_int_equal(get_int(t, fd, IPPROTO_TCP, TCP_KEEPIDLE), 20);
    assert_int_equal(get_int(t, fd, IPPROTO_TCP, TCP_KEEPINTVL), 3);
    assert_int_equal(get_int(t, fd, IPPROTO_TCP, TCP_KEEPCNT), 2);
}

SCENARIO(options_go_from_listener_to_connection)
{
    int l = tool_listen(t);
    set_numbers(t, l);
    check_numbers(t, l);
    tool_shake(t);
    int fd = drive_accept(tool_step(t), l, NULL, NULL);
    check_numbers(t, fd);
    set_int(t, fd, IPPROTO_TCP, TCP_KEEPCNT, 5); /* and a connection's are its own */
    assert_int_equal(get_int(t, fd, IPPROTO_TCP, TCP_KEEPCNT), 5);
    check_numbers(t, l);
}

SCENARIO(options_of_a_socket_hold_when_it_connects)
{
    struct sockaddr_in name = tool_name(0xc0000202u, PEER_PORT);
    int fd = drive_socket(tool_step(t), AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    set_numbers(t, fd);
    set_int(t, fd, IPPROTO_TCP, TCP_MAXSEG, 900);
    assert_fails(drive_connect(tool_step(t), fd, (struct sockaddr *)&name, sizeof name),
                 EINPROGRESS);
    struct capy_tcp_segment syn = tool_expect(t, SYN, "");
    assert_int_equal(syn.mss, 900);
    assert_int_equal(syn.window, 65535);
    assert_int_equal(syn.wscale, 1); /* of 100000 bytes */
    check_numbers(t, fd);
    t->seq = PEER_ISN;
    tool_send(t, SYN | ACK, "");
    tool_expect(t, ACK, "");
    check_numbers(t, fd);
    assert_int_equal(get_int(t, fd, IPPROTO_TCP, TCP_MAXSEG), 900);
    set_int(t, fd, IPPROTO_TCP, TCP_MAXSEG, 500); /* lower: from now on */
    assert_int_equal(get_int(t, fd, IPPROTO_TCP, TCP_MAXSEG), 500);
    set_int(t, fd, IPPROTO_TCP, TCP_MAXSEG, 1400); /* higher than agreed: nothing */
    assert_int_equal(get_int(t, fd, IPPROTO_TCP, TCP_MAXSEG), 500);
}

static int asked(struct tool *t, int fd, unsigned long what)
{
    int n = -1;
    assert_int_equal(drive_ioctl(tool_step(t), fd, what, &n), 0);
    return n;
}

SCENARIO(requests_count_bytes)
{
    int fd = tool_accepted(t), l = drive_socket(tool_step(t), AF_INET, SOCK_STREAM, 0), n = 1;
    assert_int_equal(asked(t, fd, FIONREAD), 0);
    assert_int_equal(asked(t, fd, TIOCOUTQ), 0);
    tool_send(t, ACK, "hello");
    assert_int_equal(asked(t, fd, FIONREAD), 5);
    tool_write(t, fd, "an answer");
    tool_expect(t, ACK, "an answer");
    assert_int_equal(asked(t, fd, TIOCOUTQ), 9);
    tool_send(t, FIN | ACK, "");
    tool_expect(t, ACK, "");
    assert_int_equal(asked(t, fd, TIOCOUTQ), 0);
    assert_int_equal(asked(t, fd, FIONREAD), 5); /* a FIN is no byte */
    tool_read(t, fd, "hello");
    assert_int_equal(asked(t, fd, FIONREAD), 0);

    assert_int_equal(drive_ioctl(tool_step(t), fd, FIONBIO, &n), 0);
    assert_true(drive_fcntl(tool_step(t), fd, F_GETFL, 0) & O_NONBLOCK);
    assert_fails(drive_ioctl(tool_step(t), fd, FIONREAD, NULL), EFAULT);
    assert_fails(drive_ioctl(tool_step(t), fd, TIOCSTI, &n), ENOTTY);
    assert_int_equal(drive_listen(tool_step(t), l, 1), 0);
    assert_fails(drive_ioctl(tool_step(t), l, FIONREAD, &n), EINVAL);
    assert_int_equal(get_int(t, l, SOL_SOCKET, SO_DOMAIN), AF_INET);
    assert_int_equal(get_int(t, l, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
}

/* Linux's ~0 is no limit, and not paced. */
SCENARIO(no_pacing_is_all_ones)
{
    int fd = tool_accepted(t);
    assert_int_equal(get_int(t, fd, SOL_SOCKET, SO_MAX_PACING_RATE), -1);
    set_int(t, fd, SOL_SOCKET, SO_MAX_PACING_RATE, INT32_MIN); /* 2^31 */
    assert_int_equal(get_int(t, fd, SOL_SOCKET, SO_MAX_PACING_RATE), INT32_MIN);
    set_int(t, fd, SOL_SOCKET, SO_MAX_PACING_RATE, -1);
    assert_int_equal(get_int(t, fd, SOL_SOCKET, SO_MAX_PACING_RATE), -1);
}

/* 100,000 bytes per second and segments of 1000: a quantum is two of them, every 20 ms. */
SCENARIO(a_paced_connection_sends_in_quanta)
{
    int fd = tool_accepted(t);
    char data[8000], segment[1001] = "";
    memset(data, 'x', sizeof data);
    memset(segment, 'x', 1000);
    set_int(t, fd, SOL_SOCKET, SO_MAX_PACING_RATE, 100000);
    assert_int_equal(drive_write(tool_step(t), fd, data, sizeof data), sizeof data);
    uint64_t start = 0;
    for (int i = 0; i < 4; i++) {
        tool_expect_in(t, ACK, segment, 25000000, false);
        if (i == 0)
            start = t->at;
        tool_expect_in(t, ACK, segment, 0, false);
        assert_in_range(t->at - start, i * 20000000, i * 20000000 + 4096 * i);
        tool_send(t, ACK, "");
        tool_expect_nothing(t);
    }
}

SCENARIO(options_out_of_range_are_refused)
{
    int fd = drive_socket(tool_step(t), AF_INET, SOCK_STREAM, 0), v = 1;
    socklen_t len = sizeof v;
    refuse_int(t, fd, IPPROTO_TCP, TCP_KEEPIDLE, 0, EINVAL);
    refuse_int(t, fd, IPPROTO_TCP, TCP_KEEPIDLE, -1, EINVAL);
    refuse_int(t, fd, IPPROTO_TCP, TCP_KEEPINTVL, 32768, EINVAL);
    refuse_int(t, fd, IPPROTO_TCP, TCP_KEEPCNT, 128, EINVAL);
    refuse_int(t, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, -5, EINVAL);
    refuse_int(t, fd, IPPROTO_TCP, TCP_MAXSEG, 10, EINVAL);
    refuse_int(t, fd, IPPROTO_TCP, TCP_QUICKACK, 1, ENOPROTOOPT);
    refuse_int(t, fd, IPPROTO_IP, IP_TTL, 1, ENOPROTOOPT);
    assert_fails(drive_getsockopt(t->d, fd, IPPROTO_IP, IP_TTL, &v, &len), ENOPROTOOPT);
    assert_fails(drive_setsockopt(t->d, fd, SOL_SOCKET, SO_RCVBUF, &v, 2), EINVAL);
    set_int(t, fd, SOL_SOCKET, SO_RCVBUF, -1); /* clamped, as by Linux */
    assert_int_equal(get_int(t, fd, SOL_SOCKET, SO_RCVBUF), 2048);
    set_int(t, fd, SOL_SOCKET, SO_SNDBUF, INT32_MAX);
    assert_int_equal(get_int(t, fd, SOL_SOCKET, SO_SNDBUF), 1 << 24);
    assert_fails(drive_socket(t->d, AF_INET, SOCK_DGRAM, 0), EPROTONOSUPPORT);
}

SCENARIO(congestion_control_has_a_name)
{
    int fd = tool_accepted(t);
    char name[16];
    socklen_t len = sizeof name;
    assert_int_equal(drive_getsockopt(t->d, fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
    assert_string_equal(name, "cubic");
    assert_int_equal(drive_setsockopt(tool_step(t), fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4), 0);
    len = sizeof name;
    assert_int_equal(drive_getsockopt(tool_step(t), fd, IPPROTO_TCP, TCP_CONGESTION, name, &len),
                     0);
    assert_string_equal(name, "newreno");
    assert_fails(drive_setsockopt(tool_step(t), fd, IPPROTO_TCP, TCP_CONGESTION, "vegas", 5),
                 ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_go_from_listener_to_connection),
        cmocka_unit_test(options_of_a_socket_hold_when_it_connects),
        cmocka_unit_test(requests_count_bytes),
        cmocka_unit_test(no_pacing_is_all_ones),
        cmocka_unit_test(a_paced_connection_sends_in_quanta),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(congestion_control_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
