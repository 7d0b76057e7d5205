/* Received frames changed in place, to go out again (wire/frame.h): an echo request to its reply,
 * and a TCP frame to another address. Checksums are kept right by what changed (RFC 1624), so that
 * damage done before stays visible. All memory is the caller's. */
#include "base/assert.h"
#include "wire/ip.h"
#include "wire/ipv6.h"

static bool is_ipv6(const uint8_t *frame)
{
    return capy_load16(frame + 12) == CAPY_ETHERTYPE_IPV6;
}

/* ---- echo ---- */

static void swap(uint8_t *a, uint8_t *b, size_t len)
{
    uint8_t kept[16];
    CAPY_ASSERT(len <= sizeof kept);
    memcpy(kept, a, len);
    memcpy(a, b, len);
    memcpy(b, kept, len);
}

static size_t echo_reply4(uint8_t *frame, size_t len)
{
    uint8_t *ip = frame + CAPY_ETHER_LEN;
    size_t header_len = (size_t)(ip[0] & 15u) * 4;
    uint8_t *icmp = ip + header_len;
    CAPY_ASSERT(len >= CAPY_ETHER_LEN + header_len + CAPY_ICMP_LEN && icmp[0] == CAPY_ICMP_ECHO);
    /* Swapping words leaves a sum as it is. */
    swap(ip + CAPY_IPV4_AT_SRC, ip + CAPY_IPV4_AT_DST, 4);
    capy_replace16(ip + CAPY_IPV4_AT_TTL,
                   (uint16_t)(CAPY_TTL_DEFAULT << 8 | ip[CAPY_IPV4_AT_PROTOCOL]),
                   ip + CAPY_IPV4_AT_CHECK);
    capy_replace16(icmp, (uint16_t)(CAPY_ICMP_ECHO_REPLY << 8 | icmp[1]),
                   icmp + CAPY_ICMP_AT_CHECK);
    return CAPY_ETHER_LEN + capy_load16(ip + CAPY_IPV4_AT_TOTAL);
}

/* Neither the pseudo-header's sum nor ICMPv6's own depends on the extension headers that go. */
static size_t echo_reply6(uint8_t *frame, size_t len)
{
    struct capy_ipv6 walked;
    uint8_t *ip = frame + CAPY_ETHER_LEN;
    enum capy_drop why = capy_ipv6_walk(ip, len - CAPY_ETHER_LEN, &walked);
    CAPY_ASSERT(why == CAPY_DROP_NONE && walked.protocol == CAPY_PROTOCOL_ICMP6);
    CAPY_ASSERT(walked.len >= CAPY_ICMP_LEN && ip[walked.at] == CAPY_ICMP6_ECHO);
    uint8_t *icmp = ip + CAPY_IPV6_LEN;
    memmove(icmp, ip + walked.at, walked.len);
    capy_store32(ip, 0x60000000u); /* no flow label, no traffic class: nothing was agreed on */
    capy_store16(ip + CAPY_IPV6_AT_LEN, (uint16_t)walked.len);
    ip[CAPY_IPV6_AT_NEXT] = CAPY_PROTOCOL_ICMP6;
    ip[CAPY_IPV6_AT_HOPS] = CAPY_TTL_DEFAULT;
    swap(ip + CAPY_IPV6_AT_SRC, ip + CAPY_IPV6_AT_DST, 16);
    capy_replace16(icmp, (uint16_t)(CAPY_ICMP6_ECHO_REPLY << 8 | icmp[1]),
                   icmp + CAPY_ICMP_AT_CHECK);
    return CAPY_ICMP6_AT + walked.len;
}

size_t capy_frame_build_echo_reply(uint8_t *frame, size_t len)
{
    swap(frame, frame + 6, 6);
    return is_ipv6(frame) ? echo_reply6(frame, len) : echo_reply4(frame, len);
}

/* ---- another address ---- */

/* The TCP header of a frame whose hop count and length let it go on, or NULL. */
static uint8_t *tcp_of_ipv4(uint8_t *frame, size_t len)
{
    uint8_t *ip = frame + CAPY_ETHER_LEN;
    if (len < CAPY_ETHER_LEN + CAPY_IPV4_LEN || capy_load16(frame + 12) != CAPY_ETHERTYPE_IPV4 ||
        ip[CAPY_IPV4_AT_TTL] <= 1 || ip[CAPY_IPV4_AT_PROTOCOL] != CAPY_PROTOCOL_TCP)
        return NULL;
    size_t header_len = (size_t)(ip[0] & 15u) * 4;
    return len < CAPY_ETHER_LEN + header_len + CAPY_TCP_LEN_MIN ? NULL : ip + header_len;
}

static uint8_t *tcp_of_ipv6(uint8_t *frame, size_t len)
{
    struct capy_ipv6 walked;
    uint8_t *ip = frame + CAPY_ETHER_LEN;
    if (len < CAPY_ETHER_LEN + CAPY_IPV6_LEN || !is_ipv6(frame) || ip[CAPY_IPV6_AT_HOPS] <= 1 ||
        capy_ipv6_walk(ip, len - CAPY_ETHER_LEN, &walked) != CAPY_DROP_NONE ||
        walked.protocol != CAPY_PROTOCOL_TCP || walked.len < CAPY_TCP_LEN_MIN)
        return NULL;
    return ip + walked.at;
}

/* Replaces the destination, which is under TCP's checksum by the pseudo-header; and, of IPv4, under
 * the header's own: ip_check, else NULL. */
static void replace_dst(uint8_t *at, const uint8_t *dst, size_t len, uint8_t *tcp,
                        uint8_t *ip_check)
{
    for (size_t i = 0; i < len; i += 2) {
        uint16_t from = capy_load16(at + i), value = capy_load16(dst + i);
        capy_replace16(at + i, value, tcp + CAPY_TCP_AT_CHECK);
        if (ip_check)
            capy_store16(ip_check, capy_checksum_update16(capy_load16(ip_check), from, value));
    }
}

bool capy_frame_readdress(uint8_t *frame, size_t len, const struct capy_mac *dst_mac,
                          const struct capy_mac *src_mac, const struct capy_ip *dst,
                          uint16_t dst_port)
{
    bool v4 = capy_ip_is_v4(dst);
    uint8_t *ip = frame + CAPY_ETHER_LEN;
    uint8_t *tcp = v4 ? tcp_of_ipv4(frame, len) : tcp_of_ipv6(frame, len);
    if (!tcp)
        return false;
    memcpy(frame, dst_mac->b, sizeof dst_mac->b);
    memcpy(frame + 6, src_mac->b, sizeof src_mac->b);
    if (v4) {
        uint16_t lower = (uint16_t)((ip[CAPY_IPV4_AT_TTL] - 1) << 8 | CAPY_PROTOCOL_TCP);
        capy_replace16(ip + CAPY_IPV4_AT_TTL, lower, ip + CAPY_IPV4_AT_CHECK);
        replace_dst(ip + CAPY_IPV4_AT_DST, dst->b + 12, 4, tcp, ip + CAPY_IPV4_AT_CHECK);
    } else {
        ip[CAPY_IPV6_AT_HOPS]--;
        replace_dst(ip + CAPY_IPV6_AT_DST, dst->b, sizeof dst->b, tcp, NULL);
    }
    capy_replace16(tcp + CAPY_TCP_AT_DST_PORT, dst_port, tcp + CAPY_TCP_AT_CHECK);
    return true;
}
