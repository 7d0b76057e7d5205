/* What all congestion controls share: initial window, slow start, loss window, restart after idle
 * (RFC 5681, RFC 6928). The algorithms themselves: newreno.c, cubic.c. */
#include "tcp/congestion.h"
#include "tcp/position.h"

static const struct capy_tcp_cc_ops *const algorithms[CAPY_TCP_CONGESTION_CNT] = {
    [CAPY_TCP_CUBIC] = &capy_tcp_cubic,
    [CAPY_TCP_NEWRENO] = &capy_tcp_newreno,
};

/* RFC 6928 §2, for any number of segments. */
static uint32_t initial_window(const struct capy_tcp *tcb)
{
    enum { USUAL_MSS = 1460 };
    uint32_t mss = tcb->snd.mss, cnt = tcb->tune.initial_window;
    return capy_min32(cnt * mss, capy_max32(2 * mss, cnt * USUAL_MSS));
}

void capy_tcp_cc_start(struct capy_tcp *tcb)
{
    struct capy_tcp_cc *cc = &tcb->cc;
    /* RFC 5681 §3.1: after a lost SYN or SYN-ACK one segment is enough. */
    cc->cwnd = tcb->backoff > 0 ? tcb->snd.mss : initial_window(tcb);
    cc->ssthresh = CAPY_TCP_CWND_MAX;
    cc->epoch_at = CAPY_NEVER;
}

void capy_tcp_cc_acked(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t acked,
                       uint32_t flight)
{
    struct capy_tcp_cc *cc = &tcb->cc;
    /* A window that is not used says nothing about the path (RFC 7661). */
    if (flight < cc->cwnd / 2 || cc->cwnd >= CAPY_TCP_CWND_MAX)
        return;
    if (cc->cwnd < cc->ssthresh) {
        /* RFC 3465 with L = 2: an ACK opens the window by what it acknowledges, two segments at
         * most. */
        cc->cwnd += capy_min32(acked, 2u * tcb->snd.mss);
        return;
    }
    algorithms[tcb->congestion]->avoid(tcb, env, acked);
}

void capy_tcp_cc_lost(struct capy_tcp *tcb, uint32_t flight)
{
    struct capy_tcp_cc *cc = &tcb->cc;
    cc->ssthresh = algorithms[tcb->congestion]->reduce(tcb, flight);
    cc->cwnd = cc->ssthresh;
    cc->acked = 0;
}

void capy_tcp_cc_timed_out(struct capy_tcp *tcb, bool again)
{
    struct capy_tcp_cc *cc = &tcb->cc;
    /* RFC 5681 §3.1: ssthresh is held constant when the same data times out again. */
    if (!again)
        cc->ssthresh = algorithms[tcb->congestion]->reduce(tcb, capy_tcp_flight(tcb));
    cc->cwnd = tcb->snd.mss;
    cc->acked = 0;
}

void capy_tcp_cc_undo(struct capy_tcp *tcb, const struct capy_tcp_cc *before)
{
    uint32_t cwnd = tcb->cc.cwnd;
    tcb->cc = *before;
    tcb->cc.cwnd = capy_max32(cwnd, before->cwnd); /* what was gained since stays */
}

/* A smaller window; what it had grown by is another story now. */
static void shrink(struct capy_tcp *tcb, uint32_t cwnd)
{
    tcb->cc.cwnd = capy_min32(tcb->cc.cwnd, cwnd);
    tcb->cc.epoch_at = CAPY_NEVER;
}

void capy_tcp_cc_unused(struct capy_tcp *tcb)
{
    struct capy_tcp_cc *cc = &tcb->cc;
    cc->ssthresh = capy_max32(cc->ssthresh, cc->cwnd - cc->cwnd / 4);
    shrink(tcb, capy_max32(cc->cwnd / 2, initial_window(tcb)));
}

void capy_tcp_cc_resume(struct capy_tcp *tcb)
{
    shrink(tcb, initial_window(tcb));
}
