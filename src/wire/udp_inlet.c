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
    HEAD = CAPY_ETHERTYPE_IPV4 << 8 | 0x45,
    KIND_MASK = CAPY_IPV4_MF_OFFSET << 16 | 0xff,
};

void capy_udp_inlet_init(struct capy_udp_inlet *in, const struct capy_mac *mac,
                         const struct capy_ip *ip, uint16_t port)
{
    uint8_t ports[4], mac8[8] = {0};
    capy_store16(ports, port);
    capy_store16(ports + 2, port);
    memcpy(mac8, mac->b, sizeof mac->b);
    *in = (struct capy_udp_inlet){.on = capy_ip_is_v4(ip), .mac = capy_load64(mac8)};
    in->ports = capy_raw32(ports);
    in->dst = capy_raw32(ip->b + 12);
}

/* All of it but the sums. */
static bool is_alike(const struct capy_udp_inlet *in, const uint8_t *frame, size_t len)
{
    const uint8_t *ip = frame + IP_AT, *udp = frame + UDP_AT;
    uint64_t mac =
        capy_load64(frame) & ~UINT64_C(0xffff);    /* two bytes of the sender's are behind it */
    uint64_t head = capy_load64(frame + 12) >> 40; /* type of frame, version, no options */
    uint32_t kind = capy_load32(ip + CAPY_IPV4_AT_FRAGMENT) & KIND_MASK; /* but for the TTL */
    uint32_t total = capy_load16(ip + CAPY_IPV4_AT_TOTAL);
    uint64_t differs = (mac ^ in->mac) | (head ^ HEAD) | (kind ^ CAPY_PROTOCOL_UDP) |
                       (capy_raw32(ip + CAPY_IPV4_AT_DST) ^ in->dst) |
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
