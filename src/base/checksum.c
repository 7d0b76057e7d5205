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

/* The last 1..7 bytes as a word, zeros behind them as RFC 1071 §1 asks. Three fixed-size copies
 * rather than one of len bytes, which would be a call on the path of every frame. */
static uint64_t load_native_tail(const uint8_t *p, size_t len)
{
    uint8_t word[8] = {0};
    size_t at = len & 4u;
    if (len & 4u)
        memcpy(word, p, 4);
    if (len & 2u)
        memcpy(word + at, p + at, 2);
    if (len & 1u)
        word[len - 1] = p[len - 1];
    return load_native64(word);
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

/* a + w, counting the carry: compiles to an add from memory and an add-with-carry. */
#define ADD_CARRY(a, carry, w) ((carry) += __builtin_add_overflow(a, w, &(a)))

uint64_t capy_sum(uint64_t sum, const uint8_t *data, size_t len)
{
    uint64_t a = 0, b = 0, carry_a = 0, carry_b = 0;
    for (; len >= 64; len -= 64, data += 64) { /* two chains, so that the adders overlap */
        ADD_CARRY(a, carry_a, load_native64(data));
        ADD_CARRY(b, carry_b, load_native64(data + 8));
        ADD_CARRY(a, carry_a, load_native64(data + 16));
        ADD_CARRY(b, carry_b, load_native64(data + 24));
        ADD_CARRY(a, carry_a, load_native64(data + 32));
        ADD_CARRY(b, carry_b, load_native64(data + 40));
        ADD_CARRY(a, carry_a, load_native64(data + 48));
        ADD_CARRY(b, carry_b, load_native64(data + 56));
    }
    if (len & 32u) {
        ADD_CARRY(a, carry_a, load_native64(data));
        ADD_CARRY(b, carry_b, load_native64(data + 8));
        ADD_CARRY(a, carry_a, load_native64(data + 16));
        ADD_CARRY(b, carry_b, load_native64(data + 24));
        data += 32;
    }
    if (len & 16u) {
        ADD_CARRY(a, carry_a, load_native64(data));
        ADD_CARRY(b, carry_b, load_native64(data + 8));
        data += 16;
    }
    if (len & 8u) {
        ADD_CARRY(a, carry_a, load_native64(data));
        data += 8;
    }
    if (len & 7u)
        ADD_CARRY(b, carry_b, load_native_tail(data, len & 7u));
    ADD_CARRY(a, carry_a, b);
    /* A carry out of bit 63 weighs 2^64, which is 1 modulo 2^16 - 1. Adding the carries may carry
     * once more, then a is small. */
    uint64_t carries = carry_a + carry_b;
    a += carries;
    a += a < carries;
    return sum + from_native(capy_sum_fold(a));
}
