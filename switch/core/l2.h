/* MAC learning (IEEE 802.1D §7.8): a small set-associative table of where stations were last heard.
 * Servers and the switch itself are not learned: their places are configured. Header only. A station
 * and its port are one word, read and written at once, so that many CPUs may do both without a lock;
 * when two learn at the same time into one set, one of them may be forgotten, and is heard again. */
#ifndef CAPY_SWITCH_L2_H
#define CAPY_SWITCH_L2_H

#include "base/arena.h"
#include "base/siphash.h"
#include "wire/addr.h"

#define CAPY_L2_SETS 1024u
#define CAPY_L2_WAYS 4u
#define CAPY_L2_AGE_NS CAPY_SEC(300) /* IEEE 802.1D-2004 table 7-5 */
#define CAPY_L2_UNKNOWN 0xffffu
/* A station that is where it was is not noted down again with every frame, for many CPUs would wait
 * for that cache line. */
#define CAPY_L2_GRAIN_NS CAPY_SEC(1)

struct capy_station {
    uint64_t place;    /* port << 48 | MAC */
    uint64_t heard_at; /* 0: free */
};

struct capy_l2 {
    struct capy_station *stations; /* CAPY_L2_SETS sets of CAPY_L2_WAYS */
    struct capy_key key;
};

/* The address at p as a number: little-endian, which costs the machines that we run on nothing. */
static inline uint64_t capy_l2_word(const uint8_t *p)
{
    return capy_little32(p) | (uint64_t)capy_little16(p + 4) << 32;
}

static inline bool capy_l2_is_group(uint64_t word)
{
    return word & 1u;
}

/* The high bits of a product with a secret (multiply-shift, Dietzfelbinger et al. 1997): two stations share
 * a set by chance alone, for who does not know it. */
static inline struct capy_station *capy_l2_set(const struct capy_l2 *l2, uint64_t word)
{
    uint64_t h = (word ^ l2->key.k0) * (l2->key.k1 | 1u);
    return &l2->stations[(h >> 54 & (CAPY_L2_SETS - 1u)) * CAPY_L2_WAYS];
}

/* When it was heard last, 0 never; *port: where. */
static inline uint64_t capy_l2_look_up(const struct capy_l2 *l2, uint64_t word, uint16_t *port)
{
    const struct capy_station *set = capy_l2_set(l2, word);
    for (uint32_t i = 0; i < CAPY_L2_WAYS; i++) {
        uint64_t place = set[i].place;
        if (place << 16 == word << 16 && set[i].heard_at != 0) {
            *port = (uint16_t)(place >> 48);
            return set[i].heard_at;
        }
    }
    return 0;
}

/* It was heard on port a moment ago: there is nothing to learn. */
static inline bool capy_l2_knows(const struct capy_l2 *l2, uint64_t word, uint16_t port,
                                 uint64_t now)
{
    uint16_t place = CAPY_L2_UNKNOWN;
    uint64_t heard_at = capy_l2_look_up(l2, word, &place);
    return heard_at != 0 && place == port && now < heard_at + CAPY_L2_GRAIN_NS;
}

/* Heard word on port. Group addresses are ignored; a full set forgets its longest silent station. */
static inline void capy_l2_learn(const struct capy_l2 *l2, uint64_t word, uint16_t port,
                                 uint64_t now)
{
    if (capy_l2_is_group(word))
        return;
    struct capy_station *set = capy_l2_set(l2, word), *at = &set[0];
    for (uint32_t i = 0; i < CAPY_L2_WAYS; i++) {
        if (set[i].heard_at != 0 && set[i].place << 16 == word << 16) {
            at = &set[i];
            break;
        }
        if (set[i].heard_at < at->heard_at)
            at = &set[i];
    }
    at->place = (uint64_t)port << 48 | word;
    at->heard_at = capy_max64(now, 1);
}

/* The port, or CAPY_L2_UNKNOWN. */
static inline uint16_t capy_l2_find(const struct capy_l2 *l2, uint64_t word, uint64_t now)
{
    uint16_t port = CAPY_L2_UNKNOWN;
    uint64_t heard_at = capy_l2_look_up(l2, word, &port);
    return heard_at != 0 && now < heard_at + CAPY_L2_AGE_NS ? port : CAPY_L2_UNKNOWN;
}

void capy_l2_init(struct capy_l2 *l2, struct capy_arena *a, struct capy_key key);

#endif
