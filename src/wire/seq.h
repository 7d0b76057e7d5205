/* Sequence numbers: arithmetic modulo 2^32 (RFC 9293 §3.4). A one-field struct, so that a raw `<`
 * does not compile. */
#ifndef CAPY_WIRE_SEQ_H
#define CAPY_WIRE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

struct capy_seq {
    uint32_t v;
};

static inline struct capy_seq capy_seq_add(struct capy_seq a, uint32_t n)
{
    return (struct capy_seq){a.v + n};
}

/* a - b as a signed distance; meaningful within 2^31. */
static inline int32_t capy_seq_diff(struct capy_seq a, struct capy_seq b)
{
    return (int32_t)(a.v - b.v);
}

static inline bool capy_seq_lt(struct capy_seq a, struct capy_seq b)
{
    return capy_seq_diff(a, b) < 0;
}

static inline bool capy_seq_le(struct capy_seq a, struct capy_seq b)
{
    return capy_seq_diff(a, b) <= 0;
}

static inline bool capy_seq_eq(struct capy_seq a, struct capy_seq b)
{
    return a.v == b.v;
}

static inline struct capy_seq capy_seq_max(struct capy_seq a, struct capy_seq b)
{
    return capy_seq_lt(a, b) ? b : a;
}

#endif
