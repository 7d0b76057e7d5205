/* TCPMig at the switch: a message is accepted from server ports only, with a valid tag and from the
 * server it names; the entry's rule (entry.h) decides; then it is sent on, answered, or both, with
 * the verdict and the entry's state in the part that only the switch writes.
 * Design §5; docs/protocol.md, "The switch". */
#include "switch/core/rewrite.h"
#include "switch/core/state.h"
#include <string.h>

/* Offsets in the message (wire/tcpmig.h) of what the switch may change. */
enum {
    AT_TYPE_WORD = 0,
    AT_TARGET = 6,
    AT_EPOCH = 16,
    AT_TOTAL = 20,
    AT_LENGTH = 28,
    AT_HOME = 48,
    AT_HOME_PORT = 66,
    AT_TAG = CAPY_MIG_TAGGED_LEN,
};

struct mig_job {
    struct capy_job *j;
    struct capy_mig_msg msg;
    uint16_t sender;          /* server id */
    uint16_t peer;            /* the other server that it goes on to, or CAPY_SERVER_ANY */
    struct capy_entry *entry; /* NULL: none, and no room for one either */
    bool settled_before;
};

/* ---- sending on and answering ---- */

static void count_verdict(struct capy_switch *sw, enum capy_mig_verdict verdict)
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

/* Writes the switch's part: the verdict and how the entry stands after it. */
static void write_verdict(struct mig_job *m, struct capy_rule rule)
{
    const struct capy_entry *e = m->entry;
    uint16_t owner = capy_switch_server_of(m->j->sw, &m->msg.key.home);
    uint32_t epoch = 0;
    uint8_t part[8] = {rule.verdict, CAPY_PHASE_NONE};
    if (capy_entry_is(e)) {
        part[1] = e->phase;
        owner = capy_entry_dead(e) ? CAPY_SERVER_ANY : e->owner.id;
        epoch = e->epoch;
    }
    if (rule.todo & CAPY_RULE_OWNER_GONE) {
        owner = CAPY_SERVER_ANY;
        epoch++;
    }
    capy_store16(part + 2, owner);
    capy_store32(part + 4, epoch);
    capy_rewrite_data(m->j->frame, &m->j->view, CAPY_MIG_SWITCH_AT, part, sizeof part);
}

/* The switch changed what the tag covers, and has the key: makes it valid again. */
static void retag(struct mig_job *m)
{
    struct capy_job *j = m->j;
    uint8_t tag[8];
    capy_store64(tag,
                 capy_siphash13(j->sw->cfg.key, j->frame + j->view.data_at, CAPY_MIG_TAGGED_LEN));
    capy_rewrite_data(j->frame, &j->view, AT_TAG, tag, sizeof tag);
}

/* Sends a copy of the message, still addressed to the switch, to a server. The source becomes from
 * (the sending server for what is passed, the switch for what is answered). */
static void send_copy(struct mig_job *m, uint8_t *frame, uint16_t to, const struct capy_ip *from)
{
    struct capy_job *j = m->j;
    const struct capy_switch_cfg *cfg = &j->sw->cfg;
    struct capy_view v = j->view;
    capy_rewrite_src(frame, &v, &cfg->mac, from, cfg->tcpmig_port);
    capy_rewrite_dst(frame, &v, &cfg->server[to].mac, &cfg->server[to].ip, cfg->tcpmig_port);
    capy_job_send(j, cfg->server[to].port, frame, j->len);
}

static void conclude(struct mig_job *m, struct capy_rule rule)
{
    struct capy_job *j = m->j;
    struct capy_switch *sw = j->sw;
    bool pass = (rule.todo & CAPY_RULE_PASS) && m->peer != CAPY_SERVER_ANY;
    bool bounce = rule.todo & CAPY_RULE_BOUNCE;
    if (!pass && !bounce) {
        capy_job_drop(j, CAPY_COUNT_drop_mig_refused);
        return;
    }
    count_verdict(sw, (enum capy_mig_verdict)rule.verdict);
    write_verdict(m, rule);
    if (pass && bounce)
        memcpy(j->out->extra, j->frame, j->len);
    if (pass) {
        capy_switch_count(sw, CAPY_COUNT_mig_passed);
        send_copy(m, j->frame, m->peer, &sw->cfg.server[m->sender].ip);
    }
    if (bounce) {
        capy_switch_count(sw, CAPY_COUNT_mig_bounced);
        send_copy(m, pass ? j->out->extra : j->frame, m->sender, &sw->cfg.ip);
    }
}

static void bounce(struct mig_job *m, enum capy_mig_verdict verdict)
{
    conclude(m, capy_rule(CAPY_RULE_BOUNCE, verdict));
}

/* ---- the claim ---- */

static struct capy_holder holder(const struct capy_switch *sw, uint16_t id, uint16_t port)
{
    return (struct capy_holder){id, port, id == CAPY_SERVER_ANY ? 0u : sw->servers[id].gen};
}

static bool is_home(const struct mig_job *m, uint16_t id)
{
    return id != CAPY_SERVER_ANY && capy_switch_server_of(m->j->sw, &m->msg.key.home) == id;
}

/* It has an address of the flow's IP version, so that it may run the flow. */
static bool serves(const struct mig_job *m, uint16_t id)
{
    return m->j->sw->servers[id].families & capy_family_of(&m->msg.key.home);
}

static bool alive(const struct mig_job *m, uint16_t id)
{
    return id != CAPY_SERVER_ANY && capy_switch_server_alive(m->j->sw, id, m->j->now);
}

static struct capy_claim make_claim(const struct mig_job *m)
{
    const struct capy_switch *sw = m->j->sw;
    const struct capy_mig_msg *msg = &m->msg;
    const struct capy_entry *e = m->entry;
    bool states_port = msg->type == CAPY_MIG_PREPARE_MIG_ACK || msg->type == CAPY_MIG_CANCEL ||
                       msg->type == CAPY_MIG_ANNOUNCE;
    struct capy_claim c = {
        .sender = holder(sw, m->sender, states_port ? msg->target_port : 0u),
        .peer = holder(sw, m->peer, 0),
        .sender_is_home = is_home(m, m->sender),
        .peer_is_home = is_home(m, m->peer),
        .sender_alive = alive(m, m->sender),
        .peer_alive = alive(m, m->peer),
        .last = msg->type == CAPY_MIG_CONN_STATE ? msg->offset + msg->length == msg->total
                                                 : msg->offset == msg->total,
        .now = m->j->now,
        .epoch = msg->epoch,
        .mig_id = msg->mig_id,
    };
    if (capy_entry_is(e)) {
        c.owner_alive = alive(m, e->owner.id);
        c.owner_dead =
            capy_server_dead(&sw->servers[e->owner.id], e->owner.gen, m->j->now, sw->cfg.lease_ns);
    }
    return c;
}

/* A port that a server may run a flow under: of the migration range, or the flow's own, at home and
 * wherever a connection that home opened goes. */
static bool port_ok(const struct mig_job *m, uint16_t id, uint16_t port)
{
    const struct capy_switch_cfg *cfg = &m->j->sw->cfg;
    if (capy_mig_is_opened_port(cfg->mig_port_first, m->msg.key.home_port) || is_home(m, id))
        return port == m->msg.key.home_port;
    return port >= cfg->mig_port_first && (uint32_t)port - cfg->mig_port_first < cfg->mig_port_cnt;
}

/* ---- messages ---- */

/* Fills in the chosen target, for the peer is not known before. */
static void input_prepare(struct mig_job *m, const struct capy_claim *c)
{
    struct capy_switch *sw = m->j->sw;
    struct capy_rule rule = capy_entry_prepare(m->entry, c);
    uint16_t target = m->msg.target;
    uint8_t id[2];
    if (rule.todo & CAPY_RULE_BOUNCE) {
        conclude(m, rule);
        return;
    }
    if (rule.todo & CAPY_RULE_PASS) {
        target = m->entry->owner.id;
    } else {
        if (target == CAPY_SERVER_ANY)
            target = capy_server_choose(sw->servers, sw->cfg.server_cnt,
                                        capy_family_of(&m->msg.key.home), m->sender,
                                        sw->last_chosen, m->j->now, sw->cfg.lease_ns);
        if (target == CAPY_SERVER_ANY || target == m->sender || !alive(m, target) ||
            !serves(m, target)) {
            bounce(m, CAPY_VERDICT_NO_TARGET);
            return;
        }
        sw->last_chosen = target;
        capy_server_charge(&sw->servers[target]);
    }
    capy_store16(id, target);
    capy_rewrite_data(m->j->frame, &m->j->view, AT_TARGET, id, sizeof id);
    retag(m);
    m->peer = target;
    conclude(m, capy_rule(CAPY_RULE_PASS, CAPY_VERDICT_OK));
}

/* "A frame came for a flow I do not run, under what name?" The server knows the flow only by its own
 * address and port; the answer carries the true key and epoch. */
static void input_unknown_query(struct mig_job *m)
{
    struct capy_job *j = m->j;
    struct capy_switch *sw = j->sw;
    uint64_t h = capy_directory_hash(&sw->dir, &m->msg.key.client, m->msg.key.client_port,
                                     m->msg.key.home_port);
    uint8_t bytes[4];
    m->entry = NULL;
    for (uint32_t level = 0; level < sw->dir.levels; level++) {
        struct capy_entry *e = capy_directory_at(&sw->dir, h, level);
        if (e->phase == CAPY_PHASE_NONE || e->key.client_port != m->msg.key.client_port ||
            !capy_ip_eq(&e->key.client, &m->msg.key.client) || e->owner.id != m->sender ||
            e->owner.port != m->msg.key.home_port)
            continue;
        m->entry = e;
        break;
    }
    if (m->entry) {
        capy_switch_refresh(sw, m->entry, j->now);
        capy_rewrite_data(j->frame, &j->view, AT_HOME, m->entry->key.home.b, 16);
        capy_store16(bytes, m->entry->key.home_port);
        capy_rewrite_data(j->frame, &j->view, AT_HOME_PORT, bytes, 2);
        capy_store32(bytes, m->entry->epoch);
        capy_rewrite_data(j->frame, &j->view, AT_EPOCH, bytes, 4);
        retag(m);
    }
    bounce(m, m->entry || !capy_switch_learning(sw, j->now) ? CAPY_VERDICT_STALE
                                                            : CAPY_VERDICT_LEARNING);
}

static void input_heartbeat(struct mig_job *m)
{
    struct capy_job *j = m->j;
    struct capy_switch *sw = j->sw;
    struct capy_mig_heartbeat beat;
    if (!capy_mig_heartbeat_load(m->msg.payload, m->msg.length, &beat)) {
        capy_job_drop(j, CAPY_COUNT_drop_mig_malformed);
        return;
    }
    struct capy_server *s = &sw->servers[m->sender];
    uint16_t gen = s->gen;
    capy_server_heartbeat(s, &beat, j->now);
    capy_switch_count(sw, CAPY_COUNT_heartbeats);
    if (s->gen != gen)
        capy_switch_count(sw, CAPY_COUNT_server_restarts);

    uint16_t least = capy_server_choose(sw->servers, sw->cfg.server_cnt, CAPY_FAMILY_ANY,
                                        CAPY_SERVER_ANY, 0, j->now, sw->cfg.lease_ns);
    const struct capy_mig_heartbeat_ack ack = {
        .switch_boot = sw->cfg.boot_id,
        .learning = capy_switch_learning(sw, j->now),
        .min_load = least == CAPY_SERVER_ANY ? UINT32_MAX : sw->servers[least].load,
    };
    const struct capy_mig_msg msg = {
        .type = CAPY_MIG_HEARTBEAT_ACK,
        .mig_id = m->msg.mig_id, /* the sender's clock: it learns until when its lease runs */
        .origin = m->sender,
        .target = CAPY_SERVER_ANY,
        .total = CAPY_MIG_HEARTBEAT_ACK_LEN,
        .length = CAPY_MIG_HEARTBEAT_ACK_LEN,
    };
    const struct capy_frame_to to = {
        .dst_mac = sw->cfg.server[m->sender].mac,
        .src_mac = sw->cfg.mac,
        .src = sw->cfg.ip,
        .dst = sw->cfg.server[m->sender].ip,
        .src_port = sw->cfg.tcpmig_port,
        .dst_port = sw->cfg.tcpmig_port,
    };
    uint8_t *p = j->frame + (capy_ip_is_v4(&to.dst) ? CAPY_UDP_AT : CAPY_UDP_AT6);
    capy_mig_heartbeat_ack_store(p + CAPY_MIG_HEADER_LEN, &ack);
    size_t len = capy_frame_build_udp(j->frame, &to, capy_mig_build(p, sw->cfg.key, &msg));
    capy_job_send(j, j->port, j->frame, len);
}

/* Counts what a rule did to the directory. */
static void account(struct mig_job *m, const struct capy_entry *before)
{
    struct capy_switch *sw = m->j->sw;
    struct capy_entry *e = m->entry;
    if (!capy_entry_is(e))
        return;
    if (!capy_entry_dead(e))
        e->touched_at = m->j->now;
    if (!capy_entry_is(before))
        sw->dir.used++;
    if (m->msg.type == CAPY_MIG_PREPARE_MIG_ACK && e->epoch != before->epoch)
        capy_switch_count(sw, CAPY_COUNT_entries_installed);
    else if (m->msg.type == CAPY_MIG_ANNOUNCE && e->epoch != before->epoch)
        capy_switch_count(sw, CAPY_COUNT_entries_announced);
    else if (m->msg.type == CAPY_MIG_CONN_STATE && e->phase != before->phase)
        capy_switch_count(sw, CAPY_COUNT_entries_settled);
    else if (e->epoch != before->epoch)
        capy_switch_count(sw, capy_entry_is(before) ? CAPY_COUNT_entries_given_back
                                                    : CAPY_COUNT_entries_burned);
}

/* The messages whose rule needs nothing but the entry and the claim. */
static struct capy_rule apply_rule(struct mig_job *m, const struct capy_claim *c)
{
    struct capy_entry *e = m->entry;
    switch ((enum capy_mig_type)m->msg.type) {
    case CAPY_MIG_PREPARE_MIG_ACK:
        return capy_entry_prepare_ack(e, &m->msg.key, c);
    case CAPY_MIG_CONN_STATE:
        return capy_entry_state(e, c);
    case CAPY_MIG_CONN_STATE_ACK:
        return capy_entry_state_ack(e, c);
    case CAPY_MIG_CANCEL:
        return capy_entry_cancel(e, &m->msg.key, c);
    case CAPY_MIG_NACK:
        return capy_entry_nack(e, &m->msg.key, c);
    case CAPY_MIG_ANNOUNCE:
        return capy_entry_announce(e, &m->msg.key, c);
    case CAPY_MIG_FLOW_CLOSED:
        return capy_entry_closed(e, c);
    case CAPY_MIG_PREPARE_MIG:
    case CAPY_MIG_HEARTBEAT:
    case CAPY_MIG_HEARTBEAT_ACK:
    case CAPY_MIG_TYPE_END:
        break;
    }
    return capy_rule(0, CAPY_VERDICT_NONE);
}

/* For a grace time after boot nothing is installed or committed: what the switch forgot may still
 * be announced. */
static bool waits_for_learning(const struct mig_job *m)
{
    switch ((enum capy_mig_type)m->msg.type) {
    case CAPY_MIG_PREPARE_MIG:
    case CAPY_MIG_PREPARE_MIG_ACK:
    case CAPY_MIG_CONN_STATE:
    case CAPY_MIG_CANCEL:
        return true;
    case CAPY_MIG_NACK:
        return m->msg.reason != CAPY_REASON_UNKNOWN_FLOW;
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

/* ---- who sent it ---- */

/* The flow is of one IP version, and both servers that the message is between can have it. */
static bool flow_ok(const struct mig_job *m)
{
    return capy_family_of(&m->msg.key.client) == capy_family_of(&m->msg.key.home) &&
           serves(m, m->sender) &&
           (m->peer >= m->j->sw->cfg.server_cnt ||
            serves(m, m->peer)); /* its range: checked apart */
}

/* Checks the ids of the message against its source and finds the peer. */
static bool check_ids(struct mig_job *m)
{
    struct capy_switch *sw = m->j->sw;
    uint16_t named = m->msg.origin, peer = CAPY_SERVER_ANY;
    switch ((enum capy_mig_type)m->msg.type) {
    case CAPY_MIG_PREPARE_MIG_ACK:
    case CAPY_MIG_CONN_STATE_ACK:
    case CAPY_MIG_NACK:
        named = m->msg.target;
        peer = m->msg.origin;
        break;
    case CAPY_MIG_CONN_STATE:
        peer = m->msg.target;
        break;
    case CAPY_MIG_FLOW_CLOSED:
        peer = capy_switch_server_of(sw, &m->msg.key.home);
        if (peer == m->sender)
            peer = CAPY_SERVER_ANY;
        break;
    case CAPY_MIG_PREPARE_MIG:
        if (m->msg.target != CAPY_SERVER_ANY && m->msg.target >= sw->cfg.server_cnt)
            return false;
        break;
    case CAPY_MIG_CANCEL:
    case CAPY_MIG_ANNOUNCE:
    case CAPY_MIG_HEARTBEAT:
        break;
    case CAPY_MIG_HEARTBEAT_ACK:
    case CAPY_MIG_TYPE_END:
        return false;
    }
    m->peer = peer;
    if (m->msg.type != CAPY_MIG_HEARTBEAT && !flow_ok(m))
        return false;
    if (named != m->sender || (peer != CAPY_SERVER_ANY && peer >= sw->cfg.server_cnt) ||
        peer == m->sender)
        return false;
    if (peer == CAPY_SERVER_ANY &&
        (m->msg.type == CAPY_MIG_CONN_STATE || m->msg.type == CAPY_MIG_CONN_STATE_ACK ||
         m->msg.type == CAPY_MIG_PREPARE_MIG_ACK))
        return false;
    bool needs_port = m->msg.type == CAPY_MIG_PREPARE_MIG_ACK || m->msg.type == CAPY_MIG_ANNOUNCE ||
                      (m->msg.type == CAPY_MIG_CANCEL && m->msg.target_port != 0);
    return !needs_port || port_ok(m, m->sender, m->msg.target_port);
}

static void input_message(struct mig_job *m)
{
    struct capy_job *j = m->j;
    struct capy_switch *sw = j->sw;
    if (m->msg.type == CAPY_MIG_HEARTBEAT) {
        input_heartbeat(m);
        return;
    }
    if (m->msg.type == CAPY_MIG_NACK && m->msg.epoch == 0) {
        input_unknown_query(m);
        return;
    }
    m->entry = capy_switch_find(sw, &m->msg.key, j->now);
    if (waits_for_learning(m) && capy_switch_learning(sw, j->now)) {
        bounce(m, CAPY_VERDICT_LEARNING);
        return;
    }
    if (!m->entry)
        m->entry = capy_directory_room(&sw->dir, &m->msg.key);
    struct capy_claim c = make_claim(m);
    if (m->msg.type == CAPY_MIG_PREPARE_MIG) {
        input_prepare(m, &c);
        return;
    }
    struct capy_entry before = m->entry ? *m->entry : (struct capy_entry){0};
    struct capy_rule rule = apply_rule(m, &c);
    account(m, &before);
    conclude(m, rule);
    if (rule.todo & CAPY_RULE_REMOVE) {
        capy_directory_remove(&sw->dir, m->entry);
        capy_switch_count(sw, CAPY_COUNT_entries_removed);
    }
}

void capy_switch_tcpmig(struct capy_job *j)
{
    struct capy_switch *sw = j->sw;
    struct mig_job m = {.j = j, .sender = capy_switch_server_of(sw, &j->view.src)};
    if (m.sender == CAPY_SERVER_ANY || sw->cfg.server[m.sender].port != j->port ||
        !capy_ip_eq(&j->view.src,
                    &sw->cfg.server[m.sender].ip)) { /* its primary one, hence to ours */
        capy_job_drop(j, CAPY_COUNT_drop_mig_sender);
        return;
    }
    switch (capy_mig_parse(j->frame + j->view.data_at, j->view.data_len, sw->cfg.key, &m.msg)) {
    case CAPY_MIG_GOOD:
        break;
    case CAPY_MIG_BAD_TAG:
        capy_job_drop(j, CAPY_COUNT_drop_mig_tag);
        return;
    case CAPY_MIG_BAD_HASH:
        capy_job_drop(j, CAPY_COUNT_drop_mig_hash);
        return;
    case CAPY_MIG_BAD_SHORT:
    case CAPY_MIG_BAD_VERSION:
    case CAPY_MIG_BAD_TYPE:
    case CAPY_MIG_BAD_LENGTH:
    case CAPY_MIG_BAD_CNT:
        capy_job_drop(j, CAPY_COUNT_drop_mig_malformed);
        return;
    }
    if (!check_ids(&m))
        capy_job_drop(j, CAPY_COUNT_drop_mig_field);
    else
        input_message(&m);
}
