/* The library OS as its own files see it: one struct capy per program, one thread, plain fields.
 * The files beside this one each tell one part of it:
 *
 *   open.c     start and end                      queue.c    the table of queues, the ready list
 *   loop.c     capy_wait: the run loop            event.c    what the stack reports -> queues
 *   call.c     the application's calls            deliver.c  ready queues -> completions
 *   connect.c  connections that we open           alone.c    a host that is in no rack
 *   migrate.c  quiet points, ask and release      mover.c    drains and bulk moves; flight.h how many
 *                                                            at a time
 *   load.c     the load metric                    work.c     what each connection costs
 *   trigger.c  moves when there is too much of it decisions.c its record, for the control socket
 *   samples.c  marks on the steps of migrations   control.c  the control socket; command.c its
 *   ticks.c    the clock of these marks                      words
 *   watch.c    watched descriptors
 *   host.h     calls that change the stack        calls.h    their table; record.c records them
 *   config.c   the stack that a rack file asks for
 *
 * Memory: the stack's is one mapping, the queue table another; both sized at start. */
#ifndef CAPY_SOCK_OS_H
#define CAPY_SOCK_OS_H

#include "base/list.h"
#include "base/pool.h"
#include "base/spin.h"
#include "capy/capy.h"
#include "drv/drv.h"
#include "record/record.h"
#include "sock/config.h"
#include "sock/load.h"
#include "sock/mover.h"
#include "sock/samples.h"
#include "sock/trigger.h"
#include "sock/watch.h"
#include "sock/work.h"
#include "stack/stack.h"

/* Of conn_max: how many connections may wait for an accept at one listener. More would only wait
 * longer, in slots that those being served need. */
#define CAPY_ACCEPT_SHARE 8u
#define CAPY_BURST_OUT_MAX 4u /* bursts sent per turn: receiving must not starve */

/* Reasons for a queue to be on the ready list. */
enum capy_ready {
    CAPY_READY_ACCEPT = 1,
    CAPY_READY_POP = 2,
    CAPY_READY_PUSH = 4,
    CAPY_READY_CLOSED = 8,
    CAPY_READY_MIGRATE = 16,
    CAPY_READY_KEPT = 32,
    CAPY_READY_MIGRATED_OUT = 64,
    CAPY_READY_QUIET = 128, /* internal: asked to move, and quiet now: let go */
    CAPY_READY_CONNECT = 256,
};
#define CAPY_READY_ALL 511u

/* What a queue is, and what is outstanding on it. */
enum capy_queue_flag {
    CAPY_QUEUE_LISTENING = 1,
    CAPY_QUEUE_CONN = 2,
    CAPY_QUEUE_DEAD = 4,          /* the connection is over; its last completion is not yet taken */
    CAPY_QUEUE_BACKLOG = 8,       /* not accepted yet: on its listener's list */
    CAPY_QUEUE_CAME = 16,         /* arrived by migration */
    CAPY_QUEUE_ASKS = 32,         /* capy_ask_before_migration */
    CAPY_QUEUE_POP = 64,          /* a pop is outstanding */
    CAPY_QUEUE_PUSH = 128,        /* a push was short */
    CAPY_QUEUE_MOVING = 256,      /* capy_stack_migrate began and has not ended */
    CAPY_QUEUE_ASKED = 512,       /* granted: waits for release or veto */
    CAPY_QUEUE_FROZEN = 1024,     /* released: the stack ships it */
    CAPY_QUEUE_CLOSE_KEPT = 2048, /* frozen or suspended when closed: close if it stays */
    CAPY_QUEUE_ABORT_KEPT = 4096, /* likewise by reset */
    CAPY_QUEUE_RELEASED = 16384,  /* frozen by the application's own capy_release */
    CAPY_QUEUE_UNSENT = 32768,    /* the application holds the rest of an answer */
    CAPY_QUEUE_OPENED = 65536,    /* by capy_connect here */
    CAPY_QUEUE_OPENING = 131072,  /* ... and its CONNECT is not yet taken */
    CAPY_QUEUE_SHED = 262144,     /* the trigger moves it */
};

struct capy_queue {
    struct capy_link link; /* in the ready list, or in its listener's backlog */
    uint64_t user;
    uint64_t cool_until; /* arrived or was moved lately: the trigger leaves it alone until then */
    uint64_t retry_at;   /* refused lately: the mover leaves it alone until then */
    capy_handle conn;
    uint32_t beyond;                /* of the outstanding pop */
    uint32_t flags;                 /* enum capy_queue_flag */
    uint32_t work : CAPY_WORK_BITS; /* work.c */
    uint32_t work_epoch : CAPY_WORK_EPOCH_BITS;
    uint16_t generation;
    uint16_t ready;   /* enum capy_ready: on the ready list while not 0 */
    uint8_t listener; /* index in capy.listener */
    int8_t status;    /* of CLOSED */
    uint8_t in_hand;  /* requests counted as load */
    uint8_t behind;   /* of these, behind the one that is worked on */
};

struct capy_listener {
    uint32_t queue;           /* index; CAPY_NONE: free */
    uint16_t port;            /* 0: of connections that other servers opened (capy_arrivals) */
    uint32_t accepts;         /* outstanding */
    struct capy_list backlog; /* connections without an accept, oldest first */
    bool paused;              /* no more of them: the backlog is as long as it gets */
};

struct capy_control; /* control.h */
struct capy_kernel;  /* kernel/kernel.h */

typedef uint64_t capy_clock_fn(void *ctx);

struct capy {
    struct capy_rack rack;
    int self;   /* index in rack.server */
    bool alone; /* in no rack: rack is what alone.c made up */
    const char *label;
    struct capy_drv *drv;
    struct capy_stack *stack; /* host.h changes it; whoever only looks calls it */
    size_t stack_size;
    struct capy_kernel *kernel; /* whose sockets the connections are; NULL: they are our own */
    struct capy_host_seed seed;
    struct capy_record *record; /* NULL: none */
    capy_clock_fn *clock;
    void *clock_ctx;
    uint64_t now, opened_at;

    struct capy_queue *queues;
    size_t queues_size;
    unsigned qd_index_bits;
    struct capy_pool pool; /* of queues */
    struct capy_list ready;
    struct capy_listener listener[CAPY_LISTENER_MAX];
    uint32_t live_cnt; /* connection queues that are not dead */

    struct capy_spin spin;
    unsigned full_bursts; /* received in a row: more may wait in the ring */
    bool output_waits;    /* more than a turn may send, or the driver had no frame free */
    bool unflushed;       /* frames were submitted that the driver was not told of */
    bool interrupted;     /* a signal ended the sleep */
    unsigned spare_cnt;   /* empty frames reserved from the driver */
    struct capy_frame spare[CAPY_DRV_BURST];
    uint8_t *carry; /* application state on its way from one move to the next */

    struct capy_load load;
    struct capy_work work;
    struct capy_trigger trigger;
    struct capy_mover mover;
    struct capy_samples samples;
    struct capy_watch watch;
    struct capy_control *control; /* NULL: none */
};

/* Opens a library OS on a driver that is already there (tests, simulators): the rack is copied, the
 * driver is owned from the call on, also when it fails. server NULL: a host in no rack, which
 * capy_alone_read described. clock NULL: CLOCK_MONOTONIC. */
struct capy *capy_open_with(struct capy_drv *drv, const struct capy_rack *rack, const char *server,
                            capy_clock_fn *clock, void *clock_ctx, char *err, size_t err_len);

/* ---- alone.c ---- */
/* A host in no rack as a rack of one server, itself. CAPY_OK; CAPY_E_CONFIG with one line in err. */
int capy_alone_read(const struct capy_options *opt, struct capy_rack *rack, char *err,
                    size_t err_len);
/* It has the MAC of its device; on a TAP, whose own is the kernel's end's, one made of its IP. */
void capy_alone_take_mac(struct capy_rack *rack, const struct capy_drv *drv);

/* ---- queue.c ---- */
/* Sizes the table for conn_max connections; CAPY_OK or CAPY_E_NOMEM. */
int capy_queues_init(struct capy *os);
/* A queue's number is its index in the low bits and a generation above them, so that a number kept
 * after the queue's end names nothing, and not somebody else's queue. The index of the queue, if it
 * has all the flags in `kind`, or CAPY_NONE. */
uint32_t capy_queue_find(const struct capy *os, int qd, unsigned kind);
int capy_queue_number(const struct capy *os, uint32_t idx);
/* A new queue with these flags, or CAPY_NONE. */
uint32_t capy_queue_take(struct capy *os, unsigned flags);
/* Off every list, number retired. */
void capy_queue_give(struct capy *os, uint32_t idx);
void capy_queue_make_ready(struct capy *os, uint32_t idx, unsigned reasons);
void capy_queue_unready(struct capy *os, uint32_t idx, unsigned reasons);
/* Closes or resets its connection in the stack: CAPY_E_STATE while that must wait. */
int capy_queue_let_go(struct capy *os, uint32_t idx, bool reset);
/* The close or reset that had to wait: done now, and the queue with it, unless it must wait on. */
void capy_queue_leave_kept(struct capy *os, uint32_t idx);
/* The connection is over: `ready` is its last completion. A queue that the application does not
 * know, or no longer, goes at once. */
void capy_queue_end(struct capy *os, uint32_t idx, unsigned ready, int status);
/* Counts what the queue adds to the load, after anything that may change it. */
void capy_queue_weigh(struct capy *os, uint32_t idx);
/* cnt bytes were consumed and so many are left: those are as many requests as such ones fit in. */
#define CAPY_BEHIND_MAX 254u
void capy_queue_consumed(struct capy *os, uint32_t idx, uint32_t cnt, uint32_t left);

/* Its backlog changed: pauses it in the stack while that is full. */
void capy_listener_weigh(struct capy *os, struct capy_listener *l);

/* ---- call.c ---- */
/* The slot of the listener on port (0: capy_arrivals), or CAPY_LISTENER_MAX. */
uint32_t capy_listener_on(const struct capy *os, uint16_t port);

/* ---- event.c ---- */
void capy_take_events(struct capy *os);
/* Makes an outstanding pop ready if there is what it asked for. */
void capy_check_pop(struct capy *os, uint32_t idx);

/* ---- deliver.c ---- */
/* Up to max completions, oldest first; how many. */
int capy_deliver(struct capy *os, struct capy_done *done, int max);

/* ---- migrate.c ---- */
/* The switch granted a move of this queue. */
void capy_migrate_asked(struct capy *os, uint32_t idx);
/* Something changed: lets an asked queue go if this is its quiet point. */
void capy_migrate_if_quiet(struct capy *os, uint32_t idx);
/* The move ended here. False when the queue is gone: the application had closed it meanwhile. */
bool capy_migrate_kept(struct capy *os, uint32_t idx, uint8_t reason, uint8_t verdict);
/* Starts a move; what capy_stack_migrate says, or CAPY_E_AGAIN: an answer is not pushed whole.
 * target: a server id or CAPY_SERVER_ANY. */
int capy_migrate_queue(struct capy *os, uint32_t idx, uint16_t target);
/* True when tools may pick this queue for a move now. */
bool capy_migrate_can(const struct capy *os, uint32_t idx);

/* ---- loop.c ---- */
/* Sends what the stack has to send, a few bursts at most. True when there was something. */
bool capy_send(struct capy *os);

#endif
