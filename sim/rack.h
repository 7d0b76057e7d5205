/* A whole rack in one process on virtual time: servers and clients, each a real stack (src/stack),
 * around the real switch (switch/core), over links that lose, repeat, delay, reorder, corrupt or cut,
 * all by one seeded generator. Same seed, same run, frame by frame.
 *
 * Hosts are numbered servers first, then clients; a host's number is its port at the switch. Every
 * host has an address of either version of IP; the rack itself (servers, switch, TCPMig) is one of
 * IPv4 with IPv6 beside it, or of IPv6 alone, or of IPv4 alone.
 *
 * Whoever uses it sets up a rack, gives it a callback in which the applications take their turn after
 * every frame or timer of a host, and runs it. Servers may crash and restart; the switch may reboot.
 * Memory is the heap's, taken at the first start, given back by sim_free. */
#ifndef CAPY_SIM_RACK_H
#define CAPY_SIM_RACK_H

#include "base/prng.h"
#include "sim/clock.h"
#include "sim/flight.h"
#include "sim/view.h"
#include "stack/stack.h"
#include "switch/core/plane.h"

enum {
    SIM_SERVERS_MAX = 8,
    SIM_CLIENTS_MAX = 8,
    SIM_HOSTS_MAX = SIM_SERVERS_MAX + SIM_CLIENTS_MAX,
    SIM_VIP, /* where a host may be named by its address: the service address */
    SIM_SERVICE_PORT = 80,
    SIM_MIG_PORT_FIRST = 61440,
    SIM_MIG_PORT_CNT = 4096,
    SIM_RING = 256, /* frames that a stalled host's device keeps for it */
};

#define SIM_FRAMES_MAX 32768u /* under way at once; more is lost, and counted */

enum sim_ip_version { SIM_BOTH, SIM_IPV6_ALONE, SIM_IPV4_ALONE };

/* Per frame and link; chances in a million. */
struct sim_faults {
    uint32_t loss_ppm, repeat_ppm;
    uint64_t jitter_ns;   /* added to the delay, uniformly: frames overtake each other */
    uint32_t corrupt_ppm; /* one bit behind the MAC addresses is turned over */
    uint32_t spike_ppm;
    uint64_t spike_ns; /* added to the delay of few frames, uniformly */
};

/* Where a frame is when the watcher is told of it. */
enum sim_moment {
    SIM_SENT,      /* it left its host */
    SIM_SWITCHED,  /* it leaves the switch, on this link */
    SIM_DELIVERED, /* about to reach its host */
    SIM_LOST,      /* by fault, or for want of room */
    SIM_CUT,       /* the link was cut, or the host down or stalled */
    SIM_DROPPED,   /* by the switch */
};

struct sim_rack;

/* Told of every frame; may change the stamp at SIM_SENT. Must not call the rack. */
typedef void sim_watch_fn(void *ctx, enum sim_moment moment, unsigned host, bool to_switch,
                          struct sim_stamp *stamp, const struct sim_view *v);

struct sim_counts {
    uint64_t sent, lost, repeated, corrupted, spiked, cut, overflowed, delivered, timers;
};

struct sim_rack {
    unsigned server_cnt, host_cnt;
    enum sim_ip_version version;
    uint64_t now;
    struct capy_prng rng;
    struct sim_faults faults;
    uint64_t delay_ns;                    /* of every link, one way */
    uint64_t cut_until[SIM_HOSTS_MAX][2]; /* link by host; [1]: towards the switch */

    struct capy_stack_cfg cfg[SIM_HOSTS_MAX];
    struct capy_stack *host[SIM_HOSTS_MAX];
    struct sim_clock clock[SIM_HOSTS_MAX + 1]; /* the last one is the switch's */
    uint64_t down_until[SIM_HOSTS_MAX];        /* crashed: starts again then */
    uint64_t stalled_until[SIM_HOSTS_MAX];     /* gets no processor time until then */
    bool ring[SIM_HOSTS_MAX];                  /* frames to it meanwhile wait; else they are lost */
    uint32_t ring_cnt[SIM_HOSTS_MAX];
    uint64_t next_at[SIM_HOSTS_MAX]; /* when it must be looked at again */
    struct capy_switch_cfg switch_cfg;
    struct capy_switch *plane;
    uint64_t switch_next_at, rebooted_at;

    struct sim_flight flight;
    bool has_memory;
    void *host_mem[SIM_HOSTS_MAX], *switch_mem;
    size_t host_size[SIM_HOSTS_MAX], switch_size;

    struct sim_counts count;
    uint64_t digest; /* of every frame delivered, and when */

    /* The applications' turn, after a host was fed, or timed. */
    void (*turn)(struct sim_rack *r, unsigned host, void *ctx);
    /* A host started: it may listen now. */
    void (*started)(struct sim_rack *r, unsigned host, void *ctx);
    sim_watch_fn *watch;
    void *ctx;
};

/* Fills in the configuration of every host and of the switch; change it before sim_start. r: all
 * zero, or a rack that ran before, whose memory is used again. */
void sim_setup(struct sim_rack *r, uint64_t seed, unsigned servers, unsigned clients,
               enum sim_ip_version version);
/* ... among it a service address for the servers' one service. */
void sim_add_vip(struct sim_rack *r, enum capy_vip_policy policy);
void sim_start(struct sim_rack *r);
void sim_free(struct sim_rack *r);

/* When the next thing happens by itself. */
uint64_t sim_next_at(const struct sim_rack *r);
/* Runs until a time. */
void sim_run_until(struct sim_rack *r, uint64_t until);
/* Sends what a host has to send: after application calls from outside its turn. */
void sim_flush(struct sim_rack *r, unsigned host);
/* What the host's clock shows: the time of every call into it. */
uint64_t sim_own_now(const struct sim_rack *r, unsigned host);
/* It is up, and gets processor time. */
bool sim_runs(const struct sim_rack *r, unsigned host);

/* The server is gone this instant, and starts empty after down_ns. */
void sim_crash(struct sim_rack *r, unsigned host, uint64_t down_ns);
/* The server does nothing for a while: its timers wait. */
void sim_stall(struct sim_rack *r, unsigned host, uint64_t stall_ns);
/* The switch forgets everything this instant. */
void sim_reboot_switch(struct sim_rack *r);

struct capy_ip sim_ip(unsigned host, bool ipv6);
/* The host with this address, or SIM_VIP; SIM_HOSTS_MAX: none. */
unsigned sim_host_of(const struct capy_ip *ip);

#endif
