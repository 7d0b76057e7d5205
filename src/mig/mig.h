/* TCPMig at the servers: the origin side and the target side of one migration, each a small state
 * machine; messages and `now` go in, messages and one action come out (design §5, docs/protocol.md).
 * No clock, no I/O, no allocation. The stack owns connections and slots and carries out the actions;
 * this module decides when. All slots are plain values in the stack's pools.
 *
 * Common rules: every message is repeated with doubling intervals until answered or given up;
 * messages of other migrations (mig_id, epoch or flow differ) never reach a slot's functions. */
#ifndef CAPY_MIG_MIG_H
#define CAPY_MIG_MIG_H

#include "base/list.h"
#include "base/nh.h"
#include "tcp/snapshot.h"
#include "wire/frame.h"
#include "wire/tcpmig.h"

/* Give-up times are at least these; prepare_ns and state_ns stretch to CAPY_MIG_PATIENCE repeat
 * intervals as measured. So that an origin decides first, hold_ns is above release_ns plus the
 * longest time in SENDING plus a repeat (checked in tests/unit/mig). */
#define CAPY_MIG_PATIENCE 8u

struct capy_mig_cfg {
    uint64_t rto_ns, rto_max_ns; /* bounds of the measured repeat interval */
    uint64_t prepare_ns;         /* give up PREPARE_MIG after this, by CANCEL */
    uint64_t release_ns;         /* the application must let go within this after PREPARE_MIG_ACK */
    uint64_t state_ns;           /* without progress for this long in SENDING, try CANCEL */
    uint64_t hold_ns;            /* a target without progress for this long gives the flow back */
    uint32_t hold_frames_max, hold_bytes_max; /* per migration; more is dropped and counted */
    uint32_t state_max;                       /* largest CONN_STATE a target takes */
};

void capy_mig_cfg_default(struct capy_mig_cfg *cfg);

/* The repeat interval as measured (RFC 6298; src/mig/pace.h): of messages that one server sends. Two
 * of them, for what a target waits for contains the time that an application takes to let go. */
struct capy_mig_pace {
    uint64_t smooth_ns, var_ns; /* from a message to its answer; 0: nothing measured yet */
    uint64_t interval_ns;       /* until the first repeat */
    uint64_t round_at;          /* answers to what left before belong to the present round trip, */
    uint64_t slowest_ns;        /*   and this is the slowest of them */
    uint64_t lost;              /* messages, as far as the times of their answers tell */
};

void capy_mig_pace_init(struct capy_mig_pace *pace, const struct capy_mig_cfg *cfg);

/* One message that is repeated until answered. */
struct capy_mig_repeat {
    uint64_t send_at;     /* the next copy; CAPY_NEVER: none */
    uint64_t first_at;    /* when the first copy left, */
    uint64_t last_at;     /*   and the last one */
    uint64_t interval_ns; /* from the next copy to the one after it */
    uint32_t copies;      /* that left us */
    bool asked;           /* the next copy is the peer's wish, not the timer's */
};

/* Under what the payload of CONN_STATE is hashed: made once of the rack key, for it is long. */
struct capy_mig_state_key {
    struct capy_key last;
    struct capy_nh_key nh;
};

void capy_mig_state_key_init(struct capy_mig_state_key *k, struct capy_key rack_key);

_Static_assert(CAPY_MIG_PAYLOAD_MAX <= CAPY_NH_LEN_MAX, "a key as long as a payload");

struct capy_mig_env {
    const struct capy_mig_cfg *cfg;
    struct capy_blocks *blocks;
    struct capy_key key;            /* the rack key: payload encryption when seal */
    struct capy_mig_tagger *tagger; /* under the rack key */
    bool seal;
    uint16_t self; /* our server id */
    uint64_t now;
    struct capy_mig_pace *origin_pace, *target_pace; /* of this server, by side */
    struct capy_mig_state_key state_key;
};

/* The payload hash of a CONN_STATE, which capy_mig_parse leaves to whoever imports it: msg->length bytes. Sealed
 * ones vouch for themselves: 0. */
uint64_t capy_mig_state_hash(const struct capy_mig_env *env, const struct capy_mig_msg *msg,
                             const uint8_t *payload);
/* That of a received one is right, and it is no longer than any is. */
bool capy_mig_state_is_good(const struct capy_mig_env *env, const struct capy_mig_msg *msg);

/* What the stack must do after a call. At most one at a time. */
enum capy_mig_action {
    CAPY_MIG_DO_NOTHING,
    CAPY_MIG_DO_FREEZE,  /* origin: granted. Stop the connection when the application lets go, then
                            capy_mig_origin_frozen; or capy_mig_origin_veto */
    CAPY_MIG_DO_RESUME,  /* origin: keep (or resume) serving at slot->epoch_after; free the slot */
    CAPY_MIG_DO_RELEASE, /* origin: the flow lives elsewhere; free the connection and the slot */
    CAPY_MIG_DO_IMPORT,  /* target: all bytes are in slot->state; restore, then
                            capy_mig_target_imported or capy_mig_target_refuse */
    CAPY_MIG_DO_DROP,    /* target: put the held frames back on the wire; raise the flow's
                            refused_epoch to slot->epoch; free the slot */
};

/* ---- origin ------------------------------------------------------------------------------------
 *
 *           start              PREPARE_MIG_ACK            frozen()           CONN_STATE_ACK
 *   (idle) -------> PREPARING ----------------> GRANTED ------------> SENDING ---------------> RELEASE
 *                     | NACK, NO_TARGET,          | veto(), too late    | NACK, "yours" -> RESUME
 *                     | FULL, STALE, LEARNING     v                     | "moved on"    -> RELEASE
 *                     |   -> RESUME           CANCELLING <--------------+ no progress
 *                     +-- too long -------------->|  OK -> RESUME
 *                                                 |  SETTLED -> SENDING (if frozen)
 */
enum capy_mig_origin_phase {
    CAPY_ORIGIN_PREPARING,
    CAPY_ORIGIN_GRANTED,
    CAPY_ORIGIN_SENDING,
    CAPY_ORIGIN_CANCELLING,
};

#define CAPY_MIG_FRAGMENT_MAX 2048u /* fragments per CONN_STATE: 2.6 MiB of state */

/* Which fragments are under way (src/mig/window.h). */
struct capy_mig_window {
    uint32_t cnt;     /* fragments of the state */
    uint32_t next;    /* the present pass goes on here */
    uint32_t settled; /* those below it that this pass sent arrived, or are lost */
    uint32_t flight;  /* sent in this pass, and not settled */
    bool repeat;      /* the repeat timer began this pass */
    uint64_t done[CAPY_MIG_FRAGMENT_MAX / 64]; /* acknowledged: the first cnt bits */
};

struct capy_mig_origin {
    enum capy_mig_origin_phase phase;
    bool frozen;          /* capy_mig_origin_frozen was called: snap is valid */
    uint8_t reason;       /* why it ended or was refused: capy_mig_reason */
    uint8_t verdict;      /* the switch's verdict that ended it, or NONE */
    uint16_t target;      /* CAPY_SERVER_ANY until PREPARE_MIG_ACK names it */
    uint16_t target_port; /* the flow's local port there, from PREPARE_MIG_ACK */
    uint16_t local_port;  /* the flow's local port here: set it after start when we are not the
                               home server, so that CANCEL can rebuild a lost entry */
    bool opened;          /* home opened the connection: set it after start */
    uint64_t mig_id;
    uint32_t epoch;       /* the epoch this migration tries to install */
    uint32_t epoch_after; /* the epoch at which the origin goes on after DO_RESUME */
    struct capy_flow_key key;
    uint64_t started_at, give_up_at;
    struct capy_mig_repeat repeat;
    bool waiting; /* SENDING: nothing to send before news, or repeat.send_at */
    /* Most of the slot, and nothing of it means anything before it is frozen. */
    struct capy_snap snap;
    struct capy_mig_window window;
};

/* Starts a migration; PREPARE_MIG is owed at once. epoch: the flow's present epoch + 1.
 * target: a server id, or CAPY_SERVER_ANY. */
void capy_mig_origin_start(struct capy_mig_origin *m, const struct capy_mig_env *env,
                           const struct capy_flow_key *key, uint64_t mig_id, uint32_t epoch,
                           uint16_t target);
/* After DO_FREEZE: m->snap was taken of the frozen connection. CONN_STATE is owed at once. */
void capy_mig_origin_frozen(struct capy_mig_origin *m, const struct capy_mig_env *env);
/* After DO_FREEZE: the application will not let go. CANCEL is owed at once. */
void capy_mig_origin_veto(struct capy_mig_origin *m, const struct capy_mig_env *env);
/* A valid message for this slot (same flow; bounces included). */
enum capy_mig_action capy_mig_origin_input(struct capy_mig_origin *m,
                                           const struct capy_mig_env *env,
                                           const struct capy_mig_msg *msg);
/* Writes the next owed message to p (room: header + CAPY_MIG_PAYLOAD_MAX); its length, 0 for none. */
size_t capy_mig_origin_output(struct capy_mig_origin *m, const struct capy_mig_env *env,
                              uint8_t *p);
uint64_t capy_mig_origin_next_at(const struct capy_mig_origin *m);
enum capy_mig_action capy_mig_origin_expire(struct capy_mig_origin *m,
                                            const struct capy_mig_env *env);

/* Quiet time (as RFC 9293 §3.4.3 has for TCP): for this long after its start a server refuses every
 * PREPARE_MIG (CAPY_REASON_DRAINING). Frames of migrations to its former life may still be on their
 * way, PREPARE_MIG and CONN_STATE alike, and the switch takes those migrations back as soon as it
 * learns of the restart; importing one would make a second owner. Longer than any frame lives. */
#define CAPY_MIG_QUIET_NS CAPY_MS(200)

/* ---- target ------------------------------------------------------------------------------------
 *
 *        admit               CONN_STATE               last byte          imported()
 *   (none) ----> HOLDING ------------------> RECEIVING --------> IMPORT ------------> DONE -> (none)
 *                   | hold_ns without progress  |                   | refuse()
 *                   +---------------------------+-> NACKING <-------+
 *                                                     | verdict, or given up -> DROP
 */
enum capy_mig_target_phase {
    CAPY_TARGET_HOLDING,
    CAPY_TARGET_RECEIVING,
    CAPY_TARGET_DONE, /* imported; the final CONN_STATE_ACK is owed or was sent */
    CAPY_TARGET_NACKING,
};

struct capy_mig_target {
    enum capy_mig_target_phase phase;
    uint8_t reason;
    bool ack_owed; /* PREPARE_MIG_ACK, CONN_STATE_ACK or NACK, by phase */
    bool sealed;   /* the fragments are encrypted */
    uint16_t origin;
    uint16_t target_port; /* chosen by the stack */
    uint64_t mig_id;
    uint32_t epoch, total, received; /* bytes of the encoding; total 0 until the first fragment */
    struct capy_flow_key key;
    uint64_t started_at, give_up_at;
    struct capy_mig_repeat repeat;
    uint64_t tell_at;                    /* no partial CONN_STATE_ACK for gaps and repeats before */
    uint32_t fragment_cnt, fragment_top; /* fragments that came; behind the highest of them */
    uint32_t untold;          /* fragments that came since the last partial CONN_STATE_ACK */
    const uint8_t *whole;     /* the encoding, if it came in one message: capy_mig_target_source */
    struct capy_stream state; /* else it lies here, at offsets 0..total */
    struct capy_stream held;  /* frames: 2-byte length, then the frame, one after the other */
    uint32_t held_frames;
    uint64_t held_read, held_end; /* stream offsets */
    uint64_t
        fragment_got[CAPY_MIG_FRAGMENT_MAX / 64]; /* from RECEIVING on: a bit for each of total */
};

/* Opens a slot for a PREPARE_MIG that the stack admits. PREPARE_MIG_ACK is owed at once. */
void capy_mig_target_start(struct capy_mig_target *m, const struct capy_mig_env *env,
                           const struct capy_mig_msg *prepare, uint16_t target_port);
enum capy_mig_action capy_mig_target_input(struct capy_mig_target *m,
                                           const struct capy_mig_env *env,
                                           const struct capy_mig_msg *msg);
/* After DO_IMPORT: where the encoding of total bytes lies, until the message is gone that completed it. */
static inline struct capy_snap_source capy_mig_target_source(struct capy_mig_target *m)
{
    return (struct capy_snap_source){m->whole, &m->state};
}
/* After DO_IMPORT: the connection runs. The final CONN_STATE_ACK is owed; the slot may be freed as
 * soon as capy_mig_target_output returned it (repeats are answered from the memory below). */
void capy_mig_target_imported(struct capy_mig_target *m, const struct capy_mig_env *env);
/* After DO_IMPORT, or at any time before: NACK is owed until answered. */
void capy_mig_target_refuse(struct capy_mig_target *m, const struct capy_mig_env *env,
                            enum capy_mig_reason reason);
/* Keeps a copy of a frame for the arriving flow. False: the hold buffer is full; dropped. */
bool capy_mig_target_hold(struct capy_mig_target *m, const struct capy_mig_env *env,
                          const uint8_t *frame, size_t len);
/* Takes the oldest held frame out into p (room: CAPY_FRAME_MAX); its length, 0 for none. */
size_t capy_mig_target_unhold(struct capy_mig_target *m, const struct capy_mig_env *env,
                              uint8_t *p);
size_t capy_mig_target_output(struct capy_mig_target *m, const struct capy_mig_env *env,
                              uint8_t *p);
uint64_t capy_mig_target_next_at(const struct capy_mig_target *m);
enum capy_mig_action capy_mig_target_expire(struct capy_mig_target *m,
                                            const struct capy_mig_env *env);
/* Gives all blocks of the slot back. */
void capy_mig_target_free(struct capy_mig_target *m, const struct capy_mig_env *env);

/* One message that needs no slot: a NACK that refuses a PREPARE_MIG (reason), or the repeated final
 * CONN_STATE_ACK of a finished migration. Writes to p, returns its length. */
size_t capy_mig_refusal(const struct capy_mig_env *env, const struct capy_mig_msg *prepare,
                        enum capy_mig_reason reason, uint8_t *p);
size_t capy_mig_repeat_ack(const struct capy_mig_env *env, const struct capy_mig_msg *state,
                           uint8_t *p);

/* Messages of a server outside any migration. Each writes one message to p, returns its length.
 * announce: we run this flow under local_port (frozen: it waits here for a migration to end); the
 * answer brings env->now back as mig_id.
 * flow_closed: it ended here. unknown_flow: a frame came for a flow that we do not run; epoch 0 asks
 * the switch for the true key and epoch (key.home is then our own address and the port it came to),
 * any other epoch gives exactly that epoch back.
 * heartbeat: carries env->now as mig_id, which HEARTBEAT_ACK brings back. The switch takes a server
 * for dead 8 leases after the last HEARTBEAT it heard, so from then on the server must not run
 * migrated-in connections until an ANNOUNCE of them was answered OK; and a server admits no
 * migration before its first HEARTBEAT was answered (docs/protocol.md, "Leases"). */
enum { CAPY_ANNOUNCE_RUNNING = 0, CAPY_ANNOUNCE_FROZEN = 1 }; /* in ANNOUNCE's reason byte */
size_t capy_mig_announce(const struct capy_mig_env *env, const struct capy_flow_key *key,
                         uint32_t epoch, uint16_t local_port, bool frozen, uint8_t *p);
size_t capy_mig_flow_closed(const struct capy_mig_env *env, const struct capy_flow_key *key,
                            uint32_t epoch, uint16_t local_port, uint8_t *p);
size_t capy_mig_unknown_flow(const struct capy_mig_env *env, const struct capy_flow_key *key,
                             uint32_t epoch, uint8_t *p);
size_t capy_mig_heartbeat_build(const struct capy_mig_env *env,
                                const struct capy_mig_heartbeat *beat, uint8_t *p);

/* ---- memory of what is over ----------------------------------------------------------------------
 * Per flow: the highest epoch refused here (nothing at or below it is ever imported), the last
 * migration imported here (to answer repeats), and where a flow that left went (so that a home
 * server can relay its frames while a rebooted switch learns). A bounded table over the arena;
 * the oldest record makes room. */
struct capy_mig_record {
    struct capy_flow_key key;
    uint32_t refused_epoch;  /* 0: none */
    uint32_t imported_epoch; /* 0: none */
    uint64_t imported_id;
    uint32_t left_epoch; /* 0: did not leave */
    uint16_t left_to;    /* server id */
    uint16_t left_port;  /* its local port there */
    uint64_t touched_at;
};

struct capy_mig_memory {
    struct capy_mig_record *records;
    struct capy_link *age; /* oldest first */
    uint32_t *buckets, *chain;
    uint32_t cnt, bucket_cnt, used;
    struct capy_list by_age;
    struct capy_key key;
    struct capy_flow_key hashed; /* the last flow that was hashed, and its hash */
    uint64_t hash;
};

void capy_mig_memory_init(struct capy_mig_memory *mem, struct capy_arena *a, uint32_t cnt,
                          struct capy_key key);
/* SipHash-1-3 of a flow key under the memory's key, for other tables as well. Whatever happens to a
 * flow asks for it several times in a row, so the last one is kept. */
uint64_t capy_mig_memory_hash(struct capy_mig_memory *mem, const struct capy_flow_key *key);
/* The record of a flow, or NULL. */
struct capy_mig_record *capy_mig_memory_find(struct capy_mig_memory *mem,
                                             const struct capy_flow_key *key);
/* The record of a flow, made (oldest evicted) if need be; touched now. */
struct capy_mig_record *capy_mig_memory_touch(struct capy_mig_memory *mem,
                                              const struct capy_flow_key *key, uint64_t now);
void capy_mig_memory_forget(struct capy_mig_memory *mem, const struct capy_flow_key *key);

#endif
