/* Frames to checked values (wire/frame.h): Ethernet, ARP, IPv4 (RFC 791, RFC 1122), IPv6 (RFC 8200),
 * ICMP, UDP (RFC 768), TCP. All memory is the caller's. One parse per request of a small-request
 * server: fields are written one by one, never cleared as a whole. */
#include "wire/ip.h"
#include "wire/ipv6.h"

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
        [CAPY_DROP_IP_ADDRESS] = "ip_address",
        [CAPY_DROP_IP_EXTENSION] = "ip_extension",
        [CAPY_DROP_IP_OPTION] = "ip_option",
        [CAPY_DROP_IP_ROUTING] = "ip_routing",
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

/* The same for an IPv4 header, almost always one without options. */
static bool ipv4_header_is_good(const uint8_t *p, size_t header_len)
{
    return header_len == CAPY_IPV4_LEN ? capy_ipv4_sum_is_good(p) : sum_is_good(0, p, header_len);
}

/* pseudo: 0 for IPv4, whose ICMP has no pseudo-header. */
static enum capy_drop parse_icmp(const uint8_t *p, size_t len, enum capy_packet_kind kind,
                                 uint64_t pseudo, struct capy_packet *out)
{
    if (len < CAPY_ICMP_LEN || !sum_is_good(pseudo, p, len))
        return CAPY_DROP_ICMP;
    out->kind = kind;
    out->src_port = 0;
    out->dst_port = 0;
    out->icmp = (struct capy_icmp){p[0], p[1], p, (uint32_t)len};
    return CAPY_DROP_NONE;
}

/* What becomes of TCP's and UDP's checksum. */
enum checking {
    CHECK_IF_THERE, /* UDP over IPv4 may go without */
    CHECK_ALWAYS,   /* a checksum of zero is no excuse (IPv6, RFC 8200 §8.1) */
    CHECKED,        /* by the device */
};

static enum capy_drop parse_udp(const uint8_t *p, size_t len, uint64_t pseudo,
                                enum checking checking, struct capy_packet *out)
{
    if (len < CAPY_UDP_LEN)
        return CAPY_DROP_UDP_HEADER;
    size_t udp_len = capy_load16(p + CAPY_UDP_AT_LEN);
    if (udp_len < CAPY_UDP_LEN || udp_len > len)
        return CAPY_DROP_UDP_HEADER;
    /* The pseudo-header counts the UDP length, which may be shorter than what IP carried. */
    bool has_check = capy_load16(p + CAPY_UDP_AT_CHECK) != 0;
    if (checking != CHECKED && (has_check || checking == CHECK_ALWAYS) &&
        !sum_is_good(pseudo - len + udp_len, p, udp_len))
        return CAPY_DROP_UDP_CHECKSUM;
    out->kind = CAPY_PACKET_UDP;
    out->src_port = capy_load16(p);
    out->dst_port = capy_load16(p + 2);
    out->udp = (struct capy_udp){p + CAPY_UDP_LEN, (uint32_t)(udp_len - CAPY_UDP_LEN)};
    return CAPY_DROP_NONE;
}

static enum capy_drop parse_tcp(const uint8_t *p, size_t len, uint64_t pseudo,
                                enum checking checking, struct capy_packet *out)
{
    if (len < CAPY_TCP_LEN_MIN)
        return CAPY_DROP_TCP_HEADER;
    if (checking != CHECKED && !sum_is_good(pseudo, p, len))
        return CAPY_DROP_TCP_CHECKSUM;
    if (!capy_tcp_parse(p, len, &out->tcp))
        return CAPY_DROP_TCP_HEADER;
    out->kind = CAPY_PACKET_TCP;
    out->src_port = capy_load16(p);
    out->dst_port = capy_load16(p + 2);
    return CAPY_DROP_NONE;
}

static enum capy_drop parse_ipv4(const uint8_t *p, size_t len, bool checked,
                                 struct capy_packet *out)
{
    if (len < CAPY_IPV4_LEN)
        return CAPY_DROP_SHORT;
    size_t header_len = (size_t)(p[0] & 15u) * 4;
    size_t total = capy_load16(p + CAPY_IPV4_AT_TOTAL);
    if (p[0] >> 4 != 4 || header_len < CAPY_IPV4_LEN || total < header_len)
        return CAPY_DROP_IP_HEADER;
    if (total > len)
        return CAPY_DROP_SHORT;
    if (!ipv4_header_is_good(p, header_len))
        return CAPY_DROP_IP_CHECKSUM;
    if (capy_load16(p + CAPY_IPV4_AT_FRAGMENT) & CAPY_IPV4_MF_OFFSET)
        return CAPY_DROP_IP_FRAGMENT;
    uint32_t src = capy_load32(p + CAPY_IPV4_AT_SRC);
    uint32_t dst = capy_load32(p + CAPY_IPV4_AT_DST);
    out->src = capy_ip_from_v4(src);
    out->dst = capy_ip_from_v4(dst);
    out->ttl = p[CAPY_IPV4_AT_TTL];
    out->ecn = p[CAPY_IPV4_AT_TOS] & CAPY_ECN_MASK;
    const uint8_t *upper = p + header_len;
    size_t upper_len = total - header_len;
    enum checking checking = checked ? CHECKED : CHECK_IF_THERE;
    uint64_t pseudo = capy_pseudo_sum4(src, dst, p[CAPY_IPV4_AT_PROTOCOL], upper_len);
    switch (p[CAPY_IPV4_AT_PROTOCOL]) {
    case CAPY_PROTOCOL_TCP:
        return parse_tcp(upper, upper_len, pseudo, checking, out);
    case CAPY_PROTOCOL_UDP:
        return parse_udp(upper, upper_len, pseudo, checking, out);
    case CAPY_PROTOCOL_ICMP:
        return parse_icmp(upper, upper_len, CAPY_PACKET_ICMP, 0, out);
    }
    return CAPY_DROP_PROTOCOL;
}

static enum capy_drop parse_ipv6(const uint8_t *p, size_t len, bool checked,
                                 struct capy_packet *out)
{
    struct capy_ipv6 ip;
    enum capy_drop why = capy_ipv6_walk(p, len, &ip);
    if (why != CAPY_DROP_NONE)
        return why;
    memcpy(out->src.b, p + CAPY_IPV6_AT_SRC, sizeof out->src.b);
    memcpy(out->dst.b, p + CAPY_IPV6_AT_DST, sizeof out->dst.b);
    if (capy_ip_is_v4(&out->src) || capy_ip_is_v4(&out->dst))
        return CAPY_DROP_IP_ADDRESS;
    out->ttl = p[CAPY_IPV6_AT_HOPS];
    out->ecn = p[1] >> 4 & CAPY_ECN_MASK; /* the traffic class lies across bytes 0 and 1 */
    enum checking checking = checked ? CHECKED : CHECK_ALWAYS;
    uint64_t pseudo = capy_pseudo_sum6(p + CAPY_IPV6_AT_SRC, ip.protocol, ip.len);
    if (ip.protocol == CAPY_PROTOCOL_TCP)
        return parse_tcp(p + ip.at, ip.len, pseudo, checking, out);
    if (ip.protocol == CAPY_PROTOCOL_UDP)
        return parse_udp(p + ip.at, ip.len, pseudo, checking, out);
    return parse_icmp(p + ip.at, ip.len, CAPY_PACKET_ICMP6, pseudo, out);
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

static inline enum capy_drop parse(const uint8_t *frame, size_t len, bool checked,
                                   struct capy_packet *out)
{
    if (len < CAPY_ETHER_LEN)
        return CAPY_DROP_SHORT;
    memcpy(out->dst_mac.b, frame, sizeof out->dst_mac.b);
    memcpy(out->src_mac.b, frame + 6, sizeof out->src_mac.b);
    const uint8_t *p = frame + CAPY_ETHER_LEN;
    switch (capy_load16(frame + 12)) {
    case CAPY_ETHERTYPE_IPV4:
        return parse_ipv4(p, len - CAPY_ETHER_LEN, checked, out);
    case CAPY_ETHERTYPE_ARP:
        return parse_arp(p, len - CAPY_ETHER_LEN, out);
    case CAPY_ETHERTYPE_IPV6:
        return parse_ipv6(p, len - CAPY_ETHER_LEN, checked, out);
    }
    return CAPY_DROP_ETHERTYPE;
}

enum capy_drop capy_frame_parse(const uint8_t *frame, size_t len, struct capy_packet *out)
{
    return parse(frame, len, false, out);
}

enum capy_drop capy_frame_parse_checked(const uint8_t *frame, size_t len, struct capy_packet *out)
{
    return parse(frame, len, true, out);
}
