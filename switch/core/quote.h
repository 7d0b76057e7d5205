/* ICMP errors about TCP (RFC 792, RFC 4443 §3): which flow the quoted packet belongs to, and the
 * rewriting that lets its owner recognise it. A router quotes what it saw, home's address and port;
 * the owner sent it under its own. Without this, path MTU discovery (RFC 8201) would end with a
 * connection's first move.
 *
 * Header only, no libc, bounded, every access checked against the end of the data, as in view.h. */
#ifndef CAPY_SWITCH_QUOTE_H
#define CAPY_SWITCH_QUOTE_H

#include "switch/core/rewrite.h"

enum {
    CAPY_QUOTE_ICMP_LEN = 8, /* before the quoted packet, in both versions */
    CAPY_QUOTE_L4_LEN = 8, /* the least that is quoted of it (RFC 792): ports and sequence number */
    CAPY_QUOTE_CHECK_AT = 2, /* ICMP's checksum */
};

struct capy_quote {
    uint16_t ip_at, l4_at; /* of the quoted packet, in the frame */
    struct capy_ip src, dst;
    uint16_t src_port, dst_port;
};

static inline bool capy_quote_is_error(const struct capy_view *v, uint8_t type)
{
    if (v->kind == CAPY_VIEW_ICMP6)
        return type >= 1 && type <= 4; /* RFC 4443 §2.1: the errors that exist */
    return v->kind == CAPY_VIEW_ICMP &&
           (type == 3 || type == 11 || type == 12); /* unreachable, time exceeded, bad parameter */
}

/* Reads the quoted packet of an ICMP frame. False: no error, or not about a TCP segment whose ports
 * are there. The quote may end anywhere behind them, whatever its lengths say. */
static inline bool capy_quote_parse(const uint8_t *data, const uint8_t *end,
                                    const struct capy_view *v, struct capy_quote *q)
{
    if (v->data_len < CAPY_QUOTE_ICMP_LEN)
        return false;
    const uint8_t *icmp =
        capy_view_at((uint8_t *)data, end, v->l4_at, CAPY_QUOTE_ICMP_LEN + CAPY_VIEW_IP4_LEN);
    if (!icmp)
        return false;
    const uint8_t *p = icmp + CAPY_QUOTE_ICMP_LEN;
    uint32_t left = v->data_len - (uint32_t)CAPY_QUOTE_ICMP_LEN, head = CAPY_VIEW_IP6_LEN;
    if (left < CAPY_VIEW_IP4_LEN || !capy_quote_is_error(v, icmp[0]) || p[0] >> 4 != v->version)
        return false;
    if (v->version == 4) {
        head = (uint32_t)(p[0] & 0x0f) * 4u;
        if (head < CAPY_VIEW_IP4_LEN || p[9] != CAPY_VIEW_PROTO_TCP ||
            (capy_load16(p + 6) & CAPY_VIEW_OFFSET_BITS))
            return false;
        q->src = capy_ip_from_v4(capy_load32(p + 12));
        q->dst = capy_ip_from_v4(capy_load32(p + 16));
    } else { /* behind extension headers there is none of our segments */
        if (p + CAPY_VIEW_IP6_LEN > end || p[6] != CAPY_VIEW_PROTO_TCP)
            return false;
        __builtin_memcpy(q->src.b, p + 8, sizeof q->src.b);
        __builtin_memcpy(q->dst.b, p + 24, sizeof q->dst.b);
    }
    const uint8_t *l4 = p + head;
    CAPY_PIN(l4);
    if (left < head + CAPY_QUOTE_L4_LEN || l4 + CAPY_QUOTE_L4_LEN > end)
        return false;
    q->ip_at = (uint16_t)(v->l4_at + CAPY_QUOTE_ICMP_LEN);
    q->l4_at = (uint16_t)(q->ip_at + head);
    q->src_port = capy_load16(l4);
    q->dst_port = capy_load16(l4 + 2);
    return true;
}

/* Writes len bytes (even, at most 16) into the quoted packet, under ICMP's checksum. */
static inline void capy_quote_write(uint8_t *check, uint8_t *at, const uint8_t *bytes, uint32_t len)
{
    capy_rewrite_check(check, capy_sum_change(at, bytes, len));
    for (uint32_t i = 0; i < len && i < 16; i += 2)
        capy_copy(at + i, bytes + i, 2);
}

/* Makes the error one that the holder at ip and port is told: the frame goes to it, and the quoted
 * segment is as it sent it, but for TCP's own checksum, which nobody looks at there. ip is of the
 * frame's version. False, frame untouched: the quote passes the end, which it does not once parsed. */
static inline bool capy_quote_rewrite(uint8_t *frame, const uint8_t *end, const struct capy_view *v,
                                      const struct capy_quote *q, const struct capy_mac *mac,
                                      const struct capy_ip *ip, uint16_t port)
{
    uint8_t *icmp = capy_view_at(frame, end, v->l4_at, CAPY_QUOTE_ICMP_LEN + CAPY_VIEW_IP4_LEN);
    uint8_t *tcp = capy_view_at(frame, end, q->l4_at, 2), port_bytes[2];
    if (!icmp || !tcp || frame + CAPY_REWRITE_IP_END > end)
        return false;
    uint8_t *check = icmp + CAPY_QUOTE_CHECK_AT, *quoted = icmp + CAPY_QUOTE_ICMP_LEN;
    capy_store16(port_bytes, port);
    if (v->version == 4) {
        const uint8_t *bytes = ip->b + 12;
        uint8_t header_check[2], *to = frame + CAPY_VIEW_IP4_DST_AT;
        capy_copy(header_check, quoted + 10, 2);
        capy_rewrite_check(frame + CAPY_VIEW_IP4_CHECK_AT, capy_sum_change(to, bytes, 4));
        capy_copy(to, bytes, 4);
        capy_rewrite_check(header_check, capy_sum_change(quoted + 12, bytes, 4));
        capy_quote_write(check, quoted + 10, header_check, 2);
        capy_quote_write(check, quoted + 12, bytes, 4);
    } else {
        uint8_t *to = frame + CAPY_VIEW_IP6_DST_AT;
        if (to + 16 > end || quoted + CAPY_VIEW_IP6_LEN > end)
            return false;
        capy_rewrite_check(
            check, capy_sum_change(to, ip->b, 16)); /* of the pseudo-header (RFC 4443 §2.3) */
        capy_copy(to, ip->b, 16);
        capy_quote_write(check, quoted + 8, ip->b, 16);
    }
    capy_quote_write(check, tcp, port_bytes, 2);
    capy_rewrite_mac(frame, mac);
    return true;
}

#endif
