/* Wire numbers <-> positions (tcp/tcb.h). The only place of src/tcp that knows that sequence
 * numbers wrap (RFC 9293 §3.4). Header only; pure functions. */
#ifndef CAPY_TCP_POSITION_H
#define CAPY_TCP_POSITION_H

#include "tcp/tcb.h"

/* Positions begin at 2^32, not at 0: an old duplicate from before the SYN still has a position, and
 * 0 is free to mean "none". */
#define CAPY_TCP_POS_SYN (UINT64_C(1) << 32)
#define CAPY_TCP_POS_DATA (CAPY_TCP_POS_SYN + 1u)

static inline struct capy_seq capy_tcp_seq_at(struct capy_seq isn, uint64_t pos)
{
    return capy_seq_add(isn, (uint32_t)pos);
}

/* The position that seq names, given that it lies within 2^31 of ref. */
static inline uint64_t capy_tcp_pos_of(struct capy_seq isn, struct capy_seq seq, uint64_t ref)
{
    return ref + (uint64_t)(int64_t)capy_seq_diff(seq, capy_tcp_seq_at(isn, ref));
}

static inline struct capy_tcp_near capy_tcp_near(uint64_t pos)
{
    return (struct capy_tcp_near){(uint32_t)pos};
}

/* The position whose lower half n is, given that it lies within 2^31 of ref. */
static inline uint64_t capy_tcp_far(struct capy_tcp_near n, uint64_t ref)
{
    return ref + (uint64_t)(int64_t)(int32_t)(n.low - (uint32_t)ref);
}

/* The right edge of the window that the peer was offered; not below nxt. */
static inline uint64_t capy_tcp_rcv_edge(const struct capy_tcp *tcb)
{
    return capy_tcp_far(tcb->rcv.adv, tcb->rcv.nxt);
}

/* What our last ACK said. */
static inline uint64_t capy_tcp_rcv_acked(const struct capy_tcp *tcb)
{
    return capy_tcp_far(tcb->rcv.acked, tcb->rcv.nxt);
}

/* The peer's FIN, CAPY_NEVER until it was seen. */
static inline uint64_t capy_tcp_fin_pos(const struct capy_tcp *tcb)
{
    return tcb->rcv.fin_seen ? capy_tcp_far(tcb->rcv.fin, tcb->rcv.nxt) : CAPY_NEVER;
}

/* Behind everything queued for sending, FIN included. */
static inline uint64_t capy_tcp_snd_last(const struct capy_tcp *tcb)
{
    return tcb->snd.end + (tcb->fin_queued ? 1u : 0u);
}

/* Behind the last in-order byte that can be read: nxt, less the FIN. */
static inline uint64_t capy_tcp_rcv_last(const struct capy_tcp *tcb)
{
    return capy_min64(tcb->rcv.nxt, capy_tcp_fin_pos(tcb));
}

static inline uint64_t capy_tcp_rcv_ce_from(const struct capy_tcp *tcb)
{
    return capy_tcp_far(tcb->ce_from, tcb->rcv.nxt);
}

static inline uint32_t capy_tcp_flight(const struct capy_tcp *tcb)
{
    return (uint32_t)(tcb->snd.nxt - tcb->snd.una);
}

#endif
