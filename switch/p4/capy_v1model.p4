/* The migration switch (paper §3.2, docs/switch.md) for v1model, bmv2's simple_switch: L2 forwarding, the
 * migration directory, TCPMig whole, leases, ARP. What decides about an entry is entry.p4; the contract is
 * docs/protocol.md §5, and the functions of switch/core have the same names and order.
 *
 * Ingress decides and changes the frame; egress addresses TCPMig, of which there may be two copies. */
#include <core.p4>
#include <v1model.p4>
#include "numbers.p4"
#include "headers.p4"
#include "counters.p4"
#include "entry.p4"
#include "siphash.p4"
#include "divide.p4"
#include "checksum.p4"
#include "v1model_types.p4"
#include "v1model_parser.p4"
#include "v1model_rewrite.p4"
#include "classify.p4"

/* Multicast groups, made by the control program. */
const bit<16> GROUP_FLOOD = 1; /* all ports but the control program's */
#ifdef CAPY_CLOCK_IN_FRAME
const bit<16> GROUP_ALL = 2;
#endif

control CapyIngress(inout headers_t hdr, inout meta_t meta,
                    inout standard_metadata_t standard_metadata) {
    time_t learn_until = 0;
    bool learning = false;
    bit<128> flow_home = 0; /* of a TCPMig message */
    bit<128> asked = 0;     /* by ARP */
    bit<16> sender = NOBODY;
    bit<16> home = NOBODY;
    bit<16> to = NOBODY;
    bit<16> peer = NOBODY;
    bit<16> born_index = 0; /* of the service, by the server's port */

    entry_t e;

#include "v1model_tables.p4"
#include "v1model_state.p4"

    entry_t e0;
    entry_t e1;
    watch_t w;
    claim_t claim;
    rule_t rule;
    sip_t sip;
    bit<64> hash_value = 0;
    bit<32> at = 0;
    bit<32> at0 = 0;
    bit<32> at1 = 0;
    bool hit0 = false;
    bool hit1 = false;
    bool may0 = false;
    bool may1 = false;
    bool fence0 = false;
    bool fence1 = false;
    bool over = false;
    bool to_us = false;
    bool message = false;  /* a TCPMig message, and in order */
    bool waits = false;    /* until the switch has learned */
    bool look = false;     /* for the entry of this flow: */
    bool naming = false;   /* or for the one that the sender runs under home_port */
    bool found = false;
    bool room = false;
    bool gave_way = false; /* an entry that may be no connection, to this flow */
    bool born = false;     /* the port is one where connections of the service address are born */
    bool speaks = false;   /* for home */
    bool to_vip = false;
    bool begins = false;
    bit<16> named_home = NOBODY; /* who the destination is */
    bit<16> asker = NOBODY;      /* the server that is the client */
    bit<8> bucket = 0;
    bit<128> client = 0;
    bit<16> client_port = 0;
    bit<16> home_port = 0;
    bit<32> was_epoch = 0;
    phase_t was_phase = 0;
    bit<8> flow_family = 0;
    bit<8> families = 0;
    bit<8> sender_families = 0;
    bit<16> named = 0;
    bool bad = false;
    bool is_opened = false;
    bool signing = false;
    bit<32> quotient = 0;
    bit<32> remainder = 0;
    time_t heard = 0;
    bit<128> address = 0;
    bit<48> answer_mac = 0;
    bit<64> place = 0;
    bit<32> station = 0;
    bit<16> own_port = 0;   /* ingress */
    bit<16> local_port = 0; /* of a flow at its server */
    bit<8> wanted = 0;  /* families of a target */
    bit<16> last = 0;
    bit<16> chosen = 0;
    bit<40> best = 0;
    bit<40> rank = 0;
    bit<32> load = 0;
    bit<32> free = 0;
    bit<32> share = 0;
    bit<8> takes = 0;
    bit<16> gen = 0;
    bit<64> incarnation = 0;
    bit<32> slot = 0;
    bool asks = false;
    bool proxied = false;
    bit<64> part = 0;

    Classify() classify;
    SipHash() sip_tag;
    SipHash() sip_payload;
    SipHash() sip_server;
    SipHash() sip_flow;
    SipHash() sip_answer;
    SipHash() sip_sign;
    SipHash() sip_vip;
    Refresh() refresh0;
    Refresh() refresh1;
    Refresh() refresh;
    NoteOwner() note_owner;
    NoteClient() note_client;
    Rule() decide;
    Divide() divide;
    RewriteSource() rewrite_source;
    RewriteDestination() rewrite_destination;
    RewriteQuote() rewrite_quote;
    Seal() seal;

    action begin_entry(out entry_t x) {
        x.client = 0;
        x.client_port = 0;
        x.home_port = 0;
        x.home = 0;
        x.epoch = 0;
        x.mig_id = 0;
        x.phase = PHASE_NONE;
        x.flags = 0;
        x.owner = 0;
        x.owner_port = 0;
        x.owner_gen = 0;
        x.previous = 0;
        x.previous_port = 0;
        x.previous_gen = 0;
        x.touched_at = 0;
        x.closing_at = 0;
        x.pending_at = 0;
    }

    action begin_rule(in bool bounce, in verdict_t verdict) {
        rule.pass = false;
        rule.bounce = bounce;
        rule.remove = false;
        rule.grant = false;
        rule.owner_gone = false;
        rule.verdict = verdict;
    }

    action begin_claim() {
        claim.sender = NOBODY;
        claim.sender_port = 0;
        claim.sender_gen = 0;
        claim.peer = NOBODY;
        claim.peer_gen = 0;
        claim.sender_is_home = false;
        claim.peer_is_home = false;
        claim.sender_alive = false;
        claim.owner_alive = false;
        claim.owner_dead = false;
        claim.last = false;
        claim.has_entry = false;
        claim.has_room = false;
        claim.now = 0;
    }

    action begin_sip(in bit<64> k0, in bit<64> k1) {
        sip.k0 = k0;
        sip.k1 = k1;
        sip.words = 0;
        sip.w0 = 0;
        sip.w1 = 0;
        sip.w2 = 0;
        sip.w3 = 0;
        sip.w4 = 0;
        sip.w5 = 0;
        sip.w6 = 0;
        sip.w7 = 0;
        sip.w8 = 0;
        sip.last = 0;
    }

    action drop() {
        meta.way = way_t.DROP;
    }
#define DROP(why) COUNT(drop_##why); drop()

    action send_to(in bit<16> port) {
        meta.way = way_t.PORT;
        meta.port = port;
    }

    /* Bytes client, client_port and, of a connection that a server opened, its local port: what both
     * directions of a flow show. */
    action begin_flow_hash(in bit<16> opened_port) {
        begin_sip(hash_k0, hash_k1);
        sip.words = 2;
        sip.w0 = LE64(client[127:64]);
        sip.w1 = LE64(client[63:0]);
        sip.last = 8w20 ++ 24w0 ++ opened_port[7:0] ++ opened_port[15:8] ++ client_port[7:0] ++
                   client_port[15:8];
    }

    action load_both() {
        at0 = hash_value[31:0] & slot_mask;
        at1 = CAPY_SLOTS + (hash_value[63:32] & slot_mask);
        load_entry(at0, e0);
        load_entry(at1, e1);
    }

    /* The 76 bytes under a message's tag. */
    action begin_tag() {
        begin_sip(rack_k0, rack_k1);
        sip.words = 9;
        sip.w0 = LE64(hdr.mig.mig_id);
        sip.w1 = LE64(hdr.mig.client[127:64]);
        sip.w2 = LE64(hdr.mig.client[63:0]);
        sip.w3 = LE64(hdr.mig.home[127:64]);
        sip.w4 = LE64(hdr.mig.home[63:0]);
        part = hdr.mig.client_port ++ hdr.mig.home_port ++ hdr.mig.epoch;
        sip.w5 = LE64(part);
        part = hdr.mig.offset ++ hdr.mig.len ++ hdr.mig.target_port;
        sip.w6 = LE64(part);
        part = hdr.mig.version ++ hdr.mig.type ++ hdr.mig.reason ++ hdr.mig.flags ++
               hdr.mig.origin ++ hdr.mig.target;
        sip.w7 = LE64(part);
        sip.w8 = LE64(hdr.mig.payload_hash);
        part = hdr.mig.total ++ 24w0 ++ 8w76;
        sip.last = LE64(part);
    }

#define IS_OPENED(port) (mig_port_first > OPENED_PORTS && port < mig_port_first && \
                         mig_port_first - port <= OPENED_PORTS)
#define IS_OWN(ip) (ip == own_ip || (own_ip6 != 0 && ip == own_ip6))
#define IS_VIP(ip) (vip_cnt != 0 && (ip == vip_ip || (vip_ip6 != 0 && ip == vip_ip6)))
#define VIP_FIRST (mig_port_first - OPENED_PORTS - VIP_PORTS)
#define IS_BIRTH(port) (vip_cnt != 0 && port >= VIP_FIRST && port - VIP_FIRST < vip_cnt)
#define MAY_SEND(e, id, p) (e.phase == PENDING ? e.previous == id && e.previous_port == p \
                                               : e.owner == id && e.owner_port == p)

    /* The least-loaded live server that takes connections of the wanted families and is not the one that
     * asks; of equals the one after the last that was chosen. */
#define CONSIDER(i) \
    if (i < server_cnt) { \
        server_heard.read(heard, i); \
        server_load.read(load, i); \
        server_free.read(free, i); \
        server_takes.read(takes, i); \
        rank = load ++ (i > last ? (bit<8>)(i - last - 1) : (bit<8>)(i + server_cnt - last - 1)); \
        if (i != named && (takes & wanted) != 0 && free != 0 && heard != 0 && \
            meta.now < heard + lease && rank < best) { \
            best = rank; \
            chosen = i; \
        } \
    }
#define CHOOSE(asker, of_families) \
    named = asker; \
    wanted = of_families; \
    chosen = NOBODY; \
    best = 40w0xffffffffff; \
    last_chosen.read(last, 0); \
    CONSIDER(0) CONSIDER(1) CONSIDER(2) CONSIDER(3) CONSIDER(4) CONSIDER(5) CONSIDER(6) CONSIDER(7) \
    CONSIDER(8) CONSIDER(9) CONSIDER(10) CONSIDER(11) CONSIDER(12) CONSIDER(13) CONSIDER(14) CONSIDER(15)

    /* What a connection more will add to the load there: what one of from's costs, on average. */
#define CHARGE(id, from) \
    slot = (bit<32>)id; \
    last_chosen.write(0, id); \
    server_load.read(load, slot); \
    server_free.read(free, slot); \
    server_share.read(share, (bit<32>)from); \
    share = share == 0 ? 1 : share; \
    load = load |+| share; \
    load = load == 0xffffffff ? 32w0xfffffffe : load; \
    free = free |-| 1; \
    server_load.write(slot, load); \
    server_free.write(slot, free);

    /* Where there is no room for a flow, an entry that may be no connection gives way. */
#define GIVE_WAY \
    gave_way = GIVES_WAY(e0) || (levels_are_two == 1 && GIVES_WAY(e1)); \
    if (gave_way) { \
        at = at1; \
        if (GIVES_WAY(e0)) \
            at = at0; \
        begin_entry(e); \
        room = true; \
        COUNT(vip_half_evicted); \
    }

    apply {
        rack.apply();
        ports.apply();
#include "v1model_begin.p4"
#include "v1model_segment.p4"
#include "v1model_admit.p4"
#include "v1model_look.p4"
#include "v1model_steer.p4"
#include "v1model_message.p4"
#include "v1model_forward.p4"
    }
}

control CapyEgress(inout headers_t hdr, inout meta_t meta,
                   inout standard_metadata_t standard_metadata) {
    RewriteSource() source_peer;
    RewriteDestination() destination_peer;
    RewriteSource() source_sender;
    RewriteDestination() destination_sender;
    Seal() seal;
    bit<16> port;

    apply {
        port = (bit<16>)standard_metadata.egress_port;
        if (meta.marker) {
            /* as it is */
        } else if (meta.way == way_t.FLOOD) {
            if (standard_metadata.egress_port == standard_metadata.ingress_port)
                mark_to_drop(standard_metadata);
        } else if (meta.way == way_t.MESSAGE) {
            if (meta.to_peer && port == meta.peer.port) {
                source_peer.apply(hdr, meta, meta.sender.ip, CAPY_TCPMIG_PORT);
                destination_peer.apply(hdr, meta, meta.peer.ip, CAPY_TCPMIG_PORT);
                hdr.ethernet.dst = meta.peer.mac;
            } else if (meta.to_sender && port == meta.sender.port) {
                source_sender.apply(hdr, meta, meta.own_ip, CAPY_TCPMIG_PORT);
                destination_sender.apply(hdr, meta, meta.sender.ip, CAPY_TCPMIG_PORT);
                hdr.ethernet.dst = meta.sender.mac;
            } else { /* the other copy */
                mark_to_drop(standard_metadata);
            }
            hdr.ethernet.src = meta.own_mac;
            seal.apply(hdr, meta);
        }
        if (meta.cut != 0)
            truncate((bit<32>)meta.cut);
    }
}

/* Of a solicitation, and of an echo request to the switch; whether it is right is asked in ingress. */
control CapyVerify(inout headers_t hdr, inout meta_t meta) {
    apply {
        verify_checksum_with_payload(hdr.icmp.isValid() && hdr.ipv4.isValid() && hdr.icmp.type == 8,
                                     { hdr.icmp.type, hdr.icmp.code, hdr.icmp.word },
                                     hdr.icmp.check, HashAlgorithm.csum16);
        verify_checksum_with_payload(
            hdr.icmp.isValid() && hdr.ipv6.isValid() && hdr.icmp.type == 128,
            { hdr.ipv6.src, hdr.ipv6.dst, 16w0, hdr.ipv6.payload_len, 24w0, PROTO_ICMP6,
              hdr.icmp.type, hdr.icmp.code, hdr.icmp.word },
            hdr.icmp.check, HashAlgorithm.csum16);
        verify_checksum_with_payload(
            hdr.nd.isValid(),
            { hdr.ipv6.src, hdr.ipv6.dst, 16w0, hdr.ipv6.payload_len, 24w0, PROTO_ICMP6,
              hdr.icmp.type, hdr.icmp.code, hdr.icmp.word, hdr.nd.target },
            hdr.icmp.check, HashAlgorithm.csum16);
    }
}

/* Of HEARTBEAT_ACK and neighbour advertisements, which are new. */
control CapyChecksum(inout headers_t hdr, inout meta_t meta) {
    apply {
        update_checksum(meta.fresh && hdr.ipv4.isValid(),
                        { hdr.ipv4.version, hdr.ipv4.ihl, hdr.ipv4.tos, hdr.ipv4.total_len,
                          hdr.ipv4.id, hdr.ipv4.fragment, hdr.ipv4.ttl, hdr.ipv4.protocol,
                          hdr.ipv4.src, hdr.ipv4.dst },
                        hdr.ipv4.check, HashAlgorithm.csum16);
#define DATAGRAM \
    8w0, PROTO_UDP, hdr.udp.len, hdr.udp.src, hdr.udp.dst, hdr.udp.len, hdr.mig.version, \
    hdr.mig.type, hdr.mig.reason, hdr.mig.flags, hdr.mig.origin, hdr.mig.target, hdr.mig.mig_id, \
    hdr.mig.epoch, hdr.mig.total, hdr.mig.offset, hdr.mig.len, hdr.mig.target_port, \
    hdr.mig.client, hdr.mig.home, hdr.mig.client_port, hdr.mig.home_port, hdr.mig.zero, \
    hdr.mig.payload_hash, hdr.mig.tag, hdr.mig.verdict, hdr.mig.phase, hdr.mig.owner, \
    hdr.mig.entry_epoch, hdr.beat_ack.switch_boot, hdr.beat_ack.learning, hdr.beat_ack.min_load
        update_checksum(meta.fresh && hdr.ipv4.isValid(),
                        { hdr.ipv4.src, hdr.ipv4.dst, DATAGRAM }, hdr.udp.check,
                        HashAlgorithm.csum16);
        update_checksum(meta.fresh && hdr.ipv6.isValid(),
                        { hdr.ipv6.src, hdr.ipv6.dst, DATAGRAM }, hdr.udp.check,
                        HashAlgorithm.csum16);
        update_checksum(meta.advert,
                        { hdr.ipv6.src, hdr.ipv6.dst, 16w0, hdr.ipv6.payload_len, 24w0, PROTO_ICMP6,
                          hdr.icmp.type, hdr.icmp.code, hdr.icmp.word, hdr.nd.target,
                          hdr.nd_mac.type, hdr.nd_mac.len, hdr.nd_mac.mac },
                        hdr.icmp.check, HashAlgorithm.csum16);
    }
}

V1Switch(CapyParser(), CapyVerify(), CapyIngress(), CapyEgress(), CapyChecksum(), CapyDeparser()) main;
