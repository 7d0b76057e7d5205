/* NH (Black, Halevi, Krawczyk, Krovetz, Rogaway, "UMAC", CRYPTO '99, in 64-bit words as VMAC has it, Krovetz
 * and Dai 2007): a universal hash for bytes by the kilobyte, at some 0.6 instructions a byte. Two different
 * messages of one length collide for one key in 2^64, whoever chose them, as long as neither key
 * nor hash is seen; so it is no MAC by itself: what it yields goes through a keyed pseudo-random function (mig/mig.h).
 *
 * A value without pointers: 8 bytes of key for 8 of message. */
#ifndef CAPY_BASE_NH_H
#define CAPY_BASE_NH_H

#include "base/siphash.h"

#define CAPY_NH_LEN_MAX 1360u /* bytes of a message: a multiple of 16 */

struct capy_nh_key {
    uint64_t word[CAPY_NH_LEN_MAX / 8];
};

struct capy_nh_sum {
    uint64_t high, low;
};

/* Draws a key from another one: words of SipHash-2-4 under it, of `purpose` and a number. */
void capy_nh_key_init(struct capy_nh_key *k, struct capy_key from, uint8_t purpose);

/* len: at most CAPY_NH_LEN_MAX (asserted); what is missing of the last 16 bytes counts as zeros, so the
 * length must be authenticated beside. */
struct capy_nh_sum capy_nh(const struct capy_nh_key *k, const uint8_t *p, size_t len);

#endif
