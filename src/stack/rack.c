/* The server's side of the rack: TCPMig messages in and out, and heartbeats (design §5). Messages
 * are taken only from the switch or a server of the rack, on the TCPMig port, with a valid tag; all
 * go to the switch, which steers them. */
#include "stack/host.h"

/* HEARTBEAT_ACKs may miss twice in a row before the switch counts as gone. */
#define ALIVE_BEATS 3u

void capy_rack_start(struct capy_stack *s)
{
    const struct capy_frame_to to = {.dst_mac = s->cfg.tor.mac,
                                     .src_mac = s->cfg.mac,
                                     .src = s->cfg.ip,
                                     .dst = s->tor_ip,
                                     .src_port = s->cfg.tcpmig_port,
                                     .dst_port = s->cfg.tcpmig_port};
    capy_udp_way_init(&s->tor_way, &to);
    capy_udp_inlet_init(&s->inlet, &s->cfg.mac, &s->cfg.ip, s->cfg.tcpmig_port);
    s->tor.beat_owed = true;
    s->tor.least_load = UINT32_MAX;
    s->tor.quiet_until = s->now + CAPY_MIG_QUIET_NS;
    s->tor.started_at = s->now;
    capy_wheel_arm(&s->wheel, s->clocks + CAPY_CLOCK_HEARTBEAT, s->now + s->cfg.heartbeat_ns);
}

bool capy_takes_migrations(const struct capy_stack *s)
{
    return !s->draining && s->now >= s->tor.quiet_until && s->tor.lease_until != CAPY_NEVER;
}

size_t capy_rack_wrap(struct capy_stack *s, uint8_t *frame, size_t msg_len)
{
    if (msg_len == 0)
        return 0;
    s->count.mig_out[capy_rack_at(s, frame)[CAPY_MIG_TYPE_AT]]++;
    return capy_udp_way_wrap(&s->tor_way, frame, msg_len);
}

void capy_heartbeat_timer(struct capy_stack *s)
{
    s->tor.beat_owed = true;
    capy_outage_beat(s);
    capy_wheel_arm(&s->wheel, s->clocks + CAPY_CLOCK_HEARTBEAT, s->now + s->cfg.heartbeat_ns);
}

/* What runs here, and one unit for each connection that is on its way: the switch takes this for its
 * own estimate of them, and would else send a herd here while they are under way. */
static uint32_t load_to_come(const struct capy_stack *s)
{
    uint32_t arriving = s->target_pool.cnt - s->target_pool.free_cnt;
    return (uint32_t)capy_min64((uint64_t)s->load + arriving, UINT32_MAX - 1u);
}

static size_t heartbeat(struct capy_stack *s, uint8_t *frame)
{
    const struct capy_mig_env *env = capy_mig_env(s);
    uint32_t conn_free = capy_age_spare(s);
    struct capy_mig_heartbeat beat = {
        .load = load_to_come(s),
        .free_cnt = conn_free, /* slots come back within a round trip; none left is a NACK, FULL */
        .draining = s->draining || s->now < s->tor.quiet_until,
        .conn_cnt = s->cfg.conn_max - s->conn_pool.free_cnt,
        .incarnation = s->cfg.incarnation,
        .switch_boot = s->tor.boot,
    };
    s->tor.beat_owed = false;
    return capy_rack_wrap(s, frame, capy_mig_heartbeat_build(env, &beat, capy_rack_at(s, frame)));
}

static void heartbeat_answered(struct capy_stack *s, const struct capy_mig_msg *msg)
{
    struct capy_mig_heartbeat_ack ack;
    if (!capy_mig_heartbeat_ack_load(msg->payload, msg->length, &ack) ||
        msg->mig_id < s->tor.started_at || msg->mig_id > s->now)
        return; /* mig_id: our clock when the HEARTBEAT left; else it answers our former life */
    bool new_boot = ack.switch_boot != s->tor.boot;
    s->tor.boot = ack.switch_boot;
    s->tor.learning = ack.learning != 0;
    s->tor.least_load = ack.min_load;
    s->tor.heard_at = s->now;
    s->tor.confirmed_at = new_boot ? msg->mig_id : capy_max64(s->tor.confirmed_at, msg->mig_id);
    capy_lease_confirmed(s, msg->mig_id);
    if (new_boot || s->tor.learning)
        capy_doubts_forget(s);
    else
        capy_doubts_settle(s, msg->mig_id);
    if (s->foreign && s->now >= s->tor.quiet_until)
        s->foreign->open_vip(s->foreign_ctx);
    if (new_boot) {
        capy_announce_new_boot(s);
        capy_outage_over(s);
    }
}

bool capy_tor_alive(const struct capy_stack *s)
{
    return s->tor.boot != 0 && s->now - s->tor.heard_at <= ALIVE_BEATS * s->cfg.heartbeat_ns;
}

size_t capy_rack_output(struct capy_stack *s, uint8_t *frame)
{
    if (s->tor.beat_owed)
        return heartbeat(s, frame);
    size_t len = s->closed_due.cnt > 0 ? capy_closed_output(s, frame) : 0;
    return len == 0 && s->tor.announce_owed ? capy_announce_output(s, frame) : len;
}

/* Which side of the message we are, by its two server ids; and what it is. */
static void dispatch(struct capy_stack *s, const struct capy_mig_msg *msg)
{
    bool as_origin = msg->origin == s->cfg.self, as_target = msg->target == s->cfg.self;
    switch ((enum capy_mig_type)msg->type) {
    case CAPY_MIG_PREPARE_MIG:
        if (as_origin)
            capy_origin_message(s, msg);
        else if (as_target)
            capy_target_prepare(s, msg);
        break;
    case CAPY_MIG_NACK:
        if (as_target && msg->reason == CAPY_REASON_UNKNOWN_FLOW) {
            capy_unknown_answer(s, msg);
            break;
        }
        /* fallthrough */
    case CAPY_MIG_PREPARE_MIG_ACK:
    case CAPY_MIG_CONN_STATE:
    case CAPY_MIG_CONN_STATE_ACK:
    case CAPY_MIG_CANCEL:
        if (as_origin)
            capy_origin_message(s, msg);
        else if (as_target)
            capy_target_message(s, msg);
        break;
    case CAPY_MIG_HEARTBEAT_ACK:
        heartbeat_answered(s, msg);
        break;
    case CAPY_MIG_ANNOUNCE:
        capy_announce_input(s, msg);
        break;
    case CAPY_MIG_FLOW_CLOSED:
        capy_closed_input(s, msg);
        break;
    case CAPY_MIG_HEARTBEAT:
    case CAPY_MIG_TYPE_END:
        break; /* only the switch takes these */
    }
}

/* The step of a migration that a received message belongs to; CAPY_STEP_CNT: none. */
static enum capy_mig_step step_of(const uint8_t *p, size_t len)
{
    if (len < CAPY_MIG_HEADER_LEN)
        return CAPY_STEP_CNT;
    switch (p[CAPY_MIG_TYPE_AT]) {
    case CAPY_MIG_PREPARE_MIG:
        return CAPY_STEP_ADMIT;
    case CAPY_MIG_CONN_STATE:
        return CAPY_STEP_IMPORT;
    case CAPY_MIG_CONN_STATE_ACK:
        return CAPY_STEP_FREE;
    }
    return CAPY_STEP_CNT;
}

static void check_and_dispatch(struct capy_stack *s, const uint8_t *p, size_t len)
{
    struct capy_mig_msg msg;
    enum capy_mig_bad bad = capy_mig_hear(p, len, &s->tagger, &msg);
    if (bad == CAPY_MIG_GOOD && msg.type == CAPY_MIG_CONN_STATE && msg.target == s->cfg.self &&
        !capy_mig_state_is_good(capy_mig_env(s), &msg))
        bad = CAPY_MIG_BAD_HASH;
    if (bad != CAPY_MIG_GOOD) {
        s->count.mig_bad[bad]++;
        return;
    }
    s->count.mig_in[msg.type]++;
    dispatch(s, &msg);
}

/* The probe sees the whole of it, checking the tag included. */
static void take(struct capy_stack *s, const uint8_t *p, size_t len)
{
    enum capy_mig_step step = s->probe ? step_of(p, len) : CAPY_STEP_CNT;
    uint64_t id = step == CAPY_STEP_CNT ? 0 : capy_load64(p + CAPY_MIG_ID_AT);
    if (step != CAPY_STEP_CNT)
        capy_probe(s, step, id, 1);
    check_and_dispatch(s, p, len);
    if (step != CAPY_STEP_CNT)
        capy_probe(s, step, id, 0);
}

static bool is_of_the_rack(const struct capy_stack *s, const struct capy_ip *src)
{
    return capy_is_peer(s, src) || capy_ip_eq(src, &s->tor_ip);
}

void capy_rack_input(struct capy_stack *s, const struct capy_packet *p)
{
    if (!is_of_the_rack(s, &p->src) || p->src_port != s->cfg.tcpmig_port) {
        s->count.mig_from_stranger++;
        return;
    }
    take(s, p->udp.data, p->udp.data_len);
}

bool capy_rack_frame(struct capy_stack *s, const uint8_t *frame, size_t len)
{
    struct capy_ip src = capy_udp_inlet_source(frame);
    size_t msg_len = capy_udp_inlet_look(&s->inlet, frame, len);
    if (msg_len == 0 || !is_of_the_rack(s, &src))
        return false; /* the general way drops it, and counts why */
    s->count.udp_in++;
    take(s, frame + CAPY_UDP_AT, msg_len);
    return true;
}
