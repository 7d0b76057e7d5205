/* A sparse byte stream over a shared pool of fixed-size blocks: the one buffer of the house. TCP's
 * send queue, its receive queue with out-of-order data in place, and the reassembly of CONN_STATE
 * are all streams. Bytes are named by a 64-bit offset that only grows; blocks exist only where
 * bytes were written; the holes are the owner's business (see tcp/reassembly).
 *
 * The pool is owned by the stack; a stream owns the blocks in its chain until trimmed or cleared.
 * Block n of a stream covers offsets [n * CAPY_BLOCK_LEN, (n + 1) * CAPY_BLOCK_LEN). */
#ifndef CAPY_BASE_STREAM_H
#define CAPY_BASE_STREAM_H

#include "base/arena.h"
#include "base/pool.h"
#include "capy/error.h"
#include <stdbool.h>

#define CAPY_BLOCK_LEN 2048u /* payload of one block: a full Ethernet segment fits in one or two */

struct capy_block_head {
    uint32_t next; /* index of the next block of the chain */
    uint32_t no;   /* offset / CAPY_BLOCK_LEN, low 32 bits (chains span far less than 2^31) */
    uint32_t at;   /* ticks when it was taken */
};

struct capy_blocks {
    struct capy_pool pool;
    struct capy_block_head *heads;
    uint8_t *data; /* cnt * CAPY_BLOCK_LEN */
    uint32_t tick; /* the present, from capy_blocks_now */
};

/* Ticks of about a millisecond are told apart well enough for how long bytes lie in a queue, and 32
 * bits of them last for 52 days. */
#define CAPY_BLOCK_TICK_BITS 20u

/* The owner says what time it is (ns), as often as it likes. */
static inline void capy_blocks_now(struct capy_blocks *b, uint64_t now)
{
    b->tick = (uint32_t)(now >> CAPY_BLOCK_TICK_BITS);
}

void capy_blocks_init(struct capy_blocks *b, struct capy_arena *a, uint32_t cnt);

struct capy_stream {
    uint64_t start;      /* offset of the first byte kept; bytes before are gone */
    uint32_t head, tail; /* first and last block, CAPY_NONE when no block exists */
    uint32_t hint;       /* last block touched by a read or write at an offset */
    uint32_t block_cnt;
};

/* An empty stream whose first byte will have this offset. */
void capy_stream_init(struct capy_stream *s, uint64_t start);

/* Copies len bytes in at offset (>= start, asserted), taking blocks as needed; overwriting is
 * allowed. CAPY_OK, or CAPY_E_NOMEM with nothing written and no block taken. */
CAPY_MUST_USE int capy_stream_write(struct capy_stream *s, struct capy_blocks *b, uint64_t offset,
                                    const uint8_t *data, uint32_t len);

/* How many of len bytes at offset could be written now, given the pool (0..len). */
uint32_t capy_stream_room(const struct capy_stream *s, const struct capy_blocks *b, uint64_t offset,
                          uint32_t len);

/* Copies len bytes out from offset. Every byte must have been written (its block must exist:
 * asserted). */
void capy_stream_read(struct capy_stream *s, const struct capy_blocks *b, uint64_t offset,
                      uint8_t *out, uint32_t len);

/* Lends the contiguous written memory at offset, at most len bytes: the address, and how many in
 * *got (>= 1). The block must exist (asserted). Valid until the stream is trimmed past it. */
const uint8_t *capy_stream_span(struct capy_stream *s, const struct capy_blocks *b, uint64_t offset,
                                uint32_t len, uint32_t *got);

/* Forgets bytes before offset (>= start) and gives back blocks wholly before it. */
void capy_stream_trim(struct capy_stream *s, struct capy_blocks *b, uint64_t offset);

/* Gives back the blocks at the front or the tail that hold nothing any more: called when the
 * owner knows that the stream is empty from offset on (no byte at or after it was kept). */
void capy_stream_truncate(struct capy_stream *s, struct capy_blocks *b, uint64_t offset);

/* For how long its first block has held bytes; 0 when there is none. */
static inline uint64_t capy_stream_age_ns(const struct capy_stream *s, const struct capy_blocks *b)
{
    if (s->head == CAPY_NONE)
        return 0;
    return (uint64_t)(b->tick - b->heads[s->head].at) << CAPY_BLOCK_TICK_BITS;
}

/* Gives every block back; the stream is empty at its start offset. */
void capy_stream_clear(struct capy_stream *s, struct capy_blocks *b);

#endif
