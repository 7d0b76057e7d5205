/* One directory entry: who owns a flow, and how each TCPMig message may change that. The switch is
 * the single arbiter of ownership, so these transitions are the heart of the protocol; the rules,
 * and what each prevents, are in docs/protocol.md. Header only, no libc, no loops: the same source
 * decides in user space, in BPF and in the simulator.
 *
 *              PREPARE_MIG_ACK(e)                    last CONN_STATE(e)
 *   SETTLED(e-1) ---------------> PENDING(e) -------------------------> SETTLED(e)
 *   (or absent, e = 1)              | CANCEL(e), NACK(e),                 | NACK(e) not served;
 *                                   | target restarted                    | CANCEL(e) not served,
 *                                   v                                     v target's lease expired
 *                          SETTLED(e+1), owner = previous <---------------+
 *
 * An absent entry means: the home server owns the flow at epoch 0. A free slot (phase NONE) stands
 * for an absent entry that there is room for, NULL for one that there is no room for. */
#ifndef CAPY_SWITCH_ENTRY_H
#define CAPY_SWITCH_ENTRY_H

#include "switch/core/servers.h"
#include "wire/tcpmig.h"

/* PENDING lasts as long as an application takes to let go and a state takes to pass, both bounded at
 * the servers by tens of milliseconds. Giving back is always safe while PENDING, so what is left
 * after this long (both ends died) is given back. */
#define CAPY_ENTRY_PENDING_MAX_NS CAPY_SEC(2)
/* So long a server repeats its SYN-ACK. */
#define CAPY_ENTRY_HALF_NS CAPY_SEC(60)

enum {
    CAPY_ENTRY_SERVED = 1, /* a segment of the owner was forwarded: its import succeeded */
    CAPY_ENTRY_DEAD = 2,   /* tombstone: the connection died with its owner */
    CAPY_ENTRY_FIN_CLIENT = 4,
    CAPY_ENTRY_FIN_OWNER = 8,
    CAPY_ENTRY_RST = 16, /* the owner sent RST */
    CAPY_ENTRY_HALF =
        32, /* made by a SYN to the service address, not known to be a connection yet */
    CAPY_ENTRY_ACKED =
        64, /* HALF, and the client answered the SYN-ACK: right, or the owner resets it */
    CAPY_ENTRY_FINS = CAPY_ENTRY_FIN_CLIENT | CAPY_ENTRY_FIN_OWNER,
};

/* A server, its local port of the flow, and the generation in which it had the flow. */
struct capy_holder {
    uint16_t id, port, gen;
};

/* First what every segment looks at, which so lies in one or two cache lines of a long table. */
struct capy_entry {
    struct capy_flow_key key;
    uint32_t epoch;
    uint64_t touched_at;
    struct capy_holder owner;
    uint8_t phase; /* capy_phase; NONE: the slot is free */
    uint8_t flags;
    uint16_t
        home; /* the server at key.home, CAPY_SERVER_ANY: none; noted when the entry is added */
    struct capy_holder previous;
    uint64_t mig_id;     /* the migration that installed this epoch; 0 none */
    uint64_t closing_at; /* when RST, or the second FIN, passed */
    uint64_t pending_at; /* when PENDING began */
};

/* What a message claims, as far as the switch checked it against its own tables. */
struct capy_claim {
    struct capy_holder sender; /* port: the local port that the message states, or 0 */
    struct capy_holder peer;   /* the other server named; id CAPY_SERVER_ANY: none */
    bool sender_is_home, peer_is_home;
    bool sender_alive, peer_alive; /* lease not expired */
    bool owner_alive;              /* of the entry: lease not expired */
    bool owner_dead;               /* of the entry: restarted, or silent for very long */
    uint64_t now;
    bool last;    /* CONN_STATE: the last fragment; CONN_STATE_ACK: the final one */
    bool refused; /* NACK: of a target that has the migration and will never import it */
    uint32_t epoch;
    uint64_t mig_id;
};

enum {
    CAPY_RULE_PASS = 1,        /* send it on to the peer */
    CAPY_RULE_BOUNCE = 2,      /* answer the sender */
    CAPY_RULE_REMOVE = 4,      /* the entry ends */
    CAPY_RULE_GRANT = 8,       /* PREPARE_MIG: choose or check a target, then pass */
    CAPY_RULE_OWNER_GONE = 16, /* report epoch + 1, owned by nobody */
};

struct capy_rule {
    uint8_t todo;    /* 0: drop */
    uint8_t verdict; /* capy_mig_verdict */
};

static inline struct capy_rule capy_rule(unsigned todo, enum capy_mig_verdict verdict)
{
    return (struct capy_rule){(uint8_t)todo, (uint8_t)verdict};
}

static inline bool capy_entry_is(const struct capy_entry *e)
{
    return e && e->phase != CAPY_PHASE_NONE;
}

static inline bool capy_entry_dead(const struct capy_entry *e)
{
    return e->flags & CAPY_ENTRY_DEAD;
}

/* The owner reset it, or both sides closed: what may still come is a retransmission. */
static inline bool capy_entry_closing(const struct capy_entry *e)
{
    return e->flags & CAPY_ENTRY_RST || (e->flags & CAPY_ENTRY_FINS) == CAPY_ENTRY_FINS;
}

/* May be no connection at all: it gives way to any flow that needs its slot. */
static inline bool capy_entry_gives_way(const struct capy_entry *e)
{
    return (e->flags & CAPY_ENTRY_HALF) &&
           (!(e->flags & CAPY_ENTRY_ACKED) || (e->flags & CAPY_ENTRY_RST));
}

/* The flow is `to`'s, settled, at this epoch. Who runs it by our word needs no proof: served. */
static inline void capy_entry_give(struct capy_entry *e, struct capy_holder to, uint32_t epoch)
{
    e->owner = to;
    e->previous = to;
    e->epoch = epoch;
    e->phase = CAPY_PHASE_SETTLED;
    e->mig_id = 0;
    e->flags = (uint8_t)((e->flags & ~(CAPY_ENTRY_DEAD | CAPY_ENTRY_HALF)) | CAPY_ENTRY_SERVED);
}

/* The present epoch is burned and the flow is the previous owner's again. */
static inline void capy_entry_give_back(struct capy_entry *e)
{
    capy_entry_give(e, e->previous, e->epoch + 1u);
}

/* The port under which the sender has the flow, from what is known of it; 0: unknown. */
static inline uint16_t capy_entry_port_of(const struct capy_entry *e, const struct capy_holder *h,
                                          bool is_home, const struct capy_flow_key *key)
{
    if (h->port != 0)
        return h->port;
    if (capy_entry_is(e) && e->owner.id == h->id)
        return e->owner.port;
    if (capy_entry_is(e) && e->previous.id == h->id)
        return e->previous.port;
    return is_home ? key->home_port : 0u;
}

/* Known only by the owner's word, or burned: no migration led to this epoch that we know of. */
static inline bool capy_entry_announced(const struct capy_entry *e)
{
    return e->phase == CAPY_PHASE_SETTLED && e->mig_id == 0;
}

/* True when `origin` owns the flow at epoch e - 1, so that e may be installed. */
static inline bool capy_entry_may_install(const struct capy_entry *e, uint32_t epoch,
                                          uint16_t origin, bool origin_is_home)
{
    if (!capy_entry_is(e))
        return epoch == 1 && origin_is_home;
    return e->phase == CAPY_PHASE_SETTLED && !capy_entry_dead(e) && e->epoch + 1u == epoch &&
           e->owner.id == origin;
}

/* ---- PREPARE_MIG: sender = origin ---- */
static inline struct capy_rule capy_entry_prepare(const struct capy_entry *e,
                                                  const struct capy_claim *c)
{
    if (capy_entry_is(e) && e->phase == CAPY_PHASE_PENDING && e->epoch == c->epoch &&
        e->mig_id == c->mig_id && e->previous.id == c->sender.id)
        return capy_rule(CAPY_RULE_PASS, CAPY_VERDICT_OK); /* to the target it already has */
    if (!capy_entry_may_install(e, c->epoch, c->sender.id, c->sender_is_home))
        return capy_rule(CAPY_RULE_BOUNCE, CAPY_VERDICT_STALE);
    if (!e) /* no need to trouble a target: its answer could not be installed */
        return capy_rule(CAPY_RULE_BOUNCE, CAPY_VERDICT_FULL);
    return capy_rule(CAPY_RULE_GRANT, CAPY_VERDICT_OK);
}

/* ---- PREPARE_MIG_ACK: sender = target, peer = origin; the compare-and-swap ---- */
static inline struct capy_rule capy_entry_prepare_ack(struct capy_entry *e,
                                                      const struct capy_flow_key *key,
                                                      const struct capy_claim *c)
{
    const unsigned both = CAPY_RULE_PASS | CAPY_RULE_BOUNCE;
    if (capy_entry_is(e) && e->phase == CAPY_PHASE_PENDING && e->epoch == c->epoch &&
        e->mig_id == c->mig_id && e->owner.id == c->sender.id)
        return capy_rule(CAPY_RULE_PASS, CAPY_VERDICT_OK); /* a repeat */
    if (!capy_entry_may_install(e, c->epoch, c->peer.id, c->peer_is_home))
        return capy_rule(both, CAPY_VERDICT_STALE);
    if (!c->sender_alive)
        return capy_rule(both, CAPY_VERDICT_NO_TARGET);
    if (!e)
        return capy_rule(both, CAPY_VERDICT_FULL);
    if (capy_entry_is(e)) {
        e->previous = e->owner;
    } else {
        *e = (struct capy_entry){.key = *key, .previous = c->peer};
        e->previous.port = key->home_port;
    }
    e->owner = c->sender;
    e->epoch = c->epoch;
    e->mig_id = c->mig_id;
    e->phase = CAPY_PHASE_PENDING;
    e->pending_at = c->now;
    e->flags = (uint8_t)(e->flags & ~(CAPY_ENTRY_SERVED | CAPY_ENTRY_HALF));
    return capy_rule(CAPY_RULE_PASS, CAPY_VERDICT_OK);
}

/* ---- CONN_STATE: sender = origin, peer = target; its last fragment is the commit point ---- */
static inline struct capy_rule capy_entry_state(struct capy_entry *e, const struct capy_claim *c)
{
    if (!capy_entry_is(e) || e->epoch != c->epoch || e->owner.id != c->peer.id)
        return capy_rule(CAPY_RULE_BOUNCE, CAPY_VERDICT_STALE);
    if (capy_entry_announced(e)) /* the owner runs it and remembers from whom: it will say so */
        return capy_rule(CAPY_RULE_PASS, CAPY_VERDICT_OK);
    if (e->mig_id != c->mig_id || e->previous.id != c->sender.id)
        return capy_rule(CAPY_RULE_BOUNCE, CAPY_VERDICT_STALE);
    if (capy_entry_dead(e) || c->owner_dead || (e->phase == CAPY_PHASE_PENDING && !c->owner_alive))
        return capy_rule(CAPY_RULE_BOUNCE, CAPY_VERDICT_NO_TARGET);
    if (c->last)
        e->phase = CAPY_PHASE_SETTLED;
    return capy_rule(CAPY_RULE_PASS, CAPY_VERDICT_OK);
}

/* ---- CONN_STATE_ACK: sender = target, peer = origin ---- */
static inline struct capy_rule capy_entry_state_ack(const struct capy_entry *e,
                                                    const struct capy_claim *c)
{
    /* At the entry's own epoch only its owner may speak, and "imported" only after the commit.
     * Otherwise the entry moved on, or was lost in a reboot: the origin knows best what it is. */
    if (capy_entry_is(e) && e->epoch == c->epoch &&
        (e->owner.id != c->sender.id || (c->last && e->phase == CAPY_PHASE_PENDING)))
        return capy_rule(0, CAPY_VERDICT_STALE);
    return capy_rule(CAPY_RULE_PASS, CAPY_VERDICT_OK);
}

/* ---- CANCEL: sender = origin; epoch = the one to burn ---- */
static inline struct capy_rule
capy_entry_cancel(struct capy_entry *e, const struct capy_flow_key *key, const struct capy_claim *c)
{
    const struct capy_rule ok = capy_rule(CAPY_RULE_BOUNCE, CAPY_VERDICT_OK);
    const struct capy_rule stale = capy_rule(CAPY_RULE_BOUNCE, CAPY_VERDICT_STALE);
    struct capy_holder sender = c->sender;
    if (!e)
        return capy_rule(CAPY_RULE_BOUNCE, CAPY_VERDICT_FULL);
    if (!capy_entry_is(e) || e->epoch < c->epoch) { /* not yet at e: make it never be */
        sender.port = capy_entry_port_of(e, &sender, c->sender_is_home, key);
        if (sender.port == 0)
            return stale;
        if (!capy_entry_is(e))
            *e = (struct capy_entry){.key = *key};
        capy_entry_give(e, sender, c->epoch + 1u);
        return ok;
    }
    if (e->epoch == c->epoch) {
        if (e->owner.id == c->sender.id ||
            (e->previous.id != c->sender.id && !capy_entry_announced(e)))
            return stale;
        if (e->phase == CAPY_PHASE_SETTLED) {
            if (!c->owner_dead && !capy_entry_dead(e))
                return capy_rule(CAPY_RULE_BOUNCE, CAPY_VERDICT_SETTLED);
            if (e->flags & CAPY_ENTRY_SERVED) /* it ran there, and died there */
                return capy_rule(CAPY_RULE_BOUNCE | CAPY_RULE_OWNER_GONE, CAPY_VERDICT_STALE);
        }
        capy_entry_give_back(e);
        return ok;
    }
    if (e->epoch == c->epoch + 1u && e->phase == CAPY_PHASE_SETTLED && e->owner.id == c->sender.id)
        return ok; /* a repeat */
    return stale;
}

/* ---- NACK(e), e > 0: sender = target, peer = origin if the sender knows it ---- */
static inline struct capy_rule
capy_entry_nack(struct capy_entry *e, const struct capy_flow_key *key, const struct capy_claim *c)
{
    const bool has_peer = c->peer.id != CAPY_SERVER_ANY;
    const struct capy_rule ok =
        capy_rule(CAPY_RULE_BOUNCE | (has_peer ? CAPY_RULE_PASS : 0u), CAPY_VERDICT_OK);
    if (!capy_entry_is(e) || e->epoch < c->epoch) { /* a refusal: burn e where that is possible */
        struct capy_holder peer = c->peer;
        if (e && has_peer && capy_entry_may_install(e, c->epoch, peer.id, c->peer_is_home)) {
            peer.port = capy_entry_port_of(e, &peer, c->peer_is_home, key);
            if (!capy_entry_is(e))
                *e = (struct capy_entry){.key = *key};
            capy_entry_give(e, peer, c->epoch + 1u);
        }
        return ok;
    }
    if (e->epoch == c->epoch && e->owner.id == c->sender.id &&
        (e->mig_id == c->mig_id || c->mig_id == 0)) { /* 0: it never heard of a migration */
        /* Where it lived before, a late segment of that time makes it look served. */
        if (e->phase == CAPY_PHASE_PENDING || !(e->flags & CAPY_ENTRY_SERVED) || c->refused) {
            capy_entry_give_back(e);
            return ok;
        }
        e->flags |= CAPY_ENTRY_DEAD; /* it ran there and is gone */
        return capy_rule(CAPY_RULE_BOUNCE, CAPY_VERDICT_OK);
    }
    if (e->epoch == c->epoch + 1u && e->phase == CAPY_PHASE_SETTLED && has_peer &&
        e->owner.id == c->peer.id)
        return ok; /* a repeat */
    return capy_rule(CAPY_RULE_BOUNCE, CAPY_VERDICT_STALE);
}

/* ---- ANNOUNCE: sender runs the flow, or holds it frozen, at this epoch ---- */
static inline struct capy_rule capy_entry_announce(struct capy_entry *e,
                                                   const struct capy_flow_key *key,
                                                   const struct capy_claim *c)
{
    const struct capy_rule ok = capy_rule(CAPY_RULE_BOUNCE, CAPY_VERDICT_OK);
    struct capy_holder sender = c->sender;
    if (!capy_entry_is(e) && c->epoch == 0 && c->sender_is_home)
        return ok; /* what absence says already */
    if (!e)
        return capy_rule(CAPY_RULE_BOUNCE, CAPY_VERDICT_FULL);
    if (!capy_entry_is(e) || e->epoch < c->epoch) {
        sender.port = capy_entry_port_of(e, &sender, c->sender_is_home, key);
        if (sender.port == 0)
            return capy_rule(CAPY_RULE_BOUNCE, CAPY_VERDICT_STALE);
        if (!capy_entry_is(e))
            *e = (struct capy_entry){.key = *key};
        capy_entry_give(e, sender, c->epoch);
        return ok;
    }
    if (e->phase == CAPY_PHASE_PENDING && e->previous.id == c->sender.id)
        return ok; /* it runs until the state has passed */
    /* A restarted owner cannot run what it ran before: such an ANNOUNCE is late. */
    if (e->epoch == c->epoch && e->phase == CAPY_PHASE_SETTLED && e->owner.id == c->sender.id &&
        e->owner.gen == c->sender.gen) {
        e->flags &= (uint8_t) ~(CAPY_ENTRY_DEAD | CAPY_ENTRY_RST | CAPY_ENTRY_HALF);
        e->flags |= CAPY_ENTRY_SERVED;
        return ok;
    }
    return capy_rule(CAPY_RULE_BOUNCE, CAPY_VERDICT_STALE);
}

/* ---- FLOW_CLOSED: sender ended the connection; peer = the home server if another ---- */
static inline struct capy_rule capy_entry_closed(const struct capy_entry *e,
                                                 const struct capy_claim *c)
{
    const unsigned done = CAPY_RULE_BOUNCE | (c->peer.id != CAPY_SERVER_ANY ? CAPY_RULE_PASS : 0u);
    if (!capy_entry_is(e))
        return capy_rule(done, CAPY_VERDICT_OK);
    /* May be the next connection of the same name: it stays, and goes by itself if it is none. */
    if (e->flags & CAPY_ENTRY_HALF)
        return capy_rule(done, CAPY_VERDICT_OK);
    /* An entry below e of somebody else's may be the next connection of the same name: it stays. */
    if (e->phase == CAPY_PHASE_SETTLED && e->owner.id == c->sender.id)
        return capy_rule(done | CAPY_RULE_REMOVE, CAPY_VERDICT_OK);
    return capy_rule(CAPY_RULE_BOUNCE, CAPY_VERDICT_STALE);
}

/* ---- death of servers, looked at whenever the entry is ---- */

/* Is the flow over with its owner? One that the owner never served is its origin's again when that asks
 * by CANCEL, as it does within some repeats of it: until then nobody may reset it. */
static inline bool capy_entry_died(const struct capy_entry *e, const struct capy_server *owner,
                                   const struct capy_server *previous, uint64_t now,
                                   uint64_t lease_ns)
{
    bool reclaimable = !(e->flags & CAPY_ENTRY_SERVED) &&
                       !capy_server_dead(previous, e->previous.gen, now, lease_ns);
    return capy_server_dead(owner, e->owner.gen, now, reclaimable ? 2 * lease_ns : lease_ns);
}

static inline void capy_entry_refresh(struct capy_entry *e, const struct capy_server *owner,
                                      const struct capy_server *previous, uint64_t now,
                                      uint64_t lease_ns)
{
    bool restarted = owner->gen != e->owner.gen;
    if (e->phase == CAPY_PHASE_PENDING
            ? capy_server_dead(owner, e->owner.gen, now, lease_ns) ||
                  now >= e->pending_at + CAPY_ENTRY_PENDING_MAX_NS
            : restarted && !(e->flags & (CAPY_ENTRY_SERVED | CAPY_ENTRY_HALF))) {
        capy_entry_give_back(e); /* nothing can have been imported, or it died with the import */
        owner = previous;
    }
    if (e->phase == CAPY_PHASE_SETTLED && capy_entry_died(e, owner, previous, now, lease_ns))
        e->flags |= CAPY_ENTRY_DEAD;
}

/* ---- segments ---- */

/* May a segment from h (server, local port) go to the client? While PENDING the previous owner still
 * runs the connection; once SETTLED only the owner does. */
static inline bool capy_entry_may_send(const struct capy_entry *e, uint16_t id, uint16_t port)
{
    const struct capy_holder *h = e->phase == CAPY_PHASE_PENDING ? &e->previous : &e->owner;
    return h->id == id && h->port == port;
}

enum {
    CAPY_SEG_FIN = 0x01,
    CAPY_SEG_SYN = 0x02,
    CAPY_SEG_RST = 0x04,
    CAPY_SEG_ACK = 0x10,
};

static inline void capy_entry_mark(struct capy_entry *e, unsigned flag, uint64_t now)
{
    bool was = capy_entry_closing(e);
    e->flags |= (uint8_t)flag;
    if (!was && capy_entry_closing(e))
        e->closing_at = now;
}

/* A permitted segment of the owner (or, while PENDING, the previous owner) passes. */
static inline void capy_entry_note_owner(struct capy_entry *e, uint8_t tcp_flags, bool data,
                                         uint64_t now)
{
    e->touched_at = now;
    if (e->phase == CAPY_PHASE_SETTLED)
        e->flags |= CAPY_ENTRY_SERVED;
    if (!(tcp_flags & (CAPY_SEG_SYN | CAPY_SEG_RST))) /* the handshake was completed */
        e->flags &= (uint8_t)~CAPY_ENTRY_HALF;
    if (tcp_flags & CAPY_SEG_RST)
        capy_entry_mark(e, CAPY_ENTRY_RST, now);
    else if (data) /* it lives after all */
        e->flags &= (uint8_t)~CAPY_ENTRY_RST;
    if (tcp_flags & CAPY_SEG_FIN)
        capy_entry_mark(e, CAPY_ENTRY_FIN_OWNER, now);
}

/* A client's segment passes. Its RST ends nothing here: the switch cannot tell a forged one by its
 * sequence number as the owner can (RFC 5961), who then says FLOW_CLOSED. True: a new connection
 * begins, the entry is history and must be removed. */
static inline bool capy_entry_note_client(struct capy_entry *e, uint8_t tcp_flags, uint64_t now)
{
    if ((tcp_flags & (CAPY_SEG_SYN | CAPY_SEG_ACK | CAPY_SEG_RST)) == CAPY_SEG_SYN &&
        (capy_entry_closing(e) || capy_entry_dead(e)))
        return true;
    if ((e->flags & CAPY_ENTRY_SERVED) &&
        (tcp_flags & (CAPY_SEG_SYN | CAPY_SEG_ACK | CAPY_SEG_RST)) == CAPY_SEG_ACK)
        e->flags |= CAPY_ENTRY_ACKED;
    if (!capy_entry_dead(e)) /* a tombstone ages however long the client knocks */
        e->touched_at = now;
    if (tcp_flags & CAPY_SEG_FIN)
        capy_entry_mark(e, CAPY_ENTRY_FIN_CLIENT, now);
    return false;
}

/* What most segments meet: the owner runs it and was heard, and nobody closes. Then a segment that neither
 * begins nor ends anything changes nothing but touched_at, and only the owner's death anything else; a
 * client's first ACK is noted, too. */
static inline bool capy_entry_is_steady(const struct capy_entry *e, uint8_t tcp_flags)
{
    return e->phase == CAPY_PHASE_SETTLED && (e->flags & ~CAPY_ENTRY_ACKED) == CAPY_ENTRY_SERVED &&
           !(tcp_flags & (CAPY_SEG_FIN | CAPY_SEG_SYN | CAPY_SEG_RST));
}

/* Time is up: closed and quiet for linger_ns (what was lost of the end is repeated), untouched for
 * age_ns, or never more than a SYN. */
static inline bool capy_entry_over(const struct capy_entry *e, uint64_t now, uint64_t linger_ns,
                                   uint64_t age_ns)
{
    return (capy_entry_closing(e) && now >= e->closing_at + linger_ns &&
            now >= e->touched_at + linger_ns) ||
           now >= e->touched_at + age_ns ||
           (capy_entry_gives_way(e) && now >= e->touched_at + CAPY_ENTRY_HALF_NS);
}

#endif
