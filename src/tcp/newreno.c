/* Reno's additive increase and multiplicative decrease (RFC 5681 §3.1, equations 3 and 4), with
 * byte counting (RFC 3465). */
#include "tcp/reno.h"

void capy_tcp_reno_grow(struct capy_tcp *tcb, uint32_t *counted, uint32_t acked)
{
    struct capy_tcp_cc *cc = &tcb->cc;
    *counted += acked;
    if (*counted < cc->cwnd)
        return;
    /* RFC 3465 §2.1; RFC 5681 §3.1: one segment per round trip, however much an ACK says. */
    *counted = capy_min32(*counted - cc->cwnd, cc->cwnd);
    cc->cwnd += tcb->snd.mss;
}

static void start(struct capy_tcp *tcb)
{
    tcb->cc.reno = (struct capy_tcp_reno){0};
}

static void avoid(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t acked)
{
    (void)env;
    capy_tcp_reno_grow(tcb, &tcb->cc.reno.acked, acked);
}

static uint32_t reduce(struct capy_tcp *tcb, uint32_t flight, enum capy_tcp_sign sign)
{
    (void)sign; /* RFC 3168 §6.1.2: a mark is answered as a lost packet is */
    tcb->cc.reno.acked = 0;
    return flight / 2;
}

const struct capy_tcp_cc_ops capy_tcp_newreno = {
    .name = "newreno",
    .hystart = true,
    .mark_is_loss = true,
    .start = start,
    .avoid = avoid,
    .reduce = reduce,
};
