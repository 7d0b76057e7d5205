/* What a frame is, from the headers that were read and the lengths they state: switch/core/view.h. A frame
 * that is not all there, or in pieces, is OTHER, and merely forwarded. */
#ifndef CAPY_P4_CLASSIFY
#define CAPY_P4_CLASSIFY

control Classify(in headers_t hdr, inout meta_t meta) {
    bit<32> head;
    bit<32> left; /* bytes of the IP payload behind the headers walked so far */
    bit<32> total;
    bit<32> quote_head;
    bool ip;
    apply {
        meta.kind = kind_t.OTHER;
        meta.family = FAMILY_V4;
        ip = false;
        left = 0;
        if (hdr.ethernet.type == ETHERTYPE_ARP) {
            meta.kind = kind_t.ARP;
        } else if (hdr.sweep.isValid()) {
            meta.kind = kind_t.SWEEP;
        } else if (hdr.ipv4.isValid()) {
            head = (bit<32>)hdr.ipv4.ihl * 4;
            total = (bit<32>)hdr.ipv4.total_len;
            meta.protocol = hdr.ipv4.protocol;
            meta.src = IP4_MAPPED ++ hdr.ipv4.src;
            meta.dst = IP4_MAPPED ++ hdr.ipv4.dst;
            left = total - head;
            ip = hdr.ipv4.version == 4 && head >= 20 && total >= head &&
                 ETHER_LEN + total <= meta.frame_len && (hdr.ipv4.fragment & 0x3fff) == 0;
        } else if (hdr.ipv6.isValid() && hdr.ipv6.version == 6 &&
                   (bit<32>)hdr.ipv6.payload_len + 54 <= meta.frame_len) {
            meta.family = FAMILY_V6;
            meta.src = hdr.ipv6.src;
            meta.dst = hdr.ipv6.dst;
            left = (bit<32>)hdr.ipv6.payload_len - meta.extension_len;
            ip = meta.extension_len <= (bit<32>)hdr.ipv6.payload_len;
            if (hdr.ipv6.src[127:32] == IP4_MAPPED || hdr.ipv6.dst[127:32] == IP4_MAPPED) {
                meta.kind = kind_t.MIXED;
                ip = false;
            }
        }
        meta.l4_len = left[15:0];
        if (ip && hdr.tcp.isValid()) {
            head = (bit<32>)hdr.tcp.data_offset * 4;
            if (left >= 20 && head >= 20 && head <= left) {
                meta.kind = kind_t.TCP;
                meta.src_port = hdr.tcp.src;
                meta.dst_port = hdr.tcp.dst;
                meta.data_len = (bit<16>)(left - head);
            }
        } else if (ip && hdr.udp.isValid()) {
            if (left >= UDP_LEN && (bit<32>)hdr.udp.len >= UDP_LEN && (bit<32>)hdr.udp.len <= left) {
                meta.kind = kind_t.UDP;
                meta.src_port = hdr.udp.src;
                meta.dst_port = hdr.udp.dst;
                meta.data_len = hdr.udp.len - 8;
            }
        } else if (ip && (meta.protocol == PROTO_ICMP && meta.family == FAMILY_V4 ||
                          meta.protocol == PROTO_ICMP6 && meta.family == FAMILY_V6)) {
            meta.kind = kind_t.ICMP;
            quote_head = 40;
            if (hdr.quote4.isValid())
                quote_head = (bit<32>)hdr.quote4.ihl * 4;
            /* The quote may end anywhere behind the ports, whatever its lengths say. */
            if (hdr.quote_ports.isValid() && left >= 8 + quote_head + 8)
                meta.kind = kind_t.ERROR;
        }
    }
}

#endif
