/* What a server tells the switch of flows outside any migration: ANNOUNCE, that it runs a flow whose
 * epoch is above 0 (all of them in turn within announce_ns; all of them quickly when the switch has a
 * new boot id), and FLOW_CLOSED, that such a flow ended here. */
#include "stack/host.h"

/* In the fast round after the switch's reboot: 100,000 flows a second, a tenth of a core at most. */
#define FAST_NS CAPY_US(10)
#define CLOSED_RETRY_NS CAPY_MS(20)
#define CLOSED_TRIES 6u
#define CLOSED_REPEATS 4u /* of the origin's slowest CONN_STATE, after the fast ones */

/* ---- ANNOUNCE ------------------------------------------------------------------------------------ */

static uint64_t spacing(const struct capy_stack *s)
{
    if (s->tor.announce_left > 0)
        return FAST_NS;
    return capy_max64(s->cfg.announce_ns / s->epoch_ring.cnt, FAST_NS);
}

void capy_announce_arm(struct capy_stack *s)
{
    uint32_t clock = s->clocks + CAPY_CLOCK_ANNOUNCE;
    if (s->epoch_ring.cnt == 0 || s->tor.announce_owed)
        return;
    uint64_t at = s->now + spacing(s);
    if (at < capy_wheel_at(&s->wheel, clock)) /* more flows: each one's turn comes sooner */
        capy_wheel_arm(&s->wheel, clock, at);
}

void capy_announce_new_boot(struct capy_stack *s)
{
    s->tor.announce_left = s->epoch_ring.cnt;
    s->tor.announce_owed = s->epoch_ring.cnt > 0;
}

void capy_announce_timer(struct capy_stack *s)
{
    s->tor.announce_owed = s->epoch_ring.cnt > 0;
}

/* The head of the ring goes to the tail: each flow has its turn, without a time of its own. */
size_t capy_announce_output(struct capy_stack *s, uint8_t *frame)
{
    struct capy_mig_env env = capy_mig_env(s);
    uint32_t idx = capy_list_pop_head(&s->epoch_ring);
    s->tor.announce_owed = false;
    if (idx == CAPY_NONE)
        return 0;
    capy_list_push_tail(&s->epoch_ring, idx);
    if (s->tor.announce_left > 0)
        s->tor.announce_left--;
    capy_announce_arm(s);
    const struct capy_conn *c = &s->conns[idx];
    struct capy_flow_key key = capy_conn_key(s, c);
    return capy_rack_wrap(s, frame,
                          capy_mig_announce(&env, &key, c->epoch, c->local_port,
                                            c->mode == CAPY_CONN_FROZEN, frame + CAPY_UDP_AT));
}

/* The switch's answer. STALE at an epoch above ours, while no migration of ours is under way: the
 * flow went on without us (we were silent beyond our lease); our copy ends without a word. */
void capy_announce_input(struct capy_stack *s, const struct capy_mig_msg *msg)
{
    uint32_t idx = msg->origin == s->cfg.self ? capy_demux_find_key(s, &msg->key) : CAPY_NONE;
    if (idx == CAPY_NONE || msg->verdict != CAPY_VERDICT_STALE)
        return;
    struct capy_conn *c = &s->conns[idx];
    if (c->mode != CAPY_CONN_RUNNING || c->slot != CAPY_NONE || msg->entry_epoch <= c->epoch ||
        msg->phase != CAPY_PHASE_SETTLED)
        return;
    if (msg->owner == s->cfg.self) {
        capy_conn_set_epoch(s, idx, msg->entry_epoch);
        return;
    }
    capy_conn_set_epoch(s, idx, 0); /* not ours to close at the switch */
    capy_conn_end(s, idx, CAPY_EV_RESET);
}

/* ---- FLOW_CLOSED --------------------------------------------------------------------------------- */

static void take_out(struct capy_stack *s, uint32_t i)
{
    struct capy_closed_flow *f = &s->closed[i];
    if (f->list == CAPY_CLOSED_DUE)
        capy_list_remove(&s->closed_due, i);
    else if (f->list == CAPY_CLOSED_SENT)
        capy_list_remove(&s->closed_sent, i);
    f->list = CAPY_CLOSED_WAITING;
}

static void closed_done(struct capy_stack *s, uint32_t i)
{
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
static uint64_t say_at(struct capy_stack *s, const struct capy_flow_key *key, uint32_t epoch)
{
    const struct capy_mig_record *r = capy_mig_memory_find(&s->memory, key);
    if (!r || r->imported_epoch != epoch)
        return s->now;
    return capy_max64(s->now, r->touched_at + CLOSED_REPEATS * s->cfg.mig.rto_max_ns);
}

void capy_closed_owe(struct capy_stack *s, const struct capy_flow_key *key, uint32_t epoch,
                     uint16_t local_port)
{
    uint32_t i = capy_pool_take(&s->closed_pool);
    if (i == CAPY_NONE)
        return; /* its entry goes by both FINs, or by age */
    s->closed[i] =
        (struct capy_closed_flow){.key = *key, .epoch = epoch, .local_port = local_port};
    uint64_t at = say_at(s, key, epoch);
    if (at > s->now)
        capy_wheel_arm(&s->wheel, s->closed_clocks + i, at);
    else
        capy_closed_timer(s, i);
}

size_t capy_closed_output(struct capy_stack *s, uint8_t *frame)
{
    struct capy_mig_env env = capy_mig_env(s);
    uint32_t i = s->closed_due.head;
    if (i == CAPY_NONE)
        return 0;
    struct capy_closed_flow *f = &s->closed[i];
    size_t len = capy_mig_flow_closed(&env, &f->key, f->epoch, f->local_port, frame + CAPY_UDP_AT);
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

/* Ours, answered; or another server's, passed on because we are the flow's home. */
void capy_closed_input(struct capy_stack *s, const struct capy_mig_msg *msg)
{
    if (msg->origin != s->cfg.self) {
        struct capy_mig_record *r = capy_mig_memory_find(&s->memory, &msg->key);
        if (r && r->left_epoch <= msg->epoch)
            r->left_epoch = 0;
        return;
    }
    /* Answers come in the order of sending: it is among the first. */
    for (uint32_t i = s->closed_sent.head; i != CAPY_NONE; i = s->closed[i].link.next) {
        if (s->closed[i].epoch == msg->epoch && capy_flow_key_eq(&s->closed[i].key, &msg->key)) {
            closed_done(s, i);
            return;
        }
    }
}
