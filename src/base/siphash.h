/* SipHash-c-d (Aumasson and Bernstein, 2012), the keyed hash of tags, ISNs and table indices. Header
 * only, no libc, so that the switch core can compile it for BPF. Two round counts: 1-3 for tags and
 * tables on the hot path, 2-4 (the paper's conservative choice) for ISNs (RFC 6528). */
#ifndef CAPY_BASE_SIPHASH_H
#define CAPY_BASE_SIPHASH_H

#include "base/bits.h"

struct capy_key {
    uint64_t k0, k1;
};

struct capy_sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t capy_rotl64(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

static inline void capy_sip_round(struct capy_sip *s)
{
    s->v0 += s->v1;
    s->v1 = capy_rotl64(s->v1, 13) ^ s->v0;
    s->v0 = capy_rotl64(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = capy_rotl64(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = capy_rotl64(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = capy_rotl64(s->v1, 17) ^ s->v2;
    s->v2 = capy_rotl64(s->v2, 32);
}

/* len bytes (0..8) as a little-endian number. Unrolled by hand at 8 and 4, because compilers do not
 * see a single load in the byte loop and tags hash whole segments. */
static inline uint64_t capy_sip_load_le(const uint8_t *p, size_t len)
{
    uint64_t v = 0;
    size_t i = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (len == 8) {
#if CAPY_WHOLE_WORDS
        return *(const uint32_t *)p | (uint64_t) * (const uint32_t *)(p + 4) << 32;
#endif
        __builtin_memcpy(&v, p, 8);
        return v;
    }
    if (len & 4) {
        uint32_t low;
        __builtin_memcpy(&low, p, 4);
        v = low;
        i = 4;
    }
#endif
    for (; i < len; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

/* SipHash-1-3 a word at a time, for messages whose words do not lie one behind the other, or that begin as
 * another one did: begin, take each whole word, finish with the last one, which has the length in its top byte. */
static inline struct capy_sip capy_sip_begin(struct capy_key key)
{
    return (struct capy_sip){key.k0 ^ 0x736f6d6570736575u, key.k1 ^ 0x646f72616e646f6du,
                             key.k0 ^ 0x6c7967656e657261u, key.k1 ^ 0x7465646279746573u};
}

static inline void capy_sip_take(struct capy_sip *s, uint64_t word)
{
    s->v3 ^= word;
    capy_sip_round(s);
    s->v0 ^= word;
}

static inline uint64_t capy_sip_finish(struct capy_sip *s, uint64_t last)
{
    capy_sip_take(s, last);
    s->v2 ^= 0xff;
    capy_sip_round(s);
    capy_sip_round(s);
    capy_sip_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* The hash of len bytes under key with c compression and d finalization rounds; inlined always, so
 * that the round counts are constants to the compiler. */
__attribute__((always_inline)) static inline uint64_t
capy_siphash_cd(struct capy_key key, const uint8_t *data, size_t len, int c, int d)
{
    struct capy_sip s = capy_sip_begin(key);
    size_t whole = len & ~(size_t)7u;
    for (size_t i = 0; i < whole; i += 8) {
        uint64_t m = capy_sip_load_le(data + i, 8);
        s.v3 ^= m;
        for (int r = 0; r < c; r++)
            capy_sip_round(&s);
        s.v0 ^= m;
    }
    uint64_t last = (uint64_t)len << 56 | capy_sip_load_le(data + whole, len - whole);
    s.v3 ^= last;
    for (int r = 0; r < c; r++)
        capy_sip_round(&s);
    s.v0 ^= last;
    s.v2 ^= 0xff;
    for (int r = 0; r < d; r++)
        capy_sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

static inline uint64_t capy_siphash13(struct capy_key key, const uint8_t *data, size_t len)
{
    return capy_siphash_cd(key, data, len, 1, 3);
}

static inline uint64_t capy_siphash24(struct capy_key key, const uint8_t *data, size_t len)
{
    return capy_siphash_cd(key, data, len, 2, 4);
}

#endif
