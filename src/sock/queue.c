/* The table of queues: numbers with generations, the ready list, and which queue counts as load.
 *
 *            event.c                    deliver.c
 *   (free) ----------> BACKLOG --------------------> accepted
 *                         | over                        | over: DEAD, one last completion
 *                         v                             v
 *                       (free) <--------------------- taken, or closed by the application */
#include "sock/host.h"
#include "sock/os.h"
#include <sys/mman.h>

/* A queue whose last completion is not taken yet outlives its connection; while no queue is free
 * the stack keeps its events (event.c), so conn_max and the listeners are enough. */
static void carve(struct capy *os, struct capy_arena *a)
{
    uint32_t cnt = os->rack.conn_max + CAPY_LISTENER_MAX;
    os->qd_index_bits = 32u - (unsigned)__builtin_clz(cnt);
    os->queues = capy_arena_take(a, cnt, sizeof *os->queues);
    capy_pool_init(&os->pool, a, cnt);
    capy_mover_carve(&os->mover, a, cnt);
}

int capy_queues_init(struct capy *os)
{
    struct capy_arena arena = {0};
    carve(os, &arena);
    os->queues_size = arena.used;
    void *mem =
        mmap(NULL, os->queues_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mem == MAP_FAILED)
        return CAPY_E_NOMEM;
    arena = (struct capy_arena){.base = mem};
    carve(os, &arena);
    capy_list_init(&os->ready, &os->queues[0].link, sizeof os->queues[0]);
    for (unsigned i = 0; i < CAPY_LISTENER_MAX; i++) {
        os->listener[i].queue = CAPY_NONE;
        capy_list_init(&os->listener[i].backlog, &os->queues[0].link, sizeof os->queues[0]);
    }
    return CAPY_OK;
}

uint32_t capy_queue_find(const struct capy *os, int qd, unsigned kind)
{
    if (qd < 0)
        return CAPY_NONE;
    uint32_t idx = (uint32_t)qd & ((1u << os->qd_index_bits) - 1u);
    if (!capy_pool_is_taken(&os->pool, idx) || capy_queue_number(os, idx) != qd)
        return CAPY_NONE;
    return (os->queues[idx].flags & kind) == kind ? idx : CAPY_NONE;
}

int capy_queue_number(const struct capy *os, uint32_t idx)
{
    uint32_t number = (uint32_t)os->queues[idx].generation << os->qd_index_bits | idx;
    return (int)(number & INT32_MAX);
}

uint32_t capy_queue_take(struct capy *os, unsigned flags)
{
    uint32_t idx = capy_pool_take(&os->pool);
    if (idx == CAPY_NONE)
        return CAPY_NONE;
    struct capy_queue *q = &os->queues[idx];
    *q = (struct capy_queue){
        .link = {CAPY_NONE, CAPY_NONE},
        .conn = CAPY_HANDLE_NONE,
        .flags = (uint32_t)flags,
        .generation = q->generation,
    };
    if (flags & CAPY_QUEUE_CONN) {
        os->live_cnt++;
        capy_mover_add(os, idx);
    }
    return idx;
}

void capy_listener_weigh(struct capy *os, struct capy_listener *l)
{
    bool full = l->backlog.cnt >= capy_max32(os->rack.conn_max / CAPY_ACCEPT_SHARE, 1);
    if (full != l->paused)
        (void)capy_host_listen_pause(os, l->port, full);
    l->paused = full;
}

/* Ends what others count of a queue: load, live connections, moves in flight. */
static void uncount(struct capy *os, uint32_t idx)
{
    struct capy_queue *q = &os->queues[idx];
    if ((q->flags & (CAPY_QUEUE_CONN | CAPY_QUEUE_DEAD)) == CAPY_QUEUE_CONN) {
        os->live_cnt--;
        capy_mover_remove(os, idx);
    }
    if (q->flags & CAPY_QUEUE_MOVING)
        os->mover.in_flight--;
    capy_trigger_ended(os, idx, false, CAPY_REASON_NONE, CAPY_VERDICT_NONE);
    q->flags &= (uint32_t)~CAPY_QUEUE_MOVING;
    os->load.in_hand -= q->in_hand;
    q->in_hand = q->behind = 0;
}

static void leave_lists(struct capy *os, uint32_t idx)
{
    struct capy_queue *q = &os->queues[idx];
    if (q->flags & CAPY_QUEUE_BACKLOG) {
        capy_list_remove(&os->listener[q->listener].backlog, idx);
        capy_listener_weigh(os, &os->listener[q->listener]);
    } else if (q->ready) {
        capy_list_remove(&os->ready, idx);
    }
    q->flags &= (uint32_t)~CAPY_QUEUE_BACKLOG;
    q->ready = 0;
}

void capy_queue_give(struct capy *os, uint32_t idx)
{
    struct capy_queue *q = &os->queues[idx];
    uncount(os, idx);
    leave_lists(os, idx);
    q->flags = 0;
    q->generation++;
    capy_pool_give(&os->pool, idx);
}

void capy_queue_make_ready(struct capy *os, uint32_t idx, unsigned reasons)
{
    struct capy_queue *q = &os->queues[idx];
    CAPY_ASSERT(!(q->flags & CAPY_QUEUE_BACKLOG));
    if (!q->ready)
        capy_list_push_tail(&os->ready, idx);
    q->ready |= (uint16_t)reasons;
}

void capy_queue_unready(struct capy *os, uint32_t idx, unsigned reasons)
{
    struct capy_queue *q = &os->queues[idx];
    bool was = q->ready != 0;
    q->ready &= (uint16_t)~reasons;
    if (was && !q->ready)
        capy_list_remove(&os->ready, idx);
}

void capy_queue_end(struct capy *os, uint32_t idx, unsigned ready, int status)
{
    struct capy_queue *q = &os->queues[idx];
    if (q->flags & (CAPY_QUEUE_BACKLOG | CAPY_QUEUE_CLOSE_KEPT | CAPY_QUEUE_ABORT_KEPT)) {
        capy_queue_give(os, idx);
        return;
    }
    uncount(os, idx);
    leave_lists(os, idx);
    q->flags = CAPY_QUEUE_CONN | CAPY_QUEUE_DEAD;
    q->status = (int8_t)status;
    capy_queue_make_ready(os, idx, ready);
}

int capy_queue_let_go(struct capy *os, uint32_t idx, bool reset)
{
    capy_handle conn = os->queues[idx].conn;
    return reset ? capy_host_abort(os, conn, os->now) : capy_host_close(os, conn, os->now);
}

void capy_queue_leave_kept(struct capy *os, uint32_t idx)
{
    bool reset = (os->queues[idx].flags & CAPY_QUEUE_ABORT_KEPT) != 0;
    if (capy_queue_let_go(os, idx, reset) != CAPY_E_STATE)
        capy_queue_give(os, idx);
}

/* In hand: bytes wait for the application or it has taken some and not yet asked for the next, or
 * it holds an answer that did not fit. A queue whose pop waits for bytes is idle. */
void capy_queue_weigh(struct capy *os, uint32_t idx)
{
    struct capy_queue *q = &os->queues[idx];
    bool idle = (q->flags & CAPY_QUEUE_POP) && !(q->ready & CAPY_READY_POP) &&
                !(q->flags & CAPY_QUEUE_UNSENT);
    bool counts = (q->flags & CAPY_QUEUE_CONN) && !(q->flags & CAPY_QUEUE_DEAD) && !idle;
    uint8_t now = counts ? (uint8_t)(1 + q->behind) : 0;
    os->load.in_hand += (uint32_t)now - q->in_hand; /* may be less */
    q->in_hand = now;
}

void capy_queue_consumed(struct capy *os, uint32_t idx, uint32_t cnt, uint32_t left)
{
    uint32_t behind = cnt > 0 ? left / cnt : 0;
    os->queues[idx].behind = (uint8_t)capy_min32(behind, CAPY_BEHIND_MAX);
    capy_queue_weigh(os, idx);
}
