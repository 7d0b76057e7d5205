/* The in-memory link: two ends, each way a ring of frames. For tests, benches and one-process
 * racks. Everything is allocated when the pair is made; a frame changes hands by its index, so
 * nothing is copied on the way. Both ends belong to one thread. The memory goes when both ends are
 * closed. */
#include "base/bits.h"
#include "base/pool.h"
#include "drv/drv.h"

#include <stdio.h>
#include <stdlib.h>

#define FRAME_ROOM 1536u /* CAPY_FRAME_MAX rounded up to cache lines */
/* Beside full rings, either end may hold a burst it received and a burst it reserved. */
#define LENT_MAX (4u * CAPY_DRV_BURST)

struct link_slot {
    uint32_t frame, len;
};

struct link_end {
    struct capy_drv drv; /* first: the driver is the end */
    struct link *link;
    struct link_end *peer;
    struct link_slot *rx; /* ring of depth slots, filled by the peer */
    uint32_t head, tail;  /* free running; head is where the peer writes */
    bool open;
};

struct link {
    struct link_end end[2];
    uint8_t *frames;
    struct capy_pool pool; /* frames in nobody's hands */
    uint32_t depth;
};

static uint8_t *frame_data(const struct link *l, uint32_t frame)
{
    return l->frames + (size_t)frame * FRAME_ROOM;
}

static unsigned link_receive(struct capy_drv *d, struct capy_frame *frames, unsigned max)
{
    struct link_end *e = (struct link_end *)d;
    unsigned cnt = 0;
    while (cnt < max && e->tail != e->head) {
        const struct link_slot *slot = &e->rx[e->tail++ & (e->link->depth - 1)];
        frames[cnt++] = (struct capy_frame){
            .data = frame_data(e->link, slot->frame), .len = slot->len, .cookie = slot->frame};
    }
    d->rx_frames += cnt;
    return cnt;
}

static void link_release(struct capy_drv *d, const struct capy_frame *frames, unsigned cnt)
{
    struct link_end *e = (struct link_end *)d;
    for (unsigned i = 0; i < cnt; i++)
        capy_pool_give(&e->link->pool, (uint32_t)frames[i].cookie);
}

static unsigned link_reserve(struct capy_drv *d, struct capy_frame *frames, unsigned max)
{
    struct link_end *e = (struct link_end *)d;
    unsigned cnt = 0;
    while (cnt < max) {
        uint32_t frame = capy_pool_take(&e->link->pool);
        if (frame == CAPY_NONE)
            break;
        frames[cnt++] = (struct capy_frame){.data = frame_data(e->link, frame), .cookie = frame};
    }
    return cnt;
}

static void link_submit(struct capy_drv *d, const struct capy_frame *frames, unsigned cnt)
{
    struct link_end *e = (struct link_end *)d;
    struct link_end *peer = e->peer;
    for (unsigned i = 0; i < cnt; i++) {
        CAPY_ASSERT(frames[i].len <= CAPY_FRAME_MAX);
        if (frames[i].len == 0) {
            link_release(d, &frames[i], 1);
        } else if (!peer->open || peer->head - peer->tail == e->link->depth) {
            link_release(d, &frames[i], 1);
            d->tx_drops++;
        } else {
            peer->rx[peer->head++ & (e->link->depth - 1)] =
                (struct link_slot){(uint32_t)frames[i].cookie, frames[i].len};
            d->tx_frames++;
        }
    }
}

static void link_flush(struct capy_drv *d)
{
    (void)d;
}

static int link_poll_fd(struct capy_drv *d)
{
    (void)d;
    return -1;
}

static void link_close(struct capy_drv *d)
{
    struct link_end *e = (struct link_end *)d;
    struct link *l = e->link;
    e->open = false;
    if (!e->peer->open)
        free(l);
}

static const struct capy_drv_ops link_ops = {
    .name = "link",
    .receive = link_receive,
    .release = link_release,
    .reserve = link_reserve,
    .submit = link_submit,
    .flush = link_flush,
    .poll_fd = link_poll_fd,
    .close = link_close,
};

static struct link *carve(struct capy_arena *a, uint32_t depth)
{
    uint32_t frame_cnt = 2 * depth + LENT_MAX;
    struct link *l = capy_arena_take(a, 1, sizeof *l);
    struct link_slot *rx[2];
    for (unsigned i = 0; i < 2; i++)
        rx[i] = capy_arena_take(a, depth, sizeof *rx[i]);
    uint8_t *frames = capy_arena_take(a, frame_cnt, FRAME_ROOM);
    struct capy_pool pool;
    capy_pool_init(&pool, a, frame_cnt);
    if (!l)
        return NULL;

    *l = (struct link){.frames = frames, .pool = pool, .depth = depth};
    for (unsigned i = 0; i < 2; i++) {
        struct link_end *e = &l->end[i];
        *e = (struct link_end){.link = l, .peer = &l->end[1 - i], .rx = rx[i], .open = true};
        e->drv.ops = &link_ops;
        e->drv.frame_max = CAPY_FRAME_MAX;
        /* Locally administered; the last byte tells the ends apart. */
        e->drv.mac = (struct capy_mac){{0x02, 0xca, 0, 0, 0, (uint8_t)(i + 1)}};
        snprintf(e->drv.ifname, sizeof e->drv.ifname, "link%c", 'a' + (int)i);
        snprintf(e->drv.detail, sizeof e->drv.detail, "in-memory link, %u frames deep", depth);
    }
    return l;
}

int capy_drv_link_pair(uint32_t depth, struct capy_drv **a, struct capy_drv **b)
{
    if (depth == 0 || (depth & (depth - 1)) != 0 || depth > CAPY_DRV_LINK_DEPTH_MAX)
        return CAPY_E_INVAL;

    struct capy_arena measure = {0};
    carve(&measure, depth);
    void *mem = aligned_alloc(64, (measure.used + 63u) & ~(size_t)63u);
    if (!mem)
        return CAPY_E_NOMEM;
    struct capy_arena arena = {.base = mem};
    struct link *l = carve(&arena, depth);
    *a = &l->end[0].drv;
    *b = &l->end[1].drv;
    return CAPY_OK;
}
