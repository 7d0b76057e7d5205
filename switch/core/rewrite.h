/* Address rewriting in place with incremental checksums (RFC 1624 eqn. 3): no byte beyond the changed
 * fields and the checksums is touched, so a frame that was broken before stays broken, and one
 * that was right stays right. Header only, no libc, bounded loops.
 *
 * All functions take a frame whose view was parsed successfully as TCP or UDP. */
#ifndef CAPY_SWITCH_REWRITE_H
#define CAPY_SWITCH_REWRITE_H

#include "base/checksum.h"
#include "switch/core/view.h"

static inline void capy_rewrite_mac(uint8_t *at, const struct capy_mac *mac)
{
    __builtin_memcpy(at, mac->b, sizeof mac->b);
}

/* Folds the change of len bytes (even, at most 16) from `from` to `to` into the checksum at `at`. */
static inline void capy_rewrite_check(uint8_t *at, const uint8_t *from, const uint8_t *to,
                                      uint32_t len)
{
    uint16_t check = capy_load16(at);
    for (uint32_t i = 0; i + 1 < len && i < 16; i += 2)
        check = capy_checksum_update16(check, capy_load16(from + i), capy_load16(to + i));
    capy_store16(at, check);
}

/* The transport checksum's field, or NULL when the datagram carries none: UDP over IPv4 (RFC 768).
 * Over IPv6 it must have one (RFC 8200 §8.1): what comes without stays as wrong as it is. */
static inline uint8_t *capy_rewrite_l4_check(uint8_t *frame, const struct capy_view *v)
{
    uint8_t *at = frame + v->l4_at +
                  (v->kind == CAPY_VIEW_TCP ? CAPY_VIEW_TCP_CHECK_AT : CAPY_VIEW_UDP_CHECK_AT);
    return v->kind == CAPY_VIEW_UDP && capy_load16(at) == 0 ? NULL : at;
}

/* UDP sends a computed zero as all ones (RFC 768), for zero means "none". */
static inline void capy_rewrite_l4_done(uint8_t *check, const struct capy_view *v)
{
    if (check && v->kind == CAPY_VIEW_UDP && capy_load16(check) == 0)
        capy_store16(check, 0xffff);
}

/* One end (source or destination) of the packet: address and port. */
static inline void capy_rewrite_end(uint8_t *frame, const struct capy_view *v, bool dst,
                                    const struct capy_ip *ip, uint16_t port)
{
    uint8_t *check = capy_rewrite_l4_check(frame, v), *port_at = frame + v->l4_at + (dst ? 2 : 0);
    uint8_t *ip_at, port_bytes[2];
    const uint8_t *bytes = ip->b;
    uint32_t len = 16;
    if (v->version == 4) {
        ip_at = frame + (dst ? CAPY_VIEW_IP4_DST_AT : CAPY_VIEW_IP4_SRC_AT);
        bytes = ip->b + 12;
        len = 4;
        capy_rewrite_check(frame + CAPY_VIEW_IP4_CHECK_AT, ip_at, bytes, len);
    } else {
        ip_at = frame + (dst ? CAPY_VIEW_IP6_DST_AT : CAPY_VIEW_IP6_SRC_AT);
    }
    capy_store16(port_bytes, port);
    if (check) {
        capy_rewrite_check(check, ip_at, bytes, len);
        capy_rewrite_check(check, port_at, port_bytes, 2);
    }
    if (v->version == 4)
        __builtin_memcpy(ip_at, bytes, 4);
    else
        __builtin_memcpy(ip_at, bytes, 16);
    __builtin_memcpy(port_at, port_bytes, 2);
    capy_rewrite_l4_done(check, v);
}

/* False, frame untouched, when the address is of the other IP version. */
static inline bool capy_rewrite_dst(uint8_t *frame, struct capy_view *v, const struct capy_mac *mac,
                                    const struct capy_ip *ip, uint16_t port)
{
    if (capy_ip_is_v4(ip) != (v->version == 4))
        return false;
    capy_rewrite_mac(frame, mac);
    capy_rewrite_end(frame, v, true, ip, port);
    v->dst = *ip;
    v->dst_port = port;
    return true;
}

/* mac: NULL leaves the source MAC as it is. */
static inline bool capy_rewrite_src(uint8_t *frame, struct capy_view *v, const struct capy_mac *mac,
                                    const struct capy_ip *ip, uint16_t port)
{
    if (capy_ip_is_v4(ip) != (v->version == 4))
        return false;
    if (mac)
        capy_rewrite_mac(frame + 6, mac);
    capy_rewrite_end(frame, v, false, ip, port);
    v->src = *ip;
    v->src_port = port;
    return true;
}

/* Overwrites len bytes (even, at most 16) of the transport payload, at an even offset in it. */
static inline void capy_rewrite_data(uint8_t *frame, const struct capy_view *v, uint32_t offset,
                                     const uint8_t *bytes, uint32_t len)
{
    uint8_t *at = frame + v->data_at + offset, *check = capy_rewrite_l4_check(frame, v);
    if (check)
        capy_rewrite_check(check, at, bytes, len);
    for (uint32_t i = 0; i < len && i < 16; i++)
        at[i] = bytes[i];
    capy_rewrite_l4_done(check, v);
}

#endif
