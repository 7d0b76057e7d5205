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
    struct capy_key key;
};

/* The slot of a client in one level. h: capy_directory_hash. */
static inline uint32_t capy_directory_slot(uint64_t h, uint32_t level, uint32_t slots)
{
    /* splitmix64's finalizer over the keyed hash: an independent-looking index per level. */
    uint64_t x = h + (uint64_t)level * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)(x >> 32) & (slots - 1u);
}

/* local_port: at home, or at the server that runs it. */
static inline uint64_t capy_directory_hash(const struct capy_directory *d,
                                           const struct capy_ip *client, uint16_t client_port,
                                           uint16_t local_port)
{
    uint8_t bytes[20];
    bool opened = capy_mig_is_opened_port(d->mig_port_first, local_port);
    __builtin_memcpy(bytes, client->b, 16);
    capy_store16(bytes + 16, client_port);
    capy_store16(bytes + 18, opened ? local_port : 0);
    return capy_siphash13(d->key, bytes, sizeof bytes);
}

void capy_directory_init(struct capy_directory *d, struct capy_arena *a, uint32_t levels,
                         uint32_t slots, uint16_t mig_port_first, struct capy_key key);
/* The entry with exactly this key, or NULL. */
struct capy_entry *capy_directory_find(struct capy_directory *d, const struct capy_flow_key *key);
/* The i-th candidate of a client (i < levels): used or free. */
struct capy_entry *capy_directory_at(struct capy_directory *d, uint64_t hash, uint32_t level);
/* A free slot for a key that has no entry, or NULL: every level's slot is taken. */
struct capy_entry *capy_directory_room(struct capy_directory *d, const struct capy_flow_key *key);
void capy_directory_remove(struct capy_directory *d, struct capy_entry *e);

#endif
