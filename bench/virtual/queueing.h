/* A rack on virtual time whose servers need time: the simulator's rack (production stacks and switch) with
 * one processor per server. Requests wait for it in the order in which they came, each takes the same
 * time, and so does each side of a migration. Clients are open: a request is sent at its time whatever
 * the answers do, and its latency counts from then.
 *
 * What is taken for granted: frames cost the processor nothing by themselves, their cost is in the
 * request's; a migration's cost is taken at one stroke, at its end at either side; a server takes a request up
 * no sooner than it has the whole of it, as its socket layer would. */
#ifndef CAPY_BENCH_QUEUEING_H
#define CAPY_BENCH_QUEUEING_H

#include "base/hist.h"
#include "sim/rack.h"

enum { QUEUEING_CONNS_MAX = 200, QUEUEING_MESSAGE = 64 };

struct queueing_plan {
    uint64_t rate, connections;    /* requests/s of all; connections, spread over two servers */
    uint64_t service_ns;           /* processor time of a request */
    uint64_t origin_ns, target_ns; /* of a migration, at either side */
    uint64_t delay_ns;             /* added to each migration */
    bool hold; /* the delay holds only the connection; else the target's processor is busy for it */
    uint64_t migrations, per_s; /* how many, and how many a second: how long it takes */
    uint64_t link_ns, seed;
};

struct queueing_result {
    struct capy_hist latency_ns;
    uint64_t requests, unanswered; /* a second after the last one was sent; in latency_ns as such */
    uint64_t migrations;
    uint64_t lost_frames, seconds_ns;
    uint64_t busy_ns[2]; /* of each server's processor */
};

void queueing_run(const struct queueing_plan *plan, struct queueing_result *result);

#endif
