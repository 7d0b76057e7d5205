/* Host cost of one migration (paper Fig. 4 and 5; design §8): ours, origin plus target, beside the
 * Linux kernel's TCP_REPAIR, in one run and by turns.
 *
 *   migrate [MIGRATIONS] [CONNECTIONS]     prints JSON: of both, the distribution of the whole and the
 *                                          average of each step, and the ratio Linux over ours; each
 *                                          distribution once more at every thousandth
 *   migrate sweep                          prints JSON: ours against queued bytes, and against open
 *                                          connections
 *   migrate count MIGRATIONS [QUEUED]      ours and nothing else, for callgrind, which counts inside
 *                                          measured_* (bench/run-migrate)
 *
 * Ours is the time stamp counter around every call into the two stacks, less what reading it takes; it
 * is the whole protocol, the kernel's only the system calls. */
#include "move.h"
#include "repair.h"
#include "sweep.h"
#include "taken.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROUNDS = 100, /* the two take turns so often */
    QUANTILES = 1000,
    WARM_UP = 1000, /* of ours; a tenth of the kernel's */
    CONNECTIONS_MAX = 1000000,
    COLD_SHARE = 100, /* sweeping caches takes a thousand times as long as a migration */
};

struct steps {
    double sum[8];
    unsigned cnt;
};

struct side {
    struct taken whole;
    struct steps step;
};

static void take_ours(struct move *m, struct side *t, unsigned cnt, double tick_ns)
{
    for (unsigned i = 0; i < cnt; i++)
        t->whole.ns[t->whole.cnt++] = (double)move_once(m) * tick_ns;
    /* The steps apart: marking them costs something itself. */
    move_probe(m, true);
    for (unsigned i = 0; i < cnt / 10 + 1; i++, t->step.cnt++) {
        (void)move_once(m);
        for (unsigned s = 0; s < CAPY_STEP_CNT; s++)
            t->step.sum[s] += (double)m->step[s] * tick_ns;
    }
    move_probe(m, false);
}

static void take_linux(struct repair *r, struct side *t, struct taken *with_messages, unsigned cnt,
                       double tick_ns)
{
    for (unsigned i = 0; i < cnt; i++, t->step.cnt++) {
        uint64_t ticks[REPAIR_STEP_CNT], all = 0;
        repair_once(r, ticks, false);
        for (unsigned s = 0; s < REPAIR_STEP_CNT; s++) {
            all += ticks[s];
            t->step.sum[s] += (double)ticks[s] * tick_ns;
        }
        t->whole.ns[t->whole.cnt++] = (double)all * tick_ns;
        with_messages->ns[with_messages->cnt++] =
            (double)(all + repair_messages(r, false)) * tick_ns;
    }
}

/* The whole of it, for Fig. 5: the spread must have been taken, which sorts. */
static void print_distribution(const char *key, const struct taken *t)
{
    printf(",\n  \"%s\": {\"cnt\": %u, \"fractions\": [0", key, t->cnt);
    for (unsigned i = 1; i <= QUANTILES; i++)
        printf(", %.3f", (double)i / QUANTILES);
    printf("], \"values\": [%.0f", t->ns[0]);
    for (unsigned i = 1; i <= QUANTILES; i++)
        printf(", %.0f", t->ns[((uint64_t)i * t->cnt + QUANTILES - 1) / QUANTILES - 1]);
    printf("]}");
}

static void print_steps(const char *key, const struct steps *t, const char *const *names,
                        unsigned cnt)
{
    printf(",\n  \"%s\": {", key);
    for (unsigned s = 0; s < cnt; s++)
        printf("%s\"%s\": %.0f", s ? ", " : "", names[s], t->sum[s] / t->cnt);
    printf("}");
}

static void print_ratio(const char *key, struct spread l, struct spread o)
{
    struct spread ratio = {l.p50 / o.p50, l.p90 / o.p90, l.p99 / o.p99, l.mean / o.mean};
    printf(",\n  ");
    print_spread(key, ratio, "%.1f");
}

static void print_linux(struct side *kernel, struct taken *with_messages, struct spread ours)
{
    static const char *const step[REPAIR_STEP_CNT] = {"export", "close", "import"};
    struct spread l = taken_spread(&kernel->whole), m = taken_spread(with_messages);
    printf(",\n  ");
    print_spread("linux_host_ns", l, "%.0f");
    print_steps("linux_step_mean_ns", &kernel->step, step, REPAIR_STEP_CNT);
    print_ratio("linux_over_ours", l, ours);
    printf(",\n  ");
    print_spread("linux_with_messages_ns", m, "%.0f");
    print_ratio("linux_with_messages_over_ours", m, ours);
    print_distribution("linux_host_ns_distribution", &kernel->whole);
    printf(",\n  \"linux_migrations\": %u", kernel->whole.cnt);
}

static void print_ours(struct side *ours, struct spread o)
{
    const char *step[CAPY_STEP_CNT];
    for (unsigned s = 0; s < CAPY_STEP_CNT; s++)
        step[s] = capy_mig_step_name((enum capy_mig_step)s);
    printf("  ");
    print_spread("host_ns", o, "%.0f");
    print_steps("step_mean_ns", &ours->step, step, CAPY_STEP_CNT);
    print_distribution("host_ns_distribution", &ours->whole);
}

/* Nothing but migrations, for callgrind. */
static int count(unsigned cnt, uint32_t queued)
{
    struct move m;
    move_open(&m, 1, queued);
    for (unsigned i = 0; i < cnt; i++)
        (void)move_once(&m);
    move_close(&m);
    printf("%u\n", cnt);
    return EXIT_SUCCESS;
}

static int sweep(void)
{
    double tick_ns = wire_tick_ns();
    printf("{\n  \"queued\": ");
    sweep_queued(tick_ns);
    printf(",\n  \"open\": ");
    sweep_open(tick_ns);
    printf("\n}\n");
    return EXIT_SUCCESS;
}

/* The same where every step finds cold caches, by turns again. */
static void print_cold(struct move *m, struct repair *r, bool has_kernel, unsigned cnt,
                       double tick_ns)
{
    struct taken ours = taken_open(cnt), kernel = taken_open(cnt), with = taken_open(cnt);
    m->wire.cold = true;
    for (unsigned i = 0; i < cnt; i++) {
        uint64_t ticks[REPAIR_STEP_CNT], all = 0;
        ours.ns[ours.cnt++] = (double)move_once(m) * tick_ns;
        if (!has_kernel)
            continue;
        repair_once(r, ticks, true);
        for (unsigned s = 0; s < REPAIR_STEP_CNT; s++)
            all += ticks[s];
        kernel.ns[kernel.cnt++] = (double)all * tick_ns;
        with.ns[with.cnt++] = (double)(all + repair_messages(r, true)) * tick_ns;
    }
    m->wire.cold = false;
    struct spread o = taken_spread(&ours);
    printf(",\n  \"cold\": {\n  ");
    print_spread("host_ns", o, "%.0f");
    if (has_kernel) {
        struct spread l = taken_spread(&kernel), f = taken_spread(&with);
        printf(",\n  ");
        print_spread("linux_host_ns", l, "%.0f");
        print_ratio("linux_over_ours", l, o);
        printf(",\n  ");
        print_spread("linux_with_messages_ns", f, "%.0f");
        print_ratio("linux_with_messages_over_ours", f, o);
    }
    printf("}");
    taken_close(&ours);
    taken_close(&kernel);
    taken_close(&with);
}

static void compare(unsigned cnt, unsigned conn_cnt)
{
    struct move m;
    struct repair r;
    const char *why;
    double tick_ns = wire_tick_ns();
    unsigned kernel_cnt = cnt / ROUNDS / 10 + 1;
    struct side ours = {.whole = taken_open(cnt)},
                kernel = {.whole = taken_open(ROUNDS * kernel_cnt)};
    struct taken with_messages = taken_open(ROUNDS * kernel_cnt);
    bool has_kernel = repair_open(&r, &why);
    if (!has_kernel)
        fprintf(stderr, "migrate: linux_host_ns skipped: %s\n", why);
    move_open(&m, conn_cnt, 0);
    for (unsigned i = 0; i < WARM_UP; i++)
        (void)move_once(&m);
    for (unsigned i = 0; has_kernel && i < WARM_UP / 10; i++) {
        uint64_t ticks[REPAIR_STEP_CNT];
        repair_once(&r, ticks, false);
        (void)repair_messages(&r, false);
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        take_ours(&m, &ours, cnt / ROUNDS, tick_ns);
        if (has_kernel)
            take_linux(&r, &kernel, &with_messages, kernel_cnt, tick_ns);
    }
    struct spread o = taken_spread(&ours.whole);
    printf("{\n");
    print_ours(&ours, o);
    if (has_kernel)
        print_linux(&kernel, &with_messages, o);
    print_cold(&m, &r, has_kernel, cnt / COLD_SHARE, tick_ns);
    printf(",\n  \"migrations\": %u,\n  \"connections\": %u\n}\n", ours.whole.cnt, conn_cnt);
    if (has_kernel)
        repair_close(&r);
    move_close(&m);
    taken_close(&ours.whole);
    taken_close(&kernel.whole);
    taken_close(&with_messages);
}

int main(int argc, char **argv)
{
    if (argc >= 3 && argc <= 4 && strcmp(argv[1], "count") == 0)
        return count((unsigned)atoi(argv[2]), argc > 3 ? (uint32_t)atoi(argv[3]) : 0);
    if (argc == 2 && strcmp(argv[1], "sweep") == 0)
        return sweep();
    unsigned cnt = argc > 1 ? (unsigned)atoi(argv[1]) : 100000u;
    unsigned conn_cnt = argc > 2 ? (unsigned)atoi(argv[2]) : 1u;
    if (cnt < ROUNDS || conn_cnt < 1 || conn_cnt > CONNECTIONS_MAX) {
        fprintf(stderr, "migrate: MIGRATIONS >= %d and CONNECTIONS in 1..%d are needed\n", ROUNDS,
                CONNECTIONS_MAX);
        return 2;
    }
    compare(cnt, conn_cnt);
    return EXIT_SUCCESS;
}
