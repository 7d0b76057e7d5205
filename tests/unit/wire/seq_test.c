/* wire/seq: arithmetic modulo 2^32 (RFC 9293 §3.4), around the wrap. */
#include "wire/seq.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void order_holds_across_the_wrap(void **state)
{
    (void)state;
    static const uint32_t at[] = {0, 1, 0x7fffffffu, 0x80000000u, 0xffffffffu};
    static const uint32_t ahead[] = {1, 1000, 0x7fffffffu};
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        struct capy_seq a = {at[i]};
        assert_true(capy_seq_eq(a, a));
        assert_true(capy_seq_le(a, a));
        assert_false(capy_seq_lt(a, a));
        for (size_t n = 0; n < sizeof ahead / sizeof ahead[0]; n++) {
            struct capy_seq b = capy_seq_add(a, ahead[n]);
            assert_true(capy_seq_lt(a, b));
            assert_true(capy_seq_le(a, b));
            assert_false(capy_seq_lt(b, a));
            assert_false(capy_seq_le(b, a));
            assert_int_equal(capy_seq_diff(b, a), ahead[n]);
            assert_int_equal(capy_seq_diff(a, b), -(int32_t)ahead[n]);
            assert_true(capy_seq_eq(capy_seq_max(a, b), b));
            assert_true(capy_seq_eq(capy_seq_max(b, a), b));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_holds_across_the_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
