/* The messages that need no slot: a server's own (HEARTBEAT, ANNOUNCE, FLOW_CLOSED, "I do not run
 * this flow"), and the single answers of a target without a slot: a refusal, and the repeated final
 * CONN_STATE_ACK. In every message the sender is `origin`, but for the target's three
 * (PREPARE_MIG_ACK, CONN_STATE_ACK, NACK), where it is `target`. Also the default timers. */
#include "mig/message.h"

/* Reasons for the values: docs/protocol.md, "Timers". */
void capy_mig_cfg_default(struct capy_mig_cfg *cfg)
{
    *cfg = (struct capy_mig_cfg){
        .rto_ns = CAPY_US(500),
        .rto_max_ns = CAPY_MS(100),
        .prepare_ns = CAPY_MS(100),
        .release_ns = CAPY_MS(100),
        .state_ns = CAPY_MS(50),
        .hold_ns = CAPY_MS(1100),
        .hold_frames_max = 512,
        .hold_bytes_max = 512u * 1024u,
        .state_max = 1024u * 1024u,
    };
}

size_t capy_mig_announce(const struct capy_mig_env *env, const struct capy_flow_key *key,
                         uint32_t epoch, uint16_t local_port, bool frozen, uint8_t *p)
{
    const struct capy_mig_msg msg = {
        .type = CAPY_MIG_ANNOUNCE,
        .reason = frozen ? CAPY_ANNOUNCE_FROZEN : CAPY_ANNOUNCE_RUNNING,
        .origin = env->self,
        .target = CAPY_SERVER_ANY,
        .mig_id = env->now, /* comes back in the answer: which ANNOUNCE it answers */
        .epoch = epoch,
        .target_port = local_port,
        .key = *key,
    };
    return capy_mig_say(p, env->tagger, &msg);
}

size_t capy_mig_flow_closed(const struct capy_mig_env *env, const struct capy_flow_key *key,
                            uint32_t epoch, uint16_t local_port, uint8_t *p)
{
    const struct capy_mig_msg msg = {
        .type = CAPY_MIG_FLOW_CLOSED,
        .origin = env->self,
        .target = CAPY_SERVER_ANY,
        .epoch = epoch,
        .target_port = local_port,
        .key = *key,
    };
    return capy_mig_say(p, env->tagger, &msg);
}

size_t capy_mig_unknown_flow(const struct capy_mig_env *env, const struct capy_flow_key *key,
                             uint32_t epoch, uint8_t *p)
{
    const struct capy_mig_msg msg = {
        .type = CAPY_MIG_NACK,
        .reason = CAPY_REASON_UNKNOWN_FLOW,
        .origin = CAPY_SERVER_ANY,
        .target = env->self,
        .epoch = epoch,
        .key = *key,
    };
    return capy_mig_say(p, env->tagger, &msg);
}

size_t capy_mig_heartbeat_build(const struct capy_mig_env *env,
                                const struct capy_mig_heartbeat *beat, uint8_t *p)
{
    const struct capy_mig_msg msg = {
        .type = CAPY_MIG_HEARTBEAT,
        .origin = env->self,
        .target = CAPY_SERVER_ANY,
        .mig_id = env->now, /* comes back in HEARTBEAT_ACK: our lease runs from then */
        .total = CAPY_MIG_HEARTBEAT_LEN,
        .length = CAPY_MIG_HEARTBEAT_LEN,
    };
    capy_mig_heartbeat_store(p + CAPY_MIG_HEADER_LEN, beat);
    return capy_mig_say(p, env->tagger, &msg);
}

size_t capy_mig_refusal(const struct capy_mig_env *env, const struct capy_mig_msg *prepare,
                        enum capy_mig_reason reason, uint8_t *p)
{
    const struct capy_mig_msg msg = {
        .type = CAPY_MIG_NACK,
        .reason = (uint8_t)reason,
        .origin = prepare->origin,
        .target = env->self,
        .mig_id = prepare->mig_id,
        .epoch = prepare->epoch,
        .key = prepare->key,
    };
    return capy_mig_say(p, env->tagger, &msg);
}

size_t capy_mig_repeat_ack(const struct capy_mig_env *env, const struct capy_mig_msg *state,
                           uint8_t *p)
{
    const struct capy_mig_msg msg = {
        .type = CAPY_MIG_CONN_STATE_ACK,
        .origin = state->origin,
        .target = env->self,
        .mig_id = state->mig_id,
        .epoch = state->epoch,
        .total = state->total,
        .offset = state->total,
        .key = state->key,
    };
    return capy_mig_say(p, env->tagger, &msg);
}
