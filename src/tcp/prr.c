/* Proportional rate reduction (tcp/prr.h), in the words of RFC 9937 §6. */
#include "tcp/prr.h"
#include "tcp/position.h"
#include "tcp/scoreboard.h"

static struct capy_tcp_prr *in_use(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    if (tcb->marks == CAPY_NONE || tcb->phase != CAPY_TCP_RECOVERY)
        return NULL;
    struct capy_tcp_prr *prr = &capy_tcp_marks_need(tcb, env)->episode.prr;
    return prr->flight > 0 ? prr : NULL;
}

void capy_tcp_prr_begin(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    if (tcb->marks == CAPY_NONE)
        return;
    struct capy_tcp_episode *ep = &capy_tcp_marks_need(tcb, env)->episode;
    if (ep->doubt == CAPY_TCP_DOUBT_NONE)
        return;
    /* RecoverFS: what was SACKed before will not be delivered during recovery. */
    uint32_t flight = capy_tcp_flight(tcb);
    flight -= capy_min32(tcb->snd.sacked, flight);
    ep->prr = (struct capy_tcp_prr){.flight = capy_max32(flight, 1)};
}

void capy_tcp_prr_acked(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t delivered,
                        bool safe)
{
    struct capy_tcp_prr *prr = in_use(tcb, env);
    if (!prr)
        return;
    bool first = prr->delivered == 0 && prr->out == 0;
    if (first)
        prr->flight += delivered; /* of the ACK that begins it, RecoverFS counts */
    else if (delivered == 0)
        return;
    prr->delivered += delivered;
    struct capy_tcp_cc *cc = &tcb->cc;
    uint32_t pipe = capy_tcp_pipe(tcb, env);
    uint64_t send; /* sndcnt */
    if (pipe > cc->ssthresh) {
        uint64_t due = ((uint64_t)prr->delivered * cc->ssthresh + prr->flight - 1) / prr->flight;
        send = due - capy_min64(due, prr->out);
    } else {
        send = capy_max32(prr->delivered - capy_min32(prr->delivered, prr->out), delivered);
        if (safe)
            send += tcb->snd.mss;
        send = capy_min64(send, cc->ssthresh - pipe);
    }
    if (prr->out == 0 && send == 0)
        send = tcb->snd.mss; /* fast retransmit */
    cc->cwnd = pipe + (uint32_t)send;
}

void capy_tcp_prr_sent(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t n)
{
    struct capy_tcp_prr *prr = in_use(tcb, env);
    if (prr)
        prr->out += n;
}

void capy_tcp_prr_end(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    if (tcb->marks != CAPY_NONE)
        capy_tcp_marks_need(tcb, env)->episode.prr = (struct capy_tcp_prr){0};
}
