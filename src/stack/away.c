/* Segments of flows that do not run here: put back on the wire, relayed, or asked about (design
 * §5). RST is the one answer that must never be given by mistake: it would cut a connection that
 * lives on another server. */
#include "stack/host.h"

/* A frame that the switch sent us before it knew better may be this late, by reordering. */
#define LATE_NS CAPY_MS(500)
/* At most one question about unknown flows in this time: they are rare, or an attack. */
#define UNKNOWN_NS CAPY_US(200)

bool capy_readdress_home(struct capy_stack *s, uint8_t *frame, size_t len,
                         const struct capy_ip *client, uint16_t home, uint16_t home_port)
{
    bool ok = capy_frame_readdress(frame, len, &s->cfg.tor.mac, &s->cfg.mac,
                                   capy_peer_ip(s, home, client), home_port);
    s->count.put_back_frames += ok;
    return ok;
}

void capy_put_back(struct capy_stack *s, const uint8_t *frame, size_t len,
                   const struct capy_ip *client, uint16_t home, uint16_t home_port)
{
    uint8_t *out = capy_control_reserve(s);
    if (!out)
        return;
    memcpy(out, frame, len);
    if (capy_readdress_home(s, out, len, client, home, home_port))
        capy_control_commit(s, len);
}

/* Straight to the server that the flow went to: the switch does not know it (yet). */
static void relay(struct capy_stack *s, const struct capy_mig_record *r, const uint8_t *frame,
                  size_t len)
{
    uint8_t *out = capy_control_reserve(s);
    if (!out)
        return;
    memcpy(out, frame, len);
    if (!capy_frame_readdress(out, len, &s->cfg.peers[r->left_to].mac, &s->cfg.mac,
                              capy_peer_ip(s, r->left_to, &r->key.client), r->left_port))
        return;
    s->count.relayed_frames++;
    capy_control_commit(s, len);
}

/* True when the switch, knowing all flows, still delivers this one here: then it is over, and
 * nobody told us. One frame alone cannot show that, because the switch may have rebooted just now:
 * a HEARTBEAT sent after an earlier frame must have been answered with the boot id we know. */
static bool is_over(struct capy_stack *s, const struct capy_mig_record *r)
{
    uint64_t *seen_at = &s->seen_at[r - s->memory.records];
    if (*seen_at < r->touched_at) { /* the first of this record */
        *seen_at = s->now;
        return false;
    }
    return capy_tor_alive(s) && !s->tor.learning && s->tor.confirmed_at > *seen_at;
}

/* A flow of ours that migrated away. True: dealt with. */
static bool left_input(struct capy_stack *s, struct capy_mig_record *r, const struct capy_packet *p,
                       const uint8_t *frame, size_t len)
{
    bool knows = capy_tor_alive(s) && !s->tor.learning;
    if (knows && (p->tcp.flags & (CAPY_TCP_SYN | CAPY_TCP_ACK)) == CAPY_TCP_SYN) {
        r->left_epoch = 0; /* the client starts anew, and the switch lets it */
        return false;
    }
    if (knows && s->now - r->touched_at <= LATE_NS) {
        capy_put_back(s, frame, len, &p->src, capy_peer_of(s, &r->key.home), r->key.home_port);
        return true;
    }
    if (is_over(s, r)) {
        r->left_epoch = 0;
        return false;
    }
    relay(s, r, frame, len);
    return true;
}

/* A segment to a port of migrated-in flows, or of those that others opened, that no flow has. */
static void ask_about(struct capy_stack *s, const struct capy_packet *p)
{
    s->count.unknown_flows++;
    uint8_t *frame = s->now >= s->tor.unknown_at ? capy_control_reserve(s) : NULL;
    if (!frame)
        return;
    const struct capy_mig_env *env = capy_mig_env(s);
    struct capy_flow_key key = {p->src, p->dst, p->src_port, p->dst_port};
    s->tor.unknown_at = s->now + UNKNOWN_NS;
    capy_control_commit(
        s, capy_rack_wrap(s, frame, capy_mig_unknown_flow(env, &key, 0, capy_rack_at(s, frame))));
}

bool capy_away_input(struct capy_stack *s, const struct capy_packet *p, const uint8_t *frame,
                     size_t len)
{
    if (s->cfg.peer_cnt == 0)
        return false;
    bool of_others =
        capy_is_opened_port(s, p->dst_port) && p->dst_port % s->cfg.peer_cnt != s->cfg.self;
    if (of_others || capy_in_mig_range(s, p->dst_port)) {
        ask_about(s, p);
        return true;
    }
    struct capy_flow_key key = capy_vip_key_of(s, p);
    struct capy_mig_record *r = capy_mig_memory_find(&s->memory, &key);
    return r && r->left_epoch > 0 && left_input(s, r, p, frame, len);
}

/* The switch says which flow it was, and at what epoch it believes us its owner. We do not run it:
 * at that exact epoch it may be given back, or counted as dead. */
void capy_unknown_answer(struct capy_stack *s, const struct capy_mig_msg *msg)
{
    if (msg->verdict != CAPY_VERDICT_STALE || msg->owner != s->cfg.self || msg->entry_epoch == 0 ||
        capy_demux_find_key(s, &msg->key) != CAPY_NONE)
        return;
    const struct capy_mig_env *env = capy_mig_env(s);
    capy_refuse_note(s, &msg->key, msg->entry_epoch);
    uint8_t *frame = capy_control_reserve(s);
    if (frame)
        capy_control_commit(s,
                            capy_rack_wrap(s, frame,
                                           capy_mig_unknown_flow(env, &msg->key, msg->entry_epoch,
                                                                 capy_rack_at(s, frame))));
}
