/* Lengths and checksums of frames (frames.h). */
#include "frames.h"
#include "wire/frame.h"
#include "wire/ip.h"

enum { TYPE_AT = 12, TYPE_V4 = 0x0800, TYPE_V6 = 0x86dd };

/* Offset of the checksum within a transport header; 0: none known. */
static unsigned check_at(uint8_t protocol)
{
    switch (protocol) {
    case CAPY_PROTOCOL_TCP:
        return CAPY_TCP_AT_CHECK;
    case CAPY_PROTOCOL_UDP:
        return CAPY_UDP_AT_CHECK;
    case CAPY_PROTOCOL_ICMP:
    case CAPY_PROTOCOL_ICMP6:
        return CAPY_ICMP_AT_CHECK;
    default:
        return 0;
    }
}

/* pseudo: the sum of the pseudo-header without length. */
static void fix_transport(uint8_t *p, size_t len, uint8_t protocol, uint64_t pseudo)
{
    unsigned at = check_at(protocol);
    if (at == 0 || len < at + 2)
        return;
    if (protocol == CAPY_PROTOCOL_UDP)
        capy_store16(p + CAPY_UDP_AT_LEN, (uint16_t)len);
    capy_store16(p + at, 0);
    uint64_t sum = protocol == CAPY_PROTOCOL_ICMP ? 0 : pseudo + len;
    uint16_t check = capy_sum_finish(capy_sum(sum, p, len));
    capy_store16(p + at, protocol == CAPY_PROTOCOL_UDP && check == 0 ? 0xffff : check);
}

static void fix_v4(uint8_t *ip, size_t len)
{
    size_t header = (size_t)(ip[0] & 15) * 4;
    if (header < CAPY_IPV4_LEN || header > len)
        return;
    capy_store16(ip + CAPY_IPV4_AT_TOTAL, (uint16_t)len);
    capy_store16(ip + CAPY_IPV4_AT_CHECK, 0);
    capy_store16(ip + CAPY_IPV4_AT_CHECK, capy_sum_finish(capy_sum(0, ip, header)));
    uint8_t protocol = ip[CAPY_IPV4_AT_PROTOCOL];
    fix_transport(ip + header, len - header, protocol,
                  capy_pseudo_sum4(capy_load32(ip + CAPY_IPV4_AT_SRC),
                                   capy_load32(ip + CAPY_IPV4_AT_DST), protocol, 0));
}

static bool is_extension(uint8_t next)
{
    return next == CAPY_PROTOCOL_HOP_BY_HOP || next == CAPY_PROTOCOL_ROUTING ||
           next == CAPY_PROTOCOL_FRAGMENT || next == CAPY_PROTOCOL_DESTINATION;
}

static void fix_v6(uint8_t *ip, size_t len)
{
    if (len < CAPY_IPV6_LEN)
        return;
    capy_store16(ip + CAPY_IPV6_AT_LEN, (uint16_t)(len - CAPY_IPV6_LEN));
    uint8_t next = ip[CAPY_IPV6_AT_NEXT];
    size_t at = CAPY_IPV6_LEN;
    while (is_extension(next) && at + 8 <= len) {
        size_t more = next == CAPY_PROTOCOL_FRAGMENT ? 8 : ((size_t)ip[at + 1] + 1) * 8;
        next = ip[at];
        at += more;
    }
    if (at < len)
        fix_transport(ip + at, len - at, next, capy_pseudo_sum6(ip + CAPY_IPV6_AT_SRC, next, 0));
}

void fuzz_fix_frame(uint8_t *frame, size_t len)
{
    if (len <= CAPY_ETHER_LEN)
        return;
    uint8_t *ip = frame + CAPY_ETHER_LEN;
    size_t ip_len = len - CAPY_ETHER_LEN;
    if (capy_load16(frame + TYPE_AT) == TYPE_V4)
        fix_v4(ip, ip_len);
    else if (capy_load16(frame + TYPE_AT) == TYPE_V6)
        fix_v6(ip, ip_len);
}

void fuzz_mark_frame(uint8_t *frame, size_t len)
{
    uint8_t *ip = frame + CAPY_ETHER_LEN;
    if (capy_load16(frame + TYPE_AT) == TYPE_V4 && ip[CAPY_IPV4_AT_TOS] & CAPY_ECN_MASK) {
        ip[CAPY_IPV4_AT_TOS] |= CAPY_ECN_MASK;
        fuzz_fix_frame(frame, len);
    } else if (capy_load16(frame + TYPE_AT) == TYPE_V6 && ip[1] & CAPY_ECN_MASK << 4) {
        ip[1] |= CAPY_ECN_MASK << 4;
    }
}
