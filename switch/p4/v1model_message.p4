/* TCPMig: the entry's rule decides; then the message is sent on, answered, or both, with the verdict and the
 * entry's state (switch/core/arbiter.h). Included inside the ingress control. */

        if (message && hdr.mig.type == HEARTBEAT) {
            slot = (bit<32>)sender;
            server_heard.read(heard, slot);
            server_incarnation.read(incarnation, slot);
            if (heard != 0 && incarnation != hdr.beat.incarnation) {
                server_gen.read(gen, slot);
                server_gen.write(slot, gen + 1);
                COUNT(server_restarts);
            }
            heard = meta.now == 0 ? 1 : meta.now;
            server_heard.write(slot, heard);
            server_incarnation.write(slot, hdr.beat.incarnation);
            server_load.write(slot, hdr.beat.load);
            server_free.write(slot, hdr.beat.free);
            server_families.read(families, slot);
            families = hdr.beat.draining != 0 ? 8w0 : families;
            server_takes.write(slot, families);
            quotient = 0;
            if (hdr.beat.conns != 0) {
                divide.apply(hdr.beat.load, hdr.beat.conns, quotient, remainder);
            }
            server_share.write(slot, quotient);
            COUNT(heartbeats);
        }

        begin_rule(false, VERDICT_NONE);
        begin_claim();
        claim.has_entry = found;
        claim.has_room = room;
        claim.now = meta.now;
        if (message && hdr.mig.type != HEARTBEAT) {
            claim.sender = sender;
            claim.sender_port = 0;
            if (hdr.mig.type == PREPARE_MIG_ACK || hdr.mig.type == CANCEL ||
                hdr.mig.type == ANNOUNCE)
                claim.sender_port = hdr.mig.target_port;
            server_gen.read(claim.sender_gen, (bit<32>)sender);
            claim.peer = peer;
            claim.peer_gen = 0;
            if (peer != NOBODY)
                server_gen.read(claim.peer_gen, (bit<32>)peer);
            claim.sender_is_home = home == sender;
            claim.peer_is_home = peer != NOBODY && home == peer;
            server_heard.read(heard, (bit<32>)sender);
            claim.sender_alive = heard != 0 && meta.now < heard + lease;
            claim.owner_alive = false;
            claim.owner_dead = false;
            if (found) {
                watch(e, w); /* it may be another owner now */
                claim.owner_alive = w.owner_alive;
                claim.owner_dead = w.owner_dead;
            }
            if (hdr.mig.type == CONN_STATE)
                claim.last = hdr.mig.offset + (bit<32>)hdr.mig.len == hdr.mig.total;
            else
                claim.last = hdr.mig.offset == hdr.mig.total;

            if (naming) { /* "a frame came for a flow I do not run, under what name?" */
                begin_rule(true, VERDICT_STALE);
                if (learning && !found)
                    rule.verdict = VERDICT_LEARNING;
            } else if (waits) {
                begin_rule(true, VERDICT_LEARNING);
            } else {
                decide.apply(hdr.mig, claim, home, e, rule);
                found = room && e.phase != PHASE_NONE;
                if (hdr.mig.type != PREPARE_MIG && found) {
                    if ((e.flags & DEAD) == 0)
                        e.touched_at = meta.now;
                    if (hdr.mig.type == PREPARE_MIG_ACK && e.epoch != was_epoch) {
                        COUNT(entries_installed);
                    } else if (hdr.mig.type == ANNOUNCE && e.epoch != was_epoch) {
                        COUNT(entries_announced);
                    } else if (hdr.mig.type == CONN_STATE && e.phase != was_phase) {
                        COUNT(entries_settled);
                    } else if (e.epoch != was_epoch) {
                        if (was_phase != PHASE_NONE) {
                            COUNT(entries_given_back);
                        } else {
                            COUNT(entries_burned);
                        }
                    }
                }
            }

            /* How the entry stands; without one the flow is home's. */
            part = 8w0 ++ PHASE_NONE ++ (home == VIP ? NOBODY : home) ++ 32w0;
            if (found)
                part = 8w0 ++ e.phase ++ ((e.flags & DEAD) != 0 ? NOBODY : e.owner) ++ e.epoch;
            if (found && rule.owner_gone)
                part = 8w0 ++ e.phase ++ NOBODY ++ (e.epoch + 1);
            if (naming && found) { /* only we and the owner know it by that name */
                named_place_table.apply();
                address = named_place_ip4;
                if (flow_family == FAMILY_V6)
                    address = named_place_ip6;
                meta.delta = meta.delta + CHANGE128(hdr.mig.home, address) +
                             CHANGE16(hdr.mig.home_port, e.home_port) +
                             CHANGE32(hdr.mig.epoch, e.epoch);
                hdr.mig.home = address;
                hdr.mig.home_port = e.home_port;
                hdr.mig.epoch = e.epoch;
                signing = true;
            }
            if (rule.remove) {
                e.phase = PHASE_NONE;
                COUNT(entries_removed);
            }
        }

        if (was_phase != PHASE_NONE || found || gave_way)
            store_entry(at, e);

        /* The choice of a target; and what a HEARTBEAT's answer says of the loads. */
        if (message && hdr.mig.type == HEARTBEAT) {
            CHOOSE(NOBODY, FAMILY_V4 | FAMILY_V6)
        } else if (message && rule.grant && hdr.mig.target == NOBODY) {
            CHOOSE(sender, flow_family)
        } else if (message && rule.grant) {
            server_heard.read(heard, (bit<32>)hdr.mig.target);
            server_families.read(families, (bit<32>)hdr.mig.target);
            chosen = hdr.mig.target;
            if (chosen == sender || heard == 0 || meta.now >= heard + lease ||
                (families & flow_family) == 0)
                chosen = NOBODY;
        }
        if (message && hdr.mig.type == PREPARE_MIG && !rule.bounce) {
            peer = e.owner;
            if (rule.grant) {
                peer = chosen;
            }
            if (peer == NOBODY) {
                rule.bounce = true;
                rule.verdict = VERDICT_NO_TARGET;
            } else {
                rule.pass = true;
                meta.delta = meta.delta + CHANGE16(hdr.mig.target, peer);
                hdr.mig.target = peer;
                signing = true;
            }
            if (rule.grant && peer != NOBODY) { /* what it will add to the load there, on average */
                CHARGE(peer, sender)
            }
        }
#include "v1model_answer.p4"
