/* A received segment on its way to its connection (RFC 9293 §3.10.7), and ICMP echo (RFC 792). What
 * ICMPv6 says is icmp6.c's. */
#include "stack/host.h"
#include "tcp/position.h"

/* Whether the connection should answer to where this segment came from (auto last hop): in window
 * and acknowledging something we sent (RFC 9293 §3.10.7.4 first and fifth step), so that a forged
 * frame does not turn the connection's output to the forger. */
static bool tells_next_hop(const struct capy_tcp *tcb, const struct capy_tcp_segment *seg)
{
    struct capy_seq rcv_nxt = capy_seq_add(tcb->rcv.irs, (uint32_t)tcb->rcv.nxt);
    struct capy_seq snd_una = capy_seq_add(tcb->snd.iss, (uint32_t)tcb->snd.una);
    uint32_t ahead = seg->seq.v - rcv_nxt.v, acked = seg->ack.v - snd_una.v;
    return (seg->flags & CAPY_TCP_ACK) && ahead <= capy_tcp_rcv_edge(tcb) - tcb->rcv.nxt &&
           acked <= tcb->snd.nxt - tcb->snd.una;
}

/* A frame that a server put back on the wire has that server's MAC and the client's address: it
 * does not show where the client is. */
static bool is_put_back(const struct capy_stack *s, const struct capy_packet *p)
{
    for (uint16_t i = 0; i < s->cfg.peer_cnt; i++)
        if (capy_mac_eq(&p->src_mac, &s->cfg.peers[i].mac))
            return capy_peer_of(s, &p->src) != i;
    return false;
}

void capy_learn_next_hop(struct capy_stack *s, struct capy_conn *c, const struct capy_packet *p)
{
    if ((c->has_next_hop && capy_mac_eq(&c->next_hop, &p->src_mac)) || is_put_back(s, p))
        return;
    c->next_hop = p->src_mac;
    c->has_next_hop = true;
}

void capy_conn_input(struct capy_stack *s, uint32_t idx, const struct capy_packet *p)
{
    struct capy_conn *c = &s->conns[idx];
    struct capy_tcp_env env = capy_env(s);
    if (capy_listen_holds_back(s, c, p))
        return;
    if (tells_next_hop(&c->tcb, &p->tcp))
        capy_learn_next_hop(s, c, p);
    uint64_t una = c->tcb.snd.una;
    uint32_t events = capy_tcp_input(&c->tcb, &env, &p->tcp, p->ecn);
    s->ack_due = s->ack_due || events & CAPY_TCP_ACK_DUE;
    if (events & CAPY_TCP_SYN_REUSE) {
        bool away = c->local_port != c->home_port;
        capy_conn_end(s, idx, CAPY_EV_FINISHED);
        /* Away from home the old one's end is for the switch to hear first (FLOW_CLOSED): the client
         * repeats its SYN, and that finds its way home. */
        if (!away && !capy_listen_input(s, p))
            capy_reset_reply(s, p);
        return;
    }
    if ((events & CAPY_TCP_SEGMENT_REFUSED) && c->half_open)
        capy_doubt_add(s, p); /* its SYN may be a late copy, and the connection elsewhere */
    else if (events & CAPY_TCP_SEGMENT_REFUSED)
        capy_reset_reply(s, p);
    if (s->neigh.doubted_cnt > 0 && c->tcb.snd.una > una)
        capy_hop_confirmed(s, c, p);
    capy_conn_happened(s, idx, events);
}

bool capy_runs_here(struct capy_stack *s, const struct capy_packet *p)
{
    uint32_t idx = capy_demux_find(s, &p->src, p->src_port, p->dst_port);
    return idx != CAPY_NONE && s->conns[idx].mode == CAPY_CONN_RUNNING;
}

void capy_receive_tcp(struct capy_stack *s, const struct capy_packet *p, const uint8_t *frame,
                      size_t len)
{
    s->count.tcp_in++;
    uint32_t idx = capy_demux_find(s, &p->src, p->src_port, p->dst_port);
    if (idx == CAPY_NONE || (s->conns[idx].half_open && capy_listen_overtakes(s, idx, p))) {
        if (!capy_away_input(s, p, frame, len) && !capy_listen_input(s, p))
            capy_doubt_add(s, p);
        return;
    }
    const struct capy_conn *c = &s->conns[idx];
    if (c->mode == CAPY_CONN_RUNNING && s->foreign)
        s->foreign->inject(s->foreign_ctx, frame, len);
    else if (c->mode == CAPY_CONN_RUNNING)
        capy_conn_input(s, idx, p);
    else if (c->mode == CAPY_CONN_ARRIVING)
        capy_target_hold(s, idx, frame, len);
    else if (c->mode == CAPY_CONN_FROZEN) /* the switch sends it on to the target */
        capy_put_back(s, frame, len, &p->src, c->home, c->home_port);
    else if (c->mode == CAPY_CONN_ENDED && !(p->tcp.flags & CAPY_TCP_SYN))
        capy_reset_reply(s, p); /* a SYN is repeated, and finds the name free */
}

/* RFC 9293 §3.10.7.1: a segment for no connection. */
void capy_reset_send(struct capy_stack *s, const struct capy_frame_to *to,
                     const struct capy_tcp_segment *rst)
{
    uint8_t *frame = capy_rate_take(s, CAPY_RATE_RST, &to->dst) ? capy_control_reserve(s) : NULL;
    if (!frame)
        return;
    s->count.tcp.resets_out++;
    capy_control_commit(s, capy_frame_build_tcp(frame, to, rst));
}

void capy_reset_reply(struct capy_stack *s, const struct capy_packet *p)
{
    struct capy_tcp_segment rst;
    if (!capy_tcp_reset_reply(&p->tcp, &rst))
        return;
    const struct capy_frame_to to = {.dst_mac = p->src_mac,
                                     .src_mac = s->cfg.mac,
                                     .src = p->dst,
                                     .dst = p->src,
                                     .src_port = p->dst_port,
                                     .dst_port = p->src_port};
    capy_reset_send(s, &to, &rst);
}

void capy_echo_answer(struct capy_stack *s, const struct capy_packet *p, const uint8_t *frame,
                      size_t len)
{
    uint8_t *reply = capy_rate_take(s, CAPY_RATE_ICMP, &p->src) ? capy_control_reserve(s) : NULL;
    if (!reply)
        return;
    memcpy(reply, frame, len);
    capy_control_commit(s, capy_frame_build_echo_reply(reply, len));
}

static void receive_icmp(struct capy_stack *s, const struct capy_packet *p, const uint8_t *frame,
                         size_t len)
{
    enum { ECHO_REQUEST = 8 };
    s->count.icmp_in++;
    if (p->icmp.type == ECHO_REQUEST && p->icmp.code == 0)
        capy_echo_answer(s, p, frame, len);
    else
        capy_icmp_error_input(s, p);
}

static inline bool is_martian(const struct capy_net *net, const struct capy_ip *ip)
{
    return capy_ip_eq(ip, &net->ip) || capy_ip_eq(ip, &net->broadcast) || capy_net_is_nobody(ip);
}

bool capy_is_martian(const struct capy_stack *s, const struct capy_ip *ip)
{
    return is_martian(capy_net_of(s, ip), ip);
}

void capy_receive_ip(struct capy_stack *s, const struct capy_packet *p, const uint8_t *frame,
                     size_t len)
{
    if (p->kind == CAPY_PACKET_ICMP6) { /* link-local addresses and groups are its business */
        capy_icmp6_input(s, p, frame, len);
        return;
    }
    const struct capy_net *net = capy_net_of(s, &p->dst);
    if (!net->on || !capy_mac_eq(&p->dst_mac, &s->cfg.mac) || !capy_ip_eq(&p->dst, &net->ip) ||
        is_martian(net, &p->src)) {
        s->count.not_ours++;
        return;
    }
    switch (p->kind) {
    case CAPY_PACKET_TCP:
        capy_receive_tcp(s, p, frame, len);
        break;
    case CAPY_PACKET_UDP:
        s->count.udp_in++;
        if (s->cfg.peer_cnt > 0 && p->dst_port == s->cfg.tcpmig_port)
            capy_rack_input(s, p);
        break;
    case CAPY_PACKET_ICMP:
        receive_icmp(s, p, frame, len);
        break;
    case CAPY_PACKET_ICMP6:
    case CAPY_PACKET_ARP:
        break;
    }
}
