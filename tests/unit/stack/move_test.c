/* A host as the target of moves, against a rack that is only messages (src/stack/migrate_in.c, rack.c,
 * away.c): whom it admits, what it refuses by which name, and what it remembers. */
#include "forge_rack.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { SELF = 1, ORIGIN = 0, PORT = FORGE_PORT, MIG_PORTS = FORGE_MIG_PORTS };

#define CLIENT 0x0a0000c8u
#define MIG_ID 0x700000001u

static struct forge f;
static struct capy_mig_msg told; /* the last message that the host sent */

static void hear_rack(const struct capy_mig_msg *msg, uint32_t from)
{
    forge_rack_says(&f, msg, from);
}

static bool tells(enum capy_mig_type type)
{
    return forge_rack_hears(&f, type, &told);
}

static struct capy_mig_msg message(enum capy_mig_type type, uint32_t epoch)
{
    return (struct capy_mig_msg){
        .type = (uint8_t)type,
        .verdict = CAPY_VERDICT_OK,
        .origin = ORIGIN,
        .target = SELF,
        .mig_id = MIG_ID + epoch,
        .epoch = epoch,
        .key = {capy_ip_from_v4(CLIENT), capy_ip_from_v4(FORGE_SERVER(ORIGIN)), 5000, PORT}};
}

static void prepare(uint32_t epoch)
{
    const struct capy_mig_msg msg = message(CAPY_MIG_PREPARE_MIG, epoch);
    hear_rack(&msg, FORGE_SERVER(ORIGIN));
}

static void must_admit(void)
{
    assert_true(tells(CAPY_MIG_PREPARE_MIG_ACK));
}

static void must_refuse(enum capy_mig_reason why)
{
    assert_true(tells(CAPY_MIG_NACK));
    assert_int_equal(told.reason, why);
}

static int open_server(void **state)
{
    (void)state;
    forge_rack_ready(&f, SELF);
    return 0;
}

static int close_server(void **state)
{
    (void)state;
    assert_int_equal(f.s->target_pool.free_cnt, f.s->cfg.migrate_max);
    assert_int_equal(f.s->conn_pool.free_cnt, f.s->cfg.conn_max);
    assert_int_equal(f.s->blocks.pool.free_cnt, f.s->blocks.pool.cnt);
    forge_close(&f);
    return 0;
}

/* The switch gives the flow back, or whatever it says to our NACK: the slot is over. */
static void nack_answered(uint32_t epoch)
{
    const struct capy_mig_msg msg = message(CAPY_MIG_NACK, epoch);
    hear_rack(&msg, FORGE_TOR);
    forge_drain(&f);
}

static void let_expire(uint32_t epoch)
{
    forge_pass(&f, f.s->cfg.mig.hold_ns);
    must_refuse(CAPY_REASON_HOLD_EXPIRED);
    nack_answered(epoch);
}

static void a_flow_is_admitted_and_given_back(void **state)
{
    (void)state;
    prepare(1);
    must_admit();
    assert_in_range(told.target_port, MIG_PORTS, MIG_PORTS + FORGE_MIG_PORT_CNT - 1);
    prepare(1); /* it was lost */
    must_admit();
    uint16_t port = told.target_port;
    let_expire(1);
    /* What is still under way from the port of the first stay is not this one's. */
    prepare(2);
    must_admit();
    assert_int_not_equal(told.target_port, port);
    let_expire(2);
}

static void what_was_refused_is_never_taken(void **state)
{
    (void)state;
    struct capy_mig_msg late = message(CAPY_MIG_CONN_STATE, 3);
    uint8_t bytes[16] = {0};
    prepare(3);
    must_admit();
    let_expire(3);
    prepare(3);
    must_refuse(CAPY_REASON_CLASH);
    prepare(2);
    must_refuse(CAPY_REASON_CLASH);
    late.total = late.length = sizeof bytes;
    late.payload = bytes;
    hear_rack(&late, FORGE_SERVER(ORIGIN));
    must_refuse(CAPY_REASON_HOLD_EXPIRED);
    prepare(4); /* the next attempt is another matter */
    must_admit();
    let_expire(4);
}

static void a_newer_attempt_takes_the_place_of_a_burned_one(void **state)
{
    (void)state;
    prepare(1);
    must_admit();
    prepare(3);
    must_admit();
    assert_int_equal(told.epoch, 3);
    prepare(1); /* late */
    assert_false(tells(CAPY_MIG_PREPARE_MIG_ACK));
    let_expire(3);
}

static void a_new_server_is_quiet_first(void **state)
{
    (void)state;
    forge_close(&f);
    forge_rack_open(&f, SELF);
    forge_rack_beat(&f, 7);
    forge_pass(&f, CAPY_MIG_QUIET_NS - 1);
    forge_rack_beat(&f, 7);
    prepare(1);
    must_refuse(CAPY_REASON_DRAINING);
    forge_pass(&f, 1);
    prepare(2);
    must_admit();
    let_expire(2);
}

static void without_a_lease_nothing_is_admitted(void **state)
{
    (void)state;
    forge_close(&f);
    forge_rack_open(&f, SELF);
    forge_pass(&f, CAPY_MIG_QUIET_NS);
    prepare(1);
    must_refuse(CAPY_REASON_DRAINING);
}

static void refusals_say_why(void **state)
{
    (void)state;
    struct capy_mig_msg msg = message(CAPY_MIG_PREPARE_MIG, 1);
    msg.key.home_port = PORT + 1;
    hear_rack(&msg, FORGE_SERVER(ORIGIN));
    must_refuse(CAPY_REASON_NO_SERVICE);
    msg = message(CAPY_MIG_PREPARE_MIG, 1);
    msg.key.client = f.s->cfg.ip;
    hear_rack(&msg, FORGE_SERVER(ORIGIN));
    must_refuse(CAPY_REASON_CLASH);
    msg = message(CAPY_MIG_PREPARE_MIG, 1);
    msg.key.home = capy_ip_from_v4(FORGE_SERVER(FORGE_PEERS));
    hear_rack(&msg, FORGE_SERVER(ORIGIN));
    must_refuse(CAPY_REASON_NO_SERVICE);
    for (uint16_t i = 0; i < 2; i++) {
        msg = message(CAPY_MIG_PREPARE_MIG, 1);
        msg.key.client_port = (uint16_t)(6000 + i);
        hear_rack(&msg, FORGE_SERVER(ORIGIN));
        must_admit();
    }
    prepare(1);
    must_refuse(CAPY_REASON_FULL);
    capy_stack_set_draining(f.s, true);
    prepare(2);
    must_refuse(CAPY_REASON_DRAINING);
    capy_stack_set_draining(f.s, false);
    forge_pass(&f, f.s->cfg.mig.hold_ns);
    for (uint16_t i = 0; i < 2; i++) {
        msg = message(CAPY_MIG_NACK, 1);
        msg.key.client_port = (uint16_t)(6000 + i);
        hear_rack(&msg, FORGE_TOR);
    }
    forge_drain(&f);
}

/* The client's segments of a flow that does not come: back on the wire, for whoever has it. */
static void held_frames_go_back_when_the_state_does_not_come(void **state)
{
    (void)state;
    struct capy_packet p;
    struct forged client = forge_client(CLIENT, 5000, 0);
    unsigned back = 0;
    prepare(1);
    must_admit();
    client.to_port = told.target_port;
    for (unsigned i = 0; i < 3; i++)
        forge_say(&f, &client, CAPY_TCP_ACK, "held", 4);
    assert_int_equal(capy_stack_counters(f.s)->held_frames, 3);
    forge_pass(&f, f.s->cfg.mig.hold_ns);
    must_refuse(CAPY_REASON_HOLD_EXPIRED);
    const struct capy_mig_msg ok = message(CAPY_MIG_NACK, 1);
    hear_rack(&ok, FORGE_TOR);
    while (forge_hear(&f, &p))
        if (p.kind == CAPY_PACKET_TCP) {
            struct capy_ip home = capy_ip_from_v4(FORGE_SERVER(ORIGIN)),
                           from = capy_ip_from_v4(CLIENT);
            assert_true(capy_ip_eq(&p.dst, &home) && capy_ip_eq(&p.src, &from));
            assert_true(p.dst_port == PORT && p.src_port == 5000);
            assert_int_equal(p.tcp.data_len, 4);
            back++;
        }
    assert_int_equal(back, 3);
}

static void a_flow_that_nobody_told_of_is_asked_about(void **state)
{
    (void)state;
    struct forged client = forge_client(CLIENT, 5000, MIG_PORTS + 7);
    forge_say(&f, &client, CAPY_TCP_ACK, "lost", 4);
    must_refuse(CAPY_REASON_UNKNOWN_FLOW);
    assert_int_equal(told.epoch, 0);
    forge_say(&f, &client, CAPY_TCP_ACK, "lost", 4);
    assert_false(tells(CAPY_MIG_NACK)); /* not with every segment */
    struct capy_mig_msg known = message(CAPY_MIG_NACK, 0);
    known.origin = CAPY_SERVER_ANY;
    known.reason = CAPY_REASON_UNKNOWN_FLOW;
    known.verdict = CAPY_VERDICT_STALE;
    known.owner = ORIGIN; /* not ours: then it was a stray frame */
    known.entry_epoch = 4;
    hear_rack(&known, FORGE_TOR);
    assert_false(tells(CAPY_MIG_NACK));
    known.owner = SELF;
    hear_rack(&known, FORGE_TOR);
    must_refuse(CAPY_REASON_UNKNOWN_FLOW);
    assert_int_equal(told.epoch, 4);
    prepare(4); /* and is not taken at that epoch any more */
    must_refuse(CAPY_REASON_CLASH);
}

static void strangers_and_bad_tags_move_nothing(void **state)
{
    (void)state;
    struct capy_mig_msg msg = message(CAPY_MIG_PREPARE_MIG, 1);
    hear_rack(&msg, FORGE_SERVER(FORGE_PEERS));
    assert_int_equal(capy_stack_counters(f.s)->mig_from_stranger, 1);
    const struct capy_key key = f.s->tagger.key;
    capy_mig_tagger_init(&f.s->tagger, (struct capy_key){key.k0 + 1, key.k1});
    hear_rack(&msg, FORGE_SERVER(ORIGIN));
    capy_mig_tagger_init(&f.s->tagger, key);
    assert_int_equal(capy_stack_counters(f.s)->mig_bad[CAPY_MIG_BAD_TAG], 1);
    msg.origin = msg.target = 2; /* two others' */
    hear_rack(&msg, FORGE_SERVER(ORIGIN));
    assert_false(tells(CAPY_MIG_PREPARE_MIG_ACK));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_flow_is_admitted_and_given_back, open_server,
                                        close_server),
        cmocka_unit_test_setup_teardown(what_was_refused_is_never_taken, open_server, close_server),
        cmocka_unit_test_setup_teardown(a_newer_attempt_takes_the_place_of_a_burned_one,
                                        open_server, close_server),
        cmocka_unit_test_setup_teardown(a_new_server_is_quiet_first, open_server, close_server),
        cmocka_unit_test_setup_teardown(without_a_lease_nothing_is_admitted, open_server,
                                        close_server),
        cmocka_unit_test_setup_teardown(refusals_say_why, open_server, close_server),
        cmocka_unit_test_setup_teardown(held_frames_go_back_when_the_state_does_not_come,
                                        open_server, close_server),
        cmocka_unit_test_setup_teardown(a_flow_that_nobody_told_of_is_asked_about, open_server,
                                        close_server),
        cmocka_unit_test_setup_teardown(strangers_and_bad_tags_move_nothing, open_server,
                                        close_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
