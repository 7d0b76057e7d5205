/* What an entry says of a client's segment, and of an error about the owner's (switch/core/flows.h). Included
 * inside the ingress control. */

        if (found && meta.kind == kind_t.TCP) {
            note_client.apply(e, hdr.tcp.flags, meta.now, over);
            if (over) {
                e.phase = PHASE_NONE;
                COUNT(entries_removed);
            } else if ((e.flags & DEAD) != 0) {
                COUNT(to_home_of_tombstone);
            } else {
                to = e.owner;
                local_port = e.owner_port;
            }
        } else if (found && meta.kind == kind_t.ERROR && (e.flags & DEAD) == 0) {
            to = e.owner;
            local_port = e.owner_port;
            if (e.phase == PENDING) {
                to = e.previous;
                local_port = e.previous_port;
            }
        }
#include "v1model_vip.p4"
        if (to != NOBODY) {
            owner_place_table.apply();
            address = owner_place_ip4;
            if (meta.family == FAMILY_V6)
                address = owner_place_ip6;
            if (address != 0) { /* also back to where it came from: a frame that was put back */
                if (meta.kind == kind_t.TCP) {
                    rewrite_destination.apply(hdr, meta, address, local_port);
                    COUNT(rewritten_to_owner);
                } else {
                    rewrite_quote.apply(hdr, meta, address, local_port);
                    COUNT(errors_to_owner);
                }
                hdr.ethernet.dst = owner_place_mac;
                send_to(owner_place_port);
            } else if (meta.kind == kind_t.TCP) {
                DROP(family);
            }
        }
