/* What was measured of one thing again and again, in nanoseconds, and how it spreads. */
#ifndef CAPY_BENCH_TAKEN_H
#define CAPY_BENCH_TAKEN_H

struct taken {
    double *ns;
    unsigned cnt;
};

struct spread {
    double p50, p90, p99, mean;
};

/* Room for max samples, none taken yet. */
struct taken taken_open(unsigned max);
void taken_close(struct taken *t);
/* Sorts the samples; at least one. */
struct spread taken_spread(struct taken *t);
/* `"key": {"p50": ...}`; format: of one number. */
void print_spread(const char *key, struct spread s, const char *format);

#endif
