/* The offered window (tcp/window.h). Silly windows are avoided by moving the edge only in steps of
 * a segment or half the buffer (RFC 9293 §3.8.6.2.2). */
#include "tcp/window.h"
#include "tcp/position.h"
#include "tcp/rightsize.h"

uint8_t capy_tcp_wscale_for(uint32_t rcv_buf_max)
{
    uint8_t shift = 0;
    while (shift < 14 && rcv_buf_max >> shift > UINT16_MAX)
        shift++;
    return shift;
}

/* How far the edge could move right, were there no rule against small steps. */
static uint64_t room(const struct capy_tcp *tcb)
{
    uint64_t sayable = (uint64_t)UINT16_MAX << tcb->rcv.wscale;
    uint64_t edge =
        capy_min64(tcb->rcv.queue.start + capy_tcp_rcv_buf(tcb), tcb->rcv.nxt + sayable);
    uint64_t told = capy_tcp_rcv_edge(tcb);
    return edge > told ? edge - told : 0;
}

static uint32_t step(const struct capy_tcp *tcb)
{
    uint32_t by_buffer = capy_min32(capy_tcp_rcv_buf(tcb) / 2, tcb->rcv.mss);
    return capy_max32(by_buffer, UINT32_C(1) << tcb->rcv.wscale);
}

uint16_t capy_tcp_window_offer(struct capy_tcp *tcb, uint64_t ack, bool syn)
{
    struct capy_tcp_rcv *rcv = &tcb->rcv;
    uint64_t more = room(tcb);
    uint64_t told = capy_tcp_rcv_edge(tcb);
    uint64_t edge = more >= step(tcb) ? told + more : told;
    uint64_t wnd = edge > rcv->nxt ? edge - rcv->nxt : 0;
    uint8_t shift = syn ? 0 : rcv->wscale; /* RFC 7323 §2.2: never scaled on a SYN */
    uint16_t field = (uint16_t)capy_min64(wnd >> shift, UINT16_MAX);
    /* The field rounds down; what was promised before stays promised. */
    rcv->adv = capy_tcp_near(capy_max64(told, rcv->nxt + ((uint64_t)field << shift)));
    /* Seen from an earlier acknowledgment the same edge is further away. */
    return (uint16_t)capy_min64(field + ((rcv->nxt - ack) >> shift), UINT16_MAX);
}

bool capy_tcp_window_update_owed(const struct capy_tcp *tcb)
{
    const struct capy_tcp_rcv *rcv = &tcb->rcv;
    if (tcb->state < CAPY_TCP_ESTABLISHED || rcv->fin_seen)
        return false;
    /* What a SYN-ACK could not say for want of scaling, the first ACK of data will. */
    if (rcv->nxt == CAPY_TCP_POS_DATA)
        return false;
    uint64_t more = room(tcb);
    if (more < step(tcb))
        return false;
    /* An open window is widened by halves; one that blocks the peer, as soon as a segment fits. */
    return more >= capy_tcp_rcv_buf(tcb) / 2 || capy_tcp_rcv_edge(tcb) - rcv->nxt < rcv->mss;
}
