/* One directory entry, and how each TCPMig message may change it: switch/core/entry.h, rule by rule, for
 * both architectures. Pure: no table, no register. docs/protocol.md §5 has the table.
 *
 * An absent entry means that the home server owns the flow at epoch 0. */
#ifndef CAPY_P4_ENTRY
#define CAPY_P4_ENTRY

/* A server, its local port of the flow, and the generation in which it had the flow. */
struct holder_t {
    bit<16> id;
    bit<16> port;
    bit<16> gen;
}

struct entry_t {
    ip_t client; /* IPv4 as ::ffff:a.b.c.d, where it is one of 128 bits */
    bit<16> client_port;
    bit<16> home_port;
    bit<16> home; /* the server whose address, of the client's IP version, the client knows */
    bit<32> epoch;
    bit<64> mig_id; /* the migration that installed this epoch; 0 none */
    phase_t phase;  /* NONE: the slot is free */
    bit<8> flags;
    bit<16> owner;
    bit<16> owner_port;
    bit<16> owner_gen;
    bit<16> previous;
    bit<16> previous_port;
    bit<16> previous_gen;
    time_t touched_at;
    time_t closing_at; /* when RST, or the second FIN, passed */
    time_t pending_at;
}

/* What a message claims, as far as the switch checked it against its own tables. */
struct claim_t {
    bit<16> sender;
    bit<16> sender_port; /* as the message states it, or 0 */
    bit<16> sender_gen;
    bit<16> peer; /* the other server named, or NOBODY */
    bit<16> peer_gen;
    bool sender_is_home;
    bool peer_is_home;
    bool sender_alive;
    bool owner_alive; /* of the entry */
    bool owner_dead;  /* restarted, or silent for very long */
    bool last;        /* CONN_STATE: the last fragment; CONN_STATE_ACK: the final one */
    bool has_entry;
    bool has_room; /* there is an entry, or a slot for one */
    time_t now;
}

struct rule_t {
    bool pass;       /* send it on to the peer */
    bool bounce;     /* answer the sender */
    bool remove;     /* the entry ends */
    bool grant;      /* PREPARE_MIG: choose or check a target, then pass */
    bool owner_gone; /* report epoch + 1, owned by nobody */
    verdict_t verdict;
}

/* The flow is this server's, settled, at epoch e. Who runs it by our word needs no proof: served. */
#define GIVE(id_, port_, gen_, e_) \
    e.owner = id_; e.owner_port = port_; e.owner_gen = gen_; \
    e.previous = id_; e.previous_port = port_; e.previous_gen = gen_; \
    e.epoch = e_; e.phase = SETTLED; e.mig_id = 0; \
    e.flags = (e.flags & ~(DEAD | HALF)) | SERVED

/* The present epoch is burned and the flow is the previous owner's again. */
#define GIVE_BACK GIVE(e.previous, e.previous_port, e.previous_gen, e.epoch + 1)

/* What a rule asks, each a column of the table below. */
const bit<2> BELOW = 0; /* there is no entry, or it is below the message's epoch */
const bit<2> AT = 1;
const bit<2> NEXT = 2; /* it is one above: the epoch was burned */
const bit<2> ABOVE = 3;
const bit<2> OTHER_OWNS = 0;
const bit<2> SENDER_OWNS = 1;
const bit<2> PEER_OWNS = 2;

/* What a rule does to the entry (e), and with the message (r). home: the server of the flow's home
 * address. */
control Rule(in mig_h m, in claim_t c, in bit<16> home, inout entry_t e, out rule_t r) {
    bit<2> epoch_is;
    bit<2> owner_is;
    bit<1> room;
    bit<1> same;      /* the migration that installed the entry's epoch */
    bit<1> announced; /* known only by the owner's word, or burned */
    bit<1> unasked;   /* the message is of no migration */
    bit<1> left;      /* the sender is the previous owner */
    bit<1> dead;
    bit<1> served;
    bit<1> alive; /* of whom it concerns: PREPARE_MIG_ACK's sender, else the owner */
    bit<1> install; /* the origin owns the flow at epoch - 1 */
    bit<1> known;   /* the port under which the new owner has the flow */
    bit<1> has_peer;
    bit<1> last;
    bit<1> at_home; /* ANNOUNCE: what absence says already. FLOW_CLOSED: of the connection before this one */
    bit<1> same_gen;
    bit<16> origin;
    bool origin_is_home;
    bit<16> port;

    action ask() {
        r.pass = false;
        r.bounce = false;
        r.remove = false;
        r.grant = false;
        r.owner_gone = false;
        r.verdict = VERDICT_NONE;
        epoch_is = ABOVE;
        owner_is = OTHER_OWNS;
        room = 0;
        same = 0;
        announced = 0;
        unasked = 0;
        left = 0;
        alive = 0;
        install = 0;
        known = 0;
        has_peer = 0;
        last = 0;
        at_home = 0;
        same_gen = 0;
        origin = c.sender;
        origin_is_home = c.sender_is_home;
        port = c.sender_port;
    }

    action begin_entry() { /* of a flow that has none */
        e.client = (ip_t)m.client;
        e.client_port = m.client_port;
        e.home_port = m.home_port;
        e.home = home;
        e.epoch = 0;
        e.mig_id = 0;
        e.phase = PHASE_NONE;
        e.flags = 0;
        e.owner = c.peer; /* so that PREPARE_MIG_ACK finds home there */
        e.owner_port = m.home_port;
        e.owner_gen = c.peer_gen;
        e.previous = NOBODY;
        e.previous_port = 0;
        e.previous_gen = 0;
        e.touched_at = 0;
        e.closing_at = 0;
        e.pending_at = 0;
    }

    action drop() {
        r.verdict = VERDICT_STALE;
    }

    action pass_ok() {
        r.pass = true;
        r.verdict = VERDICT_OK;
    }

    action bounce(verdict_t v) {
        r.bounce = true;
        r.verdict = v;
    }

    action both(verdict_t v) {
        r.pass = true;
        r.bounce = true;
        r.verdict = v;
    }

    action grant() {
        r.grant = true;
        r.verdict = VERDICT_OK;
    }

    action install_it() { /* the compare-and-swap */
        e.previous = e.owner;
        e.previous_port = e.owner_port;
        e.previous_gen = e.owner_gen;
        e.owner = c.sender;
        e.owner_port = c.sender_port;
        e.owner_gen = c.sender_gen;
        e.epoch = m.epoch;
        e.mig_id = m.mig_id;
        e.phase = PENDING;
        e.pending_at = c.now;
        e.flags = e.flags & ~(SERVED | HALF);
        pass_ok();
    }

    action settle() { /* the commit point */
        e.phase = SETTLED;
        pass_ok();
    }

    action give_sender_next() {
        GIVE(c.sender, port, c.sender_gen, m.epoch + 1);
        bounce(VERDICT_OK);
    }

    action give_sender() {
        GIVE(c.sender, port, c.sender_gen, m.epoch);
        bounce(VERDICT_OK);
    }

    action give_peer_next() {
        GIVE(c.peer, port, c.peer_gen, m.epoch + 1);
        both(VERDICT_OK);
    }

    action give_back_to_sender() {
        GIVE_BACK;
        bounce(VERDICT_OK);
    }

    action give_back() {
        GIVE_BACK;
        both(VERDICT_OK);
    }

    action owner_gone() { /* it ran there, and died there */
        r.owner_gone = true;
        bounce(VERDICT_STALE);
    }

    action bury() { /* it ran there and is gone */
        e.flags = e.flags | DEAD;
        bounce(VERDICT_OK);
    }

    action revive() {
        e.flags = (e.flags & ~(DEAD | RST_OWNER | HALF)) | SERVED;
        bounce(VERDICT_OK);
    }

    action remove() {
        r.remove = true;
        both(VERDICT_OK);
    }

    /* docs/protocol.md §5, line by line; the first that fits counts. */
    table rules {
        key = {
            m.type: ternary;
            room: ternary;
            e.phase: ternary;
            epoch_is: ternary;
            same: ternary;
            announced: ternary;
            unasked: ternary;
            owner_is: ternary;
            left: ternary;
            dead: ternary;
            served: ternary;
            alive: ternary;
            install: ternary;
            known: ternary;
            has_peer: ternary;
            last: ternary;
            at_home: ternary;
            same_gen: ternary;
        }
        actions = {
            drop; pass_ok; bounce; both; grant; install_it; settle; give_sender_next; give_sender;
            give_peer_next; give_back_to_sender; give_back; owner_gone; bury; revive; remove;
        }
        const default_action = drop();
        const entries = {
            /*                                        same                  left        install     at_home
             *                  room                     announced             dead        known       same_gen
             * type                phase       epoch_is     unasked               served      has_peer
             *                                                 owner_is              alive       last */
            (PREPARE_MIG,     _, PENDING,    AT,    1, _, _, _,           1, _, _, _, _, _, _, _, _, _): pass_ok();
            (PREPARE_MIG,     _, _,          _,     _, _, _, _,           _, _, _, _, 0, _, _, _, _, _): bounce(VERDICT_STALE);
            (PREPARE_MIG,     0, _,          _,     _, _, _, _,           _, _, _, _, _, _, _, _, _, _): bounce(VERDICT_FULL);
            (PREPARE_MIG,     _, _,          _,     _, _, _, _,           _, _, _, _, _, _, _, _, _, _): grant();

            (PREPARE_MIG_ACK, _, PENDING,    AT,    1, _, _, SENDER_OWNS, _, _, _, _, _, _, _, _, _, _): pass_ok();
            (PREPARE_MIG_ACK, _, _,          _,     _, _, _, _,           _, _, _, _, 0, _, _, _, _, _): both(VERDICT_STALE);
            (PREPARE_MIG_ACK, _, _,          _,     _, _, _, _,           _, _, _, 0, _, _, _, _, _, _): both(VERDICT_NO_TARGET);
            (PREPARE_MIG_ACK, 0, _,          _,     _, _, _, _,           _, _, _, _, _, _, _, _, _, _): both(VERDICT_FULL);
            (PREPARE_MIG_ACK, _, _,          _,     _, _, _, _,           _, _, _, _, _, _, _, _, _, _): install_it();

            (CONN_STATE,      _, _,          AT,    _, 1, _, PEER_OWNS,   _, _, _, _, _, _, _, _, _, _): pass_ok();
            (CONN_STATE,      _, _,          AT,    1, _, _, PEER_OWNS,   1, 1, _, _, _, _, _, _, _, _): bounce(VERDICT_NO_TARGET);
            (CONN_STATE,      _, PENDING,    AT,    1, _, _, PEER_OWNS,   1, _, _, 0, _, _, _, _, _, _): bounce(VERDICT_NO_TARGET);
            (CONN_STATE,      _, _,          AT,    1, _, _, PEER_OWNS,   1, _, _, _, _, _, _, 1, _, _): settle();
            (CONN_STATE,      _, _,          AT,    1, _, _, PEER_OWNS,   1, _, _, _, _, _, _, _, _, _): pass_ok();
            (CONN_STATE,      _, _,          _,     _, _, _, _,           _, _, _, _, _, _, _, _, _, _): bounce(VERDICT_STALE);

            (CONN_STATE_ACK,  _, PENDING,    AT,    _, _, _, _,           _, _, _, _, _, _, _, 1, _, _): drop();
            (CONN_STATE_ACK,  _, _,          AT,    _, _, _, SENDER_OWNS, _, _, _, _, _, _, _, _, _, _): pass_ok();
            (CONN_STATE_ACK,  _, _,          AT,    _, _, _, _,           _, _, _, _, _, _, _, _, _, _): drop();
            (CONN_STATE_ACK,  _, _,          _,     _, _, _, _,           _, _, _, _, _, _, _, _, _, _): pass_ok();

            (CANCEL,          0, _,          _,     _, _, _, _,           _, _, _, _, _, _, _, _, _, _): bounce(VERDICT_FULL);
            (CANCEL,          _, _,          BELOW, _, _, _, _,           _, _, _, _, _, 0, _, _, _, _): bounce(VERDICT_STALE);
            (CANCEL,          _, _,          BELOW, _, _, _, _,           _, _, _, _, _, _, _, _, _, _): give_sender_next();
            (CANCEL,          _, _,          AT,    _, _, _, SENDER_OWNS, _, _, _, _, _, _, _, _, _, _): bounce(VERDICT_STALE);
            (CANCEL,          _, _,          AT,    _, 0, _, _,           0, _, _, _, _, _, _, _, _, _): bounce(VERDICT_STALE);
            (CANCEL,          _, PENDING,    AT,    _, _, _, _,           _, _, _, _, _, _, _, _, _, _): give_back_to_sender();
            (CANCEL,          _, SETTLED,    AT,    _, _, _, _,           _, 0, _, 1, _, _, _, _, _, _): bounce(VERDICT_SETTLED);
            (CANCEL,          _, SETTLED,    AT,    _, _, _, _,           _, _, 1, _, _, _, _, _, _, _): owner_gone();
            (CANCEL,          _, SETTLED,    AT,    _, _, _, _,           _, _, _, _, _, _, _, _, _, _): give_back_to_sender();
            (CANCEL,          _, SETTLED,    NEXT,  _, _, _, SENDER_OWNS, _, _, _, _, _, _, _, _, _, _): bounce(VERDICT_OK);
            (CANCEL,          _, _,          _,     _, _, _, _,           _, _, _, _, _, _, _, _, _, _): bounce(VERDICT_STALE);

            (NACK,            1, _,          BELOW, _, _, _, _,           _, _, _, _, 1, _, 1, _, _, _): give_peer_next();
            (NACK,            _, _,          BELOW, _, _, _, _,           _, _, _, _, _, _, _, _, _, _): both(VERDICT_OK);
            (NACK,            _, PENDING,    AT,    1, _, _, SENDER_OWNS, _, _, _, _, _, _, _, _, _, _): give_back();
            (NACK,            _, PENDING,    AT,    _, _, 1, SENDER_OWNS, _, _, _, _, _, _, _, _, _, _): give_back();
            (NACK,            _, _,          AT,    1, _, _, SENDER_OWNS, _, _, 0, _, _, _, _, _, _, _): give_back();
            (NACK,            _, _,          AT,    _, _, 1, SENDER_OWNS, _, _, 0, _, _, _, _, _, _, _): give_back();
            (NACK,            _, _,          AT,    1, _, _, SENDER_OWNS, _, _, _, _, _, _, _, _, _, _): bury();
            (NACK,            _, _,          AT,    _, _, 1, SENDER_OWNS, _, _, _, _, _, _, _, _, _, _): bury();
            (NACK,            _, SETTLED,    NEXT,  _, _, _, PEER_OWNS,   _, _, _, _, _, _, _, _, _, _): both(VERDICT_OK);
            (NACK,            _, _,          _,     _, _, _, _,           _, _, _, _, _, _, _, _, _, _): bounce(VERDICT_STALE);

            (ANNOUNCE,        _, _,          _,     _, _, _, _,           _, _, _, _, _, _, _, _, 1, _): bounce(VERDICT_OK);
            (ANNOUNCE,        0, _,          _,     _, _, _, _,           _, _, _, _, _, _, _, _, _, _): bounce(VERDICT_FULL);
            (ANNOUNCE,        _, _,          BELOW, _, _, _, _,           _, _, _, _, _, 0, _, _, _, _): bounce(VERDICT_STALE);
            (ANNOUNCE,        _, _,          BELOW, _, _, _, _,           _, _, _, _, _, _, _, _, _, _): give_sender();
            (ANNOUNCE,        _, PENDING,    _,     _, _, _, _,           1, _, _, _, _, _, _, _, _, _): bounce(VERDICT_OK);
            (ANNOUNCE,        _, SETTLED,    AT,    _, _, _, SENDER_OWNS, _, _, _, _, _, _, _, _, _, 1): revive();
            (ANNOUNCE,        _, _,          _,     _, _, _, _,           _, _, _, _, _, _, _, _, _, _): bounce(VERDICT_STALE);

            (FLOW_CLOSED,     _, PHASE_NONE, _,     _, _, _, _,           _, _, _, _, _, _, _, _, _, _): both(VERDICT_OK);
            (FLOW_CLOSED,     _, _,          _,     _, _, _, _,           _, _, _, _, _, _, _, _, 1, _): both(VERDICT_OK);
            (FLOW_CLOSED,     _, SETTLED,    _,     _, _, _, SENDER_OWNS, _, _, _, _, _, _, _, _, _, _): remove();
            (FLOW_CLOSED,     _, _,          _,     _, _, _, _,           _, _, _, _, _, _, _, _, _, _): bounce(VERDICT_STALE);
        }
    }

    apply {
        ask();
        if (m.type == PREPARE_MIG_ACK || m.type == NACK) { /* these are the target's */
            origin = c.peer;
            origin_is_home = c.peer_is_home;
        }
        if (!c.has_entry)
            begin_entry();
        if (c.has_entry && e.epoch == m.epoch)
            epoch_is = AT;
        else if (!c.has_entry || e.epoch < m.epoch)
            epoch_is = BELOW;
        else if (e.epoch == m.epoch + 1)
            epoch_is = NEXT;
        if (c.has_entry && e.owner == c.sender)
            owner_is = SENDER_OWNS;
        else if (c.has_entry && c.peer != NOBODY && e.owner == c.peer)
            owner_is = PEER_OWNS;
        if (c.has_room)
            room = 1;
        if (c.has_entry && e.mig_id == m.mig_id)
            same = 1;
        if (e.phase == SETTLED && e.mig_id == 0)
            announced = 1;
        if (m.mig_id == 0)
            unasked = 1;
        if (c.has_entry && e.previous == c.sender)
            left = 1;
        dead = e.flags[1:1];
        if (m.type == CONN_STATE && c.owner_dead)
            dead = 1;
        served = e.flags[0:0];
        if (m.type == NACK && m.mig_id != 0 && m.reason != REASON_UNKNOWN_FLOW)
            served = 0; /* it will never import this one; what was seen of it is from a former life */
        if ((m.type == PREPARE_MIG_ACK && c.sender_alive) ||
            (m.type == CONN_STATE && c.owner_alive) || (m.type == CANCEL && !c.owner_dead))
            alive = 1;
        if (c.has_entry) {
            if (e.phase == SETTLED && dead == 0 && e.epoch + 1 == m.epoch && e.owner == origin)
                install = 1;
        } else if (m.epoch == 1 && origin_is_home) {
            install = 1;
        }
        if (m.type == NACK || port == 0) { /* from what is known of it */
            port = 0;
            if (c.has_entry && e.owner == origin)
                port = e.owner_port;
            else if (c.has_entry && e.previous == origin)
                port = e.previous_port;
            else if (origin_is_home)
                port = m.home_port;
        }
        if (port != 0)
            known = 1;
        if (c.peer != NOBODY)
            has_peer = 1;
        if (c.last)
            last = 1;
        if (!c.has_entry && m.epoch == 0 && c.sender_is_home)
            at_home = 1;
        if (m.type == FLOW_CLOSED && (e.flags & HALF) != 0) /* goes by itself if it is none */
            at_home = 1;
        if (e.owner_gen == c.sender_gen)
            same_gen = 1;
        rules.apply();
        if (c.peer == NOBODY)
            r.pass = false;
    }
}

/* What the switch knows of an entry's two servers. Dead: restarted since, or silent for 8 leases; gone: for
 * 16. */
struct watch_t {
    bool owner_alive;
    bool owner_restarted;
    bool owner_dead;
    bool owner_gone;
    bool previous_dead;
}

/* Death of servers, looked at whenever the entry is. abandoned: PENDING for too long. */
control Refresh(inout entry_t e, in watch_t w, in bool abandoned) {
    bool dead;
    apply {
        dead = w.owner_dead;
        if ((e.phase == PENDING && (w.owner_dead || abandoned)) ||
            (e.phase == SETTLED && w.owner_restarted && (e.flags & (SERVED | HALF)) == 0)) {
            /* Nothing can have been imported, or it died with the import. */
            GIVE_BACK;
            dead = w.previous_dead;
        } else if ((e.flags & SERVED) == 0 && !w.previous_dead) {
            /* Its origin will ask for it by CANCEL: until then nobody may reset it. */
            dead = w.owner_gone;
        }
        if (e.phase == SETTLED && dead)
            e.flags = e.flags | DEAD;
    }
}

/* The owner reset it, or both sides closed: what may still come is a retransmission. */
#define IS_CLOSING(e) (((e).flags & RST_OWNER) != 0 || \
                       ((e).flags & (FIN_CLIENT | FIN_OWNER)) == (FIN_CLIENT | FIN_OWNER))

/* May be no connection at all: it gives way to any flow that needs its slot. */
#define GIVES_WAY(e) (((e).flags & HALF) != 0 && \
                      (((e).flags & ACKED) == 0 || ((e).flags & RST_OWNER) != 0))

/* A permitted segment of the owner (while PENDING, of the previous owner) passes. */
control NoteOwner(inout entry_t e, in bit<8> tcp_flags, in bool data, in time_t now) {
    bool was;
    apply {
        was = IS_CLOSING(e);
        e.touched_at = now;
        if (e.phase == SETTLED)
            e.flags = e.flags | SERVED;
        if ((tcp_flags & (TCP_SYN | TCP_RST)) == 0) /* the handshake was completed */
            e.flags = e.flags & ~HALF;
        if ((tcp_flags & TCP_RST) != 0)
            e.flags = e.flags | RST_OWNER;
        else if (data) /* it lives after all */
            e.flags = e.flags & ~RST_OWNER;
        if ((tcp_flags & TCP_FIN) != 0)
            e.flags = e.flags | FIN_OWNER;
        if (!was && IS_CLOSING(e))
            e.closing_at = now;
    }
}

/* A client's segment passes. Its RST ends nothing here: the switch cannot tell a forged one by its
 * sequence number as the owner can (RFC 5961), who then says FLOW_CLOSED. over: a new connection
 * begins, the entry is history. */
control NoteClient(inout entry_t e, in bit<8> tcp_flags, in time_t now, out bool over) {
    bool was;
    apply {
        was = IS_CLOSING(e);
        over = (tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN &&
               (was || (e.flags & DEAD) != 0);
        if (!over) {
            if ((e.flags & SERVED) != 0 && (tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_ACK)
                e.flags = e.flags | ACKED;
            if ((e.flags & DEAD) == 0) /* a tombstone ages however long the client knocks */
                e.touched_at = now;
            if ((tcp_flags & TCP_FIN) != 0)
                e.flags = e.flags | FIN_CLIENT;
            if (!was && IS_CLOSING(e))
                e.closing_at = now;
        }
    }
}

#endif
