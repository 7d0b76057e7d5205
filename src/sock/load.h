/* The load metric of HEARTBEATs (paper §3.2) and the trigger that moves a connection away when it
 * is over the rack file's threshold (paper §3.3). */
#ifndef CAPY_SOCK_LOAD_H
#define CAPY_SOCK_LOAD_H

#include <stdbool.h>
#include <stdint.h>

struct capy;

/* A connection that arrived, or that somebody refused, is not picked again by the trigger for this
 * long: two loaded servers must not play ball with it. */
#define CAPY_LOAD_COOL_NS 100000000u
#define CAPY_LOAD_RECENT 256u /* power of two */

struct capy_load {
    uint32_t in_hand; /* queues with unread bytes or unsent answers, now */
    uint64_t smooth;  /* in_hand over the last LOAD_SMOOTH_NS, in 1/256 */
    uint64_t sampled_at;
    bool by_app;         /* capy_set_load was called: its value counts */
    uint32_t value;      /* what HEARTBEATs say */
    uint64_t over_since; /* CAPY_NEVER: not over the threshold */
    uint64_t moved_cnt;  /* connections that the trigger moved */
    uint32_t recent_next;
    struct capy_load_recent { /* a ring of what was last asked of us: for the trigger's choice */
        uint32_t queue;
        uint32_t bytes;
    } recent[CAPY_LOAD_RECENT];
};

void capy_load_init(struct capy *os);
/* Once per turn of the run loop. */
void capy_load_sample(struct capy *os);
/* A completion brought a queue this many unread bytes. */
void capy_load_note(struct capy *os, uint32_t queue, uint32_t bytes);
/* When the trigger may have to act; CAPY_NEVER: not by itself. */
uint64_t capy_load_next_at(const struct capy *os);

#endif
