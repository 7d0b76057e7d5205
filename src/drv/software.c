/* Offloads for a device that has none: a driver around a driver that takes large frames with unfinished
 * checksums and cuts them into what the device sends. Received frames pass as they are. What does
 * not fit into the device's queue is dropped and counted, as on any full link. */
#include "base/pool.h"
#include "drv/drv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_CNT (2u * CAPY_DRV_BURST) /* a burst reserved, and one being submitted */
#define FRAME_ROOM 65600u               /* CAPY_LARGE_FRAME_MAX, in cache lines */

struct software {
    struct capy_drv drv; /* first: the wrapper is the driver */
    struct capy_drv *inner;
    uint8_t *frames;
    struct capy_pool pool;
    uint64_t lost; /* pieces */
};

_Static_assert(FRAME_ROOM >= CAPY_LARGE_FRAME_MAX, "a large frame fits");

static void mirror_counters(struct software *w)
{
    w->drv.rx_frames = w->inner->rx_frames;
    w->drv.tx_frames = w->inner->tx_frames;
    w->drv.rx_drops = w->inner->rx_drops;
    w->drv.tx_drops = w->inner->tx_drops + w->lost;
}

static unsigned software_receive(struct capy_drv *d, struct capy_frame *frames, unsigned max)
{
    struct software *w = (struct software *)d;
    unsigned cnt = w->inner->ops->receive(w->inner, frames, max);
    mirror_counters(w);
    return cnt;
}

static void software_release(struct capy_drv *d, const struct capy_frame *frames, unsigned cnt)
{
    struct software *w = (struct software *)d;
    w->inner->ops->release(w->inner, frames, cnt);
}

static unsigned software_reserve(struct capy_drv *d, struct capy_frame *frames, unsigned max)
{
    struct software *w = (struct software *)d;
    unsigned cnt = 0;
    while (cnt < max) {
        uint32_t frame = capy_pool_take(&w->pool);
        if (frame == CAPY_NONE)
            break;
        frames[cnt++] =
            (struct capy_frame){.data = w->frames + (size_t)frame * FRAME_ROOM, .cookie = frame};
    }
    return cnt;
}

/* One frame for the device; false: its queue is full. */
static bool send_piece(struct software *w, struct capy_cutter *c, const struct capy_frame *whole)
{
    struct capy_frame f;
    if (w->inner->ops->reserve(w->inner, &f, 1) == 0)
        return false;
    if (c) {
        f.len = (uint32_t)capy_cutter_next(c, f.data);
    } else {
        memcpy(f.data, whole->data, whole->len);
        f.len = whole->len;
    }
    w->inner->ops->submit(w->inner, &f, 1);
    return f.len > 0;
}

static void send_frame(struct software *w, const struct capy_frame *f)
{
    struct capy_cutter c;
    if (!f->offload.partial && f->offload.segment == 0) {
        w->lost += !send_piece(w, NULL, f);
        return;
    }
    bool tcp = capy_cutter_begin(&c, f->data, f->len, &f->offload);
    CAPY_ASSERT(tcp);
    while (!c.any || c.done < c.data_len) {
        if (!send_piece(w, &c, NULL)) {
            w->lost += 1 + (c.data_len - c.done) / capy_max32(c.piece_max, 1);
            return;
        }
    }
}

static void software_submit(struct capy_drv *d, const struct capy_frame *frames, unsigned cnt)
{
    struct software *w = (struct software *)d;
    for (unsigned i = 0; i < cnt; i++) {
        if (frames[i].len > 0)
            send_frame(w, &frames[i]);
        capy_pool_give(&w->pool, (uint32_t)frames[i].cookie);
    }
    mirror_counters(w);
}

static void software_flush(struct capy_drv *d)
{
    struct software *w = (struct software *)d;
    w->inner->ops->flush(w->inner);
}

static int software_poll_fd(struct capy_drv *d)
{
    struct software *w = (struct software *)d;
    return w->inner->ops->poll_fd(w->inner);
}

static void software_close(struct capy_drv *d)
{
    struct software *w = (struct software *)d;
    w->inner->ops->close(w->inner);
    free(w);
}

static void software_count(struct capy_drv *d)
{
    struct software *w = (struct software *)d;
    if (w->inner->ops->count)
        w->inner->ops->count(w->inner);
    mirror_counters(w);
}

static const struct capy_drv_ops software_ops = {
    .name = "software",
    .receive = software_receive,
    .release = software_release,
    .reserve = software_reserve,
    .submit = software_submit,
    .flush = software_flush,
    .poll_fd = software_poll_fd,
    .close = software_close,
    .count = software_count,
};

static struct software *carve(struct capy_arena *a)
{
    struct software *w = capy_arena_take(a, 1, sizeof *w);
    uint8_t *frames = capy_arena_take(a, FRAME_CNT, FRAME_ROOM);
    struct capy_pool pool;
    capy_pool_init(&pool, a, FRAME_CNT);
    if (w)
        *w = (struct software){.frames = frames, .pool = pool};
    return w;
}

struct capy_drv *capy_drv_offload(struct capy_drv *d)
{
    if (d->ops->offload && d->ops->offload(d))
        return d;
    struct capy_arena measure = {0};
    carve(&measure);
    void *mem = aligned_alloc(64, (measure.used + 63u) & ~(size_t)63u);
    if (!mem)
        return NULL;
    struct capy_arena arena = {.base = mem};
    struct software *w = carve(&arena);
    w->inner = d;
    w->drv = *d;
    w->drv.ops = &software_ops;
    w->drv.can = (struct capy_offload){.partial = true, .segment = UINT16_MAX};
    w->drv.frame_max = CAPY_LARGE_FRAME_MAX;
    size_t used = strlen(w->drv.detail);
    snprintf(w->drv.detail + used, sizeof w->drv.detail - used, ", segments cut in software");
    return &w->drv;
}
