/* apps/load/timeline: what lands in which interval. */
#include "apps/load/timeline.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

static void each_interval_has_what_came_in_it(void **state)
{
    (void)state;
    static struct load_timeline t;
    load_timeline_init(&t, 10 * MS);
    load_timeline_due(&t, 35 * MS, 1); /* ahead of the answers */
    load_timeline_due(&t, 0, 1);
    for (unsigned i = 0; i < 100; i++)
        load_timeline_answer(&t, 5 * MS, i + 1, 1);
    load_timeline_answer(&t, 10 * MS - 1, 1000, 0);
    load_timeline_answer(&t, 10 * MS, 7, 0);
    load_timeline_error(&t, 25 * MS);
    load_timeline_answer(&t, 30 * MS, 9, -1);
    load_timeline_end(&t, 49 * MS);
    load_timeline_migration(&t, 49 * MS);
    load_timeline_migration(&t, 50 * MS); /* nobody's */
    assert_int_equal(t.cnt, 5);
    assert_int_equal(t.row[0].answered, 101);
    assert_int_equal(t.row[0].by_server[1], 100);
    assert_int_equal(t.row[0].by_server[0], 1);
    assert_int_equal(t.row[0].p50_ns, 51);
    assert_int_equal(t.row[0].p99_ns, 100);
    assert_int_equal(t.row[0].max_ns, 1000);
    assert_int_equal(t.row[1].max_ns, 7);
    assert_int_equal(t.row[2].errors, 1);
    assert_int_equal(t.row[2].answered + t.row[2].max_ns, 0);
    assert_int_equal(t.row[3].due, 1);
    assert_int_equal(t.row[3].p99_ns, 9);
    assert_int_equal(t.row[4].migrations, 1);
    load_timeline_free(&t);
}

static void it_grows(void **state)
{
    (void)state;
    static struct load_timeline t;
    load_timeline_init(&t, MS);
    for (uint64_t i = 0; i < 5000; i++)
        load_timeline_answer(&t, i * MS, i, 0);
    load_timeline_end(&t, 4999 * MS);
    assert_int_equal(t.cnt, 5000);
    for (uint64_t i = 0; i < 5000; i++)
        assert_int_equal(t.row[i].max_ns, i);
    load_timeline_free(&t);
}

static void without_an_interval_nothing_is_kept(void **state)
{
    (void)state;
    static struct load_timeline t;
    load_timeline_init(&t, 0);
    load_timeline_due(&t, 1, 1);
    load_timeline_answer(&t, 2, 1, 0);
    load_timeline_error(&t, 3);
    load_timeline_migration(&t, 3);
    load_timeline_end(&t, 4);
    assert_int_equal(t.cnt, 0);
    assert_null(t.row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_interval_has_what_came_in_it),
        cmocka_unit_test(it_grows),
        cmocka_unit_test(without_an_interval_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
