/* What a run found, for people, as JSON and as CSV; bench/README.md has the keys. */
#ifndef CAPY_APPS_LOAD_REPORT_H
#define CAPY_APPS_LOAD_REPORT_H

#include "apps/load/marks.h"
#include "apps/load/options.h"
#include "apps/load/result.h"
#include <jansson.h>

void load_print(const struct load_options *opt, const struct load_result *r, FILE *out);
/* A sweep: the heading, then a line per run. */
void load_print_sweep_head(FILE *out);
void load_print_sweep_row(const struct load_result *r, FILE *out);

/* A new reference. */
json_t *load_json(const struct load_options *opt, const struct load_result *r,
                  const struct load_marks *marks);

/* A row per interval. */
void load_csv_series(const struct load_result *r, FILE *out);
void load_csv_sweep_head(FILE *out);
void load_csv_sweep_row(const struct load_result *r, FILE *out);

#endif
