/* The Internet checksum's inner loop (RFC 1071 §2). One's complement addition does not care in
 * which byte order or word width the words are added (§2 B, C), so eight bytes are added at a time
 * in the machine's own order, carries counted beside, and the folded result is swapped once. */
#include "base/checksum.h"
#include <string.h>

static uint64_t load_native64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v); /* one load instruction; the address need not be aligned */
    return v;
}

/* A folded sum of words in the machine's byte order, as the sum of the same words big-endian. */
static uint16_t from_native(uint16_t folded)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return __builtin_bswap16(folded);
#else
    return folded;
#endif
}

/* a + w, counting the carry: compiles to add and add-with-carry. */
#define ADD_CARRY(a, carry, w)                                                                     \
    do {                                                                                           \
        uint64_t word_ = (w);                                                                      \
        (a) += word_;                                                                              \
        (carry) += (a) < word_;                                                                    \
    } while (0)

uint64_t capy_sum(uint64_t sum, const uint8_t *data, size_t len)
{
    uint64_t a = 0, b = 0, carry_a = 0, carry_b = 0;
    for (; len >= 32; len -= 32, data += 32) { /* two chains, so that the adders overlap */
        ADD_CARRY(a, carry_a, load_native64(data));
        ADD_CARRY(b, carry_b, load_native64(data + 8));
        ADD_CARRY(a, carry_a, load_native64(data + 16));
        ADD_CARRY(b, carry_b, load_native64(data + 24));
    }
    for (; len >= 8; len -= 8, data += 8)
        ADD_CARRY(a, carry_a, load_native64(data));
    if (len) {
        uint8_t rest[8] = {0}; /* zeros behind an odd last byte are what RFC 1071 asks for */
        memcpy(rest, data, len);
        ADD_CARRY(b, carry_b, load_native64(rest));
    }
    /* A carry out of bit 63 weighs 2^64, which is 1 modulo 2^16 - 1. */
    uint64_t folded = (uint64_t)capy_sum_fold(a) + capy_sum_fold(b) + carry_a + carry_b;
    return sum + from_native(capy_sum_fold(folded));
}
