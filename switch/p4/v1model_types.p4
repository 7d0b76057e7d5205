/* Headers that only v1model's parser can read, and what the program knows of a frame on its way. */
#ifndef CAPY_P4_V1MODEL_TYPES
#define CAPY_P4_V1MODEL_TYPES

header options_h {
    varbit<320> bytes;
}

header extension_h {
    bit<8> next;
    bit<8> len;   /* in units of 8 bytes, these 8 not counted; of a fragment header: nothing */
    bit<16> word; /* fragment header: offset and more; routing header: type and segments left */
    bit<32> tail;
}

header extension_rest_h {
    varbit<16320> bytes;
}

header icmp_h {
    bit<8> type;
    bit<8> code;
    bit<16> check;
    bit<32> word;
}

header ports_h {
    bit<16> src;
    bit<16> dst;
    bit<32> seq;
}

/* A neighbour solicitation or advertisement behind icmp_h (RFC 4861 §4.3); and the option that we add. */
header nd_h {
    bit<128> target;
}

header nd_mac_h {
    bit<8> type;
    bit<8> len;
    bit<48> mac;
}

/* Only where a test tells the time: before the frame, all ones for "answer on all ports". */
header clock_h {
    bit<64> now;
}

struct headers_t {
    clock_h clock;
    ethernet_h ethernet;
    arp_h arp;
    sweep_h sweep;
    ipv4_h ipv4;
    options_h ipv4_options;
    ipv6_h ipv6;
#define EXTENSION(n) extension_h extension##n; extension_rest_h extension##n##_rest;
    EXTENSION(0)
    EXTENSION(1)
    EXTENSION(2)
    EXTENSION(3)
    EXTENSION(4)
    EXTENSION(5)
    EXTENSION(6)
    EXTENSION(7)
    tcp_h tcp;
    udp_h udp;
    mig_h mig;
    beat_h beat;
    beat_ack_h beat_ack;
    icmp_h icmp;
    nd_h nd;
    nd_mac_h nd_mac;
    ipv4_h quote4;
    options_h quote4_options;
    ipv6_h quote6;
    ports_h quote_ports;
}

/* What a frame is to the switch; what it does not act on is OTHER. */
enum bit<8> kind_t {
    OTHER = 0,
    MIXED = 1, /* IPv4-mapped addresses inside IPv6: would impersonate an IPv4 flow */
    ARP = 2,
    TCP = 3,
    UDP = 4,
    ICMP = 5,
    ERROR = 6, /* ICMP, and about a TCP segment */
    SWEEP = 7
}

/* Where it goes. */
enum bit<8> way_t {
    FORWARD = 0, /* by MAC address */
    DROP = 1,
    FLOOD = 2,
    PORT = 3,  /* to meta.port */
    MESSAGE = 4 /* TCPMig, addressed in egress: to the peer, back to the sender, or both */
}

/* Who a server is, as the tables say. */
struct place_t {
    bit<48> mac;
    bit<128> ip; /* primary */
    bit<16> port;
}

struct meta_t {
    time_t now;
    bit<32> frame_len;
    bit<8> protocol;       /* above the headers that the parser walked over */
    bit<32> extension_len; /* those of IPv6 */
    kind_t kind;
    way_t way;
    bit<128> src;
    bit<128> dst;
    bit<16> src_port;
    bit<16> dst_port;
    bit<16> data_len; /* above TCP or UDP */
    bit<16> l4_len;
    bit<8> family;
    bit<16> port;  /* egress */
    bit<32> delta; /* what was changed under the transport checksum */
    bit<32> ip_delta;
    bit<16> cut; /* the frame's new length, or 0 */
    bool fresh;  /* its checksums are computed anew */
    bool advert; /* likewise, a neighbour advertisement */
    bit<8> option; /* the first of a solicitation's, or 0 */
    bool to_peer;
    bool to_sender;
    place_t peer;
    place_t sender;
    bit<48> own_mac;
    bit<128> own_ip;
    bool marker;
}

#endif
