/* Episodes of recovery (tcp/episode.h).
 *
 * DEVIATION(RFC 5682 §2, §3): with timestamps F-RTO is left to Eifel detection, which knows one ACK
 * earlier and holds back no retransmission meanwhile.
 * DEVIATION(RFC 4015 §3.2 step 8): the window is whole again at once, as RFC 9438 §4.9 has it: what
 * was never lost is still in flight and clocks what follows. */
#include "tcp/episode.h"
#include "tcp/congestion.h"
#include "tcp/output.h"
#include "tcp/position.h"
#include "tcp/rack.h"
#include "tcp/rtt.h"
#include "tcp/sent.h"

#define FRTO_WINDOW 2u /* segments, RFC 5682 step 2b */
#define FRTO_FAILED 3u /* segments, step 3a */

static struct capy_tcp_episode *episode(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    if (tcb->marks == CAPY_NONE)
        return NULL;
    struct capy_tcp_episode *ep = &capy_tcp_marks_need(tcb, env)->episode;
    return ep->doubt == CAPY_TCP_DOUBT_NONE ? NULL : ep;
}

static void forget(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                   struct capy_tcp_episode *ep)
{
    *ep = (struct capy_tcp_episode){0};
    capy_tcp_marks_settle(tcb, env);
}

/* RFC 3522 step 2, RFC 5682 step 1: a second timeout, or one before the first retransmission was
 * answered, is part of what goes on. */
static bool goes_on(const struct capy_tcp *tcb, const struct capy_tcp_episode *ep)
{
    bool timed_out = tcb->phase == CAPY_TCP_LOSS || tcb->phase == CAPY_TCP_FRTO;
    return ep->doubt == CAPY_TCP_DOUBT_UNSENT || ep->doubt == CAPY_TCP_DOUBT_ACK ||
           (ep->doubt == CAPY_TCP_DOUBT_DSACK && timed_out);
}

/* So is what follows while duplicates are being reported, where nothing else tells: then all of
 * both must be. */
static bool joins(const struct capy_tcp *tcb, const struct capy_tcp_episode *ep)
{
    return ep->doubt == CAPY_TCP_DOUBT_LATE && ep->told_left != 0 && !tcb->ts_ok;
}

static void begin(struct capy_tcp *tcb, struct capy_tcp_marks *m)
{
    uint64_t una = tcb->snd.una;
    m->episode = (struct capy_tcp_episode){
        .doubt = CAPY_TCP_DOUBT_UNSENT,
        .original_at = m->sent.cnt > 0 ? m->sent.r[0].at : tcb->sent_at,
        .start = una,
        .end = una,
        .before = tcb->cc,
    };
    /* A probe, or a retransmission of an episode before, may be reported as a duplicate yet. */
    uint64_t start = una;
    for (uint32_t i = 0; i < m->sent.cnt; start = m->sent.r[i++].end)
        if (m->sent.r[i].again) {
            m->episode.again += (uint32_t)(m->sent.r[i].end - start);
            m->episode.end = m->sent.r[i].end;
        }
}

void capy_tcp_episode_begin(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    struct capy_tcp_marks *m =
        tcb->snd.una < CAPY_TCP_POS_DATA ? NULL : capy_tcp_marks_to_send(tcb, env);
    if (m && joins(tcb, &m->episode))
        m->episode.doubt = CAPY_TCP_DOUBT_DSACK;
    else if (m && !goes_on(tcb, &m->episode))
        begin(tcb, m);
}

void capy_tcp_episode_sent(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t pos,
                           uint64_t end)
{
    struct capy_tcp_episode *ep = episode(tcb, env);
    if (!ep || ep->doubt == CAPY_TCP_DOUBT_LATE)
        return;
    ep->again += (uint32_t)(end - pos);
    ep->end = capy_max64(ep->end, end);
    ep->sent_once = ep->doubt == CAPY_TCP_DOUBT_UNSENT;
    if (!ep->sent_once)
        return;
    ep->doubt = CAPY_TCP_DOUBT_ACK;
    ep->first_at = env->now;
    ep->turn = end;
}

/* Nothing was lost: all is as it was before, but for what arrived since. */
static void undo(struct capy_tcp *tcb, const struct capy_tcp_env *env, struct capy_tcp_episode *ep)
{
    capy_tcp_cc_undo(tcb, &ep->before);
    if (tcb->phase == CAPY_TCP_LOSS || tcb->phase == CAPY_TCP_FRTO)
        tcb->backoff = 0;
    if (tcb->phase != CAPY_TCP_OPEN) {
        tcb->phase = CAPY_TCP_OPEN;
        tcb->snd.recover = tcb->snd.una - 1; /* no reduction counts any more */
        capy_tcp_sent_nothing_lost(tcb, env);
    }
    if (tcb->probe == CAPY_TCP_PROBE_RETRANS)
        tcb->probe = CAPY_TCP_PROBE_NONE;
    env->count->spurious_losses++;
    forget(tcb, env, ep);
}

/* An ACK that comes in one burst with those that made it look lost, before we could send. No DSACK
 * will follow, and RACK need not become more patient: nothing went again for it. */
void capy_tcp_episode_late(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    struct capy_tcp_episode *ep = episode(tcb, env);
    if (!ep || ep->doubt != CAPY_TCP_DOUBT_UNSENT)
        return;
    if (tcb->phase == CAPY_TCP_RECOVERY)
        tcb->reordering = true;
    else
        capy_tcp_rtt_spurious(tcb, env->now - ep->original_at);
    undo(tcb, env, ep);
}

/* The first ACK shows that the original arrived. RFC 4015 §3: a timeout that came too early makes
 * the estimator patient; a segment that was overtaken makes RACK so (as RFC 8985 §6.2 step 4 does
 * when the DSACK arrives, which will not count again in this round trip). */
static void undo_by_ack(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                        struct capy_tcp_episode *ep)
{
    if (tcb->phase == CAPY_TCP_RECOVERY) {
        tcb->reordering = true;
        capy_tcp_rack_dsack(tcb, env);
    } else {
        capy_tcp_rtt_spurious(tcb, env->now - ep->original_at);
    }
    undo(tcb, env, ep);
}

/* RFC 3522 steps 4 and 5. When everything was acknowledged at once, it may be that only ACKs were
 * lost; a peer known to report duplicates would have said so. An echo from before the original left
 * is no echo of it but a broken peer's, which must not get out of congestion control for ever; only
 * with SACK is it known when that was. */
static bool echo_is_original(const struct capy_tcp *tcb, const struct capy_tcp_env *env,
                             const struct capy_tcp_arrival *a, const struct capy_tcp_episode *ep)
{
    if (!tcb->ts_ok || !(a->seg->opts & CAPY_TCP_OPT_TS) || a->dsack_right != 0 ||
        (a->ack == tcb->snd.nxt && tcb->reo_persist == 0))
        return false;
    uint32_t echo = a->seg->ts_ecr;
    return (int32_t)(echo - capy_tcp_ts_at(tcb, env, ep->first_at)) < 0 &&
           (!tcb->sack_ok || (int32_t)(echo - capy_tcp_ts_at(tcb, env, ep->original_at)) >= 0);
}

/* RFC 5682 step 2: after a timeout's first retransmission, and nothing else, was acknowledged, but
 * not all: go on with new data if there is any. */
static bool try_new_data(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                         struct capy_tcp_episode *ep)
{
    if (tcb->ts_ok || tcb->phase != CAPY_TCP_LOSS || tcb->snd.una >= tcb->snd.recover ||
        !ep->sent_once || capy_tcp_may_send_new(tcb, env) == 0)
        return false;
    tcb->phase = CAPY_TCP_FRTO;
    tcb->cc.cwnd = FRTO_WINDOW * tcb->snd.mss;
    ep->doubt = CAPY_TCP_DOUBT_ACK;
    ep->turn = tcb->snd.una + 1;
    return true;
}

/* RFC 5682 step 3a: the loss was one. */
static void frto_failed(struct capy_tcp *tcb, struct capy_tcp_episode *ep)
{
    tcb->phase = CAPY_TCP_LOSS;
    tcb->cc.cwnd = FRTO_FAILED * tcb->snd.mss;
    ep->doubt = CAPY_TCP_DOUBT_DSACK;
}

void capy_tcp_episode_acked(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                            const struct capy_tcp_arrival *a)
{
    struct capy_tcp_episode *ep = episode(tcb, env);
    if (!ep || tcb->snd.una < ep->turn)
        return;
    if (ep->doubt == CAPY_TCP_DOUBT_LATE) {
        forget(tcb, env, ep);
    } else if (ep->doubt == CAPY_TCP_DOUBT_ACK) {
        if (tcb->phase == CAPY_TCP_FRTO && tcb->snd.una <= tcb->snd.recover)
            undo_by_ack(tcb, env, ep); /* step 3b: the ACK is for what went before the timeout */
        else if (tcb->phase == CAPY_TCP_FRTO)
            frto_failed(tcb, ep);
        else if (echo_is_original(tcb, env, a, ep))
            undo_by_ack(tcb, env, ep);
        else if (!try_new_data(tcb, env, ep))
            ep->doubt = CAPY_TCP_DOUBT_DSACK;
    }
}

void capy_tcp_episode_duplicate(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    struct capy_tcp_episode *ep = episode(tcb, env);
    CAPY_ASSERT(ep && tcb->phase == CAPY_TCP_FRTO);
    /* With SACK (§3.1), news of what left before the timeout; the scoreboard began anew with it. */
    const struct capy_tcp_ranges *sacked = &capy_tcp_marks(tcb, env)->sacked;
    if (sacked->cnt > 0 && sacked->r[sacked->cnt - 1].right <= tcb->snd.recover)
        undo_by_ack(tcb, env, ep);
    else
        frto_failed(tcb, ep);
}

/* RFC 3708 §3. A report amid those that came before may be one that the network repeats: it does not
 * count. Whatever of the reports is lost means that nothing is undone. */
void capy_tcp_episode_dsack(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                            const struct capy_tcp_arrival *a)
{
    struct capy_tcp_episode *ep = episode(tcb, env);
    uint64_t left = a->dsack_left, right = a->dsack_right;
    if (!ep || left < ep->start || right > ep->end ||
        (left < ep->told_right && right > ep->told_left))
        return;
    ep->told_left = ep->told_left == 0 ? left : capy_min64(left, ep->told_left);
    ep->told_right = capy_max64(right, ep->told_right);
    ep->again -= capy_min32((uint32_t)(right - left), ep->again);
    if (tcb->phase != CAPY_TCP_LOSS && tcb->phase != CAPY_TCP_FRTO)
        tcb->reordering = true; /* the original arrived: it had been overtaken */
    if (ep->again == 0 && ep->doubt != CAPY_TCP_DOUBT_UNSENT)
        undo(tcb, env, ep);
}

void capy_tcp_episode_none(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    struct capy_tcp_episode *ep = episode(tcb, env);
    if (ep)
        forget(tcb, env, ep);
}

void capy_tcp_episode_over(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    struct capy_tcp_episode *ep = episode(tcb, env);
    if (!ep)
        return;
    /* Reports come within a round trip, if at all; an idle connection keeps no block for them. */
    bool idle = tcb->snd.una == tcb->snd.nxt && tcb->snd.nxt == tcb->snd.end;
    if (!tcb->sack_ok || ep->again == 0 || idle) {
        forget(tcb, env, ep);
        return;
    }
    ep->doubt = CAPY_TCP_DOUBT_LATE;
    ep->turn =
        capy_max64(tcb->snd.nxt, tcb->snd.una + 1); /* what leaves now is acknowledged later */
    ep->prr = (struct capy_tcp_prr){0};
}
