/* Numbers that nobody outside may guess: initial sequence numbers (RFC 6528), timestamp offsets
 * (RFC 7323 §7.1) and ephemeral ports (RFC 6056). */
#include "forge.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { PORT = 80, SERVER = 0x0a000002, FIRST = 32768 };

static struct forge f;

static int open_forge(void **state)
{
    (void)state;
    struct capy_stack_cfg cfg = forge_cfg();
    cfg.conn_max = 40000;
    forge_open(&f, &cfg);
    return 0;
}

static int close_forge(void **state)
{
    (void)state;
    forge_close(&f);
    return 0;
}

static struct capy_tuple tuple(void)
{
    return (struct capy_tuple){capy_ip_from_v4(SERVER), f.s->cfg.ip, 4000, PORT};
}

static uint32_t isn(const struct capy_tuple *t)
{
    uint32_t unused;
    return capy_isn(f.s, t, &unused).v;
}

/* RFC 6528 §3: M, a clock of 4 us, plus F of all four parts of the tuple. */
static void the_sequence_number_differs_by_tuple_and_key(void **state)
{
    (void)state;
    struct capy_tuple t = tuple();
    uint32_t v = isn(&t), ts, ts_other;
    (void)capy_isn(f.s, &t, &ts);
    assert_int_equal(isn(&t), v);
    t.remote.b[15] ^= 1;
    assert_int_not_equal(isn(&t), v);
    (void)capy_isn(f.s, &t, &ts_other);
    assert_int_not_equal(ts, ts_other);
    assert_int_not_equal(ts, v);
    t = tuple();
    t.local.b[15] ^= 1;
    assert_int_not_equal(isn(&t), v);
    t = tuple();
    t.remote_port ^= 1;
    assert_int_not_equal(isn(&t), v);
    t = tuple();
    t.local_port ^= 1;
    assert_int_not_equal(isn(&t), v);
    t = tuple();
    f.s->isn_key.k0 ^= 1;
    assert_int_not_equal(isn(&t), v);
}

static void the_sequence_number_grows_with_the_clock(void **state)
{
    (void)state;
    struct capy_tuple t = tuple();
    uint32_t v = isn(&t), ts[2];
    forge_pass(&f, CAPY_US(3));
    assert_in_range(isn(&t) - v, 0, 1);
    forge_pass(&f, CAPY_US(4001) - CAPY_US(3));
    assert_in_range(isn(&t) - v, 1000, 1001);
    (void)capy_isn(f.s, &t, &ts[0]);
    forge_pass(&f, CAPY_SEC(17179)); /* the clock's 32 bits go round */
    assert_in_range(isn(&t) - v, UINT32_MAX - 218000, UINT32_MAX - 216000);
    (void)capy_isn(f.s, &t, &ts[1]);
    assert_int_equal(ts[0], ts[1]); /* an offset: its clock runs elsewhere */
}

/* Averaged over many tuples every bit of F is as often 1 as 0. */
static void the_bits_are_even(void **state)
{
    (void)state;
    unsigned ones[32] = {0};
    struct capy_tuple t = tuple();
    for (unsigned i = 0; i < 4096; i++) {
        t.remote_port = (uint16_t)i;
        uint32_t v = isn(&t);
        for (unsigned b = 0; b < 32; b++)
            ones[b] += v >> b & 1;
    }
    for (unsigned b = 0; b < 32; b++)
        assert_in_range(ones[b], 2048 - 256, 2048 + 256);
}

/* Opens one; the local port that was chosen, or 0. */
static uint16_t chosen(uint32_t ip, uint16_t port)
{
    capy_handle c;
    struct capy_stack_conn_info info;
    struct capy_ip to = capy_ip_from_v4(ip);
    int rc = capy_stack_connect(f.s, &to, port, 0, 0, &c, f.now);
    if (rc != CAPY_OK) {
        assert_int_equal(rc, CAPY_E_NOMEM);
        return 0;
    }
    assert_int_equal(capy_stack_conn_info(f.s, c, &info), CAPY_OK);
    return info.local_port;
}

/* RFC 6056 §3.3.4: in turn toward one service, from a start that differs by service. */
static void ports_go_round_from_a_secret_start(void **state)
{
    (void)state;
    uint16_t a = chosen(SERVER, PORT), b = chosen(SERVER, PORT);
    assert_int_equal((uint16_t)(b - a), 1);
    unsigned near = 0;
    for (uint16_t i = 1; i <= 64; i++) {
        uint16_t other = chosen(SERVER, (uint16_t)(PORT + i));
        near += (uint16_t)(other - b) < 100;
    }
    assert_in_range(near, 0, 4);
}

/* What we open elsewhere does not show (the reason for more than one counter). */
static void the_turn_is_counted_apart(void **state)
{
    (void)state;
    unsigned undisturbed = 0;
    for (unsigned i = 0; i < 200; i++) {
        uint16_t before = chosen(SERVER, PORT);
        (void)chosen(SERVER + 1 + i, 443);
        undisturbed += (uint16_t)(chosen(SERVER, PORT) - before) == 1;
    }
    assert_in_range(undisturbed, 180, 200); /* one service in 64 shares our counter */
}

static void ports_stay_in_their_range_and_end(void **state)
{
    (void)state;
    static bool seen[65536];
    memset(seen, 0, sizeof seen);
    assert_int_equal(capy_stack_listen(f.s, 40000, 0), CAPY_OK); /* never a listener's */
    for (unsigned i = 0; i < UINT16_MAX - FIRST - 1; i++) {
        uint16_t port = chosen(SERVER, PORT);
        assert_in_range(port, FIRST, UINT16_MAX - 1);
        assert_false(seen[port]);
        seen[port] = true;
    }
    assert_false(seen[40000]);
    assert_int_equal(chosen(SERVER, PORT), 0); /* none is left toward this service */
    assert_int_not_equal(chosen(SERVER, PORT + 1), 0);
}

static void in_rack(uint16_t mig_port_first, uint16_t peer_cnt, uint16_t self)
{
    struct capy_stack_cfg cfg = forge_cfg();
    cfg.conn_max = 8192;
    cfg.peer_cnt = peer_cnt;
    cfg.self = self;
    cfg.peers[self] = (struct capy_stack_peer){.ip = cfg.ip, .mac = cfg.mac};
    cfg.tor = (struct capy_stack_peer){.ip = capy_ip_from_v4(SERVER), .mac = cfg.mac};
    cfg.mig_port_first = mig_port_first;
    cfg.mig_port_cnt = 100;
    forge_close(&f);
    forge_open(&f, &cfg);
}

/* In a rack a server draws from its share of the ports that keep their number, then from those
 * below them; those of migrated-in flows are not ours to choose, nor to name. */
static void ports_of_a_rack_are_shared_out(void **state)
{
    (void)state;
    capy_handle c;
    struct capy_ip to = capy_ip_from_v4(SERVER);
    const uint16_t opened = FIRST + 32, mig = opened + CAPY_OPENED_PORT_CNT;
    in_rack(mig, 3, 1);
    for (unsigned i = 0; i < CAPY_OPENED_PORT_CNT / 3; i++) {
        uint16_t port = chosen(SERVER, PORT);
        assert_in_range(port, opened, mig - 1);
        assert_int_equal(port % 3, 1);
    }
    if ((mig - 1) % 3 == 1) /* 4096 is no multiple of 3: one share is larger */
        assert_in_range(chosen(SERVER, PORT), opened, mig - 1);
    for (unsigned i = 0; i < 32; i++)
        assert_in_range(chosen(SERVER, PORT), FIRST, opened - 1);
    assert_int_equal(chosen(SERVER, PORT), 0);
    assert_int_equal(capy_stack_connect(f.s, &to, PORT, mig + 50, 0, &c, f.now), CAPY_E_INVAL);
}

static void migrated_in_ports_are_left_alone(void **state)
{
    (void)state;
    in_rack(32800, 1, 0);
    for (unsigned i = 0; i < CAPY_OPENED_PORT_CNT; i++)
        assert_in_range(chosen(SERVER, PORT), 32800 - CAPY_OPENED_PORT_CNT, 32799);
    for (unsigned i = 0; i < 100; i++)
        assert_in_range(chosen(SERVER, PORT), 32900, UINT16_MAX - 1);
}

static void a_named_port_must_be_free(void **state)
{
    (void)state;
    capy_handle c;
    struct capy_ip to = capy_ip_from_v4(SERVER);
    assert_int_equal(capy_stack_connect(f.s, &to, PORT, 5000, 0, &c, f.now), CAPY_OK);
    assert_int_equal(capy_stack_connect(f.s, &to, PORT, 5000, 0, &c, f.now), CAPY_E_INUSE);
    assert_int_equal(capy_stack_connect(f.s, &to, PORT + 1, 5000, 0, &c, f.now), CAPY_OK);
    assert_int_equal(capy_stack_connect(f.s, &to, 0, 0, 0, &c, f.now), CAPY_E_INVAL);
    assert_int_equal(capy_stack_connect(f.s, &f.s->cfg.ip, PORT, 0, 0, &c, f.now), CAPY_E_INVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_forge, close_forge)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_sequence_number_differs_by_tuple_and_key),
        TEST(the_sequence_number_grows_with_the_clock),
        TEST(the_bits_are_even),
        TEST(ports_go_round_from_a_secret_start),
        TEST(the_turn_is_counted_apart),
        TEST(ports_stay_in_their_range_and_end),
        TEST(ports_of_a_rack_are_shared_out),
        TEST(migrated_in_ports_are_left_alone),
        TEST(a_named_port_must_be_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
