/* What a seed means: topology, configuration, workload, policy and faults of one run, drawn from it
 * and from nothing else. */
#ifndef CAPY_SIM_PLAN_H
#define CAPY_SIM_PLAN_H

#include "sim/rack.h"
#include "sim/tally.h"

enum sim_policy {
    SIM_POLICY_RANDOM,       /* any connection, anywhere */
    SIM_POLICY_DRAIN,        /* one server after the other is emptied */
    SIM_POLICY_LEAST_LOADED, /* from the fullest server to wherever the switch says */
    SIM_POLICY_PING_PONG,    /* few connections, without pause */
    SIM_POLICY_STORM,        /* all at once, now and then */
    SIM_POLICY_CNT
};

enum sim_kind_of_life { SIM_STREAM, SIM_REQUESTS, SIM_IDLE, SIM_SHORT, SIM_LIFE_KIND_CNT };

struct sim_plan {
    unsigned servers, clients;
    enum sim_ip_version version;
    bool calm; /* no fault of the network or the machines, and room for all */
    struct sim_faults faults;
    enum sim_policy policy;
    uint32_t slots, ticks; /* connections at a time; turns of the safety phase */
    uint64_t tick_ns;      /* at most, from one to the next */
    uint32_t kind_weight[SIM_LIFE_KIND_CNT];
    uint32_t chunk;       /* bytes granted at a time, at most */
    uint32_t opened_ppm;  /* connections that servers open */
    uint32_t migrate_ppm; /* per turn */
    bool vip;             /* some connections are to the service address */
    unsigned deaf;        /* a server without the service; SIM_HOSTS_MAX: none */
    uint32_t worst_ppm;   /* crashes in the very moment of a move */
    uint32_t reset_ppm, stall_app_ppm, crash_ppm, reboot_ppm, stall_ppm, cut_ppm;
    uint32_t late_ppm, ignore_ppm, veto_ppm, close_ppm,
        abort_ppm;      /* answers when asked to let go */
    uint32_t state_max; /* application bytes that move along, at most */
    bool keepalive;
    uint64_t user_timeout_ns; /* 0: none asked for */
};

/* Draws the plan and sets the rack up by it. */
void sim_plan(struct sim_plan *p, struct sim_rack *r, uint64_t seed, struct sim_tally *t);

const char *sim_policy_name(enum sim_policy policy);

#endif
