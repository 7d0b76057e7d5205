/* The target side of one migration (design §5; state diagram in mig.h; rules in docs/protocol.md).
 * Messages and `now` go in; at most one action, and messages when asked, come out. Also the hold
 * buffer for the client's frames that arrive before the state does.
 *
 * The slot is the stack's; the streams in it own blocks of the shared pool until
 * capy_mig_target_free. What a target refused once it never imports: the slot stays in NACKING until
 * the switch has answered, and the stack's memory record takes over from there. */
#include "base/assert.h"
#include "mig/message.h"
#include "mig/pace.h"
#include "mig/window.h"
#include <string.h>

#define HELD_LEN_BYTES 2u /* length before each held frame */

/* The origin pauses at a full window; told of every half it never does while all goes well. */
#define TELL_FRAGMENTS (CAPY_MIG_WINDOW / 2u)
/* Gaps and repeats come in bursts; they are told of once per this part of the first repeat
 * interval: in time for the origin's next repeat, and not one by one. */
#define TELL_PER_RTO 4u

void capy_mig_target_start(struct capy_mig_target *m, const struct capy_mig_env *env,
                           const struct capy_mig_msg *prepare, uint16_t target_port)
{
    memset(m, 0, offsetof(struct capy_mig_target, fragment_got));
    m->phase = CAPY_TARGET_HOLDING;
    m->ack_owed = true;
    m->origin = prepare->origin;
    m->target_port = target_port;
    m->mig_id = prepare->mig_id;
    m->epoch = prepare->epoch;
    m->key = prepare->key;
    m->started_at = env->now;
    capy_mig_repeat_begin(&m->repeat, env, env->target_pace);
    m->give_up_at = env->now + env->cfg->hold_ns;
    capy_stream_init(&m->state, 0);
    capy_stream_init(&m->held, 0);
}

void capy_mig_target_imported(struct capy_mig_target *m, const struct capy_mig_env *env)
{
    CAPY_ASSERT(m->phase == CAPY_TARGET_RECEIVING && m->received == m->total);
    m->phase = CAPY_TARGET_DONE;
    m->whole = NULL;
    m->ack_owed = true;
    m->repeat.send_at = env->now;
    m->give_up_at = CAPY_NEVER;
}

void capy_mig_target_refuse(struct capy_mig_target *m, const struct capy_mig_env *env,
                            enum capy_mig_reason reason)
{
    CAPY_ASSERT(m->phase != CAPY_TARGET_DONE);
    if (m->phase == CAPY_TARGET_NACKING)
        return;
    m->phase = CAPY_TARGET_NACKING;
    m->whole = NULL;
    m->reason = (uint8_t)reason;
    m->ack_owed = true;
    capy_mig_repeat_begin(&m->repeat, env, env->target_pace);
    /* Bounded: when the switch stays silent the memory record refuses in our place. */
    m->give_up_at = env->now + env->cfg->hold_ns;
}

/* ---- CONN_STATE ---- */

/* Bytes of the encoding behind a `total` on the wire; 0 when it cannot be one. */
static uint32_t plain_total(uint32_t total, bool sealed)
{
    uint32_t cnt = total / CAPY_MIG_PAYLOAD_MAX + (total % CAPY_MIG_PAYLOAD_MAX != 0);
    uint32_t overhead = sealed ? cnt * CAPY_SEAL_LEN : 0u;
    if (cnt > CAPY_MIG_FRAGMENT_MAX || total <= overhead)
        return 0;
    return capy_mig_wire_total(total - overhead, sealed) == total ? total - overhead : 0u;
}

/* Of fragment_got, that are in use. */
static uint32_t bitmap_words(const struct capy_mig_target *m)
{
    return (capy_mig_fragment_cnt(m->total, m->sealed) + 63u) / 64u;
}

/* The one way a CONN_STATE may be cut. */
static bool is_whole_fragment(const struct capy_mig_msg *msg)
{
    return msg->offset % CAPY_MIG_PAYLOAD_MAX == 0 && msg->offset < msg->total &&
           msg->length == capy_min32(CAPY_MIG_PAYLOAD_MAX, msg->total - msg->offset);
}

/* Writes a new fragment into m->state. False: it must be ignored, or the slot is refusing now. */
static bool store_fragment(struct capy_mig_target *m, const struct capy_mig_env *env,
                           const struct capy_mig_msg *msg)
{
    uint8_t plain[CAPY_MIG_PAYLOAD_MAX];
    uint32_t idx = msg->offset / CAPY_MIG_PAYLOAD_MAX, len = msg->length;
    const uint8_t *data = msg->payload;
    if (m->sealed) {
        if (!capy_mig_unseal(env->key, msg, data, len, plain)) {
            capy_mig_target_refuse(m, env, CAPY_REASON_BAD_STATE);
            return false;
        }
        data = plain;
        len -= CAPY_SEAL_LEN;
    }
    if (len == m->total && !m->sealed) {
        m->whole = data; /* it is imported before anything else happens: no need to keep it */
    } else if (capy_stream_write(&m->state, env->blocks,
                                 (uint64_t)idx * capy_mig_plain_max(m->sealed), data,
                                 len) != CAPY_OK) {
        capy_mig_target_refuse(m, env, CAPY_REASON_FULL);
        return false;
    }
    capy_mig_bit_set(m->fragment_got, idx);
    m->fragment_cnt++;
    m->fragment_top = capy_max32(m->fragment_top, idx + 1u);
    m->untold++;
    m->received += len;
    m->give_up_at = env->now + env->cfg->hold_ns;
    return true;
}

/* The first fragment says how long the encoding is and whether it is sealed. */
static bool begin_receiving(struct capy_mig_target *m, const struct capy_mig_env *env,
                            const struct capy_mig_msg *msg)
{
    m->sealed = msg->flags & CAPY_MIG_FLAG_SEALED;
    m->total = plain_total(msg->total, m->sealed);
    if (m->total == 0 || m->sealed != env->seal) {
        capy_mig_target_refuse(m, env, CAPY_REASON_BAD_STATE);
        return false;
    }
    if (m->total > env->cfg->state_max) {
        capy_mig_target_refuse(m, env, CAPY_REASON_FULL);
        return false;
    }
    m->phase = CAPY_TARGET_RECEIVING;
    for (uint32_t i = 0; i < bitmap_words(m); i++)
        m->fragment_got[i] = 0;
    capy_mig_repeat_answered(&m->repeat, env, env->target_pace);
    m->ack_owed = false; /* the state came, so PREPARE_MIG_ACK did arrive */
    m->repeat.send_at = CAPY_NEVER;
    return true;
}

/* Decides when the origin hears what came. At once: every half window, and at the last fragment,
 * which ends a pass. Soon: of everything else that does not simply continue in order (a gap, what
 * follows it, a repeat), so that whatever was lost, fragments or our own messages, the origin's
 * next repeat mends it. In order and no half window yet: silence. */
static void tell(struct capy_mig_target *m, const struct capy_mig_env *env, uint32_t idx,
                 bool fresh, bool last)
{
    bool in_order = fresh && idx + 1u == m->fragment_top && m->fragment_cnt == m->fragment_top;
    if (last || m->untold >= TELL_FRAGMENTS)
        m->repeat.send_at = env->now;
    else if (!in_order)
        m->repeat.send_at = capy_min64(m->repeat.send_at, capy_max64(env->now, m->tell_at));
    m->ack_owed = m->repeat.send_at != CAPY_NEVER;
}

static enum capy_mig_action input_state(struct capy_mig_target *m, const struct capy_mig_env *env,
                                        const struct capy_mig_msg *msg)
{
    uint32_t idx = msg->offset / CAPY_MIG_PAYLOAD_MAX;
    if (m->phase == CAPY_TARGET_DONE || m->phase == CAPY_TARGET_NACKING) {
        m->ack_owed = true; /* the answer was lost: at once again */
        capy_mig_repeat_asked(&m->repeat, env);
        return CAPY_MIG_DO_NOTHING;
    }
    if (!is_whole_fragment(msg) ||
        (m->phase == CAPY_TARGET_HOLDING && !begin_receiving(m, env, msg)) ||
        msg->total != capy_mig_wire_total(m->total, m->sealed))
        return CAPY_MIG_DO_NOTHING;
    bool fresh = !capy_mig_bit(m->fragment_got, idx);
    if (fresh && !store_fragment(m, env, msg))
        return CAPY_MIG_DO_NOTHING;
    if (m->received == m->total) {
        m->ack_owed = false;
        m->repeat.send_at = CAPY_NEVER;
        return CAPY_MIG_DO_IMPORT;
    }
    tell(m, env, idx, fresh, msg->offset + msg->length == msg->total);
    return CAPY_MIG_DO_NOTHING;
}

/* ---- bounces and repeats ---- */

/* PREPARE_MIG_ACK came back: nothing was installed for us, or no longer. */
static enum capy_mig_action input_ack_bounced(struct capy_mig_target *m,
                                              const struct capy_mig_env *env,
                                              const struct capy_mig_msg *msg)
{
    bool ours = msg->owner == env->self && msg->entry_epoch == m->epoch;
    if (msg->verdict == CAPY_VERDICT_STALE && m->phase != CAPY_TARGET_DONE) {
        /* Below our epoch in RECEIVING: a repeat that crossed a reboot of the switch. The state
         * came, so it once was installed; the hold timer gives it back properly. */
        if (ours || (m->phase != CAPY_TARGET_HOLDING && msg->entry_epoch < m->epoch))
            return CAPY_MIG_DO_NOTHING;
        return CAPY_MIG_DO_DROP;
    }
    if (m->phase == CAPY_TARGET_HOLDING &&
        (msg->verdict == CAPY_VERDICT_FULL || msg->verdict == CAPY_VERDICT_NO_TARGET ||
         msg->verdict == CAPY_VERDICT_LEARNING)) {
        m->reason = CAPY_REASON_NONE;
        return CAPY_MIG_DO_DROP;
    }
    return CAPY_MIG_DO_NOTHING;
}

enum capy_mig_action capy_mig_target_input(struct capy_mig_target *m,
                                           const struct capy_mig_env *env,
                                           const struct capy_mig_msg *msg)
{
    if (msg->mig_id != m->mig_id || msg->epoch != m->epoch || msg->origin != m->origin)
        return CAPY_MIG_DO_NOTHING;
    switch ((enum capy_mig_type)msg->type) {
    case CAPY_MIG_PREPARE_MIG: /* our PREPARE_MIG_ACK, or our NACK, was lost */
        if (m->phase == CAPY_TARGET_HOLDING || m->phase == CAPY_TARGET_NACKING) {
            m->ack_owed = true;
            capy_mig_repeat_asked(&m->repeat, env);
        }
        return CAPY_MIG_DO_NOTHING;
    case CAPY_MIG_CONN_STATE:
        return input_state(m, env, msg);
    case CAPY_MIG_PREPARE_MIG_ACK:
        return input_ack_bounced(m, env, msg);
    case CAPY_MIG_NACK: /* any verdict but LEARNING ends it: given back, or moved on already */
        return m->phase == CAPY_TARGET_NACKING && msg->verdict != CAPY_VERDICT_NONE &&
                       msg->verdict != CAPY_VERDICT_LEARNING
                   ? CAPY_MIG_DO_DROP
                   : CAPY_MIG_DO_NOTHING;
    case CAPY_MIG_CONN_STATE_ACK:
    case CAPY_MIG_CANCEL:
    case CAPY_MIG_HEARTBEAT:
    case CAPY_MIG_HEARTBEAT_ACK:
    case CAPY_MIG_ANNOUNCE:
    case CAPY_MIG_FLOW_CLOSED:
    case CAPY_MIG_TYPE_END:
        break;
    }
    return CAPY_MIG_DO_NOTHING;
}

/* ---- output ---- */

static void output_bitmap(const struct capy_mig_target *m, struct capy_mig_msg *msg, uint8_t *p)
{
    uint32_t words = bitmap_words(m);
    for (uint32_t w = 0; w < words; w++)
        capy_store64(p + CAPY_MIG_HEADER_LEN + 8u * w, m->fragment_got[w]);
    msg->length = (uint16_t)(words * 8u);
}

size_t capy_mig_target_output(struct capy_mig_target *m, const struct capy_mig_env *env, uint8_t *p)
{
    if (!m->ack_owed || env->now < m->repeat.send_at)
        return 0;
    struct capy_mig_msg msg = {
        .origin = m->origin,
        .target = env->self,
        .mig_id = m->mig_id,
        .epoch = m->epoch,
        .target_port = m->target_port,
        .key = m->key,
    };
    switch (m->phase) {
    case CAPY_TARGET_HOLDING:
        msg.type = CAPY_MIG_PREPARE_MIG_ACK;
        capy_mig_repeat_sent(&m->repeat, env, env->target_pace);
        break;
    case CAPY_TARGET_RECEIVING:
        msg.type = CAPY_MIG_CONN_STATE_ACK;
        msg.total = capy_mig_wire_total(m->total, m->sealed);
        output_bitmap(m, &msg, p);
        m->untold = 0;
        m->tell_at = env->now + env->cfg->rto_ns / TELL_PER_RTO;
        m->ack_owed = false;
        m->repeat.send_at = CAPY_NEVER;
        break;
    case CAPY_TARGET_DONE:
        msg.type = CAPY_MIG_CONN_STATE_ACK;
        msg.total = msg.offset = capy_mig_wire_total(m->total, m->sealed);
        m->ack_owed = false;
        m->repeat.send_at = CAPY_NEVER;
        break;
    case CAPY_TARGET_NACKING:
        msg.type = CAPY_MIG_NACK;
        msg.reason = m->reason;
        capy_mig_repeat_sent(&m->repeat, env, env->target_pace);
        break;
    }
    return capy_mig_say(p, env->tagger, &msg);
}

uint64_t capy_mig_target_next_at(const struct capy_mig_target *m)
{
    return capy_min64(m->ack_owed ? m->repeat.send_at : CAPY_NEVER, m->give_up_at);
}

enum capy_mig_action capy_mig_target_expire(struct capy_mig_target *m,
                                            const struct capy_mig_env *env)
{
    if (env->now < m->give_up_at)
        return CAPY_MIG_DO_NOTHING;
    if (m->phase == CAPY_TARGET_NACKING)
        return CAPY_MIG_DO_DROP;
    capy_mig_target_refuse(m, env, CAPY_REASON_HOLD_EXPIRED);
    return CAPY_MIG_DO_NOTHING;
}

/* ---- held frames ---- */

bool capy_mig_target_hold(struct capy_mig_target *m, const struct capy_mig_env *env,
                          const uint8_t *frame, size_t len)
{
    uint8_t head[HELD_LEN_BYTES];
    CAPY_ASSERT(len >= 1 && len <= CAPY_FRAME_MAX);
    uint64_t bytes = m->held_end - m->held_read;
    if (m->held_frames >= env->cfg->hold_frames_max ||
        bytes + HELD_LEN_BYTES + len > env->cfg->hold_bytes_max)
        return false;
    uint32_t need = (uint32_t)(HELD_LEN_BYTES + len);
    if (capy_stream_room(&m->held, env->blocks, m->held_end, need) < need)
        return false;
    capy_store16(head, (uint16_t)len);
    if (capy_stream_write(&m->held, env->blocks, m->held_end, head, HELD_LEN_BYTES) != CAPY_OK ||
        capy_stream_write(&m->held, env->blocks, m->held_end + HELD_LEN_BYTES, frame,
                          (uint32_t)len) != CAPY_OK)
        return false; /* room was asked for above: not reached */
    m->held_end += need;
    m->held_frames++;
    return true;
}

size_t capy_mig_target_unhold(struct capy_mig_target *m, const struct capy_mig_env *env, uint8_t *p)
{
    uint8_t head[HELD_LEN_BYTES];
    if (m->held_frames == 0)
        return 0;
    capy_stream_read(&m->held, env->blocks, m->held_read, head, HELD_LEN_BYTES);
    uint32_t len = capy_load16(head);
    capy_stream_read(&m->held, env->blocks, m->held_read + HELD_LEN_BYTES, p, len);
    m->held_read += HELD_LEN_BYTES + len;
    m->held_frames--;
    capy_stream_trim(&m->held, env->blocks, m->held_read);
    if (m->held_frames == 0)
        capy_stream_clear(&m->held, env->blocks);
    return len;
}

void capy_mig_target_free(struct capy_mig_target *m, const struct capy_mig_env *env)
{
    capy_stream_clear(&m->state, env->blocks);
    capy_stream_clear(&m->held, env->blocks);
    m->held_frames = 0;
}
