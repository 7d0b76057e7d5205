/* Connections that a server opened, on virtual time: a real rack in which server 0 opens one to the
 * client and it wanders among the servers while both sides stream, over links that lose, repeat and
 * overtake. Every byte is checked where it is read; in the end nothing is left anywhere. */
#include "three.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PEER_PORT = 443, FLOWS = 8, BYTES = 400000, MOVES = 60 };

/* One end's progress. */
struct end {
    capy_handle conn;
    bool open;
    uint32_t written, read;
};

struct flow {
    struct end client;
    struct end server; /* wherever it is */
    uint16_t at;       /* SIM_HOSTS: on its way */
};

static struct {
    struct sim_rack r;
    struct capy_prng rng;
    struct flow flow[FLOWS];
    uint32_t moves, clients;
} w;

/* Byte n of a flow, by direction. */
static uint8_t byte_of(unsigned flow, bool up, uint32_t n)
{
    return (uint8_t)(n * 131u + n / 251u + flow * 7u + up);
}

static void pump(struct capy_stack *s, struct end *e, unsigned flow, bool is_client)
{
    uint8_t out[997];
    uint32_t got;
    const uint8_t *in;
    bool fin;
    if (!e->open || capy_stack_readable(s, e->conn, &fin) < 0)
        return; /* frozen */
    while ((in = capy_stack_read_span(s, e->conn, 0, &got)) != NULL) {
        for (uint32_t i = 0; i < got; i++)
            assert_int_equal(in[i], byte_of(flow, !is_client, e->read + i));
        assert_int_equal(capy_stack_consume(s, e->conn, got, w.r.now), CAPY_OK);
        e->read += got;
    }
    uint32_t len = capy_min32(sizeof out, BYTES - e->written);
    for (uint32_t i = 0; i < len; i++)
        out[i] = byte_of(flow, is_client, e->written + i);
    int64_t n = len > 0 ? capy_stack_write(s, e->conn, out, len, w.r.now) : 0;
    if (n > 0)
        e->written += (uint32_t)n;
}

/* What the server's end knows travels with the connection: which flow it is, and how far. */
static void release(unsigned host, capy_handle conn, unsigned i)
{
    uint32_t state[3] = {i, w.flow[i].server.written, w.flow[i].server.read};
    if (capy_stack_release(w.r.host[host], conn, (uint8_t *)state, sizeof state, 0, w.r.now) ==
        CAPY_OK)
        w.flow[i].at = SIM_HOSTS;
}

static void arrive(unsigned host, capy_handle conn)
{
    uint32_t state[3];
    assert_int_equal(capy_stack_app_state(w.r.host[host], conn, (uint8_t *)state, sizeof state),
                     sizeof state);
    struct flow *f = &w.flow[state[0]];
    f->server = (struct end){conn, true, state[1], state[2]};
    f->at = (uint16_t)host;
    w.moves++;
    assert_int_equal(capy_stack_set_user(w.r.host[host], conn, state[0]), CAPY_OK);
}

static void on_server_event(unsigned host, const struct capy_stack_event *ev)
{
    assert_int_equal(ev->bits & (CAPY_EV_RESET | CAPY_EV_TIMED_OUT), 0);
    if (ev->bits & CAPY_EV_MIGRATED_IN) {
        arrive(host, ev->conn);
        return;
    }
    struct flow *f = &w.flow[ev->user];
    if (ev->bits & CAPY_EV_CONNECTED)
        f->server.open = true;
    if (ev->bits & CAPY_EV_MIGRATE_KEPT)
        f->at = (uint16_t)host;
    if (ev->bits & CAPY_EV_MIGRATE_ASK)
        release(host, ev->conn, (unsigned)ev->user);
}

/* The client learns by the first byte of which flow it is the end. */
static void on_client_event(const struct capy_stack_event *ev)
{
    uint32_t got;
    assert_int_equal(ev->bits & (CAPY_EV_RESET | CAPY_EV_TIMED_OUT), 0);
    if (ev->bits & CAPY_EV_ACCEPTED)
        (void)capy_stack_set_user(w.r.host[SIM_CLIENT], ev->conn, FLOWS);
    const uint8_t *first = capy_stack_read_span(w.r.host[SIM_CLIENT], ev->conn, 0, &got);
    for (unsigned i = 0; i < FLOWS && first; i++) {
        struct end *e = &w.flow[i].client;
        if (!e->open && got > 0 && first[0] == byte_of(i, false, 0) &&
            (ev->user == FLOWS || (ev->bits & CAPY_EV_ACCEPTED))) {
            *e = (struct end){.conn = ev->conn, .open = true};
            (void)capy_stack_set_user(w.r.host[SIM_CLIENT], ev->conn, i);
            w.clients++;
            return;
        }
    }
}

static void turn(struct sim_rack *r, unsigned host, void *ctx)
{
    struct capy_stack_event ev;
    (void)ctx;
    while (capy_stack_event(r->host[host], &ev)) {
        if (host == SIM_CLIENT)
            on_client_event(&ev);
        else
            on_server_event(host, &ev);
    }
    for (unsigned i = 0; i < FLOWS; i++) {
        if (host == SIM_CLIENT)
            pump(r->host[host], &w.flow[i].client, i, true);
        else if (w.flow[i].at == host)
            pump(r->host[host], &w.flow[i].server, i, false);
    }
}

static void started(struct sim_rack *r, unsigned host, void *ctx)
{
    (void)ctx;
    int rc = host == SIM_CLIENT ? capy_stack_listen(r->host[host], PEER_PORT, FLOWS)
                                : capy_stack_take_opened(r->host[host], FLOWS);
    assert_int_equal(rc, CAPY_OK);
}

static void open_all(void)
{
    struct capy_ip ip = sim_ip(SIM_CLIENT, w.r.version == SIM_IPV6_ALONE);
    for (unsigned i = 0; i < FLOWS; i++) {
        uint16_t home = (uint16_t)(i % 2); /* two servers open, all three run */
        struct flow *f = &w.flow[i];
        f->at = home;
        assert_int_equal(
            capy_stack_connect(w.r.host[home], &ip, PEER_PORT, 0, i, &f->server.conn, w.r.now),
            CAPY_OK);
        sim_flush(&w.r, home);
    }
}

static bool all_done(void)
{
    for (unsigned i = 0; i < FLOWS; i++)
        if (w.flow[i].client.read < BYTES || w.flow[i].server.read < BYTES ||
            w.flow[i].at == SIM_HOSTS)
            return false;
    return true;
}

static void wander(void)
{
    for (unsigned step = 0; step < 20000 && !(all_done() && w.moves >= MOVES); step++) {
        sim_run_until(&w.r, w.r.now + CAPY_US(200));
        struct flow *f = &w.flow[capy_prng_below(&w.rng, FLOWS)];
        if (f->at == SIM_HOSTS || !f->server.open || !capy_prng_chance(&w.rng, 300000))
            continue;
        (void)capy_stack_migrate(w.r.host[f->at], f->server.conn, CAPY_SERVER_ANY, w.r.now);
        sim_flush(&w.r, f->at);
    }
}

/* Both sides close; then every slot, block and entry must be free again. */
static void leave(void)
{
    w.r.faults = (struct sim_faults){0};
    sim_run_until(&w.r, w.r.now + CAPY_SEC(3));
    for (unsigned i = 0; i < FLOWS; i++) {
        unsigned at = w.flow[i].at;
        assert_int_equal(capy_stack_close(w.r.host[at], w.flow[i].server.conn, w.r.now), CAPY_OK);
        sim_flush(&w.r, at);
        (void)capy_stack_close(w.r.host[SIM_CLIENT], w.flow[i].client.conn, w.r.now);
        sim_flush(&w.r, SIM_CLIENT);
    }
    sim_run_until(&w.r, w.r.now + CAPY_SEC(130)); /* TIME_WAIT, linger, FLOW_CLOSED */
    for (unsigned h = 0; h < SIM_HOSTS; h++) {
        struct capy_stack_status s;
        capy_stack_status(w.r.host[h], &s);
        assert_int_equal(s.conn_cnt, 0);
        assert_int_equal(s.block_free, s.block_cnt);
        assert_int_equal(s.origin_cnt + s.target_cnt, 0);
    }
    assert_int_equal(capy_switch_entry_cnt(w.r.plane), 0);
}

static void run(uint64_t seed, struct sim_faults faults)
{
    memset(&w, 0, sizeof w);
    sim_init(&w.r, seed);
    capy_prng_seed(&w.rng, seed + 1);
    w.r.turn = turn;
    w.r.started = started;
    sim_start(&w.r);
    sim_run_until(&w.r, w.r.now + CAPY_SEC(1)); /* the switch has learned */
    w.r.faults = faults;
    open_all();
    wander();
    assert_true(all_done());
    assert_int_equal(w.clients, FLOWS);
    assert_true(w.moves >= MOVES);
    leave();
    sim_free(&w.r);
}

static void opened_connections_wander(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++)
        run(seed, (struct sim_faults){0});
}

static void opened_connections_wander_over_a_bad_network(void **state)
{
    (void)state;
    for (uint64_t seed = 11; seed <= 15; seed++)
        run(seed,
            (struct sim_faults){.loss_ppm = 10000, .repeat_ppm = 10000, .jitter_ns = CAPY_US(100)});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opened_connections_wander),
        cmocka_unit_test(opened_connections_wander_over_a_bad_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
