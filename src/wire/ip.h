/* Inside src/wire only: numbers and offsets of IPv4 and IPv6 headers, and of what they carry.
 * Offsets count from the header that the name begins with. */
#ifndef CAPY_WIRE_IP_H
#define CAPY_WIRE_IP_H

#include "base/checksum.h"

/* IANA protocol numbers, which are IPv6's next header values as well. */
enum {
    CAPY_PROTOCOL_HOP_BY_HOP = 0,
    CAPY_PROTOCOL_ICMP = 1,
    CAPY_PROTOCOL_TCP = 6,
    CAPY_PROTOCOL_UDP = 17,
    CAPY_PROTOCOL_ROUTING = 43,
    CAPY_PROTOCOL_FRAGMENT = 44,
    CAPY_PROTOCOL_ICMP6 = 58,
    CAPY_PROTOCOL_NONE = 59,
    CAPY_PROTOCOL_DESTINATION = 60,
};

enum { CAPY_ICMP_ECHO_REPLY = 0, CAPY_ICMP_ECHO = 8 };
enum { CAPY_ICMP6_ECHO = 128, CAPY_ICMP6_ECHO_REPLY = 129 };

enum {
    CAPY_IPV4_AT_TOS = 1,
    CAPY_IPV4_AT_TOTAL = 2,
    CAPY_IPV4_AT_ID = 4,
    CAPY_IPV4_AT_FRAGMENT = 6,
    CAPY_IPV4_AT_TTL = 8,
    CAPY_IPV4_AT_PROTOCOL = 9,
    CAPY_IPV4_AT_CHECK = 10,
    CAPY_IPV4_AT_SRC = 12,
    CAPY_IPV4_AT_DST = 16,
};

enum {
    CAPY_IPV6_AT_LEN = 4,
    CAPY_IPV6_AT_NEXT = 6,
    CAPY_IPV6_AT_HOPS = 7,
    CAPY_IPV6_AT_SRC = 8,
    CAPY_IPV6_AT_DST = 24,
};

enum {
    CAPY_ICMP_AT_CHECK = 2,
    CAPY_UDP_AT_LEN = 4,
    CAPY_UDP_AT_CHECK = 6,
    CAPY_TCP_AT_DST_PORT = 2,
    CAPY_TCP_AT_CHECK = 16,
};

#define CAPY_ICMP_LEN 8u /* type, code, checksum and four bytes that depend on them */
#define CAPY_TCP_LEN_MIN 20u
#define CAPY_TTL_DEFAULT 64u /* RFC 1340's recommendation, and everybody's */
#define CAPY_ECN_MASK 3u     /* of IPv4's type of service, IPv6's traffic class (RFC 3168 §5) */

#define CAPY_IPV4_MF_OFFSET 0x3fffu /* of the fragment field: not 0 in a fragment */

/* An IPv4 header without options, its checksum included, adds up (RFC 1071 §1 (3)): five words, added in
 * the machine's order, since swapped bytes do not make all ones of anything else (§2 B). */
static inline bool capy_ipv4_sum_is_good(const uint8_t *p)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < 20; i += 4)
        sum += capy_raw32(p + i);
    return capy_sum_fold(sum) == 0xffffu;
}

/* The pseudo-header of IPv4 (RFC 9293 §3.1). Whole 32-bit addresses may be added to a sum of 16-bit
 * words, because 2^16 is 1 modulo 2^16 - 1. */
static inline uint64_t capy_pseudo_sum4(uint32_t src, uint32_t dst, uint8_t protocol, size_t len)
{
    return (uint64_t)src + dst + protocol + len;
}

/* The pseudo-header of IPv6 (RFC 8200 §8.1); addresses: source and destination, as they lie in the
 * header. */
static inline uint64_t capy_pseudo_sum6(const uint8_t addresses[32], uint8_t protocol, size_t len)
{
    uint64_t sum = (uint64_t)protocol + len;
    for (unsigned i = 0; i < 32; i += 4)
        sum += capy_load32(addresses + i);
    return sum;
}

/* Replaces a 16-bit word and keeps a checksum over it right (RFC 1624). */
static inline void capy_replace16(uint8_t *word, uint16_t value, uint8_t *check)
{
    capy_store16(check, capy_checksum_update16(capy_load16(check), capy_load16(word), value));
    capy_store16(word, value);
}

#endif
