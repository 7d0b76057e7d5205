/* Ready queues -> completions. One completion per queue and turn, so that no queue starves another;
 * what a completion shows is looked up now, not when the queue became ready. */
#include "sock/os.h"

static struct capy_done done_of(const struct capy *os, uint32_t idx, enum capy_op op)
{
    return (struct capy_done){
        .op = op,
        .qd = capy_queue_number(os, idx),
        .accepted = -1,
        .user = os->queues[idx].user,
        .status = os->queues[idx].status,
    };
}

/* False when there is nobody to accept, or no accept outstanding, any more. */
static bool deliver_accept(struct capy *os, uint32_t idx, struct capy_done *done)
{
    struct capy_listener *l = &os->listener[os->queues[idx].listener];
    uint32_t child = l->accepts ? capy_list_pop_head(&l->backlog) : CAPY_NONE;
    if (child == CAPY_NONE)
        return false;
    l->accepts--;
    capy_listener_weigh(os, l);
    struct capy_queue *q = &os->queues[child];
    q->flags &= (uint32_t)~CAPY_QUEUE_BACKLOG;
    *done = done_of(os, idx, CAPY_OP_ACCEPT);
    done->accepted = capy_queue_number(os, child);
    done->migrated = (q->flags & CAPY_QUEUE_CAME) != 0;
    if (l->accepts && l->backlog.cnt)
        capy_queue_make_ready(os, idx, CAPY_READY_ACCEPT);
    return true;
}

static bool deliver_pop(struct capy *os, uint32_t idx, struct capy_done *done)
{
    struct capy_queue *q = &os->queues[idx];
    bool fin = false;
    int64_t unread = capy_stack_readable(os->stack, q->conn, &fin);
    if (unread < 0 || (unread <= (int64_t)q->beyond && !fin))
        return false; /* frozen meanwhile, say: the pop is still outstanding */
    q->flags &= (uint32_t)~CAPY_QUEUE_POP;
    *done = done_of(os, idx, CAPY_OP_POP);
    done->data = capy_stack_read_span(os->stack, q->conn, 0, &done->len);
    done->avail = (uint32_t)unread;
    done->fin = fin;
    capy_queue_weigh(os, idx);
    return true;
}

/* The most urgent reason of a queue; false when it came to no completion. */
static bool deliver_one(struct capy *os, uint32_t idx, unsigned reason, struct capy_done *done)
{
    struct capy_queue *q = &os->queues[idx];
    switch ((enum capy_ready)reason) {
    case CAPY_READY_QUIET:
        capy_migrate_if_quiet(os, idx);
        return false;
    case CAPY_READY_ACCEPT:
        return deliver_accept(os, idx, done);
    case CAPY_READY_POP:
        return deliver_pop(os, idx, done);
    case CAPY_READY_PUSH:
        q->flags &= (uint32_t)~CAPY_QUEUE_PUSH;
        *done = done_of(os, idx, CAPY_OP_PUSH);
        return true;
    case CAPY_READY_CONNECT:
        *done = done_of(os, idx, CAPY_OP_CONNECT);
        q->flags &= (uint32_t)~CAPY_QUEUE_OPENING;
        if (q->flags & CAPY_QUEUE_DEAD)
            capy_queue_give(os, idx);
        else
            capy_queue_weigh(os, idx);
        return true;
    case CAPY_READY_MIGRATE:
        *done = done_of(os, idx, CAPY_OP_MIGRATE);
        return true;
    case CAPY_READY_KEPT:
        *done = done_of(os, idx, CAPY_OP_MIGRATE_KEPT);
        return true;
    case CAPY_READY_CLOSED:
    case CAPY_READY_MIGRATED_OUT:
        *done =
            done_of(os, idx, reason == CAPY_READY_CLOSED ? CAPY_OP_CLOSED : CAPY_OP_MIGRATED_OUT);
        capy_queue_give(os, idx);
        return true;
    }
    return false;
}

/* KEPT before POP: the application must know that it still has the state the bytes belong to. */
static const uint16_t urgency[] = {
    CAPY_READY_QUIET,   CAPY_READY_MIGRATED_OUT, CAPY_READY_CLOSED,
    CAPY_READY_CONNECT, CAPY_READY_KEPT,         CAPY_READY_PUSH,
    CAPY_READY_POP,     CAPY_READY_MIGRATE,      CAPY_READY_ACCEPT,
};
#define URGENCIES (sizeof urgency / sizeof urgency[0])

static int deliver_fds(struct capy *os, struct capy_done *done, int max)
{
    int cnt = 0;
    for (uint32_t i = 0; i < os->watch.cnt && cnt < max; i++) {
        if (!os->watch.fds[i].ready)
            continue;
        os->watch.fds[i].ready = false;
        done[cnt++] =
            (struct capy_done){.op = CAPY_OP_FD, .qd = -1, .accepted = os->watch.fds[i].fd};
    }
    return cnt;
}

int capy_deliver(struct capy *os, struct capy_done *done, int max)
{
    int cnt = deliver_fds(os, done, max);
    while (cnt < max && os->ready.cnt > 0) {
        uint32_t idx = os->ready.head;
        struct capy_queue *q = &os->queues[idx];
        unsigned reason = 0;
        for (unsigned i = 0; i < URGENCIES && !reason; i++)
            reason = q->ready & urgency[i];
        unsigned rest = q->ready & ~reason;
        capy_queue_unready(os, idx, CAPY_READY_ALL);
        if (rest) /* to the tail: others first */
            capy_queue_make_ready(os, idx, rest);
        if (deliver_one(os, idx, reason, &done[cnt]))
            cnt++;
    }
    return cnt;
}
