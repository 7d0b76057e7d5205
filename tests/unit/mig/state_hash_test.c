/* The payload hash of CONN_STATE: what it depends on, and what is never good. */
#include "mig/mig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct capy_mig_env env;
static uint8_t payload[CAPY_MIG_PAYLOAD_MAX + 1];

static struct capy_mig_msg fragment(uint16_t length)
{
    return (struct capy_mig_msg){.type = CAPY_MIG_CONN_STATE,
                                 .origin = 3,
                                 .mig_id = 0x1112131415161718u,
                                 .epoch = 5,
                                 .offset = CAPY_MIG_PAYLOAD_MAX,
                                 .length = length,
                                 .payload = payload};
}

static int make(void **state)
{
    (void)state;
    capy_mig_state_key_init(&env.state_key, (struct capy_key){1, 2});
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 3u + 1u);
    return 0;
}

static uint64_t hash(const struct capy_mig_msg *msg)
{
    return capy_mig_state_hash(&env, msg, payload);
}

static void it_depends_on_payload_and_name(void **state)
{
    (void)state;
    struct capy_mig_msg msg = fragment(143), other;
    uint64_t was = hash(&msg);
    for (size_t bit = 0; bit < 143 * 8; bit++) {
        payload[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(hash(&msg), was);
        payload[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
#define DIFFERS(change)                                                                            \
    do {                                                                                           \
        other = msg;                                                                               \
        change;                                                                                    \
        assert_int_not_equal(hash(&other), was);                                                   \
    } while (0)
    DIFFERS(other.mig_id++);
    DIFFERS(other.epoch++);
    DIFFERS(other.origin++);
    DIFFERS(other.offset += CAPY_MIG_PAYLOAD_MAX);
    DIFFERS(other.length--);
#undef DIFFERS
    capy_mig_state_key_init(&env.state_key, (struct capy_key){1, 3});
    assert_int_not_equal(hash(&msg), was);
}

static void good_is_the_right_hash_of_a_length_that_there_is(void **state)
{
    (void)state;
    struct capy_mig_msg msg = fragment(CAPY_MIG_PAYLOAD_MAX);
    msg.payload_hash = hash(&msg);
    assert_true(capy_mig_state_is_good(&env, &msg));
    msg.payload_hash++;
    assert_false(capy_mig_state_is_good(&env, &msg));
    msg = fragment(CAPY_MIG_PAYLOAD_MAX + 1); /* whatever its hash: it is not taken */
    assert_false(capy_mig_state_is_good(&env, &msg));
}

static void a_sealed_payload_vouches_for_itself(void **state)
{
    (void)state;
    struct capy_mig_msg msg = fragment(143);
    msg.flags = CAPY_MIG_FLAG_SEALED;
    assert_int_equal(hash(&msg), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_depends_on_payload_and_name, make),
        cmocka_unit_test_setup(good_is_the_right_hash_of_a_length_that_there_is, make),
        cmocka_unit_test_setup(a_sealed_payload_vouches_for_itself, make),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
