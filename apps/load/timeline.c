/* A run as a series of equal intervals. See timeline.h. */
#include "apps/load/timeline.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_ROOM 1024u

void load_timeline_init(struct load_timeline *t, uint64_t interval_ns)
{
    t->interval_ns = interval_ns;
    t->cnt = t->room = t->open = 0;
    t->row = NULL;
    capy_hist_init(&t->now);
}

/* The row of that time; NULL when no rows are kept. Out of memory it ends the program: half a
 * measurement is none. */
static struct load_interval *row_at(struct load_timeline *t, uint64_t at_ns)
{
    if (t->interval_ns == 0)
        return NULL;
    size_t i = at_ns / t->interval_ns;
    if (i >= t->room) {
        size_t room = t->room ? t->room : FIRST_ROOM;
        while (room <= i)
            room *= 2;
        struct load_interval *more = realloc(t->row, room * sizeof *more);
        if (!more) {
            fputs("capy load: out of memory for the time series; a longer --interval\n", stderr);
            exit(1);
        }
        t->row = more;
        t->room = room;
    }
    for (; t->cnt <= i; t->cnt++)
        t->row[t->cnt] = (struct load_interval){0};
    return &t->row[i];
}

/* Takes the percentiles of the open row, and opens row i. */
static void turn_to(struct load_timeline *t, size_t i)
{
    if (i <= t->open)
        return;
    if (t->open < t->cnt && t->now.cnt > 0) {
        t->row[t->open].p50_ns = capy_hist_quantile(&t->now, 50000);
        t->row[t->open].p99_ns = capy_hist_quantile(&t->now, 99000);
        t->row[t->open].max_ns = t->now.max;
        capy_hist_init(&t->now);
    }
    t->open = i;
}

void load_timeline_answer(struct load_timeline *t, uint64_t at_ns, uint64_t latency_ns, int server)
{
    struct load_interval *row = row_at(t, at_ns);
    if (!row)
        return;
    turn_to(t, (size_t)(row - t->row));
    capy_hist_add(&t->now, latency_ns);
    row->answered++;
    if (server >= 0)
        row->by_server[server]++;
}

void load_timeline_error(struct load_timeline *t, uint64_t at_ns)
{
    struct load_interval *row = row_at(t, at_ns);
    if (row)
        row->errors++;
}

void load_timeline_due(struct load_timeline *t, uint64_t at_ns, uint64_t cnt)
{
    struct load_interval *row = row_at(t, at_ns);
    if (row)
        row->due += cnt;
}

void load_timeline_migration(struct load_timeline *t, uint64_t at_ns)
{
    if (t->interval_ns > 0 && at_ns / t->interval_ns < t->cnt)
        t->row[at_ns / t->interval_ns].migrations++;
}

void load_timeline_end(struct load_timeline *t, uint64_t at_ns)
{
    if (row_at(t, at_ns))
        turn_to(t, t->cnt);
}

void load_timeline_free(struct load_timeline *t)
{
    free(t->row);
    t->row = NULL;
    t->cnt = t->room = 0;
}
