/* How bytes go and connections end: recv, send, shutdown, close. */
#include "drive/drive.h"

#include <errno.h>

/* ---- receiving ---- */

uint32_t drive_readable(struct drive *d, const struct drive_sock *s, bool *end)
{
    int64_t n = 0;
    *end = s->state == SOCK_DEAD;
    if (s->state == SOCK_CONNECTED)
        n = capy_stack_readable(d->stack, s->conn, end);
    return n > 0 ? (uint32_t)n : 0;
}

static ssize_t copy_out(struct drive *d, const struct drive_sock *s, uint8_t *buf, size_t len,
                        bool peek)
{
    uint32_t at = 0, got;
    const uint8_t *span;
    while (at < len && (span = capy_stack_read_span(d->stack, s->conn, at, &got)) != NULL) {
        got = (uint32_t)(got < len - at ? got : len - at);
        memcpy(buf + at, span, got);
        at += got;
    }
    if (!peek) {
        int rc = capy_stack_consume(d->stack, s->conn, at, drive_stack_now(d));
        CAPY_ASSERT(rc == CAPY_OK);
        drive_settle(d);
    }
    return at;
}

/* MSG_WAITALL: all of len, unless the stream ends or it may not wait. A peek copies but once: when
 * there is enough. */
static ssize_t receive(struct drive *d, const struct drive_ref *r, uint8_t *buf, size_t len,
                       int flags)
{
    struct drive_sock *s = r->sock;
    bool all = flags & MSG_WAITALL, peek = flags & MSG_PEEK, end;
    size_t got = 0;
    while (drive_ref_ok(d, r)) {
        if (s->state == SOCK_LISTENING || (s->state == SOCK_FRESH && s->error == 0))
            return drive_fail(ENOTCONN);
        uint32_t avail = drive_readable(d, s, &end);
        bool waits = !s->nonblock && !(flags & MSG_DONTWAIT);
        bool last = !all || !waits || end || s->shut_rd || s->error != 0;
        if (avail > 0 && (!peek || avail >= len || last))
            got += (size_t)copy_out(d, s, buf + got, capy_min64(avail, len - got), peek);
        if (got > 0 && (got == len || last))
            return (ssize_t)got;
        if (s->error != 0)
            return drive_fail(drive_take_error(s));
        if (end || s->shut_rd || (len == 0 && s->state == SOCK_CONNECTED))
            return 0;
        if (!waits)
            return drive_fail(EAGAIN);
        drive_wait(d, CAPY_NEVER);
    }
    return got > 0 ? (ssize_t)got : drive_fail(EBADF);
}

DRIVE_EXPORT ssize_t drive_recv(struct drive *d, int fd, void *buf, size_t len, int flags)
{
    struct drive_ref r;
    ssize_t n = -1;
    pthread_mutex_lock(&d->lock);
    if (drive_ref_get(d, fd, &r)) {
        if (flags & ~(MSG_PEEK | MSG_DONTWAIT | MSG_WAITALL))
            drive_fail(EOPNOTSUPP);
        else if (!buf && len > 0)
            drive_fail(EFAULT);
        else
            n = receive(d, &r, buf, len, flags);
    }
    pthread_mutex_unlock(&d->lock);
    return n;
}

DRIVE_EXPORT ssize_t drive_read(struct drive *d, int fd, void *buf, size_t len)
{
    return drive_recv(d, fd, buf, len, 0);
}

/* ---- sending ---- */

/* Bytes of len that the stack took. */
static size_t push(struct drive *d, const struct drive_sock *s, const uint8_t *data, size_t len,
                   bool more)
{
    uint32_t want = (uint32_t)(len < UINT32_MAX ? len : UINT32_MAX);
    uint64_t now = drive_stack_now(d);
    int64_t n = more ? capy_stack_write_more(d->stack, s->conn, data, want, now)
                     : capy_stack_write(d->stack, s->conn, data, want, now);
    CAPY_ASSERT(n >= 0); /* the socket knows whether it may write */
    return (size_t)n;
}

/* May it write? 0, EAGAIN (not yet), or why never. */
static int write_error(struct drive_sock *s)
{
    switch (s->state) {
    case SOCK_CONNECTING:
        return EAGAIN;
    case SOCK_CONNECTED:
        return s->shut_wr ? EPIPE : 0;
    case SOCK_DEAD:
        return s->error != 0 ? drive_take_error(s) : EPIPE;
    case SOCK_FRESH:
        return s->error != 0 ? drive_take_error(s) : ENOTCONN;
    case SOCK_FREE:
    case SOCK_LISTENING:
        break;
    }
    return ENOTCONN;
}

static ssize_t transmit(struct drive *d, const struct drive_ref *r, const uint8_t *buf, size_t len,
                        int flags)
{
    struct drive_sock *s = r->sock;
    size_t sent = 0;
    while (drive_ref_ok(d, r)) {
        int why = write_error(s);
        if (why == 0) {
            sent += sent < len ? push(d, s, buf + sent, len - sent, flags & MSG_MORE) : 0;
            drive_settle(d);
            if (sent == len)
                return (ssize_t)sent;
            why = EAGAIN;
        }
        if (why != EAGAIN || s->nonblock || (flags & MSG_DONTWAIT))
            return sent > 0 ? (ssize_t)sent : drive_fail(why);
        drive_wait(d, CAPY_NEVER);
    }
    return sent > 0 ? (ssize_t)sent : drive_fail(EBADF);
}

DRIVE_EXPORT ssize_t drive_send(struct drive *d, int fd, const void *buf, size_t len, int flags)
{
    struct drive_ref r;
    ssize_t n = -1;
    pthread_mutex_lock(&d->lock);
    if (drive_ref_get(d, fd, &r)) {
        if (flags & ~(MSG_MORE | MSG_DONTWAIT | MSG_NOSIGNAL))
            drive_fail(EOPNOTSUPP);
        else if (!buf && len > 0)
            drive_fail(EFAULT);
        else
            n = transmit(d, &r, buf, len, flags);
    }
    pthread_mutex_unlock(&d->lock);
    return n;
}

DRIVE_EXPORT ssize_t drive_write(struct drive *d, int fd, const void *buf, size_t len)
{
    return drive_send(d, fd, buf, len, 0);
}

/* ---- ending ---- */

static int shut(struct drive *d, struct drive_sock *s, int how)
{
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
        return drive_fail(EINVAL);
    if (s->state != SOCK_CONNECTED)
        return drive_fail(ENOTCONN);
    if (how != SHUT_RD && !s->shut_wr) {
        (void)capy_stack_shutdown(d->stack, s->conn, drive_stack_now(d));
        s->shut_wr = true;
    }
    s->shut_rd = s->shut_rd || how != SHUT_WR;
    drive_settle(d);
    return 0;
}

DRIVE_EXPORT int drive_shutdown(struct drive *d, int fd, int how)
{
    struct drive_ref r;
    pthread_mutex_lock(&d->lock);
    int rc = drive_ref_get(d, fd, &r) ? shut(d, r.sock, how) : -1;
    pthread_mutex_unlock(&d->lock);
    return rc;
}

/* Our FIN, and so everything before it, was acknowledged. */
static bool all_acknowledged(struct drive *d, const struct drive_sock *s)
{
    struct capy_stack_conn_info info;
    if (s->state != SOCK_CONNECTED || capy_stack_conn_info(d->stack, s->conn, &info) != CAPY_OK)
        return true;
    return info.tcp.state == CAPY_TCP_FIN_WAIT_2 || info.tcp.state == CAPY_TCP_TIME_WAIT;
}

static void linger(struct drive *d, const struct drive_ref *r)
{
    struct drive_sock *s = r->sock;
    uint64_t until = d->now + CAPY_SEC((uint64_t)s->linger.l_linger);
    if (shut(d, s, SHUT_WR) != 0)
        return;
    while (drive_ref_ok(d, r) && !all_acknowledged(d, s))
        if (!drive_wait(d, until))
            break;
}

static void end_connection(struct drive *d, struct drive_sock *s, bool reset)
{
    if (reset)
        (void)capy_stack_abort(d->stack, s->conn, drive_stack_now(d));
    else
        (void)capy_stack_close(d->stack, s->conn, drive_stack_now(d));
    drive_sock_free(d, s);
}

static void end_listener(struct drive *d, struct drive_sock *s)
{
    struct drive_sock *queued;
    (void)capy_stack_unlisten(d->stack, s->port);
    while ((queued = drive_queue_head(d, s)) != NULL)
        end_connection(d, queued, true);
    drive_sock_free(d, s);
}

static int end_socket(struct drive *d, const struct drive_ref *r)
{
    struct drive_sock *s = r->sock;
    bool lingers = s->linger.l_onoff && s->state == SOCK_CONNECTED;
    if (lingers && s->linger.l_linger > 0)
        linger(d, r);
    if (!drive_ref_ok(d, r))
        return drive_fail(EBADF);
    bool reset = lingers && s->linger.l_linger == 0;
    if (s->state == SOCK_LISTENING)
        end_listener(d, s);
    else if (s->state == SOCK_CONNECTED)
        end_connection(d, s, reset);
    else if (s->state == SOCK_CONNECTING)
        end_connection(d, s, false);
    else
        drive_sock_free(d, s);
    drive_settle(d);
    return 0;
}

DRIVE_EXPORT int drive_close(struct drive *d, int fd)
{
    struct drive_ref r;
    pthread_mutex_lock(&d->lock);
    int rc = drive_ref_get(d, fd, &r) ? end_socket(d, &r) : -1;
    pthread_mutex_unlock(&d->lock);
    return rc;
}
