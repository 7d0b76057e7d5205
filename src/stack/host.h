/* The inside of struct capy_stack, shared by the files of this folder and by nobody else. One file
 * per story:
 * - stack.c: configuration, memory, the entry points that feed and drain it
 * - conn.c: life of a connection: taken, ran, ended, freed; its timers, its place in the queue
 * - demux.c: from a segment, or a flow key, to a connection; receive.c: TCP and ICMP in
 * - peer.c: from an address to the server that has it
 * - listen.c: passive open; cookie.c: the same without memory; connect.c: active open
 * - age.c: who gives way when the table is full, pressure.c: when the blocks run short
 * - rate.c: how often a peer is answered
 * - send.c: whose turn it is to send; control.c: frames that belong to no connection
 * - net.c: our addresses, one of each version of IP, and what is on our link
 * - hop.c: the next hop of what we send; neigh.c: the cache behind it; arp.c, nd.c: its questions
 *   and answers; icmp6.c: ICMPv6
 * - path.c: ICMP errors about TCP, and path MTUs per destination
 * - event.c: what the application is told; calls.c: what it asks for
 * - rack.c: TCPMig in and out, heartbeats; announce.c: flows told to the switch
 * - migrate_out.c, migrate_in.c: the two sides of a move; away.c: frames of flows not run here
 * - foreign.c: connections that are another TCP's, a kernel's
 * - carry.c: all connections into another stack; inspect.c: for people and tools */
#ifndef CAPY_STACK_HOST_H
#define CAPY_STACK_HOST_H

#include "base/list.h"
#include "base/pool.h"
#include "stack/conn.h"
#include "stack/foreign.h"
#include "stack/neigh.h"
#include "stack/net.h"
#include "stack/wheel.h"
#include "wire/udp_inlet.h"

struct capy_listener {
    uint64_t user;
    struct capy_tcp_tuning tuning; /* of the connections that it opens */
    uint64_t cookies_until;        /* a cookie of this listener may come back before this */
    uint32_t syn_cnt;              /* connections in SYN_RECEIVED */
    uint16_t port;                 /* 0: free */
    bool paused;
};

/* Frames that belong to no connection and are ready to go: RST, ARP, ICMP, TCPMig, put-back ones.
 * A ring; when it is full the frame is not made, and whoever owes it repeats or loses it, as on any
 * full link. */
#define CAPY_CONTROL_FRAMES 256u /* a receive burst of 64 answered fourfold */
struct capy_control {
    uint8_t *frames; /* CAPY_CONTROL_FRAMES * CAPY_FRAME_MAX */
    uint16_t *lens;
    uint32_t first, cnt;
};

/* Where a slot stands in the queue of slots with messages to send. */
struct capy_origin_slot {
    struct capy_link out;
    bool out_queued, used;
    uint32_t conn;
    uint32_t round; /* counts the migrations of this slot: makes ids unique */
    struct capy_mig_origin mig;
};

struct capy_target_slot {
    struct capy_link out;
    bool out_queued, used;
    bool emptying;      /* over: only held frames are left, to be put back on the wire */
    bool refused_noted; /* the refusal is in the memory */
    uint32_t conn;      /* ARRIVING; CAPY_NONE when emptying, or imported */
    uint64_t boot;      /* of the switch, when it was admitted */
    struct capy_mig_target mig;
};

/* A FLOW_CLOSED that the switch has not answered yet: waits for its timer, is due to be sent, or
 * was sent and waits for the answer as well. */
#define CAPY_CLOSED_MAX 1024u /* more are not said: their entries age out at the switch */
enum { CAPY_CLOSED_WAITING, CAPY_CLOSED_DUE, CAPY_CLOSED_SENT };
struct capy_closed_flow {
    struct capy_link link;
    struct capy_flow_key key;
    uint32_t epoch;
    uint16_t local_port;
    uint32_t chain;
    uint8_t tries, list;
};

/* No frame and no message lives longer than this in a rack (RFC 9293 §3.4.1 assumes two minutes for
 * the whole Internet): older records say nothing about what arrives now. */
#define CAPY_RECORD_LIFE_NS CAPY_SEC(60)

enum { CAPY_MIG_TYPE_AT = 1, CAPY_MIG_ID_AT = 8 }; /* in a message: wire/tcpmig.h */

/* Of active opens, by group of remote services: table[] of RFC 6056 §3.3.4. */
#define CAPY_PORT_COUNTERS 64u

/* Indices of the timer wheel behind those of connections and slots. */
enum capy_clock {
    CAPY_CLOCK_HEARTBEAT,
    CAPY_CLOCK_ANNOUNCE,
    CAPY_CLOCK_NEIGH,
    CAPY_CLOCK_PRESSURE,
    CAPY_CLOCK_CNT
};

/* A segment of no connection, to be answered by RST when the switch is known to know all (doubt.c). */
struct capy_doubt {
    struct capy_tuple tuple;
    struct capy_mac next_hop; /* where it came from */
    uint64_t at;
    struct capy_tcp_segment rst;
};

#define CAPY_DOUBTS_MAX 64u

/* What we know of the switch. */
struct capy_tor {
    uint64_t boot;         /* id from its last HEARTBEAT_ACK; 0: none yet */
    uint64_t heard_at;     /* last HEARTBEAT_ACK */
    uint64_t confirmed_at; /* the switch had this boot id at or after this time */
    uint64_t lease_until;  /* it cannot take us for dead before this; CAPY_NEVER: it did already,
                              as far as we know, or does not know us yet */
    uint64_t suspended_at; /* when we last lost the lease */
    uint64_t started_at;
    uint64_t quiet_until; /* after our start: CAPY_MIG_QUIET_NS */
    uint32_t least_load;  /* its minimum workload register; UINT32_MAX: nobody takes anything */
    bool learning, beat_owed;
    uint64_t unknown_at;    /* no NACK for an unknown flow before this */
    uint32_t announce_left; /* flows still to announce in this fast round */
    bool announce_owed;     /* one flow is to be announced now */
    uint32_t back_idx;      /* connections from here on may still wait for the switch (outage.c) */
};

/* What routers said of the way to a destination (path.c). A hash names the place; whoever comes
 * later takes it. */
#define CAPY_PATH_MAX 256u
struct capy_path {
    struct capy_ip dst;
    uint32_t mtu;
    uint64_t until;
};

/* Half of them are taken at most: 64 servers of two addresses. */
#define CAPY_PEER_SLOTS 256u
#define CAPY_PEER_NONE 0xffu

struct capy_stack {
    struct capy_stack_cfg cfg;
    uint64_t now;             /* latest now of any call */
    struct capy_tcp_cfg tcp6; /* cfg.tcp, with IPv6's segment sizes */
    struct capy_net net[CAPY_VERSION_CNT];
    struct capy_ip link_local;   /* of IPv6; all zero without it */
    struct capy_ip tor_ip;       /* the switch, for TCPMig: of our primary address's version */
    struct capy_udp_way tor_way; /* to it */
    struct capy_udp_inlet inlet; /* of TCPMig */
    uint32_t msg_at;             /* where TCPMig messages begin in a frame */
    uint8_t peer_slots[CAPY_PEER_SLOTS]; /* servers by their addresses: peer.c */
    uint64_t problem_at;                 /* no ICMPv6 parameter problem before this */

    struct capy_conn *conns;
    struct capy_pool conn_pool;
    struct capy_blocks blocks;
    uint32_t *buckets[CAPY_INDEX_CNT], bucket_mask[CAPY_INDEX_CNT];
    uint64_t hashed_tuple; /* the last one looked for, and its hash: demux.c */
    uint32_t tuple_hash;
    struct capy_key index_key, isn_key, rate_key, cookie_key, port_key, label_key;
    uint64_t *rates[CAPY_RATE_CNT]; /* buckets by peer: rate.c */
    struct capy_list ready, waiting, events;
    struct capy_list aged[CAPY_AGE_CNT];     /* age.c */
    struct capy_list announced, unannounced; /* all with epoch > 0: known to the switch, or not */
    uint32_t turn; /* segments the head of `ready` may still send in its turn */
    uint32_t port_counters[CAPY_PORT_COUNTERS];
    bool conn_turn; /* connections and migration slots alternate */
    bool ack_due;   /* since the last output: capy_stack_ack_due */
    struct capy_wheel wheel;
    uint32_t origin_clocks, target_clocks, closed_clocks, clocks; /* first wheel index of each */
    uint32_t tight;           /* fewer free blocks than this are pressure; 0: never */
    uint32_t pressure_cursor; /* the connection looked at last: pressure.c */
    struct capy_listener *listeners;
    struct capy_listener opened; /* for connections that other servers opened */
    bool takes_opened;
    struct capy_neighbours neigh;
    struct capy_path paths[CAPY_PATH_MAX];
    struct capy_control control;

    struct capy_origin_slot *origins;
    struct capy_target_slot *targets;
    struct capy_pool origin_pool, target_pool;
    struct capy_list origin_out, target_out;
    struct capy_mig_pace origin_pace, target_pace; /* of their repeats */
    struct capy_mig_env mig_env;
    struct capy_mig_tagger tagger;
    struct capy_mig_memory memory;
    uint64_t *seen_at; /* beside memory.records: see away.c */
    struct capy_closed_flow *closed;
    struct capy_pool closed_pool;
    struct capy_list closed_due, closed_sent;
    uint32_t *closed_buckets;
    struct capy_tor tor;
    struct capy_doubt doubts[CAPY_DOUBTS_MAX];
    uint32_t doubt_cnt;
    uint32_t away_cnt, load;
    bool draining;

    capy_probe_fn *probe;
    void *probe_ctx;
    const struct capy_foreign_ops *foreign; /* NULL: connections are our own */
    void *foreign_ctx;
    uint8_t *foreign_buf;
    uint32_t foreign_max;
    struct capy_stack_counters count;
    struct capy_offload device;      /* what it could do about the present output */
    struct capy_offload todo;        /* what is left for it to do */
    uint8_t scratch[CAPY_FRAME_MAX]; /* a held frame on its way back in; a piece of a large one */
};

/* Payload of a large segment: with any headers it fits the 16 bits of IP's length. */
#define CAPY_BURST_MAX 64000u

static inline struct capy_tcp_env capy_env(struct capy_stack *s)
{
    return (struct capy_tcp_env){.cfg = &s->cfg.tcp,
                                 .blocks = &s->blocks,
                                 .count = &s->count.tcp,
                                 .now = s->now,
                                 .burst_max = s->device.segment ? CAPY_BURST_MAX : 0};
}

/* For opening or restoring a connection with peer, and where it may shrink its segments: their sizes
 * depend on the version. */
static inline struct capy_tcp_env capy_env_with(struct capy_stack *s, const struct capy_ip *peer)
{
    struct capy_tcp_env env = capy_env(s);
    if (!capy_ip_is_v4(peer))
        env.cfg = &s->tcp6;
    return env;
}

/* For opening what comes from peer to a listener. */
static inline struct capy_tcp_env
capy_listener_env(struct capy_stack *s, const struct capy_listener *l, const struct capy_ip *peer)
{
    struct capy_tcp_env env = capy_env_with(s, peer);
    env.tuning = &l->tuning;
    return env;
}

/* Our side of a version: that of an address. */
static inline const struct capy_net *capy_net_of(const struct capy_stack *s,
                                                 const struct capy_ip *like)
{
    return &s->net[capy_version_of(like)];
}

/* Made once: only its clock moves (capy_now_is). */
static inline const struct capy_mig_env *capy_mig_env(const struct capy_stack *s)
{
    return &s->mig_env;
}

/* Whatever is done after the lease ran out is done under its loss (announce.c). */
void capy_lease_lost(struct capy_stack *s);
/* The switch heard the HEARTBEAT that we sent at beat_at. */
void capy_lease_confirmed(struct capy_stack *s, uint64_t beat_at);

static inline void capy_now_is(struct capy_stack *s, uint64_t now)
{
    CAPY_ASSERT(now >= s->now);
    s->now = s->mig_env.now = now;
    capy_blocks_now(&s->blocks, now);
    if (now >= s->tor.lease_until)
        capy_lease_lost(s);
}

static inline bool capy_in_mig_range(const struct capy_stack *s, uint16_t port)
{
    return s->cfg.peer_cnt > 0 && port >= s->cfg.mig_port_first &&
           port - s->cfg.mig_port_first < s->cfg.mig_port_cnt;
}

/* A port that some server of the rack may open connections from. */
static inline bool capy_is_opened_port(const struct capy_stack *s, uint16_t port)
{
    return s->cfg.peer_cnt > 0 && capy_mig_is_opened_port(s->cfg.mig_port_first, port);
}

static inline void capy_probe(struct capy_stack *s, enum capy_mig_step step, uint64_t id, int begin)
{
    if (s->probe)
        s->probe(s->probe_ctx, step, id, begin);
}

/* ---- conn.c ---- */
/* A fresh connection, mode FREE, all links empty; a full table gives up its oldest TIME_WAIT.
 * CAPY_NONE when there is none either. */
uint32_t capy_conn_take(struct capy_stack *s);
capy_handle capy_conn_handle(const struct capy_stack *s, uint32_t idx);
/* The connection of a live handle, or NULL. */
struct capy_conn *capy_conn_of(struct capy_stack *s, capy_handle h, uint32_t *idx);
struct capy_flow_key capy_conn_key(const struct capy_stack *s, const struct capy_conn *c);
struct capy_tuple capy_conn_tuple(const struct capy_stack *s, const struct capy_conn *c);
/* Its flow's epoch changed: keeps the ring of announced flows true. */
void capy_conn_set_epoch(struct capy_stack *s, uint32_t idx, uint32_t epoch);
/* After anything happened to it: takes its place among the ready, and its timer along. */
void capy_conn_settle(struct capy_stack *s, uint32_t idx);
/* The same for one that came by migration, which nearly always rests: asked at once whether it has anything to
 * send, for nothing else will happen to it before its turn. */
void capy_conn_arrived(struct capy_stack *s, uint32_t idx);
/* Its timer alone: after sending. */
void capy_conn_arm(struct capy_stack *s, uint32_t idx);
/* Acts on what a call into TCP returned; settles. The connection may be ENDED or gone after it. */
void capy_conn_happened(struct capy_stack *s, uint32_t idx, uint32_t tcp_events);
/* TCP is over for it. bits: what the application is told, if it knows the handle; 0: nothing. */
void capy_conn_end(struct capy_stack *s, uint32_t idx, uint32_t bits);
/* Takes it out of every list, index and timer and gives its buffers back; mode ENDED. */
void capy_conn_strip(struct capy_stack *s, uint32_t idx);
/* Frees an ENDED one that nothing holds any more. */
void capy_conn_reap(struct capy_stack *s, uint32_t idx);
/* Makes its handle stale: the application let go of it. */
void capy_conn_forget(struct capy_stack *s, uint32_t idx);
void capy_conn_unready(struct capy_stack *s, uint32_t idx);
void capy_conn_timer(struct capy_stack *s, uint32_t idx);
/* Ends it with a RST to the peer where the state has one (ABORT); bits as for capy_conn_end. */
void capy_conn_reset(struct capy_stack *s, uint32_t idx, uint32_t bits);
/* Sends rst for it, as a control frame. */
void capy_conn_send_reset(struct capy_stack *s, const struct capy_conn *c,
                          const struct capy_tcp_segment *rst);

/* ---- age.c ---- */
void capy_age_init(struct capy_stack *s);
/* Anything happened to a running connection that the application does not know: to the list it
 * belongs. */
void capy_age_place(struct capy_stack *s, uint32_t idx);
void capy_age_leave(struct capy_stack *s, uint32_t idx);
/* Ends the oldest TIME_WAIT. False: there is none. */
bool capy_age_recycle(struct capy_stack *s);
/* Ends the oldest half-open one. False: there is none. */
bool capy_age_evict_half_open(struct capy_stack *s);
/* Connections that a full table would give up for a new one. */
static inline uint32_t capy_age_spare(const struct capy_stack *s)
{
    return s->conn_pool.free_cnt + s->aged[CAPY_AGE_TIME_WAIT].cnt;
}

/* ---- pressure.c ---- */
void capy_pressure_start(struct capy_stack *s);
/* Fewer than s->tight blocks are free. */
void capy_pressure_begin(struct capy_stack *s);
void capy_pressure_timer(struct capy_stack *s);

/* ---- demux.c ---- */
void capy_demux_init(struct capy_stack *s, struct capy_arena *a);
void capy_demux_insert(struct capy_stack *s, uint32_t idx);
void capy_demux_remove(struct capy_stack *s, uint32_t idx);
/* By what a segment says; CAPY_NONE. */
uint32_t capy_demux_find(struct capy_stack *s, const struct capy_ip *remote, uint16_t remote_port,
                         uint16_t local_port);
/* By the flow's name; CAPY_NONE. */
uint32_t capy_demux_find_key(struct capy_stack *s, const struct capy_flow_key *key);
/* The same for who knows already whose the home address is. */
uint32_t capy_demux_find_at(struct capy_stack *s, const struct capy_flow_key *key, uint16_t home);

/* ---- peer.c ---- */
void capy_peer_init(struct capy_stack *s);
/* An address of a server of the rack. */
bool capy_is_peer(const struct capy_stack *s, const struct capy_ip *ip);
/* Server id of an address of the rack; without a rack we are server 0. CAPY_HOME_VIP: the service
 * address. CAPY_SERVER_ANY: nobody. */
uint16_t capy_peer_of(const struct capy_stack *s, const struct capy_ip *ip);
/* Its address of the version of `like`; all zero when it has none. */
const struct capy_ip *capy_peer_ip(const struct capy_stack *s, uint16_t id,
                                   const struct capy_ip *like);

/* ---- vip.c ---- */
/* As a server id in capy_conn.home, and what capy_peer_of says of it: the service address. */
#define CAPY_HOME_VIP 0xfffeu

bool capy_vip_is_sound(const struct capy_stack_cfg *c);
bool capy_vip_is(const struct capy_stack *s, const struct capy_ip *ip);
/* Of the version of `like`. */
const struct capy_ip *capy_vip_ip(const struct capy_stack *s, const struct capy_ip *like);
/* The service whose connections are born at this local port of ours; 0: none's. */
uint16_t capy_vip_service_of(const struct capy_stack *s, uint16_t local_port);
/* May a connection begin there? One of the service address neither in the quiet time nor without a lease. */
bool capy_vip_may_begin(const struct capy_stack *s, uint16_t local_port);
/* The name of the flow that a segment is of, if it is of one that began here. */
struct capy_flow_key capy_vip_key_of(const struct capy_stack *s, const struct capy_packet *p);

/* ---- receive.c, listen.c ---- */
/* An IP packet that parsed. frame: the whole of it, borrowed. */
void capy_receive_ip(struct capy_stack *s, const struct capy_packet *p, const uint8_t *frame,
                     size_t len);
/* Nobody is at these: unspecified, broadcast, multicast; nor, for us, at our own address. */
bool capy_is_martian(const struct capy_stack *s, const struct capy_ip *ip);
/* A connection that runs takes the segment: nobody keeps the frame, or sends it on. */
bool capy_runs_here(struct capy_stack *s, const struct capy_packet *p);
/* A TCP segment to our address. */
void capy_receive_tcp(struct capy_stack *s, const struct capy_packet *p, const uint8_t *frame,
                      size_t len);
struct capy_listener *capy_listener_of(struct capy_stack *s, uint16_t port);
/* Who gets a connection that arrives by migration; NULL: nobody here. */
struct capy_listener *capy_listener_of_arrival(struct capy_stack *s, bool opened,
                                               uint16_t home_port);
/* The name of a connection that a client opens; it runs. */
void capy_listen_begin(struct capy_stack *s, uint32_t idx, const struct capy_ip *client,
                       uint16_t client_port, uint16_t local_port);
/* A running connection's segment. The connection may be ENDED or gone after it. */
void capy_conn_input(struct capy_stack *s, uint32_t idx, const struct capy_packet *p);
/* A segment for no connection: one that opens it when somebody listens. False: it does not. */
bool capy_listen_input(struct capy_stack *s, const struct capy_packet *p);
/* True: the half-open connection has ended without a word, and p is the listener's. p answers another
 * SYN-ACK than its own: a cookie, for an earlier copy of the client's SYN that there was no room for. */
bool capy_listen_overtakes(struct capy_stack *s, uint32_t idx, const struct capy_packet *p);
/* True: c is half-open at a paused listener, and this segment must not open it further. */
bool capy_listen_holds_back(struct capy_stack *s, const struct capy_conn *c,
                            const struct capy_packet *p);
/* Auto last hop: the connection answers to where this came from. */
void capy_learn_next_hop(struct capy_stack *s, struct capy_conn *c, const struct capy_packet *p);
void capy_reset_reply(struct capy_stack *s, const struct capy_packet *p);
void capy_reset_send(struct capy_stack *s, const struct capy_frame_to *to,
                     const struct capy_tcp_segment *rst);

/* doubt.c */
/* Answers a segment of no connection by RST: now, or when that is certain. */
void capy_doubt_add(struct capy_stack *s, const struct capy_packet *p);
/* The switch knew all flows when a HEARTBEAT left at asked_at. */
void capy_doubts_settle(struct capy_stack *s, uint64_t asked_at);
/* It does not. */
void capy_doubts_forget(struct capy_stack *s);
/* An echo request to one of our addresses. */
void capy_echo_answer(struct capy_stack *s, const struct capy_packet *p, const uint8_t *frame,
                      size_t len);
/* RFC 6528 initial sequence number, and the offset of the timestamp clock (RFC 7323 §7.1). */
struct capy_seq capy_isn(const struct capy_stack *s, const struct capy_tuple *t,
                         uint32_t *ts_offset);

/* ---- cookie.c ---- */
/* Answers a SYN with a cookie, as a control frame. */
void capy_cookie_answer(struct capy_stack *s, struct capy_listener *l, const struct capy_packet *p);
/* True when the segment acknowledges a cookie: *syn is the SYN it was made for, as far as a cookie
 * holds it; the cookie itself is the sequence number before seg.ack. */
bool capy_cookie_check(struct capy_stack *s, const struct capy_listener *l,
                       const struct capy_packet *p, struct capy_tcp_segment *syn);

/* ---- rate.c ---- */
#define CAPY_RATE_BUCKETS 4096u /* so that a flood from made-up addresses spreads thinly over all */
void capy_rate_init(struct capy_stack *s, struct capy_arena *a);
/* True when peer may have one more answer of this kind now; else it is counted. */
bool capy_rate_take(struct capy_stack *s, enum capy_rate kind, const struct capy_ip *peer);
/* The same buckets for a stack of the same configuration. */
void capy_rate_carry(const struct capy_stack *from, struct capy_stack *to);

/* ---- path.c ---- */
/* An ICMP packet to our address that is none of the host's own business: an error, perhaps. */
void capy_icmp_error_input(struct capy_stack *s, const struct capy_packet *p);
/* A connection has opened: what is known of the way to its peer. */
void capy_path_apply(struct capy_stack *s, struct capy_conn *c);

/* ---- event.c ---- */
void capy_post(struct capy_stack *s, uint32_t idx, uint32_t bits);
void capy_unpost(struct capy_stack *s, uint32_t idx);

/* ---- send.c, control.c ---- */
/* Room for one frame, or NULL; then capy_control_commit with its length. */
uint8_t *capy_control_reserve(struct capy_stack *s);
void capy_control_commit(struct capy_stack *s, size_t len);
size_t capy_control_pop(struct capy_stack *s, uint8_t *frame);
/* One segment of a connection; 0 when it has none to send, or waits for a neighbour. */
size_t capy_send_segment(struct capy_stack *s, uint32_t idx, uint8_t *frame);

/* The label of the flow with peer that began at iss; 0 for IPv4 (RFC 6437). */
uint32_t capy_flow_label(const struct capy_stack *s, const struct capy_ip *peer,
                         struct capy_seq iss);
/* The addresses of a segment of c, and for IPv6 its flow's label. */
struct capy_frame_to capy_conn_to(const struct capy_stack *s, const struct capy_conn *c);

/* ---- arp.c, nd.c, icmp6.c ---- */
void capy_arp_input(struct capy_stack *s, const struct capy_arp *arp);
/* Writes the question for e's MAC; the frame's length. */
size_t capy_arp_ask(struct capy_stack *s, const struct capy_neighbour *e, uint8_t *frame);
size_t capy_nd_ask(struct capy_stack *s, const struct capy_neighbour *e, uint8_t *frame);
void capy_nd_input(struct capy_stack *s, const struct capy_packet *p);
bool capy_is_own6(const struct capy_stack *s, const struct capy_ip *ip);
/* The multicast groups that we are in. */
bool capy_is_own_group(const struct capy_stack *s, const struct capy_ip *ip);
void capy_icmp6_input(struct capy_stack *s, const struct capy_packet *p, const uint8_t *frame,
                      size_t len);
/* A frame was refused for what its IPv6 headers say: its sender may have to be told. */
void capy_icmp6_problem(struct capy_stack *s, const uint8_t *frame, size_t len);

/* ---- hop.c ---- */
void capy_neigh_arm(struct capy_stack *s);
/* Those who waited for ip's MAC go on; or, when nobody answered, have failed. */
void capy_neigh_wake(struct capy_stack *s, const struct capy_ip *ip, bool failed);
/* A segment acknowledged something that c sent, while some neighbour was in doubt. */
void capy_hop_confirmed(struct capy_stack *s, const struct capy_conn *c,
                        const struct capy_packet *p);
/* TCP suspects the path of c: it may have lost its next hop. */
void capy_hop_doubted(struct capy_stack *s, struct capy_conn *c);
/* The MAC to send to for ip. False: being asked for; the connection waits. */
bool capy_next_hop(struct capy_stack *s, const struct capy_ip *ip, struct capy_mac *out);
void capy_neigh_timer(struct capy_stack *s);
size_t capy_neigh_output(struct capy_stack *s, uint8_t *frame);

/* ---- rack.c ---- */
void capy_rack_start(struct capy_stack *s);
void capy_rack_input(struct capy_stack *s, const struct capy_packet *p);
/* A frame to the inlet, by its ports. True: it was a message of the rack, which is dealt with; false: nothing
 * has happened. */
bool capy_rack_frame(struct capy_stack *s, const uint8_t *frame, size_t len);
/* The next TCPMig frame that is owed: heartbeats, announcements, closed flows. */
size_t capy_rack_output(struct capy_stack *s, uint8_t *frame);
/* Neither draining, nor just started, nor without a lease. */
bool capy_takes_migrations(const struct capy_stack *s);
/* The switch answers heartbeats. */
bool capy_tor_alive(const struct capy_stack *s);
void capy_heartbeat_timer(struct capy_stack *s);
/* Wraps the message of msg_len bytes at capy_rack_at(s, frame); the frame's length. */
static inline uint8_t *capy_rack_at(const struct capy_stack *s, uint8_t *frame)
{
    return frame + s->msg_at;
}
size_t capy_rack_wrap(struct capy_stack *s, uint8_t *frame, size_t msg_len);

/* ---- announce.c ---- */
/* A flow's epoch rose above 0, or it ends or falls back to 0. */
void capy_announce_add(struct capy_stack *s, uint32_t idx);
void capy_announce_remove(struct capy_stack *s, uint32_t idx);
/* The switch may not know this one (any more). */
void capy_announce_again(struct capy_stack *s, uint32_t idx);
/* Its peer does not answer: that may be why. Its turn comes first, but it is not taken for unknown. */
void capy_announce_soon(struct capy_stack *s, uint32_t idx);
void capy_announce_new_boot(struct capy_stack *s);
/* outage.c: the switch has a new boot id; with each heartbeat; it knows this flow again. */
void capy_outage_over(struct capy_stack *s);
void capy_outage_beat(struct capy_stack *s);
void capy_outage_known(struct capy_stack *s, uint32_t idx);
/* The flow went on elsewhere while we were silent: our copy ends without a word. */
void capy_announce_replaced(struct capy_stack *s, uint32_t idx);
void capy_announce_timer(struct capy_stack *s);
void capy_announce_input(struct capy_stack *s, const struct capy_mig_msg *msg);
size_t capy_announce_output(struct capy_stack *s, uint8_t *frame);
void capy_closed_owe(struct capy_stack *s, const struct capy_flow_key *key, uint32_t epoch,
                     uint16_t local_port);
void capy_closed_forget(struct capy_stack *s, const struct capy_flow_key *key);
void capy_closed_input(struct capy_stack *s, const struct capy_mig_msg *msg);
void capy_closed_timer(struct capy_stack *s, uint32_t i);
size_t capy_closed_output(struct capy_stack *s, uint8_t *frame);

/* ---- migrate_out.c ---- */
void capy_origin_init(struct capy_stack *s, struct capy_arena *a);
/* A message whose origin we are. False: no slot of ours is meant. */
bool capy_origin_message(struct capy_stack *s, const struct capy_mig_msg *msg);
/* Somebody asks us to take a flow that is frozen here: tells the slot. */
void capy_origin_overtaken(struct capy_stack *s, uint32_t conn, const struct capy_mig_msg *msg);
/* The connection ended while its migration was being asked for. */
void capy_origin_conn_ended(struct capy_stack *s, uint32_t slot);
void capy_origin_timer(struct capy_stack *s, uint32_t slot);
size_t capy_origin_send(struct capy_stack *s, uint8_t *frame);
void capy_origin_veto(struct capy_stack *s, uint32_t conn);

/* ---- migrate_in.c ---- */
void capy_target_init(struct capy_stack *s, struct capy_arena *a);
/* Never to import this flow at or below epoch (design §5). */
void capy_refuse_note(struct capy_stack *s, const struct capy_flow_key *key, uint32_t epoch);
/* The flow's record, when it is young enough to say anything; or NULL. */
struct capy_mig_record *capy_record_of(struct capy_stack *s, const struct capy_flow_key *key);
void capy_target_prepare(struct capy_stack *s, const struct capy_mig_msg *msg);
void capy_target_message(struct capy_stack *s, const struct capy_mig_msg *msg);
/* A frame for a flow that is arriving. */
void capy_target_hold(struct capy_stack *s, uint32_t conn, const uint8_t *frame, size_t len);
void capy_target_timer(struct capy_stack *s, uint32_t slot);
size_t capy_target_send(struct capy_stack *s, uint8_t *frame);

/* ---- foreign.c: only where s->foreign is set ---- */
/* As capy_tcp_write. */
int64_t capy_foreign_write(struct capy_stack *s, uint32_t conn, const uint8_t *data, uint32_t len,
                           bool more);
/* The application has let go of it; the connection may be gone after it. */
void capy_foreign_let_go(struct capy_stack *s, uint32_t conn);
/* Stops it and fills its control block, to be encoded. CAPY_OK; CAPY_E_STATE, CAPY_E_NOMEM: it goes
 * on. */
CAPY_MUST_USE int capy_foreign_leave(struct capy_stack *s, uint32_t conn);
/* It was about to leave, and goes on here. */
void capy_foreign_stay(struct capy_stack *s, uint32_t conn);
/* A connection whose control block was decoded begins. False: it cannot. */
bool capy_foreign_arrive(struct capy_stack *s, uint32_t conn);

/* ---- away.c ---- */
/* Queues a frame again, addressed to where the flow is at home, for the switch to steer. */
void capy_put_back(struct capy_stack *s, const uint8_t *frame, size_t len,
                   const struct capy_ip *client, uint16_t home, uint16_t home_port);
/* A segment for no connection here. True: dealt with; false: as on any host. */
bool capy_away_input(struct capy_stack *s, const struct capy_packet *p, const uint8_t *frame,
                     size_t len);
/* Rewrites a frame toward where its flow is at home, in place. False: its TTL is spent. */
bool capy_readdress_home(struct capy_stack *s, uint8_t *frame, size_t len,
                         const struct capy_ip *client, uint16_t home, uint16_t home_port);
/* The switch's answer to "I do not run this flow". */
void capy_unknown_answer(struct capy_stack *s, const struct capy_mig_msg *msg);

/* ---- inspect.c ---- */
void capy_stack_drop_app(struct capy_stack *s, struct capy_conn *c);

#endif
