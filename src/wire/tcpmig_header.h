/* The TCPMig header's fields where they lie (the table in wire/tcpmig.h), read and written. Header only,
 * free of libc and of loops over anything but constants, for the switch core: BPF compiles this source. */
#ifndef CAPY_WIRE_TCPMIG_HEADER_H
#define CAPY_WIRE_TCPMIG_HEADER_H

#include "wire/tcpmig.h"

enum {
    CAPY_MIG_AT_VERSION = 0,
    CAPY_MIG_AT_TYPE = 1,
    CAPY_MIG_AT_REASON = 2,
    CAPY_MIG_AT_FLAGS = 3,
    CAPY_MIG_AT_ORIGIN = 4,
    CAPY_MIG_AT_TARGET = 6,
    CAPY_MIG_AT_MIG_ID = 8,
    CAPY_MIG_AT_EPOCH = 16,
    CAPY_MIG_AT_TOTAL = 20,
    CAPY_MIG_AT_OFFSET = 24,
    CAPY_MIG_AT_LENGTH = 28,
    CAPY_MIG_AT_TARGET_PORT = 30,
    CAPY_MIG_AT_CLIENT = 32,
    CAPY_MIG_AT_HOME = 48,
    CAPY_MIG_AT_CLIENT_PORT = 64,
    CAPY_MIG_AT_HOME_PORT = 66,
    CAPY_MIG_AT_ZERO = 68,
    CAPY_MIG_AT_PAYLOAD_HASH = 72,
    CAPY_MIG_AT_TAG = 80,
    CAPY_MIG_AT_VERDICT = CAPY_MIG_SWITCH_AT,
    CAPY_MIG_AT_PHASE = 89,
    CAPY_MIG_AT_OWNER = 90,
    CAPY_MIG_AT_ENTRY_EPOCH = 92,
};

/* Of the payload, for the header; that of CONN_STATE is another one (src/mig/state_hash.c). None has the
 * hash 0: its length is under the tag, so nobody can add or take one away, and three of the four
 * messages of a migration have none. */
static inline uint64_t capy_mig_payload_hash(struct capy_key key, const uint8_t *p, uint16_t len)
{
    return len > 0 ? capy_siphash13(key, p, len) : 0;
}

/* ---- the tag: SipHash-1-3 of 76 bytes, every one before it but the four that are zero ---- */

/* First what the messages of one migration have in common, so that who speaks or hears one after the other goes
 * on from there (struct capy_mig_tagger). p: of the header. */
static inline struct capy_sip capy_mig_tag_begin(struct capy_key key, const uint8_t *p)
{
    struct capy_sip s = capy_sip_begin(key);
    capy_sip_take(&s, capy_sip_load_le(p + CAPY_MIG_AT_MIG_ID, 8));
    for (unsigned i = 0; i < 32; i += 8) /* client, home */
        capy_sip_take(&s, capy_sip_load_le(p + CAPY_MIG_AT_CLIENT + i, 8));
    capy_sip_take(&s, capy_little32(p + CAPY_MIG_AT_CLIENT_PORT) | /* and home port */
                          (uint64_t)capy_little32(p + CAPY_MIG_AT_EPOCH) << 32);
    return s;
}

/* Then what is each one's own. */
static inline uint64_t capy_mig_tag_finish(struct capy_sip s, const uint8_t *p)
{
    capy_sip_take(&s, capy_sip_load_le(p + CAPY_MIG_AT_OFFSET, 8));  /* length, target_port */
    capy_sip_take(&s, capy_sip_load_le(p + CAPY_MIG_AT_VERSION, 8)); /* to target */
    capy_sip_take(&s, capy_sip_load_le(p + CAPY_MIG_AT_PAYLOAD_HASH, 8));
    return capy_sip_finish(&s, capy_little32(p + CAPY_MIG_AT_TOTAL) | (uint64_t)CAPY_MIG_TAGGED_LEN
                                                                          << 56);
}

static inline uint64_t capy_mig_tag(struct capy_key key, const uint8_t *p)
{
    return capy_mig_tag_finish(capy_mig_tag_begin(key, p), p);
}

/* All but the payload. */
static inline void capy_mig_header_fields(const uint8_t *p, struct capy_mig_msg *out)
{
    out->type = p[CAPY_MIG_AT_TYPE];
    out->reason = p[CAPY_MIG_AT_REASON];
    out->flags = p[CAPY_MIG_AT_FLAGS];
    out->verdict = p[CAPY_MIG_AT_VERDICT];
    out->phase = p[CAPY_MIG_AT_PHASE];
    out->origin = capy_load16(p + CAPY_MIG_AT_ORIGIN);
    out->target = capy_load16(p + CAPY_MIG_AT_TARGET);
    out->mig_id = capy_load64(p + CAPY_MIG_AT_MIG_ID);
    out->epoch = capy_load32(p + CAPY_MIG_AT_EPOCH);
    out->total = capy_load32(p + CAPY_MIG_AT_TOTAL);
    out->offset = capy_load32(p + CAPY_MIG_AT_OFFSET);
    out->length = capy_load16(p + CAPY_MIG_AT_LENGTH);
    out->target_port = capy_load16(p + CAPY_MIG_AT_TARGET_PORT);
    __builtin_memcpy(out->key.client.b, p + CAPY_MIG_AT_CLIENT, sizeof out->key.client.b);
    __builtin_memcpy(out->key.home.b, p + CAPY_MIG_AT_HOME, sizeof out->key.home.b);
    out->key.client_port = capy_load16(p + CAPY_MIG_AT_CLIENT_PORT);
    out->key.home_port = capy_load16(p + CAPY_MIG_AT_HOME_PORT);
    out->payload_hash = capy_load64(p + CAPY_MIG_AT_PAYLOAD_HASH);
    out->tag = capy_load64(p + CAPY_MIG_AT_TAG);
    out->owner = capy_load16(p + CAPY_MIG_AT_OWNER);
    out->entry_epoch = capy_load32(p + CAPY_MIG_AT_ENTRY_EPOCH);
}

/* p: CAPY_MIG_HEADER_LEN bytes of a datagram of len. Checks all but the tag, and the payload, which is hashed
 * by whoever can read that far. */
static inline enum capy_mig_bad capy_mig_header_read(const uint8_t *p, size_t len,
                                                     struct capy_mig_msg *out)
{
    if (p[CAPY_MIG_AT_VERSION] != CAPY_MIG_VERSION)
        return CAPY_MIG_BAD_VERSION;
    if (p[CAPY_MIG_AT_TYPE] < CAPY_MIG_PREPARE_MIG || p[CAPY_MIG_AT_TYPE] >= CAPY_MIG_TYPE_END)
        return CAPY_MIG_BAD_TYPE;
    capy_mig_header_fields(p, out);
    if (out->length != len - CAPY_MIG_HEADER_LEN ||
        (uint64_t)out->offset + out->length > out->total)
        return CAPY_MIG_BAD_LENGTH;
    return CAPY_MIG_GOOD;
}

/* All but the tag, which is of what is written here. msg->payload, payload_hash and tag are ignored. */
static inline void capy_mig_header_write(uint8_t *p, uint64_t payload_hash,
                                         const struct capy_mig_msg *msg)
{
    p[CAPY_MIG_AT_VERSION] = CAPY_MIG_VERSION;
    p[CAPY_MIG_AT_TYPE] = msg->type;
    p[CAPY_MIG_AT_REASON] = msg->reason;
    p[CAPY_MIG_AT_FLAGS] = msg->flags;
    capy_store16(p + CAPY_MIG_AT_ORIGIN, msg->origin);
    capy_store16(p + CAPY_MIG_AT_TARGET, msg->target);
    capy_store64(p + CAPY_MIG_AT_MIG_ID, msg->mig_id);
    capy_store32(p + CAPY_MIG_AT_EPOCH, msg->epoch);
    capy_store32(p + CAPY_MIG_AT_TOTAL, msg->total);
    capy_store32(p + CAPY_MIG_AT_OFFSET, msg->offset);
    capy_store16(p + CAPY_MIG_AT_LENGTH, msg->length);
    capy_store16(p + CAPY_MIG_AT_TARGET_PORT, msg->target_port);
    __builtin_memcpy(p + CAPY_MIG_AT_CLIENT, msg->key.client.b, sizeof msg->key.client.b);
    __builtin_memcpy(p + CAPY_MIG_AT_HOME, msg->key.home.b, sizeof msg->key.home.b);
    capy_store16(p + CAPY_MIG_AT_CLIENT_PORT, msg->key.client_port);
    capy_store16(p + CAPY_MIG_AT_HOME_PORT, msg->key.home_port);
    capy_store32(p + CAPY_MIG_AT_ZERO, 0);
    capy_store64(p + CAPY_MIG_AT_PAYLOAD_HASH, payload_hash);
    p[CAPY_MIG_AT_VERDICT] = msg->verdict;
    p[CAPY_MIG_AT_PHASE] = msg->phase;
    capy_store16(p + CAPY_MIG_AT_OWNER, msg->owner);
    capy_store32(p + CAPY_MIG_AT_ENTRY_EPOCH, msg->entry_epoch);
}

static inline bool capy_mig_heartbeat_load(const uint8_t *p, size_t len,
                                           struct capy_mig_heartbeat *h)
{
    if (len != CAPY_MIG_HEARTBEAT_LEN)
        return false;
    *h = (struct capy_mig_heartbeat){
        .load = capy_load32(p),
        .free_cnt = capy_load32(p + 4),
        .draining = capy_load32(p + 8),
        .conn_cnt = capy_load32(p + 12),
        .incarnation = capy_load64(p + 16),
        .switch_boot = capy_load64(p + 24),
    };
    return true;
}

static inline void capy_mig_heartbeat_ack_store(uint8_t out[CAPY_MIG_HEARTBEAT_ACK_LEN],
                                                const struct capy_mig_heartbeat_ack *h)
{
    capy_store64(out, h->switch_boot);
    capy_store32(out + 8, h->learning);
    capy_store32(out + 12, h->min_load);
}

#endif
