/* The synthetic body: any range of a stream is the same bytes, and one wrong byte is found. */
#include "apps/common/pattern.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

/* splitmix64 of seed 0: the first outputs of its authors' reference program. */
static void is_splitmix64(void **state)
{
    (void)state;
    assert_true(capy_pattern_word(0, 0) == 0xe220a8397b1dcdafu);
    assert_true(capy_pattern_word(0, 1) == 0x6e789e6aa1b965f4u);
    assert_true(capy_pattern_word(0, 2) == 0x06c45d188009454fu);
}

static void any_range_is_a_piece_of_the_whole(void **state)
{
    (void)state;
    uint8_t whole[64], piece[64];
    const uint64_t base = (1ull << 40) - 32; /* far beyond 32 bits, and not at a word's start */
    for (unsigned i = 0; i < sizeof whole; i++)
        whole[i] = capy_pattern_byte(99, base + i);
    for (unsigned from = 0; from < sizeof whole; from++) {
        for (unsigned len = 0; from + len <= sizeof whole; len++) {
            memset(piece, 0, sizeof piece);
            capy_pattern_fill(99, base + from, piece, len);
            assert_memory_equal(piece, whole + from, len);
        }
    }
}

static void check_finds_the_first_wrong_byte(void **state)
{
    (void)state;
    uint8_t data[1500];
    capy_pattern_fill(7, 3, data, sizeof data);
    assert_int_equal(capy_pattern_check(7, 3, data, sizeof data), sizeof data);
    assert_true(capy_pattern_check(8, 3, data, sizeof data) < 8);
    for (unsigned i = 0; i < sizeof data; i += 37) {
        data[i] ^= 0x10;
        assert_int_equal(capy_pattern_check(7, 3, data, sizeof data), i);
        data[i] ^= 0x10;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_splitmix64),
        cmocka_unit_test(any_range_is_a_piece_of_the_whole),
        cmocka_unit_test(check_finds_the_first_wrong_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
