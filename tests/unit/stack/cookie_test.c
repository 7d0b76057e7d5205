/* SYN cookies: when they are sent, and what is refused. */
#include "cookie_stage.h"

static void a_full_queue_keeps_nothing(void **state)
{
    (void)state;
    flood(50);
    assert_int_equal(conns(), BACKLOG);
    assert_int_equal(count()->backlog_full, 50 - BACKLOG); /* the first two repeat themselves */
    assert_int_equal(count()->syn_cookies_sent, 50 - BACKLOG);
}

static void without_cookies_the_syn_is_dropped(void **state)
{
    (void)state;
    f.s->cfg.syn_cookies = false;
    flood(5);
    assert_int_equal(count()->backlog_full, 3);
    assert_int_equal(count()->syn_cookies_sent, 0);
}

/* The timestamp must not run ahead of our clock: later segments would be old (RFC 7323 §5.3). */
static void the_timestamp_is_never_ahead(void **state)
{
    (void)state;
    for (uint16_t i = 0; i < 200; i++) {
        uint32_t first, then;
        struct capy_packet p;
        capy_handle conn;
        struct forged c = halfway((uint16_t)(4000 + i), true);
        first = c.ts_ecr;
        forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
        (void)accepted(FULL, &conn);
        assert_int_equal(capy_stack_write(f.s, conn, (const uint8_t *)"x", 1, f.now), 1);
        assert_true(forge_answer(&f, &c, &p));
        then = p.tcp.ts_val;
        assert_in_range(then - first, 0, 63);
        capy_stack_abort(f.s, conn, f.now);
        forge_drain(&f);
        forge_pass(&f, CAPY_MS(7));
    }
}

static void data_may_come_with_the_cookie_or_without_the_first_ack(void **state)
{
    (void)state;
    capy_handle conn;
    bool fin;
    uint32_t got;
    struct forged c = halfway(5000, true);
    /* The bare ACK was lost; the client's first request brings the cookie. */
    forge_say(&f, &c, CAPY_TCP_ACK | CAPY_TCP_PSH, "GET", 3);
    (void)accepted(FULL, &conn);
    assert_int_equal(capy_stack_readable(f.s, conn, &fin), 3);
    assert_memory_equal(capy_stack_read_span(f.s, conn, 0, &got), "GET", 3);
    /* And its FIN as well. */
    c = halfway(5001, false);
    forge_say(&f, &c, CAPY_TCP_ACK | CAPY_TCP_FIN, "ab", 2);
    (void)accepted(FULL, &conn);
    assert_int_equal(capy_stack_readable(f.s, conn, &fin), 2);
    assert_true(fin);
}

/* A SYN is there twice. There was no room for the first copy, and now there is. */
static void the_cookie_of_a_repeated_syn_is_as_good_as_its_half_open_connection(void **state)
{
    (void)state;
    capy_handle conn;
    struct capy_packet p;
    struct forged c = halfway(5200, true), again = forge_client(CLIENT, 5200, FULL);
    again.ts = true;
    f.s->cfg.syn_backlog_max = BACKLOG + 1;
    struct capy_tcp_segment syn = forge_syn(&again);
    forge_inject(&f, &again, &syn);
    assert_true(forge_answer(&f, &again, &p));
    assert_int_equal(p.tcp.flags, CAPY_TCP_SYN | CAPY_TCP_ACK);
    assert_int_equal(conns(), BACKLOG + 1);
    assert_int_not_equal(again.rcv_nxt.v, c.rcv_nxt.v);
    forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
    (void)accepted(FULL, &conn);
    assert_int_equal(conns(), BACKLOG + 1);
    assert_int_equal(count()->syn_cookies_ok, 1);
    assert_int_equal(count()->tcp.resets_out, 0);
    forge_say(&f, &c, CAPY_TCP_ACK | CAPY_TCP_PSH, "GET", 3);
    bool fin;
    assert_int_equal(capy_stack_readable(f.s, conn, &fin), 3);
}

/* RTT state is fresh: nothing is known of when the SYN-ACK left. */
static void the_round_trip_is_unknown(void **state)
{
    (void)state;
    capy_handle conn;
    struct capy_stack_conn_info info;
    struct forged c = halfway(5100, true);
    forge_pass(&f, CAPY_SEC(3));
    forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
    (void)accepted(FULL, &conn);
    assert_int_equal(capy_stack_conn_info(f.s, conn, &info), CAPY_OK);
    assert_int_equal(info.tcp.srtt_ns, 0);
    assert_int_equal(info.tcp.state, CAPY_TCP_ESTABLISHED);
}

/* One thing changed in a good ACK, each in turn; RFC 9293 §3.10.7.2 answers with RST. */
static void a_wrong_cookie_is_reset(void **state)
{
    (void)state;
    struct forged good = halfway(6000, true), c;
    for (unsigned bit = 0; bit < 32; bit++) { /* every bit of both numbers counts */
        c = good;
        c.rcv_nxt.v = ((good.rcv_nxt.v - 1) ^ 1u << bit) + 1;
        struct capy_seq ack = c.rcv_nxt;
        forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
        expect_reset(&c, ack);
        c = good;
        c.snd_nxt.v ^= 1u << bit;
        forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
        expect_reset(&c, good.rcv_nxt);
    }
    for (unsigned bit = 0; bit < 6; bit++) { /* options that were not offered */
        c = good;
        c.ts_ecr ^= 1u << bit;
        forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
        expect_reset(&c, good.rcv_nxt);
    }
    c = good;
    c.ts = false;
    forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
    expect_reset(&c, good.rcv_nxt);
    c = good;
    c.port++;
    forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
    expect_reset(&c, good.rcv_nxt);
    c = good;
    c.ip.b[15] ^= 1;
    forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
    expect_reset(&c, good.rcv_nxt);
    c = good;
    c.to_port = ROOMY; /* another listener, which sent none */
    forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
    expect_reset(&c, good.rcv_nxt);
    assert_int_equal(count()->syn_cookies_bad, 32 + 32 + 6 + 3);
    assert_int_equal(count()->syn_cookies_ok, 0);
    assert_int_equal(conns(), BACKLOG);
    forge_say(&f, &good, CAPY_TCP_ACK, NULL, 0);
    assert_int_equal(count()->syn_cookies_ok, 1);
}

/* Timestamps that say nothing (no scaling, no SACK) are still timestamps: without them in the ACK
 * the connection would go on without (RFC 7323 §3.2). */
static void bare_timestamps_count_as_well(void **state)
{
    (void)state;
    struct capy_packet p;
    struct forged c = forge_client(CLIENT, 6050, FULL);
    struct capy_tcp_segment syn = forge_syn(&c);
    syn.opts = CAPY_TCP_OPT_TS | CAPY_TCP_OPT_WSCALE;
    forge_inject(&f, &c, &syn);
    c.snd_nxt = capy_seq_add(c.snd_nxt, 1);
    assert_true(forge_answer(&f, &c, &p));
    assert_int_equal(p.tcp.ts_val & 63, 0);
    struct capy_seq ack = c.rcv_nxt;
    forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
    expect_reset(&c, ack);
}

/* A RST, and a SYN-ACK, are no cookies; neither is answered by making a connection. */
static void only_a_plain_ack_completes(void **state)
{
    (void)state;
    struct forged c = halfway(6100, true), again = c;
    forge_say(&f, &c, CAPY_TCP_ACK | CAPY_TCP_RST, NULL, 0);
    assert_int_equal(forge_drain(&f), 0);
    c = again;
    forge_say(&f, &c, CAPY_TCP_ACK | CAPY_TCP_SYN, NULL, 0);
    expect_reset(&c, again.rcv_nxt);
    assert_int_equal(conns(), BACKLOG);
}

static void a_cookie_is_good_for_half_a_minute_and_not_for_more_than_one(void **state)
{
    (void)state;
    struct forged c = halfway(6200, true), late = c;
    forge_pass(&f, CAPY_SEC(32) - 1);
    forge_drain(&f);
    forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
    assert_int_equal(count()->syn_cookies_ok, 1);
    late = halfway(6201, true);
    forge_pass(&f, CAPY_SEC(64));
    struct forged other = halfway(6202, true); /* cookies still come back in general */
    forge_drain(&f);
    uint64_t bad = count()->syn_cookies_bad;
    struct capy_seq ack = late.rcv_nxt;
    forge_say(&f, &late, CAPY_TCP_ACK, NULL, 0);
    expect_reset(&late, ack);
    assert_int_equal(count()->syn_cookies_bad, bad + 1);
    forge_say(&f, &other, CAPY_TCP_ACK, NULL, 0);
    assert_int_equal(count()->syn_cookies_ok, 2);
    /* A whole turn of the counter's two bits later it would look right again: the tag knows. */
    other = halfway(6203, true);
    forge_pass(&f, CAPY_SEC(128));
    (void)halfway(6204, true);
    forge_drain(&f);
    ack = other.rcv_nxt;
    forge_say(&f, &other, CAPY_TCP_ACK, NULL, 0);
    expect_reset(&other, ack);
    assert_int_equal(count()->syn_cookies_ok, 2);
}

/* When no cookie can be out, a cookie's ACK is a segment of no connection like any other. */
static void cookies_count_only_while_some_are_out(void **state)
{
    (void)state;
    struct forged c = halfway(6300, true);
    struct capy_seq ack = c.rcv_nxt;
    f.s->listeners[0].cookies_until = f.now; /* as after 64 s without a full queue */
    forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
    expect_reset(&c, ack);
    assert_int_equal(count()->syn_cookies_bad, 0); /* nobody looked */
}

/* A cookie promised a window scale that follows from the listener's settings: others now, and it
 * means nothing any more. */
static void new_settings_void_the_cookies(void **state)
{
    (void)state;
    struct forged c = halfway(6350, true);
    struct capy_seq ack = c.rcv_nxt;
    assert_int_equal(capy_stack_listener_set(f.s, FULL, CAPY_OPTION_RECEIVE_BUFFER, 4096), CAPY_OK);
    forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
    expect_reset(&c, ack);
    c = halfway(6351, true);
    forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
    assert_int_equal(count()->syn_cookies_ok, 1);
}

/* Cookies need no memory but the key: another host with the same one completes the handshake. */
static void nothing_is_stored(void **state)
{
    (void)state;
    struct forged c = halfway(6400, true);
    capy_handle conn;
    uint64_t now = f.now;
    forge_close(&f);
    open_with(128);
    f.now = now;
    f.s->listeners[0].cookies_until = now + 1;
    forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
    assert_true(accepted(FULL, &conn).sack);
}

/* A full table: half-open connections make room for the completed, open ones never do. */
static void a_full_table_is_shared_by_those_who_complete(void **state)
{
    (void)state;
    capy_handle conn;
    forge_close(&f);
    open_with(4);
    for (uint16_t i = 0; i < 2; i++) { /* full: two half-open, two open */
        struct forged c = forge_client(CLIENT, (uint16_t)(7000 + i), ROOMY);
        assert_true(forge_connect(&f, &c));
        (void)accepted(ROOMY, &conn);
    }
    assert_int_equal(conns(), 4);
    for (uint16_t i = 0; i < 2; i++) {
        struct forged c = forge_client(CLIENT, (uint16_t)(7100 + i), ROOMY);
        assert_true(forge_connect(&f, &c)); /* no slot: a cookie, though its queue has room */
        (void)accepted(ROOMY, &conn);
    }
    assert_int_equal(count()->half_open_evicted, 2);
    assert_int_equal(count()->no_slot, 2);
    struct forged c = forge_client(CLIENT, 7200, ROOMY);
    assert_false(forge_connect(&f, &c)); /* nothing will make room: the client waits */
    assert_int_equal(count()->no_slot, 3);
    assert_int_equal(conns(), 4);
}

/* With a cookie out and the table full of open connections the ACK is dropped, not reset: the
 * client's data will bring it again. */
static void a_completed_handshake_waits_for_a_slot(void **state)
{
    (void)state;
    capy_handle conn[4];
    forge_close(&f);
    open_with(4);
    struct forged c = halfway(7300, true);
    for (uint16_t i = 0; i < 4; i++) {
        struct forged other = forge_client(CLIENT, (uint16_t)(7400 + i), ROOMY);
        assert_true(forge_connect(&f, &other));
        (void)accepted(ROOMY, &conn[i]);
    }
    struct forged again = c;
    forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
    assert_int_equal(forge_drain(&f), 0);
    assert_int_equal(capy_stack_abort(f.s, conn[0], f.now), CAPY_OK);
    forge_drain(&f);
    forge_say(&f, &again, CAPY_TCP_ACK, "x", 1);
    (void)accepted(FULL, &conn[0]);
}

static void a_paused_listener_opens_nothing(void **state)
{
    (void)state;
    capy_handle conn;
    struct capy_packet p;
    struct forged cookie = halfway(8000, true), half = forge_client(CLIENT, 8001, ROOMY),
                  late = forge_client(CLIENT, 8002, ROOMY);
    struct capy_tcp_segment syn = forge_syn(&half);
    forge_inject(&f, &half, &syn);
    half.snd_nxt = capy_seq_add(half.snd_nxt, 1);
    assert_true(forge_answer(&f, &half, &p));
    assert_int_equal(capy_stack_listen_pause(f.s, FULL, true), CAPY_OK);
    assert_int_equal(capy_stack_listen_pause(f.s, ROOMY, true), CAPY_OK);
    assert_int_equal(capy_stack_listen_pause(f.s, 9, true), CAPY_E_INVAL);
    struct forged c = cookie;
    uint32_t before = conns();
    forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
    assert_int_equal(conns(), before);
    c = half;
    forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
    assert_false(forge_connect(&f, &late));
    struct capy_stack_event ev;
    assert_false(capy_stack_event(f.s, &ev));
    assert_int_equal(count()->accept_full, 3);
    assert_int_equal(forge_drain(&f), 0);
    /* It goes on: whoever repeats itself gets in. */
    capy_stack_listen_pause(f.s, FULL, false);
    capy_stack_listen_pause(f.s, ROOMY, false);
    forge_say(&f, &cookie, CAPY_TCP_ACK, "x", 1);
    (void)accepted(FULL, &conn);
    forge_say(&f, &half, CAPY_TCP_ACK, "x", 1);
    (void)accepted(ROOMY, &conn);
    late = forge_client(CLIENT, 8002, ROOMY);
    assert_true(forge_connect(&f, &late));
}

/* The same over IPv6: both SYN-ACKs alike, and options, MSS and data as they should be. */
static void a_cookie_over_ipv6(void **state)
{
    (void)state;
    capy_handle conn;
    struct capy_stack_conn_more got[2];
    uint16_t offered[2];
    for (unsigned full = 0; full < 2; full++) {
        struct capy_packet p;
        struct forged c = forge_client(0, 2000, full ? FULL : ROOMY);
        c.ip = (struct capy_ip){{0x20, 1, 0xd, 0xb8, [7] = 9, [15] = 5}};
        c.ts = true;
        struct capy_tcp_segment syn = forge_syn(&c);
        syn.mss = 1440;
        forge_inject(&f, &c, &syn);
        c.snd_nxt = capy_seq_add(c.snd_nxt, 1);
        assert_true(forge_answer(&f, &c, &p));
        assert_int_equal(p.tcp.flags, CAPY_TCP_SYN | CAPY_TCP_ACK);
        offered[full] = p.tcp.mss;
        struct forged wrong = c; /* another host of the same site */
        wrong.ip.b[15] = 6;
        forge_say(&f, &wrong, CAPY_TCP_ACK, NULL, 0);
        assert_true(forge_answer(&f, &wrong, &p));
        assert_int_equal(p.tcp.flags, CAPY_TCP_RST);
        forge_say(&f, &c, CAPY_TCP_ACK | CAPY_TCP_PSH, "six", 3);
        got[full] = accepted(c.to_port, &conn);
        bool fin;
        assert_int_equal(capy_stack_readable(f.s, conn, &fin), 3);
    }
    assert_int_equal(count()->syn_cookies_ok, 1);
    assert_int_equal(offered[0], offered[1]);
    assert_int_equal(got[0].snd_mss, got[1].snd_mss);
    assert_int_equal(got[0].snd_wscale, got[1].snd_wscale);
    assert_true(got[1].sack && got[1].timestamps && got[1].window_scale);
}

/* Against our own stack as the client, so that nothing is left to a forger's imagination. */
static void a_real_client_transfers_through_a_cookie(void **state)
{
    (void)state;
    struct capy_stack_cfg a = pair_cfg(0), b = pair_cfg(1);
    struct pair p;
    capy_handle c[3], s = CAPY_HANDLE_NONE;
    struct capy_ip ip = pair_ip(1);
    b.syn_backlog_max = 1;
    pair_open(&p, &a, &b);
    capy_stack_listen(p.host[1], FULL, FULL);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(capy_stack_connect(p.host[0], &ip, FULL, 0, i, &c[i], p.now), CAPY_OK);
    pair_run(&p, CAPY_MS(1));
    assert_int_equal(capy_stack_counters(p.host[1])->syn_cookies_ok, 2);
    struct capy_stack_conn_info info;
    struct capy_ip client = pair_ip(0);
    assert_int_equal(capy_stack_conn_info(p.host[0], c[2], &info), CAPY_OK);
    assert_int_equal(capy_stack_find(p.host[1], &client, info.local_port, &s), CAPY_OK);
    static uint8_t bytes[300000];
    uint32_t got = 0, sent = 0, span;
    while (got < sizeof bytes) {
        int64_t n = capy_stack_write(p.host[0], c[2], bytes + sent, sizeof bytes - sent, p.now);
        assert_true(n >= 0);
        sent += (uint32_t)n;
        while (capy_stack_read_span(p.host[1], s, 0, &span)) {
            capy_stack_consume(p.host[1], s, span, p.now);
            got += span;
        }
        assert_true(pair_step(&p, p.now + CAPY_SEC(2)) || got == sizeof bytes);
    }
    assert_int_equal(capy_stack_counters(p.host[1])->tcp.paws_drops, 0);
    assert_int_equal(capy_stack_counters(p.host[0])->tcp.paws_drops, 0);
    assert_int_equal(capy_stack_counters(p.host[0])->tcp.retrans_segs, 0);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_full_queue_keeps_nothing),
        TEST(without_cookies_the_syn_is_dropped),
        TEST(the_timestamp_is_never_ahead),
        TEST(data_may_come_with_the_cookie_or_without_the_first_ack),
        TEST(the_cookie_of_a_repeated_syn_is_as_good_as_its_half_open_connection),
        TEST(the_round_trip_is_unknown),
        TEST(a_wrong_cookie_is_reset),
        TEST(bare_timestamps_count_as_well),
        TEST(only_a_plain_ack_completes),
        TEST(a_cookie_is_good_for_half_a_minute_and_not_for_more_than_one),
        TEST(cookies_count_only_while_some_are_out),
        TEST(new_settings_void_the_cookies),
        TEST(nothing_is_stored),
        TEST(a_full_table_is_shared_by_those_who_complete),
        TEST(a_completed_handshake_waits_for_a_slot),
        TEST(a_paused_listener_opens_nothing),
        TEST(a_cookie_over_ipv6),
        cmocka_unit_test(a_real_client_transfers_through_a_cookie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
