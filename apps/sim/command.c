/* See command.h. */
#include "apps/sim/command.h"
#include "apps/common/arguments.h"
#include "apps/common/option.h"
#include "apps/sim/crew.h"
#include "apps/sim/report.h"
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_SHOWN 40u

static const char help[] =
    "usage: capy sim --seed N [--trace]\n"
    "       capy sim --seeds A..B [options]\n"
    "\n"
    "Runs whole racks (clients, switch, servers, applications) in one process on virtual time: "
    "the\n"
    "code that runs live, between links and machines that fail, all by one seed. Checks that "
    "every\n"
    "byte arrives, that one server at a time runs a connection, that nobody sees a reset without\n"
    "cause, that every migration ends, and that nothing is left over (docs/testing.md).\n"
    "\n"
    "  --seed N       one seed; prints its digest, which is the same every time\n"
    "  --trace        every event of it as a line\n"
    "  --seeds A..B   a range, on all cores; each failure with its last events and the command "
    "that\n"
    "                 shows it again\n"
    "  --jobs N       processes at a time (default: the cores there are)\n"
    "  --events N     of each failure, show the last N events (default 40, at most 512)\n"
    "  --stop         at the first failure\n"
    "  --twice        run each seed twice: both must be the same, event by event (else one in 16)\n"
    "  --quiet        one line: how many failed, and which seed first\n"
    "\n"
    "Exit status: 0 all well; 1 a seed failed, or in 1,000 seeds or more something never happened\n"
    "that should; 2 wrong command line.\n"
    "\n"
    "Examples:\n"
    "  capy sim --seeds 1..1000\n"
    "  capy sim --seed 17 --trace | less\n"
    "  capy sim --seeds 1..200 --stop --quiet || echo found one\n";

enum option_name { SEED = 1, TRACE, SEEDS, JOBS, EVENTS, STOP, TWICE, QUIET, HELP };

static const struct option known[] = {
    {"seed", required_argument, NULL, SEED},     {"trace", no_argument, NULL, TRACE},
    {"seeds", required_argument, NULL, SEEDS},   {"jobs", required_argument, NULL, JOBS},
    {"events", required_argument, NULL, EVENTS}, {"stop", no_argument, NULL, STOP},
    {"twice", no_argument, NULL, TWICE},         {"quiet", no_argument, NULL, QUIET},
    {"help", no_argument, NULL, HELP},           {NULL, 0, NULL, 0}};

struct wish {
    struct crew crew;
    bool one, many, trace, quiet, tty;
    uint32_t events;
};

/* ---- command line -------------------------------------------------------------------------- */

/* One line that names the remedy. */
static int wrong(const char *what, const char *remedy)
{
    return capy_arguments_wrong("sim", what, remedy);
}

static int take_range(struct crew *c)
{
    const char *dots = strstr(optarg, "..");
    if (dots && capy_option_number(optarg, (size_t)(dots - optarg), UINT64_MAX - 1, &c->first) &&
        capy_option_number(dots + 2, strlen(dots + 2), UINT64_MAX - CREW_MAX - 1, &c->last) &&
        c->first <= c->last)
        return 0;
    fprintf(stderr, "capy sim: --seeds %s: give two whole numbers, the lower first: 1..1000\n",
            optarg);
    return CAPY_EXIT_USAGE;
}

static int take_number(const char *name, uint64_t least, uint64_t most, uint64_t *out)
{
    if (capy_option_number(optarg, strlen(optarg), most, out) && *out >= least)
        return 0;
    fprintf(stderr, "capy sim: --%s %s: give a whole number from %llu to %llu\n", name, optarg,
            (unsigned long long)least, (unsigned long long)most);
    return CAPY_EXIT_USAGE;
}

static int take_option(enum option_name name, struct wish *w)
{
    uint64_t n = 0;
    int result = 0;
    switch (name) {
    case SEED:
        w->one = true;
        result = take_number("seed", 0, UINT64_MAX, &w->crew.first);
        w->crew.last = w->crew.first;
        return result;
    case SEEDS:
        w->many = true;
        return take_range(&w->crew);
    case JOBS:
        result = take_number("jobs", 1, CREW_MAX, &n);
        w->crew.jobs = (unsigned)n;
        return result;
    case EVENTS:
        result = take_number("events", 0, SIM_TRACE_MAX, &n);
        w->events = (uint32_t)n;
        return result;
    case TRACE:
        w->trace = true;
        return 0;
    case STOP:
        w->crew.stop = true;
        return 0;
    case TWICE:
        w->crew.twice = true;
        return 0;
    case QUIET:
        w->quiet = true;
        return 0;
    case HELP:
        break;
    }
    return CAPY_EXIT_USAGE;
}

/* 0: go on; CAPY_EXIT_USAGE: said what is wrong; -1: help was printed. */
static int parse(int argc, char **argv, struct wish *w)
{
    capy_arguments_begin();
    for (int c; (c = capy_arguments_next(argc, argv, "sim", known)) != CAPY_ARGUMENT_END;) {
        if (c == HELP) {
            fputs(help, stdout);
            return -1;
        }
        if (c == CAPY_ARGUMENT_WRONG)
            return CAPY_EXIT_USAGE;
        int result = take_option((enum option_name)c, w);
        if (result != 0)
            return result;
    }
    if (optind < argc)
        return wrong(argv[optind], ": options only");
    if (w->one == w->many)
        return wrong(w->one ? "--seed and --seeds: one of them"
                            : "say which seeds: --seed 1, or --seeds 1..1000",
                     "");
    if (w->trace && w->many)
        return wrong("--trace is for one seed", ": --seed N --trace");
    return 0;
}

/* ---- one seed ------------------------------------------------------------------------------ */

/* In this process, so that a debugger sees it. */
static int run_one(const struct wish *w)
{
    static struct sim_world world;
    static struct sim_trace trace;
    struct sim_result r;
    if (w->trace)
        (void)setvbuf(stdout, NULL, _IOLBF, 0); /* the last lines before an assertion, too */
    sim_run(&world, w->crew.first, &trace, w->trace ? stdout : NULL, &r);
    uint64_t digest = r.digest;
    if (w->crew.twice && !r.failed) {
        sim_run(&world, w->crew.first, &trace, NULL, &r);
        if (r.digest != digest) {
            printf("seed %llu FAILED: two runs differ\n", (unsigned long long)w->crew.first);
            return EXIT_FAILURE;
        }
    }
    if (r.failed && !w->trace && !w->quiet)
        sim_trace_print(&trace, w->events, stdout);
    printf("seed %llu: %s%s; digest %016llx, %llu.%03llu s simulated, %llu events, %llu "
           "connections, %llu migrations\n",
           (unsigned long long)w->crew.first, r.failed ? "FAILED: " : "ok", r.why,
           (unsigned long long)r.digest, (unsigned long long)(r.simulated_ns / 1000000000u),
           (unsigned long long)(r.simulated_ns / 1000000u % 1000), (unsigned long long)r.events,
           (unsigned long long)r.tally.n[SIM_connections_opened],
           (unsigned long long)r.tally.n[SIM_migrations_moved]);
    sim_world_free(&world);
    return r.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- many ---------------------------------------------------------------------------------- */

static void on_failure(const struct crew_failure *f, void *ctx)
{
    const struct wish *w = ctx;
    if (w->quiet)
        return;
    if (w->tty)
        fputs("\r\033[K", stderr);
    report_failure(f, w->events, stdout);
}

static void on_progress(const struct crew_sum *sum, void *ctx)
{
    const struct wish *w = ctx;
    if (w->tty && !w->quiet)
        report_progress(sum, w->crew.last - w->crew.first + 1, stderr);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int run_many(struct wish *w)
{
    struct crew_sum sum;
    char err[160];
    uint64_t begun = now_ns();
    w->crew.failed = on_failure;
    w->crew.progress = on_progress;
    w->crew.ctx = w;
    if (!crew_run(&w->crew, &sum, err, sizeof err)) {
        fprintf(stderr, "capy sim: %s\n", err);
        return EXIT_FAILURE;
    }
    if (w->quiet && sum.failed > 0)
        printf("%llu of %llu seeds failed, first %llu\n", (unsigned long long)sum.failed,
               (unsigned long long)sum.done, (unsigned long long)sum.first_failed);
    else if (w->quiet)
        printf("0 of %llu seeds failed\n", (unsigned long long)sum.done);
    if (w->tty && !w->quiet)
        fputs("\r\033[K", stderr);
    if (!w->quiet)
        report_sum(&sum, &w->crew, now_ns() - begun, stdout);
    unsigned never =
        sum.done >= REPORT_SEEDS_FOR_ALL ? report_never(&sum.tally, sum.done, stdout) : 0;
    return sum.failed > 0 || never > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int capy_sim_main(int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct wish w = {.crew.jobs = cores > 0 && cores <= CREW_MAX ? (unsigned)cores : 1,
                     .events = EVENTS_SHOWN,
                     .tty = isatty(STDERR_FILENO) == 1};
    int result = parse(argc, argv, &w);
    if (result != 0)
        return result < 0 ? EXIT_SUCCESS : result;
    return w.one ? run_one(&w) : run_many(&w);
}
