/* That a decoded control block is the one that was encoded: every byte of it,
 * but for what stays on a host, and with times as distances from now. A field
 * that is added and not encoded shows here. */
#ifndef TESTS_UNIT_TCP_SAME_BLOCK_H
#define TESTS_UNIT_TCP_SAME_BLOCK_H

#include "harness.h"

#include "tcp/arrival.h"
#include "tcp/congestion.h"
#include "tcp/rtt.h"
#include "tcp/validation.h"

#include <string.h>

static inline uint64_t from_now(uint64_t at, uint64_t now)
{
    return at == CAPY_NEVER ? CAPY_NEVER : at - now;
}

/* The algorithm's own state, without what is padding or another's. */
static inline void settle_cc(struct capy_tcp_cc *out, const struct capy_tcp *t, uint64_t now)
{
    const struct capy_tcp_cc *cc = &t->cc;
    memset(out, 0, sizeof *out);
    out->cwnd = cc->cwnd;
    out->ssthresh = cc->ssthresh;
    switch (capy_tcp_cc_owner(cc, (enum capy_tcp_congestion)t->congestion)) {
    case CAPY_TCP_CC_HYSTART: {
        uint32_t left = cc->hystart.round_end - (uint32_t)t->snd.una;
        out->hystart.round_end = left > CAPY_TCP_CWND_MAX ? 0 : left; /* passed */
        out->hystart.last_min_ns = cc->hystart.last_min_ns;
        out->hystart.min_ns = cc->hystart.min_ns;
        out->hystart.base_ns = cc->hystart.base_ns;
        out->hystart.samples = cc->hystart.samples;
        out->hystart.css_rounds = cc->hystart.css_rounds;
        break;
    }
    case CAPY_TCP_CC_CUBIC:
        out->cubic = cc->cubic;
        if (!cc->cubic.paused)
            out->cubic.epoch_at = from_now(cc->cubic.epoch_at, now);
        break;
    case CAPY_TCP_CC_NEWRENO:
        out->reno = cc->reno;
        break;
    case CAPY_TCP_CC_DCTCP:
        out->dctcp = cc->dctcp;
        out->dctcp.window_end = capy_max64(cc->dctcp.window_end, t->snd.una);
        break;
    }
}

static inline void settle_block(struct capy_tcp *out, const struct end *e)
{
    const struct capy_tcp *t = &e->tcb;
    uint64_t now = e->env.now;
    uint32_t now_ms = capy_tcp_clock_ms(&e->env), wait_ms = t->challenge_ms - now_ms;
    memcpy(out, t, sizeof *out);
    settle_cc(&out->cc, t, now);
    /* What stays: where bytes lie, and what is counted. */
    out->snd.queue = (struct capy_stream){.start = t->snd.queue.start};
    out->rcv.queue = (struct capy_stream){.start = t->rcv.queue.start};
    out->marks = out->retrans_segs = 0;
    out->timer_at = from_now(t->timer_at, now);
    out->delack_at = from_now(t->delack_at, now);
    out->give_up_at = from_now(t->give_up_at, now);
    out->sent_at = t->sent_at - now;
    out->rtt.timed_at = t->rtt.timed_pos != 0 ? t->rtt.timed_at - now : 0;
    out->challenge_ms = wait_ms > CAPY_TCP_CHALLENGE_MS ? 0 : wait_ms;
    out->try_at_ms = t->shrunk || t->tries > 0 ? t->try_at_ms - now_ms : 0;
    out->validated_ms = capy_min32(now_ms - t->validated_ms, CAPY_TCP_NON_VALIDATED_MS);
    out->ts_offset = capy_tcp_ts_now(t, &e->env);
    out->rcv.ts_recent_s = t->ts_ok ? capy_tcp_clock_s(&e->env) - t->rcv.ts_recent_s : 0;
    out->rcv.round_us = t->rcv.buf_kib ? (uint32_t)(now / CAPY_US(1)) - t->rcv.round_us : 0;
    /* What means nothing now. */
    if (!t->rcv.buf_kib)
        out->rcv.round_kib = 0;
    if (!t->rcv.fin_seen)
        out->rcv.fin.low = 0;
    if (!t->ce_changed)
        out->ce_from.low = 0;
    if (t->tune.pacing == 0)
        out->pace_ns = 0;
    out->echo = false;
}

static inline void settle_ranges(struct capy_tcp_ranges *out, const struct capy_tcp_ranges *l)
{
    out->cnt = l->cnt;
    memcpy(out->r, l->r, l->cnt * sizeof l->r[0]);
}

static inline void settle_sent(struct capy_tcp_sent *out, const struct capy_tcp_sent *l,
                               uint64_t now)
{
    if (l->cnt == 0)
        return; /* the rest means nothing */
    out->cnt = l->cnt;
    out->rack_end = l->rack_end;
    if (l->rack_end != 0) {
        out->rack_at = l->rack_at - now;
        out->rack_rtt = l->rack_rtt;
    }
    out->dsack_round = l->dsack_round;
    out->cut_at = l->cut_at - now;
    for (uint32_t i = 0; i < l->cnt; i++) {
        out->r[i].end = l->r[i].end;
        out->r[i].at = l->r[i].at - now;
        out->r[i].again = l->r[i].again;
        out->r[i].lost = l->r[i].lost;
    }
}

static inline void settle_episode(struct capy_tcp_episode *out, const struct end *e,
                                  const struct capy_tcp_episode *ep)
{
    uint64_t now = e->env.now;
    if (ep->doubt == CAPY_TCP_DOUBT_NONE)
        return;
    memcpy(out, ep, sizeof *out);
    struct capy_tcp as_before = e->tcb;
    as_before.cc = ep->before;
    settle_cc(&out->before, &as_before, now);
    out->original_at = ep->original_at - now;
    out->first_at = ep->doubt == CAPY_TCP_DOUBT_UNSENT ? 0 : ep->first_at - now;
    if (ep->doubt == CAPY_TCP_DOUBT_UNSENT)
        out->turn = 0;
}

static inline void settle_marks(struct capy_tcp_marks *out, const struct end *e)
{
    const struct capy_tcp_marks *m = capy_tcp_marks(&e->tcb, &e->env);
    memset(out, 0, sizeof *out);
    settle_ranges(&out->ooo, &m->ooo);
    settle_ranges(&out->sacked, &m->sacked);
    out->dup = m->dup;
    settle_sent(&out->sent, &m->sent, e->env.now);
    settle_episode(&out->episode, e, &m->episode);
}

static inline void same_block(const struct end *a, const struct end *b)
{
    struct capy_tcp x, y;
    settle_block(&x, a);
    settle_block(&y, b);
    /* Whole seconds, which do not begin together on the two clocks. */
    if (x.rcv.ts_recent_s - y.rcv.ts_recent_s + 1 <= 2)
        y.rcv.ts_recent_s = x.rcv.ts_recent_s;
    assert_memory_equal(&x, &y, sizeof x);
    static struct capy_tcp_marks m, n;
    settle_marks(&m, a);
    settle_marks(&n, b);
    assert_memory_equal(&m, &n, sizeof m);
}

#endif
