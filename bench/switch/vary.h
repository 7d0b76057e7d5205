/* What vary.bpf.c and kernel.c agree on. */
#ifndef CAPY_BENCH_SWITCH_VARY_H
#define CAPY_BENCH_SWITCH_VARY_H

#include <stdint.h>

#define VARY_FLOWS_MAX (1u << 20)
#define VARY_FRAME_LEN 64

/* As in the frame: network order. */
struct vary_flow {
    uint32_t ip;
    uint16_t port, unused;
};

struct vary {
    uint32_t next, mask; /* number of the next flow, modulo a power of two */
    uint32_t which;      /* index of the program measured */
    uint32_t back;       /* the client is the destination */
};

#endif
