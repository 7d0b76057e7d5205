/* What the stack reports of its connections -> queues that are ready. Called by the run loop after
 * each burst; calls the stack back, never the application. */
#include "sock/host.h"
#include "sock/os.h"

void capy_check_pop(struct capy *os, uint32_t idx)
{
    struct capy_queue *q = &os->queues[idx];
    if (!(q->flags & CAPY_QUEUE_POP) || (q->flags & CAPY_QUEUE_FROZEN))
        return;
    bool fin = false;
    int64_t unread = capy_stack_readable(os->stack, q->conn, &fin);
    if (unread > (int64_t)q->beyond || (unread >= 0 && fin))
        capy_queue_make_ready(os, idx, CAPY_READY_POP);
    capy_queue_weigh(os, idx);
}

/* A new connection: queued at its listener until an accept asks for it. Its queue, or CAPY_NONE
 * when its listener is gone. */
static uint32_t on_accepted(struct capy *os, const struct capy_stack_event *ev)
{
    uint32_t lidx = capy_queue_find(os, (int)ev->user, CAPY_QUEUE_LISTENING);
    uint32_t idx = lidx == CAPY_NONE ? CAPY_NONE : capy_queue_take(os, CAPY_QUEUE_CONN);
    if (idx == CAPY_NONE) {
        (void)capy_host_abort(os, ev->conn, os->now);
        return CAPY_NONE;
    }
    struct capy_queue *q = &os->queues[idx];
    const struct capy_queue *lq = &os->queues[lidx];
    struct capy_listener *l = &os->listener[lq->listener];
    q->conn = ev->conn;
    q->listener = lq->listener;
    q->flags |= (uint32_t)(CAPY_QUEUE_BACKLOG | (lq->flags & CAPY_QUEUE_ASKS));
    if (ev->bits & CAPY_EV_MIGRATED_IN) {
        q->flags |= CAPY_QUEUE_CAME;
        q->cool_until = os->now + CAPY_MS(os->rack.load_cool_ms);
    }
    (void)capy_host_set_user(os, ev->conn, (uint64_t)capy_queue_number(os, idx));
    capy_list_push_tail(&l->backlog, idx);
    capy_listener_weigh(os, l);
    capy_queue_weigh(os, idx);
    if (l->accepts)
        capy_queue_make_ready(os, lidx, CAPY_READY_ACCEPT);
    return idx;
}

static int timed_out(uint32_t bits)
{
    return bits & CAPY_EV_UNREACHABLE ? CAPY_E_UNREACHABLE : CAPY_E_TIMEOUT;
}

/* It ended before the application was told that it is open: CONNECT tells both. A RST in answer to
 * our SYN is a refusal (RFC 9293 §3.10.7.3). */
static void on_connect_failed(struct capy *os, uint32_t idx, uint32_t bits)
{
    bool was_open = (bits & CAPY_EV_CONNECTED) || (os->queues[idx].ready & CAPY_READY_CONNECT);
    int status = was_open ? CAPY_E_RESET : CAPY_E_REFUSED;
    if (bits & CAPY_EV_TIMED_OUT)
        status = timed_out(bits);
    capy_queue_end(os, idx, CAPY_READY_CONNECT, status);
}

static void on_dead(struct capy *os, uint32_t idx, uint32_t bits)
{
    if (bits & CAPY_EV_MIGRATED_OUT) {
        capy_mover_moved(os);
        capy_trigger_ended(os, idx, true, CAPY_REASON_NONE, CAPY_VERDICT_NONE);
        capy_queue_end(os, idx, CAPY_READY_MIGRATED_OUT, CAPY_OK);
    } else if (bits & CAPY_EV_RESET) {
        capy_queue_end(os, idx, CAPY_READY_CLOSED, CAPY_E_RESET);
    } else if (bits & CAPY_EV_TIMED_OUT) {
        capy_queue_end(os, idx, CAPY_READY_CLOSED, timed_out(bits));
    } else {
        capy_queue_end(os, idx, CAPY_READY_CLOSED, CAPY_OK);
    }
}

static void on_event(struct capy *os, const struct capy_stack_event *ev)
{
    bool is_new = (ev->bits & CAPY_EV_ACCEPTED) != 0;
    bool is_dead = (ev->bits & CAPY_EV_ANY_DEAD) != 0;
    if (is_new && is_dead)
        return; /* came and went between two looks: nobody knew it */
    uint32_t idx =
        is_new ? on_accepted(os, ev) : capy_queue_find(os, (int)ev->user, CAPY_QUEUE_CONN);
    if (idx == CAPY_NONE || os->queues[idx].conn != ev->conn)
        return;
    /* A move that ended and the next that was granted can lie in one event: the end came first. */
    if (ev->bits & CAPY_EV_MIGRATE_KEPT)
        if (!capy_migrate_kept(os, idx, ev->reason, ev->verdict))
            return;
    if (is_dead) {
        if (os->queues[idx].flags & CAPY_QUEUE_OPENING)
            on_connect_failed(os, idx, ev->bits);
        else
            on_dead(os, idx, ev->bits);
        return;
    }
    if (ev->bits & CAPY_EV_CONNECTED)
        capy_queue_make_ready(os, idx, CAPY_READY_CONNECT);
    if (os->queues[idx].flags & (CAPY_QUEUE_CLOSE_KEPT | CAPY_QUEUE_ABORT_KEPT)) {
        capy_queue_leave_kept(os, idx);
        return;
    }
    if ((ev->bits & CAPY_EV_WRITABLE) && (os->queues[idx].flags & CAPY_QUEUE_PUSH))
        capy_queue_make_ready(os, idx, CAPY_READY_PUSH);
    if (ev->bits & CAPY_EV_READABLE)
        capy_check_pop(os, idx);
    if (ev->bits & CAPY_EV_MIGRATE_ASK)
        capy_migrate_asked(os, idx);
}

void capy_take_events(struct capy *os)
{
    struct capy_stack_event ev;
    while (os->pool.free_cnt > 0 && capy_host_event(os, &ev))
        on_event(os, &ev);
}
