/* See report.h. */
#define _GNU_SOURCE /* program_invocation_name */
#include "apps/sim/report.h"
#include <errno.h>

enum { COLUMNS = 100, INDENT = 14 };

void report_failure(const struct crew_failure *f, uint32_t events, FILE *out)
{
    fprintf(out, "seed %llu FAILED: %s\n", (unsigned long long)f->seed, f->why);
    if (f->words[0])
        fprintf(out, "%s%s", f->words, f->words[strlen(f->words) - 1] == '\n' ? "" : "\n");
    if (events > 0)
        fprintf(out, "last events:\n");
    sim_trace_print(f->trace, events, out);
    fprintf(out, "again: %s sim --seed %llu %s\n\n", program_invocation_name,
            (unsigned long long)f->seed, f->differs ? "--twice" : "--trace");
    fflush(out);
}

void report_progress(const struct crew_sum *sum, uint64_t seeds, FILE *out)
{
    fprintf(out, "\r%llu of %llu seeds, %llu failed ", (unsigned long long)sum->done,
            (unsigned long long)seeds, (unsigned long long)sum->failed);
    fflush(out);
}

/* "faults        lost 12, repeated 3, ...", broken into lines. */
static void print_tally(const struct sim_tally *t, FILE *out)
{
    const char *group = "";
    int column = 0;
    for (unsigned i = 0; i < SIM_TALLY_CNT; i++) {
        char text[80];
        snprintf(text, sizeof text, "%s %llu", sim_tally_text(i), (unsigned long long)t->n[i]);
        for (char *p = text; *p; p++)
            if (*p == '_')
                *p = ' ';
        bool new_group = strcmp(group, sim_tally_group(i)) != 0;
        int len = (int)strlen(text);
        if (new_group)
            column = fprintf(out, "%s%-*s", i > 0 ? "\n" : "", INDENT, sim_tally_group(i)) -
                     (i > 0 ? 1 : 0);
        else if (column + 2 + len > COLUMNS)
            column = fprintf(out, ",\n%*s", INDENT, "") - 2;
        else
            column += fprintf(out, ", ");
        column += fprintf(out, "%s", text);
        group = sim_tally_group(i);
    }
    fprintf(out, "\n");
}

void report_sum(const struct crew_sum *sum, const struct crew *c, uint64_t wall_ns, FILE *out)
{
    uint64_t wall_ms = wall_ns / 1000000 + 1, moved = sum->tally.n[SIM_migrations_moved];
    fprintf(out, "seeds %llu..%llu: %llu run, %llu failed; %llu.%llu s on %u jobs\n",
            (unsigned long long)c->first, (unsigned long long)c->last,
            (unsigned long long)sum->done, (unsigned long long)sum->failed,
            (unsigned long long)(wall_ms / 1000), (unsigned long long)(wall_ms % 1000 / 100),
            c->jobs);
    fprintf(out,
            "simulated %llu s, %llu s per second; events %llu, %llu per second; migrations %llu\n",
            (unsigned long long)(sum->simulated_ns / 1000000000u),
            (unsigned long long)(sum->simulated_ns / 1000000u / wall_ms),
            (unsigned long long)sum->events, (unsigned long long)(sum->events * 1000 / wall_ms),
            (unsigned long long)moved);
    print_tally(&sum->tally, out);
}

/* What no number of seeds promises: a state of another release, for all run one; and a target that restarts in
 * the microseconds of its move, whose first HEARTBEAT is lost besides, and that a client's frame reaches before
 * the next. */
static bool is_chance(unsigned i)
{
    return i == SIM_migrations_kept_version || i == SIM_migrations_kept_unknown_flow;
}

/* An owner that died or fell silent before the client had heard from it; a state that does not fit. */
static bool is_rare(unsigned i)
{
    return i == SIM_migrations_reclaimed || i == SIM_migrations_kept_bad_state ||
           i == SIM_migrations_kept_hold_expired || i == SIM_connections_ended_by_silence;
}

unsigned report_never(const struct sim_tally *t, uint64_t seeds, FILE *out)
{
    unsigned cnt = 0;
    for (unsigned i = 0; i < SIM_TALLY_CNT; i++)
        if (t->n[i] == 0 && !is_chance(i) && (seeds >= REPORT_SEEDS_FOR_RARE || !is_rare(i)))
            fprintf(out, "%s %s %s", cnt++ ? "," : "never happened:", sim_tally_group(i),
                    sim_tally_text(i));
    if (cnt)
        fprintf(out, "\n");
    return cnt;
}
