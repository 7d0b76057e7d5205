/* What each connection costs this server: the time of its core, halved every 67 ms, so that the last
 * tenth of a second counts. An application's time between two capy_wait is charged to the connections
 * that it answered in it. Kept in four bytes of a queue, and only when the rack has a trigger. */
#ifndef CAPY_SOCK_WORK_H
#define CAPY_SOCK_WORK_H

#include <stdbool.h>
#include <stdint.h>

struct capy;

#define CAPY_WORK_RECENT 256u      /* power of two */
#define CAPY_WORK_SHARE_ONE 65536u /* a share of all */
#define CAPY_WORK_BITS 21u         /* of a queue's account: in units of 64 ns */
#define CAPY_WORK_EPOCH_BITS 11u   /* and the time it was last changed */

struct capy_work {
    bool on;
    uint64_t total; /* of all connections, those that have left since included */
    uint64_t epoch;
    uint32_t turn_cnt; /* connections answered since the last capy_wait */
    uint32_t
        recent_next; /* a ring of the queues that were answered last: the trigger's candidates */
    uint32_t recent[CAPY_WORK_RECENT];
};

/* The application did something for this queue: consumed bytes, or pushed some. */
void capy_work_note(struct capy *os, uint32_t queue);
/* At the begin of capy_wait: what was noted since the last one took so long. */
void capy_work_charge(struct capy *os, uint64_t ns);
/* The part of a queue in all that is done here, 0..CAPY_WORK_SHARE_ONE. */
uint32_t capy_work_share(const struct capy *os, uint32_t queue);

#endif
