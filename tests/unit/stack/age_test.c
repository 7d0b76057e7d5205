/* Who gives way when the connection table is full, or too many connections lost their application. */
#include "forge.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { PORT = 80, CLIENT = 0x0a000105, CONNS = 4 };

static struct forge f;

static void open_with(uint32_t orphan_max)
{
    struct capy_stack_cfg cfg = forge_cfg();
    cfg.conn_max = CONNS;
    cfg.orphan_max = orphan_max;
    forge_open(&f, &cfg);
    assert_int_equal(capy_stack_listen(f.s, PORT, 0), CAPY_OK);
}

static int open_forge(void **state)
{
    (void)state;
    open_with(CONNS);
    return 0;
}

static int close_forge(void **state)
{
    (void)state;
    forge_close(&f);
    return 0;
}

static const struct capy_stack_counters *count(void)
{
    return capy_stack_counters(f.s);
}

static unsigned in_state(enum capy_tcp_state state)
{
    struct capy_stack_conn_info info;
    unsigned cnt = 0;
    for (uint32_t cursor = 0; capy_stack_next_conn(f.s, &cursor, &info);)
        cnt += info.tcp.state == state;
    return cnt;
}

static bool lives(const struct forged *c)
{
    return capy_demux_find(f.s, &c->ip, c->port, c->to_port) != CAPY_NONE;
}

/* An open connection; its handle in *conn. */
static struct forged open_one(uint16_t port, capy_handle *conn)
{
    struct capy_stack_event ev;
    struct forged c = forge_client(CLIENT, port, PORT);
    assert_true(forge_connect(&f, &c));
    assert_true(capy_stack_event(f.s, &ev));
    assert_true(ev.bits & CAPY_EV_ACCEPTED);
    *conn = ev.conn;
    return c;
}

/* One that the application closed; `answered`: the client as well, so that it is in TIME_WAIT. */
static struct forged closed_one(uint16_t port, bool answered)
{
    capy_handle conn;
    struct capy_packet p;
    struct forged c = open_one(port, &conn);
    assert_int_equal(capy_stack_close(f.s, conn, f.now), CAPY_OK);
    assert_true(forge_answer(&f, &c, &p));
    assert_true(p.tcp.flags & CAPY_TCP_FIN);
    if (answered)
        forge_say(&f, &c, CAPY_TCP_FIN | CAPY_TCP_ACK, NULL, 0);
    forge_drain(&f);
    return c;
}

static void the_oldest_time_wait_makes_room(void **state)
{
    (void)state;
    capy_handle conn;
    struct forged c[CONNS], newer;
    c[0] = open_one(1000, &conn);
    for (uint16_t i = 1; i < CONNS; i++) {
        c[i] = closed_one((uint16_t)(1000 + i), true);
        forge_pass(&f, CAPY_SEC(1));
    }
    assert_int_equal(in_state(CAPY_TCP_TIME_WAIT), CONNS - 1);
    for (uint16_t i = 1; i < CONNS; i++) {
        assert_true(lives(&c[i]));
        newer = open_one((uint16_t)(2000 + i), &conn);
        assert_false(lives(&c[i]));
        assert_true(lives(&newer));
        assert_int_equal(count()->time_wait_recycled, i);
    }
    assert_true(lives(&c[0])); /* open ones stay */
    newer = forge_client(CLIENT, 3000, PORT);
    assert_false(forge_connect(&f, &newer));
    assert_int_equal(count()->no_slot, 1);
}

/* Also for one that we open. */
static void an_active_open_recycles_too(void **state)
{
    (void)state;
    capy_handle conn;
    struct capy_ip ip = capy_ip_from_v4(CLIENT);
    for (uint16_t i = 0; i < CONNS; i++)
        closed_one((uint16_t)(1000 + i), true);
    assert_int_equal(capy_stack_connect(f.s, &ip, 9, 0, 0, &conn, f.now), CAPY_OK);
    assert_int_equal(count()->time_wait_recycled, 1);
}

/* With room there is no need: 2 MSL are waited in full. */
static void with_room_time_wait_lasts(void **state)
{
    (void)state;
    capy_handle conn;
    struct forged c = closed_one(1000, true);
    for (uint16_t i = 1; i < CONNS; i++)
        open_one((uint16_t)(1000 + i), &conn);
    assert_true(lives(&c));
    forge_pass(&f, CAPY_SEC(60) + CAPY_MS(1));
    assert_false(lives(&c));
    assert_int_equal(count()->time_wait_recycled, 0);
}

/* RFC 6191, RFC 1122 §4.2.2.13: the same flow comes back before its TIME_WAIT is over. */
static void a_new_syn_reuses_its_own_time_wait(void **state)
{
    (void)state;
    struct capy_packet p;
    struct forged c = closed_one(1000, true);
    struct capy_tcp_segment syn = forge_syn(&c);
    syn.seq = capy_seq_add(c.snd_nxt, 1000);
    forge_inject(&f, &c, &syn);
    assert_true(forge_answer(&f, &c, &p));
    assert_int_equal(p.tcp.flags, CAPY_TCP_SYN | CAPY_TCP_ACK);
    assert_int_equal(count()->time_wait_recycled, 0);
    assert_int_equal(in_state(CAPY_TCP_SYN_RECEIVED), 1);
}

/* What the application still holds is not ours to give away, TIME_WAIT or not. */
static void a_time_wait_that_the_application_holds_stays(void **state)
{
    (void)state;
    capy_handle conn;
    struct capy_packet p;
    struct capy_stack_event ev;
    struct forged c[CONNS], more = forge_client(CLIENT, 2000, PORT);
    for (uint16_t i = 0; i < CONNS; i++) {
        c[i] = open_one((uint16_t)(1000 + i), &conn);
        assert_int_equal(capy_stack_shutdown(f.s, conn, f.now), CAPY_OK);
        assert_true(forge_answer(&f, &c[i], &p));
        forge_say(&f, &c[i], CAPY_TCP_FIN | CAPY_TCP_ACK, NULL, 0);
        forge_drain(&f);
        assert_true(capy_stack_event(f.s, &ev)); /* that the client's FIN can be read */
    }
    assert_int_equal(in_state(CAPY_TCP_TIME_WAIT), CONNS);
    assert_false(forge_connect(&f, &more));
    assert_int_equal(count()->time_wait_recycled, 0);
}

static void too_many_orphans_cost_the_oldest(void **state)
{
    (void)state;
    forge_close(&f);
    open_with(2);
    struct forged first = closed_one(1000, false);
    closed_one(1001, false);
    assert_int_equal(count()->orphans_reset, 0);
    capy_handle conn;
    struct capy_packet p;
    struct capy_seq rcv_nxt = first.rcv_nxt;
    open_one(1002, &conn);
    assert_int_equal(capy_stack_close(f.s, conn, f.now), CAPY_OK);
    assert_int_equal(count()->orphans_reset, 1);
    assert_false(lives(&first));
    assert_true(forge_answer(&f, &first, &p)); /* the peer learns it */
    assert_true(p.tcp.flags & CAPY_TCP_RST);
    assert_int_equal(p.tcp.seq.v, rcv_nxt.v);
    assert_int_equal(in_state(CAPY_TCP_FIN_WAIT_1), 2);
}

/* TIME_WAIT is no orphan: it costs no buffer and ends by itself. */
static void time_wait_does_not_count_as_orphan(void **state)
{
    (void)state;
    forge_close(&f);
    open_with(1);
    for (uint16_t i = 0; i < CONNS; i++)
        closed_one((uint16_t)(1000 + i), true);
    assert_int_equal(count()->orphans_reset, 0);
    assert_int_equal(in_state(CAPY_TCP_TIME_WAIT), CONNS);
}

static void nothing_is_left_in_the_lists(void **state)
{
    (void)state;
    struct capy_stack_status st;
    capy_handle conn;
    struct forged half = forge_client(CLIENT, 9, PORT), c = open_one(1000, &conn);
    struct capy_tcp_segment syn = forge_syn(&half);
    forge_inject(&f, &half, &syn);
    closed_one(1001, true);
    closed_one(1002, false);
    assert_int_equal(f.s->aged[CAPY_AGE_HALF_OPEN].cnt, 1);
    assert_int_equal(f.s->aged[CAPY_AGE_TIME_WAIT].cnt, 1);
    assert_int_equal(f.s->aged[CAPY_AGE_ORPHAN].cnt, 1);
    forge_say(&f, &c, CAPY_TCP_RST, NULL, 0);
    struct capy_stack_event ev;
    while (capy_stack_event(f.s, &ev))
        ;
    assert_int_equal(capy_stack_unlisten(f.s, PORT), CAPY_OK);
    for (unsigned i = 0; i < 2000; i++) { /* FIN again and again, then the user timeout */
        forge_pass(&f, CAPY_SEC(1));
        forge_drain(&f);
    }
    capy_stack_status(f.s, &st);
    assert_int_equal(st.conn_cnt, 0);
    for (unsigned i = 0; i < CAPY_AGE_CNT; i++)
        assert_int_equal(f.s->aged[i].cnt, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_forge, close_forge)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_oldest_time_wait_makes_room),
        TEST(an_active_open_recycles_too),
        TEST(with_room_time_wait_lasts),
        TEST(a_new_syn_reuses_its_own_time_wait),
        TEST(a_time_wait_that_the_application_holds_stays),
        TEST(too_many_orphans_cost_the_oldest),
        TEST(time_wait_does_not_count_as_orphan),
        TEST(nothing_is_left_in_the_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
