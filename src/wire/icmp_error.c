/* ICMP errors (wire/icmp_error.h): the kinds by RFC 9293 §3.9.2.2 (RFC 1122 §4.2.3.9), and the quoted
 * IP header with the eight bytes behind it that every router returns. */
#include "wire/icmp_error.h"
#include "wire/ip.h"

#define ERROR_HEAD 8u /* type, code, checksum, and four bytes that TOO_BIG uses */
#define QUOTED_TCP 8u /* ports and sequence number: all that is sure to be quoted */

/* Types and codes of RFC 792 and RFC 1191. */
enum { V4_UNREACHABLE = 3, V4_TIME_EXCEEDED = 11, V4_PARAMETER = 12 };
enum { V4_PROTOCOL = 2, V4_PORT = 3, V4_FRAGMENT = 4 };
/* Of RFC 4443. */
enum { V6_UNREACHABLE = 1, V6_TOO_BIG = 2, V6_TIME_EXCEEDED = 3, V6_PARAMETER = 4 };
enum { V6_PORT = 4, V6_NEXT_HEADER = 1 };

/* RFC 9293 §3.9.2.2: MUST-56 names the soft ones, SHLD-26 the hard ones. */
static enum capy_icmp_advice advice_v4(uint8_t type, uint8_t code)
{
    switch (type) {
    case V4_UNREACHABLE:
        if (code == V4_FRAGMENT)
            return CAPY_ICMP_TOO_BIG;
        return code == V4_PROTOCOL || code == V4_PORT ? CAPY_ICMP_HARD : CAPY_ICMP_SOFT;
    case V4_TIME_EXCEEDED:
    case V4_PARAMETER:
        return CAPY_ICMP_SOFT;
    default: /* MUST-55: source quench among them */
        return CAPY_ICMP_NOTHING;
    }
}

/* The same meanings (RFC 5461 §3): a next header that is not known is a protocol that is not. */
static enum capy_icmp_advice advice_v6(uint8_t type, uint8_t code)
{
    switch (type) {
    case V6_UNREACHABLE:
        return code == V6_PORT ? CAPY_ICMP_HARD : CAPY_ICMP_SOFT;
    case V6_TOO_BIG:
        return CAPY_ICMP_TOO_BIG;
    case V6_TIME_EXCEEDED:
        return CAPY_ICMP_SOFT;
    case V6_PARAMETER:
        return code == V6_NEXT_HEADER ? CAPY_ICMP_HARD : CAPY_ICMP_SOFT;
    default:
        return CAPY_ICMP_NOTHING;
    }
}

/* The addresses of the quoted packet; how many bytes its headers take, 0 when it is none of TCP. We
 * send no fragments and no extension headers, so a quote that has any is not of ours. */
static size_t read_v4(const uint8_t *p, size_t len, struct capy_icmp_error *out)
{
    if (len < CAPY_IPV4_LEN || p[0] >> 4 != 4 || p[CAPY_IPV4_AT_PROTOCOL] != CAPY_PROTOCOL_TCP)
        return 0;
    out->src = capy_ip_from_v4(capy_load32(p + CAPY_IPV4_AT_SRC));
    out->dst = capy_ip_from_v4(capy_load32(p + CAPY_IPV4_AT_DST));
    size_t header_len = (size_t)(p[0] & 15u) * 4;
    return header_len < CAPY_IPV4_LEN ? 0 : header_len;
}

static size_t read_v6(const uint8_t *p, size_t len, struct capy_icmp_error *out)
{
    if (len < CAPY_IPV6_LEN || p[0] >> 4 != 6 || p[CAPY_IPV6_AT_NEXT] != CAPY_PROTOCOL_TCP)
        return 0;
    memcpy(out->src.b, p + CAPY_IPV6_AT_SRC, sizeof out->src.b);
    memcpy(out->dst.b, p + CAPY_IPV6_AT_DST, sizeof out->dst.b);
    return CAPY_IPV6_LEN;
}

bool capy_icmp_error_parse(const struct capy_packet *p, struct capy_icmp_error *out)
{
    const uint8_t *message = p->icmp.message;
    bool v4 = p->kind == CAPY_PACKET_ICMP;
    *out = (struct capy_icmp_error){.advice = v4 ? advice_v4(p->icmp.type, p->icmp.code)
                                                 : advice_v6(p->icmp.type, p->icmp.code)};
    if (out->advice == CAPY_ICMP_NOTHING || p->icmp.message_len < ERROR_HEAD)
        return false;
    /* RFC 1191 §4 has two bytes for the MTU, RFC 4443 §3.2 four. */
    if (out->advice == CAPY_ICMP_TOO_BIG)
        out->mtu = v4 ? capy_load16(message + 6) : capy_load32(message + 4);
    const uint8_t *quoted = message + ERROR_HEAD;
    size_t len = p->icmp.message_len - ERROR_HEAD;
    size_t header_len = v4 ? read_v4(quoted, len, out) : read_v6(quoted, len, out);
    if (header_len == 0 || len < header_len + QUOTED_TCP)
        return false;
    const uint8_t *tcp = quoted + header_len;
    out->src_port = capy_load16(tcp);
    out->dst_port = capy_load16(tcp + 2);
    out->seq.v = capy_load32(tcp + 4);
    return true;
}
