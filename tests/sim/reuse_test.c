/* A port that is used again at once: its former connection moved, and its server closed first, so that
 * the server is the one in TIME-WAIT, and not at home. The client's next SYN must find a listener. */
#include "three.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { PORT = 20000 };

static struct sim_rack r;
static capy_handle client, server;
static unsigned at; /* the server's end */
static bool connected, ended_early;

static void turn(struct sim_rack *rack, unsigned host, void *ctx)
{
    struct capy_stack_event ev;
    (void)ctx;
    while (capy_stack_event(rack->host[host], &ev)) {
        connected |= host == SIM_CLIENT && (ev.bits & CAPY_EV_CONNECTED);
        ended_early |= (ev.bits & (CAPY_EV_RESET | CAPY_EV_TIMED_OUT)) != 0;
        if (host != SIM_CLIENT && (ev.bits & CAPY_EV_ACCEPTED)) {
            server = ev.conn;
            at = host;
        }
        if (ev.bits & CAPY_EV_MIGRATE_ASK)
            assert_int_equal(capy_stack_release(rack->host[host], ev.conn, NULL, 0, 0, rack->now),
                             CAPY_OK);
    }
}

static void started(struct sim_rack *rack, unsigned host, void *ctx)
{
    (void)ctx;
    if (host != SIM_CLIENT)
        assert_int_equal(capy_stack_listen(rack->host[host], SIM_SERVICE_PORT, 0), CAPY_OK);
}

static void run_for(uint64_t ns)
{
    sim_run_until(&r, r.now + ns);
}

static void open_one(void)
{
    struct capy_ip ip = sim_ip(0, r.version == SIM_IPV6_ALONE);
    connected = false;
    assert_int_equal(
        capy_stack_connect(r.host[SIM_CLIENT], &ip, SIM_SERVICE_PORT, PORT, 1, &client, r.now),
        CAPY_OK);
    sim_flush(&r, SIM_CLIENT);
}

static void move_to(uint16_t target)
{
    assert_int_equal(capy_stack_migrate(r.host[at], server, target, r.now), CAPY_OK);
    sim_flush(&r, at);
    run_for(CAPY_MS(5));
    assert_int_equal(at, target);
}

static void shut(unsigned host, capy_handle conn)
{
    assert_int_equal(capy_stack_shutdown(r.host[host], conn, r.now), CAPY_OK);
    sim_flush(&r, host);
    run_for(CAPY_MS(1));
}

/* The FIN of the server passes the switch from home, while the flow has no entry: the switch cannot
 * know that both sides have closed. */
static void after_its_time_wait_elsewhere(uint16_t back_to)
{
    sim_init(&r, 1 + back_to);
    r.turn = turn;
    r.started = started;
    ended_early = false;
    sim_start(&r);
    run_for(CAPY_MS(400));
    open_one();
    run_for(CAPY_MS(1));
    assert_true(connected);
    shut(at, server);
    move_to(1);
    if (back_to != 1)
        move_to(back_to);
    shut(SIM_CLIENT, client);
    assert_int_equal(capy_stack_close(r.host[at], server, r.now), CAPY_OK);
    open_one();
    run_for(CAPY_SEC(4));
    assert_false(ended_early);
    assert_true(connected);
    assert_int_equal(at, 0); /* the listener at home */
    sim_free(&r);
}

static void a_port_is_used_again_at_once(void **state)
{
    (void)state;
    after_its_time_wait_elsewhere(1);
    after_its_time_wait_elsewhere(2);
    after_its_time_wait_elsewhere(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_port_is_used_again_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
