/* A driver around a driver that writes every frame, in and out, to a pcapng file. It forwards all
 * calls; the counters and names of the inner driver are mirrored, so that nobody sees a difference.
 * The file holds whole blocks up to the last write-out: at most FLUSH_NS behind while traffic
 * flows, complete after close. Wall-clock stamps, one clock reading per burst. */
#include "base/bits.h"
#include "drv/drv.h"
#include "drv/pcapng.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FLUSH_NS CAPY_SEC(1)

struct capture {
    struct capy_drv drv; /* first: the wrapper is the driver */
    struct capy_drv *inner;
    uint64_t written_at; /* wall clock of the last write-out */
    struct capy_pcapng file;
};

static uint64_t wall_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return CAPY_SEC(ts.tv_sec) + (uint64_t)ts.tv_nsec;
}

static void mirror_counters(struct capture *c)
{
    c->drv.rx_frames = c->inner->rx_frames;
    c->drv.tx_frames = c->inner->tx_frames;
    c->drv.rx_drops = c->inner->rx_drops;
    c->drv.tx_drops = c->inner->tx_drops;
}

static void write_out(struct capture *c, uint64_t now)
{
    c->written_at = now;
    if (c->file.fd >= 0 && !capy_pcapng_flush(&c->file))
        snprintf(c->drv.detail, sizeof c->drv.detail, "%.50s, capture stopped: %s",
                 c->inner->detail, strerror(errno));
}

/* The wall clock may be set back; a distance that looks huge then only writes out early. */
static void write_out_if_due(struct capture *c)
{
    uint64_t now = wall_ns();
    if (c->file.used > 0 && now - c->written_at >= FLUSH_NS)
        write_out(c, now);
}

static void record(struct capture *c, enum capy_pcapng_direction direction,
                   const struct capy_frame *frames, unsigned cnt)
{
    uint64_t now = wall_ns();
    for (unsigned i = 0; i < cnt; i++) {
        if (frames[i].len > 0)
            capy_pcapng_frame(&c->file, direction, now, frames[i].data, frames[i].len);
    }
}

static unsigned capture_receive(struct capy_drv *d, struct capy_frame *frames, unsigned max)
{
    struct capture *c = (struct capture *)d;
    unsigned cnt = c->inner->ops->receive(c->inner, frames, max);
    if (cnt > 0)
        record(c, CAPY_PCAPNG_IN, frames, cnt);
    else
        write_out_if_due(c);
    mirror_counters(c);
    return cnt;
}

static void capture_release(struct capy_drv *d, const struct capy_frame *frames, unsigned cnt)
{
    struct capture *c = (struct capture *)d;
    c->inner->ops->release(c->inner, frames, cnt);
}

static unsigned capture_reserve(struct capy_drv *d, struct capy_frame *frames, unsigned max)
{
    struct capture *c = (struct capture *)d;
    return c->inner->ops->reserve(c->inner, frames, max);
}

static void capture_submit(struct capy_drv *d, const struct capy_frame *frames, unsigned cnt)
{
    struct capture *c = (struct capture *)d;
    record(c, CAPY_PCAPNG_OUT, frames, cnt);
    c->inner->ops->submit(c->inner, frames, cnt);
    mirror_counters(c);
}

static void capture_flush(struct capy_drv *d)
{
    struct capture *c = (struct capture *)d;
    c->inner->ops->flush(c->inner);
    write_out_if_due(c);
}

static int capture_poll_fd(struct capy_drv *d)
{
    struct capture *c = (struct capture *)d;
    return c->inner->ops->poll_fd(c->inner);
}

static void capture_close(struct capy_drv *d)
{
    struct capture *c = (struct capture *)d;
    capy_pcapng_close(&c->file);
    c->inner->ops->close(c->inner);
    free(c);
}

static void capture_count(struct capy_drv *d)
{
    struct capture *c = (struct capture *)d;
    if (c->inner->ops->count)
        c->inner->ops->count(c->inner);
    mirror_counters(c);
}

static const struct capy_drv_ops capture_ops = {
    .name = "capture",
    .receive = capture_receive,
    .release = capture_release,
    .reserve = capture_reserve,
    .submit = capture_submit,
    .flush = capture_flush,
    .poll_fd = capture_poll_fd,
    .close = capture_close,
    .count = capture_count,
};

struct capy_drv *capy_drv_capture(struct capy_drv *inner, const char *path, char *err,
                                  size_t err_len)
{
    struct capture *c = malloc(sizeof *c);
    if (!c) {
        snprintf(err, err_len, "capture %s: out of memory", path);
        return NULL;
    }
    c->drv = *inner;
    c->drv.ops = &capture_ops;
    c->inner = inner;
    if (capy_pcapng_open(&c->file, path, inner->ifname, inner->detail) != CAPY_OK) {
        snprintf(err, err_len, "capture %s: %s; name a file in a writable directory", path,
                 strerror(errno));
        free(c);
        return NULL;
    }
    c->written_at = wall_ns();
    snprintf(c->drv.detail, sizeof c->drv.detail, "%.80s, captured", inner->detail);
    return &c->drv;
}
