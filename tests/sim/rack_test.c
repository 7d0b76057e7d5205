/* A whole rack on virtual time: three real servers, a real client and the real switch, with
 * connections that stream both ways while they move (design §7, invariants 1 to 6). Seeds are the
 * loop counters: a failure names its own, and replays. */
#include "stream.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct world {
    struct sim_rack r;
    struct streams st;
};

static struct world w;

static void world_init(uint64_t seed)
{
    sim_init(&w.r, seed);
    streams_init(&w.st, &w.r, seed + 1000003);
    streams_attach(&w.st);
}

static void world_start(void)
{
    sim_start(&w.r);
    sim_run_until(&w.r, w.r.now + CAPY_MS(100)); /* heartbeats, and the switch has learned */
}

static void run_for(uint64_t ns)
{
    sim_run_until(&w.r, w.r.now + ns);
}

/* Opens streams to all servers in turn and waits until all are accepted. */
static void open_streams(uint32_t cnt, uint64_t up, uint64_t down)
{
    for (uint32_t i = 0; i < cnt; i++)
        stream_open(&w.st, i % SIM_SERVERS, up, down);
    for (int guard = 0; guard < 1000; guard++) {
        uint32_t ready = 0;
        for (uint32_t i = 0; i < cnt; i++)
            ready += w.st.stream[i].connected && w.st.stream[i].place == STREAM_AT;
        if (ready == cnt)
            return;
        run_for(CAPY_MS(10));
    }
    fail_msg("not all streams opened");
}

static uint16_t some_target(void)
{
    uint64_t pick = capy_prng_below(&w.st.rng, SIM_SERVERS + 1);
    return pick == SIM_SERVERS ? CAPY_SERVER_ANY : (uint16_t)pick;
}

/* One turn of the world: a moment passes, some streams may write more, one may move. */
static void churn(uint64_t pause_ns, uint32_t grant, uint32_t migrate_ppm)
{
    run_for(capy_prng_below(&w.st.rng, pause_ns) + 1);
    uint32_t i = (uint32_t)capy_prng_below(&w.st.rng, w.st.cnt);
    stream_grant(&w.st, i, capy_prng_below(&w.st.rng, grant) + 1);
    if (capy_prng_chance(&w.st.rng, migrate_ppm))
        stream_migrate(&w.st, (uint32_t)capy_prng_below(&w.st.rng, w.st.cnt), some_target());
}

/* Everything may be written and read; no more moves, no more faults: all must come to rest. */
static void finish(void)
{
    w.r.faults = (struct sim_faults){0};
    for (uint32_t i = 0; i < w.st.cnt; i++) {
        w.st.stream[i].client.take = w.st.stream[i].server.take = CAPY_NEVER;
        stream_grant(&w.st, i, UINT32_MAX);
    }
    for (int guard = 0; guard < 3000 && !streams_done(&w.st); guard++)
        run_for(CAPY_MS(100));
    for (uint32_t i = 0; !streams_done(&w.st) && i < w.st.cnt; i++) {
        const struct stream *x = &w.st.stream[i];
        if (x->client.open || x->place != STREAM_OVER)
            print_error("stream %u: place %d at %u (home %u), moves %u, client open %d read "
                        "%llu/%llu wrote %llu/%llu, server read %llu wrote %llu\n",
                        i, x->place, x->at, x->home, x->moves, x->client.open,
                        (unsigned long long)x->client.read, (unsigned long long)x->down,
                        (unsigned long long)x->client.written, (unsigned long long)x->up,
                        (unsigned long long)x->server.read, (unsigned long long)x->server.written);
    }
    assert_true(streams_done(&w.st));
    streams_check(&w.st);
    run_for(CAPY_SEC(3)); /* TIME_WAIT, linger, the last FLOW_CLOSED */
}

/* Nothing is left anywhere: no connection, slot, block, hold or directory entry. */
static void no_leak(void)
{
    for (unsigned h = 0; h < SIM_HOSTS; h++) {
        struct capy_stack_status s;
        capy_stack_status(w.r.host[h], &s);
        assert_int_equal(s.conn_cnt, 0);
        assert_int_equal(s.origin_cnt, 0);
        assert_int_equal(s.target_cnt, 0);
        assert_int_equal(s.away_cnt, 0);
        assert_int_equal(s.block_free, s.block_cnt);
    }
    assert_int_equal(capy_switch_entry_cnt(w.r.plane), 0);
}

static uint64_t client_retransmissions(void)
{
    return capy_stack_counters(w.r.host[SIM_CLIENT])->tcp.retrans_segs;
}

/* ---- scenarios ---- */

static void one_move_there_and_back(void **state)
{
    (void)state;
    world_init(1);
    world_start();
    open_streams(1, 100000, 100000);
    stream_grant(&w.st, 0, 30000);
    run_for(CAPY_MS(1));
    assert_int_equal(stream_migrate(&w.st, 0, 1), CAPY_OK);
    run_for(CAPY_MS(1));
    assert_int_equal(w.st.moved, 1);
    assert_int_equal(w.st.stream[0].at, 1);
    stream_grant(&w.st, 0, 30000);
    run_for(CAPY_MS(1));
    assert_int_equal(stream_migrate(&w.st, 0, 2), CAPY_OK); /* from away to away */
    run_for(CAPY_MS(1));
    assert_int_equal(w.st.stream[0].at, 2);
    assert_int_equal(stream_migrate(&w.st, 0, 0), CAPY_OK); /* and home */
    run_for(CAPY_MS(1));
    assert_int_equal(w.st.stream[0].at, 0);
    assert_int_equal(w.st.moved, 3);
    finish();
    assert_int_equal(client_retransmissions(), 0);
    no_leak();
    sim_free(&w.r);
}

/* No faults: thousands of moves in mid-transfer, and the client retransmits nothing. */
static void thousands_of_moves(void **state)
{
    (void)state;
    world_init(2);
    world_start();
    open_streams(24, 1u << 30, 1u << 30);
    for (int step = 0; step < 8000; step++)
        churn(CAPY_US(40), 8000, 900000);
    for (uint32_t i = 0; i < w.st.cnt; i++) {
        w.st.stream[i].up = w.st.stream[i].client.grant;
        w.st.stream[i].down = w.st.stream[i].server.grant;
    }
    finish();
    assert_true(w.st.moved >= 2000);
    assert_int_equal(client_retransmissions(), 0);
    no_leak();
    sim_free(&w.r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_move_there_and_back),
        cmocka_unit_test(thousands_of_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
