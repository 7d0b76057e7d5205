/* Two servers, a client and the switch in one process with links of no delay: what is left to
 * measure is the code itself. Frames travel at once, in order; virtual time moves by 1 us a round.
 * Every call into a server's stack is timed with the time stamp counter, so that the switch and the
 * client cost nothing in the figures. */
#ifndef CAPY_BENCH_WIRE_H
#define CAPY_BENCH_WIRE_H

#include "stack/stack.h"
#include "switch/core/plane.h"

enum { WIRE_S1, WIRE_S2, WIRE_CLIENT, WIRE_HOSTS, WIRE_SERVICE_PORT = 80 };

struct wire {
    uint64_t now;
    struct capy_stack *host[WIRE_HOSTS];
    struct capy_switch *plane;
    uint64_t switch_at; /* its next deadline */
    void *mem[WIRE_HOSTS + 1];
    uint64_t ticks[WIRE_HOSTS]; /* spent inside each host's stack since the last reset */
};

/* conn_max: connections that each host can hold. */
void wire_open(struct wire *w, uint32_t conn_max);
void wire_close(struct wire *w);
/* Passes frames around until every host is silent. */
void wire_settle(struct wire *w);
/* Nanoseconds of one tick, by comparison with the clock. */
double wire_tick_ns(void);
uint64_t wire_ticks(void);

#endif
