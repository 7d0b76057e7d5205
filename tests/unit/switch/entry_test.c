/* The rules of ownership, table-driven: every message against every kind of entry and epoch relation
 * (switch/core/entry.h; docs/protocol.md, section 5). Server 0 is home, 1 origin, 2 target, 3 a
 * stranger; the entry's epoch is 5, and a message about it carries 4, 5, 6 or 7. */
#include "switch/core/entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { HOME, ORIGIN, TARGET, STRANGER };
enum { MIG = 77 };

/* Kinds of entry, all at epoch 5. */
enum kind {
    FULL,     /* none, and no room */
    ABSENT,   /* none */
    PENDING,  /* origin -> target */
    UNSERVED, /* settled at the target, nothing sent yet */
    SERVED,   /* settled at the target, which sent */
    MINE,     /* settled at the origin */
    DEAD,     /* tombstone of the target, served */
    ANNOUNCED /* settled at the target by its own word */
};

static const struct capy_flow_key KEY = {.client_port = 5000, .home_port = 80};

static struct capy_entry make(enum kind kind)
{
    struct capy_entry e = {.key = KEY,
                           .epoch = 5,
                           .mig_id = MIG,
                           .phase = CAPY_PHASE_SETTLED,
                           .owner = {TARGET, 61440, 0},
                           .previous = {ORIGIN, 61441, 0}};
    switch (kind) {
    case FULL:
    case ABSENT:
        return (struct capy_entry){0};
    case PENDING:
        e.phase = CAPY_PHASE_PENDING;
        break;
    case SERVED:
        e.flags = CAPY_ENTRY_SERVED;
        break;
    case MINE:
        capy_entry_give(&e, e.previous, 5);
        break;
    case DEAD:
        e.flags = CAPY_ENTRY_SERVED | CAPY_ENTRY_DEAD;
        break;
    case ANNOUNCED:
        capy_entry_give(&e, e.owner, 5);
        break;
    case UNSERVED:
        break;
    }
    return e;
}

enum {
    P = CAPY_RULE_PASS,
    B = CAPY_RULE_BOUNCE,
    R = CAPY_RULE_REMOVE,
    G = CAPY_RULE_GRANT,
    GONE = CAPY_RULE_OWNER_GONE
};

struct row {
    enum capy_mig_type type;
    enum kind kind;
    uint32_t epoch;
    uint16_t sender, peer;
    unsigned todo;
    enum capy_mig_verdict verdict;
    /* after it; phase 0: no entry */
    enum capy_phase phase;
    uint32_t epoch_after;
    uint16_t owner;
};

#define NOBODY CAPY_SERVER_ANY
#define PREPARE CAPY_MIG_PREPARE_MIG
#define GRANT CAPY_MIG_PREPARE_MIG_ACK
#define STATE CAPY_MIG_CONN_STATE
#define ACK CAPY_MIG_CONN_STATE_ACK
#define CANCEL CAPY_MIG_CANCEL
#define NACK CAPY_MIG_NACK
#define ANNOUNCE CAPY_MIG_ANNOUNCE
#define CLOSED CAPY_MIG_FLOW_CLOSED
#define OK CAPY_VERDICT_OK
#define STALE CAPY_VERDICT_STALE
#define NO_ENTRY CAPY_PHASE_NONE, 0, 0
#define PENDING_5 CAPY_PHASE_PENDING, 5, TARGET
#define SETTLED_5 CAPY_PHASE_SETTLED, 5, TARGET
#define MINE_5 CAPY_PHASE_SETTLED, 5, ORIGIN
#define BACK_6 CAPY_PHASE_SETTLED, 6, ORIGIN

static const struct row ROWS[] = {
    /* PREPARE_MIG */
    {PREPARE, ABSENT, 1, HOME, NOBODY, G, OK, NO_ENTRY},
    {PREPARE, ABSENT, 2, HOME, NOBODY, B, STALE, NO_ENTRY},
    {PREPARE, ABSENT, 1, ORIGIN, NOBODY, B, STALE, NO_ENTRY},
    {PREPARE, FULL, 1, HOME, NOBODY, B, CAPY_VERDICT_FULL, NO_ENTRY},
    {PREPARE, MINE, 6, ORIGIN, NOBODY, G, OK, MINE_5},
    {PREPARE, MINE, 5, ORIGIN, NOBODY, B, STALE, MINE_5},
    {PREPARE, MINE, 7, ORIGIN, NOBODY, B, STALE, MINE_5},
    {PREPARE, MINE, 6, STRANGER, NOBODY, B, STALE, MINE_5},
    {PREPARE, PENDING, 5, ORIGIN, NOBODY, P, OK, PENDING_5},
    {PREPARE, PENDING, 6, ORIGIN, NOBODY, B, STALE, PENDING_5},
    {PREPARE, PENDING, 6, TARGET, NOBODY, B, STALE, PENDING_5},
    {PREPARE, SERVED, 5, ORIGIN, NOBODY, B, STALE, SETTLED_5},
    {PREPARE, SERVED, 6, TARGET, NOBODY, G, OK, SETTLED_5},
    {PREPARE, DEAD, 6, TARGET, NOBODY, B, STALE, SETTLED_5},
    /* PREPARE_MIG_ACK: the compare-and-swap */
    {GRANT, ABSENT, 1, TARGET, HOME, P, OK, CAPY_PHASE_PENDING, 1, TARGET},
    {GRANT, ABSENT, 2, TARGET, HOME, P | B, STALE, NO_ENTRY},
    {GRANT, ABSENT, 1, TARGET, ORIGIN, P | B, STALE, NO_ENTRY},
    {GRANT, FULL, 1, TARGET, HOME, P | B, CAPY_VERDICT_FULL, NO_ENTRY},
    {GRANT, MINE, 6, TARGET, ORIGIN, P, OK, CAPY_PHASE_PENDING, 6, TARGET},
    {GRANT, MINE, 5, TARGET, ORIGIN, P | B, STALE, MINE_5},
    {GRANT, MINE, 7, TARGET, ORIGIN, P | B, STALE, MINE_5},
    {GRANT, MINE, 6, TARGET, STRANGER, P | B, STALE, MINE_5},
    {GRANT, PENDING, 5, TARGET, ORIGIN, P, OK, PENDING_5},
    {GRANT, PENDING, 5, STRANGER, ORIGIN, P | B, STALE, PENDING_5},
    {GRANT, PENDING, 6, STRANGER, TARGET, P | B, STALE, PENDING_5},
    {GRANT, UNSERVED, 5, TARGET, ORIGIN, P | B, STALE, SETTLED_5},
    {GRANT, DEAD, 6, STRANGER, TARGET, P | B, STALE, SETTLED_5},
    /* CONN_STATE, its last fragment: the commit */
    {STATE, PENDING, 5, ORIGIN, TARGET, P, OK, SETTLED_5},
    {STATE, PENDING, 4, ORIGIN, TARGET, B, STALE, PENDING_5},
    {STATE, PENDING, 6, ORIGIN, TARGET, B, STALE, PENDING_5},
    {STATE, PENDING, 5, STRANGER, TARGET, B, STALE, PENDING_5},
    {STATE, PENDING, 5, ORIGIN, STRANGER, B, STALE, PENDING_5},
    {STATE, UNSERVED, 5, ORIGIN, TARGET, P, OK, SETTLED_5},
    {STATE, SERVED, 5, ORIGIN, TARGET, P, OK, SETTLED_5},
    {STATE, ANNOUNCED, 5, ORIGIN, TARGET, P, OK, SETTLED_5},
    {STATE, DEAD, 5, ORIGIN, TARGET, B, CAPY_VERDICT_NO_TARGET, SETTLED_5},
    {STATE, MINE, 5, ORIGIN, TARGET, B, STALE, MINE_5},
    {STATE, MINE, 4, ORIGIN, TARGET, B, STALE, MINE_5},
    {STATE, ABSENT, 1, HOME, TARGET, B, STALE, NO_ENTRY},
    /* CONN_STATE_ACK, final */
    {ACK, SERVED, 5, TARGET, ORIGIN, P, OK, SETTLED_5},
    {ACK, PENDING, 5, TARGET, ORIGIN, 0, STALE, PENDING_5},
    {ACK, SERVED, 5, STRANGER, ORIGIN, 0, STALE, SETTLED_5},
    {ACK, SERVED, 4, STRANGER, ORIGIN, P, OK, SETTLED_5},
    {ACK, ABSENT, 5, TARGET, ORIGIN, P, OK, NO_ENTRY},
    /* CANCEL */
    {CANCEL, ABSENT, 1, HOME, NOBODY, B, OK, CAPY_PHASE_SETTLED, 2, HOME},
    {CANCEL, ABSENT, 5, ORIGIN, NOBODY, B, STALE, NO_ENTRY}, /* its port is not known */
    {CANCEL, FULL, 1, HOME, NOBODY, B, CAPY_VERDICT_FULL, NO_ENTRY},
    {CANCEL, MINE, 6, ORIGIN, NOBODY, B, OK, CAPY_PHASE_SETTLED, 7, ORIGIN},
    {CANCEL, MINE, 4, ORIGIN, NOBODY, B, OK, MINE_5},
    {CANCEL, MINE, 4, STRANGER, NOBODY, B, STALE, MINE_5},
    {CANCEL, MINE, 5, ORIGIN, NOBODY, B, STALE, MINE_5},
    {CANCEL, PENDING, 5, ORIGIN, NOBODY, B, OK, BACK_6},
    {CANCEL, PENDING, 5, TARGET, NOBODY, B, STALE, PENDING_5},
    {CANCEL, PENDING, 4, TARGET, NOBODY, B, STALE, PENDING_5}, /* owner, but not settled */
    {CANCEL, UNSERVED, 5, ORIGIN, NOBODY, B, CAPY_VERDICT_SETTLED, SETTLED_5},
    {CANCEL, SERVED, 5, ORIGIN, NOBODY, B, CAPY_VERDICT_SETTLED, SETTLED_5},
    {CANCEL, ANNOUNCED, 5, ORIGIN, NOBODY, B, CAPY_VERDICT_SETTLED, SETTLED_5},
    {CANCEL, DEAD, 5, ORIGIN, NOBODY, B | GONE, STALE, SETTLED_5},
    {CANCEL, SERVED, 3, ORIGIN, NOBODY, B, STALE, SETTLED_5},
    /* NACK */
    {NACK, ABSENT, 1, TARGET, HOME, P | B, OK, CAPY_PHASE_SETTLED, 2, HOME},
    {NACK, FULL, 1, TARGET, HOME, P | B, OK, NO_ENTRY},
    {NACK, ABSENT, 3, TARGET, ORIGIN, P | B, OK, NO_ENTRY},
    {NACK, MINE, 6, TARGET, ORIGIN, P | B, OK, CAPY_PHASE_SETTLED, 7, ORIGIN},
    {NACK, MINE, 4, TARGET, ORIGIN, P | B, OK, MINE_5},
    {NACK, MINE, 3, TARGET, ORIGIN, B, STALE, MINE_5},
    {NACK, PENDING, 5, TARGET, ORIGIN, P | B, OK, BACK_6},
    {NACK, PENDING, 5, STRANGER, ORIGIN, B, STALE, PENDING_5},
    {NACK, PENDING, 5, TARGET, NOBODY, B, OK, BACK_6},
    {NACK, UNSERVED, 5, TARGET, ORIGIN, P | B, OK, BACK_6},
    {NACK, SERVED, 5, TARGET, ORIGIN, B, OK, SETTLED_5}, /* tombstone */
    {NACK, SERVED, 4, TARGET, ORIGIN, B, STALE, SETTLED_5},
    /* ANNOUNCE */
    {ANNOUNCE, ABSENT, 3, HOME, NOBODY, B, OK, CAPY_PHASE_SETTLED, 3, HOME},
    {ANNOUNCE, ABSENT, 0, HOME, NOBODY, B, OK, NO_ENTRY},
    {ANNOUNCE, FULL, 3, HOME, NOBODY, B, CAPY_VERDICT_FULL, NO_ENTRY},
    {ANNOUNCE, SERVED, 5, TARGET, NOBODY, B, OK, SETTLED_5},
    {ANNOUNCE, DEAD, 5, TARGET, NOBODY, B, OK, SETTLED_5},
    {ANNOUNCE, SERVED, 5, ORIGIN, NOBODY, B, STALE, SETTLED_5},
    {ANNOUNCE, SERVED, 4, ORIGIN, NOBODY, B, STALE, SETTLED_5},
    {ANNOUNCE, PENDING, 4, ORIGIN, NOBODY, B, OK, PENDING_5},
    {ANNOUNCE, SERVED, 7, ORIGIN, NOBODY, B, OK, CAPY_PHASE_SETTLED, 7, ORIGIN},
    /* FLOW_CLOSED */
    {CLOSED, SERVED, 5, TARGET, HOME, P | B | R, OK, SETTLED_5},
    {CLOSED, SERVED, 4, TARGET, NOBODY, B | R, OK, SETTLED_5},
    {CLOSED, SERVED, 5, ORIGIN, HOME, B, STALE, SETTLED_5},
    {CLOSED, SERVED, 6, ORIGIN, HOME, B, STALE, SETTLED_5},
    {CLOSED, PENDING, 4, ORIGIN, HOME, B, STALE, PENDING_5},
    {CLOSED, ABSENT, 5, TARGET, HOME, P | B, OK, NO_ENTRY},
};

static struct capy_claim claim_of(const struct row *r)
{
    return (struct capy_claim){
        /* Only the grant says a port here: the rest must know it from the entry or from home. */
        .sender = {r->sender, r->type == GRANT ? 61440 : 0, 0},
        .peer = {r->peer, 0, 0},
        .sender_is_home = r->sender == HOME,
        .peer_is_home = r->peer == HOME,
        .sender_alive = true,
        .peer_alive = true,
        .owner_alive = r->kind != DEAD,
        .owner_dead = r->kind == DEAD,
        .last = true,
        .epoch = r->epoch,
        .mig_id = r->peer == NOBODY && r->type == NACK ? 0 : MIG,
    };
}

static struct capy_rule apply(struct capy_entry *e, const struct row *r)
{
    struct capy_claim c = claim_of(r);
    switch (r->type) {
    case PREPARE:
        return capy_entry_prepare(e, &c);
    case GRANT:
        return capy_entry_prepare_ack(e, &KEY, &c);
    case STATE:
        return capy_entry_state(e, &c);
    case ACK:
        return capy_entry_state_ack(e, &c);
    case CANCEL:
        return capy_entry_cancel(e, &KEY, &c);
    case NACK:
        return capy_entry_nack(e, &KEY, &c);
    case ANNOUNCE:
        return capy_entry_announce(e, &KEY, &c);
    case CLOSED:
        return capy_entry_closed(e, &c);
    case CAPY_MIG_HEARTBEAT:
    case CAPY_MIG_HEARTBEAT_ACK:
    case CAPY_MIG_TYPE_END:
        break;
    }
    fail();
    return capy_rule(0, CAPY_VERDICT_NONE);
}

static void every_rule_holds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        const struct row *r = &ROWS[i];
        struct capy_entry e = make(r->kind);
        struct capy_rule rule = apply(r->kind == FULL ? NULL : &e, r);
        if (rule.todo != r->todo || rule.verdict != r->verdict || e.phase != r->phase ||
            e.epoch != r->epoch_after || (r->phase && e.owner.id != r->owner))
            fail_msg("row %zu (%u in kind %d, epoch %u): todo %u verdict %u phase %u epoch %u "
                     "owner %u",
                     i, r->type, r->kind, r->epoch, rule.todo, rule.verdict, e.phase, e.epoch,
                     e.owner.id);
    }
}

/* Whatever a message does, it does nothing more when it comes a second time. */
static void every_message_is_idempotent(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct capy_entry e = make(ROWS[i].kind), once;
        if (ROWS[i].kind == FULL)
            continue;
        (void)apply(&e, &ROWS[i]);
        once = e;
        (void)apply(&e, &ROWS[i]);
        assert_int_equal(e.epoch, once.epoch);
        assert_int_equal(e.phase, once.phase);
        assert_int_equal(e.owner.id, once.owner.id);
        assert_int_equal(e.owner.port, once.owner.port);
        assert_int_equal(e.flags, once.flags);
    }
}

static void a_dead_unserved_owner_is_reclaimed_and_a_late_lease_is_not_enough(void **state)
{
    (void)state;
    const struct row r = {
        .type = CANCEL, .kind = UNSERVED, .epoch = 5, .sender = ORIGIN, .peer = NOBODY};
    struct capy_claim c = claim_of(&r);
    struct capy_entry e = make(UNSERVED);
    c.owner_alive = false;
    assert_int_equal(capy_entry_cancel(&e, &KEY, &c).verdict, CAPY_VERDICT_SETTLED);
    c.owner_dead = true;
    assert_int_equal(capy_entry_cancel(&e, &KEY, &c).verdict, CAPY_VERDICT_OK);
    assert_int_equal(e.owner.id, ORIGIN);
    assert_int_equal(e.owner.port, 61441);
    assert_int_equal(e.epoch, 6);
}

static void a_restart_takes_back_tombstones_and_cannot_be_announced_away(void **state)
{
    (void)state;
    const uint64_t lease = CAPY_MS(30);
    struct capy_server origin = {.silent_from = 1000}, target = origin;
    target.gen = 1;
    struct capy_entry e = make(PENDING);
    capy_entry_refresh(&e, &target, &origin, 2000, lease);
    assert_int_equal(e.owner.id, ORIGIN);
    assert_int_equal(e.epoch, 6);
    e = make(UNSERVED);
    capy_entry_refresh(&e, &target, &origin, 2000, lease);
    assert_int_equal(e.owner.id, ORIGIN);
    e = make(SERVED);
    capy_entry_refresh(&e, &target, &origin, 2000, lease);
    assert_true(capy_entry_dead(&e));
    struct capy_claim c = {.sender = {TARGET, 61440, 1}, .epoch = 5}; /* from its former life */
    assert_int_equal(capy_entry_announce(&e, &KEY, &c).verdict, CAPY_VERDICT_STALE);
    assert_true(capy_entry_dead(&e));
}

static void silence_kills_only_after_eight_leases_and_pending_ends_in_any_case(void **state)
{
    (void)state;
    const uint64_t lease = CAPY_MS(30);
    struct capy_server origin = {.silent_from = 0}, target = {.silent_from = 0};
    struct capy_entry e = make(SERVED);
    capy_entry_refresh(&e, &target, &origin, CAPY_SERVER_DEAD_LEASES * lease - 1, lease);
    assert_false(capy_entry_dead(&e));
    capy_entry_refresh(&e, &target, &origin, CAPY_SERVER_DEAD_LEASES * lease, lease);
    assert_true(capy_entry_dead(&e));
    e = make(PENDING);
    origin.silent_from = target.silent_from = CAPY_ENTRY_PENDING_MAX_NS;
    capy_entry_refresh(&e, &target, &origin, CAPY_ENTRY_PENDING_MAX_NS - 1, lease);
    assert_int_equal(e.phase, CAPY_PHASE_PENDING);
    capy_entry_refresh(&e, &target, &origin, CAPY_ENTRY_PENDING_MAX_NS, lease);
    assert_int_equal(e.epoch, 6);
}

static void a_silent_owner_that_never_served_is_given_up_later_while_the_origin_lives(void **state)
{
    (void)state;
    const uint64_t lease = CAPY_MS(30), death = CAPY_SERVER_DEAD_LEASES * lease;
    struct capy_server origin = {.silent_from = 2 * death}, target = {.silent_from = 0};
    struct capy_entry e = make(UNSERVED);
    capy_entry_refresh(&e, &target, &origin, 2 * death - 1, lease);
    assert_false(capy_entry_dead(&e));
    capy_entry_refresh(&e, &target, &origin, 2 * death, lease);
    assert_true(capy_entry_dead(&e));
    origin.silent_from = 0; /* nobody will ask for it */
    e = make(UNSERVED);
    capy_entry_refresh(&e, &target, &origin, death, lease);
    assert_true(capy_entry_dead(&e));
}

static void a_refusal_is_believed_against_a_late_segment(void **state)
{
    (void)state;
    const struct row r = {
        .type = NACK, .kind = SERVED, .epoch = 5, .sender = TARGET, .peer = ORIGIN};
    struct capy_claim c = claim_of(&r);
    struct capy_entry e = make(SERVED);
    c.refused = true;
    assert_int_equal(capy_entry_nack(&e, &KEY, &c).verdict, CAPY_VERDICT_OK);
    assert_int_equal(e.owner.id, ORIGIN);
    assert_int_equal(e.epoch, 6);
    c.refused = false;
    e = make(SERVED);
    assert_int_equal(capy_entry_nack(&e, &KEY, &c).todo, CAPY_RULE_BOUNCE);
    assert_true(capy_entry_dead(&e));
}

static void segments_close_and_reopen_an_entry(void **state)
{
    (void)state;
    struct capy_entry e = make(UNSERVED);
    assert_false(capy_entry_may_send(&e, ORIGIN, 61441));
    assert_true(capy_entry_may_send(&e, TARGET, 61440));
    capy_entry_note_owner(&e, CAPY_SEG_ACK, true, 1);
    assert_true(e.flags & CAPY_ENTRY_SERVED);
    assert_false(capy_entry_note_client(&e, CAPY_SEG_RST, 2)); /* maybe forged */
    assert_false(capy_entry_closing(&e));
    capy_entry_note_owner(&e, CAPY_SEG_RST, false, 3);
    assert_true(capy_entry_closing(&e));
    capy_entry_note_owner(&e, CAPY_SEG_ACK, true, 4); /* it lives */
    assert_false(capy_entry_closing(&e));
    assert_false(capy_entry_note_client(&e, CAPY_SEG_SYN, 5));
    capy_entry_note_owner(&e, CAPY_SEG_FIN | CAPY_SEG_ACK, false, 6);
    assert_false(capy_entry_closing(&e));
    assert_false(capy_entry_note_client(&e, CAPY_SEG_FIN | CAPY_SEG_ACK, 7));
    assert_true(capy_entry_closing(&e));
    assert_false(capy_entry_over(&e, 7 + 99, 100, 1000));
    assert_true(capy_entry_over(&e, 7 + 100, 100, 1000));
    assert_true(capy_entry_note_client(&e, CAPY_SEG_SYN, 8));
    e = make(PENDING);
    assert_true(capy_entry_may_send(&e, ORIGIN, 61441));
    assert_false(capy_entry_may_send(&e, TARGET, 61440));
    e.touched_at = 10;
    assert_false(capy_entry_over(&e, 1009, 100, 1000));
    assert_true(capy_entry_over(&e, 1010, 100, 1000));
}

static void a_herd_spreads_and_capacity_is_not_oversold(void **state)
{
    (void)state;
    struct capy_server s[4] = {0};
    unsigned got[4] = {0};
    const struct capy_mig_heartbeat beat = {.load = 100, .free_cnt = 300, .conn_cnt = 100};
    for (unsigned i = 0; i < 4; i++) {
        s[i].families = CAPY_FAMILY_V4;
        capy_server_heartbeat(&s[i], &beat, 1000);
    }
    uint16_t last = 0;
    for (unsigned i = 0; i < 900; i++) {
        last = capy_server_choose(s, 4, CAPY_FAMILY_V4, 0, last, 2000, CAPY_MS(30));
        assert_int_not_equal(last, CAPY_SERVER_ANY);
        got[last]++;
        capy_server_charge(&s[last], &s[0]);
    }
    assert_int_equal(got[0], 0);
    for (unsigned i = 1; i < 4; i++)
        assert_int_equal(got[i], 300);
    assert_int_equal(capy_server_choose(s, 4, CAPY_FAMILY_V4, 0, last, 2000, CAPY_MS(30)),
                     CAPY_SERVER_ANY);
}

static void only_servers_with_an_address_of_the_version_are_chosen(void **state)
{
    (void)state;
    struct capy_server s[4] = {0};
    const uint64_t lease = CAPY_MS(30);
    const struct capy_mig_heartbeat beat = {.free_cnt = 1};
    s[0].families = CAPY_FAMILY_ANY;
    s[1].families = CAPY_FAMILY_V4;
    s[2].families = CAPY_FAMILY_V6;
    s[3].families = CAPY_FAMILY_V4;
    for (unsigned i = 0; i < 4; i++)
        capy_server_heartbeat(&s[i], &beat, 1000);
    assert_int_equal(capy_server_choose(s, 4, CAPY_FAMILY_V6, 0, 0, 2000, lease), 2);
    assert_int_equal(capy_server_choose(s, 4, CAPY_FAMILY_V4, 0, 1, 2000, lease), 3);
    assert_int_equal(capy_server_choose(s, 4, CAPY_FAMILY_V6, 2, 0, 2000, lease), 0);
    s[2].families = CAPY_FAMILY_V4; /* as if the least loaded lacked it */
    assert_int_equal(capy_server_choose(s, 4, CAPY_FAMILY_V6, 0, 0, 2000, lease), CAPY_SERVER_ANY);
    s[1].load = s[2].load = s[3].load = 5;
    assert_int_equal(capy_server_choose(s, 4, CAPY_FAMILY_ANY, CAPY_SERVER_ANY, 2, 2000, lease), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_holds),
        cmocka_unit_test(every_message_is_idempotent),
        cmocka_unit_test(a_dead_unserved_owner_is_reclaimed_and_a_late_lease_is_not_enough),
        cmocka_unit_test(a_restart_takes_back_tombstones_and_cannot_be_announced_away),
        cmocka_unit_test(silence_kills_only_after_eight_leases_and_pending_ends_in_any_case),
        cmocka_unit_test(a_silent_owner_that_never_served_is_given_up_later_while_the_origin_lives),
        cmocka_unit_test(a_refusal_is_believed_against_a_late_segment),
        cmocka_unit_test(segments_close_and_reopen_an_entry),
        cmocka_unit_test(a_herd_spreads_and_capacity_is_not_oversold),
        cmocka_unit_test(only_servers_with_an_address_of_the_version_are_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
