/* The inside of struct drive, shared by the files of this folder: create.c options and memory;
 * wire.c packets and time; table.c descriptors and events; name.c addresses; open.c how connections
 * begin; data.c how bytes go and connections end; poll.c; option.c socket options, setting.c those of them that
 * the stack keeps; migrate.c.
 *
 * One lock around everything. A function whose name ends in nothing special expects it to be held;
 * the public drive_* calls take it. */
#ifndef CAPY_DRIVE_DRIVE_H
#define CAPY_DRIVE_DRIVE_H

#include "capy/drive.h"
#include "stack/stack.h"
#include "tcp/tuning.h"

#include <pthread.h>

#define DRIVE_EXPORT __attribute__((visibility("default")))

/* Descriptors 0, 1 and 2 look like something else to whoever reads a log. */
#define DRIVE_FD_FIRST 3
/* The stack's clock when ours says 0: ages of things that never happened are positive. */
#define DRIVE_EPOCH_NS CAPY_SEC(64)
/* The stack's timers act at ticks of this many ns: it is shown no time between them. */
#define DRIVE_GRAIN_NS (UINT64_C(1) << 12)

enum drive_sock_state {
    SOCK_FREE,
    SOCK_FRESH, /* no connection, or none any more that may be opened again */
    SOCK_LISTENING,
    SOCK_CONNECTING,
    SOCK_CONNECTED,
    SOCK_DEAD, /* the connection is over */
};

struct drive_name {
    struct capy_ip ip;
    uint16_t port;
};

struct drive_sock {
    enum drive_sock_state state;
    uint32_t turn;    /* counts the lives of this place */
    capy_handle conn; /* CONNECTING, CONNECTED */
    uint16_t port;    /* local, 0: not bound */
    struct drive_name peer;
    int error; /* pending, to be told once (SO_ERROR) */
    bool nonblock, reuse_addr;
    bool shut_rd, shut_wr;
    struct linger linger;
    int listener;                  /* while nobody accepted it: its listener, else -1 */
    uint64_t arrived;              /* its place in that queue */
    struct capy_tcp_tuning tuning; /* that a connection of this socket begins with */
};

/* A packet that was sent and not sniffed yet. */
struct drive_packet {
    struct drive_packet *next;
    uint64_t at;
    size_t len;
    uint8_t data[];
};

struct drive {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* anything that a blocked call may wait for */
    struct capy_stack_cfg cfg;
    struct capy_tcp_tuning tuning; /* of fresh sockets */
    bool self_clocked;
    int family; /* AF_INET or AF_INET6 */
    void *mem;
    struct capy_stack *stack;
    uint64_t now;
    uint64_t arrivals;
    uint16_t next_port;
    struct drive_packet *first, **last;
    int fds[DRIVE_SOCKET_MAX + DRIVE_FD_FIRST]; /* index in socks, -1: free */
    struct drive_sock socks[DRIVE_SOCKET_MAX];
};

/* errno and -1 */
int drive_fail(int error);
/* create.c: a stack as configured; false: no memory. */
bool drive_new_stack(struct drive *d, void **mem, struct capy_stack **stack);
void drive_free_stack(const struct drive *d, void *mem);

/* ---- wire.c ---- */
/* The time that the stack is shown. */
uint64_t drive_stack_now(const struct drive *d);
/* After anything: events to sockets, frames to the packets that can be sniffed; wakes who waits. */
void drive_settle(struct drive *d);
/* Moves on to the stack's next timer, but not beyond until. False: none before that; now is
 * until then, unless that is DRIVE_FOREVER. */
bool drive_advance(struct drive *d, uint64_t until);
/* A blocking call waits for something to happen, at most until then (CAPY_NEVER: for ever). False:
 * that time has come. */
bool drive_wait(struct drive *d, uint64_t until);

/* ---- table.c ---- */
struct drive_sock *drive_sock_of(struct drive *d, int fd);
/* The socket a call waits with. */
struct drive_ref {
    int fd;
    struct drive_sock *sock;
    uint32_t turn;
};
/* False: errno is EBADF. */
bool drive_ref_get(struct drive *d, int fd, struct drive_ref *ref);
/* It is still what the descriptor names. */
bool drive_ref_ok(struct drive *d, const struct drive_ref *ref);
/* A free place, state FRESH; NULL: all are taken. */
struct drive_sock *drive_sock_take(struct drive *d);
void drive_sock_free(struct drive *d, struct drive_sock *s);
/* The lowest free descriptor, or -1 and EMFILE. */
int drive_fd_give(struct drive *d, struct drive_sock *s);
void drive_events(struct drive *d);
/* The stack's user value of a connection of this socket, and back. */
uint64_t drive_user_of(const struct drive *d, const struct drive_sock *s);
struct drive_sock *drive_sock_of_user(struct drive *d, uint64_t user);
/* The oldest connection of a listener that nobody accepted; NULL: none. */
struct drive_sock *drive_queue_head(struct drive *d, const struct drive_sock *listener);
/* Takes the pending error: it is told once. */
int drive_take_error(struct drive_sock *s);

/* ---- name.c ---- */
/* Fails with EINVAL, EAFNOSUPPORT. */
int drive_name_read(const struct drive *d, const struct sockaddr *addr, socklen_t len,
                    struct drive_name *out);
/* addr may be NULL: nothing is wanted. */
int drive_name_write(const struct drive *d, const struct drive_name *name, struct sockaddr *addr,
                     socklen_t *len);
/* The address that names none: INADDR_ANY. */
struct capy_ip drive_any(const struct drive *d);

/* ---- setting.c ---- */
/* Socket options that are one number of the stack's: is this one of them? Set, it must be: 0, or -1
 * with errno. Get: false when it is none. */
bool drive_setting_known(int level, int name);
int drive_setting_set(struct drive *d, struct drive_sock *s, int level, int name, int value);
bool drive_setting_get(struct drive *d, const struct drive_sock *s, int level, int name,
                       int *value);
/* Gives a fresh connection, or a fresh listener, all settings of its socket. */
void drive_settings_apply(struct drive *d, const struct drive_sock *s);
/* enum capy_tcp_congestion, negative: nobody is called so. */
int drive_congestion(const char *name);
const char *drive_congestion_get(struct drive *d, const struct drive_sock *s);
/* Fails with ENOENT. */
int drive_congestion_set(struct drive *d, struct drive_sock *s, const char *name);

/* ---- data.c ---- */
/* Bytes to read without waiting; *end: none will come behind them. */
uint32_t drive_readable(struct drive *d, const struct drive_sock *s, bool *end);

#endif
