/* The plane in user space: called directly, and its frame copied once, as ports.c does, into memory of
 * the egress. The bare forwarder only copies. */
#include "plane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RING = 256 }; /* frames of the egress, taken in turn as a driver's are */

static uint8_t egress[RING][2048];

/* Of this thread alone: what others do with the processor meanwhile does not count. */
static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return CAPY_SEC(t.tv_sec) + (uint64_t)t.tv_nsec;
}

static bool open_plane(struct plane *p, char *err, size_t err_len)
{
    size_t size = (capy_switch_size(&p->cfg) + 63u) & ~(size_t)63u;
    void *mem = aligned_alloc(64, size);
    snprintf(err, err_len, "out of memory");
    if (mem)
        p->of = capy_switch_init(mem, &p->cfg, clock_ns());
    p->view = p->of;
    return mem != NULL;
}

static void close_plane(struct plane *p)
{
    free(p->of); /* the plane begins where its memory does */
}

static void feed(void *plane, uint16_t port, uint8_t *frame, size_t len)
{
    static struct capy_switch_out out;
    const struct plane *p = plane;
    capy_switch_input(p->of, port, frame, len, clock_ns(), &out);
}

/* Apart, so that callgrind can count what is inside. */
__attribute__((noinline)) static uint32_t measured_plane(struct plane *p,
                                                         const struct plane_run *run, uint64_t now)
{
    static struct capy_switch_out out;
    uint8_t frame[RACK_FRAME_LEN];
    uint32_t lost = 0;
    memcpy(frame, run->load->frame, sizeof frame);
    for (uint32_t i = 0; i < run->cnt; i++) {
        rack_set_flow(run->load, frame, run->flow[i & (run->flow_cnt - 1)]);
        capy_switch_input(p->of, run->load->ingress, frame, sizeof frame, now, &out);
        if (out.cnt == 1)
            memcpy(egress[i % RING], out.frame[0].data, out.frame[0].len);
        lost += out.cnt != 1;
    }
    return lost;
}

__attribute__((noinline)) static uint32_t measured_bare(const struct plane_run *run,
                                                        volatile size_t len)
{
    uint8_t frame[RACK_FRAME_LEN];
    memcpy(frame, run->load->frame, sizeof frame);
    for (uint32_t i = 0; i < run->cnt; i++) {
        rack_set_flow(run->load, frame, run->flow[i & (run->flow_cnt - 1)]);
        memcpy(egress[i % RING], frame, len);
    }
    return 0;
}

static double run_frames(struct plane *p, const struct plane_run *run)
{
    uint64_t start = clock_ns();
    uint32_t lost = run->bare ? measured_bare(run, RACK_FRAME_LEN) : measured_plane(p, run, start);
    double ns = (double)(clock_ns() - start) / run->cnt;
    return lost ? -1 : ns;
}

static void count(struct plane *p)
{
    (void)p;
}

static uint64_t memory(const struct plane *p)
{
    return capy_switch_size(&p->cfg);
}

const struct plane_kind plane_user = {
    .name = "user",
    .open = open_plane,
    .close = close_plane,
    .feed = feed,
    .run = run_frames,
    .count = count,
    .memory = memory,
};
