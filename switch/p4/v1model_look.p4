/* The directory (switch/core/directory.h): the entry of a flow, brought up to date with its servers' deaths,
 * or a free slot for it. Included inside the ingress control. */

        if (meta.kind == kind_t.SWEEP) { /* the control program says which */
            at = hdr.sweep.slot;
            load_entry(at, e);
            found = e.phase != PHASE_NONE;
        } else if (look) {
            is_opened = IS_OPENED(home_port);
            begin_flow_hash(is_opened ? home_port : 16w0);
            sip_flow.apply(sip, hash_value);
            load_both();
            hit0 = e0.phase != PHASE_NONE && e0.client == client && e0.client_port == client_port;
            hit1 = e1.phase != PHASE_NONE && e1.client == client && e1.client_port == client_port &&
                   levels_are_two == 1;
            if (naming) {
                hit0 = hit0 && e0.owner == sender && e0.owner_port == home_port;
                hit1 = hit1 && e1.owner == sender && e1.owner_port == home_port;
            } else {
                hit0 = hit0 && e0.home == home && e0.home_port == home_port;
                hit1 = hit1 && e1.home == home && e1.home_port == home_port;
            }
            found = hit0 || hit1;
            at = at0;
            e = e0;
            if (hit1 && !hit0) {
                at = at1;
                e = e1;
            } else if (!found && e0.phase != PHASE_NONE && levels_are_two == 1) {
                at = at1;
                e = e1;
            }
            room = found || e.phase == PHASE_NONE;
            if (message && !naming && !waits && !room) {
                GIVE_WAY
            }
        }
        was_epoch = 0;
        was_phase = PHASE_NONE;
        if (found) {
            watch(e, w);
            was_epoch = e.epoch;
            refresh.apply(e, w, meta.now >= e.pending_at + PENDING_MAX);
            if (e.epoch != was_epoch) {
                COUNT(entries_given_back);
            }
            was_epoch = e.epoch;
            was_phase = e.phase;
        }
        if (found && meta.kind == kind_t.SWEEP) {
            /* Closed and quiet for linger, or untouched for age. */
            if ((IS_CLOSING(e) && meta.now >= e.closing_at + linger &&
                 meta.now >= e.touched_at + linger) ||
                (GIVES_WAY(e) && meta.now >= e.touched_at + HALF_MAX) ||
                meta.now >= e.touched_at + age) {
                e.phase = PHASE_NONE;
                COUNT(entries_aged);
            }
        }
