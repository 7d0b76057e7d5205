/* What the Tofino program knows of a frame on its way, and what it carries along for itself. */
#ifndef CAPY_P4_TNA_TYPES
#define CAPY_P4_TNA_TYPES

/* A TCPMig message passes the pipeline twice, for each register can be touched once in a pass. The first
 * reads the entry in ingress and decides in egress; the second, recirculated, writes in ingress what was
 * decided. This header lies before the frame meanwhile. A segment between two servers whose both
 * ends moved comes a second time, too, for its other end. */
const bit<8> PASS_PLAIN = 0;  /* nothing more to do than to leave */
const bit<8> PASS_DECIDE = 1; /* what was read, on its way to egress */
const bit<8> PASS_WRITE = 2;  /* what was decided, on its way back to ingress */
const bit<8> PASS_AGAIN = 3;  /* a segment, rewritten as its sender's end demands */
const bit<8> PASS_LEAVE = 4;  /* a message as it leaves: egress addresses it */

header again_h {
    bit<8> pass;
    bit<8> level;  /* of the entry, or of the slot for it */
    bit<8> marks;  /* MARK_ */
    bit<8> phase;
    bit<8> flags;
    bit<8> verdict;
    bit<16> sender;
    bit<16> peer;
    bit<16> home; /* of the message's flow */
    bit<16> sender_gen;
    bit<16> peer_gen;
    bit<16> owner;
    bit<16> owner_port;
    bit<16> owner_gen;
    bit<16> previous;
    bit<16> previous_port;
    bit<16> previous_gen;
    bit<16> to_port; /* egress ports of peer and sender */
    bit<16> back_port;
    bit<32> epoch;
    bit<32> mig_high;
    bit<32> mig_low;
    bit<32> now;
}

const bit<8> MARK_FOUND = 1;
const bit<8> MARK_ROOM = 2;
const bit<8> MARK_SENDER_ALIVE = 4;
const bit<8> MARK_LEARNING = 8;
const bit<8> MARK_PASS = 16;  /* to the peer */
const bit<8> MARK_BOUNCE = 32; /* to the sender */
const bit<8> MARK_GRANT = 64;  /* its target is to be chosen, and its tag made anew */
const bit<8> MARK_WRITE = 128; /* the entry changed */

struct headers_t {
    again_h again;
    ethernet_h ethernet;
    arp_h arp;
    sweep_h sweep;
    ipv4_h ipv4;
    tcp_h tcp;
    udp_h udp;
    mig_h mig;
    beat_h beat;
}

struct meta_t {
    bit<16> ip_residual; /* checksums, but for the fields that may change */
    bit<16> tcp_residual;
    bit<8> protocol;
}

#endif
