/* The load metric of HEARTBEATs (paper §3.2): requests in hand, averaged over time. Two averages of
 * the same thing: one over the time between HEARTBEATs, which others see, and a quicker one, by which
 * the trigger (trigger.h) judges this server. */
#ifndef CAPY_SOCK_LOAD_H
#define CAPY_SOCK_LOAD_H

#include <stdbool.h>
#include <stdint.h>

struct capy;

#define CAPY_LOAD_ONE 256u /* one request in hand, in the averages */

/* An exponential average by elapsed time. The area under in_hand is summed exactly and folded into
 * the value a few times per span, for turns of the run loop are far too short to round one by one. */
struct capy_load_mean {
    uint64_t span_ns;
    uint64_t value, area; /* in 1/CAPY_LOAD_ONE */
    uint64_t from;        /* of the area */
};

struct capy_load {
    uint32_t in_hand;    /* queues with unread bytes or unsent answers, now */
    uint32_t held;       /* in_hand since sampled_at, until the application acted */
    uint64_t sampled_at; /* a turn's time */
    struct capy_load_mean shown, own;
    bool by_app;    /* capy_set_load was called: its value counts */
    uint32_t value; /* what HEARTBEATs say */
};

void capy_load_init(struct capy *os);
/* Once per turn of the run loop. */
void capy_load_sample(struct capy *os);
/* What the trigger goes by, in 1/CAPY_LOAD_ONE. */
uint64_t capy_load_own(const struct capy *os);

#endif
