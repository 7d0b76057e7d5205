/* Starting and stopping a local rack: the caller's side. See local.h. */
#define _GNU_SOURCE /* CLONE_NEWPID */
#include "apps/rack/local.h"

#include "apps/common/jsonl.h"
#include "apps/rack/plan.h"
#include "apps/rack/supervisor.h"
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENTER_MS                                                                                   \
    (RACK_STOP_MS + RACK_READY_MS) /* the supervisor may be busy with a restart meanwhile */

void capy_rack_local_default(struct capy_rack_local_options *opt)
{
    *opt = (struct capy_rack_local_options){
        .server_cnt = 3, .client_cnt = 1, .dir = CAPY_RACK_LOCAL_DIR};
}

/* fork() into a new PID namespace, as its pid 1, with mounts of its own. */
static pid_t fork_namespaced(void)
{
    return (pid_t)syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, NULL, NULL, NULL, NULL);
}

/* What the supervisor says first: ready, or why not. */
static int hear(struct capy_rack_local *local, char *err, size_t err_len)
{
    ssize_t n;
    do {
        n = recv(local->link, err, err_len - 1, 0);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        snprintf(err, err_len, "the rack's supervisor ended without a word");
        return -1;
    }
    err[n] = 0;
    return strcmp(err, RACK_READY) == 0 ? 0 : -1;
}

int capy_rack_local_start(struct capy_rack_local *local, const struct capy_rack_local_options *opt,
                          char *err, size_t err_len)
{
    static struct rack_plan plan; /* large */
    int link[2];
    *local = (struct capy_rack_local){.link = -1};
    if (geteuid() != 0) {
        snprintf(err, err_len, "network namespaces need root: run it with sudo");
        return -1;
    }
    if (rack_plan_make(&plan, opt, err, err_len) < 0) {
        return -1;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link) < 0) {
        snprintf(err, err_len, "socketpair: %s", strerror(errno));
        return -1;
    }
    fflush(NULL); /* what is buffered would otherwise be written twice */
    local->supervisor = fork_namespaced();
    if (local->supervisor == 0) {
        close(link[0]);
        _exit(rack_supervise(&plan, link[1]));
    }
    close(link[1]);
    local->link = link[0];
    local->rack = plan.rack;
    local->client_cnt = opt->client_cnt;
    if (local->supervisor < 0) {
        snprintf(err, err_len, "no PID and mount namespace: %s%s", strerror(errno),
                 errno == EPERM ? " (needs CAP_SYS_ADMIN: run it with sudo, outside a container)"
                                : "");
        close(local->link);
        return -1;
    }
    if (hear(local, err, err_len) < 0) {
        capy_rack_local_stop(local);
        return -1;
    }
    return 0;
}

int capy_rack_local_wait(struct capy_rack_local *local)
{
    int status = 0;
    while (waitpid(local->supervisor, &status, 0) < 0 && errno == EINTR) {
    }
    close(local->link);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

void capy_rack_local_stop(struct capy_rack_local *local)
{
    shutdown(local->link, SHUT_RDWR); /* reaches the supervisor even if a child shares our end */
    capy_rack_local_wait(local);
}

int capy_rack_local_netns(const char *dir, const char *name, char *err, size_t err_len)
{
    char path[300];
    snprintf(path, sizeof path, "%s/rack.sock", dir);
    int fd = capy_jsonl_connect(path), netns = -1;
    if (fd < 0) {
        snprintf(err, err_len, "%s: %s; start a rack with capy rack up, or name its --dir", path,
                 strerror(errno));
        return -1;
    }
    json_t *question = json_pack("{s:s, s:s}", "cmd", "enter", "name", name);
    json_t *answer = NULL;
    if (capy_jsonl_write(fd, question) == 0) {
        answer = capy_jsonl_read(fd, ENTER_MS, &netns);
    }
    const char *why = json_string_value(json_object_get(answer, "error"));
    if (netns < 0) {
        snprintf(err, err_len, "%s", why ? why : strerror(errno));
    }
    json_decref(question);
    json_decref(answer);
    close(fd);
    return netns;
}
