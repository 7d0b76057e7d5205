/* `capy load` as a child inside the client's namespace. See loader.h. */
#define _GNU_SOURCE /* setns, pipe2 */
#include "apps/demo/loader.h"

#include "apps/common/endpoint.h"
#include "apps/load/load.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIVE_MS "200"
#define ARG_MAX_CNT (16 + CAPY_RACK_SERVER_MAX)

/* The child's part: never returns. */
static void become_load(const struct demo_loader *l, const struct capy_rack *rack,
                        unsigned connections, bool ipv6, int netns, int out)
{
    static char target[CAPY_RACK_SERVER_MAX][CAPY_ENDPOINT_TEXT_MAX], cnt[16];
    char *argv[ARG_MAX_CNT] = {"load",      "--seconds", "0",      "--connections", cnt,
                               "--live-ms", LIVE_MS,     "--json", (char *)l->json};
    int argc = 9;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(cnt, sizeof cnt, "%u", connections);
    for (unsigned i = 0; i < rack->server_cnt; i++) {
        union capy_endpoint e;
        capy_endpoint_make(ipv6 ? rack->server[i].ip6 : rack->server[i].ip, rack->service[0].port,
                           &e);
        argv[argc++] = capy_endpoint_text(&e, target[i]);
    }
    if (setns(netns, CLONE_NEWNET) < 0 || dup2(out, STDOUT_FILENO) < 0) {
        _exit(126);
    }
    int status = capy_load_main(argc, argv);
    fflush(NULL);
    _exit(status);
}

int demo_loader_start(struct demo_loader *l, const struct capy_rack_local *local,
                      unsigned connections, bool ipv6, char *err, size_t err_len)
{
    int out[2], netns = capy_rack_local_netns(local->rack.run_dir, "c1", err, err_len);
    *l = (struct demo_loader){.progress = -1};
    if (netns < 0) {
        return -1;
    }
    if (ipv6 && local->rack.server[0].ip6[0] == 0) {
        snprintf(err, err_len, "this kernel has no IPv6; leave --ipv6 out");
        close(netns);
        return -1;
    }
    snprintf(l->json, sizeof l->json, "%s/load.json", local->rack.run_dir);
    unlink(l->json); /* an older run's result must not pass for ours */
    if (pipe2(out, O_CLOEXEC) < 0 || (l->pid = fork()) < 0) {
        snprintf(err, err_len, "starting the load: %s", strerror(errno));
        close(netns);
        return -1;
    }
    if (l->pid == 0) {
        become_load(l, &local->rack, connections, ipv6, netns, out[1]);
    }
    close(out[1]);
    close(netns);
    l->progress = out[0];
    fcntl(l->progress, F_SETFL, O_NONBLOCK);
    return 0;
}

static void take_line(struct demo_loader *l, const char *text)
{
    json_t *told = json_loads(text, 0, NULL);
    if (told) {
        l->requests = (uint64_t)json_integer_value(json_object_get(told, "requests"));
        l->errors = (uint64_t)json_integer_value(json_object_get(told, "errors"));
        l->resets = (uint64_t)json_integer_value(json_object_get(told, "resets"));
        json_decref(told);
    }
}

bool demo_loader_listen(struct demo_loader *l)
{
    for (;;) {
        ssize_t n = read(l->progress, l->line + l->line_len, sizeof l->line - 1 - l->line_len);
        if (n <= 0) {
            return n < 0 && (errno == EAGAIN || errno == EINTR);
        }
        l->line_len += (size_t)n;
        l->line[l->line_len] = 0;
        for (char *end; (end = strchr(l->line, '\n'));) {
            *end = 0;
            take_line(l, l->line);
            l->line_len -= (size_t)(end + 1 - l->line);
            memmove(l->line, end + 1, l->line_len + 1);
        }
        if (l->line_len == sizeof l->line - 1) {
            l->line_len = 0; /* no line of ours is so long */
        }
    }
}

json_t *demo_loader_finish(struct demo_loader *l)
{
    int status = 0;
    kill(l->pid, SIGTERM);
    while (waitpid(l->pid, &status, 0) < 0 && errno == EINTR) {
    }
    close(l->progress);
    return json_load_file(l->json, 0, NULL);
}
