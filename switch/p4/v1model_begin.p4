/* A frame's way in (switch/core/input.h): what is it, may it come from there, and where is its sender?
 * Included inside the ingress control's apply; the next pieces act on meta.way == FORWARD alone. */

        meta.way = way_t.FORWARD;
        begin_entry(e);
        begin_entry(e0);
        begin_entry(e1);
#ifdef CAPY_CLOCK_IN_FRAME
        meta.now = hdr.clock.now[47:0];
        meta.frame_len = standard_metadata.packet_length - 8;
        meta.marker = hdr.clock.now == 64w0xffffffffffffffff;
        hdr.clock.setInvalid();
        if (meta.marker) {
            standard_metadata.mcast_grp = GROUP_ALL;
            exit;
        }
#else
        meta.now = standard_metadata.ingress_global_timestamp;
        meta.frame_len = standard_metadata.packet_length;
#endif
        own_port = (bit<16>)standard_metadata.ingress_port;
        if (!configured) {
            mark_to_drop(standard_metadata);
            exit;
        }
        booted.read(heard, 0);
        if (heard == 0) {
            heard = meta.now == 0 ? 1 : meta.now;
            booted.write(0, heard);
        }
        learn_until = heard + learn;
        learning = meta.now < learn_until;
        classify.apply(hdr, meta);

        if (meta.kind == kind_t.SWEEP && own_port != CAPY_CONTROL_PORT)
            meta.kind = kind_t.OTHER;
        if (own_port == CAPY_CONTROL_PORT) {
            drop(); /* and a sweep leaves nothing but what it did */
        } else {
            COUNT(frames_in);
            if (!port_exists || meta.frame_len > FRAME_MAX) {
                DROP(bad_port);
            } else if (meta.kind == kind_t.MIXED) {
                DROP(mixed_ip);
            }
        }
        if (meta.way == way_t.FORWARD) {
            src_mac_server_table.apply();
            if (src_mac_server != NOBODY) {
                mac_place_table.apply();
            }
            if (hdr.ethernet.src == own_mac ||
                (src_mac_server != NOBODY && mac_place_port != own_port)) {
                DROP(mac_spoofed); /* it claims to be a server, or us, and is elsewhere */
            } else if (src_mac_server == NOBODY && hdr.ethernet.src[40:40] == 0) {
                hash(station, HashAlgorithm.crc32, 32w0, { hdr.ethernet.src },
                     (bit<32>)CAPY_STATIONS);
                station_place.write(station, own_port ++ hdr.ethernet.src);
                station_heard.write(station, meta.now);
            }
            src_server_table.apply();
            dst_server_table.apply();
        }
