/* See neigh.h. Plain scans: the table is small, and looked at only when a connection is opened by
 * us, when ARP arrives and when an entry is due. */
#include "stack/neigh.h"

struct capy_neighbour *capy_neigh_find(struct capy_neighbours *n, const struct capy_ip *ip)
{
    for (unsigned i = 0; i < CAPY_NEIGH_MAX; i++)
        if (n->entries[i].state != CAPY_NEIGH_FREE && capy_ip_eq(&n->entries[i].ip, ip))
            return &n->entries[i];
    return NULL;
}

/* A place for a new entry: free, else the resolved one that would expire first. */
static struct capy_neighbour *make_room(struct capy_neighbours *n)
{
    struct capy_neighbour *oldest = NULL;
    for (unsigned i = 0; i < CAPY_NEIGH_MAX; i++) {
        struct capy_neighbour *e = &n->entries[i];
        if (e->state == CAPY_NEIGH_FREE)
            return e;
        if (e->state == CAPY_NEIGH_RESOLVED && (!oldest || e->at < oldest->at))
            oldest = e;
    }
    return oldest;
}

static void owe(struct capy_neighbours *n, struct capy_neighbour *e)
{
    e->tries++;
    if (!e->ask_owed)
        n->owed_cnt++;
    e->ask_owed = true;
}

static void owe_nothing(struct capy_neighbours *n, struct capy_neighbour *e)
{
    if (e->ask_owed)
        n->owed_cnt--;
    e->ask_owed = false;
}

struct capy_neighbour *capy_neigh_ask(struct capy_neighbours *n, const struct capy_ip *ip,
                                      uint64_t now)
{
    struct capy_neighbour *e = capy_neigh_find(n, ip);
    if (e)
        return e;
    e = make_room(n);
    if (!e)
        return NULL;
    *e = (struct capy_neighbour){
        .ip = *ip, .state = CAPY_NEIGH_ASKING, .at = now + CAPY_NEIGH_RETRY_NS};
    owe(n, e);
    return e;
}

bool capy_neigh_heard(struct capy_neighbours *n, const struct capy_ip *ip,
                      const struct capy_mac *mac, bool make, uint64_t now)
{
    struct capy_neighbour *e = capy_neigh_find(n, ip);
    if (!e && make)
        e = make_room(n);
    if (!e)
        return false;
    owe_nothing(n, e);
    bool news = e->state == CAPY_NEIGH_ASKING && capy_ip_eq(&e->ip, ip);
    *e = (struct capy_neighbour){
        .ip = *ip, .mac = *mac, .state = CAPY_NEIGH_RESOLVED, .at = now + CAPY_NEIGH_EXPIRE_NS};
    return news;
}

bool capy_neigh_expire(struct capy_neighbours *n, uint64_t now, struct capy_ip *failed,
                       bool *is_failed)
{
    for (unsigned i = 0; i < CAPY_NEIGH_MAX; i++) {
        struct capy_neighbour *e = &n->entries[i];
        if (e->state == CAPY_NEIGH_FREE || e->at > now)
            continue;
        *is_failed = false;
        if (e->state == CAPY_NEIGH_RESOLVED) {
            e->state = CAPY_NEIGH_FREE;
        } else if (e->tries < CAPY_NEIGH_TRIES) {
            owe(n, e);
            e->at = now + CAPY_NEIGH_RETRY_NS;
        } else {
            owe_nothing(n, e);
            *failed = e->ip;
            *is_failed = true;
            e->state = CAPY_NEIGH_FREE;
        }
        return true;
    }
    return false;
}

uint64_t capy_neigh_next_at(const struct capy_neighbours *n)
{
    uint64_t at = CAPY_NEVER;
    for (unsigned i = 0; i < CAPY_NEIGH_MAX; i++)
        if (n->entries[i].state != CAPY_NEIGH_FREE)
            at = capy_min64(at, n->entries[i].at);
    return at;
}

bool capy_neigh_owed(struct capy_neighbours *n, struct capy_ip *ip)
{
    for (unsigned i = 0; n->owed_cnt > 0 && i < CAPY_NEIGH_MAX; i++) {
        struct capy_neighbour *e = &n->entries[i];
        if (!e->ask_owed)
            continue;
        owe_nothing(n, e);
        *ip = e->ip;
        return true;
    }
    return false;
}
