/* See taken.h. */
#include "taken.h"
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct taken taken_open(unsigned max)
{
    struct taken t = {.ns = calloc(max, sizeof *t.ns)};
    CAPY_ASSERT(t.ns);
    return t;
}

void taken_close(struct taken *t)
{
    free(t->ns);
}

struct spread taken_spread(struct taken *t)
{
    double sum = 0;
    CAPY_ASSERT(t->cnt > 0);
    qsort(t->ns, t->cnt, sizeof *t->ns, by_value);
    for (unsigned i = 0; i < t->cnt; i++)
        sum += t->ns[i];
    return (struct spread){t->ns[t->cnt / 2], t->ns[t->cnt * 9ul / 10], t->ns[t->cnt * 99ul / 100],
                           sum / t->cnt};
}

void print_spread(const char *key, struct spread s, const char *format)
{
    const struct {
        const char *name;
        double value;
    } part[] = {{"p50", s.p50}, {"p90", s.p90}, {"p99", s.p99}, {"mean", s.mean}};
    printf("\"%s\": {", key);
    for (unsigned i = 0; i < sizeof part / sizeof part[0]; i++) {
        printf("%s\"%s\": ", i ? ", " : "", part[i].name);
        printf(format, part[i].value);
    }
    printf("}");
}
