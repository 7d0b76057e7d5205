/* The load metric; see load.h. */
#include "sock/load.h"
#include "sock/host.h"
#include "sock/os.h"

/* Requests come in bursts of a few microseconds; over this time a burst is an average. */
#define SPAN_MIN_NS CAPY_US(100)
#define SPAN_MAX_NS CAPY_SEC(1)
/* A span is this part of the time between two looks: an average that is as old as the look before
 * would tell of times that are over. */
#define SPANS_PER_LOOK 4u
#define FOLDS_PER_SPAN 16u

static uint64_t span_of(uint32_t look_us)
{
    uint64_t span = CAPY_US(look_us) / SPANS_PER_LOOK;
    return capy_min64(capy_max64(span, SPAN_MIN_NS), SPAN_MAX_NS);
}

void capy_load_init(struct capy *os)
{
    struct capy_load *l = &os->load;
    l->sampled_at = l->shown.from = l->own.from = os->now;
    l->shown.span_ns = span_of(os->rack.heartbeat_us);
    l->own.span_ns = span_of(os->rack.load_interval_us);
}

void capy_set_load(struct capy *os, uint32_t load)
{
    os->load.by_app = true;
    os->load.value = load;
    capy_host_set_load(os, load);
}

static void fold(struct capy_load_mean *m, uint64_t area, uint64_t now)
{
    uint64_t dt = capy_min64(now - m->from, SPAN_MAX_NS);
    m->area += area;
    if (dt < m->span_ns / FOLDS_PER_SPAN)
        return;
    int64_t mean = (int64_t)(m->area / dt), error = mean - (int64_t)m->value;
    m->value = (uint64_t)((int64_t)m->value + error * (int64_t)dt / (int64_t)(dt + m->span_ns));
    m->area = 0;
    m->from = now;
}

uint64_t capy_load_own(const struct capy *os)
{
    return os->load.by_app ? (uint64_t)os->load.value * CAPY_LOAD_ONE : os->load.own.value;
}

void capy_load_sample(struct capy *os)
{
    struct capy_load *l = &os->load;
    uint64_t dt = capy_min64(os->now - l->sampled_at, SPAN_MAX_NS);
    uint64_t area = (uint64_t)l->held * CAPY_LOAD_ONE * dt;
    l->sampled_at = os->now;
    l->held = l->in_hand;
    if (l->by_app)
        return;
    fold(&l->shown, area, os->now);
    fold(&l->own, area, os->now);
    uint32_t value = (uint32_t)((l->shown.value + CAPY_LOAD_ONE / 2) / CAPY_LOAD_ONE);
    if (value == l->value)
        return;
    l->value = value;
    capy_host_set_load(os, value);
}
