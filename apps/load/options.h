/* What a run is asked to do. */
#ifndef CAPY_APPS_LOAD_OPTIONS_H
#define CAPY_APPS_LOAD_OPTIONS_H

#include "apps/common/endpoint.h"
#include "apps/load/arrivals.h"
#include "capy/capy.h"
#include <stdbool.h>

#define LOAD_TARGET_MAX 64u
#define LOAD_MARKS_MAX 16u
#define LOAD_CONNECTION_MAX 50000u
#define LOAD_DURATION_MAX_NS UINT64_C(1000000000000000) /* eleven days */

/* Which connection a request that is due goes to. */
enum load_spread {
    LOAD_SPREAD_FREE, /* the one that has been free for longest, if need be the next to be free */
    LOAD_SPREAD_WEIGHTS, /* drawn by weights, free or not: there it waits for its turn (skew.h) */
};

/* From this time on. The first is the beginning, at time 0. */
struct load_phase {
    uint64_t at_ns;        /* behind the end of the warm-up */
    uint64_t rate;         /* requests/s */
    uint64_t factor_milli; /* the rate is the first phase's times so much; 0: it is its own */
    uint32_t rotate;       /* the connection of rank 0 (skew.h) */
    unsigned weights_cnt;
    uint16_t weights[LOAD_TARGET_MAX]; /* of the targets; all 1 when there are none */
};

struct load_options {
    unsigned target_cnt;
    union capy_endpoint target[LOAD_TARGET_MAX]; /* connection i goes to target i % target_cnt */
    uint32_t connection_cnt;
    uint64_t warm_up_ns, duration_ns; /* duration 0: until stopped */
    uint64_t request_max;             /* 0: no limit */
    bool
        open_loop; /* requests are due by the clock, whatever the answers do; else each connection asks
                       again as soon as it was answered */
    bool arrivals_given; /* said how, and not left at Poisson */
    struct load_process process;
    enum load_spread spread;
    uint32_t zipf_milli; /* 0: uniform */
    unsigned phase_cnt;
    struct load_phase phase[LOAD_PHASE_MAX];
    uint64_t sweep_from, sweep_to, sweep_step; /* rates of the first phase; step 0: no sweep */
    uint64_t service_us, bytes, seed;          /* of /synthetic */
    uint64_t timeout_ns;                       /* an answer that takes longer is an error */
    uint64_t live_ns;     /* a line of progress in JSON on stdout this often; 0: never */
    uint64_t interval_ns; /* of the time series; 0: none */
    bool routed;          /* targets may lie behind a router */
    bool kernel;          /* said so: on the kernel's sockets */
    struct capy_options
        own; /* .device: on libcapy's own TCP there; NULL: on the kernel's sockets */
    char own_address[CAPY_ENDPOINT_TEXT_MAX];
    unsigned marks_cnt;
    const char *marks[LOAD_MARKS_MAX]; /* where to learn of migrations (marks.h) */
    const char *json, *csv;            /* the result goes there; NULL: nowhere */
};

/* 0; 1: --help was asked for, and answered; -1: wrong, and said so in one line on stderr. */
int load_options_parse(struct load_options *opt, int argc, char **argv);
/* Another rate for the first phase, and for those that are multiples of it. */
void load_options_set_rate(struct load_options *opt, uint64_t rate);

#endif
