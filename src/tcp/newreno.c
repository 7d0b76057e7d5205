/* Reno's additive increase and multiplicative decrease (RFC 5681 §3.1, equations 3 and 4), with
 * byte counting (RFC 3465). */
#include "tcp/congestion.h"

static void avoid(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t acked)
{
    (void)env;
    struct capy_tcp_cc *cc = &tcb->cc;
    cc->acked += acked;
    if (cc->acked < cc->cwnd)
        return;
    cc->acked -= cc->cwnd;
    cc->cwnd += tcb->snd.mss;
}

static uint32_t reduce(struct capy_tcp *tcb, uint32_t flight)
{
    return capy_max32(flight / 2, 2u * tcb->snd.mss);
}

const struct capy_tcp_cc_ops capy_tcp_newreno = {"newreno", avoid, reduce};
