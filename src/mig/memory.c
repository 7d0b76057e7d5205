/* What a server remembers of flows whose migration is over: a bounded hash table with chains, and
 * an age list that says whose record makes room (design §5: receivers remember finished migrations
 * long enough to answer again). Size it (rack file: memory_max) so that a record outlives every
 * message of its migration; the arena owns the memory, the stack calls. */
#include "base/assert.h"
#include "mig/mig.h"

/* In chain[]: a forgotten record, in no bucket; it waits at the head of the age list for reuse. */
#define UNCHAINED (CAPY_NONE - 1u)

static inline uint64_t hash_of(const struct capy_mig_memory *mem, const struct capy_flow_key *key)
{
    return capy_siphash13(mem->key, (const uint8_t *)key, sizeof *key);
}

void capy_mig_memory_init(struct capy_mig_memory *mem, struct capy_arena *a, uint32_t cnt,
                          struct capy_key key)
{
    uint32_t buckets = 1;
    CAPY_ASSERT(cnt >= 1 && cnt <= UINT32_MAX / 2u);
    while (buckets < cnt)
        buckets *= 2u;
    *mem = (struct capy_mig_memory){.cnt = cnt, .bucket_cnt = buckets, .key = key};
    mem->records = capy_arena_take(a, cnt, sizeof *mem->records);
    mem->age = capy_arena_take(a, cnt, sizeof *mem->age);
    mem->chain = capy_arena_take(a, cnt, sizeof *mem->chain);
    mem->buckets = capy_arena_take(a, buckets, sizeof *mem->buckets);
    if (a->base == NULL) /* measuring */
        return;
    capy_list_init(&mem->by_age, mem->age, sizeof *mem->age);
    for (uint32_t i = 0; i < buckets; i++)
        mem->buckets[i] = CAPY_NONE;
    mem->hash = hash_of(mem, &mem->hashed);
}

uint64_t capy_mig_memory_hash(struct capy_mig_memory *mem, const struct capy_flow_key *key)
{
    if (!capy_flow_key_eq(&mem->hashed, key)) {
        mem->hashed = *key;
        mem->hash = hash_of(mem, key);
    }
    return mem->hash;
}

static uint32_t bucket_of(struct capy_mig_memory *mem, const struct capy_flow_key *key)
{
    return (uint32_t)capy_mig_memory_hash(mem, key) & (mem->bucket_cnt - 1u);
}

static uint32_t find_in(const struct capy_mig_memory *mem, uint32_t bucket,
                        const struct capy_flow_key *key)
{
    uint32_t i = mem->buckets[bucket];
    while (i != CAPY_NONE && !capy_flow_key_eq(&mem->records[i].key, key))
        i = mem->chain[i];
    return i;
}

/* Takes record idx out of its bucket's chain. */
static void unchain(struct capy_mig_memory *mem, uint32_t idx)
{
    uint64_t h = hash_of(mem, &mem->records[idx].key); /* another flow's: the last one stays */
    uint32_t *at = &mem->buckets[(uint32_t)h & (mem->bucket_cnt - 1u)];
    while (*at != idx)
        at = &mem->chain[*at];
    *at = mem->chain[idx];
}

struct capy_mig_record *capy_mig_memory_find(struct capy_mig_memory *mem,
                                             const struct capy_flow_key *key)
{
    uint32_t i = find_in(mem, bucket_of(mem, key), key);
    return i == CAPY_NONE ? NULL : &mem->records[i];
}

struct capy_mig_record *capy_mig_memory_touch(struct capy_mig_memory *mem,
                                              const struct capy_flow_key *key, uint64_t now)
{
    uint32_t b = bucket_of(mem, key), i = find_in(mem, b, key);
    if (i != CAPY_NONE) {
        capy_list_remove(&mem->by_age, i);
    } else {
        if (mem->used < mem->cnt) {
            i = mem->used++;
        } else {
            i = capy_list_pop_head(&mem->by_age);
            if (mem->chain[i] != UNCHAINED)
                unchain(mem, i);
        }
        mem->records[i] = (struct capy_mig_record){.key = *key};
        mem->chain[i] = mem->buckets[b];
        mem->buckets[b] = i;
    }
    capy_list_push_tail(&mem->by_age, i);
    mem->records[i].touched_at = now;
    return &mem->records[i];
}

void capy_mig_memory_forget(struct capy_mig_memory *mem, const struct capy_flow_key *key)
{
    uint32_t i = find_in(mem, bucket_of(mem, key), key);
    if (i == CAPY_NONE)
        return;
    unchain(mem, i);
    mem->chain[i] = UNCHAINED;
    capy_list_remove(&mem->by_age, i);
    capy_list_push_head(&mem->by_age, i);
}
