/* Loss recovery (tcp/recovery.h). Four phases; "undone" is the finding of tcp/episode.h that nothing
 * was lost:
 *
 *            loss proven                    una >= recover, or undone
 *   OPEN ------------------> RECOVERY ---------------------------------> OPEN
 *     | RTO                     | RTO                                      ^
 *     +-------------------------+------> LOSS -----------------------------+
 *                                        |  ^  one ACK, and there is new   |
 *                                        v  |  data to send (RFC 5682)     |
 *                                        FRTO -----------------------------+
 *
 * Retransmission itself is not here: output sends lost pieces as the pipe allows, the first of a
 * phase (probe RETRANS) without asking the pipe. In RECOVERY the window is what proportional rate
 * reduction makes it (tcp/prr.h), and ssthresh in the end; after an RTO it grows from one segment.
 * Limited transmit (RFC 3042) needs no code: SACKed bytes and duplicate ACKs leave the pipe and so
 * make room for new data. With SACK, RACK proves loss (RFC 8985), that of retransmissions as well,
 * also after a timeout.
 *
 * DEVIATION(RFC 6675 §4 NextSeg): rules 3 and 4 (retransmitting what is not known to be lost,
 * rescue retransmission) are left out. What they are for is a tail lost together with the hole
 * before it: as soon as the hole's retransmission arrives RACK knows that the tail, which left
 * earlier, is lost.
 * DEVIATION(RFC 8985 §6.3): an RTO takes everything for lost, not only what RACK would. */
#include "tcp/recovery.h"
#include "tcp/congestion.h"
#include "tcp/episode.h"
#include "tcp/position.h"
#include "tcp/prr.h"
#include "tcp/rack.h"
#include "tcp/rtt.h"
#include "tcp/scoreboard.h"
#include "tcp/validation.h"

/* RFC 8985 §7.2: a lone segment's ACK may be delayed; kernels delay by at least 40 ms. */
#define PEER_DELACK_NS CAPY_MS(40)

/* Phases of slow start after an RTO. */
static bool timed_out(const struct capy_tcp *tcb)
{
    return tcb->phase == CAPY_TCP_LOSS || tcb->phase == CAPY_TCP_FRTO;
}

/* During recovery the window is PRR's; what it reduces toward is the congestion control's. */
static void settle_window(struct capy_tcp *tcb)
{
    if (tcb->phase == CAPY_TCP_RECOVERY)
        tcb->cc.cwnd = tcb->cc.ssthresh;
}

/* FlightSize, and what waits and may leave: while a burst of ACKs is taken in, or one ACK for dozens
 * of segments, nothing is sent, and the flight alone would tell of a window hardly used. */
static uint32_t in_use(const struct capy_tcp *tcb)
{
    const struct capy_tcp_snd *snd = &tcb->snd;
    uint64_t end = capy_min64(snd->end, snd->una + snd->wnd);
    if (tcb->paced_out) /* it is the pace that keeps it, not the window */
        return capy_tcp_flight(tcb);
    return (uint32_t)(capy_max64(end, snd->nxt) - snd->una);
}

/* acked: what the ACK that proves the loss acknowledged. */
static void enter_recovery(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t acked)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    settle_window(tcb);
    capy_tcp_episode_begin(tcb, env);
    /* RFC 5681 §3.2 step 2: without what limited transmit added; in a second cut, without what left
     * before the first. */
    capy_tcp_cc_lost(tcb, capy_min32(in_use(tcb) + acked, tcb->cc.cwnd));
    tcb->phase = CAPY_TCP_RECOVERY;
    snd->recover = snd->nxt;
    snd->tlp_end = 0;
    if (!tcb->sack_ok) /* duplicate ACKs alone got us here */
        snd->lost_end = capy_max64(snd->lost_end, capy_min64(snd->una + snd->mss, snd->nxt));
    tcb->probe = CAPY_TCP_PROBE_RETRANS;
    capy_tcp_prr_begin(tcb, env);
    env->count->fast_retrans++;
}

/* What RACK finds by now. */
static enum capy_tcp_rack_found look_by_time(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                                             uint32_t acked)
{
    if (tcb->marks == CAPY_NONE)
        return CAPY_TCP_RACK_NOTHING;
    enum capy_tcp_rack_found found = capy_tcp_rack_detect(tcb, env);
    if (found == CAPY_TCP_RACK_NOTHING || timed_out(tcb))
        return found;
    /* RFC 5681 §4.3: a lost retransmission is a second sign of congestion. */
    if (tcb->phase == CAPY_TCP_OPEN || found == CAPY_TCP_RACK_LOST_AGAIN) {
        struct capy_tcp_sent *l = capy_tcp_sent_need(tcb, env);
        enter_recovery(tcb, env, acked);
        l->cut_at = env->now;
    }
    return found;
}

/* RFC 6582 §3.2 step 2, the "careful" variant: duplicates of what was retransmitted needlessly are
 * no sign of another loss, so an ACK of just what the last recovery was for does not count. */
static bool three_duplicates(const struct capy_tcp *tcb)
{
    return tcb->phase == CAPY_TCP_OPEN && tcb->snd.dup_acks >= CAPY_TCP_DUP_THRESH &&
           tcb->snd.una != tcb->snd.recover;
}

/* An ACK said that something arrived, delivered bytes in all, acked of them in order: what does that
 * prove about the rest? */
static void look_for_loss(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t delivered,
                          uint32_t acked)
{
    bool safe = false;
    if (tcb->sack_ok)
        safe = look_by_time(tcb, env, acked) == CAPY_TCP_RACK_NOTHING && acked > 0;
    else if (three_duplicates(tcb))
        enter_recovery(tcb, env, acked);
    if (tcb->phase == CAPY_TCP_RECOVERY)
        capy_tcp_prr_acked(tcb, env, delivered, safe);
}

/* RFC 6582 §3.2 step 3, a partial acknowledgment: the next segment is lost as well, and goes out
 * now. Of what was acknowledged all but the retransmitted segment had left the pipe by duplicate
 * ACKs. The RTO timer starts over each time ("slow but steady", §4). */
static void advance_without_sack(struct capy_tcp *tcb, uint32_t acked)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    uint32_t counted = acked > snd->mss ? acked - snd->mss : 0;
    snd->sacked -= capy_min32(snd->sacked, counted);
    if (tcb->phase != CAPY_TCP_RECOVERY)
        return;
    snd->lost_end = capy_min64(snd->una + snd->mss, snd->nxt);
    tcb->probe = CAPY_TCP_PROBE_RETRANS;
}

/* RFC 8985 §7.4.2: what became of the tail loss probe. */
static void judge_tlp(struct capy_tcp *tcb, const struct capy_tcp_arrival *a)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    if (snd->tlp_end == 0 || a->ack < snd->tlp_end)
        return;
    bool twice = a->dsack_right == snd->tlp_end;
    bool repaired = tcb->tlp_again && !twice && a->ack > snd->tlp_end;
    bool told = a->ack == snd->una && a->seg->sack_cnt == 0 && capy_tcp_segment_len(a->seg) == 0;
    if (!tcb->tlp_again || twice || told || repaired)
        snd->tlp_end = 0;
    if (repaired) /* the probe hid a loss from the congestion control */
        capy_tcp_cc_lost(tcb, tcb->cc.cwnd);
}

void capy_tcp_recovery_told(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                            const struct capy_tcp_arrival *a)
{
    judge_tlp(tcb, a);
    if (a->late)
        capy_tcp_episode_late(tcb, env);
    if (a->dsack_right == 0)
        return;
    capy_tcp_rack_dsack(tcb, env);
    capy_tcp_episode_dsack(tcb, env, a);
}

/* All phases end when all is acknowledged that was out when they began. */
static void leave_if_recovered(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    if (tcb->phase == CAPY_TCP_OPEN || tcb->snd.una < tcb->snd.recover)
        return;
    settle_window(tcb);
    tcb->phase = CAPY_TCP_OPEN;
    tcb->probe = CAPY_TCP_PROBE_NONE;
    capy_tcp_rack_recovered(tcb);
    capy_tcp_episode_over(tcb, env);
}

void capy_tcp_recovery_advanced(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                                const struct capy_tcp_arrival *a, uint32_t acked, uint32_t flight)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    snd->dup_acks = 0;
    snd->rtx_nxt = capy_max64(snd->rtx_nxt, snd->una);
    snd->lost_end = capy_max64(snd->lost_end, snd->una);
    snd->recover = capy_max64(snd->recover, snd->una - 1);
    enum capy_tcp_phase phase = (enum capy_tcp_phase)tcb->phase;
    if (tcb->marks != CAPY_NONE)
        capy_tcp_episode_acked(tcb, env, a);
    leave_if_recovered(tcb, env);
    capy_tcp_scoreboard_trim(tcb, env);
    /* The window grows outside of fast recovery; the ACK that ends one leaves it at ssthresh. */
    if (phase == CAPY_TCP_OPEN)
        capy_tcp_validate(tcb, env, flight);
    if (phase != CAPY_TCP_RECOVERY && tcb->phase != CAPY_TCP_FRTO)
        capy_tcp_cc_acked(tcb, env, acked, capy_max32(flight, in_use(tcb) + acked));
    if (!tcb->sack_ok && tcb->phase == CAPY_TCP_OPEN)
        snd->sacked = 0;
    else if (!tcb->sack_ok)
        advance_without_sack(tcb, acked);
    look_for_loss(tcb, env, acked + snd->sacked - a->sacked_was, acked);
}

void capy_tcp_recovery_duplicate(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                                 const struct capy_tcp_arrival *a)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    if (snd->dup_acks < UINT8_MAX)
        snd->dup_acks++;
    if (tcb->phase == CAPY_TCP_FRTO)
        capy_tcp_episode_duplicate(tcb, env);
    if (!tcb->sack_ok && tcb->phase != CAPY_TCP_LOSS) {
        uint32_t flight = capy_tcp_flight(tcb);
        snd->sacked = capy_min32(snd->sacked + snd->mss, flight > snd->mss ? flight - snd->mss : 0);
    }
    look_for_loss(tcb, env, snd->sacked - a->sacked_was, 0);
}

void capy_tcp_recovery_sent(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t pos,
                            uint64_t end, bool again)
{
    if (again)
        capy_tcp_episode_sent(tcb, env, pos, end);
    capy_tcp_prr_sent(tcb, env, (uint32_t)(end - pos));
}

void capy_tcp_recovery_waited(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    if (look_by_time(tcb, env, 0) != CAPY_TCP_RACK_NOTHING)
        capy_tcp_prr_acked(tcb, env, 0, false);
}

/* Everything in flight goes again. */
static void all_lost(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    capy_tcp_scoreboard_clear(tcb, env);
    capy_tcp_rtt_cancel(tcb);
    tcb->phase = CAPY_TCP_LOSS;
    tcb->probe = CAPY_TCP_PROBE_RETRANS;
    snd->recover = snd->nxt;
    snd->lost_end = snd->nxt;
    snd->rtx_nxt = snd->una;
    snd->tlp_end = 0;
    snd->dup_acks = 0;
}

void capy_tcp_recovery_resend(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    settle_window(tcb);
    capy_tcp_episode_none(tcb, env);
    all_lost(tcb, env);
}

void capy_tcp_recovery_timed_out(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    settle_window(tcb);
    capy_tcp_episode_begin(tcb, env);
    capy_tcp_prr_end(tcb, env); /* an episode may outlast the recovery that it began with */
    capy_tcp_cc_timed_out(tcb, tcb->backoff > 0);
    all_lost(tcb, env);
    tcb->snd.min_rtt_ns = 0; /* the path may be another one */
    if (tcb->backoff < UINT8_MAX)
        tcb->backoff++;
    env->count->rto_fired++;
}

bool capy_tcp_tlp_wanted(const struct capy_tcp *tcb)
{
    /* Without SACK the probe's answer would say too little (RFC 8985 §7.1). */
    return tcb->sack_ok && tcb->rtt.srtt_ns != 0 && tcb->phase == CAPY_TCP_OPEN &&
           tcb->snd.sacked == 0 && tcb->snd.tlp_end == 0 && tcb->backoff == 0;
}

uint64_t capy_tcp_tlp_ns(const struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    /* RFC 8985 §7.2 leaves a floor open. Two round trips of 100 us are less than a peer's program
     * waits for its turn on a core that it shares, and then the probe was for nothing; kernels wait
     * at least two ticks of their timer. */
    uint64_t pto = capy_max64(2 * tcb->rtt.srtt_ns, env->cfg->tlp_min_ns);
    if (capy_tcp_flight(tcb) <= tcb->snd.mss)
        pto += PEER_DELACK_NS;
    return capy_min64(pto, capy_tcp_rto(tcb, env));
}
