/* A hundred thousand connections that only lie there: what they hold, and what time costs them. */
#ifndef CAPY_BENCH_IDLE_H
#define CAPY_BENCH_IDLE_H

#include <stdint.h>

enum { IDLE_CONNS = 100000, IDLE_TICKS = 20000 };

struct idle_figures {
    double tick_ns, bytes_per_connection;
};

/* tick_ns: of wire_ticks. */
struct idle_figures idle(double tick_ns);

#endif
