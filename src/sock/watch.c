/* The one poll of the library OS; see watch.h. */
#define _GNU_SOURCE /* ppoll */
#include "sock/watch.h"
#include "sock/control.h"
#include "sock/os.h"
#include <errno.h>
#include <poll.h>
#include <time.h>

/* A busy loop looks at its other descriptors this often: half a microsecond each time. */
#define LOOK_NS CAPY_US(200)

int capy_watch_fd(struct capy *os, int fd)
{
    struct capy_watch *w = &os->watch;
    int wanted = fd >= 0 ? fd : -1 - fd;
    uint32_t i = 0;
    while (i < w->cnt && w->fds[i].fd != wanted)
        i++;
    if (fd < 0) {
        if (i == w->cnt)
            return CAPY_E_INVAL;
        w->fds[i] = w->fds[--w->cnt];
        return CAPY_OK;
    }
    if (i < w->cnt)
        return CAPY_E_INUSE;
    if (w->cnt == CAPY_WATCH_MAX)
        return CAPY_E_NOMEM;
    w->fds[w->cnt++] = (struct capy_watched){.fd = fd};
    return CAPY_OK;
}

bool capy_watch_due(const struct capy *os)
{
    bool any = os->control || os->watch.cnt > 0;
    return any && os->now - os->watch.looked_at >= LOOK_NS;
}

bool capy_watch_poll(struct capy *os, uint64_t timeout_ns)
{
    struct capy_watch *w = &os->watch;
    struct pollfd fds[1 + CAPY_CONTROL_FD_MAX + CAPY_WATCH_MAX];
    unsigned cnt = 0;
    int device = os->drv->ops->poll_fd(os->drv);
    if (timeout_ns > 0) {
        if (device < 0)
            return false; /* nothing would wake us when frames come: keep looking */
        fds[cnt++] = (struct pollfd){.fd = device, .events = POLLIN};
    }
    unsigned control_at = cnt;
    cnt += capy_control_fds(os->control, fds + cnt);
    unsigned watched_at = cnt;
    for (uint32_t i = 0; i < w->cnt; i++)
        fds[cnt++] = (struct pollfd){.fd = w->fds[i].fd, .events = POLLIN};
    struct timespec ts = {(time_t)(timeout_ns / CAPY_SEC(1)), (long)(timeout_ns % CAPY_SEC(1))};
    int n = ppoll(fds, cnt, timeout_ns == CAPY_NEVER ? NULL : &ts, NULL);
    w->looked_at = os->now;
    if (n < 0 && errno == EINTR)
        os->interrupted = true;
    if (n <= 0)
        return false;
    capy_control_serve(os, fds + control_at, watched_at - control_at);
    for (uint32_t i = 0; i < w->cnt; i++)
        w->fds[i].ready = fds[watched_at + i].revents != 0;
    return true;
}
