/* When requests are due. See arrivals.h. The unit-rate process is made first, as gaps; a gap is then
 * spent on the time line at whatever rate holds there, which is exact for every process and every change
 * of rate (Lewis and Shedler, 1979, by inversion). */
#include "apps/load/arrivals.h"

#include "base/assert.h"

#define NS_PER_S UINT64_C(1000000000)
#define LOG_BITS 32u
#define LN2_Q32 UINT64_C(2977044472) /* ln 2 in units of 2^-32 */

/* -log2(x / 2^64) in units of 2^-32, for x > 0: the integer part from the highest bit, then a bit of
 * the fraction for each squaring. */
static uint64_t minus_log2(uint64_t x)
{
    unsigned zeros = (unsigned)__builtin_clzll(x);
    uint64_t mantissa = x << zeros >> 32; /* in [1, 2), with 31 bits behind the point */
    uint64_t log = (uint64_t)(63 - zeros) << LOG_BITS;
    for (uint64_t bit = UINT64_C(1) << (LOG_BITS - 1); bit > 0; bit >>= 1) {
        mantissa = mantissa * mantissa >> 31;
        if (mantissa >> 32) {
            mantissa >>= 1;
            log |= bit;
        }
    }
    return (UINT64_C(64) << LOG_BITS) - log;
}

uint64_t load_exponential(struct capy_prng *rng)
{
    uint64_t u = capy_prng_next(rng) | 1; /* never 0, whose logarithm is infinite */
    uint64_t log2 = minus_log2(u) >> (LOG_BITS - LOAD_GAP_BITS);
    return log2 * LN2_Q32 >> 32;
}

void load_arrivals_init(struct load_arrivals *a, struct load_process process,
                        const struct load_rate *rate, unsigned cnt, uint64_t seed)
{
    CAPY_ASSERT(cnt >= 1 && cnt <= LOAD_PHASE_MAX && rate[0].from_ns == 0);
    *a = (struct load_arrivals){.process = process, .rate_cnt = cnt};
    for (unsigned i = 0; i < cnt; i++)
        a->rate[i] = rate[i];
    capy_prng_seed(&a->rng, seed);
}

static uint64_t phase_end(const struct load_arrivals *a)
{
    return a->phase + 1 < a->rate_cnt ? a->rate[a->phase + 1].from_ns : LOAD_NEVER;
}

/* The end of the stretch around at_ns in which the rate is the same; *peak: that rate. */
static uint64_t stretch_end(const struct load_arrivals *a, uint64_t *peak)
{
    uint64_t end = phase_end(a), period = a->process.burst_period_ns;
    *peak = a->rate[a->phase].per_second;
    if (period == 0 || *peak == 0)
        return end;
    uint64_t in_period = a->at_ns % period, on = period / a->process.burst_factor;
    bool is_on = in_period < on;
    uint64_t turn = a->at_ns - in_period + (is_on ? on : period);
    *peak = is_on ? *peak * a->process.burst_factor : 0;
    return turn < end ? turn : end;
}

uint64_t load_arrivals_next(struct load_arrivals *a)
{
    bool random = a->process.poisson || a->process.burst_period_ns > 0;
    uint64_t gap = random ? load_exponential(&a->rng) : UINT64_C(1) << LOAD_GAP_BITS;
    uint64_t owed = gap * NS_PER_S + a->carried; /* below 2^63: a gap is below 45 */
    for (;;) {
        uint64_t peak, end = stretch_end(a, &peak);
        uint64_t per_ns = peak << LOAD_GAP_BITS;
        if (per_ns > 0 && owed / per_ns < end - a->at_ns) {
            a->at_ns += owed / per_ns;
            a->carried = owed % per_ns;
            return a->at_ns;
        }
        if (end == LOAD_NEVER)
            return LOAD_NEVER;
        owed -= per_ns * (end - a->at_ns);
        a->at_ns = end;
        if (end == phase_end(a))
            a->phase++;
    }
}

uint64_t load_arrivals_pass(struct load_arrivals *a, uint64_t to_ns)
{
    uint64_t cnt = 0, rest = 0; /* rest: of requests, in 10^-9 */
    while (a->at_ns < to_ns) {
        uint64_t peak, end = stretch_end(a, &peak);
        uint64_t len = (end < to_ns ? end : to_ns) - a->at_ns;
        rest += peak * (len % NS_PER_S);
        cnt += peak * (len / NS_PER_S) + rest / NS_PER_S;
        rest %= NS_PER_S;
        a->at_ns += len;
        if (a->at_ns == phase_end(a))
            a->phase++;
    }
    return cnt;
}
