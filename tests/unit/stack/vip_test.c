/* When a server takes connections of the service address: the switch says by the port of birth that a SYN
 * is for one, the test being switch and client. */
#include "forge_rack.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define CLIENT 0x0a0000c8u
#define BOOT 7u

static struct forge f;

/* Just started. */
static void start(void)
{
    struct capy_stack_cfg cfg = forge_rack_cfg(0);
    cfg.vip.ip = capy_ip_from_v4(0x0a000032u);
    cfg.vip.port[0] = FORGE_PORT;
    cfg.vip.port_cnt = 1;
    forge_open(&f, &cfg);
    assert_int_equal(capy_stack_listen(f.s, FORGE_PORT, 0), CAPY_OK);
}

static int stop(void **state)
{
    (void)state;
    forge_close(&f);
    return 0;
}

static bool opens(uint16_t client_port, uint16_t to_port)
{
    struct forged c = forge_client(CLIENT, client_port, to_port);
    return forge_connect(&f, &c);
}

static uint16_t birth(void)
{
    return capy_mig_vip_port(FORGE_MIG_PORTS, 0);
}

/* A HEARTBEAT of its former life may come to the switch late: it takes the server for the one that it was,
 * and the next HEARTBEAT for that of another new one. What began in between would be dead to it. */
static void not_in_the_quiet_time(void **state)
{
    (void)state;
    start();
    forge_rack_beat(&f, BOOT);
    assert_false(opens(5000, birth()));
    forge_pass(&f, CAPY_MIG_QUIET_NS - 1);
    assert_false(opens(5000, birth()));
    assert_int_equal(f.s->count.vip_too_early, 2);
    assert_true(opens(5001, FORGE_PORT)); /* its own are no business of the switch's */
    forge_pass(&f, 1);
    assert_true(opens(5000, birth()));
    assert_int_equal(f.s->count.vip_too_early, 2);
}

static void not_without_a_lease(void **state)
{
    (void)state;
    start();
    forge_pass(&f, CAPY_MIG_QUIET_NS);
    assert_false(opens(5000, birth()));
    assert_int_equal(f.s->count.vip_too_early, 1);
    forge_rack_beat(&f, BOOT);
    assert_true(opens(5000, birth()));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(not_in_the_quiet_time, stop),
        cmocka_unit_test_teardown(not_without_a_lease, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
