/* poll: what of each socket would not wait. */
#include "drive/drive.h"

#include <errno.h>

static short connected(struct drive *d, const struct drive_sock *s)
{
    bool end;
    uint32_t avail = drive_readable(d, s, &end);
    int64_t room = capy_stack_room(d->stack, s->conn);
    int ready = 0;
    if (avail > 0 || end || s->shut_rd)
        ready |= POLLIN | POLLRDNORM;
    if (end || s->shut_rd)
        ready |= POLLRDHUP;
    if (s->shut_wr || room > 0)
        ready |= POLLOUT | POLLWRNORM;
    if (end && s->shut_wr)
        ready |= POLLHUP;
    return (short)ready;
}

static short ready_for(struct drive *d, int fd)
{
    const struct drive_sock *s = drive_sock_of(d, fd);
    if (!s)
        return POLLNVAL;
    int ready = s->error != 0 ? POLLERR : 0;
    switch (s->state) {
    case SOCK_LISTENING:
        ready |= drive_queue_head(d, s) ? POLLIN | POLLRDNORM : 0;
        break;
    case SOCK_CONNECTED:
        ready |= connected(d, s);
        break;
    case SOCK_FRESH:
        ready |= POLLOUT | POLLWRNORM | POLLHUP;
        break;
    case SOCK_DEAD:
        ready |= POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLRDHUP | POLLHUP;
        break;
    case SOCK_CONNECTING:
    case SOCK_FREE:
        break;
    }
    return (short)ready;
}

static int look(struct drive *d, struct pollfd *fds, nfds_t cnt)
{
    int ready = 0;
    for (nfds_t i = 0; i < cnt; i++) {
        fds[i].revents = 0;
        if (fds[i].fd >= 0) {
            int wanted = fds[i].events | POLLERR | POLLHUP | POLLNVAL;
            fds[i].revents = (short)(ready_for(d, fds[i].fd) & wanted);
        }
        ready += fds[i].revents != 0;
    }
    return ready;
}

DRIVE_EXPORT int drive_poll(struct drive *d, struct pollfd *fds, nfds_t cnt, int timeout_ms)
{
    int ready;
    if (!fds && cnt > 0)
        return drive_fail(EFAULT);
    pthread_mutex_lock(&d->lock);
    uint64_t until = timeout_ms < 0 ? CAPY_NEVER : d->now + CAPY_MS((uint64_t)timeout_ms);
    while ((ready = look(d, fds, cnt)) == 0)
        if (!drive_wait(d, until))
            break;
    pthread_mutex_unlock(&d->lock);
    return ready;
}
