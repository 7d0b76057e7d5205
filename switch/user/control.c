/* The control socket's transport (control.h). Lines in, lines out; what they say is commands.c's.
 */
#define _GNU_SOURCE /* accept4 */
#include "switch/user/program.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void control_init(struct control *c)
{
    c->listen_fd = -1;
    for (unsigned i = 0; i < CONTROL_CLIENT_MAX; i++)
        c->client[i] = (struct control_client){.fd = -1};
}

static bool answers(const struct sockaddr_un *at)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    /* EAGAIN: somebody is there but slow to accept. */
    bool there = connect(fd, (const void *)at, sizeof *at) == 0 || errno == EAGAIN;
    close(fd);
    return there;
}

static int listen_at(const struct sockaddr_un *at)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    mode_t mask = umask(0077); /* whoever may speak here may inject faults */
    int rc = bind(fd, (const void *)at, sizeof *at);
    umask(mask);
    if (rc < 0 || listen(fd, CONTROL_CLIENT_MAX) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

int control_open(struct control *c, const char *run_dir, const char *name, char *err,
                 size_t err_len)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int len = snprintf(c->path, sizeof c->path, "%s/%s.sock", run_dir, name);
    if (len < 0 || (size_t)len >= sizeof at.sun_path) {
        snprintf(err, err_len, "run_dir %s is too long for a socket; name a shorter one", run_dir);
        return CAPY_E_CONFIG;
    }
    memcpy(at.sun_path, c->path, (size_t)len + 1);
    if (mkdir(run_dir, 0755) < 0 && errno != EEXIST) {
        snprintf(err, err_len, "run_dir %s: %s; make it, or name another in the rack file", run_dir,
                 strerror(errno));
        return CAPY_E_SYS;
    }
    if (answers(&at)) {
        snprintf(err, err_len, "a %s already answers on %s; stop it, or use another run_dir", name,
                 c->path);
        return CAPY_E_INUSE;
    }
    unlink(c->path); /* left by a switch that was killed */
    c->listen_fd = listen_at(&at);
    if (c->listen_fd < 0) {
        snprintf(err, err_len, "%s: %s; run_dir must be writable", c->path, strerror(errno));
        return CAPY_E_SYS;
    }
    return CAPY_OK;
}

static void client_close(struct control_client *c)
{
    close(c->fd);
    free(c->out);
    *c = (struct control_client){.fd = -1};
}

static void accept_clients(struct control *c)
{
    for (unsigned i = 0; i < CONTROL_CLIENT_MAX; i++) {
        if (c->client[i].fd >= 0)
            continue;
        int fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        c->client[i].fd = fd;
    }
}

/* False when the client is gone. */
static bool send_answer(struct control_client *c)
{
    while (c->out) {
        ssize_t n = send(c->fd, c->out + c->out_sent, c->out_len - c->out_sent, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        c->out_sent += (size_t)n;
        if (c->out_sent == c->out_len) {
            free(c->out);
            c->out = NULL;
        }
    }
    return true;
}

/* Answers the requests that are complete, until one answer does not go out at once. False when the
 * client is to be closed: gone, a line without end, or no memory. */
static bool answer_lines(struct program *p, struct control_client *c)
{
    char *end;
    while (!c->out && (end = memchr(c->in, '\n', c->in_len)) != NULL) {
        size_t line_len = (size_t)(end - c->in);
        c->out = program_answer(p, c->in, line_len);
        c->in_len -= line_len + 1;
        memmove(c->in, end + 1, c->in_len);
        if (!c->out)
            return false;
        c->out_len = strlen(c->out);
        c->out_sent = 0;
        if (!send_answer(c))
            return false;
    }
    return c->out || c->in_len < sizeof c->in;
}

static bool serve_client(struct program *p, struct control_client *c)
{
    if (!send_answer(c) || !answer_lines(p, c))
        return false;
    while (!c->out) {
        ssize_t n = recv(c->fd, c->in + c->in_len, sizeof c->in - c->in_len, 0);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        if (n == 0)
            return false;
        c->in_len += (size_t)n;
        if (!answer_lines(p, c))
            return false;
    }
    return true;
}

unsigned control_poll(const struct control *c, struct pollfd fds[CONTROL_POLL_MAX])
{
    unsigned cnt = 0;
    bool room = false;
    for (unsigned i = 0; i < CONTROL_CLIENT_MAX; i++) {
        const struct control_client *k = &c->client[i];
        room = room || k->fd < 0;
        if (k->fd >= 0)
            fds[cnt++] = (struct pollfd){.fd = k->fd, .events = k->out ? POLLOUT : POLLIN};
    }
    if (room)
        fds[cnt++] = (struct pollfd){.fd = c->listen_fd, .events = POLLIN};
    return cnt;
}

void control_serve(struct program *p)
{
    struct control *c = &p->control;
    accept_clients(c);
    for (unsigned i = 0; i < CONTROL_CLIENT_MAX; i++) {
        if (c->client[i].fd >= 0 && !serve_client(p, &c->client[i]))
            client_close(&c->client[i]);
    }
}

void control_close(struct control *c)
{
    for (unsigned i = 0; i < CONTROL_CLIENT_MAX; i++) {
        if (c->client[i].fd >= 0)
            client_close(&c->client[i]);
    }
    if (c->listen_fd >= 0) {
        unlink(c->path);
        close(c->listen_fd);
    }
    c->listen_fd = -1;
}
