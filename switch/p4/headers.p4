/* What lies on the wire, for both architectures. A frame whose headers are not all there keeps those
 * that are, and leaves as it came. */
#ifndef CAPY_P4_HEADERS
#define CAPY_P4_HEADERS

header ethernet_h {
    bit<48> dst;
    bit<48> src;
    bit<16> type;
}

header arp_h {
    bit<64> kind; /* hardware, protocol, their lengths, operation */
    bit<48> sender_mac;
    bit<32> sender;
    bit<48> target_mac;
    bit<32> target;
}

header ipv4_h {
    bit<4> version;
    bit<4> ihl;
    bit<8> tos;
    bit<16> total_len;
    bit<16> id;
    bit<16> fragment; /* flags and offset */
    bit<8> ttl;
    bit<8> protocol;
    bit<16> check;
    bit<32> src;
    bit<32> dst;
}

header ipv6_h {
    bit<4> version;
    bit<8> class;
    bit<20> flow;
    bit<16> payload_len;
    bit<8> next;
    bit<8> hop_limit;
    bit<128> src;
    bit<128> dst;
}

header tcp_h {
    bit<16> src;
    bit<16> dst;
    bit<32> seq;
    bit<32> ack;
    bit<4> data_offset;
    bit<4> reserved;
    bit<8> flags;
    bit<16> window;
    bit<16> check;
    bit<16> urgent;
}

header udp_h {
    bit<16> src;
    bit<16> dst;
    bit<16> len;
    bit<16> check;
}

/* TCPMig (docs/protocol.md §1). The tag covers all before it but zero; what follows is the switch's. */
header mig_h {
    bit<8> version;
    bit<8> type;
    bit<8> reason;
    bit<8> flags;
    bit<16> origin;
    bit<16> target;
    bit<64> mig_id;
    bit<32> epoch;
    bit<32> total;
    bit<32> offset;
    bit<16> len;
    bit<16> target_port;
    bit<128> client;
    bit<128> home;
    bit<16> client_port;
    bit<16> home_port;
    bit<32> zero;
    bit<64> payload_hash;
    bit<64> tag;
    bit<8> verdict;
    bit<8> phase;
    bit<16> owner;
    bit<32> entry_epoch;
}

/* A HEARTBEAT's payload, and its answer's. */
header beat_h {
    bit<32> load;
    bit<32> free;
    bit<32> draining;
    bit<32> conns;
    bit<64> incarnation;
    bit<64> switch_boot;
}

header beat_ack_h {
    bit<64> switch_boot;
    bit<32> learning;
    bit<32> min_load;
}

/* From the control program: look at the clock for the entry in this slot. What only the data plane can do
 * at one instant, it does: the control program says where. */
header sweep_h {
    bit<32> slot; /* level * CAPY_SLOTS + index */
}

#endif
