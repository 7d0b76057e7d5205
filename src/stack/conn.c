/* The life of a connection in the host (see conn.h). TCP decides what happens; this file keeps the
 * lists, the timer and the application's view in step with it. */
#include "stack/host.h"

#define INDEX_BITS 22u
#define GENERATIONS (1u << (32u - INDEX_BITS))
/* A write that found the shared block pool empty while the connection itself had nothing queued: no
 * acknowledgement of its own will ever make room, so it looks again after this. */
#define STARVED_NS CAPY_MS(5)

_Static_assert(sizeof(struct capy_conn) + CAPY_CONN_BESIDE <= 512,
               "an idle connection takes at most 512 bytes, everything included");
/* NOLINTNEXTLINE(misc-redundant-expression): it is what is asserted */
_Static_assert(CAPY_STACK_CONN_MAX == 1u << INDEX_BITS, "a handle holds any index");

uint32_t capy_conn_take(struct capy_stack *s)
{
    uint32_t idx = capy_pool_take(&s->conn_pool);
    if (idx == CAPY_NONE && capy_age_recycle(s))
        idx = capy_pool_take(&s->conn_pool);
    if (idx == CAPY_NONE)
        return idx;
    uint16_t gen = s->conns[idx].gen;
    const struct capy_link none = {CAPY_NONE, CAPY_NONE};
    s->conns[idx] = (struct capy_conn){.gen = gen,
                                       .slot = CAPY_NONE,
                                       .home = s->cfg.self,
                                       .out = none,
                                       .event = none,
                                       .epoch_link = none};
    capy_stream_init(&s->conns[idx].app, 0);
    return idx;
}

capy_handle capy_conn_handle(const struct capy_stack *s, uint32_t idx)
{
    return (uint32_t)s->conns[idx].gen << INDEX_BITS | idx;
}

struct capy_conn *capy_conn_of(struct capy_stack *s, capy_handle h, uint32_t *idx)
{
    uint32_t i = h & (CAPY_STACK_CONN_MAX - 1);
    if (i >= s->cfg.conn_max)
        return NULL;
    struct capy_conn *c = &s->conns[i];
    bool lives = c->mode == CAPY_CONN_RUNNING || c->mode == CAPY_CONN_FROZEN ||
                 c->mode == CAPY_CONN_SUSPENDED;
    if (c->gen != h >> INDEX_BITS || !c->known || !lives)
        return NULL;
    *idx = i;
    return c;
}

struct capy_flow_key capy_conn_key(const struct capy_stack *s, const struct capy_conn *c)
{
    return (struct capy_flow_key){c->remote, *capy_peer_ip(s, c->home, &c->remote), c->remote_port,
                                  c->home_port};
}

struct capy_tuple capy_conn_tuple(const struct capy_stack *s, const struct capy_conn *c)
{
    return (struct capy_tuple){c->remote, capy_net_of(s, &c->remote)->ip, c->remote_port,
                               c->local_port};
}

void capy_conn_set_epoch(struct capy_stack *s, uint32_t idx, uint32_t epoch)
{
    struct capy_conn *c = &s->conns[idx];
    bool was = c->epoch > 0;
    c->epoch = epoch;
    if (!was && epoch > 0)
        capy_announce_add(s, idx);
    else if (was && epoch == 0)
        capy_announce_remove(s, idx);
}

void capy_conn_unready(struct capy_stack *s, uint32_t idx)
{
    struct capy_conn *c = &s->conns[idx];
    if (c->out_list == CAPY_OUT_READY) {
        if (s->ready.head == idx)
            s->turn = 0;
        capy_list_remove(&s->ready, idx);
    } else if (c->out_list == CAPY_OUT_WAITING) {
        capy_list_remove(&s->waiting, idx);
    }
    c->out_list = CAPY_OUT_NONE;
}

static uint64_t conn_next_at(const struct capy_conn *c, uint64_t now)
{
    uint64_t at = capy_tcp_next_at(&c->tcb);
    if (c->want_write && capy_tcp_unacked(&c->tcb) == 0)
        at = capy_min64(at, now + STARVED_NS);
    return at;
}

void capy_conn_arm(struct capy_stack *s, uint32_t idx)
{
    capy_wheel_hurry(&s->wheel, idx, conn_next_at(&s->conns[idx], s->now));
}

void capy_conn_settle(struct capy_stack *s, uint32_t idx)
{
    struct capy_conn *c = &s->conns[idx];
    if (c->mode != CAPY_CONN_RUNNING || s->foreign)
        return;
    if (!c->known)
        capy_age_place(s, idx);
    if (s->blocks.pool.free_cnt < s->tight)
        capy_pressure_begin(s);
    /* Whether it has anything to send is asked once, when its turn comes (send.c), not after each
     * of the several things that happen to it before. */
    if (c->out_list == CAPY_OUT_NONE) {
        c->out_list = CAPY_OUT_READY;
        capy_list_push_tail(&s->ready, idx);
    }
    capy_conn_arm(s, idx);
}

void capy_conn_arrived(struct capy_stack *s, uint32_t idx)
{
    if (s->foreign || !capy_tcp_is_silent(&s->conns[idx].tcb)) {
        capy_conn_settle(s, idx);
        return;
    }
    if (s->blocks.pool.free_cnt < s->tight) /* for what it has received */
        capy_pressure_begin(s);
    capy_conn_arm(s, idx);
}

static void opened(struct capy_stack *s, uint32_t idx)
{
    struct capy_conn *c = &s->conns[idx];
    capy_path_apply(s, c);
    if (!c->half_open) { /* we opened it */
        capy_post(s, idx, CAPY_EV_CONNECTED);
        return;
    }
    capy_age_leave(s, idx);
    c->half_open = false;
    s->listeners[c->listener].syn_cnt--;
    c->user = s->listeners[c->listener].user;
    c->known = true;
    /* Of the service address: a HALF entry may have given way, or a switch forgotten it. */
    if (c->epoch > 0)
        capy_announce_soon(s, idx);
    capy_post(s, idx, CAPY_EV_ACCEPTED);
}

/* Room for a writer that was told to wait. */
static void offer_room(struct capy_stack *s, uint32_t idx)
{
    struct capy_conn *c = &s->conns[idx];
    if (!c->want_write)
        return;
    struct capy_tcp_env env = capy_env(s);
    if (capy_tcp_room(&c->tcb, &env) > 0) {
        c->want_write = false;
        capy_post(s, idx, CAPY_EV_WRITABLE);
    }
}

void capy_conn_happened(struct capy_stack *s, uint32_t idx, uint32_t tcp_events)
{
    if (tcp_events & CAPY_TCP_WAS_RESET) {
        capy_conn_end(s, idx, CAPY_EV_RESET);
        return;
    }
    if (tcp_events & CAPY_TCP_TIMED_OUT) {
        bool told = s->conns[idx].tcb.unreachable;
        capy_conn_end(s, idx, CAPY_EV_TIMED_OUT | (told ? CAPY_EV_UNREACHABLE : 0));
        return;
    }
    if (tcp_events & CAPY_TCP_PATH_SUSPECT) {
        capy_hop_doubted(s, &s->conns[idx]);
        if (s->conns[idx].epoch > 0 && !s->conns[idx].half_open)
            capy_announce_soon(s, idx); /* has the switch an entry that says so? */
    }
    if (tcp_events & CAPY_TCP_ESTABLISHED_EV)
        opened(s, idx);
    if (tcp_events & (CAPY_TCP_DATA_ARRIVED | CAPY_TCP_FIN_ARRIVED))
        capy_post(s, idx, CAPY_EV_READABLE);
    if (tcp_events & CAPY_TCP_FINISHED) {
        capy_conn_end(s, idx, CAPY_EV_FINISHED);
        return;
    }
    offer_room(s, idx);
    capy_conn_settle(s, idx);
}

void capy_conn_strip(struct capy_stack *s, uint32_t idx)
{
    struct capy_conn *c = &s->conns[idx];
    struct capy_tcp_env env = capy_env(s);
    capy_age_leave(s, idx);
    if (c->half_open)
        s->listeners[c->listener].syn_cnt--;
    c->half_open = false;
    if (s->foreign)
        s->foreign->gone(s->foreign_ctx, idx);
    if (c->mode != CAPY_CONN_ARRIVING)
        capy_tcp_free(&c->tcb, &env);
    capy_stream_clear(&c->app, &s->blocks);
    if (c->slot == CAPY_NONE) /* else the name stays taken until its migration has ended */
        capy_demux_remove(s, idx);
    capy_conn_unready(s, idx);
    capy_wheel_arm(&s->wheel, idx, CAPY_NEVER);
    if (c->epoch > 0)
        capy_announce_remove(s, idx);
    c->mode = CAPY_CONN_ENDED;
}

void capy_conn_end(struct capy_stack *s, uint32_t idx, uint32_t bits)
{
    struct capy_conn *c = &s->conns[idx];
    struct capy_flow_key key = capy_conn_key(s, c);
    capy_conn_strip(s, idx);
    if (c->slot != CAPY_NONE) /* the slot tells the switch, once it knows the last epoch */
        capy_origin_conn_ended(s, c->slot);
    else if (c->epoch > 0 && !(bits & CAPY_EV_TIMED_OUT)) /* the entry aged as we did */
        capy_closed_owe(s, &key, c->epoch, c->local_port);
    if (bits)
        capy_post(s, idx, bits);
    else
        capy_unpost(s, idx);
    capy_conn_reap(s, idx);
}

void capy_conn_reap(struct capy_stack *s, uint32_t idx)
{
    struct capy_conn *c = &s->conns[idx];
    if (c->mode != CAPY_CONN_ENDED || c->event_queued || c->slot != CAPY_NONE)
        return;
    capy_conn_forget(s, idx);
    c->mode = CAPY_CONN_FREE;
    capy_pool_give(&s->conn_pool, idx);
}

void capy_conn_forget(struct capy_stack *s, uint32_t idx)
{
    struct capy_conn *c = &s->conns[idx];
    capy_unpost(s, idx);
    c->known = false;
    c->gen = (uint16_t)((c->gen + 1u) % GENERATIONS);
}

void capy_conn_timer(struct capy_stack *s, uint32_t idx)
{
    struct capy_conn *c = &s->conns[idx];
    if (c->mode != CAPY_CONN_RUNNING)
        return; /* a frozen one's timers run on when it thaws, here or elsewhere */
    struct capy_tcp_env env = capy_env_with(s, &c->remote);
    uint32_t events = capy_tcp_next_at(&c->tcb) <= s->now ? capy_tcp_expire(&c->tcb, &env) : 0;
    capy_conn_happened(s, idx, events);
}

void capy_conn_reset(struct capy_stack *s, uint32_t idx, uint32_t bits)
{
    struct capy_tcp_env env = capy_env(s);
    struct capy_tcp_segment rst;
    if (s->foreign)
        s->foreign->reset(s->foreign_ctx, idx);
    else if (capy_tcp_abort(&s->conns[idx].tcb, &env, &rst))
        capy_conn_send_reset(s, &s->conns[idx], &rst);
    capy_conn_end(s, idx, bits);
}

void capy_conn_send_reset(struct capy_stack *s, const struct capy_conn *c,
                          const struct capy_tcp_segment *rst)
{
    uint8_t *frame = c->has_next_hop ? capy_control_reserve(s) : NULL;
    if (!frame)
        return;
    struct capy_frame_to to = capy_conn_to(s, c);
    to.ecn = rst->ecn;
    capy_control_commit(s, capy_frame_build_tcp(frame, &to, rst));
}
