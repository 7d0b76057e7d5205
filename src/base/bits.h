/* Small integer helpers: big-endian loads and stores that never assume alignment, minimum and
 * maximum, rounding. Header only, so that the switch core can use them inside BPF. */
#ifndef CAPY_BASE_BITS_H
#define CAPY_BASE_BITS_H

#include <stddef.h>
#include <stdint.h>

#define CAPY_NONE UINT32_MAX  /* "no index" in every index-linked structure */
#define CAPY_NEVER UINT64_MAX /* "no deadline" for every *_at value */
#define CAPY_US(n) ((uint64_t)(n)*1000u)
#define CAPY_MS(n) ((uint64_t)(n)*1000000u)
#define CAPY_SEC(n) ((uint64_t)(n)*1000000000u)

static inline uint16_t capy_load16(const uint8_t *p)
{
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static inline uint32_t capy_load32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t capy_load64(const uint8_t *p)
{
    return (uint64_t)capy_load32(p) << 32 | capy_load32(p + 4);
}

static inline void capy_store16(uint8_t *p, uint16_t v)
{
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
