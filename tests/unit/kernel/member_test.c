/* A server on kernel sockets, whole, and clients of it in a network namespace of their own: bytes both
 * ways, slow readers, and every way in which a connection ends. Moves are the live tests' business. */
#include "rig.h"

#include "capy/capy.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define DONE_MAX 64
#define QUEUES 64u
#define BULK (6u << 20)

static struct {
    struct capy *os;
    int listener;
    pid_t away; /* a process in the clients' namespace */
    char dir[32], rack_file[64];
    uint32_t accepted, ended, status, resets;
    int qd; /* the last one accepted */
    bool echo;
    uint64_t came; /* bytes, consumed by whoever */
    uint32_t to_push, pushed;
} rig;

static uint8_t pattern[BULK];

/* ---- the server ---- */

static void push_on(int qd)
{
    while (rig.pushed < rig.to_push) {
        int64_t n = capy_push(rig.os, qd, pattern + rig.pushed, rig.to_push - rig.pushed);
        assert_true(n >= 0);
        rig.pushed += (uint32_t)n;
        if (rig.pushed < rig.to_push)
            return; /* PUSH follows */
    }
}

static void on_pop(const struct capy_done *d)
{
    if (d->len == 0) {
        rig.ended++;
        capy_close(rig.os, d->qd);
        return;
    }
    assert_memory_equal(d->data, pattern + rig.came % BULK, d->len);
    if (rig.echo)
        assert_int_equal(capy_push(rig.os, d->qd, d->data, d->len), d->len);
    rig.came += rig.echo ? 0 : d->len;
    assert_int_equal(capy_consume(rig.os, d->qd, d->len), CAPY_OK);
    assert_int_equal(capy_pop(rig.os, d->qd, 0), CAPY_OK);
}

static void turn(void)
{
    struct capy_done done[DONE_MAX];
    int cnt = capy_wait(rig.os, done, DONE_MAX, (int64_t)CAPY_MS(1));
    for (int i = 0; i < cnt; i++) {
        const struct capy_done *d = &done[i];
        if (d->op == CAPY_OP_ACCEPT) {
            rig.qd = d->accepted;
            rig.accepted++;
        } else if (d->op == CAPY_OP_POP) {
            on_pop(d);
        } else if (d->op == CAPY_OP_PUSH) {
            push_on(d->qd);
        } else if (d->op == CAPY_OP_CLOSED) {
            rig.status = (uint32_t)-d->status;
            rig.resets += d->status == CAPY_E_RESET;
            rig.ended++;
        }
    }
}

static uint64_t clock_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return CAPY_SEC((uint64_t)t.tv_sec) + (uint64_t)t.tv_nsec;
}

#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        const uint64_t end = clock_ns() + CAPY_MS(WAIT_MS);                                        \
        while (!(condition) && clock_ns() < end)                                                   \
            turn();                                                                                \
        assert_true(condition);                                                                    \
    } while (0)

/* ---- two namespaces ---- */

static void run_away(const char *command)
{
    char whole[512];
    (void)snprintf(whole, sizeof whole, "nsenter --net=/proc/%d/ns/net sh -c '%s'", (int)rig.away,
                   command);
    rig_run(whole);
}

static pid_t keep_namespace(void)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (unshare(CLONE_NEWNET) == 0 && write(ready[1], "r", 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

static void write_rack(const char *more)
{
    FILE *f = fopen(rig.rack_file, "w");
    assert_non_null(f);
    assert_true(
        fprintf(f,
                "rack: { key = \"6036cbb427645b4a893d4b8b9e9276cb\"; run_dir = \"%s\"; };\n"
                "switch: { ip = \"10.99.0.254\"; ip6 = \"fd99::254\"; mac = \"02:ca:0a:63:00:fe\"; "
                "client_ports = ( \"c1\" ); };\n"
                "limits: { conn_max = %u; buffer_mib = 16; snd_buf = 262144; rcv_buf = 262144; };\n"
                "servers = ( { name = \"s1\"; ip = \"10.99.0.11\"; ip6 = \"fd99::11\"; "
                "mac = \"02:ca:0a:63:00:0b\"; device = \"veth0\"; port = \"s1\"; } );\n"
                "services = ( { name = \"http\"; port = 80; } );\n%s",
                rig.dir, QUEUES, more) > 0);
    (void)fclose(f);
}

static struct capy *try_open(const struct capy_options *more, char *err)
{
    struct capy_options opt = *more;
    opt.rack_file = rig.rack_file;
    opt.server = "s1";
    opt.stack = "linux";
    err[0] = 0;
    return capy_open(&opt, err, ERR_LEN);
}

static int set_up(void **state)
{
    (void)state;
    memset(&rig, 0, sizeof rig);
    rig.away = -1;
    rig_pattern(pattern, sizeof pattern, 0);
    return 0;
}

/* Addresses and cable, no server yet. */
static void open_scene(void)
{
    char command[128];
    rig_loopback();
    rig.away = keep_namespace();
    rig_run("ip link add veth0 address 02:ca:0a:63:00:0b type veth peer name veth1");
    (void)snprintf(command, sizeof command, "ip link set veth1 netns %d", (int)rig.away);
    rig_run(command);
    rig_run("ip link set veth0 up && ip addr add 10.99.0.11/24 dev veth0 && "
            "ip addr add fd99::11/64 dev veth0 nodad");
    run_away("ip link set veth1 up && ip addr add 10.99.0.101/24 dev veth1 && "
             "ip addr add fd99::101/64 dev veth1 nodad");
    rig_wait_up("veth0");
    strcpy(rig.dir, "/tmp/capy-member-XXXXXX");
    assert_non_null(mkdtemp(rig.dir));
    assert_int_equal(chmod(rig.dir, 0755), 0); /* also for who has no privilege */
    (void)snprintf(rig.rack_file, sizeof rig.rack_file, "%s/rack.conf", rig.dir);
    write_rack("");
}

static void open_server(void)
{
    char err[ERR_LEN];
    open_scene();
    rig.os = try_open(&(struct capy_options){0}, err);
    if (!rig.os && strstr(err, "bpftool")) {
        print_message("skipped: %s\n", err);
        skip();
    }
    if (!rig.os)
        fail_msg("%s", err);
    rig.listener = capy_listen(rig.os, RIG_PORT);
    assert_true(rig.listener >= 0);
}

static int tear_down(void **state)
{
    char command[64];
    (void)state;
    capy_close_os(rig.os);
    if (rig.away > 0) {
        kill(rig.away, SIGKILL);
        waitpid(rig.away, NULL, 0);
    }
    (void)snprintf(command, sizeof command, "rm -rf %s", rig.dir);
    return rig.dir[0] ? system(command) : 0;
}

/* ---- clients ---- */

/* A socket of the clients' namespace, connected; it does not block. */
static int dial(const char *address)
{
    char path[64];
    const struct capy_ip ip = rig_ip(address);
    union capy_sockaddr at;
    socklen_t len = capy_sockaddr_make(&ip, RIG_PORT, &at);
    (void)snprintf(path, sizeof path, "/proc/%d/ns/net", (int)rig.away);
    int home = open("/proc/self/ns/net", O_RDONLY), away = open(path, O_RDONLY);
    assert_true(home >= 0 && away >= 0);
    assert_int_equal(setns(away, CLONE_NEWNET), 0);
    int fd = socket(at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(setns(home, CLONE_NEWNET), 0);
    close(home);
    close(away);
    assert_true(connect(fd, &at.any, len) == 0 || errno == EINPROGRESS);
    return fd;
}

/* One connection, accepted at the server and asked for bytes. */
static int open_one(const char *address)
{
    uint32_t before = rig.accepted;
    int fd = dial(address);
    assert_int_equal(capy_accept(rig.os, rig.listener), CAPY_OK);
    UNTIL(rig.accepted > before);
    return fd;
}

static bool has_bytes(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static bool has_room(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, 0) == 1;
}

static bool is_reset(int fd)
{
    struct pollfd p = {.fd = fd};
    return poll(&p, 1, 0) == 1 && p.revents & POLLERR;
}

static void expect_end(int fd, int error)
{
    char byte;
    UNTIL(has_bytes(fd));
    ssize_t n = recv(fd, &byte, 1, 0);
    assert_int_equal(n, error ? -1 : 0);
    if (error)
        assert_int_equal(errno, error);
    close(fd);
}

/* ---- tests ---- */

static void requests_are_answered_over_both_versions(void **state)
{
    (void)state;
    open_server();
    rig.echo = true;
    for (unsigned i = 0; i < 10; i++) {
        uint8_t got[300];
        int fd = open_one(i % 2 ? "fd99::11" : "10.99.0.11");
        assert_int_equal(capy_set_option(rig.os, rig.qd, CAPY_OPTION_NAGLE, i % 3 == 0), CAPY_OK);
        assert_int_equal(capy_set_option(rig.os, rig.qd, CAPY_OPTION_CORK, 0), CAPY_OK);
        assert_int_equal(capy_set_option(rig.os, rig.qd, CAPY_OPTION_KEEPALIVE, 1), CAPY_OK);
        assert_int_equal(capy_pop(rig.os, rig.qd, 0), CAPY_OK);
        for (unsigned n = 0; n < 5; n++) {
            assert_int_equal(send(fd, pattern, sizeof got, 0), sizeof got);
            UNTIL(has_bytes(fd));
            rig_patience(fd);
            assert_int_equal(recv(fd, got, sizeof got, MSG_WAITALL), sizeof got);
            assert_memory_equal(got, pattern, sizeof got);
        }
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        expect_end(fd, 0);
    }
    assert_int_equal(rig.ended, 10);
    assert_int_equal(rig.resets, 0);
}

/* More than all queues hold: what nobody reads stays in the kernel, and comes once it is wanted. */
static void a_slow_reader_gets_every_byte(void **state)
{
    (void)state;
    open_server();
    int fd = open_one("10.99.0.11");
    uint32_t sent = 0;
    for (unsigned idle = 0; idle < 50; idle++) {
        ssize_t n = send(fd, pattern + sent, BULK - sent, 0);
        sent += n > 0 ? (uint32_t)n : 0;
        idle = n > 0 ? 0 : idle;
        turn();
    }
    assert_true(sent > 0 && sent < BULK); /* it stands */
    assert_int_equal(capy_pop(rig.os, rig.qd, 0), CAPY_OK);
    while (sent < BULK) {
        UNTIL(has_room(fd));
        ssize_t n = send(fd, pattern + sent, BULK - sent, 0);
        sent += n > 0 ? (uint32_t)n : 0;
    }
    UNTIL(rig.came == BULK);
    close(fd);
    UNTIL(rig.ended == 1);
}

static void a_slow_client_gets_every_byte(void **state)
{
    (void)state;
    open_server();
    int fd = open_one("fd99::11");
    rig.to_push = BULK;
    push_on(rig.qd);
    for (unsigned i = 0; i < 20; i++)
        turn();
    assert_true(rig.pushed < BULK);
    uint32_t got = 0;
    static uint8_t piece[65536];
    while (got < BULK) {
        UNTIL(has_bytes(fd));
        ssize_t n = recv(fd, piece, sizeof piece, 0);
        assert_true(n > 0);
        assert_memory_equal(piece, pattern + got, (size_t)n);
        got += (uint32_t)n;
    }
    capy_close(rig.os, rig.qd);
    expect_end(fd, 0);
}

static void a_reset_is_told_either_way(void **state)
{
    (void)state;
    const struct linger now = {.l_onoff = 1};
    open_server();
    int fd = open_one("10.99.0.11");
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(fd);
    UNTIL(rig.ended == 1);
    assert_int_equal(rig.resets, 1);
    fd = open_one("10.99.0.11");
    assert_int_equal(capy_abort(rig.os, rig.qd), CAPY_OK);
    expect_end(fd, ECONNRESET);
    /* Bytes for an application that is gone are not lost without a word. */
    fd = open_one("10.99.0.11");
    assert_int_equal(capy_close(rig.os, rig.qd), CAPY_OK);
    turn();
    assert_int_equal(send(fd, pattern, 100, 0), 100);
    UNTIL(is_reset(fd));
    close(fd);
}

/* Nobody accepts: the stack has the listener paused, and clients wait in the kernel's queue. */
static void connections_that_nobody_accepts_wait(void **state)
{
    (void)state;
    int fd[QUEUES / 2];
    open_server();
    for (unsigned i = 0; i < QUEUES / 2; i++) {
        fd[i] = dial("10.99.0.11");
        turn();
    }
    for (unsigned i = 0; i < QUEUES / 2; i++) {
        assert_int_equal(capy_accept(rig.os, rig.listener), CAPY_OK);
        UNTIL(rig.accepted == i + 1);
    }
    for (unsigned i = 0; i < QUEUES / 2; i++)
        close(fd[i]);
    UNTIL(rig.accepted == QUEUES / 2);
}

/* With every slot taken, one more client is told so at once. */
static void a_connection_too_many_is_reset(void **state)
{
    (void)state;
    int fd[QUEUES + 8];
    uint32_t wanted = QUEUES + 8;
    open_server();
    for (unsigned i = 0; i < wanted; i++) {
        fd[i] = dial("10.99.0.11");
        if (capy_accept(rig.os, rig.listener) == CAPY_OK)
            turn();
    }
    UNTIL(rig.accepted > QUEUES / 2);
    for (unsigned i = 0; i < 100; i++)
        turn();
    assert_true(rig.accepted <= QUEUES);
    for (unsigned i = 0; i < wanted; i++)
        close(fd[i]);
}

static void a_listener_that_is_closed_is_gone(void **state)
{
    (void)state;
    open_server();
    assert_int_equal(capy_listen(rig.os, RIG_PORT), CAPY_E_INUSE);
    assert_int_equal(capy_close(rig.os, rig.listener), CAPY_OK);
    int fd = dial("10.99.0.11");
    for (unsigned i = 0; i < 20; i++)
        turn();
    assert_int_equal(rig.accepted, 0);
    close(fd);
    rig.listener = capy_listen(rig.os, RIG_PORT);
    assert_true(rig.listener >= 0);
    close(open_one("10.99.0.11"));
}

static void refused(const struct capy_options *opt, const char *says)
{
    char err[ERR_LEN];
    struct capy *os = try_open(opt, err);
    if (os || !strstr(err, says))
        fail_msg("\"%s\" does not say \"%s\"", err, says);
    assert_null(strchr(err, '\n'));
}

static void what_cannot_start_says_what_to_do(void **state)
{
    (void)state;
    const struct capy_options plain = {0};
    open_scene();
    refused(&(struct capy_options){.record = "/tmp/no"}, "--record");
    rig_powerless();
    refused(&(struct capy_options){.no_control = true}, "root");
    rig_powerful();
    rig_run("ip addr del 10.99.0.11/24 dev veth0");
    refused(&plain, "ip addr add 10.99.0.11/24 dev veth0");
    rig_run("ip addr add 10.99.0.11/24 dev veth0 && ip -6 addr del fd99::11/64 dev veth0");
    refused(&plain, "ip addr add fd99::11/64 dev veth0");
    rig_run("ip addr add fd99::11/64 dev veth0 nodad && "
            "echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter");
    refused(&plain, "rp_filter");
    rig_run("echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter && "
            "ip link set veth0 address 02:ca:0a:63:00:0c");
    refused(&plain, "02:ca:0a:63:00:0b");
    rig_run("ip link del veth0");
    refused(&plain, "veth0");
    char err[ERR_LEN];
    assert_null(capy_open(
        &(struct capy_options){.rack_file = rig.rack_file, .server = "s1", .stack = "bsd"}, err,
        sizeof err));
    assert_non_null(strstr(err, "write capy or linux"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(requests_are_answered_over_both_versions),
        TEST(a_slow_reader_gets_every_byte),
        TEST(a_slow_client_gets_every_byte),
        TEST(a_reset_is_told_either_way),
        TEST(connections_that_nobody_accepts_wait),
        TEST(a_connection_too_many_is_reset),
        TEST(a_listener_that_is_closed_is_gone),
        TEST(what_cannot_start_says_what_to_do),
    };
    return cmocka_run_group_tests_name("kernel/member", tests, NULL, NULL);
}
