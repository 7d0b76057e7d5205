/* The sparse block stream (base/stream.h). A stream's blocks form one chain in ascending block
 * number; gaps in the numbering are places nobody has written yet. Almost every access is at the
 * tail (append), at the head (read in order) or beside the last one (the hint), so that finding a
 * block is O(1) where it matters and a walk of at most one window's blocks elsewhere. */
#include "base/stream.h"
#include <string.h>

_Static_assert((CAPY_BLOCK_LEN & (CAPY_BLOCK_LEN - 1)) == 0, "offsets are split by shift and mask");

static uint32_t block_no(uint64_t offset)
{
    return (uint32_t)(offset / CAPY_BLOCK_LEN);
}

static uint32_t block_at(uint64_t offset)
{
    return (uint32_t)(offset % CAPY_BLOCK_LEN);
}

/* Block numbers are compared like sequence numbers: chains span far less than 2^31 blocks. */
static bool no_le(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) <= 0;
}

static uint8_t *block_data(const struct capy_blocks *b, uint32_t idx)
{
    return b->data + (size_t)idx * CAPY_BLOCK_LEN;
}

void capy_blocks_init(struct capy_blocks *b, struct capy_arena *a, uint32_t cnt)
{
    capy_pool_init(&b->pool, a, cnt);
    b->heads = capy_arena_take(a, cnt, sizeof *b->heads);
    b->data = capy_arena_take(a, cnt, CAPY_BLOCK_LEN);
    b->tick = 0;
}

void capy_stream_init(struct capy_stream *s, uint64_t start)
{
    *s = (struct capy_stream){start, CAPY_NONE, CAPY_NONE, CAPY_NONE, 0};
}

/* The last block numbered no or lower; CAPY_NONE when all are higher or none exists. */
static uint32_t find_floor(const struct capy_stream *s, const struct capy_blocks *b, uint32_t no)
{
    if (s->head == CAPY_NONE || !no_le(b->heads[s->head].no, no))
        return CAPY_NONE;
    if (no_le(b->heads[s->tail].no, no))
        return s->tail;
    uint32_t idx = s->head;
    if (s->hint != CAPY_NONE && no_le(b->heads[s->hint].no, no))
        idx = s->hint;
    /* Ends before the tail, whose number is higher. */
    while (no_le(b->heads[b->heads[idx].next].no, no))
        idx = b->heads[idx].next;
    return idx;
}

/* The existing block at an offset; becomes the hint. */
static uint32_t find_block(struct capy_stream *s, const struct capy_blocks *b, uint64_t offset)
{
    uint32_t idx = find_floor(s, b, block_no(offset));
    CAPY_ASSERT(idx != CAPY_NONE && b->heads[idx].no == block_no(offset));
    s->hint = idx;
    return idx;
}

/* As find_block, but makes the block when there is none. The pool must have one. */
static uint32_t need_block(struct capy_stream *s, struct capy_blocks *b, uint32_t no)
{
    uint32_t before = find_floor(s, b, no);
    if (before != CAPY_NONE && b->heads[before].no == no) {
        s->hint = before;
        return before;
    }
    uint32_t idx = capy_pool_take(&b->pool);
    CAPY_ASSERT(idx != CAPY_NONE);
    uint32_t *link = before == CAPY_NONE ? &s->head : &b->heads[before].next;
    b->heads[idx] = (struct capy_block_head){.next = *link, .no = no, .at = b->tick};
    *link = idx;
    if (b->heads[idx].next == CAPY_NONE)
        s->tail = idx;
    s->hint = idx;
    s->block_cnt++;
    return idx;
}

uint32_t capy_stream_room(const struct capy_stream *s, const struct capy_blocks *b, uint64_t offset,
                          uint32_t len)
{
    CAPY_ASSERT(offset >= s->start);
    uint32_t free_cnt = b->pool.free_cnt;
    uint32_t no = block_no(offset);
    uint32_t idx = find_floor(s, b, no);
    /* The first existing block at or behind the offset. */
    if (idx == CAPY_NONE)
        idx = s->head;
    else if (b->heads[idx].no != no)
        idx = b->heads[idx].next;

    uint32_t room = 0;
    uint32_t piece = CAPY_BLOCK_LEN - block_at(offset);
    while (room < len) {
        if (idx != CAPY_NONE && b->heads[idx].no == no)
            idx = b->heads[idx].next;
        else if (free_cnt-- == 0)
            return room;
        room += capy_min32(piece, len - room);
        piece = CAPY_BLOCK_LEN;
        no++;
    }
    return room;
}

int capy_stream_write(struct capy_stream *s, struct capy_blocks *b, uint64_t offset,
                      const uint8_t *data, uint32_t len)
{
    CAPY_ASSERT(offset >= s->start);
    /* Counting the blocks that exist already is only worth it when the pool might not do. */
    uint32_t block_max = len / CAPY_BLOCK_LEN + 2;
    if (b->pool.free_cnt < block_max && capy_stream_room(s, b, offset, len) < len)
        return CAPY_E_NOMEM;
    while (len > 0) {
        uint32_t at = block_at(offset);
        uint32_t n = capy_min32(len, CAPY_BLOCK_LEN - at);
        uint32_t idx = need_block(s, b, block_no(offset));
        memcpy(block_data(b, idx) + at, data, n);
        offset += n;
        data += n;
        len -= n;
    }
    return CAPY_OK;
}

const uint8_t *capy_stream_span(struct capy_stream *s, const struct capy_blocks *b, uint64_t offset,
                                uint32_t len, uint32_t *got)
{
    CAPY_ASSERT(offset >= s->start && len >= 1);
    uint32_t at = block_at(offset);
    *got = capy_min32(len, CAPY_BLOCK_LEN - at);
    return block_data(b, find_block(s, b, offset)) + at;
}

void capy_stream_read(struct capy_stream *s, const struct capy_blocks *b, uint64_t offset,
                      uint8_t *out, uint32_t len)
{
    while (len > 0) {
        uint32_t n;
        const uint8_t *from = capy_stream_span(s, b, offset, len, &n);
        memcpy(out, from, n);
        offset += n;
        out += n;
        len -= n;
    }
}

static void give_head(struct capy_stream *s, struct capy_blocks *b)
{
    uint32_t idx = s->head;
    s->head = b->heads[idx].next;
    if (s->head == CAPY_NONE)
        s->tail = CAPY_NONE;
    if (s->hint == idx)
        s->hint = CAPY_NONE;
    s->block_cnt--;
    capy_pool_give(&b->pool, idx);
}

void capy_stream_trim(struct capy_stream *s, struct capy_blocks *b, uint64_t offset)
{
    CAPY_ASSERT(offset >= s->start);
    s->start = offset;
    uint32_t keep = block_no(offset);
    while (s->head != CAPY_NONE && !no_le(keep, b->heads[s->head].no))
        give_head(s, b);
}

void capy_stream_truncate(struct capy_stream *s, struct capy_blocks *b, uint64_t offset)
{
    CAPY_ASSERT(offset >= s->start);
    uint32_t last = offset == s->start ? CAPY_NONE : find_floor(s, b, block_no(offset - 1));
    if (last == CAPY_NONE) {
        capy_stream_clear(s, b);
        return;
    }
    s->hint = last;
    s->tail = last;
    uint32_t idx = b->heads[last].next;
    b->heads[last].next = CAPY_NONE;
    while (idx != CAPY_NONE) {
        uint32_t next = b->heads[idx].next;
        capy_pool_give(&b->pool, idx);
        s->block_cnt--;
        idx = next;
    }
}

void capy_stream_clear(struct capy_stream *s, struct capy_blocks *b)
{
    while (s->head != CAPY_NONE)
        give_head(s, b);
}
