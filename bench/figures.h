/* What bench/stack measures, one figure each: how often, and what one sample of it is. */
#ifndef CAPY_BENCH_FIGURES_H
#define CAPY_BENCH_FIGURES_H

#include "client.h"

enum figure {
    FIGURE_REQUEST_64,
    FIGURE_REQUEST_1K,
    FIGURE_BULK_SEGMENT_IN,
    FIGURE_BULK_SEGMENT_OUT,
    FIGURE_ACCEPT_CLOSE,
    FIGURE_ENCODE,
    FIGURE_DECODE,
    FIGURE_CNT
};

/* As in the JSON's keys: "request_64". */
const char *figure_name(enum figure f);
/* Of one round. */
unsigned figure_samples(enum figure f);
/* lwIP answers requests and nothing else. */
bool figure_is_of_lwip(enum figure f);
/* Takes so many samples: the median of them, in ticks per thing. *things: how many there were (a
 * sample of bulk transfer has many segments). */
double figure_take(struct bench *b, enum figure f, unsigned samples, uint64_t *things);
/* Bytes of an idle connection's snapshot. */
uint32_t figure_encoded_len(struct bench *b);

double figure_median(double *v, unsigned cnt);

#endif
