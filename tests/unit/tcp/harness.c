/* The TCP tests' script harness (harness.h). */
#include "harness.h"

#include "tcp/open.h"

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
    e->env = (struct capy_tcp_env){
        .cfg = &e->cfg, .blocks = &e->blocks, .count = &e->count, .now = CAPY_SEC(1)};
    e->in_ts = PEER_TS;
    capy_tcp_blank(&e->tcb);
}

void end_done(struct end *e)
{
    end_untwin(e);
    capy_tcp_free(&e->tcb, &e->env);
    assert_int_equal(e->blocks.pool.free_cnt, e->blocks.pool.cnt);
    free(e->mem);
}

/* ---- an endpoint and its twin ---- */

void end_set_now(struct end *e, uint64_t now)
{
    e->env.now = now;
    if (e->twin)
        e->twin->env.now = now + e->twin->ahead_ns;
}

uint32_t end_input(struct end *e, const struct capy_tcp_segment *seg)
{
    uint32_t events = capy_tcp_input(&e->tcb, &e->env, seg, seg->ecn);
    if (e->twin)
        assert_int_equal(capy_tcp_input(&e->twin->tcb, &e->twin->env, seg, seg->ecn), events);
    return events;
}

uint32_t end_expire(struct end *e)
{
    uint32_t events = capy_tcp_expire(&e->tcb, &e->env);
    if (e->twin)
        assert_int_equal(capy_tcp_expire(&e->twin->tcb, &e->twin->env), events);
    return events;
}

int64_t end_write(struct end *e, const uint8_t *data, uint32_t len)
{
    int64_t n = capy_tcp_write(&e->tcb, &e->env, data, len);
    if (e->twin)
        assert_int_equal(capy_tcp_write(&e->twin->tcb, &e->twin->env, data, len), n);
    return n;
}

void end_consume(struct end *e, uint32_t n)
{
    capy_tcp_consume(&e->tcb, &e->env, n);
    if (!e->twin)
        return;
    assert_true(capy_tcp_readable(&e->twin->tcb) >= n);
    capy_tcp_consume(&e->twin->tcb, &e->twin->env, n);
}

void end_shutdown(struct end *e)
{
    capy_tcp_shutdown(&e->tcb, &e->env);
    if (e->twin)
        capy_tcp_shutdown(&e->twin->tcb, &e->twin->env);
}

/* The whole encoding, read out in pieces of random length. */
static uint32_t encode(struct end *e, uint8_t *buf, uint32_t max, struct capy_prng *prng)
{
    static struct capy_snap snap;
    struct capy_snap_meta meta = {.next_hop = {{2, 0, 0, 0, 0, 9}},
                                  .user_flags = 0x123456789abcdef};
    capy_snap_take(&snap, &e->tcb, &e->env, &meta, NULL);
    uint32_t len = capy_snap_len(&snap);
    assert_true(len <= max);
    for (uint32_t at = 0; at < len;) {
        uint32_t n = (uint32_t)capy_min64(1 + capy_prng_below(prng, 3000), len - at);
        capy_snap_read(&snap, &e->blocks, at, buf + at, n);
        at += n;
    }
    return len;
}

uint32_t end_twin(struct end *e, struct end *twin, uint64_t ahead_ms, struct capy_prng *prng)
{
    static uint8_t first[2u << 20], second[2u << 20];
    uint32_t len = encode(e, first, sizeof first, prng);
    end_init(twin, e->blocks.pool.cnt);
    twin->cfg = e->cfg;
    twin->ahead_ns = CAPY_MS(ahead_ms);
    twin->env.now = e->env.now + twin->ahead_ns;

    struct capy_stream whole, app;
    struct capy_snap_meta meta;
    capy_stream_init(&whole, 0);
    assert_int_equal(capy_stream_write(&whole, &twin->blocks, 0, first, len), CAPY_OK);
    const struct capy_snap_source source = {.stream = &whole};
    assert_int_equal(capy_snap_restore(&source, len, &twin->tcb, &twin->env, &meta, &app), CAPY_OK);
    capy_stream_clear(&whole, &twin->blocks);
    assert_int_equal(meta.user_flags, 0x123456789abcdef);

    assert_int_equal(encode(twin, second, sizeof second, prng), len);
    assert_memory_equal(first, second, len);
    e->twin = twin;
    return len;
}

void end_untwin(struct end *e)
{
    if (e->twin)
        end_done(e->twin);
    e->twin = NULL;
}

uint8_t pattern(uint32_t id, uint64_t n)
{
    uint64_t x = (n + 1) * UINT64_C(0x9e3779b97f4a7c15) + id * 77u;
    return (uint8_t)(x >> 32 ^ x >> 56);
}

struct in ack_of(uint32_t n)
{
    return (struct in){.flags = A, .seq = 1, .ack = n, .win = 60000};
}

struct in sack_of(uint32_t n, uint32_t left, uint32_t right)
{
    struct in s = ack_of(n);
    s.sack[0].left = left;
    s.sack[0].right = right;
    return s;
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
        .ecn = s.ecn,
        .opts = e->in_opts,
        .ts_val = e->in_ts,
        .ts_ecr = e->in_ecr,
        .data = data,
        .data_len = s.len,
    };
    for (uint32_t i = 0; i < 4 && s.sack[i].right != 0; i++) {
        seg.sack[i].left.v = OUR_ISS + s.sack[i].left;
        seg.sack[i].right.v = OUR_ISS + s.sack[i].right;
        seg.sack_cnt++;
    }
    uint32_t events = end_input(e, &seg);
    e->events |= events;
    return events;
}

/* Bit for bit, as it would leave on the wire. */
static void same_segment(const struct capy_tcp_segment *a, const struct capy_tcp_segment *b)
{
    uint8_t x[CAPY_TCP_HEADER_MAX], y[CAPY_TCP_HEADER_MAX];
    size_t n = capy_tcp_build(x, 1, 2, a);
    assert_int_equal(capy_tcp_build(y, 1, 2, b), n);
    assert_memory_equal(x, y, n);
    assert_int_equal(a->ecn, b->ecn);
    assert_int_equal(a->data_len, b->data_len);
    if (a->data_len > 0)
        assert_memory_equal(a->data, b->data, a->data_len);
}

bool next_segment(struct end *e)
{
    uint64_t offset;
    bool wants = capy_tcp_wants_output(&e->tcb, &e->env);
    CAPY_ASSERT(!wants || !capy_tcp_is_silent(&e->tcb));
    bool got = capy_tcp_output(&e->tcb, &e->env, &e->last, &offset);
    assert_int_equal(wants, got);
    if (got && e->last.data_len > 0) {
        assert_true(e->last.data_len <= sizeof e->payload);
        capy_stream_read(&e->tcb.snd.queue, &e->blocks, offset, e->payload, e->last.data_len);
        e->last.data = e->payload;
    }
    if (e->twin) {
        assert_int_equal(next_segment(e->twin), got);
        assert_int_equal(capy_tcp_next_at(&e->twin->tcb) - e->twin->ahead_ns,
                         capy_tcp_next_at(&e->tcb) -
                             (capy_tcp_next_at(&e->tcb) == CAPY_NEVER ? e->twin->ahead_ns : 0));
        if (got)
            same_segment(&e->last, &e->twin->last);
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
        end_set_now(e, capy_max64(e->env.now, capy_tcp_next_at(&e->tcb)));
        uint32_t events = end_expire(e);
        e->events |= events;
        if (events || capy_tcp_wants_output(&e->tcb, &e->env))
            return;
    }
    end_set_now(e, end);
}

void put(struct end *e, uint32_t len)
{
    uint64_t from = (uint32_t)e->tcb.snd.end;
    for (uint32_t i = 0; i < len; i++) {
        uint8_t byte = pattern(2, from + i);
        assert_int_equal(end_write(e, &byte, 1), 1);
    }
}

void establish(struct end *e, uint32_t with, uint16_t win)
{
    struct capy_tcp_segment syn = {
        .seq = {PEER_ISS},
        .window = win,
        .flags = with & WITH_ECN ? S | E | C : S,
        .opts = (uint8_t)(CAPY_TCP_OPT_MSS | (with & WITH_SACK ? CAPY_TCP_OPT_SACK_OK : 0) |
                          (with & WITH_TS ? CAPY_TCP_OPT_TS : 0) |
                          (with & WITH_WSCALE ? CAPY_TCP_OPT_WSCALE : 0)),
        .mss = MSS,
        .ts_val = e->in_ts,
    };
    capy_tcp_open_passive(&e->tcb, &e->env, &syn, (struct capy_seq){OUR_ISS}, 0);
    out(e, with & WITH_ECN ? S | A | E : S | A, 0, 1, 0);
    e->in_opts = with & WITH_TS ? CAPY_TCP_OPT_TS : 0;
    assert_int_equal(in(e, (struct in){.flags = A, .seq = 1, .ack = 1, .win = win}),
                     CAPY_TCP_ESTABLISHED_EV);
    quiet(e);
    assert_int_equal(e->tcb.state, CAPY_TCP_ESTABLISHED);
    e->events = 0;
}
