/* Ingress on a Tofino: who sent it, the directory, and where it goes. The first pass reads, a message's second
 * writes (tna_types.p4). */
#ifndef CAPY_P4_TNA_INGRESS
#define CAPY_P4_TNA_INGRESS

const bit<16> GROUP_FLOOD = 1; /* all ports; made by the control program */

/* A stripe of 256 slots of each level has one lock, as in switch/core/directory.h: a message holds it from
 * its first pass to its second. One that finds it taken is dropped, and repeated by its sender; a holder
 * that never came back is forgotten after 16 units, a millisecond. */
const bit<32> LOCK_MAX = 16;

control CapyIngress(inout headers_t hdr, inout meta_t meta,
                    in ingress_intrinsic_metadata_t intrinsic,
                    in ingress_intrinsic_metadata_from_parser_t from_parser,
                    inout ingress_intrinsic_metadata_for_deparser_t for_deparser,
                    inout ingress_intrinsic_metadata_for_tm_t for_tm) {
    /* ---- what the control program tells ---- */

    bool configured = false;
    bool learning = false;
    bit<48> own_mac = 0;
    bit<32> own_ip = 0;
    bit<9> cpu_port = 0;

    action configure(bit<48> mac, bit<32> ip, bit<9> cpu, bool learns) {
        configured = true;
        own_mac = mac;
        own_ip = ip;
        cpu_port = cpu;
        learning = learns; /* for a while after the boot: the control program ends it */
    }

    table rack {
        actions = { configure; NoAction; }
        default_action = NoAction();
        size = 1;
    }

    bool from_server_port = false;
    bool from_control_port = false;

    action is_client_port() {
    }

    action is_server_port() {
        from_server_port = true;
    }

    action is_control_port() {
        from_control_port = true;
    }

    action is_no_port() {
        for_deparser.drop_ctl = 1;
    }

    table ports {
        key = { intrinsic.ingress_port: exact; }
        actions = { is_client_port; is_server_port; is_control_port; is_no_port; }
        default_action = is_no_port();
        size = 128;
    }

#define SERVER_TABLE(name, address) \
    bit<16> name = NOBODY; \
    action set_##name(bit<16> id) { \
        name = id; \
    } \
    table name##_table { \
        key = { address: exact; } \
        actions = { set_##name; NoAction; } \
        default_action = NoAction(); \
        size = 64; \
    }

    SERVER_TABLE(src_server, hdr.ipv4.src)
    SERVER_TABLE(dst_server, hdr.ipv4.dst)
    SERVER_TABLE(home_server, hdr.mig.home)

    /* gen, alive, dead (silent for 8 leases) and gone (for 16): the control program hears the HEARTBEATs, and
     * keeps them here. */
#define PLACE_TABLE(name, id) \
    bit<48> name##_mac = 0; \
    bit<32> name##_ip = 0; \
    bit<9> name##_port = 0; \
    bit<16> name##_gen = 0; \
    bit<1> name##_alive = 0; \
    bit<1> name##_dead = 0; \
    bit<1> name##_gone = 0; \
    action set_##name(bit<48> mac, bit<32> ip, bit<9> port, bit<16> gen, bit<1> alive, bit<1> dead, \
                      bit<1> gone) { \
        name##_mac = mac; \
        name##_ip = ip; \
        name##_port = port; \
        name##_gen = gen; \
        name##_alive = alive; \
        name##_dead = dead; \
        name##_gone = gone; \
    } \
    table name##_table { \
        key = { id: exact; } \
        actions = { set_##name; NoAction; } \
        default_action = NoAction(); \
        size = 64; \
    }

    bit<16> sender = NOBODY;
    bit<16> peer = NOBODY;
    bit<16> to = NOBODY; /* owner, or home, of a segment's flow */
    PLACE_TABLE(sender_place, sender)
    PLACE_TABLE(peer_place, peer)
    PLACE_TABLE(to_place, to)

    /* Local ports under which only a server that has the flow may speak: of the migration range, and those
     * of connections that another server opened. */
    bool arrivals_only = false;

    action only_arrivals() {
        arrivals_only = true;
    }

    table port_shares {
        key = {
            hdr.tcp.src: ternary;
            sender: ternary;
        }
        actions = { only_arrivals; NoAction; }
        default_action = NoAction();
        size = 128;
    }

    bit<32> client = 0; /* the flow, as both its directions show it */
    bit<16> client_port = 0;
    bit<16> local_port = 0;
    bit<16> opened_port = 0; /* a local port that both directions of a flow show */

    action keeps_port(bit<16> port) {
        opened_port = port;
    }

    table opened_ports {
        key = { local_port: exact; }
        actions = { keeps_port; NoAction; }
        default_action = NoAction();
        size = 4096;
    }

    /* ---- L2: places are learned by the control program from digests ---- */

    action forward_to(bit<9> port) {
        for_tm.ucast_egress_port = port;
    }

    action flood() {
        for_tm.mcast_grp_a = GROUP_FLOOD;
    }

    table stations {
        key = { hdr.ethernet.dst: exact; }
        actions = { forward_to; flood; }
        default_action = flood();
        size = 16384;
        idle_timeout = true;
    }

    action known() {
    }

    action unknown() {
        for_deparser.digest_type = 1;
    }

    table known_stations { /* and where; a server's MAC from elsewhere is not known, and dropped */
        key = {
            hdr.ethernet.src: exact;
            intrinsic.ingress_port: exact;
        }
        actions = { known; unknown; }
        default_action = unknown();
        size = 16384;
    }

    /* ---- the directory ---- */

    Hash<bit<16>>(HashAlgorithm_t.CRC16) hash0;
    CRCPolynomial<bit<16>>(0x8bb7, false, false, false, 0, 0) second; /* CRC-16/T10-DIF */
    Hash<bit<16>>(HashAlgorithm_t.CUSTOM, second) hash1;
    bit<16> slot0;
    bit<16> slot1;
    bit<32> who;   /* of the level that counts, as in name_t */
    bit<32> local;
    bit<16> home_port;
    bool use1;
    bool steered = false;
    bool begins_anew = false;
    name_t name0;
    name_t name1;
    words_t w;
    Name() names0;
    Name() names1;
    Words() words0;
    Words() words1;

    Register<bit<32>, bit<8>>(256, 0) locks;
    bit<32> deadline;
    RegisterAction<bit<32>, bit<8>, bit<32>>(locks) take_lock = {
        void apply(inout bit<32> value, out bit<32> result) {
            result = value;
            if (value < deadline)
                value = hdr.again.now;
        }
    };
    RegisterAction<bit<32>, bit<8>, bit<32>>(locks) free_lock = {
        void apply(inout bit<32> value, out bit<32> result) {
            result = value;
            value = 0;
        }
    };

    Counter<bit<64>, bit<8>>(256, CounterType_t.PACKETS) counts; /* by reason, one for a frame */
    bit<8> reason = 0;
    const bit<8> WHY_FORWARDED = 1;
    const bit<8> WHY_TO_OWNER = 4;
    const bit<8> WHY_FROM_OWNER = 5;
    const bit<8> WHY_TOMBSTONE = 7;
    const bit<8> WHY_FENCED = 43;
    const bit<8> WHY_UNOWNED = 44;
    const bit<8> WHY_SPOOFED = 40;
    const bit<8> WHY_CLIENT_PORT = 48;
    const bit<8> WHY_BYPASS = 49;
    const bit<8> WHY_SENDER = 50;
    const bit<8> WHY_FIELD = 53;
    const bit<8> WHY_BUSY = 64; /* another message about a flow of the stripe is under way */
    const bit<8> WHY_PASSED = 65;

    action drop(bit<8> why) {
        for_deparser.drop_ctl = 1;
        reason = why;
    }

    action begin_again() {
        hdr.again.setValid();
        hdr.again.pass = PASS_PLAIN;
        hdr.again.marks = 0;
        hdr.again.verdict = VERDICT_NONE;
    }

    /* What the second pass writes. */
    action write_name(out name_t n) {
        n.write = true;
        n.client = client;
        n.ports = client_port ++ local_port;
        n.who = hdr.again.home[7:0] ++ hdr.again.owner[7:0] ++ hdr.again.previous[7:0] ++
                hdr.again.phase;
        n.local = hdr.again.owner_port ++ hdr.again.previous_port;
    }

    action write_words() {
        w.write = true;
        w.epoch = hdr.again.epoch;
        w.gens = hdr.again.owner_gen ++ hdr.again.previous_gen;
        w.mig_high = hdr.again.mig_high;
        w.mig_low = hdr.again.mig_low;
        w.flags = hdr.again.flags;
    }

    action read_name(out name_t n) {
        n.write = false;
        n.client = 0;
        n.ports = 0;
        n.who = 0;
        n.local = 0;
    }

    action read_words() {
        w.write = false;
        w.epoch = 0;
        w.gens = 0;
        w.mig_high = 0;
        w.mig_low = 0;
        w.flags = 0;
    }

    /* A message takes what was read along, to be decided in egress. */
    action carry() {
        hdr.again.phase = who[7:0];
        hdr.again.flags = w.flags;
        hdr.again.owner = (bit<16>)who[23:16];
        hdr.again.previous = (bit<16>)who[15:8];
        hdr.again.owner_port = local[31:16];
        hdr.again.previous_port = local[15:0];
        hdr.again.owner_gen = w.gens[31:16];
        hdr.again.previous_gen = w.gens[15:0];
        hdr.again.epoch = w.epoch;
        hdr.again.mig_high = w.mig_high;
        hdr.again.mig_low = w.mig_low;
    }

    action to_owner(bit<16> port) {
        hdr.ipv4.dst = to_place_ip;
        hdr.tcp.dst = port;
        hdr.ethernet.dst = to_place_mac;
        for_tm.ucast_egress_port = to_place_port;
    }

    action from_owner(bit<16> port) {
        hdr.ipv4.src = to_place_ip;
        hdr.tcp.src = port;
        hdr.ethernet.src = to_place_mac;
    }

    bool message = false;
    bool by_server = false; /* a segment of a server, from its own port */
    bool lookup = false;
    bool hit0 = false;
    bool hit1 = false;
    bool may0 = false;
    bool may1 = false;
    bool fence = false;
    bit<8> mark = 0;
    bit<32> locked = 0;

#define MAY_SEND(n) \
    ((n.who[7:0] == PENDING && n.who[15:8] == sender[7:0] && n.local[15:0] == hdr.tcp.src) || \
     (n.who[7:0] == SETTLED && n.who[23:16] == sender[7:0] && n.local[31:16] == hdr.tcp.src))
#define IS_HOLDER(n) \
    ((n.who[23:16] == sender[7:0] && n.local[31:16] == hdr.tcp.src) || \
     (n.who[15:8] == sender[7:0] && n.local[15:0] == hdr.tcp.src) || \
     (n.who[31:24] == sender[7:0] && n.ports[15:0] == hdr.tcp.src))
#define HIT(n) (n.who[7:0] != PHASE_NONE && n.client == client && n.ports[31:16] == client_port)
#define HIT_OF(n, h) (HIT(n) && n.ports[15:0] == local_port && n.who[31:24] == h[7:0])

    apply {
        rack.apply();
        ports.apply();
        if (!hdr.again.isValid()) {
            begin_again();
            hdr.again.now = intrinsic.ingress_mac_tstamp[47:16];
        }
        deadline = hdr.again.now - LOCK_MAX;

        /* ---- who is it from, and what is it? ---- */

        if (hdr.ipv4.isValid()) {
            src_server_table.apply();
            dst_server_table.apply();
        }
        if (hdr.again.pass == PASS_PLAIN && !from_control_port) {
            known_stations.apply();
            if (hdr.tcp.isValid() && from_server_port && src_server != NOBODY) {
                sender = src_server;
                sender_place_table.apply();
                by_server = sender_place_port == intrinsic.ingress_port;
                if (!by_server && dst_server == NOBODY)
                    drop(WHY_SPOOFED);
            } else if (hdr.udp.isValid() && hdr.udp.dst == CAPY_TCPMIG_PORT &&
                       (hdr.ipv4.dst == own_ip || dst_server != NOBODY)) {
                sender = src_server;
                sender_place_table.apply();
                if (!from_server_port)
                    drop(WHY_CLIENT_PORT);
                else if (hdr.ipv4.dst != own_ip)
                    drop(WHY_BYPASS);
                else if (sender == NOBODY || sender_place_port != intrinsic.ingress_port ||
                         sender_place_ip != hdr.ipv4.src || !hdr.mig.isValid())
                    drop(WHY_SENDER);
                else
                    message = true;
            }
        }
        if (message && hdr.mig.type == HEARTBEAT) {
            /* The control program answers it, signed; egress takes the load on its way there. */
            message = false;
            hdr.again.pass = PASS_DECIDE;
            hdr.again.sender = sender;
            for_tm.ucast_egress_port = cpu_port;
        }
        if (message) {
            home_server_table.apply();
            peer = hdr.mig.target; /* of the origin's messages; else it is the origin */
            if (hdr.mig.type == PREPARE_MIG_ACK || hdr.mig.type == CONN_STATE_ACK ||
                hdr.mig.type == NACK)
                peer = hdr.mig.origin;
            else if (hdr.mig.type == FLOW_CLOSED && home_server != sender)
                peer = home_server;
            else if (hdr.mig.type != CONN_STATE)
                peer = NOBODY;
            peer_place_table.apply();
            if (home_server == NOBODY || peer == sender || hdr.mig.type > FLOW_CLOSED) {
                message = false;
                drop(WHY_FIELD);
            }
        }

        /* ---- the flow ---- */

        if (message || hdr.again.pass == PASS_WRITE && hdr.mig.isValid()) {
            client = hdr.mig.client[31:0];
            client_port = hdr.mig.client_port;
            local_port = hdr.mig.home_port;
            lookup = true;
        } else if (by_server) {
            client = hdr.ipv4.dst;
            client_port = hdr.tcp.dst;
            local_port = hdr.tcp.src;
            lookup = true;
        } else if (hdr.tcp.isValid()) {
            client = hdr.ipv4.src;
            client_port = hdr.tcp.src;
            local_port = hdr.tcp.dst;
            lookup = dst_server != NOBODY;
        }
        opened_ports.apply();
        slot0 = hash0.get({ client, client_port, opened_port });
        slot1 = hash1.get({ client, client_port, opened_port });
        slot1[7:0] = slot0[7:0]; /* both are of one stripe */

        if (message) {
            locked = take_lock.execute(slot0[7:0]);
            if (locked >= deadline) { /* somebody's */
                message = false;
                lookup = false;
                drop(WHY_BUSY);
            }
        } else if (hdr.again.pass == PASS_WRITE && hdr.mig.isValid()) {
            free_lock.execute(slot0[7:0]);
        }

        read_name(name0);
        read_name(name1);
        read_words();
        if (hdr.again.pass == PASS_WRITE && (hdr.again.marks & MARK_WRITE) != 0) {
            if (hdr.again.level == 0)
                write_name(name0);
            else
                write_name(name1);
            write_words();
        }
        if (lookup) {
            if (hdr.again.pass != PASS_WRITE || name0.write)
                names0.apply(name0, slot0);
            if (hdr.again.pass != PASS_WRITE || name1.write)
                names1.apply(name1, slot1);
        }

        /* ---- whose is it? ---- */

        if (lookup && hdr.again.pass != PASS_WRITE) {
            if (by_server) {
                hit0 = HIT(name0);
                hit1 = HIT(name1);
                may0 = hit0 && MAY_SEND(name0);
                may1 = hit1 && MAY_SEND(name1) && !may0;
                fence = (hit0 && IS_HOLDER(name0)) || (hit1 && IS_HOLDER(name1));
            } else if (message) {
                hit0 = HIT_OF(name0, home_server);
                hit1 = HIT_OF(name1, home_server);
            } else {
                hit0 = HIT_OF(name0, dst_server);
                hit1 = HIT_OF(name1, dst_server);
            }
        }
        use1 = may1 || (!may0 && !hit0 && hit1);
        if (message && !hit0 && !hit1 && name0.who[7:0] != PHASE_NONE)
            use1 = true; /* the only one that may be free */
        if (hdr.again.pass == PASS_WRITE)
            use1 = hdr.again.level == 1;
        who = name0.who;
        local = name0.local;
        home_port = name0.ports[15:0];
        if (use1) {
            who = name1.who;
            local = name1.local;
            home_port = name1.ports[15:0];
        }
        if (by_server)
            to = (bit<16>)who[31:24];
        else
            to = (bit<16>)who[23:16];
        to_place_table.apply();
        if (by_server && hdr.tcp.isValid()) {
            steered = may0 || may1;
            if (who[7:0] == SETTLED)
                mark = SERVED;
            if ((hdr.tcp.flags & TCP_FIN) != 0)
                mark = mark | FIN_OWNER;
            if ((hdr.tcp.flags & TCP_RST) != 0)
                mark = mark | RST_OWNER;
        } else if (hdr.tcp.isValid()) {
            steered = (hit0 || hit1) && to_place_gone == 0; /* else to home, which resets */
            if ((hdr.tcp.flags & TCP_FIN) != 0)
                mark = FIN_CLIENT;
        }
        if (lookup && (hdr.again.pass != PASS_WRITE || w.write)) {
            if (use1)
                words1.apply(w, slot1, steered, mark, hdr.again.now);
            else
                words0.apply(w, slot0, steered, mark, hdr.again.now);
        }
        /* A SYN on an entry that is closing, or a tombstone, is a new connection's; home's on a tombstone alone, and
         * from a port of opened connections. */
        if (hdr.tcp.isValid() && (hit0 || hit1) &&
            (hdr.tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN &&
            (((w.flags & DEAD) != 0 && (!by_server || (opened_port != 0 && who[31:24] == sender[7:0]))) ||
             (!by_server && ((w.flags & RST_OWNER) != 0 ||
                             (w.flags & (FIN_CLIENT | FIN_OWNER)) == (FIN_CLIENT | FIN_OWNER)))))
            begins_anew = true;
        /* Of a tombstone, or of a life before the server's last, nothing is steered; and to a dead server only
         * what it never served, which its origin will ask for. */
        if (!by_server && steered &&
            ((w.flags & DEAD) != 0 || to_place_gen != w.gens[31:16] ||
             (to_place_dead == 1 && (w.flags & SERVED) != 0)))
            steered = false;

        /* ---- where does it go? ---- */

        if (message) {
            hdr.again.pass = PASS_DECIDE;
            hdr.again.sender = sender;
            hdr.again.peer = peer;
            hdr.again.home = home_server;
            hdr.again.sender_gen = sender_place_gen;
            hdr.again.peer_gen = peer_place_gen;
            hdr.again.back_port = (bit<16>)sender_place_port;
            hdr.again.to_port = (bit<16>)peer_place_port;
            hdr.again.level = 0;
            if (use1)
                hdr.again.level = 1;
            carry();
            if (hit0 || hit1)
                hdr.again.marks = hdr.again.marks | MARK_FOUND;
            if (hit0 || hit1 || who[7:0] == PHASE_NONE)
                hdr.again.marks = hdr.again.marks | MARK_ROOM;
            if (sender_place_alive == 1)
                hdr.again.marks = hdr.again.marks | MARK_SENDER_ALIVE;
            if (learning)
                hdr.again.marks = hdr.again.marks | MARK_LEARNING;
            for_tm.ucast_egress_port = CAPY_RECIRCULATE;
        } else if (hdr.again.pass == PASS_WRITE && hdr.tcp.isValid()) {
            hdr.again.pass = PASS_PLAIN; /* the entry is gone, and the SYN goes home */
            stations.apply();
        } else if (hdr.again.pass == PASS_WRITE) {
            hdr.again.pass = PASS_LEAVE;
            reason = WHY_PASSED;
            if ((hdr.again.marks & MARK_GRANT) != 0) /* the control program signs it anew */
                for_tm.ucast_egress_port = cpu_port;
            else if ((hdr.again.marks & (MARK_PASS | MARK_BOUNCE)) == MARK_PASS)
                for_tm.ucast_egress_port = hdr.again.to_port[8:0];
            else if ((hdr.again.marks & (MARK_PASS | MARK_BOUNCE)) == MARK_BOUNCE)
                for_tm.ucast_egress_port = hdr.again.back_port[8:0];
            else if ((hdr.again.marks & (MARK_PASS | MARK_BOUNCE)) == 0)
                for_deparser.drop_ctl = 1;
            else
                for_tm.mcast_grp_a = GROUP_FLOOD; /* egress drops what is neither */
        } else if (hdr.again.pass == PASS_DECIDE) {
            /* a HEARTBEAT, on its way to the control program */
        } else if (begins_anew) {
            hdr.again.pass = PASS_WRITE;
            hdr.again.marks = MARK_WRITE;
            hdr.again.phase = PHASE_NONE;
            hdr.again.level = 0;
            if (use1)
                hdr.again.level = 1;
            for_tm.ucast_egress_port = CAPY_RECIRCULATE;
        } else if (by_server && (may0 || may1)) {
            from_owner(home_port);
            reason = WHY_FROM_OWNER;
            if (dst_server != NOBODY) { /* its other end may have moved, too */
                hdr.again.pass = PASS_AGAIN;
                for_tm.ucast_egress_port = CAPY_RECIRCULATE;
            } else {
                stations.apply();
            }
        } else if (by_server && fence) {
            drop(WHY_FENCED);
        } else if (!by_server && steered) {
            to_owner(local[31:16]);
            reason = WHY_TO_OWNER;
        } else {
            if (by_server)
                port_shares.apply();
            if (learning && by_server && hdr.tcp.isValid() &&
                ((opened_port != 0 && (hdr.tcp.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) ||
                 (hdr.tcp.flags & (TCP_RST | TCP_ACK)) == TCP_RST))
                arrivals_only = true; /* the name may live elsewhere */
            if (arrivals_only)
                drop(WHY_UNOWNED);
            else if (hdr.ethernet.dst == own_mac && dst_server == NOBODY)
                for_tm.ucast_egress_port = cpu_port; /* ARP, echo: the control program answers */
            else
                stations.apply();
        }
        if (!configured)
            for_deparser.drop_ctl = 1;
        counts.count(reason);
    }
}

#endif
