/* Command lines: help teaches, versions are told, and a wrong one ends with status 2 and one line
 * on stderr, with nothing on stdout. Runs the program itself; none of these lines opens anything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* The exit status; what was printed, stderr or stdout only. */
static int run(const char *arguments, const char *redirect, char *out, size_t cap)
{
    char line[512];
    snprintf(line, sizeof line, "%s %s %s", CAPY_PROGRAM, arguments, redirect);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    size_t n = fread(out, 1, cap - 1, pipe);
    out[n] = 0;
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void wrong_lines_end_with_one_line_and_status_2(void **state)
{
    (void)state;
    static const struct {
        const char *arguments, *says;
    } cases[] = {
        {"", "capy --help"},
        {"swich", "did you mean: capy switch"},
        {"frobnicate", "capy --help"},
        {"httpd", "--rack FILE"},
        {"httpd --rack x", "--server NAME"},
        {"httpd --rack x --server", "--server needs a value"},
        {"httpd --frob", "unknown option --frob"},
        {"httpd --port 0 --rack x --server y", "from 1 to 65535"},
        {"httpd --body 1k", "whole number"},
        {"httpd --rack /nonexistent --server s1", "/nonexistent"},
        {"httpd stray", "stray"},
        {"switch", "--rack FILE"},
        {"switch --loss-ppm 1000001", "from 0 to 1000000"},
        {"switch --frob", "--frob is no option"},
        {"switch --rack /nonexistent", "/nonexistent"},
    };
    char text[4096];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status = run(cases[i].arguments, "2>&1 >/dev/null", text, sizeof text);
        if (status != 2 || !strstr(text, cases[i].says))
            print_error("capy %s: %d %s\n", cases[i].arguments, status, text);
        assert_int_equal(status, 2);
        assert_non_null(strstr(text, cases[i].says));
        assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
        assert_int_equal(run(cases[i].arguments, "2>/dev/null", text, sizeof text), 2);
        assert_string_equal(text, "");
    }
}

static void help_teaches(void **state)
{
    (void)state;
    static const struct {
        const char *arguments, *says;
    } cases[] = {
        {"--help", "usage: capy SUBCOMMAND"},
        {"--help", "\n  switch "},
        {"--help", "Examples"},
        {"--version", "capy "},
        {"httpd --help", "usage: capy httpd"},
        {"httpd --help", "Examples"},
        {"switch --help", "usage: capy switch"},
        {"switch --help", "Examples"},
    };
    char text[8192];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(run(cases[i].arguments, "2>/dev/null", text, sizeof text), 0);
        assert_non_null(strstr(text, cases[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_lines_end_with_one_line_and_status_2),
        cmocka_unit_test(help_teaches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
