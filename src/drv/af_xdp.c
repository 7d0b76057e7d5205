/* The AF_XDP driver: one socket on a device's queue 0, whose frames the kernel writes straight into
 * our memory (umem). Documentation/networking/af_xdp.rst.
 *
 * The umem is cut in two at open. The first TX_CNT frames are ours to send: in the pool, in the TX
 * ring, or in the completion ring. The others circulate on the receive side: fill ring, RX ring, or
 * lent to the caller. Putting a frame into a ring never fails, for the rings that we fill are twice
 * as large as the frames that can be in them: the kernel, on another core, shows us a received
 * frame before it publishes that the frame has left the fill ring. Opening, with its attempts and
 * explanations, is in af_xdp_open.c. */
#include "drv/af_xdp.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <sys/socket.h>

static unsigned xdp_receive(struct capy_drv *d, struct capy_frame *frames, unsigned max)
{
    struct af_xdp *x = (struct af_xdp *)d;
    uint32_t at = 0;
    unsigned n = xsk_ring_cons__peek(&x->rx, max, &at);
    if (n == 0) {
        if (xsk_ring_prod__needs_wakeup(&x->fill))
            recvfrom(x->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
        if (x->tx_unsent)
            d->ops->flush(d);
        return 0;
    }

    unsigned cnt = 0;
    for (unsigned i = 0; i < n; i++) {
        const struct xdp_desc *desc = xsk_ring_cons__rx_desc(&x->rx, at + i);
        struct capy_frame f = {
            .data = x->umem_area + desc->addr, .len = desc->len, .cookie = desc->addr};
        if (desc->len > CAPY_FRAME_MAX || desc->len == 0) {
            d->ops->release(d, &f, 1);
            d->rx_drops++;
        } else {
            frames[cnt++] = f;
        }
    }
    xsk_ring_cons__release(&x->rx, n);
    d->rx_frames += cnt;
    return cnt;
}

static void xdp_release(struct capy_drv *d, const struct capy_frame *frames, unsigned cnt)
{
    struct af_xdp *x = (struct af_xdp *)d;
    uint32_t at = 0;
    if (cnt == 0)
        return;
    uint32_t room = xsk_ring_prod__reserve(&x->fill, cnt, &at);
    CAPY_ASSERT(room == cnt);
    for (unsigned i = 0; i < cnt; i++) {
        /* The kernel left headroom before the data; the fill ring takes the frame's beginning. */
        *xsk_ring_prod__fill_addr(&x->fill, at + i) =
            frames[i].cookie & ~(uint64_t)(AF_XDP_FRAME_ROOM - 1);
    }
    xsk_ring_prod__submit(&x->fill, cnt);
}

/* Takes back the frames that the kernel has sent. */
static void reap_completions(struct af_xdp *x)
{
    uint32_t at = 0;
    unsigned n = xsk_ring_cons__peek(&x->comp, AF_XDP_TX_CNT, &at);
    for (unsigned i = 0; i < n; i++) {
        uint64_t addr = *xsk_ring_cons__comp_addr(&x->comp, at + i);
        capy_pool_give(&x->tx_pool, (uint32_t)(addr / AF_XDP_FRAME_ROOM));
    }
    if (n > 0)
        xsk_ring_cons__release(&x->comp, n);
}

static unsigned xdp_reserve(struct capy_drv *d, struct capy_frame *frames, unsigned max)
{
    struct af_xdp *x = (struct af_xdp *)d;
    reap_completions(x);
    unsigned cnt = 0;
    while (cnt < max) {
        uint32_t frame = capy_pool_take(&x->tx_pool);
        if (frame == CAPY_NONE)
            break;
        uint64_t addr = (uint64_t)frame * AF_XDP_FRAME_ROOM;
        frames[cnt++] = (struct capy_frame){.data = x->umem_area + addr, .cookie = addr};
    }
    return cnt;
}

static void xdp_submit(struct capy_drv *d, const struct capy_frame *frames, unsigned cnt)
{
    struct af_xdp *x = (struct af_xdp *)d;
    unsigned sent = 0;
    for (unsigned i = 0; i < cnt; i++) {
        CAPY_ASSERT(frames[i].len <= CAPY_FRAME_MAX);
        if (frames[i].len == 0) {
            capy_pool_give(&x->tx_pool, (uint32_t)(frames[i].cookie / AF_XDP_FRAME_ROOM));
            continue;
        }
        uint32_t at = 0;
        uint32_t room = xsk_ring_prod__reserve(&x->tx, 1, &at);
        CAPY_ASSERT(room == 1);
        *xsk_ring_prod__tx_desc(&x->tx, at) =
            (struct xdp_desc){.addr = frames[i].cookie, .len = frames[i].len};
        sent++;
    }
    xsk_ring_prod__submit(&x->tx, sent);
    x->tx_unsent = x->tx_unsent || sent > 0;
    d->tx_frames += sent;
}

/* In copy mode one sendto() takes a bounded batch and leaves the rest in the ring; how many it took
 * shows in the ring's consumer index. As long as it moves, ask again. When it does not (the
 * device's queue is full), the next flush or idle receive tries anew. */
static void xdp_flush(struct capy_drv *d)
{
    struct af_xdp *x = (struct af_xdp *)d;
    if (!x->tx_unsent)
        return;
    const uint32_t produced = *x->tx.producer;
    uint32_t before, after = __atomic_load_n(x->tx.consumer, __ATOMIC_ACQUIRE);
    do {
        before = after;
        if (xsk_ring_prod__needs_wakeup(&x->tx))
            sendto(x->fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
        after = __atomic_load_n(x->tx.consumer, __ATOMIC_ACQUIRE);
    } while (after != produced && after != before);
    x->tx_unsent = after != produced && xsk_ring_prod__needs_wakeup(&x->tx);
}

static int xdp_poll_fd(struct capy_drv *d)
{
    return ((struct af_xdp *)d)->fd;
}

/* What the kernel dropped before we saw it: no frame in the fill ring, or the RX ring full. */
static void xdp_count(struct capy_drv *d)
{
    struct af_xdp *x = (struct af_xdp *)d;
    struct xdp_statistics s = {0};
    socklen_t len = sizeof s;
    if (getsockopt(x->fd, SOL_XDP, XDP_STATISTICS, &s, &len) < 0)
        return;
    uint64_t kernel_drops = s.rx_dropped + s.rx_ring_full;
    d->rx_drops += kernel_drops - x->kernel_drops;
    x->kernel_drops = kernel_drops;
}

const struct capy_drv_ops capy_af_xdp_ops = {
    .name = "af_xdp",
    .receive = xdp_receive,
    .release = xdp_release,
    .reserve = xdp_reserve,
    .submit = xdp_submit,
    .flush = xdp_flush,
    .poll_fd = xdp_poll_fd,
    .close = capy_af_xdp_close,
    .count = xdp_count,
};
