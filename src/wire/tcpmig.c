/* TCPMig messages, bytes to checked values and back (wire/tcpmig.h, docs/protocol.md). The layout
 * is written down once, in the header. Parsing borrows from the datagram, building writes into it.
 */
#include "wire/tcpmig.h"
#include "base/assert.h"

/* Offsets in the header, as the table in wire/tcpmig.h has them. */
enum {
    AT_VERSION = 0,
    AT_TYPE = 1,
    AT_REASON = 2,
    AT_FLAGS = 3,
    AT_ORIGIN = 4,
    AT_TARGET = 6,
    AT_MIG_ID = 8,
    AT_EPOCH = 16,
    AT_TOTAL = 20,
    AT_OFFSET = 24,
    AT_LENGTH = 28,
    AT_TARGET_PORT = 30,
    AT_CLIENT = 32,
    AT_HOME = 48,
    AT_CLIENT_PORT = 64,
    AT_HOME_PORT = 66,
    AT_ZERO = 68,
    AT_PAYLOAD_HASH = 72,
    AT_TAG = CAPY_MIG_TAGGED_LEN,
    AT_VERDICT = CAPY_MIG_SWITCH_AT,
    AT_PHASE = 89,
    AT_OWNER = 90,
    AT_ENTRY_EPOCH = 92,
};

const char *capy_mig_type_name(unsigned type)
{
    static const char *const name[CAPY_MIG_TYPE_END] = {
        [CAPY_MIG_PREPARE_MIG] = "PREPARE_MIG", [CAPY_MIG_PREPARE_MIG_ACK] = "PREPARE_MIG_ACK",
        [CAPY_MIG_CONN_STATE] = "CONN_STATE",   [CAPY_MIG_CONN_STATE_ACK] = "CONN_STATE_ACK",
        [CAPY_MIG_CANCEL] = "CANCEL",           [CAPY_MIG_NACK] = "NACK",
        [CAPY_MIG_HEARTBEAT] = "HEARTBEAT",     [CAPY_MIG_HEARTBEAT_ACK] = "HEARTBEAT_ACK",
        [CAPY_MIG_ANNOUNCE] = "ANNOUNCE",       [CAPY_MIG_FLOW_CLOSED] = "FLOW_CLOSED",
    };
    return type >= CAPY_MIG_PREPARE_MIG && type < CAPY_MIG_TYPE_END ? name[type] : "?";
}

const char *capy_mig_reason_name(unsigned reason)
{
    static const char *const name[CAPY_REASON_CNT] = {
        [CAPY_REASON_NONE] = "none",
        [CAPY_REASON_DRAINING] = "draining",
        [CAPY_REASON_FULL] = "full",
        [CAPY_REASON_CLASH] = "clash",
        [CAPY_REASON_HOLD_EXPIRED] = "hold_expired",
        [CAPY_REASON_BAD_STATE] = "bad_state",
        [CAPY_REASON_UNKNOWN_FLOW] = "unknown_flow",
        [CAPY_REASON_NO_SERVICE] = "no_service",
        [CAPY_REASON_APP_VETO] = "app_veto",
        [CAPY_REASON_APP_LATE] = "app_late",
        [CAPY_REASON_NO_ANSWER] = "no_answer",
        [CAPY_REASON_STATE_LATE] = "state_late",
    };
    return reason < CAPY_REASON_CNT ? name[reason] : "?";
}

const char *capy_mig_verdict_name(unsigned verdict)
{
    static const char *const name[CAPY_VERDICT_CNT] = {
        [CAPY_VERDICT_NONE] = "NONE",           [CAPY_VERDICT_OK] = "OK",
        [CAPY_VERDICT_NO_TARGET] = "NO_TARGET", [CAPY_VERDICT_FULL] = "FULL",
        [CAPY_VERDICT_STALE] = "STALE",         [CAPY_VERDICT_SETTLED] = "SETTLED",
        [CAPY_VERDICT_LEARNING] = "LEARNING",
    };
    return verdict < CAPY_VERDICT_CNT ? name[verdict] : "?";
}

const char *capy_mig_bad_name(enum capy_mig_bad bad)
{
    static const char *const name[CAPY_MIG_BAD_CNT] = {
        [CAPY_MIG_GOOD] = "good",           [CAPY_MIG_BAD_SHORT] = "short",
        [CAPY_MIG_BAD_VERSION] = "version", [CAPY_MIG_BAD_TYPE] = "type",
        [CAPY_MIG_BAD_LENGTH] = "length",   [CAPY_MIG_BAD_TAG] = "tag",
        [CAPY_MIG_BAD_HASH] = "hash",
    };
    return (unsigned)bad < CAPY_MIG_BAD_CNT ? name[bad] : "?";
}

static void read_header(const uint8_t *p, struct capy_mig_msg *out)
{
    out->type = p[AT_TYPE];
    out->reason = p[AT_REASON];
    out->flags = p[AT_FLAGS];
    out->verdict = p[AT_VERDICT];
    out->phase = p[AT_PHASE];
    out->origin = capy_load16(p + AT_ORIGIN);
    out->target = capy_load16(p + AT_TARGET);
    out->mig_id = capy_load64(p + AT_MIG_ID);
    out->epoch = capy_load32(p + AT_EPOCH);
    out->total = capy_load32(p + AT_TOTAL);
    out->offset = capy_load32(p + AT_OFFSET);
    out->length = capy_load16(p + AT_LENGTH);
    out->target_port = capy_load16(p + AT_TARGET_PORT);
    memcpy(out->key.client.b, p + AT_CLIENT, sizeof out->key.client.b);
    memcpy(out->key.home.b, p + AT_HOME, sizeof out->key.home.b);
    out->key.client_port = capy_load16(p + AT_CLIENT_PORT);
    out->key.home_port = capy_load16(p + AT_HOME_PORT);
    out->payload_hash = capy_load64(p + AT_PAYLOAD_HASH);
    out->tag = capy_load64(p + AT_TAG);
    out->owner = capy_load16(p + AT_OWNER);
    out->entry_epoch = capy_load32(p + AT_ENTRY_EPOCH);
    out->payload = p + CAPY_MIG_HEADER_LEN;
}

enum capy_mig_bad capy_mig_parse(const uint8_t *p, size_t len, struct capy_key key,
                                 struct capy_mig_msg *out)
{
    if (len < CAPY_MIG_HEADER_LEN)
        return CAPY_MIG_BAD_SHORT;
    if (p[AT_VERSION] != CAPY_MIG_VERSION)
        return CAPY_MIG_BAD_VERSION;
    if (p[AT_TYPE] < CAPY_MIG_PREPARE_MIG || p[AT_TYPE] >= CAPY_MIG_TYPE_END)
        return CAPY_MIG_BAD_TYPE;
    read_header(p, out);
    if (out->length != len - CAPY_MIG_HEADER_LEN ||
        (uint64_t)out->offset + out->length > out->total)
        return CAPY_MIG_BAD_LENGTH;
    if (out->tag != capy_siphash13(key, p, CAPY_MIG_TAGGED_LEN))
        return CAPY_MIG_BAD_TAG;
    if (out->payload_hash != capy_siphash13(key, out->payload, out->length))
        return CAPY_MIG_BAD_HASH;
    return CAPY_MIG_GOOD;
}

size_t capy_mig_build(uint8_t *p, struct capy_key key, const struct capy_mig_msg *msg)
{
    CAPY_ASSERT(msg->length <= CAPY_MIG_PAYLOAD_MAX);
    p[AT_VERSION] = CAPY_MIG_VERSION;
    p[AT_TYPE] = msg->type;
    p[AT_REASON] = msg->reason;
    p[AT_FLAGS] = msg->flags;
    capy_store16(p + AT_ORIGIN, msg->origin);
    capy_store16(p + AT_TARGET, msg->target);
    capy_store64(p + AT_MIG_ID, msg->mig_id);
    capy_store32(p + AT_EPOCH, msg->epoch);
    capy_store32(p + AT_TOTAL, msg->total);
    capy_store32(p + AT_OFFSET, msg->offset);
    capy_store16(p + AT_LENGTH, msg->length);
    capy_store16(p + AT_TARGET_PORT, msg->target_port);
    memcpy(p + AT_CLIENT, msg->key.client.b, sizeof msg->key.client.b);
    memcpy(p + AT_HOME, msg->key.home.b, sizeof msg->key.home.b);
    capy_store16(p + AT_CLIENT_PORT, msg->key.client_port);
    capy_store16(p + AT_HOME_PORT, msg->key.home_port);
    capy_store32(p + AT_ZERO, 0);
    capy_store64(p + AT_PAYLOAD_HASH, capy_siphash13(key, p + CAPY_MIG_HEADER_LEN, msg->length));
    capy_store64(p + AT_TAG, capy_siphash13(key, p, CAPY_MIG_TAGGED_LEN));
    p[AT_VERDICT] = msg->verdict;
    p[AT_PHASE] = msg->phase;
    capy_store16(p + AT_OWNER, msg->owner);
    capy_store32(p + AT_ENTRY_EPOCH, msg->entry_epoch);
    return CAPY_MIG_HEADER_LEN + msg->length;
}

void capy_mig_heartbeat_store(uint8_t out[CAPY_MIG_HEARTBEAT_LEN],
                              const struct capy_mig_heartbeat *h)
{
    capy_store32(out, h->load);
    capy_store32(out + 4, h->free_cnt);
    capy_store32(out + 8, h->draining);
    capy_store32(out + 12, h->conn_cnt);
    capy_store64(out + 16, h->incarnation);
    capy_store64(out + 24, h->switch_boot);
}

bool capy_mig_heartbeat_load(const uint8_t *p, size_t len, struct capy_mig_heartbeat *h)
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

void capy_mig_heartbeat_ack_store(uint8_t out[CAPY_MIG_HEARTBEAT_ACK_LEN],
                                  const struct capy_mig_heartbeat_ack *h)
{
    capy_store64(out, h->switch_boot);
    capy_store32(out + 8, h->learning);
    capy_store32(out + 12, h->min_load);
}

bool capy_mig_heartbeat_ack_load(const uint8_t *p, size_t len, struct capy_mig_heartbeat_ack *h)
{
    if (len != CAPY_MIG_HEARTBEAT_ACK_LEN)
        return false;
    *h = (struct capy_mig_heartbeat_ack){
        .switch_boot = capy_load64(p),
        .learning = capy_load32(p + 8),
        .min_load = capy_load32(p + 12),
    };
    return true;
}
