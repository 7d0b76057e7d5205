/* How long a run loop that finds nothing to do looks again before it sleeps. To wake takes tens of
 * microseconds, several times what a request on a fast link does; so whoever sleeps between two frames
 * of a conversation slows it down, and the other programs on its way then sleep, too. To look again
 * for ever costs a core. So: as long as the pauses between frames have been of late, within bounds.
 *
 * A pause that a longer look would have bridged makes the next look long enough for it; one that no
 * look would have bridged makes it half as long, so that a hiccup is forgiven and sparse traffic costs
 * `least_ns` per frame.
 *
 * Between two looks the loop yields the core: programs may be more than cores. When it gets it back
 * late, somebody computes there, and a scheduler gives whoever yields his turn only after that: who
 * sleeps instead is woken ahead of it. So then it does, for as much longer as it was kept waiting. Time
 * comes in; one per loop. */
#ifndef CAPY_BASE_SPIN_H
#define CAPY_BASE_SPIN_H

#include "base/bits.h"
#include <stdbool.h>

/* The longest look, in least ones: the round trip of a conversation whose ends wake up for each frame
 * is twice to three times the usual least of 50 us. */
#define CAPY_SPIN_GROWTH 4u
/* Programs like ours have the core for less; who computes, for a slice of milliseconds. */
#define CAPY_SPIN_LATE_NS CAPY_US(500)
/* So often as long there are no looks: waiting for the core takes a hundredth of the time. */
#define CAPY_SPIN_PENANCE 100u

struct capy_spin {
    uint64_t least_ns; /* 0: never look again */
    uint64_t look_ns;  /* this time: least_ns .. CAPY_SPIN_GROWTH * least_ns */
    uint64_t worked_at;
    uint64_t looked_at;    /* and yielded; 0: it did not, since the clock was read last */
    uint64_t sleeps_until; /* the core is wanted by others */
};

static inline void capy_spin_init(struct capy_spin *s, uint64_t least_ns, uint64_t now)
{
    *s = (struct capy_spin){.least_ns = least_ns, .look_ns = least_ns, .worked_at = now};
}

/* The loop goes on, at now. */
static inline void capy_spin_back(struct capy_spin *s, uint64_t now)
{
    uint64_t away_ns = s->looked_at == 0 ? 0 : now - s->looked_at;
    s->looked_at = 0;
    if (away_ns >= CAPY_SPIN_LATE_NS)
        s->sleeps_until = now + CAPY_SPIN_PENANCE * away_ns;
}

/* There was something to do at now. */
static inline void capy_spin_worked(struct capy_spin *s, uint64_t now)
{
    uint64_t pause = now - s->worked_at, most_ns = CAPY_SPIN_GROWTH * s->least_ns;
    if (pause > most_ns)
        s->look_ns = capy_max64(s->look_ns / 2, s->least_ns);
    else if (pause > s->look_ns)
        s->look_ns = capy_min64(pause + pause / 2, most_ns);
    s->worked_at = now;
}

/* There is nothing to do at now. True: yield, read the clock, and look again; false: sleep. */
static inline bool capy_spin_wanted(struct capy_spin *s, uint64_t now)
{
    bool wanted = now - s->worked_at < s->look_ns && now >= s->sleeps_until;
    s->looked_at = wanted ? now : 0;
    return wanted;
}

#endif
