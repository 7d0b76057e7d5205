/* IPv6 headers (wire/ipv6.h, RFC 8200 §3 and §4). Extension headers are walked once, in order, each
 * within the bytes that the fixed header announces. None of them changes what we do with a packet:
 * they are skipped, or the packet is dropped under a name. All memory is the caller's. */
#include "wire/ipv6.h"
#include "base/assert.h"
#include "wire/addr6.h"
#include "wire/ip.h"

#define UNIT 8u          /* lengths of extension headers count these, less the first */
#define EXTENSION_MAX 8u /* RFC 8200 §4.1 has six in order; more is nobody's honest packet */
#define FRAGMENT_OFFSET_MORE 0xfff9u
#define ERROR_MAX 1280u          /* an error fits the smallest MTU (RFC 4443 §2.4 (c)) */
#define FIRST_INFORMATIONAL 128u /* ICMPv6 types below are errors (RFC 4443 §2.1) */

enum { AT_ROUTING_TYPE = 2, AT_SEGMENTS_LEFT = 3, AT_FRAGMENT_OFFSET = 2 };
enum { OPTION_PAD1 = 0, OPTION_PADN = 1 };
enum { ICMP6_REDIRECT = 137, ICMP6_PARAMETER_PROBLEM = 4 };

static enum capy_drop problem(struct capy_ipv6 *out, enum capy_drop why,
                              enum capy_ipv6_problem what, size_t at)
{
    out->problem = what;
    out->problem_at = (uint32_t)at;
    return why;
}

/* The two highest bits of an option's type say what becomes of a packet whose receiver does not
 * know it (RFC 8200 §4.2). We know none but padding. */
static enum capy_drop unknown_option(uint8_t type, bool multicast, size_t at, struct capy_ipv6 *out)
{
    enum { SKIP, DISCARD, DISCARD_AND_TELL, DISCARD_AND_TELL_UNICAST };
    switch (type >> 6) {
    case SKIP:
        return CAPY_DROP_NONE;
    case DISCARD:
        return problem(out, CAPY_DROP_IP_OPTION, CAPY_IPV6_PROBLEM_NONE, at);
    case DISCARD_AND_TELL_UNICAST:
        if (multicast)
            return problem(out, CAPY_DROP_IP_OPTION, CAPY_IPV6_PROBLEM_NONE, at);
        break;
    }
    return problem(out, CAPY_DROP_IP_OPTION, CAPY_IPV6_PROBLEM_OPTION, at);
}

/* Options of a hop-by-hop or destination header: bytes [at, end) of the packet at p. */
static enum capy_drop walk_options(const uint8_t *p, size_t at, size_t end, struct capy_ipv6 *out)
{
    bool multicast = p[CAPY_IPV6_AT_DST] == 0xff;
    while (at < end) {
        uint8_t type = p[at];
        if (type == OPTION_PAD1) {
            at++;
            continue;
        }
        if (end - at < 2 || end - at - 2 < p[at + 1])
            return problem(out, CAPY_DROP_IP_EXTENSION, CAPY_IPV6_PROBLEM_FIELD,
                           end - at < 2 ? at : at + 1);
        enum capy_drop why =
            type == OPTION_PADN ? CAPY_DROP_NONE : unknown_option(type, multicast, at, out);
        if (why != CAPY_DROP_NONE)
            return why;
        at += 2u + p[at + 1];
    }
    return CAPY_DROP_NONE;
}

/* We know no routing type: one that has segments left is not for us to route (RFC 8200 §4.4; type 0
 * among them, RFC 5095 §3). */
static enum capy_drop check_routing(const uint8_t *p, size_t at, struct capy_ipv6 *out)
{
    if (p[at + AT_SEGMENTS_LEFT] == 0)
        return CAPY_DROP_NONE;
    return problem(out, CAPY_DROP_IP_ROUTING, CAPY_IPV6_PROBLEM_FIELD, at + AT_ROUTING_TYPE);
}

/* DEVIATION(RFC 8200 §5): fragments are not reassembled, as for IPv4: TCP sends none, and a queue of
 * them is a gift to attackers. A packet that is whole in one fragment is no fragment (RFC 6946). */
static enum capy_drop check_fragment(const uint8_t *p, size_t at, struct capy_ipv6 *out)
{
    if ((capy_load16(p + at + AT_FRAGMENT_OFFSET) & FRAGMENT_OFFSET_MORE) == 0)
        return CAPY_DROP_NONE;
    return problem(out, CAPY_DROP_IP_FRAGMENT, CAPY_IPV6_PROBLEM_NONE, at);
}

/* Bytes of the extension header at p + at, whose kind is next; 0 when it passes end. */
static size_t extension_len(const uint8_t *p, size_t at, size_t end, uint8_t next)
{
    if (end - at < UNIT)
        return 0;
    size_t len = next == CAPY_PROTOCOL_FRAGMENT ? UNIT : UNIT * (1u + p[at + 1]);
    return len <= end - at ? len : 0;
}

/* Walks from the first extension header on. next_at: of the field that names it. */
static enum capy_drop walk(const uint8_t *p, size_t end, struct capy_ipv6 *out)
{
    size_t at = CAPY_IPV6_LEN, next_at = CAPY_IPV6_AT_NEXT;
    for (unsigned n = 0; n <= EXTENSION_MAX; n++) {
        uint8_t next = p[next_at];
        bool extension = next == CAPY_PROTOCOL_HOP_BY_HOP || next == CAPY_PROTOCOL_ROUTING ||
                         next == CAPY_PROTOCOL_FRAGMENT || next == CAPY_PROTOCOL_DESTINATION;
        if (!extension) {
            out->protocol = next;
            out->at = at;
            out->len = end - at;
            out->problem_at = (uint32_t)next_at;
            return CAPY_DROP_NONE;
        }
        if (next == CAPY_PROTOCOL_HOP_BY_HOP && at != CAPY_IPV6_LEN) /* first or nowhere, §4.1 */
            return problem(out, CAPY_DROP_IP_EXTENSION, CAPY_IPV6_PROBLEM_NEXT, next_at);
        size_t len = extension_len(p, at, end, next);
        if (len == 0)
            return problem(out, CAPY_DROP_IP_EXTENSION, CAPY_IPV6_PROBLEM_NONE, at);
        enum capy_drop why = next == CAPY_PROTOCOL_ROUTING ? check_routing(p, at, out)
                             : next == CAPY_PROTOCOL_FRAGMENT
                                 ? check_fragment(p, at, out)
                                 : walk_options(p, at + 2, at + len, out);
        if (why != CAPY_DROP_NONE)
            return why;
        next_at = at;
        at += len;
    }
    return problem(out, CAPY_DROP_IP_EXTENSION, CAPY_IPV6_PROBLEM_NONE, at);
}

/* What the upper layer may be; anything else is an unknown next header (RFC 8200 §4). */
static enum capy_drop check_protocol(struct capy_ipv6 *out)
{
    switch (out->protocol) {
    case CAPY_PROTOCOL_TCP:
    case CAPY_PROTOCOL_UDP:
    case CAPY_PROTOCOL_ICMP6:
        return CAPY_DROP_NONE;
    case CAPY_PROTOCOL_NONE: /* nothing follows, and nobody errs (RFC 8200 §4.7) */
        return CAPY_DROP_PROTOCOL;
    }
    return problem(out, CAPY_DROP_PROTOCOL, CAPY_IPV6_PROBLEM_NEXT, out->problem_at);
}

enum capy_drop capy_ipv6_walk(const uint8_t *p, size_t len, struct capy_ipv6 *out)
{
    out->problem = CAPY_IPV6_PROBLEM_NONE;
    if (len < CAPY_IPV6_LEN)
        return CAPY_DROP_SHORT;
    if (p[0] >> 4 != 6)
        return CAPY_DROP_IP_HEADER;
    size_t end = CAPY_IPV6_LEN + capy_load16(p + CAPY_IPV6_AT_LEN);
    if (end > len)
        return CAPY_DROP_SHORT;
    enum capy_drop why = walk(p, end, out);
    return why == CAPY_DROP_NONE ? check_protocol(out) : why;
}

uint64_t capy_ipv6_build(uint8_t *frame, const struct capy_frame_to *to, uint8_t protocol,
                         size_t payload_len)
{
    CAPY_ASSERT(!capy_ip_is_v4(&to->src) && !capy_ip_is_v4(&to->dst));
    CAPY_ASSERT(payload_len <= UINT16_MAX);
    capy_ether_build(frame, &to->dst_mac, &to->src_mac, CAPY_ETHERTYPE_IPV6);
    uint8_t *p = frame + CAPY_ETHER_LEN;
    capy_store32(p, 0x60000000u | (uint32_t)(to->ecn & CAPY_ECN_MASK) << 20 |
                        (to->flow_label & CAPY_FLOW_LABEL_MASK));
    capy_store16(p + CAPY_IPV6_AT_LEN, (uint16_t)payload_len);
    p[CAPY_IPV6_AT_NEXT] = protocol;
    p[CAPY_IPV6_AT_HOPS] = to->ttl ? to->ttl : CAPY_TTL_DEFAULT;
    memcpy(p + CAPY_IPV6_AT_SRC, to->src.b, sizeof to->src.b);
    memcpy(p + CAPY_IPV6_AT_DST, to->dst.b, sizeof to->dst.b);
    return capy_pseudo_sum6(p + CAPY_IPV6_AT_SRC, protocol, payload_len);
}

size_t capy_frame_build_icmp6(uint8_t *frame, const struct capy_frame_to *to, size_t message_len)
{
    uint8_t *icmp = frame + CAPY_ICMP6_AT;
    uint64_t pseudo = capy_ipv6_build(frame, to, CAPY_PROTOCOL_ICMP6, message_len);
    capy_store16(icmp + CAPY_ICMP_AT_CHECK, 0);
    capy_store16(icmp + CAPY_ICMP_AT_CHECK, capy_sum_finish(capy_sum(pseudo, icmp, message_len)));
    return CAPY_ICMP6_AT + message_len;
}

/* Whether an error may answer the packet at p (RFC 4443 §2.4 (e)): its sender is one node, it was
 * sent to one, but for the options that ask to be told of, and it is no error itself. The last
 * cannot be seen behind headers that we do not know. */
static bool may_answer(const uint8_t *frame, const struct capy_ipv6 *ip)
{
    const uint8_t *p = frame + CAPY_ETHER_LEN;
    struct capy_ip src, dst;
    memcpy(src.b, p + CAPY_IPV6_AT_SRC, sizeof src.b);
    memcpy(dst.b, p + CAPY_IPV6_AT_DST, sizeof dst.b);
    if (capy_ip_is_unset(&src) || capy_ip_is_multicast6(&src) || capy_ip_is_v4(&src))
        return false;
    bool group = capy_ip_is_multicast6(&dst) || (frame[0] & 1);
    return !group || ip->problem == CAPY_IPV6_PROBLEM_OPTION;
}

/* The packet may be an ICMPv6 error, directly behind the fixed header or behind options. */
static bool holds_error(const uint8_t *p, size_t len)
{
    size_t at = CAPY_IPV6_LEN;
    uint8_t next = p[CAPY_IPV6_AT_NEXT];
    for (unsigned n = 0; n <= EXTENSION_MAX; n++) {
        if (next == CAPY_PROTOCOL_ICMP6)
            return at >= len || p[at] < FIRST_INFORMATIONAL || p[at] == ICMP6_REDIRECT;
        size_t step = next == CAPY_PROTOCOL_HOP_BY_HOP || next == CAPY_PROTOCOL_ROUTING ||
                              next == CAPY_PROTOCOL_FRAGMENT || next == CAPY_PROTOCOL_DESTINATION
                          ? extension_len(p, at, len, next)
                          : 0;
        if (step == 0)
            return false;
        next = p[at];
        at += step;
    }
    return true;
}

size_t capy_frame_build_problem(uint8_t *frame, const uint8_t *in, size_t in_len,
                                const struct capy_mac *src_mac, const struct capy_ip *src)
{
    struct capy_ipv6 ip;
    if (in_len < CAPY_ETHER_LEN + CAPY_IPV6_LEN || capy_load16(in + 12) != CAPY_ETHERTYPE_IPV6)
        return 0;
    const uint8_t *packet = in + CAPY_ETHER_LEN;
    size_t packet_len = in_len - CAPY_ETHER_LEN;
    if (capy_ipv6_walk(packet, packet_len, &ip) == CAPY_DROP_NONE ||
        ip.problem == CAPY_IPV6_PROBLEM_NONE || !may_answer(in, &ip) ||
        holds_error(packet, packet_len))
        return 0;
    struct capy_frame_to to = {.src_mac = *src_mac, .src = *src};
    memcpy(to.dst_mac.b, in + 6, sizeof to.dst_mac.b);
    memcpy(to.dst.b, packet + CAPY_IPV6_AT_SRC, sizeof to.dst.b);
    size_t quoted = CAPY_IPV6_LEN + capy_load16(packet + CAPY_IPV6_AT_LEN);
    quoted = capy_min32((uint32_t)quoted, ERROR_MAX - CAPY_IPV6_LEN - CAPY_ICMP_LEN);
    uint8_t *icmp = frame + CAPY_ICMP6_AT;
    icmp[0] = ICMP6_PARAMETER_PROBLEM;
    icmp[1] = (uint8_t)ip.problem;
    capy_store32(icmp + 4, ip.problem_at);
    memcpy(icmp + CAPY_ICMP_LEN, packet, quoted);
    return capy_frame_build_icmp6(frame, &to, CAPY_ICMP_LEN + quoted);
}
