/* Pid 1 of a local rack. See supervisor.h. */
#define _GNU_SOURCE /* O_PATH, asprintf */
#include "apps/rack/supervisor.h"

#include "apps/rack/control.h"
#include "apps/rack/netns.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int say(const struct rack_supervisor *sup, const char *line)
{
    return send(sup->link, line, strlen(line), MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* Dies with the caller. A caller that died before we asked has closed its end of link. */
static int bind_to_caller(int link)
{
    struct pollfd p = {.fd = link, .events = POLLIN};
    return prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || poll(&p, 1, 0) != 0 ? -1 : 0;
}

/* What we mount must not show outside. In a chroot "/" may be no mount point: then only the mounts
 * below are ours alone, and nothing must be mounted elsewhere (contained is false). */
static int contain_mounts(bool *contained)
{
    *contained = mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0;
    if (*contained || errno != EINVAL) {
        return *contained ? 0 : -1;
    }
    return mount(NULL, "/proc", NULL, MS_REC | MS_SLAVE, NULL);
}

/* A /proc that knows our pids, and a bpffs of our own, so that what XDP programs pin there ends
 * with the rack (and finds room where the host has none). */
static int own_mounts(struct rack_supervisor *sup, char *err, size_t err_len)
{
    char self[32] = "";
    rack_host_proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (rack_host_proc >= 0 && readlinkat(rack_host_proc, "self", self, sizeof self - 1) > 0) {
        sup->host_pid = (pid_t)atoi(self);
    }
    if (contain_mounts(&sup->contained) < 0 || mount("proc", "/proc", "proc", 0, NULL) < 0) {
        snprintf(err, err_len, "mounting /proc in the rack's namespace: %s%s", strerror(errno),
                 errno == EINVAL ? " (is /proc mounted here?)" : "");
        return -1;
    }
    if (sup->contained) { /* without it the drivers pin nothing, and work */
        mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL);
    }
    return 0;
}

/* Names for the rack's members, laid over /etc/hosts for everything that runs in the rack. "web" is
 * the first server, so that `curl http://web/` works. A rack without names works as well. */
static void name_members(const struct rack_plan *plan)
{
    char path[300], line[300];
    snprintf(path, sizeof path, "%s/hosts", plan->rack.run_dir);
    FILE *before = fopen("/etc/hosts", "re"), *ours = fopen(path, "we");
    while (before && ours && fgets(line, sizeof line, before)) {
        fputs(line, ours);
    }
    for (unsigned i = 0; ours && i < plan->node_cnt; i++) {
        const struct rack_node *n = &plan->node[i];
        const char *web = strcmp(n->name, plan->rack.server[0].name) == 0 ? " web" : "";
        if (n->ip[0]) {
            fprintf(ours, "%s %s%s\n", n->ip, n->name, web);
        }
        if (n->ip6[0]) {
            fprintf(ours, "%s %s%s\n", n->ip6, n->name, web);
        }
    }
    if (before) {
        fclose(before);
    }
    if (ours) {
        fclose(ours);
        mount(path, "/etc/hosts", NULL, MS_BIND, NULL);
    }
}

/* One rack per directory; the kernel drops the lock with its holder. */
static int lock_dir(struct rack_supervisor *sup, char *err, size_t err_len)
{
    char path[300];
    snprintf(path, sizeof path, "%s/rack.lock", sup->plan->rack.run_dir);
    sup->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (sup->lock < 0) {
        snprintf(err, err_len, "%s: %s", path, strerror(errno));
        return -1;
    }
    if (flock(sup->lock, LOCK_EX | LOCK_NB) < 0) {
        close(sup->lock);
        sup->lock = -1;
        snprintf(err, err_len, "a rack already runs in %s; end it, or give another --dir",
                 sup->plan->rack.run_dir);
        return -1;
    }
    return 0;
}

static struct rack_member *add_member(struct rack_supervisor *sup, const struct rack_node *node)
{
    struct rack_member *m = &sup->member[sup->member_cnt++];
    m->node = node;
    snprintf(m->log, sizeof m->log, "%s/%s.log", sup->plan->rack.run_dir, node->name);
    snprintf(m->socket, sizeof m->socket, "%s/%s.sock", sup->plan->rack.run_dir, node->name);
    unlink(m->log);
    return m;
}

static void add_arg(struct rack_member *m, char *arg)
{
    if (m->arg_cnt < RACK_ARG_MAX) {
        m->argv[m->arg_cnt++] = arg;
    }
}

/* Splits the caller's arguments for servers at blanks; "{}" in one becomes the server's name. The
 * copies are never freed: arguments live as long as the supervisor, so that a server can be started
 * again. */
static void add_more_args(struct rack_member *m, const char *more)
{
    char *rest = NULL, *text = more ? strdup(more) : NULL;
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): as said above */
    for (char *arg = text ? strtok_r(text, " ", &rest) : NULL; arg;
         arg = strtok_r(NULL, " ", &rest)) {
        char *braces = strstr(arg, "{}"), *named = NULL;
        if (braces &&
            asprintf(&named, "%.*s%s%s", (int)(braces - arg), arg, m->node->name, braces + 2) > 0) {
            arg = named;
        }
        add_arg(m, arg);
    }
}

/* The path is never freed, as other arguments. */
static void add_record(struct rack_member *m, const struct rack_plan *plan)
{
    size_t room = strlen(plan->record) + strlen(m->node->name) + sizeof "/.capyrec";
    char *path = plan->record[0] ? malloc(room) : NULL;
    if (path) {
        snprintf(path, room, "%s/%s.capyrec", plan->record, m->node->name);
        add_arg(m, "--record");
        add_arg(m, path);
    }
} /* NOLINT(clang-analyzer-unix.Malloc): as said above */

static void add_switch_args(struct rack_member *m, struct rack_plan *plan)
{
    const bool captures = plan->capture[0] && plan->opt->wire == (m->node->role == RACK_WIRE);
    if (m->node->role == RACK_WIRE) {
        add_arg(m, "--wire");
    } else {
        add_record(m, plan);
    }
    if (m->node->role == RACK_SWITCH && plan->opt->plane) {
        add_arg(m, "--plane");
        add_arg(m, (char *)plan->opt->plane);
    }
    if (captures) {
        add_arg(m, "--capture");
        add_arg(m, plan->capture);
    }
}

static void add_server_args(struct rack_member *m, struct rack_plan *plan)
{
    add_record(m, plan);
    add_arg(m, "--server");
    add_arg(m, (char *)m->node->name);
    if (plan->root[0]) {
        add_arg(m, "--root");
        add_arg(m, plan->root);
    }
    add_more_args(m, plan->opt->httpd_args);
}

static void add_members(struct rack_supervisor *sup)
{
    struct rack_plan *plan = sup->plan;
    for (unsigned i = 0; i < plan->node_cnt; i++) {
        struct rack_node *node = &plan->node[i];
        if (node->role == RACK_CLIENT) {
            continue;
        }
        struct rack_member *m = add_member(sup, node);
        add_arg(m, plan->exe);
        add_arg(m, node->role == RACK_SERVER ? "httpd" : "switch");
        add_arg(m, "--rack");
        add_arg(m, plan->conf);
        if (node->role == RACK_SERVER) {
            add_server_args(m, plan);
        } else {
            add_switch_args(m, plan);
        }
    }
}

/* Makes everything. 0, or -1 with one line in err; what was made dies with us. */
static int bring_up(struct rack_supervisor *sup, char *err, size_t err_len)
{
    if (own_mounts(sup, err, err_len) < 0 || lock_dir(sup, err, err_len) < 0 ||
        rack_netns_make(sup->plan, err, err_len) < 0) {
        return -1;
    }
    if (sup->contained) {
        name_members(sup->plan);
    }
    if (capy_rack_write(&sup->plan->rack, sup->plan->conf) != CAPY_OK) {
        snprintf(err, err_len, "%s: %s", sup->plan->conf, strerror(errno));
        return -1;
    }
    add_members(sup);
    for (unsigned i = 0; i < sup->member_cnt; i++) {
        if (rack_member_start(&sup->member[i], err, err_len) < 0) {
            return -1;
        }
    }
    for (unsigned i = 0; i < sup->member_cnt; i++) {
        struct rack_member *m = &sup->member[i];
        if (rack_member_await(m, m->node->role == RACK_SERVER, err, err_len) < 0) {
            return -1;
        }
    }
    return 0;
}

/* The caller's command, in the first client's namespace, on the caller's terminal. */
static struct rack_member *start_command(struct rack_supervisor *sup, char *err, size_t err_len)
{
    struct rack_member *m = &sup->member[sup->member_cnt++];
    m->node = rack_plan_node(sup->plan, "c1");
    for (char **arg = sup->plan->opt->command; *arg; arg++) {
        add_arg(m, *arg);
    }
    setenv("CAPY_RACK_DIR", sup->plan->rack.run_dir, 1);
    return rack_member_start(m, err, err_len) < 0 ? NULL : m;
}

static struct rack_member *member_by_pid(struct rack_supervisor *sup, pid_t pid)
{
    for (unsigned i = 0; i < sup->member_cnt; i++) {
        if (sup->member[i].pid == pid) {
            return &sup->member[i];
        }
    }
    return NULL;
}

/* Tells of members that ended by themselves; as pid 1 we reap strangers' orphans too. */
static void reap(struct rack_supervisor *sup, const struct rack_member *command)
{
    siginfo_t info = {0};
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid > 0) {
        struct rack_member *m = member_by_pid(sup, info.si_pid);
        if (!m) {
            waitpid(info.si_pid, NULL, 0);
        } else if (!rack_member_runs(m) && m != command) {
            char state[64];
            rack_member_state(m, state, sizeof state);
            fprintf(stderr, "capy rack: %s ended: %s; its log: %s\n", m->node->name, state, m->log);
            rack_supervisor_tell(sup);
        }
        info.si_pid = 0;
    }
}

/* Serves until the caller goes or the command ends. */
static void serve(struct rack_supervisor *sup, struct rack_control *control,
                  const struct rack_member *command, int signals)
{
    bool over = false;
    while (!over) {
        struct pollfd p[2 + RACK_CONTROL_MAX + 1] = {{.fd = sup->link, .events = POLLIN},
                                                     {.fd = signals, .events = POLLIN}};
        unsigned cnt = 2 + rack_control_polls(control, p + 2);
        if (poll(p, cnt, -1) < 0 && errno != EINTR) {
            break;
        }
        struct signalfd_siginfo info = {0};
        if (p[1].revents && read(signals, &info, sizeof info) > 0) {
            over = info.ssi_signo == SIGTERM;
        }
        reap(sup, command);
        over = over || p[0].revents || (command && command->pid == 0);
        rack_control_serve(control, p + 2);
    }
}

/* Servers first, so that they can still say goodbye through the switch. */
static void take_down(struct rack_supervisor *sup)
{
    char path[300];
    if (sup->lock < 0) {
        return; /* the directory is another rack's */
    }
    for (unsigned i = sup->member_cnt; i-- > 0;) {
        if (rack_member_runs(&sup->member[i])) {
            kill(sup->member[i].pid, SIGTERM);
        }
    }
    for (unsigned i = sup->member_cnt; i-- > 0;) {
        rack_member_stop(&sup->member[i]);
        if (sup->member[i].socket[0]) {
            unlink(sup->member[i].socket);
        }
    }
    snprintf(path, sizeof path, "%s/rack.json", sup->plan->rack.run_dir);
    unlink(path);
}

static int exit_status(int wait_status)
{
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

int rack_supervise(struct rack_plan *plan, int link)
{
    static struct rack_supervisor sup; /* large; one per process */
    char err[700] = "";
    sigset_t mask;
    sup.plan = plan;
    sup.link = link;
    sup.lock = -1;
    if (bind_to_caller(link) < 0) {
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN); /* the terminal's Ctrl-C is the caller's to act on */
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    sigaddset(&mask, SIGTERM);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    int signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    struct rack_member *command = NULL;
    struct rack_control control = {.listener = -1};
    if (signals < 0 || bring_up(&sup, err, sizeof err) < 0 ||
        rack_control_open(&control, &sup, err, sizeof err) < 0 ||
        (plan->opt->command && !(command = start_command(&sup, err, sizeof err)))) {
        take_down(&sup);
        say(&sup, err[0] ? err : strerror(errno));
        return 2;
    }
    rack_supervisor_tell(&sup);
    if (say(&sup, RACK_READY) == 0) {
        serve(&sup, &control, command, signals);
    }
    rack_control_close(&control);
    take_down(&sup);
    return command ? exit_status(command->status) : 0;
}
