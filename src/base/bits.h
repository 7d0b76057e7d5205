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

/* Big-endian numbers and the machine's own. Written as what the machine does, a load and a swap:
 * compilers make that of shifted bytes, too, but only after they have judged by the shifts whether it
 * is worth inlining. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define CAPY_BE16(v) __builtin_bswap16(v)
#define CAPY_BE32(v) __builtin_bswap32(v)
#define CAPY_BE64(v) __builtin_bswap64(v)
#else
#define CAPY_BE16(v) (v)
#define CAPY_BE32(v) (v)
#define CAPY_BE64(v) (v)
#endif

static inline uint16_t capy_load16(const uint8_t *p)
{
    uint16_t v;
#if CAPY_WHOLE_WORDS
    v = *(const uint16_t *)p;
#else
    __builtin_memcpy(&v, p, sizeof v);
#endif
    return CAPY_BE16(v);
}

static inline uint32_t capy_load32(const uint8_t *p)
{
    uint32_t v;
#if CAPY_WHOLE_WORDS
    v = *(const uint32_t *)p;
#else
    __builtin_memcpy(&v, p, sizeof v);
#endif
    return CAPY_BE32(v);
}

static inline uint64_t capy_load64(const uint8_t *p)
{
#if CAPY_WHOLE_WORDS
    return (uint64_t)capy_load32(p) << 32 | capy_load32(p + 4);
#else
    uint64_t v;
    __builtin_memcpy(&v, p, sizeof v);
    return CAPY_BE64(v);
#endif
}

/* len: a multiple of 2 and a constant. By whole words, without a branch but the last: what is compared
 * is mostly the same. */
__attribute__((always_inline)) static inline bool capy_same(const uint8_t *a, const uint8_t *b,
                                                            size_t len)
{
    size_t i = 0;
    uint64_t differs = 0;
#if CAPY_WHOLE_WORDS
    for (; i + 4 <= len; i += 4)
        differs |= *(const uint32_t *)(a + i) ^ *(const uint32_t *)(b + i);
    if (i < len)
        differs |= (uint32_t)(*(const uint16_t *)(a + i) ^ *(const uint16_t *)(b + i));
#else
    for (; i + 8 <= len; i += 8)
        differs |= capy_load64(a + i) ^ capy_load64(b + i);
    if (len & 4u) {
        differs |= capy_load32(a + i) ^ capy_load32(b + i);
        i += 4;
    }
    if (len & 2u)
        differs |= (uint64_t)(capy_load16(a + i) ^ capy_load16(b + i));
#endif
    return differs == 0;
}

static inline void capy_store16(uint8_t *p, uint16_t v)
{
    uint16_t be = CAPY_BE16(v);
#if CAPY_WHOLE_WORDS
    *(uint16_t *)p = be;
#else
    __builtin_memcpy(p, &be, sizeof be);
#endif
}

static inline void capy_store32(uint8_t *p, uint32_t v)
{
#if CAPY_WHOLE_WORDS
    capy_store16(p, (uint16_t)(v >> 16));
    capy_store16(p + 2, (uint16_t)v);
#else
    uint32_t be = CAPY_BE32(v);
    __builtin_memcpy(p, &be, sizeof be);
#endif
}

/* Whole words as they lie in memory, in no particular byte order: for what is only copied, compared, or summed
 * by the Internet checksum. */
static inline uint32_t capy_raw32(const uint8_t *p)
{
#if CAPY_WHOLE_WORDS
    return *(const uint32_t *)p;
#else
    uint32_t v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
#endif
}

static inline uint64_t capy_raw64(const uint8_t *p)
{
#if CAPY_WHOLE_WORDS
    return *(const uint64_t *)p;
#else
    uint64_t v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
#endif
}

static inline uint16_t capy_raw16(const uint8_t *p)
{
#if CAPY_WHOLE_WORDS
    return *(const uint16_t *)p;
#else
    uint16_t v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
#endif
}

static inline void capy_raw32_set(uint8_t *p, uint32_t v)
{
#if CAPY_WHOLE_WORDS
    *(uint32_t *)p = v;
#else
    __builtin_memcpy(p, &v, sizeof v);
#endif
}

static inline void capy_raw16_set(uint8_t *p, uint16_t v)
{
#if CAPY_WHOLE_WORDS
    *(uint16_t *)p = v;
#else
    __builtin_memcpy(p, &v, sizeof v);
#endif
}

static inline uint32_t capy_little32(const uint8_t *p)
{
    uint32_t v = capy_raw32(p);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap32(v);
}

static inline uint16_t capy_little16(const uint8_t *p)
{
    uint16_t v = capy_raw16(p);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap16(v);
}

/* Between a raw big-endian word and the number that it is; either way. */
static inline uint32_t capy_host32(uint32_t raw)
{
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap32(raw) : raw;
}

static inline uint64_t capy_host64(uint64_t raw)
{
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(raw) : raw;
}

static inline uint16_t capy_host16(uint16_t raw)
{
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap16(raw) : raw;
}

static inline void capy_store64(uint8_t *p, uint64_t v)
{
#if CAPY_WHOLE_WORDS
    capy_store32(p, (uint32_t)(v >> 32));
    capy_store32(p + 4, (uint32_t)v);
#else
    uint64_t be = CAPY_BE64(v);
    __builtin_memcpy(p, &be, sizeof be);
#endif
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
