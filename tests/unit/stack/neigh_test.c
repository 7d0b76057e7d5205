/* The neighbour cache by its states (RFC 4861 §7.3.3, appendix C), as scripts with explicit time. One
 * cache serves ARP and neighbour discovery: the scripts run with addresses of both versions. */
#include "stack/neigh.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct capy_mac mac_a = {{2, 0, 0, 0, 0, 1}}, mac_b = {{2, 0, 0, 0, 0, 2}};

#define T0 CAPY_SEC(100)
#define RANDOM 12345u

static struct capy_ip ip(uint32_t i)
{
    struct capy_ip six = {{0x20, 1, 0xd, 0xb8}};
    capy_store32(six.b + 12, i);
    return i % 2 ? six : capy_ip_from_v4(0x0a000000u + i);
}

/* A cache with one entry in the state that is wanted, for mac_a, entered at T0. */
static void prepare(struct capy_neighbours *n, const struct capy_ip *a, enum capy_neigh_state state)
{
    struct capy_neighbour owed;
    struct capy_ip failed;
    bool is_failed;
    capy_neigh_init(n, RANDOM);
    if (state == CAPY_NEIGH_INCOMPLETE || state == CAPY_NEIGH_REACHABLE) {
        capy_neigh_use(n, a, T0);
        assert_true(capy_neigh_owed(n, &owed));
        if (state == CAPY_NEIGH_REACHABLE)
            assert_true(capy_neigh_answer(n, a, &mac_a, true, true, T0));
    } else {
        assert_false(capy_neigh_asker(n, a, &mac_a, T0 - CAPY_NEIGH_DELAY_NS));
    }
    if (state == CAPY_NEIGH_DELAY)
        capy_neigh_use(n, a, T0);
    if (state == CAPY_NEIGH_PROBE) {
        capy_neigh_use(n, a, T0 - CAPY_NEIGH_DELAY_NS);
        assert_true(capy_neigh_expire(n, T0, &failed, &is_failed));
        assert_true(capy_neigh_owed(n, &owed));
    }
    assert_int_equal(capy_neigh_find(n, a)->state, state);
    bool doubted = state == CAPY_NEIGH_DELAY || state == CAPY_NEIGH_PROBE;
    assert_int_equal(n->doubted_cnt, doubted);
}

/* Lets time pass until nothing is due by `until`; how many questions were owed on the way. */
static unsigned run(struct capy_neighbours *n, uint64_t until, bool *failed)
{
    struct capy_neighbour owed;
    struct capy_ip who;
    unsigned questions = 0;
    *failed = false;
    for (;;) {
        while (capy_neigh_owed(n, &owed))
            questions++;
        uint64_t at = capy_neigh_next_at(n);
        if (at > until)
            return questions;
        bool is_failed;
        while (capy_neigh_expire(n, at, &who, &is_failed))
            *failed = *failed || is_failed;
    }
}

/* RFC 4861 §7.2.2: MAX_MULTICAST_SOLICIT questions, RETRANS_TIMER apart, then it has failed. RFC 1122
 * §2.3.2.1: no more than one ARP request a second. */
static void incomplete_asks_thrice_then_fails(void **state)
{
    (void)state;
    for (uint32_t v = 1; v <= 2; v++) {
        struct capy_neighbours n;
        struct capy_ip a = ip(v);
        bool failed;
        capy_neigh_init(&n, RANDOM);
        assert_int_equal(capy_neigh_use(&n, &a, T0)->state, CAPY_NEIGH_INCOMPLETE);
        assert_int_equal(run(&n, T0 + CAPY_SEC(3) - 1, &failed), 3);
        assert_false(failed);
        assert_int_equal(capy_neigh_next_at(&n), T0 + CAPY_SEC(3));
        assert_int_equal(run(&n, T0 + CAPY_SEC(3), &failed), 0);
        assert_true(failed);
        assert_null(capy_neigh_find(&n, &a));
        assert_true(capy_neigh_next_at(&n) == CAPY_NEVER);
        assert_int_equal(n.owed_cnt, 0);
    }
}

/* RFC 4861 §7.2.5 for an entry in INCOMPLETE. */
static void incomplete_takes_any_answer_with_an_address(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 4; flags++) {
        struct capy_neighbours n;
        struct capy_ip a = ip(1);
        bool solicited = flags & 1, override = flags & 2;
        prepare(&n, &a, CAPY_NEIGH_INCOMPLETE);
        assert_false(capy_neigh_answer(&n, &a, NULL, solicited, override, T0));
        assert_int_equal(capy_neigh_find(&n, &a)->state, CAPY_NEIGH_INCOMPLETE);
        assert_true(capy_neigh_answer(&n, &a, &mac_a, solicited, override, T0));
        assert_int_equal(capy_neigh_find(&n, &a)->state,
                         solicited ? CAPY_NEIGH_REACHABLE : CAPY_NEIGH_STALE);
        assert_true(capy_mac_eq(&capy_neigh_use(&n, &a, T0)->mac, &mac_a));
        assert_true(capy_neigh_next_at(&n) == CAPY_NEVER || !solicited);
    }
}

/* The question that was still to be sent is not, once answered. */
static void an_answer_ends_the_question(void **state)
{
    (void)state;
    struct capy_neighbours n;
    struct capy_neighbour owed;
    struct capy_ip a = ip(1);
    capy_neigh_init(&n, RANDOM);
    capy_neigh_use(&n, &a, T0);
    assert_true(capy_neigh_answer(&n, &a, &mac_a, true, true, T0));
    assert_false(capy_neigh_owed(&n, &owed));
    assert_int_equal(n.owed_cnt, 0);
}

/* RFC 4861 §6.3.2, §7.3.3: reachable for a random time of 0.5 to 1.5 times REACHABLE_TIME, then
 * stale; nothing is sent until it is used, then after DELAY_FIRST_PROBE_TIME. */
static void reachable_ages_and_is_probed_only_when_used(void **state)
{
    (void)state;
    struct capy_neighbours n;
    struct capy_ip a = ip(1);
    bool failed;
    for (uint64_t random = 0; random < 20; random++) {
        capy_neigh_init(&n, random * CAPY_SEC(7));
        assert_true(n.reachable_ns >= CAPY_SEC(15) && n.reachable_ns < CAPY_SEC(45));
    }
    prepare(&n, &a, CAPY_NEIGH_REACHABLE);
    assert_int_equal(capy_neigh_use(&n, &a, T0 + n.reachable_ns - 1)->state, CAPY_NEIGH_REACHABLE);
    assert_int_equal(run(&n, T0 + CAPY_SEC(1000), &failed), 0);
    assert_int_equal(capy_neigh_use(&n, &a, T0 + CAPY_SEC(1000))->state, CAPY_NEIGH_DELAY);
    assert_int_equal(capy_neigh_next_at(&n), T0 + CAPY_SEC(1005));
    assert_int_equal(run(&n, T0 + CAPY_SEC(1005) - 1, &failed), 0);
    assert_int_equal(run(&n, T0 + CAPY_SEC(1005), &failed), 1);
    assert_int_equal(capy_neigh_find(&n, &a)->state, CAPY_NEIGH_PROBE);
}

/* RFC 4861 §7.3.3: MAX_UNICAST_SOLICIT probes to the known MAC, then the entry goes. */
static void probe_asks_thrice_then_forgets(void **state)
{
    (void)state;
    for (uint32_t v = 1; v <= 2; v++) {
        struct capy_neighbours n;
        struct capy_neighbour owed;
        struct capy_ip a = ip(v), who;
        bool failed;
        prepare(&n, &a, CAPY_NEIGH_DELAY);
        assert_true(capy_neigh_expire(&n, T0 + CAPY_NEIGH_DELAY_NS, &who, &failed));
        assert_true(capy_neigh_owed(&n, &owed));
        assert_int_equal(owed.state, CAPY_NEIGH_PROBE);
        assert_true(capy_mac_eq(&owed.mac, &mac_a));
        assert_true(capy_neigh_usable(capy_neigh_use(&n, &a, T0 + CAPY_SEC(6))));
        assert_int_equal(run(&n, T0 + CAPY_SEC(8), &failed), 2);
        assert_false(failed); /* nobody waits for it: whoever sends finds out by asking anew */
        assert_null(capy_neigh_find(&n, &a));
        assert_int_equal(n.doubted_cnt, 0);
    }
}

/* RFC 4861 §7.3.1: what the upper layer knows spares the probe; of another MAC it knows nothing. */
static void progress_confirms(void **state)
{
    (void)state;
    const enum capy_neigh_state states[] = {CAPY_NEIGH_REACHABLE, CAPY_NEIGH_STALE,
                                            CAPY_NEIGH_DELAY, CAPY_NEIGH_PROBE};
    for (unsigned i = 0; i < 4; i++) {
        struct capy_neighbours n;
        struct capy_ip a = ip(1), b = ip(3);
        prepare(&n, &a, states[i]);
        capy_neigh_confirm(&n, &a, &mac_b, T0 + 9);
        capy_neigh_confirm(&n, &b, &mac_a, T0 + 9);
        assert_int_equal(capy_neigh_find(&n, &a)->state, states[i]);
        capy_neigh_confirm(&n, &a, &mac_a, T0 + 9);
        assert_int_equal(capy_neigh_find(&n, &a)->state, CAPY_NEIGH_REACHABLE);
        assert_int_equal(capy_neigh_find(&n, &a)->at, T0 + 9 + n.reachable_ns);
        assert_int_equal(n.doubted_cnt, 0);
        assert_true(capy_neigh_next_at(&n) == CAPY_NEVER);
    }
    struct capy_neighbours n;
    struct capy_ip a = ip(1);
    prepare(&n, &a, CAPY_NEIGH_INCOMPLETE);
    capy_neigh_confirm(&n, &a, &mac_a, T0);
    assert_int_equal(capy_neigh_find(&n, &a)->state, CAPY_NEIGH_INCOMPLETE);
}

/* What is not answered is asked at once; twice said is not twice asked. */
static void doubt_asks_at_once(void **state)
{
    (void)state;
    const enum capy_neigh_state states[] = {CAPY_NEIGH_REACHABLE, CAPY_NEIGH_STALE,
                                            CAPY_NEIGH_DELAY};
    for (unsigned i = 0; i < 3; i++) {
        struct capy_neighbours n;
        struct capy_ip a = ip(1);
        bool failed;
        prepare(&n, &a, states[i]);
        assert_int_equal(capy_neigh_doubt(&n, &a, T0)->state, CAPY_NEIGH_PROBE);
        assert_int_equal(run(&n, T0 + CAPY_SEC(1) - 1, &failed), 1);
        capy_neigh_doubt(&n, &a, T0 + CAPY_SEC(1) - 1);
        assert_int_equal(run(&n, T0 + CAPY_SEC(3), &failed), 2);
        assert_null(capy_neigh_find(&n, &a));
        assert_int_equal(capy_neigh_doubt(&n, &a, T0)->state, CAPY_NEIGH_INCOMPLETE);
    }
}

/* RFC 4861 appendix C: an advertisement, by state, flags and whether its address is another. */
static void answers_by_the_table(void **state)
{
    (void)state;
    const enum capy_neigh_state states[] = {CAPY_NEIGH_REACHABLE, CAPY_NEIGH_STALE,
                                            CAPY_NEIGH_DELAY, CAPY_NEIGH_PROBE};
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned flags = 0; flags < 16; flags++) {
            struct capy_neighbours n;
            struct capy_ip a = ip(1);
            bool solicited = flags & 1, override = flags & 2, other = flags & 4, silent = flags & 8;
            const struct capy_mac *mac = silent ? NULL : other ? &mac_b : &mac_a;
            enum capy_neigh_state want = states[i];
            bool changes = other && !silent;
            if (changes && !override)
                want = states[i] == CAPY_NEIGH_REACHABLE ? CAPY_NEIGH_STALE : states[i];
            else if (solicited)
                want = CAPY_NEIGH_REACHABLE;
            else if (changes)
                want = CAPY_NEIGH_STALE;
            prepare(&n, &a, states[i]);
            assert_false(capy_neigh_answer(&n, &a, mac, solicited, override, T0));
            const struct capy_neighbour *e = capy_neigh_find(&n, &a);
            assert_int_equal(e->state, want);
            assert_true(capy_mac_eq(&e->mac, changes && override ? &mac_b : &mac_a));
        }
    }
}

/* RFC 4861 §7.2.3: whoever asks us is entered as stale, and one that is known at this MAC stays as
 * it is: asking shows that we hear it, not that it hears us. */
static void an_asker_is_stale(void **state)
{
    (void)state;
    const enum capy_neigh_state states[] = {CAPY_NEIGH_INCOMPLETE, CAPY_NEIGH_REACHABLE,
                                            CAPY_NEIGH_STALE, CAPY_NEIGH_DELAY, CAPY_NEIGH_PROBE};
    for (unsigned i = 0; i < 5; i++) {
        struct capy_neighbours n;
        struct capy_ip a = ip(2);
        prepare(&n, &a, states[i]);
        assert_int_equal(capy_neigh_asker(&n, &a, &mac_a, T0), states[i] == CAPY_NEIGH_INCOMPLETE);
        assert_int_equal(capy_neigh_find(&n, &a)->state,
                         states[i] == CAPY_NEIGH_INCOMPLETE ? CAPY_NEIGH_STALE : states[i]);
        assert_false(capy_neigh_asker(&n, &a, &mac_b, T0));
        assert_int_equal(capy_neigh_find(&n, &a)->state, CAPY_NEIGH_STALE);
        assert_true(capy_mac_eq(&capy_neigh_find(&n, &a)->mac, &mac_b));
    }
}

/* RFC 4861 §7.2.5: an answer that nobody asked for makes no entry: the cache cannot be filled from
 * outside. */
static void unsolicited_answers_are_ignored(void **state)
{
    (void)state;
    struct capy_neighbours n;
    struct capy_ip a = ip(1);
    capy_neigh_init(&n, RANDOM);
    assert_false(capy_neigh_answer(&n, &a, &mac_a, true, true, 0));
    assert_null(capy_neigh_find(&n, &a));
}

static void full_of_questions_refuses(void **state)
{
    (void)state;
    struct capy_neighbours n;
    struct capy_ip first = ip(0), second = ip(1), more = ip(CAPY_NEIGH_MAX);
    capy_neigh_init(&n, RANDOM);
    for (uint32_t i = 0; i < CAPY_NEIGH_MAX; i++) {
        struct capy_ip a = ip(i);
        assert_non_null(capy_neigh_use(&n, &a, i));
    }
    assert_null(capy_neigh_use(&n, &more, 999));
    assert_false(capy_neigh_asker(&n, &more, &mac_a, 999));
    assert_int_equal(n.owed_cnt, CAPY_NEIGH_MAX);
    capy_neigh_answer(&n, &first, &mac_a, true, true, 1000);
    capy_neigh_answer(&n, &second, &mac_a, true, true, 1000);
    capy_neigh_use(&n, &first, 1001);
    assert_non_null(capy_neigh_use(&n, &more, 1002)); /* who was not used longest makes room */
    assert_null(capy_neigh_find(&n, &second));
    assert_non_null(capy_neigh_find(&n, &first));
    assert_int_equal(n.owed_cnt, CAPY_NEIGH_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(incomplete_asks_thrice_then_fails),
        cmocka_unit_test(incomplete_takes_any_answer_with_an_address),
        cmocka_unit_test(an_answer_ends_the_question),
        cmocka_unit_test(reachable_ages_and_is_probed_only_when_used),
        cmocka_unit_test(probe_asks_thrice_then_forgets),
        cmocka_unit_test(progress_confirms),
        cmocka_unit_test(doubt_asks_at_once),
        cmocka_unit_test(answers_by_the_table),
        cmocka_unit_test(an_asker_is_stale),
        cmocka_unit_test(unsolicited_answers_are_ignored),
        cmocka_unit_test(full_of_questions_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
