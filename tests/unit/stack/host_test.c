/* A whole host against another, over IPv4 and over IPv6: finding each other, ping, handshake, data,
 * every way to end, bounds. */
#include "base/checksum.h"
#include "pair.h"
#include "wire/ipv6.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { PORT = 80, USER = 4711 };

/* All events of a host so far, by handle: the bits collected, the last handle seen. */
struct heard {
    uint32_t bits;
    capy_handle conn;
    uint64_t user;
    unsigned cnt;
};

static struct heard hear(struct pair *p, unsigned host)
{
    struct heard h = {0, CAPY_HANDLE_NONE, 0, 0};
    struct capy_stack_event ev;
    while (capy_stack_event(p->host[host], &ev)) {
        h.bits |= ev.bits;
        h.conn = ev.conn;
        h.user = ev.user;
        h.cnt++;
    }
    return h;
}

static void open_default(struct pair *p)
{
    struct capy_stack_cfg a = pair_cfg(0), b = pair_cfg(1);
    pair_open(p, &a, &b);
}

/* Opens host 0 -> host 1; both handles. */
static void connect_pair(struct pair *p, capy_handle *client, capy_handle *server)
{
    struct capy_ip ip = pair_ip(1);
    if (!capy_listener_of(p->host[1], PORT))
        assert_int_equal(capy_stack_listen(p->host[1], PORT, USER), CAPY_OK);
    assert_int_equal(capy_stack_connect(p->host[0], &ip, PORT, 0, 1, client, p->now), CAPY_OK);
    pair_run(p, CAPY_MS(1));
    struct heard c = hear(p, 0), s = hear(p, 1);
    assert_int_equal(c.bits, CAPY_EV_CONNECTED);
    assert_int_equal(s.bits, CAPY_EV_ACCEPTED);
    assert_int_equal(s.user, USER);
    assert_int_equal(c.conn, *client);
    *server = s.conn;
}

static uint32_t conns(struct pair *p, unsigned host)
{
    struct capy_stack_status st;
    capy_stack_status(p->host[host], &st);
    return st.conn_cnt;
}

static void no_leak(struct pair *p)
{
    for (unsigned h = 0; h < 2; h++) {
        struct capy_stack_status st;
        capy_stack_status(p->host[h], &st);
        assert_int_equal(st.conn_cnt, 0);
        assert_int_equal(st.block_free, st.block_cnt);
    }
}

static uint8_t pattern(uint64_t i)
{
    return (uint8_t)(i * 131 + (i >> 8) * 17);
}

/* Moves `total` bytes from host a to host b while both run. */
static void transfer(struct pair *p, unsigned a, capy_handle from, capy_handle to, uint64_t total)
{
    uint64_t sent = 0, got = 0, until = p->now + CAPY_SEC(30);
    uint8_t buf[3000];
    while (got < total) {
        uint32_t n = (uint32_t)capy_min64(sizeof buf, total - sent), span;
        for (uint32_t i = 0; i < n; i++)
            buf[i] = pattern(sent + i);
        int64_t took = capy_stack_write(p->host[a], from, buf, n, p->now);
        assert_true(took >= 0);
        sent += (uint64_t)took;
        const uint8_t *data;
        while ((data = capy_stack_read_span(p->host[1 - a], to, 0, &span)) != NULL) {
            for (uint32_t i = 0; i < span; i++)
                assert_int_equal(data[i], pattern(got + i));
            got += span;
            assert_int_equal(capy_stack_consume(p->host[1 - a], to, span, p->now), CAPY_OK);
        }
        assert_true(pair_step(p, until));
    }
    assert_int_equal(got, total);
}

static void both_ways_and_an_orderly_close(void **state)
{
    (void)state;
    struct pair p;
    capy_handle c, s;
    bool fin;
    open_default(&p);
    connect_pair(&p, &c, &s);
    transfer(&p, 0, c, s, 1000000);
    transfer(&p, 1, s, c, 1000000);
    assert_int_equal(capy_stack_shutdown(p.host[0], c, p.now), CAPY_OK);
    pair_run(&p, CAPY_MS(100));
    assert_true(hear(&p, 1).bits & CAPY_EV_READABLE);
    assert_int_equal(capy_stack_readable(p.host[1], s, &fin), 0);
    assert_true(fin);
    transfer(&p, 1, s, c, 5000); /* half-closed */
    assert_int_equal(capy_stack_close(p.host[1], s, p.now), CAPY_OK);
    assert_int_equal(capy_stack_readable(p.host[1], s, &fin), CAPY_E_BADQD);
    pair_run(&p, CAPY_SEC(200)); /* TIME_WAIT */
    assert_true(hear(&p, 0).bits & CAPY_EV_FINISHED);
    no_leak(&p);
    assert_int_equal(capy_stack_close(p.host[0], c, p.now), CAPY_E_BADQD);
    pair_close(&p);
}

static void the_last_bytes_outlive_the_close(void **state)
{
    (void)state;
    struct pair p;
    capy_handle c, s;
    uint32_t got;
    bool fin;
    open_default(&p);
    connect_pair(&p, &c, &s);
    capy_stack_write(p.host[1], s, (const uint8_t *)"bye", 3, p.now);
    capy_stack_close(p.host[1], s, p.now);
    pair_run(&p, CAPY_MS(100));
    capy_stack_shutdown(p.host[0], c, p.now);
    pair_run(&p, CAPY_MS(100)); /* LAST_ACK is over; the application never read */
    assert_int_equal(hear(&p, 0).bits, CAPY_EV_READABLE);
    assert_int_equal(capy_stack_readable(p.host[0], c, &fin), 3);
    assert_true(fin);
    assert_memory_equal(capy_stack_read_span(p.host[0], c, 0, &got), "bye", 3);
    capy_stack_consume(p.host[0], c, 3, p.now);
    pair_run(&p, CAPY_MS(1));
    assert_int_equal(hear(&p, 0).bits, CAPY_EV_FINISHED);
    pair_run(&p, CAPY_SEC(200));
    no_leak(&p);
    pair_close(&p);
}

static void abort_resets_the_peer(void **state)
{
    (void)state;
    struct pair p;
    capy_handle c, s;
    open_default(&p);
    connect_pair(&p, &c, &s);
    assert_int_equal(capy_stack_abort(p.host[0], c, p.now), CAPY_OK);
    pair_run(&p, CAPY_MS(1));
    struct heard h = hear(&p, 1);
    assert_int_equal(h.bits, CAPY_EV_RESET);
    assert_int_equal(h.conn, s);
    no_leak(&p);
    pair_close(&p);
}

static void a_closed_port_answers_reset(void **state)
{
    (void)state;
    struct pair p;
    capy_handle c;
    struct capy_ip ip = pair_ip(1);
    open_default(&p);
    assert_int_equal(capy_stack_connect(p.host[0], &ip, 81, 0, 1, &c, p.now), CAPY_OK);
    pair_run(&p, CAPY_MS(1));
    assert_int_equal(hear(&p, 0).bits, CAPY_EV_RESET);
    assert_int_equal(capy_stack_counters(p.host[1])->no_listener, 1);
    no_leak(&p);
    pair_close(&p);
}

static void nobody_there_times_out(void **state)
{
    (void)state;
    struct pair p;
    capy_handle c;
    struct capy_ip ip = pair_ip(9);
    open_default(&p);
    assert_int_equal(capy_stack_connect(p.host[0], &ip, PORT, 0, 1, &c, p.now), CAPY_OK);
    pair_run(&p, CAPY_SEC(10));
    assert_int_equal(hear(&p, 0).bits, CAPY_EV_TIMED_OUT);
    assert_int_equal(p.seen, CAPY_NEIGH_TRIES); /* only the neighbour was asked for */
    no_leak(&p);
    pair_close(&p);
}

static uint32_t largest_frame, offered_mss;

static bool measure(struct pair *p, unsigned from, const uint8_t *frame, size_t len)
{
    struct capy_packet packet;
    (void)p;
    (void)from;
    assert_int_equal(capy_frame_parse(frame, len, &packet), CAPY_DROP_NONE);
    largest_frame = capy_max32(largest_frame, (uint32_t)len);
    if (packet.kind == CAPY_PACKET_TCP && (packet.tcp.flags & CAPY_TCP_SYN))
        offered_mss = packet.tcp.mss;
    return true;
}

/* RFC 9293 MUST-67 and §3.7.1: the link's MTU less the headers of the version that is used; what is
 * sent fills the link and fits it. */
static void the_largest_segment_is_the_versions(void **state)
{
    (void)state;
    static const uint16_t mtu[] = {1500, 1280};
    for (unsigned i = 0; i < 2; i++) {
        struct capy_stack_cfg a = pair_cfg(0), b = pair_cfg(1);
        struct pair p;
        capy_handle c, s;
        a.mtu = b.mtu = mtu[i];
        pair_open(&p, &a, &b);
        p.pass = measure;
        largest_frame = 0;
        connect_pair(&p, &c, &s);
        assert_int_equal(offered_mss, mtu[i] - (pair_over_ipv6 ? 60 : 40));
        transfer(&p, 0, c, s, 50000);
        transfer(&p, 1, s, c, 50000);
        assert_int_equal(largest_frame, CAPY_ETHER_LEN + mtu[i]);
        pair_close(&p);
    }
}

static bool lose_every_seventh(struct pair *p, unsigned from, const uint8_t *frame, size_t len)
{
    (void)from;
    (void)frame;
    (void)len;
    return p->seen % 7 != 0;
}

static void loss_is_repaired(void **state)
{
    (void)state;
    struct pair p;
    capy_handle c, s;
    open_default(&p);
    connect_pair(&p, &c, &s);
    p.pass = lose_every_seventh;
    transfer(&p, 0, c, s, 300000);
    pair_close(&p);
}

static void backlog_is_bounded(void **state)
{
    (void)state;
    struct capy_stack_cfg a = pair_cfg(0), b = pair_cfg(1);
    struct capy_ip ip = pair_ip(1);
    struct pair p;
    capy_handle c;
    b.syn_backlog_max = 3;
    pair_open(&p, &a, &b);
    capy_stack_listen(p.host[1], PORT, USER);
    for (int i = 0; i < 5; i++)
        assert_int_equal(capy_stack_connect(p.host[0], &ip, PORT, 0, 1, &c, p.now), CAPY_OK);
    while (capy_stack_counters(p.host[1])->tcp_in < 5)
        assert_true(pair_step(&p, CAPY_NEVER));
    assert_int_equal(conns(&p, 1), 3);
    assert_int_equal(capy_stack_counters(p.host[1])->backlog_full, 2);
    pair_run(&p, CAPY_SEC(5)); /* the other two repeat their SYN */
    assert_int_equal(hear(&p, 1).cnt, 5);
    pair_close(&p);
}

static void a_full_table_refuses_by_name(void **state)
{
    (void)state;
    struct capy_stack_cfg a = pair_cfg(0), b = pair_cfg(1);
    struct capy_ip ip = pair_ip(1);
    struct pair p;
    capy_handle c;
    a.conn_max = 2;
    b.conn_max = 1;
    pair_open(&p, &a, &b);
    capy_stack_listen(p.host[1], PORT, USER);
    assert_int_equal(capy_stack_connect(p.host[0], &ip, PORT, 0, 1, &c, p.now), CAPY_OK);
    assert_int_equal(capy_stack_connect(p.host[0], &ip, PORT, 0, 1, &c, p.now), CAPY_OK);
    assert_int_equal(capy_stack_connect(p.host[0], &ip, PORT, 0, 1, &c, p.now), CAPY_E_NOMEM);
    pair_run(&p, CAPY_MS(10));
    assert_true(capy_stack_counters(p.host[1])->no_slot >= 1);
    pair_close(&p);
}

static void unlisten_ends_half_open_connections(void **state)
{
    (void)state;
    struct pair p;
    capy_handle c;
    struct capy_ip ip = pair_ip(1);
    open_default(&p);
    capy_stack_listen(p.host[1], PORT, USER);
    assert_int_equal(capy_stack_connect(p.host[0], &ip, PORT, 0, 1, &c, p.now), CAPY_OK);
    while (conns(&p, 1) == 0)
        assert_true(pair_step(&p, CAPY_NEVER));
    assert_int_equal(capy_stack_unlisten(p.host[1], PORT), CAPY_OK);
    assert_int_equal(conns(&p, 1), 0);
    pair_run(&p, CAPY_SEC(300));
    assert_int_equal(hear(&p, 1).cnt, 0);
    pair_close(&p);
}

static void a_short_write_is_followed_by_writable(void **state)
{
    (void)state;
    static uint8_t much[2u << 20];
    struct pair p;
    capy_handle c, s;
    uint32_t got;
    open_default(&p);
    connect_pair(&p, &c, &s);
    int64_t took = capy_stack_write(p.host[0], c, much, sizeof much, p.now);
    assert_true(took > 0 && took < (int64_t)sizeof much);
    pair_run(&p, CAPY_MS(1));
    assert_true(hear(&p, 0).bits & CAPY_EV_WRITABLE);
    assert_non_null(capy_stack_read_span(p.host[1], s, 0, &got));
    pair_close(&p);
}

static void stale_handles_are_refused(void **state)
{
    (void)state;
    struct pair p;
    capy_handle c, s, again, s2;
    bool fin;
    open_default(&p);
    connect_pair(&p, &c, &s);
    capy_stack_abort(p.host[0], c, p.now);
    pair_run(&p, CAPY_MS(1));
    hear(&p, 1);
    connect_pair(&p, &again, &s2);
    assert_int_not_equal(c, again); /* the same slot, another life */
    assert_int_equal(capy_stack_readable(p.host[0], c, &fin), CAPY_E_BADQD);
    assert_int_equal(capy_stack_readable(p.host[0], again, &fin), 0);
    assert_int_equal(capy_stack_readable(p.host[0], CAPY_HANDLE_NONE, &fin), CAPY_E_BADQD);
    pair_close(&p);
}

/* An echo request with four bytes: IPv6's as it is built, IPv4's from a UDP frame by hand. */
static size_t ping(uint8_t *frame)
{
    static const uint8_t echo[] = {8, 0, 0, 0, 0x12, 0x34, 0, 1, 'c', 'a', 'p', 'y'};
    struct capy_frame_to to = {
        .dst_mac = pair_mac(1), .src_mac = pair_mac(0), .src = pair_ip(0), .dst = pair_ip(1)};
    if (pair_over_ipv6) {
        memcpy(frame + CAPY_ICMP6_AT, echo, sizeof echo);
        frame[CAPY_ICMP6_AT] = 128;
        return capy_frame_build_icmp6(frame, &to, sizeof echo);
    }
    memset(frame, 0, CAPY_UDP_AT + sizeof echo);
    size_t len = capy_frame_build_udp(frame, &to, sizeof echo - CAPY_UDP_LEN);
    uint8_t *icmp = frame + CAPY_ETHER_LEN + CAPY_IPV4_LEN, *ip = frame + CAPY_ETHER_LEN;
    memcpy(icmp, echo, sizeof echo);
    capy_store16(icmp + 2, capy_sum_finish(capy_sum(0, icmp, sizeof echo)));
    ip[9] = 1;
    capy_store16(ip + 10, 0);
    capy_store16(ip + 10, capy_sum_finish(capy_sum(0, ip, CAPY_IPV4_LEN)));
    return len;
}

static void ping_is_answered(void **state)
{
    (void)state;
    struct pair p;
    struct capy_packet reply;
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_ip a = pair_ip(0), b = pair_ip(1);
    open_default(&p);
    size_t len = ping(frame);
    capy_stack_input(p.host[1], frame, len, p.now);
    assert_int_equal(capy_stack_output(p.host[1], frame, p.now), len);
    assert_int_equal(capy_frame_parse(frame, len, &reply), CAPY_DROP_NONE);
    assert_int_equal(reply.icmp.type, pair_over_ipv6 ? 129 : 0);
    assert_memory_equal(reply.icmp.message + 4,
                        "\x12\x34\x00\x01"
                        "capy",
                        8);
    assert_true(capy_ip_eq(&reply.src, &b) && capy_ip_eq(&reply.dst, &a));
    assert_int_equal(capy_stack_counters(p.host[1])->icmp_in, 1);
    pair_close(&p);
}

static void control_frames_without_room_are_counted(void **state)
{
    (void)state;
    struct pair p;
    open_default(&p);
    for (unsigned i = 0; i < CAPY_CONTROL_FRAMES; i++) {
        assert_non_null(capy_control_reserve(p.host[0]));
        capy_control_commit(p.host[0], 60);
    }
    assert_null(capy_control_reserve(p.host[0]));
    assert_int_equal(capy_stack_counters(p.host[0])->control_full, 1);
    pair_close(&p);
}

static void strangers_frames_are_counted(void **state)
{
    (void)state;
    struct pair p;
    uint8_t frame[CAPY_FRAME_MAX];
    open_default(&p);
    struct capy_tcp_segment syn = {.flags = CAPY_TCP_SYN, .window = 1000};
    struct capy_frame_to to = {.dst_mac = {{2, 0, 0, 0, 0, 2}},
                               .src_mac = {{2, 0, 0, 0, 0, 1}},
                               .src = pair_ip(0),
                               .dst = pair_ip(5),
                               .src_port = 1,
                               .dst_port = PORT};
    size_t len = capy_frame_build_tcp(frame, &to, &syn);
    capy_stack_input(p.host[1], frame, len, p.now); /* not our address */
    to.dst = pair_ip(1);
    to.src = pair_ip(1);
    len = capy_frame_build_tcp(frame, &to, &syn);
    capy_stack_input(p.host[1], frame, len, p.now); /* from our own address */
    assert_int_equal(capy_stack_counters(p.host[1])->not_ours, 2);
    capy_stack_input(p.host[1], frame, 20, p.now);
    assert_int_equal(capy_stack_counters(p.host[1])->drop[CAPY_DROP_SHORT], 1);
    pair_close(&p);
}

static void a_plain_host_does_not_migrate(void **state)
{
    (void)state;
    struct pair p;
    capy_handle c, s;
    open_default(&p);
    connect_pair(&p, &c, &s);
    assert_int_equal(capy_stack_migrate(p.host[1], s, CAPY_SERVER_ANY, p.now), CAPY_E_STATE);
    assert_int_equal(capy_stack_release(p.host[1], s, NULL, 0, 0, p.now), CAPY_E_STATE);
    pair_close(&p);
}

/* RFC 6528: the same tuple a moment later starts above, another tuple anywhere else. */
static void initial_sequence_numbers(void **state)
{
    (void)state;
    struct pair p;
    uint32_t ts;
    open_default(&p);
    struct capy_tuple t = {pair_ip(1), pair_ip(0), 80, 1000},
                      u = {pair_ip(1), pair_ip(0), 80, 1001};
    struct capy_seq a = capy_isn(p.host[0], &t, &ts), other = capy_isn(p.host[0], &u, &ts);
    capy_stack_expire(p.host[0], p.now + CAPY_MS(4));
    struct capy_seq b = capy_isn(p.host[0], &t, &ts);
    assert_int_equal(capy_seq_diff(b, a), 1000); /* 4 us clock */
    assert_int_not_equal(other.v, a.v);
    pair_close(&p);
}

static void sizes_out_of_range_are_refused(void **state)
{
    (void)state;
    struct capy_stack_cfg cfg = pair_cfg(0);
    assert_int_not_equal(capy_stack_size(&cfg), 0);
    cfg.conn_max = 0;
    assert_int_equal(capy_stack_size(&cfg), 0);
    cfg = pair_cfg(0);
    cfg.mtu = 9000;
    assert_int_equal(capy_stack_size(&cfg), 0);
    cfg = pair_cfg(0);
    cfg.peer_cnt = 1;
    cfg.self = 1;
    assert_int_equal(capy_stack_size(&cfg), 0);
}

/* RFC 8200 §5, and addresses that no host has. */
static void addresses_that_do_not_go_together_are_refused(void **state)
{
    (void)state;
    struct capy_stack_cfg cfg = pair_cfg(0);
    struct capy_ip six = cfg.ip6;
    cfg.mtu = 1279;
    assert_int_equal(capy_stack_size(&cfg), 0);
    cfg.mtu = 1280;
    assert_int_not_equal(capy_stack_size(&cfg), 0);
    cfg.ip6 = (struct capy_ip){{0xff, 2}};
    assert_int_equal(capy_stack_size(&cfg), 0);
    cfg.ip6 = six;
    cfg.ip = six; /* IPv6 alone has one address */
    assert_int_equal(capy_stack_size(&cfg), 0);
    cfg.ip6 = (struct capy_ip){{0}};
    assert_int_not_equal(capy_stack_size(&cfg), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways_and_an_orderly_close),
        cmocka_unit_test(the_last_bytes_outlive_the_close),
        cmocka_unit_test(abort_resets_the_peer),
        cmocka_unit_test(a_closed_port_answers_reset),
        cmocka_unit_test(nobody_there_times_out),
        cmocka_unit_test(the_largest_segment_is_the_versions),
        cmocka_unit_test(loss_is_repaired),
        cmocka_unit_test(backlog_is_bounded),
        cmocka_unit_test(a_full_table_refuses_by_name),
        cmocka_unit_test(unlisten_ends_half_open_connections),
        cmocka_unit_test(a_short_write_is_followed_by_writable),
        cmocka_unit_test(stale_handles_are_refused),
        cmocka_unit_test(ping_is_answered),
        cmocka_unit_test(control_frames_without_room_are_counted),
        cmocka_unit_test(strangers_frames_are_counted),
        cmocka_unit_test(a_plain_host_does_not_migrate),
        cmocka_unit_test(initial_sequence_numbers),
        cmocka_unit_test(sizes_out_of_range_are_refused),
        cmocka_unit_test(addresses_that_do_not_go_together_are_refused),
    };
    int failed = cmocka_run_group_tests_name("IPv4", tests, NULL, NULL);
    pair_over_ipv6 = true;
    return failed + cmocka_run_group_tests_name("IPv6", tests, NULL, NULL);
}
