/* The short way of most frames: TCP or UDP over IPv4 without options, from a station that is where it was, to
 * one whose place is known, of no flow that the directory has or of one that its owner was heard to run and
 * nobody ends. It decides what the long way (input.h, flows.h) does, which says why, without a view
 * and without a lock, and leaves to that whatever is not all of this: before anything was touched.
 * tests/switch/twin_test.c sends the same frames both ways.
 *
 * Addresses are compared and summed as the wire has them (capy_raw32). Header only; needs a plane's functions:
 * state.h. */
#ifndef CAPY_SWITCH_QUICK_H
#define CAPY_SWITCH_QUICK_H

#include "switch/core/flows.h"

enum {
    CAPY_QUICK_L4_AT = CAPY_ETHER_LEN + CAPY_VIEW_IP4_LEN,
    CAPY_QUICK_UDP_END = CAPY_QUICK_L4_AT + CAPY_VIEW_UDP_LEN,
    CAPY_QUICK_TCP_END = CAPY_QUICK_L4_AT + CAPY_VIEW_TCP_MIN,
};

/* A frame's ends. */
struct capy_quick {
    uint32_t src, dst;           /* addresses, raw */
    uint16_t src_port, dst_port; /* host order */
    uint8_t tcp_flags;
};

/* Where frames to this station go; CAPY_L2_UNKNOWN: the long way knows. */
static inline uint16_t capy_quick_port(const struct capy_job *j)
{
    const struct capy_switch *sw = j->sw;
    const uint64_t dst = capy_l2_word(j->frame);
    if (dst == sw->index->own_mac || capy_l2_is_group(dst))
        return CAPY_L2_UNKNOWN;
    const uint16_t id = capy_switch_server_of_mac(sw, dst);
    const uint16_t port = id == CAPY_SERVER_ANY ? capy_l2_find(&sw->l2, dst, j->now)
                                                : CAPY_SWITCH_PLACE(sw, id)->port;
    return port == j->port ? CAPY_L2_UNKNOWN : port;
}

static inline bool capy_quick_forward(struct capy_job *j)
{
    const uint16_t port = capy_quick_port(j);
    if (port == CAPY_L2_UNKNOWN)
        return false;
    capy_switch_count(j->sw, CAPY_COUNT_frames_in);
    capy_switch_count(j->sw, CAPY_COUNT_forwarded);
    capy_plane_send(j, port);
    return true;
}

/* There is nothing to learn of who sent it, and nothing wrong with that. */
static inline bool capy_quick_is_known(const struct capy_job *j, bool server_side)
{
    const struct capy_switch *sw = j->sw;
    const uint64_t src = capy_l2_word(j->frame + 6);
    const uint16_t id = server_side ? capy_switch_server_of_mac(sw, src) : CAPY_SERVER_ANY;
    return id == CAPY_SERVER_ANY ? capy_l2_knows(&sw->l2, src, j->port, j->now)
                                 : CAPY_SWITCH_PLACE(sw, id)->port == j->port;
}

static inline bool capy_quick_is_vip(const struct capy_switch *sw, uint32_t ip)
{
    return ip == sw->index->vip_v4 && ip != 0;
}

/* ---- the directory ---- */

/* v4: in its IPv4-mapped form. */
static inline bool capy_quick_is(const struct capy_ip *ip, uint32_t v4)
{
    const uint64_t low = capy_host64((uint64_t)0xffffu << 32 | capy_host32(v4));
    return capy_raw64(ip->b + 8) == low && capy_raw64(ip->b) == 0;
}

static inline uint64_t capy_quick_hash(const struct capy_switch *sw, uint32_t client,
                                       uint16_t client_port, uint16_t local_port)
{
    const uint32_t words[4] = {0, 0, 0xffffu, capy_host32(client)};
    return capy_directory_hash_words(&sw->dir, words, client_port, local_port);
}

/* capy_directory_first; what follows is short enough for BPF's verifier to walk once for each level. */
static inline struct capy_entry *capy_quick_first(const struct capy_directory *d, uint64_t hash,
                                                  uint32_t client, uint16_t client_port)
{
    const uint8_t tag = capy_directory_tag(hash);
    for (uint32_t level = 0; level < d->levels && level < CAPY_DIRECTORY_LEVELS_MAX; level++) {
        const uint32_t slot = capy_directory_slot(d, hash, level);
        struct capy_entry *e = &d->entries[slot];
        if (d->tags[slot] == tag && e->key.client_port == client_port &&
            capy_quick_is(&e->key.client, client))
            return e;
    }
    return NULL;
}

/* The owner runs it and lives. */
static inline bool capy_quick_is_steady(const struct capy_job *j, const struct capy_entry *e,
                                        const struct capy_quick *q)
{
    const struct capy_holder owner = e->owner;
    return capy_entry_is_steady(e, q->tcp_flags) &&
           !capy_server_dead(capy_switch_server_at(j->sw, owner.id), owner.gen, j->now,
                             j->sw->cfg->lease_ns);
}

/* ---- rewriting ---- */

/* Address and port of one end; at: theirs. RFC 1624's sums are the same in any byte order. */
static inline void capy_quick_rewrite(uint8_t *frame, uint32_t ip_at, uint32_t port_at, uint32_t ip,
                                      uint16_t port)
{
    uint8_t *ip_check = frame + CAPY_VIEW_IP4_CHECK_AT;
    uint8_t *check = frame + CAPY_QUICK_L4_AT + CAPY_VIEW_TCP_CHECK_AT;
    const uint16_t wire_port = capy_host16(port);
    const uint64_t of_ip = (uint64_t)(uint32_t)~capy_raw32(frame + ip_at) + ip;
    const uint64_t of_port = (uint64_t)(uint16_t)~capy_raw16(frame + port_at) + wire_port;
    capy_raw16_set(ip_check, capy_checksum_change(capy_raw16(ip_check), of_ip));
    capy_raw16_set(check, capy_checksum_change(capy_raw16(check), of_ip + of_port));
    capy_raw32_set(frame + ip_at, ip);
    capy_raw16_set(frame + port_at, wire_port);
}

/* ---- the two directions ---- */

/* To a server, or to the service address. */
static inline bool capy_quick_to_server(struct capy_job *j, const struct capy_quick *q, bool vip)
{
    struct capy_switch *sw = j->sw;
    const uint64_t hash = capy_quick_hash(sw, q->src, q->src_port, q->dst_port);
    struct capy_lock *lock = capy_plane_lock_of(sw, hash);
    if (!lock)
        return false;
    const uint32_t turn = capy_plane_look(lock);
    struct capy_entry *e = capy_quick_first(&sw->dir, hash, q->src, q->src_port);
    if (!e)
        return !vip && capy_quick_forward(j);
    const struct capy_holder owner = e->owner;
    const uint32_t ip = sw->index->server_v4[owner.id % CAPY_SWITCH_SERVER_MAX];
    if (ip == 0 || !capy_quick_is_steady(j, e, q) || !(e->flags & CAPY_ENTRY_ACKED) ||
        e->key.home_port != q->dst_port || !capy_quick_is(&e->key.home, q->dst) ||
        !capy_plane_looked(lock, turn))
        return false;
    e->touched_at = j->now;
    capy_quick_rewrite(j->frame, CAPY_VIEW_IP4_DST_AT, CAPY_QUICK_L4_AT + 2, ip, owner.port);
    capy_rewrite_mac(j->frame, &CAPY_SWITCH_PLACE(sw, owner.id)->mac);
    capy_switch_count(sw, CAPY_COUNT_frames_in);
    capy_switch_count(sw, CAPY_COUNT_rewritten_to_owner);
    capy_plane_send(j, CAPY_SWITCH_PLACE(sw, owner.id)->port);
    return true;
}

/* The source MAC is home's: server id's, or ours for the service address. */
static inline void capy_quick_mac_of_home(struct capy_job *j, uint16_t id, uint32_t home)
{
    const struct capy_switch *sw = j->sw;
    if (id < CAPY_SWITCH_SERVER_MAX)
        capy_rewrite_mac(j->frame + 6, &CAPY_SWITCH_PLACE(sw, id)->mac);
    else if (capy_quick_is_vip(sw, home))
        capy_rewrite_mac(j->frame + 6, &sw->cfg->mac);
}

/* From server id, to nobody of the rack. */
static inline bool capy_quick_from_server(struct capy_job *j, const struct capy_quick *q,
                                          uint16_t id)
{
    struct capy_switch *sw = j->sw;
    const uint64_t hash = capy_quick_hash(sw, q->dst, q->dst_port, q->src_port);
    struct capy_lock *lock = capy_plane_lock_of(sw, hash);
    if (!lock)
        return false;
    const uint32_t turn = capy_plane_look(lock);
    struct capy_entry *e = capy_quick_first(&sw->dir, hash, q->dst, q->dst_port);
    if (!e) /* nor does it deny a connection, nor is it of a port that some arrive at, or are born */
        return !(q->tcp_flags & CAPY_SEG_RST) &&
               q->src_port + CAPY_OPENED_PORT_CNT + CAPY_VIP_PORT_CNT < sw->cfg->mig_port_first &&
               capy_quick_forward(j);
    const uint32_t home = capy_raw32(e->key.home.b + 12); /* of its client's family */
    const uint16_t home_port = e->key.home_port, home_id = e->home, port = capy_quick_port(j);
    if (port == CAPY_L2_UNKNOWN || !capy_quick_is_steady(j, e, q) ||
        !capy_steer_is_holder(&e->owner, id, q->src_port) || !capy_plane_looked(lock, turn))
        return false;
    e->touched_at = j->now;
    capy_quick_rewrite(j->frame, CAPY_VIEW_IP4_SRC_AT, CAPY_QUICK_L4_AT, home, home_port);
    capy_quick_mac_of_home(j, home_id, home);
    capy_switch_count(sw, CAPY_COUNT_frames_in);
    capy_switch_count(sw, CAPY_COUNT_rewritten_from_owner);
    capy_switch_count(sw, CAPY_COUNT_forwarded);
    capy_plane_send(j, port);
    return true;
}

static inline bool capy_quick_tcp(struct capy_job *j, const struct capy_quick *q, bool server_side)
{
    const struct capy_switch *sw = j->sw;
    const uint16_t to = capy_index_server_of_v4(sw->index, q->dst);
    const uint16_t id = server_side ? capy_index_server_of_v4(sw->index, q->src) : CAPY_SERVER_ANY;
    const bool vip = capy_quick_is_vip(sw, q->dst);
    if (capy_quick_is_vip(sw, q->src))
        return false;
    if (id != CAPY_SERVER_ANY)
        return to == CAPY_SERVER_ANY && !vip && CAPY_SWITCH_PLACE(sw, id)->port == j->port &&
               capy_quick_from_server(j, q, id);
    return to == CAPY_SERVER_ANY && !vip ? capy_quick_forward(j) : capy_quick_to_server(j, q, vip);
}

/* ---- the frame ---- */

/* IPv4 without options, and no fragment; the frame is long enough for a UDP header. */
static inline bool capy_quick_is_plain(const uint8_t *frame)
{
    const uint8_t *ip = frame + CAPY_ETHER_LEN;
    return capy_load16(frame + 12) == CAPY_ETHERTYPE_IPV4 && ip[0] == 0x45 &&
           (capy_load16(ip + 6) & CAPY_VIEW_FRAGMENT_BITS) == 0;
}

/* As capy_view_ip4 and capy_view_l4 check it. */
static inline bool capy_quick_is_whole(const uint8_t *frame, size_t len)
{
    const uint32_t total = capy_load16(frame + CAPY_ETHER_LEN + 2);
    const uint32_t head = (uint32_t)(frame[CAPY_QUICK_L4_AT + 12] >> 4) * 4u;
    return CAPY_ETHER_LEN + total <= len && head >= CAPY_VIEW_TCP_MIN &&
           CAPY_VIEW_IP4_LEN + head <= total;
}

/* True: it is on its way, and counted. */
static inline bool capy_quick_input(struct capy_job *j)
{
    const struct capy_switch *sw = j->sw;
    const uint8_t *frame = j->frame;
    const size_t len = (size_t)(j->end - frame);
    if (j->port >= sw->cfg->port_cnt || len > CAPY_FRAME_MAX ||
        frame + CAPY_QUICK_UDP_END > j->end || !capy_quick_is_plain(frame))
        return false;
    const bool server_side = sw->cfg->role[j->port % CAPY_SWITCH_PORT_MAX] == CAPY_PORT_SERVER;
    const uint8_t proto = frame[CAPY_ETHER_LEN + 9];
    struct capy_quick q = {.src = capy_raw32(frame + CAPY_VIEW_IP4_SRC_AT),
                           .dst = capy_raw32(frame + CAPY_VIEW_IP4_DST_AT),
                           .src_port = capy_load16(frame + CAPY_QUICK_L4_AT),
                           .dst_port = capy_load16(frame + CAPY_QUICK_L4_AT + 2)};
    if (!capy_quick_is_known(j, server_side))
        return false;
    if (proto == CAPY_VIEW_PROTO_UDP)
        return q.dst_port != sw->cfg->tcpmig_port && q.dst != sw->index->own_v4 &&
               capy_quick_forward(j);
    if (proto != CAPY_VIEW_PROTO_TCP || frame + CAPY_QUICK_TCP_END > j->end ||
        !capy_quick_is_whole(frame, len))
        return false;
    q.tcp_flags = frame[CAPY_QUICK_L4_AT + 13];
    return capy_quick_tcp(j, &q, server_side);
}

#endif
