/* Letting connections go. Two modes, by listening queue:
 *
 *   automatic   the connection goes at its next quiet point: a pop is outstanding (so nothing is
 * lent and what was consumed is answered) and the application holds no rest
 *               of an answer that did not fit. The stack ends an ask that finds
 * no quiet point in time. asking      the application gets MIGRATE and answers by capy_release or
 * capy_veto.
 *
 *   MOVING --switch granted--> ASKED --release--> FROZEN --> gone (MIGRATED_OUT)
 *      |                         | veto, too late    | refused, given back
 *      +-------------------------+-------------------+--> as before (KEPT) */
#include "sock/host.h"
#include "sock/os.h"

/* After a refusal: long enough for a busy neighbour to change, short beside a drain. */
#define RETRY_NS CAPY_MS(5)

/* An application that has not said where connections opened elsewhere may arrive (capy_arrivals)
 * could not go on with one there: its own stay. */
static bool has_a_way(const struct capy *os, const struct capy_queue *q)
{
    return !(q->flags & CAPY_QUEUE_OPENED) || capy_listener_on(os, 0) != CAPY_LISTENER_MAX;
}

static bool is_idle_conn(const struct capy *os, uint32_t idx)
{
    unsigned busy = CAPY_QUEUE_DEAD | CAPY_QUEUE_MOVING | CAPY_QUEUE_OPENING;
    const struct capy_queue *q = &os->queues[idx];
    return capy_pool_is_taken(&os->pool, idx) &&
           (q->flags & (CAPY_QUEUE_CONN | busy)) == CAPY_QUEUE_CONN && has_a_way(os, q);
}

/* Nobody here knows the connection yet, or its application waits for bytes and has pushed all. */
static bool is_quiet(const struct capy_queue *q)
{
    if (q->flags & CAPY_QUEUE_BACKLOG)
        return true;
    return (q->flags & CAPY_QUEUE_POP) && !(q->flags & CAPY_QUEUE_UNSENT);
}

/* From the grant on, the peer's frames wait at the target. A connection that is not quiet by then
 * stands still, so none is picked that is not quiet now. */
bool capy_migrate_can(const struct capy *os, uint32_t idx)
{
    return is_idle_conn(os, idx) &&
           ((os->queues[idx].flags & CAPY_QUEUE_ASKS) || is_quiet(&os->queues[idx]));
}

int capy_migrate_queue(struct capy *os, uint32_t idx, uint16_t target)
{
    struct capy_queue *q = &os->queues[idx];
    if (!is_idle_conn(os, idx))
        return CAPY_E_STATE;
    if ((q->flags & CAPY_QUEUE_UNSENT) && !(q->flags & CAPY_QUEUE_ASKS))
        return CAPY_E_AGAIN;
    int rc = capy_host_migrate(os, q->conn, target, os->now);
    if (rc == CAPY_OK) {
        q->flags |= CAPY_QUEUE_MOVING;
        os->mover.in_flight++;
    }
    return rc;
}

/* Freezes and ships. CAPY_OK; CAPY_E_STATE when the ask is over; CAPY_E_NOMEM (no blocks). */
static int release(struct capy *os, uint32_t idx, const uint8_t *state, uint32_t len)
{
    struct capy_queue *q = &os->queues[idx];
    int rc = capy_host_release(os, q->conn, state, len, 0, os->now);
    if (rc != CAPY_OK)
        return rc;
    q->flags = (uint32_t)((q->flags & ~CAPY_QUEUE_ASKED) | CAPY_QUEUE_FROZEN);
    capy_queue_unready(os, idx, CAPY_READY_POP | CAPY_READY_QUIET | CAPY_READY_MIGRATE);
    capy_queue_weigh(os, idx);
    return CAPY_OK;
}

/* State that came with the connection and that the application has not fetched goes on with it. */
static void release_untouched(struct capy *os, uint32_t idx)
{
    struct capy_queue *q = &os->queues[idx];
    int64_t len = capy_stack_app_state(os->stack, q->conn, os->carry, CAPY_APP_STATE_MAX);
    int rc = release(os, idx, os->carry, len > 0 ? (uint32_t)len : 0);
    if (rc == CAPY_E_NOMEM)
        (void)capy_host_veto(os, q->conn, os->now);
}

void capy_migrate_if_quiet(struct capy *os, uint32_t idx)
{
    const struct capy_queue *q = &os->queues[idx];
    if (!(q->flags & CAPY_QUEUE_ASKED) || (q->flags & CAPY_QUEUE_ASKS))
        return;
    if (is_quiet(q))
        release_untouched(os, idx);
    else if (q->flags & CAPY_QUEUE_UNSENT) /* room comes with ACKs, and those wait at the target */
        (void)capy_host_veto(os, q->conn, os->now);
}

void capy_migrate_asked(struct capy *os, uint32_t idx)
{
    struct capy_queue *q = &os->queues[idx];
    q->flags |= CAPY_QUEUE_ASKED;
    if (q->flags & CAPY_QUEUE_BACKLOG)
        release_untouched(os, idx);
    else if (q->flags & CAPY_QUEUE_ASKS)
        capy_queue_make_ready(os, idx, CAPY_READY_MIGRATE);
    else
        capy_migrate_if_quiet(os, idx);
}

bool capy_migrate_kept(struct capy *os, uint32_t idx, uint8_t reason, uint8_t verdict)
{
    struct capy_queue *q = &os->queues[idx];
    unsigned was = q->flags;
    if (was & CAPY_QUEUE_MOVING)
        os->mover.in_flight--;
    capy_trigger_ended(os, idx, false, reason, verdict);
    capy_mover_refused(os, reason, verdict);
    q->flags &= (uint32_t) ~(CAPY_QUEUE_MOVING | CAPY_QUEUE_ASKED | CAPY_QUEUE_FROZEN |
                             CAPY_QUEUE_RELEASED);
    q->retry_at = os->now + RETRY_NS;
    q->cool_until = os->now + CAPY_MS(os->rack.load_cool_ms);
    capy_queue_unready(os, idx, CAPY_READY_MIGRATE | CAPY_READY_QUIET);
    if (was & (CAPY_QUEUE_CLOSE_KEPT | CAPY_QUEUE_ABORT_KEPT)) {
        capy_queue_leave_kept(os, idx);
        return false;
    }
    if (was & CAPY_QUEUE_BACKLOG)
        return true;
    if (was & CAPY_QUEUE_RELEASED)
        capy_queue_make_ready(os, idx, CAPY_READY_KEPT);
    /* A push may have been tried while frozen: for that one no WRITABLE was promised. */
    if ((was & CAPY_QUEUE_FROZEN) && (was & CAPY_QUEUE_PUSH))
        capy_queue_make_ready(os, idx, CAPY_READY_PUSH);
    capy_check_pop(os, idx);
    return true;
}

/* ---- the application's side ---- */

static uint32_t asked_queue(struct capy *os, int qd)
{
    return capy_queue_find(os, qd, CAPY_QUEUE_CONN | CAPY_QUEUE_ASKS | CAPY_QUEUE_ASKED);
}

int capy_release(struct capy *os, int qd, const void *state, uint32_t len)
{
    if (capy_queue_find(os, qd, CAPY_QUEUE_CONN) == CAPY_NONE)
        return CAPY_E_BADQD;
    if (len > CAPY_APP_STATE_MAX)
        return CAPY_E_INVAL;
    uint32_t idx = asked_queue(os, qd);
    int rc = idx == CAPY_NONE ? CAPY_E_STATE : release(os, idx, state, len);
    if (rc == CAPY_OK)
        os->queues[idx].flags |= CAPY_QUEUE_RELEASED;
    return rc;
}

int capy_veto(struct capy *os, int qd)
{
    if (capy_queue_find(os, qd, CAPY_QUEUE_CONN) == CAPY_NONE)
        return CAPY_E_BADQD;
    uint32_t idx = asked_queue(os, qd);
    if (idx == CAPY_NONE)
        return CAPY_E_STATE;
    os->queues[idx].flags &= (uint32_t)~CAPY_QUEUE_ASKED;
    capy_queue_unready(os, idx, CAPY_READY_MIGRATE);
    return capy_host_veto(os, os->queues[idx].conn, os->now);
}

int64_t capy_migrated_state(struct capy *os, int qd, void *out, uint32_t cap)
{
    uint32_t idx = capy_queue_find(os, qd, CAPY_QUEUE_CONN);
    if (idx == CAPY_NONE)
        return CAPY_E_BADQD;
    capy_handle conn = os->queues[idx].conn;
    int64_t len = capy_stack_app_state(os->stack, conn, out, cap);
    if (len > 0 && (uint64_t)len <= cap)
        capy_host_app_state_drop(os, conn);
    return len;
}

int capy_migrate(struct capy *os, int qd, const char *server)
{
    uint32_t idx = capy_queue_find(os, qd, CAPY_QUEUE_CONN);
    int target = server ? capy_rack_server_index(&os->rack, server) : (int)CAPY_SERVER_ANY;
    if (idx == CAPY_NONE)
        return CAPY_E_BADQD;
    return target < 0 ? CAPY_E_INVAL : capy_migrate_queue(os, idx, (uint16_t)target);
}
