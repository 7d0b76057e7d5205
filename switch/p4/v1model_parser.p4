/* The whole parser for v1model: the shared states, IPv6 extension headers of any length, and the segment
 * that an ICMP error quotes. */
#ifndef CAPY_P4_V1MODEL_PARSER
#define CAPY_P4_V1MODEL_PARSER

/* The extension headers that hosts skip (RFC 8200 §4); switch/core/view.h. */
#define EXTENSION_STATES(n, next_state) \
    state extension##n { \
        transition select(meta.protocol) { \
            PROTO_HOP_BY_HOP: extension##n##_bytes; \
            PROTO_DESTINATION: extension##n##_bytes; \
            PROTO_ROUTING: extension##n##_routing; \
            PROTO_FRAGMENT: extension##n##_fragment; \
            default: ipv6_upper; \
        } \
    } \
    state extension##n##_bytes { \
        packet.extract(hdr.extension##n); \
        meta.protocol = hdr.extension##n.next; \
        meta.extension_len = meta.extension_len + 8 + (bit<32>)hdr.extension##n.len * 8; \
        packet.extract(hdr.extension##n##_rest, (bit<32>)hdr.extension##n.len * 64); \
        transition next_state; \
    } \
    state extension##n##_routing { /* with routers still to visit it is somebody else's packet */ \
        transition select(packet.lookahead<extension_h>().word) { \
            0 &&& 0x00ff: extension##n##_bytes; \
            default: accept; \
        } \
    } \
    state extension##n##_fragment { /* a whole packet in one fragment is none (RFC 6946) */ \
        packet.extract(hdr.extension##n); \
        meta.protocol = hdr.extension##n.next; \
        meta.extension_len = meta.extension_len + 8; \
        transition select(hdr.extension##n.word) { \
            0 &&& 0xfff9: next_state; \
            default: accept; \
        } \
    }

#define EXTENSION_FIRST extension0

parser CapyParser(packet_in packet, out headers_t hdr, inout meta_t meta,
                  inout standard_metadata_t standard_metadata) {
    state start {
#ifdef CAPY_CLOCK_IN_FRAME
        packet.extract(hdr.clock);
#endif
        meta.extension_len = 0;
        meta.protocol = 0;
        meta.option = 0;
        meta.l4_len = 0;
        transition ethernet;
    }

#include "parser.p4"

    EXTENSION_STATES(0, extension1)
    EXTENSION_STATES(1, extension2)
    EXTENSION_STATES(2, extension3)
    EXTENSION_STATES(3, extension4)
    EXTENSION_STATES(4, extension5)
    EXTENSION_STATES(5, extension6)
    EXTENSION_STATES(6, extension7)
    EXTENSION_STATES(7, ipv6_upper)

    /* Errors quote the packet that they are about (RFC 792; RFC 4443 §3). */
    state icmp {
        packet.extract(hdr.icmp);
        transition select(hdr.ipv6.isValid(), hdr.icmp.type) {
            (false, 3): quote4;
            (false, 11 .. 12): quote4;
            (true, 1 .. 4): quote6;
            (true, 135): nd;
            default: accept;
        }
    }

    state nd {
        packet.extract(hdr.nd);
        transition select(meta.l4_len) { /* IPv6's, as it says */
            0 .. 24: accept;
            default: nd_option;
        }
    }

    state nd_option {
        meta.option = packet.lookahead<bit<8>>();
        transition accept;
    }

    state quote4 {
        packet.extract(hdr.quote4);
        transition select(hdr.quote4.version, hdr.quote4.ihl, hdr.quote4.protocol,
                          hdr.quote4.fragment) {
            (4, 5, PROTO_TCP, 0 &&& 0x1fff): quote_ports;
            (4, 6 .. 15, PROTO_TCP, 0 &&& 0x1fff): quote4_options;
            default: accept;
        }
    }

    state quote4_options {
        packet.extract(hdr.quote4_options, (bit<32>)(hdr.quote4.ihl - 5) * 32);
        transition quote_ports;
    }

    state quote6 {
        packet.extract(hdr.quote6);
        transition select(hdr.quote6.version, hdr.quote6.next) {
            (6, PROTO_TCP): quote_ports;
            default: accept;
        }
    }

    state quote_ports {
        packet.extract(hdr.quote_ports);
        transition accept;
    }
}

control CapyDeparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.ethernet);
        packet.emit(hdr.arp);
        packet.emit(hdr.sweep);
        packet.emit(hdr.ipv4);
        packet.emit(hdr.ipv4_options);
        packet.emit(hdr.ipv6);
#define EMIT_EXTENSION(n) packet.emit(hdr.extension##n); packet.emit(hdr.extension##n##_rest);
        EMIT_EXTENSION(0)
        EMIT_EXTENSION(1)
        EMIT_EXTENSION(2)
        EMIT_EXTENSION(3)
        EMIT_EXTENSION(4)
        EMIT_EXTENSION(5)
        EMIT_EXTENSION(6)
        EMIT_EXTENSION(7)
        packet.emit(hdr.tcp);
        packet.emit(hdr.udp);
        packet.emit(hdr.mig);
        packet.emit(hdr.beat);
        packet.emit(hdr.beat_ack);
        packet.emit(hdr.icmp);
        packet.emit(hdr.nd);
        packet.emit(hdr.nd_mac);
        packet.emit(hdr.quote4);
        packet.emit(hdr.quote4_options);
        packet.emit(hdr.quote6);
        packet.emit(hdr.quote_ports);
    }
}

#endif
