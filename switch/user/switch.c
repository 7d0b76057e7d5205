/* Setting the switch program up and taking it down: rack file, control socket, ports, plane. The
 * socket comes first, so that of two switches the second one is told so before it touches a device.
 */
#include "switch/user/switch.h"

#include "switch/user/config.h"
#include "switch/user/program.h"
#include "switch/user/record.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_driver(const struct capy_switch_run *run, const struct capy_rack *rack,
                       const char *device, struct capy_drv **out, char *err, size_t err_len)
{
    struct capy_drv *drv =
        capy_drv_open(run->driver ? run->driver : rack->driver, device, err, err_len);
    if (!drv)
        return CAPY_E_SYS;
    if (run->capture_dir) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s.pcapng", run->capture_dir, device);
        struct capy_drv *wrapped = capy_drv_capture(drv, path, err, err_len);
        if (!wrapped) {
            drv->ops->close(drv);
            return CAPY_E_SYS;
        }
        drv = wrapped;
    }
    *out = drv;
    return CAPY_OK;
}

int program_add_port(struct program *p, const struct capy_switch_run *run, const char *device,
                     enum capy_port_role role, char *err, size_t err_len)
{
    if (p->port_cnt == CAPY_SWITCH_PORT_MAX) {
        snprintf(err, err_len, "%s: more than %u ports; take some out of the rack file",
                 run->rack_file, CAPY_SWITCH_PORT_MAX);
        return CAPY_E_CONFIG;
    }
    struct port *port = &p->port[p->port_cnt];
    int rc = open_driver(run, &p->rack, device, &port->drv, err, err_len);
    if (rc != CAPY_OK)
        return rc;
    port->role = role;
    p->port_cnt++;
    if (run->log) {
        fprintf(run->log, "port %s to %s: %s\n", device,
                role == CAPY_PORT_SERVER ? "a server" : "clients", port->drv->detail);
        fflush(run->log);
    }
    return CAPY_OK;
}

static int make_capture_dir(const struct capy_switch_run *run, char *err, size_t err_len)
{
    if (run->capture_dir && mkdir(run->capture_dir, 0755) < 0 && errno != EEXIST) {
        snprintf(err, err_len, "capture directory %s: %s; name a writable one", run->capture_dir,
                 strerror(errno));
        return CAPY_E_CONFIG;
    }
    return CAPY_OK;
}

/* Server i's frames come in at port i; the client ports follow. */
static int add_ports(struct program *p, const struct capy_switch_run *run, char *err,
                     size_t err_len)
{
    const struct capy_rack *rack = &p->rack;
    int rc = CAPY_OK;
    for (unsigned i = 0; i < rack->server_cnt && rc == CAPY_OK; i++)
        rc = program_add_port(p, run, rack->server[i].port, CAPY_PORT_SERVER, err, err_len);
    for (unsigned i = 0; i < rack->client_port_cnt && rc == CAPY_OK; i++)
        rc = program_add_port(p, run, rack->client_port[i].device, CAPY_PORT_CLIENT, err, err_len);
    return rc;
}

/* Random numbers are secret, so that nobody outside can aim at directory slots; new with every boot. */
static int fill_cfg(struct program *p, char *err, size_t err_len)
{
    uint64_t random[3];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        snprintf(err, err_len, "getrandom: %s", strerror(errno));
        return CAPY_E_SYS;
    }
    capy_plane_cfg(&p->rack, (struct capy_key){random[0], random[1]}, random[2] ? random[2] : 1,
                   &p->cfg);
    return CAPY_OK;
}

static int make_plane(struct program *p, char *err, size_t err_len)
{
    size_t size = capy_switch_size(&p->cfg);
    if (size == 0) {
        snprintf(err, err_len,
                 "%s: the switch cannot be built so; directory slots must be a power "
                 "of two, ports and servers at most %u",
                 p->rack.path, CAPY_SWITCH_PORT_MAX);
        return CAPY_E_CONFIG;
    }
    void *mem = aligned_alloc(64, (size + 63u) & ~(size_t)63u);
    if (!mem) {
        snprintf(err, err_len, "out of memory: the directory takes %zu MiB; make it smaller in %s",
                 size >> 20, p->rack.path);
        return CAPY_E_NOMEM;
    }
    p->started_at = p->now = program_clock();
    p->plane = capy_switch_init(mem, &p->cfg, p->now);
    return CAPY_OK;
}

/* SIGINT and SIGTERM come through a descriptor, so that they wake poll and interrupt nothing. */
static int take_signals(struct program *p, sigset_t *before, char *err, size_t err_len)
{
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTERM);
    sigprocmask(SIG_BLOCK, &ours, before);
    p->signal_fd = signalfd(-1, &ours, SFD_NONBLOCK | SFD_CLOEXEC);
    if (p->signal_fd < 0) {
        snprintf(err, err_len, "signalfd: %s", strerror(errno));
        return CAPY_E_SYS;
    }
    return CAPY_OK;
}

static int set_up(struct program *p, const struct capy_switch_run *run, char *err, size_t err_len)
{
    const char *name = run->wire ? "wire" : "switch"; /* of the socket */
    int rc = capy_rack_read(run->rack_file, &p->rack, err, err_len);
    if (rc == CAPY_OK)
        rc = fill_cfg(p, err, err_len);
    if (rc == CAPY_OK)
        rc = control_open(&p->control, p->rack.run_dir, name, err, err_len);
    if (rc == CAPY_OK && !run->wire && run->plane && strcmp(run->plane, "xdp") == 0)
        return kernel_open(p, run, err, err_len);
    if (rc == CAPY_OK)
        rc = make_capture_dir(run, err, err_len);
    if (rc == CAPY_OK)
        rc = (run->wire ? wire_open : add_ports)(p, run, err, err_len);
    if (rc == CAPY_OK && !run->wire)
        rc = make_plane(p, err, err_len);
    if (rc == CAPY_OK && run->record && !run->wire)
        rc = plane_record(p, run, err, err_len);
    if (rc == CAPY_OK && capy_fault_cfg_is_set(&run->fault))
        rc = ports_set_fault(p, run->fault_port, &run->fault, err, err_len);
    return rc;
}

static void take_down(struct program *p)
{
    for (unsigned i = 0; i < p->port_cnt; i++)
        port_close(&p->port[i]);
    control_close(&p->control); /* last: gone means that the devices are free again */
    capy_record_close(p->record);
    if (p->xdp)
        kernel_close(p);
    else
        free(p->plane);
    if (p->signal_fd >= 0)
        close(p->signal_fd);
    free(p);
}

int capy_switch_main_run(const struct capy_switch_run *run, char *err, size_t err_len)
{
    struct program *p = calloc(1, sizeof *p);
    if (!p) {
        snprintf(err, err_len, "out of memory");
        return CAPY_E_NOMEM;
    }
    control_init(&p->control);

    sigset_t before;
    int rc = take_signals(p, &before, err, err_len);
    if (rc == CAPY_OK)
        rc = set_up(p, run, err, err_len);
    if (rc == CAPY_OK) {
        rc = p->xdp ? kernel_loop(p) : program_loop(p);
        if (rc != CAPY_OK)
            snprintf(err, err_len, "waiting for frames: %s", strerror(errno));
    }
    take_down(p);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return rc;
}

int capy_switch_main_remove(const char *rack_file, char *err, size_t err_len)
{
    static struct capy_rack rack; /* large */
    struct control control;
    control_init(&control);
    int rc = capy_rack_read(rack_file, &rack, err, err_len);
    if (rc == CAPY_OK)
        rc = control_open(&control, rack.run_dir, "switch", err, err_len);
    if (rc == CAPY_OK)
        rc = kernel_remove(&rack, err, err_len);
    control_close(&control);
    return rc;
}
