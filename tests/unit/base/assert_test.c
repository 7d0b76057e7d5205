/* base/assert: a failed assertion says where and what on stderr, and aborts, in every build. */
#include "base/assert.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void failing_assertion_names_itself_and_aborts(void **state)
{
    (void)state;
    int out[2];
    assert_int_equal(pipe(out), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        signal(SIGABRT, SIG_DFL);
        dup2(out[1], STDERR_FILENO);
        CAPY_ASSERT(child == 0);
        CAPY_ASSERT(child == 77);
        _exit(0);
    }
    close(out[1]);
    char text[256] = {0};
    assert_true(read(out[0], text, sizeof text - 1) > 0);
    close(out[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(text, "assert_test.c:"));
    assert_non_null(strstr(text, "child == 77"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing_assertion_names_itself_and_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
