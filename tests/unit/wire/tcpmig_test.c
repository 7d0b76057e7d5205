/* wire/tcpmig: layout, round trips, and each way a message can be bad, by name. */
#include "base/prng.h"
#include "wire/tcpmig_header.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

static const struct capy_key key = {0x0123456789abcdefu, 0xfedcba9876543210u};

static struct capy_mig_msg sample(void)
{
    return (struct capy_mig_msg){
        .type = CAPY_MIG_CONN_STATE_ACK,
        .reason = CAPY_REASON_CLASH,
        .flags = CAPY_MIG_FLAG_SEALED,
        .verdict = CAPY_VERDICT_STALE,
        .phase = CAPY_PHASE_PENDING,
        .origin = 0x0102,
        .target = CAPY_SERVER_ANY,
        .mig_id = 0x1112131415161718u,
        .epoch = 0x21222324u,
        .total = 1000,
        .offset = 900,
        .length = 100,
        .target_port = 61440,
        .key = {capy_ip_from_v4(0x0a000109u), capy_ip_from_v4(0x0a000001u), 50123, 80},
        .owner = 0x3132,
        .entry_epoch = 0x41424344u,
    };
}

/* A built message with payload bytes 0, 1, 2...; returns its length. */
static size_t build_sample(uint8_t *p, const struct capy_mig_msg *msg)
{
    for (uint16_t i = 0; i < msg->length; i++)
        p[CAPY_MIG_HEADER_LEN + i] = (uint8_t)i;
    return capy_mig_build(p, key, msg);
}

/* SipHash-1-3 of what docs/protocol.md says, in its order. */
static uint64_t documented_tag(struct capy_key k, const uint8_t *p)
{
    uint8_t bytes[76];
    memcpy(bytes, p + 8, 8);       /* mig_id */
    memcpy(bytes + 8, p + 32, 36); /* the flow key */
    memcpy(bytes + 44, p + 16, 4); /* epoch */
    memcpy(bytes + 48, p + 24, 8); /* offset, length, target_port */
    memcpy(bytes + 56, p, 8);      /* version, type, reason, flags, origin, target */
    memcpy(bytes + 64, p + 72, 8); /* payload hash */
    memcpy(bytes + 72, p + 20, 4); /* total */
    return capy_siphash13(k, bytes, sizeof bytes);
}

static void layout_is_the_documented_one(void **state)
{
    (void)state;
    uint8_t p[CAPY_MIG_HEADER_LEN + 100];
    struct capy_mig_msg msg = sample();
    memset(p, 0xee, sizeof p);
    assert_int_equal(build_sample(p, &msg), sizeof p);
    static const uint8_t head[32] = {
        3,    4,    3,    1,    1, 2, 0xff, 0xff, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18,
        0x21, 0x22, 0x23, 0x24, 0, 0, 0x03, 0xe8, 0,    0,    0x03, 0x84, 0,    100,  0xf0, 0x00,
    };
    assert_memory_equal(p, head, sizeof head);
    assert_memory_equal(p + 32, msg.key.client.b, 16);
    assert_memory_equal(p + 48, msg.key.home.b, 16);
    static const uint8_t ports[8] = {0xc3, 0xcb, 0, 80, 0, 0, 0, 0};
    assert_memory_equal(p + 64, ports, sizeof ports);
    assert_int_equal(capy_load64(p + 72), capy_siphash13(key, p + 96, 100));
    assert_int_equal(capy_load64(p + 80), documented_tag(key, p));
    msg.length = 0;
    msg.total = msg.offset;
    assert_int_equal(capy_mig_build(p, key, &msg), CAPY_MIG_HEADER_LEN);
    assert_int_equal(capy_load64(p + 72), 0); /* no payload */
    static const uint8_t by_switch[8] = {4, 1, 0x31, 0x32, 0x41, 0x42, 0x43, 0x44};
    assert_memory_equal(p + 88, by_switch, sizeof by_switch);
}

static void expect_same(const struct capy_mig_msg *a, const struct capy_mig_msg *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->reason, b->reason);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->verdict, b->verdict);
    assert_int_equal(a->phase, b->phase);
    assert_int_equal(a->origin, b->origin);
    assert_int_equal(a->target, b->target);
    assert_int_equal(a->mig_id, b->mig_id);
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->total, b->total);
    assert_int_equal(a->offset, b->offset);
    assert_int_equal(a->length, b->length);
    assert_int_equal(a->target_port, b->target_port);
    assert_true(capy_flow_key_eq(&a->key, &b->key));
    assert_int_equal(a->owner, b->owner);
    assert_int_equal(a->entry_epoch, b->entry_epoch);
}

static void every_type_and_length_round_trips(void **state)
{
    (void)state;
    static const uint16_t length[] = {0, 1, 7, 8, 100, CAPY_MIG_PAYLOAD_MAX};
    for (uint8_t type = CAPY_MIG_PREPARE_MIG; type < CAPY_MIG_TYPE_END; type++)
        for (size_t i = 0; i < sizeof length / sizeof length[0]; i++) {
            uint8_t p[CAPY_MIG_HEADER_LEN + CAPY_MIG_PAYLOAD_MAX];
            struct capy_mig_msg msg = sample(), back;
            msg.type = type;
            msg.length = length[i];
            msg.total = UINT32_MAX;
            msg.offset = UINT32_MAX - length[i];
            size_t len = build_sample(p, &msg);
            assert_int_equal(len, CAPY_MIG_HEADER_LEN + length[i]);
            assert_int_equal(capy_mig_parse(p, len, key, &back), CAPY_MIG_GOOD);
            expect_same(&back, &msg);
            assert_ptr_equal(back.payload, p + CAPY_MIG_HEADER_LEN);
        }
}

static void any_flipped_bit_under_the_tag_is_refused(void **state)
{
    (void)state;
    uint8_t p[CAPY_MIG_HEADER_LEN + 100];
    struct capy_mig_msg msg = sample(), back;
    size_t len = build_sample(p, &msg);
    for (size_t bit = 0; bit < len * 8; bit++) {
        size_t at = bit / 8;
        p[at] ^= (uint8_t)(1u << bit % 8);
        enum capy_mig_bad bad = capy_mig_parse(p, len, key, &back);
        bool by_switch = at >= CAPY_MIG_SWITCH_AT && at < CAPY_MIG_HEADER_LEN;
        bool zero = at >= 68 && at < 72; /* nobody looks at it */
        assert_int_equal(bad == CAPY_MIG_GOOD, by_switch || zero);
        if (at >= CAPY_MIG_HEADER_LEN)
            assert_int_equal(bad, CAPY_MIG_BAD_HASH);
        if (at >= 30 && at < CAPY_MIG_SWITCH_AT && !zero)
            assert_int_equal(bad, CAPY_MIG_BAD_TAG);
        p[at] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(capy_mig_parse(p, len, key, &back), CAPY_MIG_GOOD);
}

/* Makes the tag right again, so that only the check under test can refuse. */
static void retag(uint8_t *p)
{
    capy_store64(p + 80, documented_tag(key, p));
}

static void each_defect_has_its_name(void **state)
{
    (void)state;
    uint8_t good[CAPY_MIG_HEADER_LEN + 100], p[sizeof good];
    struct capy_mig_msg msg = sample(), back;
    size_t len = build_sample(good, &msg);

#define EXPECT(name, change)                                                                       \
    do {                                                                                           \
        memcpy(p, good, len);                                                                      \
        change;                                                                                    \
        retag(p);                                                                                  \
        assert_int_equal(capy_mig_parse(p, len, key, &back), name);                                \
    } while (0)

    EXPECT(CAPY_MIG_GOOD, (void)0);
    EXPECT(CAPY_MIG_BAD_VERSION, p[0] = 0);
    EXPECT(CAPY_MIG_BAD_VERSION, p[0] = 2);
    EXPECT(CAPY_MIG_BAD_VERSION, p[0] = 4);
    EXPECT(CAPY_MIG_BAD_TYPE, p[1] = 0);
    EXPECT(CAPY_MIG_BAD_TYPE, p[1] = CAPY_MIG_TYPE_END);
    EXPECT(CAPY_MIG_BAD_LENGTH, capy_store16(p + 28, 101)); /* beyond the datagram */
    EXPECT(CAPY_MIG_BAD_LENGTH, capy_store16(p + 28, 99));  /* bytes that nobody tagged */
    EXPECT(CAPY_MIG_BAD_LENGTH, capy_store32(p + 20, 999)); /* beyond total */
    EXPECT(CAPY_MIG_BAD_LENGTH, capy_store32(p + 24, 901));
    EXPECT(CAPY_MIG_BAD_LENGTH, capy_store32(p + 24, UINT32_MAX)); /* the sum wraps 32 bits */
    EXPECT(CAPY_MIG_BAD_HASH, p[CAPY_MIG_HEADER_LEN] ^= 1);
    EXPECT(CAPY_MIG_BAD_HASH, capy_store64(p + 72, 0));
#undef EXPECT
    memcpy(p, good, len);
    p[80] ^= 1;
    assert_int_equal(capy_mig_parse(p, len, key, &back), CAPY_MIG_BAD_TAG);
    struct capy_key other = {key.k0, key.k1 ^ 1};
    assert_int_equal(capy_mig_parse(good, len, other, &back), CAPY_MIG_BAD_TAG);
}

/* What a tagger remembers of earlier messages changes no tag: of messages that share a place in it, differ in one
 * field that a migration's have in common, or in none of them. */
static void a_taggers_memory_changes_nothing(void **state)
{
    (void)state;
    uint8_t p[CAPY_MIG_HEADER_LEN + 100], q[sizeof p];
    struct capy_mig_tagger tagger;
    struct capy_mig_msg back;
    struct capy_prng r;
    capy_prng_seed(&r, 7);
    capy_mig_tagger_init(&tagger, key);
    struct capy_mig_msg msg = {.type = CAPY_MIG_CANCEL}; /* of zeros, as in a new tagger */
    for (unsigned n = 0; n < 4000; n++) {
        size_t len = build_sample(p, &msg);
        memcpy(q + CAPY_MIG_HEADER_LEN, p + CAPY_MIG_HEADER_LEN, msg.length);
        assert_int_equal(capy_mig_say(q, &tagger, &msg), len);
        assert_memory_equal(p, q, len);
        assert_int_equal(capy_mig_hear(p, len, &tagger, &back), CAPY_MIG_GOOD);
        p[80 + n % 8] ^= (uint8_t)(1u << n / 8 % 8);
        assert_int_equal(capy_mig_hear(p, len, &tagger, &back), CAPY_MIG_BAD_TAG);
        if (n % 3 == 0)
            msg = sample();
        msg.type = (uint8_t)(1 + n % 10);
        if (msg.type == CAPY_MIG_CONN_STATE)
            msg.type = CAPY_MIG_NACK;
        uint8_t *common[] = {(uint8_t *)&msg.mig_id, (uint8_t *)&msg.key, (uint8_t *)&msg.epoch};
        static const size_t size[] = {sizeof msg.mig_id, sizeof msg.key, sizeof msg.epoch};
        uint64_t which = capy_prng_next(&r) % 4, at = capy_prng_next(&r);
        if (which < 3)
            common[which][at % size[which]] ^= (uint8_t)(1u << (at >> 32) % 8);
    }
}

/* It is as long as states are, and under another key: src/mig/state_hash.c. */
static void the_hash_of_a_state_is_its_senders_word(void **state)
{
    (void)state;
    uint8_t p[CAPY_MIG_HEADER_LEN + 100];
    struct capy_mig_msg msg = sample(), back;
    msg.type = CAPY_MIG_CONN_STATE;
    msg.payload_hash = 0x5152535455565758u;
    size_t len = build_sample(p, &msg);
    assert_int_equal(capy_load64(p + 72), 0x5152535455565758u);
    p[CAPY_MIG_HEADER_LEN] ^= 1;
    assert_int_equal(capy_mig_parse(p, len, key, &back), CAPY_MIG_GOOD);
    assert_int_equal(back.payload_hash, msg.payload_hash);
    p[72] ^= 1;
    assert_int_equal(capy_mig_parse(p, len, key, &back), CAPY_MIG_BAD_TAG);
}

static void truncated_is_short_or_of_bad_length(void **state)
{
    (void)state;
    uint8_t p[CAPY_MIG_HEADER_LEN + 100];
    struct capy_mig_msg msg = sample(), back;
    size_t full = build_sample(p, &msg);
    for (size_t len = 0; len < full; len++) {
        uint8_t *cut = malloc(len + 1); /* exact, for the address sanitizer */
        assert_non_null(cut);
        memcpy(cut + 1, p, len);
        assert_int_equal(capy_mig_parse(cut + 1, len, key, &back),
                         len < CAPY_MIG_HEADER_LEN ? CAPY_MIG_BAD_SHORT : CAPY_MIG_BAD_LENGTH);
        free(cut);
    }
}

static void heartbeats_round_trip_at_their_exact_length(void **state)
{
    (void)state;
    struct capy_mig_heartbeat h = {1, 0x80000002u, 1, 4, 0x8000000000000005u, 6}, h2;
    uint8_t p[CAPY_MIG_HEARTBEAT_LEN + 1];
    capy_mig_heartbeat_store(p, &h);
    assert_int_equal(capy_load32(p + 4), 0x80000002u);
    assert_true(capy_mig_heartbeat_load(p, CAPY_MIG_HEARTBEAT_LEN, &h2));
    assert_memory_equal(&h, &h2, sizeof h);
    assert_false(capy_mig_heartbeat_load(p, CAPY_MIG_HEARTBEAT_LEN - 1, &h2));
    assert_false(capy_mig_heartbeat_load(p, CAPY_MIG_HEARTBEAT_LEN + 1, &h2));

    struct capy_mig_heartbeat_ack a = {0x8000000000000001u, 1, UINT32_MAX}, a2;
    capy_mig_heartbeat_ack_store(p, &a);
    assert_true(capy_mig_heartbeat_ack_load(p, CAPY_MIG_HEARTBEAT_ACK_LEN, &a2));
    assert_memory_equal(&a, &a2, sizeof a);
    assert_false(capy_mig_heartbeat_ack_load(p, CAPY_MIG_HEARTBEAT_ACK_LEN - 1, &a2));
    assert_false(capy_mig_heartbeat_ack_load(p, CAPY_MIG_HEARTBEAT_ACK_LEN + 1, &a2));
}

static void every_number_has_a_name(void **state)
{
    (void)state;
    for (unsigned i = CAPY_MIG_PREPARE_MIG; i < CAPY_MIG_TYPE_END; i++)
        assert_string_not_equal(capy_mig_type_name(i), "?");
    for (unsigned i = 0; i < CAPY_REASON_CNT; i++)
        assert_string_not_equal(capy_mig_reason_name(i), "?");
    for (unsigned i = 0; i < CAPY_VERDICT_CNT; i++)
        assert_string_not_equal(capy_mig_verdict_name(i), "?");
    for (unsigned i = 0; i < CAPY_MIG_BAD_CNT; i++)
        assert_string_not_equal(capy_mig_bad_name((enum capy_mig_bad)i), "?");
    assert_string_equal(capy_mig_type_name(0), "?");
    assert_string_equal(capy_mig_type_name(CAPY_MIG_TYPE_END), "?");
    assert_string_equal(capy_mig_reason_name(CAPY_REASON_CNT), "?");
    assert_string_equal(capy_mig_verdict_name(CAPY_VERDICT_CNT), "?");
    assert_string_equal(capy_mig_type_name(CAPY_MIG_PREPARE_MIG), "PREPARE_MIG");
    assert_string_equal(capy_mig_verdict_name(CAPY_VERDICT_NO_TARGET), "NO_TARGET");
    assert_string_equal(capy_mig_reason_name(CAPY_REASON_DRAINING), "draining");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_is_the_documented_one),
        cmocka_unit_test(every_type_and_length_round_trips),
        cmocka_unit_test(any_flipped_bit_under_the_tag_is_refused),
        cmocka_unit_test(each_defect_has_its_name),
        cmocka_unit_test(a_taggers_memory_changes_nothing),
        cmocka_unit_test(the_hash_of_a_state_is_its_senders_word),
        cmocka_unit_test(truncated_is_short_or_of_bad_length),
        cmocka_unit_test(heartbeats_round_trip_at_their_exact_length),
        cmocka_unit_test(every_number_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
