/* What the tests of spurious recoveries share: a flight whose first segments may be late. A round
 * trip takes 10 ms; our timestamp clock wraps on the way. */
#ifndef TESTS_UNIT_TCP_FLIGHT_H
#define TESTS_UNIT_TCP_FLIGHT_H

#include "harness.h"
#include "tcp/congestion.h"

#define AT(i) (1 + len_(&e) + (i)*len_(&e)) /* where segment i of fly begins */
#define RTT CAPY_MS(10)

static inline uint32_t len_(const struct end *e)
{
    return e->tcb.snd.mss;
}

static inline void segment(struct end *e, uint32_t i)
{
    out(e, A, 1 + len_(e) * (i + 1), 1, len_(e));
}

/* Segments i to end, whose timestamps are all the same, which e->in_ecr remembers. */
static inline void send(struct end *e, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        segment(e, i);
    e->in_ecr = e->last.ts_val;
}

/* n segments in flight, more of them queued; a round trip of RTT is known. */
static inline void fly(struct end *e, uint32_t with, uint32_t n, uint32_t more)
{
    end_init(e, 256);
    establish(e, with, 60000);
    e->tcb.ts_offset = 0u - 1000u - 5u;             /* the clock shows 2^32 - 5 */
    e->tcb.rtt.srtt_ns = e->tcb.snd.min_rtt_ns = 0; /* the handshake took no time */
    put(e, len_(e));
    out(e, A, 1, 1, len_(e));
    pass(e, RTT);
    e->in_ecr = e->last.ts_val;
    in(e, ack_of(1 + len_(e)));
    e->tcb.cc.ssthresh = 20 * len_(e);
    e->tcb.cc.cubic = (struct capy_tcp_cubic){.epoch_at = CAPY_NEVER};
    put(e, n * len_(e));
    send(e, 0, n);
    put(e, more * len_(e));
    e->tcb.cc.cwnd = n * len_(e);
    quiet(e);
}

/* The first three segments behind a hole are SACKed, and the hole goes again. */
static inline void lose_first(struct end *e)
{
    pass(e, RTT);
    in(e, sack_of(1 + len_(e), 1 + 2 * len_(e), 1 + 5 * len_(e)));
    assert_int_equal(e->tcb.phase, CAPY_TCP_RECOVERY);
    segment(e, 0);
}

static inline void timeout(struct end *e)
{
    pass(e, CAPY_SEC(10));
    if (e->tcb.snd.tlp_end != 0) { /* the tail is probed first */
        assert_true(next_segment(e));
        pass(e, CAPY_SEC(10));
    }
    assert_int_equal(e->count.rto_fired, 1);
    segment(e, 0);
    quiet(e);
}

static inline void same_window(const struct capy_tcp_cc *a, const struct capy_tcp_cc *b)
{
    assert_int_equal(a->cwnd, b->cwnd);
    assert_int_equal(a->ssthresh, b->ssthresh);
    if (a->ssthresh == CAPY_TCP_CWND_MAX)
        return; /* the first slow start: no curve yet */
    assert_int_equal(a->cubic.w_max, b->cubic.w_max);
    assert_int_equal(a->cubic.w_est, b->cubic.w_est);
    assert_int_equal(a->cubic.k_ms, b->cubic.k_ms);
    assert_true(a->cubic.epoch_at == b->cubic.epoch_at);
}

#endif
