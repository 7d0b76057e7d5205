/* Quantities on the command line, as people write them: "2s", "500us", "10k", "1.5". */
#ifndef CAPY_APPS_LOAD_QUANTITY_H
#define CAPY_APPS_LOAD_QUANTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each reads all len bytes at text, up to max; false, *out untouched, when they are anything else. */
/* A time with its unit, ns, us, ms, s or m, and up to nine digits behind a point. */
bool load_quantity_time(const char *text, size_t len, uint64_t max_ns, uint64_t *ns);
/* A number, with k for thousands or M for millions, and digits behind a point if they come to a whole
 * number. */
bool load_quantity_count(const char *text, size_t len, uint64_t max, uint64_t *out);
/* A number with up to three digits behind a point, in thousandths. */
bool load_quantity_milli(const char *text, size_t len, uint64_t max_milli, uint64_t *out);

#endif
