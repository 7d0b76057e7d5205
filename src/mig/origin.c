/* The origin side of one migration (design §5; state diagram in mig.h; rules in docs/protocol.md).
 * Messages and `now` go in; at most one action, and messages when asked, come out.
 *
 * What makes it safe: a running origin may always fall back to serving; a frozen one goes on only
 * when the switch says that the flow is its own at a higher epoch, and lets go only on the final
 * CONN_STATE_ACK or on proof that the flow moved on. The slot is the stack's; the snapshot in it
 * borrows the frozen connection. */
#include "base/assert.h"
#include "mig/message.h"
#include "mig/pace.h"
#include "mig/window.h"
#include <string.h>

static void go_preparing(struct capy_mig_origin *m, const struct capy_mig_env *env)
{
    m->phase = CAPY_ORIGIN_PREPARING;
    m->give_up_at = env->now + capy_mig_patience(env->origin_pace, env->cfg->prepare_ns);
    capy_mig_repeat_begin(&m->repeat, env, env->origin_pace);
}

static void go_granted(struct capy_mig_origin *m, const struct capy_mig_env *env)
{
    m->phase = CAPY_ORIGIN_GRANTED;
    m->repeat.send_at = CAPY_NEVER;
    m->give_up_at = env->now + env->cfg->release_ns;
}

/* Fragments may go out now, and state_ns begins anew. */
static void send_on(struct capy_mig_origin *m, const struct capy_mig_env *env)
{
    m->give_up_at = env->now + capy_mig_patience(env->origin_pace, env->cfg->state_ns);
    m->waiting = false;
    capy_mig_repeat_begin(&m->repeat, env, env->origin_pace);
}

/* (Re)enters SENDING; a pass over the unacknowledged fragments is owed at once. */
static void go_sending(struct capy_mig_origin *m, const struct capy_mig_env *env)
{
    m->phase = CAPY_ORIGIN_SENDING;
    send_on(m, env);
    capy_mig_window_pass(&m->window, true);
}

/* CANCEL is repeated until answered, however long: only the switch can say whose the flow is. */
static void go_cancelling(struct capy_mig_origin *m, const struct capy_mig_env *env)
{
    m->phase = CAPY_ORIGIN_CANCELLING;
    m->give_up_at = CAPY_NEVER;
    capy_mig_repeat_begin(&m->repeat, env, env->origin_pace);
}

void capy_mig_origin_start(struct capy_mig_origin *m, const struct capy_mig_env *env,
                           const struct capy_flow_key *key, uint64_t mig_id, uint32_t epoch,
                           uint16_t target)
{
    CAPY_ASSERT(epoch >= 1 && target != env->self);
    memset(m, 0, offsetof(struct capy_mig_origin, snap));
    m->target = target;
    m->mig_id = mig_id;
    m->epoch = epoch;
    m->epoch_after = epoch - 1u;
    m->key = *key;
    m->started_at = env->now;
    go_preparing(m, env);
}

void capy_mig_origin_frozen(struct capy_mig_origin *m, const struct capy_mig_env *env)
{
    CAPY_ASSERT(m->phase == CAPY_ORIGIN_GRANTED);
    m->frozen = true;
    uint32_t cnt = capy_mig_fragment_cnt(capy_snap_len(&m->snap), env->seal);
    if (cnt > CAPY_MIG_FRAGMENT_MAX) { /* more than a bitmap can name: it stays */
        m->reason = CAPY_REASON_FULL;
        go_cancelling(m, env);
        return;
    }
    capy_mig_window_open(&m->window, cnt);
    go_sending(m, env);
}

void capy_mig_origin_veto(struct capy_mig_origin *m, const struct capy_mig_env *env)
{
    CAPY_ASSERT(m->phase == CAPY_ORIGIN_GRANTED);
    m->reason = CAPY_REASON_APP_VETO;
    go_cancelling(m, env);
}

/* ---- input ---- */

/* The switch told how the entry stands. Only an epoch above ours proves anything: ours, settled:
 * serve on from there. PENDING with us as owner is somebody else's flow on its way to us. */
static enum capy_mig_action learn(struct capy_mig_origin *m, const struct capy_mig_env *env,
                                  const struct capy_mig_msg *msg)
{
    if (msg->entry_epoch <= m->epoch)
        return CAPY_MIG_DO_NOTHING;
    if (m->verdict == CAPY_VERDICT_NONE && msg->verdict != CAPY_VERDICT_OK)
        m->verdict = msg->verdict; /* CANCEL's OK does not say why it was sent */
    if (msg->owner == env->self && msg->phase == CAPY_PHASE_SETTLED) {
        m->epoch_after = msg->entry_epoch;
        return CAPY_MIG_DO_RESUME;
    }
    /* Somebody else's. A frozen copy goes; a running connection is not ours to stop here. */
    return m->frozen ? CAPY_MIG_DO_RELEASE : CAPY_MIG_DO_RESUME;
}

/* PREPARE_MIG led nowhere, and nothing burned its epoch. When more than one copy left us another
 * one may still install a target, so the epoch is burned first; the connection serves meanwhile. */
static enum capy_mig_action turned_down(struct capy_mig_origin *m, const struct capy_mig_env *env,
                                        const struct capy_mig_msg *msg)
{
    if (m->phase != CAPY_ORIGIN_PREPARING)
        return CAPY_MIG_DO_NOTHING;
    m->verdict = msg->verdict;
    if (m->repeat.copies > 1) {
        go_cancelling(m, env);
        return CAPY_MIG_DO_NOTHING;
    }
    return CAPY_MIG_DO_RESUME;
}

static enum capy_mig_action input_prepare(struct capy_mig_origin *m, const struct capy_mig_env *env,
                                          const struct capy_mig_msg *msg)
{
    switch ((enum capy_mig_verdict)msg->verdict) {
    case CAPY_VERDICT_STALE:
        if (msg->entry_epoch == m->epoch) /* another copy of ours got through */
            return CAPY_MIG_DO_NOTHING;
        if (msg->entry_epoch > m->epoch)
            return learn(m, env, msg);
        if (m->phase == CAPY_ORIGIN_PREPARING) { /* the switch forgot: CANCEL teaches it again */
            m->verdict = msg->verdict;
            go_cancelling(m, env);
        }
        return CAPY_MIG_DO_NOTHING;
    case CAPY_VERDICT_NO_TARGET:
    case CAPY_VERDICT_LEARNING:
    case CAPY_VERDICT_FULL:
        return turned_down(m, env, msg);
    case CAPY_VERDICT_NONE:
    case CAPY_VERDICT_OK:
    case CAPY_VERDICT_SETTLED:
    case CAPY_VERDICT_CNT:
        break;
    }
    return CAPY_MIG_DO_NOTHING;
}

/* Passed on by the switch: with OK it installed the target, otherwise it says why it did not. */
static enum capy_mig_action input_prepare_ack(struct capy_mig_origin *m,
                                              const struct capy_mig_env *env,
                                              const struct capy_mig_msg *msg)
{
    switch ((enum capy_mig_verdict)msg->verdict) {
    case CAPY_VERDICT_OK:
        if (m->phase != CAPY_ORIGIN_PREPARING)
            return CAPY_MIG_DO_NOTHING; /* a repeat; or too late, and CANCEL decides */
        capy_mig_repeat_answered(&m->repeat, env, env->origin_pace);
        m->target = msg->target;
        m->target_port = msg->target_port;
        go_granted(m, env);
        return CAPY_MIG_DO_FREEZE;
    case CAPY_VERDICT_FULL:
    case CAPY_VERDICT_NO_TARGET:
    case CAPY_VERDICT_LEARNING:
        return turned_down(m, env, msg);
    case CAPY_VERDICT_STALE:
        return input_prepare(m, env, msg);
    case CAPY_VERDICT_NONE:
    case CAPY_VERDICT_SETTLED:
    case CAPY_VERDICT_CNT:
        break;
    }
    return CAPY_MIG_DO_NOTHING;
}

/* CONN_STATE that the switch did not pass. */
static enum capy_mig_action input_state_bounced(struct capy_mig_origin *m,
                                                const struct capy_mig_env *env,
                                                const struct capy_mig_msg *msg)
{
    if (!m->frozen)
        return CAPY_MIG_DO_NOTHING;
    if (msg->verdict == CAPY_VERDICT_STALE)
        return learn(m, env, msg);
    if (msg->verdict == CAPY_VERDICT_NO_TARGET && m->phase == CAPY_ORIGIN_SENDING) {
        m->verdict = msg->verdict;
        go_cancelling(m, env);
    }
    return CAPY_MIG_DO_NOTHING; /* LEARNING: the repeat timer carries on */
}

/* The target told what it has. News are progress: the timers start again, and whatever the window
 * now lets through goes out at once. */
static void input_bitmap(struct capy_mig_origin *m, const struct capy_mig_env *env,
                         const struct capy_mig_msg *msg)
{
    struct capy_mig_window *w = &m->window;
    uint32_t sent = w->next; /* the newest fragment under way is the one before it */
    bool open = sent > 0 && !capy_mig_bit(w->done, sent - 1u);
    if (m->phase != CAPY_ORIGIN_SENDING || !capy_mig_window_ack(w, msg->payload, msg->length))
        return;
    if (open && capy_mig_bit(w->done, sent - 1u))
        capy_mig_repeat_answered(&m->repeat, env, env->origin_pace);
    send_on(m, env);
}

static enum capy_mig_action input_state_ack(struct capy_mig_origin *m,
                                            const struct capy_mig_env *env,
                                            const struct capy_mig_msg *msg)
{
    if (!m->frozen || msg->verdict == CAPY_VERDICT_STALE ||
        msg->total != capy_mig_wire_total(capy_snap_len(&m->snap), env->seal))
        return CAPY_MIG_DO_NOTHING;
    if (msg->offset == msg->total) {
        if (m->phase == CAPY_ORIGIN_SENDING)
            capy_mig_repeat_answered(&m->repeat, env, env->origin_pace);
        return CAPY_MIG_DO_RELEASE;
    }
    input_bitmap(m, env, msg);
    return CAPY_MIG_DO_NOTHING;
}

static enum capy_mig_action input_cancel_answer(struct capy_mig_origin *m,
                                                const struct capy_mig_env *env,
                                                const struct capy_mig_msg *msg)
{
    switch ((enum capy_mig_verdict)msg->verdict) {
    case CAPY_VERDICT_OK:
    case CAPY_VERDICT_STALE:
        return learn(m, env, msg);
    case CAPY_VERDICT_SETTLED:
        if (m->phase != CAPY_ORIGIN_CANCELLING)
            return CAPY_MIG_DO_NOTHING;
        if (!m->frozen) { /* no state left us: the entry is another connection's of this name */
            m->verdict = msg->verdict;
            return CAPY_MIG_DO_RESUME;
        }
        go_sending(m, env); /* keep the copy: it may yet be lost */
        return CAPY_MIG_DO_NOTHING;
    case CAPY_VERDICT_FULL:
        /* The epoch could not be burned. A running connection need not care: should the old
         * grant still come, the target's hold expires and gives the flow back. */
        if (m->phase != CAPY_ORIGIN_CANCELLING || m->frozen)
            return CAPY_MIG_DO_NOTHING;
        m->verdict = msg->verdict;
        return CAPY_MIG_DO_RESUME;
    case CAPY_VERDICT_NONE:
    case CAPY_VERDICT_NO_TARGET:
    case CAPY_VERDICT_LEARNING: /* asked again until it has learned */
    case CAPY_VERDICT_CNT:
        break;
    }
    return CAPY_MIG_DO_NOTHING;
}

/* The target refused or gave back. The switch wrote the result beside it; when it had no slot to
 * burn the epoch in (entry_epoch below ours) the refusal counts as any other. */
static enum capy_mig_action input_nack(struct capy_mig_origin *m, const struct capy_mig_env *env,
                                       const struct capy_mig_msg *msg)
{
    m->reason = msg->reason;
    if (msg->entry_epoch > m->epoch)
        return learn(m, env, msg);
    return turned_down(m, env, msg);
}

enum capy_mig_action capy_mig_origin_input(struct capy_mig_origin *m,
                                           const struct capy_mig_env *env,
                                           const struct capy_mig_msg *msg)
{
    /* Whoever asks us to take this flow at a higher epoch owns it: a frozen copy is out of date. */
    if (msg->type == CAPY_MIG_PREPARE_MIG && msg->origin != env->self)
        return m->frozen && msg->epoch > m->epoch ? CAPY_MIG_DO_RELEASE : CAPY_MIG_DO_NOTHING;
    if (msg->mig_id != m->mig_id || msg->epoch != m->epoch || msg->origin != env->self)
        return CAPY_MIG_DO_NOTHING;

    switch ((enum capy_mig_type)msg->type) {
    case CAPY_MIG_PREPARE_MIG:
        return input_prepare(m, env, msg);
    case CAPY_MIG_PREPARE_MIG_ACK:
        return input_prepare_ack(m, env, msg);
    case CAPY_MIG_CONN_STATE:
        return input_state_bounced(m, env, msg);
    case CAPY_MIG_CONN_STATE_ACK:
        return input_state_ack(m, env, msg);
    case CAPY_MIG_CANCEL:
        return input_cancel_answer(m, env, msg);
    case CAPY_MIG_NACK:
        return input_nack(m, env, msg);
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

static void fill(struct capy_mig_msg *msg, const struct capy_mig_origin *m,
                 const struct capy_mig_env *env, enum capy_mig_type type)
{
    *msg = (struct capy_mig_msg){
        .type = (uint8_t)type,
        .reason = m->reason,
        .origin = env->self,
        .target = m->target,
        .mig_id = m->mig_id,
        .epoch = m->epoch,
        .target_port = m->local_port,
        .key = m->key,
    };
}

/* Takes the next fragment out of the window; behind its last one the repeat timer starts. */
static bool fragment_to_send(struct capy_mig_origin *m, const struct capy_mig_env *env,
                             uint32_t *idx)
{
    uint32_t following;
    if (m->waiting) /* in vain: the repeat timer */
        capy_mig_window_pass(&m->window, true);
    bool found = capy_mig_window_next(&m->window, idx);
    if (found)
        capy_mig_window_sent(&m->window);
    m->waiting = !found || !capy_mig_window_next(&m->window, &following);
    if (!found)
        m->repeat.send_at = env->now + m->repeat.interval_ns;
    else if (m->waiting)
        capy_mig_repeat_sent(&m->repeat, env, env->origin_pace);
    return found;
}

static size_t output_state(struct capy_mig_origin *m, const struct capy_mig_env *env, uint8_t *p)
{
    uint32_t idx, len = capy_snap_len(&m->snap), step = capy_mig_plain_max(env->seal);
    if (!fragment_to_send(m, env, &idx))
        return 0;
    struct capy_mig_msg msg;
    fill(&msg, m, env, CAPY_MIG_CONN_STATE);
    uint32_t at = idx * step, part = capy_min32(step, len - at);
    msg.target_port = m->target_port;
    msg.total = capy_mig_wire_total(len, env->seal);
    msg.offset = idx * CAPY_MIG_PAYLOAD_MAX;
    msg.length = (uint16_t)(part + (env->seal ? CAPY_SEAL_LEN : 0u));
    msg.flags = env->seal ? CAPY_MIG_FLAG_SEALED : 0;
    capy_snap_read(&m->snap, env->blocks, at, p + CAPY_MIG_HEADER_LEN, part);
    if (env->seal)
        capy_mig_seal(env->key, &msg, p + CAPY_MIG_HEADER_LEN, part);
    msg.payload_hash = capy_mig_state_hash(env, &msg, p + CAPY_MIG_HEADER_LEN);
    return capy_mig_say(p, env->tagger, &msg);
}

size_t capy_mig_origin_output(struct capy_mig_origin *m, const struct capy_mig_env *env, uint8_t *p)
{
    struct capy_mig_msg msg;
    if (env->now < m->repeat.send_at)
        return 0;
    switch (m->phase) {
    case CAPY_ORIGIN_PREPARING:
        fill(&msg, m, env, CAPY_MIG_PREPARE_MIG);
        msg.flags = m->opened ? CAPY_MIG_FLAG_OPENED : 0;
        capy_mig_repeat_sent(&m->repeat, env, env->origin_pace);
        return capy_mig_say(p, env->tagger, &msg);
    case CAPY_ORIGIN_SENDING:
        return output_state(m, env, p);
    case CAPY_ORIGIN_CANCELLING:
        fill(&msg, m, env, CAPY_MIG_CANCEL);
        capy_mig_repeat_sent(&m->repeat, env, env->origin_pace);
        return capy_mig_say(p, env->tagger, &msg);
    case CAPY_ORIGIN_GRANTED:
        break;
    }
    return 0;
}

uint64_t capy_mig_origin_next_at(const struct capy_mig_origin *m)
{
    return capy_min64(m->repeat.send_at, m->give_up_at);
}

/* What was waited for in vain: the name under which an operator sees it. */
static enum capy_mig_reason late(enum capy_mig_origin_phase phase)
{
    switch (phase) {
    case CAPY_ORIGIN_PREPARING:
        return CAPY_REASON_NO_ANSWER;
    case CAPY_ORIGIN_GRANTED:
        return CAPY_REASON_APP_LATE;
    case CAPY_ORIGIN_SENDING:
        return CAPY_REASON_STATE_LATE;
    case CAPY_ORIGIN_CANCELLING:
        break; /* never gives up */
    }
    return CAPY_REASON_NONE;
}

enum capy_mig_action capy_mig_origin_expire(struct capy_mig_origin *m,
                                            const struct capy_mig_env *env)
{
    if (env->now >= m->give_up_at) {
        m->reason = (uint8_t)late(m->phase);
        go_cancelling(m, env);
    }
    return CAPY_MIG_DO_NOTHING;
}
