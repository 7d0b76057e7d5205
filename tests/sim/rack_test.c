/* A whole rack on virtual time: three real servers, a real client and the real switch, with
 * connections that stream both ways while they move (design §7, invariants 1 to 6). Seeds are the
 * loop counters: a failure names its own, and replays. */
#include "world.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- scenarios ----------------------------------------------------------------------------- */

struct steps {
    unsigned begun[CAPY_STEP_CNT], ended[CAPY_STEP_CNT];
    uint64_t id;
};

static void note_step(void *ctx, enum capy_mig_step step, uint64_t mig_id, int begin)
{
    struct steps *s = ctx;
    s->begun[step] += begin == 1;
    s->ended[step] += begin == 0;
    if (step == CAPY_STEP_PREPARE)
        s->id = mig_id;
    assert_int_equal(mig_id, s->id);
}

/* What the calls say before, during and after a move; and each step is probed once. */
static void calls_around_a_move(void **state)
{
    (void)state;
    struct steps steps = {0};
    uint32_t got;
    bool fin;
    world_init(3);
    world_start();
    open_streams(1, 1000, 1000);
    struct capy_stack *a = w.r.host[0];
    capy_handle conn = w.st.stream[0].server.conn;
    for (unsigned h = 0; h < SIM_SERVERS; h++)
        capy_stack_set_probe(w.r.host[h], note_step, &steps);
    assert_int_equal(capy_stack_migrate(a, conn, 0, w.r.now), CAPY_E_INVAL); /* to ourselves */
    assert_int_equal(capy_stack_migrate(a, conn, SIM_SERVERS, w.r.now), CAPY_E_INVAL);
    assert_int_equal(capy_stack_veto(a, conn, w.r.now), CAPY_E_STATE); /* nobody asked */
    assert_int_equal(capy_stack_release(a, conn, NULL, 0, 0, w.r.now), CAPY_E_STATE);
    assert_int_equal(capy_stack_migrate(a, conn, 1, w.r.now), CAPY_OK);
    assert_int_equal(capy_stack_migrate(a, conn, 1, w.r.now), CAPY_E_STATE); /* already */
    sim_flush(&w.r, 0);
    while (w.st.stream[0].place == STREAM_AT)
        run_for(CAPY_US(1));
    assert_int_equal(capy_stack_readable(a, conn, &fin), CAPY_E_STATE); /* frozen */
    assert_null(capy_stack_read_span(a, conn, 0, &got));
    assert_int_equal(capy_stack_write(a, conn, (const uint8_t *)"x", 1, w.r.now), CAPY_E_STATE);
    assert_int_equal(capy_stack_close(a, conn, w.r.now), CAPY_E_STATE);
    run_for(CAPY_MS(1));
    assert_int_equal(capy_stack_readable(a, conn, &fin), CAPY_E_BADQD); /* gone */
    assert_int_equal(w.st.stream[0].at, 1);
    for (unsigned i = 0; i < CAPY_STEP_CNT; i++) {
        assert_int_equal(steps.begun[i], 1);
        assert_int_equal(steps.ended[i], 1);
    }
    finish();
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

/* Loss, repetition and reordering on every link, for data and TCPMig alike. */
static void faulty_run(uint64_t seed, int steps)
{
    world_init(seed);
    for (unsigned h = 0; h < SIM_SERVERS; h++)
        w.r.cfg[h].seal = seed % 2;
    world_start();
    open_streams(12, 1u << 30, 1u << 30);
    w.st.veto_ppm = 50000;
    w.st.ignore_ppm = 20000;
    w.st.state_max = 3000;
    w.r.faults.loss_ppm = (uint32_t)capy_prng_below(&w.st.rng, 30000);
    w.r.faults.repeat_ppm = (uint32_t)capy_prng_below(&w.st.rng, 30000);
    w.r.faults.jitter_ns = capy_prng_below(&w.st.rng, CAPY_US(300));
    for (int step = 0; step < steps; step++)
        churn(CAPY_US(300), 6000, 500000);
    cut_streams();
    finish();
    no_leak();
    sim_free(&w.r);
}

static void moves_through_faults(void **state)
{
    (void)state;
    uint32_t moved = 0, kept = 0;
    for (uint64_t seed = 100; seed < 112; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        faulty_run(seed, 2000);
        moved += w.st.moved;
        kept += w.st.kept;
    }
    print_message("%u moved, %u kept\n", moved, kept);
    assert_true(moved > 1000 && kept > 100);
}

/* Same seed, same frames at the same times; another seed, others. */
static void a_run_replays(void **state)
{
    (void)state;
    uint64_t digest[3];
    for (int run = 0; run < 3; run++) {
        faulty_run(run == 2 ? 7 : 6, 300);
        digest[run] = w.r.digest;
    }
    assert_true(digest[0] == digest[1]);
    assert_true(digest[0] != digest[2]);
}

/* 256 KiB unread at the server, as much unacknowledged behind it: all of it moves. */
static void a_large_state_moves(void **state)
{
    (void)state;
    for (unsigned faulty = 0; faulty < 2; faulty++) {
        world_init(31 + faulty);
        world_start();
        open_streams(2, 1u << 20, 1u << 20);
        if (faulty)
            w.r.faults =
                (struct sim_faults){.loss_ppm = 5000, .repeat_ppm = 5000, .jitter_ns = CAPY_US(50)};
        for (uint32_t i = 0; i < 2; i++) {
            w.st.stream[i].server.take = 1000; /* neither side reads on */
            w.st.stream[i].client.take = 1000;
            stream_grant(&w.st, i, 1u << 20);
        }
        run_for(CAPY_MS(300));
        for (uint32_t i = 0; i < 2; i++)
            assert_int_equal(stream_migrate(&w.st, i, 2), CAPY_OK);
        run_for(CAPY_SEC(1));
        assert_int_equal(w.st.moved, 2);
        struct capy_stack_conn_info info;
        assert_int_equal(capy_stack_conn_info(w.r.host[2], w.st.stream[0].server.conn, &info),
                         CAPY_OK);
        assert_true(info.tcp.rcv_queued >= 200u << 10);
        assert_true(info.tcp.snd_queued >= 256u << 10);
        finish();
        no_leak();
        sim_free(&w.r);
    }
}

static uint64_t refused(unsigned host, enum capy_mig_reason why)
{
    return capy_stack_counters(w.r.host[host])->refused_by_reason[why];
}

/* Every "no" leaves the connection where it is, undisturbed. */
static void refusals_change_nothing(void **state)
{
    (void)state;
    world_init(41);
    w.st.not_listening = 2;
    w.r.cfg[1].conn_max = 3;
    world_start();
    for (int i = 0; i < 4; i++)
        stream_open(&w.st, 0, 200000, 200000);
    run_for(CAPY_MS(50));
    for (uint32_t i = 0; i < 4; i++)
        stream_grant(&w.st, i, 50000);
    stream_migrate(&w.st, 0, 2); /* nobody listens there */
    run_for(CAPY_MS(20));
    assert_int_equal(refused(2, CAPY_REASON_NO_SERVICE), 1);
    for (uint32_t i = 0; i < 4; i++)
        stream_migrate(&w.st, i, 1); /* three fit */
    run_for(CAPY_MS(20));
    assert_int_equal(w.st.moved, 3);
    assert_int_equal(refused(1, CAPY_REASON_FULL), 1);
    capy_stack_set_draining(w.r.host[0], true);
    sim_flush(&w.r, 0);
    for (uint32_t i = 0; i < 4; i++)
        if (w.st.stream[i].at == 1)
            stream_migrate(&w.st, i, 0);
    run_for(CAPY_MS(20));
    assert_int_equal(refused(0, CAPY_REASON_DRAINING), 3);
    assert_int_equal(w.st.moved, 3);
    assert_int_equal(w.st.kept, 5);
    finish();
    assert_int_equal(client_retransmissions(), 0);
    no_leak();
    sim_free(&w.r);
}

/* Many connections leave one server at once, and the other two share them. */
static void a_server_drains(void **state)
{
    (void)state;
    world_init(51);
    world_start();
    for (int i = 0; i < 60; i++)
        stream_open(&w.st, 0, 100000, 100000);
    run_for(CAPY_MS(200));
    capy_stack_set_draining(w.r.host[0], true);
    sim_flush(&w.r, 0);
    run_for(CAPY_MS(1));
    for (int round = 0; round < 10; round++) {
        for (uint32_t i = 0; i < 60; i++) {
            stream_grant(&w.st, i, 2000);
            if (w.st.stream[i].at == 0)
                stream_migrate(&w.st, i, CAPY_SERVER_ANY);
        }
        run_for(CAPY_MS(2));
    }
    struct capy_stack_status s[SIM_SERVERS];
    for (unsigned h = 0; h < SIM_SERVERS; h++)
        capy_stack_status(w.r.host[h], &s[h]);
    assert_int_equal(s[0].conn_cnt, 0);
    assert_int_equal(s[1].away_cnt + s[2].away_cnt, 60);
    assert_true(s[1].away_cnt >= 15 && s[2].away_cnt >= 15); /* no herd */
    finish();
    assert_int_equal(client_retransmissions(), 0);
    no_leak();
    sim_free(&w.r);
}

/* More arrives than the hold buffer takes: that is loss as any other, and repaired as such. */
static void hold_overflow_is_only_loss(void **state)
{
    (void)state;
    world_init(61);
    for (unsigned h = 0; h < SIM_SERVERS; h++)
        w.r.cfg[h].mig.hold_frames_max = 2;
    world_start();
    open_streams(3, 2000000, 2000000);
    for (int step = 0; step < 300; step++)
        churn(CAPY_US(100), 200000, 300000);
    uint64_t drops = 0;
    for (unsigned h = 0; h < SIM_SERVERS; h++)
        drops += capy_stack_counters(w.r.host[h])->hold_drops;
    assert_true(drops > 0);
    finish();
    no_leak();
    sim_free(&w.r);
}

/* Servers die at any moment and come back empty. Only connections that ran there, or were on their
 * way, may end; nothing is left over. */
static void servers_crash(void **state)
{
    (void)state;
    uint32_t survived = 0, died = 0;
    for (uint64_t seed = 200; seed < 212; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        world_init(seed);
        world_start();
        open_streams(15, 1u << 30, 1u << 30);
        if (seed % 2)
            w.r.faults = (struct sim_faults){
                .loss_ppm = 5000, .repeat_ppm = 5000, .jitter_ns = CAPY_US(100)};
        for (int step = 0; step < 600; step++) {
            churn(CAPY_US(300), 6000, 500000);
            if (step == 200 || step == 400) {
                unsigned victim = (unsigned)capy_prng_below(&w.st.rng, SIM_SERVERS);
                sim_crash(&w.r, victim, CAPY_MS(1) + capy_prng_below(&w.st.rng, CAPY_MS(600)));
                streams_crashed(&w.st, victim);
            }
        }
        cut_streams();
        finish();
        no_leak();
        for (uint32_t i = 0; i < w.st.cnt; i++) {
            died += w.st.stream[i].broken;
            survived += !w.st.stream[i].broken;
        }
        sim_free(&w.r);
    }
    print_message("%u survived, %u died\n", survived, died);
    assert_true(survived > died / 2 && died > 0);
}

/* A server gets no processor for longer than the switch waits, and then goes on: what it ran may
 * have been taken for dead, but never runs twice, and what the switch still holds for it lives. */
static void servers_stall(void **state)
{
    (void)state;
    uint32_t survived = 0, hurt = 0;
    for (uint64_t seed = 400; seed < 412; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        world_init(seed);
        world_start();
        open_streams(12, 1u << 30, 1u << 30);
        for (int step = 0; step < 900; step++) {
            churn(CAPY_US(300), 6000, 500000);
            if (step % 300 == 200) {
                unsigned victim = (unsigned)capy_prng_below(&w.st.rng, SIM_SERVERS);
                sim_stall(&w.r, victim, capy_prng_below(&w.st.rng, CAPY_MS(300)));
                streams_stalled(&w.st, victim);
            }
        }
        run_for(CAPY_MS(400));
        cut_streams();
        finish();
        no_leak();
        for (uint32_t i = 0; i < w.st.cnt; i++) {
            hurt += w.st.stream[i].broken;
            survived += !w.st.stream[i].broken;
        }
        sim_free(&w.r);
    }
    print_message("%u survived, %u did not\n", survived, hurt);
    assert_true(survived > hurt);
}

/* Short connections from the same few client ports to the same servers, one life after another,
 * closed in order or reset by either side, moving all the while: nothing of an earlier life may
 * hurt a later one. */
static void tuples_are_used_again(void **state)
{
    (void)state;
    uint32_t lives = 0, moved = 0, aborted = 0;
    for (uint64_t seed = 500; seed < 508; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        world_init(seed);
        w.r.cfg[SIM_CLIENT].tcp.time_wait_ns = CAPY_MS(1);
        for (unsigned h = 0; h < SIM_SERVERS; h++) /* what an overtaken client never answers */
            w.r.cfg[h].tcp.user_timeout_ns = CAPY_SEC(2);
        world_start();
        open_streams(12, 5000, 5000);
        if (seed % 2)
            w.r.faults =
                (struct sim_faults){.loss_ppm = 3000, .repeat_ppm = 3000, .jitter_ns = CAPY_US(50)};
        for (int step = 0; step < 6000; step++) {
            churn(CAPY_US(100), 4000, 400000);
            uint32_t i = (uint32_t)capy_prng_below(&w.st.rng, w.st.cnt);
            if (capy_prng_chance(&w.st.rng, 5000)) {
                stream_abort(&w.st, i, capy_prng_chance(&w.st.rng, 500000));
                aborted++;
            }
            uint64_t bytes = capy_prng_below(&w.st.rng, 30000);
            if (stream_is_over(&w.st, i) && stream_reopen(&w.st, i, bytes, bytes / 2) == CAPY_OK)
                lives++;
        }
        moved += w.st.moved;
        finish();
        no_leak();
        sim_free(&w.r);
    }
    print_message("%u lives, %u moved, %u aborted\n", lives, moved, aborted);
    assert_true(lives > 500 && moved > 1000);
}

/* The switch forgets everything; the servers teach it again, and no connection ends. */
static void the_switch_reboots(void **state)
{
    (void)state;
    for (uint64_t seed = 300; seed < 312; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        world_init(seed);
        world_start();
        open_streams(12, 1u << 30, 1u << 30);
        if (seed % 2)
            w.r.faults = (struct sim_faults){
                .loss_ppm = 5000, .repeat_ppm = 5000, .jitter_ns = CAPY_US(100)};
        for (int step = 0; step < 900; step++) {
            churn(CAPY_US(300), 6000, 400000);
            if (step % 300 == 200)
                sim_reboot_switch(&w.r);
        }
        cut_streams();
        finish();
        no_leak();
        sim_free(&w.r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_around_a_move),   cmocka_unit_test(thousands_of_moves),
        cmocka_unit_test(moves_through_faults),  cmocka_unit_test(a_run_replays),
        cmocka_unit_test(a_large_state_moves),   cmocka_unit_test(refusals_change_nothing),
        cmocka_unit_test(a_server_drains),       cmocka_unit_test(hold_overflow_is_only_loss),
        cmocka_unit_test(servers_crash),         cmocka_unit_test(servers_stall),
        cmocka_unit_test(tuples_are_used_again), cmocka_unit_test(the_switch_reboots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
