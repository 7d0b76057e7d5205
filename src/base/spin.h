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
 * sleeps instead is woken ahead of it. So then it does: for as long as it was kept waiting, and for
 * twice as many times that whenever it is kept waiting soon again. Something that happens now and then
 * on an idle machine costs a conversation milliseconds; beside a computation nearly all is slept. Time
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
/* He sleeps 1, 2, 4 ... 128 times what he waited: beside a computation about a hundredth of the time goes
 * by in waiting. Late again within the longest of these doubles it; each time as long without halves it. */
#define CAPY_SPIN_DOUBLED_MAX 7u

struct capy_spin {
    uint64_t least_ns; /* 0: never look again */
    uint64_t look_ns;  /* this time: least_ns .. CAPY_SPIN_GROWTH * least_ns */
    uint64_t worked_at;
    uint64_t looked_at;    /* and yielded; 0: it did not, since the clock was read last */
    uint64_t sleeps_until; /* the core is wanted by others */
    uint64_t late_at;
    uint64_t again_ns; /* so soon after late_at is soon again */
    uint32_t doubled;  /* how often, what it sleeps when late */
};

static inline void capy_spin_init(struct capy_spin *s, uint64_t least_ns, uint64_t now)
{
    *s = (struct capy_spin){.least_ns = least_ns, .look_ns = least_ns, .worked_at = now};
}

/* The core came back at now, after away_ns. */
static inline void capy_spin_late(struct capy_spin *s, uint64_t now, uint64_t away_ns)
{
    uint64_t since = now - s->late_at;
    if (since < s->again_ns)
        s->doubled = (uint32_t)capy_min64(s->doubled + 1, CAPY_SPIN_DOUBLED_MAX);
    else if (s->doubled)
        s->doubled -= (uint32_t)capy_min64(s->doubled, since / s->again_ns);
    s->sleeps_until = now + (away_ns << s->doubled);
    s->late_at = now;
    s->again_ns = away_ns << CAPY_SPIN_DOUBLED_MAX;
}

/* The loop goes on, at now. */
static inline void capy_spin_back(struct capy_spin *s, uint64_t now)
{
    uint64_t away_ns = s->looked_at == 0 ? 0 : now - s->looked_at;
    s->looked_at = 0;
    if (away_ns >= CAPY_SPIN_LATE_NS)
        capy_spin_late(s, now, away_ns);
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
