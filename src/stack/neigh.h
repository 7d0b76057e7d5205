/* The neighbour cache: which MAC an IPv4 address has (RFC 826, RFC 1122 §2.3.2). Bounded; an entry
 * is asked for a few times, once a second at most, and forgotten a minute after it was confirmed.
 * Connections that were opened to us never look here: they answer to where their peer's frames come
 * from (auto last hop). Memory: a plain value inside the stack. */
#ifndef CAPY_STACK_NEIGH_H
#define CAPY_STACK_NEIGH_H

#include "base/bits.h"
#include "wire/addr.h"

#define CAPY_NEIGH_MAX 128u
#define CAPY_NEIGH_TRIES 3u
#define CAPY_NEIGH_RETRY_NS CAPY_SEC(1)   /* RFC 1122 §2.3.2.1: at most one request a second */
#define CAPY_NEIGH_EXPIRE_NS CAPY_SEC(60) /* RFC 1122 §2.3.2.1 recommends the order of a minute */

enum capy_neigh_state { CAPY_NEIGH_FREE, CAPY_NEIGH_ASKING, CAPY_NEIGH_RESOLVED };

struct capy_neighbour {
    struct capy_ip ip;
    struct capy_mac mac;
    uint8_t state, tries; /* tries: requests sent */
    bool ask_owed;
    uint64_t at; /* ASKING: next request, or failure; RESOLVED: expiry */
};

struct capy_neighbours {
    uint32_t owed_cnt; /* requests to be sent */
    struct capy_neighbour entries[CAPY_NEIGH_MAX];
};

/* Entry of an address, or NULL. */
struct capy_neighbour *capy_neigh_find(struct capy_neighbours *n, const struct capy_ip *ip);
/* Finds or starts to resolve an address; a free place, or that of the resolved one that expires
 * first, is taken. NULL: every place is being asked for. */
struct capy_neighbour *capy_neigh_ask(struct capy_neighbours *n, const struct capy_ip *ip,
                                      uint64_t now);
/* Somebody said that ip is at mac. make: also when nobody asked (the sender talked to us, RFC 826
 * "Packet Reception"). True when it is news that somebody waited for. */
bool capy_neigh_heard(struct capy_neighbours *n, const struct capy_ip *ip,
                      const struct capy_mac *mac, bool make, uint64_t now);
/* One entry that is due: a further request becomes owed, or it is freed. *failed: the address of
 * one that never answered. False when none is due. */
bool capy_neigh_expire(struct capy_neighbours *n, uint64_t now, struct capy_ip *failed,
                       bool *is_failed);
uint64_t capy_neigh_next_at(const struct capy_neighbours *n);
/* Takes one owed request: its address. False when none is owed. */
bool capy_neigh_owed(struct capy_neighbours *n, struct capy_ip *ip);

#endif
