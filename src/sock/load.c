/* The load metric and the trigger; see load.h. */
#include "sock/load.h"
#include "sock/host.h"
#include "sock/os.h"
#include <stdlib.h>
#include <string.h>

/* Requests come in bursts of a few microseconds; over this time a burst is an average. */
#define SMOOTH_NS CAPY_US(100)
#define SMOOTH_ONE 256

void capy_load_init(struct capy *os)
{
    os->load.sampled_at = os->now;
    os->load.over_since = CAPY_NEVER;
}

void capy_set_load(struct capy *os, uint32_t load)
{
    os->load.by_app = true;
    os->load.value = load;
    capy_host_set_load(os, load);
}

/* Exponential smoothing by elapsed time, not by turns: turns are short when there is little to do.
 */
static void smooth(struct capy *os)
{
    struct capy_load *l = &os->load;
    int64_t dt = (int64_t)capy_min64(os->now - l->sampled_at, CAPY_SEC(1));
    int64_t error = (int64_t)l->in_hand * SMOOTH_ONE - (int64_t)l->smooth;
    l->smooth = (uint64_t)((int64_t)l->smooth + error * dt / (dt + (int64_t)SMOOTH_NS));
    l->sampled_at = os->now;
    uint32_t value = (uint32_t)((l->smooth + SMOOTH_ONE / 2) / SMOOTH_ONE);
    if (value == l->value)
        return;
    l->value = value;
    capy_host_set_load(os, value);
}

void capy_load_note(struct capy *os, uint32_t queue, uint32_t bytes)
{
    struct capy_load *l = &os->load;
    if (os->rack.load_threshold)
        l->recent[l->recent_next++ % CAPY_LOAD_RECENT] = (struct capy_load_recent){queue, bytes};
}

static int by_queue(const void *a, const void *b)
{
    const struct capy_load_recent *x = a, *y = b;
    return (x->queue > y->queue) - (x->queue < y->queue);
}

/* The queue with the most bytes among the last CAPY_LOAD_RECENT pops that may move, or CAPY_NONE:
 * moving the busiest connection takes the most load off (paper §3.3). */
static uint32_t busiest(const struct capy *os)
{
    struct capy_load_recent recent[CAPY_LOAD_RECENT];
    uint32_t cnt = capy_min32(os->load.recent_next, CAPY_LOAD_RECENT);
    memcpy(recent, os->load.recent, sizeof recent);
    qsort(recent, cnt, sizeof recent[0], by_queue);
    uint32_t best = CAPY_NONE;
    uint64_t best_bytes = 0, bytes = 0;
    for (uint32_t i = 0; i < cnt; i++) {
        uint32_t idx = recent[i].queue;
        bytes = i > 0 && recent[i - 1].queue == idx ? bytes + recent[i].bytes : recent[i].bytes;
        if (bytes > best_bytes && capy_migrate_can(os, idx) &&
            os->queues[idx].cool_until <= os->now) {
            best = idx;
            best_bytes = bytes;
        }
    }
    return best;
}

static void trigger(struct capy *os)
{
    struct capy_load *l = &os->load;
    if (os->rack.load_threshold == 0 || l->value <= os->rack.load_threshold) {
        l->over_since = CAPY_NEVER;
        return;
    }
    if (l->over_since == CAPY_NEVER)
        l->over_since = os->now;
    if (os->now - l->over_since < CAPY_US(os->rack.load_interval_us))
        return;
    l->over_since = os->now; /* at most one move per interval */
    uint32_t idx = busiest(os);
    if (idx != CAPY_NONE && capy_migrate_queue(os, idx, CAPY_SERVER_ANY) == CAPY_OK)
        l->moved_cnt++;
}

void capy_load_sample(struct capy *os)
{
    if (!os->load.by_app)
        smooth(os);
    trigger(os);
}

uint64_t capy_load_next_at(const struct capy *os)
{
    if (os->load.over_since == CAPY_NEVER)
        return CAPY_NEVER;
    return os->load.over_since + CAPY_US(os->rack.load_interval_us);
}
