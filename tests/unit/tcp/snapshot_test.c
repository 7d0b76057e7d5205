/* A connection is a value: what is decoded behaves exactly as what was encoded; whatever else is
 * decoded is refused or at least harmless. */
#include "pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct twins {
    struct end twin[2];
    bool has[2];
    uint32_t made, ranges_seen, episodes_seen, reductions_seen, marks_seen, avoiding_seen;
};

/* At random moments, a new twin. */
static void twin_now_and_then(struct pair *p, uint32_t who)
{
    struct twins *t = p->ctx;
    struct end *e = &p->side[who].e;
    if (e->tcb.state < CAPY_TCP_ESTABLISHED || !capy_prng_chance(&p->prng, 20000))
        return;
    end_untwin(e);
    if (capy_tcp_marks(&e->tcb, &e->env)->ooo.cnt + capy_tcp_marks(&e->tcb, &e->env)->sacked.cnt)
        t->ranges_seen++;
    t->episodes_seen += capy_tcp_marks(&e->tcb, &e->env)->episode.doubt != CAPY_TCP_DOUBT_NONE;
    t->reductions_seen += capy_tcp_marks(&e->tcb, &e->env)->episode.prr.flight > 0;
    t->marks_seen += e->tcb.ce || e->tcb.cwr || e->tcb.ce_changed;
    t->avoiding_seen += e->tcb.cc.cwnd >= e->tcb.cc.ssthresh;
    end_twin(e, &t->twin[who], capy_prng_below(&p->prng, 1u << 20), &p->prng);
    t->made++;
}

static void test_the_decoded_copy_emits_the_same_segments_for_ever(void **state)
{
    (void)state;
    static struct twins t;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        struct pair p;
        pair_init(&p, seed, 300000);
        p.loss_ppm = (uint32_t)(seed % 4) * 20000;
        p.repeat_ppm = (uint32_t)(seed % 3) * 10000;
        p.reorder_ppm = (uint32_t)(seed % 5) * 20000;
        p.no_sack = seed % 7 == 0;
        p.side[0].read_max = seed % 6 == 0 ? 700 : 0;
        p.side[0].e.cfg.congestion = (uint8_t)(seed / 2 % CAPY_TCP_CONGESTION_CNT);
        p.side[1].e.cfg.congestion = (uint8_t)(seed % CAPY_TCP_CONGESTION_CNT);
        p.side[0].e.cfg.ecn = seed & 1 ? CAPY_TCP_ECN_OFFER : CAPY_TCP_ECN_ACCEPT;
        p.mark_ppm = (uint32_t)(seed % 3) * 50000;
        p.between = twin_now_and_then;
        p.ctx = &t;
        pair_open(&p);
        while (pair_step(&p))
            ;
        pair_check(&p);
        pair_done(&p);
    }
    printf("%u twins, of these %u with ranges, %u in an episode, %u in proportional reduction, %u "
           "with "
           "a mark to tell, %u in congestion avoidance\n",
           t.made, t.ranges_seen, t.episodes_seen, t.reductions_seen, t.marks_seen,
           t.avoiding_seen);
    assert_true(t.made > 200 && t.ranges_seen > 20); /* else the run proved little */
    assert_true(t.episodes_seen > 20 && t.reductions_seen > 5);
    assert_true(t.marks_seen > 20 && t.avoiding_seen > 20);
}

static void test_an_idle_connection_takes_few_bytes(void **state)
{
    (void)state;
    struct end e, twin;
    struct capy_prng prng;
    capy_prng_seed(&prng, 1);
    end_init(&e, 16);
    establish(&e, WITH_SACK | WITH_TS | WITH_WSCALE, 60000);
    put(&e, 100);
    out(&e, A, 1, 1, 100);
    pass(&e, CAPY_US(30));
    in(&e, (struct in){.flags = A, .seq = 1, .ack = 101, .win = 60000});
    uint32_t len = end_twin(&e, &twin, 17, &prng);
    printf("sizeof(struct capy_tcp) = %zu, idle snapshot = %u bytes\n", sizeof e.tcb, len);
    assert_true(len <= 192);
    assert_int_equal(e.blocks.pool.free_cnt, 16); /* and no block at all */
    end_done(&e);
}

/* ---- what must be refused ---- */

/* A connection with something in every part: unread bytes, a hole, unacknowledged bytes, SACK. */
static uint32_t busy_encoding(uint8_t *buf, uint32_t max)
{
    struct end e;
    struct capy_snap snap;
    end_init(&e, 64);
    establish(&e, WITH_SACK | WITH_TS, 60000);
    put(&e, 5000);
    while (next_segment(&e))
        ;
    in(&e, (struct in){.flags = A, .seq = 1, .ack = 1, .win = 60000, .sack = {{1001, 2001}}});
    in(&e, (struct in){.flags = A, .seq = 1, .ack = 1, .win = 60000, .len = 50});
    in(&e, (struct in){.flags = A, .seq = 101, .ack = 1, .win = 60000, .len = 50});
    struct capy_stream app;
    capy_stream_init(&app, 0);
    assert_int_equal(capy_stream_write(&app, &e.blocks, 0, (const uint8_t *)"app", 3), CAPY_OK);
    struct capy_snap_meta meta = {.app_len = 3};
    capy_snap_take(&snap, &e.tcb, &e.env, &meta, &app);
    assert_int_equal(snap.recv_len, 100);
    assert_int_equal(snap.send_len, 5000);
    assert_true(capy_snap_len(&snap) <= max);
    capy_snap_read(&snap, &e.blocks, 0, buf, capy_snap_len(&snap));
    capy_stream_clear(&app, &e.blocks);
    end_done(&e);
    return capy_snap_len(&snap);
}

/* Decodes; when that works, uses the result in every way there is: no assertion may fail. */
static int try(const uint8_t *buf, uint32_t len)
{
    struct end e;
    struct capy_stream in_stream, app;
    struct capy_snap_meta meta;
    end_init(&e, 64);
    capy_stream_init(&in_stream, 0);
    if (len > 0)
        assert_int_equal(capy_stream_write(&in_stream, &e.blocks, 0, buf, len), CAPY_OK);
    static bool in_one_piece; /* by turns: of just its length, for the sanitizers to see */
    in_one_piece = !in_one_piece;
    uint8_t *piece = malloc(len > 0 ? len : 1);
    assert_non_null(piece);
    memcpy(piece, buf, len);
    const struct capy_snap_source source = {in_one_piece ? piece : NULL, &in_stream};
    int err = capy_snap_restore(&source, len, &e.tcb, &e.env, &meta, &app);
    free(piece);
    capy_stream_clear(&in_stream, &e.blocks);
    if (err == CAPY_OK) {
        uint64_t offset;
        uint32_t got;
        struct capy_tcp_segment seg;
        for (int i = 0; i < 50; i++) {
            for (int k = 0; k < 100 && capy_tcp_output(&e.tcb, &e.env, &seg, &offset); k++)
                if (seg.data_len > 0)
                    capy_stream_read(&e.tcb.snd.queue, &e.blocks, offset, e.payload, seg.data_len);
            struct capy_tcp_segment ack = {
                .seq = {e.tcb.rcv.irs.v + (uint32_t)e.tcb.rcv.nxt},
                .ack = {e.tcb.snd.iss.v + (uint32_t)e.tcb.snd.nxt},
                .flags = A,
                .opts = e.tcb.ts_ok ? CAPY_TCP_OPT_TS : 0,
                .ts_val = e.tcb.rcv.ts_recent,
                .window = 1000,
                .data = (const uint8_t *)"xyz",
                .data_len = 3,
            };
            capy_tcp_input(&e.tcb, &e.env, &ack, 0);
            if (capy_tcp_read_span(&e.tcb, &e.env, 0, &got))
                capy_tcp_consume(&e.tcb, &e.env, got);
            if (capy_tcp_next_at(&e.tcb) != CAPY_NEVER) {
                e.env.now = capy_max64(e.env.now, capy_tcp_next_at(&e.tcb));
                capy_tcp_expire(&e.tcb, &e.env);
            }
        }
    } else {
        assert_int_equal(err, CAPY_E_FORMAT);
    }
    capy_stream_clear(&app, &e.blocks);
    end_done(&e);
    return err;
}

static void test_every_truncation_is_refused(void **state)
{
    (void)state;
    static uint8_t buf[8192];
    uint32_t len = busy_encoding(buf, sizeof buf);
    assert_int_equal(try(buf, len), CAPY_OK);
    for (uint32_t n = 0; n < len; n++)
        assert_int_equal(try(buf, n), CAPY_E_FORMAT);
}

static void test_no_flipped_byte_does_harm(void **state)
{
    (void)state;
    static uint8_t buf[8192];
    uint32_t len = busy_encoding(buf, sizeof buf);
    uint32_t head = len - 100 - 5000 - 3, refused = 0;
    for (uint32_t i = 0; i < head; i++) {
        for (uint32_t bit = 0; bit < 8; bit++) {
            buf[i] = (uint8_t)(buf[i] ^ 1u << bit);
            refused += try(buf, len) != CAPY_OK;
            buf[i] = (uint8_t)(buf[i] ^ 1u << bit);
        }
        buf[i] = (uint8_t)~buf[i];
        refused += try(buf, len) != CAPY_OK;
        buf[i] = (uint8_t)~buf[i];
    }
    assert_true(refused > head); /* the checks do bite */
}

static void test_random_bytes_do_no_harm(void **state)
{
    (void)state;
    static uint8_t buf[8192];
    struct capy_prng prng;
    capy_prng_seed(&prng, 99);
    uint32_t len = busy_encoding(buf, sizeof buf);
    uint32_t head = len - 100 - 5000 - 3;
    static uint8_t changed[8192];
    for (uint32_t run = 0; run < 3000; run++) {
        memcpy(changed, buf, len);
        for (uint64_t n = 1 + capy_prng_below(&prng, 8); n > 0; n--)
            changed[capy_prng_below(&prng, head)] = (uint8_t)capy_prng_next(&prng);
        (void)try(changed, len);
    }
}

static void test_no_blocks_is_said_and_leaves_nothing(void **state)
{
    (void)state;
    static uint8_t buf[8192];
    uint32_t len = busy_encoding(buf, sizeof buf);
    for (uint32_t extra = 0; extra < 12; extra++) {
        struct end e;
        struct capy_stream whole, app;
        struct capy_snap_meta meta;
        uint32_t own = (len + CAPY_BLOCK_LEN - 1) / CAPY_BLOCK_LEN;
        end_init(&e, own + extra);
        capy_stream_init(&whole, 0);
        assert_int_equal(capy_stream_write(&whole, &e.blocks, 0, buf, len), CAPY_OK);
        const struct capy_snap_source source = {.stream = &whole};
        int err = capy_snap_restore(&source, len, &e.tcb, &e.env, &meta, &app);
        /* One block receives, three send, one is the application's, one holds the ranges. */
        assert_int_equal(err, extra < 6 ? CAPY_E_NOMEM : CAPY_OK);
        if (err != CAPY_OK)
            assert_int_equal(e.blocks.pool.free_cnt, extra);
        capy_stream_clear(&whole, &e.blocks);
        capy_stream_clear(&app, &e.blocks);
        end_done(&e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_decoded_copy_emits_the_same_segments_for_ever),
        cmocka_unit_test(test_an_idle_connection_takes_few_bytes),
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_no_flipped_byte_does_harm),
        cmocka_unit_test(test_random_bytes_do_no_harm),
        cmocka_unit_test(test_no_blocks_is_said_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
