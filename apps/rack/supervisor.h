/* Pid 1 of a local rack: makes the namespaces, starts the programs, serves <dir>/rack.sock, and
 * ends everything when the caller goes or the command ended. */
#ifndef CAPY_APPS_RACK_SUPERVISOR_H
#define CAPY_APPS_RACK_SUPERVISOR_H

#include "apps/rack/member.h"

#define RACK_MEMBER_MAX (2u + CAPY_RACK_SERVER_MAX) /* switch, command, servers */
#define RACK_READY                                                                                 \
    "ready" /* what the supervisor says on link; anything else is an error's line                  \
             */

struct rack_supervisor {
    struct rack_plan *plan;
    int link;            /* to the caller */
    int lock;            /* on <dir>/rack.lock: one rack per directory */
    pid_t host_pid;      /* our own, as the caller knows it */
    bool contained;      /* no mount of ours shows outside, wherever it is */
    unsigned member_cnt; /* switch, servers, and the command if there is one */
    struct rack_member member[RACK_MEMBER_MAX];
};

/* The supervisor's whole life, in the new PID and mount namespaces. Returns the exit status. */
int rack_supervise(struct rack_plan *plan, int link);

/* Writes <dir>/rack.json, which tells people and scripts who runs where. */
void rack_supervisor_tell(const struct rack_supervisor *sup);
struct rack_member *rack_supervisor_member(struct rack_supervisor *sup, const char *name);

#endif
