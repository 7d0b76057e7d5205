/* The cables of a rack as a program: what a member sends leaves towards the switch, through the device of
 * the same name with "-up" behind it, and back. On its way it can be lost, repeated, delayed and
 * captured, as the switch in user space does it, for a plane in the kernel does none of that. There is no
 * plane in here, and neither the members nor the switch know of it. */
#include "switch/user/program.h"

#define DEVICE_MAX 16 /* IFNAMSIZ */

static int add_cable(struct program *p, const struct capy_switch_run *run, const char *device,
                     enum capy_port_role role, char *err, size_t err_len)
{
    p->cable_cnt++;
    return program_add_port(p, run, device, role, err, err_len);
}

static int add_up(struct program *p, const struct capy_switch_run *run, uint16_t idx, char *err,
                  size_t err_len)
{
    struct capy_switch_run up = *run;
    char device[DEVICE_MAX + sizeof "-up"];
    up.capture_dir = NULL; /* it would be all the same again */
    snprintf(device, sizeof device, "%s-up", p->port[idx].drv->ifname);
    return program_add_port(p, &up, device, p->port[idx].role, err, err_len);
}

int wire_open(struct program *p, const struct capy_switch_run *run, char *err, size_t err_len)
{
    const struct capy_rack *rack = &p->rack;
    int rc = CAPY_OK;
    if (run->record) {
        snprintf(err, err_len, "cables are not recorded; leave --record out");
        return CAPY_E_CONFIG;
    }
    p->started_at = p->now = program_clock();
    for (unsigned i = 0; i < rack->server_cnt && rc == CAPY_OK; i++)
        rc = add_cable(p, run, rack->server[i].port, CAPY_PORT_SERVER, err, err_len);
    for (unsigned i = 0; i < rack->client_port_cnt && rc == CAPY_OK; i++)
        rc = add_cable(p, run, rack->client_port[i].device, CAPY_PORT_CLIENT, err, err_len);
    for (uint16_t i = 0; i < p->cable_cnt && rc == CAPY_OK; i++)
        rc = add_up(p, run, i, err, err_len);
    return rc;
}
