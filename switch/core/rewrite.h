/* Address rewriting in place with incremental checksums (RFC 1624 eqn. 3): no byte beyond the changed
 * fields and the checksums is touched, so a frame that was broken before stays broken, and one
 * that was right stays right. Header only, no libc, bounded loops.
 *
 * All functions take a frame whose view was parsed successfully as TCP or UDP, and its end: what they
 * touch is checked against it, as in view.h, though the view has it all inside. */
#ifndef CAPY_SWITCH_REWRITE_H
#define CAPY_SWITCH_REWRITE_H

#include "base/checksum.h"
#include "switch/core/view.h"

enum {
    CAPY_REWRITE_IP_END = CAPY_VIEW_IP4_DST_AT + 4, /* the shorter header's */
};

/* len: even and a constant. Whole words where they are wanted (CAPY_WHOLE_WORDS). */
static inline void capy_copy(uint8_t *to, const uint8_t *from, uint32_t len)
{
#if CAPY_WHOLE_WORDS
    for (uint32_t i = 0; i < len; i += 2)
        *(uint16_t *)(to + i) = *(const uint16_t *)(from + i);
#else
    __builtin_memcpy(to, from, len);
#endif
}

static inline void capy_rewrite_mac(uint8_t *at, const struct capy_mac *mac)
{
    capy_copy(at, mac->b, sizeof mac->b);
}

/* Folds a change (capy_sum_change) into the checksum at `at`. */
static inline void capy_rewrite_check(uint8_t *at, uint64_t change)
{
    capy_store16(at, capy_checksum_change(capy_load16(at), change));
}

/* The transport checksum's field, or NULL: not before the end. tcp: else UDP. */
static inline uint8_t *capy_rewrite_l4_check(uint8_t *frame, const uint8_t *end,
                                             const struct capy_view *v, bool tcp)
{
    return capy_view_at(frame, end,
                        v->l4_at + (tcp ? CAPY_VIEW_TCP_CHECK_AT : CAPY_VIEW_UDP_CHECK_AT), 2);
}

/* The datagram carries none: UDP over IPv4 (RFC 768). Over IPv6 it must have one (RFC 8200
 * §8.1): what comes without stays as wrong as it is. */
static inline bool capy_rewrite_is_unchecked(const uint8_t *check, bool tcp)
{
    return !tcp && capy_load16(check) == 0;
}

/* UDP sends a computed zero as all ones (RFC 768), for zero means "none". */
static inline void capy_rewrite_l4_done(uint8_t *check, bool tcp, bool unchecked)
{
    if (!unchecked && !tcp && capy_load16(check) == 0)
        capy_store16(check, 0xffff);
}

/* One end (source or destination) of the packet: address and port. */
static inline bool capy_rewrite_end(uint8_t *frame, const uint8_t *end, const struct capy_view *v,
                                    bool dst, const struct capy_ip *ip, uint16_t port)
{
    const bool tcp = v->kind == CAPY_VIEW_TCP, v4 = v->version == 4;
    uint8_t *l4 = capy_view_at(frame, end, v->l4_at, 4), port_bytes[2];
    uint8_t *check = capy_rewrite_l4_check(frame, end, v, tcp);
    if (!l4 || !check || frame + CAPY_REWRITE_IP_END > end)
        return false;
    uint8_t *port_at = l4 + (dst ? 2 : 0);
    bool unchecked = capy_rewrite_is_unchecked(check, tcp);
    capy_store16(port_bytes, port);
    uint64_t change = capy_sum_change(port_at, port_bytes, 2);
    if (v4) {
        uint8_t *ip_at = frame + (dst ? CAPY_VIEW_IP4_DST_AT : CAPY_VIEW_IP4_SRC_AT);
        uint64_t of_ip = capy_sum_change(ip_at, ip->b + 12, 4);
        capy_rewrite_check(frame + CAPY_VIEW_IP4_CHECK_AT, of_ip);
        change += of_ip;
        capy_copy(ip_at, ip->b + 12, 4);
    } else {
        uint8_t *ip_at = frame + (dst ? CAPY_VIEW_IP6_DST_AT : CAPY_VIEW_IP6_SRC_AT);
        if (frame + CAPY_VIEW_IP6_DST_AT + 16 > end)
            return false;
        change += capy_sum_change(ip_at, ip->b, 16);
        capy_copy(ip_at, ip->b, 16);
    }
    if (!unchecked)
        capy_rewrite_check(check, change);
    capy_copy(port_at, port_bytes, 2);
    capy_rewrite_l4_done(check, tcp, unchecked);
    return true;
}

/* False, frame untouched, when the address is of the other IP version. */
static inline bool capy_rewrite_dst(uint8_t *frame, const uint8_t *end, struct capy_view *v,
                                    const struct capy_mac *mac, const struct capy_ip *ip,
                                    uint16_t port)
{
    if (capy_ip_is_v4(ip) != (v->version == 4) || !capy_rewrite_end(frame, end, v, true, ip, port))
        return false;
    capy_rewrite_mac(frame, mac);
    v->dst = *ip;
    v->dst_port = port;
    return true;
}

/* mac: NULL leaves the source MAC as it is. */
static inline bool capy_rewrite_src(uint8_t *frame, const uint8_t *end, struct capy_view *v,
                                    const struct capy_mac *mac, const struct capy_ip *ip,
                                    uint16_t port)
{
    if (capy_ip_is_v4(ip) != (v->version == 4) || !capy_rewrite_end(frame, end, v, false, ip, port))
        return false;
    if (mac)
        capy_rewrite_mac(frame + 6, mac);
    v->src = *ip;
    v->src_port = port;
    return true;
}

/* Overwrites len bytes (even, at most 16) of the transport payload, at an even offset in it. False, frame
 * untouched, when they are not all there. */
static inline bool capy_rewrite_data(uint8_t *frame, const uint8_t *end, const struct capy_view *v,
                                     uint32_t offset, const uint8_t *bytes, uint32_t len)
{
    const bool tcp = v->kind == CAPY_VIEW_TCP;
    uint8_t *check = capy_rewrite_l4_check(frame, end, v, tcp);
    uint8_t *at = capy_view_at(frame, end, v->data_at + offset, len);
    if (!check || !at)
        return false;
    bool unchecked = capy_rewrite_is_unchecked(check, tcp);
    if (!unchecked)
        capy_rewrite_check(check, capy_sum_change(at, bytes, len));
    for (uint32_t i = 0; i < len && i < 16; i += 2)
        capy_copy(at + i, bytes + i, 2);
    capy_rewrite_l4_done(check, tcp, unchecked);
    return true;
}

#endif
