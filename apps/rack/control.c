/* The supervisor's control socket. A command is carried out while everything else waits: a rack has
 * one operator, and "stopped" shall mean stopped. See control.h. */
#define _GNU_SOURCE /* accept4 */
#include "apps/rack/control.h"

#include "apps/common/jsonl.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_MS 1000 /* a caller that sends half a line is cut off after so long */

/* The plan saw to it that the path fits into an address. */
static struct sockaddr_un socket_address(const struct rack_supervisor *sup)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    snprintf(addr.sun_path, sizeof addr.sun_path, "%.96s/rack.sock", sup->plan->rack.run_dir);
    return addr;
}

int rack_control_open(struct rack_control *c, struct rack_supervisor *sup, char *err,
                      size_t err_len)
{
    struct sockaddr_un addr = socket_address(sup);
    memset(c, 0, sizeof *c);
    c->sup = sup;
    unlink(addr.sun_path);
    c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->listener < 0 || bind(c->listener, (struct sockaddr *)&addr, sizeof addr) < 0 ||
        listen(c->listener, RACK_CONTROL_MAX) < 0) {
        snprintf(err, err_len, "%s: %s", addr.sun_path, strerror(errno));
        return -1;
    }
    return 0;
}

void rack_control_close(struct rack_control *c)
{
    struct sockaddr_un addr = socket_address(c->sup);
    for (unsigned i = 0; i < c->cnt; i++) {
        close(c->caller[i]);
    }
    close(c->listener);
    unlink(addr.sun_path);
}

unsigned rack_control_polls(const struct rack_control *c, struct pollfd *p)
{
    for (unsigned i = 0; i < c->cnt; i++) {
        p[i] = (struct pollfd){.fd = c->caller[i], .events = POLLIN};
    }
    p[c->cnt] =
        (struct pollfd){.fd = c->cnt < RACK_CONTROL_MAX ? c->listener : -1, .events = POLLIN};
    return c->cnt + 1;
}

static json_t *refusal(const char *why, const char *what)
{
    return json_pack("{s:b, s:s+++}", "ok", 0, "error", why, what ? ": " : "", what ? what : "",
                     "");
}

static json_t *describe_members(const struct rack_supervisor *sup)
{
    json_t *members = json_array();
    for (unsigned i = 0; i < sup->member_cnt; i++) {
        const struct rack_member *m = &sup->member[i];
        char state[64];
        rack_member_state(m, state, sizeof state);
        json_array_append_new(members, json_pack("{s:s, s:s, s:i, s:i, s:s}", "name",
                                                 m->socket[0] ? m->node->name : "command", "state",
                                                 state, "pid", m->pid > 0 ? (int)m->host_pid : 0,
                                                 "starts", (int)m->starts, "log", m->log));
    }
    return members;
}

static json_t *describe_nodes(const struct rack_supervisor *sup)
{
    static const char *const role[] = {[RACK_SWITCH] = "switch",
                                       [RACK_WIRE] = "wire",
                                       [RACK_SERVER] = "server",
                                       [RACK_CLIENT] = "client"};
    json_t *nodes = json_array();
    for (unsigned i = 0; i < sup->plan->node_cnt; i++) {
        const struct rack_node *n = &sup->plan->node[i];
        char netns[64];
        snprintf(netns, sizeof netns, "/proc/%d/fd/%d", (int)sup->host_pid, n->netns);
        json_t *node = json_pack("{s:s, s:s, s:s, s:s}", "name", n->name, "role", role[n->role],
                                 "ip", n->ip, "netns", netns);
        if (n->ip6[0]) {
            json_object_set_new(node, "ip6", json_string(n->ip6));
        }
        json_array_append_new(nodes, node);
    }
    return nodes;
}

static json_t *describe(const struct rack_supervisor *sup)
{
    return json_pack("{s:b, s:s, s:s, s:i, s:o, s:o}", "ok", 1, "dir", sup->plan->rack.run_dir,
                     "rack", sup->plan->conf, "supervisor", (int)sup->host_pid, "nodes",
                     describe_nodes(sup), "members", describe_members(sup));
}

void rack_supervisor_tell(const struct rack_supervisor *sup)
{
    char path[300], fresh[320];
    snprintf(path, sizeof path, "%s/rack.json", sup->plan->rack.run_dir);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    json_t *all = describe(sup);
    if (json_dump_file(all, fresh, JSON_INDENT(2)) == 0) {
        rename(fresh, path); /* a reader sees the old one or the new one, whole */
    }
    json_decref(all);
}

struct rack_member *rack_supervisor_member(struct rack_supervisor *sup, const char *name)
{
    for (unsigned i = 0; i < sup->member_cnt; i++) {
        if (sup->member[i].socket[0] && strcmp(sup->member[i].node->name, name) == 0) {
            return &sup->member[i];
        }
    }
    return NULL;
}

/* start, stop, kill, restart. */
static json_t *steer(struct rack_supervisor *sup, const char *cmd, const char *name)
{
    char err[700];
    struct rack_member *m = rack_supervisor_member(sup, name);
    if (!m) {
        return refusal("no such program in this rack", name);
    }
    bool starts = strcmp(cmd, "start") == 0 || strcmp(cmd, "restart") == 0;
    if (strcmp(cmd, "start") == 0 && rack_member_runs(m)) {
        return refusal("already runs", name);
    }
    if (strcmp(cmd, "kill") == 0) {
        rack_member_kill(m);
    } else {
        rack_member_stop(m);
    }
    int result = 0;
    if (starts) {
        result = rack_member_start(m, err, sizeof err) < 0 ||
                         rack_member_await(m, false, err, sizeof err) < 0
                     ? -1
                     : 0;
    }
    rack_supervisor_tell(sup);
    return result < 0 ? refusal(err, NULL) : json_pack("{s:b}", "ok", 1);
}

/* Answers with the namespace's descriptor alongside. */
static void hand_over(const struct rack_supervisor *sup, int fd, const char *name)
{
    const struct rack_node *node = rack_plan_node(sup->plan, name);
    if (!node) {
        json_t *no = refusal("no such member of this rack", name);
        capy_jsonl_write(fd, no);
        json_decref(no);
        return;
    }
    char line[] = "{\"ok\":true}\n";
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
                          .cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS}};
    struct iovec iov = {.iov_base = line, .iov_len = sizeof line - 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof control};
    memcpy(CMSG_DATA(&control.head), &node->netns, sizeof node->netns);
    (void)!sendmsg(fd, &msg, MSG_NOSIGNAL);
}

static void obey(struct rack_supervisor *sup, int fd, const json_t *question)
{
    const char *cmd = json_string_value(json_object_get(question, "cmd"));
    const char *name = json_string_value(json_object_get(question, "name"));
    json_t *answer = NULL;
    if (cmd && strcmp(cmd, "status") == 0) {
        answer = describe(sup);
    } else if (!cmd || !name) {
        answer =
            refusal("what is wanted? cmd: status, start, stop, kill, restart, enter; name", NULL);
    } else if (strcmp(cmd, "enter") == 0) {
        hand_over(sup, fd, name);
    } else if (strcmp(cmd, "start") == 0 || strcmp(cmd, "stop") == 0 || strcmp(cmd, "kill") == 0 ||
               strcmp(cmd, "restart") == 0) {
        answer = steer(sup, cmd, name);
    } else {
        answer = refusal("unknown cmd", cmd);
    }
    if (answer) {
        capy_jsonl_write(fd, answer);
        json_decref(answer);
    }
}

void rack_control_serve(struct rack_control *c, const struct pollfd *p)
{
    unsigned cnt = c->cnt, kept = 0;
    for (unsigned i = 0; i < cnt; i++) {
        int fd = c->caller[i];
        json_t *question = p[i].revents ? capy_jsonl_read(fd, LINE_MS, NULL) : NULL;
        if (question) {
            obey(c->sup, fd, question);
            json_decref(question);
        }
        if (p[i].revents && !question) {
            close(fd); /* gone, or not speaking JSON */
        } else {
            c->caller[kept++] = fd;
        }
    }
    c->cnt = kept;
    int fd = p[cnt].revents ? accept4(c->listener, NULL, NULL, SOCK_CLOEXEC) : -1;
    if (fd >= 0) {
        c->caller[c->cnt++] = fd;
    }
}
