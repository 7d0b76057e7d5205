/* Network namespaces and the veth cables between them. */
#ifndef CAPY_APPS_RACK_NETNS_H
#define CAPY_APPS_RACK_NETNS_H

#include "apps/rack/plan.h"

/* Makes a namespace for every node and cables each to the switch; all devices are up on return.
 * The nodes' descriptors hold the namespaces. Only for the supervisor: it must be pid 1 of its
 * /proc, where `ip` finds the descriptors. 0, or -1 with one line in err. */
int rack_netns_make(struct rack_plan *plan, char *err, size_t err_len);

#endif
