/* What the Linux kernel offers for the same: a connection of its own leaves one socket and goes on in
 * another by TCP_REPAIR, on loopback, by the code of servers on kernel sockets (src/kernel/repair.h). Only
 * the system calls are in the figures: no protocol between two machines, no switch. That favours the
 * kernel; so what four messages over UDP would cost it is measured beside. */
#ifndef CAPY_BENCH_REPAIR_H
#define CAPY_BENCH_REPAIR_H

#include <stdbool.h>
#include <stdint.h>

enum repair_step {
    REPAIR_EXPORT, /* TCP_REPAIR on; options, sequence numbers, window, queues read */
    REPAIR_CLOSE,  /* the old socket goes, silently */
    REPAIR_IMPORT, /* a new one is bound, connected and told all of it; TCP_REPAIR off */
    REPAIR_STEP_CNT
};

struct repair {
    int client, server;
    int talk[2]; /* two servers' sockets for messages */
};

/* False, and why in one line, where the kernel or our rights do not allow it. */
bool repair_open(struct repair *r, const char **why);
void repair_close(struct repair *r);
/* Moves the server's end to a new socket: ticks (wire.h) of each step. Then both ends say 64 bytes
 * (asserted), out of the figures. cold: both servers' caches are (cold.h). */
void repair_once(struct repair *r, uint64_t ticks[REPAIR_STEP_CNT], bool cold);

/* The messages that two servers would exchange about it, as many and as long as ours, sent and received:
 * ticks. */
uint64_t repair_messages(struct repair *r, bool cold);

#endif
