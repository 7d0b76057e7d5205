/* How connections begin: socket, bind, listen, accept, connect. */
#include "drive/drive.h"

#include <errno.h>
#include <fcntl.h>

#define PORT_FIRST 49152u /* of ports that we choose: RFC 6335 §6 */

static int new_socket(struct drive *d, bool nonblock)
{
    struct drive_sock *s = drive_sock_take(d);
    if (!s)
        return drive_fail(EMFILE);
    s->nonblock = nonblock;
    return drive_fd_give(d, s);
}

DRIVE_EXPORT int drive_socket(struct drive *d, int domain, int type, int protocol)
{
    if (domain != d->family)
        return drive_fail(EAFNOSUPPORT);
    if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM)
        return drive_fail(EPROTONOSUPPORT);
    if (protocol != 0 && protocol != IPPROTO_TCP)
        return drive_fail(EPROTONOSUPPORT);
    pthread_mutex_lock(&d->lock);
    int fd = new_socket(d, type & SOCK_NONBLOCK);
    pthread_mutex_unlock(&d->lock);
    return fd;
}

/* ---- ports ---- */

/* Somebody has this port so that s may not bind to it. */
static bool port_taken(struct drive *d, const struct drive_sock *s, uint16_t port)
{
    struct capy_stack_conn_info info;
    for (int i = 0; i < DRIVE_SOCKET_MAX; i++) {
        const struct drive_sock *o = &d->socks[i];
        bool has = o != s && o->port == port && o->state != SOCK_FREE && o->state != SOCK_DEAD;
        if (has && (o->state == SOCK_LISTENING || !s->reuse_addr || !o->reuse_addr))
            return true;
    }
    for (uint32_t at = 0; !s->reuse_addr && capy_stack_next_conn(d->stack, &at, &info);)
        if (info.local_port == port)
            return true;
    return false;
}

static uint16_t choose_port(struct drive *d, const struct drive_sock *s)
{
    for (uint32_t n = 0; n <= UINT16_MAX - PORT_FIRST; n++) {
        uint16_t port = d->next_port;
        d->next_port = port == UINT16_MAX ? PORT_FIRST : (uint16_t)(port + 1);
        if (!port_taken(d, s, port))
            return port;
    }
    return 0;
}

static int bind_to(struct drive *d, struct drive_sock *s, const struct drive_name *name)
{
    const struct capy_ip any = drive_any(d);
    uint16_t port = name->port;
    if (s->port != 0 || s->state != SOCK_FRESH)
        return drive_fail(EINVAL);
    if (!capy_ip_eq(&name->ip, &any) && !capy_ip_eq(&name->ip, &d->cfg.ip))
        return drive_fail(EADDRNOTAVAIL);
    if (port != 0 && port_taken(d, s, port))
        return drive_fail(EADDRINUSE);
    s->port = port != 0 ? port : choose_port(d, s);
    return s->port != 0 ? 0 : drive_fail(EADDRINUSE);
}

DRIVE_EXPORT int drive_bind(struct drive *d, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct drive_ref r;
    struct drive_name name;
    pthread_mutex_lock(&d->lock);
    int rc = drive_ref_get(d, fd, &r) ? drive_name_read(d, addr, len, &name) : -1;
    if (rc == 0)
        rc = bind_to(d, r.sock, &name);
    pthread_mutex_unlock(&d->lock);
    return rc;
}

static int start_listening(struct drive *d, struct drive_sock *s)
{
    if (s->state == SOCK_LISTENING)
        return 0;
    if (s->state != SOCK_FRESH)
        return drive_fail(EINVAL);
    if (s->port == 0)
        s->port = choose_port(d, s);
    if (s->port == 0 || capy_stack_listen(d->stack, s->port, drive_user_of(d, s)) != CAPY_OK)
        return drive_fail(EADDRINUSE);
    s->state = SOCK_LISTENING;
    drive_settings_apply(d, s);
    return 0;
}

DRIVE_EXPORT int drive_listen(struct drive *d, int fd, int backlog)
{
    struct drive_ref r;
    (void)backlog;
    pthread_mutex_lock(&d->lock);
    int rc = drive_ref_get(d, fd, &r) ? start_listening(d, r.sock) : -1;
    pthread_mutex_unlock(&d->lock);
    return rc;
}

/* ---- accept ---- */

static int accept_one(struct drive *d, const struct drive_ref *r, struct sockaddr *addr,
                      socklen_t *len, bool nonblock)
{
    struct drive_sock *s;
    while (drive_ref_ok(d, r)) {
        if (r->sock->state != SOCK_LISTENING)
            return drive_fail(EINVAL);
        if ((s = drive_queue_head(d, r->sock)) != NULL) {
            int fd = drive_name_write(d, &s->peer, addr, len) == 0 ? drive_fd_give(d, s) : -1;
            if (fd >= 0) {
                s->listener = -1;
                s->nonblock = nonblock;
            }
            return fd;
        }
        if (r->sock->nonblock)
            return drive_fail(EAGAIN);
        drive_wait(d, CAPY_NEVER);
    }
    return drive_fail(EBADF);
}

DRIVE_EXPORT int drive_accept4(struct drive *d, int fd, struct sockaddr *addr, socklen_t *len,
                               int flags)
{
    struct drive_ref r;
    if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return drive_fail(EINVAL);
    pthread_mutex_lock(&d->lock);
    int rc = drive_ref_get(d, fd, &r) ? accept_one(d, &r, addr, len, flags & SOCK_NONBLOCK) : -1;
    pthread_mutex_unlock(&d->lock);
    return rc;
}

DRIVE_EXPORT int drive_accept(struct drive *d, int fd, struct sockaddr *addr, socklen_t *len)
{
    return drive_accept4(d, fd, addr, len, 0);
}

/* ---- connect ---- */

static int start_connecting(struct drive *d, struct drive_sock *s, const struct drive_name *name)
{
    capy_handle conn;
    s->error = 0; /* of an earlier attempt */
    int rc = capy_stack_connect(d->stack, &name->ip, name->port, s->port, drive_user_of(d, s),
                                &conn, drive_stack_now(d));
    if (rc == CAPY_E_NOMEM)
        return drive_fail(s->port == 0 ? EADDRNOTAVAIL : ENOBUFS);
    if (rc == CAPY_E_INUSE)
        return drive_fail(EADDRINUSE);
    if (rc != CAPY_OK)
        return drive_fail(ENETUNREACH); /* nothing leads there */
    s->state = SOCK_CONNECTING;
    s->conn = conn;
    s->peer = *name;
    drive_settings_apply(d, s);
    drive_settle(d);
    return 0;
}

static int connect_to(struct drive *d, const struct drive_ref *r, const struct drive_name *name)
{
    struct drive_sock *s = r->sock;
    bool started = false;
    if (s->state == SOCK_CONNECTED || s->state == SOCK_DEAD)
        return drive_fail(EISCONN);
    if (s->state == SOCK_LISTENING)
        return drive_fail(EOPNOTSUPP);
    if (s->state == SOCK_CONNECTING && s->nonblock)
        return drive_fail(EALREADY);
    if (s->state == SOCK_FRESH && s->error != 0 && s->nonblock)
        return drive_fail(drive_take_error(s)); /* how the attempt under way ended */
    if (s->state == SOCK_FRESH) {
        if (start_connecting(d, s, name) != 0)
            return -1;
        started = true;
    }
    while (drive_ref_ok(d, r) && s->state == SOCK_CONNECTING) {
        if (s->nonblock)
            return drive_fail(started ? EINPROGRESS : EALREADY);
        drive_wait(d, CAPY_NEVER);
    }
    if (!drive_ref_ok(d, r))
        return drive_fail(EBADF);
    return s->state == SOCK_FRESH ? drive_fail(drive_take_error(s)) : 0;
}

DRIVE_EXPORT int drive_connect(struct drive *d, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct drive_ref r;
    struct drive_name name;
    pthread_mutex_lock(&d->lock);
    int rc = drive_ref_get(d, fd, &r) ? drive_name_read(d, addr, len, &name) : -1;
    if (rc == 0)
        rc = connect_to(d, &r, &name);
    pthread_mutex_unlock(&d->lock);
    return rc;
}
