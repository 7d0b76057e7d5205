/* A packet view: what the switch needs of one frame, read with every access checked against the end
 * of the data, so that the BPF verifier accepts the same source. Only what the switch acts on is
 * recognised; anything else is CAPY_VIEW_OTHER and merely forwarded by MAC address.
 * Header only, no libc, no memory of its own. */
#ifndef CAPY_SWITCH_VIEW_H
#define CAPY_SWITCH_VIEW_H

#include "wire/addr.h"
#include "wire/ether.h"

enum capy_view_kind {
    CAPY_VIEW_OTHER,
    CAPY_VIEW_RUNT,  /* shorter than an Ethernet header */
    CAPY_VIEW_MIXED, /* IPv4-mapped addresses inside IPv6: would impersonate an IPv4 flow */
    CAPY_VIEW_ARP,
    CAPY_VIEW_ICMP, /* of IPv4 */
    CAPY_VIEW_ICMP6,
    CAPY_VIEW_UDP,
    CAPY_VIEW_TCP,
};

struct capy_view {
    enum capy_view_kind kind;
    uint8_t version; /* 4 or 6 */
    uint8_t tcp_flags;
    uint16_t l4_at;              /* offset of the TCP, UDP or ICMP header in the frame */
    uint16_t data_at, data_len;  /* TCP or UDP payload, or the whole ICMP message */
    uint16_t src_port, dst_port; /* host order */
    struct capy_ip src, dst;
};

enum {
    CAPY_VIEW_PROTO_ICMP = 1,
    CAPY_VIEW_PROTO_TCP = 6,
    CAPY_VIEW_PROTO_UDP = 17,
    CAPY_VIEW_PROTO_ICMP6 = 58,
    /* Extension headers (RFC 8200 §4) that hosts skip; those that are not here (AH, ESP, "none") end
     * the walk like any protocol that the switch does not know. */
    CAPY_VIEW_PROTO_HOP_BY_HOP = 0,
    CAPY_VIEW_PROTO_ROUTING = 43,
    CAPY_VIEW_PROTO_FRAGMENT = 44,
    CAPY_VIEW_PROTO_DESTINATION = 60,
    /* As many as our hosts accept (src/wire/ipv6.c): were it fewer, a segment behind more of them
     * would reach a host unfenced. Also the verifier's bound. */
    CAPY_VIEW_EXTENSION_MAX = 8,
    CAPY_VIEW_EXTENSION_MIN = 8, /* bytes; also the unit of their lengths */
    CAPY_VIEW_IP4_LEN = 20,
    CAPY_VIEW_IP6_LEN = 40,
    CAPY_VIEW_IP4_CHECK_AT = CAPY_ETHER_LEN + 10,
    CAPY_VIEW_IP4_SRC_AT = CAPY_ETHER_LEN + 12,
    CAPY_VIEW_IP4_DST_AT = CAPY_ETHER_LEN + 16,
    CAPY_VIEW_IP6_SRC_AT = CAPY_ETHER_LEN + 8,
    CAPY_VIEW_IP6_DST_AT = CAPY_ETHER_LEN + 24,
    CAPY_VIEW_TCP_CHECK_AT = 16, /* from l4_at */
    CAPY_VIEW_UDP_CHECK_AT = 6,  /* from l4_at */
    CAPY_VIEW_TCP_MIN = 20,
    CAPY_VIEW_UDP_LEN = 8,
    CAPY_VIEW_FRAGMENT_BITS = 0x3fff, /* more-fragments and offset (RFC 791 §3.1) */
    CAPY_VIEW_OFFSET_BITS = 0x1fff,
    CAPY_VIEW_FRAGMENT6_BITS = 0xfff9, /* offset and more-fragments (RFC 8200 §4.5) */
};

/* len bytes of the frame from `at` on, or NULL: not all there. at is checked, too: that says
 * to the verifier how far the pointer can be. */
static inline uint8_t *capy_view_at(uint8_t *data, const uint8_t *end, uint32_t at, uint32_t len)
{
    CAPY_PIN(at);
    if (at > CAPY_FRAME_MAX)
        return NULL;
    uint8_t *p = data + at;
    CAPY_PIN(p);
    return p + len > end ? NULL : p;
}

/* l4_len: bytes of the IP payload; all of them lie in the frame. */
static inline enum capy_view_kind capy_view_l4(const uint8_t *data, const uint8_t *end,
                                               uint8_t proto, uint32_t l4_len, struct capy_view *v)
{
    const uint8_t *p = data + v->l4_at;
    CAPY_PIN(p);
    uint32_t head = CAPY_VIEW_UDP_LEN;
    if (proto == (v->version == 4 ? CAPY_VIEW_PROTO_ICMP : CAPY_VIEW_PROTO_ICMP6)) {
        v->data_at = v->l4_at;
        v->data_len = (uint16_t)l4_len;
        return v->version == 4 ? CAPY_VIEW_ICMP : CAPY_VIEW_ICMP6;
    }
    if (proto == CAPY_VIEW_PROTO_TCP) {
        if (l4_len < CAPY_VIEW_TCP_MIN || p + CAPY_VIEW_TCP_MIN > end)
            return CAPY_VIEW_OTHER;
        v->tcp_flags = p[13];
        head = (uint32_t)(p[12] >> 4) * 4u;
        if (head < CAPY_VIEW_TCP_MIN || head > l4_len)
            return CAPY_VIEW_OTHER;
    } else if (proto == CAPY_VIEW_PROTO_UDP) {
        if (l4_len < CAPY_VIEW_UDP_LEN || p + CAPY_VIEW_UDP_LEN > end)
            return CAPY_VIEW_OTHER;
        uint32_t udp_len = capy_load16(p + 4);
        if (udp_len < CAPY_VIEW_UDP_LEN || udp_len > l4_len)
            return CAPY_VIEW_OTHER;
        l4_len = udp_len;
    } else {
        return CAPY_VIEW_OTHER;
    }
    v->src_port = capy_load16(p);
    v->dst_port = capy_load16(p + 2);
    v->data_at = (uint16_t)(v->l4_at + head);
    v->data_len = (uint16_t)(l4_len - head);
    return proto == CAPY_VIEW_PROTO_TCP ? CAPY_VIEW_TCP : CAPY_VIEW_UDP;
}

static inline enum capy_view_kind capy_view_ip4(const uint8_t *data, const uint8_t *end,
                                                struct capy_view *v)
{
    const uint8_t *p = data + CAPY_ETHER_LEN;
    if (p + CAPY_VIEW_IP4_LEN > end || p[0] >> 4 != 4)
        return CAPY_VIEW_OTHER;
    uint32_t head = (uint32_t)(p[0] & 0x0f) * 4u, total = capy_load16(p + 2);
    if (head < CAPY_VIEW_IP4_LEN || total < head || p + total > end)
        return CAPY_VIEW_OTHER;
    if (capy_load16(p + 6) & CAPY_VIEW_FRAGMENT_BITS)
        return CAPY_VIEW_OTHER;
    v->version = 4;
    v->src = capy_ip_from_v4(capy_load32(p + 12));
    v->dst = capy_ip_from_v4(capy_load32(p + 16));
    v->l4_at = (uint16_t)(CAPY_ETHER_LEN + head);
    return capy_view_l4(data, end, p[9], total - head, v);
}

/* What lies behind the headers walked so far: offset in the frame, bytes, and what it is. */
struct capy_view_walk {
    uint32_t at, len;
    uint8_t proto;
};

/* Steps over one extension header. False: it passes the end; or a packet to leave alone, for it is a
 * piece of one (a whole one in one fragment is none, RFC 6946), or has routers still to visit. */
static inline bool capy_view_step(const uint8_t *data, const uint8_t *end, struct capy_view_walk *w)
{
    if (w->at > CAPY_FRAME_MAX) /* never; says to the verifier how far data + at can be */
        return false;
    const uint8_t *p = data + w->at;
    CAPY_PIN(p);
    if (w->len < CAPY_VIEW_EXTENSION_MIN || p + CAPY_VIEW_EXTENSION_MIN > end)
        return false;
    uint32_t len = CAPY_VIEW_EXTENSION_MIN;
    if (w->proto == CAPY_VIEW_PROTO_FRAGMENT) {
        if (capy_load16(p + 2) & CAPY_VIEW_FRAGMENT6_BITS)
            return false;
    } else {
        len += p[1] * (uint32_t)CAPY_VIEW_EXTENSION_MIN;
    }
    if (len > w->len || (w->proto == CAPY_VIEW_PROTO_ROUTING && p[3] != 0))
        return false;
    w->proto = p[0];
    w->at += len;
    w->len -= len;
    return true;
}

static inline bool capy_view_is_extension(uint8_t proto)
{
    return proto == CAPY_VIEW_PROTO_HOP_BY_HOP || proto == CAPY_VIEW_PROTO_ROUTING ||
           proto == CAPY_VIEW_PROTO_FRAGMENT || proto == CAPY_VIEW_PROTO_DESTINATION;
}

static inline enum capy_view_kind capy_view_ip6(const uint8_t *data, const uint8_t *end,
                                                struct capy_view *v)
{
    const uint8_t *p = data + CAPY_ETHER_LEN;
    if (p + CAPY_VIEW_IP6_LEN > end || p[0] >> 4 != 6)
        return CAPY_VIEW_OTHER;
    struct capy_view_walk w = {
        .at = CAPY_ETHER_LEN + CAPY_VIEW_IP6_LEN, .len = capy_load16(p + 4), .proto = p[6]};
    if (p + CAPY_VIEW_IP6_LEN + w.len > end)
        return CAPY_VIEW_OTHER;
    v->version = 6;
    __builtin_memcpy(v->src.b, p + 8, sizeof v->src.b);
    __builtin_memcpy(v->dst.b, p + 24, sizeof v->dst.b);
    if (capy_ip_is_v4(&v->src) || capy_ip_is_v4(&v->dst))
        return CAPY_VIEW_MIXED;
    for (uint32_t n = 0; n < CAPY_VIEW_EXTENSION_MAX && capy_view_is_extension(w.proto); n++)
        if (!capy_view_step(data, end, &w))
            return CAPY_VIEW_OTHER;
    v->l4_at = (uint16_t)w.at;
    return capy_view_l4(data, end, w.proto, w.len, v);
}

static inline void capy_view_parse(const uint8_t *data, const uint8_t *end, struct capy_view *v)
{
    *v = (struct capy_view){.kind = CAPY_VIEW_OTHER};
    if (data + CAPY_ETHER_LEN > end) {
        v->kind = CAPY_VIEW_RUNT;
        return;
    }
    uint16_t type = capy_load16(data + 12);
    if (type == CAPY_ETHERTYPE_IPV4)
        v->kind = capy_view_ip4(data, end, v);
    else if (type == CAPY_ETHERTYPE_IPV6)
        v->kind = capy_view_ip6(data, end, v);
    else if (type == CAPY_ETHERTYPE_ARP)
        v->kind = CAPY_VIEW_ARP;
}

#endif
