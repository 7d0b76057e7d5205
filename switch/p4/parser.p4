/* Parser states from Ethernet on, included inside each architecture's parser. What the switch does not
 * recognise is accepted as far as it was read; classify.p4 judges lengths. */

    state ethernet {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.type) {
            ETHERTYPE_IPV4: ipv4;
            ETHERTYPE_IPV6: ipv6;
            ETHERTYPE_ARP: arp;
            ETHERTYPE_SWEEP: sweep;
            default: accept;
        }
    }

    state arp {
        packet.extract(hdr.arp);
        transition accept;
    }

    state sweep {
        packet.extract(hdr.sweep);
        transition accept;
    }

    /* ---- IPv4 ---- */

    state ipv4 {
        packet.extract(hdr.ipv4);
        transition select(hdr.ipv4.version, hdr.ipv4.ihl) {
            (4, 5): ipv4_upper;
            (4, 6 .. 15): ipv4_options;
            default: accept;
        }
    }

    state ipv4_options {
        packet.extract(hdr.ipv4_options, (bit<32>)(hdr.ipv4.ihl - 5) * 32);
        transition ipv4_upper;
    }

    state ipv4_upper {
        transition select(hdr.ipv4.fragment, hdr.ipv4.protocol) {
            (0 &&& 0x3fff, PROTO_TCP): tcp;
            (0 &&& 0x3fff, PROTO_UDP): udp;
            (0 &&& 0x3fff, PROTO_ICMP): icmp;
            default: accept;
        }
    }

    /* ---- IPv6 ---- */

    state ipv6 {
        packet.extract(hdr.ipv6);
        meta.protocol = hdr.ipv6.next;
        meta.l4_len = hdr.ipv6.payload_len;
        transition select(hdr.ipv6.version) {
            6: EXTENSION_FIRST;
            default: accept;
        }
    }

    state ipv6_upper {
        transition select(meta.protocol) {
            PROTO_TCP: tcp;
            PROTO_UDP: udp;
            PROTO_ICMP6: icmp;
            default: accept;
        }
    }

    /* ---- above IP ---- */

    state tcp {
        packet.extract(hdr.tcp);
        transition accept;
    }

    state udp {
        packet.extract(hdr.udp);
        transition select(hdr.udp.dst, hdr.udp.len) {
            (CAPY_TCPMIG_PORT, 104 .. 65535): mig;
            default: accept;
        }
    }

    state mig {
        packet.extract(hdr.mig);
        transition select(hdr.mig.type, hdr.mig.len, hdr.udp.len) {
            (HEARTBEAT, BEAT_LEN, 136): beat;
            default: accept;
        }
    }

    state beat {
        packet.extract(hdr.beat);
        transition accept;
    }
