/* A host of protocol_test: what a server's stack does around the origin and target machines, with
 * the rules of docs/protocol.md, "Leases", and nothing else. Included by protocol_test.c alone. */
#ifndef CAPY_TESTS_SIM_PROTOCOL_HOST_H
#define CAPY_TESTS_SIM_PROTOCOL_HOST_H

#include "protocol_world.h"

/* ---- a host ---- */

static void host_boot(struct host *h)
{
    struct capy_arena a = {h->memory_mem, 0}, b = {h->blocks_mem, 0};
    capy_mig_memory_init(&h->memory, &a, 64, RACK_KEY);
    capy_blocks_init(&h->blocks, &b, BLOCKS);
    capy_mig_pace_init(&h->origin_pace, &w.mig);
    capy_mig_pace_init(&h->target_pace, &w.mig);
    h->incarnation = capy_prng_next(&w.prng) | 1u;
    h->booted_at = w.now;
    h->switch_boot = 0;
    h->beat_at = w.now;
    h->lease_until = 0;
    for (unsigned f = 0; f < FLOWS; f++) {
        h->copy[f] = (struct copy){0};
        h->origin_on[f] = h->target_on[f] = false;
    }
}

static void host_act(struct host *h, unsigned f, enum capy_mig_action act);

/* The snapshot's bytes as they came: true, and the counter, when every one is right. */
static bool import_state(struct host *h, struct capy_mig_target *t, uint32_t *counter)
{
    const struct capy_snap_source source = capy_mig_target_source(t);
    uint32_t n;
    const uint8_t *p = capy_snap_source_span(&source, &h->blocks, 0, SNAP_FIXED, &n);
    *counter = capy_load32(p);
    if (n != SNAP_FIXED || capy_load32(p + 4) != t->total)
        return false;
    for (uint32_t at = SNAP_FIXED; at < t->total; at += n) {
        p = capy_snap_source_span(&source, &h->blocks, at, t->total - at, &n);
        for (uint32_t i = 0; i < n; i++)
            if (p[i] != pattern(*counter, at + i))
                return false;
    }
    return true;
}

static void pump(struct host *h, unsigned f)
{
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_mig_env env = env_of(h);
    size_t n;
    while (h->origin_on[f] && (n = capy_mig_origin_output(&h->origin[f], &env, msg_at(frame))) > 0)
        send_mig(h, frame, n);
    while (h->target_on[f] &&
           (n = capy_mig_target_output(&h->target[f], &env, msg_at(frame))) > 0) {
        send_mig(h, frame, n);
        if (h->target[f].phase == CAPY_TARGET_DONE) {
            capy_mig_target_free(&h->target[f], &env);
            h->target_on[f] = false;
        }
    }
}

static void do_import(struct host *h, unsigned f)
{
    struct capy_mig_target *t = &h->target[f];
    struct capy_mig_env env = env_of(h);
    struct capy_flow_key key = key_of(f);
    uint32_t counter;
    if (!import_state(h, t, &counter))
        fail_msg("seed %llu: state differs", (unsigned long long)w.seed);
    /* Sometimes it does not fit after all; and nothing starts without a lease. */
    if ((!w.calm && capy_prng_chance(&w.prng, 100000)) || !lease_holds(h)) {
        capy_mig_target_refuse(t, &env, CAPY_REASON_BAD_STATE);
        return;
    }
    assert_int_equal(h->copy[f].state, COPY_NONE);
    h->copy[f] = (struct copy){.state = COPY_RUNNING,
                               .epoch = t->epoch,
                               .counter = counter,
                               .port = t->target_port,
                               .announced = h->slot_boot[f] == h->switch_boot};
    struct capy_mig_record *r = capy_mig_memory_touch(&h->memory, &key, w.now);
    r->imported_epoch = t->epoch;
    r->imported_id = t->mig_id;
    r->left_epoch = 0;
    uint8_t frame[CAPY_FRAME_MAX];
    while (capy_mig_target_unhold(t, &env, frame) > 0)
        w.newest[f] = ++h->copy[f].counter; /* the replay is work done */
    capy_mig_target_imported(t, &env);
    w.moved++;
}

static void do_drop(struct host *h, unsigned f)
{
    struct capy_mig_env env = env_of(h);
    struct capy_flow_key key = key_of(f);
    struct capy_mig_record *r = capy_mig_memory_touch(&h->memory, &key, w.now);
    r->refused_epoch = capy_max32(r->refused_epoch, h->target[f].epoch);
    capy_mig_target_free(&h->target[f], &env);
    h->target_on[f] = false;
}

static void host_act(struct host *h, unsigned f, enum capy_mig_action act)
{
    struct capy_mig_origin *o = &h->origin[f];
    switch (act) {
    case CAPY_MIG_DO_NOTHING:
        break;
    case CAPY_MIG_DO_FREEZE:
        /* Soon, as an application does; or up to beyond release_ns. */
        h->freeze_at[f] =
            w.now + capy_prng_below(&w.prng, capy_prng_chance(&w.prng, 200000)
                                                 ? w.mig.release_ns + w.mig.release_ns / 2u
                                                 : CAPY_MS(5));
        break;
    case CAPY_MIG_DO_RESUME:
        if (o->reason == CAPY_REASON_NONE && o->verdict == CAPY_VERDICT_NONE)
            fail_msg("seed %llu: kept, and nobody knows why", (unsigned long long)w.seed);
        h->copy[f].state = COPY_RUNNING;
        h->copy[f].epoch = o->epoch_after;
        h->copy[f].announced = false;
        h->copy[f].announce_at = w.now + CAPY_MS(1);
        if (w.hurt[f]) /* whatever the dead owner did beyond this died with it, unseen */
            w.newest[f] = h->copy[f].counter;
        h->origin_on[f] = false;
        w.resumed++;
        break;
    case CAPY_MIG_DO_RELEASE:
        h->copy[f].state = COPY_NONE;
        h->origin_on[f] = false;
        break;
    case CAPY_MIG_DO_IMPORT:
        do_import(h, f);
        break;
    case CAPY_MIG_DO_DROP:
        do_drop(h, f);
        break;
    }
    pump(h, f);
}

static void freeze(struct host *h, unsigned f)
{
    struct capy_mig_origin *o = &h->origin[f];
    struct capy_mig_env env = env_of(h);
    h->freeze_at[f] = 0;
    if (!h->origin_on[f] || o->phase != CAPY_ORIGIN_GRANTED)
        return;
    h->copy[f].state = COPY_FROZEN;
    o->snap.head_len = SNAP_FIXED;
    o->snap.recv_len = (uint32_t)capy_prng_below(&w.prng, 8000);
    capy_store32(o->snap.head, h->copy[f].counter);
    capy_store32(o->snap.head + 4, capy_snap_len(&o->snap));
    capy_mig_origin_frozen(o, &env);
    pump(h, f);
}

static void start_migration(struct host *h, unsigned f)
{
    struct capy_mig_env env = env_of(h);
    struct capy_flow_key key = key_of(f);
    uint16_t target = (uint16_t)capy_prng_below(&w.prng, HOSTS + 1);
    if (target == h->id || target == HOSTS)
        target = CAPY_SERVER_ANY;
    capy_mig_origin_start(&h->origin[f], &env, &key,
                          (h->incarnation & 0xffffffffu) << 32 | ++h->next_mig,
                          h->copy[f].epoch + 1u, target);
    h->origin[f].local_port = h->copy[f].port;
    h->origin_on[f] = true;
    h->freeze_at[f] = 0;
    pump(h, f);
}

static void send_one(struct host *h, uint8_t *frame, size_t n)
{
    if (n > 0)
        send_mig(h, frame, n);
}

static void input_prepare(struct host *h, unsigned f, const struct capy_mig_msg *m)
{
    struct capy_mig_env env = env_of(h);
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_mig_record *r;
    if (h->target_on[f] && h->target[f].mig_id == m->mig_id) {
        host_act(h, f, capy_mig_target_input(&h->target[f], &env, m));
        return;
    }
    if (h->origin_on[f])
        host_act(h, f, capy_mig_origin_input(&h->origin[f], &env, m));
    r = capy_mig_memory_find(&h->memory, &m->key);
    if (r && r->imported_id == m->mig_id)
        return;
    bool refused = r && m->epoch <= r->refused_epoch;
    if (refused || h->copy[f].state != COPY_NONE || h->target_on[f] || !lease_holds(h) ||
        w.now < h->booted_at + CAPY_MIG_QUIET_NS) {
        r = capy_mig_memory_touch(&h->memory, &m->key, w.now);
        r->refused_epoch = capy_max32(r->refused_epoch, m->epoch);
        send_one(h, frame, capy_mig_refusal(&env, m, CAPY_REASON_CLASH, msg_at(frame)));
        return;
    }
    bool home = f % HOSTS == h->id;
    capy_mig_target_start(&h->target[f], &env, m, home ? 80 : (uint16_t)(MIG_PORT_FIRST + f));
    h->target_on[f] = true;
    h->slot_boot[f] = h->switch_boot;
    pump(h, f);
}

static void input_state(struct host *h, unsigned f, const struct capy_mig_msg *m)
{
    struct capy_mig_env env = env_of(h);
    uint8_t frame[CAPY_FRAME_MAX];
    if (h->target_on[f] && h->target[f].mig_id == m->mig_id) {
        host_act(h, f, capy_mig_target_input(&h->target[f], &env, m));
        return;
    }
    struct capy_mig_record *r = capy_mig_memory_touch(&h->memory, &m->key, w.now);
    if (r->imported_id == m->mig_id && r->imported_epoch == m->epoch) {
        send_one(h, frame, capy_mig_repeat_ack(&env, m, msg_at(frame)));
        return;
    }
    r->refused_epoch = capy_max32(r->refused_epoch, m->epoch);
    send_one(h, frame, capy_mig_refusal(&env, m, CAPY_REASON_UNKNOWN_FLOW, msg_at(frame)));
}

/* The switch's answer to "what is this flow": still not ours? Then exactly that epoch is given up. */
static void input_unknown_answer(struct host *h, unsigned f, const struct capy_mig_msg *m)
{
    struct capy_mig_env env = env_of(h);
    uint8_t frame[CAPY_FRAME_MAX];
    if (m->verdict != CAPY_VERDICT_STALE || m->owner != h->id || m->entry_epoch == 0 ||
        m->epoch != m->entry_epoch || h->copy[f].state != COPY_NONE || h->target_on[f])
        return;
    struct capy_mig_record *r = capy_mig_memory_touch(&h->memory, &m->key, w.now);
    r->refused_epoch = capy_max32(r->refused_epoch, m->epoch);
    send_one(h, frame, capy_mig_unknown_flow(&env, &m->key, m->epoch, msg_at(frame)));
}

static void input_announce_answer(struct host *h, unsigned f, const struct capy_mig_msg *m)
{
    struct copy *c = &h->copy[f];
    if (m->verdict == CAPY_VERDICT_OK && m->epoch == c->epoch) {
        c->announced = true;
        if (c->state == COPY_SUSPENDED && m->mig_id > c->suspended_at && lease_holds(h))
            c->state = COPY_RUNNING;
    } else if (m->verdict == CAPY_VERDICT_STALE && !h->origin_on[f] &&
               (c->state == COPY_RUNNING || c->state == COPY_SUSPENDED) &&
               m->entry_epoch > c->epoch) {
        if (m->owner == h->id && m->phase == CAPY_PHASE_SETTLED)
            c->epoch = m->entry_epoch; /* burned behind our back */
        else if (m->owner != h->id && m->phase == CAPY_PHASE_SETTLED)
            c->state = COPY_NONE; /* taken for dead, and replaced */
    }
}

static void input_beat_answer(struct host *h, const struct capy_mig_msg *m)
{
    struct capy_mig_heartbeat_ack ack;
    assert_true(capy_mig_heartbeat_ack_load(m->payload, m->length, &ack));
    if (m->mig_id < h->booted_at)
        return; /* answers a HEARTBEAT of our former life */
    h->lease_until = capy_max64(h->lease_until, m->mig_id + DEAD_NS);
    if (ack.switch_boot == h->switch_boot)
        return;
    h->switch_boot = ack.switch_boot;
    for (unsigned f = 0; f < FLOWS; f++) {
        h->copy[f].announced = h->copy[f].epoch == 0;
        h->copy[f].announce_at = w.now;
    }
}

static void host_mig(struct host *h, const struct capy_mig_msg *m)
{
    struct capy_mig_env env = env_of(h);
    if (m->type == CAPY_MIG_HEARTBEAT_ACK) {
        input_beat_answer(h, m);
        return;
    }
    int found = flow_of(&m->key);
    if (found < 0)
        return;
    unsigned f = (unsigned)found;
    bool ours = m->origin == h->id; /* bounced, or for the origin */
    switch ((enum capy_mig_type)m->type) {
    case CAPY_MIG_PREPARE_MIG:
        if (!ours) {
            input_prepare(h, f, m);
            return;
        }
        break;
    case CAPY_MIG_CONN_STATE:
        if (!ours) {
            input_state(h, f, m);
            return;
        }
        break;
    case CAPY_MIG_NACK:
        if (m->mig_id == 0) {
            input_unknown_answer(h, f, m);
            return;
        }
        break;
    case CAPY_MIG_ANNOUNCE:
        input_announce_answer(h, f, m);
        return;
    case CAPY_MIG_PREPARE_MIG_ACK:
    case CAPY_MIG_CONN_STATE_ACK:
    case CAPY_MIG_CANCEL:
    case CAPY_MIG_HEARTBEAT:
    case CAPY_MIG_HEARTBEAT_ACK:
    case CAPY_MIG_FLOW_CLOSED:
    case CAPY_MIG_TYPE_END:
        break;
    }
    if (ours && h->origin_on[f])
        host_act(h, f, capy_mig_origin_input(&h->origin[f], &env, m));
    else if (!ours && h->target_on[f])
        host_act(h, f, capy_mig_target_input(&h->target[f], &env, m));
}

static void host_tcp(struct host *h, uint8_t *frame, size_t len, const struct capy_packet *p)
{
    struct capy_mig_env env = env_of(h);
    unsigned f = (unsigned)p->src_port - 5000u;
    struct capy_mac self = mac_of(h->id + 1u), tor = mac_of(100);
    if (f >= FLOWS || p->tcp.flags & CAPY_TCP_RST)
        return;
    struct capy_flow_key key = key_of(f);
    struct copy *c = &h->copy[f];
    if (c->state == COPY_RUNNING && c->port == p->dst_port) {
        w.newest[f] = ++c->counter;
        send_tcp(h->id, &self, &p->src_mac, p->dst, p->dst_port, p->src, p->src_port);
    } else if (h->target_on[f]) {
        (void)capy_mig_target_hold(&h->target[f], &env, frame, len);
    } else if (c->state == COPY_FROZEN) {
        /* Not repeated by the network: repeats of repeats would grow without bound in 64 hops. */
        if (capy_frame_readdress(frame, len, &tor, &self, &key.home, key.home_port))
            transmit(h->id, true, frame, len, true);
    } else if (c->state == COPY_NONE && p->dst_port >= MIG_PORT_FIRST) {
        uint8_t query[CAPY_FRAME_MAX];
        key.home = p->dst;
        key.home_port = p->dst_port;
        send_one(h, query, capy_mig_unknown_flow(&env, &key, 0, msg_at(query)));
    }
}

static void host_input(struct host *h, uint8_t *frame, size_t len)
{
    struct capy_packet p;
    struct capy_mig_msg m;
    if (capy_frame_parse(frame, len, &p) != CAPY_DROP_NONE)
        fail_msg("seed %llu: the switch sent a broken frame", (unsigned long long)w.seed);
    struct capy_ip self = ip_of(h->id + 1u);
    if (!capy_ip_eq(&p.dst, &self))
        return; /* flooded */
    if (p.kind == CAPY_PACKET_TCP) {
        host_tcp(h, frame, len, &p);
    } else if (p.kind == CAPY_PACKET_UDP) {
        assert_int_equal(capy_mig_parse(p.udp.data, p.udp.data_len, RACK_KEY, &m), CAPY_MIG_GOOD);
        host_mig(h, &m);
    }
}

/* ---- time ---- */

static void host_beat(struct host *h)
{
    struct capy_mig_env env = env_of(h);
    uint8_t frame[CAPY_FRAME_MAX];
    const struct capy_mig_heartbeat beat = {
        .free_cnt = 100, .incarnation = h->incarnation, .switch_boot = h->switch_boot};
    send_one(h, frame, capy_mig_heartbeat_build(&env, &beat, msg_at(frame)));
    h->beat_at = w.now + BEAT_NS;
}

/* Whoever lost its lease may have been replaced: nothing that migrated may run unasked. */
static void suspend_all(struct host *h)
{
    for (unsigned f = 0; f < FLOWS; f++) {
        struct copy *c = &h->copy[f];
        if (c->state != COPY_RUNNING || c->epoch == 0)
            continue;
        c->state = COPY_SUSPENDED;
        c->suspended_at = w.now;
        c->announced = false;
        c->announce_at = w.now + 1;
        w.hurt[f] = true;
    }
}

static void announce(struct host *h, unsigned f)
{
    struct capy_mig_env env = env_of(h);
    struct capy_flow_key key = key_of(f);
    struct copy *c = &h->copy[f];
    uint8_t frame[CAPY_FRAME_MAX];
    send_one(
        h, frame,
        capy_mig_announce(&env, &key, c->epoch, c->port, c->state == COPY_FROZEN, msg_at(frame)));
    c->announce_at = w.now + CAPY_MS(5);
}

static bool owes_announce(const struct host *h, unsigned f)
{
    return h->copy[f].state != COPY_NONE && !h->copy[f].announced && h->switch_boot != 0;
}

static uint64_t host_next_at(const struct host *h)
{
    uint64_t at = h->beat_at;
    if (lease_holds(h))
        at = capy_min64(at, h->lease_until);
    for (unsigned f = 0; f < FLOWS; f++) {
        if (h->origin_on[f])
            at = capy_min64(at, capy_mig_origin_next_at(&h->origin[f]));
        if (h->target_on[f])
            at = capy_min64(at, capy_mig_target_next_at(&h->target[f]));
        if (h->origin_on[f] && h->freeze_at[f])
            at = capy_min64(at, h->freeze_at[f]);
        if (owes_announce(h, f))
            at = capy_min64(at, h->copy[f].announce_at);
    }
    return at;
}

static void host_expire(struct host *h)
{
    struct capy_mig_env env = env_of(h);
    if (w.now >= h->beat_at)
        host_beat(h);
    if (!lease_holds(h))
        suspend_all(h);
    for (unsigned f = 0; f < FLOWS; f++) {
        if (h->origin_on[f] && h->freeze_at[f] && w.now >= h->freeze_at[f])
            freeze(h, f);
        if (h->origin_on[f])
            host_act(h, f, capy_mig_origin_expire(&h->origin[f], &env));
        if (h->target_on[f])
            host_act(h, f, capy_mig_target_expire(&h->target[f], &env));
        if (owes_announce(h, f) && w.now >= h->copy[f].announce_at)
            announce(h, f);
        if (!w.calm && h->copy[f].state == COPY_RUNNING && !h->origin_on[f] && !h->target_on[f] &&
            capy_prng_chance(&w.prng, 200000))
            start_migration(h, f);
    }
}

#endif
