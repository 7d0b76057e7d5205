/* The control socket: listening, clients, lines. What the words mean is in command.c. */
#define _GNU_SOURCE /* accept4 */
#include "sock/control.h"
#include "sock/os.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_MAX_LEN 4096u /* of a request */
#define BACKLOG 8

struct client {
    int fd; /* -1: free */
    size_t in_len, out_len, out_at;
    char *out;    /* the answer that is being sent; while there is one nothing is read */
    bool closing; /* after the answer */
    char in[LINE_MAX_LEN];
};

struct capy_control {
    int fd;
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
    struct client client[CAPY_CONTROL_CLIENT_MAX];
};

static struct sockaddr_un address_of(const struct capy_rack *rack, int self)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    /* The rack file's check saw to it that this fits. */
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%.70s/%.31s.sock", rack->run_dir,
                   rack->server[self].name);
    return at;
}

bool capy_control_is_free(const struct capy_rack *rack, int self, char *err, size_t err_len)
{
    struct sockaddr_un at = address_of(rack, self);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true; /* opening will tell */
    bool answers = connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
    (void)close(fd);
    if (answers)
        (void)snprintf(err, err_len,
                       "server %s already runs (%s answers); stop that program, or name another "
                       "server",
                       rack->server[self].name, at.sun_path);
    return !answers;
}

/* Only the owner may move connections: the mode is set before anybody can connect. */
static int listen_at(const struct sockaddr_un *at)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)unlink(at->sun_path); /* left behind by a program that died */
    if (bind(fd, (const struct sockaddr *)at, sizeof *at) == 0 &&
        chmod(at->sun_path, S_IRUSR | S_IWUSR) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int why = errno;
    (void)close(fd);
    errno = why;
    return -1;
}

int capy_control_open(struct capy *os, char *err, size_t err_len)
{
    if (!capy_control_is_free(&os->rack, os->self, err, err_len))
        return CAPY_E_INUSE;
    struct sockaddr_un at = address_of(&os->rack, os->self);
    struct capy_control *c = calloc(1, sizeof *c);
    bool made = mkdir(os->rack.run_dir, S_IRWXU | S_IRGRP | S_IXGRP | S_IROTH | S_IXOTH) == 0 ||
                errno == EEXIST;
    int fd = c && made ? listen_at(&at) : -1;
    if (fd < 0) {
        (void)snprintf(err, err_len,
                       "cannot make the control socket %s: %s; name a writable run_dir in the rack "
                       "file, or run as root",
                       at.sun_path, strerror(errno));
        free(c);
        return CAPY_E_SYS;
    }
    c->fd = fd;
    memcpy(c->path, at.sun_path, sizeof c->path);
    for (unsigned i = 0; i < CAPY_CONTROL_CLIENT_MAX; i++)
        c->client[i].fd = -1;
    os->control = c;
    return CAPY_OK;
}

static void drop(struct client *cl)
{
    (void)close(cl->fd);
    free(cl->out);
    cl->fd = -1;
    cl->out = NULL;
    cl->in_len = cl->out_len = cl->out_at = 0;
    cl->closing = false;
}

void capy_control_close(struct capy *os)
{
    struct capy_control *c = os->control;
    if (!c)
        return;
    for (unsigned i = 0; i < CAPY_CONTROL_CLIENT_MAX; i++)
        if (c->client[i].fd >= 0)
            drop(&c->client[i]);
    (void)close(c->fd);
    (void)unlink(c->path);
    free(c);
    os->control = NULL;
}

unsigned capy_control_fds(const struct capy_control *c, struct pollfd *fds)
{
    unsigned cnt = 0;
    if (!c)
        return 0;
    fds[cnt++] = (struct pollfd){.fd = c->fd, .events = POLLIN};
    for (unsigned i = 0; i < CAPY_CONTROL_CLIENT_MAX; i++)
        if (c->client[i].fd >= 0)
            fds[cnt++] = (struct pollfd){.fd = c->client[i].fd,
                                         .events = c->client[i].out ? POLLOUT : POLLIN};
    return cnt;
}

static void flush(struct client *cl)
{
    while (cl->out_at < cl->out_len) {
        ssize_t n = send(cl->fd, cl->out + cl->out_at, cl->out_len - cl->out_at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return; /* POLLOUT goes on */
        if (n < 0) {
            drop(cl);
            return;
        }
        cl->out_at += (size_t)n;
    }
    free(cl->out);
    cl->out = NULL;
    cl->out_len = cl->out_at = 0;
    if (cl->closing)
        drop(cl);
}

/* Takes over the answer. */
static void answer(struct client *cl, json_t *reply)
{
    char *text = reply ? json_dumps(reply, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    json_decref(reply);
    size_t len = text ? strlen(text) : 0;
    char *line = text ? realloc(text, len + 1) : NULL;
    if (!line) {
        free(text);
        drop(cl);
        return;
    }
    line[len] = '\n'; /* in place of the NUL */
    cl->out = line;
    cl->out_len = len + 1;
    cl->out_at = 0;
    flush(cl);
}

static void answer_line(struct capy *os, struct client *cl, const char *line, size_t len)
{
    json_error_t why;
    json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
    json_t *reply = json_is_object(request)
                        ? capy_command(os, request)
                        : json_pack("{s:s}", "error", "not a JSON object in one line");
    json_decref(request);
    answer(cl, reply);
}

/* Whole lines of what came, one answer at a time. */
static void take_lines(struct capy *os, struct client *cl)
{
    while (cl->fd >= 0 && !cl->out) {
        char *end = memchr(cl->in, '\n', cl->in_len);
        if (!end)
            break;
        size_t used = (size_t)(end - cl->in) + 1;
        char line[LINE_MAX_LEN];
        memcpy(line, cl->in, used);
        cl->in_len -= used;
        memmove(cl->in, cl->in + used, cl->in_len);
        answer_line(os, cl, line, used - 1);
    }
    if (cl->fd >= 0 && !cl->out && cl->in_len == LINE_MAX_LEN) {
        cl->closing = true;
        answer(cl, json_pack("{s:s}", "error", "the line is longer than 4096 bytes"));
    }
}

static void read_client(struct capy *os, struct client *cl)
{
    ssize_t n = recv(cl->fd, cl->in + cl->in_len, LINE_MAX_LEN - cl->in_len, 0);
    if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
        return;
    if (n <= 0) {
        drop(cl);
        return;
    }
    cl->in_len += (size_t)n;
    take_lines(os, cl);
}

static void welcome(struct capy_control *c)
{
    int fd = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    for (unsigned i = 0; i < CAPY_CONTROL_CLIENT_MAX; i++) {
        if (c->client[i].fd < 0) {
            c->client[i].fd = fd;
            return;
        }
    }
    static const char busy[] = "{\"error\":\"too many control clients; end one\"}\n";
    (void)send(fd, busy, sizeof busy - 1, MSG_NOSIGNAL);
    (void)close(fd);
}

void capy_control_serve(struct capy *os, const struct pollfd *fds, unsigned cnt)
{
    struct capy_control *c = os->control;
    for (unsigned i = 1; i < cnt; i++) {
        struct client *cl = NULL;
        for (unsigned k = 0; k < CAPY_CONTROL_CLIENT_MAX && !cl; k++)
            if (c->client[k].fd == fds[i].fd)
                cl = &c->client[k];
        if (!cl || !fds[i].revents)
            continue;
        if (!cl->out)
            read_client(os, cl);
        else
            flush(cl);
        if (cl->fd >= 0 && !cl->out)
            take_lines(os, cl); /* lines that waited behind the answer */
    }
    if (cnt > 0 && fds[0].revents)
        welcome(c);
}
