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

/* What is added to a sum when len bytes (even, and a constant) become others: RFC 1624's terms, of all
 * words at once, for adding them and folding once gives the same. */
static inline uint64_t capy_sum_change(const uint8_t *from, const uint8_t *to, size_t len)
{
    uint64_t sum = 0;
    size_t i = 0;
    for (; i + 4 <= len; i += 4)
        sum += (uint64_t)(uint32_t)~capy_load32(from + i) + capy_load32(to + i);
    if (i < len)
        sum += (uint64_t)(uint16_t)~capy_load16(from + i) + capy_load16(to + i);
    return sum;
}

/* The new checksum; change: a sum of the above. */
static inline uint16_t capy_checksum_change(uint16_t check, uint64_t change)
{
    return capy_sum_finish((uint16_t)~check + change);
}

#endif
