/* Host cost of one migration (paper Fig. 4 and 5; design §8): ours, origin plus target, beside the
 * Linux kernel's TCP_REPAIR, in one run and by turns.
 *
 *   migrate [MIGRATIONS] [CONNECTIONS]     prints JSON: of both, the distribution of the whole and the
 *                                          average of each step, and the ratio Linux over ours; each
 *                                          distribution once more at every thousandth
 *   migrate count MIGRATIONS               ours and nothing else, for callgrind
 *
 * Ours is the time stamp counter around every call into the two stacks, so it includes two counter
 * reads per call (about 20 ns each) and nothing else; it is the whole protocol, the kernel's only the
 * system calls. */
#include "move.h"
#include "repair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 20, QUANTILES = 1000 };

struct taken {
    double *ns; /* of each migration */
    unsigned cnt;
    double step[8]; /* sums */
    unsigned step_cnt;
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct taken taken_open(unsigned max)
{
    struct taken t = {.ns = calloc(max, sizeof *t.ns)};
    CAPY_ASSERT(t.ns);
    return t;
}

static void take_ours(struct move *m, struct taken *t, unsigned cnt, double tick_ns)
{
    for (unsigned i = 0; i < cnt; i++)
        t->ns[t->cnt++] = (double)move_once(m) * tick_ns;
    /* The steps apart: marking them costs something itself. */
    move_probe(m, true);
    for (unsigned i = 0; i < cnt / 10 + 1; i++, t->step_cnt++) {
        (void)move_once(m);
        for (unsigned s = 0; s < CAPY_STEP_CNT; s++)
            t->step[s] += (double)m->step[s] * tick_ns;
    }
    move_probe(m, false);
}

static void take_linux(struct repair *r, struct taken *t, unsigned cnt, double tick_ns)
{
    for (unsigned i = 0; i < cnt; i++, t->step_cnt++) {
        uint64_t ticks[REPAIR_STEP_CNT], all = 0;
        repair_once(r, ticks);
        for (unsigned s = 0; s < REPAIR_STEP_CNT; s++) {
            all += ticks[s];
            t->step[s] += (double)ticks[s] * tick_ns;
        }
        t->ns[t->cnt++] = (double)all * tick_ns;
    }
}

struct spread {
    double p50, p90, p99, mean;
};

static struct spread spread(struct taken *t)
{
    double sum = 0;
    qsort(t->ns, t->cnt, sizeof *t->ns, by_value);
    for (unsigned i = 0; i < t->cnt; i++)
        sum += t->ns[i];
    return (struct spread){t->ns[t->cnt / 2], t->ns[t->cnt * 9ul / 10], t->ns[t->cnt * 99ul / 100],
                           sum / t->cnt};
}

static void print_spread(const char *key, struct spread s, const char *format)
{
    printf("  \"%s\": {\"p50\": ", key);
    printf(format, s.p50);
    printf(", \"p90\": ");
    printf(format, s.p90);
    printf(", \"p99\": ");
    printf(format, s.p99);
    printf(", \"mean\": ");
    printf(format, s.mean);
    printf("},\n");
}

/* The whole of it, for Fig. 5: the spread must have been taken, which sorts. */
static void print_distribution(const char *key, const struct taken *t)
{
    printf("  \"%s\": {\"cnt\": %u, \"fractions\": [0", key, t->cnt);
    for (unsigned i = 1; i <= QUANTILES; i++)
        printf(", %.3f", (double)i / QUANTILES);
    printf("], \"values\": [%.0f", t->ns[0]);
    for (unsigned i = 1; i <= QUANTILES; i++)
        printf(", %.0f", t->ns[((uint64_t)i * t->cnt + QUANTILES - 1) / QUANTILES - 1]);
    printf("]},\n");
}

static void print_steps(const char *key, const struct taken *t, const char *const *names,
                        unsigned cnt)
{
    printf("  \"%s\": {", key);
    for (unsigned s = 0; s < cnt; s++)
        printf("%s\"%s\": %.0f", s ? ", " : "", names[s], t->step[s] / t->step_cnt);
    printf("},\n");
}

static void print_all(struct taken *ours, struct taken *kernel, unsigned conn_cnt)
{
    static const char *const linux_step[REPAIR_STEP_CNT] = {"export", "close", "import"};
    const char *our_step[CAPY_STEP_CNT];
    struct spread o = spread(ours);
    for (unsigned s = 0; s < CAPY_STEP_CNT; s++)
        our_step[s] = capy_mig_step_name((enum capy_mig_step)s);
    printf("{\n");
    print_spread("host_ns", o, "%.0f");
    print_steps("step_mean_ns", ours, our_step, CAPY_STEP_CNT);
    if (kernel->cnt > 0) {
        struct spread l = spread(kernel);
        print_spread("linux_host_ns", l, "%.0f");
        print_steps("linux_step_mean_ns", kernel, linux_step, REPAIR_STEP_CNT);
        struct spread ratio = {l.p50 / o.p50, l.p90 / o.p90, l.p99 / o.p99, l.mean / o.mean};
        print_spread("linux_over_ours", ratio, "%.1f");
        print_distribution("linux_host_ns_distribution", kernel);
        printf("  \"linux_migrations\": %u,\n", kernel->cnt);
    }
    print_distribution("host_ns_distribution", ours);
    printf("  \"migrations\": %u,\n  \"connections\": %u\n}\n", ours->cnt, conn_cnt);
}

/* Nothing but migrations, for callgrind. */
static int count(unsigned cnt)
{
    struct move m;
    move_open(&m, 1);
    for (unsigned i = 0; i < cnt; i++)
        (void)move_once(&m);
    move_close(&m);
    printf("%u\n", cnt);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "count") == 0)
        return count((unsigned)atoi(argv[2]));
    unsigned cnt = argc > 1 ? (unsigned)atoi(argv[1]) : 100000u;
    unsigned conn_cnt = argc > 2 ? (unsigned)atoi(argv[2]) : 1u;
    if (cnt < ROUNDS || conn_cnt < 1 || conn_cnt > 50000u) {
        fprintf(stderr, "migrate: MIGRATIONS >= %d and CONNECTIONS in 1..50000 are needed\n",
                ROUNDS);
        return 2;
    }
    struct move m;
    struct repair r;
    const char *why;
    double tick_ns = wire_tick_ns();
    struct taken ours = taken_open(cnt), kernel = taken_open(cnt);
    move_open(&m, conn_cnt);
    bool has_kernel = repair_open(&r, &why);
    if (!has_kernel)
        fprintf(stderr, "migrate: linux_host_ns skipped: %s\n", why);
    for (unsigned i = 0; i < ROUNDS; i++) {
        take_ours(&m, &ours, cnt / ROUNDS, tick_ns);
        if (has_kernel)
            take_linux(&r, &kernel, cnt / ROUNDS / 10 + 1, tick_ns);
    }
    print_all(&ours, &kernel, conn_cnt);
    if (has_kernel)
        repair_close(&r);
    move_close(&m);
    free(ours.ns);
    free(kernel.ns);
    return EXIT_SUCCESS;
}
