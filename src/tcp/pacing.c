/* Pacing (tcp/pacing.h). All in time, not in rates: how long a full-sized segment takes at the pace. */
#include "tcp/pacing.h"

#define QUANTUM_NS ((int64_t)CAPY_MS(1))
#define QUANTUM_SEGMENTS_MIN 2
#define QUANTUM_LEN_MAX 65536u /* the largest segment that devices cut */
/* A segment keeps the next one no longer: slower is the window's business. */
#define SEGMENT_MAX_NS CAPY_MS(500)

static int64_t segment_ns(const struct capy_tcp *tcb)
{
    const struct capy_tcp_cc *cc = &tcb->cc;
    uint64_t mss = tcb->snd.mss;
    /* In fast recovery cwnd is what PRR lets out; the window to be is ssthresh. */
    bool recovery = tcb->phase == CAPY_TCP_RECOVERY;
    uint32_t window = recovery ? capy_max32(cc->cwnd, cc->ssthresh) : cc->cwnd;
    uint64_t ns = tcb->rtt.srtt_ns * mss / window; /* 0 before the first sample */
    ns = window < cc->ssthresh / 2 ? ns / 2 : ns * 5 / 6;
    ns = capy_max64(ns, CAPY_SEC(mss) / tcb->tune.pacing);
    return (int64_t)capy_max64(capy_min64(ns, SEGMENT_MAX_NS), 1);
}

static int64_t quantum_ns(const struct capy_tcp *tcb, int64_t segment)
{
    int64_t most = QUANTUM_LEN_MAX / tcb->snd.mss * segment;
    int64_t least = QUANTUM_SEGMENTS_MIN * segment;
    int64_t ns = QUANTUM_NS < most ? QUANTUM_NS : most;
    return ns > least ? ns : least;
}

/* How far ahead of now the release lies. What is late catches up by half a quantum: the clock of
 * whoever wakes us is coarse. */
static int64_t ahead_ns(const struct capy_tcp *tcb, const struct capy_tcp_env *env, int64_t quantum)
{
    int64_t ahead = (int64_t)(capy_tcp_pacing_release(tcb) - env->now);
    return ahead > -quantum / 2 ? ahead : -quantum / 2;
}

/* A quantum has left when the release is that far ahead, give or take half a segment: so a timer that
 * is late by little does not make the next one longer. */
static int64_t full_ns(int64_t quantum, int64_t segment)
{
    return quantum - segment / 2;
}

void capy_tcp_pacing_sent(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t n)
{
    uint32_t mss = tcb->snd.mss;
    int64_t segment = segment_ns(tcb), quantum = quantum_ns(tcb, segment);
    /* Segment by segment, so that a large one counts as those it stands for. */
    int64_t took = n / mss * segment + n % mss * segment / mss;
    int64_t ahead = ahead_ns(tcb, env, quantum) + took;
    tcb->paced_out = ahead >= full_ns(quantum, segment);
    tcb->pace_ns = ahead < INT32_MAX ? (int32_t)ahead : INT32_MAX;
}

uint32_t capy_tcp_pacing_segments(const struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    int64_t segment = segment_ns(tcb), quantum = quantum_ns(tcb, segment);
    int64_t left = full_ns(quantum, segment) - ahead_ns(tcb, env, quantum);
    return left > segment ? (uint32_t)((left + segment - 1) / segment) : 1;
}

void capy_tcp_pacing_start(struct capy_tcp *tcb)
{
    tcb->paced_out = false;
    tcb->pace_ns = 0;
}
