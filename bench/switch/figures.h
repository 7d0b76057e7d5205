/* The figures of bench/switch. */
#ifndef CAPY_BENCH_SWITCH_FIGURES_H
#define CAPY_BENCH_SWITCH_FIGURES_H

#include "plane.h"

#include <jansson.h>

/* Into all's object of each kind's name. */
void figures_take(json_t *all, const struct plane_kind *const *kind, unsigned kind_cnt);
/* A directory with a million entries. */
json_t *figures_million(const struct plane_kind *kind);
/* `count`, of which argv is the rest. An exit status. */
int figures_count(int argc, char **argv);

#endif
