/* The origin machine by script with explicit time (src/mig/origin.c; docs/protocol.md, section 3). */
#include "script.h"

#include "mig/window.h"

struct origin_stage {
    struct stage s;
    struct capy_mig_origin m;
};

static bool out(struct origin_stage *o)
{
    return stage_take(&o->s, capy_mig_origin_output(&o->m, &o->s.env, o->s.out));
}

static unsigned drain(struct origin_stage *o)
{
    unsigned n = 0;
    while (out(o))
        n++;
    return n;
}

static void start(struct origin_stage *o)
{
    struct capy_flow_key key = stage_flow();
    stage_open(&o->s, 8);
    capy_mig_origin_start(&o->m, &o->s.env, &key, MIG_ID, EPOCH, CAPY_SERVER_ANY);
}

static enum capy_mig_action say(struct origin_stage *o, enum capy_mig_type type,
                                enum capy_mig_verdict verdict, enum capy_phase phase,
                                uint16_t owner, uint32_t entry_epoch)
{
    const struct capy_mig_msg msg = {.type = (uint8_t)type,
                                     .verdict = (uint8_t)verdict,
                                     .phase = (uint8_t)phase,
                                     .origin = SELF,
                                     .target = OTHER,
                                     .target_port = 61440,
                                     .mig_id = MIG_ID,
                                     .epoch = EPOCH,
                                     .key = stage_flow(),
                                     .owner = owner,
                                     .entry_epoch = entry_epoch};
    return capy_mig_origin_input(&o->m, &o->s.env, &msg);
}

static void grant(struct origin_stage *o)
{
    assert_int_equal(drain(o), 1);
    assert_int_equal(
        say(o, CAPY_MIG_PREPARE_MIG_ACK, CAPY_VERDICT_OK, CAPY_PHASE_PENDING, OTHER, EPOCH),
        CAPY_MIG_DO_FREEZE);
}

static void freeze(struct origin_stage *o, uint32_t len)
{
    grant(o);
    o->m.snap.recv_len = len;
    capy_mig_origin_frozen(&o->m, &o->s.env);
}

static enum capy_mig_action ack(struct origin_stage *o, uint32_t total, uint32_t offset,
                                const uint8_t *bitmap, uint16_t length)
{
    const struct capy_mig_msg msg = {.type = CAPY_MIG_CONN_STATE_ACK,
                                     .verdict = CAPY_VERDICT_OK,
                                     .origin = SELF,
                                     .target = OTHER,
                                     .mig_id = MIG_ID,
                                     .epoch = EPOCH,
                                     .key = stage_flow(),
                                     .total = total,
                                     .offset = offset,
                                     .length = length,
                                     .payload = bitmap};
    return capy_mig_origin_input(&o->m, &o->s.env, &msg);
}

static void prepare_is_repeated_with_doubling_intervals(void **state)
{
    (void)state;
    struct origin_stage o;
    start(&o);
    uint64_t rto = o.s.cfg.rto_ns;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(drain(&o), 1);
        assert_int_equal(o.s.msg.type, CAPY_MIG_PREPARE_MIG);
        assert_int_equal(o.s.msg.epoch, EPOCH);
        assert_int_equal(o.s.msg.target, CAPY_SERVER_ANY);
        assert_int_equal(capy_mig_origin_next_at(&o.m), o.s.env.now + rto);
        o.s.env.now += rto - 1;
        assert_int_equal(drain(&o), 0);
        o.s.env.now++;
        rto *= 2;
    }
    stage_close(&o.s);
}

static void silence_ends_in_cancel_and_cancel_in_resume_above_the_burned_epoch(void **state)
{
    (void)state;
    struct origin_stage o;
    start(&o);
    drain(&o);
    o.s.env.now += o.s.cfg.prepare_ns;
    assert_int_equal(capy_mig_origin_expire(&o.m, &o.s.env), CAPY_MIG_DO_NOTHING);
    assert_true(out(&o));
    assert_int_equal(o.s.msg.type, CAPY_MIG_CANCEL);
    assert_int_equal(
        say(&o, CAPY_MIG_PREPARE_MIG_ACK, CAPY_VERDICT_OK, CAPY_PHASE_PENDING, OTHER, EPOCH),
        CAPY_MIG_DO_NOTHING); /* too late */
    assert_int_equal(say(&o, CAPY_MIG_CANCEL, CAPY_VERDICT_OK, CAPY_PHASE_SETTLED, SELF, EPOCH + 1),
                     CAPY_MIG_DO_RESUME);
    assert_int_equal(o.m.epoch_after, EPOCH + 1);
    stage_close(&o.s);
}

static void a_refusal_of_the_only_copy_resumes_at_once(void **state)
{
    (void)state;
    const enum capy_mig_verdict verdicts[] = {CAPY_VERDICT_NO_TARGET, CAPY_VERDICT_FULL,
                                              CAPY_VERDICT_LEARNING};
    for (unsigned i = 0; i < 3; i++) {
        struct origin_stage o;
        start(&o);
        drain(&o);
        assert_int_equal(say(&o, CAPY_MIG_PREPARE_MIG, verdicts[i], CAPY_PHASE_NONE, SELF, 0),
                         CAPY_MIG_DO_RESUME);
        assert_int_equal(o.m.epoch_after, EPOCH - 1);
        assert_int_equal(o.m.verdict, verdicts[i]);
        stage_close(&o.s);
    }
}

static void a_refusal_of_one_of_two_copies_burns_the_epoch_first(void **state)
{
    (void)state;
    struct origin_stage o;
    start(&o);
    drain(&o);
    o.s.env.now += o.s.cfg.rto_ns;
    drain(&o);
    assert_int_equal(
        say(&o, CAPY_MIG_PREPARE_MIG, CAPY_VERDICT_NO_TARGET, CAPY_PHASE_NONE, SELF, 0),
        CAPY_MIG_DO_NOTHING);
    assert_true(out(&o));
    assert_int_equal(o.s.msg.type, CAPY_MIG_CANCEL);
    stage_close(&o.s);
}

static void stale_counts_only_above_the_own_epoch_and_only_when_settled(void **state)
{
    (void)state;
    struct origin_stage o;
    start(&o);
    freeze(&o, 100);
    assert_int_equal(
        say(&o, CAPY_MIG_CONN_STATE, CAPY_VERDICT_STALE, CAPY_PHASE_SETTLED, OTHER, EPOCH),
        CAPY_MIG_DO_NOTHING);
    assert_int_equal(
        say(&o, CAPY_MIG_PREPARE_MIG, CAPY_VERDICT_STALE, CAPY_PHASE_SETTLED, OTHER, EPOCH),
        CAPY_MIG_DO_NOTHING);
    struct origin_stage copy = o;
    assert_int_equal(
        say(&copy, CAPY_MIG_CONN_STATE, CAPY_VERDICT_STALE, CAPY_PHASE_SETTLED, SELF, EPOCH + 1),
        CAPY_MIG_DO_RESUME);
    assert_int_equal(copy.m.epoch_after, EPOCH + 1);
    copy = o; /* on its way to us, from somebody who runs it */
    assert_int_equal(
        say(&copy, CAPY_MIG_CONN_STATE, CAPY_VERDICT_STALE, CAPY_PHASE_PENDING, SELF, EPOCH + 1),
        CAPY_MIG_DO_RELEASE);
    copy = o;
    assert_int_equal(say(&copy, CAPY_MIG_CONN_STATE, CAPY_VERDICT_STALE, CAPY_PHASE_SETTLED,
                         CAPY_SERVER_ANY, EPOCH + 1),
                     CAPY_MIG_DO_RELEASE);
    stage_close(&o.s);
}

static void a_prepare_with_a_higher_epoch_releases_a_frozen_copy(void **state)
{
    (void)state;
    struct origin_stage o;
    struct capy_mig_msg msg = {.type = CAPY_MIG_PREPARE_MIG,
                               .origin = OTHER,
                               .target = SELF,
                               .mig_id = 77,
                               .epoch = EPOCH + 1,
                               .key = stage_flow()};
    start(&o);
    assert_int_equal(capy_mig_origin_input(&o.m, &o.s.env, &msg), CAPY_MIG_DO_NOTHING);
    freeze(&o, 100);
    msg.epoch = EPOCH;
    assert_int_equal(capy_mig_origin_input(&o.m, &o.s.env, &msg), CAPY_MIG_DO_NOTHING);
    msg.epoch = EPOCH + 1;
    assert_int_equal(capy_mig_origin_input(&o.m, &o.s.env, &msg), CAPY_MIG_DO_RELEASE);
    stage_close(&o.s);
}

static void settled_keeps_the_copy_and_goes_on_sending(void **state)
{
    (void)state;
    struct origin_stage o;
    start(&o);
    freeze(&o, 3000);
    assert_int_equal(drain(&o), 3);
    o.s.env.now += o.s.cfg.state_ns;
    (void)capy_mig_origin_expire(&o.m, &o.s.env);
    assert_true(out(&o));
    assert_int_equal(o.s.msg.type, CAPY_MIG_CANCEL);
    assert_int_equal(
        say(&o, CAPY_MIG_CANCEL, CAPY_VERDICT_SETTLED, CAPY_PHASE_SETTLED, OTHER, EPOCH),
        CAPY_MIG_DO_NOTHING);
    assert_int_equal(drain(&o), 3);
    assert_int_equal(o.s.msg.type, CAPY_MIG_CONN_STATE);
    assert_int_equal(ack(&o, 3000, 3000, NULL, 0), CAPY_MIG_DO_RELEASE);
    stage_close(&o.s);
}

/* No state of ours passed, so what is settled at our epoch is another connection's of the same name:
 * ours goes on, and CANCEL is not repeated for ever. */
static void settled_ends_a_move_that_sent_nothing(void **state)
{
    (void)state;
    struct origin_stage o;
    start(&o);
    drain(&o);
    o.s.env.now += o.s.cfg.prepare_ns;
    (void)capy_mig_origin_expire(&o.m, &o.s.env);
    assert_true(out(&o));
    assert_int_equal(o.s.msg.type, CAPY_MIG_CANCEL);
    assert_int_equal(
        say(&o, CAPY_MIG_CANCEL, CAPY_VERDICT_SETTLED, CAPY_PHASE_SETTLED, OTHER, EPOCH),
        CAPY_MIG_DO_RESUME);
    assert_int_equal(o.m.epoch_after, EPOCH - 1);
    stage_close(&o.s);
}

static void a_bitmap_brings_the_holes_at_once_and_the_last_one_by_timer(void **state)
{
    (void)state;
    struct origin_stage o;
    uint8_t bitmap[8];
    const uint32_t len = 5u * CAPY_MIG_PAYLOAD_MAX;
    start(&o);
    freeze(&o, len);
    assert_int_equal(drain(&o), 5);
    capy_store64(bitmap, 0x1d); /* 0, 2, 3 and 4: 1 is missing */
    assert_int_equal(ack(&o, len, 0, bitmap, 8), CAPY_MIG_DO_NOTHING);
    assert_true(out(&o));
    assert_int_equal(o.s.msg.offset, CAPY_MIG_PAYLOAD_MAX);
    assert_int_equal(drain(&o), 0);
    assert_int_equal(ack(&o, len, 0, bitmap, 8), CAPY_MIG_DO_NOTHING); /* no news */
    assert_int_equal(drain(&o), 0);
    capy_store64(bitmap, 0x1f);
    ack(&o, len, 0, bitmap, 8);
    assert_int_equal(drain(&o), 0);
    o.s.env.now += o.s.cfg.rto_max_ns;
    assert_true(out(&o)); /* it asks for the final acknowledgement */
    assert_int_equal(o.s.msg.offset + o.s.msg.length, len);
    assert_int_equal(drain(&o), 0);
    stage_close(&o.s);
}

static void a_full_window_waits_for_news_or_the_timer(void **state)
{
    (void)state;
    struct origin_stage o;
    uint8_t bitmap[16] = {0};
    const uint32_t len = 100u * CAPY_MIG_PAYLOAD_MAX;
    start(&o);
    freeze(&o, len);
    uint64_t rto = o.s.cfg.rto_ns;
    for (int i = 0; i < 3; i++) { /* unheard: the same window again, less and less often */
        assert_int_equal(drain(&o), CAPY_MIG_WINDOW);
        assert_int_equal(o.s.msg.offset, (CAPY_MIG_WINDOW - 1u) * CAPY_MIG_PAYLOAD_MAX);
        assert_int_equal(capy_mig_origin_next_at(&o.m), o.s.env.now + rto);
        o.s.env.now += rto - 1;
        assert_int_equal(drain(&o), 0);
        o.s.env.now++;
        rto *= 2;
    }
    assert_int_equal(drain(&o), CAPY_MIG_WINDOW);
    capy_store64(bitmap, 0x3ff); /* ten came: ten more go, and the timer starts anew */
    ack(&o, len, 0, bitmap, 16);
    assert_int_equal(drain(&o), 10);
    assert_int_equal(capy_mig_origin_next_at(&o.m), o.s.env.now + o.s.origin_pace.interval_ns);
    o.s.env.now += o.s.cfg.rto_ns;
    memset(bitmap, 0xff, sizeof bitmap); /* the newest came, sent once: that is a measurement */
    ack(&o, len, 0, bitmap, 16);
    assert_int_equal(o.s.origin_pace.smooth_ns, o.s.cfg.rto_ns);
    stage_close(&o.s);
}

static void no_target_for_the_state_cancels(void **state)
{
    (void)state;
    struct origin_stage o;
    start(&o);
    freeze(&o, 100);
    drain(&o);
    assert_int_equal(
        say(&o, CAPY_MIG_CONN_STATE, CAPY_VERDICT_NO_TARGET, CAPY_PHASE_PENDING, OTHER, EPOCH),
        CAPY_MIG_DO_NOTHING);
    assert_true(out(&o));
    assert_int_equal(o.s.msg.type, CAPY_MIG_CANCEL);
    stage_close(&o.s);
}

static void a_nack_gives_back_before_and_after_the_freeze(void **state)
{
    (void)state;
    struct origin_stage o;
    start(&o);
    drain(&o);
    struct origin_stage copy = o;
    assert_int_equal(
        say(&copy, CAPY_MIG_NACK, CAPY_VERDICT_OK, CAPY_PHASE_SETTLED, SELF, EPOCH + 1),
        CAPY_MIG_DO_RESUME);
    assert_int_equal(
        say(&o, CAPY_MIG_PREPARE_MIG_ACK, CAPY_VERDICT_OK, CAPY_PHASE_PENDING, OTHER, EPOCH),
        CAPY_MIG_DO_FREEZE);
    o.m.snap.recv_len = 10;
    capy_mig_origin_frozen(&o.m, &o.s.env);
    assert_int_equal(say(&o, CAPY_MIG_NACK, CAPY_VERDICT_OK, CAPY_PHASE_NONE, SELF, 0),
                     CAPY_MIG_DO_NOTHING);
    assert_int_equal(say(&o, CAPY_MIG_NACK, CAPY_VERDICT_OK, CAPY_PHASE_SETTLED, SELF, EPOCH + 1),
                     CAPY_MIG_DO_RESUME);
    stage_close(&o.s);
}

static void veto_and_a_late_application_cancel(void **state)
{
    (void)state;
    struct origin_stage o;
    start(&o);
    grant(&o);
    struct origin_stage copy = o;
    capy_mig_origin_veto(&copy.m, &copy.s.env);
    assert_true(out(&copy));
    assert_int_equal(copy.s.msg.type, CAPY_MIG_CANCEL);
    o.s.env.now += o.s.cfg.release_ns;
    (void)capy_mig_origin_expire(&o.m, &o.s.env);
    assert_int_equal(o.m.reason, CAPY_REASON_APP_LATE);
    assert_true(out(&o));
    assert_int_equal(o.s.msg.type, CAPY_MIG_CANCEL);
    stage_close(&o.s);
}

/* What an operator sees of a move that ended by CANCEL is why it was cancelled, not its OK. */
static void the_cause_outlives_the_answer_to_cancel(void **state)
{
    (void)state;
    struct origin_stage o;
    start(&o);
    freeze(&o, 100);
    drain(&o);
    struct origin_stage copy = o;
    assert_int_equal(
        say(&o, CAPY_MIG_CONN_STATE, CAPY_VERDICT_NO_TARGET, CAPY_PHASE_PENDING, OTHER, EPOCH),
        CAPY_MIG_DO_NOTHING);
    assert_int_equal(say(&o, CAPY_MIG_CANCEL, CAPY_VERDICT_OK, CAPY_PHASE_SETTLED, SELF, EPOCH + 1),
                     CAPY_MIG_DO_RESUME);
    assert_int_equal(o.m.verdict, CAPY_VERDICT_NO_TARGET);
    copy.s.env.now = copy.m.give_up_at;
    (void)capy_mig_origin_expire(&copy.m, &copy.s.env);
    assert_int_equal(copy.m.reason, CAPY_REASON_STATE_LATE);
    stage_close(&o.s);
}

static void another_migrations_messages_change_nothing(void **state)
{
    (void)state;
    struct origin_stage o;
    start(&o);
    o.m.mig_id++;
    assert_int_equal(say(&o, CAPY_MIG_CANCEL, CAPY_VERDICT_OK, CAPY_PHASE_SETTLED, SELF, EPOCH + 1),
                     CAPY_MIG_DO_NOTHING);
    stage_close(&o.s);
}

static void a_sealed_retransmission_is_the_same_bytes(void **state)
{
    (void)state;
    struct origin_stage o;
    uint8_t first[sizeof o.s.out];
    start(&o);
    o.s.env.seal = true;
    freeze(&o, 50);
    size_t len = capy_mig_origin_output(&o.m, &o.s.env, first);
    o.s.env.now += o.s.cfg.rto_max_ns;
    assert_int_equal(capy_mig_origin_output(&o.m, &o.s.env, o.s.out), len);
    assert_memory_equal(first, o.s.out, len);
    assert_int_equal(len, CAPY_MIG_HEADER_LEN + 50 + CAPY_SEAL_LEN);
    stage_close(&o.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prepare_is_repeated_with_doubling_intervals),
        cmocka_unit_test(silence_ends_in_cancel_and_cancel_in_resume_above_the_burned_epoch),
        cmocka_unit_test(a_refusal_of_the_only_copy_resumes_at_once),
        cmocka_unit_test(a_refusal_of_one_of_two_copies_burns_the_epoch_first),
        cmocka_unit_test(stale_counts_only_above_the_own_epoch_and_only_when_settled),
        cmocka_unit_test(a_prepare_with_a_higher_epoch_releases_a_frozen_copy),
        cmocka_unit_test(settled_keeps_the_copy_and_goes_on_sending),
        cmocka_unit_test(settled_ends_a_move_that_sent_nothing),
        cmocka_unit_test(a_bitmap_brings_the_holes_at_once_and_the_last_one_by_timer),
        cmocka_unit_test(a_full_window_waits_for_news_or_the_timer),
        cmocka_unit_test(no_target_for_the_state_cancels),
        cmocka_unit_test(a_nack_gives_back_before_and_after_the_freeze),
        cmocka_unit_test(veto_and_a_late_application_cancel),
        cmocka_unit_test(the_cause_outlives_the_answer_to_cancel),
        cmocka_unit_test(another_migrations_messages_change_nothing),
        cmocka_unit_test(a_sealed_retransmission_is_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
