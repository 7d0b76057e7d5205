/* The body of /synthetic: an endless stream of bytes that both ends can compute from a seed and an
 * offset, so that a load generator checks every byte it receives, wherever the connection was moved
 * meanwhile. Word k of stream `seed` is output k of splitmix64 (Steele, Lea and Flood, 2014)
 * started at seed; byte i is byte i % 8 of word i / 8, least significant first. Header only. */
#ifndef CAPY_APPS_COMMON_PATTERN_H
#define CAPY_APPS_COMMON_PATTERN_H

#include <stddef.h>
#include <stdint.h>

/* Word k of the stream: bytes 8k .. 8k + 7. */
static inline uint64_t capy_pattern_word(uint64_t seed, uint64_t k)
{
    uint64_t z = seed + (k + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline uint8_t capy_pattern_byte(uint64_t seed, uint64_t offset)
{
    return (uint8_t)(capy_pattern_word(seed, offset / 8) >> (offset % 8 * 8));
}

/* Writes bytes offset .. offset + len - 1 of the stream. */
static inline void capy_pattern_fill(uint64_t seed, uint64_t offset, uint8_t *out, size_t len)
{
    size_t i = 0;
    for (; i < len && (offset + i) % 8 != 0; i++)
        out[i] = capy_pattern_byte(seed, offset + i);
    for (; len - i >= 8; i += 8) {
        uint64_t w = capy_pattern_word(seed, (offset + i) / 8);
        for (unsigned b = 0; b < 8; b++) /* one store on a little-endian machine */
            out[i + b] = (uint8_t)(w >> (8 * b));
    }
    for (; i < len; i++)
        out[i] = capy_pattern_byte(seed, offset + i);
}

/* How many of len bytes at data, received at this offset, are right: len, or the index of the
 * first wrong one. */
static inline size_t capy_pattern_check(uint64_t seed, uint64_t offset, const uint8_t *data,
                                        size_t len)
{
    uint8_t want[512];
    for (size_t done = 0; done < len;) {
        size_t n = len - done < sizeof want ? len - done : sizeof want;
        capy_pattern_fill(seed, offset + done, want, n);
        for (size_t i = 0; i < n; i++) {
            if (data[done + i] != want[i])
                return done + i;
        }
        done += n;
    }
    return len;
}

#endif
