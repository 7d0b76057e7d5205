/* Loss recovery (tcp/recovery.h). Three phases:
 *
 *            loss proven                        una >= recover
 *   OPEN ------------------> RECOVERY ------------------------------> OPEN
 *     | RTO                     | RTO                                   ^
 *     +-------------------------+------> LOSS --------------------------+
 *
 * Retransmission itself is not here: output sends lost pieces as the pipe allows, the first of a
 * phase (probe RETRANS) without asking the pipe. Limited transmit (RFC 3042) needs no code: SACKed
 * bytes and duplicate ACKs leave the pipe and so make room for new data.
 *
 * DEVIATION(RFC 6675 §4 NextSeg): rules 3 and 4 (retransmitting what is not known to be lost,
 * rescue retransmission) are left out; the tail loss probe does their work. */
#include "tcp/recovery.h"
#include "tcp/congestion.h"
#include "tcp/position.h"
#include "tcp/rtt.h"
#include "tcp/scoreboard.h"

/* RFC 8985 §7.2: a lone segment's ACK may be delayed; kernels delay by at least 40 ms. */
#define PEER_DELACK_NS CAPY_MS(40)

static void enter_recovery(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    tcb->phase = CAPY_TCP_RECOVERY;
    tcb->snd.recover = tcb->snd.nxt;
    /* The first segment is lost at least: duplicate ACKs alone got us here (RFC 6675 §5 (4)). */
    tcb->snd.lost_end =
        capy_max64(tcb->snd.lost_end, capy_min64(tcb->snd.una + tcb->snd.mss, tcb->snd.nxt));
    tcb->probe = CAPY_TCP_PROBE_RETRANS;
    capy_tcp_cc_lost(tcb);
    env->count->fast_retrans++;
}

/* In OPEN: is it time for fast retransmit? */
static void look_for_loss(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    capy_tcp_scoreboard_mark_lost(tcb, env);
    if (tcb->snd.lost_end > tcb->snd.una || tcb->snd.dup_acks >= CAPY_TCP_DUP_THRESH)
        enter_recovery(tcb, env);
}

/* Partial acknowledgment: recovery goes on. */
static void advance_recovery(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t acked)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    if (tcb->sack_ok) {
        capy_tcp_scoreboard_mark_lost(tcb, env);
        return;
    }
    /* RFC 6582 §3.2 step 3: the next segment is lost as well, and goes out now. Of what was
     * acknowledged all but the retransmitted segment had left the pipe by duplicate ACKs. */
    uint32_t counted = acked > snd->mss ? acked - snd->mss : 0;
    snd->sacked -= capy_min32(snd->sacked, counted);
    snd->lost_end = capy_min64(snd->una + snd->mss, snd->nxt);
    tcb->probe = CAPY_TCP_PROBE_RETRANS;
}

void capy_tcp_recovery_advanced(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                                uint32_t acked, uint32_t flight)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    snd->dup_acks = 0;
    snd->rtx_nxt = capy_max64(snd->rtx_nxt, snd->una);
    snd->lost_end = capy_max64(snd->lost_end, snd->una);
    snd->recover = capy_max64(snd->recover, snd->una);
    capy_tcp_scoreboard_trim(tcb, env);
    enum capy_tcp_phase phase = (enum capy_tcp_phase)tcb->phase;
    if (phase != CAPY_TCP_OPEN && snd->una >= snd->recover) {
        tcb->phase = CAPY_TCP_OPEN;
        tcb->probe = CAPY_TCP_PROBE_NONE;
    }
    /* The window grows outside of fast recovery; the ACK that ends one leaves it at ssthresh. */
    if (phase != CAPY_TCP_RECOVERY)
        capy_tcp_cc_acked(tcb, env, acked, flight);
    switch ((enum capy_tcp_phase)tcb->phase) {
    case CAPY_TCP_OPEN:
        if (!tcb->sack_ok)
            snd->sacked = 0;
        look_for_loss(tcb, env);
        break;
    case CAPY_TCP_RECOVERY:
        advance_recovery(tcb, env, acked);
        break;
    case CAPY_TCP_LOSS:
        break;
    }
    if (snd->tlp_end != 0 && snd->una >= snd->tlp_end)
        snd->tlp_end = 0;
}

void capy_tcp_recovery_duplicate(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    if (snd->dup_acks < UINT8_MAX)
        snd->dup_acks++;
    switch ((enum capy_tcp_phase)tcb->phase) {
    case CAPY_TCP_OPEN:
        look_for_loss(tcb, env);
        break;
    case CAPY_TCP_RECOVERY:
        capy_tcp_scoreboard_mark_lost(tcb, env);
        break;
    case CAPY_TCP_LOSS:
        return;
    }
    if (!tcb->sack_ok) {
        uint32_t flight = capy_tcp_flight(tcb);
        snd->sacked = capy_min32(snd->sacked + snd->mss, flight > snd->mss ? flight - snd->mss : 0);
    }
}

void capy_tcp_recovery_timed_out(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    capy_tcp_cc_timed_out(tcb, tcb->backoff > 0);
    capy_tcp_scoreboard_clear(tcb, env);
    capy_tcp_rtt_cancel(tcb);
    tcb->phase = CAPY_TCP_LOSS;
    tcb->probe = CAPY_TCP_PROBE_RETRANS;
    snd->recover = snd->nxt;
    snd->lost_end = snd->nxt;
    snd->rtx_nxt = snd->una;
    snd->tlp_end = 0;
    snd->dup_acks = 0;
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
    uint64_t pto = 2 * tcb->rtt.srtt_ns;
    if (capy_tcp_flight(tcb) <= tcb->snd.mss)
        pto += PEER_DELACK_NS;
    return capy_min64(pto, capy_tcp_rto(tcb, env));
}
