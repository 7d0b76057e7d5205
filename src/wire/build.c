/* Values to frames (wire/frame.h): TCP and UDP over IPv4 or IPv6, by the version of the addresses.
 * All memory is the caller's. */
#include "base/assert.h"
#include "wire/ip.h"
#include "wire/ipv6.h"

#define IPV4_DF 0x4000u /* we never let routers fragment (RFC 1191) */

/* Writes Ethernet and IPv4 headers for payload_len bytes behind them. Returns the pseudo-header's
 * sum for that payload. */
static uint64_t build_ipv4(uint8_t *frame, const struct capy_frame_to *to, uint8_t protocol,
                           size_t payload_len)
{
    CAPY_ASSERT(capy_ip_is_v4(&to->src));
    CAPY_ASSERT(payload_len <= UINT16_MAX - CAPY_IPV4_LEN);
    capy_ether_build(frame, &to->dst_mac, &to->src_mac, CAPY_ETHERTYPE_IPV4);
    uint8_t *p = frame + CAPY_ETHER_LEN;
    uint32_t src = capy_ip_v4(&to->src);
    uint32_t dst = capy_ip_v4(&to->dst);
    uint32_t first = 0x45000000u | (uint32_t)(to->ecn & CAPY_ECN_MASK) << 16 |
                     (uint32_t)(CAPY_IPV4_LEN + payload_len);
    uint32_t ttl_protocol = (uint32_t)(to->ttl ? to->ttl : CAPY_TTL_DEFAULT) << 8 | protocol;
    /* The identification may be anything when DF is set (RFC 6864 §4.1). */
    uint16_t check = capy_sum_finish((uint64_t)first + IPV4_DF + ttl_protocol + src + dst);
    capy_store32(p, first);
    capy_store32(p + CAPY_IPV4_AT_ID, IPV4_DF);
    capy_store32(p + CAPY_IPV4_AT_TTL, ttl_protocol << 16 | check);
    capy_store32(p + CAPY_IPV4_AT_SRC, src);
    capy_store32(p + CAPY_IPV4_AT_DST, dst);
    return capy_pseudo_sum4(src, dst, protocol, payload_len);
}

/* Of the IP header of a frame to dst. */
static size_t ip_len(const struct capy_ip *dst)
{
    return capy_ip_is_v4(dst) ? CAPY_IPV4_LEN : CAPY_IPV6_LEN;
}

static uint64_t build_ip(uint8_t *frame, const struct capy_frame_to *to, uint8_t protocol,
                         size_t payload_len)
{
    return capy_ip_is_v4(&to->dst) ? build_ipv4(frame, to, protocol, payload_len)
                                   : capy_ipv6_build(frame, to, protocol, payload_len);
}

size_t capy_frame_tcp_data_at(const struct capy_frame_to *to, const struct capy_tcp_segment *seg)
{
    return CAPY_ETHER_LEN + ip_len(&to->dst) + capy_tcp_header_len(seg);
}

size_t capy_frame_build_tcp(uint8_t *frame, const struct capy_frame_to *to,
                            const struct capy_tcp_segment *seg)
{
    size_t at = CAPY_ETHER_LEN + ip_len(&to->dst);
    uint8_t *p = frame + at;
    size_t header_len = capy_tcp_build(p, to->src_port, to->dst_port, seg);
    size_t tcp_len = header_len + seg->data_len;
    if (seg->data && seg->data_len)
        memcpy(p + header_len, seg->data, seg->data_len);
    uint64_t pseudo = build_ip(frame, to, CAPY_PROTOCOL_TCP, tcp_len);
    capy_store16(p + CAPY_TCP_AT_CHECK, to->partial
                                            ? capy_sum_fold(pseudo)
                                            : capy_sum_finish(capy_sum(pseudo, p, tcp_len)));
    return at + tcp_len;
}

size_t capy_frame_build_udp(uint8_t *frame, const struct capy_frame_to *to, size_t data_len)
{
    size_t at = CAPY_ETHER_LEN + ip_len(&to->dst);
    uint8_t *p = frame + at;
    size_t udp_len = CAPY_UDP_LEN + data_len;
    uint64_t pseudo = build_ip(frame, to, CAPY_PROTOCOL_UDP, udp_len);
    capy_store16(p, to->src_port);
    capy_store16(p + 2, to->dst_port);
    capy_store16(p + CAPY_UDP_AT_LEN, (uint16_t)udp_len);
    capy_store16(p + CAPY_UDP_AT_CHECK, 0);
    uint16_t check = capy_sum_finish(capy_sum(pseudo, p, udp_len));
    /* Zero on the wire means "no checksum"; its other form says the same sum (RFC 768). */
    capy_store16(p + CAPY_UDP_AT_CHECK, check ? check : 0xffffu);
    return at + udp_len;
}
