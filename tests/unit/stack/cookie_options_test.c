/* What comes back of a SYN's options by a cookie. */
#include "cookie_stage.h"

/* One SYN, to the roomy listener and to the full one: what is negotiated must be the same. */
static void both_ways(uint16_t port, const struct capy_tcp_segment *with)
{
    struct capy_stack_conn_more got[2];
    capy_handle conn;
    for (unsigned full = 0; full < 2; full++) {
        struct capy_packet p;
        struct forged c = forge_client(CLIENT, port, full ? FULL : ROOMY);
        struct capy_tcp_segment syn = *with;
        c.ts = syn.opts & CAPY_TCP_OPT_TS;
        syn.seq = c.snd_nxt;
        syn.ts_val = c.ts_val;
        forge_inject(&f, &c, &syn);
        c.snd_nxt = capy_seq_add(c.snd_nxt, 1);
        assert_true(forge_answer(&f, &c, &p));
        assert_int_equal(p.tcp.flags, CAPY_TCP_SYN | CAPY_TCP_ACK);
        forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
        got[full] = accepted(c.to_port, &conn);
        assert_int_equal(capy_stack_abort(f.s, conn, f.now), CAPY_OK);
        forge_drain(&f);
    }
    assert_int_equal(got[0].snd_mss, got[1].snd_mss);
    assert_int_equal(got[0].timestamps, got[1].timestamps);
    if (with->opts & CAPY_TCP_OPT_TS) {
        assert_int_equal(got[0].snd_wscale, got[1].snd_wscale);
        assert_int_equal(got[0].rcv_wscale, got[1].rcv_wscale);
        assert_int_equal(got[0].window_scale, got[1].window_scale);
        assert_int_equal(got[0].sack, got[1].sack);
    } else {
        assert_false(got[1].window_scale || got[1].sack);
    }
}

static void every_option_comes_back(void **state)
{
    (void)state;
    static const uint16_t mss[] = {40, 88, 536, 1220, 1360, 1400, 1432, 1440, 1460, 8960};
    struct capy_tcp_segment syn = {.window = 5000, .flags = CAPY_TCP_SYN, .opts = CAPY_TCP_OPT_MSS};
    uint16_t port = 2000;
    for (unsigned m = 0; m < sizeof mss / sizeof mss[0]; m++) {
        syn.mss = mss[m];
        both_ways(port++, &syn);
    }
    syn.opts = CAPY_TCP_OPT_MSS | CAPY_TCP_OPT_WSCALE | CAPY_TCP_OPT_SACK_OK;
    both_ways(port++, &syn); /* no timestamps, so nothing else */
    for (unsigned wscale = 0; wscale <= 14; wscale++) {
        syn.wscale = (uint8_t)wscale;
        syn.opts = CAPY_TCP_OPT_TS | CAPY_TCP_OPT_WSCALE | CAPY_TCP_OPT_MSS;
        both_ways(port++, &syn);
        syn.opts |= CAPY_TCP_OPT_SACK_OK;
        both_ways(port++, &syn);
    }
    syn.opts = CAPY_TCP_OPT_TS;
    both_ways(port++, &syn);
    assert_int_equal(count()->syn_cookies_bad, 0);
    assert_int_equal(count()->syn_cookies_ok, count()->syn_cookies_sent);
}

/* RFC 3168 §6.1.1: agreed on when the timestamp can keep it, else left; and DCTCP's SYN-ACK is markable
 * (RFC 8257 §3.6). */
static void ecn_is_agreed_on_or_left(void **state)
{
    (void)state;
    enum { SETUP = CAPY_TCP_SYN | CAPY_TCP_ECE | CAPY_TCP_CWR, ECT_0 = 2, CE = 3 };
    static const struct {
        bool ts;
        uint64_t ecn, congestion;
        bool agreed;
        uint8_t syn_ack_ecn;
    } cases[] = {
        {true, CAPY_TCP_ECN_ACCEPT, CAPY_TCP_CUBIC, true, 0},
        {false, CAPY_TCP_ECN_ACCEPT, CAPY_TCP_CUBIC, false, 0},
        {true, CAPY_TCP_ECN_OFF, CAPY_TCP_CUBIC, false, 0},
        {true, CAPY_TCP_ECN_ACCEPT, CAPY_TCP_DCTCP, true, ECT_0},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct capy_packet p;
        capy_handle conn;
        uint64_t value;
        assert_int_equal(
            capy_stack_listener_set(f.s, FULL, CAPY_OPTION_CONGESTION, cases[i].congestion),
            CAPY_OK);
        assert_int_equal(capy_stack_listener_set(f.s, FULL, CAPY_OPTION_ECN, cases[i].ecn),
                         CAPY_OK);
        struct forged c = forge_client(CLIENT, (uint16_t)(3500 + i), FULL);
        c.ts = cases[i].ts;
        struct capy_tcp_segment syn = forge_syn(&c);
        syn.flags = SETUP;
        forge_inject(&f, &c, &syn);
        c.snd_nxt = capy_seq_add(c.snd_nxt, 1);
        assert_true(forge_answer(&f, &c, &p));
        assert_int_equal(p.tcp.flags,
                         CAPY_TCP_SYN | CAPY_TCP_ACK | (cases[i].agreed ? CAPY_TCP_ECE : 0));
        assert_int_equal(p.ecn, cases[i].syn_ack_ecn);
        forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
        (void)accepted(FULL, &conn);
        assert_int_equal(capy_stack_get(f.s, conn, CAPY_OPTION_ECN, &value), CAPY_OK);
        assert_int_equal(value, cases[i].agreed);
        assert_int_equal(capy_stack_write(f.s, conn, (const uint8_t *)"x", 1, f.now), 1);
        assert_true(forge_answer(&f, &c, &p));
        assert_int_equal(p.ecn, cases[i].agreed ? ECT_0 : 0);
        capy_stack_abort(f.s, conn, f.now);
        forge_drain(&f);
    }
    assert_int_equal(count()->syn_cookies_ok, sizeof cases / sizeof *cases);
}

/* A segment size between two rows becomes the lower row: never more than the peer can take. */
static void an_odd_segment_size_is_rounded_down(void **state)
{
    (void)state;
    static const uint16_t odd[][2] = {{535, 88}, {1000, 536}, {1359, 1220}, {1459, 1440}};
    for (unsigned i = 0; i < 4; i++) {
        struct capy_packet p;
        capy_handle conn;
        struct forged c = forge_client(CLIENT, (uint16_t)(3000 + i), FULL);
        struct capy_tcp_segment syn = forge_syn(&c);
        syn.mss = odd[i][0];
        forge_inject(&f, &c, &syn);
        c.snd_nxt = capy_seq_add(c.snd_nxt, 1);
        assert_true(forge_answer(&f, &c, &p));
        forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
        assert_int_equal(accepted(FULL, &conn).snd_mss, odd[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_option_comes_back),
        TEST(ecn_is_agreed_on_or_left),
        TEST(an_odd_segment_size_is_rounded_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
