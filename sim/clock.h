/* A host's clock against the simulation's: it may have begun anywhere and run fast or slow. The
 * stacks only ever see their own. Header only; integers. */
#ifndef CAPY_SIM_CLOCK_H
#define CAPY_SIM_CLOCK_H

#include "base/bits.h"

struct sim_clock {
    uint64_t true_at, own_at; /* they agreed on this */
    int32_t drift_ppm;        /* own ns gained per million */
};

static inline uint64_t sim_clock_stretch(uint64_t ns, int64_t gain, int64_t per)
{
    int64_t whole = (int64_t)(ns / (uint64_t)per), rest = (int64_t)(ns % (uint64_t)per);
    return (uint64_t)((int64_t)ns + whole * gain + rest * gain / per);
}

/* What the clock shows. */
static inline uint64_t sim_clock_own(const struct sim_clock *c, uint64_t true_now)
{
    return c->own_at + sim_clock_stretch(true_now - c->true_at, c->drift_ppm, 1000000);
}

/* When the clock will show it at the earliest; CAPY_NEVER stays that. */
static inline uint64_t sim_clock_true(const struct sim_clock *c, uint64_t own)
{
    if (own == CAPY_NEVER || own <= c->own_at)
        return own == CAPY_NEVER ? CAPY_NEVER : c->true_at;
    uint64_t at = c->true_at + sim_clock_stretch(own - c->own_at, -(int64_t)c->drift_ppm,
                                                 1000000 + c->drift_ppm);
    while (at > c->true_at && sim_clock_own(c, at - 1) >= own)
        at--;
    while (sim_clock_own(c, at) < own)
        at++;
    return at;
}

#endif
