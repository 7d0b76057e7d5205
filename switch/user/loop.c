/* The run loop: rounds over all ports while frames come, then a short spin (base/spin.h), then sleep in poll
 * until a frame, a deadline, a request or a signal. The clock is read once per round. A machine
 * with fewer cores than programs is the normal case here, so an empty round yields the core. */
#define _GNU_SOURCE /* ppoll */
#include "base/spin.h"
#include "switch/user/record.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

/* Requests and signals while frames keep coming: looked at this often, not every round. */
#define LOOK_ASIDE_NS CAPY_MS(1)
/* A deadline nearer than this would be overslept: poll's own slack is as much. */
#define SLEEP_MIN_NS CAPY_US(50)

uint64_t program_clock(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return CAPY_SEC(ts.tv_sec) + (uint64_t)ts.tv_nsec;
}

bool program_told_to_stop(const struct program *p)
{
    struct signalfd_siginfo info;
    return read(p->signal_fd, &info, sizeof info) == sizeof info;
}

/* One round: everything received goes through the plane and out. How many frames moved. */
static unsigned round_over_ports(struct program *p)
{
    unsigned cnt = 0;
    p->now = program_clock();
    for (uint16_t i = 0; i < p->port_cnt; i++)
        cnt += port_receive(p, i);
    ports_flush(p);
    return cnt;
}

/* Sleeps until something is there or `until`. *aside: a signal or a request is. CAPY_OK or
 * CAPY_E_SYS. */
static int sleep_until(struct program *p, uint64_t until, bool *aside)
{
    struct pollfd fds[CAPY_SWITCH_PORT_MAX + 1 + CONTROL_POLL_MAX];
    nfds_t cnt = 0;
    for (unsigned i = 0; i < p->port_cnt; i++) {
        struct capy_drv *drv = p->port[i].drv;
        fds[cnt++] = (struct pollfd){.fd = drv->ops->poll_fd(drv), .events = POLLIN};
    }
    fds[cnt++] = (struct pollfd){.fd = p->signal_fd, .events = POLLIN};
    cnt += control_poll(&p->control, fds + cnt);

    uint64_t wait = until > p->now ? until - p->now : 0;
    const struct timespec ts = {.tv_sec = (time_t)(wait / CAPY_SEC(1)),
                                .tv_nsec = (long)(wait % CAPY_SEC(1))};
    int rc = ppoll(fds, cnt, until == CAPY_NEVER ? NULL : &ts, NULL);
    for (nfds_t i = p->port_cnt; i < cnt && rc > 0; i++)
        *aside = *aside || fds[i].revents != 0;
    return rc < 0 && errno != EINTR ? CAPY_E_SYS : CAPY_OK;
}

int program_loop(struct program *p)
{
    uint64_t aside_at = 0, expire_at = p->cable_cnt ? CAPY_NEVER : 0;
    struct capy_spin spin;
    bool aside = false, slept = false;
    int rc = CAPY_OK;
    capy_spin_init(&spin, CAPY_US(p->rack.spin_us), program_clock());
    while (rc == CAPY_OK) {
        bool moved = round_over_ports(p) > 0;
        capy_spin_back(&spin, p->now);
        if (moved)
            capy_spin_worked(&spin, p->now);
        if (p->now >= expire_at)
            expire_at = plane_expire(p, p->now);
        if (aside || (!slept && p->now >= aside_at)) {
            aside = false;
            aside_at = p->now + LOOK_ASIDE_NS;
            if (program_told_to_stop(p))
                break;
            control_serve(p);
        }
        slept = false;
        if (moved)
            continue;
        uint64_t wake_at = capy_min64(expire_at, ports_due_at(p));
        if (capy_spin_wanted(&spin, p->now) || wake_at < p->now + SLEEP_MIN_NS) {
            sched_yield();
        } else {
            capy_record_rest(p->record, p->now, wake_at);
            rc = sleep_until(p, wake_at, &aside);
            slept = true;
        }
    }
    return rc;
}
