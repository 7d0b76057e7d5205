/* Descriptors that the run loop watches for the application, and the one place that polls: the
 * device, the control socket and these in one call. */
#ifndef CAPY_SOCK_WATCH_H
#define CAPY_SOCK_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct capy;

#define CAPY_WATCH_MAX 32u

struct capy_watch {
    uint32_t cnt;
    uint64_t looked_at; /* last poll that did not block */
    struct capy_watched {
        int fd;
        bool ready;
    } fds[CAPY_WATCH_MAX];
};

/* Polls everything: for at most timeout_ns (0: just looks), the device only when it may block.
 * Serves the control socket. True when something was ready. */
bool capy_watch_poll(struct capy *os, uint64_t timeout_ns);
/* True when it is time for a look although the loop is busy. */
bool capy_watch_due(const struct capy *os);

#endif
