/* See ticks.h. */
#include "sock/ticks.h"
#include "base/bits.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* CPUID 8000_0007h, EDX bit 8: the counter's rate is constant in all P-, C- and T-states. */
#define CPUID_POWER 0x80000007u
#define INVARIANT_TSC (1u << 8)
/* Long enough for 100 ppm, with two readings within some 100 ns; a start is not held up by it. */
#define CALIBRATE_NS CAPY_MS(2)
/* Tries to read both clocks without an interruption between: the closest pair counts. */
#define PAIR_TRIES 4

static bool has_invariant_counter(void)
{
#if defined(__x86_64__)
    unsigned a, b, c, d;
    return __get_cpuid(CPUID_POWER, &a, &b, &c, &d) && (d & INVARIANT_TSC) != 0;
#else
    return false;
#endif
}

static uint64_t monotonic(void)
{
    const struct capy_ticks none = {.counter = false};
    return capy_ticks_read(&none);
}

static void take_anchor(struct capy_ticks *t)
{
    uint64_t ticks = 0, ns = 0, narrowest = UINT64_MAX;
    for (int i = 0; i < PAIR_TRIES; i++) {
        uint64_t before = capy_ticks_read(t), between = monotonic();
        uint64_t width = capy_ticks_read(t) - before;
        if (width >= narrowest)
            continue;
        narrowest = width;
        ticks = before + width / 2u;
        ns = between;
    }
    capy_ticks_anchor(t, ticks, ns);
}

void capy_ticks_init(struct capy_ticks *t)
{
    *t = (struct capy_ticks){.counter = has_invariant_counter(), .ns_per_tick = 1.0};
    if (!t->counter)
        return;
    take_anchor(t);
    while (monotonic() - t->first_ns < CALIBRATE_NS)
        ;
    take_anchor(t);
}

const char *capy_ticks_name(const struct capy_ticks *t)
{
    return t->counter ? "time stamp counter, anchored to CLOCK_MONOTONIC"
                      : "clock_gettime(CLOCK_MONOTONIC)";
}

void capy_ticks_keep(struct capy_ticks *t)
{
    if (t->counter && capy_ticks_read(t) - t->anchor_ticks >= t->anchor_life)
        take_anchor(t);
}

void capy_ticks_anchor(struct capy_ticks *t, uint64_t ticks, uint64_t ns)
{
    if (t->first_ticks == 0) {
        t->first_ticks = ticks;
        t->first_ns = ns;
    } else if (ticks > t->first_ticks && ns > t->first_ns) {
        t->ns_per_tick = (double)(ns - t->first_ns) / (double)(ticks - t->first_ticks);
    }
    t->anchor_ticks = ticks;
    t->anchor_ns = ns;
    t->anchor_life = (uint64_t)((double)CAPY_TICKS_ANCHOR_NS / t->ns_per_tick);
}

uint64_t capy_ticks_to_ns(const struct capy_ticks *t, uint64_t ticks)
{
    return t->counter ? (uint64_t)((double)ticks * t->ns_per_tick + 0.5) : ticks;
}

uint64_t capy_ticks_at_ns(const struct capy_ticks *t, uint64_t ticks)
{
    if (!t->counter)
        return ticks;
    return ticks >= t->anchor_ticks ? t->anchor_ns + capy_ticks_to_ns(t, ticks - t->anchor_ticks)
                                    : t->anchor_ns - capy_ticks_to_ns(t, t->anchor_ticks - ticks);
}
