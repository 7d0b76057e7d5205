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

static inline bool capy_mac_is_group(const struct capy_mac *mac)
{
    return mac->b[0] & 1u;
}

static inline uint64_t capy_l2_word(const struct capy_mac *mac)
{
    return (uint64_t)capy_load16(mac->b) << 32 | capy_load32(mac->b + 2);
}

static inline struct capy_station *capy_l2_set(const struct capy_l2 *l2, uint64_t word)
{
    _Alignas(8) uint8_t bytes[8];
    capy_store16(bytes, (uint16_t)(word >> 32));
    capy_store32(bytes + 2, (uint32_t)word);
    uint64_t h = capy_siphash13(l2->key, bytes, 6);
    return &l2->stations[(h & (CAPY_L2_SETS - 1u)) * CAPY_L2_WAYS];
}

/* Heard mac on port. Group addresses are ignored; a full set forgets its longest silent station. */
static inline void capy_l2_learn(const struct capy_l2 *l2, const struct capy_mac *mac,
                                 uint16_t port, uint64_t now)
{
    if (capy_mac_is_group(mac))
        return;
    uint64_t word = capy_l2_word(mac), place = (uint64_t)port << 48 | word;
    struct capy_station *set = capy_l2_set(l2, word), *at = &set[0];
    for (uint32_t i = 0; i < CAPY_L2_WAYS; i++) {
        if (set[i].heard_at != 0 && set[i].place << 16 == word << 16) {
            at = &set[i];
            break;
        }
        if (set[i].heard_at < at->heard_at)
            at = &set[i];
    }
    if (at->heard_at != 0 && at->place == place && now < at->heard_at + CAPY_L2_GRAIN_NS)
        return;
    at->place = place;
    at->heard_at = capy_max64(now, 1);
}

/* The port, or CAPY_L2_UNKNOWN. */
static inline uint16_t capy_l2_find(const struct capy_l2 *l2, const struct capy_mac *mac,
                                    uint64_t now)
{
    uint64_t word = capy_l2_word(mac);
    const struct capy_station *set = capy_l2_set(l2, word);
    for (uint32_t i = 0; i < CAPY_L2_WAYS; i++) {
        uint64_t place = set[i].place;
        if (set[i].heard_at != 0 && place << 16 == word << 16)
            return now < set[i].heard_at + CAPY_L2_AGE_NS ? (uint16_t)(place >> 48)
                                                          : CAPY_L2_UNKNOWN;
    }
    return CAPY_L2_UNKNOWN;
}

void capy_l2_init(struct capy_l2 *l2, struct capy_arena *a, struct capy_key key);

#endif
