/* The two-way codec of the snapshot's head (tcp/codec.h). */
#include "tcp/codec.h"
#include "base/assert.h"
#include "base/bits.h"
#include <string.h>

/* n bytes of the buffer; NULL, and bad, when there are not that many. */
static inline uint8_t *take(struct capy_codec *c, uint32_t n)
{
    if (c->bad || c->max - c->at < n) {
        CAPY_ASSERT(c->decoding); /* an encoder's buffer is sized for the worst case */
        c->bad = true;
        return NULL;
    }
    c->at += n;
    return c->p + c->at - n;
}

void capy_codec_bytes(struct capy_codec *c, uint8_t *v, uint32_t n)
{
    uint8_t *p = take(c, n);
    if (!p)
        memset(v, 0, n);
    else if (c->decoding)
        memcpy(v, p, n);
    else
        memcpy(p, v, n);
}

/* log2 of the bytes that RFC 9000 §16 needs. */
static uint32_t size_class(uint64_t v)
{
    return v < 1u << 6 ? 0 : v < 1u << 14 ? 1 : v < 1u << 30 ? 2 : 3;
}

static void write_int(struct capy_codec *c, uint64_t v)
{
    CAPY_ASSERT(v <= CAPY_CODEC_INT_MAX);
    uint32_t class = size_class(v);
    uint8_t *p = take(c, 1u << class);
    switch (class) {
    case 0:
        p[0] = (uint8_t)v;
        break;
    case 1:
        capy_store16(p, (uint16_t)(v | UINT64_C(1) << 14));
        break;
    case 2:
        capy_store32(p, (uint32_t)(v | UINT64_C(2) << 30));
        break;
    case 3:
        capy_store64(p, v | UINT64_C(3) << 62);
        break;
    }
}

static uint64_t read_int(struct capy_codec *c)
{
    const uint8_t *p = take(c, 1);
    if (!p)
        return 0;
    uint32_t class = *p >> 6;
    uint64_t v = *p & 0x3fu;
    if (class > 0) {
        if (!take(c, (1u << class) - 1))
            return 0;
        v = class == 1   ? capy_load16(p) & 0x3fffu
            : class == 2 ? capy_load32(p) & 0x3fffffffu
                         : capy_load64(p) & CAPY_CODEC_INT_MAX;
    }
    if (size_class(v) != class) {
        c->bad = true;
        return 0;
    }
    return v;
}

void capy_codec_int(struct capy_codec *c, uint64_t *v)
{
    if (c->decoding)
        *v = read_int(c);
    else
        write_int(c, *v);
}

static uint64_t narrow(struct capy_codec *c, uint64_t v, uint64_t max)
{
    capy_codec_int(c, &v);
    if (v <= max)
        return v;
    c->bad = true;
    return 0;
}

void capy_codec_u32(struct capy_codec *c, uint32_t *v)
{
    *v = (uint32_t)narrow(c, *v, UINT32_MAX);
}

void capy_codec_u16(struct capy_codec *c, uint16_t *v)
{
    *v = (uint16_t)narrow(c, *v, UINT16_MAX);
}

void capy_codec_u8(struct capy_codec *c, uint8_t *v)
{
    *v = (uint8_t)narrow(c, *v, UINT8_MAX);
}

void capy_codec_fixed32(struct capy_codec *c, uint32_t *v)
{
    uint8_t b[4];
    capy_store32(b, *v);
    capy_codec_bytes(c, b, sizeof b);
    *v = capy_load32(b);
}

void capy_codec_fixed64(struct capy_codec *c, uint64_t *v)
{
    uint8_t b[8];
    capy_store64(b, *v);
    capy_codec_bytes(c, b, sizeof b);
    *v = capy_load64(b);
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
