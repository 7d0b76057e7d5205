/* TCPMig at the switch: a message is accepted from server ports only, with a valid tag and from the
 * server it names; the entry's rule (entry.h) decides; then it is sent on, answered, or both, with
 * the verdict and the entry's state in the part that only the switch writes.
 * Design §5; docs/protocol.md, "The switch". Header only, for every plane; the decision is one piece
 * under the lock of the flow's client, the message is rewritten after it. Needs a plane's functions:
 * state.h. */
#ifndef CAPY_SWITCH_ARBITER_H
#define CAPY_SWITCH_ARBITER_H

#include "switch/core/rewrite.h"
#include "switch/core/state.h"
#include "switch/core/vip.h"
#include "wire/tcpmig_header.h"

/* ---- sending on and answering ---- */

static inline void capy_mig_count_verdict(struct capy_switch *sw, enum capy_mig_verdict verdict)
{
    switch (verdict) {
    case CAPY_VERDICT_OK:
        capy_switch_count(sw, CAPY_COUNT_verdict_ok);
        break;
    case CAPY_VERDICT_NO_TARGET:
        capy_switch_count(sw, CAPY_COUNT_verdict_no_target);
        break;
    case CAPY_VERDICT_FULL:
        capy_switch_count(sw, CAPY_COUNT_verdict_full);
        capy_switch_count(sw, CAPY_COUNT_directory_full);
        break;
    case CAPY_VERDICT_STALE:
        capy_switch_count(sw, CAPY_COUNT_verdict_stale);
        break;
    case CAPY_VERDICT_SETTLED:
        capy_switch_count(sw, CAPY_COUNT_verdict_settled);
        break;
    case CAPY_VERDICT_LEARNING:
        capy_switch_count(sw, CAPY_COUNT_verdict_learning);
        break;
    case CAPY_VERDICT_NONE:
    case CAPY_VERDICT_CNT:
        break;
    }
}

/* How the entry stands; e: NULL or free when there is none, and the flow is home's. */
static inline void capy_mig_note_stand(struct capy_mig_job *m, const struct capy_entry *e)
{
    m->phase = CAPY_PHASE_NONE;
    m->owner = m->home;
    m->epoch = 0;
    if (capy_entry_is(e)) {
        m->phase = e->phase;
        m->owner = capy_entry_dead(e) ? CAPY_SERVER_ANY : e->owner.id;
        m->epoch = e->epoch;
    }
}

static inline void capy_mig_rewrite(struct capy_mig_job *m, uint32_t at, const uint8_t *bytes,
                                    uint32_t len)
{
    capy_rewrite_data(m->j->frame, m->j->end, m->j->view, at, bytes, len);
}

/* Writes the switch's part: the verdict and how the entry stands after it. */
static inline void capy_mig_write_verdict(struct capy_mig_job *m, struct capy_rule rule)
{
    bool gone = rule.todo & CAPY_RULE_OWNER_GONE;
    _Alignas(8) uint8_t part[8] = {rule.verdict, m->phase};
    capy_store16(part + 2, gone ? CAPY_SERVER_ANY : m->owner);
    capy_store32(part + 4, gone ? m->epoch + 1u : m->epoch);
    capy_mig_rewrite(m, CAPY_MIG_SWITCH_AT, part, sizeof part);
}

/* The switch changed what the tag covers, and has the key: makes it valid again. */
static inline void capy_mig_retag(struct capy_mig_job *m)
{
    struct capy_job *j = m->j;
    _Alignas(8) uint8_t tag[8];
    const uint8_t *p = capy_view_at(j->frame, j->end, j->view->data_at, CAPY_MIG_AT_TAG);
    if (!p)
        return; /* never */
    capy_store64(tag, capy_mig_tag(j->sw->cfg->key, p));
    capy_mig_rewrite(m, CAPY_MIG_AT_TAG, tag, sizeof tag);
}

/* Addresses the message in frame, which came to the switch, to a server. The source becomes from (the
 * sending server for what is passed, the switch for what is answered). */
static inline void capy_mig_address(const struct capy_switch_cfg *cfg, uint8_t *frame,
                                    const uint8_t *end, struct capy_view *v, uint16_t to,
                                    const struct capy_ip *from)
{
    const uint16_t id = to % CAPY_SWITCH_SERVER_MAX;
    capy_rewrite_src(frame, end, v, &cfg->mac, from, cfg->tcpmig_port);
    capy_rewrite_dst(frame, end, v, &cfg->server[id].mac, &cfg->server[id].ip, cfg->tcpmig_port);
}

static inline void capy_mig_conclude(struct capy_mig_job *m, struct capy_rule rule)
{
    struct capy_job *j = m->j;
    struct capy_switch *sw = j->sw;
    bool pass = (rule.todo & CAPY_RULE_PASS) && m->peer != CAPY_SERVER_ANY;
    bool bounce = rule.todo & CAPY_RULE_BOUNCE;
    if (!pass && !bounce) {
        capy_job_drop(j, CAPY_COUNT_drop_mig_refused);
        return;
    }
    capy_mig_count_verdict(sw, (enum capy_mig_verdict)rule.verdict);
    capy_mig_write_verdict(m, rule);
    if (pass)
        capy_switch_count(sw, CAPY_COUNT_mig_passed);
    if (bounce)
        capy_switch_count(sw, CAPY_COUNT_mig_bounced);
    if (pass && bounce) {
        capy_plane_send_both(j, m->peer, m->sender);
        return;
    }
    uint16_t to = pass ? m->peer : m->sender;
    const struct capy_ip *from = pass ? &CAPY_SWITCH_PLACE(sw, m->sender)->ip : &sw->cfg->ip;
    capy_mig_address(sw->cfg, j->frame, j->end, j->view, to, from);
    capy_plane_send(j, CAPY_SWITCH_PLACE(sw, to)->port);
}

static inline void capy_mig_bounce(struct capy_mig_job *m, enum capy_mig_verdict verdict)
{
    capy_mig_conclude(m, capy_rule(CAPY_RULE_BOUNCE, verdict));
}

/* ---- the claim; under the lock ---- */

static inline struct capy_holder capy_mig_holder(const struct capy_switch *sw, uint16_t id,
                                                 uint16_t port)
{
    return (struct capy_holder){id, port,
                                id == CAPY_SERVER_ANY ? 0u : capy_switch_server_at(sw, id)->gen};
}

static inline bool capy_mig_is_home(const struct capy_mig_job *m, uint16_t id)
{
    return id != CAPY_SERVER_ANY && m->home == id;
}

/* It has an address of the flow's IP version, so that it may run the flow. */
static inline bool capy_mig_serves(const struct capy_mig_job *m, uint16_t id)
{
    return capy_switch_server_at(m->j->sw, id)->families & capy_family_of(&m->msg->key.home);
}

static inline bool capy_mig_alive(const struct capy_mig_job *m, uint16_t id)
{
    return id != CAPY_SERVER_ANY && capy_switch_server_alive(m->j->sw, id, m->j->now);
}

/* Is the message the last of its kind? */
static inline bool capy_mig_is_last(const struct capy_mig_msg *msg)
{
    return msg->type == CAPY_MIG_CONN_STATE ? msg->offset + msg->length == msg->total
                                            : msg->offset == msg->total;
}

/* What is true of a server or the message is forgotten by BPF's verifier as soon as it is noted: eight of them
 * would be 256 ways through the rules. */
static inline void capy_mig_claim(const struct capy_mig_job *m, const struct capy_entry *e,
                                  struct capy_claim *c)
{
    const struct capy_switch *sw = m->j->sw;
    const struct capy_directory *d = &sw->dir;
    const struct capy_mig_msg *msg = m->msg;
    bool states_port = msg->type == CAPY_MIG_PREPARE_MIG_ACK || msg->type == CAPY_MIG_CANCEL ||
                       msg->type == CAPY_MIG_ANNOUNCE;
    *c = (struct capy_claim){
        .sender = capy_mig_holder(sw, m->sender, states_port ? msg->target_port : 0u),
        .peer = capy_mig_holder(sw, m->peer, 0),
        .sender_is_home = capy_directory_forget(d, capy_mig_is_home(m, m->sender)),
        .peer_is_home = capy_directory_forget(d, capy_mig_is_home(m, m->peer)),
        .sender_alive = capy_directory_forget(d, capy_mig_alive(m, m->sender)),
        .peer_alive = capy_directory_forget(d, capy_mig_alive(m, m->peer)),
        .last = capy_directory_forget(d, capy_mig_is_last(msg)),
        .refused =
            capy_directory_forget(d, msg->mig_id != 0 && msg->reason != CAPY_REASON_UNKNOWN_FLOW),
        .now = m->j->now,
        .epoch = msg->epoch,
        .mig_id = msg->mig_id,
    };
    if (capy_entry_is(e)) {
        c->owner_alive = capy_directory_forget(d, capy_mig_alive(m, e->owner.id));
        c->owner_dead =
            capy_directory_forget(d, capy_server_dead(capy_switch_server_at(sw, e->owner.id),
                                                      e->owner.gen, m->j->now, sw->cfg->lease_ns));
    }
}

/* Counts what a rule did to the directory. was: the entry's phase and epoch before. */
static inline void capy_mig_account(struct capy_mig_job *m, uint64_t hash, struct capy_entry *e,
                                    uint8_t was_phase, uint32_t was_epoch)
{
    struct capy_switch *sw = m->j->sw;
    if (!capy_entry_is(e))
        return;
    bool was = was_phase != CAPY_PHASE_NONE;
    if (!capy_entry_dead(e))
        e->touched_at = m->j->now;
    if (!was) {
        e->home = m->home;
        capy_directory_add(&sw->dir, e, hash);
    }
    if (m->msg->type == CAPY_MIG_PREPARE_MIG_ACK && e->epoch != was_epoch)
        capy_switch_count(sw, CAPY_COUNT_entries_installed);
    else if (m->msg->type == CAPY_MIG_ANNOUNCE && e->epoch != was_epoch)
        capy_switch_count(sw, CAPY_COUNT_entries_announced);
    else if (m->msg->type == CAPY_MIG_CONN_STATE && e->phase != was_phase)
        capy_switch_count(sw, CAPY_COUNT_entries_settled);
    else if (e->epoch != was_epoch)
        capy_switch_count(sw, was ? CAPY_COUNT_entries_given_back : CAPY_COUNT_entries_burned);
}

/* The messages whose rule needs nothing but the entry and the claim. */
static inline struct capy_rule capy_mig_rule(struct capy_mig_job *m, struct capy_entry *e,
                                             const struct capy_claim *c)
{
    switch ((enum capy_mig_type)m->msg->type) {
    case CAPY_MIG_PREPARE_MIG:
        return capy_entry_prepare(e, c);
    case CAPY_MIG_PREPARE_MIG_ACK:
        return capy_entry_prepare_ack(e, &m->msg->key, c);
    case CAPY_MIG_CONN_STATE:
        return capy_entry_state(e, c);
    case CAPY_MIG_CONN_STATE_ACK:
        return capy_entry_state_ack(e, c);
    case CAPY_MIG_CANCEL:
        return capy_entry_cancel(e, &m->msg->key, c);
    case CAPY_MIG_NACK:
        return capy_entry_nack(e, &m->msg->key, c);
    case CAPY_MIG_ANNOUNCE:
        return capy_entry_announce(e, &m->msg->key, c);
    case CAPY_MIG_FLOW_CLOSED:
        return capy_entry_closed(e, c);
    case CAPY_MIG_HEARTBEAT:
    case CAPY_MIG_HEARTBEAT_ACK:
    case CAPY_MIG_TYPE_END:
        break;
    }
    return capy_rule(0, CAPY_VERDICT_NONE);
}

/* For a grace time after boot nothing is installed or committed: what the switch forgot may still
 * be announced. */
static inline bool capy_mig_waits_for_learning(const struct capy_mig_job *m)
{
    switch ((enum capy_mig_type)m->msg->type) {
    case CAPY_MIG_PREPARE_MIG:
    case CAPY_MIG_PREPARE_MIG_ACK:
    case CAPY_MIG_CONN_STATE:
    case CAPY_MIG_CANCEL:
        return true;
    case CAPY_MIG_NACK:
        return m->msg->reason != CAPY_REASON_UNKNOWN_FLOW;
    case CAPY_MIG_CONN_STATE_ACK:
    case CAPY_MIG_HEARTBEAT:
    case CAPY_MIG_HEARTBEAT_ACK:
    case CAPY_MIG_ANNOUNCE:
    case CAPY_MIG_FLOW_CLOSED:
    case CAPY_MIG_TYPE_END:
        break;
    }
    return false;
}

static inline uint64_t capy_mig_hash(const struct capy_mig_job *m)
{
    return capy_directory_hash_of(&m->j->sw->dir, &m->msg->key);
}

/* The whole decision about a message, entry included; under its lock. hash: capy_mig_hash. */
static inline struct capy_rule capy_mig_decide(struct capy_mig_job *m, uint64_t hash)
{
    struct capy_switch *sw = m->j->sw;
    struct capy_claim c;
    struct capy_entry *e = capy_switch_find(sw, hash, &m->msg->key, m->j->now);
    if (capy_mig_waits_for_learning(m) && capy_switch_in_learning(sw, m->j->now)) {
        capy_mig_note_stand(m, e);
        return capy_rule(CAPY_RULE_BOUNCE, CAPY_VERDICT_LEARNING);
    }
    if (!e)
        e = capy_switch_room(sw, hash);
    capy_mig_claim(m, e, &c);
    uint8_t was_phase = e ? e->phase : CAPY_PHASE_NONE;
    uint32_t was_epoch = e ? e->epoch : 0;
    struct capy_rule rule = capy_mig_rule(m, e, &c);
    if (m->msg->type != CAPY_MIG_PREPARE_MIG)
        capy_mig_account(m, hash, e, was_phase, was_epoch);
    capy_mig_note_stand(m, e);
    if (e && (rule.todo & CAPY_RULE_REMOVE)) {
        capy_directory_remove(&sw->dir, e);
        capy_switch_count(sw, CAPY_COUNT_entries_removed);
    }
    return rule;
}

/* ---- messages ---- */

/* A target for PREPARE_MIG: the one asked for if it can, else the least-loaded; CAPY_SERVER_ANY. */
static inline uint16_t capy_mig_choose(struct capy_mig_job *m)
{
    const struct capy_switch_ask ask = {.target = m->msg->target,
                                        .asker = m->sender,
                                        .from = m->sender,
                                        .families = capy_family_of(&m->msg->key.home),
                                        .now = m->j->now};
    return capy_plane_choose(m->j->sw, &ask);
}

/* Fills in the target, for the peer is not known before. */
static inline void capy_mig_send_prepare(struct capy_mig_job *m, struct capy_rule rule)
{
    uint8_t id[2];
    uint16_t target = rule.todo & CAPY_RULE_PASS ? m->owner : capy_mig_choose(m);
    if (target == CAPY_SERVER_ANY) {
        capy_mig_bounce(m, CAPY_VERDICT_NO_TARGET);
        return;
    }
    capy_store16(id, target);
    capy_mig_rewrite(m, CAPY_MIG_AT_TARGET, id, sizeof id);
    capy_mig_retag(m);
    m->peer = target;
    capy_mig_conclude(m, capy_rule(CAPY_RULE_PASS, CAPY_VERDICT_OK));
}

/* The flow that the sender runs, or ran, under this port to this client; under the lock. */
static inline bool capy_mig_name_flow(struct capy_mig_job *m, uint64_t hash)
{
    struct capy_switch *sw = m->j->sw;
    struct capy_flow_key *key = &m->msg->key;
    for (uint32_t level = 0; level < sw->dir.levels && level < CAPY_DIRECTORY_LEVELS_MAX; level++) {
        struct capy_entry *e = capy_directory_at(&sw->dir, hash, level);
        if (e->phase == CAPY_PHASE_NONE || e->key.client_port != key->client_port ||
            !capy_ip_eq(&e->key.client, &key->client) || e->owner.id != m->sender ||
            e->owner.port != key->home_port)
            continue;
        capy_switch_refresh(sw, e, m->j->now);
        capy_mig_note_stand(m, e);
        m->msg->key.home = e->key.home;
        m->msg->key.home_port = e->key.home_port;
        m->msg->epoch = e->epoch;
        return true;
    }
    return false;
}

/* "A frame came for a flow I do not run, under what name?" The server knows the flow only by its own
 * address and port; the answer carries the true key and epoch. */
static inline void capy_mig_unknown(struct capy_mig_job *m)
{
    struct capy_switch *sw = m->j->sw;
    _Alignas(8) uint8_t bytes[4];
    bool named = false;
    uint64_t hash = capy_directory_hash_of(&sw->dir, &m->msg->key);
    struct capy_lock *lock = capy_plane_lock_of(sw, hash);
    capy_mig_note_stand(m, NULL);
    if (lock) {
        capy_plane_lock(lock);
        named = capy_mig_name_flow(m, hash);
        capy_plane_unlock(lock);
    }
    if (named) {
        capy_mig_rewrite(m, CAPY_MIG_AT_HOME, m->msg->key.home.b, 16);
        capy_store16(bytes, m->msg->key.home_port);
        capy_mig_rewrite(m, CAPY_MIG_AT_HOME_PORT, bytes, 2);
        capy_store32(bytes, m->msg->epoch);
        capy_mig_rewrite(m, CAPY_MIG_AT_EPOCH, bytes, 4);
        capy_mig_retag(m);
    }
    capy_mig_bounce(m, named || !capy_switch_in_learning(sw, m->j->now) ? CAPY_VERDICT_STALE
                                                                        : CAPY_VERDICT_LEARNING);
}

/* Takes the report in; the answer says until when the lease runs (the sender's clock, which mig_id
 * is, comes back). */
static inline void capy_mig_heartbeat(struct capy_mig_job *m)
{
    struct capy_job *j = m->j;
    struct capy_switch *sw = j->sw;
    struct capy_mig_heartbeat beat;
    struct capy_lock *lock = capy_plane_lock_of_servers(sw);
    const uint8_t *p = capy_view_at(j->frame, j->end, j->view->data_at,
                                    CAPY_MIG_HEADER_LEN + CAPY_MIG_HEARTBEAT_LEN);
    if (!lock || !p || !capy_mig_heartbeat_load(p + CAPY_MIG_HEADER_LEN, m->msg->length, &beat)) {
        capy_job_drop(j, CAPY_COUNT_drop_mig_malformed);
        return;
    }
    struct capy_server *s = capy_switch_server_at(sw, m->sender);
    capy_plane_lock(lock);
    uint16_t gen = s->gen;
    capy_server_heartbeat(s, &beat, j->now);
    bool restarted = s->gen != gen;
    capy_plane_unlock(lock);
    capy_switch_count(sw, CAPY_COUNT_heartbeats);
    if (restarted)
        capy_switch_count(sw, CAPY_COUNT_server_restarts);
    const struct capy_mig_heartbeat_ack ack = {
        .switch_boot = sw->cfg->boot_id,
        .learning = capy_switch_in_learning(sw, j->now),
        .min_load = capy_plane_least(sw, j->now),
    };
    capy_plane_answer_heartbeat(m, &ack);
}

/* The answer's message. */
static inline struct capy_mig_msg capy_mig_heartbeat_answer(const struct capy_mig_job *m)
{
    return (struct capy_mig_msg){
        .type = CAPY_MIG_HEARTBEAT_ACK,
        .mig_id = m->msg->mig_id,
        .origin = m->sender,
        .target = CAPY_SERVER_ANY,
        .total = CAPY_MIG_HEARTBEAT_ACK_LEN,
        .length = CAPY_MIG_HEARTBEAT_ACK_LEN,
    };
}

/* ---- who sent it ---- */

/* A port that a server may run a flow under: of the migration range, or the flow's own, at home and
 * wherever a connection that home opened goes. */
static inline bool capy_mig_port_ok(const struct capy_mig_job *m, uint16_t id, uint16_t port)
{
    const struct capy_switch_cfg *cfg = m->j->sw->cfg;
    if (capy_mig_is_opened_port(cfg->mig_port_first, m->msg->key.home_port) ||
        capy_mig_is_home(m, id))
        return port == m->msg->key.home_port;
    if (capy_vip_is_birth_port(cfg, port)) /* of this service of the VIP alone */
        return capy_vip_is(cfg, &m->msg->key.home) &&
               port == capy_mig_vip_port(cfg->mig_port_first,
                                         capy_vip_service(cfg, m->msg->key.home_port));
    return port >= cfg->mig_port_first && (uint32_t)port - cfg->mig_port_first < cfg->mig_port_cnt;
}

/* The flow's home is a server, or the service address; it is of one IP version, and both servers that the
 * message is between can have it. */
static inline bool capy_mig_flow_ok(const struct capy_mig_job *m)
{
    return (m->home != CAPY_SERVER_ANY || capy_vip_is(m->j->sw->cfg, &m->msg->key.home)) &&
           capy_family_of(&m->msg->key.client) == capy_family_of(&m->msg->key.home) &&
           capy_mig_serves(m, m->sender) &&
           (m->peer >= m->j->sw->cfg->server_cnt ||
            capy_mig_serves(m, m->peer)); /* its range: checked apart */
}

/* Whom the message says it is from, and the peer it is for. CAPY_SERVER_ANY - 1: nobody may. */
static inline uint16_t capy_mig_named(struct capy_mig_job *m)
{
    m->peer = CAPY_SERVER_ANY;
    switch ((enum capy_mig_type)m->msg->type) {
    case CAPY_MIG_PREPARE_MIG_ACK:
    case CAPY_MIG_CONN_STATE_ACK:
    case CAPY_MIG_NACK:
        m->peer = m->msg->origin;
        return m->msg->target;
    case CAPY_MIG_CONN_STATE:
        m->peer = m->msg->target;
        break;
    case CAPY_MIG_FLOW_CLOSED:
        m->peer = m->home == m->sender ? CAPY_SERVER_ANY : m->home;
        break;
    case CAPY_MIG_PREPARE_MIG:
        if (m->msg->target != CAPY_SERVER_ANY && m->msg->target >= m->j->sw->cfg->server_cnt)
            return CAPY_SERVER_ANY - 1u;
        break;
    case CAPY_MIG_CANCEL:
    case CAPY_MIG_ANNOUNCE:
    case CAPY_MIG_HEARTBEAT:
        break;
    case CAPY_MIG_HEARTBEAT_ACK:
    case CAPY_MIG_TYPE_END:
        return CAPY_SERVER_ANY - 1u;
    }
    return m->msg->origin;
}

/* Checks the ids of the message against its source and finds the peer. */
static inline bool capy_mig_check_ids(struct capy_mig_job *m)
{
    uint8_t type = m->msg->type;
    uint16_t named = capy_mig_named(m), peer = m->peer;
    if (named != m->sender || (type != CAPY_MIG_HEARTBEAT && !capy_mig_flow_ok(m)))
        return false;
    if ((peer != CAPY_SERVER_ANY && peer >= m->j->sw->cfg->server_cnt) || peer == m->sender)
        return false;
    if (peer == CAPY_SERVER_ANY &&
        (type == CAPY_MIG_CONN_STATE || type == CAPY_MIG_CONN_STATE_ACK ||
         type == CAPY_MIG_PREPARE_MIG_ACK))
        return false;
    bool needs_port = type == CAPY_MIG_PREPARE_MIG_ACK || type == CAPY_MIG_ANNOUNCE ||
                      (type == CAPY_MIG_CANCEL && m->msg->target_port != 0);
    return !needs_port || capy_mig_port_ok(m, m->sender, m->msg->target_port);
}

/* After the decision. */
static inline void capy_mig_end(struct capy_mig_job *m, struct capy_rule rule)
{
    if (m->msg->type == CAPY_MIG_PREPARE_MIG && !(rule.todo & CAPY_RULE_BOUNCE))
        capy_mig_send_prepare(m, rule);
    else
        capy_mig_conclude(m, rule);
}

/* The message of a frame from server m->sender, checked and read into m->msg. */
static inline enum capy_mig_bad capy_mig_read(struct capy_mig_job *m)
{
    struct capy_job *j = m->j;
    const uint8_t *p = capy_view_at(j->frame, j->end, j->view->data_at, CAPY_MIG_HEADER_LEN);
    if (j->view->data_len < CAPY_MIG_HEADER_LEN || !p)
        return CAPY_MIG_BAD_SHORT;
    enum capy_mig_bad bad = capy_mig_header_read(p, j->view->data_len, m->msg);
    if (bad == CAPY_MIG_GOOD && m->msg->tag != capy_mig_tag(j->sw->cfg->key, p))
        return CAPY_MIG_BAD_TAG;
    /* A state is for its target to check: it was damaged, or was lost behind the switch: all the same. */
    if (bad == CAPY_MIG_GOOD && m->msg->type != CAPY_MIG_CONN_STATE &&
        m->msg->payload_hash != capy_plane_payload_hash(m))
        return CAPY_MIG_BAD_HASH;
    return bad;
}

/* Reads and checks the message: into *m, and into *msg. True: it is one about a flow, which capy_mig_decide
 * decides about under the flow's lock, and capy_mig_end sends; otherwise it was dealt with. */
static inline bool capy_mig_begin(struct capy_mig_job *m, struct capy_job *j,
                                  struct capy_mig_msg *msg)
{
    struct capy_switch *sw = j->sw;
    *m = (struct capy_mig_job){
        .j = j, .msg = msg, .sender = capy_switch_server_of(sw, &j->view->src)};
    if (m->sender == CAPY_SERVER_ANY || CAPY_SWITCH_PLACE(sw, m->sender)->port != j->port ||
        !capy_ip_eq(&j->view->src,
                    &CAPY_SWITCH_PLACE(sw, m->sender)->ip)) { /* primary, hence ours */
        capy_job_drop(j, CAPY_COUNT_drop_mig_sender);
        return false;
    }
    enum capy_mig_bad bad = capy_mig_read(m);
    if (bad != CAPY_MIG_GOOD) {
        capy_job_drop(j, bad == CAPY_MIG_BAD_TAG       ? CAPY_COUNT_drop_mig_tag
                         : bad == CAPY_MIG_BAD_HASH    ? CAPY_COUNT_drop_mig_hash
                         : bad == CAPY_MIG_BAD_VERSION ? CAPY_COUNT_drop_mig_version
                                                       : CAPY_COUNT_drop_mig_malformed);
        return false;
    }
    m->home = capy_switch_server_of(sw, &m->msg->key.home);
    if (!capy_mig_check_ids(m))
        capy_job_drop(j, CAPY_COUNT_drop_mig_field);
    else if (m->msg->type == CAPY_MIG_HEARTBEAT)
        capy_mig_heartbeat(m);
    else if (m->msg->type == CAPY_MIG_NACK && m->msg->epoch == 0)
        capy_mig_unknown(m);
    else
        return true;
    return false;
}

#endif
