/* Host cost and pause of migrations, from the marks that origin and target left: joined by
 * migration id, times on the one monotonic clock of the machine (paper Fig. 4, Fig. 5). */
#ifndef CAPY_APPS_DEMO_STEPS_H
#define CAPY_APPS_DEMO_STEPS_H

#include "apps/common/series.h"

/* In the order of a migration; the names are those of the control socket's samples. */
enum demo_step {
    DEMO_STEP_PREPARE, /* origin */
    DEMO_STEP_ADMIT,   /* target */
    DEMO_STEP_EXPORT,  /* origin: begins with the freeze */
    DEMO_STEP_IMPORT,  /* target: ends with the connection running */
    DEMO_STEP_FREE,    /* origin */
    DEMO_STEP_CNT
};
extern const char *const demo_step_name[DEMO_STEP_CNT];

struct demo_mark { /* one step of one migration */
    uint64_t mig_id, at_ns, duration_ns;
    enum demo_step step;
};

struct demo_marks { /* all zero: empty */
    struct demo_mark *mark;
    size_t cnt, room;
};

struct demo_cost {
    uint64_t joined; /* migrations of which every step was seen */
    struct capy_series step_ns[DEMO_STEP_CNT];
    struct capy_series total_ns; /* all steps of one migration, origin and target */
    struct capy_series pause_ns; /* from the freeze at the origin to running at the target */
};

void demo_marks_add(struct demo_marks *m, const struct demo_mark *mark);
/* Joins; sorts the marks on the way. Migrations of which a step is missing (refused, or under way
 * at the end) are left out. */
void demo_marks_join(struct demo_marks *m, struct demo_cost *cost);
void demo_marks_free(struct demo_marks *m);
void demo_cost_free(struct demo_cost *cost);

#endif
