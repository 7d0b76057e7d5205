/* The MAC table; contract in l2.h. The caller's arena owns the memory. */
#include "switch/core/l2.h"
#include <string.h>

void capy_l2_init(struct capy_l2 *l2, struct capy_arena *a, struct capy_key key)
{
    size_t cnt = (size_t)CAPY_L2_SETS * CAPY_L2_WAYS;
    *l2 = (struct capy_l2){.key = key};
    l2->stations = capy_arena_take(a, cnt, sizeof *l2->stations);
    if (l2->stations)
        memset(l2->stations, 0, cnt * sizeof *l2->stations);
}

static struct capy_station *set_of(const struct capy_l2 *l2, const struct capy_mac *mac)
{
    uint64_t h = capy_siphash13(l2->key, mac->b, sizeof mac->b);
    return &l2->stations[(h & (CAPY_L2_SETS - 1u)) * CAPY_L2_WAYS];
}

void capy_l2_learn(struct capy_l2 *l2, const struct capy_mac *mac, uint16_t port, uint64_t now)
{
    if (capy_mac_is_group(mac))
        return;
    struct capy_station *set = set_of(l2, mac), *at = &set[0];
    for (uint32_t i = 0; i < CAPY_L2_WAYS; i++) {
        if (set[i].heard_at != 0 && capy_mac_eq(&set[i].mac, mac)) {
            at = &set[i];
            break;
        }
        if (set[i].heard_at < at->heard_at)
            at = &set[i];
    }
    *at = (struct capy_station){*mac, port, capy_max64(now, 1)};
}

uint16_t capy_l2_find(const struct capy_l2 *l2, const struct capy_mac *mac, uint64_t now)
{
    const struct capy_station *set = set_of(l2, mac);
    for (uint32_t i = 0; i < CAPY_L2_WAYS; i++)
        if (set[i].heard_at != 0 && capy_mac_eq(&set[i].mac, mac))
            return now < set[i].heard_at + CAPY_L2_AGE_NS ? set[i].port : CAPY_L2_UNKNOWN;
    return CAPY_L2_UNKNOWN;
}
