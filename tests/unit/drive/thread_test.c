/* Blocking calls of libcapy_drive: one thread waits in them while another one injects, moves the
 * time, migrates or closes. No test depends on which of the two is first. */
#include "tool.h"

#include <pthread.h>

static void *accept_and_echo(void *arg)
{
    struct tool *t = arg;
    char buf[64];
    int fd = drive_accept(t->d, 3, NULL, NULL);
    ssize_t n;
    while (fd >= 0 && (n = drive_read(t->d, fd, buf, sizeof buf)) > 0)
        if (drive_write(t->d, fd, buf, (size_t)n) != n)
            return "short write";
    if (fd < 0 || n != 0 || drive_close(t->d, fd) != 0)
        return "failed call";
    return NULL;
}

/* The next packet that carries data or FIN, from whenever the other thread gets to it. */
static struct capy_tcp_segment answer(struct tool *t)
{
    static uint8_t frame[CAPY_FRAME_MAX];
    struct capy_packet p = {0};
    frame[12] = 0x08;
    do {
        size_t len = 0;
        while ((len = tool_sniff(t, frame + CAPY_ETHER_LEN, 0)) == 0)
            ;
        assert_int_equal(capy_frame_parse(frame, CAPY_ETHER_LEN + len, &p), CAPY_DROP_NONE);
    } while (p.tcp.data_len == 0 && !(p.tcp.flags & CAPY_TCP_FIN));
    t->ack = p.tcp.seq.v + capy_tcp_segment_len(&p.tcp);
    return p.tcp;
}

static void echo_over_a_blocked_thread(struct tool *t)
{
    pthread_t thread;
    void *why;
    assert_int_equal(tool_listen(t), 3);
    assert_int_equal(pthread_create(&thread, NULL, accept_and_echo, t), 0);
    tool_shake(t);
    for (unsigned i = 0; i < 20; i++) {
        tool_send(t, ACK, "hello");
        struct capy_tcp_segment seg = answer(t);
        assert_int_equal(seg.data_len, 5);
        assert_memory_equal(seg.data, "hello", 5);
    }
    tool_send(t, FIN | ACK, "");
    assert_true(answer(t).flags & CAPY_TCP_FIN);
    tool_send(t, ACK, "");
    assert_int_equal(pthread_join(thread, &why), 0);
    assert_null(why);
}

static void one_thread_waits_while_another_injects(void **state)
{
    (void)state;
    struct drive_options o;
    struct tool t;
    drive_options_default(&o);
    for (int migrating = 0; migrating < 2; migrating++) {
        tool_run(&t, echo_over_a_blocked_thread, &o, migrating);
        free(t.log);
    }
}

static void *accept_until_closed(void *arg)
{
    struct tool *t = arg;
    int rc = drive_accept(t->d, 3, NULL, NULL);
    return rc == -1 && errno == EBADF ? NULL : "not EBADF";
}

static void closed_under_a_waiter(struct tool *t)
{
    pthread_t thread;
    void *why;
    assert_int_equal(tool_listen(t), 3);
    assert_int_equal(pthread_create(&thread, NULL, accept_until_closed, t), 0);
    assert_int_equal(drive_close(tool_step(t), 3), 0);
    assert_int_equal(pthread_join(thread, &why), 0);
    assert_null(why);
}

/* The flags of a read of ten bytes, of which the peer sends four and six. */
static int read_flags;

static void *read_all_ten(void *arg)
{
    struct tool *t = arg;
    char buf[11] = "";
    int fd = drive_accept4(t->d, 3, NULL, NULL, SOCK_CLOEXEC);
    if (drive_recv(t->d, fd, buf, 10, read_flags) != 10 || strcmp(buf, "fourandsix") != 0)
        return "not all";
    return NULL;
}

static void all_is_waited_for(struct tool *t)
{
    pthread_t thread;
    void *why;
    char buf[20] = "";
    assert_int_equal(tool_listen(t), 3);
    assert_int_equal(pthread_create(&thread, NULL, read_all_ten, t), 0);
    tool_shake(t);
    tool_send(t, ACK, "four");
    tool_send(t, ACK, "andsix");
    assert_int_equal(pthread_join(thread, &why), 0);
    assert_null(why);
    assert_int_equal(drive_recv(tool_step(t), 4, buf, 20, MSG_DONTWAIT),
                     read_flags & MSG_PEEK ? 10 : -1);
    tool_send(t, FIN | ACK, "more"); /* the end: what there is */
    assert_int_equal(drive_recv(tool_step(t), 4, buf, 20, MSG_WAITALL | MSG_PEEK), 4);
    assert_int_equal(drive_recv(tool_step(t), 4, buf, 20, MSG_WAITALL), 4);
    assert_memory_equal(buf, "more", 4);
    assert_int_equal(drive_recv(tool_step(t), 4, buf, 20, MSG_WAITALL), 0);
}

static void waitall_waits_for_all(void **state)
{
    (void)state;
    struct drive_options o;
    struct tool t;
    drive_options_default(&o);
    for (unsigned i = 0; i < 4; i++) {
        read_flags = MSG_WAITALL | (i & 1 ? MSG_PEEK : 0);
        tool_run(&t, all_is_waited_for, &o, i & 2);
        free(t.log);
    }
}

static void *poll_for_a_second(void *arg)
{
    struct tool *t = arg;
    struct pollfd p = {.fd = 3, .events = POLLIN};
    return drive_poll(t->d, &p, 1, 1000) == 0 ? NULL : "ready, without any reason";
}

static void time_is_moved_by_another(struct tool *t)
{
    pthread_t thread;
    void *why;
    assert_int_equal(tool_listen(t), 3);
    assert_int_equal(pthread_create(&thread, NULL, poll_for_a_second, t), 0);
    while (pthread_tryjoin_np(thread, &why) != 0) /* it may begin to wait at any of these times */
        drive_sleep(tool_step(t), 1000000);
    assert_null(why);
    assert_true(drive_now(t->d) >= 1000000000u);
}

static void waiters_see_closing_and_time(void **state)
{
    (void)state;
    struct drive_options o;
    struct tool t;
    drive_options_default(&o);
    tool_run(&t, closed_under_a_waiter, &o, false);
    free(t.log);
    tool_run(&t, time_is_moved_by_another, &o, false);
    free(t.log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_waits_while_another_injects),
        cmocka_unit_test(waitall_waits_for_all),
        cmocka_unit_test(waiters_see_closing_and_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
