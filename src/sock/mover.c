/* Drains and bulk moves; see mover.h. */
#include "sock/mover.h"
#include "sock/host.h"
#include "sock/os.h"

/* Connections looked at per turn: a walk past many that cannot go must not hold up a burst. */
#define LOOK_MAX 256u
/* After a whole round with nothing to begin, and per connection of that round: so that looking takes a small
 * part of the time. */
#define ROUND_REST_NS CAPY_MS(1)
#define LOOK_REST_NS 200u
/* The target is short of something that others give back within a round trip or two. */
#define FULL_REST_NS CAPY_MS(1)

#define WORD_BITS 64u

void capy_mover_carve(struct capy_mover *m, struct capy_arena *a, uint32_t cnt)
{
    m->live = capy_arena_take(a, (cnt + WORD_BITS - 1u) / WORD_BITS, sizeof *m->live);
}

void capy_mover_add(struct capy *os, uint32_t idx)
{
    os->mover.live[idx / WORD_BITS] |= (uint64_t)1 << idx % WORD_BITS;
}

void capy_mover_remove(struct capy *os, uint32_t idx)
{
    os->mover.live[idx / WORD_BITS] &= ~((uint64_t)1 << idx % WORD_BITS);
}

/* The next queue with a connection, from the cursor on, round and round. There is one. */
static uint32_t next_live(struct capy *os)
{
    struct capy_mover *m = &os->mover;
    uint32_t words = (os->pool.cnt + WORD_BITS - 1u) / WORD_BITS, word = m->cursor / WORD_BITS;
    uint64_t bits = m->live[word] & UINT64_MAX << m->cursor % WORD_BITS;
    while (bits == 0) {
        word = (word + 1u) % words;
        bits = m->live[word];
    }
    uint32_t idx = word * WORD_BITS + (uint32_t)__builtin_ctzll(bits);
    m->cursor = (idx + 1u) % os->pool.cnt;
    return idx;
}

static bool is_at_work(const struct capy_mover *m)
{
    return m->draining || m->todo > 0;
}

/* Nothing is left to look at, or the window is full: whatever changes that is an event. */
static bool must_wait(const struct capy *os)
{
    const struct capy_mover *m = &os->mover;
    return !is_at_work(m) || m->in_flight >= m->flight.window || m->in_flight >= os->live_cnt;
}

/* A train may leave. */
static bool has_room(const struct capy *os)
{
    const struct capy_mover *m = &os->mover;
    return m->in_flight + capy_flight_train(&m->flight) <= m->flight.window;
}

static void reset_counts(struct capy_mover *m, uint64_t now)
{
    m->began_at = m->moved_at = now;
    m->started = m->moved = m->refused = 0;
    m->reason = CAPY_REASON_NONE;
    m->verdict = CAPY_VERDICT_NONE;
    m->fruitless = 0;
    m->rest_until = 0;
}

/* Begins the next move, round robin. False when LOOK_MAX connections gave none, or no slot is free. */
static bool begin_next(struct capy *os, uint16_t target)
{
    struct capy_mover *m = &os->mover;
    for (uint32_t looked = 0; looked < LOOK_MAX; looked++) {
        if (m->fruitless >= os->live_cnt)
            return false;
        m->fruitless++;
        uint32_t idx = next_live(os);
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

/* Messages that were lost say so when their repeats are answered. */
static void look_for_losses(struct capy *os)
{
    uint64_t lost = capy_stack_moves(os->stack).lost;
    if (lost != os->mover.lost)
        capy_flight_lost(&os->mover.flight, os->mover.in_flight);
    os->mover.lost = lost;
}

void capy_mover_step(struct capy *os)
{
    struct capy_mover *m = &os->mover;
    if (!is_at_work(m))
        return;
    look_for_losses(os);
    if (os->live_cnt == 0 && m->in_flight == 0)
        m->todo = 0; /* there is nothing left to move */
    if (os->now < m->rest_until || !has_room(os))
        return;
    while (!must_wait(os)) {
        if (!begin_next(os, m->todo > 0 ? m->target : CAPY_SERVER_ANY))
            break;
        if (m->todo > 0)
            m->todo--;
    }
    if (m->fruitless == 0 || m->fruitless < os->live_cnt)
        return;
    m->rest_until = os->now + ROUND_REST_NS + (uint64_t)LOOK_REST_NS * m->fruitless;
    m->fruitless = 0;
}

void capy_mover_drain(struct capy *os, bool draining)
{
    if (draining && !os->mover.draining)
        reset_counts(&os->mover, os->now);
    os->mover.draining = draining;
    capy_host_set_draining(os, draining);
    capy_mover_step(os);
}

uint32_t capy_mover_begin(struct capy *os, uint32_t cnt, uint16_t target)
{
    struct capy_mover *m = &os->mover;
    if (m->todo == 0 && m->in_flight == 0 && !m->draining)
        reset_counts(m, os->now);
    uint64_t before = m->started;
    m->todo = (uint32_t)capy_min64((uint64_t)m->todo + cnt, UINT32_MAX);
    m->target = target;
    capy_mover_step(os);
    return (uint32_t)(m->started - before);
}

uint64_t capy_mover_next_at(const struct capy *os)
{
    return must_wait(os) || !has_room(os) ? CAPY_NEVER : os->mover.rest_until;
}

void capy_mover_moved(struct capy *os)
{
    struct capy_mover *m = &os->mover;
    m->moved++;
    m->moved_at = os->now;
    capy_flight_moved(&m->flight, m->in_flight, capy_stack_moves(os->stack).trip_ns);
}

/* What the rack had no room or no time for, as opposed to what the connection is or its application says. */
static bool is_overload(uint8_t reason, uint8_t verdict)
{
    return verdict == CAPY_VERDICT_NONE &&
           (reason == CAPY_REASON_FULL || reason == CAPY_REASON_NO_ANSWER ||
            reason == CAPY_REASON_STATE_LATE || reason == CAPY_REASON_HOLD_EXPIRED);
}

void capy_mover_refused(struct capy *os, uint8_t reason, uint8_t verdict)
{
    struct capy_mover *m = &os->mover;
    m->refused++;
    m->reason = reason;
    m->verdict = verdict;
    if (!capy_flight_is_known(&m->flight) && is_overload(reason, verdict))
        capy_flight_failed(&m->flight, m->in_flight);
    /* The switch has no target for anybody: the other connections need not ask one by one, and not
     * before a heartbeat can have told it of one. */
    if (verdict == CAPY_VERDICT_NO_TARGET || verdict == CAPY_VERDICT_LEARNING)
        m->rest_until = os->now + CAPY_US(os->rack.heartbeat_us);
    else if (reason == CAPY_REASON_FULL)
        m->rest_until = capy_max64(m->rest_until, os->now + FULL_REST_NS);
}
