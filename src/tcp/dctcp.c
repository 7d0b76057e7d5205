/* DCTCP (RFC 8257), the sender's half: the window shrinks in proportion to the share of bytes that
 * met a queue above its threshold. The receiver's half is in tcp/ecn.h. Between peers that did not
 * agree on ECN there are no marks, and it is NewReno.
 *
 * alpha is kept in 2^-20, so that g * M is not lost for a window with a single marked segment. */
#include "tcp/position.h"
#include "tcp/reno.h"

#define ALPHA_ONE (UINT32_C(1) << 20)
#define G_SHIFT 4u /* g = 1/16, §4.2 */
/* A lone segment waits for the delayed ACK of its receiver. */
#define CWND_SEGMENTS 2u

static void start(struct capy_tcp *tcb)
{
    /* §4.2: alpha begins at 1, so that the first mark halves the window. */
    tcb->cc.dctcp = (struct capy_tcp_dctcp){.alpha = ALPHA_ONE, .window_end = tcb->snd.nxt};
}

/* §3.3, steps 1 to 8. */
static void watch(struct capy_tcp *tcb, uint64_t ack, bool echo)
{
    struct capy_tcp_dctcp *d = &tcb->cc.dctcp;
    uint32_t acked = (uint32_t)(ack - tcb->snd.una);
    d->bytes_acked += acked;
    if (echo)
        d->bytes_marked += acked;
    if (ack <= d->window_end)
        return;
    uint32_t g_m = (uint32_t)(((uint64_t)d->bytes_marked * ALPHA_ONE / d->bytes_acked) >> G_SHIFT);
    d->alpha = d->alpha - (d->alpha >> G_SHIFT) + g_m;
    if (d->alpha < 1u << G_SHIFT && g_m == 0)
        d->alpha = 0; /* else it would stay there (§4.1) */
    d->alpha = capy_min32(d->alpha, ALPHA_ONE);
    d->window_end = tcb->snd.nxt;
    d->bytes_acked = d->bytes_marked = 0;
}

/* §3.4: as RFC 5681. */
static void avoid(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t acked)
{
    (void)env;
    capy_tcp_reno_grow(tcb, &tcb->cc.dctcp.acked, acked);
}

/* A mark: cwnd * (1 - alpha / 2) (§3.3). A loss or a timeout: as RFC 5681 (§3.5). */
static uint32_t reduce(struct capy_tcp *tcb, uint32_t flight, enum capy_tcp_sign sign)
{
    tcb->cc.dctcp.acked = 0;
    if (sign != CAPY_TCP_SIGN_MARK)
        return flight / 2;
    uint32_t cut = (uint32_t)((uint64_t)tcb->cc.cwnd * tcb->cc.dctcp.alpha / (2 * ALPHA_ONE));
    return capy_max32(tcb->cc.cwnd - cut, CWND_SEGMENTS * tcb->snd.mss);
}

const struct capy_tcp_cc_ops capy_tcp_dctcp = {
    .name = "dctcp",
    .start = start,
    .avoid = avoid,
    .reduce = reduce,
    .watch = watch,
};
