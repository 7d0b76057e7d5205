/* The switch whose plane is in the kernel (switch/xdp): where its memory is pinned, setting it up, and a
 * loop that has nothing to do with frames: it ages, answers what the program sets aside, and serves the
 * control socket. What it sets up outlives it. */
#define _GNU_SOURCE /* ppoll */
#include "switch/user/program.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define BPF_FS 0xcafe4a11 /* its magic number */

/* ---- where it is kept ---- */

static bool is_bpf_fs(const char *path)
{
    struct statfs fs;
    return statfs(path, &fs) == 0 && (unsigned long)fs.f_type == BPF_FS;
}

/* A bpffs of our own: what a machine mounts elsewhere is not there inside `ip netns exec`. made: it was not
 * there. */
static int mount_pins(const char *path, bool *made, char *err, size_t err_len)
{
    *made = false;
    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        snprintf(err, err_len, "%s: %s; run_dir must be writable", path, strerror(errno));
        return CAPY_E_SYS;
    }
    if (is_bpf_fs(path))
        return CAPY_OK;
    *made = mount("bpf", path, "bpf", 0, "mode=0700") == 0;
    if (*made)
        return CAPY_OK;
    snprintf(err, err_len, "mounting a BPF file system at %s: %s; run as root", path,
             strerror(errno));
    return CAPY_E_SYS;
}

static void pins_of(const struct capy_rack *rack, char path[300])
{
    snprintf(path, 300, "%s/bpf", rack->run_dir);
}

/* Takes away what is pinned at path, and the place itself; errno says why not. */
static bool remove_pins(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        return false;
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.')
            unlinkat(dirfd(dir), e->d_name, 0); /* a link's last name: its device is free */
    closedir(dir);
    return umount(path) == 0 && rmdir(path) == 0;
}

int kernel_remove(const struct capy_rack *rack, char *err, size_t err_len)
{
    char path[300];
    pins_of(rack, path);
    if (!is_bpf_fs(path)) {
        snprintf(err, err_len,
                 "no plane is kept at %s; name the rack file that it was started with", path);
        return CAPY_E_CONFIG;
    }
    if (remove_pins(path))
        return CAPY_OK;
    snprintf(err, err_len, "%s: %s; end what uses it", path, strerror(errno));
    return CAPY_E_SYS;
}

/* ---- ports, for those who ask ---- */

/* A device's counters as the kernel has them; /proc/self/net follows our namespace, where /sys does
 * not. */
static void count(struct capy_drv *d)
{
    FILE *f = fopen("/proc/self/net/dev", "re");
    char line[512], name[32];
    while (f && fgets(line, sizeof line, f)) {
        uint64_t rx, rx_drops, tx, tx_drops;
        if (sscanf(line,
                   " %31[^:]: %*u %" SCNu64 " %*u %" SCNu64 " %*u %*u %*u %*u %*u %" SCNu64
                   " %*u %" SCNu64,
                   name, &rx, &rx_drops, &tx, &tx_drops) != 5 ||
            strcmp(name, d->ifname) != 0)
            continue;
        d->rx_frames = rx;
        d->rx_drops = rx_drops;
        d->tx_frames = tx;
        d->tx_drops = tx_drops;
    }
    if (f)
        fclose(f);
}

static void close_port(struct capy_drv *d)
{
    free(d);
}

static const struct capy_drv_ops port_ops = {.name = "xdp", .close = close_port, .count = count};

static int add_port(struct program *p, const char *device, enum capy_port_role role, char *err,
                    size_t err_len)
{
    struct capy_drv *drv = p->port_cnt < CAPY_SWITCH_PORT_MAX ? calloc(1, sizeof *drv) : NULL;
    if (!drv) {
        snprintf(err, err_len, "%s: more than %u ports, or no memory; take some out", p->rack.path,
                 CAPY_SWITCH_PORT_MAX);
        return CAPY_E_CONFIG;
    }
    drv->ops = &port_ops;
    snprintf(drv->ifname, sizeof drv->ifname, "%s", device);
    p->port[p->port_cnt] = (struct port){.drv = drv, .role = role};
    p->cfg.role[p->port_cnt++] = role;
    return CAPY_OK;
}

/* As add_ports in switch.c: servers first. */
static int add_ports(struct program *p, char *err, size_t err_len)
{
    const struct capy_rack *rack = &p->rack;
    int rc = CAPY_OK;
    for (unsigned i = 0; i < rack->server_cnt && rc == CAPY_OK; i++)
        rc = add_port(p, rack->server[i].port, CAPY_PORT_SERVER, err, err_len);
    for (unsigned i = 0; i < rack->client_port_cnt && rc == CAPY_OK; i++)
        rc = add_port(p, rack->client_port[i].device, CAPY_PORT_CLIENT, err, err_len);
    p->cfg.port_cnt = (uint16_t)p->port_cnt;
    return rc;
}

/* ---- set up ---- */

static enum capy_xdp_mode mode_of(const char *name)
{
    if (name && strcmp(name, "native") == 0)
        return CAPY_XDP_NATIVE;
    return name && strcmp(name, "generic") == 0 ? CAPY_XDP_GENERIC : CAPY_XDP_AUTO;
}

static void tell(struct program *p, const struct capy_switch_run *run, bool kept)
{
    for (unsigned i = 0; i < p->port_cnt; i++) {
        struct capy_drv *drv = p->port[i].drv;
        snprintf(drv->detail, sizeof drv->detail, "%s XDP, forwarded in the kernel",
                 capy_xdp_is_generic(p->xdp) ? "generic" : "native");
        if (run->log)
            fprintf(run->log, "port %s to %s: %s\n", drv->ifname,
                    p->port[i].role == CAPY_PORT_SERVER ? "a server" : "clients", drv->detail);
    }
    if (run->log) {
        if (kept)
            fprintf(run->log, "took over %u entries of the plane that was there\n",
                    capy_switch_entry_cnt(p->plane));
        fflush(run->log);
    }
}

/* Loads the program, or takes over the one that is there, and puts it on the ports' devices. */
static int set_up(struct program *p, const struct capy_switch_run *run, const char *pins, char *err,
                  size_t err_len)
{
    static const char *device[CAPY_SWITCH_PORT_MAX];
    bool kept = false;
    for (unsigned i = 0; i < p->port_cnt; i++)
        device[i] = p->port[i].drv->ifname;
    const struct capy_xdp_options opt = {.device = device, .pin_dir = pins};
    p->started_at = p->now = program_clock();
    p->xdp = capy_xdp_open(&p->cfg, &opt, p->now, &kept, err, err_len);
    if (!p->xdp)
        return CAPY_E_SYS;
    p->plane = capy_xdp_plane(p->xdp);
    capy_xdp_count(p->xdp);
    int rc = capy_xdp_attach(p->xdp, mode_of(run->xdp_mode), err, err_len);
    if (rc == CAPY_OK)
        tell(p, run, kept);
    return rc;
}

int kernel_open(struct program *p, const struct capy_switch_run *run, char *err, size_t err_len)
{
    char pins[300];
    bool made = false;
    if (capy_fault_cfg_is_set(&run->fault) || run->capture_dir || run->record) {
        snprintf(err, err_len,
                 "the plane in the kernel injects no faults, captures and records nothing; "
                 "use --plane user for that");
        return CAPY_E_CONFIG;
    }
    pins_of(&p->rack, pins);
    int rc = add_ports(p, err, err_len);
    if (rc == CAPY_OK)
        rc = mount_pins(pins, &made, err, err_len);
    if (rc == CAPY_OK)
        rc = set_up(p, run, pins, err, err_len);
    if (rc != CAPY_OK && made)
        (void)remove_pins(pins); /* one that was there goes on as it was */
    return rc;
}

void kernel_close(struct program *p)
{
    capy_xdp_close(p->xdp);
}

/* ---- running ---- */

int kernel_loop(struct program *p)
{
    uint64_t expire_at = 0;
    for (;;) {
        struct pollfd fds[2 + CONTROL_POLL_MAX] = {
            {.fd = p->signal_fd, .events = POLLIN},
            {.fd = capy_xdp_fd(p->xdp), .events = POLLIN},
        };
        nfds_t cnt = 2 + control_poll(&p->control, fds + 2);
        uint64_t wait = expire_at > p->now ? expire_at - p->now : 0;
        const struct timespec ts = {.tv_sec = (time_t)(wait / CAPY_SEC(1)),
                                    .tv_nsec = (long)(wait % CAPY_SEC(1))};
        if (ppoll(fds, cnt, &ts, NULL) < 0 && errno != EINTR)
            return CAPY_E_SYS;
        p->now = program_clock();
        if (program_told_to_stop(p))
            return CAPY_OK;
        capy_xdp_answer(p->xdp, p->now);
        if (p->now >= expire_at)
            expire_at = capy_xdp_expire(p->xdp, p->now);
        control_serve(p);
    }
}
