/* What the application is told: one queue entry per connection, its bits collected until taken, so
 * that the queue is as bounded as the connection table. */
#include "stack/host.h"

void capy_post(struct capy_stack *s, uint32_t idx, uint32_t bits)
{
    struct capy_conn *c = &s->conns[idx];
    if (!c->known)
        return;
    c->events |= (uint16_t)bits;
    if (!c->event_queued) {
        c->event_queued = true;
        capy_list_push_tail(&s->events, idx);
    }
}

void capy_unpost(struct capy_stack *s, uint32_t idx)
{
    struct capy_conn *c = &s->conns[idx];
    if (c->event_queued)
        capy_list_remove(&s->events, idx);
    c->event_queued = false;
    c->events = 0;
}

bool capy_stack_event(struct capy_stack *s, struct capy_stack_event *ev)
{
    uint32_t idx = s->events.head;
    if (idx == CAPY_NONE)
        return false;
    struct capy_conn *c = &s->conns[idx];
    *ev = (struct capy_stack_event){capy_conn_handle(s, idx), c->events, c->user, c->reason,
                                    c->verdict};
    (void)capy_list_pop_head(&s->events);
    c->event_queued = false;
    c->events = 0;
    if (ev->bits & CAPY_EV_ANY_DEAD)
        c->known = false;
    capy_conn_reap(s, idx);
    return true;
}
