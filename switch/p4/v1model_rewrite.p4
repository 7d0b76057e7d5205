/* Address rewriting with incremental checksums (RFC 1624): nothing but the changed fields and the checksums
 * is touched, so a frame that was broken stays broken, and one that was right stays right. */
#ifndef CAPY_P4_REWRITE
#define CAPY_P4_REWRITE

/* One end of a TCP or UDP packet of the address's version. */
control RewriteSource(inout headers_t hdr, inout meta_t meta, in bit<128> ip, in bit<16> port) {
    apply {
        if (hdr.ipv4.isValid()) {
            meta.ip_delta = meta.ip_delta + CHANGE32(hdr.ipv4.src, ip[31:0]);
            meta.delta = meta.delta + CHANGE32(hdr.ipv4.src, ip[31:0]);
            hdr.ipv4.src = ip[31:0];
        } else {
            meta.delta = meta.delta + CHANGE128(hdr.ipv6.src, ip);
            hdr.ipv6.src = ip;
        }
        if (hdr.tcp.isValid()) {
            meta.delta = meta.delta + CHANGE16(hdr.tcp.src, port);
            hdr.tcp.src = port;
        } else {
            meta.delta = meta.delta + CHANGE16(hdr.udp.src, port);
            hdr.udp.src = port;
        }
        meta.src = ip;
        meta.src_port = port;
    }
}

control RewriteDestination(inout headers_t hdr, inout meta_t meta, in bit<128> ip, in bit<16> port) {
    apply {
        if (hdr.ipv4.isValid()) {
            meta.ip_delta = meta.ip_delta + CHANGE32(hdr.ipv4.dst, ip[31:0]);
            meta.delta = meta.delta + CHANGE32(hdr.ipv4.dst, ip[31:0]);
            hdr.ipv4.dst = ip[31:0];
        } else {
            meta.delta = meta.delta + CHANGE128(hdr.ipv6.dst, ip);
            hdr.ipv6.dst = ip;
        }
        if (hdr.tcp.isValid()) {
            meta.delta = meta.delta + CHANGE16(hdr.tcp.dst, port);
            hdr.tcp.dst = port;
        } else {
            meta.delta = meta.delta + CHANGE16(hdr.udp.dst, port);
            hdr.udp.dst = port;
        }
    }
}

/* An ICMP error, to the holder at ip and port, who shall know its own segment in the quote. TCP's own
 * checksum in it nobody looks at there. */
control RewriteQuote(inout headers_t hdr, inout meta_t meta, in bit<128> ip, in bit<16> port) {
    bit<16> was;
    bit<32> delta;
    Amend() amend_quoted;
    Amend() amend_icmp;
    apply {
        delta = CHANGE16(hdr.quote_ports.src, port);
        hdr.quote_ports.src = port;
        if (hdr.quote4.isValid()) {
            meta.ip_delta = CHANGE32(hdr.ipv4.dst, ip[31:0]);
            hdr.ipv4.dst = ip[31:0];
            was = hdr.quote4.check;
            amend_quoted.apply(hdr.quote4.check, CHANGE32(hdr.quote4.src, ip[31:0]));
            delta = delta + CHANGE16(was, hdr.quote4.check) + CHANGE32(hdr.quote4.src, ip[31:0]);
            hdr.quote4.src = ip[31:0];
        } else {
            delta = delta + CHANGE128(hdr.ipv6.dst, ip) + CHANGE128(hdr.quote6.src, ip);
            hdr.ipv6.dst = ip; /* of the pseudo-header, too (RFC 4443 §2.3) */
            hdr.quote6.src = ip;
        }
        amend_icmp.apply(hdr.icmp.check, delta);
    }
}

/* Brings the checksums up to date with meta.delta and meta.ip_delta. */
control Seal(inout headers_t hdr, inout meta_t meta) {
    Amend() amend_ip;
    Amend() amend_tcp;
    Amend() amend_udp;
    Amend() amend_icmp;
    apply {
        if (hdr.ipv4.isValid())
            amend_ip.apply(hdr.ipv4.check, meta.ip_delta);
        if (hdr.tcp.isValid()) {
            amend_tcp.apply(hdr.tcp.check, meta.delta);
        } else if (hdr.udp.isValid() && hdr.udp.check != 0) { /* 0: it carries none (RFC 768) */
            amend_udp.apply(hdr.udp.check, meta.delta);
            if (hdr.udp.check == 0)
                hdr.udp.check = 0xffff;
        } else if (hdr.icmp.isValid()) {
            amend_icmp.apply(hdr.icmp.check, meta.delta);
        }
        meta.ip_delta = 0;
        meta.delta = 0;
    }
}

#endif
