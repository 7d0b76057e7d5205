/* A million connections in one process, each opened by a handshake of its own, none closed, and a
 * request answered on each of them: within 512 bytes per connection, everything included (design
 * target of docs/architecture.md, "Memory"). The clients are frames, with eight bytes of memory each
 * that are this test's own. */
#include "forge.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

enum { CONNS = 1000000, PER_ADDRESS = 1000, FIRST_PORT = 1024, PORT = 80, LEN = 64 };

static struct forge f;

static struct {
    struct capy_seq rcv_nxt;
    uint32_t ts_ecr;
} kept[CONNS];

static const uint8_t request[LEN] = "GET /";

/* Client i as it was left; asked: its request is on its way. */
static struct forged client(uint32_t i, bool asked)
{
    struct forged c =
        forge_client(0x0b000000u + i / PER_ADDRESS, (uint16_t)(FIRST_PORT + i % PER_ADDRESS), PORT);
    c.ts = true;
    c.snd_nxt = capy_seq_add(c.snd_nxt, asked ? 1 + LEN : 1);
    c.rcv_nxt = kept[i].rcv_nxt;
    c.ts_ecr = kept[i].ts_ecr;
    return c;
}

static void keep(uint32_t i, const struct forged *c)
{
    kept[i].rcv_nxt = c->rcv_nxt;
    kept[i].ts_ecr = c->ts_ecr;
}

static double seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* The next event's connection; its request, which must be there, is answered by as many bytes. */
static void answer_one(void)
{
    struct capy_stack_event ev;
    uint32_t got;
    assert_true(capy_stack_event(f.s, &ev));
    const uint8_t *data = capy_stack_read_span(f.s, ev.conn, 0, &got);
    assert_int_equal(got, LEN);
    assert_int_equal(capy_stack_write(f.s, ev.conn, data, LEN, f.now), LEN);
    assert_int_equal(capy_stack_consume(f.s, ev.conn, LEN, f.now), CAPY_OK);
}

static void open_all(void)
{
    struct capy_stack_event ev;
    for (uint32_t i = 0; i < CONNS; i++) {
        struct forged c = client(i, false);
        c.snd_nxt = capy_seq_add(c.snd_nxt, UINT32_MAX);
        forge_pass(&f, CAPY_US(1));
        assert_true(forge_connect(&f, &c));
        assert_true(capy_stack_event(f.s, &ev));
        assert_int_equal(ev.bits, CAPY_EV_ACCEPTED);
        keep(i, &c);
    }
}

/* A request on each, its answer, and the acknowledgment of that. How many were answered. */
static uint32_t ask_all(void)
{
    uint32_t answered = 0;
    for (uint32_t i = 0; i < CONNS; i++) {
        struct capy_packet p;
        struct forged c = client(i, false);
        forge_pass(&f, CAPY_US(1));
        forge_say(&f, &c, CAPY_TCP_ACK | CAPY_TCP_PSH, request, LEN);
        answer_one();
        if (!forge_answer(&f, &c, &p) || p.tcp.data_len != LEN ||
            memcmp(p.tcp.data, request, LEN) != 0)
            continue;
        answered++;
        forge_say(&f, &c, CAPY_TCP_ACK, NULL, 0);
        keep(i, &c);
    }
    return answered;
}

static uint32_t in_state(enum capy_tcp_state state)
{
    struct capy_stack_conn_info info;
    uint32_t cnt = 0;
    for (uint32_t cursor = 0; capy_stack_next_conn(f.s, &cursor, &info);)
        cnt += info.tcp.state == state;
    return cnt;
}

static void a_million_connections(void **state)
{
    (void)state;
    struct capy_stack_cfg cfg = forge_cfg();
    struct capy_stack_status st;
    cfg.conn_max = CONNS;
    cfg.block_cnt = 256; /* idle connections hold none; those at work take turns */
    forge_open(&f, &cfg);
    assert_int_equal(capy_stack_listen(f.s, PORT, 0), CAPY_OK);
    double began = seconds();
    open_all();
    double opened = seconds();
    uint32_t answered = ask_all();
    double asked = seconds();
    capy_stack_status(f.s, &st);
    printf(
        "a million connections: %.1f bytes each (%zu MiB), %u established, %u requests answered; "
        "opened in %.1f s, answered in %.1f s\n",
        (double)f.size / CONNS, f.size >> 20, st.conn_cnt, answered, opened - began,
        asked - opened);
    assert_true(f.size / CONNS <= 512);
    assert_int_equal(in_state(CAPY_TCP_ESTABLISHED), CONNS);
    assert_int_equal(answered, CONNS);
    assert_int_equal(st.block_free, st.block_cnt); /* not one holds a block */
    assert_int_equal(capy_stack_counters(f.s)->syn_cookies_sent, 0);
    assert_int_equal(capy_stack_counters(f.s)->tcp.retrans_segs, 0);
    forge_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_million_connections)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
