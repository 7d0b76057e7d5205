/* The application's calls on queues (capy.h): each checks its number, acts on the stack at the time
 * of the last capy_wait, and says what is outstanding. Nothing here sends. */
#include "sock/host.h"
#include "sock/os.h"
#include <string.h>

/* A connection that the application may use now: CAPY_OK and its index, or the code for it. */
static int find_conn(const struct capy *os, int qd, uint32_t *idx)
{
    *idx = capy_queue_find(os, qd, CAPY_QUEUE_CONN);
    unsigned gone = CAPY_QUEUE_DEAD | CAPY_QUEUE_CLOSE_KEPT | CAPY_QUEUE_ABORT_KEPT;
    if (*idx == CAPY_NONE || (os->queues[*idx].flags & gone))
        return CAPY_E_BADQD;
    return os->queues[*idx].flags & CAPY_QUEUE_OPENING ? CAPY_E_STATE : CAPY_OK;
}

static uint32_t free_listener(const struct capy *os)
{
    uint32_t i = 0;
    while (i < CAPY_LISTENER_MAX && os->listener[i].queue != CAPY_NONE)
        i++;
    return i;
}

uint32_t capy_listener_on(const struct capy *os, uint16_t port)
{
    uint32_t i = 0;
    while (i < CAPY_LISTENER_MAX &&
           (os->listener[i].queue == CAPY_NONE || os->listener[i].port != port))
        i++;
    return i;
}

/* port 0: where connections that other servers opened arrive. */
static int listen_on(struct capy *os, uint16_t port)
{
    uint32_t slot = free_listener(os);
    uint32_t idx = slot == CAPY_LISTENER_MAX ? CAPY_NONE : capy_queue_take(os, 0);
    if (idx == CAPY_NONE)
        return CAPY_E_NOMEM;
    int qd = capy_queue_number(os, idx);
    int rc = port != 0 ? capy_host_listen(os, port, (uint64_t)qd)
                       : capy_host_take_opened(os, (uint64_t)qd);
    if (rc != CAPY_OK) {
        capy_queue_give(os, idx);
        return rc;
    }
    os->queues[idx].flags = CAPY_QUEUE_LISTENING;
    os->queues[idx].listener = (uint8_t)slot;
    os->listener[slot].queue = idx;
    os->listener[slot].port = port;
    os->listener[slot].accepts = 0;
    os->listener[slot].paused = false;
    return qd;
}

int capy_listen(struct capy *os, uint16_t port)
{
    return port != 0 ? listen_on(os, port) : CAPY_E_INVAL;
}

int capy_arrivals(struct capy *os)
{
    return listen_on(os, 0);
}

int capy_accept(struct capy *os, int lqd)
{
    uint32_t idx = capy_queue_find(os, lqd, CAPY_QUEUE_LISTENING);
    if (idx == CAPY_NONE)
        return CAPY_E_BADQD;
    struct capy_listener *l = &os->listener[os->queues[idx].listener];
    l->accepts++;
    if (l->backlog.cnt)
        capy_queue_make_ready(os, idx, CAPY_READY_ACCEPT);
    return CAPY_OK;
}

int capy_ask_before_migration(struct capy *os, int qd)
{
    uint32_t idx = capy_queue_find(os, qd, 0);
    if (idx == CAPY_NONE || !(os->queues[idx].flags & (CAPY_QUEUE_LISTENING | CAPY_QUEUE_OPENED)))
        return CAPY_E_BADQD;
    os->queues[idx].flags |= CAPY_QUEUE_ASKS;
    return CAPY_OK;
}

int capy_set_user(struct capy *os, int qd, uint64_t user)
{
    uint32_t idx = capy_queue_find(os, qd, 0);
    if (idx == CAPY_NONE)
        return CAPY_E_BADQD;
    os->queues[idx].user = user;
    return CAPY_OK;
}

/* Perhaps the quiet point of an asked connection. It goes at the next capy_wait, so that what the
 * application still does in this turn, a push say, goes with it. */
static void perhaps_quiet(struct capy *os, uint32_t idx)
{
    unsigned asked = os->queues[idx].flags & (CAPY_QUEUE_ASKED | CAPY_QUEUE_ASKS);
    if (asked == CAPY_QUEUE_ASKED)
        capy_queue_make_ready(os, idx, CAPY_READY_QUIET);
}

int capy_pop(struct capy *os, int qd, uint32_t beyond)
{
    uint32_t idx;
    int rc = find_conn(os, qd, &idx);
    if (rc != CAPY_OK)
        return rc;
    struct capy_queue *q = &os->queues[idx];
    q->flags |= CAPY_QUEUE_POP;
    if (!(q->flags & CAPY_QUEUE_PUSH)) /* there was room, and it goes on: nothing was left */
        q->flags &= (uint32_t)~CAPY_QUEUE_UNSENT;
    q->beyond = beyond;
    capy_queue_unready(os, idx, CAPY_READY_POP);
    capy_check_pop(os, idx);
    perhaps_quiet(os, idx);
    return CAPY_OK;
}

int capy_consume(struct capy *os, int qd, uint32_t n)
{
    uint32_t idx;
    int rc = find_conn(os, qd, &idx);
    if (rc != CAPY_OK)
        return rc;
    bool fin;
    int64_t unread = capy_stack_readable(os->stack, os->queues[idx].conn, &fin);
    if (unread < 0)
        return (int)unread;
    if (n > unread)
        return CAPY_E_INVAL;
    capy_work_note(os, idx);
    capy_queue_consumed(os, idx, n, (uint32_t)unread - n);
    return capy_host_consume(os, os->queues[idx].conn, n, os->now);
}

int64_t capy_peek(struct capy *os, int qd, uint32_t skip, void *out, uint32_t len)
{
    uint32_t idx;
    int rc = find_conn(os, qd, &idx);
    if (rc != CAPY_OK)
        return rc;
    uint8_t *to = out;
    uint32_t copied = 0;
    while (copied < len) {
        uint32_t got = 0;
        const uint8_t *span =
            capy_stack_read_span(os->stack, os->queues[idx].conn, skip + copied, &got);
        if (!span || got == 0)
            break;
        uint32_t n = capy_min32(got, len - copied);
        memcpy(to + copied, span, n);
        copied += n;
    }
    return copied;
}

/* The listening queue's port, or 0. */
static uint16_t listening_port(const struct capy *os, int qd)
{
    uint32_t idx = capy_queue_find(os, qd, CAPY_QUEUE_LISTENING);
    return idx == CAPY_NONE ? 0 : os->listener[os->queues[idx].listener].port;
}

int capy_set_option(struct capy *os, int qd, enum capy_option option, uint64_t value)
{
    uint16_t port = listening_port(os, qd);
    if (port != 0)
        return capy_host_listener_set(os, port, option, value);
    uint32_t idx;
    if (find_conn(os, qd, &idx) == CAPY_E_BADQD) /* one that is being opened may be set up */
        return CAPY_E_BADQD;
    return capy_host_set(os, os->queues[idx].conn, option, value, os->now);
}

int capy_get_option(struct capy *os, int qd, enum capy_option option, uint64_t *value)
{
    uint16_t port = listening_port(os, qd);
    if (port != 0)
        return capy_stack_listener_get(os->stack, port, option, value);
    uint32_t idx;
    if (find_conn(os, qd, &idx) == CAPY_E_BADQD) /* one that is being opened may be set up */
        return CAPY_E_BADQD;
    return capy_stack_get(os->stack, os->queues[idx].conn, option, value);
}

static int64_t push(struct capy *os, int qd, const void *data, uint32_t len, bool more)
{
    uint32_t idx;
    int rc = find_conn(os, qd, &idx);
    if (rc != CAPY_OK)
        return rc;
    struct capy_queue *q = &os->queues[idx];
    int64_t taken = 0;
    capy_work_note(os, idx);
    uint32_t some =
        capy_min32(len, CAPY_RECORD_BYTES_MAX); /* more than a send queue has room for */
    if (!(q->flags & CAPY_QUEUE_FROZEN))
        taken = more ? capy_host_write_more(os, q->conn, data, some, os->now)
                     : capy_host_write(os, q->conn, data, some, os->now);
    if (taken == CAPY_E_STATE) /* suspended while the switch is silent: WRITABLE follows */
        taken = 0;
    if (taken < 0)
        return taken;
    if (taken < len) {
        q->flags |= CAPY_QUEUE_PUSH | CAPY_QUEUE_UNSENT;
    } else {
        q->flags &= (uint32_t)~CAPY_QUEUE_UNSENT;
        perhaps_quiet(os, idx);
    }
    capy_queue_weigh(os, idx);
    return taken;
}

int64_t capy_push(struct capy *os, int qd, const void *data, uint32_t len)
{
    return push(os, qd, data, len, false);
}

int64_t capy_push_more(struct capy *os, int qd, const void *data, uint32_t len)
{
    return push(os, qd, data, len, true);
}

/* Its connections that nobody accepted are reset: nobody ever will. */
static void close_listener(struct capy *os, uint32_t idx)
{
    struct capy_listener *l = &os->listener[os->queues[idx].listener];
    if (l->port != 0)
        (void)capy_host_unlisten(os, l->port);
    else
        capy_host_refuse_opened(os);
    while (l->backlog.cnt > 0) {
        uint32_t child = l->backlog.head;
        (void)capy_abort(os, capy_queue_number(os, child));
    }
    l->queue = CAPY_NONE;
    capy_queue_give(os, idx);
}

/* A frozen or suspended connection may be another server's already: what becomes of it here is
 * decided when the stack knows. Until then the queue is hidden. */
static void hide(struct capy *os, uint32_t idx, unsigned flag)
{
    struct capy_queue *q = &os->queues[idx];
    if (q->flags & CAPY_QUEUE_BACKLOG) {
        capy_list_remove(&os->listener[q->listener].backlog, idx);
        capy_listener_weigh(os, &os->listener[q->listener]);
        q->flags &= (uint32_t)~CAPY_QUEUE_BACKLOG;
    } else {
        capy_queue_unready(os, idx, CAPY_READY_ALL);
    }
    q->flags |= (uint32_t)flag;
}

static int leave(struct capy *os, int qd, bool reset)
{
    uint32_t idx = capy_queue_find(os, qd, 0);
    if (idx == CAPY_NONE)
        return CAPY_E_BADQD;
    struct capy_queue *q = &os->queues[idx];
    if (q->flags & (CAPY_QUEUE_CLOSE_KEPT | CAPY_QUEUE_ABORT_KEPT))
        return CAPY_E_BADQD;
    if (q->flags & CAPY_QUEUE_LISTENING) {
        close_listener(os, idx);
        return CAPY_OK;
    }
    if (q->flags & CAPY_QUEUE_FROZEN) {
        hide(os, idx, reset ? CAPY_QUEUE_ABORT_KEPT : CAPY_QUEUE_CLOSE_KEPT);
        return CAPY_OK;
    }
    int rc = CAPY_OK;
    if (!(q->flags & CAPY_QUEUE_DEAD))
        rc = capy_queue_let_go(os, idx, reset);
    if (rc == CAPY_E_STATE) { /* suspended */
        hide(os, idx, reset ? CAPY_QUEUE_ABORT_KEPT : CAPY_QUEUE_CLOSE_KEPT);
        return CAPY_OK;
    }
    capy_queue_give(os, idx);
    return rc;
}

int capy_close(struct capy *os, int qd)
{
    return leave(os, qd, false);
}

int capy_abort(struct capy *os, int qd)
{
    return leave(os, qd, true);
}

void capy_set_label(struct capy *os, const char *label)
{
    os->label = label;
}

const struct capy_rack *capy_rack(const struct capy *os)
{
    return &os->rack;
}

const char *capy_driver(const struct capy *os)
{
    return os->drv->detail;
}

uint64_t capy_now(const struct capy *os)
{
    return os->now;
}
