/* A rack under load on virtual time: servers that are whole library OSes (src/sock) with one core
 * each, the switch's own core, and a client that sends requests on long-lived connections at times that
 * do not depend on the answers. Everything but the network's delay is the real code; nothing but the seed
 * is random, so a scene runs the same again.
 *
 * A server's core is busy for the service time of each request, as a program's that computes: it
 * receives nothing, sends nothing and moves nothing meanwhile. */
#ifndef CAPY_BENCH_TRIGGER_SCENE_H
#define CAPY_BENCH_TRIGGER_SCENE_H

#include "base/hist.h"
#include <stdbool.h>
#include <stdint.h>

#define SCENE_SERVERS_MAX 8u
#define SCENE_CONNECTIONS_MAX 512u
#define SCENE_WINDOW_NS 20000000u /* of the series in the outcome */
#define SCENE_WINDOWS_MAX 512u
#define SCENE_SLOW 40u

/* A group of connections whose home is one server; the client's load on them is so much of one core. */
struct scene_group {
    unsigned server, connections;
    uint32_t load_percent;       /* of one core, all connections together, on average */
    uint32_t heaviest_percent;   /* of that, for the first connection; 0: all the same */
    uint32_t burst_ms, every_ms; /* it comes in bursts that long, so often; 0: at all times */
};

struct scene {
    uint64_t seed;
    unsigned servers, group_cnt;
    struct scene_group group[SCENE_SERVERS_MAX + 2];
    uint32_t service_us; /* of a request, on average */
    bool exponential;    /* service times; else all the same */
    uint32_t duration_ms;
    uint32_t heartbeat_us;
    uint32_t threshold, low, patience_us, interval_us, cool_down_ms,
        budget; /* the rack file's; threshold 0: off */
};

struct scene_window { /* requests by when they were meant to leave */
    uint64_t answered, p99_ns;
    uint32_t moves;
    uint32_t load[SCENE_SERVERS_MAX]; /* requests in hand at its end */
};

struct scene_outcome {
    uint64_t asked, answered;
    struct capy_hist all,
        late; /* from when it was meant to leave to its answer; late: second half */
    uint64_t p50_ns, p99_ns, p999_ns; /* of the same */
    uint64_t late_p50_ns, late_p99_ns, late_p999_ns;
    uint64_t late_answered;
    uint32_t moves, late_moves, refused;
    uint64_t waits;            /* decisions to wait and see */
    uint32_t moves_of_one_max; /* of the connection that moved most */
    uint32_t heaviest_moves;   /* of the first connection of the first group */
    uint32_t turned_back;      /* moves to a server that the connection had left before */
    uint64_t slow_until_ns;    /* the end of the last window with a p99 above SCENE_SLOW services */
    uint32_t busy_percent[SCENE_SERVERS_MAX]; /* of each core, in the second half */
    uint64_t digest;                          /* of all answers and when they came */
    unsigned window_cnt;
    struct scene_window window[SCENE_WINDOWS_MAX];
};

/* Three servers; a connection's requests take 50 us each; the defaults of the rack file, no load. */
void scene_default(struct scene *s);
/* Runs it; a wrong answer, a lost connection or want of memory ends the program with one line. */
void scene_run(const struct scene *s, struct scene_outcome *out);

#endif
