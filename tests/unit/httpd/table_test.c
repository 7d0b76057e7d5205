/* Slots, turns and times of connections. */
#include "apps/httpd/table.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#define CNT 64u

static void slots_are_bounded_and_stale_users_unknown(void **state)
{
    (void)state;
    struct capy_httpd_table t;
    struct capy_httpd_slot *slot[CNT];
    assert_true(capy_httpd_table_open(&t, CNT));
    for (unsigned i = 0; i < CNT; i++) {
        slot[i] = capy_httpd_slot_take(&t, (int)i);
        assert_non_null(slot[i]);
    }
    assert_null(capy_httpd_slot_take(&t, 99));
    uint64_t old = capy_httpd_slot_user(&t, slot[5]);
    assert_ptr_equal(capy_httpd_slot_find(&t, old), slot[5]);
    capy_httpd_slot_give(&t, slot[5]);
    assert_null(capy_httpd_slot_find(&t, old));
    assert_ptr_equal(capy_httpd_slot_take(&t, 99), slot[5]);
    assert_null(capy_httpd_slot_find(&t, old)); /* same slot, somebody else */
    assert_null(capy_httpd_slot_find(&t, CNT));
    capy_httpd_table_close(&t);
}

static void turns_are_in_order_and_once(void **state)
{
    (void)state;
    struct capy_httpd_table t;
    struct capy_httpd_slot *s[4];
    assert_true(capy_httpd_table_open(&t, 4));
    for (int i = 0; i < 4; i++) {
        s[i] = capy_httpd_slot_take(&t, i);
        capy_httpd_run_later(&t, s[i]);
    }
    capy_httpd_run_later(&t, s[0]);
    capy_httpd_run_never(&t, s[1]);
    capy_httpd_slot_give(&t, s[3]);
    assert_ptr_equal(capy_httpd_run_next(&t), s[0]);
    assert_ptr_equal(capy_httpd_run_next(&t), s[2]);
    assert_null(capy_httpd_run_next(&t));
    capy_httpd_table_close(&t);
}

/* Random sets, moves and clears against the plain minimum of all times. */
static void the_earliest_time_is_next(void **state)
{
    (void)state;
    struct capy_httpd_table t;
    struct capy_httpd_slot *s[CNT];
    uint64_t seed = 1;
    assert_true(capy_httpd_table_open(&t, CNT));
    for (unsigned i = 0; i < CNT; i++)
        s[i] = capy_httpd_slot_take(&t, (int)i);
    for (unsigned step = 0; step < 5000; step++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        unsigned r = (unsigned)(seed >> 33);
        capy_httpd_timer_set(&t, s[r % CNT], r % 5 == 0 ? CAPY_HTTPD_NEVER : r >> 8);
        uint64_t min = CAPY_HTTPD_NEVER;
        for (unsigned i = 0; i < CNT; i++)
            min = s[i]->due_at < min ? s[i]->due_at : min;
        assert_true(capy_httpd_timer_next(&t) == min);
    }
    uint64_t last = 0;
    for (struct capy_httpd_slot *due; t.heap_cnt > 0;) {
        uint64_t next = capy_httpd_timer_next(&t);
        assert_true(next >= last);
        last = next;
        if (next > 0)
            assert_null(capy_httpd_timer_due(&t, next - 1));
        due = capy_httpd_timer_due(&t, next);
        assert_non_null(due);
        assert_true(due->due_at == CAPY_HTTPD_NEVER);
    }
    capy_httpd_table_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_bounded_and_stale_users_unknown),
        cmocka_unit_test(turns_are_in_order_and_once),
        cmocka_unit_test(the_earliest_time_is_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
