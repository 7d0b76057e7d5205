/* A TCP segment of a server, from its own port (switch/core/flows.h, capy_flow_from_server): the present
 * owner speaks for home, everybody else of that flow is fenced. Included inside the ingress control. */

        asker = src_server;
        if (meta.way == way_t.FORWARD && meta.kind == kind_t.TCP && IS_VIP(meta.src)) {
            DROP(ip_spoofed); /* nobody but we speaks for it */
        }
        if (meta.way == way_t.FORWARD && meta.kind == kind_t.TCP && from_server_port &&
            src_server != NOBODY) {
            sender = src_server;
            segment_place_table.apply();
            if (segment_place_port != own_port) {
                /* From another's port only one server's segment to another may come, relayed or put
                 * back by a third. */
                if (dst_server == NOBODY) {
                    DROP(ip_spoofed);
                }
                sender = NOBODY;
            }
        }
        if (meta.way == way_t.FORWARD && meta.kind == kind_t.TCP && sender != NOBODY) {
            client = meta.dst;
            client_port = meta.dst_port;
            is_opened = IS_OPENED(meta.src_port);
            begin_flow_hash(is_opened ? meta.src_port : 16w0);
            sip_server.apply(sip, hash_value);
            load_both();
            may0 = false;
            may1 = false;
            fence0 = false;
            fence1 = false;
            /* What the sender would be as a home: itself, or the service address. */
            home = sender;
            home_port = meta.src_port;
            born = IS_BIRTH(meta.src_port);
            if (born) {
                born_index = meta.src_port - VIP_FIRST;
                born_service_table.apply();
                home = VIP;
                home_port = born_service;
            }
            speaks = false;
            bad = false;
            if (e0.phase != PHASE_NONE && e0.client == client && e0.client_port == client_port) {
                watch(e0, w);
                was_epoch = e0.epoch;
                refresh0.apply(e0, w, meta.now >= e0.pending_at + PENDING_MAX);
                if (e0.epoch != was_epoch) {
                    COUNT(entries_given_back);
                }
                store_entry(at0, e0);
                may0 = (e0.flags & DEAD) == 0 && MAY_SEND(e0, sender, meta.src_port);
                fence0 = (e0.owner == sender && e0.owner_port == meta.src_port) ||
                         (e0.previous == sender && e0.previous_port == meta.src_port) ||
                         (e0.home == home && e0.home_port == home_port);
            }
            if (!may0 && levels_are_two == 1 && e1.phase != PHASE_NONE && e1.client == client &&
                e1.client_port == client_port) {
                watch(e1, w);
                was_epoch = e1.epoch;
                refresh1.apply(e1, w, meta.now >= e1.pending_at + PENDING_MAX);
                if (e1.epoch != was_epoch) {
                    COUNT(entries_given_back);
                }
                store_entry(at1, e1);
                may1 = (e1.flags & DEAD) == 0 && MAY_SEND(e1, sender, meta.src_port);
                fence1 = (e1.owner == sender && e1.owner_port == meta.src_port) ||
                         (e1.previous == sender && e1.previous_port == meta.src_port) ||
                         (e1.home == home && e1.home_port == home_port);
            }
            /* One that it may send for, else one that fences it: a port which one flow left may serve
             * another of the same client by now. */
            at = at0;
            e = e0;
            if (may1 || (!may0 && fence1)) {
                at = at1;
                e = e1;
            }
            if (may0 || may1) {
                note_owner.apply(e, hdr.tcp.flags, meta.data_len > 0, meta.now);
                store_entry(at, e);
                home = e.home;
                home_port = e.home_port;
                speaks = true;
            } else if (fence0 || fence1) {
                /* Home resets what died elsewhere. */
                if ((e.flags & DEAD) == 0 || e.home != home || e.home_port != home_port) {
                    DROP(fenced);
                } else {
                    bad = born;
                    /* It opens a connection under the name of the one that died. */
                    if (is_opened && (hdr.tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN) {
                        e.phase = PHASE_NONE;
                        store_entry(at, e);
                        COUNT(entries_removed);
                    }
                }
            } else {
                /* A port under which this server runs only what came to it: without an entry nobody
                 * may hear of it, for the peer would reset what it does not know. */
                bad = born || (meta.src_port >= mig_port_first && meta.src_port <= mig_port_last);
                if (is_opened) {
                    divide.apply((bit<32>)meta.src_port, (bit<32>)server_cnt, quotient, remainder);
                    bad = remainder != (bit<32>)sender;
                }
                /* While the switch learns, the name may be a connection's that lives elsewhere: nothing is
                 * opened under it, and nobody denies that there is one. */
                if (learning &&
                    ((is_opened && (hdr.tcp.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) ||
                     (hdr.tcp.flags & (TCP_RST | TCP_ACK)) == TCP_RST))
                    bad = true;
            }
            /* A connection of the service address that is over is reset by whoever was asked about it. */
            if (bad && born && (hdr.tcp.flags & TCP_RST) != 0 && !learning) {
                speaks = true;
            } else if (bad) {
                DROP(unowned);
            }
            if (speaks) {
                home_place_table.apply();
                address = home_place_ip4;
                if (meta.family == FAMILY_V6)
                    address = home_place_ip6;
                rewrite_source.apply(hdr, meta, address, home_port);
                hdr.ethernet.src = home_place_mac;
                COUNT(rewritten_from_owner);
                asker = home;
            }
        }
        to_vip = meta.way == way_t.FORWARD && meta.kind == kind_t.TCP && IS_VIP(meta.dst);
        named_home = IS_VIP(meta.dst) ? VIP : dst_server;
        if (meta.way == way_t.FORWARD && meta.kind == kind_t.TCP && named_home != NOBODY) {
            look = true; /* is its destination still there? */
            client = meta.src;
            client_port = meta.src_port;
            home = named_home;
            home_port = meta.dst_port;
        }
        if (meta.way == way_t.FORWARD && meta.kind == kind_t.ERROR && named_home != NOBODY) {
            /* It comes to whom it says it was from. */
            address = IP4_MAPPED ++ hdr.quote4.src;
            client = IP4_MAPPED ++ hdr.quote4.dst;
            if (hdr.quote6.isValid()) {
                address = hdr.quote6.src;
                client = hdr.quote6.dst;
            }
            look = address == meta.dst;
            client_port = hdr.quote_ports.dst;
            home = named_home;
            home_port = hdr.quote_ports.src;
        }
