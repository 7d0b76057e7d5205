/* From an address to the server of the rack that has it. Every message asks, some of them several
 * times, and a rack has up to 64 servers of two addresses: so one look into a hash table, at most half
 * full, that is filled at start. Nobody outside chooses what is in it, so the hash needs no key. */
#include "stack/host.h"
#include "wire/addr6.h"

#define MULTIPLIER                                                                                 \
    UINT64_C(0x9e3779b97f4a7c15) /* 2^64 over the golden ratio: spreads what is alike */

_Static_assert(CAPY_PEER_SLOTS >= 4u * CAPY_STACK_PEER_MAX, "a look that fails ends soon");

static uint32_t slot_of(const struct capy_ip *ip)
{
    uint64_t word = capy_load64(ip->b) ^ capy_load64(ip->b + 8);
    return (uint32_t)(word * MULTIPLIER >> 32) % CAPY_PEER_SLOTS;
}

/* A server's second address may be missing, and is then nobody's. */
static bool is_address_of(const struct capy_stack_peer *peer, const struct capy_ip *ip)
{
    return capy_ip_eq(ip, &peer->ip) || (capy_ip_eq(ip, &peer->ip6) && !capy_ip_is_unset(ip));
}

/* The slot that says whose the address is, or the free one where it would be said. */
static uint32_t look(const struct capy_stack *s, const struct capy_ip *ip)
{
    uint32_t slot = slot_of(ip);
    while (s->peer_slots[slot] != CAPY_PEER_NONE &&
           !is_address_of(&s->cfg.peers[s->peer_slots[slot]], ip))
        slot = (slot + 1) % CAPY_PEER_SLOTS;
    return slot;
}

/* Of two servers with one address the first has it. */
static void place(struct capy_stack *s, const struct capy_ip *ip, uint16_t id)
{
    uint32_t slot = look(s, ip);
    if (s->peer_slots[slot] == CAPY_PEER_NONE && !capy_ip_is_unset(ip))
        s->peer_slots[slot] = (uint8_t)id;
}

void capy_peer_init(struct capy_stack *s)
{
    memset(s->peer_slots, CAPY_PEER_NONE, sizeof s->peer_slots);
    for (uint16_t id = 0; id < s->cfg.peer_cnt; id++) {
        place(s, &s->cfg.peers[id].ip, id);
        place(s, &s->cfg.peers[id].ip6, id);
    }
}

bool capy_is_peer(const struct capy_stack *s, const struct capy_ip *ip)
{
    return s->peer_slots[look(s, ip)] != CAPY_PEER_NONE;
}

uint16_t capy_peer_of(const struct capy_stack *s, const struct capy_ip *ip)
{
    const struct capy_net *net = capy_net_of(s, ip);
    if (net->on && capy_ip_eq(ip, &net->ip))
        return s->cfg.self;
    uint8_t id = s->peer_slots[look(s, ip)];
    if (id != CAPY_PEER_NONE)
        return id;
    return capy_vip_is(s, ip) ? CAPY_HOME_VIP : CAPY_SERVER_ANY;
}

const struct capy_ip *capy_peer_ip(const struct capy_stack *s, uint16_t id,
                                   const struct capy_ip *like)
{
    if (id == s->cfg.self)
        return &capy_net_of(s, like)->ip;
    if (id == CAPY_HOME_VIP)
        return capy_vip_ip(s, like);
    const struct capy_stack_peer *peer = &s->cfg.peers[id];
    return capy_version_of(&peer->ip) == capy_version_of(like) ? &peer->ip : &peer->ip6;
}
