/* The two-way codec of the snapshot's head (tcp/codec.h). */
#include "tcp/codec.h"
#include "base/assert.h"
#include "base/bits.h"
#include <string.h>

void capy_codec_fail(struct capy_codec *c)
{
    c->bad = true;
    c->at = c->max = 0;
}

uint8_t *capy_codec_take(struct capy_codec *c, uint32_t n)
{
    if (c->max - c->at < n) {
        CAPY_ASSERT(c->decoding); /* an encoder's buffer is sized for the worst case */
        capy_codec_fail(c);
        return NULL;
    }
    c->at += n;
    return c->p + c->at - n;
}

void capy_codec_bytes(struct capy_codec *c, uint8_t *v, uint32_t n)
{
    uint8_t *p = capy_codec_take(c, n);
    if (!p)
        memset(v, 0, n);
    else if (c->decoding)
        memcpy(v, p, n);
    else
        memcpy(p, v, n);
}

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

void capy_codec_write_int(struct capy_codec *c, uint64_t v)
{
    CAPY_ASSERT(v <= CAPY_CODEC_INT_MAX);
    uint32_t class = size_class(v), len = 1u << class;
    uint8_t b[8];
    if (c->max - c->at >= sizeof b) { /* one store; what it writes too much is written over */
        capy_store64(c->p + c->at, in_front(v, class));
        c->at += len;
        return;
    }
    capy_store64(b, in_front(v, class));
    capy_codec_bytes(c, b, len);
}

uint64_t capy_codec_read_int(struct capy_codec *c, uint64_t max)
{
    uint64_t eight;
    uint32_t left = c->max - c->at;
    if (left >= sizeof eight) {
        eight = capy_load64(c->p + c->at);
    } else {
        uint8_t b[8] = {0};
        memcpy(b, c->p + c->at, left);
        eight = capy_load64(b);
    }
    uint32_t class = (uint32_t)(eight >> 62), len = 1u << class;
    uint64_t v = (eight & CAPY_CODEC_INT_MAX) >> (64 - 8 * len);
    if (len > left || size_class(v) != class || v > max) {
        capy_codec_fail(c);
        return 0;
    }
    c->at += len;
    return v;
}

void capy_codec_fixed32(struct capy_codec *c, uint32_t *v)
{
    uint8_t *p = capy_codec_take(c, 4);
    if (!c->decoding)
        capy_store32(p, *v);
    else
        *v = p ? capy_load32(p) : 0;
}

void capy_codec_fixed64(struct capy_codec *c, uint64_t *v)
{
    uint8_t *p = capy_codec_take(c, 8);
    if (!c->decoding)
        capy_store64(p, *v);
    else
        *v = p ? capy_load64(p) : 0;
}

void capy_codec_after(struct capy_codec *c, uint64_t *pos, uint64_t base)
{
    uint64_t d = *pos - base;
    capy_codec_int(c, &d);
    *pos = base + d;
}

void capy_codec_after_or(struct capy_codec *c, uint64_t *pos, uint64_t base, uint64_t none)
{
    uint64_t d = *pos == none ? 0 : *pos - base;
    CAPY_ASSERT(c->decoding || (d == 0) == (*pos == none));
    capy_codec_int(c, &d);
    *pos = d == 0 ? none : base + d;
}

void capy_codec_deadline(struct capy_codec *c, uint64_t *at)
{
    uint64_t left = *at == CAPY_NEVER ? 0 : *at > c->now ? *at - c->now + 1 : 1;
    capy_codec_int(c, &left);
    *at = left == 0 ? CAPY_NEVER : c->now + left - 1;
}

void capy_codec_age(struct capy_codec *c, uint64_t *at)
{
    uint64_t age = c->now - *at;
    capy_codec_int(c, &age);
    *at = c->now - age;
}
