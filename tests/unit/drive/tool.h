/* A small outside test tool for the tests of libcapy_drive: one TCP peer whose segments are written
 * by hand, and a log of everything that the stack sent, with its time. Every scenario runs twice:
 * as it is, and with drive_migrate before each of its steps; both logs must be the same, byte for
 * byte. Header only; one tool per run. */
#ifndef CAPY_TESTS_DRIVE_TOOL_H
#define CAPY_TESTS_DRIVE_TOOL_H

#include "capy/drive.h"
#include "wire/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TOOL_LOG_MAX (1u << 20)
#define PEER_ISN 0xfffffff0u /* data crosses the wrap */
#define PEER_PORT 40000u
#define SERVICE_PORT 80u

enum {
    SYN = CAPY_TCP_SYN,
    ACK = CAPY_TCP_ACK,
    FIN = CAPY_TCP_FIN,
    RST = CAPY_TCP_RST,
    PSH = CAPY_TCP_PSH
};

struct tool {
    struct drive *d;
    bool migrating;
    uint16_t port, peer_port; /* of the stack, of ours */
    uint32_t seq, ack;        /* what we send next, what we expect next */
    uint64_t at;              /* of the last packet that was sniffed */
    uint8_t *log;
    size_t log_len;

    /* What packets as text need beside (script.h). */
    struct drive_options options;
    bool v6;
    uint32_t iss, ts_base;  /* the stack's */
    uint32_t written, read; /* bytes of either stream */
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_packet last; /* points into frame */
};

/* The handle for the next step; the step begins with a migration when they are wanted. */
static inline struct drive *tool_step(struct tool *t)
{
    if (t->migrating)
        assert_int_equal(drive_migrate(t->d), 0);
    return t->d;
}

static inline struct sockaddr_in tool_name(uint32_t ip, uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ip)};
}

/* ---- segments ---- */

static inline void tool_inject(struct tool *t, const struct capy_tcp_segment *seg)
{
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_frame_to to = {.src = capy_ip_from_v4(0xc0000202u),
                               .dst = capy_ip_from_v4(0xc0000201u),
                               .src_port = t->peer_port,
                               .dst_port = t->port};
    size_t len = capy_frame_build_tcp(frame, &to, seg);
    assert_int_equal(drive_inject(tool_step(t), frame + CAPY_ETHER_LEN, len - CAPY_ETHER_LEN), 0);
}

/* A segment at t->seq that acknowledges t->ack; moves t->seq. */
static inline void tool_send(struct tool *t, uint8_t flags, const char *data)
{
    struct capy_tcp_segment seg = {.seq = {t->seq},
                                   .ack = {flags & ACK ? t->ack : 0},
                                   .flags = flags,
                                   .window = 65535,
                                   .data = (const uint8_t *)data,
                                   .data_len = (uint32_t)strlen(data)};
    if (flags & SYN) {
        seg.opts = CAPY_TCP_OPT_MSS;
        seg.mss = 1000;
    }
    tool_inject(t, &seg);
    t->seq += seg.data_len + (flags & (SYN | FIN) ? 1 : 0);
}

/* The next packet, waiting for it by at most wait_ns; 0: none. packet: DRIVE_PACKET_MAX. */
static inline size_t tool_sniff(struct tool *t, uint8_t *packet, int64_t wait_ns)
{
    ssize_t n = drive_sniff(tool_step(t), packet, DRIVE_PACKET_MAX, &t->at, wait_ns);
    assert_true(n >= 0);
    if (n > 0) {
        assert_true(t->log_len + sizeof t->at + (size_t)n <= TOOL_LOG_MAX);
        memcpy(t->log + t->log_len, &t->at, sizeof t->at);
        memcpy(t->log + t->log_len + sizeof t->at, packet, (size_t)n);
        t->log_len += sizeof t->at + (size_t)n;
    }
    return (size_t)n;
}

static inline void tool_expect_nothing(struct tool *t)
{
    uint8_t packet[DRIVE_PACKET_MAX];
    assert_int_equal(tool_sniff(t, packet, 0), 0);
}

/* The next packet has these flags (PSH apart) and data. A SYN sets t->ack, others are at it;
 * moves t->ack. again: it is the last bytes once more. */
static inline struct capy_tcp_segment tool_expect_in(struct tool *t, uint8_t flags,
                                                     const char *data, int64_t wait_ns, bool again)
{
    static uint8_t frame[CAPY_FRAME_MAX];
    struct capy_packet p;
    memset(frame, 0, CAPY_ETHER_LEN);
    frame[12] = 0x08;
    size_t len = tool_sniff(t, frame + CAPY_ETHER_LEN, wait_ns);
    assert_true(len > 0);
    assert_int_equal(capy_frame_parse(frame, CAPY_ETHER_LEN + len, &p), CAPY_DROP_NONE);
    assert_int_equal(p.kind, CAPY_PACKET_TCP);
    assert_int_equal(p.tcp.flags & ~PSH, flags);
    assert_int_equal(p.tcp.data_len, strlen(data));
    assert_memory_equal(p.tcp.data, data, strlen(data));
    uint32_t taken = p.tcp.data_len + (flags & (SYN | FIN) ? 1 : 0);
    t->port = p.src_port;
    if (flags & SYN)
        t->ack = p.tcp.seq.v;
    else if (again)
        t->ack -= taken;
    assert_int_equal(p.tcp.seq.v, t->ack);
    if (flags & ACK)
        assert_int_equal(p.tcp.ack.v, t->seq);
    t->ack += taken;
    return p.tcp;
}

static inline struct capy_tcp_segment tool_expect(struct tool *t, uint8_t flags, const char *data)
{
    return tool_expect_in(t, flags, data, 0, false);
}

/* ---- connections ---- */

static inline int tool_listen(struct tool *t)
{
    struct sockaddr_in name = tool_name(INADDR_ANY, SERVICE_PORT);
    int fd = drive_socket(tool_step(t), AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 3);
    assert_int_equal(drive_bind(tool_step(t), fd, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(drive_listen(tool_step(t), fd, 5), 0);
    t->port = SERVICE_PORT;
    return fd;
}

/* The peer's side of a handshake with a listener. */
static inline void tool_shake(struct tool *t)
{
    t->port = SERVICE_PORT;
    t->seq = PEER_ISN;
    tool_send(t, SYN, "");
    tool_expect(t, SYN | ACK, "");
    tool_send(t, ACK, "");
    tool_expect_nothing(t);
}

/* An accepted connection; its listener is closed. */
static inline int tool_accepted(struct tool *t)
{
    int l = tool_listen(t);
    tool_shake(t);
    int fd = drive_accept(tool_step(t), l, NULL, NULL);
    assert_true(fd > l);
    assert_int_equal(drive_close(tool_step(t), l), 0);
    return fd;
}

static inline void tool_read(struct tool *t, int fd, const char *data)
{
    char buf[2000];
    assert_int_equal(drive_read(tool_step(t), fd, buf, sizeof buf), strlen(data));
    assert_memory_equal(buf, data, strlen(data));
}

static inline void tool_write(struct tool *t, int fd, const char *data)
{
    assert_int_equal(drive_write(tool_step(t), fd, data, strlen(data)), strlen(data));
}

#define assert_fails(call, error)                                                                  \
    do {                                                                                           \
        errno = 0;                                                                                 \
        assert_int_equal((call), -1);                                                              \
        assert_int_equal(errno, (error));                                                          \
    } while (0)

/* ---- runs ---- */

typedef void tool_scenario(struct tool *t);

static inline void tool_run(struct tool *t, tool_scenario *scenario, const struct drive_options *o,
                            bool migrating)
{
    char err[128] = "";
    *t = (struct tool){.migrating = migrating,
                       .peer_port = PEER_PORT,
                       .options = *o,
                       .v6 = strchr(o->local, ':') != NULL};
    t->log = calloc(1, TOOL_LOG_MAX);
    t->d = drive_create(o, err, sizeof err);
    assert_string_equal(err, "");
    assert_non_null(t->d);
    assert_non_null(t->log);
    scenario(t);
    drive_destroy(t->d);
}

/* As it is, and with a migration before every step: the stack must say the same, at the same time. */
static inline void tool_twice(tool_scenario *scenario, const struct drive_options *o)
{
    struct tool plain, migrated;
    tool_run(&plain, scenario, o, false);
    tool_run(&migrated, scenario, o, true);
    assert_int_equal(plain.log_len, migrated.log_len);
    assert_memory_equal(plain.log, migrated.log, plain.log_len);
    free(plain.log);
    free(migrated.log);
}

/* ---- scenarios as tests ---- */

#define MS UINT64_C(1000000)
#define SEC (1000 * MS)

static inline struct drive_options tool_options(void)
{
    struct drive_options o;
    drive_options_default(&o);
    return o;
}

#define SCENARIO(name)                                                                             \
    static void name##_scenario(struct tool *t);                                                   \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        struct drive_options o = tool_options();                                                   \
        tool_twice(name##_scenario, &o);                                                           \
    }                                                                                              \
    static void name##_scenario(struct tool *t)

/* The same where blocking calls make the time pass themselves. */
#define SELF_CLOCKED(name)                                                                         \
    static void name##_scenario(struct tool *t);                                                   \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        struct drive_options o = tool_options();                                                   \
        o.self_clocked = true;                                                                     \
        tool_twice(name##_scenario, &o);                                                           \
    }                                                                                              \
    static void name##_scenario(struct tool *t)

#endif
