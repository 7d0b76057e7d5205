/* The neighbour cache: asking, hearing, expiry, and what happens when it is full. */
#include "stack/neigh.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct capy_mac mac_a = {{2, 0, 0, 0, 0, 1}}, mac_b = {{2, 0, 0, 0, 0, 2}};

static struct capy_ip ip(uint32_t i)
{
    return capy_ip_from_v4(0x0a000000u + i);
}

static void asks_thrice_then_fails(void **state)
{
    (void)state;
    struct capy_neighbours n = {0};
    struct capy_ip a = ip(1), out;
    bool failed = false;
    unsigned requests = 0;
    uint64_t now = CAPY_SEC(1);
    assert_non_null(capy_neigh_ask(&n, &a, now));
    for (int guard = 0; guard < 10 && !failed; guard++) {
        while (capy_neigh_owed(&n, &out)) {
            assert_true(capy_ip_eq(&out, &a));
            requests++;
        }
        now = capy_neigh_next_at(&n);
        assert_true(capy_neigh_expire(&n, now, &out, &failed));
    }
    assert_true(failed);
    assert_int_equal(requests, CAPY_NEIGH_TRIES);
    assert_int_equal(now, CAPY_SEC(1) + CAPY_NEIGH_TRIES * CAPY_NEIGH_RETRY_NS);
    assert_null(capy_neigh_find(&n, &a));
    assert_true(capy_neigh_next_at(&n) == CAPY_NEVER);
}

static void an_answer_resolves(void **state)
{
    (void)state;
    struct capy_neighbours n = {0};
    struct capy_ip a = ip(1), out;
    bool failed;
    assert_int_equal(capy_neigh_ask(&n, &a, 0)->state, CAPY_NEIGH_ASKING);
    assert_true(capy_neigh_heard(&n, &a, &mac_a, false, 5));
    assert_false(capy_neigh_owed(&n, &out)); /* no longer owed */
    assert_true(capy_mac_eq(&capy_neigh_ask(&n, &a, 6)->mac, &mac_a));
    assert_false(capy_neigh_heard(&n, &a, &mac_b, false, 7)); /* it moved; nobody waited */
    assert_true(capy_mac_eq(&capy_neigh_find(&n, &a)->mac, &mac_b));
    assert_false(capy_neigh_expire(&n, CAPY_NEIGH_EXPIRE_NS, &out, &failed));
    assert_true(capy_neigh_expire(&n, 7 + CAPY_NEIGH_EXPIRE_NS, &out, &failed));
    assert_false(failed);
    assert_null(capy_neigh_find(&n, &a));
}

/* An unasked-for reply makes no entry: the cache cannot be filled from outside. */
static void unsolicited_answers_are_ignored(void **state)
{
    (void)state;
    struct capy_neighbours n = {0};
    struct capy_ip a = ip(1);
    assert_false(capy_neigh_heard(&n, &a, &mac_a, false, 0));
    assert_null(capy_neigh_find(&n, &a));
    capy_neigh_heard(&n, &a, &mac_a, true, 0); /* but whoever asks for us is remembered */
    assert_non_null(capy_neigh_find(&n, &a));
}

static void full_of_questions_refuses(void **state)
{
    (void)state;
    struct capy_neighbours n = {0};
    struct capy_ip first = ip(0), more = ip(CAPY_NEIGH_MAX);
    for (uint32_t i = 0; i < CAPY_NEIGH_MAX; i++) {
        struct capy_ip a = ip(i);
        assert_non_null(capy_neigh_ask(&n, &a, i));
    }
    assert_null(capy_neigh_ask(&n, &more, 999));
    capy_neigh_heard(&n, &first, &mac_a, false, 1000);
    assert_non_null(capy_neigh_ask(&n, &more, 1001)); /* a resolved one makes room */
    assert_null(capy_neigh_find(&n, &first));
    assert_int_equal(n.owed_cnt, CAPY_NEIGH_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_thrice_then_fails),
        cmocka_unit_test(an_answer_resolves),
        cmocka_unit_test(unsolicited_answers_are_ignored),
        cmocka_unit_test(full_of_questions_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
