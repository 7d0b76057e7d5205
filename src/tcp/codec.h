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
    uint8_t *p; /* borrowed */
    uint32_t at, max;
    bool decoding, bad;
    uint64_t now;
};

void capy_codec_bytes(struct capy_codec *c, uint8_t *v, uint32_t n);
void capy_codec_int(struct capy_codec *c, uint64_t *v);
/* As int, for narrower fields; wider values are bad. */
void capy_codec_u32(struct capy_codec *c, uint32_t *v);
void capy_codec_u16(struct capy_codec *c, uint16_t *v);
void capy_codec_u8(struct capy_codec *c, uint8_t *v);
/* All 32 bits are equally likely: four bytes. */
void capy_codec_fixed32(struct capy_codec *c, uint32_t *v);
void capy_codec_fixed64(struct capy_codec *c, uint64_t *v);

/* A position at or behind base, as its distance. */
void capy_codec_after(struct capy_codec *c, uint64_t *pos, uint64_t base);
/* A position behind base or `none`; none is written as 0. */
void capy_codec_after_or(struct capy_codec *c, uint64_t *pos, uint64_t base, uint64_t none);
/* A deadline as what remains of it; CAPY_NEVER stays that. */
void capy_codec_deadline(struct capy_codec *c, uint64_t *at);
/* A time in the past as its age. Ages may exceed a new host's clock: always compute now - at. */
void capy_codec_age(struct capy_codec *c, uint64_t *at);

#endif
