/* Version 7 of the snapshot's head: each field once, in both directions, flags apart; an encoder leaves the connection
 * as it is. First what every connection has (snapshot_fixed.h), then what only some have. Positions
 * are written relative to snd.una and rcv.nxt. */
#include "tcp/snapshot_head.h"
#include "tcp/arrival.h"
#include "tcp/rtt.h"
#include "tcp/snapshot_cc.h"
#include "tcp/snapshot_fixed.h"

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

/* But for the segment, which is apart. */
static inline void set_usual_tuning(struct capy_tcp_tuning *tune)
{
    uint16_t mss_max = tune->mss_max;
    *tune = USUAL;
    tune->mss_max = mss_max;
}

static inline bool tuning_is_usual(const struct capy_tcp_tuning *tune)
{
    struct capy_tcp_tuning usual = USUAL;
    usual.mss_max = tune->mss_max;
    return memcmp(tune, &usual, sizeof usual) == 0;
}

/* ---- flags: each once, with its bit ---- */

/* clang-format off */
#define FLAGS(X) \
    X(sack_ok, 1) X(ts_ok, 2) X(wscale_ok, 4) X(more, 8) X(fin_queued, 16) X(app_gone, 32) X(ack_now, 64)
#define LOSS_FLAGS(X) \
    X(reordering, 1) X(tlp_again, 2) X(shrunk, 4) X(unreachable, 8) X(syn_again, 16) X(cwnd_used, 32)
#define ECN_FLAGS(X) \
    X(ecn_rcv, 1) X(ecn_snd, 2) X(ce, 4) X(ce_changed, 8) X(cwr, 16)
#define TUNING_FLAGS(X) \
    X(nagle, 1) X(cork, 2) X(keepalive, 4) X(timestamps, 8) X(sack, 16) X(window_scale, 32)
/* clang-format on */

enum { MARKED = 128, TRIES_SHIFT = 6, ECN_ALL = 31, TUNING_ALL = 63 };

CAPY_CODEC_WALK uint8_t bit(uint8_t mask, bool flag)
{
    return flag ? mask : 0;
}

/* In functions where `of` has the flags, and `bits` are to be taken. */
#define FLAG_PUT(field, mask) | bit(mask, of->field)
#define FLAG_TAKE(field, mask) of->field = (bits & (mask)) != 0,

/* marked: the range lists follow. */
CAPY_CODEC_WALK uint8_t flags_of(const struct capy_tcp *of, bool marked)
{
    return (uint8_t)(bit(MARKED, marked) FLAGS(FLAG_PUT));
}

CAPY_CODEC_WALK uint8_t loss_of(const struct capy_tcp *of)
{
    return (uint8_t)(of->tries << TRIES_SHIFT LOSS_FLAGS(FLAG_PUT));
}

CAPY_CODEC_WALK uint8_t ecn_of(const struct capy_tcp *of)
{
    return (uint8_t)(0 ECN_FLAGS(FLAG_PUT));
}

CAPY_CODEC_WALK uint8_t tuning_bits_of(const struct capy_tcp_tuning *of)
{
    return (uint8_t)(0 TUNING_FLAGS(FLAG_PUT));
}

CAPY_CODEC_WALK void take_flags(struct capy_tcp *of, uint8_t bits)
{
    FLAGS(FLAG_TAKE)(void) 0;
}

CAPY_CODEC_WALK void take_loss(struct capy_tcp *of, uint8_t bits)
{
    LOSS_FLAGS(FLAG_TAKE)(void) 0;
    of->tries = bits >> TRIES_SHIFT & 3u;
}

CAPY_CODEC_WALK void take_ecn(struct capy_tcp *of, uint8_t bits)
{
    ECN_FLAGS(FLAG_TAKE)(void) 0;
}

CAPY_CODEC_WALK
void take_tuning_bits(struct capy_tcp_tuning *of, uint8_t bits)
{
    TUNING_FLAGS(FLAG_TAKE)(void) 0;
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
    if (!c->decoding)
        bits = tuning_bits_of(tune);
    capy_codec_u8(c, &bits);
    if (bits > TUNING_ALL)
        capy_codec_fail(c);
    if (c->decoding)
        take_tuning_bits(tune, bits);
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

/* ---- the receiving half ---- */

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
    if (c->decoding)
        tcb->challenge_ms = snap_ms(c) + wait_ms;
    if (c->decoding && receiver_is_quiet(tcb, c->now))
        capy_codec_fail(c);
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
    capy_codec_fixed32(c, &ep->before.cwnd);
    capy_codec_fixed32(c, &ep->before.ssthresh);
    walk_cc_private(c, &ep->before, tcb->congestion, tcb->snd.una);
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

/* ---- the whole ---- */

CAPY_CODEC_WALK uint8_t usual_of(const struct capy_codec *c, const struct capy_tcp *tcb,
                                 const struct capy_snap_meta *meta)
{
    return (uint8_t)(bit(QUIET_SENDER, sender_is_quiet(tcb)) |
                     bit(QUIET_RECEIVER, receiver_is_quiet(tcb, c->now)) |
                     bit(USUAL_TUNING, tuning_is_usual(&tcb->tune)) |
                     bit(NO_META, meta->app_len == 0 && meta->user_flags == 0));
}

/* Returns what is usual. *marked: the range lists follow. */
CAPY_CODEC_WALK uint8_t walk_bits(struct capy_codec *c, struct capy_tcp *tcb, bool *marked,
                                  const struct capy_snap_meta *meta)
{
    uint8_t flags = 0, usual = 0, loss = 0, ecn = 0;
    if (!c->decoding) {
        flags = flags_of(tcb, *marked);
        usual = usual_of(c, tcb, meta);
        loss = loss_of(tcb);
        ecn = ecn_of(tcb);
    }
    capy_codec_run8(c, &flags);
    capy_codec_run8(c, &usual);
    capy_codec_run8(c, &loss);
    capy_codec_run8(c, &ecn);
    if (!c->decoding)
        return usual;
    c->bad |= usual > (QUIET_SENDER | QUIET_RECEIVER | USUAL_TUNING | NO_META) || ecn > ECN_ALL;
    *marked = flags & MARKED;
    take_flags(tcb, flags);
    take_loss(tcb, loss);
    take_ecn(tcb, ecn);
    return usual;
}

/* What every connection has; returns what is usual of it. */
CAPY_CODEC_WALK uint8_t walk_fixed(struct capy_codec *c, struct capy_tcp *tcb,
                                   const struct capy_tcp_env *env, bool *marked,
                                   struct capy_snap_meta *meta)
{
    uint8_t version = CAPY_SNAP_VERSION;
    if (!capy_codec_run(c, CAPY_SNAP_FIXED_LEN))
        return 0;
    capy_codec_run8(c, &version);
    capy_codec_run8(c, &tcb->state);
    uint8_t usual = walk_bits(c, tcb, marked, meta);
    fixed_clock(c, tcb, env);
    capy_codec_run16(c, &tcb->tune.mss_max);
    fixed_snd(c, tcb);
    fixed_rcv(c, tcb);
    fixed_path(c, tcb);
    capy_codec_run_bytes(c, meta->next_hop.b, sizeof meta->next_hop.b);
    CAPY_ASSERT(c->sure == 0);
    if (version != CAPY_SNAP_VERSION || c->bad)
        capy_codec_fail(c);
    return usual;
}

/* Size that was given up, and where DCTCP's mark changed: seldom. */
static __attribute__((noinline)) void walk_seldom(struct capy_codec *c, struct capy_tcp *tcb)
{
    if (tcb->shrunk || tcb->tries > 0) {
        uint32_t left_ms = tcb->try_at_ms - snap_ms(c);
        capy_codec_u32(c, &left_ms);
        if (c->decoding)
            tcb->try_at_ms = snap_ms(c) + left_ms;
    }
    if (tcb->ce_changed) {
        uint64_t since = tcb->rcv.nxt - capy_tcp_rcv_ce_from(tcb);
        capy_codec_int(c, &since);
        if (c->decoding)
            tcb->ce_from = capy_tcp_near(tcb->rcv.nxt - since);
    }
}

CAPY_CODEC_WALK bool walk_head(struct capy_codec *c, struct capy_tcp *tcb,
                               const struct capy_tcp_env *env, struct capy_tcp_marks *marks,
                               struct capy_snap_meta *meta)
{
    bool marked = !c->decoding && marks;
    uint8_t usual = walk_fixed(c, tcb, env, &marked, meta);
    if (c->bad)
        return false;
    if (tcb->shrunk || tcb->tries > 0 || tcb->ce_changed)
        WALK_ELSEWHERE(walk_seldom, tcb);
    if (!(usual & USUAL_TUNING))
        WALK_ELSEWHERE(walk_tuning, tcb);
    else if (c->decoding)
        set_usual_tuning(&tcb->tune);
    if (c->decoding)
        capy_stream_init(&tcb->snd.queue, queue_start(tcb));
    if (!(usual & QUIET_SENDER))
        WALK_ELSEWHERE(walk_busy_sender, tcb);
    else if (c->decoding)
        quieten_sender(tcb);
    if (!(usual & QUIET_RECEIVER))
        WALK_ELSEWHERE(walk_busy_receiver, tcb);
    else if (c->decoding)
        quieten_receiver(tcb, c->now);
    walk_cc_private(c, &tcb->cc, tcb->congestion, tcb->snd.una);
    if (marked)
        WALK_ELSEWHERE(walk_marks, tcb, marks);
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
    struct capy_codec here = {
        .p = c->p, .at = c->at, .max = c->max, .decoding = decoding, .bad = c->bad, .now = c->now};
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
