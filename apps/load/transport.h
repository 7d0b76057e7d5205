/* What the load travels on: connections, numbered from 0, as a table of functions. There are the
 * kernel's sockets (kernel.h), libcapy's own TCP (own.h), and what a test makes up, which has a clock of
 * its own as well. */
#ifndef CAPY_APPS_LOAD_TRANSPORT_H
#define CAPY_APPS_LOAD_TRANSPORT_H

#include "apps/common/endpoint.h"
#include "apps/load/failure.h"
#include <stddef.h>

enum load_event_kind {
    LOAD_EVENT_OPENED,
    LOAD_EVENT_READABLE, /* bytes, or the end of the stream: receive says which */
    LOAD_EVENT_WRITABLE, /* after a short send */
    LOAD_EVENT_FAILED,   /* .why; the caller closes */
    LOAD_EVENT_STOP,     /* SIGINT or SIGTERM; .conn means nothing */
};

struct load_event {
    uint32_t conn;
    enum load_event_kind kind;
    struct load_failure why;
};

struct load_transport;

struct load_transport_ops {
    /* Monotonic ns. */
    uint64_t (*now)(struct load_transport *t);
    /* Starts connecting: OPENED or FAILED follows. 0, or -1 with *why: failed already. */
    int (*open)(struct load_transport *t, uint32_t conn, const union capy_endpoint *to,
                struct load_failure *why);
    /* How many were taken, WRITABLE follows when not all; -1 with *why. */
    int64_t (*send)(struct load_transport *t, uint32_t conn, const void *data, uint32_t len,
                    struct load_failure *why);
    /* Copies what came; 0: nothing now, READABLE follows; -1 with *why, also at the stream's end. */
    int64_t (*receive)(struct load_transport *t, uint32_t conn, void *out, uint32_t len,
                       struct load_failure *why);
    /* Closes, if it is open; how many segments this side has retransmitted on it. */
    uint64_t (*close)(struct load_transport *t, uint32_t conn);
    /* Waits for events: how many, 0 after timeout_ns. */
    unsigned (*wait)(struct load_transport *t, struct load_event *out, unsigned max,
                     uint64_t timeout_ns);
    /* "10.99.0.101:40000", our end, to be found again in captures and directories; "?" if unknown. */
    void (*name)(struct load_transport *t, uint32_t conn, char *out, size_t len);
    void (*free)(struct load_transport *t);
};

struct load_transport { /* the first member of each */
    const struct load_transport_ops *ops;
    char detail[96]; /* for people */
};

#endif
