/* Every sample of a measurement, kept. See series.h. */
#include "apps/common/series.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_ROOM 4096u

void capy_series_add(struct capy_series *s, uint64_t value)
{
    if (s->cnt == s->room) {
        s->room = s->room ? 2 * s->room : FIRST_ROOM;
        s->value = realloc(s->value, s->room * sizeof *s->value);
        if (!s->value) {
            fputs("out of memory for samples\n", stderr);
            exit(1);
        }
    }
    s->value[s->cnt++] = value;
    s->sorted = false;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

uint64_t capy_series_quantile(struct capy_series *s, unsigned per_mille)
{
    if (s->cnt == 0) {
        return 0;
    }
    if (!s->sorted) {
        qsort(s->value, s->cnt, sizeof *s->value, by_value);
        s->sorted = true;
    }
    size_t rank = (s->cnt * per_mille + 999) / 1000; /* the nearest rank, from 1 */
    return s->value[rank > 0 ? rank - 1 : 0];
}

double capy_series_mean(const struct capy_series *s)
{
    double sum = 0;
    for (size_t i = 0; i < s->cnt; i++) {
        sum += (double)s->value[i];
    }
    return s->cnt ? sum / (double)s->cnt : 0;
}

void capy_series_free(struct capy_series *s)
{
    free(s->value);
    *s = (struct capy_series){0};
}
