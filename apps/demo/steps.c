/* Host cost and pause of migrations. See steps.h. */
#include "apps/demo/steps.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_ROOM 16384u

const char *const demo_step_name[DEMO_STEP_CNT] = {"prepare", "admit", "export", "import", "free"};

void demo_marks_add(struct demo_marks *m, const struct demo_mark *mark)
{
    if (m->cnt == m->room) {
        m->room = m->room ? 2 * m->room : FIRST_ROOM;
        m->mark = realloc(m->mark, m->room * sizeof *m->mark);
        if (!m->mark) {
            fputs("out of memory for samples\n", stderr);
            exit(1);
        }
    }
    m->mark[m->cnt++] = *mark;
}

static int by_migration(const void *a, const void *b)
{
    const struct demo_mark *x = a, *y = b;
    if (x->mig_id != y->mig_id) {
        return x->mig_id < y->mig_id ? -1 : 1;
    }
    return (x->at_ns > y->at_ns) - (x->at_ns < y->at_ns);
}

/* One migration: cnt marks from first on. A step may have several marks (state in many fragments,
 * repeated messages): its cost is their sum. */
static void join_one(const struct demo_mark *first, size_t cnt, struct demo_cost *cost)
{
    uint64_t sum[DEMO_STEP_CNT] = {0}, total = 0, frozen_at = 0, running_at = 0;
    unsigned seen = 0;
    for (size_t i = 0; i < cnt; i++) {
        const struct demo_mark *k = &first[i];
        if (k->step == DEMO_STEP_EXPORT && !(seen & 1u << DEMO_STEP_EXPORT)) {
            frozen_at = k->at_ns;
        }
        if (k->step == DEMO_STEP_IMPORT) {
            running_at = k->at_ns + k->duration_ns;
        }
        seen |= 1u << k->step;
        sum[k->step] += k->duration_ns;
        total += k->duration_ns;
    }
    if (seen != (1u << DEMO_STEP_CNT) - 1 || running_at < frozen_at) {
        return;
    }
    for (unsigned s = 0; s < DEMO_STEP_CNT; s++) {
        capy_series_add(&cost->step_ns[s], sum[s]);
    }
    capy_series_add(&cost->total_ns, total);
    capy_series_add(&cost->pause_ns, running_at - frozen_at);
    cost->joined++;
}

void demo_marks_join(struct demo_marks *m, struct demo_cost *cost)
{
    *cost = (struct demo_cost){0};
    if (m->cnt == 0) {
        return;
    }
    qsort(m->mark, m->cnt, sizeof *m->mark, by_migration);
    for (size_t i = 0, end; i < m->cnt; i = end) {
        for (end = i; end < m->cnt && m->mark[end].mig_id == m->mark[i].mig_id;) {
            end++;
        }
        join_one(&m->mark[i], end - i, cost);
    }
}

void demo_marks_free(struct demo_marks *m)
{
    free(m->mark);
    *m = (struct demo_marks){0};
}

void demo_cost_free(struct demo_cost *cost)
{
    for (unsigned s = 0; s < DEMO_STEP_CNT; s++) {
        capy_series_free(&cost->step_ns[s]);
    }
    capy_series_free(&cost->total_ns);
    capy_series_free(&cost->pause_ns);
}
