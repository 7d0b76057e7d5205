/* The directory's table; contract in directory.h. The caller's arena owns the memory. */
#include "switch/core/directory.h"
#include "base/assert.h"
#include <string.h>

void capy_directory_init(struct capy_directory *d, struct capy_arena *a, uint32_t levels,
                         uint32_t slots, uint16_t mig_port_first, struct capy_key key)
{
    size_t cnt = (size_t)levels * slots;
    *d = (struct capy_directory){
        .levels = levels, .slots = slots, .mig_port_first = mig_port_first, .key = key};
    d->entries = capy_arena_take(a, cnt, sizeof *d->entries);
    if (d->entries)
        memset(d->entries, 0, cnt * sizeof *d->entries);
}

struct capy_entry *capy_directory_at(struct capy_directory *d, uint64_t hash, uint32_t level)
{
    return &d->entries[(size_t)level * d->slots + capy_directory_slot(hash, level, d->slots)];
}

struct capy_entry *capy_directory_find(struct capy_directory *d, const struct capy_flow_key *key)
{
    if (d->used == 0)
        return NULL;
    uint64_t h = capy_directory_hash(d, &key->client, key->client_port, key->home_port);
    for (uint32_t level = 0; level < d->levels; level++) {
        struct capy_entry *e = capy_directory_at(d, h, level);
        if (e->phase != CAPY_PHASE_NONE && capy_flow_key_eq(&e->key, key))
            return e;
    }
    return NULL;
}

struct capy_entry *capy_directory_room(struct capy_directory *d, const struct capy_flow_key *key)
{
    uint64_t h = capy_directory_hash(d, &key->client, key->client_port, key->home_port);
    for (uint32_t level = 0; level < d->levels; level++) {
        struct capy_entry *e = capy_directory_at(d, h, level);
        if (e->phase == CAPY_PHASE_NONE)
            return e;
    }
    return NULL;
}

void capy_directory_remove(struct capy_directory *d, struct capy_entry *e)
{
    CAPY_ASSERT(d->used > 0 && e->phase != CAPY_PHASE_NONE);
    *e = (struct capy_entry){0};
    d->used--;
}
