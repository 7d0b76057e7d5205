/* Whose turn it is to send. Frames of no connection first: they are few, bounded, and others wait
 * for them. Then migration slots and connections in turn, the connections round robin with a few
 * segments each, so that neither a large CONN_STATE nor one busy connection holds up the rest. */
#include "stack/host.h"

/* Long enough to amortise the switch to another connection's cache lines, short enough that 64
 * busy connections each send within a receive burst's time. */
#define TURN_SEGMENTS 4u

/* Where this connection's frames go. False: the neighbour is being asked for. */
static bool know_next_hop(struct capy_stack *s, struct capy_conn *c)
{
    if (!c->has_next_hop)
        c->has_next_hop = capy_next_hop(s, &c->remote, &c->next_hop);
    return c->has_next_hop;
}

/* RFC 6437 §3: a keyed hash of the flow. Its initial sequence number is that already (RFC 6528), and
 * moves with it: so does the label, under the rack's key. Hashed once more, it tells nobody the
 * number. */
uint32_t capy_flow_label(const struct capy_stack *s, const struct capy_ip *peer,
                         struct capy_seq iss)
{
    uint8_t bytes[4];
    if (capy_ip_is_v4(peer))
        return 0;
    capy_store32(bytes, iss.v);
    return (uint32_t)capy_siphash13(s->label_key, bytes, sizeof bytes) & CAPY_FLOW_LABEL_MASK;
}

static inline struct capy_frame_to conn_to(const struct capy_stack *s, const struct capy_conn *c)
{
    bool v4 = capy_ip_is_v4(&c->remote);
    return (struct capy_frame_to){.dst_mac = c->next_hop,
                                  .src_mac = s->cfg.mac,
                                  .src = s->net[v4 ? CAPY_V4 : CAPY_V6].ip,
                                  .dst = c->remote,
                                  .src_port = c->local_port,
                                  .dst_port = c->remote_port,
                                  .flow_label =
                                      v4 ? 0 : capy_flow_label(s, &c->remote, c->tcb.snd.iss)};
}

struct capy_frame_to capy_conn_to(const struct capy_stack *s, const struct capy_conn *c)
{
    return conn_to(s, c);
}

size_t capy_send_segment(struct capy_stack *s, uint32_t idx, uint8_t *frame)
{
    struct capy_conn *c = &s->conns[idx];
    struct capy_tcp_env env = capy_env(s);
    struct capy_tcp_segment seg;
    uint64_t data_offset = 0;
    if (!capy_tcp_output(&c->tcb, &env, &seg, &data_offset))
        return 0;
    struct capy_frame_to to = conn_to(s, c);
    to.ecn = seg.ecn;
    to.partial = s->device.partial;
    if (seg.data_len > 0)
        capy_stream_read(&c->tcb.snd.queue, &s->blocks, data_offset,
                         frame + capy_frame_tcp_data_at(&to, &seg), seg.data_len);
    s->todo = (struct capy_offload){.partial = to.partial,
                                    .segment = seg.data_len > c->tcb.snd.mss ? c->tcb.snd.mss : 0};
    return capy_frame_build_tcp(frame, &to, &seg);
}

/* The next segment of the connections that are ready; 0 when none has any. */
static size_t send_ready(struct capy_stack *s, uint8_t *frame)
{
    uint32_t idx;
    while ((idx = s->ready.head) != CAPY_NONE) {
        struct capy_conn *c = &s->conns[idx];
        if (!know_next_hop(s, c)) {
            capy_conn_unready(s, idx);
            c->out_list = CAPY_OUT_WAITING;
            capy_list_push_tail(&s->waiting, idx);
            continue;
        }
        size_t len = capy_send_segment(s, idx, frame);
        if (len == 0 || capy_tcp_is_silent(&c->tcb)) {
            capy_conn_unready(s, idx);
            capy_conn_arm(s, idx); /* what it sent started timers */
        } else if (++s->turn >= TURN_SEGMENTS) {
            capy_conn_unready(s, idx);
            capy_conn_settle(s, idx); /* to the tail */
        }
        if (len > 0)
            return len;
    }
    return 0;
}

static size_t send_migrations(struct capy_stack *s, uint8_t *frame)
{
    size_t len = capy_target_send(s, frame);
    return len > 0 ? len : capy_origin_send(s, frame);
}

/* Nobody owes a frame, as nearly always: a turn asks many times. */
static inline bool all_silent(const struct capy_stack *s)
{
    uint32_t owed = s->control.cnt | s->ready.cnt | s->target_out.cnt | s->origin_out.cnt |
                    s->neigh.owed_cnt | s->closed_due.cnt;
    return owed == 0 && !s->tor.beat_owed && !s->tor.announce_owed;
}

bool capy_stack_ack_due(const struct capy_stack *s)
{
    return s->ack_due;
}

/* Not inlined: who is silent saves no registers for it. */
static __attribute__((noinline)) size_t next_frame(struct capy_stack *s, uint8_t *frame)
{
    size_t len = capy_control_pop(s, frame);
    if (len == 0 && s->neigh.owed_cnt > 0)
        len = capy_neigh_output(s, frame);
    if (len == 0 && s->cfg.peer_cnt > 0)
        len = capy_rack_output(s, frame);
    if (len == 0) {
        len = s->conn_turn ? send_ready(s, frame) : send_migrations(s, frame);
        if (len == 0)
            len = s->conn_turn ? send_migrations(s, frame) : send_ready(s, frame);
        /* Only a frame passes the turn on: to ask for one in vain, however often, changes nothing. */
        s->conn_turn = s->conn_turn != (len > 0);
        if (len == 0 && s->neigh.owed_cnt > 0) /* a connection found just now that it must ask */
            len = capy_neigh_output(s, frame);
    }
    s->count.frames_out += len > 0;
    return len;
}

size_t capy_stack_output(struct capy_stack *s, uint8_t *frame, uint64_t now)
{
    capy_now_is(s, now);
    s->ack_due = false;
    return all_silent(s) ? 0 : next_frame(s, frame);
}

size_t capy_stack_output_offloaded(struct capy_stack *s, uint8_t *frame, struct capy_offload *how,
                                   uint64_t now)
{
    s->device = *how;
    s->todo = (struct capy_offload){0};
    size_t len = capy_stack_output(s, frame, now);
    s->device = (struct capy_offload){0};
    *how = s->todo;
    return len;
}
