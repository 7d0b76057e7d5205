/* Checks of a rack file that compare keys with each other: names, MACs, switch ports, TCP and
 * UDP ports, times, path lengths. Each fault is reported at the line of the later of the two. */
#include "rack/reader.h"
#include "wire/tcpmig.h"
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define SWITCH_NAME "switch" /* its control socket is <run_dir>/switch.sock */

/* A name becomes a file name and a word of command lines. */
static bool name_good(const char *name)
{
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
           strlen(name);
}

static int check_server_names(struct rack_reader *r)
{
    const struct capy_rack *rack = r->rack;
    size_t path_max = sizeof((struct sockaddr_un *)0)->sun_path - 1;
    for (unsigned i = 0; i < rack->server_cnt; i++) {
        const char *name = rack->server[i].name;
        const config_setting_t *at = rack_at(r, "servers", i, "name");
        if (!name_good(name))
            return rack_fail(r, at,
                             "server name \"%s\" has other characters than letters, digits, "
                             "'-' and '_'; write another name",
                             name);
        if (strcmp(name, SWITCH_NAME) == 0)
            return rack_fail(r, at, "server name \"%s\" is the switch's; write another name", name);
        if (capy_rack_server_index(rack, name) != (int)i)
            return rack_fail(r, at, "server name \"%s\" is used twice; write another name", name);
        if (strlen(rack->run_dir) + strlen("/.sock") + strlen(name) > path_max)
            return rack_fail(r, at,
                             "run_dir and server name \"%s\" are too long for a socket's "
                             "path; write a shorter run_dir (%zu characters in all)",
                             name, path_max);
    }
    return CAPY_OK;
}

static int check_service_names(struct rack_reader *r)
{
    const struct capy_rack *rack = r->rack;
    for (unsigned i = 0; i < rack->service_cnt; i++) {
        if (!name_good(rack->service[i].name))
            return rack_fail(r, rack_at(r, "services", i, "name"),
                             "service name \"%s\" has other characters than letters, digits, "
                             "'-' and '_'; write another name",
                             rack->service[i].name);
        for (unsigned k = 0; k < i; k++)
            if (strcmp(rack->service[i].name, rack->service[k].name) == 0)
                return rack_fail(r, rack_at(r, "services", i, "name"),
                                 "service name \"%s\" is used twice; write another name",
                                 rack->service[i].name);
    }
    return CAPY_OK;
}

static int check_mac(struct rack_reader *r, const config_setting_t *at, const uint8_t mac[6])
{
    static const uint8_t none[6];
    if ((mac[0] & 1u) != 0 || memcmp(mac, none, sizeof none) == 0)
        return rack_fail(r, at,
                         "mac is a multicast address or all zero; "
                         "write the device's own (ip link shows it)");
    return CAPY_OK;
}

static int check_macs(struct rack_reader *r)
{
    const struct capy_rack *rack = r->rack;
    int rc = check_mac(r, config_lookup(&r->config, "switch.mac"), rack->switch_mac);
    for (unsigned i = 0; i < rack->server_cnt && rc == CAPY_OK; i++) {
        const uint8_t *mac = rack->server[i].mac;
        const config_setting_t *at = rack_at(r, "servers", i, "mac");
        rc = check_mac(r, at, mac);
        bool twice = memcmp(mac, rack->switch_mac, 6) == 0;
        for (unsigned k = 0; k < i; k++)
            twice |= memcmp(mac, rack->server[k].mac, 6) == 0;
        if (rc == CAPY_OK && twice)
            rc = rack_fail(r, at,
                           "mac %02x:%02x:%02x:%02x:%02x:%02x of server \"%s\" is used "
                           "twice; write each device's own (ip link shows it)",
                           mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], rack->server[i].name);
    }
    return rc;
}

/* Each switch device leads to one place. A server's own `device` may repeat: servers are separate
 * machines or namespaces. */
static int check_switch_ports(struct rack_reader *r)
{
    const struct capy_rack *rack = r->rack;
    const config_setting_t *clients = config_lookup(&r->config, "switch.client_ports");
    for (unsigned i = 0; i < rack->client_port_cnt; i++)
        for (unsigned k = 0; k < i; k++)
            if (strcmp(rack->client_port[i].device, rack->client_port[k].device) == 0)
                return rack_fail(r, clients,
                                 "client_ports names device \"%s\" twice; "
                                 "write each device once",
                                 rack->client_port[i].device);
    for (unsigned i = 0; i < rack->server_cnt; i++) {
        const char *port = rack->server[i].port;
        bool twice = false;
        for (unsigned k = 0; k < rack->client_port_cnt; k++)
            twice |= strcmp(port, rack->client_port[k].device) == 0;
        for (unsigned k = 0; k < i; k++)
            twice |= strcmp(port, rack->server[k].port) == 0;
        if (twice)
            return rack_fail(r, rack_at(r, "servers", i, "port"),
                             "switch device \"%s\" leads to two places; write one device per "
                             "server, and none of client_ports",
                             port);
    }
    return CAPY_OK;
}

static bool has_vip(const struct capy_rack *rack)
{
    static const uint8_t none[16];
    return memcmp(rack->vip, none, sizeof none) != 0;
}

static int check_vip(struct rack_reader *r)
{
    const struct capy_rack *rack = r->rack;
    static const uint8_t none[16];
    if (strcmp(rack->vip_policy, "maglev") != 0 && strcmp(rack->vip_policy, "least_loaded") != 0)
        return rack_fail(r, config_lookup(&r->config, "switch.vip_policy"),
                         "vip_policy = \"%s\" is not known; write \"maglev\" or \"least_loaded\"",
                         rack->vip_policy);
    if (memcmp(rack->vip6, none, sizeof none) != 0 && !has_vip(rack))
        return rack_fail(r, config_lookup(&r->config, "switch.vip6"),
                         "vip6 stands beside no vip; write switch.vip, too");
    if (has_vip(rack) && rack->service_cnt == 0)
        return rack_fail(
            r, config_lookup(&r->config, "switch.vip"),
            "vip has no services; write services = ( { name = \"http\"; port = 80; } );");
    return CAPY_OK;
}

static int check_tcp_ports(struct rack_reader *r)
{
    const struct capy_rack *rack = r->rack;
    const config_setting_t *group = config_lookup(&r->config, "rack");
    const config_setting_t *at = config_setting_get_member(group, "mig_port_first");
    unsigned first = rack->mig_port_first, last = first + rack->mig_port_cnt - 1u;
    bool vip = has_vip(rack);
    unsigned below = CAPY_OPENED_PORT_CNT + (vip ? CAPY_VIP_PORT_CNT : 0u);
    unsigned opened = first > below ? first - below : first;
    if (!at)
        at = group;
    if (last > 65535)
        return rack_fail(r, at,
                         "mig_port_first + mig_port_cnt goes to port %u; "
                         "write a range that ends at 65535 or before",
                         last);
    if (rack->tcpmig_port >= first && rack->tcpmig_port <= last)
        return rack_fail(r, at,
                         "ports %u to %u for migrated connections include tcpmig_port %u; "
                         "write another mig_port_first or tcpmig_port",
                         first, last, rack->tcpmig_port);
    if (vip && first <= below + 1024u)
        return rack_fail(r, at,
                         "mig_port_first = %u leaves no ports below it for the vip's connections; "
                         "write at least %u",
                         first, below + 1025u);
    for (unsigned i = 0; i < rack->service_cnt; i++) {
        const struct capy_rack_service *s = &rack->service[i];
        if (s->port >= opened && s->port <= last)
            return rack_fail(r, rack_at(r, "services", i, "port"),
                             "port %u of service \"%s\" is among the ports %u to %u for migrated "
                             "connections; write another port or mig_port_first",
                             s->port, s->name, opened, last);
        for (unsigned k = 0; k < i; k++)
            if (s->port == rack->service[k].port)
                return rack_fail(r, rack_at(r, "services", i, "port"),
                                 "port %u is used by two services, \"%s\" and \"%s\"; "
                                 "write another port",
                                 s->port, rack->service[k].name, s->name);
    }
    return CAPY_OK;
}

static int check_times(struct rack_reader *r)
{
    const struct capy_rack *rack = r->rack;
    const config_setting_t *lease = config_lookup(&r->config, "rack.lease_us");
    const config_setting_t *learn = config_lookup(&r->config, "switch.directory.learn_us");
    const config_setting_t *announce = config_lookup(&r->config, "switch.directory.announce_s");
    const config_setting_t *age = config_lookup(&r->config, "switch.directory.age_s");
    if (rack->lease_us < 2ull * rack->heartbeat_us)
        return rack_fail(r, lease,
                         "lease_us = %u is below two heartbeats of %u; write at least %llu",
                         rack->lease_us, rack->heartbeat_us, 2ull * rack->heartbeat_us);
    /* A server must have been heard before the switch may find it dead. */
    if (rack->learn_us < rack->lease_us)
        return rack_fail(r, learn ? learn : lease,
                         "learn_us = %u is below lease_us = %u; "
                         "write at least one lease",
                         rack->learn_us, rack->lease_us);
    if (rack->announce_s > rack->age_s / 2)
        return rack_fail(r, announce ? announce : age,
                         "announce_s = %u is above half of age_s = %u, so one lost message would "
                         "age a live flow out; write at most %u",
                         rack->announce_s, rack->age_s, rack->age_s / 2);
    return CAPY_OK;
}

static int check_trigger(struct rack_reader *r)
{
    const struct capy_rack *rack = r->rack;
    if (rack->load_threshold == 0 || rack->load_low < rack->load_threshold)
        return CAPY_OK;
    return rack_fail(r, config_lookup(&r->config, "trigger.load_low"),
                     "load_low = %u is not below load_threshold = %u; write %u, say",
                     rack->load_low, rack->load_threshold, rack->load_threshold / 2);
}

static int check_words(struct rack_reader *r)
{
    const struct capy_rack *rack = r->rack;
    if (rack->run_dir[0] != '/')
        return rack_fail(r, config_lookup(&r->config, "rack.run_dir"),
                         "run_dir = \"%s\" is not an absolute path; write one that begins with /",
                         rack->run_dir);
    for (unsigned i = 0; i < rack->server_cnt; i++) {
        const char *stack = rack->server[i].stack;
        if (stack[0] && strcmp(stack, "capy") != 0 && strcmp(stack, "linux") != 0)
            return rack_fail(r, rack_at(r, "servers", i, "stack"),
                             "stack = \"%s\" is not known; write \"capy\" or \"linux\"", stack);
    }
    if (strcmp(rack->driver, "auto") != 0 && strcmp(rack->driver, "af_xdp") != 0 &&
        strcmp(rack->driver, "tap") != 0)
        return rack_fail(r, config_lookup(&r->config, "rack.driver"),
                         "driver = \"%s\" is not known; write \"auto\", \"af_xdp\" or \"tap\"",
                         rack->driver);
    if ((rack->directory_slots & (rack->directory_slots - 1)) != 0)
        return rack_fail(r, config_lookup(&r->config, "switch.directory.slots"),
                         "slots = %u is not a power of two; write 65536, say",
                         rack->directory_slots);
    return CAPY_OK;
}

/* A connection whose queues are full must fit CONN_STATE (2048 fragments of 1352 bytes), beside its
 * head and 64 KiB of the application's own. */
#define QUEUES_MAX (2560u * 1024u)

static int check_buffers(struct rack_reader *r)
{
    const struct capy_rack *rack = r->rack;
    const config_setting_t *snd = config_lookup(&r->config, "limits.snd_buf");
    const config_setting_t *rcv = config_lookup(&r->config, "limits.rcv_buf");
    if ((uint64_t)rack->snd_buf + rack->rcv_buf > QUEUES_MAX)
        return rack_fail(r, snd ? snd : rcv,
                         "snd_buf + rcv_buf = %llu is more than a migration can carry; "
                         "write at most %u in all",
                         (unsigned long long)rack->snd_buf + rack->rcv_buf, QUEUES_MAX);
    return CAPY_OK;
}

int rack_check(struct rack_reader *r)
{
    static int (*const checks[])(struct rack_reader *) = {
        check_words, check_server_names, check_service_names, rack_check_addresses,
        check_macs,  check_switch_ports, check_vip,           check_tcp_ports,
        check_times, check_buffers,      check_trigger,
    };
    int rc = CAPY_OK;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0] && rc == CAPY_OK; i++)
        rc = checks[i](r);
    return rc;
}
