/* One connection that moves from one host to another, the test being the network between them and
 * the switch: what is kept on the way, and what each host does with what comes too early or late. */
#include "forge_move.h"

enum { ORIGIN = 0, TARGET = 1 };

#define CLIENT 0x0a0000c8u
#define BOOT 7u

static struct forged client;
static capy_handle conn;

static int open_pair(void **state)
{
    (void)state;
    forge_rack_ready(&o, ORIGIN);
    forge_rack_ready(&t, TARGET);
    client = forge_client(CLIENT, 5000, FORGE_PORT);
    client.ts = true;
    assert_true(forge_connect(&o, &client));
    assert_true(take_events(&o, &conn) & CAPY_EV_ACCEPTED);
    return 0;
}

static int close_pair(void **state)
{
    (void)state;
    forge_close(&o);
    forge_close(&t);
    return 0;
}

/* Up to the target's slot, and the port that it will use. */
static uint16_t grant(void)
{
    assert_int_equal(capy_stack_migrate(o.s, conn, TARGET, o.now), CAPY_OK);
    hear(&o, CAPY_MIG_PREPARE_MIG);
    pass(&t, CAPY_VERDICT_OK, CAPY_PHASE_NONE, CAPY_SERVER_ANY, 0);
    hear(&t, CAPY_MIG_PREPARE_MIG_ACK);
    uint16_t port = msg.target_port;
    pass(&o, CAPY_VERDICT_OK, CAPY_PHASE_PENDING, TARGET, msg.epoch);
    assert_true(take_events(&o, &conn) & CAPY_EV_MIGRATE_ASK);
    return port;
}

static void release(const char *app)
{
    assert_int_equal(capy_stack_release(o.s, conn, (const uint8_t *)app,
                                        app ? (uint32_t)strlen(app) : 0, 42, o.now),
                     CAPY_OK);
    hear(&o, CAPY_MIG_CONN_STATE);
}

/* The state arrives; the handle at the target in conn, and the events that told of it. */
static uint32_t arrive(void)
{
    pass(&t, CAPY_VERDICT_OK, CAPY_PHASE_SETTLED, TARGET, msg.epoch);
    return take_events(&t, &conn);
}

static void finish(void)
{
    hear(&t, CAPY_MIG_CONN_STATE_ACK);
    assert_int_equal(msg.offset, msg.total);
    pass(&o, CAPY_VERDICT_OK, CAPY_PHASE_SETTLED, TARGET, msg.epoch);
    capy_handle gone;
    assert_true(take_events(&o, &gone) & CAPY_EV_MIGRATED_OUT);
    assert_int_equal(o.s->origin_pool.free_cnt, o.s->cfg.migrate_max);
    assert_int_equal(t.s->target_pool.free_cnt, t.s->cfg.migrate_max);
}

/* All of it; the client's segments go to the target from now on. */
static void move(void)
{
    client.to_port = grant();
    release(NULL);
    assert_true(arrive() & CAPY_EV_MIGRATED_IN);
    finish();
}

static void what_belongs_to_it_comes_along(void **state)
{
    (void)state;
    uint8_t bytes[64];
    uint32_t got;
    struct capy_stack_conn_info info;
    forge_say(&o, &client, CAPY_TCP_ACK, "unread", 6);
    forge_drain(&o);
    client.to_port = grant();
    release("of the application");
    uint32_t events = arrive();
    assert_int_equal(events & (CAPY_EV_ACCEPTED | CAPY_EV_MIGRATED_IN | CAPY_EV_READABLE),
                     CAPY_EV_ACCEPTED | CAPY_EV_MIGRATED_IN | CAPY_EV_READABLE);
    finish();
    assert_int_equal(capy_stack_app_state(t.s, conn, bytes, sizeof bytes), 18);
    assert_memory_equal(bytes, "of the application", 18);
    assert_int_equal(capy_stack_user_flags(t.s, conn), 42);
    const uint8_t *span = capy_stack_read_span(t.s, conn, 0, &got);
    assert_int_equal(got, 6);
    assert_memory_equal(span, "unread", 6);
    assert_int_equal(capy_stack_conn_info(t.s, conn, &info), CAPY_OK);
    assert_int_equal(info.epoch, 1);
    assert_int_equal(info.local_port, client.to_port);
    assert_int_equal(info.key.home_port, FORGE_PORT);
}

/* Another release of ours runs at the origin: its snapshots are refused by name, and the flow stays. */
static void another_version_of_the_snapshot_is_refused_by_name(void **state)
{
    (void)state;
    grant();
    release(NULL);
    assert_int_equal(state_bytes[0], CAPY_SNAP_VERSION);
    state_bytes[0]++;
    assert_int_equal(arrive(), 0);
    assert_int_equal(capy_stack_counters(t.s)->refused_by_reason[CAPY_REASON_VERSION], 1);
    hear(&t, CAPY_MIG_NACK);
    assert_int_equal(msg.reason, CAPY_REASON_VERSION);
    pass(&o, CAPY_VERDICT_OK, CAPY_PHASE_SETTLED, ORIGIN, msg.epoch + 1);
    assert_true(take_events(&o, &conn) & CAPY_EV_MIGRATE_KEPT);
    assert_int_equal(capy_stack_counters(o.s)->kept_by_reason[CAPY_REASON_VERSION], 1);
}

/* Whoever damaged it: it is as if it had been lost. */
static void a_state_whose_hash_is_wrong_is_not_looked_at(void **state)
{
    (void)state;
    grant();
    release(NULL);
    t.s->mig_env.state_key.last.k0++;
    assert_int_equal(arrive(), 0);
    t.s->mig_env.state_key.last.k0--;
    t.s->mig_env.state_key.nh.word[0]++;
    assert_int_equal(arrive(), 0);
    t.s->mig_env.state_key.nh.word[0]--;
    assert_int_equal(capy_stack_counters(t.s)->mig_bad[CAPY_MIG_BAD_HASH], 2);
    assert_true(arrive() & CAPY_EV_MIGRATED_IN);
    finish();
}

static void frames_before_the_state_are_held(void **state)
{
    (void)state;
    bool fin;
    client.to_port = grant();
    forge_say(&t, &client, CAPY_TCP_ACK, "early", 5);
    assert_int_equal(capy_stack_counters(t.s)->held_frames, 1);
    release(NULL);
    assert_true(arrive() & CAPY_EV_READABLE);
    assert_int_equal(capy_stack_readable(t.s, conn, &fin), 5);
}

/* A segment that passed the switch before the grant reaches a connection that no longer runs. */
static void late_frames_at_a_frozen_origin_go_back_on_the_wire(void **state)
{
    (void)state;
    struct capy_packet p;
    grant();
    release(NULL);
    forge_say(&o, &client, CAPY_TCP_ACK, "late", 4);
    assert_true(forge_hear(&o, &p));
    assert_int_equal(p.kind, CAPY_PACKET_TCP);
    assert_true(p.src_port == client.port && p.dst_port == FORGE_PORT);
    assert_int_equal(p.tcp.data_len, 4);
    assert_int_equal(capy_stack_counters(o.s)->put_back_frames, 1);
    assert_false(forge_answer(&o, &client, &p)); /* and says nothing of its own */
}

static void home_does_not_reset_what_it_gave_away(void **state)
{
    (void)state;
    struct capy_packet p;
    struct forged before = client;
    move();
    forge_say(&o, &before, CAPY_TCP_ACK, "late", 4);
    assert_int_equal(capy_stack_counters(o.s)->put_back_frames, 1);
    assert_false(forge_answer(&o, &before, &p));
}

/* The final acknowledgement is lost: asked again, it says so again, also when the connection has ended
 * since. A refusal would have the switch give the flow back. */
static void a_repeated_state_is_acknowledged_again(void **state)
{
    (void)state;
    client.to_port = grant();
    release(NULL);
    struct capy_mig_msg sent = msg;
    arrive();
    for (int ended = 0; ended < 2; ended++) {
        forge_drain(&t);
        msg = sent;
        pass(&t, CAPY_VERDICT_OK, CAPY_PHASE_SETTLED, TARGET, msg.epoch);
        hear(&t, CAPY_MIG_CONN_STATE_ACK);
        assert_int_equal(msg.offset, msg.total);
        capy_stack_abort(t.s, conn, t.now);
        (void)take_events(&t, &conn);
    }
    assert_int_equal(capy_stack_counters(t.s)->migrations_in, 1);
}

static void every_move_has_an_id_of_its_own(void **state)
{
    (void)state;
    uint64_t seen[4];
    for (unsigned i = 0; i < 4; i++) {
        grant();
        assert_int_equal(capy_stack_veto(o.s, conn, o.now), CAPY_OK);
        hear(&o, CAPY_MIG_CANCEL);
        seen[i] = msg.mig_id;
        for (unsigned j = 0; j < i; j++)
            assert_true(seen[j] != seen[i]);
        uint32_t burned = msg.epoch + 1;
        pass(&o, CAPY_VERDICT_OK, CAPY_PHASE_SETTLED, ORIGIN, burned);
        assert_true(take_events(&o, &conn) & CAPY_EV_MIGRATE_KEPT);
        forge_drain(&t);
    }
}

/* A late copy of its SYN has reached its home, after the switch forgot whose it is: what the client says
 * there answers no SYN-ACK of home's, but nobody may reset it before the switch has heard of it. */
static void a_late_syn_is_no_reason_to_reset(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct capy_packet p;
        struct forged c = forge_client(CLIENT, (uint16_t)(6000 + i), FORGE_PORT);
        struct capy_tcp_segment syn = forge_syn(&c);
        forge_inject(&o, &c, &syn);
        assert_true(forge_answer(&o, &c, &p));
        assert_int_equal(p.tcp.flags, CAPY_TCP_SYN | CAPY_TCP_ACK);
        c.rcv_nxt = capy_seq_add(c.rcv_nxt, 1000);
        c.snd_nxt = capy_seq_add(c.snd_nxt, 1);
        forge_say(&o, &c, CAPY_TCP_ACK, NULL, 0);
        assert_false(forge_answer(&o, &c, &p));
        forge_pass(&o, CAPY_MS(1));
        forge_rack_beat(&o, BOOT + i); /* the same, then a new one */
        bool reset = forge_answer(&o, &c, &p) && p.tcp.flags == CAPY_TCP_RST;
        assert_int_equal(reset, i == 0);
    }
}

static void a_new_switch_is_told_who_runs_what(void **state)
{
    (void)state;
    move();
    forge_drain(&t);
    forge_rack_beat(&t, BOOT + 1);
    hear(&t, CAPY_MIG_ANNOUNCE);
    assert_int_equal(msg.epoch, 1);
    assert_int_equal(msg.target_port, client.to_port);
}

/* Long silence: the switch takes it for dead, and may have given its flows to others. */
static void without_a_lease_it_stands_still_until_told(void **state)
{
    (void)state;
    struct capy_packet p;
    move();
    forge_drain(&t);
    forge_pass(&t, 8 * t.s->cfg.lease_ns + 1);
    assert_int_equal(capy_stack_write(t.s, conn, (const uint8_t *)"x", 1, t.now), CAPY_E_STATE);
    forge_say(&t, &client, CAPY_TCP_ACK, "anyone?", 7);
    assert_false(forge_answer(&t, &client, &p));
    forge_pass(&t, CAPY_MS(1));
    forge_rack_beat(&t, BOOT);
    forge_pass(&t, CAPY_MS(10));
    hear(&t, CAPY_MIG_ANNOUNCE);
    pass(&t, CAPY_VERDICT_OK, CAPY_PHASE_SETTLED, TARGET, 1);
    assert_int_equal(capy_stack_write(t.s, conn, (const uint8_t *)"x", 1, t.now), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_belongs_to_it_comes_along, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(another_version_of_the_snapshot_is_refused_by_name,
                                        open_pair, close_pair),
        cmocka_unit_test_setup_teardown(a_state_whose_hash_is_wrong_is_not_looked_at, open_pair,
                                        close_pair),
        cmocka_unit_test_setup_teardown(frames_before_the_state_are_held, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(late_frames_at_a_frozen_origin_go_back_on_the_wire,
                                        open_pair, close_pair),
        cmocka_unit_test_setup_teardown(home_does_not_reset_what_it_gave_away, open_pair,
                                        close_pair),
        cmocka_unit_test_setup_teardown(a_repeated_state_is_acknowledged_again, open_pair,
                                        close_pair),
        cmocka_unit_test_setup_teardown(every_move_has_an_id_of_its_own, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(a_late_syn_is_no_reason_to_reset, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(a_new_switch_is_told_who_runs_what, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(without_a_lease_it_stands_still_until_told, open_pair,
                                        close_pair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
