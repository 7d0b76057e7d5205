/* Parsers and deparsers for a Tofino. IPv4 without options is recognised; anything else is forwarded by MAC
 * address (docs/switch.md says what that costs). A frame whose length does not fit is one, too: the parser
 * compares total_len with nothing, for a Tofino does not know a frame's length in ingress; hosts do. */
#ifndef CAPY_P4_TNA_PARSER
#define CAPY_P4_TNA_PARSER

#define RECOGNISED_STATES \
    state ethernet { \
        packet.extract(hdr.ethernet); \
        transition select(hdr.ethernet.type) { \
            ETHERTYPE_IPV4: ipv4; \
            ETHERTYPE_ARP: arp; \
            ETHERTYPE_SWEEP: sweep; \
            default: accept; \
        } \
    } \
    state arp { \
        packet.extract(hdr.arp); \
        transition accept; \
    } \
    state sweep { \
        packet.extract(hdr.sweep); \
        transition accept; \
    } \
    state mig { \
        packet.extract(hdr.mig); \
        transition select(hdr.mig.type, hdr.mig.len) { \
            (HEARTBEAT, BEAT_LEN): beat; \
            default: accept; \
        } \
    } \
    state beat { \
        packet.extract(hdr.beat); \
        transition accept; \
    }

parser CapyIngressParser(packet_in packet, out headers_t hdr, out meta_t meta,
                         out ingress_intrinsic_metadata_t intrinsic) {
    Checksum() ip_sum;
    Checksum() tcp_sum;

    state start {
        packet.extract(intrinsic);
        packet.advance(PORT_METADATA_SIZE);
        meta.ip_residual = 0;
        meta.tcp_residual = 0;
        meta.protocol = 0;
        transition select(intrinsic.ingress_port) {
            CAPY_RECIRCULATE: again;
            default: ethernet;
        }
    }

    state again {
        packet.extract(hdr.again);
        transition ethernet;
    }

    RECOGNISED_STATES

    state ipv4 {
        packet.extract(hdr.ipv4);
        ip_sum.subtract({ hdr.ipv4.src, hdr.ipv4.dst, hdr.ipv4.check });
        ip_sum.subtract_all_and_deposit(meta.ip_residual);
        tcp_sum.subtract({ hdr.ipv4.src, hdr.ipv4.dst });
        transition select(hdr.ipv4.version, hdr.ipv4.ihl, hdr.ipv4.fragment, hdr.ipv4.protocol) {
            (4, 5, 0 &&& 0x3fff, PROTO_TCP): tcp;
            (4, 5, 0 &&& 0x3fff, PROTO_UDP): udp;
            default: accept;
        }
    }

    state tcp {
        packet.extract(hdr.tcp);
        tcp_sum.subtract({ hdr.tcp.src, hdr.tcp.dst, hdr.tcp.check });
        tcp_sum.subtract_all_and_deposit(meta.tcp_residual);
        transition accept;
    }

    state udp {
        packet.extract(hdr.udp);
        transition select(hdr.udp.dst) {
            CAPY_TCPMIG_PORT: mig;
            default: accept;
        }
    }
}

#define EMIT_ALL \
    packet.emit(hdr.again); \
    packet.emit(hdr.ethernet); \
    packet.emit(hdr.arp); \
    packet.emit(hdr.sweep); \
    packet.emit(hdr.ipv4); \
    packet.emit(hdr.tcp); \
    packet.emit(hdr.udp); \
    packet.emit(hdr.mig); \
    packet.emit(hdr.beat);

/* Checksums: of TCP and IPv4 by what changed (RFC 1624); a TCPMig datagram that the switch passes on has none (RFC
 * 768), for its tag and payload hash say more. */
control CapyIngressDeparser(packet_out packet, inout headers_t hdr, in meta_t meta,
                            in ingress_intrinsic_metadata_for_deparser_t for_deparser) {
    Checksum() ip_sum;
    Checksum() tcp_sum;
    apply {
        if (hdr.ipv4.isValid())
            hdr.ipv4.check = ip_sum.update({ hdr.ipv4.src, hdr.ipv4.dst, meta.ip_residual });
        if (hdr.tcp.isValid())
            hdr.tcp.check = tcp_sum.update({ hdr.ipv4.src, hdr.ipv4.dst, hdr.tcp.src, hdr.tcp.dst,
                                             meta.tcp_residual });
        EMIT_ALL
    }
}

parser CapyEgressParser(packet_in packet, out headers_t hdr, out meta_t meta,
                        out egress_intrinsic_metadata_t intrinsic) {
    Checksum() ip_sum;

    state start {
        packet.extract(intrinsic);
        meta.ip_residual = 0;
        meta.tcp_residual = 0;
        meta.protocol = 0;
        packet.extract(hdr.again); /* ingress puts one before every frame */
        transition ethernet;
    }

    RECOGNISED_STATES

    state ipv4 {
        packet.extract(hdr.ipv4);
        ip_sum.subtract({ hdr.ipv4.src, hdr.ipv4.dst, hdr.ipv4.check });
        ip_sum.subtract_all_and_deposit(meta.ip_residual);
        transition select(hdr.ipv4.version, hdr.ipv4.ihl, hdr.ipv4.fragment, hdr.ipv4.protocol) {
            (4, 5, 0 &&& 0x3fff, PROTO_UDP): udp;
            default: accept;
        }
    }

    state udp {
        packet.extract(hdr.udp);
        transition select(hdr.udp.dst) {
            CAPY_TCPMIG_PORT: mig;
            default: accept;
        }
    }
}

control CapyEgressDeparser(packet_out packet, inout headers_t hdr, in meta_t meta,
                           in egress_intrinsic_metadata_for_deparser_t for_deparser) {
    Checksum() ip_sum;
    apply {
        if (hdr.mig.isValid())
            hdr.ipv4.check = ip_sum.update({ hdr.ipv4.src, hdr.ipv4.dst, meta.ip_residual });
        EMIT_ALL
    }
}

#endif
