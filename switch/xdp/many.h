/* What state.h asks of a plane, for the BPF program: it runs on many CPUs at once. Every look at entries
 * that can lead to a change is under the spin lock of the client's stripe, so it happens between all
 * others; the server table has a lock of its own, never held together with another. */
#ifndef CAPY_XDP_MANY_H
#define CAPY_XDP_MANY_H

#include "switch/core/rewrite.h"
#include "switch/xdp/layout.h"

struct capy_lock {
    struct bpf_spin_lock spin;
    uint32_t turn;
};

/* layout.h. The loader sets its size; kept. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(key_size, sizeof(uint32_t));
    __uint(value_size, 64);
} memory SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, CAPY_DIRECTORY_STRIPES_MAX + 1);
    __type(key, uint32_t);
    __type(value, struct capy_lock);
} locks
    SEC(".maps"); /* of the stripes, and the last of the servers; kept, for two programs may run */

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __uint(key_size, sizeof(uint32_t));
    __uint(value_size, sizeof(struct capy_xdp_counts));
} counts SEC(".maps"); /* kept */

const volatile struct capy_switch_cfg cfg;
const volatile struct capy_index server_index;
const volatile uint32_t entries_at, stripe_mask; /* of cfg */
const volatile uint32_t testing;                 /* 1: see capy_xdp_test */

/* The loader writes cfg before the program is verified, and nobody after; so the verifier knows its
 * values, and the compiler must not believe the zeros that stand here. */
static inline const struct capy_switch_cfg *many_cfg(void)
{
    const struct capy_switch_cfg *c = (const struct capy_switch_cfg *)&cfg;
    CAPY_PIN(c);
    return c;
}

static inline const struct capy_index *many_index(void)
{
    const struct capy_index *x = (const struct capy_index *)&server_index;
    CAPY_PIN(x);
    return x;
}

/* Of a frame that a test feeds. NULL: of a device. */
static inline struct capy_xdp_test *many_test(const struct xdp_md *ctx)
{
    if (!testing)
        return NULL;
    struct capy_xdp_test *t = (struct capy_xdp_test *)(long)ctx->data_meta;
    return (const uint8_t *)(t + 1) > (const uint8_t *)(long)ctx->data ? NULL : t;
}

/* False: never. */
static inline bool many_open(struct capy_switch *sw)
{
    const uint32_t zero = 0;
    const struct capy_switch_cfg *c = many_cfg();
    struct capy_xdp_counts *counters = bpf_map_lookup_elem(&counts, &zero);
    uint8_t *at = bpf_map_lookup_elem(&memory, &zero);
    if (!counters || !at)
        return false;
    sw->cfg = c;
    sw->index = many_index();
    sw->live = (struct capy_switch_live *)at;
    sw->l2.stations = (struct capy_station *)(at + CAPY_XDP_STATIONS_AT);
    sw->l2.key = c->hash_key;
    sw->dir.tags = at + CAPY_XDP_TAGS_AT;
    sw->dir.entries = (struct capy_entry *)(at + entries_at);
    sw->count = counters->count;
    sw->dir.nil = &counters->nil;
    sw->dir.levels = c->levels;
    sw->dir.slots = c->slots;
    sw->dir.stripe_mask = stripe_mask;
    sw->dir.used = 0; /* what this frame changes */
    sw->dir.mig_port_first = c->mig_port_first;
    sw->dir.key = c->hash_key;
    return true;
}

static inline void many_close(struct capy_switch *sw)
{
    struct capy_xdp_counts *counters = (struct capy_xdp_counts *)sw->count;
    if (sw->dir.used != 0)
        counters->used += (int32_t)sw->dir.used;
}

/* ---- exclusion ---- */

static inline bool capy_plane_is_empty(const struct capy_switch *sw)
{
    (void)sw;
    return false;
}

static inline struct capy_lock *many_lock(uint32_t idx)
{
    return bpf_map_lookup_elem(&locks, &idx);
}

static inline struct capy_lock *capy_plane_lock_of(struct capy_switch *sw, uint64_t hash)
{
    return many_lock((uint32_t)hash & sw->dir.stripe_mask);
}

static inline struct capy_lock *capy_plane_lock_of_servers(struct capy_switch *sw)
{
    (void)sw;
    return many_lock(CAPY_DIRECTORY_STRIPES_MAX);
}

/* Who holds the lock has its number odd, and leaves it another than it was: so who only reads sees that
 * somebody wrote meanwhile. That takes a machine which loads and stores in the order of the program. */
#define many_in_order() __asm__ volatile("" ::: "memory")

static inline void capy_plane_lock(struct capy_lock *lock)
{
    bpf_spin_lock(&lock->spin);
    lock->turn++;
    many_in_order();
}

static inline void capy_plane_unlock(struct capy_lock *lock)
{
    many_in_order();
    lock->turn++;
    bpf_spin_unlock(&lock->spin);
}

static inline uint32_t capy_plane_look(const struct capy_lock *lock)
{
    uint32_t turn = lock->turn;
    many_in_order();
    return MANY_IN_ORDER ? turn : 1;
}

static inline bool capy_plane_looked(const struct capy_lock *lock, uint32_t turn)
{
    many_in_order();
    return turn % 2 == 0 && lock->turn == turn;
}

/* ---- choices: functions of their own, as searches are ---- */

__noinline int many_choose(uint64_t who, uint32_t families, uint64_t now)
{
    struct capy_switch sw;
    const struct capy_switch_ask ask = {.target = (uint16_t)who,
                                        .asker = (uint16_t)(who >> 16),
                                        .from = (uint16_t)(who >> 32),
                                        .families = (uint8_t)families,
                                        .now = now};
    struct capy_lock *lock = many_lock(CAPY_DIRECTORY_STRIPES_MAX);
    if (!lock || !many_open(&sw))
        return CAPY_SERVER_ANY;
    bpf_spin_lock(&lock->spin);
    uint16_t id = capy_switch_choose(&sw, &ask);
    bpf_spin_unlock(&lock->spin);
    return id;
}

static inline uint16_t capy_plane_choose(struct capy_switch *sw, const struct capy_switch_ask *ask)
{
    (void)sw;
    return (uint16_t)many_choose(ask->target | (uint64_t)ask->asker << 16 |
                                     (uint64_t)ask->from << 32,
                                 ask->families, ask->now);
}

__noinline uint64_t many_least(uint64_t now)
{
    struct capy_switch sw;
    return many_open(&sw) ? capy_switch_least(&sw, now) : UINT32_MAX;
}

static inline uint32_t capy_plane_least(const struct capy_switch *sw, uint64_t now)
{
    (void)sw;
    return (uint32_t)many_least(now);
}

/* ---- out ---- */

static inline void capy_plane_send(struct capy_job *j, uint16_t port)
{
    j->egress = port;
}

static inline void capy_plane_cut(struct capy_job *j, uint32_t len)
{
    j->end = j->frame + len;
}

/* message.h */
static inline void capy_plane_send_both(struct capy_job *j, uint16_t peer, uint16_t sender);
static inline uint64_t capy_plane_payload_hash(const struct capy_mig_job *m);
static inline void capy_plane_answer_heartbeat(struct capy_mig_job *m,
                                               const struct capy_mig_heartbeat_ack *ack);

#endif
