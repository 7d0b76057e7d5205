/* Moves many connections in the background, a window of migrations at a time (flight.h), while the
 * server goes on serving: a drain (until nothing is left) or a number of moves. */
#ifndef CAPY_SOCK_MOVER_H
#define CAPY_SOCK_MOVER_H

#include "base/arena.h"
#include "sock/flight.h"
#include <stdbool.h>
#include <stdint.h>

struct capy;

struct capy_mover {
    bool draining;
    uint32_t todo;                    /* single moves still to start */
    uint16_t target;                  /* of the single moves */
    uint64_t *live;                   /* a bit per queue: it has a connection */
    uint32_t cursor;                  /* next queue to look at: round robin */
    uint32_t in_flight;               /* moves begun and not ended, by whoever */
    struct capy_flight flight;        /* how many may be */
    uint64_t lost;                    /* messages of moves, when last looked */
    uint64_t started, moved, refused; /* since a drain or bulk move began at rest */
    uint64_t began_at, moved_at;      /* that was, and the last that moved did so */
    uint32_t fruitless;               /* connections looked at since a move began */
    uint64_t rest_until;
    uint8_t reason, verdict; /* of the last refusal */
};

/* Room for a bit of each of cnt queues. */
void capy_mover_carve(struct capy_mover *m, struct capy_arena *a, uint32_t cnt);
void capy_mover_drain(struct capy *os, bool draining);
/* Starts up to cnt moves, round robin, the rest as slots come free; adds to what is still to start.
 * How many began at once. */
uint32_t capy_mover_begin(struct capy *os, uint32_t cnt, uint16_t target);
/* Once per turn of the run loop: tops the window up. */
void capy_mover_step(struct capy *os);
uint64_t capy_mover_next_at(const struct capy *os);

/* A queue has a connection, or no longer. */
void capy_mover_add(struct capy *os, uint32_t idx);
void capy_mover_remove(struct capy *os, uint32_t idx);
/* A move ended, whoever began it: well, and in_flight still has it; or not. */
void capy_mover_moved(struct capy *os);
void capy_mover_refused(struct capy *os, uint8_t reason, uint8_t verdict);

#endif
