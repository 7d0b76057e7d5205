/* `capy ctl trigger` and `capy ctl decisions`: what the servers' triggers do, and why. Each returns an
 * exit status. */
#ifndef CAPY_APPS_CTL_TRIGGER_H
#define CAPY_APPS_CTL_TRIGGER_H

#include "apps/ctl/peer.h"

int ctl_trigger(const struct ctl *ctl, int argc, char **argv);
int ctl_decisions(const struct ctl *ctl, int argc, char **argv);

#endif
