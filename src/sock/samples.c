/* Marks on the steps of migrations; see samples.h. */
#include "sock/samples.h"
#include <stdlib.h>
#include <sys/mman.h>

#define CLOCK_TRIALS 65 /* odd: the median is one of them */

static void probe(void *ctx, enum capy_mig_step step, uint64_t mig_id, int begin)
{
    struct capy_samples *s = ctx;
    if (begin) {
        capy_ticks_keep(&s->ticks);
        s->began_at[step] = capy_ticks_read(&s->ticks); /* last, and below first: only the step */
        return;
    }
    uint64_t took = capy_ticks_read(&s->ticks) - s->began_at[step];
    s->ring[s->cnt++ % CAPY_SAMPLE_MAX] = (struct capy_sample){
        .mig_id = mig_id,
        .at_ns = capy_ticks_at_ns(&s->ticks, s->began_at[step]),
        .duration_ns = (uint32_t)capy_min64(capy_ticks_to_ns(&s->ticks, took), UINT32_MAX),
        .step = (uint8_t)step,
    };
}

static int by_value(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static uint32_t measure_clock(const struct capy_ticks *t)
{
    uint32_t cost[CLOCK_TRIALS];
    for (unsigned i = 0; i < CLOCK_TRIALS; i++) {
        uint64_t before = capy_ticks_read(t);
        cost[i] = (uint32_t)capy_ticks_to_ns(t, capy_ticks_read(t) - before);
    }
    qsort(cost, CLOCK_TRIALS, sizeof cost[0], by_value);
    return cost[CLOCK_TRIALS / 2];
}

int capy_samples_init(struct capy_samples *s, struct capy_stack *stack)
{
    *s = (struct capy_samples){.cnt = 0};
    capy_ticks_init(&s->ticks);
    s->clock_cost_ns = measure_clock(&s->ticks);
    /* Pages come into being as samples do: a server that never migrates pays nothing. */
    void *mem = mmap(NULL, CAPY_SAMPLE_MAX * sizeof *s->ring, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mem == MAP_FAILED)
        return CAPY_E_NOMEM;
    s->ring = mem;
    capy_stack_set_probe(stack, probe, s);
    return CAPY_OK;
}

void capy_samples_free(struct capy_samples *s)
{
    if (s->ring)
        (void)munmap(s->ring, CAPY_SAMPLE_MAX * sizeof *s->ring);
    s->ring = NULL;
}
