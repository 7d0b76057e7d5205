/* Drains and bulk moves; see mover.h. */
#include "sock/mover.h"
#include "sock/host.h"
#include "sock/os.h"

/* Moves in flight: one takes about a round trip, so this many keep a core busy, and a server goes
 * on answering between them. */
#define WINDOW_MAX 64u
/* Queues looked at per turn: a walk of a sparse table must not hold up a burst. */
#define LOOK_MAX 256u
/* After a whole round with nothing to begin. */
#define ROUND_REST_NS CAPY_MS(1)

static uint32_t window(const struct capy *os)
{
    return capy_min32(os->rack.migrate_max, WINDOW_MAX);
}

static void reset_counts(struct capy_mover *m)
{
    m->started = m->moved = m->refused = 0;
    m->reason = CAPY_REASON_NONE;
    m->verdict = CAPY_VERDICT_NONE;
    m->fruitless = 0;
    m->rest_until = 0;
}

/* Begins the next move, round robin. False when LOOK_MAX queues gave none, or no slot is free. */
static bool begin_next(struct capy *os, uint16_t target)
{
    struct capy_mover *m = &os->mover;
    for (uint32_t looked = 0; looked < LOOK_MAX; looked++) {
        uint32_t idx = m->cursor;
        m->cursor = (m->cursor + 1) % os->pool.cnt;
        if (++m->fruitless > os->pool.cnt)
            return false;
        if (!capy_migrate_can(os, idx) || os->queues[idx].retry_at > os->now)
            continue;
        int rc = capy_migrate_queue(os, idx, target);
        if (rc == CAPY_OK) {
            m->fruitless = 0;
            m->started++;
            return true;
        }
        if (rc == CAPY_E_NOMEM)
            return false;
    }
    return false;
}

void capy_mover_step(struct capy *os)
{
    struct capy_mover *m = &os->mover;
    if ((!m->draining && m->todo == 0) || os->now < m->rest_until)
        return;
    while (m->in_flight < window(os) && (m->draining || m->todo > 0)) {
        if (!begin_next(os, m->todo > 0 ? m->target : CAPY_SERVER_ANY))
            break;
        if (m->todo > 0)
            m->todo--;
    }
    if (m->fruitless <= os->pool.cnt)
        return;
    m->fruitless = 0;
    m->rest_until = os->now + ROUND_REST_NS;
    if (m->in_flight == 0 && os->live_cnt == 0)
        m->todo = 0; /* there is nothing left to move */
}

void capy_mover_drain(struct capy *os, bool draining)
{
    if (draining && !os->mover.draining)
        reset_counts(&os->mover);
    os->mover.draining = draining;
    capy_host_set_draining(os, draining);
    capy_mover_step(os);
}

uint32_t capy_mover_begin(struct capy *os, uint32_t cnt, uint16_t target)
{
    struct capy_mover *m = &os->mover;
    if (m->todo == 0 && m->in_flight == 0 && !m->draining)
        reset_counts(m);
    uint64_t before = m->started;
    m->todo = (uint32_t)capy_min64((uint64_t)m->todo + cnt, UINT32_MAX);
    m->target = target;
    capy_mover_step(os);
    return (uint32_t)(m->started - before);
}

uint64_t capy_mover_next_at(const struct capy *os)
{
    const struct capy_mover *m = &os->mover;
    if ((!m->draining && m->todo == 0) || m->in_flight >= window(os))
        return CAPY_NEVER;
    return m->rest_until;
}
