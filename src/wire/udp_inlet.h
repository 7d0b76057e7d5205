/* Where datagrams of one kind come in: UDP over IPv4, to an address and port of ours, from anybody's port of
 * the same number. A short way in for what a server of a rack gets most; whatever it does not take goes
 * through capy_frame_parse, which would have taken it alike. A plain value, made once. */
#ifndef CAPY_WIRE_UDP_INLET_H
#define CAPY_WIRE_UDP_INLET_H

#include "wire/frame.h"

struct capy_udp_inlet {
    bool on;             /* there is an IPv4 address */
    uint64_t mac;        /* in the upper six bytes */
    uint32_t dst, ports; /* as they lie in a frame */
};

void capy_udp_inlet_init(struct capy_udp_inlet *in, const struct capy_mac *mac,
                         const struct capy_ip *ip, uint16_t port);

/* The length of the payload, which begins at CAPY_UDP_AT, of a whole frame to this inlet with good checksums.
 * 0 for anything else: for what claims to be from our own address, and for some that the general parser would
 * take: datagrams without a checksum, with IP options, or without payload. frame: borrowed, len >= CAPY_UDP_AT;
 * only after capy_udp_inlet_may. */
size_t capy_udp_inlet_look(const struct capy_udp_inlet *in, const uint8_t *frame, size_t len);

/* Whether it is worth a look, by the ports alone: all that other traffic pays. */
static inline bool capy_udp_inlet_may(const struct capy_udp_inlet *in, const uint8_t *frame,
                                      size_t len)
{
    return len > CAPY_UDP_AT && capy_raw32(frame + CAPY_ETHER_LEN + CAPY_IPV4_LEN) == in->ports;
}

static inline struct capy_ip capy_udp_inlet_source(const uint8_t *frame)
{
    enum { SRC_AT = CAPY_ETHER_LEN + 12 };
    return capy_ip_from_v4(capy_load32(frame + SRC_AT));
}

#endif
