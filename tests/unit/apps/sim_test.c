/* What `capy sim --seeds` says of a seed that failed: why, its last events, and the very command that shows it
 * again. The rack here is none: each seed ends as its number says. */
#include "apps/sim/report.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

enum { WELL = 1, VIOLATES, DIES, DIFFERS = 16 /* each sixteenth runs twice */ };

void sim_run(struct sim_world *w, uint64_t seed, struct sim_trace *trace, FILE *out,
             struct sim_result *result)
{
    static uint64_t runs;
    (void)w;
    (void)out;
    trace->cnt = 0;
    snprintf(sim_trace_add(trace, 0, SIM_HOSTS_MAX)->note, 40, "seed %d begins", (int)seed);
    *result = (struct sim_result){.failed = seed == VIOLATES, .digest = 7};
    if (seed == VIOLATES)
        snprintf(result->why, sizeof result->why, "a rule is broken");
    if (seed == DIES) {
        fputs("last words\n", stderr);
        abort();
    }
    if (seed == DIFFERS)
        result->digest = runs++;
}

void sim_world_free(struct sim_world *w)
{
    (void)w;
}

static void report(const struct crew_failure *f, void *ctx)
{
    report_failure(f, 10, ctx);
}

/* All that is said of the seeds first..last. */
static void run(uint64_t first, uint64_t last, struct crew_sum *sum, char *text, size_t cap)
{
    char err[160];
    FILE *out = tmpfile();
    assert_non_null(out);
    const struct crew crew = {
        .first = first, .last = last, .jobs = 2, .failed = report, .ctx = out};
    assert_true(crew_run(&crew, sum, err, sizeof err));
    rewind(out);
    text[fread(text, 1, cap - 1, out)] = '\0';
    fclose(out);
}

static void says(const char *text, const char *what)
{
    if (!strstr(text, what))
        print_error("%s\nis not in:\n%s\n", what, text);
    assert_non_null(strstr(text, what));
}

static void a_violation_is_told_with_its_events_and_its_command(void **state)
{
    (void)state;
    struct crew_sum sum;
    char text[4096];
    run(WELL, VIOLATES, &sum, text, sizeof text);
    assert_int_equal(sum.done, 2);
    assert_int_equal(sum.failed, 1);
    assert_int_equal(sum.first_failed, VIOLATES);
    says(text, "seed 2 FAILED: a rule is broken");
    says(text, "seed 2 begins");
    says(text, " sim --seed 2 --trace\n");
    says(text, CAPY_SELF); /* as it was called, for who has no capy in his PATH */
}

static void a_death_is_told_with_its_last_words(void **state)
{
    (void)state;
    struct crew_sum sum;
    char text[4096];
    run(DIES, DIES + 1, &sum, text, sizeof text);
    assert_int_equal(sum.done, 2);
    assert_int_equal(sum.failed, 1);
    says(text, "seed 3 FAILED: its process died");
    says(text, "last words");
    says(text, "seed 3 begins");
    says(text, " sim --seed 3 --trace\n");
}

static void two_runs_that_differ_are_run_twice_again(void **state)
{
    (void)state;
    struct crew_sum sum;
    char text[4096];
    run(DIFFERS, DIFFERS, &sum, text, sizeof text);
    assert_int_equal(sum.failed, 1);
    says(text, "seed 16 FAILED: two runs differ");
    says(text, " sim --seed 16 --twice\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_violation_is_told_with_its_events_and_its_command),
        cmocka_unit_test(a_death_is_told_with_its_last_words),
        cmocka_unit_test(two_runs_that_differ_are_run_twice_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
