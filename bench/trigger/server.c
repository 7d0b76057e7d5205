/* The servers' application: one request at a time, each connection in turn, as `capy httpd` does it.
 * A connection that waits for its turn can still move, with what it waits with. */
#include "bench/trigger/world.h"
#include <string.h>

#define DONE_MAX 64
#define ACCEPTS 64

static void run_later(struct server *s, uint32_t i)
{
    struct slot *at = &s->slot[i];
    if (at->queued || at->released || at->avail < WORLD_MESSAGE)
        return;
    at->queued = true;
    at->next = NOBODY;
    if (s->tail == NOBODY)
        s->head = i;
    else
        s->slot[s->tail].next = i;
    s->tail = i;
}

/* The next whose turn it is; those that left meanwhile are only taken off. */
static uint32_t run_next(struct server *s)
{
    while (s->head != NOBODY) {
        uint32_t i = s->head;
        struct slot *at = &s->slot[i];
        s->head = at->next;
        if (s->head == NOBODY)
            s->tail = NOBODY;
        at->queued = false;
        if (at->live && !at->released)
            return i;
    }
    return NOBODY;
}

static void listen_on(struct server *s, uint32_t i)
{
    if (capy_pop(s->os, s->slot[i].qd, s->slot[i].avail) != CAPY_OK)
        world_fail("s%u: pop", s->id + 1);
}

/* A slot that is still in the run queue is not free, even if its connection has left. */
static uint32_t take_slot(struct server *s)
{
    for (uint32_t i = 1; i <= SCENE_CONNECTIONS_MAX; i++)
        if (!s->slot[i].live && !s->slot[i].queued)
            return i;
    world_fail("s%u: too many connections", s->id + 1);
}

static void on_accept(struct server *s, const struct capy_done *d)
{
    uint32_t i = take_slot(s);
    struct capy_address peer;
    (void)capy_accept(s->os, s->lqd);
    s->slot[i] = (struct slot){.qd = d->accepted, .live = true, .next = NOBODY};
    (void)capy_set_user(s->os, d->accepted, i);
    if (d->migrated && capy_peer(s->os, d->accepted, &peer) == CAPY_OK)
        client_saw_move(s->w, &peer, s->id);
    listen_on(s, i);
}

static void on_done(struct server *s, const struct capy_done *d)
{
    uint32_t i = (uint32_t)d->user;
    struct slot *at = &s->slot[i];
    switch (d->op) {
    case CAPY_OP_ACCEPT:
        on_accept(s, d);
        break;
    case CAPY_OP_POP:
        at->avail = d->avail;
        if (at->avail < WORLD_MESSAGE)
            listen_on(s, i);
        else
            run_later(s, i);
        break;
    case CAPY_OP_MIGRATE:
        at->released = capy_release(s->os, d->qd, NULL, 0) == CAPY_OK;
        break;
    case CAPY_OP_MIGRATE_KEPT:
        at->released = false;
        run_later(s, i);
        break;
    case CAPY_OP_MIGRATED_OUT:
        at->live = false;
        break;
    case CAPY_OP_CONNECT:
    case CAPY_OP_PUSH:
    case CAPY_OP_CLOSED:
    case CAPY_OP_FD:
        world_fail("s%u: a connection ended, or an answer did not fit (operation %d, status %d)",
                   s->id + 1, (int)d->op, d->status);
    }
}

/* The request says how long it takes. */
static void begin(struct server *s)
{
    uint8_t request[WORLD_MESSAGE];
    s->serving = run_next(s);
    if (s->serving == NOBODY)
        return;
    if (capy_peek(s->os, s->slot[s->serving].qd, 0, request, sizeof request) != WORLD_MESSAGE)
        world_fail("s%u: a request is not there", s->id + 1);
    uint64_t ns = capy_load32(request + 4);
    s->free_at = s->w->now + ns;
    s->busy_ns += ns;
    if (s->w->now >= s->w->half_at)
        s->late_busy_ns += ns;
}

static void finish(struct server *s)
{
    struct slot *at = &s->slot[s->serving];
    uint8_t answer[WORLD_MESSAGE];
    if (capy_peek(s->os, at->qd, 0, answer, sizeof answer) != WORLD_MESSAGE ||
        capy_push(s->os, at->qd, answer, sizeof answer) != WORLD_MESSAGE ||
        capy_consume(s->os, at->qd, WORLD_MESSAGE) != CAPY_OK)
        world_fail("s%u: answer", s->id + 1);
    at->avail -= WORLD_MESSAGE;
    if (at->avail >= WORLD_MESSAGE)
        run_later(s, s->serving);
    else
        listen_on(s, s->serving);
    s->serving = NOBODY;
}

void server_open(struct server *s)
{
    s->head = s->tail = s->serving = NOBODY;
    s->lqd = capy_listen(s->os, WORLD_PORT);
    if (s->lqd < 0 || capy_ask_before_migration(s->os, s->lqd) != CAPY_OK)
        world_fail("s%u: listen", s->id + 1);
    for (int i = 0; i < ACCEPTS; i++)
        (void)capy_accept(s->os, s->lqd);
}

static void send_out(struct server *s)
{
    struct capy_frame frames[CAPY_DRV_BURST];
    unsigned cnt;
    while ((cnt = s->wire->ops->receive(s->wire, frames, CAPY_DRV_BURST)) > 0) {
        for (unsigned k = 0; k < cnt; k++)
            world_frame(s->w, s->id, frames[k].data, frames[k].len);
        s->wire->ops->release(s->wire, frames, cnt);
    }
}

void server_turn(struct server *s)
{
    struct capy_done done[DONE_MAX];
    if (s->w->now < s->free_at)
        return;
    if (s->serving != NOBODY)
        finish(s);
    int cnt = capy_wait(s->os, done, DONE_MAX, 0);
    for (int i = 0; i < cnt; i++)
        on_done(s, &done[i]);
    send_out(s);
    begin(s);
}
