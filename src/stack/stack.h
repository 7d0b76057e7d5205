/* The host: one server's whole network stack as one deterministic state machine. Frames,
 * application calls and `now` go in; frames and events come out. It owns the connection table,
 * listeners, neighbour cache, timer wheel, migration slots and all buffers; one allocation, made by
 * the caller.
 *
 * Contract of time: `now` never goes backward (asserted). Contract of threads: one at a time.
 * A connection is named by a handle (index and generation): a stale handle is CAPY_E_BADQD. */
#ifndef CAPY_STACK_STACK_H
#define CAPY_STACK_STACK_H

#include "mig/mig.h"
#include "tcp/tcp.h"
#include "wire/frame.h"
#include "wire/offload.h"

struct capy_stack;

typedef uint32_t capy_handle; /* index in the low 22 bits, generation above */
#define CAPY_HANDLE_NONE UINT32_MAX
#define CAPY_STACK_CONN_MAX (1u << 22)

/* A server of the rack, as every stack knows it from the rack file. */
struct capy_stack_peer {
    struct capy_ip ip;  /* TCPMig's */
    struct capy_ip ip6; /* beside an IPv4 ip; all zero: none */
    struct capy_mac mac;
};

#define CAPY_STACK_PEER_MAX 64u

struct capy_stack_cfg {
    struct capy_mac mac;
    struct capy_ip ip, netmask, gateway; /* of either version; gateway all zero: none */
    struct capy_ip ip6, gateway6;        /* beside an IPv4 ip; all zero: none */
    uint8_t prefix6_len;
    uint16_t mtu;       /* IP bytes; 576..1500, with IPv6 from 1280 */
    uint32_t conn_max;  /* connections, TIME_WAIT included */
    uint32_t block_cnt; /* blocks of CAPY_BLOCK_LEN shared by all queues */
    uint32_t listener_max;
    uint32_t migrate_max;     /* migrations in flight, each direction */
    uint32_t memory_max;      /* records of finished migrations */
    uint32_t syn_backlog_max; /* connections in SYN_RECEIVED, per listener */
    uint64_t sit_ns;          /* bytes that sit this long when blocks are short: reset; 0: never */
    bool syn_cookies;         /* beyond that bound; default true */
    uint32_t orphan_max;      /* closing connections without an application; 0: conn_max / 4 */
    /* Per second and peer (IPv4 address, IPv6 /64); 0: no limit. A second's worth may come at
     * once. */
    uint32_t syn_rate;  /* SYNs heard; those above are dropped, and repeated by honest clients */
    uint32_t rst_rate;  /* RSTs in answer to segments of no connection */
    uint32_t icmp_rate; /* ICMP replies (RFC 4443 §2.4(f), RFC 1812 §4.3.2.8) */
    uint16_t mig_port_first, mig_port_cnt; /* local ports of migrated-in flows only */
    struct capy_tcp_cfg tcp;
    struct capy_mig_cfg mig;
    struct capy_key hash_key; /* random: tables, ISNs (RFC 6528), timestamp offsets */

    /* The rack; peer_cnt 0: no rack, no migration, a plain TCP host. */
    uint16_t self; /* our server id: index in peers */
    uint16_t peer_cnt;
    struct capy_stack_peer peers[CAPY_STACK_PEER_MAX];
    struct capy_stack_peer tor; /* the switch (top of rack) */
    struct {                    /* the rack's service address */
        struct capy_ip ip, ip6; /* of one version: in ip */
        uint16_t port[CAPY_VIP_PORT_CNT];
        uint16_t port_cnt; /* 0: there is none */
    } vip;
    uint16_t tcpmig_port;
    struct capy_key rack_key;
    bool seal;             /* encrypt CONN_STATE */
    uint32_t incarnation;  /* random, new at every start: upper half of mig ids */
    uint64_t heartbeat_ns; /* interval of HEARTBEATs */
    uint64_t lease_ns;     /* the switch's lease; 0: 3 heartbeats */
    uint64_t announce_ns;  /* interval in which each flow away from home is announced */
};

void capy_stack_cfg_default(struct capy_stack_cfg *cfg);

/* Bytes for cfg; 0 when cfg is out of range. Then init on 64-byte aligned memory of that size. */
size_t capy_stack_size(const struct capy_stack_cfg *cfg);
struct capy_stack *capy_stack_init(void *mem, const struct capy_stack_cfg *cfg, uint64_t now);

/* Feeds one received frame (borrowed until return; len 1..CAPY_FRAME_MAX, longer is counted and
 * dropped). Sends nothing and calls nobody: moves state, queues events. Never fails: malformed
 * input is counted by reason. */
void capy_stack_input(struct capy_stack *s, const uint8_t *frame, size_t len, uint64_t now);
/* Output should be asked for before the next frame of a burst is fed: a peer waits for just this ACK
 * (RFC 5681 §4.2). Until output is asked for. */
bool capy_stack_ack_due(const struct capy_stack *s);
/* Writes the next frame to send (room: CAPY_FRAME_MAX); its length, 0 when there is none. */
size_t capy_stack_output(struct capy_stack *s, uint8_t *frame, uint64_t now);
/* The same with a device that takes work over. Received: `done` says what it did, and a frame that
 * stands for several packets may have up to CAPY_LARGE_FRAME_MAX bytes. Sent: *how says what it
 * could do (partial: complete a checksum; segment not 0: cut a frame, and then frame has room for
 * CAPY_LARGE_FRAME_MAX), and on return what it must. The peer sees the same packets as without. */
void capy_stack_input_offloaded(struct capy_stack *s, const uint8_t *frame, size_t len,
                                const struct capy_offload *done, uint64_t now);
size_t capy_stack_output_offloaded(struct capy_stack *s, uint8_t *frame, struct capy_offload *how,
                                   uint64_t now);
/* When capy_stack_expire must be called next; CAPY_NEVER for never. */
uint64_t capy_stack_next_at(const struct capy_stack *s);
void capy_stack_expire(struct capy_stack *s, uint64_t now);

/* ---- events: one queue entry per connection, its bits collected: it cannot overflow ---------- */
enum capy_stack_event_bits {
    CAPY_EV_ACCEPTED = 1,       /* a listener has a new connection (established) */
    CAPY_EV_MIGRATED_IN = 2,    /* with ACCEPTED: it arrived by migration */
    CAPY_EV_READABLE = 4,       /* more bytes, or FIN, than at the last event */
    CAPY_EV_WRITABLE = 8,       /* room in the send queue again */
    CAPY_EV_RESET = 16,         /* the peer reset it: the handle is dead after this event */
    CAPY_EV_TIMED_OUT = 32,     /* given up: dead after this event */
    CAPY_EV_MIGRATE_ASK = 64,   /* granted: answer by capy_stack_release or capy_stack_veto */
    CAPY_EV_MIGRATE_KEPT = 128, /* the migration ended here: goes on as before; see .reason */
    CAPY_EV_MIGRATED_OUT = 256, /* it lives elsewhere: dead after this event */
    CAPY_EV_CONNECTED = 512,    /* active open completed */
    CAPY_EV_UNREACHABLE = 2048, /* with TIMED_OUT: the network said that it finds no way there */
    CAPY_EV_FINISHED = 1024,    /* closed in order by both sides: dead after this event */
    CAPY_EV_ANY_DEAD = 16 | 32 | 256 | 1024,
};

struct capy_stack_event {
    capy_handle conn;
    uint32_t bits;
    uint64_t user;   /* the connection's user value; for ACCEPTED the listener's */
    uint8_t reason;  /* MIGRATE_KEPT: capy_mig_reason */
    uint8_t verdict; /* MIGRATE_KEPT: capy_mig_verdict */
};

/* Takes the next event out. False when there is none. A dead handle's slot is reused only after its
 * event was taken. */
bool capy_stack_event(struct capy_stack *s, struct capy_stack_event *ev);

/* ---- application calls ---- */
/* Listens on our addresses of both versions; user comes back with each ACCEPTED. CAPY_OK,
 * CAPY_E_INUSE, CAPY_E_NOMEM, CAPY_E_INVAL (port 0, or in the migration range, or among the
 * CAPY_OPENED_PORT_CNT below it). Flows whose home port is this one may migrate
 * in. */
int capy_stack_listen(struct capy_stack *s, uint16_t port, uint64_t user);
int capy_stack_unlisten(struct capy_stack *s, uint16_t port);
/* From now on connections that other servers opened may migrate in; user comes back with each
 * ACCEPTED. Without it they are refused, NO_SERVICE. CAPY_OK or CAPY_E_INUSE. */
int capy_stack_take_opened(struct capy_stack *s, uint64_t user);
void capy_stack_refuse_opened(struct capy_stack *s);
/* While paused a listener opens no connection: for an application that does not accept what it has.
 * Clients repeat themselves and get in when it ends. CAPY_OK or CAPY_E_INVAL (nobody listens). */
int capy_stack_listen_pause(struct capy_stack *s, uint16_t port, bool paused);
/* Opens a connection to ip:port from local_port (0: one is chosen). CONNECTED follows, or RESET
 * (refused), or TIMED_OUT (no answer, no neighbour). CAPY_OK with the handle in *out;
 * CAPY_E_INVAL (port 0, an address that is nobody's or our own or of an IP version we have no
 * address of, or a local port in the migration range), CAPY_E_UNREACHABLE (not on the link, and
 * there is no gateway), CAPY_E_INUSE (also: the local port's flow
 * runs on another server now), CAPY_E_NOMEM (no connection or no port free), CAPY_E_STATE
 * (connections are another TCP's: stack/foreign.h).  RFC 9293 §3.10.1 */
int capy_stack_connect(struct capy_stack *s, const struct capy_ip *ip, uint16_t port,
                       uint16_t local_port, uint64_t user, capy_handle *out, uint64_t now);
/* Settings (capy/option.h): of a connection; or of a listener, for the connections that it opens
 * from then on. A connection of capy_stack_connect may be set completely before the next
 * capy_stack_output, which sends its SYN. CAPY_OK, CAPY_E_INVAL, CAPY_E_STATE, CAPY_E_BADQD (no such
 * connection, no listener on that port). */
int capy_stack_set(struct capy_stack *s, capy_handle c, enum capy_option option, uint64_t value,
                   uint64_t now);
int capy_stack_get(struct capy_stack *s, capy_handle c, enum capy_option option, uint64_t *value);
int capy_stack_listener_set(struct capy_stack *s, uint16_t port, enum capy_option option,
                            uint64_t value);
int capy_stack_listener_get(const struct capy_stack *s, uint16_t port, enum capy_option option,
                            uint64_t *value);

int capy_stack_set_user(struct capy_stack *s, capy_handle c, uint64_t user);

/* Readable bytes now (>= 0), *fin set when the peer's FIN is behind them; or CAPY_E_BADQD. */
int64_t capy_stack_readable(struct capy_stack *s, capy_handle c, bool *fin);
/* Lends unread bytes from skip on; NULL and *got 0 when there are none (or a dead handle). */
const uint8_t *capy_stack_read_span(struct capy_stack *s, capy_handle c, uint32_t skip,
                                    uint32_t *got);
int capy_stack_consume(struct capy_stack *s, capy_handle c, uint32_t n, uint64_t now);
/* Bytes taken (0..len), or CAPY_E_BADQD, CAPY_E_STATE. A short count promises WRITABLE. */
int64_t capy_stack_write(struct capy_stack *s, capy_handle c, const uint8_t *data, uint32_t len,
                         uint64_t now);
/* The same, and more will follow at once: what does not fill a segment waits for it, no longer than
 * with CAPY_OPTION_CORK (MSG_MORE elsewhere). */
int64_t capy_stack_write_more(struct capy_stack *s, capy_handle c, const uint8_t *data,
                              uint32_t len, uint64_t now);
/* Orderly close of our side; reading goes on. */
int capy_stack_shutdown(struct capy_stack *s, capy_handle c, uint64_t now);
/* The application lets go: the handle is dead to it at once; the stack finishes the close. */
int capy_stack_close(struct capy_stack *s, capy_handle c, uint64_t now);
/* RST to the peer; the handle is dead at once. */
int capy_stack_abort(struct capy_stack *s, capy_handle c, uint64_t now);

/* All calls on a connection that migrated are CAPY_E_STATE also while the switch may take this
 * server for dead (silent for 8 leases): then READABLE and WRITABLE, or RESET. */

/* ---- migration ---- */
/* Asks to move a connection to target (server id, or CAPY_SERVER_ANY). It goes on serving until
 * MIGRATE_ASK. CAPY_OK; CAPY_E_BADQD; CAPY_E_STATE (no rack, not synchronized, already moving, or
 * opened here from a port that does not move);
 * CAPY_E_NOMEM (more than migrate_max in flight); CAPY_E_INVAL (target: us, or unknown). */
int capy_stack_migrate(struct capy_stack *s, capy_handle c, uint16_t target, uint64_t now);
/* Answers MIGRATE_ASK: freezes the connection here and ships it, with app_len bytes (at most
 * CAPY_APP_STATE_MAX) of the application's own state, and flags for the library above. From now
 * until MIGRATED_OUT or MIGRATE_KEPT every call on the handle is CAPY_E_STATE.
 * CAPY_OK, CAPY_E_STATE (not asked, or the ask is over), CAPY_E_NOMEM (no blocks for the bytes). */
int capy_stack_release(struct capy_stack *s, capy_handle c, const uint8_t *app, uint32_t app_len,
                       uint64_t user_flags, uint64_t now);
/* Answers MIGRATE_ASK: not now. MIGRATE_KEPT follows. */
int capy_stack_veto(struct capy_stack *s, capy_handle c, uint64_t now);
/* The application bytes that came with a migrated-in connection: copies at most cap, returns their
 * whole length; kept until capy_stack_app_state_drop or the connection's end. */
int64_t capy_stack_app_state(struct capy_stack *s, capy_handle c, uint8_t *out, uint32_t cap);
void capy_stack_app_state_drop(struct capy_stack *s, capy_handle c);
uint64_t capy_stack_user_flags(struct capy_stack *s, capy_handle c);

/* What HEARTBEATs say from now on. */
void capy_stack_set_load(struct capy_stack *s, uint32_t load);
void capy_stack_set_draining(struct capy_stack *s, bool draining);

/* ---- carrying (carry.c): into a fresh stack of the same configuration, without TCPMig ---- */
/* Encodes the first running connection at or behind *cursor (which starts at 0) and moves *cursor
 * behind it: the record's length; when that is more than cap nothing has moved: come again with
 * more room. 0: there is no further one. Events and frames must have been taken before. */
uint32_t capy_stack_carry_out(struct capy_stack *s, uint32_t *cursor, uint8_t *out, uint32_t cap);
/* Listeners, port counters, rates and the time; before the first record. */
void capy_stack_carry_host(struct capy_stack *from, struct capy_stack *to);
/* Takes a record in: *user its value; *out its handle, CAPY_HANDLE_NONE when the application had
 * let go of it, or nobody accepted it yet. CAPY_OK, CAPY_E_NOMEM, CAPY_E_FORMAT. */
CAPY_MUST_USE int capy_stack_carry_in(struct capy_stack *s, const uint8_t *in, uint32_t len,
                                      capy_handle *out, uint64_t *user);
/* What a socket layer wants to know and to set beside the calls above. */
struct capy_stack_conn_more {
    uint16_t snd_mss, rcv_mss;
    uint8_t snd_wscale, rcv_wscale;
    bool timestamps, sack, window_scale; /* negotiated */
    uint64_t rttvar_ns;
};
int capy_stack_conn_more(struct capy_stack *s, capy_handle c, struct capy_stack_conn_more *out);
/* Bytes that a write would take now, or CAPY_E_BADQD. */
int64_t capy_stack_room(struct capy_stack *s, capy_handle c);
/* RFC 9293 §3.7.4: small segments wait for acknowledgements; off for new connections. */
int capy_stack_set_nagle(struct capy_stack *s, capy_handle c, bool nagle);

/* ---- for people and tools ---- */
struct capy_stack_conn_info {
    capy_handle conn;
    struct capy_tcp_info tcp;
    struct capy_flow_key key;
    struct capy_ip local;
    uint16_t local_port;
    uint32_t epoch;
    uint8_t migrating; /* 0 no, 1 asking, 2 frozen */
    uint64_t user, bytes_in, bytes_out;
};

/* One connection. CAPY_OK or CAPY_E_BADQD. */
int capy_stack_conn_info(struct capy_stack *s, capy_handle c, struct capy_stack_conn_info *out);
/* Walks all connections: *cursor starts at 0; false at the end. */
bool capy_stack_next_conn(struct capy_stack *s, uint32_t *cursor, struct capy_stack_conn_info *out);
int capy_stack_find(struct capy_stack *s, const struct capy_ip *client, uint16_t client_port,
                    capy_handle *out);

/* What is limited per peer (rate.c). */
enum capy_rate { CAPY_RATE_SYN, CAPY_RATE_RST, CAPY_RATE_ICMP, CAPY_RATE_CNT };
const char *capy_rate_name(enum capy_rate kind); /* "syn" */

struct capy_stack_counters {
    uint64_t frames_in, frames_out, drop[CAPY_DROP_CNT];
    uint64_t arp_in, icmp_in, udp_in, tcp_in, no_listener, no_slot, backlog_full, neighbour_full;
    uint64_t not_ours, oversize;
    uint64_t syn_cookies_sent, syn_cookies_ok, syn_cookies_bad;
    uint64_t pressure_resets;
    uint64_t accept_full;   /* SYNs and completing ACKs dropped because a listener was paused */
    uint64_t vip_too_early; /* SYNs to the service address dropped: the quiet time, or no lease */
    uint64_t time_wait_recycled, half_open_evicted, orphans_reset; /* age.c */
    uint64_t rate_limited[CAPY_RATE_CNT];
    uint64_t nd_bad;         /* neighbour discovery that RFC 4861 §7.1 has discarded in silence */
    uint64_t address_claims; /* somebody else says, or asks whether, it has our address */
    uint64_t control_full;   /* frames of no connection that found no room: lost, or said later */
    uint64_t mig_bad[CAPY_MIG_BAD_CNT], mig_in[CAPY_MIG_TYPE_END], mig_out[CAPY_MIG_TYPE_END];
    uint64_t mig_from_stranger; /* valid bytes, but not from the switch or a peer of the rack */
    uint64_t migrations_out, migrations_in, kept_by_reason[CAPY_REASON_CNT],
        kept_by_verdict[CAPY_VERDICT_CNT], refused_by_reason[CAPY_REASON_CNT];
    uint64_t held_frames, hold_drops, put_back_frames, relayed_frames, unknown_flows;
    struct capy_tcp_counters tcp;
};
const struct capy_stack_counters *capy_stack_counters(const struct capy_stack *s);

struct capy_stack_status {
    uint32_t conn_cnt, conn_max, block_free, block_cnt, origin_cnt, target_cnt, listener_cnt;
    uint32_t away_cnt; /* flows we run but are not home to */
    uint64_t switch_boot;
    bool switch_alive, switch_learning;
    uint32_t load;
    uint32_t
        least_load; /* of any server, as the switch last told; UINT32_MAX: nobody takes anything */
    bool draining;
};
void capy_stack_status(const struct capy_stack *s, struct capy_stack_status *out);

/* How moves away from here fare. */
struct capy_stack_moves {
    uint64_t trip_ns; /* from a message of one to its answer, lately; 0: there was none */
    uint64_t lost;    /* messages that had to be sent again, as far as the times of answers tell */
};
struct capy_stack_moves capy_stack_moves(const struct capy_stack *s);

/* Marks on the steps of a migration, for measuring host cost (paper Fig. 4). The probe may read a
 * clock; it must not call the stack and nothing it does comes back. begin: 1 entry, 0 exit. */
enum capy_mig_step {
    CAPY_STEP_PREPARE, /* origin: choose epoch, open slot, write PREPARE_MIG */
    CAPY_STEP_ADMIT,   /* target: check PREPARE_MIG, open hold buffer, write PREPARE_MIG_ACK */
    CAPY_STEP_EXPORT,  /* origin: freeze, encode, hand CONN_STATE out */
    CAPY_STEP_IMPORT,  /* target: take CONN_STATE in, decode, insert, replay hold, write ACK */
    CAPY_STEP_FREE,    /* origin: take CONN_STATE_ACK in, free the connection */
    CAPY_STEP_CNT
};
const char *capy_mig_step_name(enum capy_mig_step step);
typedef void capy_probe_fn(void *ctx, enum capy_mig_step step, uint64_t mig_id, int begin);
void capy_stack_set_probe(struct capy_stack *s, capy_probe_fn *probe, void *ctx);

#endif
