/* Encoding and decoding by one walk over the fields: every function below either writes *v or reads
 * into it, by the codec's direction, so that a field list is written once. Integers are RFC 9000
 * §16's variable-length ones, big-endian, up to 2^62 - 1; only their shortest form is accepted, so
 * that one value has one encoding. A decoder that meets anything wrong sets bad and yields zeros
 * from there.
 *
 * All of it is inlined, and what is not gets the codec's parts by value: a walk that is compiled for
 * one direction (CAPY_CODEC_WALK) keeps the codec in registers, and asks nothing about direction. */
#ifndef CAPY_TCP_CODEC_H
#define CAPY_TCP_CODEC_H

#include "base/assert.h"
#include "base/bits.h"
#include <string.h>

#define CAPY_CODEC_INT_MAX ((UINT64_C(1) << 62) - 1)

struct capy_codec {
    uint8_t *p; /* borrowed; an encoder may write zeros behind what it has encoded, up to max */
    uint32_t at, max;
    bool decoding, bad; /* bad: by capy_codec_fail at and max are 0, so that nothing more is read */
    uint64_t now;
    uint8_t *run;  /* the rest of the run of fixed fields that is being walked, */
    uint32_t sure; /*   and its length */
};

#ifdef CAPY_COVERAGE
#define CAPY_CODEC_INLINE static inline /* its branches are counted once, not in each copy */
#else
#define CAPY_CODEC_INLINE static inline __attribute__((always_inline))
#endif
/* A piece of a walk: becomes part of whoever calls it. */
#define CAPY_CODEC_WALK CAPY_CODEC_INLINE
#define CAPY_CODEC_SMALL 64u /* what one byte holds: most fields of an idle connection */

/* An integer of any length at p + at: where the next field begins. */
uint32_t capy_codec_write_int(uint8_t *p, uint32_t at, uint32_t max, uint64_t v);

struct capy_codec_int {
    uint64_t v;  /* 0 when it is bad, or more than v_max */
    uint32_t at; /* of the next field; CAPY_NONE: bad */
};

struct capy_codec_int capy_codec_read_int(const uint8_t *p, uint32_t at, uint32_t max,
                                          uint64_t v_max);

CAPY_CODEC_INLINE void capy_codec_fail(struct capy_codec *c)
{
    c->bad = true;
    c->at = c->max = 0;
}

/* n bytes of the buffer; NULL, and bad, when there are not that many. */
CAPY_CODEC_INLINE uint8_t *capy_codec_take(struct capy_codec *c, uint32_t n)
{
    if (c->max - c->at < n) {
        CAPY_ASSERT(c->decoding); /* an encoder's buffer is sized for the worst case */
        capy_codec_fail(c);
        return NULL;
    }
    c->at += n;
    return c->p + c->at - n;
}

/* ---- a run of fields of fixed size: its length is checked once, and each field has its place ---- */

/* False, and bad, when the next n bytes are not there. */
CAPY_CODEC_INLINE bool capy_codec_run(struct capy_codec *c, uint32_t n)
{
    if (c->max - c->at < n) {
        CAPY_ASSERT(c->decoding); /* an encoder's buffer is sized for the worst case */
        capy_codec_fail(c);
        return false;
    }
    c->run = c->p + c->at;
    c->sure = n;
    c->at += n;
    return true;
}

/* Where n bytes of the run lie. (A run is written out in one function after inlining, and its length is a
 * constant: the assertion costs nothing there, nor does the place.) */
CAPY_CODEC_INLINE uint8_t *capy_codec_place(struct capy_codec *c, uint32_t n)
{
    uint8_t *p = c->run;
    CAPY_ASSERT(c->sure >= n);
    c->sure -= n;
    c->run += n;
    return p;
}

CAPY_CODEC_INLINE void capy_codec_run_bytes(struct capy_codec *c, uint8_t *v, uint32_t n)
{
    uint8_t *p = capy_codec_place(c, n);
    if (c->decoding)
        memcpy(v, p, n);
    else
        memcpy(p, v, n);
}

CAPY_CODEC_INLINE void capy_codec_run8(struct capy_codec *c, uint8_t *v)
{
    uint8_t *p = capy_codec_place(c, 1);
    if (c->decoding)
        *v = *p;
    else
        *p = *v;
}

CAPY_CODEC_INLINE void capy_codec_run16(struct capy_codec *c, uint16_t *v)
{
    uint8_t *p = capy_codec_place(c, 2);
    if (c->decoding)
        *v = capy_load16(p);
    else
        capy_store16(p, *v);
}

CAPY_CODEC_INLINE void capy_codec_run32(struct capy_codec *c, uint32_t *v)
{
    uint8_t *p = capy_codec_place(c, 4);
    if (c->decoding)
        *v = capy_load32(p);
    else
        capy_store32(p, *v);
}

CAPY_CODEC_INLINE void capy_codec_run64(struct capy_codec *c, uint64_t *v)
{
    uint8_t *p = capy_codec_place(c, 8);
    if (c->decoding)
        *v = capy_load64(p);
    else
        capy_store64(p, *v);
}

/* A position at or behind base, as its distance. */
CAPY_CODEC_INLINE void capy_codec_run_after(struct capy_codec *c, uint64_t *pos, uint64_t base)
{
    uint64_t d = *pos - base;
    capy_codec_run64(c, &d);
    if (!c->decoding)
        return;
    *pos = base + d;
    c->bad |= d > CAPY_CODEC_INT_MAX;
}

/* A time in the past as its age: always compute now - at, for ages may exceed a new host's clock. */
CAPY_CODEC_INLINE void capy_codec_run_age(struct capy_codec *c, uint64_t *at)
{
    uint64_t age = c->now - *at;
    capy_codec_run64(c, &age);
    if (c->decoding)
        *at = c->now - age;
}

/* ---- fields one by one ---- */

/* n bytes as they are. */
CAPY_CODEC_INLINE void capy_codec_bytes(struct capy_codec *c, uint8_t *v, uint32_t n)
{
    uint8_t *p = capy_codec_take(c, n);
    if (!p)
        memset(v, 0, n);
    else if (c->decoding)
        memcpy(v, p, n);
    else
        memcpy(p, v, n);
}

/* What seldom fits a byte: four bytes, or eight, whatever the value. */
CAPY_CODEC_INLINE void capy_codec_fixed32(struct capy_codec *c, uint32_t *v)
{
    uint8_t *p = capy_codec_take(c, 4);
    if (!c->decoding)
        capy_store32(p, *v);
    else
        *v = p ? capy_load32(p) : 0;
}

CAPY_CODEC_INLINE void capy_codec_fixed64(struct capy_codec *c, uint64_t *v)
{
    uint8_t *p = capy_codec_take(c, 8);
    if (!c->decoding)
        capy_store64(p, *v);
    else
        *v = p ? capy_load64(p) : 0;
}

CAPY_CODEC_INLINE void capy_codec_write(struct capy_codec *c, uint64_t v)
{
    if (v < CAPY_CODEC_SMALL && c->at < c->max)
        c->p[c->at++] = (uint8_t)v;
    else
        c->at = capy_codec_write_int(c->p, c->at, c->max, v);
}

/* 0, and bad, also for more than max. */
CAPY_CODEC_INLINE uint64_t capy_codec_read(struct capy_codec *c, uint64_t max)
{
    if (c->at < c->max && c->p[c->at] < CAPY_CODEC_SMALL)
        return c->p[c->at++];
    struct capy_codec_int read = capy_codec_read_int(c->p, c->at, c->max, max);
    c->at = read.at;
    if (read.at == CAPY_NONE)
        capy_codec_fail(c);
    return read.v;
}

/* An encoder leaves *v alone, or the compiler would have to store it again: what was written to the
 * buffer in between may be anything to it. */
CAPY_CODEC_INLINE void capy_codec_int(struct capy_codec *c, uint64_t *v)
{
    if (c->decoding)
        *v = capy_codec_read(c, CAPY_CODEC_INT_MAX);
    else
        capy_codec_write(c, *v);
}

/* As int, for narrower fields; wider values are bad. */
CAPY_CODEC_INLINE void capy_codec_u32(struct capy_codec *c, uint32_t *v)
{
    if (c->decoding)
        *v = (uint32_t)capy_codec_read(c, UINT32_MAX);
    else
        capy_codec_write(c, *v);
}

CAPY_CODEC_INLINE void capy_codec_u16(struct capy_codec *c, uint16_t *v)
{
    if (c->decoding)
        *v = (uint16_t)capy_codec_read(c, UINT16_MAX);
    else
        capy_codec_write(c, *v);
}

/* A byte as it is. */
CAPY_CODEC_INLINE void capy_codec_u8(struct capy_codec *c, uint8_t *v)
{
    uint8_t *p = capy_codec_take(c, 1);
    if (!c->decoding)
        *p = *v;
    else
        *v = p ? *p : 0;
}

/* A position at or behind base, as its distance. */
CAPY_CODEC_INLINE void capy_codec_after(struct capy_codec *c, uint64_t *pos, uint64_t base)
{
    if (c->decoding)
        *pos = base + capy_codec_read(c, CAPY_CODEC_INT_MAX);
    else
        capy_codec_write(c, *pos - base);
}

/* A position behind base or `none`; none is written as 0. */
CAPY_CODEC_INLINE void capy_codec_after_or(struct capy_codec *c, uint64_t *pos, uint64_t base,
                                           uint64_t none)
{
    uint64_t d = *pos == none ? 0 : *pos - base;
    CAPY_ASSERT(c->decoding || (d == 0) == (*pos == none));
    capy_codec_int(c, &d);
    if (c->decoding)
        *pos = d == 0 ? none : base + d;
}

/* A deadline as what remains of it; CAPY_NEVER stays that. */
CAPY_CODEC_INLINE void capy_codec_deadline(struct capy_codec *c, uint64_t *at)
{
    uint64_t left = *at == CAPY_NEVER ? 0 : *at > c->now ? *at - c->now + 1 : 1;
    capy_codec_int(c, &left);
    if (c->decoding)
        *at = left == 0 ? CAPY_NEVER : c->now + left - 1;
}

/* A time in the past as its age. Ages may exceed a new host's clock: always compute now - at. */
CAPY_CODEC_INLINE void capy_codec_age(struct capy_codec *c, uint64_t *at)
{
    uint64_t age = c->now - *at;
    capy_codec_int(c, &age);
    if (c->decoding)
        *at = c->now - age;
}

#endif
