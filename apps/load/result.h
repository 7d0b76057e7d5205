/* What a run found. */
#ifndef CAPY_APPS_LOAD_RESULT_H
#define CAPY_APPS_LOAD_RESULT_H

#include "apps/load/failure.h"
#include "apps/load/response.h"
#include "apps/load/timeline.h"
#include "base/hist.h"

#define LOAD_CONNECTIONS_SERVED_MAX (LOAD_SERVER_MAX + 1u)

struct load_result {
    uint64_t begun_at_ns; /* CLOCK_MONOTONIC at the end of the warm-up: time 0 of all below */
    double seconds;       /* of measuring */
    uint64_t rate;        /* asked for, at the beginning; 0: closed loop */
    uint64_t due;         /* should have been sent */
    uint64_t requests;    /* answered, and right */
    uint64_t never_sent;  /* due before the end, and their connection was not free until then */
    uint64_t warm_up_requests;      /* answered, but due in the warm-up: counted nowhere else */
    uint64_t error[LOAD_ERROR_CNT]; /* those of the warm-up, too */
    char first_error[320];
    uint64_t reconnects;
    uint64_t retransmits; /* of this side, all connections */
    /* From when it should have been sent to the last byte of its answer: free of coordinated omission.
     * What was never sent, or was not answered in time, counts with the time that it had waited. */
    struct capy_hist latency_ns;
    struct capy_hist service_ns; /* from when it was sent */
    struct capy_hist lag_ns;     /* from when it should, and could, have been sent: our own doing */
    unsigned server_cnt;
    char server[LOAD_SERVER_MAX][LOAD_SERVER_NAME_MAX];
    uint64_t server_requests[LOAD_SERVER_MAX];
    uint32_t
        served_by[LOAD_CONNECTIONS_SERVED_MAX]; /* [k]: connections that k servers answered on */
    struct load_timeline timeline;
    char transport[96];
};

/* The server's number, from the order of their first answers; -1: more names than there can be. */
int load_result_server(struct load_result *r, const char *name);
uint64_t load_errors(const struct load_result *r);
double load_per_second(const struct load_result *r);

#endif
