/* The migration directory (paper §3.2): a multi-level hash table of entries, one slot per level and
 * bucket, a different hash per level. The bucket is chosen by what both directions of a flow show, so
 * that both probe the same slots: the client's address and port, and, of a connection that a server
 * opened, the local port, which it keeps wherever it runs. What is compared is always the whole key.
 * A lookup touches exactly `levels` slots, so its cost is fixed and BPF and P4 can do the same.
 *
 * Beside the entries lie their tags, a byte of the client's hash each, 0 for a free slot. A search compares
 * tags, and looks at entries whose tag is right: so a miss, and the levels before a hit, cost a byte each
 * of a table that stays in the cache, and not an entry's cache lines and its page's address. */
#ifndef CAPY_SWITCH_DIRECTORY_H
#define CAPY_SWITCH_DIRECTORY_H

#include "base/arena.h"
#include "base/siphash.h"
#include "switch/core/entry.h"

#define CAPY_DIRECTORY_LEVELS_MAX 8u

struct capy_directory {
    struct capy_entry *entries; /* level after level, slots each */
    uint8_t *tags;              /* of the entries */
    uint32_t levels, slots;     /* slots: a power of two */
    uint32_t stripe_mask;       /* capy_directory_stripes - 1 */
    uint32_t used;
    uint16_t mig_port_first;      /* of the rack: tells the ports of opened connections */
    const volatile uint32_t *nil; /* for capy_directory_forget: 0, in a map; NULL but in BPF */
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

/* The slot of a client in one level, by its number among all. h: capy_directory_hash, whose product with
 * another odd number is another number as good. */
static inline uint32_t capy_directory_slot(const struct capy_directory *d, uint64_t h,
                                           uint32_t level)
{
    uint64_t x = h * (1u + level * 0x9e3779b97f4a7c14u);
    uint32_t in_level = ((uint32_t)(x >> 32) & ~d->stripe_mask) | ((uint32_t)h & d->stripe_mask);
    return level * d->slots + (in_level & (d->slots - 1u));
}

/* What the tags of a client's entries are. */
static inline uint8_t capy_directory_tag(uint64_t h)
{
    return (uint8_t)capy_max32((uint32_t)(h >> 56), 1);
}

/* Keyed, for clients choose what is hashed: a sum of products with secret terms (NH of UMAC, RFC 4418
 * §5.2.2), which two clients share by chance alone, then mixed, for its low bits are not as good. A tenth
 * of what SipHash takes. local_port: at home, or at the server that runs it. */
static inline uint64_t capy_directory_hash_words(const struct capy_directory *d,
                                                 const uint32_t client[4], uint16_t client_port,
                                                 uint16_t local_port)
{
    const uint64_t k0 = d->key.k0, k1 = d->key.k1;
    const uint32_t kept = capy_mig_is_opened_port(d->mig_port_first, local_port) ? local_port : 0;
    uint64_t h = (uint64_t)(uint32_t)(client[0] + (uint32_t)k0) *
                     (uint32_t)(client[1] + (uint32_t)(k0 >> 32)) +
                 (uint64_t)(uint32_t)(client[2] + (uint32_t)k1) *
                     (uint32_t)(client[3] + (uint32_t)(k1 >> 32)) +
                 (uint64_t)(uint32_t)(client_port + (uint32_t)(k0 >> 16)) *
                     (kept + ((uint32_t)(k1 >> 16) | 1u));
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
    return h ^ h >> 32;
}

static inline uint64_t capy_directory_hash(const struct capy_directory *d,
                                           const struct capy_ip *client, uint16_t client_port,
                                           uint16_t local_port)
{
    const uint32_t words[4] = {capy_load32(client->b), capy_load32(client->b + 4),
                               capy_load32(client->b + 8), capy_load32(client->b + 12)};
    return capy_directory_hash_words(d, words, client_port, local_port);
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
    return &d->entries[capy_directory_slot(d, hash, level)];
}

/* The same number, of which BPF's verifier knows nothing any more: it would walk all that follows once for each
 * value that it knows. What has been in a map it does not know. */
static inline uint32_t capy_directory_forget(const struct capy_directory *d, uint32_t number)
{
#ifdef __bpf__
    number ^= *d->nil;
#endif
    (void)d;
    return number;
}

/* The entry in this slot, NULL for CAPY_NONE. */
static inline struct capy_entry *capy_directory_in(const struct capy_directory *d, uint32_t slot)
{
    slot = capy_directory_forget(d, slot);
    return slot < d->levels * d->slots ? &d->entries[slot] : NULL;
}

/* The entry with exactly this key, or NULL. hash: of the key. */
static inline struct capy_entry *capy_directory_find(const struct capy_directory *d, uint64_t hash,
                                                     const struct capy_flow_key *key)
{
    const uint8_t tag = capy_directory_tag(hash);
    uint32_t found = CAPY_NONE;
    for (uint32_t level = 0; level < d->levels && level < CAPY_DIRECTORY_LEVELS_MAX; level++) {
        const uint32_t slot = capy_directory_slot(d, hash, level);
        if (d->tags[slot] == tag && capy_flow_key_eq(&d->entries[slot].key, key)) {
            found = slot;
            break;
        }
    }
    return capy_directory_in(d, found);
}

/* A free slot for a key that has no entry, or NULL: every level's slot is taken. */
static inline struct capy_entry *capy_directory_room(const struct capy_directory *d, uint64_t hash)
{
    uint32_t found = CAPY_NONE;
    for (uint32_t level = 0; level < d->levels && level < CAPY_DIRECTORY_LEVELS_MAX; level++) {
        const uint32_t slot = capy_directory_slot(d, hash, level);
        if (d->tags[slot] == 0) {
            found = slot;
            break;
        }
    }
    return capy_directory_in(d, found);
}

/* The first entry of this client, whichever flow's, or NULL. Reads without a lock: what another CPU installs
 * or removes at this moment may count or not. */
static inline struct capy_entry *capy_directory_first(const struct capy_directory *d, uint64_t hash,
                                                      const struct capy_ip *client,
                                                      uint16_t client_port)
{
    const uint8_t tag = capy_directory_tag(hash);
    uint32_t found = CAPY_NONE;
    for (uint32_t level = 0; level < d->levels && level < CAPY_DIRECTORY_LEVELS_MAX; level++) {
        const uint32_t slot = capy_directory_slot(d, hash, level);
        const struct capy_entry *e = &d->entries[slot];
        if (d->tags[slot] == tag && e->key.client_port == client_port &&
            capy_ip_eq(&e->key.client, client)) {
            found = slot;
            break;
        }
    }
    return capy_directory_in(d, found);
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

static inline uint32_t capy_directory_slot_of(const struct capy_directory *d,
                                              const struct capy_entry *e)
{
    return (uint32_t)((uint64_t)((const uint8_t *)e - (const uint8_t *)d->entries) / sizeof *e);
}

/* A free slot has become an entry of a client with this hash. */
static inline void capy_directory_add(struct capy_directory *d, const struct capy_entry *e,
                                      uint64_t hash)
{
    const uint32_t slot = capy_directory_slot_of(d, e);
    if (slot < d->levels * d->slots) /* always; BPF's verifier wants to see it */
        d->tags[slot] = capy_directory_tag(hash);
    d->used++;
}

static inline void capy_directory_remove(struct capy_directory *d, struct capy_entry *e)
{
    const uint32_t slot = capy_directory_slot_of(d, e);
    if (slot < d->levels * d->slots) /* always */
        d->tags[slot] = 0;
    *e = (struct capy_entry){0};
    d->used--;
}

void capy_directory_init(struct capy_directory *d, struct capy_arena *a, uint32_t levels,
                         uint32_t slots, uint16_t mig_port_first, struct capy_key key);

#endif
