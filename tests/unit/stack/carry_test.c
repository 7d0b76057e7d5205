/* Records of carried connections (stack/carry.c), damaged: whichever bit is turned over, a record is
 * refused and nothing of it stays, or it is a connection's, and encodes to itself. A handshake under
 * way either way, and an open connection; untouched they go on in the host that takes them. */
#include "forge.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

enum { PORT = 80, RECORD_MAX = 4096 };

struct record {
    uint8_t bytes[RECORD_MAX];
    uint32_t len;
    uint8_t state; /* enum capy_tcp_state of the connection */
};

static struct forge from, to;

static struct capy_stack_cfg small_cfg(void)
{
    struct capy_stack_cfg cfg = forge_cfg();
    cfg.conn_max = 4;
    cfg.block_cnt = 64;
    return cfg;
}

static struct capy_stack *open_host(struct forge *f)
{
    struct capy_stack_cfg cfg = small_cfg();
    if (!f->mem)
        forge_open(f, &cfg);
    f->now = CAPY_SEC(1000);
    f->s = capy_stack_init(f->mem, &cfg, f->now);
    assert_int_equal(capy_stack_listen(f->s, PORT, 0), CAPY_OK);
    return f->s;
}

static void drain(struct forge *f)
{
    struct capy_packet p;
    struct capy_stack_event ev;
    while (forge_hear(f, &p))
        ;
    while (capy_stack_event(f->s, &ev))
        ;
}

/* Connections in SYN_SENT, SYN_RECEIVED and ESTABLISHED, carried out. */
static unsigned carry_out(struct record out[4])
{
    struct capy_ip peer = capy_ip_from_v4(0x0a000009u);
    struct forged half = forge_client(0x0a000007u, 4000, PORT);
    struct forged whole = forge_client(0x0a000008u, 4001, PORT);
    struct capy_packet p;
    capy_handle opened;
    unsigned cnt = 0;
    uint32_t cursor = 0;
    open_host(&from);
    half.ts = whole.ts = true;
    assert_true(forge_connect(&from, &whole));
    struct capy_tcp_segment syn = forge_syn(&half);
    forge_inject(&from, &half, &syn);
    assert_true(forge_answer(&from, &half, &p));
    assert_int_equal(capy_stack_connect(from.s, &peer, PORT, 0, 0, &opened, from.now), CAPY_OK);
    drain(&from);
    while ((out[cnt].len = capy_stack_carry_out(from.s, &cursor, out[cnt].bytes, RECORD_MAX)) > 0) {
        assert_true(out[cnt].len <= RECORD_MAX && cnt < 3);
        out[cnt].state = from.s->conns[cursor - 1].tcb.state;
        cnt++;
    }
    return cnt;
}

static bool carry_in(const struct record *r)
{
    struct capy_stack_status status;
    capy_handle conn;
    uint64_t user;
    open_host(&to);
    if (capy_stack_carry_in(to.s, r->bytes, r->len, &conn, &user) == CAPY_OK)
        return true;
    capy_stack_status(to.s, &status);
    assert_int_equal(status.conn_cnt, 0);
    assert_int_equal(status.block_free, status.block_cnt);
    return false;
}

static void expect_same(const struct record *r)
{
    static uint8_t again[RECORD_MAX];
    uint32_t cursor = 0;
    assert_int_equal(capy_stack_carry_out(to.s, &cursor, again, sizeof again), r->len);
    assert_memory_equal(again, r->bytes, r->len);
}

static void a_record_is_the_connection(void **state)
{
    (void)state;
    static struct record out[4];
    unsigned cnt = carry_out(out), states = 0;
    assert_int_equal(cnt, 3);
    for (unsigned i = 0; i < cnt; i++) {
        assert_true(carry_in(&out[i]));
        expect_same(&out[i]);
        states |= 1u << out[i].state;
    }
    assert_int_equal(states, 1u << CAPY_TCP_SYN_SENT | 1u << CAPY_TCP_SYN_RECEIVED |
                                 1u << CAPY_TCP_ESTABLISHED);
}

static void a_turned_bit_is_refused_or_encodes_to_itself(void **state)
{
    (void)state;
    static struct record out[4];
    unsigned cnt = carry_out(out), refused = 0, tried = 0;
    for (unsigned i = 0; i < cnt; i++) {
        for (uint32_t bit = 0; bit < out[i].len * 8; bit++, tried++) {
            struct record *r = &out[i];
            r->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (carry_in(r))
                expect_same(r);
            else
                refused++;
            r->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
    printf("    %u of %u turned bits refused\n", refused, tried);
    assert_true(refused > 0 && refused < tried);
}

static int tear_down(void **state)
{
    (void)state;
    forge_close(&from);
    forge_close(&to);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_the_connection),
        cmocka_unit_test(a_turned_bit_is_refused_or_encodes_to_itself),
    };
    return cmocka_run_group_tests_name("stack/carry", tests, NULL, tear_down);
}
