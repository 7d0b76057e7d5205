/* What bench/switch measures: the switch in user space and in the kernel, behind one face, each beside
 * a bare forwarder that looks at nothing. */
#ifndef CAPY_BENCH_SWITCH_PLANE_H
#define CAPY_BENCH_SWITCH_PLANE_H

#include "rack.h"

struct plane {
    const struct plane_kind *kind;
    struct capy_switch_cfg cfg;
    const struct capy_switch *view; /* for counters and entries */
    void *of;                       /* the kind's own */
};

/* The frames of one measurement: of each flow in turn; flow_cnt: a power of two. */
struct plane_run {
    const struct rack_load *load;
    const struct rack_flow *flow;
    uint32_t flow_cnt, cnt;
    bool bare; /* through the bare forwarder */
};

struct plane_kind {
    const char *name;
    /* p->cfg is filled in. False: with one line in err. */
    bool (*open)(struct plane *p, char *err, size_t err_len);
    void (*close)(struct plane *p);
    rack_feed *feed; /* its first argument is the plane */
    /* Nanoseconds per frame; below zero when a frame did not go out. */
    double (*run)(struct plane *p, const struct plane_run *run);
    void (*count)(struct plane *p);            /* brings the view's counters up to date */
    uint64_t (*memory)(const struct plane *p); /* bytes, the directory and all the rest */
    /* The program's size as the kernel has it, after verification and as machine code. NULL: none. */
    bool (*program)(const struct plane *p, uint32_t *instructions, uint32_t *machine_bytes);
};

extern const struct plane_kind plane_user, plane_xdp;

/* The counter of this name. */
uint64_t plane_counter(struct plane *p, const char *name);

#endif
