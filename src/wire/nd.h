/* Neighbour discovery messages (RFC 4861 §4.3, §4.4): who has this IPv6 address, and I do. Bytes <->
 * checked values; what they mean is src/stack's business. */
#ifndef CAPY_WIRE_ND_H
#define CAPY_WIRE_ND_H

#include "wire/frame.h"

enum { CAPY_ND_SOLICIT = 135, CAPY_ND_ADVERT = 136 }; /* ICMPv6 types */

struct capy_nd {
    uint8_t type;
    bool router, solicited, override; /* of an advertisement */
    bool has_mac;                     /* the link-layer address option is there */
    struct capy_ip target;
    struct capy_mac mac; /* the sender's in a solicitation, the target's in an advertisement */
};

/* Reads a neighbour solicitation or advertisement from an ICMPv6 packet. False for other types, and
 * for what must be discarded in silence (RFC 4861 §7.1.1, §7.1.2): a hop limit that a router has
 * lowered, a wrong code or length, an option without length, a multicast target, addresses that do
 * not go together. */
bool capy_nd_parse(const struct capy_packet *p, struct capy_nd *out);

/* Writes a whole frame; to->ttl is ignored: it is 255. Returns its length. */
size_t capy_nd_build(uint8_t *frame, const struct capy_frame_to *to, const struct capy_nd *nd);

#endif
