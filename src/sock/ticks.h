/* The clock of the host cost probe: the processor's time stamp counter where it runs at one rate
 * whatever the processor does (x86-64, CPUID "invariant TSC"), a few ns a reading; elsewhere
 * CLOCK_MONOTONIC itself. Readings become CLOCK_MONOTONIC nanoseconds by an anchor, a pair of both
 * clocks read at once, that is renewed now and then: so those of several processes of one machine
 * compare, and neither a rate measured roughly nor the kernel's slewing adds up. */
#ifndef CAPY_SOCK_TICKS_H
#define CAPY_SOCK_TICKS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

/* An anchor is good for this long: with a rate known to 100 ppm it is off by 100 ns at its end. */
#define CAPY_TICKS_ANCHOR_NS 1000000u

struct capy_ticks {
    bool counter;                     /* the time stamp counter; else ticks are nanoseconds */
    uint64_t first_ticks, first_ns;   /* the first anchor: the rate is measured from it on */
    uint64_t anchor_ticks, anchor_ns; /* the present one */
    uint64_t anchor_life;             /* ticks until the next */
    double ns_per_tick;
};

/* Takes about 2 ms where there is a counter to calibrate. */
void capy_ticks_init(struct capy_ticks *t);
const char *capy_ticks_name(const struct capy_ticks *t);

static inline uint64_t capy_ticks_read(const struct capy_ticks *t)
{
#if defined(__x86_64__)
    if (t->counter)
        return __rdtsc();
#endif
    (void)t;
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Renews the anchor when its time is over: call outside of what is measured. */
void capy_ticks_keep(struct capy_ticks *t);
/* Both clocks at one moment; the first call of all sets where the rate is measured from. */
void capy_ticks_anchor(struct capy_ticks *t, uint64_t ticks, uint64_t ns);
/* CLOCK_MONOTONIC at a reading near the anchor. */
uint64_t capy_ticks_at_ns(const struct capy_ticks *t, uint64_t ticks);
/* Nanoseconds of so many ticks. */
uint64_t capy_ticks_to_ns(const struct capy_ticks *t, uint64_t ticks);

#endif
