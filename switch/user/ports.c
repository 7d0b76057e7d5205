/* Frames between the ports' drivers and the plane. A received frame is rewritten in the memory that
 * the ingress driver lends and copied once, into a frame of the egress driver. Egress frames gather
 * over one round of the loop, so that a burst costs one system call per port. */
#include "switch/user/record.h"

#include <stdlib.h>

static void submit(struct port *port)
{
    if (port->tx_used > port->tx_first)
        port->drv->ops->submit(port->drv, port->tx + port->tx_first,
                               port->tx_used - port->tx_first);
    port->tx_first = port->tx_used;
}

static void flush(struct port *port)
{
    submit(port);
    port->drv->ops->flush(port->drv);
    port->unflushed = false;
}

/* Reserves the next burst. When every frame is in flight, pushing them out may bring some back. */
static bool refill(struct port *port)
{
    struct capy_drv *drv = port->drv;
    submit(port);
    port->tx_first = port->tx_used = 0;
    port->tx_have = drv->ops->reserve(drv, port->tx, CAPY_DRV_BURST);
    if (port->tx_have == 0) {
        flush(port);
        port->tx_have = drv->ops->reserve(drv, port->tx, CAPY_DRV_BURST);
    }
    return port->tx_have > 0;
}

static void put_out(struct port *port, const uint8_t *data, size_t len)
{
    if (port->tx_used == port->tx_have && !refill(port)) {
        port->tx_full++;
        return;
    }
    struct capy_frame *f = &port->tx[port->tx_used++];
    memcpy(f->data, data, len);
    f->len = (uint32_t)len;
    port->unflushed = true;
}

static void port_send(struct program *p, uint16_t idx, const uint8_t *data, size_t len)
{
    struct port *port = &p->port[idx];
    if (port->line && capy_fault_active(port->line))
        capy_fault_input(port->line, data, len, p->now);
    else
        put_out(port, data, len);
}

/* What has come through the port's narrow line; how many frames. */
static unsigned send_due(struct program *p, struct port *port)
{
    unsigned cnt = 0;
    size_t len;
    for (uint8_t *data; (data = capy_fault_output(port->line, p->now, &len)) != NULL; cnt++)
        put_out(port, data, len);
    return cnt;
}

/* The other one. */
static uint16_t cable_end(const struct program *p, uint16_t idx)
{
    return (uint16_t)(idx < p->cable_cnt ? idx + p->cable_cnt : idx - p->cable_cnt);
}

static void forward(struct program *p, uint16_t ingress, uint8_t *data, size_t len)
{
    if (p->cable_cnt) {
        port_send(p, cable_end(p, ingress), data, len);
        return;
    }
    plane_input(p, ingress, data, len, p->now, &p->out);
    for (unsigned i = 0; i < p->out.cnt; i++) {
        uint16_t egress = p->out.frame[i].port;
        if (egress != CAPY_PORT_FLOOD) {
            port_send(p, egress, p->out.frame[i].data, p->out.frame[i].len);
            continue;
        }
        for (uint16_t to = 0; to < p->port_cnt; to++) {
            if (to != ingress)
                port_send(p, to, p->out.frame[i].data, p->out.frame[i].len);
        }
    }
}

/* How many frames the port's faults let go of. */
static unsigned forward_due(struct program *p, uint16_t idx)
{
    struct capy_fault *fault = p->port[idx].fault;
    unsigned cnt = 0;
    size_t len;
    for (uint8_t *data; (data = capy_fault_output(fault, p->now, &len)) != NULL; cnt++)
        forward(p, idx, data, len);
    return cnt;
}

unsigned port_receive(struct program *p, uint16_t idx)
{
    struct port *port = &p->port[idx];
    struct capy_frame frames[CAPY_DRV_BURST];
    bool faults = port->fault && capy_fault_active(port->fault);
    unsigned cnt = port->drv->ops->receive(port->drv, frames, CAPY_DRV_BURST);
    for (unsigned i = 0; i < cnt; i++) {
        if (faults)
            capy_fault_input(port->fault, frames[i].data, frames[i].len, p->now);
        else
            forward(p, idx, frames[i].data, frames[i].len);
    }
    if (cnt > 0)
        port->drv->ops->release(port->drv, frames, cnt);
    if (faults)
        cnt += forward_due(p, idx);
    return port->line ? cnt + send_due(p, port) : cnt;
}

void ports_flush(struct program *p)
{
    for (unsigned i = 0; i < p->port_cnt; i++) {
        if (p->port[i].unflushed)
            flush(&p->port[i]);
    }
}

uint64_t ports_due_at(const struct program *p)
{
    uint64_t at = CAPY_NEVER;
    for (unsigned i = 0; i < p->port_cnt; i++) {
        if (p->port[i].fault)
            at = capy_min64(at, capy_fault_due_at(p->port[i].fault));
        if (p->port[i].line)
            at = capy_min64(at, capy_fault_due_at(p->port[i].line));
    }
    return at;
}

uint16_t ports_named(const struct program *p)
{
    return p->cable_cnt ? p->cable_cnt : p->port_cnt;
}

static bool port_is(const struct program *p, unsigned idx, const char *name)
{
    int server = capy_rack_server_index(&p->rack, name);
    return strcmp(p->port[idx].drv->ifname, name) == 0 ||
           (server >= 0 && p->cfg.server[server].port == idx);
}

/* Sets one of a port's two, making it when it is needed first. */
static int set_fault(struct program *p, struct capy_fault **fault, const struct capy_fault_cfg *cfg)
{
    if (!*fault && !capy_fault_cfg_is_set(cfg))
        return CAPY_OK;
    if (!*fault) {
        size_t size = (capy_fault_size(PORT_PENDING_MAX) + 63u) & ~(size_t)63u;
        void *mem = aligned_alloc(64, size);
        if (!mem)
            return CAPY_E_NOMEM;
        *fault = capy_fault_init(mem, PORT_PENDING_MAX, p->cfg.tcpmig_port);
    }
    capy_fault_set(*fault, cfg);
    return CAPY_OK;
}

/* Everything happens to what comes in, but for the narrow line, which is the port's own: whoever
 * sends there shares it. */
static int port_set_fault(struct program *p, uint16_t idx, const struct capy_fault_cfg *cfg)
{
    struct port *port = &p->port[idx];
    struct capy_fault_cfg in = *cfg;
    const struct capy_fault_cfg out = {.rate = cfg->rate, .queue = cfg->queue};
    in.rate = in.queue = 0;
    in.seed += idx; /* else every port would lose the same frames of its sequence */
    int rc = set_fault(p, &port->fault, &in);
    return rc == CAPY_OK ? set_fault(p, &port->line, &out) : rc;
}

int ports_set_fault(struct program *p, const char *name, const struct capy_fault_cfg *cfg,
                    char *err, size_t err_len)
{
    if (!capy_fault_cfg_is_valid(cfg)) {
        snprintf(err, err_len,
                 "a fault is out of range; rates are 0..%u ppm, times 0..%u us, a line's rate is "
                 "%u bytes/s and more",
                 CAPY_FAULT_PPM_MAX, CAPY_FAULT_DELAY_MAX_US, CAPY_FAULT_RATE_MIN);
        return CAPY_E_CONFIG;
    }
    bool all = !name || strcmp(name, "all") == 0, found = all;
    for (uint16_t i = 0; i < ports_named(p); i++) {
        if (!all && !port_is(p, i, name))
            continue;
        found = true;
        if (port_set_fault(p, i, cfg) != CAPY_OK) {
            snprintf(err, err_len, "out of memory for the faults' frames");
            return CAPY_E_NOMEM;
        }
    }
    if (!found) {
        snprintf(err, err_len, "no port \"%s\"; name a device or a server, or \"all\"", name);
        return CAPY_E_CONFIG;
    }
    return CAPY_OK;
}

void port_close(struct port *port)
{
    port->drv->ops->close(port->drv); /* takes the frames reserved ahead with it */
    free(port->fault);
    free(port->line);
}
