/* A message leaves: with the switch's part filled in, signed anew when the switch changed what the tag covers;
 * or as the answer to a HEARTBEAT. Included inside the ingress control. */

        if (message && hdr.mig.type != HEARTBEAT) {
            if (!rule.pass && !rule.bounce) {
                DROP(mig_refused);
                message = false;
            } else {
                if (rule.verdict == VERDICT_OK) {
                    COUNT(verdict_ok);
                } else if (rule.verdict == VERDICT_NO_TARGET) {
                    COUNT(verdict_no_target);
                } else if (rule.verdict == VERDICT_FULL) {
                    COUNT(verdict_full);
                    COUNT(directory_full);
                } else if (rule.verdict == VERDICT_STALE) {
                    COUNT(verdict_stale);
                } else if (rule.verdict == VERDICT_SETTLED) {
                    COUNT(verdict_settled);
                } else if (rule.verdict == VERDICT_LEARNING) {
                    COUNT(verdict_learning);
                }
                if (rule.pass) {
                    COUNT(mig_passed);
                }
                if (rule.bounce) {
                    COUNT(mig_bounced);
                }
                incarnation = hdr.mig.verdict ++ hdr.mig.phase ++ hdr.mig.owner ++
                              hdr.mig.entry_epoch;
                part = rule.verdict ++ part[55:0];
                meta.delta = meta.delta + CHANGE64(incarnation, part);
                hdr.mig.verdict = part[63:56];
                hdr.mig.phase = part[55:48];
                hdr.mig.owner = part[47:32];
                hdr.mig.entry_epoch = part[31:0];
                meta.way = way_t.MESSAGE;
                meta.to_peer = rule.pass;
                meta.to_sender = rule.bounce;
                meta.sender.mac = sender_place_mac;
                meta.sender.ip = sender_place_ip;
                meta.sender.port = sender_place_port;
                meta.own_mac = own_mac;
                meta.own_ip = own_ip;
                if (rule.pass) {
                    peer_place_table.apply();
                    meta.peer.mac = peer_place_mac;
                    meta.peer.ip = peer_place_ip;
                    meta.peer.port = peer_place_port;
                }
            }
        } else if (message) {
            load = 0xffffffff; /* nobody takes anything */
            if (chosen != NOBODY)
                server_load.read(load, (bit<32>)chosen);
            hdr.beat.setInvalid();
            hdr.beat_ack.setValid();
            hdr.beat_ack.switch_boot = boot_id;
            hdr.beat_ack.learning = learning ? 32w1 : 32w0;
            hdr.beat_ack.min_load = load;
            begin_sip(rack_k0, rack_k1);
            sip.words = 2;
            sip.w0 = LE64(boot_id);
            part = hdr.beat_ack.learning ++ hdr.beat_ack.min_load;
            sip.w1 = LE64(part);
            sip.last = 8w16 ++ 56w0;
            sip_answer.apply(sip, hash_value);
            hdr.mig.type = HEARTBEAT_ACK;
            hdr.mig.reason = 0;
            hdr.mig.flags = 0;
            hdr.mig.origin = sender;
            hdr.mig.target = NOBODY;
            hdr.mig.epoch = 0;
            hdr.mig.total = (bit<32>)BEAT_ACK_LEN;
            hdr.mig.offset = 0;
            hdr.mig.len = BEAT_ACK_LEN;
            hdr.mig.target_port = 0;
            hdr.mig.client = 0;
            hdr.mig.home = 0;
            hdr.mig.client_port = 0;
            hdr.mig.home_port = 0;
            hdr.mig.zero = 0;
            hdr.mig.payload_hash = hash_value;
            hdr.mig.verdict = 0;
            hdr.mig.phase = 0;
            hdr.mig.owner = 0;
            hdr.mig.entry_epoch = 0;
            signing = true;

            hdr.ethernet.dst = sender_place_mac;
            hdr.ethernet.src = own_mac;
            hdr.udp.src = CAPY_TCPMIG_PORT;
            hdr.udp.dst = CAPY_TCPMIG_PORT;
            hdr.udp.len = 8 + 96 + BEAT_ACK_LEN;
            meta.cut = 14 + 40 + 8 + 96 + BEAT_ACK_LEN;
            if (hdr.ipv4.isValid()) {
                hdr.ipv4_options.setInvalid();
                hdr.ipv4.ihl = 5;
                hdr.ipv4.tos = 0;
                hdr.ipv4.total_len = 20 + 8 + 96 + BEAT_ACK_LEN;
                hdr.ipv4.id = 0;
                hdr.ipv4.fragment = 0x4000;
                hdr.ipv4.ttl = 64;
                hdr.ipv4.src = own_ip[31:0];
                hdr.ipv4.dst = sender_place_ip[31:0];
                meta.cut = 14 + 20 + 8 + 96 + BEAT_ACK_LEN;
            } else {
#define NO_EXTENSION(n) hdr.extension##n.setInvalid(); hdr.extension##n##_rest.setInvalid();
                NO_EXTENSION(0)
                NO_EXTENSION(1)
                NO_EXTENSION(2)
                NO_EXTENSION(3)
                NO_EXTENSION(4)
                NO_EXTENSION(5)
                NO_EXTENSION(6)
                NO_EXTENSION(7)
                hdr.ipv6.class = 0;
                hdr.ipv6.flow = 0;
                hdr.ipv6.payload_len = 8 + 96 + BEAT_ACK_LEN;
                hdr.ipv6.next = PROTO_UDP;
                hdr.ipv6.hop_limit = 64;
                hdr.ipv6.src = own_ip;
                hdr.ipv6.dst = sender_place_ip;
            }
            meta.fresh = true;
            send_to(sender_place_port);
        }
        if (message && signing) {
            begin_tag();
            sip_sign.apply(sip, hash_value);
            meta.delta = meta.delta + CHANGE64(hdr.mig.tag, hash_value);
            hdr.mig.tag = hash_value;
        }
