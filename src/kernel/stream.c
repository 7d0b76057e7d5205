/* A connection's bytes between its socket and the stack, and its end. epoll tells each change once
 * (EPOLLET): so a socket is read until it has no more, or nobody wants more. */
#include "kernel/repair.h"
#include "kernel/sockets.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* A peer that never closes its side: as long as our own stack waits (tcp.h, fin_wait_2_ns). */
#define CLOSING_S 60u

static uint32_t now_s(const struct capy_kernel *k)
{
    return (uint32_t)(k->now / CAPY_SEC(1));
}

/* The descriptor is closed, or about to be: nothing of the socket is left here. */
static int take_away(struct capy_kernel *k, uint32_t conn)
{
    struct capy_kernel_socket *s = &k->sockets[conn];
    int fd = s->fd;
    k->closing_cnt -= s->closing;
    *s = (struct capy_kernel_socket){.fd = -1, .generation = s->generation, .again = s->again};
    return fd;
}

static void end(struct capy_kernel *k, uint32_t conn, uint32_t bits)
{
    close(take_away(k, conn));
    capy_foreign_ended(k->stack, conn, bits);
}

static uint32_t bits_of(int error)
{
    switch (error) {
    case ETIMEDOUT:
        return CAPY_EV_TIMED_OUT;
    case EHOSTUNREACH:
    case ENETUNREACH:
        return CAPY_EV_TIMED_OUT | CAPY_EV_UNREACHABLE;
    default:
        return CAPY_EV_RESET;
    }
}

/* False: over. */
static bool read_once(struct capy_kernel *k, uint32_t conn, uint32_t len, uint32_t *got)
{
    ssize_t n = recv(k->sockets[conn].fd, k->inbox, len, MSG_DONTWAIT);
    *got = n > 0 ? (uint32_t)n : 0;
    if (n > 0)
        capy_foreign_received(k->stack, conn, k->inbox, (uint32_t)n);
    else if (n == 0)
        capy_foreign_fin(k->stack, conn);
    else if (errno != EAGAIN && errno != EINTR) {
        end(k, conn, bits_of(errno));
        return false;
    }
    return n > 0;
}

void capy_kernel_read(struct capy_kernel *k, uint32_t conn, bool ended)
{
    struct capy_kernel_socket *s = &k->sockets[conn];
    uint32_t len, got;
    do {
        len = capy_min32(capy_foreign_wanted(k->stack, conn), CAPY_KERNEL_INBOX);
        s->more = len == 0;
        if (len == 0) {
            k->starved = true; /* unless the application has to read first */
            return;
        }
    } while (read_once(k, conn, len, &got) && (got == len || ended));
}

void capy_kernel_drain(struct capy_kernel *k, uint32_t conn)
{
    for (;;) {
        uint32_t len = capy_min32(capy_foreign_wanted(k->stack, conn), CAPY_KERNEL_INBOX);
        ssize_t n = len > 0 ? recv(k->sockets[conn].fd, k->inbox, len, MSG_DONTWAIT) : -1;
        if (n == 0)
            capy_foreign_fin(k->stack, conn);
        if (n <= 0)
            return;
        capy_foreign_received(k->stack, conn, k->inbox, (uint32_t)n);
    }
}

void capy_kernel_look_again(struct capy_kernel *k, uint32_t conn)
{
    struct capy_kernel_socket *s = &k->sockets[conn];
    if (s->again) /* each is there once, so there is room for all */
        return;
    s->again = true;
    k->again[k->again_cnt++] = conn;
}

void capy_kernel_look(struct capy_kernel *k)
{
    uint32_t cnt = k->again_cnt;
    k->again_cnt = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        struct capy_kernel_socket *s = &k->sockets[k->again[i]];
        s->again = false;
        if (s->fd >= 0 && s->more && !s->stopped && !s->closing)
            capy_kernel_read(k, k->again[i], true);
    }
}

static bool is_over(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 || info.tcpi_state == TCP_CLOSE;
}

/* The application is gone, and we wait for the peer to have all, and to close as well. */
static void hear_closing(struct capy_kernel *k, uint32_t conn)
{
    int fd = k->sockets[conn].fd;
    ssize_t n = recv(fd, k->inbox, CAPY_KERNEL_INBOX, MSG_DONTWAIT);
    if (n > 0) { /* to nobody: the peer must learn that it was lost */
        capy_kernel_reset(k, conn);
        capy_foreign_ended(k->stack, conn, CAPY_EV_RESET);
    } else if (is_over(fd)) {
        end(k, conn, CAPY_EV_FINISHED);
    }
}

void capy_kernel_hear(struct capy_kernel *k, uint32_t conn, uint32_t events)
{
    struct capy_kernel_socket *s = &k->sockets[conn];
    if (s->stopped)
        return; /* it is looked at again when it goes on */
    if (s->closing) {
        hear_closing(k, conn);
        return;
    }
    if (events & EPOLLERR) {
        int error = 0;
        socklen_t len = sizeof error;
        (void)getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        end(k, conn, bits_of(error));
        return;
    }
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP))
        capy_kernel_read(k, conn, (events & (EPOLLRDHUP | EPOLLHUP)) != 0);
    if ((events & EPOLLOUT) && s->fd >= 0)
        capy_foreign_room(k->stack, conn);
}

int64_t capy_kernel_write(void *ctx, uint32_t conn, const uint8_t *data, uint32_t len, bool more)
{
    struct capy_kernel *k = ctx;
    int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0);
    ssize_t n = send(k->sockets[conn].fd, data, len, flags);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? 0 : CAPY_E_STATE; /* epoll will say why */
}

void capy_kernel_consumed(void *ctx, uint32_t conn)
{
    struct capy_kernel *k = ctx;
    /* Not now: reading may end the connection, and we are called from within the stack. */
    if (k->sockets[conn].more)
        capy_kernel_look_again(k, conn);
}

void capy_kernel_set(void *ctx, uint32_t conn, enum capy_option option, uint64_t value)
{
    struct capy_kernel *k = ctx;
    int fd = k->sockets[conn].fd, on = value != 0;
    if (option == CAPY_OPTION_NAGLE) {
        on = !on;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    } else if (option == CAPY_OPTION_CORK) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
    } else if (option == CAPY_OPTION_KEEPALIVE) {
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    }
}

void capy_kernel_shut(void *ctx, uint32_t conn)
{
    struct capy_kernel *k = ctx;
    struct capy_kernel_socket *s = &k->sockets[conn];
    s->closing = true;
    s->since_s = now_s(k);
    k->swept_at = k->closing_cnt == 0 ? k->now : k->swept_at;
    k->closing_cnt++;
    (void)shutdown(s->fd, SHUT_WR); /* ENOTCONN: over, and epoll is about to say so */
}

void capy_kernel_reset(void *ctx, uint32_t conn)
{
    struct capy_kernel *k = ctx;
    const struct linger none = {.l_onoff = 1};
    if (k->sockets[conn].fd < 0)
        return;
    int fd = take_away(k, conn);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(fd);
}

void capy_kernel_gone(void *ctx, uint32_t conn)
{
    struct capy_kernel *k = ctx;
    bool silent = k->sockets[conn].stopped;
    if (k->sockets[conn].fd < 0)
        return;
    int fd = take_away(k, conn);
    if (silent)
        close(fd);
    else
        capy_repair_drop(fd);
}

void capy_kernel_sweep(struct capy_kernel *k)
{
    k->swept_at = k->now;
    k->starved = false;
    for (uint32_t i = 0; i < k->conn_max; i++) {
        struct capy_kernel_socket *s = &k->sockets[i];
        if (s->fd < 0 || s->stopped)
            continue;
        if (s->closing && now_s(k) - s->since_s > CLOSING_S)
            end(k, i, CAPY_EV_FINISHED); /* what is left is the kernel's own business */
        else if (s->closing)
            hear_closing(k, i);
        else if (s->more)
            capy_kernel_read(k, i, true);
    }
}
