/* UDP headers for many datagrams that go the same way (wire/frame.h). What differs from one to the
 * next is two lengths and two checksums; of these, the part that does not differ is summed once. */
#include "base/assert.h"
#include "wire/ip.h"
#include "wire/ipv6.h"

void capy_udp_way_init(struct capy_udp_way *way, const struct capy_frame_to *to)
{
    const uint8_t *ip = way->header + CAPY_ETHER_LEN;
    way->v4 = capy_ip_is_v4(&to->dst);
    (void)capy_frame_build_udp(way->header, to, 0);
    uint64_t ports = (uint64_t)to->src_port + to->dst_port;
    if (way->v4) {
        uint32_t src = capy_ip_v4(&to->src), dst = capy_ip_v4(&to->dst);
        way->ip_sum = capy_sum(0, ip, CAPY_IPV4_AT_TOTAL) +
                      capy_sum(0, ip + CAPY_IPV4_AT_ID, CAPY_IPV4_AT_CHECK - CAPY_IPV4_AT_ID) +
                      capy_sum(0, ip + CAPY_IPV4_AT_SRC, CAPY_IPV4_LEN - CAPY_IPV4_AT_SRC);
        way->udp_sum = ports + capy_pseudo_sum4(src, dst, CAPY_PROTOCOL_UDP, 0);
    } else {
        way->ip_sum = 0;
        way->udp_sum = ports + capy_pseudo_sum6(ip + CAPY_IPV6_AT_SRC, CAPY_PROTOCOL_UDP, 0);
    }
}

/* Length and checksum of the datagram at p; both headers' sums count the length. */
static void finish_udp(const struct capy_udp_way *way, uint8_t *p, size_t udp_len)
{
    capy_store16(p + CAPY_UDP_AT_LEN, (uint16_t)udp_len);
    uint64_t sum = capy_sum(way->udp_sum + 2 * udp_len, p + CAPY_UDP_LEN, udp_len - CAPY_UDP_LEN);
    uint16_t check = capy_sum_finish(sum);
    /* Zero on the wire means "no checksum"; its other form says the same sum (RFC 768). */
    capy_store16(p + CAPY_UDP_AT_CHECK, check ? check : 0xffffu);
}

size_t capy_udp_way_wrap(const struct capy_udp_way *way, uint8_t *frame, size_t data_len)
{
    uint8_t *ip = frame + CAPY_ETHER_LEN;
    size_t udp_len = CAPY_UDP_LEN + data_len;
    CAPY_ASSERT(udp_len <= UINT16_MAX - CAPY_IPV4_LEN);
    if (way->v4) {
        uint16_t total = (uint16_t)(CAPY_IPV4_LEN + udp_len);
        memcpy(frame, way->header, CAPY_UDP_AT);
        capy_store16(ip + CAPY_IPV4_AT_TOTAL, total);
        capy_store16(ip + CAPY_IPV4_AT_CHECK, capy_sum_finish(way->ip_sum + total));
        finish_udp(way, ip + CAPY_IPV4_LEN, udp_len);
        return CAPY_UDP_AT + data_len;
    }
    memcpy(frame, way->header, CAPY_UDP_AT6);
    capy_store16(ip + CAPY_IPV6_AT_LEN, (uint16_t)udp_len);
    finish_udp(way, ip + CAPY_IPV6_LEN, udp_len);
    return CAPY_UDP_AT6 + data_len;
}
