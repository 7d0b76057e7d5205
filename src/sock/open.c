/* Start and end of a library OS: rack file -> driver -> stack -> control socket. Whatever fails is
 * told in one line with its remedy, and nothing stays half done. */
#include "kernel/kernel.h"
#include "kernel/packet.h"
#include "sock/control.h"
#include "sock/host.h"
#include "sock/os.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

#define CLOSE_BURSTS 64u /* of resets, at the end: the driver may not take more */

static uint64_t monotonic(void *ctx)
{
    (void)ctx;
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return CAPY_SEC(ts.tv_sec) + (uint64_t)ts.tv_nsec;
}

static struct capy_mac mac_of(const uint8_t bytes[6])
{
    struct capy_mac mac;
    memcpy(mac.b, bytes, sizeof mac.b);
    return mac;
}

static bool draw_seed(struct capy_host_seed *seed)
{
    struct {
        struct capy_key hash_key;
        uint32_t incarnation;
    } random;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return false;
    seed->hash_key = random.hash_key;
    seed->incarnation = random.incarnation ? random.incarnation : 1;
    return true;
}

/* Maps and starts the stack. NULL, or one line that names the keys to change. */
static const char *start_stack(struct capy *os)
{
    struct capy_stack_cfg cfg;
    if (!draw_seed(&os->seed))
        return "no random numbers from the kernel; getrandom must be allowed";
    capy_host_cfg(&os->rack, os->alone ? -1 : os->self, &os->seed, &cfg);
    os->stack_size = capy_stack_size(&cfg);
    if (os->stack_size == 0)
        return "the limits are out of range; lower conn_max or buffer_mib in the rack file";
    void *mem =
        mmap(NULL, os->stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mem == MAP_FAILED)
        return "not enough memory; lower conn_max or buffer_mib in the rack file";
    os->stack = capy_stack_init(mem, &cfg, os->now);
    os->carry = malloc(CAPY_APP_STATE_MAX);
    if (!os->carry || capy_queues_init(os) != CAPY_OK ||
        capy_samples_init(&os->samples, os->stack) != CAPY_OK)
        return "not enough memory; lower conn_max in the rack file";
    capy_load_init(os);
    capy_flight_init(&os->mover.flight, os->rack.migrate_max);
    capy_trigger_init(os);
    return NULL;
}

static void list_servers(const struct capy_rack *rack, char *out, size_t room)
{
    size_t used = 0;
    for (unsigned i = 0; i < rack->server_cnt && used < room; i++)
        used +=
            (size_t)snprintf(out + used, room - used, "%s%s", i ? ", " : "", rack->server[i].name);
}

static int find_self(const struct capy_rack *rack, const char *server, char *err, size_t err_len)
{
    int self = server ? capy_rack_server_index(rack, server) : -1;
    if (self < 0) {
        char known[160] = "";
        list_servers(rack, known, sizeof known);
        (void)snprintf(err, err_len, "no server \"%s\" in %s; known are %s", server ? server : "",
                       rack->path[0] ? rack->path : "the rack", known);
    }
    return self;
}

struct capy *capy_open_with(struct capy_drv *drv, const struct capy_rack *rack, const char *server,
                            capy_clock_fn *clock, void *clock_ctx, char *err, size_t err_len)
{
    bool alone = server == NULL;
    int self = alone ? 0 : find_self(rack, server, err, err_len);
    struct capy *os = self < 0 ? NULL : calloc(1, sizeof *os);
    if (!os) {
        drv->ops->close(drv);
        return NULL;
    }
    os->rack = *rack;
    os->self = self;
    os->alone = alone;
    os->drv = drv;
    os->clock = clock ? clock : monotonic;
    os->clock_ctx = clock_ctx;
    os->now = os->opened_at = os->clock(clock_ctx);
    capy_spin_init(&os->spin, CAPY_US(rack->spin_us), os->now);
    const char *fault = start_stack(os);
    if (fault) {
        (void)snprintf(err, err_len, "%s: %s", rack->server[self].name, fault);
        capy_close_os(os);
        return NULL;
    }
    return os;
}

/* Frames come to the address that the switch and the peers know from the rack file. A TAP's own
 * address is that of its kernel end, so any will do there. */
static bool mac_fits(const struct capy_rack *rack, int self, const struct capy_drv *drv, char *err,
                     size_t err_len)
{
    struct capy_mac want = mac_of(rack->server[self].mac);
    if (strcmp(drv->ops->name, "tap") == 0 || capy_mac_eq(&want, &drv->mac))
        return true;
    char is[18], should[18];
    capy_mac_format(&drv->mac, is);
    capy_mac_format(&want, should);
    (void)snprintf(err, err_len,
                   "device %s has MAC %s, the rack has %s for %s; in %s, servers, \"%s\", write "
                   "mac = \"%s\"; or: ip link set dev %s address %s",
                   drv->ifname, is, should, rack->server[self].name, rack->path,
                   rack->server[self].name, is, drv->ifname, should);
    return false;
}

/* Captures, offloads, or neither; the driver is closed when that fails. Offloads go around a capture,
 * which so sees the packets of the wire. */
static struct capy_drv *wrap_driver(struct capy_drv *drv, const char *capture, bool offload,
                                    char *err, size_t err_len)
{
    struct capy_drv *outer = capture ? capy_drv_capture(drv, capture, err, err_len) : drv;
    if (!outer) {
        drv->ops->close(drv);
        return NULL;
    }
    drv = outer;
    outer = offload ? capy_drv_offload(drv) : drv;
    if (!outer) {
        snprintf(err, err_len, "offload: out of memory; write offload = false");
        drv->ops->close(drv);
    }
    return outer;
}

static struct capy_drv *open_driver(const struct capy_options *opt, const struct capy_rack *rack,
                                    int self, char *err, size_t err_len)
{
    const char *name = opt->driver ? opt->driver : rack->driver;
    struct capy_drv *drv = capy_drv_open(name, rack->server[self].device, err, err_len);
    if (!drv)
        return NULL;
    if (!mac_fits(rack, self, drv, err, err_len)) {
        drv->ops->close(drv);
        return NULL;
    }
    return wrap_driver(drv, opt->capture, rack->offload, err, err_len);
}

/* A server on kernel sockets: a driver for what the kernel's TCP does not want, and the stack told
 * whose its connections are. NULL with one line in err. */
static struct capy *open_kernel(const struct capy_options *opt, const struct capy_rack *rack,
                                int self, char *err, size_t err_len)
{
    if (opt->record) {
        (void)snprintf(err, err_len,
                       "what the kernel's TCP does cannot be recorded; leave --record "
                       "out, or take --stack capy");
        return NULL;
    }
    struct capy_drv *packet = capy_packet_open(rack->server[self].device, err, err_len);
    if (!packet)
        return NULL;
    if (!mac_fits(rack, self, packet, err, err_len)) {
        packet->ops->close(packet);
        return NULL;
    }
    struct capy_drv *drv = wrap_driver(packet, opt->capture, false, err, err_len);
    struct capy *os = drv ? capy_open_with(drv, rack, opt->server, NULL, NULL, err, err_len) : NULL;
    if (!os)
        return NULL;
    os->kernel = capy_kernel_open(os->stack, packet, &os->rack, self, err, err_len);
    if (os->kernel)
        return os;
    capy_close_os(os);
    return NULL;
}

/* As asked for, or as the rack file says. 1: kernel sockets, 0: our own; -1 with one line in err. */
static int wants_kernel(const struct capy_options *opt, const struct capy_rack *rack, int self,
                        char *err, size_t err_len)
{
    const char *stack = opt->stack ? opt->stack : rack->server[self].stack;
    if (strcmp(stack, "linux") == 0)
        return 1;
    if (!stack[0] || strcmp(stack, "capy") == 0)
        return 0;
    (void)snprintf(err, err_len, "no stack \"%s\"; write capy or linux", stack);
    return -1;
}

/* NULL when os is, or when it cannot be recorded though that is wanted. */
static struct capy *begin_record(struct capy *os, const struct capy_options *opt, char *err,
                                 size_t err_len)
{
    if (os && opt->record && capy_host_record(os, opt, err, err_len) != CAPY_OK) {
        capy_close_os(os);
        return NULL;
    }
    return os;
}

/* A host in no rack. */
static struct capy *open_alone(const struct capy_options *opt, struct capy_rack *rack, char *err,
                               size_t err_len)
{
    if (capy_alone_read(opt, rack, err, err_len) != CAPY_OK)
        return NULL;
    struct capy_drv *drv = capy_drv_open(rack->driver, opt->device, err, err_len);
    if (!drv)
        return NULL;
    capy_alone_take_mac(rack, drv);
    drv = wrap_driver(drv, opt->capture, rack->offload, err, err_len);
    return begin_record(drv ? capy_open_with(drv, rack, NULL, NULL, NULL, err, err_len) : NULL, opt,
                        err, err_len);
}

/* A server whose TCP is ours. */
static struct capy *open_own(const struct capy_options *opt, const struct capy_rack *rack, int self,
                             char *err, size_t err_len)
{
    struct capy_drv *drv = open_driver(opt, rack, self, err, err_len);
    struct capy *os = drv ? capy_open_with(drv, rack, opt->server, NULL, NULL, err, err_len) : NULL;
    return begin_record(os, opt, err, err_len);
}

/* A server of the rack in its rack file. */
static struct capy *open_server(const struct capy_options *opt, struct capy_rack *rack, char *err,
                                size_t err_len)
{
    struct capy *os = NULL;
    int self = -1;
    if (capy_rack_read(opt->rack_file, rack, err, err_len) == CAPY_OK)
        self = find_self(rack, opt->server, err, err_len);
    /* Asked before the device is touched: a second program would take its frames. */
    int kernel = self < 0 ? -1 : wants_kernel(opt, rack, self, err, err_len);
    if (kernel >= 0 && (opt->no_control || capy_control_is_free(rack, self, err, err_len)))
        os = kernel ? open_kernel(opt, rack, self, err, err_len)
                    : open_own(opt, rack, self, err, err_len);
    if (os && !opt->no_control && capy_control_open(os, err, err_len) != CAPY_OK) {
        capy_close_os(os);
        os = NULL;
    }
    return os;
}

struct capy *capy_open(const struct capy_options *opt, char *err, size_t err_len)
{
    struct capy_rack *rack = malloc(sizeof *rack);
    if (!rack) {
        (void)snprintf(err, err_len, "out of memory");
        return NULL;
    }
    struct capy *os =
        opt->rack_file ? open_server(opt, rack, err, err_len) : open_alone(opt, rack, err, err_len);
    free(rack);
    return os;
}

/* Clients learn at once that nobody serves them any more. */
static void reset_all(struct capy *os)
{
    os->now = os->clock(os->clock_ctx);
    for (uint32_t idx = 0; idx < os->pool.cnt; idx++)
        if (capy_pool_is_taken(&os->pool, idx) && (os->queues[idx].flags & CAPY_QUEUE_CONN) &&
            !(os->queues[idx].flags & CAPY_QUEUE_DEAD))
            (void)capy_host_abort(os, os->queues[idx].conn, os->now);
    unsigned bursts = 0;
    while (capy_send(os) && ++bursts < CLOSE_BURSTS)
        ;
    for (unsigned i = 0; i < os->spare_cnt; i++)
        os->spare[i].len = 0;
    os->drv->ops->submit(os->drv, os->spare, os->spare_cnt);
}

void capy_close_os(struct capy *os)
{
    if (!os)
        return;
    capy_control_close(os);
    if (os->queues && os->samples.ring)
        reset_all(os);
    capy_kernel_close(os->kernel);
    capy_record_close(os->record);
    os->drv->ops->close(os->drv);
    capy_samples_free(&os->samples);
    if (os->queues)
        (void)munmap(os->queues, os->queues_size);
    if (os->stack)
        (void)munmap(os->stack, os->stack_size);
    free(os->carry);
    free(os);
}
