/* The load on the kernel's own sockets. See kernel.h. */
#define _GNU_SOURCE /* epoll_pwait2 */
#include "apps/load/kernel.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)
#define EVENT_MAX 64u
#define FILES_MORE 64u        /* descriptors beside the connections' */
#define SIGNAL_TAG UINT32_MAX /* in epoll data; connections have their number */

struct kernel_conn {
    int fd; /* -1: closed */
    bool opening, polls_out;
};

struct load_kernel {
    struct load_transport base;
    int epoll, signals;
    uint32_t cnt;
    struct kernel_conn conn[];
};

static struct load_kernel *of(struct load_transport *t)
{
    return (struct load_kernel *)t;
}

static uint64_t kernel_now(struct load_transport *t)
{
    struct timespec ts;
    (void)t;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static int fail(const struct kernel_conn *c, int err, struct load_failure *why)
{
    enum load_error error = c->opening                          ? LOAD_ERROR_CONNECT
                            : err == ECONNRESET || err == EPIPE ? LOAD_ERROR_RESET
                                                                : LOAD_ERROR_TIMEOUT;
    load_failure_set(why, error, strerror(err));
    return -1;
}

/* Polls for writing only while there is something to write, or to connect. */
static void poll_for(struct load_kernel *k, uint32_t conn, bool out)
{
    struct kernel_conn *c = &k->conn[conn];
    struct epoll_event ev = {.events = EPOLLIN | (out ? (uint32_t)EPOLLOUT : 0u), .data.u32 = conn};
    if (out != c->polls_out)
        epoll_ctl(k->epoll, EPOLL_CTL_MOD, c->fd, &ev);
    c->polls_out = out;
}

static int kernel_open(struct load_transport *t, uint32_t conn, const union capy_endpoint *to,
                       struct load_failure *why)
{
    struct load_kernel *k = of(t);
    struct kernel_conn *c = &k->conn[conn];
    int one = 1;
    *c = (struct kernel_conn){.opening = true, .polls_out = true};
    c->fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return fail(c, errno, why);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT, .data.u32 = conn};
    if ((connect(c->fd, &to->any, capy_endpoint_len(to)) < 0 && errno != EINPROGRESS) ||
        epoll_ctl(k->epoll, EPOLL_CTL_ADD, c->fd, &ev) < 0)
        return fail(c, errno, why);
    return 0;
}

static int64_t kernel_send(struct load_transport *t, uint32_t conn, const void *data, uint32_t len,
                           struct load_failure *why)
{
    struct load_kernel *k = of(t);
    ssize_t n = send(k->conn[conn].fd, data, len, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return fail(&k->conn[conn], errno, why);
    int64_t sent = n > 0 ? n : 0;
    poll_for(k, conn, sent < len);
    return sent;
}

static int64_t kernel_receive(struct load_transport *t, uint32_t conn, void *out, uint32_t len,
                              struct load_failure *why)
{
    struct kernel_conn *c = &of(t)->conn[conn];
    ssize_t n = recv(c->fd, out, len, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : fail(c, errno, why);
    if (n == 0) {
        load_failure_set(why, LOAD_ERROR_CLOSED, "closed by the server");
        return -1;
    }
    return n;
}

static uint64_t kernel_close(struct load_transport *t, uint32_t conn)
{
    struct kernel_conn *c = &of(t)->conn[conn];
    struct tcp_info info;
    socklen_t len = sizeof info;
    uint64_t retransmits = 0;
    if (c->fd < 0)
        return 0;
    if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0)
        retransmits = info.tcpi_total_retrans;
    close(c->fd);
    c->fd = -1;
    return retransmits;
}

/* A socket that connects is ready for something: did it? False: woken too early. */
static bool opened(struct load_kernel *k, uint32_t conn, struct load_event *out)
{
    struct kernel_conn *c = &k->conn[conn];
    int err = 0;
    socklen_t len = sizeof err;
    union capy_endpoint peer;
    socklen_t peer_len = sizeof peer;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
    if (err) {
        out->kind = LOAD_EVENT_FAILED;
        (void)fail(c, err, &out->why);
        return true;
    }
    if (getpeername(c->fd, &peer.any, &peer_len) < 0)
        return false;
    c->opening = false;
    poll_for(k, conn, false);
    out->kind = LOAD_EVENT_OPENED;
    return true;
}

/* False: it is nothing for the engine. */
static bool translate(struct load_kernel *k, const struct epoll_event *ev, struct load_event *out)
{
    struct signalfd_siginfo info;
    out->conn = ev->data.u32;
    if (ev->data.u32 == SIGNAL_TAG) {
        (void)!read(k->signals, &info, sizeof info);
        out->kind = LOAD_EVENT_STOP;
        return true;
    }
    if (k->conn[out->conn].fd < 0)
        return false;
    if (k->conn[out->conn].opening)
        return opened(k, out->conn, out);
    /* An error shows itself to whoever reads. */
    bool readable = (ev->events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0;
    out->kind = readable ? LOAD_EVENT_READABLE : LOAD_EVENT_WRITABLE;
    return true;
}

static unsigned kernel_wait(struct load_transport *t, struct load_event *out, unsigned max,
                            uint64_t timeout_ns)
{
    struct load_kernel *k = of(t);
    struct epoll_event ev[EVENT_MAX];
    struct timespec sleep = {.tv_sec = (time_t)(timeout_ns / NS_PER_S),
                             .tv_nsec = (long)(timeout_ns % NS_PER_S)};
    int n = epoll_pwait2(k->epoll, ev, (int)(max < EVENT_MAX ? max : EVENT_MAX), &sleep, NULL);
    unsigned cnt = 0;
    for (int i = 0; i < n; i++)
        cnt += translate(k, &ev[i], &out[cnt]);
    return cnt;
}

static void kernel_name(struct load_transport *t, uint32_t conn, char *out, size_t len)
{
    union capy_endpoint own;
    socklen_t own_len = sizeof own;
    char text[CAPY_ENDPOINT_TEXT_MAX] = "?";
    if (getsockname(of(t)->conn[conn].fd, &own.any, &own_len) == 0)
        capy_endpoint_text(&own, text);
    snprintf(out, len, "%s", text);
}

static void kernel_free(struct load_transport *t)
{
    close(of(t)->epoll);
    free(t);
}

static const struct load_transport_ops kernel_ops = {
    .now = kernel_now,
    .open = kernel_open,
    .send = kernel_send,
    .receive = kernel_receive,
    .close = kernel_close,
    .wait = kernel_wait,
    .name = kernel_name,
    .free = kernel_free,
};

/* Room for a descriptor per connection. */
static bool raise_limit(uint32_t cnt)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= cnt + FILES_MORE)
        return true;
    limit.rlim_cur = cnt + FILES_MORE;
    if (limit.rlim_max < limit.rlim_cur)
        limit.rlim_max = limit.rlim_cur; /* for the privileged */
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

struct load_transport *load_kernel_open(uint32_t cnt, int signals, char *err, size_t err_len)
{
    if (!raise_limit(cnt)) {
        snprintf(err, err_len, "%u connections are more than files may be open; ulimit -n", cnt);
        return NULL;
    }
    struct load_kernel *k = calloc(1, sizeof *k + cnt * sizeof k->conn[0]);
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = SIGNAL_TAG};
    if (k) {
        *k = (struct load_kernel){.base = {&kernel_ops, "kernel sockets"},
                                  .epoll = epoll_create1(EPOLL_CLOEXEC),
                                  .signals = signals,
                                  .cnt = cnt};
        for (uint32_t i = 0; i < cnt; i++)
            k->conn[i].fd = -1;
        if (k->epoll >= 0 && epoll_ctl(k->epoll, EPOLL_CTL_ADD, signals, &ev) == 0)
            return &k->base;
        free(k);
    }
    snprintf(err, err_len, "setting up %u connections: %s", cnt, strerror(errno));
    return NULL;
}
