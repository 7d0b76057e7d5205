/* The long parts of TCPMig in BPF: the hash over a payload, and the answer to a HEARTBEAT. */
#ifndef CAPY_XDP_MESSAGE_H
#define CAPY_XDP_MESSAGE_H

#include "switch/xdp/many.h"

struct many_hash {
    struct capy_sip s;
    const struct xdp_md *ctx;
    uint32_t at, len;
};

/* One word of the payload. */
static long many_absorb_at(uint32_t i, struct many_hash *h)
{
    uint32_t at = h->at + 8 * i;
    if (at > CAPY_FRAME_MAX)
        return 1;
    const uint8_t *p = (const uint8_t *)(long)h->ctx->data + at;
    CAPY_PIN(p);
    if (p + 8 > (const uint8_t *)(long)h->ctx->data_end)
        return 1;
    capy_sip_take(&h->s, capy_sip_load_le(p, 8));
    return 0;
}

/* The last, short word: what is left, and the length (capy_siphash_cd). */
static inline uint64_t many_tail(const struct many_hash *h)
{
    uint64_t word = (uint64_t)h->len << 56;
    uint32_t at = h->at + (h->len & ~7u), left = h->len & 7u;
    for (uint32_t i = 0; i < 7; i++) {
        if (i >= left || at + i > CAPY_FRAME_MAX)
            break;
        const uint8_t *p = (const uint8_t *)(long)h->ctx->data + at + i;
        CAPY_PIN(p);
        if (p + 1 > (const uint8_t *)(long)h->ctx->data_end)
            break;
        word |= (uint64_t)*p << 8 * i;
    }
    return word;
}

/* capy_siphash13 of len bytes of the frame, under the rack's key. */
__noinline uint64_t many_payload_hash(struct xdp_md *ctx, uint32_t at, uint32_t len)
{
    struct many_hash h = {
        .s = capy_sip_begin(many_cfg()->key),
        .ctx = ctx,
        .at = at,
        .len = len,
    };
    bpf_loop(len / 8, many_absorb_at, &h, 0);
    return capy_sip_finish(&h.s, many_tail(&h));
}

static inline uint64_t capy_plane_payload_hash(const struct capy_mig_job *m)
{
    if (m->msg->length == 0)
        return 0;
    return many_payload_hash(m->j->ctx, m->j->view->data_at + CAPY_MIG_HEADER_LEN, m->msg->length);
}

/* To the peer it goes from here; the sender's is made of it where it leaves (both.h). */
static inline void capy_plane_send_both(struct capy_job *j, uint16_t peer, uint16_t sender)
{
    const struct capy_switch_cfg *c = j->sw->cfg;
    capy_mig_address(c, j->frame, j->end, j->view, peer,
                     &c->server[sender % CAPY_SWITCH_SERVER_MAX].ip);
    j->egress = CAPY_XDP_BOTH;
}

enum {
    MANY_ANSWER_LEN = CAPY_VIEW_UDP_LEN + CAPY_MIG_HEADER_LEN + CAPY_MIG_HEARTBEAT_ACK_LEN,
    MANY_TTL = 64,
};

/* Of 16-bit words; len: even and a constant. */
static inline uint64_t many_sum(const uint8_t *p, uint32_t len)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < len; i += 2)
        sum += capy_load16(p + i);
    return sum;
}

/* Ethernet, IP and UDP headers of the answer; its payload lies behind them. len: of the IP header. */
static inline void many_wrap(uint8_t *frame, const struct capy_switch_cfg *c, uint16_t to,
                             uint32_t len)
{
    const struct capy_ip *dst = &c->server[to % CAPY_SWITCH_SERVER_MAX].ip;
    uint8_t *ip = frame + CAPY_ETHER_LEN, *udp = ip + len;
    uint64_t sum = CAPY_VIEW_PROTO_UDP + MANY_ANSWER_LEN;
    capy_rewrite_mac(frame, &c->server[to % CAPY_SWITCH_SERVER_MAX].mac);
    capy_rewrite_mac(frame + 6, &c->mac);
    if (len == CAPY_VIEW_IP4_LEN) {
        capy_store16(frame + 12, CAPY_ETHERTYPE_IPV4);
        capy_store32(ip, 0x45000000u | (CAPY_VIEW_IP4_LEN + MANY_ANSWER_LEN));
        capy_store32(ip + 4, 0x4000u); /* do not fragment */
        capy_store32(ip + 8, MANY_TTL << 24 | CAPY_VIEW_PROTO_UDP << 16);
        capy_copy(ip + 12, c->ip.b + 12, 4);
        capy_copy(ip + 16, dst->b + 12, 4);
        capy_store16(ip + 10, capy_sum_finish(many_sum(ip, CAPY_VIEW_IP4_LEN)));
        sum += many_sum(ip + 12, 8);
    } else {
        capy_store16(frame + 12, CAPY_ETHERTYPE_IPV6);
        capy_store32(ip, 0x60000000u);
        capy_store32(ip + 4, MANY_ANSWER_LEN << 16 | CAPY_VIEW_PROTO_UDP << 8 | MANY_TTL);
        capy_copy(ip + 8, c->ip.b, 16);
        capy_copy(ip + 24, dst->b, 16);
        sum += many_sum(ip + 8, 32);
    }
    capy_store16(udp, c->tcpmig_port);
    capy_store16(udp + 2, c->tcpmig_port);
    capy_store32(udp + 4, (uint32_t)MANY_ANSWER_LEN << 16);
    uint16_t check = capy_sum_finish(sum + many_sum(udp, MANY_ANSWER_LEN));
    capy_store16(udp + CAPY_VIEW_UDP_CHECK_AT, check ? check : 0xffffu);
}

static inline void capy_plane_answer_heartbeat(struct capy_mig_job *m,
                                               const struct capy_mig_heartbeat_ack *ack)
{
    struct capy_job *j = m->j;
    const struct capy_switch_cfg *c = j->sw->cfg;
    const struct capy_mig_msg msg = capy_mig_heartbeat_answer(m);
    uint32_t ip_len = capy_ip_is_v4(&c->ip) ? CAPY_VIEW_IP4_LEN : CAPY_VIEW_IP6_LEN;
    uint8_t *frame = j->frame;
    if (frame + CAPY_ETHER_LEN + ip_len + MANY_ANSWER_LEN > j->end)
        return; /* never: the question was longer */
    uint8_t *p = frame + CAPY_ETHER_LEN + ip_len + CAPY_VIEW_UDP_LEN;
    capy_mig_heartbeat_ack_store(p + CAPY_MIG_HEADER_LEN, ack);
    capy_mig_header_write(
        p, capy_siphash13(c->key, p + CAPY_MIG_HEADER_LEN, CAPY_MIG_HEARTBEAT_ACK_LEN), &msg);
    capy_store64(p + CAPY_MIG_AT_TAG, capy_mig_tag(c->key, p));
    many_wrap(frame, c, m->sender, ip_len);
    capy_plane_cut(j, CAPY_ETHER_LEN + ip_len + MANY_ANSWER_LEN);
    capy_plane_send(j, j->port);
}

#endif
