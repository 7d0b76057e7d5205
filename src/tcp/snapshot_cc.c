/* Congestion control in a snapshot (tcp/snapshot_head.h): the windows, and the private state of
 * whoever owns it (tcp/congestion.h). */
#include "tcp/congestion.h"
#include "tcp/snapshot_head.h"

#define SPAN_MAX (UINT64_C(1) << 30)     /* as snapshot_check.c */
#define PAUSED_MAX_NS CAPY_SEC(86400000) /* no epoch of anybody's life is longer */
#define ALPHA_MAX (UINT32_C(1) << 20)    /* dctcp.c: one */

/* A time, or UINT32_MAX for none, which takes one byte. */
static void walk_or_none(struct capy_codec *c, uint32_t *v)
{
    uint32_t next = *v + 1;
    capy_codec_u32(c, &next);
    *v = next - 1;
}

static void walk_hystart(struct capy_codec *c, struct capy_tcp_hystart *h, uint64_t una)
{
    /* An end that was passed is as good as one at una. */
    uint32_t left = h->round_end - (uint32_t)una;
    if (!c->decoding && left > SPAN_MAX)
        left = 0;
    capy_codec_u32(c, &left);
    h->round_end = (uint32_t)una + left;
    walk_or_none(c, &h->last_min_ns);
    walk_or_none(c, &h->min_ns);
    walk_or_none(c, &h->base_ns);
    capy_codec_u8(c, &h->samples);
    capy_codec_u8(c, &h->css_rounds);
}

enum { IN_EPOCH = 1, PAUSED = 2, PRIOR_SHIFT = 2 };

static void walk_cubic(struct capy_codec *c, struct capy_tcp_cubic *cubic)
{
    bool in_epoch = cubic->epoch_at != CAPY_NEVER;
    uint8_t bits = (uint8_t)((in_epoch ? IN_EPOCH : 0u) | (cubic->paused ? PAUSED : 0u) |
                             cubic->prior << PRIOR_SHIFT);
    uint32_t k_ms = cubic->k_ms;
    capy_codec_u8(c, &bits);
    capy_codec_u32(c, &cubic->acked);
    capy_codec_u32(c, &cubic->w_max);
    capy_codec_u32(c, &cubic->w_est);
    capy_codec_u32(c, &k_ms);
    if (k_ms > 0x3fffffu || bits >> PRIOR_SHIFT > 2 || (bits & PAUSED && !(bits & IN_EPOCH)))
        capy_codec_fail(c);
    cubic->k_ms = k_ms & 0x3fffffu;
    cubic->prior = bits >> PRIOR_SHIFT & 3u;
    cubic->paused = (bits & PAUSED) != 0;
    if (bits & PAUSED)
        capy_codec_int(c, &cubic->epoch_at); /* how long it ran */
    else if (bits & IN_EPOCH)
        capy_codec_age(c, &cubic->epoch_at);
    else
        cubic->epoch_at = CAPY_NEVER;
}

static void walk_dctcp(struct capy_codec *c, struct capy_tcp_dctcp *d, uint64_t una)
{
    if (!c->decoding)
        d->window_end = capy_max64(d->window_end, una);
    capy_codec_u32(c, &d->acked);
    capy_codec_u32(c, &d->alpha);
    capy_codec_u32(c, &d->bytes_acked);
    capy_codec_u32(c, &d->bytes_marked);
    capy_codec_after(c, &d->window_end, una);
}

void capy_snap_cc_walk(struct capy_codec *c, struct capy_tcp_cc *cc, uint8_t algorithm,
                       uint64_t una)
{
    capy_codec_u32(c, &cc->cwnd);
    capy_codec_u32(c, &cc->ssthresh);
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

static bool private_ok(const struct capy_tcp_cc *cc, uint8_t algorithm, uint64_t una, uint64_t nxt)
{
    const struct capy_tcp_cubic *cubic = &cc->cubic;
    const struct capy_tcp_dctcp *d = &cc->dctcp;
    switch (capy_tcp_cc_owner(cc, (enum capy_tcp_congestion)algorithm)) {
    case CAPY_TCP_CC_HYSTART:
        return cc->hystart.round_end - (uint32_t)una <= SPAN_MAX;
    case CAPY_TCP_CC_CUBIC:
        return cubic->w_max <= CAPY_TCP_CC_LIMIT && cubic->w_est <= CAPY_TCP_CC_LIMIT &&
               cubic->acked <= CAPY_TCP_CC_LIMIT &&
               (!cubic->paused || cubic->epoch_at <= PAUSED_MAX_NS);
    case CAPY_TCP_CC_NEWRENO:
        return cc->reno.acked <= CAPY_TCP_CC_LIMIT;
    case CAPY_TCP_CC_DCTCP:
        return d->acked <= CAPY_TCP_CC_LIMIT && d->alpha <= ALPHA_MAX &&
               d->bytes_marked <= d->bytes_acked && d->bytes_acked <= SPAN_MAX &&
               d->window_end <= nxt;
    }
    return false;
}

bool capy_snap_cc_ok(const struct capy_tcp_cc *cc, uint8_t algorithm, uint64_t una, uint64_t nxt)
{
    return algorithm < CAPY_TCP_CONGESTION_CNT && cc->cwnd > 0 && cc->cwnd <= CAPY_TCP_CC_LIMIT &&
           cc->ssthresh <= CAPY_TCP_CWND_MAX && private_ok(cc, algorithm, una, nxt);
}
