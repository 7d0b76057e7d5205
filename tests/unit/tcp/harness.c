/* The TCP tests' script harness (harness.h). */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

void end_init(struct end *e, uint32_t block_cnt)
{
    *e = (struct end){0};
    capy_tcp_cfg_default(&e->cfg);
    e->cfg.mss_max = MSS;
    struct capy_arena measure = {0};
    capy_blocks_init(&e->blocks, &measure, block_cnt);
    e->mem = aligned_alloc(64, (measure.used + 63) & ~(size_t)63);
    assert_non_null(e->mem);
    struct capy_arena carve = {.base = e->mem};
    capy_blocks_init(&e->blocks, &carve, block_cnt);
    e->env = (struct capy_tcp_env){&e->cfg, &e->blocks, &e->count, CAPY_SEC(1)};
    e->in_ts = PEER_TS;
    e->tcb.marks = CAPY_NONE; /* CLOSED, and owns nothing */
    capy_stream_init(&e->tcb.snd.queue, 0);
    capy_stream_init(&e->tcb.rcv.queue, 0);
}

void end_done(struct end *e)
{
    capy_tcp_free(&e->tcb, &e->env);
    assert_int_equal(e->blocks.pool.free_cnt, e->blocks.pool.cnt);
    free(e->mem);
}

uint8_t pattern(uint32_t id, uint64_t n)
{
    uint64_t x = (n + 1) * UINT64_C(0x9e3779b97f4a7c15) + id * 77u;
    return (uint8_t)(x >> 32 ^ x >> 56);
}

uint32_t in(struct end *e, struct in s)
{
    uint8_t data[2048];
    assert_true(s.len <= sizeof data);
    for (uint32_t i = 0; i < s.len; i++)
        data[i] = pattern(1, s.seq + i);
    struct capy_tcp_segment seg = {
        .seq = {PEER_ISS + s.seq},
        .ack = {s.flags & A ? OUR_ISS + s.ack : 0},
        .window = s.win,
        .flags = s.flags,
        .opts = e->in_opts,
        .ts_val = e->in_ts,
        .data = data,
        .data_len = s.len,
    };
    for (uint32_t i = 0; i < 4 && s.sack[i].right != 0; i++) {
        seg.sack[i].left.v = OUR_ISS + s.sack[i].left;
        seg.sack[i].right.v = OUR_ISS + s.sack[i].right;
        seg.sack_cnt++;
    }
    uint32_t events = capy_tcp_input(&e->tcb, &e->env, &seg, 0);
    e->events |= events;
    return events;
}

bool next_segment(struct end *e)
{
    uint64_t offset;
    bool wants = capy_tcp_wants_output(&e->tcb, &e->env);
    bool got = capy_tcp_output(&e->tcb, &e->env, &e->last, &offset);
    assert_int_equal(wants, got);
    if (got && e->last.data_len > 0) {
        assert_true(e->last.data_len <= sizeof e->payload);
        capy_stream_read(&e->tcb.snd.queue, &e->blocks, offset, e->payload, e->last.data_len);
        e->last.data = e->payload;
    }
    return got;
}

void out(struct end *e, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len)
{
    assert_true(next_segment(e));
    assert_int_equal(e->last.flags & ~P, flags);
    assert_int_equal(e->last.seq.v - OUR_ISS, seq);
    if (flags & A)
        assert_int_equal(e->last.ack.v - PEER_ISS, ack);
    assert_int_equal(e->last.data_len, len);
    for (uint32_t i = 0; i < len; i++)
        assert_int_equal(e->payload[i], pattern(2, seq + i));
}

void quiet(struct end *e)
{
    assert_false(next_segment(e));
}

void pass(struct end *e, uint64_t ns)
{
    uint64_t end = e->env.now + ns;
    while (capy_tcp_next_at(&e->tcb) <= end) {
        e->env.now = capy_max64(e->env.now, capy_tcp_next_at(&e->tcb));
        e->events |= capy_tcp_expire(&e->tcb, &e->env);
        if (capy_tcp_wants_output(&e->tcb, &e->env))
            return;
    }
    e->env.now = end;
}

void put(struct end *e, uint32_t len)
{
    uint64_t from = (uint32_t)e->tcb.snd.end;
    for (uint32_t i = 0; i < len; i++) {
        uint8_t byte = pattern(2, from + i);
        assert_int_equal(capy_tcp_write(&e->tcb, &e->env, &byte, 1), 1);
    }
}

void establish(struct end *e, uint32_t with, uint16_t win)
{
    struct capy_tcp_segment syn = {
        .seq = {PEER_ISS},
        .window = win,
        .flags = S,
        .opts = (uint8_t)(CAPY_TCP_OPT_MSS | (with & WITH_SACK ? CAPY_TCP_OPT_SACK_OK : 0) |
                          (with & WITH_TS ? CAPY_TCP_OPT_TS : 0) |
                          (with & WITH_WSCALE ? CAPY_TCP_OPT_WSCALE : 0)),
        .mss = MSS,
        .ts_val = e->in_ts,
    };
    capy_tcp_open_passive(&e->tcb, &e->env, &syn, (struct capy_seq){OUR_ISS}, 0);
    out(e, S | A, 0, 1, 0);
    e->in_opts = with & WITH_TS ? CAPY_TCP_OPT_TS : 0;
    assert_int_equal(in(e, (struct in){.flags = A, .seq = 1, .ack = 1, .win = win}),
                     CAPY_TCP_ESTABLISHED_EV);
    quiet(e);
    assert_int_equal(e->tcb.state, CAPY_TCP_ESTABLISHED);
    e->events = 0;
}
