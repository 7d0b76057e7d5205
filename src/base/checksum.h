/* The Internet checksum (RFC 1071), and its update when a field changes (RFC 1624 eqn. 3). Header
 * only, for the switch core. Sums are kept as 64-bit partial sums in host order of big-endian words. */
#ifndef CAPY_BASE_CHECKSUM_H
#define CAPY_BASE_CHECKSUM_H

#include "base/bits.h"

/* Adds len bytes to a partial sum. Only the last piece of a sum may have an odd length. */
uint64_t capy_sum(uint64_t sum, const uint8_t *data, size_t len);

static inline uint16_t capy_sum_fold(uint64_t sum)
{
    sum = (sum & 0xffffffffu) + (sum >> 32);
    sum = (sum & 0xffffffffu) + (sum >> 32);
    sum = (sum & 0xffffu) + (sum >> 16);
    sum = (sum & 0xffffu) + (sum >> 16);
    return (uint16_t)sum;
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
