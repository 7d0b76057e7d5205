/* ICMP errors as whole packets (RFC 9293 MUST-54, RFC 5927), path MTUs kept per destination (RFC
 * 1191 §6.3), and settings at the stack's surface. */
#include "base/checksum.h"
#include "pair.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { PORT = 80, ETHER = 14, IP = 20, ICMP = 8, QUOTED = 28 };

static struct capy_stack_event hear(struct pair *p, unsigned host)
{
    struct capy_stack_event ev, all = {.conn = CAPY_HANDLE_NONE};
    while (capy_stack_event(p->host[host], &ev)) {
        all.conn = ev.conn;
        all.bits |= ev.bits;
    }
    return all;
}

static capy_handle dial(struct pair *p)
{
    struct capy_ip ip = pair_ip(1);
    capy_handle c;
    assert_int_equal(capy_stack_connect(p->host[0], &ip, PORT, 0, 1, &c, p->now), CAPY_OK);
    return c;
}

static void start(struct pair *p)
{
    struct capy_stack_cfg a = pair_cfg(0), b = pair_cfg(1);
    a.tcp.suspect_timeouts = 2;
    pair_open(p, &a, &b);
    assert_int_equal(capy_stack_listen(p->host[1], PORT, 7), CAPY_OK);
}

static capy_handle connect_pair(struct pair *p, capy_handle *server)
{
    (void)hear(p, 0);
    (void)hear(p, 1);
    capy_handle c = dial(p);
    pair_run(p, CAPY_MS(1));
    assert_int_equal(hear(p, 0).bits, CAPY_EV_CONNECTED);
    struct capy_stack_event ev = hear(p, 1);
    assert_int_equal(ev.bits, CAPY_EV_ACCEPTED);
    *server = ev.conn;
    return c;
}

/* A router in the middle: it remembers the last segment with data, and answers those that are longer
 * than its next link's MTU instead of passing them on. */
static struct {
    uint32_t mtu; /* 0: passes everything */
    bool silent;  /* says nothing */
    uint8_t type, code;
    uint8_t last[CAPY_FRAME_MAX];
    uint32_t dropped;
} router;

/* The error about the frame, as the router at 10.0.0.77 sends it to the frame's sender. */
static void complain(struct pair *p, const uint8_t *frame)
{
    uint8_t out[ETHER + IP + ICMP + QUOTED] = {0};
    memcpy(out, frame + 6, 6);
    out[6] = 2;
    out[11] = 77;
    capy_store16(out + 12, 0x0800);
    uint8_t *ip = out + ETHER, *icmp = ip + IP;
    ip[0] = 0x45;
    capy_store16(ip + 2, IP + ICMP + QUOTED);
    ip[8] = 64;
    ip[9] = 1;
    capy_store32(ip + 12, 0x0a00004du);
    capy_store32(ip + 16, 0x0a000001u); /* host 0, which sent the frame */
    capy_store16(ip + 10, capy_sum_finish(capy_sum(0, ip, IP)));
    icmp[0] = router.type;
    icmp[1] = router.code;
    capy_store16(icmp + 6, (uint16_t)router.mtu);
    memcpy(icmp + ICMP, frame + ETHER, QUOTED);
    capy_store16(icmp + 2, capy_sum_finish(capy_sum(0, icmp, ICMP + QUOTED)));
    capy_stack_input(p->host[0], out, sizeof out, p->now);
}

static bool through_router(struct pair *p, unsigned from, const uint8_t *frame, size_t len)
{
    if (from != 0 || capy_load16(frame + 12) != 0x0800 || router.mtu == 0)
        return true;
    if (len - ETHER <= router.mtu)
        return true;
    router.dropped++;
    if (!router.silent)
        complain(p, frame);
    return false;
}

static void with_router(struct pair *p, uint32_t mtu, bool silent)
{
    memset(&router, 0, sizeof router);
    router.mtu = mtu;
    router.silent = silent;
    router.type = 3;
    router.code = 4;
    start(p);
    p->pass = through_router;
}

/* 20000 bytes from host 0 arrive whole; how long it took. */
static uint64_t transfer(struct pair *p, capy_handle c, capy_handle server)
{
    static uint8_t data[20000];
    uint64_t at = p->now, got = 0;
    for (uint32_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + (i >> 8));
    assert_int_equal(capy_stack_write(p->host[0], c, data, sizeof data, p->now), sizeof data);
    while (got < sizeof data) {
        uint32_t n;
        const uint8_t *span;
        assert_true(pair_step(p, at + CAPY_SEC(60)));
        while ((span = capy_stack_read_span(p->host[1], server, 0, &n)) != NULL) {
            assert_memory_equal(span, data + got, n);
            got += n;
            assert_int_equal(capy_stack_consume(p->host[1], server, n, p->now), CAPY_OK);
        }
    }
    return p->now - at;
}

static void test_a_narrow_path_costs_a_round_trip_once_per_destination(void **state)
{
    (void)state;
    struct pair p;
    capy_handle server, c;
    with_router(&p, 1000, false);
    c = connect_pair(&p, &server);
    assert_true(transfer(&p, c, server) < CAPY_MS(10));
    assert_true(router.dropped > 0);
    struct capy_stack_conn_info info;
    assert_int_equal(capy_stack_conn_info(p.host[0], c, &info), CAPY_OK);
    assert_true(info.tcp.ssthresh > 1u << 20); /* no congestion response (RFC 8201 §5.4) */
    /* RFC 1191 §6.3: the next connection there knows. */
    router.dropped = 0;
    c = connect_pair(&p, &server);
    transfer(&p, c, server);
    assert_int_equal(router.dropped, 0);
    /* For ten minutes. */
    pair_run(&p, CAPY_SEC(601));
    c = connect_pair(&p, &server);
    transfer(&p, c, server);
    assert_true(router.dropped > 0);
    pair_close(&p);
}

static void test_a_black_hole_is_found_by_timeouts(void **state)
{
    (void)state;
    struct pair p;
    capy_handle server;
    with_router(&p, 1300, true);
    capy_handle c = connect_pair(&p, &server);
    assert_true(transfer(&p, c, server) < CAPY_SEC(5));
    assert_true(capy_stack_counters(p.host[0])->tcp.path_suspected > 0);
    pair_close(&p);
}

/* RFC 9293 SHLD-26: like a RST, while opening. */
static bool all_to_the_void(struct pair *p, unsigned from, const uint8_t *frame, size_t len)
{
    (void)len;
    if (from != 0 || capy_load16(frame + 12) != 0x0800)
        return true;
    complain(p, frame);
    return false;
}

static void test_port_unreachable_refuses_an_open(void **state)
{
    (void)state;
    struct pair p;
    with_router(&p, 0, false);
    router.code = 3;
    p.pass = all_to_the_void;
    (void)dial(&p);
    pair_run(&p, CAPY_MS(1));
    assert_int_equal(hear(&p, 0).bits, CAPY_EV_RESET);
    pair_close(&p);
}

/* RFC 9293 MUST-56, SHLD-25. */
static void test_host_unreachable_is_told_when_the_time_is_over(void **state)
{
    (void)state;
    struct pair p;
    with_router(&p, 0, false);
    router.code = 1;
    p.pass = all_to_the_void;
    (void)dial(&p);
    pair_run(&p, CAPY_SEC(150));
    assert_int_equal(hear(&p, 0).bits, 0);
    pair_run(&p, CAPY_SEC(60));
    assert_int_equal(hear(&p, 0).bits, CAPY_EV_TIMED_OUT | CAPY_EV_UNREACHABLE);
    pair_close(&p);
}

/* RFC 5927: an error about somebody else's segment, or from another address of ours. */
static bool remember(struct pair *p, unsigned from, const uint8_t *frame, size_t len)
{
    (void)p;
    if (from == 0 && len > ETHER + 60)
        memcpy(router.last, frame, len);
    return from != 0 || len <= ETHER + 60;
}

static void test_errors_that_do_not_fit_change_nothing(void **state)
{
    (void)state;
    struct pair p;
    capy_handle server;
    struct capy_stack_conn_more more;
    with_router(&p, 0, false);
    capy_handle c = connect_pair(&p, &server);
    p.pass = remember;
    uint8_t data[4000] = {0}, frame[CAPY_FRAME_MAX];
    assert_int_equal(capy_stack_write(p.host[0], c, data, sizeof data, p.now), sizeof data);
    pair_run(&p, CAPY_US(1));
    assert_int_equal(capy_stack_conn_more(p.host[0], c, &more), CAPY_OK);
    uint16_t mss = more.snd_mss;
    router.mtu = 1000;
    static const uint32_t at[] = {ETHER + 15, ETHER + 19, ETHER + IP, ETHER + IP + 3,
                                  ETHER + IP + 4};
    for (uint32_t i = 0; i < sizeof at / sizeof *at; i++) {
        memcpy(frame, router.last, sizeof frame);
        frame[at[i]] ^= 0x40; /* source, destination, ports, sequence number */
        complain(&p, frame);
        assert_int_equal(capy_stack_conn_more(p.host[0], c, &more), CAPY_OK);
        assert_int_equal(more.snd_mss, mss);
    }
    /* Nor does the host believe what the connection did not. */
    p.pass = NULL;
    capy_handle other = connect_pair(&p, &server);
    assert_int_equal(capy_stack_conn_more(p.host[0], other, &more), CAPY_OK);
    assert_int_equal(more.snd_mss, mss);
    p.pass = remember;
    assert_int_equal(capy_stack_write(p.host[0], c, data, sizeof data, p.now), sizeof data);
    pair_run(&p, CAPY_US(1));
    complain(&p, router.last);
    assert_int_equal(capy_stack_conn_more(p.host[0], c, &more), CAPY_OK);
    assert_int_equal(more.snd_mss, 1000 - 40 - 12);
    pair_close(&p);
}

/* ---- settings (capy/option.h) ---- */

static void test_connections_inherit_their_listeners_settings(void **state)
{
    (void)state;
    struct pair p;
    capy_handle server;
    uint64_t value;
    with_router(&p, 0, false);
    struct capy_stack *s = p.host[1];
    assert_int_equal(capy_stack_listener_set(s, PORT, CAPY_OPTION_KEEPALIVE, 1), CAPY_OK);
    assert_int_equal(capy_stack_listener_set(s, PORT, CAPY_OPTION_TIMESTAMPS, 0), CAPY_OK);
    assert_int_equal(capy_stack_listener_set(s, PORT, CAPY_OPTION_NAGLE, 2), CAPY_E_INVAL);
    assert_int_equal(capy_stack_listener_set(s, PORT + 1, CAPY_OPTION_NAGLE, 1), CAPY_E_BADQD);
    assert_int_equal(capy_stack_listener_get(s, PORT, CAPY_OPTION_KEEPALIVE, &value), CAPY_OK);
    assert_int_equal(value, 1);
    assert_int_equal(capy_stack_listener_get(s, PORT, CAPY_OPTION_CNT, &value), CAPY_E_INVAL);
    capy_handle c = connect_pair(&p, &server);
    assert_int_equal(capy_stack_get(s, server, CAPY_OPTION_KEEPALIVE, &value), CAPY_OK);
    assert_int_equal(value, 1);
    assert_int_equal(capy_stack_get(p.host[0], c, CAPY_OPTION_KEEPALIVE, &value), CAPY_OK);
    assert_int_equal(value, 0);
    assert_int_equal(capy_stack_get(p.host[0], c, CAPY_OPTION_TIMESTAMPS, &value), CAPY_OK);
    assert_int_equal(value, 0); /* the listener did not take them */
    assert_int_equal(capy_stack_set(s, server, CAPY_OPTION_SACK, 0, p.now), CAPY_E_STATE);
    assert_int_equal(capy_stack_set(s, server, CAPY_OPTION_CNT, 0, p.now), CAPY_E_INVAL);
    assert_int_equal(capy_stack_abort(s, server, p.now), CAPY_OK);
    assert_int_equal(capy_stack_set(s, server, CAPY_OPTION_NAGLE, 1, p.now), CAPY_E_BADQD);
    assert_int_equal(capy_stack_get(s, server, CAPY_OPTION_NAGLE, &value), CAPY_E_BADQD);
    pair_close(&p);
}

static void test_keep_alive_finds_a_dead_peer(void **state)
{
    (void)state;
    struct pair p;
    capy_handle server;
    with_router(&p, 0, false);
    capy_handle c = connect_pair(&p, &server);
    struct capy_stack *s = p.host[0];
    assert_int_equal(capy_stack_set(s, c, CAPY_OPTION_KEEP_IDLE_NS, CAPY_SEC(10), p.now), CAPY_OK);
    assert_int_equal(capy_stack_set(s, c, CAPY_OPTION_KEEPALIVE, 1, p.now), CAPY_OK);
    pair_run(&p, CAPY_SEC(100));
    assert_int_equal(hear(&p, 0).bits, 0);
    router.silent = true;
    router.mtu = 1; /* nothing gets through */
    pair_run(&p, CAPY_SEC(10 + 9 * 75));
    assert_int_equal(hear(&p, 0).bits, CAPY_EV_TIMED_OUT);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_narrow_path_costs_a_round_trip_once_per_destination),
        cmocka_unit_test(test_a_black_hole_is_found_by_timeouts),
        cmocka_unit_test(test_port_unreachable_refuses_an_open),
        cmocka_unit_test(test_host_unreachable_is_told_when_the_time_is_over),
        cmocka_unit_test(test_errors_that_do_not_fit_change_nothing),
        cmocka_unit_test(test_connections_inherit_their_listeners_settings),
        cmocka_unit_test(test_keep_alive_finds_a_dead_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
