/* Every message that can reach a slot, in every phase of it, with every verdict and every state of
 * the directory's entry, impossible combinations among them: what may follow at most. The rules are
 * docs/protocol.md's. */
#include "script.h"

#include "mig/window.h"

#define STATE_LEN 3000u

struct answer {
    enum capy_mig_type type;
    enum capy_mig_verdict verdict;
    enum capy_phase phase;
    uint16_t owner, origin;
    uint32_t entry_epoch, epoch;
    uint64_t mig_id;
};

static struct capy_mig_msg message_of(const struct answer *a)
{
    return (struct capy_mig_msg){.type = (uint8_t)a->type,
                                 .verdict = (uint8_t)a->verdict,
                                 .phase = (uint8_t)a->phase,
                                 .owner = a->owner,
                                 .origin = a->origin,
                                 .target = OTHER,
                                 .target_port = 61440,
                                 .mig_id = a->mig_id,
                                 .epoch = a->epoch,
                                 .entry_epoch = a->entry_epoch,
                                 .key = stage_flow()};
}

typedef void on_answer(void *slot, const struct answer *a);

/* Calls with everything that may be told of one migration. */
static void for_each_answer(on_answer *call, void *slot, uint16_t origin)
{
    struct answer a = {.origin = origin, .epoch = EPOCH, .mig_id = MIG_ID};
    for (unsigned type = CAPY_MIG_PREPARE_MIG; type < CAPY_MIG_TYPE_END; type++)
        for (unsigned verdict = 0; verdict < CAPY_VERDICT_CNT; verdict++)
            for (unsigned phase = CAPY_PHASE_NONE; phase <= CAPY_PHASE_SETTLED; phase++)
                for (uint32_t epoch = EPOCH - 1; epoch <= EPOCH + 2; epoch++)
                    for (uint16_t owner = SELF; owner <= OTHER; owner++) {
                        a.type = (enum capy_mig_type)type;
                        a.verdict = (enum capy_mig_verdict)verdict;
                        a.phase = (enum capy_phase)phase;
                        a.entry_epoch = epoch;
                        a.owner = owner;
                        call(slot, &a);
                    }
}

/* ---- origin ---- */

struct origin_stage {
    struct stage s;
    struct capy_mig_origin m; /* as it is before every answer */
};

static void take_all(struct origin_stage *o)
{
    while (stage_take(&o->s, capy_mig_origin_output(&o->m, &o->s.env, o->s.out)))
        continue;
}

static void origin_may(void *slot, const struct answer *a)
{
    struct origin_stage *o = slot;
    struct capy_mig_origin m = o->m;
    const struct capy_mig_msg msg = message_of(a);
    bool moved_on = a->entry_epoch > EPOCH;
    bool mine = moved_on && a->owner == SELF && a->phase == CAPY_PHASE_SETTLED;
    enum capy_mig_action action = capy_mig_origin_input(&m, &o->s.env, &msg);
    switch (action) {
    case CAPY_MIG_DO_FREEZE:
        assert_int_equal(o->m.phase, CAPY_ORIGIN_PREPARING);
        assert_int_equal(a->type, CAPY_MIG_PREPARE_MIG_ACK);
        assert_int_equal(a->verdict, CAPY_VERDICT_OK);
        break;
    case CAPY_MIG_DO_RESUME: /* a frozen copy only on proof, and above the burned epoch */
        assert_true(!m.frozen || mine);
        assert_true(m.epoch_after == EPOCH - 1 || (mine && m.epoch_after == a->entry_epoch));
        break;
    case CAPY_MIG_DO_RELEASE: /* the final acknowledgement is script's, not among these */
        assert_true(m.frozen && moved_on && !mine);
        break;
    case CAPY_MIG_DO_NOTHING: /* it goes on: there is a time at which it does something */
        assert_true(capy_mig_origin_next_at(&m) != CAPY_NEVER);
        assert_int_equal(m.frozen, o->m.frozen);
        break;
    case CAPY_MIG_DO_IMPORT:
    case CAPY_MIG_DO_DROP:
        fail_msg("a target's action at an origin");
    }
}

static void origin_ignores(struct origin_stage *o, struct answer a)
{
    struct capy_mig_origin m = o->m;
    const struct capy_mig_msg msg = message_of(&a);
    assert_int_equal(capy_mig_origin_input(&m, &o->s.env, &msg), CAPY_MIG_DO_NOTHING);
    assert_memory_equal(&m, &o->m, sizeof m);
}

static void origin_in_phase(struct origin_stage *o)
{
    const struct answer ok = {CAPY_MIG_PREPARE_MIG_ACK,
                              CAPY_VERDICT_OK,
                              CAPY_PHASE_SETTLED,
                              SELF,
                              SELF,
                              EPOCH + 1,
                              EPOCH,
                              MIG_ID};
    struct answer other = ok;
    for_each_answer(origin_may, o, SELF);
    for (unsigned type = CAPY_MIG_PREPARE_MIG + 1; type < CAPY_MIG_TYPE_END; type++) {
        other = ok;
        other.type = (enum capy_mig_type)type;
        other.mig_id = MIG_ID + 1;
        origin_ignores(o, other);
        other.mig_id = MIG_ID;
        other.epoch = EPOCH - 1;
        origin_ignores(o, other);
        other.epoch = EPOCH;
        other.origin = OTHER;
        origin_ignores(o, other);
    }
    take_all(o);
    stage_close(&o->s);
}

static void start(struct origin_stage *o)
{
    struct capy_flow_key key = stage_flow();
    stage_open(&o->s, 8);
    memset(&o->m, 0, sizeof o->m); /* what a start leaves alone is compared as well */
    capy_mig_origin_start(&o->m, &o->s.env, &key, MIG_ID, EPOCH, CAPY_SERVER_ANY);
    take_all(o);
}

static void grant(struct origin_stage *o)
{
    const struct answer ok = {CAPY_MIG_PREPARE_MIG_ACK,
                              CAPY_VERDICT_OK,
                              CAPY_PHASE_PENDING,
                              OTHER,
                              SELF,
                              EPOCH,
                              EPOCH,
                              MIG_ID};
    const struct capy_mig_msg msg = message_of(&ok);
    start(o);
    assert_int_equal(capy_mig_origin_input(&o->m, &o->s.env, &msg), CAPY_MIG_DO_FREEZE);
}

static void freeze(struct origin_stage *o, uint32_t len)
{
    grant(o);
    o->m.snap.recv_len = len;
    capy_mig_origin_frozen(&o->m, &o->s.env);
    take_all(o);
}

static void an_origin_that_prepares(void **state)
{
    (void)state;
    struct origin_stage o;
    start(&o);
    origin_in_phase(&o);
    start(&o);
    o.s.env.now = capy_mig_origin_next_at(&o.m); /* asked twice: another copy may get through */
    take_all(&o);
    origin_in_phase(&o);
}

static void an_origin_that_was_granted(void **state)
{
    (void)state;
    struct origin_stage o;
    grant(&o);
    origin_in_phase(&o);
}

static void an_origin_that_sends(void **state)
{
    (void)state;
    struct origin_stage o;
    freeze(&o, STATE_LEN);
    origin_in_phase(&o);
}

static void an_origin_that_cancels(void **state)
{
    (void)state;
    struct origin_stage o;
    grant(&o);
    capy_mig_origin_veto(&o.m, &o.s.env);
    origin_in_phase(&o);
    freeze(&o, STATE_LEN);
    o.s.env.now = o.m.give_up_at;
    assert_int_equal(capy_mig_origin_expire(&o.m, &o.s.env), CAPY_MIG_DO_NOTHING);
    assert_int_equal(o.m.phase, CAPY_ORIGIN_CANCELLING);
    origin_in_phase(&o);
}

static void a_state_that_no_bitmap_can_name_stays(void **state)
{
    (void)state;
    struct origin_stage o;
    freeze(&o, CAPY_MIG_FRAGMENT_MAX * CAPY_MIG_PAYLOAD_MAX + 1);
    assert_int_equal(o.m.phase, CAPY_ORIGIN_CANCELLING);
    assert_int_equal(o.m.reason, CAPY_REASON_FULL);
    assert_int_equal(o.s.msg.type, CAPY_MIG_CANCEL);
    origin_in_phase(&o);
}

/* ---- target ---- */

struct target_stage {
    struct stage s;
    struct capy_mig_target m;
};

static void target_may(void *slot, const struct answer *a)
{
    struct target_stage *t = slot;
    struct capy_mig_target m = t->m;
    const struct capy_mig_msg msg = message_of(a); /* a CONN_STATE without bytes: no fragment */
    bool done = m.phase == CAPY_TARGET_DONE;
    switch (capy_mig_target_input(&m, &t->s.env, &msg)) {
    case CAPY_MIG_DO_DROP:
        assert_false(done);
        if (m.phase == CAPY_TARGET_RECEIVING) /* the flow is another's, for certain */
            assert_true(a->verdict == CAPY_VERDICT_STALE && a->entry_epoch >= EPOCH);
        else if (m.phase == CAPY_TARGET_NACKING && a->type == CAPY_MIG_NACK) /* the switch knows */
            assert_true(a->verdict != CAPY_VERDICT_NONE && a->verdict != CAPY_VERDICT_LEARNING);
        else /* nothing was installed for it */
            assert_true(a->type == CAPY_MIG_PREPARE_MIG_ACK && a->verdict != CAPY_VERDICT_NONE &&
                        a->verdict != CAPY_VERDICT_OK && a->verdict != CAPY_VERDICT_SETTLED);
        break;
    case CAPY_MIG_DO_NOTHING:
        assert_int_equal(m.phase, t->m.phase);
        assert_true(done || capy_mig_target_next_at(&m) != CAPY_NEVER);
        break;
    case CAPY_MIG_DO_IMPORT:
    case CAPY_MIG_DO_FREEZE:
    case CAPY_MIG_DO_RESUME:
    case CAPY_MIG_DO_RELEASE:
        fail_msg("nothing to import, and no origin's action");
    }
}

static void target_in_phase(struct target_stage *t)
{
    for_each_answer(target_may, t, OTHER);
    capy_mig_target_free(&t->m, &t->s.env);
    stage_close(&t->s);
}

static enum capy_mig_action fragment(struct target_stage *t, uint32_t idx)
{
    uint8_t data[CAPY_MIG_PAYLOAD_MAX] = {0};
    struct capy_mig_msg msg = {.type = CAPY_MIG_CONN_STATE,
                               .origin = OTHER,
                               .target = SELF,
                               .mig_id = MIG_ID,
                               .epoch = EPOCH,
                               .key = stage_flow(),
                               .total = STATE_LEN,
                               .offset = idx * CAPY_MIG_PAYLOAD_MAX,
                               .payload = data};
    msg.length = (uint16_t)capy_min32(CAPY_MIG_PAYLOAD_MAX, STATE_LEN - msg.offset);
    return capy_mig_target_input(&t->m, &t->s.env, &msg);
}

static void admit(struct target_stage *t)
{
    const struct capy_mig_msg prepare = {.type = CAPY_MIG_PREPARE_MIG,
                                         .origin = OTHER,
                                         .target = SELF,
                                         .mig_id = MIG_ID,
                                         .epoch = EPOCH,
                                         .key = stage_flow()};
    stage_open(&t->s, 32);
    capy_mig_target_start(&t->m, &t->s.env, &prepare, 61440);
}

static void a_target_in_every_phase(void **state)
{
    (void)state;
    struct target_stage t;
    admit(&t);
    target_in_phase(&t);
    admit(&t);
    assert_int_equal(fragment(&t, 0), CAPY_MIG_DO_NOTHING);
    target_in_phase(&t);
    admit(&t);
    capy_mig_target_refuse(&t.m, &t.s.env, CAPY_REASON_BAD_STATE);
    capy_mig_target_refuse(&t.m, &t.s.env, CAPY_REASON_FULL); /* the first reason stays */
    assert_int_equal(t.m.reason, CAPY_REASON_BAD_STATE);
    target_in_phase(&t);
    admit(&t);
    for (uint32_t i = 0; i * CAPY_MIG_PAYLOAD_MAX < STATE_LEN; i++)
        assert_int_equal(fragment(&t, i), (i + 1) * CAPY_MIG_PAYLOAD_MAX < STATE_LEN
                                              ? CAPY_MIG_DO_NOTHING
                                              : CAPY_MIG_DO_IMPORT);
    capy_mig_target_imported(&t.m, &t.s.env);
    target_in_phase(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_origin_that_prepares),
        cmocka_unit_test(an_origin_that_was_granted),
        cmocka_unit_test(an_origin_that_sends),
        cmocka_unit_test(an_origin_that_cancels),
        cmocka_unit_test(a_state_that_no_bitmap_can_name_stays),
        cmocka_unit_test(a_target_in_every_phase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
