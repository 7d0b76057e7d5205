/* apps/load/marks: migrations from files, as samples one a line or as a server's answer. Sockets are the
 * live tests' part. */
#include "apps/load/marks.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/capy-marks-XXXXXX";
static struct load_marks marks;
static char err[200];

static int read_text(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    load_marks_free(&marks);
    return load_marks_read(&marks, path, 100, 200, err, sizeof err);
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    load_marks_free(&marks);
    return unlink(path);
}

static void lines_are_read_in_order_of_time(void **state)
{
    (void)state;
    assert_int_equal(read_text("{\"at_ns\":150}\n\n{\"at_ns\":99}\n{\"at_ns\":201}\n"
                               "{\"step\":\"import\",\"at_ns\":110,\"duration_ns\":15}\n"
                               "{\"step\":\"export\",\"at_ns\":120,\"duration_ns\":1}\n"
                               "{\"other\":1}"),
                     0);
    assert_int_equal(marks.cnt, 2);
    assert_int_equal(marks.mark[0].at_ns, 125);
    assert_int_equal(marks.mark[1].at_ns, 150);
}

static void a_servers_answer_is_read(void **state)
{
    (void)state;
    assert_int_equal(
        read_text("{\"samples\":[{\"mig_id\":\"1\",\"step\":\"admit\",\"at_ns\":101,"
                  "\"duration_ns\":1},{\"mig_id\":\"1\",\"step\":\"import\",\"at_ns\":103,"
                  "\"duration_ns\":2}],\"next\":2}"),
        0);
    assert_int_equal(marks.cnt, 1);
    assert_int_equal(marks.mark[0].at_ns, 105);
}

static void a_migration_in_pieces_is_one_mark(void **state)
{
    (void)state;
    assert_int_equal(read_text("{\"mig_id\":\"ff\",\"step\":\"import\",\"at_ns\":140}\n"
                               "{\"mig_id\":\"0a\",\"step\":\"import\",\"at_ns\":150}\n"
                               "{\"mig_id\":\"ff\",\"step\":\"import\",\"at_ns\":160}\n"),
                     0);
    assert_int_equal(marks.cnt, 2);
    assert_int_equal(marks.mark[0].at_ns, 150);
    assert_int_equal(marks.mark[1].at_ns, 160);
}

static void what_is_no_json_is_named(void **state)
{
    (void)state;
    assert_int_equal(read_text("{\"at_ns\":150}\nnonsense\n{\"at_ns\":160}\n"), -1);
    assert_non_null(strstr(err, path));
    assert_int_equal(marks.cnt, 2); /* and the others are there */
    assert_int_equal(read_text("[1]\n"), -1);
    assert_int_equal(load_marks_read(&marks, "/nonexistent", 0, 1, err, sizeof err), -1);
    assert_non_null(strstr(err, "/nonexistent"));
    assert_int_equal(load_marks_read(&marks, "/proc/self", 0, 1, err, sizeof err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_in_order_of_time),
        cmocka_unit_test(a_servers_answer_is_read),
        cmocka_unit_test(a_migration_in_pieces_is_one_mark),
        cmocka_unit_test(what_is_no_json_is_named),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
