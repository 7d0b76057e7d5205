/* One received frame to one checked value, or one named reason to drop it. Everything that comes
 * from a network enters the house here: lengths, versions and checksums are checked once, so that
 * nothing behind this line needs to. And the way back: one value to one frame with checksums. */
#ifndef CAPY_WIRE_FRAME_H
#define CAPY_WIRE_FRAME_H

#include "wire/arp.h"
#include "wire/ether.h"
#include "wire/tcp.h"

/* Why a frame was dropped by the parser; counted by the stack, shown by `capy ctl stats`. */
enum capy_drop {
    CAPY_DROP_NONE,
    CAPY_DROP_SHORT,     /* fewer bytes than its headers say */
    CAPY_DROP_ETHERTYPE, /* not ARP, not IP */
    CAPY_DROP_ARP,       /* malformed ARP */
    CAPY_DROP_IP_HEADER, /* bad version, header length or total length */
    CAPY_DROP_IP_CHECKSUM,
    CAPY_DROP_IP_FRAGMENT,  /* not reassembled (DEVIATION(RFC 1122 §3.3.2), see docs) */
    CAPY_DROP_IP_ADDRESS,   /* an IPv4-mapped address inside IPv6: would pass for an IPv4 packet */
    CAPY_DROP_IP_EXTENSION, /* IPv6 extension headers beyond the packet, or out of order */
    CAPY_DROP_IP_OPTION,    /* an unknown IPv6 option that forbids to go on */
    CAPY_DROP_IP_ROUTING,   /* an IPv6 routing header with segments left */
    CAPY_DROP_PROTOCOL,     /* not ICMP, UDP or TCP */
    CAPY_DROP_ICMP,         /* malformed or bad checksum */
    CAPY_DROP_UDP_HEADER,
    CAPY_DROP_UDP_CHECKSUM,
    CAPY_DROP_TCP_HEADER,
    CAPY_DROP_TCP_CHECKSUM,
    CAPY_DROP_CNT
};

/* Short name of a reason, as counters print it: "ip_checksum". */
const char *capy_drop_name(enum capy_drop d);

enum capy_packet_kind {
    CAPY_PACKET_ARP,
    CAPY_PACKET_ICMP,  /* of IPv4 */
    CAPY_PACKET_ICMP6, /* ICMPv6, neighbour discovery (wire/nd.h) among it */
    CAPY_PACKET_UDP,
    CAPY_PACKET_TCP,
};

struct capy_udp {
    const uint8_t *data; /* borrowed */
    uint32_t data_len;
};

struct capy_icmp {
    uint8_t type, code;
    const uint8_t *message; /* from the type byte on; borrowed */
    uint32_t message_len;
};

struct capy_packet {
    enum capy_packet_kind kind;
    struct capy_mac dst_mac, src_mac;
    struct capy_ip src, dst; /* unset for ARP */
    uint16_t src_port, dst_port;
    uint8_t ttl, ecn; /* ttl: IPv6's hop limit; ecn: the ECN bits of the IP header (RFC 3168) */
    union {
        struct capy_arp arp;
        struct capy_icmp icmp;
        struct capy_udp udp;
        struct capy_tcp_segment tcp;
    };
};

/* frame: borrowed; *out points into it. Trailing padding behind the IP length is ignored. */
enum capy_drop capy_frame_parse(const uint8_t *frame, size_t len, struct capy_packet *out);
/* The same of a frame whose TCP or UDP checksum a device checked, or will fill in. */
enum capy_drop capy_frame_parse_checked(const uint8_t *frame, size_t len, struct capy_packet *out);

/* The parts of an outgoing IP packet that are not its payload. */
struct capy_frame_to {
    struct capy_mac dst_mac, src_mac;
    struct capy_ip src, dst; /* of one version: it makes the frame's */
    uint16_t src_port, dst_port;
    uint8_t ttl; /* 0: 64 */
    uint8_t ecn;
    bool partial;        /* the device completes TCP's checksum (wire/offload.h) */
    uint32_t flow_label; /* of IPv6, 20 bits (RFC 6437); 0: none */
};

#define CAPY_FLOW_LABEL_MASK 0xfffffu
#define CAPY_IPV4_LEN 20u
#define CAPY_IPV6_LEN 40u
#define CAPY_UDP_LEN 8u
/* Where UDP payload begins in a frame that these functions build, over IPv4 and over IPv6. */
#define CAPY_UDP_AT (CAPY_ETHER_LEN + CAPY_IPV4_LEN + CAPY_UDP_LEN)
#define CAPY_UDP_AT6 (CAPY_ETHER_LEN + CAPY_IPV6_LEN + CAPY_UDP_LEN)

/* Builds a TCP frame at frame (room: for all of it) with payload copied from seg->data, which may
 * be NULL when the caller has already put seg->data_len bytes at capy_frame_tcp_data_at(). Returns
 * the frame's length. */
size_t capy_frame_build_tcp(uint8_t *frame, const struct capy_frame_to *to,
                            const struct capy_tcp_segment *seg);
/* Offset of TCP payload in the frame that will be built. */
size_t capy_frame_tcp_data_at(const struct capy_frame_to *to, const struct capy_tcp_segment *seg);

/* Wraps data_len bytes already at frame + CAPY_UDP_AT, or CAPY_UDP_AT6, by the version of to->dst, in
 * UDP, IP and Ethernet. Returns the frame's length. */
size_t capy_frame_build_udp(uint8_t *frame, const struct capy_frame_to *to, size_t data_len);

/* The same for datagrams that all go one way: their headers, written once (wire/udp_way.c). */
struct capy_udp_way {
    uint8_t header[CAPY_UDP_AT6]; /* of a datagram without payload, its checksums as sums below */
    bool v4;
    uint64_t ip_sum, udp_sum; /* of the fields that are the same in all; ip_sum: of IPv4 */
};

/* to->ecn, to->ttl and to->flow_label as for one datagram. */
void capy_udp_way_init(struct capy_udp_way *way, const struct capy_frame_to *to);
size_t capy_udp_way_wrap(const struct capy_udp_way *way, uint8_t *frame, size_t data_len);

/* Turns a received echo request frame into its reply, in place, from the address it was sent to (a
 * node's own, no group's) to its sender (RFC 792, RFC 4443 §4.2). IPv6 extension headers go. Returns
 * the frame's length. */
size_t capy_frame_build_echo_reply(uint8_t *frame, size_t len);

/* Rewrites a whole received TCP frame's addressing in place, with incremental checksums
 * (RFC 1624), and lowers its TTL or hop limit by one: used to put a frame back on the wire. False,
 * frame untouched, when that is spent or dst is of the other version. */
bool capy_frame_readdress(uint8_t *frame, size_t len, const struct capy_mac *dst_mac,
                          const struct capy_mac *src_mac, const struct capy_ip *dst,
                          uint16_t dst_port);

#endif
