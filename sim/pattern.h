/* The bytes of a connection's two directions: a keyed pattern per connection and direction, so that a
 * byte lost, repeated, moved or taken from elsewhere is seen where it is read. The first eight bytes
 * name the connection. Header only; shares nothing with the code under test. */
#ifndef CAPY_SIM_PATTERN_H
#define CAPY_SIM_PATTERN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { SIM_UP, SIM_DOWN }; /* client to server, server to client */

#define SIM_HEAD_LEN 8u
#define SIM_HEAD_MAGIC 0xca9b0000u
#define SIM_NOBODY UINT32_MAX

/* Eight bytes of it, the n-th. */
static inline uint64_t sim_pattern_word(uint32_t life, unsigned dir, uint64_t n)
{
    if (n == 0)
        return (uint64_t)(SIM_HEAD_MAGIC | dir) << 32 | life;
    uint64_t x = n * 0x9e3779b97f4a7c15u + ((uint64_t)life * 2u + dir) * 0xd1342543de82ef95u;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9u;
    return x ^ x >> 32;
}

/* Writes bytes offset..offset+len of the pattern to out. */
static inline void sim_pattern_fill(uint32_t life, unsigned dir, uint64_t offset, uint8_t *out,
                                    uint32_t len)
{
    for (uint32_t done = 0; done < len;) {
        uint64_t word = sim_pattern_word(life, dir, (offset + done) / 8);
        uint32_t skip = (uint32_t)((offset + done) % 8), n = 8 - skip;
        if (n > len - done)
            n = len - done;
        memcpy(out + done, (const uint8_t *)&word + skip, n);
        done += n;
    }
}

/* How many of len bytes are as they should be, from the first on. */
static inline uint32_t sim_pattern_check(uint32_t life, unsigned dir, uint64_t offset,
                                         const uint8_t *in, uint32_t len)
{
    uint32_t done = 0;
    while (done < len) {
        uint64_t word = sim_pattern_word(life, dir, (offset + done) / 8);
        uint32_t skip = (uint32_t)((offset + done) % 8), n = 8 - skip;
        if (n > len - done)
            n = len - done;
        if (memcmp(in + done, (const uint8_t *)&word + skip, n) != 0)
            break;
        done += n;
    }
    while (done < len) { /* the byte in that word */
        uint8_t byte;
        sim_pattern_fill(life, dir, offset + done, &byte, 1);
        if (in[done] != byte)
            break;
        done++;
    }
    return done;
}

/* The connection that the first eight bytes name; SIM_NOBODY: they name none. */
static inline uint32_t sim_pattern_head(const uint8_t in[SIM_HEAD_LEN], unsigned dir)
{
    uint64_t word;
    memcpy(&word, in, sizeof word);
    return word >> 32 == (SIM_HEAD_MAGIC | dir) ? (uint32_t)word : SIM_NOBODY;
}

#endif
