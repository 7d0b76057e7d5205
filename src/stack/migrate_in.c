/* The target side of a move: admission, the place that is kept for the arriving connection so that
 * its frames find the hold buffer, the import, and giving back what did not come to be. */
#include "stack/host.h"

/* Blocks that must be free to admit a flow: its first frames and a typical CONN_STATE. */
#define ADMIT_BLOCKS 16u

void capy_target_init(struct capy_stack *s, struct capy_arena *a)
{
    uint32_t cnt = s->cfg.migrate_max;
    s->targets = capy_arena_take(a, cnt, sizeof *s->targets);
    capy_pool_init(&s->target_pool, a, cnt);
    capy_mig_pace_init(&s->target_pace, &s->cfg.mig);
    if (a->base)
        memset(s->targets, 0, cnt * sizeof *s->targets);
}

static void enqueue(struct capy_stack *s, uint32_t i)
{
    if (!s->targets[i].out_queued)
        capy_list_push_tail(&s->target_out, i);
    s->targets[i].out_queued = true;
}

static void settle(struct capy_stack *s, uint32_t i)
{
    struct capy_target_slot *t = &s->targets[i];
    uint64_t at = capy_mig_target_next_at(&t->mig);
    if (at <= s->now)
        enqueue(s, i);
    else
        capy_wheel_hurry(&s->wheel, s->target_clocks + i, at);
}

static void free_slot(struct capy_stack *s, uint32_t i)
{
    struct capy_target_slot *t = &s->targets[i];
    const struct capy_mig_env *env = capy_mig_env(s);
    if (t->out_queued)
        capy_list_remove(&s->target_out, i);
    capy_mig_target_free(&t->mig, env);
    t->out_queued = t->used = false;
    capy_pool_give(&s->target_pool, i);
}

/* ---- memory ---- */

struct capy_mig_record *capy_record_of(struct capy_stack *s, const struct capy_flow_key *key)
{
    struct capy_mig_record *r = capy_mig_memory_find(&s->memory, key);
    return r && s->now - r->touched_at <= CAPY_RECORD_LIFE_NS ? r : NULL;
}

void capy_refuse_note(struct capy_stack *s, const struct capy_flow_key *key, uint32_t epoch)
{
    struct capy_mig_record *r = capy_mig_memory_touch(&s->memory, key, s->now);
    r->refused_epoch = capy_max32(r->refused_epoch, epoch);
}

static void refuse(struct capy_stack *s, const struct capy_mig_msg *msg, enum capy_mig_reason why)
{
    const struct capy_mig_env *env = capy_mig_env(s);
    s->count.refused_by_reason[why]++;
    capy_refuse_note(s, &msg->key, msg->epoch);
    uint8_t *frame = capy_control_reserve(s);
    if (frame)
        capy_control_commit(
            s, capy_rack_wrap(s, frame, capy_mig_refusal(env, msg, why, capy_rack_at(s, frame))));
}

/* ---- the place that is kept ---- */

/* The slot is over but for its held frames, which go back on the wire for whoever owns the flow. */
static void drop(struct capy_stack *s, uint32_t i)
{
    struct capy_target_slot *t = &s->targets[i];
    uint32_t idx = t->conn;
    capy_refuse_note(s, &t->mig.key, t->mig.epoch);
    s->conns[idx].slot = CAPY_NONE;
    capy_conn_strip(s, idx);
    capy_conn_reap(s, idx);
    t->conn = CAPY_NONE;
    t->emptying = true;
    enqueue(s, i);
}

void capy_target_hold(struct capy_stack *s, uint32_t conn, const uint8_t *frame, size_t len)
{
    const struct capy_mig_env *env = capy_mig_env(s);
    struct capy_target_slot *t = &s->targets[s->conns[conn].slot];
    if (capy_mig_target_hold(&t->mig, env, frame, len))
        s->count.held_frames++;
    else
        s->count.hold_drops++;
}

/* ---- import ---- */

/* What came while the state was on its way, in the order in which it came. */
static void replay(struct capy_stack *s, uint32_t i)
{
    const struct capy_mig_env *env = capy_mig_env(s);
    struct capy_packet p;
    size_t len;
    while ((len = capy_mig_target_unhold(&s->targets[i].mig, env, s->scratch)) > 0)
        if (capy_frame_parse(s->scratch, len, &p) == CAPY_DROP_NONE)
            capy_receive_tcp(s, &p, s->scratch, len);
}

static enum capy_mig_reason restore(struct capy_stack *s, struct capy_target_slot *t,
                                    struct capy_listener **listener)
{
    struct capy_conn *c = &s->conns[t->conn];
    struct capy_tcp_env env = capy_env_with(s, &c->remote);
    struct capy_snap_meta meta;
    *listener = capy_listener_of_arrival(s, c->opened, c->home_port);
    if (!*listener) /* it stopped listening since */
        return CAPY_REASON_NO_SERVICE;
    if (s->tor.lease_until == CAPY_NEVER) /* taken for dead: not a place to go to */
        return CAPY_REASON_HOLD_EXPIRED;
    const struct capy_snap_source source = capy_mig_target_source(&t->mig);
    if (capy_snap_source_version(&source, env.blocks) != CAPY_SNAP_VERSION)
        return CAPY_REASON_VERSION;
    int rc = capy_snap_restore(&source, t->mig.total, &c->tcb, &env, &meta, &c->app);
    if (rc != CAPY_OK)
        return rc == CAPY_E_NOMEM ? CAPY_REASON_FULL : CAPY_REASON_BAD_STATE;
    c->app_len = meta.app_len;
    c->user_flags = meta.user_flags;
    c->next_hop = meta.next_hop;
    c->has_next_hop =
        !capy_mac_eq(&meta.next_hop, &(struct capy_mac){{0}}); /* a kernel told none */
    if (!s->foreign || capy_foreign_arrive(s, t->conn))
        return CAPY_REASON_NONE;
    capy_tcp_free(&c->tcb, &env);
    capy_stream_clear(&c->app, &s->blocks);
    return CAPY_REASON_BAD_STATE;
}

/* Writes what the slot owes now; a finished one is done with it. */
static void speak(struct capy_stack *s, uint32_t i)
{
    const struct capy_mig_env *env = capy_mig_env(s);
    uint8_t *frame = capy_control_reserve(s);
    if (frame)
        capy_control_commit(s, capy_rack_wrap(s, frame,
                                              capy_mig_target_output(&s->targets[i].mig, env,
                                                                     capy_rack_at(s, frame))));
    settle(s, i);
}

static void import(struct capy_stack *s, uint32_t i)
{
    struct capy_target_slot *t = &s->targets[i];
    uint32_t idx = t->conn;
    struct capy_conn *c = &s->conns[idx];
    const struct capy_mig_env *env = capy_mig_env(s);
    struct capy_listener *listener;
    enum capy_mig_reason why = restore(s, t, &listener);
    if (why != CAPY_REASON_NONE) {
        capy_mig_target_refuse(&t->mig, env, why);
        return;
    }
    c->mode = CAPY_CONN_RUNNING;
    c->slot = t->conn = CAPY_NONE;
    c->known = true;
    c->user = listener->user;
    capy_conn_set_epoch(s, idx, t->mig.epoch);
    if (t->boot != s->tor.boot) /* the commit may have passed the switch before it rebooted */
        capy_announce_again(s, idx);
    struct capy_mig_record *r = capy_mig_memory_touch(&s->memory, &t->mig.key, s->now);
    r->imported_epoch = t->mig.epoch;
    r->imported_id = t->mig.mig_id;
    r->left_epoch = 0; /* it is back, if it was here before */
    s->count.migrations_in++;
    bool readable = capy_tcp_readable(&c->tcb) > 0 || capy_tcp_at_fin(&c->tcb);
    capy_post(s, idx, CAPY_EV_ACCEPTED | CAPY_EV_MIGRATED_IN | (readable ? CAPY_EV_READABLE : 0));
    capy_conn_arrived(s, idx);
    capy_mig_target_imported(&t->mig, env);
    speak(s, i);
    replay(s, i);
    if (!t->out_queued)
        free_slot(s, i);
}

/* ---- messages ---- */

static void act(struct capy_stack *s, uint32_t i, enum capy_mig_action action)
{
    struct capy_target_slot *t = &s->targets[i];
    if (action == CAPY_MIG_DO_IMPORT)
        import(s, i);
    if (t->used && t->mig.phase == CAPY_TARGET_NACKING && !t->refused_noted) {
        t->refused_noted = true; /* refused just now, whoever decided so */
        s->count.refused_by_reason[t->mig.reason]++;
        capy_refuse_note(s, &t->mig.key, t->mig.epoch);
    }
    if (action == CAPY_MIG_DO_DROP)
        drop(s, i);
    else if (t->used && t->conn != CAPY_NONE)
        settle(s, i);
}

/* A local port that makes (client, client port, our address, port) unique; 0: none is left. Away from
 * home another one in each epoch, so that the switch tells late segments of an earlier stay here from
 * this one's (CAPY_ENTRY_SERVED). */
static uint16_t choose_port(struct capy_stack *s, const struct capy_flow_key *key, uint16_t home,
                            uint32_t epoch)
{
    bool keeps = capy_is_opened_port(s, key->home_port);
    if (keeps || home == s->cfg.self) {
        bool taken =
            capy_demux_find(s, &key->client, key->client_port, key->home_port) != CAPY_NONE;
        return taken ? 0 : key->home_port;
    }
    uint32_t offset = (uint32_t)capy_mig_memory_hash(&s->memory, key) % s->cfg.mig_port_cnt + epoch;
    for (uint32_t n = 0; n < s->cfg.mig_port_cnt; n++) {
        uint16_t port = (uint16_t)(s->cfg.mig_port_first + (offset + n) % s->cfg.mig_port_cnt);
        if (capy_demux_find(s, &key->client, key->client_port, port) == CAPY_NONE)
            return port;
    }
    return 0;
}

static enum capy_mig_reason may_admit(struct capy_stack *s, const struct capy_mig_msg *msg,
                                      const struct capy_mig_record *r, uint16_t home,
                                      uint16_t *port)
{
    if (!capy_takes_migrations(s))
        return CAPY_REASON_DRAINING;
    const struct capy_net *net = capy_net_of(s, &msg->key.client);
    if (net->on && capy_ip_eq(&msg->key.client, &net->ip)) /* its other end's address is ours */
        return CAPY_REASON_CLASH;
    if (!net->on || capy_version_of(&msg->key.client) != capy_version_of(&msg->key.home) ||
        home == CAPY_SERVER_ANY ||
        !capy_listener_of_arrival(s, msg->flags & CAPY_MIG_FLAG_OPENED, msg->key.home_port))
        return CAPY_REASON_NO_SERVICE;
    if (s->target_pool.free_cnt == 0 || s->blocks.pool.free_cnt < ADMIT_BLOCKS)
        return CAPY_REASON_FULL;
    *port = choose_port(s, &msg->key, home, msg->epoch);
    if (*port == 0 || (r && r->refused_epoch >= msg->epoch))
        return CAPY_REASON_CLASH;
    if (s->conn_pool.free_cnt == 0 && !capy_age_recycle(s))
        return CAPY_REASON_FULL;
    return CAPY_REASON_NONE;
}

static void admit(struct capy_stack *s, const struct capy_mig_msg *msg, uint16_t home,
                  uint16_t port)
{
    const struct capy_mig_env *env = capy_mig_env(s);
    uint32_t idx = capy_conn_take(s), i = capy_pool_take(&s->target_pool);
    struct capy_conn *c = &s->conns[idx];
    struct capy_target_slot *t = &s->targets[i];
    c->mode = CAPY_CONN_ARRIVING;
    c->slot = i;
    c->remote = msg->key.client;
    c->remote_port = msg->key.client_port;
    c->local_port = port;
    c->home = home;
    c->home_port = msg->key.home_port;
    c->opened = (msg->flags & CAPY_MIG_FLAG_OPENED) != 0;
    capy_demux_insert(s, idx);
    t->used = true;
    t->emptying = t->refused_noted = false;
    t->conn = idx;
    t->boot = s->tor.boot;
    capy_closed_forget(s, &msg->key);
    capy_mig_target_start(&t->mig, env, msg, port);
    speak(s, i);
}

/* A flow that we know already. True: nothing more to do. */
static bool known_flow(struct capy_stack *s, uint32_t idx, const struct capy_mig_msg *msg)
{
    const struct capy_mig_env *env = capy_mig_env(s);
    struct capy_conn *c = &s->conns[idx];
    if (c->mode == CAPY_CONN_ARRIVING) {
        struct capy_target_slot *t = &s->targets[c->slot];
        if (msg->epoch > t->mig.epoch) { /* the older attempt was burned: make place */
            drop(s, c->slot);
            return false;
        }
        act(s, c->slot, capy_mig_target_input(&t->mig, env, msg));
        return true;
    }
    if (c->mode == CAPY_CONN_FROZEN) {
        capy_origin_overtaken(s, idx, msg);
        return capy_demux_find_key(s, &msg->key) != CAPY_NONE; /* still here: an old message */
    }
    if (c->mode == CAPY_CONN_SUSPENDED && msg->epoch > c->epoch) {
        capy_announce_replaced(s, idx); /* it went on without us, and comes to us now */
        return false;
    }
    if (msg->epoch != c->epoch) /* equal: a repeat of what brought it here */
        refuse(s, msg, CAPY_REASON_CLASH);
    return true;
}

/* A repeat of the move that brought the flow here: answering it with a refusal would give the flow
 * back. (All other epochs the switch refuses itself.) */
static bool is_past(const struct capy_mig_record *r, const struct capy_mig_msg *msg)
{
    return r && r->imported_epoch == msg->epoch && r->imported_id == msg->mig_id;
}

void capy_target_prepare(struct capy_stack *s, const struct capy_mig_msg *msg)
{
    uint16_t port = 0, home = capy_peer_of(s, &msg->key.home);
    uint32_t idx = capy_demux_find_at(s, &msg->key, home);
    if (idx != CAPY_NONE && known_flow(s, idx, msg))
        return;
    const struct capy_mig_record *r = capy_record_of(s, &msg->key);
    if (is_past(r, msg))
        return;
    enum capy_mig_reason why = may_admit(s, msg, r, home, &port);
    if (why == CAPY_REASON_NONE)
        admit(s, msg, home, port);
    else
        refuse(s, msg, why);
}

/* CONN_STATE without a slot: the final acknowledgement was lost, or we know nothing of it (any
 * more) and the origin may have it back. Once per pass: at its last fragment. */
static void state_without_slot(struct capy_stack *s, uint32_t idx, const struct capy_mig_msg *msg)
{
    const struct capy_mig_env *env = capy_mig_env(s);
    if (msg->offset + msg->length != msg->total)
        return;
    bool ours = is_past(capy_record_of(s, &msg->key), msg) ||
                (idx != CAPY_NONE && s->conns[idx].epoch == msg->epoch &&
                 s->conns[idx].mode != CAPY_CONN_ARRIVING);
    if (ours) {
        uint8_t *frame = capy_control_reserve(s);
        if (frame)
            capy_control_commit(
                s, capy_rack_wrap(s, frame, capy_mig_repeat_ack(env, msg, capy_rack_at(s, frame))));
        return;
    }
    refuse(s, msg, CAPY_REASON_HOLD_EXPIRED);
}

void capy_target_message(struct capy_stack *s, const struct capy_mig_msg *msg)
{
    const struct capy_mig_env *env = capy_mig_env(s);
    uint32_t idx = capy_demux_find_key(s, &msg->key);
    if (idx != CAPY_NONE && s->conns[idx].mode == CAPY_CONN_ARRIVING) {
        struct capy_target_slot *t = &s->targets[s->conns[idx].slot];
        if (t->mig.mig_id == msg->mig_id && t->mig.epoch == msg->epoch) {
            act(s, s->conns[idx].slot, capy_mig_target_input(&t->mig, env, msg));
            return;
        }
    }
    if (msg->type == CAPY_MIG_CONN_STATE)
        state_without_slot(s, idx, msg);
}

/* As capy_origin_timer. */
void capy_target_timer(struct capy_stack *s, uint32_t i)
{
    const struct capy_mig_env *env = capy_mig_env(s);
    const struct capy_target_slot *t = &s->targets[i];
    if (t->used && !t->emptying)
        act(s, i, capy_mig_target_expire(&s->targets[i].mig, env));
}

/* ---- output ---- */

/* The next held frame on its way back; 0 when the last one left and the slot is free. */
static size_t send_held(struct capy_stack *s, uint32_t i, uint8_t *frame)
{
    struct capy_target_slot *t = &s->targets[i];
    const struct capy_mig_env *env = capy_mig_env(s);
    uint16_t home = capy_peer_of(s, &t->mig.key.home);
    size_t len;
    while ((len = capy_mig_target_unhold(&t->mig, env, frame)) > 0) {
        if (capy_readdress_home(s, frame, len, &t->mig.key.client, home, t->mig.key.home_port)) {
            enqueue(s, i);
            return len;
        }
    }
    free_slot(s, i);
    return 0;
}

size_t capy_target_send(struct capy_stack *s, uint8_t *frame)
{
    if (s->target_out.cnt == 0) /* nearly always: a turn asks many times */
        return 0;
    const struct capy_mig_env *env = capy_mig_env(s);
    uint32_t i;
    while ((i = capy_list_pop_head(&s->target_out)) != CAPY_NONE) {
        struct capy_target_slot *t = &s->targets[i];
        size_t len;
        t->out_queued = false;
        if (t->emptying) {
            len = send_held(s, i, frame);
        } else {
            bool done = t->mig.phase == CAPY_TARGET_DONE;
            len = capy_rack_wrap(s, frame,
                                 capy_mig_target_output(&t->mig, env, capy_rack_at(s, frame)));
            if (done)
                free_slot(s, i);
            else
                act(s, i, capy_mig_target_expire(&t->mig, env));
        }
        if (len > 0)
            return len;
    }
    return 0;
}
