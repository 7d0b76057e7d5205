/* Small integer helpers: words in memory that is not aligned, big-endian numbers, comparison without
 * a branch, minimum and maximum. Header only, so that the switch core can use them inside BPF. */
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

/* Words as they lie in memory, in no particular byte order: for what is only copied, compared, or
 * summed by the Internet checksum. */
#if CAPY_WHOLE_WORDS
#define CAPY_RAW_GET(v, p) ((v) = *(const __typeof__(v) *)(p))
#define CAPY_RAW_SET(p, v) (*(__typeof__(v) *)(p) = (v))
#else
#define CAPY_RAW_GET(v, p) __builtin_memcpy(&(v), p, sizeof(v))
#define CAPY_RAW_SET(p, v) __builtin_memcpy(p, &(v), sizeof(v))
#endif

static inline uint16_t capy_raw16(const uint8_t *p)
{
    uint16_t v;
    CAPY_RAW_GET(v, p);
    return v;
}

static inline uint32_t capy_raw32(const uint8_t *p)
{
    uint32_t v;
    CAPY_RAW_GET(v, p);
    return v;
}

static inline uint64_t capy_raw64(const uint8_t *p)
{
    uint64_t v;
    CAPY_RAW_GET(v, p);
    return v;
}

static inline void capy_raw16_set(uint8_t *p, uint16_t v)
{
    CAPY_RAW_SET(p, v);
}

static inline void capy_raw32_set(uint8_t *p, uint32_t v)
{
    CAPY_RAW_SET(p, v);
}

static inline void capy_raw64_set(uint8_t *p, uint64_t v)
{
    CAPY_RAW_SET(p, v);
}

/* Between a raw big-endian word and the number that it is; either way. A swap, which is what the
 * machine does: compilers make that of shifted bytes, too, but only after they have judged by the
 * shifts whether it is worth inlining. */
static inline uint16_t capy_host16(uint16_t raw)
{
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap16(raw) : raw;
}

static inline uint32_t capy_host32(uint32_t raw)
{
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap32(raw) : raw;
}

static inline uint64_t capy_host64(uint64_t raw)
{
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(raw) : raw;
}

static inline uint16_t capy_load16(const uint8_t *p)
{
    return capy_host16(capy_raw16(p));
}

static inline uint32_t capy_load32(const uint8_t *p)
{
    return capy_host32(capy_raw32(p));
}

static inline uint64_t capy_load64(const uint8_t *p)
{
    return capy_host64(capy_raw64(p));
}

static inline void capy_store16(uint8_t *p, uint16_t v)
{
    capy_raw16_set(p, capy_host16(v));
}

static inline void capy_store32(uint8_t *p, uint32_t v)
{
    capy_raw32_set(p, capy_host32(v));
}

static inline void capy_store64(uint8_t *p, uint64_t v)
{
    capy_raw64_set(p, capy_host64(v));
}

/* The same of a raw little-endian word. */
static inline uint16_t capy_little16(const uint8_t *p)
{
    uint16_t v = capy_raw16(p);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap16(v);
}

static inline uint32_t capy_little32(const uint8_t *p)
{
    uint32_t v = capy_raw32(p);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap32(v);
}

/* len: a multiple of 2 and a constant. By whole words, without a branch but the last: what is compared
 * is mostly the same. */
__attribute__((always_inline)) static inline bool capy_same(const uint8_t *a, const uint8_t *b,
                                                            size_t len)
{
    size_t i = 0;
    uint64_t differs = 0;
    for (; i + 8 <= len; i += 8)
        differs |= capy_raw64(a + i) ^ capy_raw64(b + i);
    for (; i + 4 <= len; i += 4)
        differs |= capy_raw32(a + i) ^ capy_raw32(b + i);
    if (i < len)
        differs |= (uint64_t)(capy_raw16(a + i) ^ capy_raw16(b + i));
    return differs == 0;
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
