/* Opening and closing an AF_XDP socket. Attempts, best first: zero-copy with native XDP, copy mode
 * with native XDP, copy mode with generic XDP; the one that worked is named in the driver's detail.
 * Everything taken here hangs on descriptors and our own mappings, so the kernel takes it back also
 * when the process dies. */
#include "drv/af_xdp.h"
#include "drv/dev.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_xdp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#define FRAME_CNT (AF_XDP_TX_CNT + AF_XDP_RX_CNT)
#define UMEM_LEN ((size_t)FRAME_CNT * AF_XDP_FRAME_ROOM)
/* Linux 6.17 and later; older headers do not name it: frames that one sendto() may take in copy
 * mode. The kernel's default of 32 would cost two calls per burst. */
#define SOCKOPT_MAX_TX_SKB_BUDGET 9
/* In copy mode each frame in flight is charged to the socket's send buffer, with its skb. */
#define SEND_BUFFER_LEN ((int)(AF_XDP_TX_CNT * 4096u))
#define BUSY_MS 500
#define SHADOW_MS 10000
#define BUSY_WAIT_US 20000u

static void close_socket(struct af_xdp *x)
{
    if (x->xsk)
        xsk_socket__delete(x->xsk);
    if (x->umem)
        xsk_umem__delete(x->umem);
    x->xsk = NULL;
    x->umem = NULL;
    x->fd = -1;
}

void capy_af_xdp_close(struct capy_drv *d)
{
    struct af_xdp *x = (struct af_xdp *)d;
    capy_redirect_close(&x->redirect); /* first: no frame may still be on its way to the socket */
    close_socket(x);
    if (x->promisc_fd >= 0)
        close(x->promisc_fd);
    if (x->umem_area)
        munmap(x->umem_area, UMEM_LEN);
    free(x);
}

/* libxdp reports by a negative errno as result; the callers below want errno itself. */
static int as_errno(int rc)
{
    if (rc == 0)
        return CAPY_OK;
    errno = -rc;
    return CAPY_E_SYS;
}

static int create_socket(struct af_xdp *x, const char *ifname, uint16_t bind_flags)
{
    const struct xsk_umem_config umem_cfg = {
        .fill_size = 2 * AF_XDP_RX_CNT,
        .comp_size = AF_XDP_TX_CNT,
        .frame_size = AF_XDP_FRAME_ROOM,
    };
    const struct xsk_socket_config cfg = {
        .rx_size = AF_XDP_RX_CNT,
        .tx_size = 2 * AF_XDP_TX_CNT,
        .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
        .bind_flags = (uint16_t)(bind_flags | XDP_USE_NEED_WAKEUP),
    };
    int rc = xsk_umem__create(&x->umem, x->umem_area, UMEM_LEN, &x->fill, &x->comp, &umem_cfg);
    if (rc != 0)
        return as_errno(rc);
    rc = xsk_socket__create(&x->xsk, ifname, 0, x->umem, &x->rx, &x->tx, &cfg);
    if (rc != 0) {
        x->xsk = NULL;
        close_socket(x);
        return as_errno(rc);
    }
    x->fd = xsk_socket__fd(x->xsk);
    return CAPY_OK;
}

/* One attempt: socket, program, attached. On failure all of it is undone and errno says why. */
static int attempt(struct af_xdp *x, const char *ifname, unsigned ifindex, uint16_t bind_flags,
                   bool generic_too)
{
    int rc = create_socket(x, ifname, bind_flags);
    if (rc != CAPY_OK)
        return rc;
    rc = capy_redirect_load(&x->redirect, x->fd);
    if (rc == CAPY_OK)
        rc = capy_redirect_attach(&x->redirect, ifindex, generic_too);
    if (rc != CAPY_OK) {
        int error = errno;
        capy_redirect_close(&x->redirect);
        close_socket(x);
        errno = error;
    }
    return rc;
}

static int attempt_all(struct af_xdp *x, const char *ifname, unsigned ifindex)
{
    const char *mode = "zero-copy";
    int rc = attempt(x, ifname, ifindex, XDP_ZEROCOPY, false);
    if (rc != CAPY_OK) {
        mode = "copy mode";
        rc = attempt(x, ifname, ifindex, XDP_COPY, true);
    }
    if (rc == CAPY_OK)
        snprintf(x->drv.detail, sizeof x->drv.detail, "AF_XDP %s, %s XDP, queue 0", mode,
                 x->redirect.generic ? "generic" : "native");
    return rc;
}

static int64_t clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A closed socket's queue and program are freed by a kernel worker after the close, when that has its
 * turn and the lock of all network devices: a moment, but seconds on a machine that is very busy. So a
 * program that is started again at once meets its own shadow. Wait a little before believing EBUSY, and
 * long where nobody is seen who holds the device. */
static int attempt_patiently(struct af_xdp *x, const char *ifname, unsigned ifindex)
{
    int rc = attempt_all(x, ifname, ifindex);
    const int64_t since = clock_ms();
    while (rc != CAPY_OK && errno == EBUSY) {
        const int64_t patience = capy_redirect_is_held(ifindex) ? BUSY_MS : SHADOW_MS;
        if (clock_ms() - since >= patience) {
            errno = EBUSY;
            break;
        }
        usleep(BUSY_WAIT_US);
        rc = attempt_all(x, ifname, ifindex);
    }
    return rc;
}

/* Gives the receive side's frames to the kernel. */
static void fill_all(struct af_xdp *x)
{
    uint32_t at = 0;
    uint32_t room = xsk_ring_prod__reserve(&x->fill, AF_XDP_RX_CNT, &at);
    CAPY_ASSERT(room == AF_XDP_RX_CNT);
    for (uint32_t i = 0; i < AF_XDP_RX_CNT; i++)
        *xsk_ring_prod__fill_addr(&x->fill, at + i) =
            (uint64_t)(AF_XDP_TX_CNT + i) * AF_XDP_FRAME_ROOM;
    xsk_ring_prod__submit(&x->fill, AF_XDP_RX_CNT);
}

/* Limits that only make it better: each may be refused without harm. */
static void widen_limits(int fd)
{
    const int budget = CAPY_DRV_BURST * 4;
    const int send_buffer = SEND_BUFFER_LEN;
    setsockopt(fd, SOL_XDP, SOCKOPT_MAX_TX_SKB_BUDGET, &budget, sizeof budget);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &send_buffer, sizeof send_buffer);
}

static struct af_xdp *allocate(void)
{
    struct af_xdp *x = NULL;
    struct capy_arena arena = {0};
    for (unsigned pass = 0; pass < 2; pass++) {
        struct capy_pool pool;
        arena.used = 0;
        x = capy_arena_take(&arena, 1, sizeof *x);
        capy_pool_init(&pool, &arena, AF_XDP_TX_CNT);
        if (x)
            *x = (struct af_xdp){.fd = -1, .tx_pool = pool, .promisc_fd = -1};
        else if (!(arena.base = aligned_alloc(64, (arena.used + 63u) & ~(size_t)63u)))
            return NULL;
    }
    x->drv.ops = &capy_af_xdp_ops;
    x->drv.frame_max = CAPY_FRAME_MAX;
    x->redirect = (struct capy_redirect){.map_fd = -1, .prog_fd = -1, .link_fd = -1};
    void *area = mmap(NULL, UMEM_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    x->umem_area = area == MAP_FAILED ? NULL : area;
    if (!x->umem_area) {
        free(x);
        return NULL;
    }
    return x;
}

static void explain(const char *ifname, int error, char *err, size_t err_len)
{
    const char *why = strerror(error);
    const char *remedy = "use driver = \"tap\"";
    if (error == EPERM || error == EACCES) {
        why = "no privilege";
        remedy = "run as root or with CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF";
    } else if (error == EBUSY || error == EEXIST) {
        why = "another program holds its queue 0 or has an XDP program on it";
        remedy = "end that program, or see `ip link show` and run `ip link set DEVICE xdp off`";
    } else if (error == ENOBUFS || error == ENOMEM) {
        why = "not enough lockable memory";
        remedy = "raise the limit (ulimit -l unlimited)";
    } else if (error == EAFNOSUPPORT || error == EOPNOTSUPP || error == EINVAL) {
        why = "the kernel or the device has no AF_XDP";
    } else if (error == ERANGE) {
        why = "its MTU is too large for XDP";
        remedy = "set the MTU to 1500 on both ends";
    }
    snprintf(err, err_len, "af_xdp %s: %s; %s", ifname, why, remedy);
}

/* Checks what would otherwise fail without a word: a device that is down or that spreads its frames
 * over queues we do not read. */
static bool device_is_fit(const char *ifname, struct capy_dev *dev, char *err, size_t err_len)
{
    if (!capy_dev_look(ifname, dev)) {
        snprintf(err, err_len, "af_xdp %s: no such device; name one that `ip link` shows", ifname);
    } else if (!dev->up) {
        snprintf(err, err_len, "af_xdp %s: the device is down; run: ip link set %s up", ifname,
                 ifname);
    } else if (dev->rx_queues > 1) {
        snprintf(err, err_len,
                 "af_xdp %s: frames are spread over %u receive queues and only queue 0 is read; "
                 "run: ethtool -L %s combined 1",
                 ifname, dev->rx_queues, ifname);
    } else {
        return true;
    }
    return false;
}

struct capy_drv *capy_drv_af_xdp_open(const char *ifname, char *err, size_t err_len)
{
    libbpf_set_print(NULL);
    libxdp_set_print(NULL);
    /* umem and, before Linux 5.11, BPF maps count as locked memory. Refused: the open says so. */
    const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_MEMLOCK, &unlimited);

    struct capy_dev dev;
    if (!device_is_fit(ifname, &dev, err, err_len))
        return NULL;
    struct af_xdp *x = allocate();
    if (!x) {
        snprintf(err, err_len, "af_xdp %s: out of memory", ifname);
        return NULL;
    }
    if (attempt_patiently(x, ifname, dev.index) != CAPY_OK) {
        explain(ifname, errno, err, err_len);
        capy_af_xdp_close(&x->drv);
        return NULL;
    }
    fill_all(x);
    widen_limits(x->fd);
    x->promisc_fd = capy_dev_promisc(dev.index); /* our MAC need not be the device's */
    x->drv.mac = dev.mac;
    snprintf(x->drv.ifname, sizeof x->drv.ifname, "%s", ifname);
    return &x->drv;
}
