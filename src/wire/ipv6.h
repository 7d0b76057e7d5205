/* IPv6 headers (RFC 8200): the fixed one, the extension headers behind it, and the ICMPv6 answer
 * that some of them call for. Bytes <-> checked values; used by wire/frame and by whoever answers a
 * packet that was dropped. */
#ifndef CAPY_WIRE_IPV6_H
#define CAPY_WIRE_IPV6_H

#include "wire/frame.h"

/* What ICMPv6 calls the parameter problem of a packet (RFC 4443 §3.4): its code. */
enum capy_ipv6_problem {
    CAPY_IPV6_PROBLEM_FIELD,  /* 0: a header field with a value that it must not have */
    CAPY_IPV6_PROBLEM_NEXT,   /* 1: an unknown next header */
    CAPY_IPV6_PROBLEM_OPTION, /* 2: an unknown option, told also to the sender of a multicast */
    CAPY_IPV6_PROBLEM_NONE,   /* nobody is told */
};

struct capy_ipv6 {
    uint8_t protocol; /* of the upper layer */
    size_t at, len;   /* the upper layer: from the IPv6 header on; its bytes */
    enum capy_ipv6_problem problem;
    uint32_t problem_at; /* from the IPv6 header on */
};

/* Walks the headers of the packet at p. CAPY_DROP_NONE: all of out but the problem is valid and
 * at + len lies within the packet. Else the problem alone is. */
enum capy_drop capy_ipv6_walk(const uint8_t *p, size_t len, struct capy_ipv6 *out);

/* Writes Ethernet and IPv6 headers for payload_len bytes behind them. Returns the pseudo-header's
 * sum for that payload. */
uint64_t capy_ipv6_build(uint8_t *frame, const struct capy_frame_to *to, uint8_t protocol,
                         size_t payload_len);

/* Where an ICMPv6 message begins in a frame that capy_frame_build_icmp6 builds. */
#define CAPY_ICMP6_AT (CAPY_ETHER_LEN + CAPY_IPV6_LEN)

/* Wraps the message of message_len bytes at frame + CAPY_ICMP6_AT, whose checksum it fills in.
 * Returns the frame's length. */
size_t capy_frame_build_icmp6(uint8_t *frame, const struct capy_frame_to *to, size_t message_len);

/* The parameter problem that a dropped IPv6 frame of in_len bytes calls for, in a frame from src_mac
 * and src back to its sender. Returns its length; 0: none is called for, or none allowed (RFC 4443
 * §2.4 (e)). */
size_t capy_frame_build_problem(uint8_t *frame, const uint8_t *in, size_t in_len,
                                const struct capy_mac *src_mac, const struct capy_ip *src);

#endif
