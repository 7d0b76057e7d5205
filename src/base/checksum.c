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

/* A sum of words in the machine's byte order, as a sum of the same words big-endian, in 33 bits. Swapping all
 * eight bytes swaps each word's two, and the order of the four words in it, which does not matter. */
static uint64_t from_native(uint64_t sum)
{
    sum = capy_host64(sum);
    return (sum >> 32) + (uint32_t)sum;
}

/* a + w + carry; the carry out. A chain of these is one add-with-carry from memory for each word, but where it is
 * written with operators compilers move every carry into a register and back. */
static inline unsigned char add(unsigned char carry, uint64_t a, uint64_t w, uint64_t *sum)
{
#if defined(__x86_64__)
    unsigned long long out;
    carry = __builtin_ia32_addcarryx_u64(carry, a, w, &out);
    *sum = out;
    return carry;
#else
    uint64_t part;
    bool first = __builtin_add_overflow(a, w, &part);
    bool second = __builtin_add_overflow(part, (uint64_t)carry, sum);
    return first || second;
#endif
}

/* A sum, and how often it overflowed: a carry out of bit 63 weighs 2^64, which is 1 modulo 2^16 - 1. */
struct sum {
    uint64_t low, carries;
};

/* cnt words more; a constant. */
static inline void add_words(struct sum *s, const uint8_t *p, unsigned cnt)
{
    unsigned char carry = 0;
    for (unsigned i = 0; i < cnt; i++)
        carry = add(carry, s->low, load_native64(p + 8 * i), &s->low);
    (void)add(carry, s->carries, 0, &s->carries);
}

/* Two sums by turns: in one chain each addition would wait for the one before, a cycle a word. */
uint64_t capy_sum(uint64_t sum, const uint8_t *data, size_t len)
{
    struct sum s = {0, 0}, other = {0, 0};
    for (; len >= 64; len -= 64, data += 64) {
        add_words(&s, data, 4);
        add_words(&other, data + 32, 4);
    }
    unsigned char over = add(0, s.low, other.low, &s.low);
    (void)add(over, s.carries, other.carries, &s.carries);
    if (len & 32u) {
        add_words(&s, data, 4);
        data += 32;
    }
    if (len & 16u) {
        add_words(&s, data, 2);
        data += 16;
    }
    if (len & 8u) {
        add_words(&s, data, 1);
        data += 8;
    }
    if (len & 7u) {
        unsigned char carry = add(0, s.low, load_native_tail(data, len & 7u), &s.low);
        s.carries += carry;
    }
    /* Adding the carries may carry once more, then the sum is small. */
    s.carries = add(0, s.low, s.carries, &s.low);
    return sum + from_native(s.low + s.carries);
}
