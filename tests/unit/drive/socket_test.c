/* Sockets of libcapy_drive, driven as an outside test tool would: by POSIX calls and injected
 * segments, in virtual time. Each scenario runs with and without migrations (tool.h). */
#include "tool.h"

static int tcp_state(struct tool *t, int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    assert_int_equal(drive_getsockopt(tool_step(t), fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    return info.tcpi_state;
}

static int so_error(struct tool *t, int fd)
{
    int error = -1;
    socklen_t len = sizeof error;
    assert_int_equal(drive_getsockopt(tool_step(t), fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    return error;
}

static short polled(struct tool *t, int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    int n = drive_poll(tool_step(t), &p, 1, 0);
    assert_int_equal(n, p.revents != 0);
    return p.revents;
}

SCENARIO(data_goes_both_ways_and_both_sides_close)
{
    int l = tool_listen(t);
    assert_int_equal(tcp_state(t, l), TCP_LISTEN);
    assert_int_equal(polled(t, l, POLLIN), 0);
    tool_shake(t);
    assert_int_equal(polled(t, l, POLLIN), POLLIN);
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    int fd = drive_accept(tool_step(t), l, (struct sockaddr *)&from, &len);
    assert_true(fd > l);
    assert_int_equal(ntohs(from.sin_port), PEER_PORT);
    assert_int_equal(ntohl(from.sin_addr.s_addr), 0xc0000202u);
    assert_int_equal(tcp_state(t, fd), TCP_ESTABLISHED);

    tool_send(t, ACK, "a question that crosses the wrap");
    tool_read(t, fd, "a question that crosses the wrap");
    tool_write(t, fd, "an answer");
    tool_expect(t, ACK, "an answer");
    tool_send(t, ACK, "");

    tool_send(t, FIN | ACK, "");
    tool_expect(t, ACK, "");
    assert_int_equal(tcp_state(t, fd), TCP_CLOSE_WAIT);
    tool_read(t, fd, "");
    assert_int_equal(drive_close(tool_step(t), fd), 0);
    tool_expect(t, FIN | ACK, "");
    tool_send(t, ACK, "");
    tool_expect_nothing(t);
    assert_fails(drive_close(tool_step(t), fd), EBADF);
    tool_send(t, ACK, ""); /* it is over: any segment is answered by a reset */
    uint8_t packet[DRIVE_PACKET_MAX];
    assert_true(tool_sniff(t, packet, 0) > 0);
}

SCENARIO(our_side_closes_first)
{
    int fd = tool_accepted(t);
    assert_int_equal(drive_shutdown(tool_step(t), fd, SHUT_WR), 0);
    tool_expect(t, FIN | ACK, "");
    assert_int_equal(tcp_state(t, fd), TCP_FIN_WAIT1);
    assert_fails(drive_write(tool_step(t), fd, "x", 1), EPIPE);
    tool_send(t, ACK, "");
    assert_int_equal(tcp_state(t, fd), TCP_FIN_WAIT2);
    tool_send(t, ACK, "half-open still reads");
    tool_send(t, FIN | ACK, "");
    assert_int_equal(tcp_state(t, fd), TCP_TIME_WAIT);
    drive_sleep(tool_step(t), 120 * SEC); /* TIME_WAIT ends; what is unread does not */
    tool_read(t, fd, "half-open still reads");
    tool_read(t, fd, "");
    assert_int_equal(drive_close(tool_step(t), fd), 0);
    while (tool_sniff(t, (uint8_t[DRIVE_PACKET_MAX]){0}, 0) > 0)
        ;
}

SCENARIO(both_sides_close_at_once)
{
    int fd = tool_accepted(t);
    assert_int_equal(drive_shutdown(tool_step(t), fd, SHUT_WR), 0);
    tool_expect(t, FIN | ACK, "");
    t->ack--; /* our FIN does not acknowledge theirs */
    tool_send(t, FIN | ACK, "");
    t->ack++;
    tool_expect(t, ACK, "");
    assert_int_equal(tcp_state(t, fd), TCP_CLOSING);
    tool_send(t, ACK, "");
    assert_int_equal(tcp_state(t, fd), TCP_TIME_WAIT);
    assert_int_equal(drive_close(tool_step(t), fd), 0);
}

SCENARIO(connect_without_blocking)
{
    struct sockaddr_in name = tool_name(0xc0000202u, PEER_PORT), got;
    socklen_t len = sizeof got;
    int fd = drive_socket(tool_step(t), AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(fd, 3);
    assert_fails(drive_write(tool_step(t), fd, "x", 1), ENOTCONN);
    assert_fails(drive_connect(tool_step(t), fd, (struct sockaddr *)&name, sizeof name),
                 EINPROGRESS);
    assert_fails(drive_connect(tool_step(t), fd, (struct sockaddr *)&name, sizeof name), EALREADY);
    assert_int_equal(polled(t, fd, POLLIN | POLLOUT), 0);
    assert_fails(drive_write(tool_step(t), fd, "x", 1), EAGAIN);
    struct capy_tcp_segment syn = tool_expect(t, SYN, "");
    assert_true(syn.opts & CAPY_TCP_OPT_MSS);
    assert_int_equal(tcp_state(t, fd), TCP_SYN_SENT);
    t->seq = PEER_ISN;
    tool_send(t, SYN | ACK, "");
    tool_expect(t, ACK, "");
    assert_int_equal(polled(t, fd, POLLIN | POLLOUT), POLLOUT);
    assert_int_equal(so_error(t, fd), 0);
    assert_fails(drive_connect(tool_step(t), fd, (struct sockaddr *)&name, sizeof name), EISCONN);
    assert_int_equal(drive_getpeername(tool_step(t), fd, (struct sockaddr *)&got, &len), 0);
    assert_int_equal(ntohs(got.sin_port), PEER_PORT);
    assert_int_equal(drive_getsockname(tool_step(t), fd, (struct sockaddr *)&got, &len), 0);
    assert_int_equal(ntohs(got.sin_port), t->port);
    tool_write(t, fd, "first");
    tool_expect(t, ACK, "first");
}

SCENARIO(both_sides_open_at_once)
{
    struct sockaddr_in name = tool_name(0xc0000202u, PEER_PORT);
    int fd = drive_socket(tool_step(t), AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_fails(drive_connect(tool_step(t), fd, (struct sockaddr *)&name, sizeof name),
                 EINPROGRESS);
    tool_expect(t, SYN, "");
    t->seq = PEER_ISN;
    tool_send(t, SYN, "");
    tool_expect(t, SYN | ACK, "");
    assert_int_equal(tcp_state(t, fd), TCP_SYN_RECV);
    tool_send(t, ACK, "");
    assert_int_equal(tcp_state(t, fd), TCP_ESTABLISHED);
    assert_int_equal(polled(t, fd, POLLOUT), POLLOUT);
}

SCENARIO(connect_is_refused)
{
    struct sockaddr_in name = tool_name(0xc0000202u, PEER_PORT);
    int fd = drive_socket(tool_step(t), AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_fails(drive_connect(tool_step(t), fd, (struct sockaddr *)&name, sizeof name),
                 EINPROGRESS);
    tool_expect(t, SYN, "");
    tool_send(t, RST | ACK, "");
    assert_int_equal(polled(t, fd, POLLOUT), POLLOUT | POLLERR | POLLHUP);
    assert_int_equal(so_error(t, fd), ECONNREFUSED);
    assert_int_equal(so_error(t, fd), 0);
    uint16_t before = t->port;
    assert_fails(drive_connect(tool_step(t), fd, (struct sockaddr *)&name, sizeof name),
                 EINPROGRESS);
    tool_expect(t, SYN, "");
    assert_int_not_equal(t->port, before); /* RFC 6056: the counter went on */
}

SELF_CLOCKED(connect_times_out)
{
    uint8_t packet[DRIVE_PACKET_MAX];
    struct sockaddr_in name = tool_name(0xc0000202u, PEER_PORT);
    int fd = drive_socket(tool_step(t), AF_INET, SOCK_STREAM, 0);
    assert_fails(drive_connect(tool_step(t), fd, (struct sockaddr *)&name, sizeof name), ETIMEDOUT);
    uint64_t before = 0, gap = 0, syns = 0;
    while (tool_sniff(t, packet, 0) > 0) { /* RFC 6298 §5.5: each wait is twice the one before */
        if (gap < 32 * SEC)
            assert_true(t->at - before >= gap + gap * 9 / 10);
        gap = t->at - before;
        before = t->at;
        syns++;
    }
    assert_true(syns > 3);
    assert_true(drive_now(t->d) >= before + gap);
    assert_true(drive_now(t->d) >= 180 * SEC); /* RFC 9293 MUST-23 */
}

SCENARIO(nobody_listens)
{
    t->port = SERVICE_PORT;
    t->seq = PEER_ISN;
    tool_send(t, SYN, "");
    t->ack = 0; /* RFC 9293 §3.10.7.1: the RST of a segment without ACK is at 0 */
    tool_expect(t, RST | ACK, "");
}

SCENARIO(unanswered_bytes_go_again)
{
    int fd = tool_accepted(t);
    tool_write(t, fd, "do you hear me");
    tool_expect(t, ACK, "do you hear me");
    uint64_t before = t->at, gap = 0;
    assert_int_equal(before, drive_now(t->d));
    for (unsigned i = 0; i < 4; i++) {
        tool_expect_in(t, ACK, "do you hear me", (int64_t)(60 * SEC), true);
        assert_true(t->at > before && t->at == drive_now(t->d));
        if (i >= 2) /* after the tail loss probe, and the first timeout */
            assert_true(t->at - before >= gap + gap * 9 / 10);
        gap = t->at - before;
        before = t->at;
    }
    tool_send(t, ACK, "");
    drive_sleep(tool_step(t), 60 * SEC);
    tool_expect_nothing(t);
}

SCENARIO(the_peer_falls_silent)
{
    uint8_t packet[DRIVE_PACKET_MAX];
    int fd = tool_accepted(t);
    tool_write(t, fd, "hello?");
    drive_sleep(tool_step(t), 3600 * SEC);
    while (tool_sniff(t, packet, 0) > 0)
        ;
    char c;
    assert_int_equal(polled(t, fd, POLLIN), POLLIN | POLLERR | POLLHUP);
    assert_fails(drive_read(tool_step(t), fd, &c, 1), ETIMEDOUT);
    assert_int_equal(drive_read(tool_step(t), fd, &c, 1), 0);
    assert_fails(drive_write(tool_step(t), fd, "x", 1), EPIPE);
}

SCENARIO(a_peek_leaves_the_bytes)
{
    char buf[8];
    int fd = tool_accepted(t);
    assert_fails(drive_recv(tool_step(t), fd, buf, sizeof buf, MSG_DONTWAIT), EAGAIN);
    assert_int_equal(drive_fcntl(tool_step(t), fd, F_SETFL, O_NONBLOCK), 0);
    assert_true(drive_fcntl(tool_step(t), fd, F_GETFL, 0) & O_NONBLOCK);
    assert_fails(drive_read(tool_step(t), fd, buf, sizeof buf), EAGAIN);
    tool_send(t, ACK, "abcdef");
    assert_int_equal(polled(t, fd, POLLIN), POLLIN);
    assert_int_equal(drive_recv(tool_step(t), fd, buf, 4, MSG_PEEK), 4);
    assert_memory_equal(buf, "abcd", 4);
    assert_int_equal(drive_recv(tool_step(t), fd, buf, 2, 0), 2);
    tool_read(t, fd, "cdef");
    assert_fails(drive_recv(tool_step(t), fd, buf, 1, MSG_OOB), EOPNOTSUPP);
}

SCENARIO(a_reset_is_told_once)
{
    char buf[8];
    int fd = tool_accepted(t);
    tool_send(t, ACK, "lost");
    tool_send(t, RST | ACK, "");
    assert_int_equal(polled(t, fd, POLLIN), POLLIN | POLLERR | POLLHUP);
    assert_fails(drive_read(tool_step(t), fd, buf, sizeof buf), ECONNRESET);
    assert_int_equal(drive_read(tool_step(t), fd, buf, sizeof buf), 0);
    assert_fails(drive_write(tool_step(t), fd, "x", 1), EPIPE);
    assert_int_equal(drive_close(tool_step(t), fd), 0);
}

SCENARIO(closing_over_unread_bytes_resets)
{
    int fd = tool_accepted(t);
    tool_send(t, ACK, "never read");
    assert_int_equal(drive_close(tool_step(t), fd), 0);
    tool_expect(t, RST | ACK, "");
}

SCENARIO(lingering_for_no_time_resets)
{
    struct linger hard = {.l_onoff = 1};
    int fd = tool_accepted(t);
    assert_int_equal(drive_setsockopt(tool_step(t), fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard),
                     0);
    assert_int_equal(drive_close(tool_step(t), fd), 0);
    tool_expect(t, RST | ACK, "");
    tool_expect_nothing(t);
}

SELF_CLOCKED(lingering_ends_with_its_time)
{
    struct linger soft = {.l_onoff = 1, .l_linger = 2};
    int fd = tool_accepted(t);
    assert_int_equal(drive_setsockopt(tool_step(t), fd, SOL_SOCKET, SO_LINGER, &soft, sizeof soft),
                     0);
    tool_write(t, fd, "unheard");
    uint64_t before = drive_now(t->d);
    assert_int_equal(drive_close(tool_step(t), fd), 0);
    assert_int_equal(drive_now(t->d), before + 2 * SEC);
}

SELF_CLOCKED(poll_waits_as_long_as_it_says)
{
    int fd = tool_accepted(t);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint64_t before = drive_now(t->d);
    assert_int_equal(drive_poll(tool_step(t), &p, 1, 250), 0);
    assert_int_equal(drive_now(t->d), before + 250 * MS);
    p.fd = 77;
    assert_int_equal(drive_poll(tool_step(t), &p, 1, 0), 1);
    assert_int_equal(p.revents, POLLNVAL);
}

SCENARIO(more_fills_segments)
{
    char full[1001];
    memset(full, 'f', 1000);
    full[1000] = '\0';
    int fd = tool_accepted(t), on = 1, off = 0;
    assert_int_equal(drive_send(tool_step(t), fd, "one ", 4, MSG_MORE), 4);
    tool_expect_nothing(t);
    assert_int_equal(drive_send(tool_step(t), fd, "two", 3, 0), 3);
    tool_expect(t, ACK, "one two");
    tool_send(t, ACK, "");
    assert_int_equal(drive_setsockopt(tool_step(t), fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on), 0);
    tool_write(t, fd, full + 10);
    tool_expect_nothing(t);
    tool_write(t, fd, "ffffffffffgggg"); /* the peer's segments hold 1000 */
    tool_expect(t, ACK, full);
    tool_expect_nothing(t);
    tool_send(t, ACK, "");
    assert_int_equal(drive_setsockopt(tool_step(t), fd, IPPROTO_TCP, TCP_CORK, &off, sizeof off),
                     0);
    tool_expect(t, ACK, "gggg");
}

SCENARIO(small_writes_wait_for_acknowledgement)
{
    int fd = tool_accepted(t), on = 1;
    tool_write(t, fd, "a");
    tool_expect(t, ACK, "a");
    tool_write(t, fd, "b");
    tool_write(t, fd, "c");
    tool_expect_nothing(t); /* RFC 9293 §3.7.4 */
    tool_send(t, ACK, "");
    tool_expect(t, ACK, "bc");
    assert_int_equal(drive_setsockopt(tool_step(t), fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on),
                     0);
    tool_write(t, fd, "d");
    tool_expect(t, ACK, "d");
}

SCENARIO(a_full_send_queue_says_so)
{
    static uint8_t block[65536], packet[DRIVE_PACKET_MAX];
    int fd = tool_accepted(t);
    assert_int_equal(drive_fcntl(tool_step(t), fd, F_SETFL, O_NONBLOCK), 0);
    ssize_t n;
    size_t sum = 0;
    while ((n = drive_write(tool_step(t), fd, block, sizeof block)) > 0)
        sum += (size_t)n;
    assert_int_equal(errno, EAGAIN);
    assert_true(sum >= sizeof block);
    assert_int_equal(polled(t, fd, POLLOUT), 0);
    size_t len = 0, heard = 0;
    while ((len = tool_sniff(t, packet, 0)) > 0)
        heard += len - 40;
    assert_true(heard > 0 && heard < sum);
    t->ack += (uint32_t)heard;
    tool_send(t, ACK, "");
    assert_int_equal(polled(t, fd, POLLOUT), POLLOUT);
}

SCENARIO(ports_are_taken_until_they_are_not)
{
    int on = 1;
    struct sockaddr_in name = tool_name(INADDR_ANY, SERVICE_PORT);
    int fd = tool_accepted(t);
    assert_int_equal(drive_close(tool_step(t), fd), 0);
    tool_expect(t, FIN | ACK, "");
    tool_send(t, ACK, "");
    tool_send(t, FIN | ACK, ""); /* TIME_WAIT is left */
    int again = drive_socket(tool_step(t), AF_INET, SOCK_STREAM, 0);
    assert_fails(drive_bind(tool_step(t), again, (struct sockaddr *)&name, sizeof name),
                 EADDRINUSE);
    assert_int_equal(
        drive_setsockopt(tool_step(t), again, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    assert_int_equal(drive_bind(tool_step(t), again, (struct sockaddr *)&name, sizeof name), 0);
    assert_fails(drive_bind(tool_step(t), again, (struct sockaddr *)&name, sizeof name), EINVAL);
    assert_int_equal(drive_listen(tool_step(t), again, 1), 0);
    name.sin_addr.s_addr = htonl(0xc0000263u);
    int third = drive_socket(tool_step(t), AF_INET, SOCK_STREAM, 0);
    assert_fails(drive_bind(tool_step(t), third, (struct sockaddr *)&name, sizeof name),
                 EADDRNOTAVAIL);
}

SCENARIO(closing_a_listener_resets_its_queue)
{
    int l = tool_listen(t);
    tool_shake(t);
    assert_int_equal(drive_close(tool_step(t), l), 0);
    tool_expect(t, RST | ACK, "");
}

SCENARIO(a_half_open_connection_is_not_accepted_yet)
{
    int l = tool_listen(t);
    t->seq = PEER_ISN;
    tool_send(t, SYN, "");
    tool_expect(t, SYN | ACK, "");
    assert_int_equal(drive_fcntl(tool_step(t), l, F_SETFL, O_NONBLOCK), 0);
    assert_fails(drive_accept(tool_step(t), l, NULL, NULL), EAGAIN);
    tool_expect_in(t, SYN | ACK, "", (int64_t)(5 * SEC), false); /* and goes again */
    tool_send(t, ACK, "at last");
    int fd = drive_accept(tool_step(t), l, NULL, NULL);
    tool_read(t, fd, "at last");
}

SCENARIO(bytes_beyond_a_hole_wait)
{
    char buf[8];
    int fd = tool_accepted(t);
    t->seq += 3;
    struct capy_tcp_segment ahead = {.seq = {t->seq},
                                     .ack = {t->ack},
                                     .flags = ACK,
                                     .window = 65535,
                                     .data = (const uint8_t *)"def",
                                     .data_len = 3};
    tool_inject(t, &ahead);
    t->seq -= 3;
    tool_expect(t, ACK, "");
    assert_fails(drive_recv(tool_step(t), fd, buf, sizeof buf, MSG_DONTWAIT), EAGAIN);
    tool_send(t, ACK, "abc");
    t->seq += 3;
    tool_read(t, fd, "abcdef");
    tool_expect(t, ACK, "");
}

/* ---- options ---- */

static void delayed_scenario(struct tool *t)
{
    (void)tool_accepted(t);
    tool_send(t, ACK, "x");
    tool_expect_nothing(t);
    uint64_t before = drive_now(t->d);
    tool_expect_in(t, ACK, "", (int64_t)SEC, false);
    assert_true(t->at > before && t->at - before <= 500 * MS); /* RFC 9293 MUST-40 */
}

static void at_once_scenario(struct tool *t)
{
    (void)tool_accepted(t);
    drive_sleep(tool_step(t), 12345);
    tool_send(t, ACK, "x");
    tool_expect(t, ACK, "");
}

static void acknowledgements_may_be_delayed_or_not(void **state)
{
    (void)state;
    struct drive_options o = tool_options();
    tool_twice(delayed_scenario, &o);
    o.delayed_ack = false;
    tool_twice(at_once_scenario, &o);
}

static void window_scenario(struct tool *t)
{
    int l = tool_listen(t);
    t->seq = PEER_ISN;
    struct capy_tcp_segment syn = {.seq = {t->seq},
                                   .flags = SYN,
                                   .window = 65535,
                                   .opts = CAPY_TCP_OPT_MSS | CAPY_TCP_OPT_WSCALE,
                                   .mss = 1460,
                                   .wscale = 3};
    tool_inject(t, &syn);
    t->seq++;
    struct capy_tcp_segment answer = tool_expect(t, SYN | ACK, "");
    assert_int_equal(answer.window, 8192);
    assert_int_equal(answer.mss, 1160); /* MTU 1200 */
    assert_true(l >= 3);
}

static void buffer_and_mtu_show_in_the_handshake(void **state)
{
    (void)state;
    struct drive_options o = tool_options();
    o.receive_buffer = 8192;
    o.mtu = 1200;
    tool_twice(window_scenario, &o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_goes_both_ways_and_both_sides_close),
        cmocka_unit_test(our_side_closes_first),
        cmocka_unit_test(both_sides_close_at_once),
        cmocka_unit_test(connect_without_blocking),
        cmocka_unit_test(both_sides_open_at_once),
        cmocka_unit_test(connect_is_refused),
        cmocka_unit_test(connect_times_out),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(unanswered_bytes_go_again),
        cmocka_unit_test(the_peer_falls_silent),
        cmocka_unit_test(a_peek_leaves_the_bytes),
        cmocka_unit_test(a_reset_is_told_once),
        cmocka_unit_test(closing_over_unread_bytes_resets),
        cmocka_unit_test(lingering_for_no_time_resets),
        cmocka_unit_test(lingering_ends_with_its_time),
        cmocka_unit_test(poll_waits_as_long_as_it_says),
        cmocka_unit_test(more_fills_segments),
        cmocka_unit_test(small_writes_wait_for_acknowledgement),
        cmocka_unit_test(a_full_send_queue_says_so),
        cmocka_unit_test(ports_are_taken_until_they_are_not),
        cmocka_unit_test(closing_a_listener_resets_its_queue),
        cmocka_unit_test(a_half_open_connection_is_not_accepted_yet),
        cmocka_unit_test(bytes_beyond_a_hole_wait),
        cmocka_unit_test(acknowledgements_may_be_delayed_or_not),
        cmocka_unit_test(buffer_and_mtu_show_in_the_handshake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
