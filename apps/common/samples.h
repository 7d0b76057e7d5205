/* Every sample of a measurement, kept: exact percentiles of a run that fits in memory (8 bytes
 * each). */
#ifndef CAPY_APPS_COMMON_SAMPLES_H
#define CAPY_APPS_COMMON_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct capy_samples { /* all zero: empty */
    uint64_t *value;
    size_t cnt, room;
    bool sorted;
};

/* Out of memory it ends the program: half a measurement is none. */
void capy_samples_add(struct capy_samples *s, uint64_t value);
/* The value at or below which per_mille of the samples lie (500: median); 0 when empty. */
uint64_t capy_samples_quantile(struct capy_samples *s, unsigned per_mille);
double capy_samples_mean(const struct capy_samples *s);
void capy_samples_free(struct capy_samples *s);

#endif
