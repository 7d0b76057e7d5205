/* The payload hash of CONN_STATE (docs/protocol.md, section 1): of a state by the kilobyte, so not SipHash over
 * every byte of it, but NH, and SipHash over what that yields and what names the fragment. No name meets a second
 * payload (as no nonce of seal.c does), so nobody who listens, however long, sees two sums collide.
 * Owns nothing; called by origin.c, and by the stack before it believes a state. */
#include "mig/message.h"

enum { NAMED_LEN = 32 }; /* bytes of name and sum */

void capy_mig_state_key_init(struct capy_mig_state_key *k, struct capy_key rack_key)
{
    static const uint8_t k0[] = "capybara conn_state hash 0", k1[] = "capybara conn_state hash 1";
    k->last = (struct capy_key){capy_siphash24(rack_key, k0, sizeof k0 - 1u),
                                capy_siphash24(rack_key, k1, sizeof k1 - 1u)};
    capy_nh_key_init(&k->nh, rack_key, 'h');
}

uint64_t capy_mig_state_hash(const struct capy_mig_env *env, const struct capy_mig_msg *msg,
                             const uint8_t *payload)
{
    if (msg->flags & CAPY_MIG_FLAG_SEALED)
        return 0;
    struct capy_nh_sum sum = capy_nh(&env->state_key.nh, payload, msg->length);
    uint16_t fragment = (uint16_t)(msg->offset / CAPY_MIG_PAYLOAD_MAX);
    uint64_t rest = (uint64_t)msg->epoch << 32 | (uint32_t)msg->origin << 16 | fragment;
    struct capy_sip s = capy_sip_begin(env->state_key.last);
    capy_sip_take(&s, __builtin_bswap64(msg->mig_id)); /* big-endian, as in a message */
    capy_sip_take(&s, __builtin_bswap64(rest));
    capy_sip_take(&s, __builtin_bswap64(sum.high));
    capy_sip_take(&s, __builtin_bswap64(sum.low));
    return capy_sip_finish(&s, (uint64_t)NAMED_LEN << 56);
}

bool capy_mig_state_is_good(const struct capy_mig_env *env, const struct capy_mig_msg *msg)
{
    return msg->length <= CAPY_MIG_PAYLOAD_MAX &&
           msg->payload_hash == capy_mig_state_hash(env, msg, msg->payload);
}
