/* What every connection has: the beginning of a snapshot's head, as fields of fixed size, each at its place
 * (docs/protocol.md, "The snapshot"). What only some have follows it (snapshot_head.c, whose part this is).
 * A field that means nothing for want of another one is zero: one value has one encoding. */
#ifndef CAPY_TCP_SNAPSHOT_FIXED_H
#define CAPY_TCP_SNAPSHOT_FIXED_H

#include "tcp/codec.h"
#include "tcp/position.h"
#include "tcp/snapshot.h"
#include "tcp/validation.h"

#define CAPY_SNAP_FIXED_LEN 125u

static inline uint32_t snap_ms(const struct capy_codec *c)
{
    return (uint32_t)(c->now / CAPY_MS(1));
}

/* A position as its lower half; bad when it is so far off that this would not name it. */
CAPY_CODEC_WALK struct capy_tcp_near near_enough(struct capy_codec *c, uint64_t pos, uint64_t ref)
{
    c->bad |= capy_tcp_far(capy_tcp_near(pos), ref) != pos;
    return capy_tcp_near(pos);
}

CAPY_CODEC_WALK void fixed_snd(struct capy_codec *c, struct capy_tcp *tcb)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    capy_codec_run32(c, &snd->iss.v);
    capy_codec_run_after(c, &snd->una, CAPY_TCP_POS_SYN);
    capy_codec_run32(c, &snd->wnd);
    capy_codec_run32(c, &snd->wnd_max);
    capy_codec_run32(c, &snd->wl1.v);
    capy_codec_run32(c, &snd->wl2.v);
    capy_codec_run16(c, &snd->mss);
    capy_codec_run8(c, &snd->wscale);
    capy_codec_run_age(c, &tcb->sent_at);
}

/* While the window grows (tcp/rightsize.h): buf_kib is not 0. */
CAPY_CODEC_WALK void fixed_round(struct capy_codec *c, struct capy_tcp_rcv *rcv)
{
    bool grows = rcv->buf_kib != 0;
    uint32_t now_us = (uint32_t)(c->now / CAPY_US(1)), age_us = now_us - rcv->round_us;
    uint16_t read_kib = rcv->round_kib;
    if (!grows)
        age_us = read_kib = 0;
    capy_codec_run32(c, &age_us);
    capy_codec_run16(c, &read_kib);
    if (!c->decoding)
        return;
    grows = rcv->buf_kib != 0;
    rcv->round_us = grows ? now_us - age_us : 0;
    rcv->round_kib = read_kib;
    c->bad |= !grows && (age_us | read_kib) != 0;
}

CAPY_CODEC_WALK void fixed_rcv(struct capy_codec *c, struct capy_tcp *tcb)
{
    struct capy_tcp_rcv *rcv = &tcb->rcv;
    capy_codec_run32(c, &rcv->irs.v);
    capy_codec_run_after(c, &rcv->nxt, CAPY_TCP_POS_SYN);
    uint32_t open = (uint32_t)(capy_tcp_rcv_edge(tcb) - rcv->nxt);
    capy_codec_run32(c, &open);
    if (c->decoding)
        rcv->adv = near_enough(c, rcv->nxt + open, rcv->nxt);
    capy_codec_run32(c, &rcv->ts_recent);
    uint32_t now_s = (uint32_t)(c->now / CAPY_SEC(1));
    uint32_t age_s = tcb->ts_ok ? now_s - rcv->ts_recent_s : 0;
    capy_codec_run32(c, &age_s);
    if (c->decoding) {
        rcv->ts_recent_s = tcb->ts_ok ? now_s - age_s : 0;
        c->bad |= !tcb->ts_ok && age_s != 0;
    }
    capy_codec_run16(c, &rcv->buf_kib);
    fixed_round(c, rcv);
    capy_codec_run16(c, &rcv->mss);
    capy_codec_run8(c, &rcv->wscale);
}

CAPY_CODEC_WALK void fixed_path(struct capy_codec *c, struct capy_tcp *tcb)
{
    capy_codec_run64(c, &tcb->rtt.srtt_ns);
    capy_codec_run64(c, &tcb->rtt.rttvar_ns);
    capy_codec_run32(c, &tcb->snd.min_rtt_ns);
    capy_codec_run8(c, &tcb->congestion);
    capy_codec_run32(c, &tcb->cc.cwnd);
    capy_codec_run32(c, &tcb->cc.ssthresh);
    /* Once the period is over, it does not matter for how long. */
    uint32_t unused_ms = capy_min32(snap_ms(c) - tcb->validated_ms, CAPY_TCP_NON_VALIDATED_MS);
    capy_codec_run32(c, &unused_ms);
    if (!c->decoding)
        return;
    tcb->validated_ms = snap_ms(c) - unused_ms;
    c->bad |= unused_ms > CAPY_TCP_NON_VALIDATED_MS;
}

/* The clock's present value moves; the offset is what makes it so here. */
CAPY_CODEC_WALK void fixed_clock(struct capy_codec *c, struct capy_tcp *tcb,
                                 const struct capy_tcp_env *env)
{
    uint32_t here = capy_tcp_ts_now(tcb, env), clock = here;
    capy_codec_run32(c, &clock);
    if (c->decoding)
        tcb->ts_offset += clock - here;
}

#endif
