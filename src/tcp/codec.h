/* Encoding and decoding by one walk over the fields: every function below either writes *v or reads
 * into it, by the codec's direction, so that a field list is written once. Integers are RFC 9000
 * §16's variable-length ones, big-endian, up to 2^62 - 1; only their shortest form is accepted, so
 * that one value has one encoding. A decoder that meets anything wrong sets bad and yields zeros
 * from there. */
#ifndef CAPY_TCP_CODEC_H
#define CAPY_TCP_CODEC_H

#include <stdbool.h>
#include <stdint.h>

#define CAPY_CODEC_INT_MAX ((UINT64_C(1) << 62) - 1)

struct capy_codec {
    uint8_t *p; /* borrowed; an encoder may write zeros behind what it has encoded, up to max */
    uint32_t at, max;
    bool decoding, bad; /* bad: at and max are 0, so that nothing more is read */
    uint64_t now;
};

/* Most fields of an idle connection take one byte: that much is done in place, the rest in
 * codec.c. */
#define CAPY_CODEC_INLINE static inline __attribute__((always_inline))
#define CAPY_CODEC_SMALL 64u /* what one byte holds */

void capy_codec_fail(struct capy_codec *c);
/* n bytes of the buffer; NULL, and bad, when there are not that many. */
uint8_t *capy_codec_take(struct capy_codec *c, uint32_t n);
void capy_codec_write_int(struct capy_codec *c, uint64_t v);
/* 0, and bad, also for more than max. */
uint64_t capy_codec_read_int(struct capy_codec *c, uint64_t max);

/* n bytes as they are. */
void capy_codec_bytes(struct capy_codec *c, uint8_t *v, uint32_t n);
/* All 32, or 64, bits are equally likely: four bytes, or eight. */
void capy_codec_fixed32(struct capy_codec *c, uint32_t *v);
void capy_codec_fixed64(struct capy_codec *c, uint64_t *v);

/* v, or what is read instead of it. */
CAPY_CODEC_INLINE uint64_t capy_codec_number(struct capy_codec *c, uint64_t v, uint64_t max)
{
    if (c->decoding) {
        if (c->at < c->max && c->p[c->at] < CAPY_CODEC_SMALL)
            return c->p[c->at++];
        return capy_codec_read_int(c, max);
    }
    if (v < CAPY_CODEC_SMALL && c->at < c->max)
        c->p[c->at++] = (uint8_t)v;
    else
        capy_codec_write_int(c, v);
    return v;
}

CAPY_CODEC_INLINE void capy_codec_int(struct capy_codec *c, uint64_t *v)
{
    *v = capy_codec_number(c, *v, CAPY_CODEC_INT_MAX);
}

/* As int, for narrower fields; wider values are bad. */
CAPY_CODEC_INLINE void capy_codec_u32(struct capy_codec *c, uint32_t *v)
{
    *v = (uint32_t)capy_codec_number(c, *v, UINT32_MAX);
}

CAPY_CODEC_INLINE void capy_codec_u16(struct capy_codec *c, uint16_t *v)
{
    *v = (uint16_t)capy_codec_number(c, *v, UINT16_MAX);
}

/* A byte as it is. */
CAPY_CODEC_INLINE void capy_codec_u8(struct capy_codec *c, uint8_t *v)
{
    uint8_t *p = c->at < c->max ? c->p + c->at++ : capy_codec_take(c, 1);
    if (!c->decoding)
        *p = *v;
    else
        *v = p ? *p : 0;
}

/* A position at or behind base, as its distance. */
void capy_codec_after(struct capy_codec *c, uint64_t *pos, uint64_t base);
/* A position behind base or `none`; none is written as 0. */
void capy_codec_after_or(struct capy_codec *c, uint64_t *pos, uint64_t base, uint64_t none);
/* A deadline as what remains of it; CAPY_NEVER stays that. */
void capy_codec_deadline(struct capy_codec *c, uint64_t *at);
/* A time in the past as its age. Ages may exceed a new host's clock: always compute now - at. */
void capy_codec_age(struct capy_codec *c, uint64_t *at);

#endif
