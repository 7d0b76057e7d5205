/* Bytes as a program: each choice that a target makes takes the next ones. When they are over every
 * choice is 0, or, where a generator is given, random: so the same code runs under a fuzzer and from
 * a seed. Header only. */
#ifndef CAPY_TESTS_FUZZ_BYTES_H
#define CAPY_TESTS_FUZZ_BYTES_H

#include "base/bits.h"
#include "base/prng.h"
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct fuzz_bytes {
    const uint8_t *p;
    size_t left;
    struct capy_prng *more; /* NULL: none */
};

static inline bool fuzz_over(const struct fuzz_bytes *b)
{
    return b->left == 0 && !b->more;
}

static inline uint8_t fuzz_u8(struct fuzz_bytes *b)
{
    if (b->left == 0)
        return b->more ? (uint8_t)(capy_prng_next(b->more) >> 56) : 0;
    b->left--;
    return *b->p++;
}

static inline uint16_t fuzz_u16(struct fuzz_bytes *b)
{
    uint16_t high = fuzz_u8(b);
    return (uint16_t)(high << 8 | fuzz_u8(b));
}

static inline uint32_t fuzz_u32(struct fuzz_bytes *b)
{
    uint32_t high = fuzz_u16(b);
    return high << 16 | fuzz_u16(b);
}

static inline uint64_t fuzz_u64(struct fuzz_bytes *b)
{
    uint64_t high = fuzz_u32(b);
    return high << 32 | fuzz_u32(b);
}

/* 0..bound-1, bound 1..65536; one byte where that is enough. */
static inline uint32_t fuzz_below(struct fuzz_bytes *b, uint32_t bound)
{
    return bound <= 1 ? 0 : bound <= 256 ? fuzz_u8(b) % bound : fuzz_u16(b) % bound;
}

/* True in `of_256` of 256 cases; false when the bytes are over. */
static inline bool fuzz_chance(struct fuzz_bytes *b, uint32_t of_256)
{
    return of_256 > 0 && 255u - fuzz_u8(b) < of_256;
}

/* At most max of what is left, as they lie there; *len says how many. */
static inline const uint8_t *fuzz_take(struct fuzz_bytes *b, size_t max, size_t *len)
{
    const uint8_t *p = b->p;
    *len = b->left < max ? b->left : max;
    b->p += *len;
    b->left -= *len;
    return p;
}

#endif
