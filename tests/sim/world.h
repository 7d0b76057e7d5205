/* What the scenarios of a whole rack share: one world, opened, churned, brought to rest and looked
 * through for leaks. Header only; for one test program each. */
#ifndef CAPY_TESTS_SIM_WORLD_H
#define CAPY_TESTS_SIM_WORLD_H

#include "stream.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct world {
    struct sim_rack r;
    struct streams st;
};

static struct world w;

static inline void world_init(uint64_t seed)
{
    sim_init(&w.r, seed);
    streams_init(&w.st, &w.r, seed + 1000003);
    streams_attach(&w.st);
}

static inline void world_start(void)
{
    sim_start(&w.r);
    sim_run_until(&w.r,
                  w.r.now + CAPY_MS(300)); /* the switch has learned, the quiet time is over */
}

static inline void run_for(uint64_t ns)
{
    sim_run_until(&w.r, w.r.now + ns);
}

/* Opens streams to all servers in turn and waits until all are accepted. */
static inline void open_streams(uint32_t cnt, uint64_t up, uint64_t down)
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

static inline uint16_t some_target(void)
{
    uint64_t pick = capy_prng_below(&w.st.rng, SIM_SERVERS + 1);
    return pick == SIM_SERVERS ? CAPY_SERVER_ANY : (uint16_t)pick;
}

/* One turn of the world: a moment passes, some streams may write more, one may move. */
static inline void churn(uint64_t pause_ns, uint32_t grant, uint32_t migrate_ppm)
{
    run_for(capy_prng_below(&w.st.rng, pause_ns) + 1);
    uint32_t i = (uint32_t)capy_prng_below(&w.st.rng, w.st.cnt);
    stream_grant(&w.st, i, capy_prng_below(&w.st.rng, grant) + 1);
    i = (uint32_t)capy_prng_below(&w.st.rng, w.st.cnt);
    if (capy_prng_chance(&w.st.rng, migrate_ppm))
        stream_migrate(&w.st, i, some_target());
}

/* Everything may be written and read; no more moves, no more faults: all must come to rest. */
static inline void finish(void)
{
    w.r.faults = (struct sim_faults){0};
    for (uint32_t i = 0; i < w.st.cnt; i++) {
        w.st.stream[i].client.take = w.st.stream[i].server.take = CAPY_NEVER;
        stream_grant(&w.st, i, UINT32_MAX);
    }
    for (int guard = 0; guard < 3000 && !streams_done(&w.st); guard++) {
        streams_reap(&w.st);
        run_for(CAPY_MS(100));
    }
    for (uint32_t i = 0; !streams_done(&w.st) && i < w.st.cnt; i++)
        if (w.st.stream[i].client.open || w.st.stream[i].place != STREAM_OVER)
            stream_dump(&w.st, i);
    assert_true(streams_done(&w.st));
    streams_check(&w.st);
    run_for(CAPY_SEC(5)); /* TIME_WAIT, linger, the last FLOW_CLOSED, the age of dead entries */
}

/* Nothing is left anywhere: no connection, slot, block, hold or directory entry. */
static inline void no_leak(void)
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

/* Streams that end where they happen to be, so that a run of chosen length can finish. */
static inline void cut_streams(void)
{
    for (uint32_t i = 0; i < w.st.cnt; i++) {
        w.st.stream[i].up = w.st.stream[i].client.grant;
        w.st.stream[i].down = w.st.stream[i].server.grant;
    }
}

static inline uint64_t client_retransmissions(void)
{
    return capy_stack_counters(w.r.host[SIM_CLIENT])->tcp.retrans_segs;
}

#endif
