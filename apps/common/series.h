/* Every sample of a measurement, kept: exact percentiles of a run that fits in memory (8 bytes
 * each). */
#ifndef CAPY_APPS_COMMON_SERIES_H
#define CAPY_APPS_COMMON_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct capy_series { /* all zero: empty */
    uint64_t *value;
    size_t cnt, room;
    bool sorted;
};

/* Out of memory it ends the program: half a measurement is none. */
void capy_series_add(struct capy_series *s, uint64_t value);
/* The value at or below which per_mille of the samples lie (500: median); 0 when empty. */
uint64_t capy_series_quantile(struct capy_series *s, unsigned per_mille);
double capy_series_mean(const struct capy_series *s);
void capy_series_free(struct capy_series *s);

#endif
