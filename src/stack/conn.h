/* One connection as the host keeps it: TCP's control block and everything the host needs beside it
 * to find it, feed it, time it, tell the application of it and move it. All of it lies in one
 * array; connections name each other by index. With its wheel entry, its pool link and its share of
 * the hash tables an idle connection takes at most 512 bytes (asserted in conn.c).
 *
 * Life of a slot in the array:
 *
 * (SUSPENDED is left out: RUNNING to it and back, or to ENDED.)
 *
 *   FREE --SYN, connect--> RUNNING <--resume-- FROZEN
 *    | \                    |   \--release------^ |
 *    |  PREPARE_MIG         | ended               | RELEASE (it lives elsewhere)
 *    |    v                 v                     v
 *    |  ARRIVING --import  ENDED <----------------+
 *    |    | drop    \-->RUNNING
 *    +<---+------------------ event taken, and no migration slot left */
#ifndef CAPY_STACK_CONN_H
#define CAPY_STACK_CONN_H

#include "base/list.h"
#include "stack/stack.h"
#include "tcp/tcp.h"

enum capy_conn_mode {
    CAPY_CONN_FREE,
    CAPY_CONN_RUNNING,
    CAPY_CONN_FROZEN,    /* leaving: the state is on its way; nothing is emitted */
    CAPY_CONN_SUSPENDED, /* we were silent beyond our lease: it may run elsewhere (announce.c) */
    CAPY_CONN_ARRIVING, /* only the place is taken; frames go to the migration slot's hold buffer */
    CAPY_CONN_ENDED,    /* TCP is done; waits for its last event to be taken, or its slot to end */
};

/* Which list holds `out`. */
enum capy_conn_out { CAPY_OUT_NONE, CAPY_OUT_READY, CAPY_OUT_WAITING };

/* Which list of age.c holds `event`, while the application does not know the connection. */
enum capy_age {
    CAPY_AGE_NONE,
    CAPY_AGE_HALF_OPEN,
    CAPY_AGE_ORPHAN, /* the application let go of it; it still closes */
    CAPY_AGE_TIME_WAIT,
    CAPY_AGE_CNT
};

enum { CAPY_INDEX_TUPLE, CAPY_INDEX_AWAY, CAPY_INDEX_CNT };

struct capy_conn {
    struct capy_tcp tcb;
    struct capy_ip remote;
    uint16_t remote_port, local_port;
    uint16_t home, home_port; /* home: server id; key.home = that server's address.
                                   CAPY_HOME_VIP: the service address */
    uint64_t user, user_flags;
    struct capy_stream app;      /* the application's bytes that move or moved with it */
    struct capy_link out;        /* ready to send, or waiting for a neighbour */
    struct capy_link event;      /* in the event queue while known, else in a list of age.c */
    struct capy_link epoch_link; /* all with epoch > 0: announced, or still to be */
    uint32_t chain[CAPY_INDEX_CNT];
    uint32_t slot;  /* of the migration under way (origin's, or target's while ARRIVING) */
    uint32_t epoch; /* 0: never migrated, and no connection of the service address */
    uint32_t app_len;
    uint16_t events;
    uint16_t gen;
    uint16_t listener; /* while half_open */
    uint8_t mode, out_list;
    uint8_t age;              /* enum capy_age */
    bool announced;           /* which of the two lists holds epoch_link */
    uint8_t reason, verdict;  /* of MIGRATE_KEPT */
    struct capy_mac next_hop; /* auto last hop: where the peer's last good segment came from */
    bool has_next_hop : 1;
    bool known : 1; /* the application has, or is about to get, the handle */
    bool event_queued : 1;
    bool want_write : 1; /* a write came back short: WRITABLE is promised */
    bool asked : 1;      /* MIGRATE_ASK is open */
    bool half_open : 1;  /* counts against its listener's backlog */
    bool opened : 1;     /* its home opened it: no listener is meant by home_port */
};

/* The bytes of an idle connection in every other table: wheel entry, pool link, hash buckets. */
#define CAPY_CONN_BESIDE (16u + 4u + 8u + 2u)

static inline bool capy_conn_synchronized(const struct capy_conn *c)
{
    return c->tcb.state >= CAPY_TCP_ESTABLISHED;
}

#endif
