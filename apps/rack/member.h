/* The programs of a local rack: started inside a node's namespace, watched, stopped, killed. Only
 * the supervisor calls this; it is the parent of them all. */
#ifndef CAPY_APPS_RACK_MEMBER_H
#define CAPY_APPS_RACK_MEMBER_H

#include "apps/rack/plan.h"
#include <jansson.h>

#define RACK_ARG_MAX 250u /* more are dropped */
/* How long a start may take is the machine's affair: a busy one needs its time. After the first time we
 * say what we wait for, after the second we believe that it will not come. */
#define RACK_PATIENCE_MS 10000
#define RACK_READY_MS 120000
#define RACK_STOP_MS 10000 /* then SIGTERM becomes SIGKILL */

struct rack_member {
    const struct rack_node *node;
    unsigned arg_cnt;
    char *argv[RACK_ARG_MAX + 1];
    char log[300];    /* stdout and stderr; "": the supervisor's own */
    char socket[300]; /* its control socket; "": none */
    pid_t pid;        /* 0: not running */
    pid_t host_pid;   /* as the caller's PID namespace knows it */
    int status;       /* of wait(), once it ended */
    unsigned starts;
};

/* /proc of the namespace that the caller lives in: tells a member's pid as seen from there. */
extern int rack_host_proc;

/* Forks, enters the node's namespace, executes. 0, or -1 with one line in err. */
int rack_member_start(struct rack_member *m, char *err, size_t err_len);
/* Waits until it answers on its control socket; with joined set (servers), until the switch has
 * heard of it too and is past its learning time, so that connections can move. 0; or -1 with one
 * line in err, at once if it ended. */
int rack_member_await(struct rack_member *m, bool joined, char *err, size_t err_len);
/* SIGTERM, then SIGKILL; returns once it ended. */
void rack_member_stop(struct rack_member *m);
/* SIGKILL; returns once it ended. */
void rack_member_kill(struct rack_member *m);
/* Looks whether it ended, without waiting. True while it runs. */
bool rack_member_runs(struct rack_member *m);
/* "running", "exit status 3", "signal 9 (Killed)", "not started". */
void rack_member_state(const struct rack_member *m, char *out, size_t out_len);

#endif
