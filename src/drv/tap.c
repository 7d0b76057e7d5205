/* The TAP driver: works on any Linux with /dev/net/tun, at one system call per frame. IFF_TAP and
 * IFF_NO_PI: plain Ethernet frames; no IFF_VNET_HDR, so the kernel segments and fills checksums
 * before a frame reaches us. Frame buffers are allocated at open and lent to the caller. A device
 * that this program made vanishes with its descriptor, however the program ends. */
#include "base/bits.h"
#include "base/pool.h"
#include "drv/dev.h"
#include "drv/drv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FRAME_ROOM 2048u /* more than CAPY_FRAME_MAX, so that a longer frame shows */
#define FRAME_CNT 1024u

struct tap {
    struct capy_drv drv; /* first: the driver is the device */
    int fd;
    uint8_t *frames;
    struct capy_pool pool;
};

static uint8_t *frame_data(const struct tap *t, uint32_t frame)
{
    return t->frames + (size_t)frame * FRAME_ROOM;
}

static unsigned tap_receive(struct capy_drv *d, struct capy_frame *frames, unsigned max)
{
    struct tap *t = (struct tap *)d;
    unsigned cnt = 0;
    while (cnt < max) {
        uint32_t frame = capy_pool_take(&t->pool);
        if (frame == CAPY_NONE)
            break;
        ssize_t n = read(t->fd, frame_data(t, frame), FRAME_ROOM);
        if (n > 0 && n <= (ssize_t)CAPY_FRAME_MAX) {
            frames[cnt++] = (struct capy_frame){frame_data(t, frame), (uint32_t)n, frame};
            continue;
        }
        capy_pool_give(&t->pool, frame);
        if (n <= 0)
            break; /* EAGAIN: nothing more; any other error repeats at the next call */
        d->rx_drops++;
    }
    d->rx_frames += cnt;
    return cnt;
}

static void tap_release(struct capy_drv *d, const struct capy_frame *frames, unsigned cnt)
{
    struct tap *t = (struct tap *)d;
    for (unsigned i = 0; i < cnt; i++)
        capy_pool_give(&t->pool, (uint32_t)frames[i].cookie);
}

static unsigned tap_reserve(struct capy_drv *d, struct capy_frame *frames, unsigned max)
{
    struct tap *t = (struct tap *)d;
    unsigned cnt = 0;
    while (cnt < max) {
        uint32_t frame = capy_pool_take(&t->pool);
        if (frame == CAPY_NONE)
            break;
        frames[cnt++] = (struct capy_frame){frame_data(t, frame), 0, frame};
    }
    return cnt;
}

/* The kernel copies in write(), so the frame is free again at once and there is nothing to flush.
 */
static void tap_submit(struct capy_drv *d, const struct capy_frame *frames, unsigned cnt)
{
    struct tap *t = (struct tap *)d;
    for (unsigned i = 0; i < cnt; i++) {
        CAPY_ASSERT(frames[i].len <= CAPY_FRAME_MAX);
        if (frames[i].len == 0)
            continue;
        if (write(t->fd, frames[i].data, frames[i].len) == (ssize_t)frames[i].len)
            d->tx_frames++;
        else
            d->tx_drops++;
    }
    tap_release(d, frames, cnt);
}

static void tap_flush(struct capy_drv *d)
{
    (void)d;
}

static int tap_poll_fd(struct capy_drv *d)
{
    return ((struct tap *)d)->fd;
}

static void tap_close(struct capy_drv *d)
{
    struct tap *t = (struct tap *)d;
    if (t->fd >= 0)
        close(t->fd);
    free(t);
}

static const struct capy_drv_ops tap_ops = {
    .name = "tap",
    .receive = tap_receive,
    .release = tap_release,
    .reserve = tap_reserve,
    .submit = tap_submit,
    .flush = tap_flush,
    .poll_fd = tap_poll_fd,
    .close = tap_close,
};

static struct tap *carve(struct capy_arena *a)
{
    struct tap *t = capy_arena_take(a, 1, sizeof *t);
    uint8_t *frames = capy_arena_take(a, FRAME_CNT, FRAME_ROOM);
    struct capy_pool pool;
    capy_pool_init(&pool, a, FRAME_CNT);
    if (t) {
        *t = (struct tap){.fd = -1, .frames = frames, .pool = pool};
        t->drv.ops = &tap_ops;
    }
    return t;
}

static struct tap *allocate(void)
{
    struct capy_arena measure = {0};
    carve(&measure);
    void *mem = aligned_alloc(64, (measure.used + 63u) & ~(size_t)63u);
    if (!mem)
        return NULL;
    struct capy_arena arena = {.base = mem};
    return carve(&arena);
}

/* One line for the errno of open() or TUNSETIFF, with what to do about it. */
static void explain(const char *ifname, int error, char *err, size_t err_len)
{
    const char *why = strerror(error);
    const char *remedy = "see `ip -d link show`";
    if (error == EPERM || error == EACCES) {
        why = "no privilege";
        remedy = "run as root or with CAP_NET_ADMIN, or let root make it: ip tuntap add mode tap";
    } else if (error == EBUSY) {
        why = "another program holds it";
        remedy = "end that program or name another device";
    } else if (error == EINVAL) {
        why = "the device is there but is not a TAP";
        remedy = "use driver = \"af_xdp\" for it, or name a device that does not exist";
    } else if (error == ENOENT || error == ENODEV || error == ENXIO) {
        why = "the kernel has no /dev/net/tun";
        remedy = "load the tun module, or use driver = \"af_xdp\"";
    }
    snprintf(err, err_len, "tap %s: %s; %s", ifname, why, remedy);
}

static int attach(const char *ifname)
{
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -1;
    struct ifreq req = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    snprintf(req.ifr_name, sizeof req.ifr_name, "%s", ifname);
    if (ioctl(fd, TUNSETIFF, &req) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

struct capy_drv *capy_drv_tap_open(const char *ifname, char *err, size_t err_len)
{
    if (strlen(ifname) == 0 || strlen(ifname) >= IFNAMSIZ) {
        snprintf(err, err_len, "tap %s: a device name has 1 to 15 characters", ifname);
        return NULL;
    }
    struct tap *t = allocate();
    if (!t) {
        snprintf(err, err_len, "tap %s: out of memory", ifname);
        return NULL;
    }

    struct capy_dev dev;
    bool existed = capy_dev_look(ifname, &dev);
    t->fd = attach(ifname);
    if (t->fd < 0) {
        explain(ifname, errno, err, err_len);
        tap_close(&t->drv);
        return NULL;
    }
    /* A device left down would swallow every frame without a word. */
    if (capy_dev_set_up(ifname) != CAPY_OK && !dev.up) {
        snprintf(err, err_len, "tap %s: the device is down (%s); run: ip link set %s up", ifname,
                 strerror(errno), ifname);
        tap_close(&t->drv);
        return NULL;
    }
    capy_dev_look(ifname, &dev);
    t->drv.mac = dev.mac;
    snprintf(t->drv.ifname, sizeof t->drv.ifname, "%s", ifname);
    snprintf(t->drv.detail, sizeof t->drv.detail, "TAP, %s",
             existed ? "attached to an existing device" : "device made by this program");
    return &t->drv;
}
