/* How often one peer may make us answer: tables of token buckets, one per kind of answer, found by a
 * keyed hash of the peer's address (IPv6: of its /64, which one customer has whole). A table never
 * grows; peers that share a bucket share its rate, and nobody outside can choose to share somebody
 * else's.
 *
 * Per peer and not per host on purpose: a limit that all share tells each of them what the others
 * do. That is how challenge ACKs (CVE-2016-5696, RFC 5961 §10) and ICMP errors (CVE-2020-25705) gave
 * connections away to who is not on the path. Challenge ACKs are limited per connection, in
 * tcp/input.c.
 *
 * A bucket is one number, the time at which it will be full again (GCRA, ITU-T I.371): it holds a
 * second's worth. Memory: carved from the stack's arena; called by the stack only. */
#include "stack/host.h"

/* The time in which a bucket fills: what may come at once, and what an honest peer that opens many
 * connections in parallel needs. */
#define BUCKET_NS CAPY_SEC(1)

void capy_rate_init(struct capy_stack *s, struct capy_arena *a)
{
    for (unsigned kind = 0; kind < CAPY_RATE_CNT; kind++) {
        s->rates[kind] = capy_arena_take(a, CAPY_RATE_BUCKETS, sizeof *s->rates[kind]);
        if (a->base)
            memset(s->rates[kind], 0, CAPY_RATE_BUCKETS * sizeof *s->rates[kind]);
    }
}

static uint64_t *bucket_of(struct capy_stack *s, enum capy_rate kind, const struct capy_ip *peer)
{
    enum { V4_AT = 12, V4_LEN = 4, SITE_LEN = 8 };
    bool v4 = capy_ip_is_v4(peer);
    uint64_t hash = capy_siphash13(s->rate_key, peer->b + (v4 ? V4_AT : 0), v4 ? V4_LEN : SITE_LEN);
    return &s->rates[kind][hash % CAPY_RATE_BUCKETS];
}

static uint32_t per_second(const struct capy_stack_cfg *cfg, enum capy_rate kind)
{
    switch (kind) {
    case CAPY_RATE_SYN:
        return cfg->syn_rate;
    case CAPY_RATE_RST:
        return cfg->rst_rate;
    case CAPY_RATE_ICMP:
        return cfg->icmp_rate;
    case CAPY_RATE_CNT:
        break;
    }
    return 0;
}

bool capy_rate_take(struct capy_stack *s, enum capy_rate kind, const struct capy_ip *peer)
{
    uint32_t rate = per_second(&s->cfg, kind);
    if (rate == 0)
        return true;
    uint64_t cost = capy_max64(BUCKET_NS / rate, 1), *full_at = bucket_of(s, kind, peer);
    uint64_t from = capy_max64(*full_at, s->now);
    if (from - s->now > BUCKET_NS - cost) {
        s->count.rate_limited[kind]++;
        return false;
    }
    *full_at = from + cost;
    return true;
}

void capy_rate_carry(const struct capy_stack *from, struct capy_stack *to)
{
    for (unsigned kind = 0; kind < CAPY_RATE_CNT; kind++)
        memcpy(to->rates[kind], from->rates[kind], CAPY_RATE_BUCKETS * sizeof *to->rates[kind]);
}

const char *capy_rate_name(enum capy_rate kind)
{
    static const char *const names[CAPY_RATE_CNT] = {
        [CAPY_RATE_SYN] = "syn", [CAPY_RATE_RST] = "rst", [CAPY_RATE_ICMP] = "icmp"};
    return (unsigned)kind < CAPY_RATE_CNT ? names[kind] : "?";
}
