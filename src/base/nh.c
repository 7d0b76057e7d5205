/* See nh.h: the sum over pairs of words of (a + k)(b + k'), the additions modulo 2^64, products and sum modulo
 * 2^128. */
#include "base/nh.h"
#include "base/assert.h"
#include <string.h>

__extension__ typedef unsigned __int128 wide;

void capy_nh_key_init(struct capy_nh_key *k, struct capy_key from, uint8_t purpose)
{
    for (size_t i = 0; i < sizeof k->word / sizeof k->word[0]; i++) {
        const uint8_t in[3] = {purpose, (uint8_t)i, (uint8_t)(i >> 8)};
        k->word[i] = capy_siphash24(from, in, sizeof in);
    }
}

static inline wide product(const uint64_t *k, uint64_t a, uint64_t b)
{
    return (wide)(a + k[0]) * (b + k[1]);
}

static inline wide pair(const uint64_t *k, const uint8_t *p)
{
    return product(k, capy_sip_load_le(p, 8), capy_sip_load_le(p + 8, 8));
}

/* The last 1..15 bytes before end, zeros behind them. Of a message that has 16, those are shifted: a copy of so
 * many bytes as happen to be left would be a call. */
static inline wide last_pair(const uint64_t *k, const uint8_t *end, size_t left, bool has_16)
{
    if (has_16) {
        wide v = (wide)capy_sip_load_le(end - 8, 8) << 64 | capy_sip_load_le(end - 16, 8);
        v >>= 8 * (16 - left);
        return product(k, (uint64_t)v, (uint64_t)(v >> 64));
    }
    uint8_t last[16] = {0};
    memcpy(last, end - left, left);
    return pair(k, last);
}

struct capy_nh_sum capy_nh(const struct capy_nh_key *k, const uint8_t *p, size_t len)
{
    const uint8_t *end = p + (len & ~(size_t)15u);
    const uint64_t *word = k->word;
    wide sum = 0;
    CAPY_ASSERT(len <= CAPY_NH_LEN_MAX);
    for (; end - p >= 64; p += 64, word += 8)
        sum += pair(word, p) + pair(word + 2, p + 16) + pair(word + 4, p + 32) +
               pair(word + 6, p + 48);
    for (; p < end; p += 16, word += 2)
        sum += pair(word, p);
    if (len & 15u)
        sum += last_pair(word, end + (len & 15u), len & 15u, len >= 16);
    return (struct capy_nh_sum){(uint64_t)(sum >> 64), (uint64_t)sum};
}
