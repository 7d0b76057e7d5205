/* See nd.h. All memory is the caller's. */
#include "wire/nd.h"
#include "wire/addr6.h"
#include "wire/ipv6.h"

#define ND_LEN 24u     /* before the options */
#define OPTION_LEN 8u  /* of a link-layer address option over Ethernet; the unit of all lengths */
#define HOP_LIMIT 255u /* shows that the sender is on our link: no router lowered it */

enum { AT_FLAGS = 4, AT_TARGET = 8 };
enum { FLAG_ROUTER = 0x80, FLAG_SOLICITED = 0x40, FLAG_OVERRIDE = 0x20 };
enum { OPTION_SOURCE = 1, OPTION_TARGET = 2 };

/* RFC 4861 §4.6: every option has a length; those we do not know are skipped. */
static bool parse_options(const uint8_t *p, size_t len, uint8_t wanted, struct capy_nd *out)
{
    out->has_mac = false;
    while (len > 0) {
        size_t option_len = len >= OPTION_LEN ? OPTION_LEN * p[1] : 0;
        if (option_len == 0 || option_len > len)
            return false;
        if (p[0] == wanted && option_len == OPTION_LEN) {
            memcpy(out->mac.b, p + 2, sizeof out->mac.b);
            out->has_mac = true;
        }
        p += option_len;
        len -= option_len;
    }
    return !out->has_mac || !(out->mac.b[0] & 1); /* a group has no neighbour's place */
}

/* RFC 4861 §7.1.1: one without a source asks whether an address is taken, of its group. */
static bool solicit_is_good(const struct capy_packet *p, const struct capy_nd *nd)
{
    if (!capy_ip_is_unset(&p->src))
        return !capy_ip_is_multicast6(&p->src);
    struct capy_ip group = capy_ip_solicited_node(&nd->target);
    return capy_ip_eq(&p->dst, &group) && !nd->has_mac;
}

/* RFC 4861 §7.1.2. */
static bool advert_is_good(const struct capy_packet *p, const struct capy_nd *nd)
{
    return !(capy_ip_is_multicast6(&p->dst) && nd->solicited);
}

bool capy_nd_parse(const struct capy_packet *p, struct capy_nd *out)
{
    const uint8_t *m = p->icmp.message;
    bool solicit = p->icmp.type == CAPY_ND_SOLICIT;
    if (!solicit && p->icmp.type != CAPY_ND_ADVERT)
        return false;
    if (p->ttl != HOP_LIMIT || p->icmp.code != 0 || p->icmp.message_len < ND_LEN)
        return false;
    uint8_t flags = solicit ? 0 : m[AT_FLAGS];
    out->type = p->icmp.type;
    out->router = flags & FLAG_ROUTER;
    out->solicited = flags & FLAG_SOLICITED;
    out->override = flags & FLAG_OVERRIDE;
    memcpy(out->target.b, m + AT_TARGET, sizeof out->target.b);
    if (capy_ip_is_multicast6(&out->target) || capy_ip_is_unset(&out->target) ||
        capy_ip_is_v4(&out->target) ||
        !parse_options(m + ND_LEN, p->icmp.message_len - ND_LEN,
                       solicit ? OPTION_SOURCE : OPTION_TARGET, out))
        return false;
    return solicit ? solicit_is_good(p, out) : advert_is_good(p, out);
}

size_t capy_nd_build(uint8_t *frame, const struct capy_frame_to *to, const struct capy_nd *nd)
{
    bool solicit = nd->type == CAPY_ND_SOLICIT;
    uint8_t *m = frame + CAPY_ICMP6_AT;
    memset(m, 0, ND_LEN);
    m[0] = nd->type;
    m[AT_FLAGS] = (uint8_t)((nd->router ? FLAG_ROUTER : 0) | (nd->solicited ? FLAG_SOLICITED : 0) |
                            (nd->override ? FLAG_OVERRIDE : 0));
    memcpy(m + AT_TARGET, nd->target.b, sizeof nd->target.b);
    if (nd->has_mac) {
        m[ND_LEN] = solicit ? OPTION_SOURCE : OPTION_TARGET;
        m[ND_LEN + 1] = 1;
        memcpy(m + ND_LEN + 2, nd->mac.b, sizeof nd->mac.b);
    }
    struct capy_frame_to near = *to;
    near.ttl = HOP_LIMIT;
    return capy_frame_build_icmp6(frame, &near, ND_LEN + (nd->has_mac ? OPTION_LEN : 0));
}
