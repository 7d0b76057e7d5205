/* What all congestion controls share: initial window, slow start, loss window, restart after idle
 * (RFC 5681, RFC 6928), and one reduction per window of data (RFC 3168). The algorithms themselves:
 * newreno.c, cubic.c, dctcp.c; the first slow start: hystart.c. */
#include "tcp/congestion.h"
#include "tcp/hystart.h"
#include "tcp/position.h"
#include "tcp/ranges.h"
#include <string.h>

/* L of RFC 3465, in segments: what one ACK may add in slow start, and after a timeout, when an ACK
 * may acknowledge far more than its arrival says about the path. */
#define ACK_SEGMENTS 2u
#define ACK_SEGMENTS_AFTER_RTO 1u
#define SSTHRESH_SEGMENTS 2u

static const struct capy_tcp_cc_ops *const algorithms[CAPY_TCP_CONGESTION_CNT] = {
    [CAPY_TCP_CUBIC] = &capy_tcp_cubic,
    [CAPY_TCP_NEWRENO] = &capy_tcp_newreno,
    [CAPY_TCP_DCTCP] = &capy_tcp_dctcp,
};

static const struct capy_tcp_cc_ops *ops_of(const struct capy_tcp *tcb)
{
    return algorithms[tcb->congestion];
}

static bool reduced_before(const struct capy_tcp_cc *cc)
{
    return cc->ssthresh < CAPY_TCP_CWND_MAX;
}

/* ---- choosing one ---- */

int capy_tcp_congestion_by_name(const char *name)
{
    for (int i = 0; i < CAPY_TCP_CONGESTION_CNT; i++)
        if (strcmp(algorithms[i]->name, name) == 0)
            return i;
    return CAPY_E_INVAL;
}

const char *capy_tcp_congestion_name(enum capy_tcp_congestion algorithm)
{
    return algorithms[algorithm]->name;
}

enum capy_tcp_cc_owner capy_tcp_cc_owner(const struct capy_tcp_cc *cc,
                                         enum capy_tcp_congestion algorithm)
{
    static const enum capy_tcp_cc_owner own[CAPY_TCP_CONGESTION_CNT] = {
        [CAPY_TCP_CUBIC] = CAPY_TCP_CC_CUBIC,
        [CAPY_TCP_NEWRENO] = CAPY_TCP_CC_NEWRENO,
        [CAPY_TCP_DCTCP] = CAPY_TCP_CC_DCTCP,
    };
    return algorithms[algorithm]->hystart && !reduced_before(cc) ? CAPY_TCP_CC_HYSTART
                                                                 : own[algorithm];
}

static enum capy_tcp_cc_owner owner(const struct capy_tcp *tcb)
{
    return capy_tcp_cc_owner(&tcb->cc, (enum capy_tcp_congestion)tcb->congestion);
}

static void start_private(struct capy_tcp *tcb)
{
    if (owner(tcb) == CAPY_TCP_CC_HYSTART)
        capy_tcp_hystart_start(tcb);
    else
        ops_of(tcb)->start(tcb);
}

/* *cc was the state of the algorithm `was`: what of it is private begins afresh if need be. */
static void convert(struct capy_tcp *tcb, struct capy_tcp_cc *cc, enum capy_tcp_congestion was)
{
    struct capy_tcp_cc now = tcb->cc;
    tcb->cc = *cc;
    if (capy_tcp_cc_owner(cc, was) != owner(tcb))
        start_private(tcb);
    *cc = tcb->cc;
    if (cc != &tcb->cc)
        tcb->cc = now;
}

void capy_tcp_set_congestion(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                             enum capy_tcp_congestion algorithm)
{
    CAPY_ASSERT(algorithm < CAPY_TCP_CONGESTION_CNT);
    enum capy_tcp_congestion was = (enum capy_tcp_congestion)tcb->congestion;
    tcb->congestion = (uint8_t)algorithm;
    convert(tcb, &tcb->cc, was);
    if (tcb->marks != CAPY_NONE) /* an undo would bring that back */
        convert(tcb, &capy_tcp_marks_need(tcb, env)->episode.before, was);
}

/* ---- the window ---- */

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
    tcb->cwr = false; /* a lost SYN is no reduction that anybody wants to hear of */
    start_private(tcb);
}

/* A window that is not used says nothing about the path (RFC 7661 §4.1). It is used as long as half
 * of it is in flight, or was when we last could send: ACKs that arrive together find less and less.
 */
static bool is_limiting(const struct capy_tcp *tcb, uint32_t flight)
{
    return tcb->cwnd_used || flight >= tcb->cc.cwnd / 2;
}

void capy_tcp_cc_watch(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t ack,
                       bool echo)
{
    struct capy_tcp_cc *cc = &tcb->cc;
    const struct capy_tcp_cc_ops *ops = ops_of(tcb);
    if (ops->watch)
        ops->watch(tcb, ack, echo);
    if (reduced_before(cc) || !is_limiting(tcb, capy_tcp_flight(tcb)) || !ops->hystart)
        return;
    if (capy_tcp_hystart_watch(tcb, env, ack)) {
        cc->ssthresh = capy_min32(cc->cwnd, CAPY_TCP_CWND_MAX - 1);
        start_private(tcb);
    }
}

static uint32_t slow_start_growth(const struct capy_tcp *tcb, uint32_t acked)
{
    if (owner(tcb) == CAPY_TCP_CC_HYSTART)
        return capy_tcp_hystart_growth(tcb, acked);
    uint32_t segments = tcb->phase == CAPY_TCP_LOSS ? ACK_SEGMENTS_AFTER_RTO : ACK_SEGMENTS;
    return capy_min32(acked, segments * tcb->snd.mss);
}

void capy_tcp_cc_acked(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t acked,
                       uint32_t flight)
{
    struct capy_tcp_cc *cc = &tcb->cc;
    if (tcb->echo) /* RFC 3168 §6.1.2: no growth for an ACK that tells of congestion */
        return;
    if (!is_limiting(tcb, flight)) {
        if (ops_of(tcb)->pause && reduced_before(cc))
            ops_of(tcb)->pause(tcb, env);
        return;
    }
    if (cc->cwnd >= CAPY_TCP_CWND_MAX)
        return;
    if (cc->cwnd < cc->ssthresh)
        cc->cwnd += slow_start_growth(tcb, acked);
    else
        ops_of(tcb)->avoid(tcb, env, acked);
}

/* One window of data met congestion, while flight bytes were out: sets ssthresh (RFC 5681 equation
 * 4's floor). Returns what the algorithm asked for. */
static uint32_t reduce(struct capy_tcp *tcb, uint32_t flight, enum capy_tcp_sign sign)
{
    const struct capy_tcp_cc_ops *ops = ops_of(tcb);
    if (owner(tcb) == CAPY_TCP_CC_HYSTART)
        ops->start(tcb);
    uint32_t target = ops->reduce(tcb, flight, sign);
    tcb->cwr = tcb->ecn_snd; /* RFC 3168 §6.1.2: for whatever reason */
    tcb->cc.ssthresh = capy_max32(target, SSTHRESH_SEGMENTS * tcb->snd.mss);
    return target;
}

void capy_tcp_cc_lost(struct capy_tcp *tcb, uint32_t flight)
{
    bool cut_before = tcb->phase == CAPY_TCP_OPEN && tcb->snd.una < tcb->snd.recover;
    if (cut_before && ops_of(tcb)->mark_is_loss)
        return;
    (void)reduce(tcb, flight, CAPY_TCP_SIGN_LOSS);
    tcb->cc.cwnd = tcb->cc.ssthresh;
}

bool capy_tcp_cc_marked(struct capy_tcp *tcb, uint32_t flight)
{
    struct capy_tcp_cc *cc = &tcb->cc;
    bool at_least = cc->cwnd <= tcb->snd.mss;
    uint32_t target = reduce(tcb, capy_min32(flight, cc->cwnd), CAPY_TCP_SIGN_MARK);
    cc->cwnd = capy_min32(cc->cwnd, capy_max32(target, tcb->snd.mss));
    return !at_least || !ops_of(tcb)->mark_is_loss;
}

void capy_tcp_cc_timed_out(struct capy_tcp *tcb, bool again)
{
    /* RFC 5681 §3.1: ssthresh is held constant when the same data times out again. */
    if (!again)
        (void)reduce(tcb, capy_tcp_flight(tcb), CAPY_TCP_SIGN_TIMEOUT);
    tcb->cc.cwnd = tcb->snd.mss;
}

/* A smaller window; when slow start is over, avoidance begins anew. */
static void shrink(struct capy_tcp *tcb, uint32_t cwnd)
{
    tcb->cc.cwnd = capy_min32(tcb->cc.cwnd, cwnd);
    if (ops_of(tcb)->renew && reduced_before(&tcb->cc))
        ops_of(tcb)->renew(tcb);
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

/* ---- and back ---- */

void capy_tcp_cc_undo(struct capy_tcp *tcb, const struct capy_tcp_cc *before)
{
    struct capy_tcp_cc *cc = &tcb->cc;
    uint32_t cwnd = cc->cwnd;
    *cc = *before;
    cc->cwnd = capy_max32(cwnd, before->cwnd); /* what was gained since stays */
    if (owner(tcb) == CAPY_TCP_CC_DCTCP)
        cc->dctcp.window_end = capy_max64(cc->dctcp.window_end, tcb->snd.una);
}
