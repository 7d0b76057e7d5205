/* Egress on a Tofino: decides about a message that ingress read an entry for, keeps the minimum workload register,
 * and addresses what leaves. */
#ifndef CAPY_P4_TNA_EGRESS
#define CAPY_P4_TNA_EGRESS

/* The minimum workload register (paper §3.2): the least load reported, and whose. It rises, too: its holder's
 * next HEARTBEAT says what is true, and each PREPARE_MIG that takes it adds to it. */
struct workload_t {
    bit<32> load;
    bit<32> id;
}

control CapyEgress(inout headers_t hdr, inout meta_t meta, in egress_intrinsic_metadata_t intrinsic,
                   in egress_intrinsic_metadata_from_parser_t from_parser,
                   inout egress_intrinsic_metadata_for_deparser_t for_deparser,
                   inout egress_intrinsic_metadata_for_output_port_t for_port) {
    bit<48> own_mac = 0;
    bit<32> own_ip = 0;
    bit<16> port_first = 0;
    bit<16> port_last = 0;

    action configure(bit<48> mac, bit<32> ip, bit<16> first, bit<16> last) {
        own_mac = mac;
        own_ip = ip;
        port_first = first;
        port_last = last;
    }

    table rack {
        actions = { configure; NoAction; }
        default_action = NoAction();
        size = 1;
    }

#define STATE_TABLE(name, id_) \
    bit<48> name##_mac = 0; \
    bit<32> name##_ip = 0; \
    bit<16> name##_gen = 0; \
    bit<16> name##_port = 0; \
    bit<32> name##_share = 1; \
    bool name##_alive = false; \
    bool name##_dead = false; \
    bool name##_gone = false; \
    action set_##name(bit<48> mac, bit<32> ip, bit<16> port, bit<16> gen, bit<32> share, bool alive, \
                      bool dead, bool gone) { \
        name##_mac = mac; \
        name##_ip = ip; \
        name##_port = port; \
        name##_gen = gen; \
        name##_share = share; /* what a connection of it costs, on average */ \
        name##_alive = alive; \
        name##_dead = dead; \
        name##_gone = gone; \
    } \
    table name##_table { \
        key = { id_: exact; } \
        actions = { set_##name; NoAction; } \
        default_action = NoAction(); \
        size = 64; \
    }

    STATE_TABLE(sender_state, hdr.again.sender)
    STATE_TABLE(peer_state, hdr.again.peer)
    STATE_TABLE(owner_state, hdr.again.owner)
    STATE_TABLE(previous_state, hdr.again.previous)

    /* Of all servers; and of those that are not the first's holder, for when the holder asks itself. */
    bit<32> report;
    bit<32> reporter;
    bit<32> charge;
    Register<workload_t, bit<1>>(1, { 0xffffffff, 0xffff }) least;
    RegisterAction<workload_t, bit<1>, bit<32>>(least) report_least = {
        void apply(inout workload_t value, out bit<32> result) {
            if (report < value.load || reporter == value.id) {
                value.load = report;
                value.id = reporter;
            }
            result = value.id;
        }
    };
    RegisterAction<workload_t, bit<1>, bit<32>>(least) take_least = {
        void apply(inout workload_t value, out bit<32> result) {
            result = value.id;
            if (reporter != value.id) /* who asks is not chosen */
                value.load = value.load + charge;
        }
    };
    Register<workload_t, bit<1>>(1, { 0xffffffff, 0xffff }) second;
    RegisterAction<workload_t, bit<1>, bit<32>>(second) report_second = {
        void apply(inout workload_t value, out bit<32> result) {
            if (report < value.load || reporter == value.id) {
                value.load = report;
                value.id = reporter;
            }
            result = value.id;
        }
    };
    RegisterAction<workload_t, bit<1>, bit<32>>(second) take_second = {
        void apply(inout workload_t value, out bit<32> result) {
            result = value.id;
            value.load = value.load + charge;
        }
    };

    bit<32> chosen;
    entry_t e;
    claim_t claim;
    rule_t rule;
    watch_t watch;
    Rule() decide;
    Refresh() refresh;
    bool announces_port;
    bit<1> dead_owner;

    action read_entry() {
        e.client = hdr.mig.client[31:0];
        e.client_port = hdr.mig.client_port;
        e.home_port = hdr.mig.home_port;
        e.home = hdr.again.home;
        e.epoch = hdr.again.epoch;
        e.mig_id = hdr.again.mig_high ++ hdr.again.mig_low;
        e.phase = hdr.again.phase;
        e.flags = hdr.again.flags;
        e.owner = hdr.again.owner;
        e.owner_port = hdr.again.owner_port;
        e.owner_gen = hdr.again.owner_gen;
        e.previous = hdr.again.previous;
        e.previous_port = hdr.again.previous_port;
        e.previous_gen = hdr.again.previous_gen;
        e.touched_at = 0;
        e.closing_at = 0;
        e.pending_at = 0;
    }

    action write_entry() {
        hdr.again.epoch = e.epoch;
        hdr.again.mig_high = e.mig_id[63:32];
        hdr.again.mig_low = e.mig_id[31:0];
        hdr.again.phase = e.phase;
        hdr.again.flags = e.flags;
        hdr.again.owner = e.owner;
        hdr.again.owner_port = e.owner_port;
        hdr.again.owner_gen = e.owner_gen;
        hdr.again.previous = e.previous;
        hdr.again.previous_port = e.previous_port;
        hdr.again.previous_gen = e.previous_gen;
        hdr.again.marks = hdr.again.marks | MARK_WRITE;
    }

    action answer(in verdict_t verdict) {
        rule.pass = false;
        rule.bounce = true;
        rule.remove = false;
        rule.grant = false;
        rule.owner_gone = false;
        rule.verdict = verdict;
    }

    apply {
        rack.apply();
        sender_state_table.apply();
        peer_state_table.apply();
        if (hdr.again.pass == PASS_DECIDE && hdr.beat.isValid()) {
            report = hdr.beat.load;
            reporter = (bit<32>)hdr.again.sender;
            if (hdr.beat.draining != 0 || hdr.beat.free == 0)
                report = 0xffffffff;
            chosen = report_least.execute(0);
            if (chosen != reporter)
                report_second.execute(0);
            hdr.again.setInvalid();
        } else if (hdr.again.pass == PASS_DECIDE) {
            owner_state_table.apply();
            previous_state_table.apply();
            read_entry();
            claim.has_entry = (hdr.again.marks & MARK_FOUND) != 0;
            claim.has_room = (hdr.again.marks & MARK_ROOM) != 0;
            claim.now = hdr.again.now;
            claim.sender = hdr.again.sender;
            claim.sender_port = 0;
            announces_port = hdr.mig.type == PREPARE_MIG_ACK || hdr.mig.type == CANCEL ||
                             hdr.mig.type == ANNOUNCE;
            if (announces_port)
                claim.sender_port = hdr.mig.target_port;
            claim.sender_gen = hdr.again.sender_gen;
            claim.peer = hdr.again.peer;
            claim.peer_gen = hdr.again.peer_gen;
            claim.sender_is_home = hdr.again.home == hdr.again.sender;
            claim.peer_is_home = hdr.again.home == hdr.again.peer;
            claim.sender_alive = (hdr.again.marks & MARK_SENDER_ALIVE) != 0;
            claim.last = hdr.mig.offset == hdr.mig.total;
            if (hdr.mig.type == CONN_STATE)
                claim.last = hdr.mig.offset + (bit<32>)hdr.mig.len == hdr.mig.total;

            /* Death of its servers, by the control program's clock, which also finds what is PENDING for too
             * long. */
            watch.owner_alive = owner_state_alive;
            watch.owner_restarted = owner_state_gen != e.owner_gen;
            watch.owner_dead = owner_state_dead || watch.owner_restarted;
            watch.owner_gone = owner_state_gone || watch.owner_restarted;
            watch.previous_dead = previous_state_dead || previous_state_gen != e.previous_gen;
            if (claim.has_entry)
                refresh.apply(e, watch, false);
            claim.owner_alive = watch.owner_alive;
            claim.owner_dead = watch.owner_dead;
            if (e.epoch != hdr.again.epoch) { /* given back */
                claim.owner_alive = previous_state_alive;
                claim.owner_dead = watch.previous_dead;
            }

            if (hdr.mig.type == NACK && hdr.mig.epoch == 0)
                answer(VERDICT_STALE); /* under its own name the control program tells it */
            else if ((hdr.again.marks & MARK_LEARNING) != 0 &&
                     (hdr.mig.type <= CONN_STATE || hdr.mig.type == CANCEL ||
                      (hdr.mig.type == NACK && hdr.mig.reason != REASON_UNKNOWN_FLOW)))
                answer(VERDICT_LEARNING);
            else
                decide.apply(hdr.mig, claim, hdr.again.home, e, rule);

            if (rule.grant && hdr.mig.target == NOBODY) {
                reporter = (bit<32>)hdr.again.sender;
                charge = sender_state_share;
                chosen = take_least.execute(0);
                if (chosen == reporter)
                    chosen = take_second.execute(0);
                hdr.again.peer = chosen[15:0];
            } else if (rule.grant) {
                hdr.again.peer = hdr.mig.target;
            } else if (hdr.mig.type == PREPARE_MIG) {
                hdr.again.peer = e.owner;
            }
            if (rule.grant && (hdr.again.peer == NOBODY || hdr.again.peer == hdr.again.sender)) {
                rule.bounce = true;
                rule.verdict = VERDICT_NO_TARGET;
            } else if (rule.grant || (hdr.mig.type == PREPARE_MIG && rule.pass)) {
                hdr.mig.target = hdr.again.peer;
                hdr.again.marks = hdr.again.marks | MARK_GRANT;
            }

            hdr.mig.verdict = rule.verdict;
            hdr.mig.phase = PHASE_NONE;
            hdr.mig.owner = hdr.again.home;
            hdr.mig.entry_epoch = 0;
            if (e.phase != PHASE_NONE && claim.has_room) {
                hdr.mig.phase = e.phase;
                hdr.mig.owner = e.owner;
                hdr.mig.entry_epoch = e.epoch;
                dead_owner = e.flags[1:1];
                if (dead_owner == 1 || rule.owner_gone)
                    hdr.mig.owner = NOBODY;
                if (rule.owner_gone)
                    hdr.mig.entry_epoch = e.epoch + 1;
                if (rule.remove)
                    e.phase = PHASE_NONE;
                write_entry();
            }
            if (rule.pass)
                hdr.again.marks = hdr.again.marks | MARK_PASS;
            if (rule.bounce)
                hdr.again.marks = hdr.again.marks | MARK_BOUNCE;
            hdr.again.pass = PASS_WRITE; /* back to ingress */
        } else if (hdr.again.pass == PASS_LEAVE) {
            hdr.ethernet.src = own_mac;
            hdr.udp.src = CAPY_TCPMIG_PORT;
            hdr.udp.dst = CAPY_TCPMIG_PORT;
            hdr.udp.check = 0;
            if ((hdr.again.marks & MARK_GRANT) != 0) {
                /* to the control program, which signs it and sends it to mig.target */
            } else if ((hdr.again.marks & MARK_PASS) != 0 &&
                       intrinsic.egress_port == hdr.again.to_port[8:0]) {
                hdr.ethernet.dst = peer_state_mac;
                hdr.ipv4.dst = peer_state_ip;
            } else if ((hdr.again.marks & MARK_BOUNCE) != 0 &&
                       intrinsic.egress_port == hdr.again.back_port[8:0]) {
                hdr.ethernet.dst = sender_state_mac;
                hdr.ipv4.dst = sender_state_ip;
                hdr.ipv4.src = own_ip;
            } else {
                for_deparser.drop_ctl = 1;
            }
            hdr.again.setInvalid();
        } else if (hdr.again.pass != PASS_AGAIN) {
            hdr.again.setInvalid();
        }
    }
}

#endif
