/* What congestion control in a snapshot must satisfy before anything believes it (as snapshot_check.c
 * of the rest). */
#include "tcp/congestion.h"
#include "tcp/snapshot_head.h"

#define SPAN_MAX (UINT64_C(1) << 30)     /* as snapshot_check.c */
#define PAUSED_MAX_NS CAPY_SEC(86400000) /* no epoch of anybody's life is longer */
#define ALPHA_MAX (UINT32_C(1) << 20)    /* dctcp.c: one */

static bool private_ok(const struct capy_tcp_cc *cc, uint8_t algorithm, uint64_t una, uint64_t nxt)
{
    const struct capy_tcp_cubic *cubic = &cc->cubic;
    const struct capy_tcp_dctcp *d = &cc->dctcp;
    switch (capy_tcp_cc_owner(cc, (enum capy_tcp_congestion)algorithm)) {
    case CAPY_TCP_CC_HYSTART:
        return cc->hystart.round_end - (uint32_t)una <= SPAN_MAX;
    case CAPY_TCP_CC_CUBIC:
        return cubic->w_max <= CAPY_TCP_CC_LIMIT && cubic->w_est <= CAPY_TCP_CC_LIMIT &&
               cubic->acked <= CAPY_TCP_CC_LIMIT &&
               (!cubic->paused || cubic->epoch_at <= PAUSED_MAX_NS);
    case CAPY_TCP_CC_NEWRENO:
        return cc->reno.acked <= CAPY_TCP_CC_LIMIT;
    case CAPY_TCP_CC_DCTCP:
        return d->acked <= CAPY_TCP_CC_LIMIT && d->alpha <= ALPHA_MAX &&
               d->bytes_marked <= d->bytes_acked && d->bytes_acked <= SPAN_MAX &&
               d->window_end <= nxt;
    }
    return false;
}

bool capy_snap_cc_ok(const struct capy_tcp_cc *cc, uint8_t algorithm, uint64_t una, uint64_t nxt)
{
    return algorithm < CAPY_TCP_CONGESTION_CNT && cc->cwnd > 0 && cc->cwnd <= CAPY_TCP_CC_LIMIT &&
           cc->ssthresh <= CAPY_TCP_CWND_MAX && private_ok(cc, algorithm, una, nxt);
}
