/* base/error: every code has a text of its own, and no number is without one. */
#include "capy/error.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <string.h>

static void every_code_has_its_own_text(void **state)
{
    (void)state;
    const char *unknown = capy_strerror(INT_MIN);
    for (int a = CAPY_E_UNREACHABLE; a <= CAPY_OK; a++) {
        assert_string_not_equal(capy_strerror(a), unknown);
        for (int b = CAPY_E_UNREACHABLE; b < a; b++)
            assert_string_not_equal(capy_strerror(a), capy_strerror(b));
    }
}

static void unknown_codes_are_said_to_be_unknown(void **state)
{
    (void)state;
    assert_string_equal(capy_strerror(1), "unknown error code");
    assert_string_equal(capy_strerror(CAPY_E_UNREACHABLE - 1), "unknown error code");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_own_text),
        cmocka_unit_test(unknown_codes_are_said_to_be_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
