/* Descriptors, the sockets behind them, and what the stack's events mean to those. */
#include "drive/drive.h"

#include <errno.h>

struct drive_sock *drive_sock_of(struct drive *d, int fd)
{
    if (fd < DRIVE_FD_FIRST || (size_t)fd >= sizeof d->fds / sizeof *d->fds || d->fds[fd] < 0)
        return NULL;
    return &d->socks[d->fds[fd]];
}

bool drive_ref_get(struct drive *d, int fd, struct drive_ref *ref)
{
    struct drive_sock *s = drive_sock_of(d, fd);
    if (!s) {
        errno = EBADF;
        return false;
    }
    *ref = (struct drive_ref){fd, s, s->turn};
    return true;
}

bool drive_ref_ok(struct drive *d, const struct drive_ref *ref)
{
    const struct drive_sock *s = drive_sock_of(d, ref->fd);
    return s && s == ref->sock && s->turn == ref->turn;
}

struct drive_sock *drive_sock_take(struct drive *d)
{
    for (int i = 0; i < DRIVE_SOCKET_MAX; i++) {
        struct drive_sock *s = &d->socks[i];
        if (s->state != SOCK_FREE)
            continue;
        uint32_t turn = s->turn + 1;
        *s = (struct drive_sock){.state = SOCK_FRESH,
                                 .turn = turn,
                                 .conn = CAPY_HANDLE_NONE,
                                 .tuning = d->tuning,
                                 .listener = -1};
        return s;
    }
    return NULL;
}

void drive_sock_free(struct drive *d, struct drive_sock *s)
{
    for (size_t fd = 0; fd < sizeof d->fds / sizeof *d->fds; fd++)
        if (d->fds[fd] == s - d->socks)
            d->fds[fd] = -1;
    s->state = SOCK_FREE;
    s->turn++;
    pthread_cond_broadcast(&d->changed);
}

int drive_fd_give(struct drive *d, struct drive_sock *s)
{
    for (int fd = DRIVE_FD_FIRST; (size_t)fd < sizeof d->fds / sizeof *d->fds; fd++) {
        if (d->fds[fd] < 0) {
            d->fds[fd] = (int)(s - d->socks);
            return fd;
        }
    }
    return drive_fail(EMFILE);
}

uint64_t drive_user_of(const struct drive *d, const struct drive_sock *s)
{
    return (uint64_t)(s - d->socks) + 1; /* 0: nobody's */
}

struct drive_sock *drive_sock_of_user(struct drive *d, uint64_t user)
{
    return user >= 1 && user <= DRIVE_SOCKET_MAX ? &d->socks[user - 1] : NULL;
}

struct drive_sock *drive_queue_head(struct drive *d, const struct drive_sock *listener)
{
    struct drive_sock *head = NULL;
    for (int i = 0; i < DRIVE_SOCKET_MAX; i++) {
        struct drive_sock *s = &d->socks[i];
        if (s->state != SOCK_FREE && s->listener == listener - d->socks &&
            (!head || s->arrived < head->arrived))
            head = s;
    }
    return head;
}

int drive_take_error(struct drive_sock *s)
{
    int error = s->error;
    s->error = 0;
    return error;
}

/* ---- events ---- */

/* A place for a connection that a listener has; NULL: there is none, and it ends. */
static struct drive_sock *arrive(struct drive *d, struct drive_sock *listener, capy_handle conn)
{
    struct capy_stack_conn_info info;
    struct drive_sock *s = drive_sock_take(d);
    if (!s) {
        (void)capy_stack_abort(d->stack, conn, drive_stack_now(d));
        return NULL;
    }
    s->state = SOCK_CONNECTED;
    s->conn = conn;
    s->listener = (int)(listener - d->socks);
    s->arrived = d->arrivals++;
    s->port = listener->port;
    s->tuning = listener->tuning;
    s->linger = listener->linger;
    s->reuse_addr = listener->reuse_addr;
    if (capy_stack_conn_info(d->stack, conn, &info) == CAPY_OK)
        s->peer = (struct drive_name){info.key.client, info.key.client_port};
    (void)capy_stack_set_user(d->stack, conn, drive_user_of(d, s));
    return s;
}

static void die(struct drive_sock *s, uint32_t bits)
{
    bool connecting = s->state == SOCK_CONNECTING;
    if (bits & CAPY_EV_RESET)
        s->error = connecting ? ECONNREFUSED : ECONNRESET;
    if (bits & CAPY_EV_TIMED_OUT)
        s->error = bits & CAPY_EV_UNREACHABLE ? EHOSTUNREACH : ETIMEDOUT;
    s->state = connecting ? SOCK_FRESH : SOCK_DEAD;
    s->conn = CAPY_HANDLE_NONE;
}

void drive_events(struct drive *d)
{
    struct capy_stack_event ev;
    while (capy_stack_event(d->stack, &ev)) {
        struct drive_sock *s = drive_sock_of_user(d, ev.user);
        CAPY_ASSERT(s);
        if (ev.bits & CAPY_EV_ACCEPTED)
            s = arrive(d, s, ev.conn);
        if (!s)
            continue;
        if (ev.bits & CAPY_EV_CONNECTED)
            s->state = SOCK_CONNECTED;
        if (ev.bits & CAPY_EV_ANY_DEAD)
            die(s, ev.bits);
    }
}
