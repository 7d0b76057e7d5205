/* Limits per peer: buckets, their refill, whom they do not touch; SYNs, RSTs and ICMP replies. */
#include "base/checksum.h"
#include "forge.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { PORT = 80, CLIENT = 0x0a000105, OTHER = 0x0a000206, RATE = 100 };

static struct forge f;

static int open_forge(void **state)
{
    (void)state;
    struct capy_stack_cfg cfg = forge_cfg();
    cfg.syn_rate = cfg.rst_rate = cfg.icmp_rate = RATE;
    cfg.conn_max = 1024;
    forge_open(&f, &cfg);
    assert_int_equal(capy_stack_listen(f.s, PORT, 0), CAPY_OK);
    return 0;
}

static int close_forge(void **state)
{
    (void)state;
    forge_close(&f);
    return 0;
}

static unsigned taken(enum capy_rate kind, const struct capy_ip *ip, unsigned tries)
{
    unsigned cnt = 0;
    for (unsigned i = 0; i < tries; i++)
        cnt += capy_rate_take(f.s, kind, ip);
    return cnt;
}

static void a_second_s_worth_at_once_then_the_rate(void **state)
{
    (void)state;
    struct capy_ip ip = capy_ip_from_v4(CLIENT);
    assert_int_equal(taken(CAPY_RATE_SYN, &ip, 1000), RATE);
    assert_int_equal(taken(CAPY_RATE_SYN, &ip, 1000), 0);
    forge_pass(&f, CAPY_MS(10) - 1);
    assert_int_equal(taken(CAPY_RATE_SYN, &ip, 1000), 0);
    forge_pass(&f, 1);
    assert_int_equal(taken(CAPY_RATE_SYN, &ip, 1000), 1);
    forge_pass(&f, CAPY_MS(500));
    assert_int_equal(taken(CAPY_RATE_SYN, &ip, 1000), RATE / 2);
    forge_pass(&f, CAPY_SEC(100)); /* never more than a second's worth */
    assert_int_equal(taken(CAPY_RATE_SYN, &ip, 1000), RATE);
    assert_int_equal(capy_stack_counters(f.s)->rate_limited[CAPY_RATE_SYN],
                     6000 - (RATE + 1 + RATE / 2 + RATE));
}

static void zero_is_no_limit_and_one_is_one(void **state)
{
    (void)state;
    struct capy_ip ip = capy_ip_from_v4(CLIENT);
    f.s->cfg.syn_rate = 0;
    assert_int_equal(taken(CAPY_RATE_SYN, &ip, 100000), 100000);
    f.s->cfg.syn_rate = 1;
    assert_int_equal(taken(CAPY_RATE_SYN, &ip, 10), 1);
    f.s->cfg.syn_rate = UINT32_MAX;
    assert_int_equal(taken(CAPY_RATE_RST, &ip, 10), 10);
}

/* Kinds and peers do not pay for each other; an IPv6 peer is its /64. */
static void everybody_has_a_bucket(void **state)
{
    (void)state;
    struct capy_ip a = capy_ip_from_v4(CLIENT), b = capy_ip_from_v4(OTHER);
    struct capy_ip v6 = {{0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 1}}, site = v6, next = v6;
    site.b[15] = 99;
    next.b[7]++;
    assert_int_equal(taken(CAPY_RATE_SYN, &a, 1000), RATE);
    assert_int_equal(taken(CAPY_RATE_RST, &a, 1000), RATE);
    assert_int_equal(taken(CAPY_RATE_ICMP, &a, 1000), RATE);
    assert_int_equal(taken(CAPY_RATE_SYN, &b, 1000), RATE);
    assert_int_equal(taken(CAPY_RATE_SYN, &v6, RATE / 2), RATE / 2);
    assert_int_equal(taken(CAPY_RATE_SYN, &site, 1000), RATE / 2);
    assert_int_equal(taken(CAPY_RATE_SYN, &next, 1000), RATE);
}

/* A flood from made-up addresses spreads over all buckets: an honest peer still gets in. */
static void made_up_addresses_do_not_lock_a_peer_out(void **state)
{
    (void)state;
    struct capy_ip ip = capy_ip_from_v4(CLIENT);
    for (uint32_t i = 0; i < CAPY_RATE_BUCKETS * RATE / 4; i++) {
        struct capy_ip made_up = capy_ip_from_v4(0x20000000u + i * 2654435761u);
        (void)capy_rate_take(f.s, CAPY_RATE_SYN, &made_up);
    }
    assert_in_range(taken(CAPY_RATE_SYN, &ip, 1000), RATE / 2, RATE);
}

static void syns_above_the_rate_are_dropped(void **state)
{
    (void)state;
    struct capy_stack_status st;
    for (uint16_t i = 0; i < 3 * RATE; i++) {
        struct forged c = forge_client(CLIENT, (uint16_t)(1000 + i), PORT);
        struct capy_tcp_segment syn = forge_syn(&c);
        forge_inject(&f, &c, &syn);
    }
    capy_stack_status(f.s, &st);
    assert_int_equal(st.conn_cnt, RATE);
    assert_int_equal(capy_stack_counters(f.s)->rate_limited[CAPY_RATE_SYN], 2 * RATE);
    struct forged other = forge_client(OTHER, 1, PORT);
    assert_true(forge_connect(&f, &other));
}

static void resets_for_unknown_segments_are_limited(void **state)
{
    (void)state;
    struct forged c = forge_client(CLIENT, 1, 9);
    for (unsigned i = 0; i < 3 * RATE; i++)
        forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
    assert_int_equal(forge_drain(&f), RATE);
    assert_int_equal(capy_stack_counters(f.s)->tcp.resets_out, RATE);
    assert_int_equal(capy_stack_counters(f.s)->rate_limited[CAPY_RATE_RST], 2 * RATE);
}

/* A RST is never answered, and so costs nothing. */
static void a_reset_takes_no_token(void **state)
{
    (void)state;
    struct forged c = forge_client(CLIENT, 1, 9);
    for (unsigned i = 0; i < 3 * RATE; i++)
        forge_say(&f, &c, CAPY_TCP_RST, NULL, 0);
    forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
    assert_int_equal(forge_drain(&f), 1);
    assert_int_equal(capy_stack_counters(f.s)->rate_limited[CAPY_RATE_RST], 0);
}

/* RFC 4443 §2.4(f), RFC 1812 §4.3.2.8. */
static void pings_above_the_rate_are_not_answered(void **state)
{
    (void)state;
    uint8_t frame[42] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, 0, 8, 0, 0x45, 0, 0, 28};
    frame[22] = 64; /* TTL */
    frame[23] = 1;  /* ICMP */
    capy_store32(frame + 26, CLIENT);
    capy_store32(frame + 30, 0x0a000001u);
    capy_store16(frame + 24, capy_sum_finish(capy_sum(0, frame + 14, 20)));
    frame[34] = 8;
    capy_store16(frame + 36, capy_sum_finish(capy_sum(0, frame + 34, 8)));
    for (unsigned i = 0; i < 2 * RATE; i++)
        capy_stack_input(f.s, frame, sizeof frame, f.now);
    assert_int_equal(forge_drain(&f), RATE);
    assert_int_equal(capy_stack_counters(f.s)->icmp_in, 2 * RATE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_forge, close_forge)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_second_s_worth_at_once_then_the_rate),
        TEST(zero_is_no_limit_and_one_is_one),
        TEST(everybody_has_a_bucket),
        TEST(made_up_addresses_do_not_lock_a_peer_out),
        TEST(syns_above_the_rate_are_dropped),
        TEST(resets_for_unknown_segments_are_limited),
        TEST(a_reset_takes_no_token),
        TEST(pings_above_the_rate_are_not_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
