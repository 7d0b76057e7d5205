/* See flight.h. */
#include "sim/flight.h"
#include <stdlib.h>

static void *take(size_t size)
{
    void *mem = aligned_alloc(64, (size + 63) & ~(size_t)63);
    CAPY_ASSERT(mem && size > 0);
    return mem;
}

void sim_flight_init(struct sim_flight *f, uint32_t max)
{
    struct capy_arena a = {NULL, 0};
    capy_pool_init(&f->pool, &a, max);
    f->pool_mem = take(a.used);
    a = (struct capy_arena){f->pool_mem, 0};
    capy_pool_init(&f->pool, &a, max);
    f->frames = take(max * sizeof *f->frames);
    f->heap = take(max * sizeof *f->heap);
    f->cnt = 0;
    f->order = 0;
}

void sim_flight_free(struct sim_flight *f)
{
    free(f->pool_mem);
    free(f->frames);
    free(f->heap);
}

void sim_flight_clear(struct sim_flight *f)
{
    while (f->cnt > 0)
        capy_pool_give(&f->pool, f->heap[--f->cnt]);
}

struct sim_frame *sim_flight_new(struct sim_flight *f)
{
    uint32_t i = capy_pool_take(&f->pool);
    return i == CAPY_NONE ? NULL : &f->frames[i];
}

static bool earlier(const struct sim_frame *x, const struct sim_frame *y)
{
    return x->at != y->at ? x->at < y->at : x->order < y->order;
}

void sim_flight_add(struct sim_flight *f, struct sim_frame *frame)
{
    uint32_t i = f->cnt++;
    frame->order = f->order++;
    while (i > 0 && earlier(frame, &f->frames[f->heap[(i - 1) / 2]])) {
        f->heap[i] = f->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    f->heap[i] = (uint32_t)(frame - f->frames);
}

uint64_t sim_flight_next_at(const struct sim_flight *f)
{
    return f->cnt > 0 ? f->frames[f->heap[0]].at : CAPY_NEVER;
}

struct sim_frame *sim_flight_take(struct sim_flight *f)
{
    CAPY_ASSERT(f->cnt > 0);
    struct sim_frame *top = &f->frames[f->heap[0]];
    uint32_t last = f->heap[--f->cnt], i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= f->cnt)
            break;
        if (child + 1 < f->cnt &&
            earlier(&f->frames[f->heap[child + 1]], &f->frames[f->heap[child]]))
            child++;
        if (!earlier(&f->frames[f->heap[child]], &f->frames[last]))
            break;
        f->heap[i] = f->heap[child];
        i = child;
    }
    f->heap[i] = last;
    return top;
}

void sim_flight_give(struct sim_flight *f, struct sim_frame *frame)
{
    capy_pool_give(&f->pool, (uint32_t)(frame - f->frames));
}
