/* The rack on one machine, as a value that a program starts and stops. `capy rack` and `capy demo`
 * stand on this.
 *
 *   caller ---- supervisor: pid 1 of a new PID namespace, dies with the caller (PR_SET_PDEATHSIG)
 *                  |-- holds one descriptor per network namespace: switch, s1..sN, c1..cN
 *                  |-- capy switch           in the switch's namespace
 *                  |-- capy switch --wire    in one of its own, if asked for
 *                  |-- capy httpd (s1..sN)   each in its own
 *                  `-- the command           in c1, when there is one
 *
 * However the caller ends, SIGKILL included, the kernel ends the supervisor, with it every member
 * of the PID namespace, with them the last descriptors of the network namespaces, and so the veths.
 */
#ifndef CAPY_APPS_RACK_LOCAL_H
#define CAPY_APPS_RACK_LOCAL_H

#include "capy/rack.h"
#include <stdio.h>
#include <sys/types.h>

#define CAPY_RACK_LOCAL_DIR "out/rack"

struct capy_rack_local_options {
    unsigned server_cnt, client_cnt;
    const char *dir;        /* made if absent: rack file, control sockets, logs */
    const char *root;       /* directory of files to serve; NULL: none */
    const char *driver;     /* as in a rack file; NULL: its default */
    const char *stack;      /* the servers', in turn, the last for all others; NULL: ours */
    const char *plane;      /* the switch's: user, or xdp; NULL: its default */
    const char *httpd_args; /* more for each server, split at blanks, {} its name; or NULL */
    const char *capture;    /* directory, made if absent, for what the switch sees; NULL: none */
    const char *record; /* directory, made if absent, for each program's recording; NULL: none */
    unsigned threshold; /* load over which servers move connections by themselves; 0: never */
    unsigned conn_max;  /* connections of each server; 0: the rack file's default */
    const char *vip_policy; /* with a service address, as in a rack file; NULL: without one */
    bool wire;              /* cables lead through a program, for faults and captures */
    bool encrypt;           /* TCPMig payload */
    bool offload;           /* large segments */
    bool ipv6_only;         /* IPv6 addresses alone; else IPv4 and, where the kernel has it, IPv6 */
    char **command;         /* runs in c1 once the rack is up, which ends with it; NULL: none */
};

struct capy_rack_local {
    struct capy_rack rack; /* as written to <dir>/rack.conf; run_dir is the directory */
    unsigned client_cnt;
    pid_t supervisor;
    int link; /* to the supervisor: readable at its end; closed, it tears down */
};

/* One server ... three servers, one client, CAPY_RACK_LOCAL_DIR. */
void capy_rack_local_default(struct capy_rack_local_options *opt);

/* Builds the rack, starts its programs and returns once all of them answer. 0, or -1 with one line
 * in err and nothing left behind. The calling thread must live as long as the rack. */
int capy_rack_local_start(struct capy_rack_local *local, const struct capy_rack_local_options *opt,
                          char *err, size_t err_len);

/* A descriptor of a member's network namespace ("c1", "s2", "switch") of the rack that runs in dir;
 * the caller closes it. -1 with one line in err. */
int capy_rack_local_netns(const char *dir, const char *name, char *err, size_t err_len);

/* Waits for the rack to end by itself (its command ended), and stops it. The exit status of the
 * command; 1 when the supervisor was killed. */
int capy_rack_local_wait(struct capy_rack_local *local);

/* Ends all programs in order, then everything else. */
void capy_rack_local_stop(struct capy_rack_local *local);

/* A picture of the rack for people: who is where, under which address. */
void capy_rack_local_picture(const struct capy_rack *rack, unsigned client_cnt, FILE *out);

#endif
