/* The last word on segments of no connection, in a rack, and on those that do not answer the SYN-ACK of
 * a half-open one, whose SYN may have been a late copy. Such a segment's connection may live on another
 * server: the switch may have rebooted a moment ago and not have heard of it again, and we, its home,
 * may have restarted, or have forgotten since that it left. RST would cut it. So RST waits until a
 * HEARTBEAT that left behind the segment is answered with the boot id that we knew before, and
 * not by a switch that is learning: then the switch knew all flows when it gave us this one. That is
 * within one interval of heartbeats, and a peer whose connection is really gone can wait so long.
 *
 * Bounded: one word per connection is enough, and what finds no room is not answered; the peer
 * repeats itself. A SYN is nobody's connection yet, and is answered at once. */
#include "stack/host.h"

static bool waits_already(const struct capy_stack *s, const struct capy_tuple *tuple)
{
    for (uint32_t i = 0; i < s->doubt_cnt; i++)
        if (capy_tuple_eq(&s->doubts[i].tuple, tuple))
            return true;
    return false;
}

void capy_doubt_add(struct capy_stack *s, const struct capy_packet *p)
{
    struct capy_doubt d = {
        .tuple = {p->src, p->dst, p->src_port, p->dst_port}, .next_hop = p->src_mac, .at = s->now};
    if (s->cfg.peer_cnt == 0 || (p->tcp.flags & (CAPY_TCP_SYN | CAPY_TCP_ACK)) == CAPY_TCP_SYN)
        capy_reset_reply(s, p);
    else if (s->doubt_cnt < CAPY_DOUBTS_MAX && capy_tcp_reset_reply(&p->tcp, &d.rst) &&
             !waits_already(s, &d.tuple))
        s->doubts[s->doubt_cnt++] = d;
}

void capy_doubts_forget(struct capy_stack *s)
{
    s->doubt_cnt = 0;
}

static void settle(struct capy_stack *s, const struct capy_doubt *d)
{
    const struct capy_tuple *t = &d->tuple;
    uint32_t idx = capy_demux_find(s, &t->remote, t->remote_port, t->local_port);
    if (idx != CAPY_NONE && !s->conns[idx].half_open)
        return; /* it has begun since: what came first was overtaken (SYN cookies) */
    const struct capy_frame_to to = {.dst_mac = d->next_hop,
                                     .src_mac = s->cfg.mac,
                                     .src = t->local,
                                     .dst = t->remote,
                                     .src_port = t->local_port,
                                     .dst_port = t->remote_port};
    capy_reset_send(s, &to, &d->rst);
}

void capy_doubts_settle(struct capy_stack *s, uint64_t asked_at)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->doubt_cnt; i++) {
        if (s->doubts[i].at < asked_at)
            settle(s, &s->doubts[i]);
        else
            s->doubts[kept++] = s->doubts[i];
    }
    s->doubt_cnt = kept;
}
