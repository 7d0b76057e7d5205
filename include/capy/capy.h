/* libcapy: a library OS with a user-space TCP stack whose connections can move between servers.
 *
 * The shape is Demikernel's PDPIX (queues and completions), with a ready list instead of scanned
 * tokens. One thread per library OS. An operation either finishes at once or completes later through
 * capy_wait; a completion names its operation and its queue and carries the queue's user value.
 *
 *   struct capy *os = capy_open(&opt, err, sizeof err);
 *   int lq = capy_listen(os, 80);                 // a listening queue
 *   capy_accept(os, lq);                          // ask for the next connection
 *   n = capy_wait(os, done, 64, -1);              // completions
 *
 * Migration. A connection moves only at a quiet point: a pop is outstanding, so the application holds
 * no lent bytes, and everything it consumed it has answered. Hence the rule: consume a message only
 * once its answer is pushed. Unconsumed bytes, unsent bytes and every bit of TCP state move along.
 * That needs nothing of the application: a connection that arrives is one more ACCEPT completion.
 * An application with state of its own per connection calls capy_ask_before_migration on its
 * listening queue and then gets MIGRATE completions, where it attaches that state. */
#ifndef CAPY_CAPY_H
#define CAPY_CAPY_H

#include "capy/error.h"
#include "capy/option.h"
#include "capy/rack.h"

struct capy;

struct capy_options {
    const char *rack_file; /* path; NULL: a host that is in no rack, see below */
    const char *server;    /* our name in it */
    const char *driver;    /* NULL: as the rack file says */
    /* "capy", our own, or "linux": connections are sockets of the kernel, and move all the same
     * (docs/operating.md, "Members on kernel sockets"). NULL: as the rack file says */
    const char *stack;
    const char *capture; /* pcapng file to write every frame to, NULL for none */
    /* Everything that goes into the stack, to a file that `capy replay` reads; it holds the rack's key and
     * every byte received and sent. docs/operating.md, "Recording". NULL: nothing */
    const char *record;
    uint64_t record_mib; /* the recording ends at this size; 0: never */
    bool record_frames;  /* frames sent are recorded whole, and not only their hash */
    bool no_control;     /* true: no control socket at <run_dir>/<server>.sock */

    /* Without a rack file: the stack alone, for clients and for programs that want a user-space TCP
     * and nothing else. All calls below work but those that move connections (CAPY_E_STATE). */
    const char *device;  /* interface; its frames are ours while it is open */
    const char *address; /* "10.99.0.101/24", "fd00::65/64" */
    const char *gateway; /* NULL: none */
};

/* Starts a library OS: reads the rack file, opens the device, joins the rack (a host without one:
 * opens the device; there is no control socket). NULL with one line in
 * err that names the remedy; nothing is left half done. */
struct capy *capy_open(const struct capy_options *opt, char *err, size_t err_len);
/* Resets what is still open, closes the device and frees everything. */
void capy_close_os(struct capy *os);
/* The rack; of a host without one, a rack of itself alone. */
const struct capy_rack *capy_rack(const struct capy *os);
/* For people: driver and mode in use. */
const char *capy_driver(const struct capy *os);
/* Monotonic ns, as read at the last capy_wait: the time all calls act at. */
uint64_t capy_now(const struct capy *os);

enum capy_op {
    CAPY_OP_ACCEPT,  /* .accepted is the new queue; .migrated: it came from another server */
    CAPY_OP_CONNECT, /* .status OK: it is open; else the queue is gone: REFUSED (the peer said no),
                        RESET (right after it was open), TIMEOUT (nobody answered) */
    CAPY_OP_POP,     /* .data, .len lent; len 0 = the peer will send no more (end of stream) */
    CAPY_OP_PUSH,    /* room again after a short capy_push */
    CAPY_OP_CLOSED, /* the connection ended (.status: RESET, TIMEOUT, UNREACHABLE, or OK); the queue is gone */
    CAPY_OP_MIGRATE,      /* asked queues only: answer with capy_release or capy_veto */
    CAPY_OP_MIGRATE_KEPT, /* asked queues only: released, but the move fell through: carry on here,
                             with the state you had; outstanding pops are still outstanding */
    CAPY_OP_MIGRATED_OUT, /* it lives on another server; the queue is gone */
    CAPY_OP_FD,           /* a watched descriptor is ready (.accepted holds it) */
};

struct capy_done {
    enum capy_op op;
    int qd;
    int status; /* CAPY_OK or a negative code */
    int accepted;
    bool migrated;
    uint64_t user;       /* the queue's value, set by capy_set_user */
    const uint8_t *data; /* lent until the next capy_pop, capy_consume or capy_close of the queue */
    uint32_t len;        /* contiguous bytes lent */
    uint32_t avail;      /* all unread bytes; more than len when they lie in several pieces */
    bool fin;            /* POP: the peer's FIN is behind the avail bytes */
};

/* Waits until at least one completion is there, or timeout_ns passed (-1: for ever, 0: just look).
 * Returns how many were written to done (1..max); 0 when the time passed or a signal ended the sleep;
 * CAPY_E_INVAL (max < 1). Does all receiving and sending. */
int capy_wait(struct capy *os, struct capy_done *done, int max, int64_t timeout_ns);

/* A listening queue on port, on our address. qd, or CAPY_E_INUSE, CAPY_E_NOMEM, CAPY_E_INVAL. */
int capy_listen(struct capy *os, uint16_t port);
/* Asks for one connection; one ACCEPT completes it. CAPY_OK or CAPY_E_BADQD. */
int capy_accept(struct capy *os, int lqd);
/* Connections of this listening queue, or this connection that was opened here, ask by
 * CAPY_OP_MIGRATE before they move. */
int capy_ask_before_migration(struct capy *os, int qd);

/* One end of a connection. */
struct capy_address {
    uint8_t ip[16]; /* IPv4-mapped or IPv6 */
    uint16_t port;
};

/* Reads "10.99.0.11:80", "[fd00::b]:80", or an address alone, to which `port` is added then.
 * CAPY_OK or CAPY_E_FORMAT. */
int capy_address_parse(const char *text, uint16_t port, struct capy_address *out);
/* Opens a connection from an ephemeral port (RFC 6056). The queue's number at once; one CONNECT
 * completes it. Until then only settings (capy_set_user, capy_set_option, capy_ask_before_migration),
 * capy_close and capy_abort
 * may name it, all else is CAPY_E_STATE. CAPY_E_INVAL (port 0; no host's address, our own, or of an
 * IP version we have no address of), CAPY_E_UNREACHABLE (not on the link, and there is no gateway),
 * CAPY_E_NOMEM (conn_max, or no port free). */
int capy_connect(struct capy *os, const struct capy_address *to);
/* A listening queue for connections that other servers opened by capy_connect and that migrate
 * here: accepted as others are, with .migrated. The service of an accepted connection says which
 * application goes on with it; of an opened one the rack knows nothing, so an application that lets
 * its own connections move has this queue, on every server. Without it they stay where they were
 * opened. qd, CAPY_E_INUSE or CAPY_E_NOMEM. */
int capy_arrivals(struct capy *os);

/* The other end of a connection; of one that moved here, the same as before. CAPY_OK, or CAPY_E_BADQD
 * (no connection, or it has ended). */
int capy_peer(const struct capy *os, int qd, struct capy_address *out);

/* What has passed over a connection. */
struct capy_traffic {
    struct capy_address own;      /* our end, as it is now */
    uint64_t bytes_in, bytes_out; /* received in order, and acknowledged, wherever it ran */
    uint64_t retransmissions;     /* segments sent again, here */
    uint64_t rtt_ns;              /* smoothed round-trip time; 0: none measured yet */
};
/* CAPY_OK, or CAPY_E_BADQD (no connection, or it has ended). */
int capy_traffic(const struct capy *os, int qd, struct capy_traffic *out);

int capy_set_user(struct capy *os, int qd, uint64_t user);

/* Settings (capy/option.h) of a connection; or of a listening queue, for connections that are
 * opened from then on (those that arrive from other servers bring their own). CAPY_OK, CAPY_E_INVAL,
 * CAPY_E_STATE (also: on its way to another server), CAPY_E_BADQD. */
int capy_set_option(struct capy *os, int qd, enum capy_option option, uint64_t value);
int capy_get_option(struct capy *os, int qd, enum capy_option option, uint64_t *value);

/* Asks for bytes: completes when more than `beyond` unread bytes are there, or the stream ended.
 * (An application that needs more than it was shown pops again with beyond = avail.) */
int capy_pop(struct capy *os, int qd, uint32_t beyond);
/* Consumes n of the unread bytes. CAPY_OK, CAPY_E_INVAL (more than unread), CAPY_E_BADQD. */
int capy_consume(struct capy *os, int qd, uint32_t n);
/* Copies up to len unread bytes from skip on, over piece boundaries; how many, or CAPY_E_BADQD. */
int64_t capy_peek(struct capy *os, int qd, uint32_t skip, void *out, uint32_t len);
/* Queues bytes for sending (copied): how many were taken, 0..len, or a negative code. After a short
 * count one PUSH completes when there is room (or MIGRATED_OUT: then they were not taken at all). */
int64_t capy_push(struct capy *os, int qd, const void *data, uint32_t len);
/* The same, and more will be pushed at once: what does not fill a segment waits for it, no longer
 * than with CAPY_OPTION_CORK. */
int64_t capy_push_more(struct capy *os, int qd, const void *data, uint32_t len);
/* Orderly: what was pushed is still delivered. The queue is gone at once; no CLOSED follows. A
 * connection that is on its way to another server is closed only if it stays. */
int capy_close(struct capy *os, int qd);
/* Reset. */
int capy_abort(struct capy *os, int qd);

/* Answers MIGRATE: let go, with len bytes (at most 64 KiB) of the application's state.
 * MIGRATED_OUT or MIGRATE_KEPT follows. CAPY_E_STATE: not asked, or the ask is over, and nothing has
 * changed; CAPY_E_INVAL (len); CAPY_E_NOMEM (no buffers for the state); CAPY_E_BADQD. */
int capy_release(struct capy *os, int qd, const void *state, uint32_t len);
/* Answers MIGRATE: not now; the connection stays. No completion follows. */
int capy_veto(struct capy *os, int qd);
/* The state that came with a migrated queue: copies up to cap bytes, returns its whole length, and
 * forgets it once copied whole. 0: none. */
int64_t capy_migrated_state(struct capy *os, int qd, void *out, uint32_t cap);
/* Starts moving a connection to the server named so, or to the least-loaded one (NULL). CAPY_OK: it
 * goes on here until MIGRATED_OUT. CAPY_E_BADQD; CAPY_E_INVAL (no such server, or this one);
 * CAPY_E_STATE (not open, or moving already); CAPY_E_AGAIN (a push was short and its rest is not
 * pushed yet); CAPY_E_NOMEM (the rack file's migrate_max). */
int capy_migrate(struct capy *os, int qd, const char *server);

/* The workload metric for HEARTBEATs (paper §3.2). The default is requests in hand: queues with
 * unread bytes or unsent answers. Once set by the application, its word counts. */
void capy_set_load(struct capy *os, uint32_t load);
/* What `capy ctl` shows as "app" of this server: a static string of one line, or NULL. */
void capy_set_label(struct capy *os, const char *label);

/* Completes with CAPY_OP_FD while fd is readable; -1 - fd stops watching. A busy loop looks five
 * thousand times a second, a sleeping one wakes. CAPY_OK, CAPY_E_INUSE (watched already),
 * CAPY_E_NOMEM (32 are watched), CAPY_E_INVAL (not watched). */
int capy_watch_fd(struct capy *os, int fd);

#endif
