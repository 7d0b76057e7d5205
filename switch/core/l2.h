/* MAC learning (IEEE 802.1D §7.8): a small set-associative table of where stations were last heard.
 * Servers and the switch itself are not learned: their places are configured. */
#ifndef CAPY_SWITCH_L2_H
#define CAPY_SWITCH_L2_H

#include "base/arena.h"
#include "base/siphash.h"
#include "wire/addr.h"

#define CAPY_L2_SETS 1024u
#define CAPY_L2_WAYS 4u
#define CAPY_L2_AGE_NS CAPY_SEC(300) /* IEEE 802.1D-2004 table 7-5 */
#define CAPY_L2_UNKNOWN 0xffffu

struct capy_station {
    struct capy_mac mac;
    uint16_t port;
    uint64_t heard_at; /* 0: free */
};

struct capy_l2 {
    struct capy_station *stations; /* CAPY_L2_SETS sets of CAPY_L2_WAYS */
    struct capy_key key;
};

void capy_l2_init(struct capy_l2 *l2, struct capy_arena *a, struct capy_key key);
/* Heard mac on port. Group addresses are ignored; a full set forgets its longest silent station. */
void capy_l2_learn(struct capy_l2 *l2, const struct capy_mac *mac, uint16_t port, uint64_t now);
/* The port, or CAPY_L2_UNKNOWN. */
uint16_t capy_l2_find(const struct capy_l2 *l2, const struct capy_mac *mac, uint64_t now);

static inline bool capy_mac_is_group(const struct capy_mac *mac)
{
    return mac->b[0] & 1u;
}

#endif
