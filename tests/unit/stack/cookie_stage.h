/* What the tests of SYN cookies share: a host, one of whose two listeners has a full queue from the
 * start. Header only; one program each. */
#ifndef CAPY_TESTS_STACK_COOKIE_STAGE_H
#define CAPY_TESTS_STACK_COOKIE_STAGE_H

#include "forge.h"
#include "pair.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Two listeners: the queue of one is full from the start. */
enum { FULL = 80, ROOMY = 81, CLIENT = 0x0a000105, STRANGER = 0x0b000001, BACKLOG = 2 };

static struct forge f;

static inline const struct capy_stack_counters *count(void)
{
    return capy_stack_counters(f.s);
}

static inline uint32_t conns(void)
{
    struct capy_stack_status st;
    capy_stack_status(f.s, &st);
    return st.conn_cnt;
}

/* SYNs that nobody will complete. */
static inline void flood(unsigned cnt)
{
    for (unsigned i = 0; i < cnt; i++) {
        struct forged c = forge_client(STRANGER + i, 1000, FULL);
        struct capy_tcp_segment syn = forge_syn(&c);
        forge_inject(&f, &c, &syn);
        forge_drain(&f);
    }
}

static inline void open_with(uint32_t conn_max)
{
    struct capy_stack_cfg cfg = forge_cfg();
    cfg.syn_backlog_max = BACKLOG;
    cfg.conn_max = conn_max;
    cfg.tcp.syn_retries = 15; /* the queue stays full for as long as a test looks */
    forge_open(&f, &cfg);
    assert_int_equal(capy_stack_listen(f.s, FULL, FULL), CAPY_OK);
    assert_int_equal(capy_stack_listen(f.s, ROOMY, ROOMY), CAPY_OK);
    flood(BACKLOG);
    assert_int_equal(count()->syn_cookies_sent, 0);
}

static inline int open_forge(void **state)
{
    (void)state;
    open_with(128);
    return 0;
}

static inline int close_forge(void **state)
{
    (void)state;
    forge_close(&f);
    return 0;
}

/* The next event must be ACCEPTED of this listener. */
static inline struct capy_stack_conn_more accepted(uint64_t listener, capy_handle *conn)
{
    struct capy_stack_event ev;
    struct capy_stack_conn_more more;
    assert_true(capy_stack_event(f.s, &ev));
    assert_true(ev.bits & CAPY_EV_ACCEPTED);
    assert_int_equal(ev.user, listener);
    assert_int_equal(capy_stack_conn_more(f.s, ev.conn, &more), CAPY_OK);
    *conn = ev.conn;
    return more;
}

/* The next frame must be a RST to this client (RFC 9293 §3.10.7.2, an ACK in LISTEN). */
static inline void expect_reset(struct forged *c, struct capy_seq seq)
{
    struct capy_packet p;
    assert_true(forge_answer(&f, c, &p));
    assert_int_equal(p.tcp.flags, CAPY_TCP_RST);
    assert_int_equal(p.tcp.seq.v, seq.v);
    assert_int_equal(forge_drain(&f), 0);
}

/* A client that was answered with a cookie, as it is before its ACK. */
static inline struct forged halfway(uint16_t port, bool ts)
{
    struct capy_packet p;
    struct forged c = forge_client(CLIENT, port, FULL);
    c.ts = ts;
    struct capy_tcp_segment syn = forge_syn(&c);
    uint64_t sent = count()->syn_cookies_sent;
    forge_inject(&f, &c, &syn);
    c.snd_nxt = capy_seq_add(c.snd_nxt, 1);
    assert_true(forge_answer(&f, &c, &p));
    assert_int_equal(p.tcp.flags, CAPY_TCP_SYN | CAPY_TCP_ACK);
    assert_int_equal(count()->syn_cookies_sent, sent + 1);
    return c;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_forge, close_forge)

#endif
