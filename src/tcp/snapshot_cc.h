/* Congestion control in a snapshot: the windows, and the private state of whoever owns it
 * (tcp/congestion.h). Fields as in snapshot_head.c, whose part this is. una: snd.una. */
#ifndef CAPY_TCP_SNAPSHOT_CC_H
#define CAPY_TCP_SNAPSHOT_CC_H

#include "tcp/codec.h"
#include "tcp/congestion.h"

#define CAPY_SNAP_ROUND_MAX (UINT64_C(1) << 30) /* no round is longer than the longest queue */

enum { HYSTART_LEN = 18, CUBIC_LEN = 25 };

CAPY_CODEC_WALK void walk_hystart(struct capy_codec *c, struct capy_tcp_hystart *h, uint64_t una)
{
    if (!capy_codec_run(c, HYSTART_LEN))
        return;
    /* An end that was passed is as good as one at una. */
    uint32_t left = h->round_end - (uint32_t)una;
    if (!c->decoding && left > CAPY_SNAP_ROUND_MAX)
        left = 0;
    capy_codec_run32(c, &left);
    if (c->decoding)
        h->round_end = (uint32_t)una + left;
    capy_codec_run32(c, &h->last_min_ns);
    capy_codec_run32(c, &h->min_ns);
    capy_codec_run32(c, &h->base_ns);
    capy_codec_run8(c, &h->samples);
    capy_codec_run8(c, &h->css_rounds);
}

enum { IN_EPOCH = 1, PAUSED = 2, PRIOR_SHIFT = 2 };

CAPY_CODEC_WALK void walk_cubic(struct capy_codec *c, struct capy_tcp_cubic *cubic)
{
    if (!capy_codec_run(c, CUBIC_LEN))
        return;
    bool in_epoch = cubic->epoch_at != CAPY_NEVER;
    uint8_t bits = (uint8_t)((in_epoch ? IN_EPOCH : 0u) | (cubic->paused ? PAUSED : 0u) |
                             cubic->prior << PRIOR_SHIFT);
    uint32_t k_ms = cubic->k_ms;
    /* How long it ran, or 0. */
    uint64_t ran_ns = !in_epoch ? 0 : cubic->paused ? cubic->epoch_at : c->now - cubic->epoch_at;
    capy_codec_run8(c, &bits);
    capy_codec_run32(c, &cubic->acked);
    capy_codec_run32(c, &cubic->w_max);
    capy_codec_run32(c, &cubic->w_est);
    capy_codec_run32(c, &k_ms);
    capy_codec_run64(c, &ran_ns);
    if (!c->decoding)
        return;
    bool began = bits & IN_EPOCH,
         told = ran_ns <= CAPY_CODEC_INT_MAX && c->now - ran_ns != CAPY_NEVER;
    if (k_ms > 0x3fffffu || bits >> PRIOR_SHIFT > 2 || (bits & PAUSED && !began) ||
        (began ? !told : ran_ns != 0))
        capy_codec_fail(c);
    cubic->k_ms = k_ms & 0x3fffffu;
    cubic->prior = bits >> PRIOR_SHIFT & 3u;
    cubic->paused = (bits & PAUSED) != 0;
    cubic->epoch_at = !began ? CAPY_NEVER : bits & PAUSED ? ran_ns : c->now - ran_ns;
}

CAPY_CODEC_WALK void walk_dctcp(struct capy_codec *c, struct capy_tcp_dctcp *d, uint64_t una)
{
    uint64_t window_end = capy_max64(d->window_end, una);
    capy_codec_u32(c, &d->acked);
    capy_codec_u32(c, &d->alpha);
    capy_codec_u32(c, &d->bytes_acked);
    capy_codec_u32(c, &d->bytes_marked);
    capy_codec_after(c, &window_end, una);
    if (c->decoding)
        d->window_end = window_end;
}

/* What is private to whoever owns it: cwnd and ssthresh, which are known, say who that is. */
CAPY_CODEC_WALK void walk_cc_private(struct capy_codec *c, struct capy_tcp_cc *cc,
                                     uint8_t algorithm, uint64_t una)
{
    if (algorithm >= CAPY_TCP_CONGESTION_CNT) {
        capy_codec_fail(c);
        return;
    }
    switch (capy_tcp_cc_owner(cc, (enum capy_tcp_congestion)algorithm)) {
    case CAPY_TCP_CC_HYSTART:
        walk_hystart(c, &cc->hystart, una);
        break;
    case CAPY_TCP_CC_CUBIC:
        walk_cubic(c, &cc->cubic);
        break;
    case CAPY_TCP_CC_NEWRENO:
        capy_codec_u32(c, &cc->reno.acked);
        break;
    case CAPY_TCP_CC_DCTCP:
        walk_dctcp(c, &cc->dctcp, una);
        break;
    }
}

#endif
