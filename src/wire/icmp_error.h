/* ICMP errors about TCP segments of ours (RFC 792, RFC 4443 §3): which segment, and what the network
 * says of it. The quoted bytes are the only proof of origin an ICMP error has; whether they name a
 * segment that is in flight is for the connection to judge (RFC 5927 §4). */
#ifndef CAPY_WIRE_ICMP_ERROR_H
#define CAPY_WIRE_ICMP_ERROR_H

#include "wire/frame.h"

enum capy_icmp_advice {
    CAPY_ICMP_NOTHING, /* no error, or one without a meaning for TCP (source quench: RFC 6633) */
    CAPY_ICMP_SOFT,    /* a network or host cannot be reached, a hop limit ran out: may pass */
    CAPY_ICMP_HARD,    /* nobody there speaks TCP on that port */
    CAPY_ICMP_TOO_BIG, /* larger than the next link takes, and not to be fragmented */
};

struct capy_icmp_error {
    enum capy_icmp_advice advice;
    struct capy_ip src, dst; /* of the quoted segment: src is the address it was sent from */
    uint16_t src_port, dst_port;
    struct capy_seq seq;
    uint32_t mtu; /* TOO_BIG: of the next link, IP bytes; 0: an old router that does not say */
};

/* Reads a packet of kind ICMP or ICMP6. False: nothing about a TCP segment, or cut too short. */
bool capy_icmp_error_parse(const struct capy_packet *p, struct capy_icmp_error *out);

#endif
