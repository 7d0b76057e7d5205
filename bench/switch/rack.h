/* The rack of bench/switch: three servers at ports 0 to 2, clients at ports 3 and 4; the flows that are
 * measured, and what fills the directory around them. No plane in here: a plane is a function that
 * takes frames. */
#ifndef CAPY_BENCH_SWITCH_RACK_H
#define CAPY_BENCH_SWITCH_RACK_H

#include "switch/core/plane.h"

#define RACK_SERVERS 3u
#define RACK_CLIENT 3u  /* its port */
#define RACK_STATION 4u /* another client's */
#define RACK_FRAME_LEN 64u
#define RACK_FLOWS_MAX (1u << 20)

/* A client's end of a flow, as the wire has it. */
struct rack_flow {
    uint32_t ip;
    uint16_t port, unused;
};

/* What happens to a frame. */
enum rack_way {
    RACK_FORWARD,     /* by MAC address, from station to station: no TCP */
    RACK_MISS,        /* a client's segment to its home, which runs it */
    RACK_MISS_BACK,   /* the answer */
    RACK_HIT_FORWARD, /* a client's segment that the directory sends to the owner, rewritten */
    RACK_HIT_REVERSE, /* the owner's, rewritten to be home's */
    RACK_WAYS
};

/* A frame that is taken many times, each time as another flow's. */
struct rack_load {
    uint16_t ingress;
    uint16_t ip_at, port_at; /* where the flow's end lies in the frame */
    const char *counter;     /* the plane's own, one for each */
    uint8_t frame[RACK_FRAME_LEN];
};

const char *rack_way_name(enum rack_way way);
void rack_cfg(struct capy_switch_cfg *cfg, uint32_t levels, uint32_t slots);
void rack_load(struct rack_load *load, const struct capy_switch_cfg *cfg, enum rack_way way);
void rack_set_flow(const struct rack_load *load, uint8_t *frame, struct rack_flow flow);

/* Feeds one frame, of which nothing is expected. */
typedef void rack_feed(void *plane, uint16_t port, uint8_t *frame, size_t len);

/* Heartbeats, and stations heard. */
void rack_begin(const struct capy_switch_cfg *cfg, rack_feed *feed, void *plane);
/* The n-th flow of those that are measured (tried, for there may be no room for it), and of those that are
 * not known to the directory, or fill it. */
struct rack_flow rack_flow_measured(uint32_t n);
struct rack_flow rack_flow_unknown(uint32_t n);
struct rack_flow rack_flow_filler(uint32_t n);
/* Its home server runs it at epoch 2, as after one migration away and one back: so its frames are rewritten
 * to what they were, and one frame can be taken again and again. */
void rack_announce(const struct capy_switch_cfg *cfg, rack_feed *feed, void *plane,
                   struct rack_flow flow);
/* Flows of the directory that are measured ones, at most max. */
uint32_t rack_flows_in(const struct capy_switch *view, struct rack_flow *flow, uint32_t max);

#endif
