/* base/pool and the arena it is carved from. */
#include "base/pool.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

static void measuring_and_carving_agree(void **state)
{
    (void)state;
    struct capy_arena measure = {NULL, 0};
    assert_null(capy_arena_take(&measure, 3, 5));
    assert_null(capy_arena_take(&measure, 1, 100));
    assert_null(capy_arena_take(&measure, 0, 8));

    uint8_t *memory = aligned_alloc(64, 256);
    assert_non_null(memory);
    struct capy_arena carve = {memory, 0};
    assert_ptr_equal(capy_arena_take(&carve, 3, 5), memory);
    assert_ptr_equal(capy_arena_take(&carve, 1, 100), memory + 64);
    assert_ptr_equal(capy_arena_take(&carve, 0, 8), memory + 192);
    assert_int_equal(carve.used, measure.used);
    assert_int_equal(carve.used, 192);
    free(memory);
}

static void every_index_once_then_none(void **state)
{
    (void)state;
    _Alignas(64) uint8_t memory[64];
    struct capy_arena a = {memory, 0};
    struct capy_pool p;
    capy_pool_init(&p, &a, 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(p.free_cnt, 5 - i);
        assert_false(capy_pool_is_taken(&p, i));
        assert_int_equal(capy_pool_take(&p), i);
        assert_true(capy_pool_is_taken(&p, i));
    }
    assert_int_equal(capy_pool_take(&p), CAPY_NONE);
    assert_int_equal(p.free_cnt, 0);
    assert_false(capy_pool_is_taken(&p, 5));
    assert_false(capy_pool_is_taken(&p, CAPY_NONE));
}

static void last_given_is_first_taken(void **state)
{
    (void)state;
    _Alignas(64) uint8_t memory[64];
    struct capy_arena a = {memory, 0};
    struct capy_pool p;
    capy_pool_init(&p, &a, 3);
    for (int i = 0; i < 3; i++)
        capy_pool_take(&p);
    capy_pool_give(&p, 1);
    capy_pool_give(&p, 0);
    assert_false(capy_pool_is_taken(&p, 0));
    assert_int_equal(capy_pool_take(&p), 0);
    assert_int_equal(capy_pool_take(&p), 1);
    assert_int_equal(capy_pool_take(&p), CAPY_NONE);
}

static void an_empty_pool_is_always_empty(void **state)
{
    (void)state;
    _Alignas(64) uint8_t memory[64];
    struct capy_arena a = {memory, 0};
    struct capy_pool p;
    capy_pool_init(&p, &a, 0);
    assert_int_equal(capy_pool_take(&p), CAPY_NONE);
}

static void measuring_a_pool_touches_no_memory(void **state)
{
    (void)state;
    struct capy_arena a = {NULL, 0};
    struct capy_pool p;
    capy_pool_init(&p, &a, 1000);
    assert_int_equal(a.used, 1000 * sizeof(uint32_t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measuring_and_carving_agree),
        cmocka_unit_test(every_index_once_then_none),
        cmocka_unit_test(last_given_is_first_taken),
        cmocka_unit_test(an_empty_pool_is_always_empty),
        cmocka_unit_test(measuring_a_pool_touches_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
