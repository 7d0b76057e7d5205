/* What a server tells the switch of flows outside any migration: ANNOUNCE, that it runs a flow
 * whose epoch is above 0, and FLOW_CLOSED, that such a flow ended here.
 *
 * Announced flows are announced again in turn within announce_ns, so that their entries do not age.
 * All become unannounced when the switch has a new boot id, and when our lease ran out; those are
 * announced quickly, and again until answered.
 *
 * The lease. A switch that has not heard us for DEAD_LEASES leases takes us for dead, and may give
 * flows that moved to us back to where they came from. So by then they are suspended here: they
 * take nothing in and send nothing, until the answer to a later ANNOUNCE says that they are still
 * ours. */
#include "stack/host.h"

/* In a fast round: 100,000 flows a second, a tenth of a core at most. */
#define FAST_NS CAPY_US(10)
/* After a round, what was not answered is asked again at this pace. */
#define AGAIN_NS CAPY_MS(10)
#define DEAD_LEASES 8u /* of switch/core */
#define CLOSED_RETRY_NS CAPY_MS(20)
#define CLOSED_TRIES 6u
#define CLOSED_REPEATS 4u /* of the origin's slowest CONN_STATE, after the fast ones */

/* ---- ANNOUNCE ---- */

/* Time from one ANNOUNCE to the next; some flow is in a list. */
static uint64_t spacing(const struct capy_stack *s)
{
    if (s->tor.announce_left > 0)
        return FAST_NS;
    uint64_t round = s->cfg.announce_ns, cnt = s->announced.cnt;
    if (s->unannounced.cnt > 0) {
        round = AGAIN_NS;
        cnt = s->unannounced.cnt;
    }
    return capy_max64(round / cnt, FAST_NS);
}

static void arm(struct capy_stack *s)
{
    uint32_t clock = s->clocks + CAPY_CLOCK_ANNOUNCE;
    if (s->announced.cnt + s->unannounced.cnt == 0 || s->tor.announce_owed)
        return;
    uint64_t at = s->now + spacing(s);
    if (at < capy_wheel_at(&s->wheel, clock)) /* more flows: each one's turn comes sooner */
        capy_wheel_arm(&s->wheel, clock, at);
}

void capy_announce_add(struct capy_stack *s, uint32_t idx)
{
    s->conns[idx].announced = true; /* its entry is as new as its epoch */
    capy_list_push_tail(&s->announced, idx);
    arm(s);
}

void capy_announce_remove(struct capy_stack *s, uint32_t idx)
{
    capy_list_remove(s->conns[idx].announced ? &s->announced : &s->unannounced, idx);
}

void capy_announce_again(struct capy_stack *s, uint32_t idx)
{
    if (!s->conns[idx].announced)
        return;
    s->conns[idx].announced = false;
    capy_list_remove(&s->announced, idx);
    capy_list_push_tail(&s->unannounced, idx);
    arm(s);
}

void capy_announce_soon(struct capy_stack *s, uint32_t idx)
{
    uint32_t clock = s->clocks + CAPY_CLOCK_ANNOUNCE;
    if (!s->conns[idx].announced)
        return;
    capy_list_remove(&s->announced, idx);
    capy_list_push_head(&s->announced, idx);
    if (!s->tor.announce_owed)
        capy_wheel_arm(&s->wheel, clock,
                       capy_min64(s->now + FAST_NS, capy_wheel_at(&s->wheel, clock)));
}

static void all_unannounced(struct capy_stack *s)
{
    uint32_t idx;
    while ((idx = capy_list_pop_head(&s->announced)) != CAPY_NONE) {
        s->conns[idx].announced = false;
        capy_list_push_tail(&s->unannounced, idx);
    }
    s->tor.announce_left = s->unannounced.cnt;
    s->tor.announce_owed = s->unannounced.cnt > 0;
}

void capy_announce_new_boot(struct capy_stack *s)
{
    all_unannounced(s);
}

void capy_announce_timer(struct capy_stack *s)
{
    s->tor.announce_owed = s->announced.cnt + s->unannounced.cnt > 0;
}

static void wake(struct capy_stack *s, uint32_t idx)
{
    struct capy_conn *c = &s->conns[idx];
    c->mode = CAPY_CONN_RUNNING;
    c->want_write = false;
    if (s->foreign)
        s->foreign->go_on(s->foreign_ctx, idx);
    capy_post(s, idx, CAPY_EV_READABLE | CAPY_EV_WRITABLE);
    capy_conn_settle(s, idx);
}

/* No more to be asked about it for now. */
static void settled(struct capy_stack *s, uint32_t idx)
{
    struct capy_conn *c = &s->conns[idx];
    bool is_new = !c->announced;
    if (is_new) {
        capy_list_remove(&s->unannounced, idx);
        capy_list_push_tail(&s->announced, idx);
        c->announced = true;
    }
    if (c->mode == CAPY_CONN_SUSPENDED)
        wake(s, idx);
    if (is_new)
        capy_outage_known(s, idx);
}

/* Both sides have closed, and the peer has all that we sent, our FIN among it. Its entry goes by
 * linger, and must not be made anew: the client may begin its next connection under the same name. */
static bool is_closed(const struct capy_conn *c)
{
    return c->tcb.state == CAPY_TCP_TIME_WAIT || c->tcb.state == CAPY_TCP_CLOSED;
}

/* The head of a list goes to its tail: each flow has its turn, without a time of its own. */
size_t capy_announce_output(struct capy_stack *s, uint8_t *frame)
{
    const struct capy_mig_env *env = capy_mig_env(s);
    struct capy_list *list = s->unannounced.cnt > 0 ? &s->unannounced : &s->announced;
    uint32_t idx = capy_list_pop_head(list);
    s->tor.announce_owed = false;
    if (idx == CAPY_NONE)
        return 0;
    capy_list_push_tail(list, idx);
    if (s->tor.announce_left > 0)
        s->tor.announce_left--;
    arm(s);
    const struct capy_conn *c = &s->conns[idx];
    /* What a client has not completed is said once, to a switch that forgot it. */
    if (is_closed(c) || (c->half_open && c->announced)) {
        settled(s, idx);
        return 0;
    }
    struct capy_flow_key key = capy_conn_key(s, c);
    return capy_rack_wrap(s, frame,
                          capy_mig_announce(env, &key, c->epoch, c->local_port,
                                            c->mode == CAPY_CONN_FROZEN, capy_rack_at(s, frame)));
}

/* ---- the lease ---- */

void capy_lease_confirmed(struct capy_stack *s, uint64_t beat_at)
{
    uint64_t until = beat_at + DEAD_LEASES * s->cfg.lease_ns;
    if (until > s->now && (s->tor.lease_until == CAPY_NEVER || until > s->tor.lease_until))
        s->tor.lease_until = until;
}

static void suspend(struct capy_stack *s, uint32_t idx)
{
    struct capy_conn *c = &s->conns[idx];
    if (c->mode != CAPY_CONN_RUNNING)
        return;
    if (c->asked)
        capy_origin_veto(s, idx);
    capy_conn_unready(s, idx);
    if (s->foreign)
        s->foreign->stop(s->foreign_ctx, idx);
    c->mode = CAPY_CONN_SUSPENDED;
}

void capy_lease_lost(struct capy_stack *s)
{
    s->tor.lease_until = CAPY_NEVER;
    s->tor.suspended_at = s->now;
    all_unannounced(s);
    for (uint32_t i = s->unannounced.head; i != CAPY_NONE; i = s->conns[i].epoch_link.next)
        suspend(s, i);
}

/* ---- answers ---- */

static void still_ours(struct capy_stack *s, uint32_t idx, uint64_t asked_at)
{
    struct capy_conn *c = &s->conns[idx];
    bool leased = s->tor.lease_until != CAPY_NEVER;
    if (c->mode == CAPY_CONN_SUSPENDED && (!leased || asked_at <= s->tor.suspended_at))
        return; /* an older answer: asked again */
    settled(s, idx);
}

void capy_announce_replaced(struct capy_stack *s, uint32_t idx)
{
    capy_conn_set_epoch(s, idx, 0); /* not ours to close at the switch */
    capy_conn_end(s, idx, CAPY_EV_RESET);
}

/* STALE counts only with a settled epoch above ours, and while no migration of ours runs. */
void capy_announce_input(struct capy_stack *s, const struct capy_mig_msg *msg)
{
    uint32_t idx = msg->origin == s->cfg.self ? capy_demux_find_key(s, &msg->key) : CAPY_NONE;
    if (idx == CAPY_NONE || s->conns[idx].epoch == 0 || s->conns[idx].mode == CAPY_CONN_ENDED)
        return;
    struct capy_conn *c = &s->conns[idx];
    if (msg->verdict == CAPY_VERDICT_OK && msg->epoch == c->epoch)
        still_ours(s, idx, msg->mig_id);
    bool runs = c->mode == CAPY_CONN_RUNNING || c->mode == CAPY_CONN_SUSPENDED;
    if (msg->verdict != CAPY_VERDICT_STALE || !runs || c->slot != CAPY_NONE ||
        msg->entry_epoch <= c->epoch || msg->phase != CAPY_PHASE_SETTLED)
        return;
    if (msg->owner == s->cfg.self)
        capy_conn_set_epoch(s, idx, msg->entry_epoch); /* burned behind our back */
    else
        capy_announce_replaced(s, idx);
}

/* ---- FLOW_CLOSED ---- */

static void take_out(struct capy_stack *s, uint32_t i)
{
    struct capy_closed_flow *f = &s->closed[i];
    if (f->list == CAPY_CLOSED_DUE)
        capy_list_remove(&s->closed_due, i);
    else if (f->list == CAPY_CLOSED_SENT)
        capy_list_remove(&s->closed_sent, i);
    f->list = CAPY_CLOSED_WAITING;
}

static uint32_t *closed_bucket(struct capy_stack *s, const struct capy_flow_key *key)
{
    return &s->closed_buckets[capy_mig_memory_hash(&s->memory, key) % CAPY_CLOSED_MAX];
}

static void closed_done(struct capy_stack *s, uint32_t i)
{
    uint32_t *at = closed_bucket(s, &s->closed[i].key);
    while (*at != i)
        at = &s->closed[*at].chain;
    *at = s->closed[i].chain;
    take_out(s, i);
    capy_wheel_arm(&s->wheel, s->closed_clocks + i, CAPY_NEVER);
    capy_pool_give(&s->closed_pool, i);
}

void capy_closed_timer(struct capy_stack *s, uint32_t i)
{
    take_out(s, i);
    s->closed[i].list = CAPY_CLOSED_DUE;
    capy_list_push_tail(&s->closed_due, i);
}

/* When to say it first: not while the origin of the last move may still ask for a CONN_STATE_ACK
 * that got lost. Without the entry the switch could not pass its question on, and would in the end
 * give the flow that is over back to it. */
static uint64_t say_at(struct capy_stack *s, const struct capy_flow_key *key)
{
    const struct capy_mig_record *r = capy_mig_memory_find(&s->memory, key);
    if (!r || r->imported_epoch == 0)
        return s->now;
    return capy_max64(s->now, r->touched_at + CLOSED_REPEATS * s->cfg.mig.rto_max_ns);
}

void capy_closed_owe(struct capy_stack *s, const struct capy_flow_key *key, uint32_t epoch,
                     uint16_t local_port)
{
    capy_closed_forget(s, key); /* one word for each name */
    uint32_t i = capy_pool_take(&s->closed_pool);
    if (i == CAPY_NONE)
        return; /* its entry goes by both FINs, or by age */
    uint32_t *bucket = closed_bucket(s, key);
    s->closed[i] = (struct capy_closed_flow){
        .key = *key, .epoch = epoch, .local_port = local_port, .chain = *bucket};
    *bucket = i;
    uint64_t at = say_at(s, key);
    if (at > s->now)
        capy_wheel_arm(&s->wheel, s->closed_clocks + i, at);
    else
        capy_closed_timer(s, i);
}

size_t capy_closed_output(struct capy_stack *s, uint8_t *frame)
{
    const struct capy_mig_env *env = capy_mig_env(s);
    uint32_t i = s->closed_due.head;
    if (i == CAPY_NONE)
        return 0;
    struct capy_closed_flow *f = &s->closed[i];
    size_t len =
        capy_mig_flow_closed(env, &f->key, f->epoch, f->local_port, capy_rack_at(s, frame));
    if (++f->tries == CLOSED_TRIES) {
        closed_done(s, i);
    } else {
        take_out(s, i);
        f->list = CAPY_CLOSED_SENT;
        capy_list_push_tail(&s->closed_sent, i);
        capy_wheel_arm(&s->wheel, s->closed_clocks + i, s->now + CLOSED_RETRY_NS);
    }
    return capy_rack_wrap(s, frame, len);
}

static uint32_t closed_find(struct capy_stack *s, const struct capy_flow_key *key)
{
    uint32_t i = *closed_bucket(s, key);
    while (i != CAPY_NONE && !capy_flow_key_eq(&s->closed[i].key, key))
        i = s->closed[i].chain;
    return i;
}

/* Ours, answered; or another server's, passed on because we are the flow's home. */
void capy_closed_input(struct capy_stack *s, const struct capy_mig_msg *msg)
{
    if (msg->origin != s->cfg.self) {
        struct capy_mig_record *r = capy_mig_memory_find(&s->memory, &msg->key);
        if (r && r->left_epoch <= msg->epoch)
            r->left_epoch = 0;
        return;
    }
    uint32_t i = closed_find(s, &msg->key);
    if (i != CAPY_NONE && s->closed[i].epoch == msg->epoch)
        closed_done(s, i);
}

/* A new connection begins under the name: what is said of it from now on would be taken for this
 * one. */
void capy_closed_forget(struct capy_stack *s, const struct capy_flow_key *key)
{
    uint32_t i = s->closed_pool.free_cnt < CAPY_CLOSED_MAX ? closed_find(s, key) : CAPY_NONE;
    if (i != CAPY_NONE)
        closed_done(s, i);
}
