/* Inside src/mig only: how CONN_STATE is cut into fragments, the writing of one message,
 * and the sealing of payloads. Nothing here is part of the module's contract (mig.h).
 *
 * A fragment carries CAPY_MIG_PAYLOAD_MAX bytes on the wire, the last one what is left. Sealed
 * fragments spend CAPY_SEAL_LEN of them on the authenticator, so `total` and `offset` in messages
 * count wire bytes and the switch finds the last fragment by offset + length == total either way. */
#ifndef CAPY_MIG_MESSAGE_H
#define CAPY_MIG_MESSAGE_H

#include "mig/mig.h"

#define CAPY_SEAL_LEN 16u /* Poly1305 authenticator behind each sealed fragment */

/* Bytes of the encoding that one full fragment carries. */
static inline uint32_t capy_mig_plain_max(bool sealed)
{
    return CAPY_MIG_PAYLOAD_MAX - (sealed ? CAPY_SEAL_LEN : 0u);
}

/* Fragments for len bytes of encoding; len >= 1. */
static inline uint32_t capy_mig_fragment_cnt(uint32_t len, bool sealed)
{
    return (len + capy_mig_plain_max(sealed) - 1u) / capy_mig_plain_max(sealed);
}

/* `total` on the wire for len bytes of encoding. */
static inline uint32_t capy_mig_wire_total(uint32_t len, bool sealed)
{
    return len + (sealed ? CAPY_SEAL_LEN * capy_mig_fragment_cnt(len, true) : 0u);
}

static inline bool capy_mig_bit(const uint64_t *bits, uint32_t i)
{
    return bits[i / 64] >> (i % 64) & 1u;
}

static inline void capy_mig_bit_set(uint64_t *bits, uint32_t i)
{
    bits[i / 64] |= (uint64_t)1 << (i % 64);
}

/* Encrypts len bytes at p in place, one fragment of the migration that msg names (origin, mig_id,
 * epoch, total, offset, key); CAPY_SEAL_LEN more bytes follow them. Deterministic: the same fragment
 * always becomes the same bytes. */
void capy_mig_seal(struct capy_key rack_key, const struct capy_mig_msg *msg, uint8_t *p,
                   uint32_t len);
/* The way back: sealed_len bytes (authenticator included) to out. False: not authentic. */
CAPY_MUST_USE bool capy_mig_unseal(struct capy_key rack_key, const struct capy_mig_msg *msg,
                                   const uint8_t *sealed, uint32_t sealed_len, uint8_t *out);

#endif
