/* Integers of any length (tcp/codec.h): those that take more than a byte, and those at the end of
 * the buffer. */
#include "tcp/codec.h"

/* log2 of the bytes that RFC 9000 §16 needs. */
static inline uint32_t size_class(uint64_t v)
{
    return v < 1u << 6 ? 0 : v < 1u << 14 ? 1 : v < 1u << 30 ? 2 : 3;
}

/* The integer in the first bytes of eight. */
static inline uint64_t in_front(uint64_t v, uint32_t class)
{
    uint32_t bits = 8u << class;
    return (v | (uint64_t) class << (bits - 2)) << (64 - bits);
}

uint32_t capy_codec_write_int(uint8_t *p, uint32_t at, uint32_t max, uint64_t v)
{
    CAPY_ASSERT(v <= CAPY_CODEC_INT_MAX);
    uint32_t class = size_class(v), len = 1u << class;
    uint8_t b[8];
    if (max - at >= sizeof b) { /* one store; what it writes too much is written over */
        capy_store64(p + at, in_front(v, class));
        return at + len;
    }
    CAPY_ASSERT(max - at >= len); /* an encoder's buffer is sized for the worst case */
    capy_store64(b, in_front(v, class));
    memcpy(p + at, b, len);
    return at + len;
}

struct capy_codec_int capy_codec_read_int(const uint8_t *p, uint32_t at, uint32_t max,
                                          uint64_t v_max)
{
    uint64_t eight;
    uint32_t left = max - at;
    if (left >= sizeof eight) {
        eight = capy_load64(p + at);
    } else {
        uint8_t b[8] = {0};
        memcpy(b, p + at, left);
        eight = capy_load64(b);
    }
    uint32_t class = (uint32_t)(eight >> 62), len = 1u << class;
    uint64_t v = (eight & CAPY_CODEC_INT_MAX) >> (64 - 8 * len);
    if (len > left || size_class(v) != class || v > v_max)
        return (struct capy_codec_int){0, CAPY_NONE};
    return (struct capy_codec_int){v, at + len};
}
