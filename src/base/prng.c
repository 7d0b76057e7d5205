/* xoshiro256** 1.0 and its splitmix64 seeding (Blackman and Vigna, "Scrambled Linear Pseudorandom
 * Number Generators", 2021). The caller owns the state. */
#include "base/prng.h"
#include "base/assert.h"

#define PPM 1000000u

static uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void capy_prng_seed(struct capy_prng *p, uint64_t seed)
{
    /* splitmix64 never yields four zeros in a row, the one state xoshiro cannot leave. */
    for (int i = 0; i < 4; i++)
        p->s[i] = splitmix64(&seed);
}

uint64_t capy_prng_next(struct capy_prng *p)
{
    uint64_t *s = p->s;
    uint64_t out = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return out;
}

uint64_t capy_prng_below(struct capy_prng *p, uint64_t bound)
{
    CAPY_ASSERT(bound >= 1);
    /* 2^64 mod bound: values below it would make the small remainders likelier. */
    uint64_t reject_below = (0 - bound) % bound;
    uint64_t x;
    do {
        x = capy_prng_next(p);
    } while (x < reject_below);
    return x % bound;
}

int capy_prng_chance(struct capy_prng *p, uint32_t ppm)
{
    return capy_prng_below(p, PPM) < ppm;
}
