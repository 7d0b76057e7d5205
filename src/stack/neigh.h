/* The neighbour cache: which MAC an IPv4 or IPv6 address has, and whether it is still there
 * (neighbour unreachability detection, RFC 4861 §7.3; for ARP the same, as RFC 1122 §2.3.2.1's
 * unicast poll and hint from the transport). Bounded; knows no frames: it says what is to be asked,
 * and is told what was heard.
 *
 *   FREE --use--> INCOMPLETE --answer--> REACHABLE --time--> STALE --use--> DELAY --time--> PROBE
 *                  |                      |                   |               |              ^
 *                  |                      +-------------------+--- doubted ---+--------------+
 *                  | no answer            ^  ^                ^               |              | |
 *                  v                      |  +-- confirmed ---|---------------+--------------+ |
 *                 FREE (failed)           |                   heard of, not asked for          |
 *                                         +--- answer                                 no answer: FREE
 *
 * Used means: a connection is opened by us. Those that were opened to us answer to where their peer's
 * frames come from (auto last hop), and look here only when nothing is heard of the peer any more.
 * Memory: a plain value inside the stack. */
#ifndef CAPY_STACK_NEIGH_H
#define CAPY_STACK_NEIGH_H

#include "base/bits.h"
#include "wire/addr.h"

#define CAPY_NEIGH_MAX 128u
/* RFC 4861 §10. One question a second is RFC 1122's bound for ARP as well. */
#define CAPY_NEIGH_TRIES 3u                  /* MAX_MULTICAST_SOLICIT, MAX_UNICAST_SOLICIT */
#define CAPY_NEIGH_RETRY_NS CAPY_SEC(1)      /* RETRANS_TIMER */
#define CAPY_NEIGH_DELAY_NS CAPY_SEC(5)      /* DELAY_FIRST_PROBE_TIME */
#define CAPY_NEIGH_REACHABLE_NS CAPY_SEC(30) /* REACHABLE_TIME, before its random factor */

enum capy_neigh_state {
    CAPY_NEIGH_FREE,
    CAPY_NEIGH_INCOMPLETE, /* asked for; no MAC yet */
    CAPY_NEIGH_REACHABLE,  /* from here on mac can be used */
    CAPY_NEIGH_STALE,
    CAPY_NEIGH_DELAY,
    CAPY_NEIGH_PROBE,
};

struct capy_neighbour {
    struct capy_ip ip;
    struct capy_mac mac;
    uint8_t state, tries; /* tries: questions since the state was entered */
    bool ask_owed;
    uint64_t at;      /* INCOMPLETE, PROBE: the next question, or the end of it; DELAY: the first
                         probe; REACHABLE: until then */
    uint64_t used_at; /* who was not used longest makes room */
};

struct capy_neighbours {
    uint64_t reachable_ns;
    uint32_t owed_cnt;    /* questions to be sent */
    uint32_t doubted_cnt; /* in DELAY or PROBE: whoever makes progress may confirm them */
    struct capy_neighbour entries[CAPY_NEIGH_MAX];
};

/* random: any value; it picks the reachable time within RFC 4861's factor of 0.5 to 1.5.
 * DEVIATION(RFC 4861 §6.3.2): once, not anew every few hours: it spreads hosts, and still does. */
void capy_neigh_init(struct capy_neighbours *n, uint64_t random);
/* Entry of an address, or NULL. */
struct capy_neighbour *capy_neigh_find(struct capy_neighbours *n, const struct capy_ip *ip);
/* Something is about to be sent to ip: its entry, made if need be (the first question is then owed).
 * NULL: every place is taken by a question. */
struct capy_neighbour *capy_neigh_use(struct capy_neighbours *n, const struct capy_ip *ip,
                                      uint64_t now);
static inline bool capy_neigh_usable(const struct capy_neighbour *e)
{
    return e->state >= CAPY_NEIGH_REACHABLE;
}

/* Somebody who asks us says where it is (RFC 4861 §7.2.3, RFC 826): no proof that it hears us. True
 * when somebody waited for it. */
bool capy_neigh_asker(struct capy_neighbours *n, const struct capy_ip *ip,
                      const struct capy_mac *mac, uint64_t now);
/* An answer (RFC 4861 §7.2.5), which makes no entry. mac: NULL when it says none. solicited: we asked
 * for it; override: it may replace what we know. True when somebody waited for it. */
bool capy_neigh_answer(struct capy_neighbours *n, const struct capy_ip *ip,
                       const struct capy_mac *mac, bool solicited, bool override, uint64_t now);
/* What we sent to ip at mac arrived (RFC 4861 §7.3.1). */
void capy_neigh_confirm(struct capy_neighbours *n, const struct capy_ip *ip,
                        const struct capy_mac *mac, uint64_t now);
/* What is sent to ip is not answered: as its use, but it is asked at once. The entry, or NULL. */
struct capy_neighbour *capy_neigh_doubt(struct capy_neighbours *n, const struct capy_ip *ip,
                                        uint64_t now);
/* One entry that is due: a further question becomes owed, or it is freed. *failed: the address of
 * one that never answered. False when none is due. */
bool capy_neigh_expire(struct capy_neighbours *n, uint64_t now, struct capy_ip *failed,
                       bool *is_failed);
uint64_t capy_neigh_next_at(const struct capy_neighbours *n);
/* Takes one owed question: a copy of its entry; in PROBE it goes to mac alone. False when none is
 * owed. */
bool capy_neigh_owed(struct capy_neighbours *n, struct capy_neighbour *out);

#endif
