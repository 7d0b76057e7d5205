/* A whole rack in one process on virtual time: three servers and one client, each a real stack
 * (src/stack), around the real switch (switch/core), over links that lose, repeat, delay and
 * reorder frames by one seeded generator. Same seed, same run, frame by frame.
 *
 * Every host has an address of either version of IP; the seed decides whether the rack itself is one
 * of IPv4 with IPv6 beside it, or of IPv6 alone.
 *
 * A test opens a rack, gives it a callback in which the applications take their turn after every
 * frame or timer of a host, and runs it. Servers may crash and restart; the switch may reboot. */
#ifndef CAPY_TESTS_SIM_RACK_H
#define CAPY_TESTS_SIM_RACK_H

#include "base/prng.h"
#include "stack/stack.h"
#include "switch/core/plane.h"

enum {
    SIM_SERVERS = 3,
    SIM_CLIENT = SIM_SERVERS, /* host number and switch port of the client */
    SIM_HOSTS = SIM_SERVERS + 1,
    SIM_SERVICE_PORT = 80,
    SIM_MIG_PORT_FIRST = 61440,
    SIM_MIG_PORT_CNT = 4096,
};

#define SIM_FRAMES_MAX 32768u /* under way at once; more is lost, and counted */

struct sim_faults {
    uint32_t loss_ppm, repeat_ppm;
    uint64_t jitter_ns; /* added to the delay, uniformly: frames overtake each other */
};

struct sim_frame {
    uint64_t at, order; /* arrival; ties go in the order of sending */
    uint16_t link;      /* host whose link it is on */
    bool to_switch;
    uint16_t len;
    uint8_t data[CAPY_FRAME_MAX];
};

struct sim_rack {
    bool ipv6_only; /* servers and switch have no IPv4 address */
    uint64_t now;
    struct capy_prng rng;
    struct sim_faults faults;
    uint64_t delay_ns; /* of every link, one way */

    struct capy_stack_cfg cfg[SIM_HOSTS];
    struct capy_stack *host[SIM_HOSTS];
    void *host_mem[SIM_HOSTS];
    uint64_t down_until[SIM_HOSTS];    /* crashed: starts again then */
    uint64_t stalled_until[SIM_HOSTS]; /* gets no processor time until then */
    struct capy_switch_cfg switch_cfg;
    struct capy_switch *plane;
    void *switch_mem;
    uint64_t switch_next_at;

    struct sim_frame *frames;
    struct capy_pool frame_pool;
    void *pool_mem;
    uint32_t *heap; /* frames by (at, order) */
    uint32_t heap_cnt;
    uint64_t order, sent, lost, repeated, overflowed, digest; /* digest: of every frame delivered */

    /* IPv6 flows as the client sees them: the label of each by its ports (RFC 6437 §3: it does
     * not change while the flow lives, wherever that is). */
    uint32_t label[UINT16_MAX + 1];

    /* The applications' turn, after a host was fed, or timed. */
    void (*turn)(struct sim_rack *r, unsigned host, void *ctx);
    /* A server started: it may listen now. */
    void (*started)(struct sim_rack *r, unsigned host, void *ctx);
    void *ctx;
};

/* Fills in the configuration of every host and of the switch; change it before sim_start. */
void sim_init(struct sim_rack *r, uint64_t seed);
/* As the seed has it otherwise: every third is of IPv6 alone. */
void sim_init_as(struct sim_rack *r, uint64_t seed, bool ipv6_only);
void sim_start(struct sim_rack *r);
void sim_free(struct sim_rack *r);

/* Runs until a time. */
void sim_run_until(struct sim_rack *r, uint64_t until);
/* Sends what a host has to send: after application calls from outside its turn. */
void sim_flush(struct sim_rack *r, unsigned host);

/* The server is gone this instant, and starts empty after down_ns. */
void sim_crash(struct sim_rack *r, unsigned host, uint64_t down_ns);
/* The server does nothing for a while: frames to it are lost, its timers wait. */
void sim_stall(struct sim_rack *r, unsigned host, uint64_t stall_ns);
/* The switch forgets everything this instant. */
void sim_reboot_switch(struct sim_rack *r);

struct capy_ip sim_ip(unsigned host, bool ipv6);

#endif
