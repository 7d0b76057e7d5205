/* The Internet checksum (RFC 1071), and its update when a field changes (RFC 1624 eqn. 3). Header
 * only, for the switch core. Sums are kept as 64-bit partial sums in host order of big-endian words. */
#ifndef CAPY_BASE_CHECKSUM_H
#define CAPY_BASE_CHECKSUM_H

#include "base/bits.h"

/* Adds len bytes to a partial sum. Only the last piece of a sum may have an odd length. */
uint64_t capy_sum(uint64_t sum, const uint8_t *data, size_t len);

/* Folds a partial sum to 16 bits, carries added back in. Adding a number to itself with its halves
 * swapped leaves "high + low + carry of that" in the upper half: the end-around carry for free. */
static inline uint16_t capy_sum_fold(uint64_t sum)
{
    sum += sum << 32 | sum >> 32;
    uint32_t half = (uint32_t)(sum >> 32);
    half += half << 16 | half >> 16;
    return (uint16_t)(half >> 16);
}

/* The checksum field for a sum. */
static inline uint16_t capy_sum_finish(uint64_t sum)
{
    return (uint16_t)~capy_sum_fold(sum);
}

/* RFC 1624: the new checksum when a 16-bit word of the covered bytes changes. */
static inline uint16_t capy_checksum_update16(uint16_t check, uint16_t from, uint16_t to)
{
    return (uint16_t)~capy_sum_fold((uint64_t)(uint16_t)~check + (uint16_t)~from + to);
}

#endif
