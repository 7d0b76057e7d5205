/* A hierarchical timer wheel over indices (Varghese and Lauck 1987, scheme 7): arm, disarm and fire
 * in O(1), nine levels of 64 slots, ticks of 4 us, so that every 64-bit time has a place and
 * nothing is ever clamped. One entry per index.
 *
 * A timer fires at the first tick at or after its deadline: never early, at most one tick late.
 * Memory: carved once from the owner's arena. Called by the stack only. */
#ifndef CAPY_STACK_WHEEL_H
#define CAPY_STACK_WHEEL_H

#include "base/arena.h"
#include "base/bits.h"

#define CAPY_WHEEL_TICK_BITS 12u /* 4.096 us: well below every protocol interval */
#define CAPY_WHEEL_SLOT_BITS 6u
#define CAPY_WHEEL_SLOTS (1u << CAPY_WHEEL_SLOT_BITS)
#define CAPY_WHEEL_LEVELS 9u /* 9 * 6 + 12 bits >= 64: covers all of time */

struct capy_wheel_entry {
    uint64_t at;         /* deadline, ns; CAPY_NEVER when not armed */
    uint32_t prev, next; /* ring of the slot; slots are ring heads behind the last entry */
};

struct capy_wheel {
    struct capy_wheel_entry
        *entries; /* cnt entries, then LEVELS * SLOTS heads, then the due head */
    uint32_t cnt;
    uint64_t tick; /* everything up to and including this tick was looked at */
    uint64_t occupied[CAPY_WHEEL_LEVELS]; /* bit per slot that holds an entry */
};

/* Carves entries for indices 0..cnt-1, none armed. */
void capy_wheel_init(struct capy_wheel *w, struct capy_arena *a, uint32_t cnt, uint64_t now);
/* (Re)arms an index; CAPY_NEVER disarms. */
void capy_wheel_arm(struct capy_wheel *w, uint32_t idx, uint64_t at);
/* Takes one index out that is due at now; CAPY_NONE when none is (any more). */
uint32_t capy_wheel_due(struct capy_wheel *w, uint64_t now);
/* When capy_wheel_due may next have something: not after the earliest tick that fires, perhaps
 * before it (a coarse slot opens); CAPY_NEVER when nothing is armed. */
uint64_t capy_wheel_next_at(const struct capy_wheel *w);

static inline uint64_t capy_wheel_at(const struct capy_wheel *w, uint32_t idx)
{
    return w->entries[idx].at;
}

/* Arms an index for at, unless it fires before that anyway: for an owner that looks, when it fires, whether
 * anything is due, and arms it again. So a deadline that moves away, as most do, costs a compare. */
static inline void capy_wheel_hurry(struct capy_wheel *w, uint32_t idx, uint64_t at)
{
    if (at < w->entries[idx].at)
        capy_wheel_arm(w, idx, at);
}

#endif
