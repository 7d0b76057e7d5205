/* Moves many connections in the background, a window of migrations at a time, while the server goes
 * on serving: a drain (until nothing is left) or a number of moves. */
#ifndef CAPY_SOCK_MOVER_H
#define CAPY_SOCK_MOVER_H

#include <stdbool.h>
#include <stdint.h>

struct capy;

struct capy_mover {
    bool draining;
    uint32_t todo;                    /* single moves still to start */
    uint16_t target;                  /* of the single moves */
    uint32_t cursor;                  /* next queue to look at: round robin */
    uint32_t in_flight;               /* moves begun and not ended, by whoever */
    uint64_t started, moved, refused; /* since a drain or bulk move began at rest */
    uint32_t fruitless;               /* queues looked at since a move began */
    uint64_t rest_until;
    uint8_t reason, verdict; /* of the last refusal */
};

void capy_mover_drain(struct capy *os, bool draining);
/* Starts up to cnt moves, round robin, the rest as slots come free; adds to what is still to start.
 * How many began at once. */
uint32_t capy_mover_begin(struct capy *os, uint32_t cnt, uint16_t target);
/* Once per turn of the run loop: tops the window up. */
void capy_mover_step(struct capy *os);
uint64_t capy_mover_next_at(const struct capy *os);

#endif
