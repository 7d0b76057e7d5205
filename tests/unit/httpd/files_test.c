/* Paths below the root, and types. */
#include "apps/httpd/files.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void expect(const char *path, const char *want)
{
    char out[64];
    bool ok = capy_httpd_path(path, strlen(path), out, sizeof out);
    if (ok != (want != NULL))
        print_error("%s\n", path);
    assert_int_equal(ok, want != NULL);
    if (want)
        assert_string_equal(out, want);
}

static void decodes_and_tidies(void **state)
{
    (void)state;
    expect("/", "index.html");
    expect("", "index.html");
    expect("/a", "a");
    expect("/a/", "a/index.html");
    expect("//a///b", "a/b");
    expect("/./a/./b", "a/b");
    expect("/a/.", "a/index.html");
    expect("/a%20b%2Fc", "a b/c");
    expect("/%2e%2E%2e", "...");
    expect("/..a/b..", "..a/b..");
    expect("/a%3Fb", "a?b");
}

static void refuses_to_leave_the_root(void **state)
{
    (void)state;
    expect("/..", NULL);
    expect("/../etc/passwd", NULL);
    expect("/a/../b", NULL);
    expect("/a/..", NULL);
    expect("/%2e%2e/b", NULL);
    expect("/a/.%2e/b", NULL);
    expect("/a%2f..%2fb", NULL);
    expect("..", NULL);
}

static void refuses_what_is_no_path(void **state)
{
    (void)state;
    expect("/a%00b", NULL);
    expect("/a%", NULL);
    expect("/a%2", NULL);
    expect("/a%zz", NULL);
}

static void fits_or_refuses(void **state)
{
    (void)state;
    char out[16];
    for (size_t cap = 1; cap <= sizeof out; cap++) {
        memset(out, 'Z', sizeof out);
        assert_int_equal(capy_httpd_path("/abcd", 5, out, cap), cap >= 5);
        assert_int_equal(capy_httpd_path("/", 1, out, cap), cap >= 11);
        for (size_t i = cap; i < sizeof out; i++)
            assert_int_equal(out[i], 'Z');
    }
}

static void knows_types_by_extension(void **state)
{
    (void)state;
    assert_string_equal(capy_httpd_mime("a/b.HTML"), "text/html; charset=utf-8");
    assert_string_equal(capy_httpd_mime("x.tar.gz"), "application/gzip");
    assert_string_equal(capy_httpd_mime("a.html/b"), "application/octet-stream");
    assert_string_equal(capy_httpd_mime("README"), "application/octet-stream");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_and_tidies),       cmocka_unit_test(refuses_to_leave_the_root),
        cmocka_unit_test(refuses_what_is_no_path),  cmocka_unit_test(fits_or_refuses),
        cmocka_unit_test(knows_types_by_extension),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
