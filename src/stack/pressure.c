/* What happens when the pool of blocks runs short: connections that sit on their bytes are reset,
 * so that the others go on. A byte sits while the peer does not take what is to be sent, while the
 * application does not read what arrived, or while the peer does not send what closes a hole; how
 * long it has, the oldest block of each queue tells (base/stream.h). Whoever keeps its queues moving
 * is never touched, however large they are; nor is anybody while blocks are plenty.
 *
 *   free blocks      all ......... 3/8 ........................ 1/16 ...... none
 *   patience         unlimited    | sit_ns, falling in proportion           | sit_ns / 16
 *   bytes to send    as queued     up to 1/4; then the first of a connection only (tcp/reserve.h)
 *
 * The table is walked a slice at a time, under pressure only. DEVIATION(RFC 9293 MUST-37): a peer
 * that acknowledges probes of its closed window may keep a connection for ever only while that costs
 * others nothing (RFC 6429 §4 allows it). */
#include "stack/host.h"

#define WALK_NS CAPY_MS(10)
#define WALK_SLICES 128u /* the whole table in 1.28 s, shorter than any patience but the last */
#define SLICE_MIN 64u

static uint32_t tight(const struct capy_stack *s)
{
    return s->blocks.pool.cnt / 8 * 3;
}

void capy_pressure_start(struct capy_stack *s)
{
    s->tight = s->cfg.sit_ns > 0 ? tight(s) : 0;
}

void capy_pressure_begin(struct capy_stack *s)
{
    uint32_t clock = s->clocks + CAPY_CLOCK_PRESSURE;
    if (capy_wheel_at(&s->wheel, clock) == CAPY_NEVER)
        capy_wheel_arm(&s->wheel, clock, s->now + WALK_NS);
}

static uint64_t patience(const struct capy_stack *s)
{
    enum { LEAST_SHARE = 16 };
    uint64_t free_part = s->cfg.sit_ns / s->tight * s->blocks.pool.free_cnt;
    return capy_max64(free_part, s->cfg.sit_ns / LEAST_SHARE);
}

static bool sits(const struct capy_stack *s, const struct capy_conn *c, uint64_t for_ns)
{
    /* A connection on its way between servers has a keeper of its own. */
    if (c->mode != CAPY_CONN_RUNNING || c->slot != CAPY_NONE)
        return false;
    return capy_stream_age_ns(&c->tcb.snd.queue, &s->blocks) > for_ns ||
           capy_stream_age_ns(&c->tcb.rcv.queue, &s->blocks) > for_ns;
}

void capy_pressure_timer(struct capy_stack *s)
{
    uint32_t slice = capy_max32(s->cfg.conn_max / WALK_SLICES, SLICE_MIN);
    for (uint32_t i = 0; i < slice; i++) {
        if (s->blocks.pool.free_cnt >= s->tight)
            return;
        s->pressure_cursor = (s->pressure_cursor + 1) % s->cfg.conn_max;
        if (!sits(s, &s->conns[s->pressure_cursor], patience(s)))
            continue;
        s->count.pressure_resets++;
        capy_conn_reset(s, s->pressure_cursor, CAPY_EV_TIMED_OUT);
    }
    capy_pressure_begin(s);
}
