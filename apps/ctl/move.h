/* What `capy ctl` moves: one connection, many, or all of a server; and faults at the switch. Each
 * returns an exit status. */
#ifndef CAPY_APPS_CTL_MOVE_H
#define CAPY_APPS_CTL_MOVE_H

#include "apps/ctl/peer.h"

int ctl_migrate(const struct ctl *ctl, int argc, char **argv);
int ctl_drain(const struct ctl *ctl, int argc, char **argv);
int ctl_undrain(const struct ctl *ctl, int argc, char **argv);
int ctl_fault(const struct ctl *ctl, int argc, char **argv);

#endif
