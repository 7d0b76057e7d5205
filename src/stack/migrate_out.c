/* The origin side of a move, as the host carries it out: a slot per migration that runs the TCPMig
 * state machine (src/mig), the questions to the application, the freeze and what follows it.
 *
 *   capy_stack_migrate -> PREPARE_MIG ... granted -> MIGRATE_ASK -> capy_stack_release -> frozen
 *     -> CONN_STATE ... acknowledged -> the connection is freed here (MIGRATED_OUT)
 *     -> anything else               -> it goes on as before (MIGRATE_KEPT) */
#include "stack/host.h"

void capy_origin_init(struct capy_stack *s, struct capy_arena *a)
{
    uint32_t cnt = s->cfg.migrate_max;
    s->origins = capy_arena_take(a, cnt, sizeof *s->origins);
    capy_pool_init(&s->origin_pool, a, cnt);
    capy_mig_pace_init(&s->origin_pace, &s->cfg.mig);
    if (a->base)
        memset(s->origins, 0, cnt * sizeof *s->origins);
}

/* After anything happened to a slot: it may have something to say, and its timer moved. */
static void settle(struct capy_stack *s, uint32_t i)
{
    struct capy_origin_slot *o = &s->origins[i];
    uint64_t at = capy_mig_origin_next_at(&o->mig);
    if (!o->out_queued && at <= s->now) {
        o->out_queued = true;
        capy_list_push_tail(&s->origin_out, i);
    }
    /* What is due now is the output's business, which settles again. */
    if (at > s->now)
        capy_wheel_hurry(&s->wheel, s->origin_clocks + i, at);
}

static void free_slot(struct capy_stack *s, uint32_t i)
{
    struct capy_origin_slot *o = &s->origins[i];
    if (o->out_queued)
        capy_list_remove(&s->origin_out, i);
    s->conns[o->conn].slot = CAPY_NONE;
    s->conns[o->conn].asked = false;
    o->out_queued = o->used = false;
    capy_pool_give(&s->origin_pool, i);
}

/* The first message of a step goes out with the step itself. */
static void speak(struct capy_stack *s, uint32_t i)
{
    const struct capy_mig_env *env = capy_mig_env(s);
    uint8_t *frame = capy_control_reserve(s);
    if (frame)
        capy_control_commit(s, capy_rack_wrap(s, frame,
                                              capy_mig_origin_output(&s->origins[i].mig, env,
                                                                     capy_rack_at(s, frame))));
    settle(s, i);
}

/* ---- what the state machine asks for ---- */

static void granted(struct capy_stack *s, uint32_t i)
{
    struct capy_origin_slot *o = &s->origins[i];
    struct capy_conn *c = &s->conns[o->conn];
    if (c->mode != CAPY_CONN_RUNNING || !c->known ||
        !capy_conn_synchronized(c)) { /* nobody to ask */
        const struct capy_mig_env *env = capy_mig_env(s);
        capy_mig_origin_veto(&o->mig, env);
        return;
    }
    c->asked = true;
    capy_post(s, o->conn, CAPY_EV_MIGRATE_ASK);
}

/* It stays; everything that had to wait goes on. */
static void resume(struct capy_stack *s, uint32_t i)
{
    struct capy_origin_slot *o = &s->origins[i];
    uint32_t idx = o->conn, epoch = o->mig.epoch_after;
    struct capy_conn *c = &s->conns[idx];
    uint8_t reason = o->mig.reason, verdict = o->mig.verdict;
    s->count.kept_by_reason[reason < CAPY_REASON_CNT ? reason : 0]++;
    s->count.kept_by_verdict[verdict < CAPY_VERDICT_CNT ? verdict : 0]++;
    free_slot(s, i);
    if (c->mode == CAPY_CONN_ENDED) { /* it ended while the move was being arranged */
        struct capy_flow_key key = capy_conn_key(s, c);
        if (epoch > 0)
            capy_closed_owe(s, &key, epoch, c->local_port);
        capy_demux_remove(s, idx);
        capy_conn_reap(s, idx);
        return;
    }
    if (c->mode == CAPY_CONN_FROZEN) {
        c->mode = CAPY_CONN_RUNNING;
        capy_stack_drop_app(s, c);
        if (s->foreign)
            capy_foreign_stay(s, idx);
    }
    capy_conn_set_epoch(s, idx, epoch);
    if (c->tcb.state == CAPY_TCP_TIME_WAIT && epoch > 0) {
        /* The client may have begun anew under this name, and CANCEL made an entry that says we own
         * it: the switch hears at once that we do not, instead of when TIME-WAIT is over. */
        struct capy_flow_key key = capy_conn_key(s, c);
        capy_closed_owe(s, &key, epoch, c->local_port);
    }
    c->reason = reason;
    c->verdict = verdict;
    c->events &= (uint16_t)~CAPY_EV_MIGRATE_ASK;
    capy_post(s, idx, CAPY_EV_MIGRATE_KEPT);
    capy_conn_settle(s, idx);
}

/* It lives elsewhere now. */
static void let_go(struct capy_stack *s, uint32_t i)
{
    struct capy_origin_slot *o = &s->origins[i];
    uint32_t idx = o->conn;
    CAPY_ASSERT(s->conns[idx].mode == CAPY_CONN_FROZEN);
    struct capy_mig_record *r = capy_mig_memory_touch(&s->memory, &o->mig.key, s->now);
    r->left_epoch = o->mig.epoch;
    r->left_to = o->mig.target;
    r->left_port = o->mig.target_port;
    s->count.migrations_out++;
    free_slot(s, i);
    capy_conn_strip(s, idx);
    capy_post(s, idx, CAPY_EV_MIGRATED_OUT);
    capy_conn_reap(s, idx);
}

static void act(struct capy_stack *s, uint32_t i, enum capy_mig_action action)
{
    switch (action) {
    case CAPY_MIG_DO_FREEZE:
        granted(s, i);
        settle(s, i);
        break;
    case CAPY_MIG_DO_RESUME:
        resume(s, i);
        break;
    case CAPY_MIG_DO_RELEASE:
        let_go(s, i);
        break;
    case CAPY_MIG_DO_NOTHING:
    case CAPY_MIG_DO_IMPORT:
    case CAPY_MIG_DO_DROP:
        settle(s, i);
        break;
    }
}

/* ---- messages and time ---- */

/* Ids: our incarnation, then the slot's number in the low bits by remainder. */
static uint64_t next_id(struct capy_stack *s, uint32_t i)
{
    uint32_t low = s->origins[i].round++ * s->cfg.migrate_max + i;
    return (uint64_t)s->cfg.incarnation << 32 | low;
}

bool capy_origin_message(struct capy_stack *s, const struct capy_mig_msg *msg)
{
    const struct capy_mig_env *env = capy_mig_env(s);
    uint32_t i = (uint32_t)msg->mig_id % s->cfg.migrate_max;
    const struct capy_origin_slot *o = &s->origins[i];
    if (!o->used || o->mig.mig_id != msg->mig_id || !capy_flow_key_eq(&o->mig.key, &msg->key))
        return false;
    act(s, i, capy_mig_origin_input(&s->origins[i].mig, env, msg));
    return true;
}

void capy_origin_overtaken(struct capy_stack *s, uint32_t conn, const struct capy_mig_msg *msg)
{
    const struct capy_mig_env *env = capy_mig_env(s);
    uint32_t i = s->conns[conn].slot;
    act(s, i, capy_mig_origin_input(&s->origins[i].mig, env, msg));
}

void capy_origin_conn_ended(struct capy_stack *s, uint32_t i)
{
    struct capy_conn *c = &s->conns[s->origins[i].conn];
    if (c->asked)
        capy_origin_veto(s, s->origins[i].conn);
}

void capy_origin_veto(struct capy_stack *s, uint32_t conn)
{
    const struct capy_mig_env *env = capy_mig_env(s);
    struct capy_conn *c = &s->conns[conn];
    c->asked = false;
    c->events &= (uint16_t)~CAPY_EV_MIGRATE_ASK;
    if (s->origins[c->slot].mig.phase != CAPY_ORIGIN_GRANTED)
        return; /* the time to answer was over already */
    capy_mig_origin_veto(&s->origins[c->slot].mig, env);
    settle(s, c->slot);
}

/* Of a slot in use or not: most migrations end long before, and nobody stops their timers. */
void capy_origin_timer(struct capy_stack *s, uint32_t i)
{
    const struct capy_mig_env *env = capy_mig_env(s);
    if (s->origins[i].used)
        act(s, i, capy_mig_origin_expire(&s->origins[i].mig, env));
}

size_t capy_origin_send(struct capy_stack *s, uint8_t *frame)
{
    if (s->origin_out.cnt == 0)
        return 0;
    const struct capy_mig_env *env = capy_mig_env(s);
    uint32_t i;
    while ((i = capy_list_pop_head(&s->origin_out)) != CAPY_NONE) {
        struct capy_origin_slot *o = &s->origins[i];
        o->out_queued = false;
        /* What was due but not to be sent (giving up) is looked at here as well. */
        if (capy_mig_origin_next_at(&o->mig) <= s->now)
            act(s, i, capy_mig_origin_expire(&o->mig, env));
        size_t len = capy_mig_origin_output(&o->mig, env, capy_rack_at(s, frame));
        settle(s, i);
        if (len > 0)
            return capy_rack_wrap(s, frame, len);
    }
    return 0;
}

/* ---- the application's part ---- */

int capy_stack_migrate(struct capy_stack *s, capy_handle h, uint16_t target, uint64_t now)
{
    uint32_t idx;
    capy_now_is(s, now);
    struct capy_conn *c = capy_conn_of(s, h, &idx);
    if (!c)
        return CAPY_E_BADQD;
    if (s->cfg.peer_cnt == 0 || c->mode != CAPY_CONN_RUNNING || c->slot != CAPY_NONE ||
        !capy_conn_synchronized(c))
        return CAPY_E_STATE;
    if (c->opened && !capy_is_opened_port(s, c->home_port))
        return CAPY_E_STATE; /* from a port that does not move */
    if (target != CAPY_SERVER_ANY && (target >= s->cfg.peer_cnt || target == s->cfg.self))
        return CAPY_E_INVAL;
    uint32_t i = capy_pool_take(&s->origin_pool);
    if (i == CAPY_NONE)
        return CAPY_E_NOMEM;
    const struct capy_mig_env *env = capy_mig_env(s);
    struct capy_origin_slot *o = &s->origins[i];
    uint64_t id = next_id(s, i);
    capy_probe(s, CAPY_STEP_PREPARE, id, 1);
    struct capy_flow_key key = capy_conn_key(s, c);
    o->used = true;
    o->conn = idx;
    c->slot = i;
    capy_mig_origin_start(&o->mig, env, &key, id, c->epoch + 1, target);
    o->mig.local_port = c->local_port;
    o->mig.opened = c->opened;
    speak(s, i);
    capy_probe(s, CAPY_STEP_PREPARE, id, 0);
    return CAPY_OK;
}

int capy_stack_release(struct capy_stack *s, capy_handle h, const uint8_t *app, uint32_t app_len,
                       uint64_t user_flags, uint64_t now)
{
    uint32_t idx;
    capy_now_is(s, now);
    struct capy_conn *c = capy_conn_of(s, h, &idx);
    if (!c)
        return CAPY_E_BADQD;
    if (app_len > CAPY_APP_STATE_MAX)
        return CAPY_E_INVAL;
    if (!c->asked || s->origins[c->slot].mig.phase != CAPY_ORIGIN_GRANTED)
        return CAPY_E_STATE;
    if (!capy_conn_synchronized(c)) { /* both sides closed since it asked: nothing to move */
        capy_origin_veto(s, idx);
        return CAPY_E_STATE;
    }
    struct capy_origin_slot *o = &s->origins[c->slot];
    const struct capy_mig_env *env = capy_mig_env(s);
    struct capy_tcp_env tcp_env = capy_env(s);
    capy_probe(s, CAPY_STEP_EXPORT, o->mig.mig_id, 1);
    capy_stack_drop_app(s, c);
    int rc = app_len > 0 ? capy_stream_write(&c->app, &s->blocks, 0, app, app_len) : CAPY_OK;
    if (rc == CAPY_OK && s->foreign) {
        rc = capy_foreign_leave(s, idx);
        if (rc == CAPY_E_STATE) /* as above, or half-closed */
            capy_origin_veto(s, idx);
    }
    if (rc == CAPY_OK) {
        c->app_len = app_len;
        c->user_flags = user_flags;
        c->asked = false;
        c->mode = CAPY_CONN_FROZEN;
        capy_conn_unready(s, idx);
        struct capy_snap_meta meta = {c->next_hop, app_len, user_flags};
        capy_snap_take(&o->mig.snap, &c->tcb, &tcp_env, &meta, &c->app);
        capy_mig_origin_frozen(&o->mig, env);
        speak(s, c->slot);
    }
    capy_probe(s, CAPY_STEP_EXPORT, o->mig.mig_id, 0);
    return rc;
}

int capy_stack_veto(struct capy_stack *s, capy_handle h, uint64_t now)
{
    uint32_t idx;
    capy_now_is(s, now);
    struct capy_conn *c = capy_conn_of(s, h, &idx);
    if (!c)
        return CAPY_E_BADQD;
    if (!c->asked)
        return CAPY_E_STATE;
    capy_origin_veto(s, idx);
    return CAPY_OK;
}
