/* Listening sockets. A port that the application listens on is one in each version of IP that we have,
 * and, in a rack with a service address, the same at the service's port of birth (protocol.md). */
#define _GNU_SOURCE /* accept4 */
#include "kernel/repair.h"
#include "kernel/sockets.h"
#include "wire/tcpmig.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_MAX 64u /* per turn and listener */

static bool set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

void capy_kernel_tune(const struct capy_kernel *k, int fd)
{
    /* The kernel doubles what it is told, to have room for its own: so what fits is what is wanted of
     * the send queue, and the half of rcv_buf that stack/foreign.c leaves to the socket. */
    (void)set(fd, SOL_SOCKET, SO_SNDBUF, (int)(k->snd_buf / 2));
    (void)set(fd, SOL_SOCKET, SO_RCVBUF, (int)(k->rcv_buf / 2));
    (void)set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

static int open_bound(struct capy_kernel *k, const struct capy_ip *ip, uint16_t port)
{
    union capy_sockaddr at;
    socklen_t len = capy_sockaddr_make(ip, port, &at);
    int fd = socket(at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    capy_kernel_tune(k, fd); /* connections inherit it */
    if (set(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
        (at.any.sa_family == AF_INET || set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) &&
        bind(fd, &at.any, len) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* From now on the kernel takes connections there. */
static bool begin(struct capy_kernel *k, uint32_t i)
{
    struct capy_kernel_listener *l = &k->listener[i];
    l->listens = listen(l->fd, (int)k->rack->syn_backlog) == 0;
    return l->listens && (l->paused || capy_kernel_watch(k, l->fd, CAPY_KERNEL_LISTENER, i));
}

static bool is_birth(const struct capy_kernel_listener *l)
{
    return l->port != l->service;
}

static bool add(struct capy_kernel *k, const struct capy_ip *ip, uint16_t port, uint16_t service)
{
    uint32_t i = 0;
    while (i < CAPY_KERNEL_LISTENERS && k->listener[i].fd >= 0)
        i++;
    if (i == CAPY_KERNEL_LISTENERS) {
        errno = EMFILE;
        return false;
    }
    int fd = open_bound(k, ip, port);
    if (fd < 0)
        return false;
    k->listener[i] = (struct capy_kernel_listener){.fd = fd, .port = port, .service = service};
    return (is_birth(&k->listener[i]) && !k->vip_open) || begin(k, i);
}

/* The local port at which the service address' connections of this service begin; 0: none do. */
static uint16_t port_of_birth(const struct capy_kernel *k, uint16_t service)
{
    struct capy_ip vip;
    memcpy(vip.b, k->rack->vip, sizeof vip.b);
    for (uint16_t i = 0; i < k->rack->service_cnt && !capy_ip_is_unset(&vip); i++)
        if (k->rack->service[i].port == service)
            return capy_mig_vip_port(k->rack->mig_port_first, i);
    return 0;
}

int capy_kernel_listen(void *ctx, uint16_t port)
{
    struct capy_kernel *k = ctx;
    uint16_t birth = port_of_birth(k, port);
    bool ok = true;
    for (unsigned i = 0; i < 2 && ok; i++) {
        if (capy_ip_is_unset(&k->ip[i]))
            continue;
        ok = add(k, &k->ip[i], port, port) && (birth == 0 || add(k, &k->ip[i], birth, port));
    }
    if (ok) {
        capy_gate_serve(k->gate, port);
        return CAPY_OK;
    }
    int error = errno;
    capy_kernel_unlisten(k, port);
    errno = error;
    return error == EADDRINUSE ? CAPY_E_INUSE : CAPY_E_SYS;
}

/* Until then the ports of birth were only taken, so that the gate sets aside what comes there. */
void capy_kernel_open_vip(void *ctx)
{
    struct capy_kernel *k = ctx;
    if (k->vip_open)
        return;
    k->vip_open = true;
    for (uint32_t i = 0; i < CAPY_KERNEL_LISTENERS; i++)
        if (k->listener[i].fd >= 0 && !k->listener[i].listens)
            (void)begin(k, i); /* cannot fail: nobody else has the port */
}

void capy_kernel_unlisten(void *ctx, uint16_t port)
{
    struct capy_kernel *k = ctx;
    for (uint32_t i = 0; i < CAPY_KERNEL_LISTENERS; i++) {
        if (k->listener[i].fd < 0 || k->listener[i].service != port)
            continue;
        close(k->listener[i].fd);
        k->listener[i].fd = -1;
    }
}

/* The kernel's own queue of connections fills meanwhile, and then it drops SYNs. */
void capy_kernel_pause(void *ctx, uint16_t port, bool paused)
{
    struct capy_kernel *k = ctx;
    for (uint32_t i = 0; i < CAPY_KERNEL_LISTENERS; i++) {
        struct capy_kernel_listener *l = &k->listener[i];
        if (l->fd < 0 || l->service != port || l->paused == paused)
            continue;
        l->paused = paused;
        if (!l->listens)
            continue;
        if (paused)
            (void)epoll_ctl(k->epoll_fd, EPOLL_CTL_DEL, l->fd, NULL);
        else
            (void)capy_kernel_watch(k, l->fd, CAPY_KERNEL_LISTENER, i);
    }
}

static void welcome(struct capy_kernel *k, int fd, const union capy_sockaddr *from, uint16_t port)
{
    struct capy_ip client;
    uint16_t client_port;
    capy_sockaddr_take(from, &client, &client_port);
    uint32_t conn = capy_foreign_opened(k->stack, &client, client_port, port);
    if (conn == UINT32_MAX) { /* nobody to serve it: the client may try again */
        const struct linger now = {.l_onoff = 1};
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(fd);
        return;
    }
    struct capy_kernel_socket *s = &k->sockets[conn];
    s->fd = fd;
    s->generation++;
    if (!capy_kernel_watch(k, fd, CAPY_KERNEL_CONN, conn)) {
        capy_kernel_reset(k, conn);
        capy_foreign_ended(k->stack, conn, CAPY_EV_RESET);
    }
}

void capy_kernel_accept(struct capy_kernel *k, uint32_t listener)
{
    struct capy_kernel_listener *l = &k->listener[listener];
    for (unsigned i = 0; i < ACCEPTS_MAX && l->fd >= 0 && !l->paused; i++) {
        union capy_sockaddr from;
        socklen_t len = sizeof from;
        int fd = accept4(l->fd, &from.any, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return; /* none, or no descriptor for it: it waits there */
        welcome(k, fd, &from, l->port);
    }
}
