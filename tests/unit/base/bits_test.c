/* base/bits: big-endian loads and stores at any alignment. */
#include "base/bits.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void stores_are_big_endian_at_any_alignment(void **state)
{
    (void)state;
    for (size_t at = 0; at < 8; at++) {
        uint8_t p[24];
        memset(p, 0xee, sizeof p);
        capy_store64(p + at, 0x0102030405060708u);
        for (uint8_t i = 0; i < 8; i++)
            assert_int_equal(p[at + i], i + 1);
        assert_int_equal(p[at + 8], 0xee);
        assert_int_equal(capy_load64(p + at), 0x0102030405060708u);
        assert_int_equal(capy_load32(p + at), 0x01020304u);
        assert_int_equal(capy_load16(p + at), 0x0102u);
        capy_store16(p + at, 0xfffeu);
        capy_store32(p + at + 2, 0x80000001u);
        assert_int_equal(capy_load16(p + at), 0xfffeu);
        assert_int_equal(capy_load32(p + at + 2), 0x80000001u);
        assert_int_equal(p[at + 6], 7);
    }
}

static void minimum_and_maximum(void **state)
{
    (void)state;
    assert_int_equal(capy_min32(1, UINT32_MAX), 1);
    assert_int_equal(capy_max32(1, UINT32_MAX), UINT32_MAX);
    assert_int_equal(capy_min64(UINT32_MAX + 1ull, 2), 2);
    assert_int_equal(capy_max64(UINT32_MAX + 1ull, 2), UINT32_MAX + 1ull);
}

static void units_do_not_overflow_32_bits(void **state)
{
    (void)state;
    assert_int_equal(CAPY_US(5000000), 5000000000u);
    assert_int_equal(CAPY_MS(5000), 5000000000u);
    assert_int_equal(CAPY_SEC(5), 5000000000u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stores_are_big_endian_at_any_alignment),
        cmocka_unit_test(minimum_and_maximum),
        cmocka_unit_test(units_do_not_overflow_32_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
