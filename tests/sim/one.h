/* One connection on the rack of three servers, step by step: for scenarios in which every segment
 * counts. Header only; for one test program each. */
#ifndef CAPY_TESTS_SIM_ONE_H
#define CAPY_TESTS_SIM_ONE_H

#include "three.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { ONE_PORT = 20000 };

static struct sim_rack r;
static capy_handle client, server;
static unsigned at;                 /* the server that has its end */
static bool connected, ended_early; /* ended_early: the client saw RST or a timeout */
static bool home_kept;              /* a move ended at home, where it began */

static inline void one_event(unsigned host, const struct capy_stack_event *ev)
{
    connected |= host == SIM_CLIENT && (ev->bits & CAPY_EV_CONNECTED);
    ended_early |= host == SIM_CLIENT && (ev->bits & (CAPY_EV_RESET | CAPY_EV_TIMED_OUT));
    home_kept |= host == 0 && (ev->bits & CAPY_EV_MIGRATE_KEPT);
    if (host != SIM_CLIENT && (ev->bits & CAPY_EV_ACCEPTED)) {
        server = ev->conn;
        at = host;
    }
    if (ev->bits & CAPY_EV_MIGRATE_ASK)
        assert_int_equal(capy_stack_release(r.host[host], ev->conn, NULL, 0, 0, r.now), CAPY_OK);
}

static inline void one_turn(struct sim_rack *rack, unsigned host, void *ctx)
{
    struct capy_stack_event ev;
    (void)ctx;
    while (capy_stack_event(rack->host[host], &ev))
        one_event(host, &ev);
}

static inline void one_started(struct sim_rack *rack, unsigned host, void *ctx)
{
    (void)ctx;
    if (host != SIM_CLIENT)
        assert_int_equal(capy_stack_listen(rack->host[host], SIM_SERVICE_PORT, 0), CAPY_OK);
}

static inline void run_for(uint64_t ns)
{
    sim_run_until(&r, r.now + ns);
}

/* A rack, set up by sim_init, that has settled. */
static inline void one_start(void)
{
    r.turn = one_turn;
    r.started = one_started;
    ended_early = home_kept = false;
    sim_start(&r);
    run_for(CAPY_MS(400));
}

static inline void one_begin(uint64_t seed)
{
    sim_init(&r, seed);
    one_start();
}

/* Opens it to server 0. */
static inline void open_one(void)
{
    struct capy_ip ip = sim_ip(0, r.version == SIM_IPV6_ALONE);
    connected = false;
    assert_int_equal(
        capy_stack_connect(r.host[SIM_CLIENT], &ip, SIM_SERVICE_PORT, ONE_PORT, 1, &client, r.now),
        CAPY_OK);
    sim_flush(&r, SIM_CLIENT);
}

static inline void ask_to_move(uint16_t target)
{
    assert_int_equal(capy_stack_migrate(r.host[at], server, target, r.now), CAPY_OK);
    sim_flush(&r, at);
}

static inline void move_to(uint16_t target)
{
    ask_to_move(target);
    run_for(CAPY_MS(5));
    assert_int_equal(at, target);
}

static inline void shut(unsigned host, capy_handle conn)
{
    assert_int_equal(capy_stack_shutdown(r.host[host], conn, r.now), CAPY_OK);
    sim_flush(&r, host);
}

static inline void say(unsigned host, capy_handle conn, uint32_t len)
{
    static const uint8_t bytes[2000];
    assert_int_equal(capy_stack_write(r.host[host], conn, bytes, len, r.now), len);
    sim_flush(&r, host);
}

static inline int64_t heard(unsigned host, capy_handle conn)
{
    bool fin;
    return capy_stack_readable(r.host[host], conn, &fin);
}

#endif
