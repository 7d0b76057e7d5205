/* CONN_STATE from a real origin machine to a real target machine over a link that loses frames by
 * script, with explicit time (docs/protocol.md, section 3 rule 8, section 4 rule 2). */
#include "base/prng.h"
#include "script.h"

#include "mig/window.h"

#define DELAY_NS CAPY_US(10) /* one way */
#define BURST_MAX 2048u
#define BLOCKS 600u /* 1.2 MB */

struct frame {
    size_t len;
    uint8_t bytes[CAPY_MIG_HEADER_LEN + CAPY_MIG_PAYLOAD_MAX];
};

/* What leaves one end without a message from the other in between. */
struct burst {
    uint32_t cnt;
    struct frame frame[BURST_MAX];
};

struct transfer {
    struct stage from, to;
    struct capy_mig_origin origin;
    struct capy_mig_target target;
    enum capy_mig_action origin_did;
    bool imported, cancelled;
    struct burst there, back;
    uint64_t began_at;
    uint32_t sent, acks;        /* CONN_STATE and CONN_STATE_ACK that left */
    uint32_t burst_top;         /* the longest burst of CONN_STATE */
    uint32_t missing_at_commit; /* others not at the target when the last fragment passed */
    bool committed;
    bool (*keeps)(struct transfer *t, const struct capy_mig_msg *msg, uint32_t pos, uint32_t cnt);
    uint32_t parameter; /* of keeps */
    struct capy_prng prng;
};

static bool all(struct transfer *t, const struct capy_mig_msg *msg, uint32_t pos, uint32_t cnt)
{
    (void)t, (void)msg, (void)pos, (void)cnt;
    return true;
}

static uint32_t fragments(const struct transfer *t)
{
    return t->origin.window.cnt;
}

/* Both ends behind PREPARE_MIG_ACK, the origin frozen with len bytes of state. */
static struct transfer *open(uint32_t len, bool seal)
{
    struct transfer *t = calloc(1, sizeof *t);
    struct capy_flow_key key = stage_flow();
    struct capy_mig_msg msg = {.type = CAPY_MIG_PREPARE_MIG_ACK,
                               .verdict = CAPY_VERDICT_OK,
                               .phase = CAPY_PHASE_PENDING,
                               .origin = SELF,
                               .target = OTHER,
                               .target_port = 61440,
                               .mig_id = MIG_ID,
                               .epoch = EPOCH,
                               .key = key};
    assert_non_null(t);
    stage_open(&t->from, 1);
    stage_open(&t->to, BLOCKS);
    t->to.env.self = OTHER;
    t->from.env.seal = t->to.env.seal = seal;
    t->keeps = all;
    t->began_at = t->from.env.now;
    capy_mig_origin_start(&t->origin, &t->from.env, &key, MIG_ID, EPOCH, OTHER);
    assert_int_equal(capy_mig_origin_input(&t->origin, &t->from.env, &msg), CAPY_MIG_DO_FREEZE);
    msg.type = CAPY_MIG_PREPARE_MIG;
    capy_mig_target_start(&t->target, &t->to.env, &msg, 61440);
    assert_true(capy_mig_target_output(&t->target, &t->to.env, t->to.out) > 0);
    t->origin.snap.recv_len = len;
    capy_mig_origin_frozen(&t->origin, &t->from.env);
    return t;
}

static void close(struct transfer *t)
{
    capy_mig_target_free(&t->target, &t->to.env);
    stage_close(&t->from);
    stage_close(&t->to);
    free(t);
}

static void pass_time(struct transfer *t, uint64_t now)
{
    t->from.env.now = t->to.env.now = now;
}

static void collect(struct burst *b, const uint8_t *bytes, size_t len)
{
    assert_true(b->cnt < BURST_MAX);
    b->frame[b->cnt].len = len;
    memcpy(b->frame[b->cnt++].bytes, bytes, len);
}

static void target_speaks(struct transfer *t)
{
    size_t len;
    while ((len = capy_mig_target_output(&t->target, &t->to.env, t->to.out)) > 0)
        collect(&t->back, t->to.out, len);
}

static void check_state(struct transfer *t)
{
    const struct capy_snap_source source = capy_mig_target_source(&t->target);
    uint32_t len;
    assert_int_equal(t->target.total, t->origin.snap.recv_len);
    for (uint32_t at = 0; at < t->target.total; at += len) {
        const uint8_t *got =
            capy_snap_source_span(&source, &t->to.blocks, at, t->target.total - at, &len);
        for (uint32_t i = 0; i < len; i++)
            assert_int_equal(got[i], stage_byte(at + i));
    }
}

static void to_target(struct transfer *t, uint32_t pos)
{
    struct frame *f = &t->there.frame[pos];
    struct capy_mig_msg msg;
    assert_int_equal(capy_mig_parse(f->bytes, f->len, STAGE_KEY, &msg), CAPY_MIG_GOOD);
    t->cancelled = t->cancelled || msg.type == CAPY_MIG_CANCEL;
    if (msg.type != CAPY_MIG_CONN_STATE)
        return;
    t->sent++;
    bool last = msg.offset + msg.length == msg.total;
    if (!t->keeps(t, &msg, pos, t->there.cnt))
        return;
    if (last && !t->committed) {
        t->committed = true;
        t->missing_at_commit = fragments(t) - 1u - t->target.fragment_cnt;
    }
    if (capy_mig_target_input(&t->target, &t->to.env, &msg) == CAPY_MIG_DO_IMPORT) {
        assert_false(t->imported);
        t->imported = true;
        check_state(t);
        capy_mig_target_imported(&t->target, &t->to.env);
    }
    target_speaks(t);
}

static void to_origin(struct transfer *t, uint32_t pos)
{
    struct frame *f = &t->back.frame[pos];
    struct capy_mig_msg msg;
    assert_int_equal(capy_mig_parse(f->bytes, f->len, STAGE_KEY, &msg), CAPY_MIG_GOOD);
    assert_int_equal(msg.type, CAPY_MIG_CONN_STATE_ACK);
    t->acks++;
    if (!t->keeps(t, &msg, pos, t->back.cnt) || t->origin_did != CAPY_MIG_DO_NOTHING)
        return;
    t->origin_did = capy_mig_origin_input(&t->origin, &t->from.env, &msg);
}

/* One way there, one way back; when nothing is under way, on to the next timer. */
static void turn(struct transfer *t)
{
    size_t len;
    while ((len = capy_mig_origin_output(&t->origin, &t->from.env, t->from.out)) > 0)
        collect(&t->there, t->from.out, len);
    target_speaks(t);
    if (t->there.cnt + t->back.cnt == 0) {
        pass_time(t, capy_min64(capy_mig_origin_next_at(&t->origin),
                                capy_mig_target_next_at(&t->target)));
        (void)capy_mig_origin_expire(&t->origin, &t->from.env);
        (void)capy_mig_target_expire(&t->target, &t->to.env);
        return;
    }
    t->burst_top = capy_max32(t->burst_top, t->there.cnt);
    pass_time(t, t->from.env.now + DELAY_NS);
    for (uint32_t i = 0; i < t->there.cnt; i++)
        to_target(t, i);
    t->there.cnt = 0;
    pass_time(t, t->from.env.now + DELAY_NS);
    for (uint32_t i = 0; i < t->back.cnt; i++)
        to_origin(t, i);
    t->back.cnt = 0;
}

/* Runs until the origin may free its copy; that must be within `limit` of simulated time. */
static void run(struct transfer *t, uint64_t limit)
{
    while (t->origin_did == CAPY_MIG_DO_NOTHING) {
        assert_true(t->from.env.now - t->began_at <= limit);
        turn(t);
    }
    assert_int_equal(t->origin_did, CAPY_MIG_DO_RELEASE);
    assert_true(t->imported);
    assert_false(t->cancelled);
    assert_true(t->burst_top <= CAPY_MIG_WINDOW);
}

/* ---- links ---- */

static bool no_second_half(struct transfer *t, const struct capy_mig_msg *msg, uint32_t pos,
                           uint32_t cnt)
{
    (void)t;
    return msg->type != CAPY_MIG_CONN_STATE || pos < (cnt + 1u) / 2u;
}

static bool the_first_of_a_burst(struct transfer *t, const struct capy_mig_msg *msg, uint32_t pos,
                                 uint32_t cnt)
{
    (void)msg, (void)cnt;
    return pos < t->parameter;
}

/* Of the partial CONN_STATE_ACKs only number `parameter` passes. */
static bool one_partial_ack(struct transfer *t, const struct capy_mig_msg *msg, uint32_t pos,
                            uint32_t cnt)
{
    (void)pos, (void)cnt;
    return msg->type != CAPY_MIG_CONN_STATE_ACK || msg->offset == msg->total ||
           t->acks == t->parameter;
}

static bool four_of_five(struct transfer *t, const struct capy_mig_msg *msg, uint32_t pos,
                         uint32_t cnt)
{
    (void)msg, (void)pos, (void)cnt;
    return !capy_prng_chance(&t->prng, 200000);
}

/* ---- tests ---- */

static void one_fragment_takes_one_state_and_one_ack(void **state)
{
    (void)state;
    for (int seal = 0; seal < 2; seal++) {
        const uint32_t lens[] = {1, 192, CAPY_MIG_PAYLOAD_MAX - CAPY_SEAL_LEN};
        for (unsigned i = 0; i < 3; i++) {
            struct transfer *t = open(lens[i], seal);
            run(t, 2u * DELAY_NS);
            assert_int_equal(t->sent, 1);
            assert_int_equal(t->acks, 1);
            close(t);
        }
    }
}

static void a_good_link_carries_each_fragment_once_and_commits_at_the_end(void **state)
{
    (void)state;
    for (int seal = 0; seal < 2; seal++) {
        struct transfer *t = open(1024u * 1024u, seal);
        run(t, CAPY_MS(1));
        assert_int_equal(t->sent, fragments(t));
        assert_true(t->acks <= fragments(t) / (CAPY_MIG_WINDOW / 2u) + 1u);
        assert_int_equal(t->missing_at_commit, 0);
        close(t);
    }
}

static void a_tail_lost_on_every_pass_does_not_stop_it(void **state)
{
    (void)state;
    for (int seal = 0; seal < 2; seal++) {
        struct transfer *t = open(500000, seal);
        t->keeps = no_second_half;
        run(t, CAPY_MS(20));
        assert_true(t->missing_at_commit < CAPY_MIG_WINDOW);
        close(t);
    }
}

static void a_link_of_few_frames_carries_it_in_bounded_time(void **state)
{
    (void)state;
    const uint32_t kept[] = {32, 8, 1};
    const uint64_t limit[] = {CAPY_MS(5), CAPY_MS(60), CAPY_MS(600)};
    for (unsigned i = 0; i < 3; i++) {
        struct transfer *t = open(500000, false);
        t->keeps = the_first_of_a_burst;
        t->parameter = kept[i];
        run(t, limit[i]);
        close(t);
    }
}

static void one_partial_ack_that_gets_through_is_enough(void **state)
{
    (void)state;
    for (uint32_t which = 1; which <= 6; which++) {
        struct transfer *t = open(CAPY_MIG_WINDOW * 3u / 2u * CAPY_MIG_PAYLOAD_MAX, false);
        t->keeps = one_partial_ack;
        t->parameter = which;
        run(t, t->from.cfg.state_ns);
        close(t);
    }
}

static void a_megabyte_passes_a_link_that_loses_a_fifth(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct transfer *t = open(1024u * 1024u, seed % 2u);
        t->keeps = four_of_five;
        capy_prng_seed(&t->prng, seed);
        run(t, CAPY_MS(50)); /* mostly 2 ms; the last fragment may have bad luck, and backs off */
        assert_true(t->sent <= 2u * fragments(t));
        assert_true(t->missing_at_commit < CAPY_MIG_WINDOW);
        close(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_fragment_takes_one_state_and_one_ack),
        cmocka_unit_test(a_good_link_carries_each_fragment_once_and_commits_at_the_end),
        cmocka_unit_test(a_tail_lost_on_every_pass_does_not_stop_it),
        cmocka_unit_test(a_link_of_few_frames_carries_it_in_bounded_time),
        cmocka_unit_test(one_partial_ack_that_gets_through_is_enough),
        cmocka_unit_test(a_megabyte_passes_a_link_that_loses_a_fifth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
