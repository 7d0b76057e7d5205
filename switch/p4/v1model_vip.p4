/* A segment to the service address that no live entry has (switch/core/vip.h): a SYN makes one, of a server
 * that the switch chooses, where the connection is born at a port of its own; what belongs to no connection
 * goes to one that resets it. Included inside the ingress control. */

        begins = (hdr.tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
        if (meta.way == way_t.FORWARD && to_vip && to == NOBODY) {
            dst_service_table.apply();
            if (dst_service == VIP_PORTS) {
                DROP(to_switch);
            } else if (!begins && ((hdr.tcp.flags & TCP_RST) != 0 || learning)) {
                /* Its owner may be about to announce it; and a RST is answered by nobody. */
                DROP(vip_unknown);
            }
        }
        if (meta.way == way_t.FORWARD && to_vip && to == NOBODY) {
            chosen = NOBODY;
            if (vip_by_table == 1) { /* the same server for the same client and port, as long as it is there */
                begin_sip(rack_k0, rack_k1);
                sip.words = 2;
                sip.w0 = LE64(client[127:64]);
                sip.w1 = LE64(client[63:0]);
                sip.last = 8w20 ++ 24w0 ++ home_port[7:0] ++ home_port[15:8] ++ client_port[7:0] ++
                           client_port[15:8];
                sip_vip.apply(sip, hash_value);
#define TRY_BUCKET \
                if (chosen == NOBODY) { \
                    hash(slot, HashAlgorithm.identity, 32w0, { hash_value[31:0] }, \
                         (bit<32>)CAPY_MAGLEV_SLOTS); \
                    maglev.read(bucket, slot); \
                    if (bucket < CAPY_SERVERS) { \
                        slot = (bit<32>)bucket; \
                        server_heard.read(heard, slot); \
                        server_free.read(free, slot); \
                        server_takes.read(takes, slot); \
                        if ((bit<16>)bucket != asker && (takes & meta.family) != 0 && free != 0 && \
                            heard != 0 && meta.now < heard + lease) \
                            chosen = (bit<16>)bucket; \
                    } \
                    hash_value = hash_value >> 16; \
                }
                TRY_BUCKET
                TRY_BUCKET
                TRY_BUCKET
                TRY_BUCKET
            }
            if (chosen == NOBODY) {
                CHOOSE(asker, meta.family)
                if (chosen != NOBODY) {
                    CHARGE(chosen, chosen)
                }
            }
            if (chosen == NOBODY) {
                DROP(vip_no_server);
            } else if (!begins) {
                to = chosen;
                COUNT(vip_to_reset);
            } else {
                if (!room) {
                    GIVE_WAY
                }
                if (!room) {
                    DROP(vip_full);
                } else {
                    begin_entry(e);
                    e.client = client;
                    e.client_port = client_port;
                    e.home = VIP;
                    e.home_port = home_port;
                    e.epoch = 1;
                    e.phase = SETTLED;
                    e.flags = HALF;
                    e.owner = chosen;
                    e.owner_port = VIP_FIRST + dst_service;
                    server_gen.read(e.owner_gen, (bit<32>)chosen);
                    e.previous = e.owner;
                    e.previous_port = e.owner_port;
                    e.previous_gen = e.owner_gen;
                    e.touched_at = meta.now;
                    found = true;
                    to = chosen;
                    COUNT(vip_assigned);
                }
            }
            local_port = VIP_FIRST + dst_service;
        }
