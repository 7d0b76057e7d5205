/* Connections that the application does not hold, oldest first: half-open ones, those that still
 * close (orphans), and those in TIME_WAIT. Who gives way to whom when the connection table is full:
 *
 *   a new connection, opened by either side or migrated in, takes the place of the oldest TIME_WAIT
 *   a handshake completed by a SYN cookie (cookie.c), that of the oldest half-open one as well
 *   an orphan beyond orphan_max costs the oldest orphan its life; its peer gets a RST
 *   nothing ever takes the place of what an application holds
 *
 * A recycled TIME_WAIT gives up the rest of its 2 MSL (RFC 9293 §3.6.1) for its flow alone; a client
 * that comes back to it is told from an old duplicate by RFC 7323's timestamps as long as it sends
 * them.
 *
 * The lists are threaded through capy_conn.event, which serves the event queue only while the
 * application knows the connection. */
#include "stack/host.h"

/* A connection with a migration slot is not ours to end here: looked past, a few deep. */
#define LOOK_MAX 8u

static enum capy_age age_of(const struct capy_conn *c)
{
    if (c->half_open)
        return CAPY_AGE_HALF_OPEN;
    return c->tcb.state == CAPY_TCP_TIME_WAIT ? CAPY_AGE_TIME_WAIT : CAPY_AGE_ORPHAN;
}

void capy_age_init(struct capy_stack *s)
{
    for (unsigned i = 0; i < CAPY_AGE_CNT; i++)
        capy_list_init(&s->aged[i], &s->conns[0].event, sizeof s->conns[0]);
}

void capy_age_leave(struct capy_stack *s, uint32_t idx)
{
    struct capy_conn *c = &s->conns[idx];
    if (c->age != CAPY_AGE_NONE)
        capy_list_remove(&s->aged[c->age], idx);
    c->age = CAPY_AGE_NONE;
}

/* The oldest of a list that may be ended; CAPY_NONE. */
static uint32_t oldest(const struct capy_stack *s, enum capy_age age)
{
    uint32_t idx = s->aged[age].head;
    for (unsigned i = 0; i < LOOK_MAX && idx != CAPY_NONE; i++) {
        if (s->conns[idx].slot == CAPY_NONE)
            return idx;
        idx = s->conns[idx].event.next;
    }
    return CAPY_NONE;
}

static void limit_orphans(struct capy_stack *s)
{
    if (s->aged[CAPY_AGE_ORPHAN].cnt <= s->cfg.orphan_max)
        return;
    uint32_t idx = oldest(s, CAPY_AGE_ORPHAN);
    if (idx == CAPY_NONE)
        return;
    s->count.orphans_reset++;
    capy_conn_reset(s, idx, 0);
}

void capy_age_place(struct capy_stack *s, uint32_t idx)
{
    struct capy_conn *c = &s->conns[idx];
    enum capy_age age = age_of(c);
    if (age == c->age)
        return;
    capy_age_leave(s, idx);
    c->age = (uint8_t)age;
    if (age != CAPY_AGE_NONE)
        capy_list_push_tail(&s->aged[age], idx);
    if (age == CAPY_AGE_ORPHAN)
        limit_orphans(s);
}

bool capy_age_recycle(struct capy_stack *s)
{
    uint32_t idx = oldest(s, CAPY_AGE_TIME_WAIT);
    if (idx == CAPY_NONE)
        return false;
    s->count.time_wait_recycled++;
    capy_conn_end(s, idx, 0);
    return true;
}

bool capy_age_evict_half_open(struct capy_stack *s)
{
    uint32_t idx = oldest(s, CAPY_AGE_HALF_OPEN);
    if (idx == CAPY_NONE)
        return false;
    s->count.half_open_evicted++;
    capy_conn_end(s, idx, 0); /* without a word, as if its SYN had been lost */
    return true;
}
