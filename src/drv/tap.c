/* The TAP driver: works on any Linux with /dev/net/tun, at one system call per frame. IFF_TAP,
 * IFF_NO_PI and IFF_VNET_HDR: Ethernet frames behind a header that tells of offloads (drv/vnet.h).
 * Until they are asked for the kernel segments and fills checksums before a frame reaches us. Frame
 * buffers are allocated at open, larger ones when offloads begin, and lent to the caller. A device
 * that this program made vanishes with its descriptor, however the program ends. */
#include "base/bits.h"
#include "base/pool.h"
#include "drv/dev.h"
#include "drv/drv.h"
#include "drv/vnet.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Of a lent frame, behind the kernel's header: more than its most, so that a longer one shows. */
#define FRAME_ROOM 2048u
#define LARGE_ROOM 65600u
#define FRAME_CNT 1024u
#define LARGE_CNT 256u
#define HEAD_ROOM 64u /* before each: keeps cache lines apart; the header is its end */

struct tap {
    struct capy_drv drv; /* first: the driver is the device */
    int fd;
    uint8_t *frames;
    uint32_t room; /* between one frame and the next, head room included */
    struct capy_pool pool;
    void *large; /* what frames and pool lie in since offloads began */
};

static uint8_t *frame_data(const struct tap *t, uint32_t frame)
{
    return t->frames + (size_t)frame * t->room + HEAD_ROOM;
}

/* 1: a frame; 0: one that nobody can use; -1: none. */
static int read_frame(struct tap *t, struct capy_frame *f)
{
    struct virtio_net_hdr head;
    ssize_t n = read(t->fd, f->data - CAPY_VNET_LEN, t->room - HEAD_ROOM + CAPY_VNET_LEN);
    if (n < (ssize_t)CAPY_VNET_LEN)
        return -1;
    memcpy(&head, f->data - CAPY_VNET_LEN, sizeof head);
    f->len = (uint32_t)n - CAPY_VNET_LEN;
    return f->len > 0 && f->len <= t->drv.frame_max && capy_vnet_load(&head, &f->offload);
}

static bool write_frame(struct tap *t, const struct capy_frame *f)
{
    struct virtio_net_hdr head;
    ssize_t len = (ssize_t)f->len + CAPY_VNET_LEN;
    capy_vnet_store(&head, f->data, f->len, &f->offload);
    memcpy(f->data - CAPY_VNET_LEN, &head, sizeof head);
    return write(t->fd, f->data - CAPY_VNET_LEN, (size_t)len) == len;
}

static unsigned tap_receive(struct capy_drv *d, struct capy_frame *frames, unsigned max)
{
    struct tap *t = (struct tap *)d;
    unsigned cnt = 0;
    while (cnt < max) {
        uint32_t frame = capy_pool_take(&t->pool);
        if (frame == CAPY_NONE)
            break;
        struct capy_frame *f = &frames[cnt];
        *f = (struct capy_frame){.data = frame_data(t, frame), .cookie = frame};
        int n = read_frame(t, f);
        if (n > 0) {
            cnt++;
            continue;
        }
        capy_pool_give(&t->pool, frame);
        if (n < 0)
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
        frames[cnt++] = (struct capy_frame){.data = frame_data(t, frame), .cookie = frame};
    }
    return cnt;
}

/* The kernel copies in write(), so the frame is free again at once and there is nothing to flush.
 */
static void tap_submit(struct capy_drv *d, const struct capy_frame *frames, unsigned cnt)
{
    struct tap *t = (struct tap *)d;
    for (unsigned i = 0; i < cnt; i++) {
        CAPY_ASSERT(frames[i].len <= d->frame_max);
        if (frames[i].len == 0)
            continue;
        if (write_frame(t, &frames[i]))
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
    free(t->large);
    free(t);
}

static uint8_t *carve_frames(struct capy_arena *a, struct capy_pool *pool, uint32_t cnt,
                             uint32_t room)
{
    uint8_t *frames = capy_arena_take(a, cnt, HEAD_ROOM + room);
    capy_pool_init(pool, a, cnt);
    return frames;
}

/* Large frames need other buffers; so no frame may be lent now. */
static bool tap_offload(struct capy_drv *d)
{
    struct tap *t = (struct tap *)d;
    struct capy_arena measure = {0};
    struct capy_pool pool;
    if (t->large || t->pool.free_cnt < FRAME_CNT)
        return t->large != NULL;
    if (ioctl(t->fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN) < 0)
        return false;
    carve_frames(&measure, &pool, LARGE_CNT, LARGE_ROOM);
    t->large = aligned_alloc(64, (measure.used + 63u) & ~(size_t)63u);
    if (!t->large) {
        (void)ioctl(t->fd, TUNSETOFFLOAD, 0);
        return false;
    }
    struct capy_arena arena = {.base = t->large};
    t->frames = carve_frames(&arena, &t->pool, LARGE_CNT, LARGE_ROOM);
    t->room = HEAD_ROOM + LARGE_ROOM;
    d->can = (struct capy_offload){.partial = true, .segment = UINT16_MAX};
    d->frame_max = CAPY_LARGE_FRAME_MAX;
    size_t used = strlen(d->detail);
    snprintf(d->detail + used, sizeof d->detail - used,
             ", checksums and segmentation by the kernel");
    return true;
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
    .offload = tap_offload,
};

static struct tap *carve(struct capy_arena *a)
{
    struct tap *t = capy_arena_take(a, 1, sizeof *t);
    struct capy_pool pool;
    uint8_t *frames = carve_frames(a, &pool, FRAME_CNT, FRAME_ROOM);
    if (t) {
        *t = (struct tap){.fd = -1, .frames = frames, .room = HEAD_ROOM + FRAME_ROOM, .pool = pool};
        t->drv.ops = &tap_ops;
        t->drv.frame_max = CAPY_FRAME_MAX;
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
    struct ifreq req = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
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
