/* The migration directory (paper §3.2): a multi-level hash table of entries, one slot per level and
 * bucket, a different hash per level. The bucket is chosen by what both directions of a flow show, so
 * that both probe the same slots: the client's address and port, and, of a connection that a server
 * opened, the local port, which it keeps wherever it runs. What is compared is always the whole key.
 * A lookup touches exactly `levels` slots, so its cost is fixed and BPF and P4 can do the same. */
#ifndef CAPY_SWITCH_DIRECTORY_H
#define CAPY_SWITCH_DIRECTORY_H

#include "base/arena.h"
#include "base/siphash.h"
#include "switch/core/entry.h"

#define CAPY_DIRECTORY_LEVELS_MAX 8u

struct capy_directory {
    struct capy_entry *entries; /* level after level, slots each */
    uint32_t levels, slots;     /* slots: a power of two */
    uint32_t used;
    uint16_t mig_port_first; /* of the rack: tells the ports of opened connections */
    uint32_t *level;         /* for capy_directory_level; NULL but in BPF */
    struct capy_key key;
};

/* A client's slots have the same low bits in every level, those of its stripe. So one lock per stripe
 * guards all places where a flow can be: a plane that runs on many CPUs needs no second one. */
#define CAPY_DIRECTORY_STRIPE_SLOTS 256u /* per level */
#define CAPY_DIRECTORY_STRIPES_MAX 4096u

static inline uint32_t capy_directory_stripes(uint32_t slots)
{
    uint32_t cnt = slots / CAPY_DIRECTORY_STRIPE_SLOTS;
    return cnt < 1 ? 1 : cnt > CAPY_DIRECTORY_STRIPES_MAX ? CAPY_DIRECTORY_STRIPES_MAX : cnt;
}

/* The slot of a client in one level. h: capy_directory_hash, whose product with another odd number is another
 * number as good. */
static inline uint32_t capy_directory_slot(uint64_t h, uint32_t level, uint32_t slots)
{
    uint64_t x = h * (1u + level * 0x9e3779b97f4a7c14u);
    uint32_t stripe_mask = capy_directory_stripes(slots) - 1u;
    return (((uint32_t)(x >> 32) & ~stripe_mask) | ((uint32_t)h & stripe_mask)) & (slots - 1u);
}

/* Keyed, for clients choose what is hashed: a sum of products with secret terms (NH of UMAC, RFC 4418
 * §5.2.2), which two clients share by chance alone, then mixed, for its low bits are not as good. A tenth
 * of what SipHash takes. local_port: at home, or at the server that runs it. */
static inline uint64_t capy_directory_hash(const struct capy_directory *d,
                                           const struct capy_ip *client, uint16_t client_port,
                                           uint16_t local_port)
{
    const uint64_t k0 = d->key.k0, k1 = d->key.k1;
    const uint32_t kept = capy_mig_is_opened_port(d->mig_port_first, local_port) ? local_port : 0;
    uint64_t h = (uint64_t)(capy_load32(client->b) + (uint32_t)k0) *
                     (uint32_t)(capy_load32(client->b + 4) + (uint32_t)(k0 >> 32)) +
                 (uint64_t)(uint32_t)(capy_load32(client->b + 8) + (uint32_t)k1) *
                     (uint32_t)(capy_load32(client->b + 12) + (uint32_t)(k1 >> 32)) +
                 (uint64_t)(uint32_t)(client_port + (uint32_t)(k0 >> 16)) *
                     (kept + ((uint32_t)(k1 >> 16) | 1u));
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
    return h ^ h >> 32;
}

static inline uint64_t capy_directory_hash_of(const struct capy_directory *d,
                                              const struct capy_flow_key *key)
{
    return capy_directory_hash(d, &key->client, key->client_port, key->home_port);
}

/* The i-th candidate of a client (i < levels): used or free. */
static inline struct capy_entry *capy_directory_at(const struct capy_directory *d, uint64_t hash,
                                                   uint32_t level)
{
    return &d->entries[(size_t)level * d->slots + capy_directory_slot(hash, level, d->slots)];
}

/* The candidate in this level, NULL behind the last. BPF's verifier shall not know the level: it would walk all
 * that follows once for each. What it forgets is what has been in a map. */
static inline struct capy_entry *capy_directory_in(const struct capy_directory *d, uint64_t hash,
                                                   uint32_t level)
{
#ifdef __bpf__
    *(volatile uint32_t *)d->level = level;
    level = *(volatile uint32_t *)d->level;
#endif
    return level < d->levels && level < CAPY_DIRECTORY_LEVELS_MAX
               ? capy_directory_at(d, hash, level)
               : NULL;
}

/* The entry with exactly this key, or NULL. hash: of the key. */
static inline struct capy_entry *capy_directory_find(const struct capy_directory *d, uint64_t hash,
                                                     const struct capy_flow_key *key)
{
    uint32_t level = 0;
    for (; level < d->levels && level < CAPY_DIRECTORY_LEVELS_MAX; level++) {
        const struct capy_entry *e = capy_directory_at(d, hash, level);
        if (e->phase != CAPY_PHASE_NONE && capy_flow_key_eq(&e->key, key))
            break;
    }
    return capy_directory_in(d, hash, level);
}

/* A free slot for a key that has no entry, or NULL: every level's slot is taken. */
static inline struct capy_entry *capy_directory_room(const struct capy_directory *d, uint64_t hash)
{
    uint32_t level = 0;
    for (; level < d->levels && level < CAPY_DIRECTORY_LEVELS_MAX; level++)
        if (capy_directory_at(d, hash, level)->phase == CAPY_PHASE_NONE)
            break;
    return capy_directory_in(d, hash, level);
}

/* The first entry of this client, whichever flow's, or NULL. Reads without a lock: what another CPU installs
 * or removes at this moment may count or not. */
static inline struct capy_entry *capy_directory_first(const struct capy_directory *d, uint64_t hash,
                                                      const struct capy_ip *client,
                                                      uint16_t client_port)
{
    uint32_t level = 0;
    for (; level < d->levels && level < CAPY_DIRECTORY_LEVELS_MAX; level++) {
        const struct capy_entry *e = capy_directory_at(d, hash, level);
        if (e->phase != CAPY_PHASE_NONE && e->key.client_port == client_port &&
            capy_ip_eq(&e->key.client, client))
            break;
    }
    return capy_directory_in(d, hash, level);
}

/* A call of the sweep looks at 1/64 of the directory, at least 64 slots: a whole sweep takes 640 ms, well
 * below the shortest linger that makes sense, and one call ten or twenty microseconds. Of a large directory each slot is
 * a cache line from memory, and frames wait meanwhile: so at most 8192 slots, some 100 us, and
 * a sweep of 8 x 262,144 takes 2.6 s, half of the usual linger. */
#define CAPY_DIRECTORY_SWEEP_EVERY_NS CAPY_MS(10)
#define CAPY_DIRECTORY_SWEEP_MAX 8192u

static inline uint32_t capy_directory_sweep_part(uint32_t cnt)
{
    return capy_min32(cnt, capy_min32(capy_max32(cnt / 64u, 64u), CAPY_DIRECTORY_SWEEP_MAX));
}

static inline void capy_directory_remove(struct capy_directory *d, struct capy_entry *e)
{
    *e = (struct capy_entry){0};
    d->used--;
}

void capy_directory_init(struct capy_directory *d, struct capy_arena *a, uint32_t levels,
                         uint32_t slots, uint16_t mig_port_first, struct capy_key key);

#endif
