/* From a segment to its connection by one hash probe (RFC 9293 §3.10.7, first step). Two indices
 * over the same array, each a table of chain heads: by tuple, which every segment uses; and by flow
 * key, only for flows that run away from home, where the local port does not follow from the key.
 * The hash is keyed: nobody outside can choose tuples that share a chain. */
#include "stack/host.h"
#include "wire/addr6.h"

/* Away flows are few beside all connections, and only migrations look for them. */
#define AWAY_LOAD 4u

static uint32_t pow2_at_least(uint32_t n)
{
    uint32_t v = 16;
    while (v < n)
        v *= 2;
    return v;
}

void capy_demux_init(struct capy_stack *s, struct capy_arena *a)
{
    static const uint8_t none[8];
    uint32_t cnt[CAPY_INDEX_CNT] = {pow2_at_least(s->cfg.conn_max),
                                    pow2_at_least(s->cfg.conn_max / AWAY_LOAD)};
    s->hashed_tuple = 0;
    s->tuple_hash = (uint32_t)capy_siphash13(s->index_key, none, sizeof none);
    for (unsigned i = 0; i < CAPY_INDEX_CNT; i++) {
        s->bucket_mask[i] = cnt[i] - 1;
        s->buckets[i] = capy_arena_take(a, cnt[i], sizeof(uint32_t));
        for (uint32_t b = 0; a->base && b < cnt[i]; b++)
            s->buckets[i][b] = CAPY_NONE;
    }
}

/* An IPv4 peer takes one block of SipHash. Whatever happens to a connection asks for it several times in
 * a row, and segments come in bursts, so the last one is kept. */
static uint32_t hash4(struct capy_stack *s, const uint8_t bytes[8])
{
    uint64_t tuple = capy_load64(bytes);
    if (tuple != s->hashed_tuple) {
        s->hashed_tuple = tuple;
        s->tuple_hash = (uint32_t)capy_siphash13(s->index_key, bytes, 8);
    }
    return s->tuple_hash;
}

/* Our own address is the same for all and stays out. */
static uint32_t tuple_bucket(struct capy_stack *s, const struct capy_ip *remote,
                             uint16_t remote_port, uint16_t local_port)
{
    uint8_t bytes[20];
    capy_store16(bytes, remote_port);
    capy_store16(bytes + 2, local_port);
    memcpy(bytes + 4, remote->b + 12, 4);
    if (capy_ip_is_v4(remote))
        return hash4(s, bytes) & s->bucket_mask[CAPY_INDEX_TUPLE];
    memcpy(bytes + 8, remote->b, 12);
    return (uint32_t)capy_siphash13(s->index_key, bytes, 20) & s->bucket_mask[CAPY_INDEX_TUPLE];
}

static uint32_t away_bucket(struct capy_stack *s, const struct capy_flow_key *key)
{
    return (uint32_t)capy_mig_memory_hash(&s->memory, key) & s->bucket_mask[CAPY_INDEX_AWAY];
}

static void chain_in(struct capy_stack *s, unsigned index, uint32_t bucket, uint32_t idx)
{
    s->conns[idx].chain[index] = s->buckets[index][bucket];
    s->buckets[index][bucket] = idx;
}

static void chain_out(struct capy_stack *s, unsigned index, uint32_t bucket, uint32_t idx)
{
    uint32_t *at = &s->buckets[index][bucket];
    while (*at != idx) {
        CAPY_ASSERT(*at != CAPY_NONE);
        at = &s->conns[*at].chain[index];
    }
    *at = s->conns[idx].chain[index];
}

void capy_demux_insert(struct capy_stack *s, uint32_t idx)
{
    struct capy_conn *c = &s->conns[idx];
    chain_in(s, CAPY_INDEX_TUPLE, tuple_bucket(s, &c->remote, c->remote_port, c->local_port), idx);
    if (c->home != s->cfg.self) {
        struct capy_flow_key key = capy_conn_key(s, c);
        chain_in(s, CAPY_INDEX_AWAY, away_bucket(s, &key), idx);
        s->away_cnt++;
    }
}

void capy_demux_remove(struct capy_stack *s, uint32_t idx)
{
    struct capy_conn *c = &s->conns[idx];
    chain_out(s, CAPY_INDEX_TUPLE, tuple_bucket(s, &c->remote, c->remote_port, c->local_port), idx);
    if (c->home != s->cfg.self) {
        struct capy_flow_key key = capy_conn_key(s, c);
        chain_out(s, CAPY_INDEX_AWAY, away_bucket(s, &key), idx);
        s->away_cnt--;
    }
}

uint32_t capy_demux_find(struct capy_stack *s, const struct capy_ip *remote, uint16_t remote_port,
                         uint16_t local_port)
{
    uint32_t idx = s->buckets[CAPY_INDEX_TUPLE][tuple_bucket(s, remote, remote_port, local_port)];
    while (idx != CAPY_NONE) {
        const struct capy_conn *c = &s->conns[idx];
        if (c->remote_port == remote_port && c->local_port == local_port &&
            capy_ip_eq(&c->remote, remote))
            break;
        idx = c->chain[CAPY_INDEX_TUPLE];
    }
    return idx;
}

uint32_t capy_demux_find_at(struct capy_stack *s, const struct capy_flow_key *key, uint16_t home)
{
    if (home == s->cfg.self) { /* at home the local port is the home port */
        uint32_t idx = capy_demux_find(s, &key->client, key->client_port, key->home_port);
        return idx != CAPY_NONE && s->conns[idx].home == s->cfg.self ? idx : CAPY_NONE;
    }
    uint32_t idx = s->buckets[CAPY_INDEX_AWAY][away_bucket(s, key)];
    while (idx != CAPY_NONE) {
        struct capy_flow_key have = capy_conn_key(s, &s->conns[idx]);
        if (capy_flow_key_eq(&have, key))
            break;
        idx = s->conns[idx].chain[CAPY_INDEX_AWAY];
    }
    return idx;
}

uint32_t capy_demux_find_key(struct capy_stack *s, const struct capy_flow_key *key)
{
    return capy_demux_find_at(s, key, capy_peer_of(s, &key->home));
}
