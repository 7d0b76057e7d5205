/* Runs a range of seeds in child processes, so that all cores work and a seed that stops its process
 * (an assertion, a sanitizer, an endless loop) is one failure among others. */
#ifndef CAPY_APPS_SIM_CREW_H
#define CAPY_APPS_SIM_CREW_H

#include "sim/world.h"

enum { CREW_MAX = 256, CREW_WORDS_MAX = 4096 };

struct crew_failure {
    uint64_t seed;
    char why[SIM_WHY_MAX];
    bool differs; /* from its own second run, and may else be well */
    const struct sim_trace *trace;
    char words[CREW_WORDS_MAX]; /* what the process wrote to stderr; "" when it went on */
};

struct crew_sum {
    uint64_t done, failed, first_failed; /* first_failed: the lowest; UINT64_MAX: none */
    uint64_t events, simulated_ns;
    struct sim_tally tally;
};

struct crew {
    uint64_t first, last;
    unsigned jobs;
    bool stop;  /* at the first failure */
    bool twice; /* each seed, not only every sixteenth: both runs must be the same */
    void (*failed)(const struct crew_failure *f, void *ctx);
    void (*progress)(const struct crew_sum *sum, void *ctx); /* several times a second */
    void *ctx;
};

/* False: no process could be made; err says why. */
bool crew_run(const struct crew *c, struct crew_sum *sum, char *err, size_t err_len);

#endif
