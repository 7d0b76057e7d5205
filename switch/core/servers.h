/* The server table: leases, loads, and the choice of a target (paper §3.2, "minimum workload
 * register"). The paper's register only ever goes down, so a stale minimum sticks and a herd of
 * migrations lands on one server. Here the switch keeps every server's own report, and raises its
 * estimate with each migration it sends there until the next HEARTBEAT says what is true.
 * Header only, no libc, loops bounded by CAPY_SWITCH_SERVER_MAX. */
#ifndef CAPY_SWITCH_SERVERS_H
#define CAPY_SWITCH_SERVERS_H

#include "base/bits.h"
#include "wire/tcpmig.h"

/* Silence of this many leases is taken for death; one lease only for "do not choose". A host that
 * was descheduled for one lease must not lose the connections it runs. */
#define CAPY_SERVER_DEAD_LEASES 8u

/* The IP versions that a server has an address of, as bits. */
enum { CAPY_FAMILY_V4 = 1, CAPY_FAMILY_V6 = 2, CAPY_FAMILY_ANY = 3 };

static inline uint8_t capy_family_of(const struct capy_ip *ip)
{
    return capy_ip_is_v4(ip) ? CAPY_FAMILY_V4 : CAPY_FAMILY_V6;
}

struct capy_server {
    uint64_t heard_at;    /* 0: never */
    uint64_t silent_from; /* heard_at, or the switch's start */
    uint64_t incarnation;
    uint32_t load;     /* the last report plus what was sent there since */
    uint32_t free_cnt; /* likewise, minus */
    uint32_t conn_cnt;
    uint16_t gen; /* counts incarnations: entries of an older one lost their connections */
    uint8_t draining;
    uint8_t
        families; /* of its addresses: a flow moves only to a server that has one of its version */
};

static inline bool capy_server_alive(const struct capy_server *s, uint64_t now, uint64_t lease_ns)
{
    return s->heard_at != 0 && now < s->heard_at + lease_ns;
}

/* Dead for entries of generation gen: it restarted since, or has been silent for very long. */
static inline bool capy_server_dead(const struct capy_server *s, uint16_t gen, uint64_t now,
                                    uint64_t lease_ns)
{
    return s->gen != gen || now >= s->silent_from + CAPY_SERVER_DEAD_LEASES * lease_ns;
}

static inline void capy_server_heartbeat(struct capy_server *s, const struct capy_mig_heartbeat *h,
                                         uint64_t now)
{
    if (s->heard_at != 0 && s->incarnation != h->incarnation)
        s->gen++;
    s->heard_at = now;
    s->silent_from = now;
    s->incarnation = h->incarnation;
    s->load = h->load;
    s->free_cnt = h->free_cnt;
    s->conn_cnt = h->conn_cnt;
    s->draining = h->draining != 0;
}

/* The least-loaded live server that takes connections of one of the families and is not the asker;
 * of equals the one after `last`, so that equals take turns. CAPY_SERVER_ANY: none. */
static inline uint16_t capy_server_choose(const struct capy_server *table, uint16_t cnt,
                                          uint8_t families, uint16_t asker, uint16_t last,
                                          uint64_t now, uint64_t lease_ns)
{
    /* Load, then turn, as one number; and no branch, for BPF's verifier would walk each way of each server
     * with each way of the next. */
    const uint64_t none = (uint64_t)1 << 62;
    uint64_t best = none;
    for (uint32_t i = 0; i < 64u && i < cnt; i++) {
        uint32_t id = (last + 1u + i) % cnt;
        const struct capy_server *s = &table[id & 63u];
        uint64_t takes = capy_differs(id, asker) & ~capy_differs(s->draining, 0) &
                         capy_differs(s->free_cnt, 0) & capy_differs(s->families & families, 0) &
                         capy_differs(s->heard_at, 0) & capy_less(now, s->heard_at + lease_ns);
        uint64_t rank = (uint64_t)s->load << 8 | i | (~takes & none);
        uint64_t better = capy_less(rank, best);
        best = (rank & better) | (best & ~better);
    }
    return best >= none ? CAPY_SERVER_ANY : (uint16_t)((last + 1u + (best & 63u)) % cnt);
}

/* A connection of `from` was sent to s: what it will add to the load is what the connections there add
 * on average, at least one unit. */
static inline void capy_server_charge(struct capy_server *s, const struct capy_server *from)
{
    uint32_t share = from->conn_cnt ? from->load / from->conn_cnt : 0u;
    uint32_t add = capy_max32(share, 1u);
    s->load = s->load > UINT32_MAX - 1u - add ? UINT32_MAX - 1u : s->load + add;
    if (s->free_cnt > 0)
        s->free_cnt--;
    s->conn_cnt++;
}

#endif
