/* What `capy ctl` shows: servers, connections, directory entries, counters, ports. Each returns an
 * exit status. */
#ifndef CAPY_APPS_CTL_SHOW_H
#define CAPY_APPS_CTL_SHOW_H

#include "apps/ctl/peer.h"
#include <stdio.h>

int ctl_servers(const struct ctl *ctl, int argc, char **argv);
int ctl_connections(const struct ctl *ctl, int argc, char **argv);
int ctl_entries(const struct ctl *ctl, int argc, char **argv);
int ctl_counters(const struct ctl *ctl, int argc, char **argv);
int ctl_ports(const struct ctl *ctl, int argc, char **argv);
int ctl_watch(const struct ctl *ctl, int argc, char **argv);

#endif
