/* The measured repeat interval (src/mig/pace.c): RFC 6298 with Karn's rule, and what follows from it
 * for both machines: no repeat before an answer can come, and give-up times that leave room for
 * repeats. */
#include "script.h"

#include "mig/pace.h"

#define TRIP CAPY_MS(20) /* of a rack whose queues are full */

/* A message that is answered after so long, without a repeat. */
static void answered_after(struct stage *s, uint64_t ns)
{
    struct capy_mig_repeat r;
    capy_mig_repeat_begin(&r, &s->env, &s->origin_pace);
    capy_mig_repeat_sent(&r, &s->env, &s->origin_pace);
    s->env.now += ns;
    capy_mig_repeat_answered(&r, &s->env, &s->origin_pace);
}

static void the_interval_is_smooth_time_plus_four_deviations(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 1);
    answered_after(&s, CAPY_MS(8)); /* RFC 6298 (2.2) */
    assert_int_equal(s.origin_pace.smooth_ns, CAPY_MS(8));
    assert_int_equal(s.origin_pace.var_ns, CAPY_MS(4));
    assert_int_equal(s.origin_pace.interval_ns, CAPY_MS(24));
    answered_after(&s, CAPY_MS(16)); /* (2.3): the deviation first */
    assert_int_equal(s.origin_pace.var_ns, CAPY_MS(5));
    assert_int_equal(s.origin_pace.smooth_ns, CAPY_MS(9));
    assert_int_equal(s.origin_pace.interval_ns, CAPY_MS(29));
    stage_close(&s);
}

/* So many messages leave at once, and all are answered after so long. */
static void burst_answered_after(struct stage *s, uint64_t ns)
{
    struct capy_mig_repeat r[64];
    for (unsigned i = 0; i < 64; i++) {
        capy_mig_repeat_begin(&r[i], &s->env, &s->origin_pace);
        capy_mig_repeat_sent(&r[i], &s->env, &s->origin_pace);
    }
    s->env.now += ns;
    for (unsigned i = 0; i < 64; i++)
        capy_mig_repeat_answered(&r[i], &s->env, &s->origin_pace);
}

/* A drain: dozens of answers tell the same round trip. Counted one by one they would make the one before
 * forgotten, and every message of the next that takes longer would be repeated. */
static void a_burst_of_answers_counts_once(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 1);
    for (unsigned i = 0; i < 20; i++) {
        burst_answered_after(&s, CAPY_MS(2));
        burst_answered_after(&s, CAPY_MS(1));
        assert_true(s.origin_pace.interval_ns > CAPY_MS(2));
    }
    stage_close(&s);
}

static void the_slowest_answer_of_a_round_trip_counts(void **state)
{
    (void)state;
    struct stage s;
    struct capy_mig_repeat early, late;
    stage_open(&s, 1);
    answered_after(&s, CAPY_MS(1)); /* a round begins with it */
    s.env.now += 1;
    for (unsigned i = 0; i < 20; i++) {
        capy_mig_repeat_begin(&early, &s.env, &s.origin_pace);
        capy_mig_repeat_sent(&early, &s.env, &s.origin_pace);
        late = early;
        s.env.now += CAPY_MS(1);
        capy_mig_repeat_answered(&early, &s.env, &s.origin_pace);
        s.env.now += CAPY_MS(4);
        capy_mig_repeat_answered(&late, &s.env, &s.origin_pace);
    }
    assert_true(s.origin_pace.smooth_ns > CAPY_US(4500));
    stage_close(&s);
}

/* A repeat that the answer overtakes was for nothing; one that is answered a trip later was not. */
static void a_lost_message_is_told_from_a_late_answer(void **state)
{
    (void)state;
    struct stage s;
    struct capy_mig_repeat r;
    stage_open(&s, 1);
    answered_after(&s, CAPY_MS(8));
    for (unsigned i = 0; i < 2; i++) {
        capy_mig_repeat_begin(&r, &s.env, &s.origin_pace);
        capy_mig_repeat_sent(&r, &s.env, &s.origin_pace);
        s.env.now = r.send_at;
        capy_mig_repeat_sent(&r, &s.env, &s.origin_pace);
        s.env.now += i == 0 ? CAPY_MS(3) : CAPY_MS(8);
        capy_mig_repeat_answered(&r, &s.env, &s.origin_pace);
        assert_int_equal(s.origin_pace.lost, i);
    }
    stage_close(&s);
}

static void the_interval_stays_within_its_bounds(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 1);
    assert_int_equal(s.origin_pace.interval_ns, s.cfg.rto_ns);
    for (int i = 0; i < 50; i++)
        answered_after(&s, 1000);
    assert_int_equal(s.origin_pace.interval_ns, s.cfg.rto_ns);
    for (int i = 0; i < 50; i++)
        answered_after(&s, 2 * s.cfg.rto_max_ns);
    assert_int_equal(s.origin_pace.interval_ns, s.cfg.rto_max_ns);
    stage_close(&s);
}

/* Karn: the answer to a repeated message measures nothing, but what the timer learned stays, as far
 * as the time since the first copy bears it out. */
static void a_repeated_message_measures_nothing_and_slows_the_next(void **state)
{
    (void)state;
    struct stage s;
    struct capy_mig_repeat r;
    stage_open(&s, 1);
    capy_mig_repeat_begin(&r, &s.env, &s.origin_pace);
    for (int i = 0; i < 4; i++) { /* at 0, 1, 3 and 7 intervals */
        capy_mig_repeat_sent(&r, &s.env, &s.origin_pace);
        s.env.now = r.send_at;
    }
    capy_mig_repeat_answered(&r, &s.env, &s.origin_pace);
    assert_int_equal(s.origin_pace.smooth_ns, 0);
    assert_int_equal(s.origin_pace.interval_ns, 8 * s.cfg.rto_ns);
    capy_mig_repeat_begin(&r, &s.env, &s.origin_pace);
    capy_mig_repeat_sent(&r, &s.env, &s.origin_pace);
    s.env.now = r.send_at;
    capy_mig_repeat_sent(&r, &s.env, &s.origin_pace);
    assert_int_equal(s.origin_pace.interval_ns, 16 * s.cfg.rto_ns);
    s.env.now += s.cfg.rto_ns; /* the first was lost; the second took at most 9 */
    capy_mig_repeat_answered(&r, &s.env, &s.origin_pace);
    assert_int_equal(s.origin_pace.interval_ns, 9 * s.cfg.rto_ns);
    answered_after(&s, 1000); /* one answer to an only copy, and all is forgotten */
    assert_int_equal(s.origin_pace.interval_ns, s.cfg.rto_ns);
    stage_close(&s);
}

static void a_copy_that_the_peer_asked_for_slows_nobody_and_measures_nothing(void **state)
{
    (void)state;
    struct stage s;
    struct capy_mig_repeat r;
    stage_open(&s, 1);
    capy_mig_repeat_begin(&r, &s.env, &s.target_pace);
    capy_mig_repeat_sent(&r, &s.env, &s.target_pace);
    capy_mig_repeat_asked(&r, &s.env);
    assert_int_equal(r.send_at, s.env.now);
    capy_mig_repeat_sent(&r, &s.env, &s.target_pace);
    assert_int_equal(s.target_pace.interval_ns, s.cfg.rto_ns);
    s.env.now += 1000;
    capy_mig_repeat_answered(&r, &s.env, &s.target_pace);
    assert_int_equal(s.target_pace.smooth_ns, 0);
    stage_close(&s);
}

/* Every message of origin and target on a rack with this trip time; how many left. */
static unsigned migrate(struct stage *s, uint64_t trip)
{
    struct capy_flow_key key = stage_flow();
    struct capy_mig_origin m;
    struct capy_mig_msg answer = {.origin = SELF,
                                  .target = OTHER,
                                  .mig_id = MIG_ID,
                                  .epoch = EPOCH,
                                  .key = key,
                                  .verdict = CAPY_VERDICT_OK};
    unsigned sent = 0;
    capy_mig_origin_start(&m, &s->env, &key, MIG_ID, EPOCH, OTHER);
    for (int step = 0; step < 2; step++) {
        uint64_t answer_at = s->env.now + trip;
        while (s->env.now < answer_at) {
            (void)capy_mig_origin_expire(&m, &s->env);
            sent += stage_take(s, capy_mig_origin_output(&m, &s->env, s->out));
            s->env.now = capy_min64(capy_mig_origin_next_at(&m), answer_at);
        }
        answer.type = step == 0 ? CAPY_MIG_PREPARE_MIG_ACK : CAPY_MIG_CONN_STATE_ACK;
        answer.total = answer.offset = step == 0 ? 0 : 100;
        enum capy_mig_action act = capy_mig_origin_input(&m, &s->env, &answer);
        assert_int_equal(act, step == 0 ? CAPY_MIG_DO_FREEZE : CAPY_MIG_DO_RELEASE);
        m.snap.recv_len = 100;
        if (step == 0)
            capy_mig_origin_frozen(&m, &s->env);
    }
    return sent;
}

static void nothing_is_repeated_once_the_trip_is_known(void **state)
{
    (void)state;
    struct stage s;
    stage_open(&s, 1);
    assert_true(migrate(&s, TRIP) > 2); /* nobody knew */
    for (int i = 0; i < 20; i++)
        assert_int_equal(migrate(&s, TRIP + CAPY_US(100) * (i % 5)), 2);
    stage_close(&s);
}

static void giving_up_waits_for_four_copies_to_be_answered(void **state)
{
    (void)state;
    struct stage s;
    struct capy_flow_key key = stage_flow();
    struct capy_mig_origin m;
    unsigned copies = 0;
    stage_open(&s, 1);
    while (s.origin_pace.interval_ns < s.cfg.rto_max_ns)
        answered_after(&s, s.cfg.rto_max_ns);
    capy_mig_origin_start(&m, &s.env, &key, MIG_ID, EPOCH, OTHER);
    while (m.phase == CAPY_ORIGIN_PREPARING) {
        copies += stage_take(&s, capy_mig_origin_output(&m, &s.env, s.out));
        s.env.now = capy_mig_origin_next_at(&m);
        (void)capy_mig_origin_expire(&m, &s.env);
    }
    assert_true(copies >= 4);
    assert_int_equal(m.reason, CAPY_REASON_NO_ANSWER);
    stage_close(&s);
}

/* docs/protocol.md, "Timers": an origin decides before its target gives the flow back. */
static void the_target_holds_longer_than_the_origin_may_take(void **state)
{
    (void)state;
    struct capy_mig_cfg cfg;
    capy_mig_cfg_default(&cfg);
    uint64_t state_ns = capy_max64(cfg.state_ns, CAPY_MIG_PATIENCE * cfg.rto_max_ns);
    assert_true(cfg.hold_ns > cfg.release_ns + state_ns + cfg.rto_max_ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_interval_is_smooth_time_plus_four_deviations),
        cmocka_unit_test(a_burst_of_answers_counts_once),
        cmocka_unit_test(the_slowest_answer_of_a_round_trip_counts),
        cmocka_unit_test(a_lost_message_is_told_from_a_late_answer),
        cmocka_unit_test(the_interval_stays_within_its_bounds),
        cmocka_unit_test(a_repeated_message_measures_nothing_and_slows_the_next),
        cmocka_unit_test(a_copy_that_the_peer_asked_for_slows_nobody_and_measures_nothing),
        cmocka_unit_test(nothing_is_repeated_once_the_trip_is_known),
        cmocka_unit_test(giving_up_waits_for_four_copies_to_be_answered),
        cmocka_unit_test(the_target_holds_longer_than_the_origin_may_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
