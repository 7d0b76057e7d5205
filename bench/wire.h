/* Two servers, a client and the switch in one process with links of no delay: what is left to
 * measure is the code itself. Frames travel at once, in order; virtual time moves by 1 us a round.
 * Every call into a server's stack is timed with the time stamp counter, so that the switch and the
 * client cost nothing in the figures, nor does the counter: what reading it takes is subtracted. */
#ifndef CAPY_BENCH_WIRE_H
#define CAPY_BENCH_WIRE_H

#include "stack/stack.h"
#include "switch/core/plane.h"

enum { WIRE_S1, WIRE_S2, WIRE_CLIENT, WIRE_HOSTS, WIRE_SERVICE_PORT = 80 };

/* What callgrind counts in is neither inlined nor cloned, and named measured_*. */
#if defined(__clang__) /* never clones */
#define BENCH_AS_WRITTEN __attribute__((noinline))
#else
#define BENCH_AS_WRITTEN __attribute__((noinline, noclone))
#endif

struct wire_size {
    uint32_t conn_max[WIRE_HOSTS]; /* connections that each host can hold */
    uint32_t queue_max;            /* bytes of a send queue; 0: the stack's default */
};

struct wire {
    uint64_t now;
    struct capy_stack *host[WIRE_HOSTS];
    struct capy_switch *plane;
    uint64_t switch_at; /* its next deadline */
    struct wire_size size;
    uint32_t client_cnt; /* how many there have been */
    void *mem[WIRE_HOSTS + 1];
    bool awake[WIRE_HOSTS];     /* may have something to send */
    uint64_t ticks[WIRE_HOSTS]; /* spent inside each host's stack since the last reset */
    uint64_t reading_ticks;     /* of a pair of counter reads with nothing between */
    bool cold;                  /* a server that gets a frame has cold caches (cold.h) */
};

void wire_open(struct wire *w, const struct wire_size *size);
/* Another client in the place of the last one, whose connections the servers keep. */
void wire_next_client(struct wire *w);
void wire_close(struct wire *w);
/* A turn of each host, and then of whoever gets a frame, until all are silent. */
void wire_settle(struct wire *w);
/* A call into the host's stack that began at t0 is over: counts its time. The host may have to send. */
void wire_called(struct wire *w, unsigned host, uint64_t t0);
/* Nanoseconds of one tick, by comparison with the clock. */
double wire_tick_ns(void);
uint64_t wire_ticks(void);
/* Ticks between two reads of the counter with nothing between: the median. */
uint64_t wire_reading_ticks(void);

#endif
