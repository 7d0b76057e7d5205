/* TCPMig messages, bytes to checked values and back (wire/tcpmig.h, docs/protocol.md). The layout
 * is written down once, in the header. Parsing borrows from the datagram, building writes into it.
 */
#include "base/assert.h"
#include "wire/tcpmig_header.h"

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
        [CAPY_REASON_VERSION] = "version",
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

/* ---- tags ---- */

void capy_mig_tagger_init(struct capy_mig_tagger *t, struct capy_key key)
{
    static const uint8_t zeros[CAPY_MIG_HEADER_LEN];
    const struct capy_mig_talk none = {.after = capy_mig_tag_begin(key, zeros)};
    t->key = key;
    for (unsigned i = 0; i < CAPY_MIG_TALKS; i++)
        t->talk[i] = none;
}

static bool is_of(const struct capy_mig_talk *talk, const uint8_t *p)
{
    uint64_t differs = (talk->mig_id ^ capy_raw64(p + CAPY_MIG_AT_MIG_ID)) |
                       (talk->epoch ^ capy_raw32(p + CAPY_MIG_AT_EPOCH));
    return differs == 0 && capy_same(talk->flow, p + CAPY_MIG_AT_CLIENT, CAPY_MIG_FLOW_LEN);
}

static __attribute__((noinline)) void begin_talk(struct capy_mig_tagger *t,
                                                 struct capy_mig_talk *talk, const uint8_t *p)
{
    talk->mig_id = capy_raw64(p + CAPY_MIG_AT_MIG_ID);
    talk->epoch = capy_raw32(p + CAPY_MIG_AT_EPOCH);
    memcpy(talk->flow, p + CAPY_MIG_AT_CLIENT, sizeof talk->flow);
    talk->after = capy_mig_tag_begin(t->key, p);
}

/* The tag that the header at p must have. */
static inline uint64_t tag_of(struct capy_mig_tagger *t, const uint8_t *p)
{
    struct capy_mig_talk *talk = &t->talk[p[CAPY_MIG_AT_MIG_ID + 7] % CAPY_MIG_TALKS];
    if (!is_of(talk, p))
        begin_talk(t, talk, p);
    return capy_mig_tag_finish(talk->after, p);
}

/* ---- bytes to checked values, and back ---- */

static inline enum capy_mig_bad check_payload(const uint8_t *p, struct capy_key key,
                                              struct capy_mig_msg *out)
{
    out->payload = p + CAPY_MIG_HEADER_LEN;
    return out->type == CAPY_MIG_CONN_STATE ||
                   out->payload_hash == capy_mig_payload_hash(key, out->payload, out->length)
               ? CAPY_MIG_GOOD
               : CAPY_MIG_BAD_HASH;
}

enum capy_mig_bad capy_mig_hear(const uint8_t *p, size_t len, struct capy_mig_tagger *tagger,
                                struct capy_mig_msg *out)
{
    if (len < CAPY_MIG_HEADER_LEN)
        return CAPY_MIG_BAD_SHORT;
    enum capy_mig_bad bad = capy_mig_header_read(p, len, out);
    if (bad == CAPY_MIG_GOOD && out->tag != tag_of(tagger, p))
        bad = CAPY_MIG_BAD_TAG;
    return bad == CAPY_MIG_GOOD ? check_payload(p, tagger->key, out) : bad;
}

enum capy_mig_bad capy_mig_parse(const uint8_t *p, size_t len, struct capy_key key,
                                 struct capy_mig_msg *out)
{
    if (len < CAPY_MIG_HEADER_LEN)
        return CAPY_MIG_BAD_SHORT;
    enum capy_mig_bad bad = capy_mig_header_read(p, len, out);
    if (bad == CAPY_MIG_GOOD && out->tag != capy_mig_tag(key, p))
        bad = CAPY_MIG_BAD_TAG;
    return bad == CAPY_MIG_GOOD ? check_payload(p, key, out) : bad;
}

static inline void write_untagged(uint8_t *p, struct capy_key key, const struct capy_mig_msg *msg)
{
    CAPY_ASSERT(msg->length <= CAPY_MIG_PAYLOAD_MAX);
    uint64_t hash = msg->type == CAPY_MIG_CONN_STATE
                        ? msg->payload_hash
                        : capy_mig_payload_hash(key, p + CAPY_MIG_HEADER_LEN, msg->length);
    capy_mig_header_write(p, hash, msg);
}

size_t capy_mig_say(uint8_t *p, struct capy_mig_tagger *tagger, const struct capy_mig_msg *msg)
{
    write_untagged(p, tagger->key, msg);
    capy_store64(p + CAPY_MIG_AT_TAG, tag_of(tagger, p));
    return CAPY_MIG_HEADER_LEN + msg->length;
}

size_t capy_mig_build(uint8_t *p, struct capy_key key, const struct capy_mig_msg *msg)
{
    write_untagged(p, key, msg);
    capy_store64(p + CAPY_MIG_AT_TAG, capy_mig_tag(key, p));
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
