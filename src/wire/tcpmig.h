/* TCPMig messages: the two-phase protocol that moves a connection (paper §3.3, docs/protocol.md).
 * Carried in UDP on the rack's tcpmig port. Every message has this one 96-byte header, then
 * `length` bytes of payload. All integers big-endian. Header layout as macros, so that the
 * user-space switch, BPF and P4 read the same offsets: wire/tcpmig_header.h.
 *
 *   0 version       1 type         2 reason        3 flags
 *   4 origin        (server id)    6 target        (server id)
 *   8 mig_id        (64 bits)
 *  16 epoch                       20 total
 *  24 offset                      28 length       30 target_port
 *  32 client address (16)
 *  48 home address (16)
 *  64 client port   66 home port  68 zero
 *  72 payload hash  (SipHash-1-3 of the payload under the rack key; 0 when there is none; of CONN_STATE
 *                   that of src/mig/state_hash.c)
 *  80 tag           (SipHash-1-3 of all before it but zero, under the rack key: capy_mig_tag)
 *  88 verdict      89 phase       90 owner (server id)   92 entry epoch      <- only the switch writes
 *  96 payload */
#ifndef CAPY_WIRE_TCPMIG_H
#define CAPY_WIRE_TCPMIG_H

#include "base/siphash.h"
#include "wire/addr.h"

#define CAPY_MIG_VERSION 3u
#define CAPY_MIG_HEADER_LEN 96u
#define CAPY_MIG_TAGGED_LEN 76u /* bytes under the tag */
#define CAPY_MIG_SWITCH_AT 88u  /* the part that only the switch writes */
/* Payload that fits one frame: 1500 - 20 (IPv4) - 8 (UDP) - 96, rounded down to 8. IPv6 fits too. */
#define CAPY_MIG_PAYLOAD_MAX 1352u
#define CAPY_SERVER_ANY 0xffffu /* as target: let the switch pick; as owner: nobody */

/* Local ports of connections that servers open, just below those of migrated-in flows (the rack
 * file's mig_port_first): server k of n draws those whose remainder by n is k. So such a connection
 * keeps its port wherever it runs, and the switch can spread those to one peer, whose address and
 * port are all the same, over its directory. */
#define CAPY_OPENED_PORT_CNT 4096u

/* Below those: the local ports at which connections to the service address begin, one for each of its
 * services, the same on every server (switch/core/vip.h). */
#define CAPY_VIP_PORT_CNT 16u

static inline uint16_t capy_mig_vip_port(uint16_t mig_port_first, uint32_t service)
{
    return (uint16_t)(mig_port_first - CAPY_OPENED_PORT_CNT - CAPY_VIP_PORT_CNT + service);
}

static inline bool capy_mig_is_opened_port(uint16_t mig_port_first, uint16_t port)
{
    return mig_port_first > CAPY_OPENED_PORT_CNT && port < mig_port_first &&
           (uint32_t)mig_port_first - port <= CAPY_OPENED_PORT_CNT;
}

enum capy_mig_type {
    CAPY_MIG_PREPARE_MIG = 1, /* origin -> (switch picks) -> target: will you take this flow? */
    CAPY_MIG_PREPARE_MIG_ACK, /* target -> switch (installs PENDING) -> origin: send it */
    CAPY_MIG_CONN_STATE,      /* origin -> switch (last fragment settles) -> target */
    CAPY_MIG_CONN_STATE_ACK,  /* target -> origin: offset == total: imported, free yours;
                                 else payload is a bitmap of the fragments received */
    CAPY_MIG_CANCEL,          /* origin -> switch, answered by verdict */
    CAPY_MIG_NACK,            /* target -> switch (gives back, burns the epoch) -> origin and a
                                 verdict to the target. Also: "a frame of a flow I do not run" */
    CAPY_MIG_HEARTBEAT,       /* server -> switch; payload capy_mig_heartbeat */
    CAPY_MIG_HEARTBEAT_ACK,   /* switch -> server; payload capy_mig_heartbeat_ack */
    CAPY_MIG_ANNOUNCE,        /* owner -> switch: I run this flow (refresh, or new boot) */
    CAPY_MIG_FLOW_CLOSED,     /* owner -> switch (removes the entry) -> home (forgets it) */
    CAPY_MIG_TYPE_END
};

/* Why a server said no, or gave back (byte 2). */
enum capy_mig_reason {
    CAPY_REASON_NONE,
    CAPY_REASON_DRAINING,     /* the server takes nothing new */
    CAPY_REASON_FULL,         /* no connection, migration slot or buffer free */
    CAPY_REASON_CLASH,        /* the same flow already runs or arrives here */
    CAPY_REASON_HOLD_EXPIRED, /* the state did not come in time */
    CAPY_REASON_BAD_STATE,    /* the state came and did not decode */
    CAPY_REASON_UNKNOWN_FLOW, /* a frame came for a flow this server does not run */
    CAPY_REASON_NO_SERVICE,   /* nobody listens here for the flow's home port */
    CAPY_REASON_APP_VETO,     /* the application would not let go */
    CAPY_REASON_APP_LATE,     /* the application did not let go in time */
    CAPY_REASON_NO_ANSWER,    /* nobody answered PREPARE_MIG in time */
    CAPY_REASON_STATE_LATE,   /* the target did not acknowledge the state in time */
    CAPY_REASON_VERSION,      /* the state came in another version of the snapshot than ours */
    CAPY_REASON_CNT
};

/* What the switch did with it (byte 88). OK and NONE pass; every other verdict comes back to the
 * sender of the message ("bounced"), with the entry's phase, owner and epoch beside it. */
enum capy_mig_verdict {
    CAPY_VERDICT_NONE,
    CAPY_VERDICT_OK,        /* done; the answer to CANCEL, NACK, ANNOUNCE and FLOW_CLOSED */
    CAPY_VERDICT_NO_TARGET, /* no live server has room (PREPARE_MIG, CONN_STATE to a dead target) */
    CAPY_VERDICT_FULL,      /* the directory has no slot for this flow */
    CAPY_VERDICT_STALE,     /* the epoch or the owner does not match the entry */
    CAPY_VERDICT_SETTLED,   /* CANCEL came too late: the target owns the flow */
    CAPY_VERDICT_LEARNING,  /* the switch rebooted a moment ago and installs nothing yet */
    CAPY_VERDICT_CNT
};

/* Phase of a directory entry (byte 89). */
enum capy_phase { CAPY_PHASE_NONE, CAPY_PHASE_PENDING, CAPY_PHASE_SETTLED };

enum {
    CAPY_MIG_FLAG_SEALED = 1, /* payload is encrypted (rack file: encrypt = true) */
    CAPY_MIG_FLAG_OPENED =
        2, /* PREPARE_MIG: home opened the connection, its port is no service's */
};

struct capy_mig_msg {
    uint8_t type, reason, flags;
    uint8_t verdict, phase;
    uint16_t origin, target;
    uint64_t mig_id; /* boot incarnation of the origin (32 bits), counter (32 bits) */
    uint32_t epoch;
    uint32_t total, offset; /* of the whole payload, and of this fragment in it */
    uint16_t length;        /* payload bytes in this message */
    uint16_t target_port;   /* the local port under which the target runs the flow */
    struct capy_flow_key key;
    uint64_t payload_hash, tag;
    uint16_t owner;         /* switch part */
    uint32_t entry_epoch;   /* switch part */
    const uint8_t *payload; /* borrowed; behind the header */
};

/* Why bytes are not a valid message; counted by whoever reads them. */
enum capy_mig_bad {
    CAPY_MIG_GOOD,
    CAPY_MIG_BAD_SHORT,
    CAPY_MIG_BAD_VERSION,
    CAPY_MIG_BAD_TYPE,
    CAPY_MIG_BAD_LENGTH, /* not what the datagram holds, or offset + length beyond total */
    CAPY_MIG_BAD_TAG,
    CAPY_MIG_BAD_HASH,
    CAPY_MIG_BAD_CNT
};

const char *capy_mig_type_name(unsigned type);       /* "PREPARE_MIG"; "?" when unknown */
const char *capy_mig_reason_name(unsigned reason);   /* "draining" */
const char *capy_mig_verdict_name(unsigned verdict); /* "NO_TARGET" */
const char *capy_mig_bad_name(enum capy_mig_bad bad);

/* A key, and the tags of a few migrations as far as what all messages of each have in common, which is more than
 * half of a tag's work: whoever takes part in one hears or says four of them. A cache, by the lowest byte of mig_id,
 * which migrations that run at the same time do not share: nothing but time depends on what is in it. A plain value. */
#define CAPY_MIG_TALKS 16u
#define CAPY_MIG_FLOW_LEN 36u
struct capy_mig_talk {
    uint64_t mig_id; /* this and the next two as they lie in a message */
    uint8_t flow[CAPY_MIG_FLOW_LEN];
    uint32_t epoch;
    struct capy_sip after;
};
struct capy_mig_tagger {
    struct capy_key key;
    struct capy_mig_talk talk[CAPY_MIG_TALKS];
};

void capy_mig_tagger_init(struct capy_mig_tagger *t, struct capy_key key);

/* p: UDP payload. Checks lengths, tag, and the payload hash but of CONN_STATE, which is for whoever imports it to
 * check (mig/mig.h). *out borrows from p. */
enum capy_mig_bad capy_mig_hear(const uint8_t *p, size_t len, struct capy_mig_tagger *tagger,
                                struct capy_mig_msg *out);

/* Writes the header for payload of msg->length bytes that already lies at p + 96, computing tag and, but for
 * CONN_STATE, hash. Returns 96 + length. msg->payload and tag are ignored. */
size_t capy_mig_say(uint8_t *p, struct capy_mig_tagger *tagger, const struct capy_mig_msg *msg);

/* The same for one message alone. */
enum capy_mig_bad capy_mig_parse(const uint8_t *p, size_t len, struct capy_key key,
                                 struct capy_mig_msg *out);
size_t capy_mig_build(uint8_t *p, struct capy_key key, const struct capy_mig_msg *msg);

#define CAPY_MIG_HEARTBEAT_LEN 32u
struct capy_mig_heartbeat {
    uint32_t load;        /* the server's workload metric (paper §3.2); smaller is idler */
    uint32_t free_cnt;    /* connections it could still take */
    uint32_t draining;    /* 1: takes nothing new */
    uint32_t conn_cnt;    /* open connections, for people */
    uint64_t incarnation; /* of this server; a new one means it restarted */
    uint64_t switch_boot; /* last boot id it learned from the switch; 0 none */
};

#define CAPY_MIG_HEARTBEAT_ACK_LEN 16u
struct capy_mig_heartbeat_ack {
    uint64_t switch_boot; /* changes when the switch restarts: then owners ANNOUNCE their flows */
    uint32_t learning;    /* 1: still in the grace time after boot */
    uint32_t min_load;    /* the minimum workload register's value, UINT32_MAX none */
};

void capy_mig_heartbeat_store(uint8_t out[CAPY_MIG_HEARTBEAT_LEN],
                              const struct capy_mig_heartbeat *h);
bool capy_mig_heartbeat_ack_load(const uint8_t *p, size_t len, struct capy_mig_heartbeat_ack *h);

#endif
