/* The program on its devices: one link each, pinned, so that the next loader's program takes the place
 * of this one's at one instant. */
#include "switch/xdp/program.h"

#include "switch/xdp/skeleton.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#define BUSY_TRIES 150u
#define BUSY_WAIT_US 20000u

static void link_path(const struct capy_xdp *x, uint32_t port, char path[256])
{
    snprintf(path, 256, "%s/link-%u", x->pin_dir, port);
}

/* The device maps and the index of devices. */
static int enter(struct capy_xdp *x, uint32_t port)
{
    const struct bpf_devmap_val with_program = {
        .ifindex = x->ifindex[port],
        .bpf_prog.fd = bpf_program__fd(x->bpf->progs.capy_both),
    };
    const uint32_t value = port + 1;
    return bpf_map_update_elem(bpf_map__fd(x->bpf->maps.ports), &port, &x->ifindex[port],
                               BPF_ANY) == 0 &&
                   bpf_map_update_elem(bpf_map__fd(x->bpf->maps.both), &port, &with_program,
                                       BPF_ANY) == 0 &&
                   bpf_map_update_elem(bpf_map__fd(x->bpf->maps.port_of), &x->ifindex[port], &value,
                                       BPF_ANY) == 0
               ? CAPY_OK
               : CAPY_E_SYS;
}

/* How the device runs the program that is on it, if any is. */
static bool is_generic(unsigned ifindex)
{
    struct bpf_xdp_query_opts opts = {.sz = sizeof opts};
    return bpf_xdp_query((int)ifindex, 0, &opts) == 0 && opts.attach_mode == XDP_ATTACHED_SKB;
}

/* The link that a loader before us left, if it is this device's; else -1, and none is pinned. */
static int left_link(const struct capy_xdp *x, uint32_t port)
{
    char path[256];
    struct bpf_link_info info = {0};
    uint32_t len = sizeof info;
    if (!x->pin_dir[0])
        return -1;
    link_path(x, port, path);
    int fd = bpf_obj_get(path);
    if (fd < 0)
        return -1;
    if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && info.type == BPF_LINK_TYPE_XDP &&
        info.xdp.ifindex == x->ifindex[port])
        return fd;
    close(fd);
    unlink(path); /* of a device that is gone, or another's */
    return -1;
}

/* That link with our program on it, if it is of this mode; else -1, and it is gone. */
static int take_link(struct capy_xdp *x, uint32_t port, bool generic)
{
    char path[256];
    int fd = left_link(x, port);
    if (fd < 0 || (is_generic(x->ifindex[port]) == generic &&
                   bpf_link_update(fd, bpf_program__fd(x->bpf->progs.capy_plane), NULL) == 0))
        return fd;
    close(fd);
    link_path(x, port, path);
    unlink(path);
    return -1;
}

/* A program before us that ended, or the link that we took away, is freed by a kernel worker a while after:
 * wait before believing that the device is another's. */
static int create_link(const struct capy_xdp *x, uint32_t port, bool generic)
{
    const struct bpf_link_create_opts opts = {
        .sz = sizeof opts, .flags = generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE};
    const int prog_fd = bpf_program__fd(x->bpf->progs.capy_plane), ifindex = (int)x->ifindex[port];
    int fd = bpf_link_create(prog_fd, ifindex, BPF_XDP, &opts);
    for (unsigned i = 0; i < BUSY_TRIES && fd < 0 && (errno == EBUSY || errno == EEXIST); i++) {
        usleep(BUSY_WAIT_US);
        fd = bpf_link_create(prog_fd, ifindex, BPF_XDP, &opts);
    }
    return fd;
}

static int make_link(struct capy_xdp *x, uint32_t port, bool generic)
{
    char path[256];
    int fd = create_link(x, port, generic);
    link_path(x, port, path);
    if (fd >= 0 && x->pin_dir[0] && bpf_obj_pin(fd, path) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static void unlink_port(struct capy_xdp *x, uint32_t port)
{
    char path[256];
    link_path(x, port, path);
    if (x->pin_dir[0])
        unlink(path);
    if (x->link[port] >= 0)
        close(x->link[port]);
    x->link[port] = -1;
}

static bool link_port(struct capy_xdp *x, uint32_t port, bool generic)
{
    x->link[port] = take_link(x, port, generic);
    if (x->link[port] < 0)
        x->link[port] = make_link(x, port, generic);
    return x->link[port] >= 0;
}

/* All devices in one mode. The port that failed, or port_cnt. */
static uint32_t link_all(struct capy_xdp *x, bool generic)
{
    for (uint32_t port = 0; port < x->cfg.port_cnt; port++)
        if (!link_port(x, port, generic))
            return port;
    for (uint32_t port = x->cfg.port_cnt; port < CAPY_SWITCH_PORT_MAX; port++)
        unlink_port(x, port); /* of a port that is no more */
    x->generic = generic;
    return x->cfg.port_cnt;
}

static void explain(const char *device, int error, char *err, size_t err_len)
{
    const char *remedy = "use --xdp-mode generic, or --plane user";
    if (error == EBUSY || error == EEXIST)
        remedy = "another XDP program is on it: run `ip link set DEVICE xdp off`";
    else if (error == ERANGE)
        remedy = "set its MTU to 1500";
    snprintf(err, err_len, "xdp %s: %s; %s", device, strerror(error), remedy);
}

/* What ran on the devices before this loader. */
struct before {
    bool linked[CAPY_SWITCH_PORT_MAX];
    bool generic; /* a loader before us found that not every device can do native XDP */
};

static void look(const struct capy_xdp *x, struct before *before)
{
    memset(before, 0, sizeof *before);
    for (uint32_t port = 0; port < x->cfg.port_cnt; port++) {
        int fd = left_link(x, port);
        before->linked[port] = fd >= 0;
        before->generic |= is_generic(x->ifindex[port]);
        if (fd >= 0)
            close(fd);
    }
}

/* A loader that fails leaves the devices as it found them: what was forwarded goes on. */
static void put_back(struct capy_xdp *x, const struct before *before)
{
    for (uint32_t port = 0; port < x->cfg.port_cnt; port++) {
        if (!before->linked[port]) {
            unlink_port(x, port);
            continue;
        }
        if (x->link[port] >= 0)
            close(x->link[port]); /* its pin holds it */
        (void)link_port(x, port, before->generic);
    }
}

int capy_xdp_attach(struct capy_xdp *x, enum capy_xdp_mode mode, char *err, size_t err_len)
{
    struct before before;
    for (uint32_t port = 0; port < x->cfg.port_cnt; port++) {
        if (enter(x, port) != CAPY_OK ||
            (x->out[port] = capy_xdp_aside_socket(x->ifindex[port])) < 0) {
            explain(x->device[port], errno, err, err_len);
            return CAPY_E_SYS;
        }
    }
    look(x, &before);
    uint32_t failed =
        link_all(x, mode == CAPY_XDP_GENERIC || (mode == CAPY_XDP_AUTO && before.generic));
    if (failed < x->cfg.port_cnt && mode == CAPY_XDP_AUTO && errno != EBUSY && errno != EPERM) {
        for (uint32_t port = 0; port <= failed; port++)
            unlink_port(x, port);
        failed = link_all(x, true);
    }
    if (failed == x->cfg.port_cnt)
        return CAPY_OK;
    explain(x->device[failed], errno, err, err_len);
    put_back(x, &before);
    return CAPY_E_SYS;
}

void capy_xdp_detach(struct capy_xdp *x)
{
    for (uint32_t port = 0; port < CAPY_SWITCH_PORT_MAX; port++) {
        if (x->link[port] >= 0)
            close(x->link[port]);
        if (x->out[port] >= 0)
            close(x->out[port]);
    }
}
