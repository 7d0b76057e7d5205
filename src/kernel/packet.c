/* See packet.h. A socket for each version of IP, bound to its protocol and the device: those are served
 * behind the traffic control hook where the gate sits, and see what it made of a frame. */
#include "kernel/packet.h"
#include "base/bits.h"
#include "base/pool.h"
#include "drv/dev.h"
#include "drv/vnet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define FRAME_CNT 256u
#define ROOM 65600u             /* segments that the kernel joined come as one */
#define RECEIVE_BYTES (8 << 20) /* a burst of frames for many arriving connections at once */
#define VERSIONS 2u

struct packet {
    struct capy_drv drv; /* first: the driver is the device */
    int fd[VERSIONS];    /* IPv4, IPv6 */
    int lo;              /* sends on the loopback device */
    int wake_fd;         /* -1: fd[0] */
    bool ready;
    uint8_t *frames;
    struct capy_pool pool;
    void *mem;
};

static uint8_t *frame_data(const struct packet *p, uint32_t i)
{
    return p->frames + (size_t)i * ROOM;
}

/* 1: a frame; 0: one that nobody can use; -1: none. */
static int read_frame(int fd, struct capy_frame *f)
{
    struct virtio_net_hdr head;
    struct iovec parts[2] = {{&head, sizeof head}, {f->data, ROOM}};
    struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_TRUNC);
    if (n < (ssize_t)sizeof head)
        return -1;
    f->len = (uint32_t)(n - (ssize_t)sizeof head);
    return f->len > 0 && f->len <= CAPY_LARGE_FRAME_MAX && capy_vnet_load(&head, &f->offload);
}

static unsigned read_some(struct packet *p, int fd, struct capy_frame *frames, unsigned max)
{
    unsigned cnt = 0;
    while (cnt < max) {
        uint32_t i = capy_pool_take(&p->pool);
        if (i == CAPY_NONE)
            break;
        frames[cnt] = (struct capy_frame){.data = frame_data(p, i), .cookie = i};
        int n = read_frame(fd, &frames[cnt]);
        if (n > 0) {
            cnt++;
            continue;
        }
        capy_pool_give(&p->pool, i);
        if (n < 0)
            break; /* nothing more; any other error repeats at the next call */
        p->drv.rx_drops++;
    }
    return cnt;
}

static unsigned packet_receive(struct capy_drv *d, struct capy_frame *frames, unsigned max)
{
    struct packet *p = (struct packet *)d;
    unsigned cnt = 0;
    if (p->wake_fd >= 0 && !p->ready)
        return 0;
    for (unsigned v = 0; v < VERSIONS && cnt < max; v++)
        if (p->fd[v] >= 0)
            cnt += read_some(p, p->fd[v], frames + cnt, max - cnt);
    p->ready = cnt == max;
    d->rx_frames += cnt;
    return cnt;
}

static void packet_release(struct capy_drv *d, const struct capy_frame *frames, unsigned cnt)
{
    struct packet *p = (struct packet *)d;
    for (unsigned i = 0; i < cnt; i++)
        capy_pool_give(&p->pool, (uint32_t)frames[i].cookie);
}

static unsigned packet_reserve(struct capy_drv *d, struct capy_frame *frames, unsigned max)
{
    struct packet *p = (struct packet *)d;
    unsigned cnt = 0;
    /* Some are kept for receiving: the run loop holds on to what it reserves. */
    while (cnt < max && p->pool.free_cnt > FRAME_CNT / 2) {
        uint32_t i = capy_pool_take(&p->pool);
        frames[cnt++] = (struct capy_frame){.data = frame_data(p, i), .cookie = i};
    }
    return cnt;
}

static void packet_submit(struct capy_drv *d, const struct capy_frame *frames, unsigned cnt)
{
    struct packet *p = (struct packet *)d;
    for (unsigned i = 0; i < cnt; i++) {
        CAPY_ASSERT(frames[i].len <= CAPY_FRAME_MAX);
        if (frames[i].len == 0)
            continue;
        struct virtio_net_hdr head = {0};
        struct iovec parts[2] = {{&head, sizeof head}, {frames[i].data, frames[i].len}};
        const struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 2};
        if (sendmsg(p->fd[0], &msg, MSG_DONTWAIT) > 0)
            d->tx_frames++;
        else
            d->tx_drops++;
    }
    packet_release(d, frames, cnt);
}

static void packet_flush(struct capy_drv *d)
{
    (void)d;
}

static int packet_poll_fd(struct capy_drv *d)
{
    const struct packet *p = (const struct packet *)d;
    return p->wake_fd >= 0 ? p->wake_fd : p->fd[0];
}

static void packet_close(struct capy_drv *d)
{
    struct packet *p = (struct packet *)d;
    for (unsigned v = 0; v < VERSIONS; v++)
        if (p->fd[v] >= 0)
            close(p->fd[v]);
    if (p->lo >= 0)
        close(p->lo);
    free(p->mem);
    free(p);
}

static const struct capy_drv_ops packet_ops = {
    .name = "packet",
    .receive = packet_receive,
    .release = packet_release,
    .reserve = packet_reserve,
    .submit = packet_submit,
    .flush = packet_flush,
    .poll_fd = packet_poll_fd,
    .close = packet_close,
};

static bool carve(struct packet *p)
{
    struct capy_arena measure = {0};
    capy_arena_take(&measure, FRAME_CNT, ROOM);
    capy_pool_init(&p->pool, &measure, FRAME_CNT);
    p->mem = aligned_alloc(64, (measure.used + 63u) & ~(size_t)63u);
    struct capy_arena arena = {.base = p->mem};
    if (!p->mem)
        return false;
    p->frames = capy_arena_take(&arena, FRAME_CNT, ROOM);
    capy_pool_init(&p->pool, &arena, FRAME_CNT);
    return true;
}

/* return packet type == PACKET_OTHERHOST, which the gate made of what is for us */
static bool only_set_aside(int fd)
{
    struct sock_filter program[] = {
        /* NOLINTNEXTLINE(misc-redundant-expression): names of the kernel's for 0 */
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OTHERHOST, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    const struct sock_fprog filter = {sizeof program / sizeof program[0], program};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
}

/* A socket for this protocol on the device; protocol 0: one that only sends. -1 with errno. */
static int open_socket(unsigned ifindex, uint16_t protocol)
{
    const struct sockaddr_ll at = {
        .sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = (int)ifindex};
    int one = 1, bytes = RECEIVE_BYTES;
    /* Born without a protocol, it sees nothing before the filter is there. */
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes); /* else less */
    if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) == 0 &&
        (protocol == 0 || only_set_aside(fd)) &&
        bind(fd, (const struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool open_all(struct packet *p, unsigned ifindex)
{
    p->fd[0] = open_socket(ifindex, ETH_P_IP);
    p->fd[1] = open_socket(ifindex, ETH_P_IPV6);
    p->lo = open_socket(if_nametoindex("lo"), 0);
    return p->fd[0] >= 0 && p->fd[1] >= 0 && p->lo >= 0;
}

struct capy_drv *capy_packet_open(const char *ifname, char *err, size_t err_len)
{
    struct capy_dev dev;
    struct packet *p = calloc(1, sizeof *p);
    if (!p || !carve(p)) {
        free(p);
        snprintf(err, err_len, "packet %s: out of memory", ifname);
        return NULL;
    }
    p->fd[0] = p->fd[1] = p->lo = p->wake_fd = -1;
    p->drv.ops = &packet_ops;
    p->drv.frame_max = CAPY_FRAME_MAX;
    if (!capy_dev_look(ifname, &dev)) {
        snprintf(err, err_len, "no device %s; `ip link` lists them", ifname);
        packet_close(&p->drv);
        return NULL;
    }
    if (!open_all(p, dev.index)) {
        snprintf(err, err_len, "packet %s: %s; %s", ifname, strerror(errno),
                 errno == EPERM ? "run as root or with CAP_NET_RAW" : "is the device up?");
        packet_close(&p->drv);
        return NULL;
    }
    p->drv.mac = dev.mac;
    snprintf(p->drv.ifname, sizeof p->drv.ifname, "%s", ifname);
    snprintf(p->drv.detail, sizeof p->drv.detail, "sockets of the Linux kernel, TCP_REPAIR");
    return &p->drv;
}

unsigned capy_packet_fds(const struct capy_drv *d, int fds[2])
{
    const struct packet *p = (const struct packet *)d;
    fds[0] = p->fd[0];
    fds[1] = p->fd[1];
    return VERSIONS;
}

void capy_packet_wake_by(struct capy_drv *d, int fd)
{
    ((struct packet *)d)->wake_fd = fd;
}

void capy_packet_ready(struct capy_drv *d)
{
    ((struct packet *)d)->ready = true;
}

bool capy_packet_inject(struct capy_drv *d, const uint8_t *frame, size_t len)
{
    enum { ETHERNET = 14 };
    static const uint8_t loopback[ETHERNET]; /* its MAC is all zero */
    const struct packet *p = (const struct packet *)d;
    struct virtio_net_hdr head = {0};
    uint8_t ether[ETHERNET];
    if (len < ETHERNET)
        return false;
    memcpy(ether, loopback, sizeof ether);
    memcpy(ether + 12, frame + 12, 2); /* what follows */
    struct iovec parts[3] = {{&head, sizeof head},
                             {ether, sizeof ether},
                             {(void *)(uintptr_t)(frame + ETHERNET), len - ETHERNET}};
    const struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 3};
    return sendmsg(p->lo, &msg, MSG_DONTWAIT) > 0;
}
