/* TCPMig is for the switch alone, from servers alone (switch/core/input.h, arbiter.h): which messages it
 * listens to. Included inside the ingress control. What the payload's hash says of more than a HEARTBEAT
 * is for the end hosts to check. */

        if (meta.way == way_t.FORWARD && meta.kind == kind_t.UDP) {
            to_us = IS_OWN(meta.dst);
            if (meta.dst_port != CAPY_TCPMIG_PORT) {
                if (to_us) {
                    DROP(to_switch);
                }
            } else if (!to_us && dst_server == NOBODY) {
                /* somebody else's traffic with the same port number */
            } else if (!from_server_port) {
                DROP(mig_client_port);
            } else if (!to_us) {
                DROP(mig_bypass);
            } else {
                message = true;
            }
        }
        if (message) {
            sender = src_server;
            sender_place_table.apply();
            if (sender == NOBODY || sender_place_port != own_port || meta.src != sender_place_ip) {
                DROP(mig_sender);
                message = false;
            } else if (hdr.mig.isValid() && meta.data_len >= 96 && hdr.mig.version != MIG_VERSION) {
                DROP(mig_version);
                message = false;
            } else if (!hdr.mig.isValid() || meta.data_len < 96 || hdr.mig.type == 0 ||
                       hdr.mig.type > FLOW_CLOSED || hdr.mig.len != meta.data_len - 96 ||
                       (bit<33>)hdr.mig.offset + (bit<33>)hdr.mig.len > (bit<33>)hdr.mig.total) {
                DROP(mig_malformed);
                message = false;
            }
        }
        if (message) {
            begin_tag();
            sip_tag.apply(sip, hash_value);
            if (hdr.mig.tag != hash_value) {
                DROP(mig_tag);
                message = false;
            }
        }
        if (message && (hdr.mig.len == 0 || hdr.beat.isValid())) {
            hash_value = 0;
            if (hdr.beat.isValid()) {
                begin_sip(rack_k0, rack_k1);
                sip.words = 4;
                part = hdr.beat.load ++ hdr.beat.free;
                sip.w0 = LE64(part);
                part = hdr.beat.draining ++ hdr.beat.conns;
                sip.w1 = LE64(part);
                sip.w2 = LE64(hdr.beat.incarnation);
                sip.w3 = LE64(hdr.beat.switch_boot);
                sip.last = 8w32 ++ 56w0;
                sip_payload.apply(sip, hash_value);
            }
            if (hdr.mig.payload_hash != hash_value) {
                DROP(mig_hash);
                message = false;
            }
        }

        /* Whom it says it is from, and the peer it is for. */
        if (message) {
            flow_home = hdr.mig.home;
            home_server_table.apply();
            home = home_server;
            flow_family = hdr.mig.home[127:32] == IP4_MAPPED ? FAMILY_V4 : FAMILY_V6;
            named = hdr.mig.origin;
            bad = false;
            if (hdr.mig.type == PREPARE_MIG_ACK || hdr.mig.type == CONN_STATE_ACK ||
                hdr.mig.type == NACK) {
                peer = hdr.mig.origin;
                named = hdr.mig.target;
            } else if (hdr.mig.type == CONN_STATE) {
                peer = hdr.mig.target;
            } else if (hdr.mig.type == FLOW_CLOSED && home != sender && home != VIP) {
                peer = home;
            } else if (hdr.mig.type == PREPARE_MIG) {
                bad = hdr.mig.target != NOBODY && hdr.mig.target >= server_cnt;
            } else if (hdr.mig.type == HEARTBEAT_ACK) {
                bad = true;
            }
            bad = bad || named != sender || peer == sender ||
                  (peer != NOBODY && peer >= server_cnt) ||
                  (peer == NOBODY &&
                   (hdr.mig.type == CONN_STATE || hdr.mig.type == CONN_STATE_ACK ||
                    hdr.mig.type == PREPARE_MIG_ACK));
            /* The flow is of one IP version, and both servers can have it. */
            if (!bad && hdr.mig.type != HEARTBEAT) {
                server_families.read(sender_families, (bit<32>)sender);
                families = flow_family;
                if (peer != NOBODY)
                    server_families.read(families, (bit<32>)peer);
                bad = home == NOBODY || (sender_families & flow_family) == 0 ||
                      (families & flow_family) == 0 ||
                      (hdr.mig.client[127:32] == IP4_MAPPED) != (flow_family == FAMILY_V4);
            }
            /* The port that it states is one that the sender may run the flow under. */
            if (!bad && (hdr.mig.type == PREPARE_MIG_ACK || hdr.mig.type == ANNOUNCE ||
                         (hdr.mig.type == CANCEL && hdr.mig.target_port != 0))) {
                if (IS_OPENED(hdr.mig.home_port) || home == sender)
                    bad = hdr.mig.target_port != hdr.mig.home_port;
                else if (IS_BIRTH(hdr.mig.target_port)) { /* of this service of the VIP alone */
                    mig_service_table.apply();
                    bad = home != VIP || hdr.mig.target_port != VIP_FIRST + mig_service;
                } else
                    bad = hdr.mig.target_port < mig_port_first ||
                          hdr.mig.target_port > mig_port_last;
            }
            if (bad) {
                DROP(mig_field);
                message = false;
            } else if (hdr.mig.type == HEARTBEAT && !hdr.beat.isValid()) {
                DROP(mig_malformed);
                message = false;
            } else if (hdr.mig.type != HEARTBEAT) {
                look = true;
                naming = hdr.mig.type == NACK && hdr.mig.epoch == 0;
                waits = learning && !naming &&
                        (hdr.mig.type <= CONN_STATE || hdr.mig.type == CANCEL ||
                         (hdr.mig.type == NACK && hdr.mig.reason != REASON_UNKNOWN_FLOW));
                client = hdr.mig.client;
                client_port = hdr.mig.client_port;
                home_port = hdr.mig.home_port;
            }
        }
