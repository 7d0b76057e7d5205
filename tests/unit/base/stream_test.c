/* base/stream against a naive model: one flat array with a "written" mark per byte. Blocks exist
 * exactly where the model has bytes, reads give what was last written, nothing leaks. */
#include "base/prng.h"
#include "base/stream.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define L CAPY_BLOCK_LEN
#define BLOCK_CNT 24u
#define SPAN (40u * L) /* offsets the model covers: more than the pool can hold */

struct world {
    struct capy_blocks blocks;
    struct capy_stream s;
    void *memory;
    uint64_t base; /* stream offset of model byte 0 */
    uint8_t byte[SPAN];
    bool written[SPAN];
    bool has_block[SPAN / L];
};

static struct world *new_world(uint64_t start)
{
    struct world *w = calloc(1, sizeof *w);
    struct capy_arena a = {NULL, 0};
    capy_blocks_init(&w->blocks, &a, BLOCK_CNT);
    w->memory = aligned_alloc(64, (a.used + 63) & ~(size_t)63);
    a = (struct capy_arena){w->memory, 0};
    capy_blocks_init(&w->blocks, &a, BLOCK_CNT);
    capy_stream_init(&w->s, start);
    w->base = start / L * L;
    return w;
}

static void free_world(struct world *w)
{
    capy_stream_clear(&w->s, &w->blocks);
    assert_int_equal(w->blocks.pool.free_cnt, BLOCK_CNT);
    assert_int_equal(w->s.block_cnt, 0);
    free(w->memory);
    free(w);
}

/* The chain is ascending, complete and nothing else; counts agree. */
static void check_blocks(const struct world *w)
{
    uint32_t idx = w->s.head, last = CAPY_NONE, cnt = 0;
    bool hint_in_chain = w->s.hint == CAPY_NONE;
    for (uint32_t no = 0; no < SPAN / L; no++) {
        if (!w->has_block[no])
            continue;
        assert_int_not_equal(idx, CAPY_NONE);
        assert_int_equal(w->blocks.heads[idx].no, (uint32_t)(w->base / L) + no);
        hint_in_chain = hint_in_chain || idx == w->s.hint;
        last = idx;
        idx = w->blocks.heads[idx].next;
        cnt++;
    }
    assert_int_equal(idx, CAPY_NONE);
    assert_int_equal(w->s.tail, last);
    assert_int_equal(w->s.block_cnt, cnt);
    assert_int_equal(w->blocks.pool.free_cnt, BLOCK_CNT - cnt);
    assert_true(hint_in_chain);
}

static uint32_t model_room(const struct world *w, uint32_t at, uint32_t len)
{
    uint32_t free_cnt = w->blocks.pool.free_cnt;
    for (uint32_t i = 0; i < len; i++) {
        bool new_block = i == 0 || (at + i) % L == 0;
        if (new_block && !w->has_block[(at + i) / L] && free_cnt-- == 0)
            return i;
    }
    return len;
}

static void do_write(struct world *w, struct capy_prng *rng, uint32_t at, uint32_t len)
{
    static uint8_t data[SPAN];
    for (uint32_t i = 0; i < len; i++)
        data[i] = (uint8_t)capy_prng_next(rng);
    uint32_t room = model_room(w, at, len);
    assert_int_equal(capy_stream_room(&w->s, &w->blocks, w->base + at, len), room);
    int got = capy_stream_write(&w->s, &w->blocks, w->base + at, data, len);
    assert_int_equal(got, room == len ? CAPY_OK : CAPY_E_NOMEM);
    if (got != CAPY_OK)
        return;
    memcpy(w->byte + at, data, len);
    memset(w->written + at, true, len);
    for (uint32_t no = at / L; len && no <= (at + len - 1) / L; no++)
        w->has_block[no] = true;
}

/* Reads as far as bytes were written, by copy and by span. */
static void do_read(struct world *w, uint32_t at, uint32_t len)
{
    static uint8_t out[SPAN];
    uint32_t n = 0;
    while (n < len && w->written[at + n])
        n++;
    capy_stream_read(&w->s, &w->blocks, w->base + at, out, n);
    assert_memory_equal(out, w->byte + at, n);
    for (uint32_t i = 0; i < n;) {
        uint32_t got;
        const uint8_t *p = capy_stream_span(&w->s, &w->blocks, w->base + at + i, n - i, &got);
        assert_in_range(got, 1, n - i);
        assert_memory_equal(p, w->byte + at + i, got);
        i += got;
        assert_true(i == n || (at + i) % L == 0); /* a span ends only at a block's end */
    }
}

static void do_trim(struct world *w, uint32_t at)
{
    capy_stream_trim(&w->s, &w->blocks, w->base + at);
    memset(w->written, false, at);
    for (uint32_t no = 0; no < at / L; no++)
        w->has_block[no] = false;
}

static void do_truncate(struct world *w, uint32_t at)
{
    capy_stream_truncate(&w->s, &w->blocks, w->base + at);
    memset(w->written + at, false, SPAN - at);
    bool all = w->base + at == w->s.start;
    for (uint32_t no = 0; no < SPAN / L; no++)
        if (all || no * L >= at)
            w->has_block[no] = false;
}

static void random_operations(uint64_t start, uint64_t seed)
{
    struct world *w = new_world(start);
    struct capy_prng rng;
    capy_prng_seed(&rng, seed);
    for (int step = 0; step < 400; step++) {
        uint32_t from = (uint32_t)(w->s.start - w->base);
        uint32_t at = from + (uint32_t)capy_prng_below(&rng, SPAN - from);
        if (capy_prng_chance(&rng, 250000) && at / L * L >= from)
            at = at / L * L; /* edges are where off-by-ones live */
        uint32_t len_max = capy_prng_chance(&rng, 100000) ? SPAN : 3 * L;
        uint32_t len = (uint32_t)capy_prng_below(&rng, capy_min32(len_max, SPAN - at) + 1);
        switch (capy_prng_below(&rng, 8)) {
        case 0:
            if (capy_prng_chance(&rng, 300000) && from < SPAN - 4 * L)
                do_trim(w, from + (uint32_t)capy_prng_below(&rng, 2 * L));
            break;
        case 1:
            do_truncate(w, at);
            break;
        case 2:
        case 3:
            do_read(w, at, len);
            break;
        default:
            do_write(w, &rng, at, len);
        }
        check_blocks(w);
    }
    free_world(w);
}

static void random_operations_match_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        random_operations(0, seed);
        random_operations(777, seed);
        /* Block numbers wrap 32 bits in the middle of the chain. */
        random_operations((1ull << 32) * L - 10 * L + 5, seed);
    }
}

static void a_failed_write_changes_nothing(void **state)
{
    (void)state;
    struct world *w = new_world(0);
    static uint8_t data[(BLOCK_CNT + 1) * L];
    memset(data, 1, sizeof data);
    assert_int_equal(capy_stream_write(&w->s, &w->blocks, 5, data, 10), CAPY_OK);
    memset(data, 2, sizeof data);
    assert_int_equal(capy_stream_write(&w->s, &w->blocks, 0, data, sizeof data), CAPY_E_NOMEM);
    assert_int_equal(w->s.block_cnt, 1);
    uint8_t out[10];
    capy_stream_read(&w->s, &w->blocks, 5, out, 10);
    for (size_t i = 0; i < sizeof out; i++)
        assert_int_equal(out[i], 1);
    /* One byte less fits exactly. */
    assert_int_equal(capy_stream_write(&w->s, &w->blocks, 0, data, sizeof data - L), CAPY_OK);
    assert_int_equal(w->blocks.pool.free_cnt, 0);
    free_world(w);
}

static void two_streams_share_one_pool(void **state)
{
    (void)state;
    struct world *w = new_world(0);
    struct capy_stream other;
    capy_stream_init(&other, 100);
    static uint8_t data[20 * L];
    assert_int_equal(capy_stream_write(&other, &w->blocks, 100, data, 20 * L - 100), CAPY_OK);
    assert_int_equal(capy_stream_room(&w->s, &w->blocks, 0, 20 * L), 4 * L);
    assert_int_equal(capy_stream_write(&w->s, &w->blocks, 0, data, 20 * L), CAPY_E_NOMEM);
    capy_stream_clear(&other, &w->blocks);
    assert_int_equal(other.start, 100);
    assert_int_equal(capy_stream_write(&w->s, &w->blocks, 0, data, 20 * L), CAPY_OK);
    free_world(w);
}

static void nothing_is_written_for_no_bytes(void **state)
{
    (void)state;
    struct world *w = new_world(L - 1);
    assert_int_equal(capy_stream_write(&w->s, &w->blocks, L, NULL, 0), CAPY_OK);
    assert_int_equal(capy_stream_room(&w->s, &w->blocks, L, 0), 0);
    assert_int_equal(w->s.block_cnt, 0);
    free_world(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_match_the_model),
        cmocka_unit_test(a_failed_write_changes_nothing),
        cmocka_unit_test(two_streams_share_one_pool),
        cmocka_unit_test(nothing_is_written_for_no_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
