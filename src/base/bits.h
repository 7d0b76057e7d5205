/* Small integer helpers: big-endian loads and stores that never assume alignment, minimum and
 * maximum, rounding. Header only, so that the switch core can use them inside BPF. */
#ifndef CAPY_BASE_BITS_H
#define CAPY_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAPY_NONE UINT32_MAX  /* "no index" in every index-linked structure */
#define CAPY_NEVER UINT64_MAX /* "no deadline" for every *_at value */
#define CAPY_US(n) ((uint64_t)(n)*1000u)
#define CAPY_MS(n) ((uint64_t)(n)*1000000u)
#define CAPY_SEC(n) ((uint64_t)(n)*1000000000u)

/* The compiler for BPF, which knows of no machine that loads unaligned words, takes them apart into
 * bytes; the kernel's verifier accepts them whole where the machine has them. */
#if defined(__bpf__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define CAPY_WHOLE_WORDS 1
#else
#define CAPY_WHOLE_WORDS 0
#endif

/* Hides from the optimizer where a pointer came from, so that BPF's verifier sees the very register
 * used that was checked against the end of the data. Nothing elsewhere. */
#ifdef __bpf__
#define CAPY_PIN(p) __asm__ volatile("" : "+r"(p))
#else
#define CAPY_PIN(p) ((void)0)
#endif

static inline uint16_t capy_load16(const uint8_t *p)
{
#if CAPY_WHOLE_WORDS
    return __builtin_bswap16(*(const uint16_t *)p);
#endif
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static inline uint32_t capy_load32(const uint8_t *p)
{
#if CAPY_WHOLE_WORDS
    return __builtin_bswap32(*(const uint32_t *)p);
#endif
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t capy_load64(const uint8_t *p)
{
    return (uint64_t)capy_load32(p) << 32 | capy_load32(p + 4);
}

/* len: a multiple of 2 and a constant. */
static inline bool capy_same(const uint8_t *a, const uint8_t *b, size_t len)
{
#if CAPY_WHOLE_WORDS
    size_t i = 0;
    uint32_t differs = 0;
    for (; i + 4 <= len; i += 4)
        differs |= *(const uint32_t *)(a + i) ^ *(const uint32_t *)(b + i);
    if (i < len)
        differs |= (uint32_t)(*(const uint16_t *)(a + i) ^ *(const uint16_t *)(b + i));
    return differs == 0;
#else
    return __builtin_memcmp(a, b, len) == 0;
#endif
}

static inline void capy_store16(uint8_t *p, uint16_t v)
{
#if CAPY_WHOLE_WORDS
    *(uint16_t *)p = __builtin_bswap16(v);
    return;
#endif
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void capy_store32(uint8_t *p, uint32_t v)
{
    capy_store16(p, (uint16_t)(v >> 16));
    capy_store16(p + 2, (uint16_t)v);
}

static inline void capy_store64(uint8_t *p, uint64_t v)
{
    capy_store32(p, (uint32_t)(v >> 32));
    capy_store32(p + 4, (uint32_t)v);
}

/* All ones or zero, without a branch; a and b differ by less than 2^63. */
static inline uint64_t capy_less(uint64_t a, uint64_t b)
{
    uint64_t d = a - b;
    CAPY_PIN(d);
    d = 0 - (d >> 63);
    CAPY_PIN(d);
    return d;
}

static inline uint64_t capy_differs(uint64_t a, uint64_t b)
{
    uint64_t d = a ^ b;
    CAPY_PIN(d);
    d |= 0 - d;
    CAPY_PIN(d);
    d = 0 - (d >> 63);
    CAPY_PIN(d);
    return d;
}

static inline uint32_t capy_min32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static inline uint32_t capy_max32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static inline uint64_t capy_min64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t capy_max64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

#endif
