/* Version 6 of the snapshot's head: each field once, in both directions. Positions are written relative
 * to snd.una and rcv.nxt. */
#include "tcp/snapshot_head.h"
#include "tcp/arrival.h"
#include "tcp/position.h"
#include "tcp/rtt.h"
#include "tcp/snapshot_cc.h"
#include "tcp/validation.h"

/* What is usual takes one bit for all of it, and its fields are left out: most of the head of a
 * connection that rests. One value has one encoding, so a decoder refuses fields that are usual. */
enum {
    QUIET_SENDER = 1,   /* all was acknowledged, nothing waits, no timer runs */
    QUIET_RECEIVER = 2, /* all was read and acknowledged */
    USUAL_TUNING = 4,
    NO_META = 8, /* the layers above have nothing to say */
};

/* Part of the version, whatever the configuration says here or there. The segment is apart. */
static const struct capy_tcp_tuning USUAL = {
    .snd_buf = 512u << 10,
    .rcv_buf = 256u << 10,
    .keep_idle_s = 7200,
    .keep_interval_s = 75,
    .delack_ms = 40,
    .keep_cnt = 9,
    .initial_window = 10,
    .congestion = CAPY_TCP_CUBIC,
    .timestamps = true,
    .sack = true,
    .window_scale = true,
    .ecn = CAPY_TCP_ECN_ACCEPT,
};

_Static_assert(sizeof(struct capy_tcp_tuning) == 28, "tunings are compared as bytes: no padding");

static inline bool tuning_is_usual(const struct capy_tcp_tuning *tune)
{
    struct capy_tcp_tuning usual = USUAL;
    usual.mss_max = tune->mss_max;
    return memcmp(tune, &usual, sizeof usual) == 0;
}

CAPY_CODEC_WALK void walk_flag(uint8_t *bits, uint8_t mask, bool *flag, bool decoding)
{
    if (decoding)
        *flag = *bits & mask;
    else
        *bits |= *flag ? mask : 0;
}

#define WALK_FLAG(mask, field)                                                                     \
    do {                                                                                           \
        bool flag_ = (field);                                                                      \
        walk_flag(&bits, (mask), &flag_, c->decoding);                                             \
        if (c->decoding)                                                                           \
            (field) = flag_;                                                                       \
    } while (0)

/* True when the range lists follow. */
CAPY_CODEC_WALK bool gather_flags(struct capy_codec *c, struct capy_tcp *tcb, bool marked)
{
    uint8_t bits = 0;
    if (c->decoding)
        capy_codec_u8(c, &bits);
    WALK_FLAG(1, tcb->sack_ok);
    WALK_FLAG(2, tcb->ts_ok);
    WALK_FLAG(4, tcb->wscale_ok);
    WALK_FLAG(8, tcb->more);
    WALK_FLAG(16, tcb->fin_queued);
    WALK_FLAG(32, tcb->app_gone);
    WALK_FLAG(64, tcb->ack_now);
    WALK_FLAG(128, marked);
    if (!c->decoding)
        capy_codec_u8(c, &bits);
    return marked;
}

CAPY_CODEC_WALK void gather_loss_flags(struct capy_codec *c, struct capy_tcp *tcb)
{
    enum { TRIES_SHIFT = 6 };
    uint8_t bits = (uint8_t)(tcb->tries << TRIES_SHIFT);
    if (c->decoding)
        capy_codec_u8(c, &bits);
    WALK_FLAG(1, tcb->reordering);
    WALK_FLAG(2, tcb->tlp_again);
    WALK_FLAG(4, tcb->shrunk);
    WALK_FLAG(8, tcb->unreachable);
    WALK_FLAG(16, tcb->syn_again);
    WALK_FLAG(32, tcb->cwnd_used);
    tcb->tries = bits >> TRIES_SHIFT & 3u;
    if (!c->decoding)
        capy_codec_u8(c, &bits);
    if (tcb->shrunk || tcb->tries > 0) { /* else it says nothing */
        uint32_t now_ms = (uint32_t)(c->now / CAPY_MS(1)), left_ms = tcb->try_at_ms - now_ms;
        capy_codec_u32(c, &left_ms);
        tcb->try_at_ms = now_ms + left_ms;
    }
}

CAPY_CODEC_WALK void walk_ecn(struct capy_codec *c, struct capy_tcp *tcb)
{
    uint8_t bits = 0;
    if (c->decoding)
        capy_codec_u8(c, &bits);
    WALK_FLAG(1, tcb->ecn_rcv);
    WALK_FLAG(2, tcb->ecn_snd);
    WALK_FLAG(4, tcb->ce);
    WALK_FLAG(8, tcb->ce_changed);
    WALK_FLAG(16, tcb->cwr);
    if (bits > 31)
        capy_codec_fail(c);
    if (!c->decoding)
        capy_codec_u8(c, &bits);
    if (!tcb->ce_changed)
        return;
    uint64_t since = tcb->rcv.nxt - capy_tcp_rcv_ce_from(tcb);
    capy_codec_int(c, &since);
    tcb->ce_from = capy_tcp_near(tcb->rcv.nxt - since);
}

/* The release moves with sent_at. */
CAPY_CODEC_WALK void walk_pacing(struct capy_codec *c, struct capy_tcp *tcb)
{
    uint8_t out = tcb->paced_out;
    uint32_t ns = (uint32_t)tcb->pace_ns;
    capy_codec_u32(c, &tcb->tune.pacing);
    if (tcb->tune.pacing == 0) /* else it says nothing */
        return;
    capy_codec_u8(c, &out);
    capy_codec_fixed32(c, &ns);
    if (out > 1)
        capy_codec_fail(c);
    tcb->paced_out = out == 1;
    tcb->pace_ns = (int32_t)ns;
}

static __attribute__((noinline)) void walk_tuning(struct capy_codec *c, struct capy_tcp *tcb)
{
    struct capy_tcp_tuning *tune = &tcb->tune;
    uint8_t bits = 0;
    capy_codec_u32(c, &tune->user_timeout_ms);
    capy_codec_u32(c, &tune->snd_buf);
    capy_codec_u32(c, &tune->rcv_buf);
    capy_codec_u16(c, &tune->keep_idle_s);
    capy_codec_u16(c, &tune->keep_interval_s);
    capy_codec_u16(c, &tune->delack_ms);
    capy_codec_u8(c, &tune->keep_cnt);
    capy_codec_u8(c, &tune->initial_window);
    capy_codec_u8(c, &tune->congestion);
    if (c->decoding)
        capy_codec_u8(c, &bits);
    WALK_FLAG(1, tune->nagle);
    WALK_FLAG(2, tune->cork);
    WALK_FLAG(4, tune->keepalive);
    WALK_FLAG(8, tune->timestamps);
    WALK_FLAG(16, tune->sack);
    WALK_FLAG(32, tune->window_scale);
    if (bits > 63)
        capy_codec_fail(c);
    if (!c->decoding)
        capy_codec_u8(c, &bits);
    uint8_t ecn = tune->ecn;
    capy_codec_u8(c, &ecn);
    if (ecn > CAPY_TCP_ECN_OFFER)
        capy_codec_fail(c);
    tune->ecn = ecn & 3u;
    walk_pacing(c, tcb);
    if (c->decoding && tuning_is_usual(tune))
        capy_codec_fail(c);
}

/* ---- the sending half ---- */

static inline uint64_t queue_start(const struct capy_tcp *tcb)
{
    /* una has passed the FIN in just these states: then the queue ends one below. */
    bool fin_acked = tcb->state == CAPY_TCP_FIN_WAIT_2 || tcb->state == CAPY_TCP_TIME_WAIT;
    return tcb->snd.una - (fin_acked ? 1u : 0u);
}

static inline bool sender_is_quiet(const struct capy_tcp *tcb)
{
    const struct capy_tcp_snd *snd = &tcb->snd;
    uint64_t positions = (snd->nxt ^ snd->una) | (snd->rtx_nxt ^ snd->una) |
                         (snd->lost_end ^ snd->una) | (snd->recover ^ (snd->una - 1)) |
                         (snd->end ^ snd->queue.start) | snd->tlp_end | tcb->rtt.timed_pos;
    uint64_t deadlines = ~(tcb->timer_at & tcb->give_up_at);
    uint32_t counts = snd->sacked | snd->dup_acks | tcb->timer | tcb->phase | tcb->probe |
                      tcb->backoff | tcb->reo_mult | tcb->reo_persist | tcb->keep_sent;
    return (positions | deadlines | counts) == 0;
}

static inline void quieten_sender(struct capy_tcp *tcb)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    snd->nxt = snd->rtx_nxt = snd->lost_end = snd->una;
    snd->recover = snd->una - 1;
    snd->end = snd->queue.start;
    snd->tlp_end = tcb->rtt.timed_pos = 0;
    tcb->timer_at = tcb->give_up_at = CAPY_NEVER;
    snd->sacked = snd->dup_acks = 0;
    tcb->timer = tcb->phase = tcb->probe = tcb->backoff = 0;
    tcb->reo_mult = tcb->reo_persist = tcb->keep_sent = 0;
}

static __attribute__((noinline)) void walk_busy_sender(struct capy_codec *c, struct capy_tcp *tcb)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    capy_codec_after(c, &snd->nxt, snd->una);
    capy_codec_after(c, &snd->end, snd->queue.start);
    capy_codec_after(c, &snd->rtx_nxt, snd->una);
    capy_codec_after(c, &snd->lost_end, snd->una);
    capy_codec_after(c, &snd->recover, snd->una - 1);
    capy_codec_after_or(c, &snd->tlp_end, snd->una - 1, 0); /* may be una: its fate is open */
    if (!tcb->sack_ok)                                      /* else the ranges tell */
        capy_codec_u32(c, &snd->sacked);
    capy_codec_u8(c, &snd->dup_acks);
    capy_codec_u8(c, &tcb->timer);
    capy_codec_u8(c, &tcb->phase);
    capy_codec_u8(c, &tcb->probe);
    capy_codec_u8(c, &tcb->backoff);
    capy_codec_u8(c, &tcb->reo_mult);
    capy_codec_u8(c, &tcb->reo_persist);
    capy_codec_u8(c, &tcb->keep_sent);
    capy_codec_deadline(c, &tcb->timer_at);
    capy_codec_deadline(c, &tcb->give_up_at);
    capy_codec_after_or(c, &tcb->rtt.timed_pos, snd->una, 0);
    if (tcb->rtt.timed_pos != 0)
        capy_codec_age(c, &tcb->rtt.timed_at);
    if (c->decoding && sender_is_quiet(tcb))
        capy_codec_fail(c);
}

/* What is rare is walked elsewhere: it is not worth the registers of the rest. */
#define WALK_ELSEWHERE(walk, ...)                                                                  \
    do {                                                                                           \
        struct capy_codec elsewhere_ = *c;                                                         \
        walk(&elsewhere_, __VA_ARGS__);                                                            \
        *c = elsewhere_;                                                                           \
    } while (0)

CAPY_CODEC_WALK void walk_snd(struct capy_codec *c, struct capy_tcp *tcb, bool quiet)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    capy_codec_fixed32(c, &snd->iss.v);
    capy_codec_after(c, &snd->una, CAPY_TCP_POS_SYN);
    if (c->decoding) {
        capy_stream_init(&snd->queue, queue_start(tcb));
        snd->sacked = 0;
    }
    if (!quiet)
        WALK_ELSEWHERE(walk_busy_sender, tcb);
    else if (c->decoding)
        quieten_sender(tcb);
    capy_codec_fixed32(c, &snd->wnd);
    capy_codec_fixed32(c, &snd->wnd_max);
    capy_codec_fixed32(c, &snd->wl1.v);
    capy_codec_fixed32(c, &snd->wl2.v);
    capy_codec_fixed16(c, &snd->mss);
    capy_codec_u8(c, &snd->wscale);
    capy_codec_fixed_age(c, &tcb->sent_at);
}

/* ---- the receiving half ---- */

/* A position as its lower half; bad when it is so far off that this would not name it. */
CAPY_CODEC_WALK struct capy_tcp_near near_enough(struct capy_codec *c, uint64_t pos, uint64_t ref)
{
    if (capy_tcp_far(capy_tcp_near(pos), ref) != pos)
        capy_codec_fail(c);
    return capy_tcp_near(pos);
}

/* A time in whole seconds of the clock, as its age. */
CAPY_CODEC_WALK void walk_age_s(struct capy_codec *c, uint32_t *at_s)
{
    uint32_t now_s = (uint32_t)(c->now / CAPY_SEC(1)), age_s = now_s - *at_s;
    capy_codec_u32(c, &age_s);
    *at_s = now_s - age_s;
}

/* Only the future matters: a challenge that is allowed by now needs no time. */
static inline uint32_t challenge_wait_ms(const struct capy_tcp *tcb, uint64_t now)
{
    uint32_t wait_ms = tcb->challenge_ms - (uint32_t)(now / CAPY_MS(1));
    return wait_ms > CAPY_TCP_CHALLENGE_MS ? 0 : wait_ms;
}

static inline bool receiver_is_quiet(const struct capy_tcp *tcb, uint64_t now)
{
    const struct capy_tcp_rcv *rcv = &tcb->rcv;
    return !rcv->fin_seen && rcv->queue.start == rcv->nxt && rcv->acked.low == (uint32_t)rcv->nxt &&
           tcb->delack_at == CAPY_NEVER && challenge_wait_ms(tcb, now) == 0;
}

static inline void quieten_receiver(struct capy_tcp *tcb, uint64_t now)
{
    struct capy_tcp_rcv *rcv = &tcb->rcv;
    rcv->fin_seen = false;
    capy_stream_init(&rcv->queue, rcv->nxt);
    rcv->acked = capy_tcp_near(rcv->nxt);
    tcb->delack_at = CAPY_NEVER;
    tcb->challenge_ms = (uint32_t)(now / CAPY_MS(1));
}

static __attribute__((noinline)) void walk_busy_receiver(struct capy_codec *c, struct capy_tcp *tcb)
{
    struct capy_tcp_rcv *rcv = &tcb->rcv;
    /* A consumed FIN lies at nxt - 1. */
    uint64_t fin_pos = capy_tcp_fin_pos(tcb), unacked = rcv->nxt - capy_tcp_rcv_acked(tcb);
    capy_codec_after_or(c, &fin_pos, rcv->nxt - 2, CAPY_NEVER);
    rcv->fin_seen = fin_pos != CAPY_NEVER;
    if (rcv->fin_seen)
        rcv->fin = near_enough(c, fin_pos, rcv->nxt);
    uint64_t unread = capy_tcp_rcv_last(tcb) - rcv->queue.start;
    capy_codec_int(c, &unread);
    if (c->decoding)
        capy_stream_init(&rcv->queue, capy_tcp_rcv_last(tcb) - unread);
    capy_codec_int(c, &unacked);
    rcv->acked = near_enough(c, rcv->nxt - unacked, rcv->nxt);
    capy_codec_deadline(c, &tcb->delack_at);
    uint32_t wait_ms = challenge_wait_ms(tcb, c->now);
    capy_codec_u32(c, &wait_ms);
    tcb->challenge_ms = (uint32_t)(c->now / CAPY_MS(1)) + wait_ms;
    if (c->decoding && receiver_is_quiet(tcb, c->now))
        capy_codec_fail(c);
}

CAPY_CODEC_WALK void walk_rcv(struct capy_codec *c, struct capy_tcp *tcb, bool quiet)
{
    struct capy_tcp_rcv *rcv = &tcb->rcv;
    capy_codec_fixed32(c, &rcv->irs.v);
    capy_codec_after(c, &rcv->nxt, CAPY_TCP_POS_SYN);
    uint32_t open = (uint32_t)(capy_tcp_rcv_edge(tcb) - rcv->nxt);
    if (!quiet)
        WALK_ELSEWHERE(walk_busy_receiver, tcb);
    else if (c->decoding)
        quieten_receiver(tcb, c->now);
    capy_codec_fixed32(c, &open);
    rcv->adv = near_enough(c, rcv->nxt + open, rcv->nxt);
    capy_codec_fixed32(c, &rcv->ts_recent);
    if (tcb->ts_ok)
        walk_age_s(c, &rcv->ts_recent_s);
    capy_codec_fixed16(c, &rcv->buf_kib);
    if (rcv->buf_kib != 0) {
        uint32_t now_us = (uint32_t)(c->now / CAPY_US(1)), age_us = now_us - rcv->round_us;
        capy_codec_fixed32(c, &age_us);
        rcv->round_us = now_us - age_us;
        capy_codec_u16(c, &rcv->round_kib);
    }
    capy_codec_fixed16(c, &rcv->mss);
    capy_codec_u8(c, &rcv->wscale);
}

CAPY_CODEC_WALK void walk_path(struct capy_codec *c, struct capy_tcp *tcb)
{
    capy_codec_fixed64(c, &tcb->rtt.srtt_ns);
    capy_codec_fixed64(c, &tcb->rtt.rttvar_ns);
    capy_codec_fixed32(c, &tcb->snd.min_rtt_ns);
    capy_codec_u8(c, &tcb->congestion);
    walk_cc(c, &tcb->cc, tcb->congestion, tcb->snd.una);
    /* Once the period is over, it does not matter for how long. */
    uint32_t now_ms = (uint32_t)(c->now / CAPY_MS(1));
    uint32_t unused_ms = capy_min32(now_ms - tcb->validated_ms, CAPY_TCP_NON_VALIDATED_MS);
    capy_codec_fixed32(c, &unused_ms);
    if (unused_ms > CAPY_TCP_NON_VALIDATED_MS)
        c->bad = true;
    tcb->validated_ms = now_ms - unused_ms;
}

static void walk_ranges(struct capy_codec *c, struct capy_tcp_ranges *l, uint64_t base)
{
    capy_codec_u32(c, &l->cnt);
    if (l->cnt > CAPY_TCP_RANGE_MAX) {
        capy_codec_fail(c);
        l->cnt = 0;
    }
    for (uint32_t i = 0; i < l->cnt; i++) {
        capy_codec_after(c, &l->r[i].left, base);
        capy_codec_after(c, &l->r[i].right, l->r[i].left);
    }
}

static void walk_sent(struct capy_codec *c, struct capy_tcp_sent *l, uint64_t una)
{
    capy_codec_u32(c, &l->cnt);
    if (l->cnt > CAPY_TCP_RUN_MAX) {
        capy_codec_fail(c);
        l->cnt = 0;
    }
    if (l->cnt == 0)
        return;
    uint64_t base = una - 1; /* RACK's end may be una itself */
    capy_codec_after_or(c, &l->rack_end, base, 0);
    if (l->rack_end != 0) {
        capy_codec_age(c, &l->rack_at);
        capy_codec_int(c, &l->rack_rtt);
    }
    capy_codec_after_or(c, &l->dsack_round, una, 0);
    capy_codec_age(c, &l->cut_at);
    for (uint32_t i = 0; i < l->cnt; i++) {
        struct capy_tcp_run *run = &l->r[i];
        capy_codec_after(c, &run->end, i == 0 ? una : l->r[i - 1].end);
        capy_codec_age(c, &run->at);
        uint8_t bits = (uint8_t)((run->again ? 1u : 0u) | (run->lost ? 2u : 0u));
        capy_codec_u8(c, &bits);
        run->again = bits & 1;
        run->lost = bits & 2;
        if (bits > 3)
            capy_codec_fail(c);
    }
}

static void walk_episode(struct capy_codec *c, const struct capy_tcp *tcb,
                         struct capy_tcp_episode *ep)
{
    capy_codec_u8(c, &ep->doubt);
    if (ep->doubt == CAPY_TCP_DOUBT_NONE)
        return;
    capy_codec_age(c, &ep->original_at);
    if (ep->doubt != CAPY_TCP_DOUBT_UNSENT) {
        capy_codec_age(c, &ep->first_at);
        capy_codec_after(c, &ep->turn, CAPY_TCP_POS_DATA);
    }
    capy_codec_after(c, &ep->start, CAPY_TCP_POS_DATA);
    capy_codec_after(c, &ep->end, ep->start);
    capy_codec_after_or(c, &ep->told_left, ep->start - 1, 0);
    if (ep->told_left != 0)
        capy_codec_after(c, &ep->told_right, ep->told_left);
    capy_codec_u32(c, &ep->again);
    uint8_t sent_once = ep->sent_once;
    capy_codec_u8(c, &sent_once);
    ep->sent_once = sent_once == 1;
    if (sent_once > 1)
        capy_codec_fail(c);
    walk_cc(c, &ep->before, tcb->congestion, tcb->snd.una);
    capy_codec_u32(c, &ep->prr.flight);
    capy_codec_u32(c, &ep->prr.delivered);
    capy_codec_u32(c, &ep->prr.out);
}

static __attribute__((noinline)) void walk_marks(struct capy_codec *c, const struct capy_tcp *tcb,
                                                 struct capy_tcp_marks *marks)
{
    if (c->decoding)
        *marks = (struct capy_tcp_marks){0};
    walk_ranges(c, &marks->ooo, tcb->rcv.nxt);
    walk_ranges(c, &marks->sacked, tcb->snd.una);
    walk_sent(c, &marks->sent, tcb->snd.una);
    walk_episode(c, tcb, &marks->episode);
    capy_codec_after_or(c, &marks->dup.left, CAPY_TCP_POS_SYN, 0);
    if (marks->dup.left != 0)
        capy_codec_after(c, &marks->dup.right, marks->dup.left);
    if (c->decoding && !capy_tcp_marks_used(marks))
        capy_codec_fail(c); /* then nobody would have written them */
}

static __attribute__((noinline)) void walk_meta(struct capy_codec *c, struct capy_snap_meta *meta)
{
    capy_codec_u32(c, &meta->app_len);
    capy_codec_fixed64(c, &meta->user_flags);
    if (c->decoding && meta->app_len == 0 && meta->user_flags == 0)
        capy_codec_fail(c);
}

CAPY_CODEC_WALK uint8_t walk_usual(struct capy_codec *c, const struct capy_tcp *tcb,
                                   const struct capy_snap_meta *meta)
{
    uint8_t usual = 0;
    if (!c->decoding) {
        usual = (uint8_t)((sender_is_quiet(tcb) ? QUIET_SENDER : 0u) |
                          (receiver_is_quiet(tcb, c->now) ? QUIET_RECEIVER : 0u) |
                          (tuning_is_usual(&tcb->tune) ? USUAL_TUNING : 0u) |
                          (meta->app_len == 0 && meta->user_flags == 0 ? NO_META : 0u));
    }
    capy_codec_u8(c, &usual);
    if (usual > (QUIET_SENDER | QUIET_RECEIVER | USUAL_TUNING | NO_META))
        capy_codec_fail(c);
    return usual;
}

CAPY_CODEC_WALK bool walk_head(struct capy_codec *c, struct capy_tcp *tcb,
                               const struct capy_tcp_env *env, struct capy_tcp_marks *marks,
                               struct capy_snap_meta *meta)
{
    uint8_t version = CAPY_SNAP_VERSION;
    capy_codec_u8(c, &version);
    if (version != CAPY_SNAP_VERSION)
        capy_codec_fail(c);
    capy_codec_u8(c, &tcb->state);
    bool marked = gather_flags(c, tcb, !c->decoding && marks);
    uint8_t usual = walk_usual(c, tcb, meta);
    /* The clock's present value moves; the offset is what makes it so here. */
    uint32_t clock = capy_tcp_ts_now(tcb, env);
    capy_codec_fixed32(c, &clock);
    tcb->ts_offset += clock - capy_tcp_ts_now(tcb, env);
    if (!(usual & USUAL_TUNING))
        WALK_ELSEWHERE(walk_tuning, tcb);
    else if (c->decoding)
        tcb->tune = USUAL;
    capy_codec_fixed16(c, &tcb->tune.mss_max);
    walk_snd(c, tcb, usual & QUIET_SENDER);
    gather_loss_flags(c, tcb);
    walk_rcv(c, tcb, usual & QUIET_RECEIVER);
    walk_ecn(c, tcb);
    walk_path(c, tcb);
    if (marked)
        WALK_ELSEWHERE(walk_marks, tcb, marks);
    capy_codec_bytes(c, meta->next_hop.b, sizeof meta->next_hop.b);
    if (!(usual & NO_META))
        WALK_ELSEWHERE(walk_meta, meta);
    else if (c->decoding)
        meta->app_len = 0, meta->user_flags = 0;
    return marked && !c->bad;
}

/* decoding: a constant, so that the compiler makes a walk of its own for each direction. */
CAPY_CODEC_WALK bool walk_one_way(bool decoding, struct capy_codec *c, struct capy_tcp *tcb,
                                  const struct capy_tcp_env *env, struct capy_tcp_marks *marks,
                                  struct capy_snap_meta *meta)
{
    struct capy_codec here = {c->p, c->at, c->max, decoding, c->bad, c->now};
    bool marked = walk_head(&here, tcb, env, marks, meta);
    *c = here;
    return marked;
}

bool capy_snap_head_walk(struct capy_codec *c, struct capy_tcp *tcb, const struct capy_tcp_env *env,
                         struct capy_tcp_marks *marks, struct capy_snap_meta *meta)
{
    return c->decoding ? walk_one_way(true, c, tcb, env, marks, meta)
                       : walk_one_way(false, c, tcb, env, marks, meta);
}
