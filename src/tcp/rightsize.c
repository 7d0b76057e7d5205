/* Receive-window auto-tuning (tcp/rightsize.h). Amounts in whole KiB: finer does not matter. */
#include "tcp/rightsize.h"
#include "tcp/reserve.h"

#define KIB_SHIFT 10u
/* Windows per amount read in a round trip. What we say now bounds what the sender has in flight a
 * round trip from now; in slow start that is twice what is on its way to us, which is twice what was
 * read. Two would hold it to a growth of a third per round trip (measured), since a round takes
 * longer than the shortest one. */
#define AHEAD 4u

static uint32_t clock_us(const struct capy_tcp_env *env)
{
    return (uint32_t)(env->now / CAPY_US(1));
}

static uint16_t read_kib(const struct capy_tcp *tcb)
{
    return (uint16_t)(tcb->rcv.queue.start >> KIB_SHIFT);
}

void capy_tcp_rightsize_start(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    uint32_t kib = env->cfg->rcv_buf_start >> KIB_SHIFT;
    bool less = kib > 0 && kib <= UINT16_MAX && env->cfg->rcv_buf_start < tcb->tune.rcv_buf;
    tcb->rcv.buf_kib = less ? (uint16_t)kib : 0;
    tcb->rcv.round_kib = read_kib(tcb);
    tcb->rcv.round_us = clock_us(env);
}

/* Windows above the first one are promised out of the upper half of the pool only: what all may
 * have unread together is then bounded by what they began with, and that half. */
static bool pool_has_half(const struct capy_blocks *blocks)
{
    return capy_tcp_blocks_above(blocks, blocks->pool.cnt / 2) > 0;
}

static void grow(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t kib)
{
    if (kib <= tcb->rcv.buf_kib || !pool_has_half(env->blocks))
        return;
    bool all = kib << KIB_SHIFT >= tcb->tune.rcv_buf || kib > UINT16_MAX;
    tcb->rcv.buf_kib = all ? 0 : (uint16_t)kib;
}

void capy_tcp_rightsize_read(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    struct capy_tcp_rcv *rcv = &tcb->rcv;
    uint64_t rtt_us = tcb->rtt.srtt_ns / CAPY_US(1);
    uint32_t elapsed_us = clock_us(env) - rcv->round_us;
    if (rcv->buf_kib == 0 || tcb->rtt.srtt_ns == 0 || elapsed_us <= rtt_us)
        return;
    uint16_t got_kib = (uint16_t)(read_kib(tcb) - rcv->round_kib);
    /* The round is over some time after a round trip: what of it fell into one. */
    grow(tcb, env, AHEAD * (uint64_t)got_kib * capy_max64(rtt_us, 1) / elapsed_us);
    rcv->round_kib = read_kib(tcb);
    rcv->round_us = clock_us(env);
}
