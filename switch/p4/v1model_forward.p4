/* What the switch says of its own accord (switch/core/own.h), and all the rest by MAC address (flows.h,
 * capy_flow_forward). Included inside the ingress control. */

        if (hdr.arp.isValid() && hdr.arp.kind == ARP_REQUEST)
            asked = IP4_MAPPED ++ hdr.arp.target;
        else if (hdr.nd.isValid() && meta.kind == kind_t.ICMP && hdr.ipv6.hop_limit == 255 &&
                 hdr.icmp.code == 0 && meta.l4_len >= 24 && hdr.nd.target[127:32] != IP4_MAPPED &&
                 standard_metadata.checksum_error == 0 &&
                 (meta.src != 0 ? meta.src[127:120] != 0xff
                                : meta.option != 1 && meta.dst[127:24] == SOLICITED_NODE &&
                                      meta.dst[23:0] == hdr.nd.target[23:0]))
            asked = hdr.nd.target; /* RFC 4861 §7.1.1 */
        if (meta.way == way_t.FORWARD && asked != 0) {
            asked_server_table.apply();
            answer_mac = 0;
            proxied = false;
            if (IS_OWN(asked) || IS_VIP(asked)) {
                answer_mac = own_mac;
            } else if (asked_server != NOBODY) {
                /* For who is down: flows that moved away in time must stay reachable. Never to the server
                 * itself, who may be probing for its own address as it starts. */
                asked_place_table.apply();
                server_heard.read(heard, (bit<32>)asked_server);
                if (asked_place_port != own_port && (heard == 0 || meta.now >= heard + lease)) {
                    answer_mac = asked_place_mac;
                    proxied = true;
                }
            }
            if (answer_mac != 0 && hdr.arp.isValid()) {
                hdr.ethernet.dst = hdr.arp.sender_mac;
                hdr.ethernet.src = answer_mac;
                hdr.arp.kind = ARP_REPLY;
                hdr.arp.target_mac = hdr.arp.sender_mac;
                hdr.arp.target = hdr.arp.sender;
                hdr.arp.sender_mac = answer_mac;
                hdr.arp.sender = asked[31:0];
                meta.cut = 42;
                if (proxied) {
                    COUNT(arp_proxied);
                } else {
                    COUNT(arp_answered);
                }
                send_to(own_port);
            } else if (answer_mac != 0) {
                /* Who has no address yet is answered with all, unsolicited (RFC 4862 §5.4); a proxy does
                 * not override (RFC 4861 §7.2.8). The question's options are cut off. */
                hdr.icmp.type = 136;
                hdr.icmp.word = proxied ? 32w0x40000000 : 32w0x60000000;
                hdr.ethernet.dst = hdr.ethernet.src;
                hdr.ipv6.dst = meta.src;
                if (meta.src == 0) {
                    hdr.icmp.word = hdr.icmp.word & 0x20000000;
                    hdr.ethernet.dst = 0x333300000001;
                    hdr.ipv6.dst = ALL_NODES;
                }
                hdr.ethernet.src = answer_mac;
                hdr.ipv6.src = asked;
                hdr.ipv6.class = 0;
                hdr.ipv6.flow = 0;
                hdr.ipv6.payload_len = 32;
                hdr.nd_mac.setValid();
                hdr.nd_mac.type = 2;
                hdr.nd_mac.len = 1;
                hdr.nd_mac.mac = answer_mac;
                meta.cut = 14 + 40 + 32;
                meta.advert = true;
                if (proxied) {
                    COUNT(nd_proxied);
                } else {
                    COUNT(nd_answered);
                }
                send_to(own_port);
            }
        }
        asks = hdr.icmp.isValid() && (hdr.icmp.type == 8 && hdr.ipv4.isValid() ||
                                      hdr.icmp.type == 128 && hdr.ipv6.isValid());
        if (meta.way == way_t.FORWARD &&
            (meta.kind == kind_t.ICMP || meta.kind == kind_t.ERROR) &&
            (IS_OWN(meta.dst) || IS_VIP(meta.dst))) {
            if (!asks || standard_metadata.checksum_error == 1 || meta.l4_len < 8) {
                DROP(to_switch);
            } else { /* the sum stays, but for the type and the time to live */
                meta.delta = CHANGE16(hdr.icmp.type ++ hdr.icmp.code, hdr.icmp.code);
                if (hdr.ipv4.isValid()) {
                    hdr.icmp.type = 0;
                    meta.ip_delta = CHANGE16(hdr.ipv4.ttl ++ hdr.ipv4.protocol,
                                             8w64 ++ hdr.ipv4.protocol);
                    hdr.ipv4.ttl = 64;
                    hdr.ipv4.dst = hdr.ipv4.src;
                    hdr.ipv4.src = meta.dst[31:0];
                } else {
                    meta.delta = CHANGE16(hdr.icmp.type ++ hdr.icmp.code, 8w129 ++ hdr.icmp.code);
                    hdr.icmp.type = 129;
                    hdr.ipv6.hop_limit = 64;
                    hdr.ipv6.dst = meta.src;
                    hdr.ipv6.src = meta.dst;
                }
                hdr.ethernet.dst = hdr.ethernet.src;
                hdr.ethernet.src = own_mac;
                COUNT(echo_answered);
                send_to(own_port);
            }
        }

        if (meta.way == way_t.FORWARD && hdr.ethernet.dst == own_mac) {
            /* The switch routes, for frames that were put back, to servers only. */
            if ((meta.kind == kind_t.TCP || meta.kind == kind_t.UDP) && dst_server != NOBODY) {
                route_place_table.apply();
                hdr.ethernet.dst = route_place_mac;
                COUNT(routed);
                send_to(route_place_port);
            } else {
                DROP(to_switch);
            }
        }
        if (meta.way == way_t.FORWARD) {
            dst_mac_server_table.apply();
            meta.way = way_t.FLOOD;
            if (hdr.ethernet.dst[40:40] == 1) {
                /* to all */
            } else if (dst_mac_server != NOBODY) {
                dst_mac_place_table.apply();
                send_to(dst_mac_place_port);
            } else {
                hash(station, HashAlgorithm.crc32, 32w0, { hdr.ethernet.dst },
                     (bit<32>)CAPY_STATIONS);
                station_place.read(place, station);
                station_heard.read(heard, station);
                if (place[47:0] == hdr.ethernet.dst && meta.now < heard + STATION_AGE)
                    send_to(place[63:48]);
            }
            if (meta.way == way_t.FLOOD) {
                COUNT(flooded);
            } else if (meta.port == own_port) {
                DROP(same_port);
            } else {
                COUNT(forwarded);
            }
        }

        if (meta.way == way_t.DROP) {
            mark_to_drop(standard_metadata);
        } else if (meta.way == way_t.FLOOD || (meta.to_peer && meta.to_sender)) {
            standard_metadata.mcast_grp = GROUP_FLOOD; /* egress drops what it should not be */
        } else {
            if (meta.way == way_t.MESSAGE)
                meta.port = meta.to_peer ? meta.peer.port : meta.sender.port;
            standard_metadata.egress_spec = (bit<9>)meta.port;
        }
        if (meta.way == way_t.PORT || meta.way == way_t.FLOOD) {
            seal.apply(hdr, meta);
        }
