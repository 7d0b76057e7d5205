/* Frames to checked values and back (wire/frame.h): Ethernet, ARP, IPv4 (RFC 791, RFC 1122), ICMP
 * (RFC 792), UDP (RFC 768), TCP. All memory is the caller's. One parse and one build per request of
 * a small-request server: fields are written one by one, never cleared as a whole.
 *
 * IPv6 frames are refused by ethertype today. What it will take: a parse_ipv6 beside parse_ipv4
 * that ends in the same parse_transport (which already takes a pseudo-header sum, not addresses),
 * and a build_ipv6 beside build_ipv4. */
#include "wire/frame.h"
#include "base/assert.h"
#include "base/checksum.h"

enum { PROTOCOL_ICMP = 1, PROTOCOL_TCP = 6, PROTOCOL_UDP = 17 };
enum { ICMP_ECHO_REPLY = 0, ICMP_ECHO_REQUEST = 8 };

#define ICMP_LEN 8u /* type, code, checksum and four bytes that depend on them */
#define TCP_LEN_MIN 20u
#define TTL_DEFAULT 64u /* RFC 1340's recommendation, and everybody's */
#define IPV4_DF 0x4000u /* we never let routers fragment (RFC 1191) */
#define IPV4_MF_OFFSET 0x3fffu
#define ECN_MASK 3u

/* Offsets in an IPv4 header. */
enum {
    AT_TOS = 1,
    AT_TOTAL = 2,
    AT_ID = 4,
    AT_FRAGMENT = 6,
    AT_TTL = 8,
    AT_PROTOCOL = 9,
    AT_CHECK = 10,
    AT_SRC = 12,
    AT_DST = 16
};
/* Offsets of checksums and ports in their headers. */
enum {
    AT_ICMP_CHECK = 2,
    AT_UDP_LEN = 4,
    AT_UDP_CHECK = 6,
    AT_TCP_DST_PORT = 2,
    AT_TCP_CHECK = 16
};

const char *capy_drop_name(enum capy_drop d)
{
    static const char *const name[CAPY_DROP_CNT] = {
        [CAPY_DROP_NONE] = "none",
        [CAPY_DROP_SHORT] = "short",
        [CAPY_DROP_ETHERTYPE] = "ethertype",
        [CAPY_DROP_ARP] = "arp",
        [CAPY_DROP_IP_HEADER] = "ip_header",
        [CAPY_DROP_IP_CHECKSUM] = "ip_checksum",
        [CAPY_DROP_IP_FRAGMENT] = "ip_fragment",
        [CAPY_DROP_PROTOCOL] = "protocol",
        [CAPY_DROP_ICMP] = "icmp",
        [CAPY_DROP_UDP_HEADER] = "udp_header",
        [CAPY_DROP_UDP_CHECKSUM] = "udp_checksum",
        [CAPY_DROP_TCP_HEADER] = "tcp_header",
        [CAPY_DROP_TCP_CHECKSUM] = "tcp_checksum",
    };
    return (unsigned)d < CAPY_DROP_CNT ? name[d] : "?";
}

/* True when bytes that include their own checksum field add up (RFC 1071 §1 (3)). */
static bool sum_is_good(uint64_t sum, const uint8_t *p, size_t len)
{
    return capy_sum_fold(capy_sum(sum, p, len)) == 0xffffu;
}

/* The same for an IPv4 header, almost always one without options: five words, added in the
 * machine's order, since swapped bytes do not make all ones of anything else (RFC 1071 §2 B). */
static bool ipv4_header_is_good(const uint8_t *p, size_t header_len)
{
    if (header_len != CAPY_IPV4_LEN)
        return sum_is_good(0, p, header_len);
    uint32_t word[CAPY_IPV4_LEN / 4];
    memcpy(word, p, sizeof word);
    return capy_sum_fold((uint64_t)word[0] + word[1] + word[2] + word[3] + word[4]) == 0xffffu;
}

/* The pseudo-header of IPv4 (RFC 9293 §3.1). Whole 32-bit addresses may be added to a sum of 16-bit
 * words, because 2^16 is 1 modulo 2^16 - 1. */
static uint64_t pseudo_sum(uint32_t src, uint32_t dst, uint8_t protocol, size_t len)
{
    return (uint64_t)src + dst + protocol + len;
}

static enum capy_drop parse_icmp(const uint8_t *p, size_t len, struct capy_packet *out)
{
    if (len < ICMP_LEN || !sum_is_good(0, p, len))
        return CAPY_DROP_ICMP;
    out->kind = CAPY_PACKET_ICMP;
    out->src_port = 0;
    out->dst_port = 0;
    out->icmp = (struct capy_icmp){p[0], p[1], p, (uint32_t)len};
    return CAPY_DROP_NONE;
}

static enum capy_drop parse_udp(const uint8_t *p, size_t len, uint64_t pseudo,
                                struct capy_packet *out)
{
    if (len < CAPY_UDP_LEN)
        return CAPY_DROP_UDP_HEADER;
    size_t udp_len = capy_load16(p + AT_UDP_LEN);
    if (udp_len < CAPY_UDP_LEN || udp_len > len)
        return CAPY_DROP_UDP_HEADER;
    /* The pseudo-header counts the UDP length, which may be shorter than what IP carried. */
    bool has_check = capy_load16(p + AT_UDP_CHECK) != 0;
    if (has_check && !sum_is_good(pseudo - len + udp_len, p, udp_len))
        return CAPY_DROP_UDP_CHECKSUM;
    out->kind = CAPY_PACKET_UDP;
    out->src_port = capy_load16(p);
    out->dst_port = capy_load16(p + 2);
    out->udp = (struct capy_udp){p + CAPY_UDP_LEN, (uint32_t)(udp_len - CAPY_UDP_LEN)};
    return CAPY_DROP_NONE;
}

static enum capy_drop parse_tcp(const uint8_t *p, size_t len, uint64_t pseudo,
                                struct capy_packet *out)
{
    if (len < TCP_LEN_MIN)
        return CAPY_DROP_TCP_HEADER;
    if (!sum_is_good(pseudo, p, len))
        return CAPY_DROP_TCP_CHECKSUM;
    if (!capy_tcp_parse(p, len, &out->tcp))
        return CAPY_DROP_TCP_HEADER;
    out->kind = CAPY_PACKET_TCP;
    out->src_port = capy_load16(p);
    out->dst_port = capy_load16(p + 2);
    return CAPY_DROP_NONE;
}

static enum capy_drop parse_transport(uint8_t protocol, const uint8_t *p, size_t len,
                                      uint64_t pseudo, struct capy_packet *out)
{
    switch (protocol) {
    case PROTOCOL_TCP:
        return parse_tcp(p, len, pseudo, out);
    case PROTOCOL_UDP:
        return parse_udp(p, len, pseudo, out);
    case PROTOCOL_ICMP:
        return parse_icmp(p, len, out);
    default:
        return CAPY_DROP_PROTOCOL;
    }
}

static enum capy_drop parse_ipv4(const uint8_t *p, size_t len, struct capy_packet *out)
{
    if (len < CAPY_IPV4_LEN)
        return CAPY_DROP_SHORT;
    size_t header_len = (size_t)(p[0] & 15u) * 4;
    size_t total = capy_load16(p + AT_TOTAL);
    if (p[0] >> 4 != 4 || header_len < CAPY_IPV4_LEN || total < header_len)
        return CAPY_DROP_IP_HEADER;
    if (total > len)
        return CAPY_DROP_SHORT;
    if (!ipv4_header_is_good(p, header_len))
        return CAPY_DROP_IP_CHECKSUM;
    if (capy_load16(p + AT_FRAGMENT) & IPV4_MF_OFFSET)
        return CAPY_DROP_IP_FRAGMENT;
    uint32_t src = capy_load32(p + AT_SRC);
    uint32_t dst = capy_load32(p + AT_DST);
    out->src = capy_ip_from_v4(src);
    out->dst = capy_ip_from_v4(dst);
    out->ttl = p[AT_TTL];
    out->ecn = p[AT_TOS] & ECN_MASK;
    size_t payload_len = total - header_len;
    return parse_transport(p[AT_PROTOCOL], p + header_len, payload_len,
                           pseudo_sum(src, dst, p[AT_PROTOCOL], payload_len), out);
}

static enum capy_drop parse_arp(const uint8_t *p, size_t len, struct capy_packet *out)
{
    if (len < CAPY_ARP_LEN)
        return CAPY_DROP_SHORT;
    if (!capy_arp_parse(p, len, &out->arp))
        return CAPY_DROP_ARP;
    out->kind = CAPY_PACKET_ARP;
    return CAPY_DROP_NONE;
}

enum capy_drop capy_frame_parse(const uint8_t *frame, size_t len, struct capy_packet *out)
{
    if (len < CAPY_ETHER_LEN)
        return CAPY_DROP_SHORT;
    memcpy(out->dst_mac.b, frame, sizeof out->dst_mac.b);
    memcpy(out->src_mac.b, frame + 6, sizeof out->src_mac.b);
    const uint8_t *p = frame + CAPY_ETHER_LEN;
    switch (capy_load16(frame + 12)) {
    case CAPY_ETHERTYPE_IPV4:
        return parse_ipv4(p, len - CAPY_ETHER_LEN, out);
    case CAPY_ETHERTYPE_ARP:
        return parse_arp(p, len - CAPY_ETHER_LEN, out);
    default: /* IPv6 among them */
        return CAPY_DROP_ETHERTYPE;
    }
}

/* Writes Ethernet and IPv4 headers for payload_len bytes behind them. Returns the pseudo-header's
 * sum for that payload. */
static uint64_t build_ipv4(uint8_t *frame, const struct capy_frame_to *to, uint8_t protocol,
                           size_t payload_len)
{
    CAPY_ASSERT(capy_ip_is_v4(&to->src) && capy_ip_is_v4(&to->dst));
    CAPY_ASSERT(payload_len <= UINT16_MAX - CAPY_IPV4_LEN);
    capy_ether_build(frame, &to->dst_mac, &to->src_mac, CAPY_ETHERTYPE_IPV4);
    uint8_t *p = frame + CAPY_ETHER_LEN;
    uint32_t src = capy_ip_v4(&to->src);
    uint32_t dst = capy_ip_v4(&to->dst);
    uint32_t first = 0x45000000u | (uint32_t)(to->ecn & ECN_MASK) << 16 |
                     (uint32_t)(CAPY_IPV4_LEN + payload_len);
    uint32_t ttl_protocol = (uint32_t)(to->ttl ? to->ttl : TTL_DEFAULT) << 8 | protocol;
    /* The identification may be anything when DF is set (RFC 6864 §4.1). */
    uint16_t check = capy_sum_finish((uint64_t)first + IPV4_DF + ttl_protocol + src + dst);
    capy_store32(p, first);
    capy_store32(p + AT_ID, IPV4_DF);
    capy_store32(p + AT_TTL, ttl_protocol << 16 | check);
    capy_store32(p + AT_SRC, src);
    capy_store32(p + AT_DST, dst);
    return pseudo_sum(src, dst, protocol, payload_len);
}

size_t capy_frame_tcp_data_at(const struct capy_frame_to *to, const struct capy_tcp_segment *seg)
{
    CAPY_ASSERT(capy_ip_is_v4(&to->dst));
    return CAPY_ETHER_LEN + CAPY_IPV4_LEN + capy_tcp_header_len(seg);
}

size_t capy_frame_build_tcp(uint8_t *frame, const struct capy_frame_to *to,
                            const struct capy_tcp_segment *seg)
{
    uint8_t *p = frame + CAPY_ETHER_LEN + CAPY_IPV4_LEN;
    size_t header_len = capy_tcp_build(p, to->src_port, to->dst_port, seg);
    size_t tcp_len = header_len + seg->data_len;
    if (seg->data && seg->data_len)
        memcpy(p + header_len, seg->data, seg->data_len);
    uint64_t pseudo = build_ipv4(frame, to, PROTOCOL_TCP, tcp_len);
    capy_store16(p + AT_TCP_CHECK, capy_sum_finish(capy_sum(pseudo, p, tcp_len)));
    return CAPY_ETHER_LEN + CAPY_IPV4_LEN + tcp_len;
}

size_t capy_frame_build_udp(uint8_t *frame, const struct capy_frame_to *to, size_t data_len)
{
    uint8_t *p = frame + CAPY_ETHER_LEN + CAPY_IPV4_LEN;
    size_t udp_len = CAPY_UDP_LEN + data_len;
    uint64_t pseudo = build_ipv4(frame, to, PROTOCOL_UDP, udp_len);
    capy_store16(p, to->src_port);
    capy_store16(p + 2, to->dst_port);
    capy_store16(p + AT_UDP_LEN, (uint16_t)udp_len);
    capy_store16(p + AT_UDP_CHECK, 0);
    uint16_t check = capy_sum_finish(capy_sum(pseudo, p, udp_len));
    /* Zero on the wire means "no checksum"; its other form says the same sum (RFC 768). */
    capy_store16(p + AT_UDP_CHECK, check ? check : 0xffffu);
    return CAPY_ETHER_LEN + CAPY_IPV4_LEN + udp_len;
}

/* Replaces a 16-bit word and keeps a checksum over it right. */
static void replace16(uint8_t *word, uint16_t value, uint8_t *check)
{
    capy_store16(check, capy_checksum_update16(capy_load16(check), capy_load16(word), value));
    capy_store16(word, value);
}

size_t capy_frame_build_echo_reply(uint8_t *frame, size_t len)
{
    uint8_t *ip = frame + CAPY_ETHER_LEN;
    size_t header_len = (size_t)(ip[0] & 15u) * 4;
    uint8_t *icmp = ip + header_len;
    CAPY_ASSERT(len >= CAPY_ETHER_LEN + header_len + ICMP_LEN && icmp[0] == ICMP_ECHO_REQUEST);

    uint8_t asker[6];
    memcpy(asker, frame + 6, sizeof asker);
    memcpy(frame + 6, frame, sizeof asker);
    memcpy(frame, asker, sizeof asker);
    /* Swapping words leaves a sum as it is. */
    uint32_t src = capy_load32(ip + AT_SRC);
    capy_store32(ip + AT_SRC, capy_load32(ip + AT_DST));
    capy_store32(ip + AT_DST, src);
    replace16(ip + AT_TTL, (uint16_t)(TTL_DEFAULT << 8 | ip[AT_PROTOCOL]), ip + AT_CHECK);
    replace16(icmp, (uint16_t)(ICMP_ECHO_REPLY << 8 | icmp[1]), icmp + AT_ICMP_CHECK);
    return CAPY_ETHER_LEN + capy_load16(ip + AT_TOTAL);
}

bool capy_frame_readdress(uint8_t *frame, size_t len, const struct capy_mac *dst_mac,
                          const struct capy_mac *src_mac, const struct capy_ip *dst,
                          uint16_t dst_port)
{
    uint8_t *ip = frame + CAPY_ETHER_LEN;
    if (len < CAPY_ETHER_LEN + CAPY_IPV4_LEN || !capy_ip_is_v4(dst) ||
        capy_load16(frame + 12) != CAPY_ETHERTYPE_IPV4 || ip[AT_TTL] <= 1)
        return false;
    size_t header_len = (size_t)(ip[0] & 15u) * 4;
    if (ip[AT_PROTOCOL] != PROTOCOL_TCP || len < CAPY_ETHER_LEN + header_len + TCP_LEN_MIN)
        return false;
    uint8_t *tcp = ip + header_len;

    memcpy(frame, dst_mac->b, sizeof dst_mac->b);
    memcpy(frame + 6, src_mac->b, sizeof src_mac->b);
    replace16(ip + AT_TTL, (uint16_t)((ip[AT_TTL] - 1) << 8 | PROTOCOL_TCP), ip + AT_CHECK);
    for (size_t i = 0; i < 4; i += 2) {
        uint8_t *word = ip + AT_DST + i;
        uint16_t value = capy_load16(dst->b + 12 + i);
        /* The address is under two checksums: the header's and, by the pseudo-header, TCP's. */
        capy_store16(tcp + AT_TCP_CHECK, capy_checksum_update16(capy_load16(tcp + AT_TCP_CHECK),
                                                                capy_load16(word), value));
        replace16(word, value, ip + AT_CHECK);
    }
    replace16(tcp + AT_TCP_DST_PORT, dst_port, tcp + AT_TCP_CHECK);
    return true;
}
