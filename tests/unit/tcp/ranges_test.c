/* The range lists against a plain model: a set of positions. */
#include "harness.h"

#include <string.h>

#define SPACE 200u

static void check(const struct capy_tcp_ranges *l, const uint8_t *model, bool ascending)
{
    uint8_t seen[SPACE] = {0};
    uint32_t total = 0;
    for (uint32_t i = 0; i < l->cnt; i++) {
        assert_true(l->r[i].left < l->r[i].right);
        if (ascending && i > 0)
            assert_true(l->r[i - 1].right < l->r[i].left);
        for (uint64_t p = l->r[i].left; p < l->r[i].right; p++) {
            assert_int_equal(seen[p], 0);
            seen[p] = 1;
            total++;
        }
        /* Neither overlaps nor touches another one. */
        assert_true(l->r[i].left == 0 || !model[l->r[i].left - 1]);
        assert_true(l->r[i].right == SPACE || !model[l->r[i].right]);
    }
    assert_memory_equal(seen, model, SPACE);
    assert_int_equal(capy_tcp_ranges_total(l), total);
}

static void run(uint64_t seed, enum capy_tcp_range_order order)
{
    struct capy_prng prng;
    struct capy_tcp_ranges l = {0};
    uint8_t model[SPACE] = {0};
    capy_prng_seed(&prng, seed);
    for (uint32_t i = 0; i < 300; i++) {
        uint64_t left = capy_prng_below(&prng, SPACE - 1);
        uint64_t right =
            left + 1 + capy_prng_below(&prng, capy_min64(seed % 2 ? 3 : 20, SPACE - left));
        bool fits = capy_tcp_ranges_fits(&l, left, right);
        assert_int_equal(capy_tcp_ranges_add(&l, left, right, order), fits);
        if (fits) {
            memset(model + left, 1, right - left);
            if (order == CAPY_TCP_RECENT_FIRST)
                assert_true(l.r[0].left <= left && right <= l.r[0].right);
        }
        check(&l, model, order == CAPY_TCP_ASCENDING);
        if (i % 50 == 49) {
            uint64_t pos = capy_prng_below(&prng, SPACE);
            capy_tcp_ranges_trim(&l, pos);
            memset(model, 0, pos);
            check(&l, model, order == CAPY_TCP_ASCENDING);
        }
    }
}

static void test_lists_behave_as_sets(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        run(seed, CAPY_TCP_ASCENDING);
        run(seed, CAPY_TCP_RECENT_FIRST);
    }
}

static void test_a_full_list_still_takes_what_merges(void **state)
{
    (void)state;
    struct capy_tcp_ranges l = {0};
    for (uint32_t i = 0; i < CAPY_TCP_RANGE_MAX; i++)
        assert_true(capy_tcp_ranges_add(&l, 10 * i, 10 * i + 5, CAPY_TCP_ASCENDING));
    assert_false(capy_tcp_ranges_add(&l, 6, 9, CAPY_TCP_ASCENDING));
    assert_int_equal(l.cnt, CAPY_TCP_RANGE_MAX);
    assert_true(capy_tcp_ranges_add(&l, 5, 10, CAPY_TCP_ASCENDING));
    assert_int_equal(l.cnt, CAPY_TCP_RANGE_MAX - 1);
    assert_int_equal(l.r[0].right, 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_behave_as_sets),
        cmocka_unit_test(test_a_full_list_still_takes_what_merges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
