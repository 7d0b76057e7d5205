/* UDP over IPv4 that comes to one address and port from a port of the same number (wire/frame.h): all such
 * datagrams are alike in most of what lies in front of their payload, so that is compared, not parsed. */
#include "wire/udp_inlet.h"
#include "wire/ip.h"

enum {
    IP_AT = CAPY_ETHER_LEN,
    UDP_AT = CAPY_ETHER_LEN + CAPY_IPV4_LEN,
    /* Behind them in an IPv4 header without options lies nothing but UDP, whose sum counts both. */
    ADDRESSES_AT = IP_AT + CAPY_IPV4_AT_SRC,
    ADDRESSES_LEN = 8,
};

void capy_udp_inlet_init(struct capy_udp_inlet *in, const struct capy_mac *mac,
                         const struct capy_ip *ip, uint16_t port)
{
    uint8_t head[8] = {CAPY_ETHERTYPE_IPV4 >> 8, CAPY_ETHERTYPE_IPV4 & 0xffu, 4u << 4 | 5u, 0xff};
    uint8_t ports[4];
    capy_store16(ports, port);
    capy_store16(ports + 2, port);
    *in = (struct capy_udp_inlet){.on = capy_ip_is_v4(ip), .mac = *mac};
    in->head = capy_raw32(head);
    in->ports = capy_raw32(ports);
    in->dst = capy_raw32(ip->b + 12);
}

/* All of it but the sums. */
static bool is_alike(const struct capy_udp_inlet *in, const uint8_t *frame, size_t len)
{
    const uint8_t *ip = frame + IP_AT, *udp = frame + UDP_AT;
    uint32_t not_tos = capy_host32(0xffffff00u), fragment = capy_load16(ip + CAPY_IPV4_AT_FRAGMENT);
    uint32_t total = capy_load16(ip + CAPY_IPV4_AT_TOTAL);
    uint32_t differs = ((capy_raw32(frame + 12) ^ in->head) & not_tos) |
                       (capy_raw32(ip + CAPY_IPV4_AT_DST) ^ in->dst) |
                       (capy_raw32(frame) ^ capy_raw32(in->mac.b)) |
                       (uint32_t)(capy_raw16(frame + 4) ^ capy_raw16(in->mac.b + 4)) |
                       (fragment & CAPY_IPV4_MF_OFFSET) |
                       (uint32_t)(ip[CAPY_IPV4_AT_PROTOCOL] ^ CAPY_PROTOCOL_UDP) |
                       (capy_load16(udp + CAPY_UDP_AT_LEN) + CAPY_IPV4_LEN - total);
    bool from_us = capy_raw32(ip + CAPY_IPV4_AT_SRC) == in->dst;
    return differs == 0 && !from_us && total >= CAPY_IPV4_LEN + CAPY_UDP_LEN &&
           total <= len - IP_AT && capy_raw16(udp + CAPY_UDP_AT_CHECK) != 0;
}

size_t capy_udp_inlet_look(const struct capy_udp_inlet *in, const uint8_t *frame, size_t len)
{
    const uint8_t *ip = frame + IP_AT;
    if (!in->on || !is_alike(in, frame, len) || !capy_ipv4_sum_is_good(ip))
        return 0;
    size_t udp_len = capy_load16(ip + CAPY_IPV4_LEN + CAPY_UDP_AT_LEN);
    uint64_t sum =
        capy_sum(CAPY_PROTOCOL_UDP + udp_len, frame + ADDRESSES_AT, ADDRESSES_LEN + udp_len);
    return capy_sum_fold(sum) == 0xffffu ? udp_len - CAPY_UDP_LEN : 0;
}
