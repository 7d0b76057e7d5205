/* The rack of the scenarios in this folder: three servers and one client. */
#ifndef CAPY_TESTS_SIM_THREE_H
#define CAPY_TESTS_SIM_THREE_H

#include "sim/rack.h"

enum {
    SIM_SERVERS = 3,
    SIM_CLIENT = SIM_SERVERS, /* host number and switch port of the client */
    SIM_HOSTS = SIM_SERVERS + 1,
};

/* Fills in the configuration of every host and of the switch; change it before sim_start. Every third
 * seed is of IPv6 alone. While it runs, the label of each IPv6 flow is checked as the client sees it
 * (RFC 6437 §3: it does not change while the flow lives, wherever that is). */
void sim_init(struct sim_rack *r, uint64_t seed);
/* The same, whatever the seed. */
void sim_init_as(struct sim_rack *r, uint64_t seed, bool ipv6_only);

#endif
