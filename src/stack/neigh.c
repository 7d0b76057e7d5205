/* See neigh.h. Plain scans: the table is small, and looked at only when a connection is opened by
 * us, when ARP or neighbour discovery arrives, and when an entry is due. */
#include "stack/neigh.h"

void capy_neigh_init(struct capy_neighbours *n, uint64_t random)
{
    *n = (struct capy_neighbours){0};
    n->reachable_ns = CAPY_NEIGH_REACHABLE_NS / 2 + random % CAPY_NEIGH_REACHABLE_NS;
}

struct capy_neighbour *capy_neigh_find(struct capy_neighbours *n, const struct capy_ip *ip)
{
    for (unsigned i = 0; i < CAPY_NEIGH_MAX; i++)
        if (n->entries[i].state != CAPY_NEIGH_FREE && capy_ip_eq(&n->entries[i].ip, ip))
            return &n->entries[i];
    return NULL;
}

/* ---- states: this function alone writes them ---- */

static bool is_doubted(const struct capy_neighbour *e)
{
    return e->state == CAPY_NEIGH_DELAY || e->state == CAPY_NEIGH_PROBE;
}

static void enter(struct capy_neighbours *n, struct capy_neighbour *e, enum capy_neigh_state state,
                  uint64_t at)
{
    n->doubted_cnt -= is_doubted(e);
    n->owed_cnt -= e->ask_owed;
    e->ask_owed = false;
    e->state = (uint8_t)state;
    e->at = at;
    e->tries = 0;
    n->doubted_cnt += is_doubted(e);
}

static void owe(struct capy_neighbours *n, struct capy_neighbour *e, uint64_t now)
{
    n->owed_cnt += !e->ask_owed;
    e->ask_owed = true;
    e->tries++;
    e->at = now + CAPY_NEIGH_RETRY_NS;
}

static void reachable(struct capy_neighbours *n, struct capy_neighbour *e, uint64_t now)
{
    enter(n, e, CAPY_NEIGH_REACHABLE, now + n->reachable_ns);
}

/* A free place for an address, else that of the one that was not used longest. */
static struct capy_neighbour *make(struct capy_neighbours *n, const struct capy_ip *ip,
                                   uint64_t now)
{
    struct capy_neighbour *place = NULL;
    for (unsigned i = 0; i < CAPY_NEIGH_MAX; i++) {
        struct capy_neighbour *e = &n->entries[i];
        if (e->state == CAPY_NEIGH_FREE) {
            place = e;
            break;
        }
        if (capy_neigh_usable(e) && (!place || e->used_at < place->used_at))
            place = e;
    }
    if (!place)
        return NULL;
    enter(n, place, CAPY_NEIGH_FREE, CAPY_NEVER);
    *place = (struct capy_neighbour){.ip = *ip, .used_at = now};
    return place;
}

/* ---- use ---- */

struct capy_neighbour *capy_neigh_use(struct capy_neighbours *n, const struct capy_ip *ip,
                                      uint64_t now)
{
    struct capy_neighbour *e = capy_neigh_find(n, ip);
    if (!e) {
        e = make(n, ip, now);
        if (!e)
            return NULL;
        enter(n, e, CAPY_NEIGH_INCOMPLETE, now);
        owe(n, e, now);
        return e;
    }
    e->used_at = now;
    if (e->state == CAPY_NEIGH_REACHABLE && now >= e->at)
        enter(n, e, CAPY_NEIGH_STALE, CAPY_NEVER); /* lazily: only its use would notice */
    if (e->state == CAPY_NEIGH_STALE)
        enter(n, e, CAPY_NEIGH_DELAY, now + CAPY_NEIGH_DELAY_NS);
    return e;
}

void capy_neigh_confirm(struct capy_neighbours *n, const struct capy_ip *ip,
                        const struct capy_mac *mac, uint64_t now)
{
    struct capy_neighbour *e = capy_neigh_find(n, ip);
    if (e && capy_neigh_usable(e) && capy_mac_eq(&e->mac, mac))
        reachable(n, e, now);
}

struct capy_neighbour *capy_neigh_doubt(struct capy_neighbours *n, const struct capy_ip *ip,
                                        uint64_t now)
{
    struct capy_neighbour *e = capy_neigh_use(n, ip, now);
    if (e && capy_neigh_usable(e) && e->state != CAPY_NEIGH_PROBE) {
        enter(n, e, CAPY_NEIGH_PROBE, now);
        owe(n, e, now);
    }
    return e;
}

/* ---- what was heard ---- */

bool capy_neigh_asker(struct capy_neighbours *n, const struct capy_ip *ip,
                      const struct capy_mac *mac, uint64_t now)
{
    struct capy_neighbour *e = capy_neigh_find(n, ip);
    if (!e)
        e = make(n, ip, now);
    if (!e || (capy_neigh_usable(e) && capy_mac_eq(&e->mac, mac)))
        return false;
    bool news = e->state == CAPY_NEIGH_INCOMPLETE;
    e->mac = *mac;
    enter(n, e, CAPY_NEIGH_STALE, CAPY_NEVER);
    return news;
}

bool capy_neigh_answer(struct capy_neighbours *n, const struct capy_ip *ip,
                       const struct capy_mac *mac, bool solicited, bool override, uint64_t now)
{
    struct capy_neighbour *e = capy_neigh_find(n, ip);
    if (!e)
        return false;
    if (e->state == CAPY_NEIGH_INCOMPLETE) {
        if (!mac)
            return false;
        e->mac = *mac;
        if (solicited)
            reachable(n, e, now);
        else
            enter(n, e, CAPY_NEIGH_STALE, CAPY_NEVER);
        return true;
    }
    bool other = mac && !capy_mac_eq(&e->mac, mac);
    if (other && !override) { /* somebody else claims it: to be found out when it is used */
        if (e->state == CAPY_NEIGH_REACHABLE)
            enter(n, e, CAPY_NEIGH_STALE, CAPY_NEVER);
        return false;
    }
    if (other)
        e->mac = *mac;
    if (solicited)
        reachable(n, e, now);
    else if (other)
        enter(n, e, CAPY_NEIGH_STALE, CAPY_NEVER);
    return false;
}

/* ---- time ---- */

static bool has_timer(const struct capy_neighbour *e)
{
    return e->state == CAPY_NEIGH_INCOMPLETE || is_doubted(e);
}

bool capy_neigh_expire(struct capy_neighbours *n, uint64_t now, struct capy_ip *failed,
                       bool *is_failed)
{
    for (unsigned i = 0; i < CAPY_NEIGH_MAX; i++) {
        struct capy_neighbour *e = &n->entries[i];
        if (!has_timer(e) || e->at > now)
            continue;
        *is_failed = false;
        if (e->state == CAPY_NEIGH_DELAY) {
            enter(n, e, CAPY_NEIGH_PROBE, now);
            owe(n, e, now);
        } else if (e->tries < CAPY_NEIGH_TRIES) {
            owe(n, e, now);
        } else {
            *is_failed = e->state == CAPY_NEIGH_INCOMPLETE;
            *failed = e->ip;
            enter(n, e, CAPY_NEIGH_FREE, CAPY_NEVER);
        }
        return true;
    }
    return false;
}

uint64_t capy_neigh_next_at(const struct capy_neighbours *n)
{
    uint64_t at = CAPY_NEVER;
    for (unsigned i = 0; i < CAPY_NEIGH_MAX; i++)
        if (has_timer(&n->entries[i]))
            at = capy_min64(at, n->entries[i].at);
    return at;
}

bool capy_neigh_owed(struct capy_neighbours *n, struct capy_neighbour *out)
{
    for (unsigned i = 0; n->owed_cnt > 0 && i < CAPY_NEIGH_MAX; i++) {
        struct capy_neighbour *e = &n->entries[i];
        if (!e->ask_owed)
            continue;
        e->ask_owed = false;
        n->owed_cnt--;
        *out = *e;
        return true;
    }
    return false;
}
