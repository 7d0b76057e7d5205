/* The target machine by script with explicit time (src/mig/target.c; docs/protocol.md, section 4). */
#include "script.h"

#include "mig/window.h"

struct target_stage {
    struct stage s;
    struct capy_mig_target m;
};

static struct capy_mig_msg from_origin(enum capy_mig_type type)
{
    return (struct capy_mig_msg){.type = (uint8_t)type,
                                 .verdict = CAPY_VERDICT_OK,
                                 .origin = OTHER,
                                 .target = SELF,
                                 .mig_id = MIG_ID,
                                 .epoch = EPOCH,
                                 .key = stage_flow()};
}

static void start(struct target_stage *t, uint32_t blocks)
{
    const struct capy_mig_msg prepare = from_origin(CAPY_MIG_PREPARE_MIG);
    stage_open(&t->s, blocks);
    capy_mig_target_start(&t->m, &t->s.env, &prepare, 61441);
}

static bool out(struct target_stage *t)
{
    return stage_take(&t->s, capy_mig_target_output(&t->m, &t->s.env, t->s.out));
}

static enum capy_mig_action fragment(struct target_stage *t, uint32_t total, uint32_t idx)
{
    uint8_t data[CAPY_MIG_PAYLOAD_MAX];
    struct capy_mig_msg msg = from_origin(CAPY_MIG_CONN_STATE);
    msg.total = total;
    msg.offset = idx * CAPY_MIG_PAYLOAD_MAX;
    msg.length = (uint16_t)capy_min32(CAPY_MIG_PAYLOAD_MAX, total - msg.offset);
    for (uint32_t i = 0; i < msg.length; i++)
        data[i] = stage_byte(msg.offset + i);
    msg.payload = data;
    return capy_mig_target_input(&t->m, &t->s.env, &msg);
}

static enum capy_mig_action bounced(struct target_stage *t, enum capy_mig_type type,
                                    enum capy_mig_verdict verdict, uint16_t owner,
                                    uint32_t entry_epoch)
{
    struct capy_mig_msg msg = from_origin(type);
    msg.verdict = (uint8_t)verdict;
    msg.phase = CAPY_PHASE_PENDING;
    msg.owner = owner;
    msg.entry_epoch = entry_epoch;
    return capy_mig_target_input(&t->m, &t->s.env, &msg);
}

static void finish(struct target_stage *t)
{
    capy_mig_target_free(&t->m, &t->s.env);
    stage_close(&t->s);
}

static void the_grant_is_repeated_until_the_state_comes(void **state)
{
    (void)state;
    struct target_stage t;
    start(&t, 8);
    for (int i = 0; i < 3; i++) {
        assert_true(out(&t));
        assert_int_equal(t.s.msg.type, CAPY_MIG_PREPARE_MIG_ACK);
        assert_int_equal(t.s.msg.target_port, 61441);
        assert_false(out(&t));
        t.s.env.now = capy_mig_target_next_at(&t.m);
    }
    const struct capy_mig_msg again = from_origin(CAPY_MIG_PREPARE_MIG);
    (void)out(&t);
    capy_mig_target_input(&t.m, &t.s.env, &again);
    assert_true(out(&t));
    assert_int_equal(fragment(&t, 3000, 0), CAPY_MIG_DO_NOTHING);
    t.s.env.now += t.s.cfg.rto_max_ns;
    assert_false(out(&t));
    finish(&t);
}

static void fragments_come_in_any_order_and_more_than_once(void **state)
{
    (void)state;
    struct target_stage t;
    uint8_t got[6000];
    start(&t, 16);
    assert_int_equal(fragment(&t, 6000, 3), CAPY_MIG_DO_NOTHING);
    assert_int_equal(fragment(&t, 6000, 1), CAPY_MIG_DO_NOTHING);
    assert_int_equal(fragment(&t, 6000, 1), CAPY_MIG_DO_NOTHING);
    assert_int_equal(fragment(&t, 6000, 4), CAPY_MIG_DO_NOTHING);
    assert_int_equal(fragment(&t, 6000, 0), CAPY_MIG_DO_NOTHING);
    assert_int_equal(fragment(&t, 6000, 2), CAPY_MIG_DO_IMPORT);
    assert_int_equal(t.m.total, 6000);
    capy_stream_read(&t.m.state, &t.s.blocks, 0, got, sizeof got);
    for (uint32_t i = 0; i < sizeof got; i++)
        assert_int_equal(got[i], stage_byte(i));
    capy_mig_target_imported(&t.m, &t.s.env);
    assert_true(out(&t));
    assert_int_equal(t.s.msg.type, CAPY_MIG_CONN_STATE_ACK);
    assert_int_equal(t.s.msg.offset, 6000);
    assert_int_equal(t.s.msg.total, 6000);
    assert_false(out(&t));
    assert_int_equal(fragment(&t, 6000, 4), CAPY_MIG_DO_NOTHING); /* its answer was lost */
    assert_true(out(&t));
    assert_int_equal(t.s.msg.offset, 6000);
    finish(&t);
}

static void gaps_are_told_once_early_and_at_every_last_fragment(void **state)
{
    (void)state;
    struct target_stage t;
    start(&t, 16);
    fragment(&t, 6000, 0);
    assert_false(out(&t));
    fragment(&t, 6000, 2);
    assert_true(out(&t));
    assert_int_equal(t.s.msg.type, CAPY_MIG_CONN_STATE_ACK);
    assert_int_equal(t.s.msg.offset, 0);
    assert_int_equal(capy_load64(t.s.msg.payload), 0x05);
    fragment(&t, 6000, 3);
    assert_false(out(&t));
    for (int i = 0; i < 2; i++) {
        fragment(&t, 6000, 4);
        assert_true(out(&t));
        assert_int_equal(capy_load64(t.s.msg.payload), 0x1d);
    }
    finish(&t);
}

static void every_half_window_is_told_of_at_once(void **state)
{
    (void)state;
    struct target_stage t;
    const uint32_t half = CAPY_MIG_WINDOW / 2u, total = 100u * CAPY_MIG_PAYLOAD_MAX;
    start(&t, 100);
    for (uint32_t i = 0; i < 2 * half; i++) {
        fragment(&t, total, i);
        assert_int_equal(out(&t), (i + 1u) % half == 0);
    }
    assert_int_equal(t.s.msg.length, 16);
    assert_true(capy_load64(t.s.msg.payload) == UINT64_MAX);
    finish(&t);
}

static void a_repeat_is_told_of_now_or_soon_and_once(void **state)
{
    (void)state;
    struct target_stage t;
    const uint32_t total = 100u * CAPY_MIG_PAYLOAD_MAX;
    start(&t, 100);
    fragment(&t, total, 0);
    fragment(&t, total, 1);
    assert_false(out(&t));
    fragment(&t, total, 0); /* the origin has not heard of 0 */
    assert_true(out(&t));
    assert_int_equal(t.s.msg.type, CAPY_MIG_CONN_STATE_ACK);
    assert_int_equal(capy_load64(t.s.msg.payload), 0x03);
    uint64_t soon = t.s.env.now + t.s.cfg.rto_ns / 4u;
    for (uint32_t i = 0; i < 64; i++) {
        fragment(&t, total, i % 2u);
        assert_false(out(&t));
        assert_int_equal(capy_mig_target_next_at(&t.m), soon);
        t.s.env.now++;
    }
    t.s.env.now = soon;
    assert_true(out(&t));
    assert_false(out(&t));
    assert_int_equal(capy_mig_target_next_at(&t.m), t.m.give_up_at); /* silence again */
    finish(&t);
}

static void a_filled_hole_is_told_of(void **state)
{
    (void)state;
    struct target_stage t;
    const uint32_t total = 100u * CAPY_MIG_PAYLOAD_MAX;
    start(&t, 100);
    fragment(&t, total, 0);
    fragment(&t, total, 3);
    assert_true(out(&t));
    t.s.env.now += t.s.cfg.rto_ns;
    fragment(&t, total, 1);
    assert_true(out(&t));
    t.s.env.now += t.s.cfg.rto_ns;
    fragment(&t, total, 2); /* nothing is missing below any more, and that is news */
    assert_true(out(&t));
    assert_int_equal(capy_load64(t.s.msg.payload), 0x0f);
    t.s.env.now += t.s.cfg.rto_ns;
    fragment(&t, total, 4);
    assert_false(out(&t));
    finish(&t);
}

static void oddly_cut_fragments_are_ignored(void **state)
{
    (void)state;
    struct target_stage t;
    uint8_t data[CAPY_MIG_PAYLOAD_MAX] = {0};
    struct capy_mig_msg msg = from_origin(CAPY_MIG_CONN_STATE);
    start(&t, 8);
    msg.payload = data;
    msg.total = 3000;
    msg.length = 100; /* not full, not the last */
    capy_mig_target_input(&t.m, &t.s.env, &msg);
    msg.offset = 7;
    msg.length = CAPY_MIG_PAYLOAD_MAX;
    capy_mig_target_input(&t.m, &t.s.env, &msg);
    assert_int_equal(t.m.phase, CAPY_TARGET_HOLDING);
    fragment(&t, 3000, 0);
    assert_int_equal(fragment(&t, 2900, 2), CAPY_MIG_DO_NOTHING); /* another total */
    assert_int_equal(t.m.received, CAPY_MIG_PAYLOAD_MAX);
    finish(&t);
}

static void expiry_says_nack_until_answered_then_drops(void **state)
{
    (void)state;
    struct target_stage t;
    start(&t, 8);
    t.s.env.now += t.s.cfg.hold_ns;
    assert_int_equal(capy_mig_target_expire(&t.m, &t.s.env), CAPY_MIG_DO_NOTHING);
    assert_true(out(&t));
    assert_int_equal(t.s.msg.type, CAPY_MIG_NACK);
    assert_int_equal(t.s.msg.reason, CAPY_REASON_HOLD_EXPIRED);
    assert_int_equal(fragment(&t, 100, 0), CAPY_MIG_DO_NOTHING); /* never imported any more */
    assert_true(out(&t));
    assert_int_equal(t.s.msg.type, CAPY_MIG_NACK);
    assert_int_equal(bounced(&t, CAPY_MIG_NACK, CAPY_VERDICT_LEARNING, OTHER, 0),
                     CAPY_MIG_DO_NOTHING);
    struct target_stage copy = t;
    assert_int_equal(bounced(&copy, CAPY_MIG_NACK, CAPY_VERDICT_OK, OTHER, EPOCH + 1),
                     CAPY_MIG_DO_DROP);
    t.s.env.now += t.s.cfg.hold_ns; /* given up */
    assert_int_equal(capy_mig_target_expire(&t.m, &t.s.env), CAPY_MIG_DO_DROP);
    finish(&t);
}

static void a_bounced_grant_is_dropped_unless_the_entry_is_ours(void **state)
{
    (void)state;
    static const struct {
        enum capy_mig_verdict verdict;
        uint16_t owner;
        uint32_t epoch;
        enum capy_mig_action action;
    } rows[] = {
        {CAPY_VERDICT_FULL, OTHER, 0, CAPY_MIG_DO_DROP},
        {CAPY_VERDICT_NO_TARGET, OTHER, EPOCH - 1, CAPY_MIG_DO_DROP},
        {CAPY_VERDICT_LEARNING, OTHER, 0, CAPY_MIG_DO_DROP},
        {CAPY_VERDICT_STALE, OTHER, EPOCH, CAPY_MIG_DO_DROP},
        {CAPY_VERDICT_STALE, OTHER, EPOCH + 1, CAPY_MIG_DO_DROP},
        {CAPY_VERDICT_STALE, OTHER, EPOCH - 2, CAPY_MIG_DO_DROP},
        {CAPY_VERDICT_STALE, SELF, EPOCH, CAPY_MIG_DO_NOTHING},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct target_stage t;
        start(&t, 8);
        assert_int_equal(
            bounced(&t, CAPY_MIG_PREPARE_MIG_ACK, rows[i].verdict, rows[i].owner, rows[i].epoch),
            rows[i].action);
        finish(&t);
    }
}

static void no_blocks_and_too_much_state_are_refused_by_name(void **state)
{
    (void)state;
    struct target_stage t;
    start(&t, 1);
    fragment(&t, 6000, 0);
    fragment(&t, 6000, 2);
    assert_true(out(&t));
    assert_int_equal(t.s.msg.type, CAPY_MIG_NACK);
    assert_int_equal(t.s.msg.reason, CAPY_REASON_FULL);
    finish(&t);
    start(&t, 8);
    fragment(&t, t.s.cfg.state_max + 1, 0);
    assert_true(out(&t));
    assert_int_equal(t.s.msg.reason, CAPY_REASON_FULL);
    finish(&t);
}

static void frames_are_held_in_order_within_bounds(void **state)
{
    (void)state;
    struct target_stage t;
    uint8_t frame[CAPY_FRAME_MAX] = {0}, got[CAPY_FRAME_MAX];
    start(&t, 64);
    t.s.cfg.hold_frames_max = 5;
    for (uint8_t i = 0; i < 5; i++) {
        frame[0] = i;
        assert_true(capy_mig_target_hold(&t.m, &t.s.env, frame, 60u + i * 300u));
    }
    assert_false(capy_mig_target_hold(&t.m, &t.s.env, frame, 60));
    for (uint8_t i = 0; i < 5; i++) {
        assert_int_equal(capy_mig_target_unhold(&t.m, &t.s.env, got), 60u + i * 300u);
        assert_int_equal(got[0], i);
    }
    assert_int_equal(capy_mig_target_unhold(&t.m, &t.s.env, got), 0);
    t.s.cfg.hold_bytes_max = 200;
    assert_true(capy_mig_target_hold(&t.m, &t.s.env, frame, 150));
    assert_false(capy_mig_target_hold(&t.m, &t.s.env, frame, 60));
    finish(&t);
    start(&t, 1); /* the pool runs out before the bounds do */
    assert_true(capy_mig_target_hold(&t.m, &t.s.env, frame, 1500));
    assert_false(capy_mig_target_hold(&t.m, &t.s.env, frame, 1500));
    finish(&t);
}

static void sealed_state_opens_here_and_nowhere_else(void **state)
{
    (void)state;
    for (int spoil = 0; spoil < 3; spoil++) {
        struct target_stage t;
        uint8_t data[CAPY_MIG_PAYLOAD_MAX];
        struct capy_mig_msg msg = from_origin(CAPY_MIG_CONN_STATE);
        start(&t, 8);
        t.s.env.seal = true;
        msg.total = capy_mig_wire_total(100, true);
        msg.length = (uint16_t)msg.total;
        msg.flags = spoil == 2 ? 0 : CAPY_MIG_FLAG_SEALED;
        for (uint32_t i = 0; i < 100; i++)
            data[i] = stage_byte(i);
        capy_mig_seal(STAGE_KEY, &msg, data, 100);
        msg.payload = data;
        data[50] ^= (uint8_t)(spoil == 1);
        enum capy_mig_action act = capy_mig_target_input(&t.m, &t.s.env, &msg);
        if (spoil == 0) {
            uint8_t got[100];
            assert_int_equal(act, CAPY_MIG_DO_IMPORT);
            assert_int_equal(t.m.total, 100);
            assert_null(t.m.whole); /* what was opened lies nowhere else */
            capy_stream_read(&t.m.state, &t.s.blocks, 0, got, 100);
            for (uint32_t i = 0; i < 100; i++)
                assert_int_equal(got[i], stage_byte(i));
        } else {
            assert_int_equal(act, CAPY_MIG_DO_NOTHING);
            assert_true(out(&t));
            assert_int_equal(t.s.msg.reason, CAPY_REASON_BAD_STATE);
        }
        finish(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_grant_is_repeated_until_the_state_comes),
        cmocka_unit_test(fragments_come_in_any_order_and_more_than_once),
        cmocka_unit_test(gaps_are_told_once_early_and_at_every_last_fragment),
        cmocka_unit_test(every_half_window_is_told_of_at_once),
        cmocka_unit_test(a_repeat_is_told_of_now_or_soon_and_once),
        cmocka_unit_test(a_filled_hole_is_told_of),
        cmocka_unit_test(oddly_cut_fragments_are_ignored),
        cmocka_unit_test(expiry_says_nack_until_answered_then_drops),
        cmocka_unit_test(a_bounced_grant_is_dropped_unless_the_entry_is_ours),
        cmocka_unit_test(no_blocks_and_too_much_state_are_refused_by_name),
        cmocka_unit_test(frames_are_held_in_order_within_bounds),
        cmocka_unit_test(sealed_state_opens_here_and_nowhere_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
