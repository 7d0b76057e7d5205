/* What a local rack will consist of. Everything sits in 10.99.0.0/24 and in fd99::/64, which people
 * read alike: servers from .11 and ::11 on, clients from .101 and ::101 on, the switch at .254 and
 * ::254. See plan.h. */
#include "apps/rack/plan.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERVER_HOST 11u
#define CLIENT_HOST 101u
#define SWITCH_HOST 254u
#define VIP_HOST 100u
#define HTTP_PORT 80u
#define VIP_LEVELS 4u /* every connection of the service address is in the directory */

/* A socket's path has 108 bytes: "/<server name>.sock" must fit behind the directory. */
#define RUN_DIR_MAX (108 - 39)
#define CAPTURE_DIR_MAX 256

static void make_ip4(unsigned host, uint8_t ip[16])
{
    const uint8_t mapped[16] = {[10] = 0xff, 0xff, 10, 99, 0, (uint8_t)host};
    memcpy(ip, mapped, sizeof mapped);
}

/* fd99::101, whose hexadecimal digits are the host's decimal ones. */
static void make_ip6(unsigned host, uint8_t ip[16])
{
    const uint8_t local[16] = {0xfd, 0x99, [14] = (uint8_t)(host / 100 % 10),
                               (uint8_t)((host / 10 % 10) << 4 | host % 10)};
    memcpy(ip, local, sizeof local);
}

static bool is_ipv6_rack(const struct capy_rack *rack)
{
    return rack->switch_ip[0] != 0;
}

/* Gives a node its addresses and MAC. ip6: all zero in a rack of one version. */
static void address(const struct rack_plan *plan, struct rack_node *node, unsigned host,
                    uint8_t ip[16], uint8_t ip6[16])
{
    const uint8_t derived[6] = {0x02, 0xca, 10, 99, 0, (uint8_t)host};
    memcpy(node->mac, derived, sizeof derived);
    memset(ip6, 0, 16);
    if (plan->opt->ipv6_only) {
        make_ip6(host, ip);
    } else {
        make_ip4(host, ip);
        if (plan->has_ipv6) {
            make_ip6(host, ip6);
            capy_address_text(ip6, node->ip6);
        }
    }
    capy_address_text(ip, node->ip);
}

void rack_plan_client_ip(const struct capy_rack *rack, unsigned i, uint8_t ip[16])
{
    if (is_ipv6_rack(rack))
        make_ip6(CLIENT_HOST + i, ip);
    else
        make_ip4(CLIENT_HOST + i, ip);
}

static struct rack_node *add_node(struct rack_plan *plan, enum rack_role role)
{
    struct rack_node *node = &plan->node[plan->node_cnt++];
    node->role = role;
    node->netns = -1;
    return node;
}

static void add_switch(struct rack_plan *plan)
{
    struct rack_node *node = add_node(plan, RACK_SWITCH);
    strcpy(node->name, "switch");
    address(plan, node, SWITCH_HOST, plan->rack.switch_ip, plan->rack.switch_ip6);
    memcpy(plan->rack.switch_mac, node->mac, sizeof node->mac);
}

static void add_wire(struct rack_plan *plan)
{
    if (plan->opt->wire)
        strcpy(add_node(plan, RACK_WIRE)->name, "wire");
}

/* The address that all servers have together. */
static int add_vip(struct rack_plan *plan, char *err, size_t err_len)
{
    struct rack_node nobody;
    struct capy_rack *rack = &plan->rack;
    const char *policy = plan->opt->vip_policy;
    if (!policy) {
        return 0;
    }
    if (strcmp(policy, "maglev") != 0 && strcmp(policy, "least_loaded") != 0) {
        snprintf(err, err_len, "--vip %s: write maglev or least_loaded", policy);
        return -1;
    }
    snprintf(rack->vip_policy, sizeof rack->vip_policy, "%s", policy);
    address(plan, &nobody, VIP_HOST, rack->vip, rack->vip6);
    rack->directory_levels = VIP_LEVELS;
    return 0;
}

/* The word of the list that is the i-th server's; the last one is that of all others, too. */
static void stack_of(const char *list, unsigned i, char out[16])
{
    size_t len;
    for (; (len = strcspn(list, ",")), i > 0 && list[len]; i--)
        list += len + 1;
    snprintf(out, 16, "%.*s", (int)len, list);
}

static int check_stacks(const struct capy_rack_local_options *opt, char *err, size_t err_len)
{
    bool any = false;
    for (unsigned i = 0; opt->stack && i < opt->server_cnt; i++) {
        char stack[16];
        stack_of(opt->stack, i, stack);
        any = any || strcmp(stack, "linux") == 0;
        if (strcmp(stack, "linux") != 0 && strcmp(stack, "capy") != 0) {
            snprintf(err, err_len, "--stack %s: give capy or linux, or as capy,linux", opt->stack);
            return -1;
        }
    }
    if (any && ((opt->driver && strcmp(opt->driver, "tap") == 0) || opt->record)) {
        snprintf(err, err_len,
                 "--stack linux needs veths, and is not recorded; leave --driver tap "
                 "and --record out");
        return -1;
    }
    return 0;
}

static void add_server(struct rack_plan *plan, unsigned i)
{
    struct rack_node *node = add_node(plan, RACK_SERVER);
    struct capy_rack_server *server = &plan->rack.server[plan->rack.server_cnt++];
    snprintf(node->name, sizeof node->name, "s%u", i + 1);
    address(plan, node, SERVER_HOST + i, server->ip, server->ip6);
    memcpy(server->mac, node->mac, sizeof server->mac);
    strcpy(server->name, node->name);
    strcpy(server->device, RACK_DEVICE);
    stack_of(plan->opt->stack ? plan->opt->stack : "capy", i, server->stack);
    node->kernel = strcmp(server->stack, "linux") == 0;
    snprintf(server->port, sizeof server->port, "s%u", i + 1);
}

static void add_client(struct rack_plan *plan, unsigned i)
{
    struct rack_node *node = add_node(plan, RACK_CLIENT);
    struct capy_rack_port *port = &plan->rack.client_port[plan->rack.client_port_cnt++];
    uint8_t ip[16], ip6[16]; /* a client has no place in the rack file, only its port has */
    snprintf(node->name, sizeof node->name, "c%u", i + 1);
    node->kernel = true;
    address(plan, node, CLIENT_HOST + i, ip, ip6);
    snprintf(port->device, sizeof port->device, "c%u", i + 1);
}

/* mkdir -p, then the absolute path, which must be shorter than max. option: where path is from. */
static int make_dir(const char *option, const char *path, size_t max, char out[256], char *err,
                    size_t err_len)
{
    char part[256], absolute[PATH_MAX];
    if (!path[0] || strlen(path) >= max) { /* before anything is made */
        snprintf(err, err_len, "%s %s: give a path of 1 to %zu bytes", option, path, max - 1);
        return -1;
    }
    snprintf(part, sizeof part, "%s", path);
    for (char *p = part + 1; *p; p++) {
        if (*p == '/') {
            *p = 0;
            mkdir(part, 0755); /* a failure shows at the last part */
            *p = '/';
        }
    }
    struct stat st;
    errno = 0;
    if ((mkdir(part, 0755) < 0 && errno != EEXIST) || !realpath(part, absolute) ||
        stat(absolute, &st) < 0 || (!S_ISDIR(st.st_mode) && (errno = ENOTDIR))) {
        snprintf(err, err_len, "%s %s: %s; give a directory that can be written", option, path,
                 strerror(errno));
        return -1;
    }
    if (strlen(absolute) >= max) {
        snprintf(err, err_len, "%s %s: its path is longer than %zu bytes", option, absolute,
                 max - 1);
        return -1;
    }
    strcpy(out, absolute);
    return 0;
}

/* The files to serve, when there are any. */
static int find_root(struct rack_plan *plan, char *err, size_t err_len)
{
    char absolute[PATH_MAX];
    struct stat st;
    if (!plan->opt->root) {
        return 0;
    }
    if (!realpath(plan->opt->root, absolute) || stat(absolute, &st) < 0 || !S_ISDIR(st.st_mode)) {
        snprintf(err, err_len, "%s: no such directory; give --root one that exists",
                 plan->opt->root);
        return -1;
    }
    if (snprintf(plan->root, sizeof plan->root, "%s", absolute) >= (int)sizeof plan->root) {
        snprintf(err, err_len, "%s: path too long", absolute);
        return -1;
    }
    return 0;
}

static int check_plane(const struct capy_rack_local_options *opt, char *err, size_t err_len)
{
    bool xdp = opt->plane && strcmp(opt->plane, "xdp") == 0;
    if (opt->plane && !xdp && strcmp(opt->plane, "user") != 0) {
        snprintf(err, err_len, "--plane %s: give user or xdp", opt->plane);
        return -1;
    }
    if (xdp && opt->driver && strcmp(opt->driver, "tap") == 0) {
        snprintf(err, err_len, "--plane xdp needs veths; leave --driver tap out");
        return -1;
    }
    if (xdp && opt->record) {
        snprintf(err, err_len, "--plane xdp does not record; leave --record out");
        return -1;
    }
    if (xdp && opt->capture && !opt->wire) {
        snprintf(err, err_len, "--plane xdp does not capture; add --wire, whose cables do");
        return -1;
    }
    if (opt->wire && opt->driver && strcmp(opt->driver, "tap") == 0) {
        snprintf(err, err_len, "--wire needs veths; leave --driver tap out");
        return -1;
    }
    return 0;
}

/* Room for so many connections at each server, and in the directory for twice as many, all of which
 * may be away from home. */
static void make_room(struct capy_rack *rack, unsigned conn_max)
{
    rack->conn_max = conn_max;
    if (rack->memory_max < 2 * conn_max)
        rack->memory_max = 2 * conn_max;
    for (rack->directory_levels = VIP_LEVELS; rack->directory_slots < 2 * conn_max;)
        rack->directory_slots *= 2;
}

/* The rack file's own choices. */
static void choose(struct rack_plan *plan)
{
    const struct capy_rack_local_options *opt = plan->opt;
    struct capy_rack *rack = &plan->rack;
    rack->encrypt = opt->encrypt;
    rack->offload = opt->offload;
    rack->load_threshold = opt->threshold;
    rack->load_low = opt->threshold / 2;
    if (opt->conn_max > 0) {
        make_room(rack, opt->conn_max);
    }
    if (opt->driver) {
        snprintf(rack->driver, sizeof rack->driver, "%s", opt->driver);
    }
    strcpy(rack->service[0].name, "http");
    rack->service[0].port = HTTP_PORT;
    rack->service_cnt = 1;
}

int rack_plan_make(struct rack_plan *plan, const struct capy_rack_local_options *opt, char *err,
                   size_t err_len)
{
    memset(plan, 0, sizeof *plan);
    plan->opt = opt;
    struct capy_rack *rack = &plan->rack;
    capy_rack_default(rack);
    if (opt->server_cnt < 1 || opt->server_cnt > CAPY_RACK_SERVER_MAX || opt->client_cnt < 1 ||
        opt->client_cnt > CAPY_RACK_CLIENT_MAX) {
        snprintf(err, err_len, "a rack has 1..%d servers and 1..%d clients", CAPY_RACK_SERVER_MAX,
                 CAPY_RACK_CLIENT_MAX);
        return -1;
    }
    if (check_plane(opt, err, err_len) < 0 || check_stacks(opt, err, err_len) < 0) {
        return -1;
    }
    if (make_dir("--dir", opt->dir, RUN_DIR_MAX, rack->run_dir, err, err_len) < 0 ||
        find_root(plan, err, err_len) < 0 ||
        (opt->capture &&
         make_dir("--capture", opt->capture, CAPTURE_DIR_MAX, plan->capture, err, err_len) < 0) ||
        (opt->record &&
         make_dir("--record", opt->record, CAPTURE_DIR_MAX, plan->record, err, err_len) < 0)) {
        return -1;
    }
    /* Asked before there are namespaces: from another mount namespace a chroot's paths differ. */
    if (readlink("/proc/self/exe", plan->exe, sizeof plan->exe - 1) < 0) {
        snprintf(err, err_len, "/proc/self/exe: %s; mount /proc", strerror(errno));
        return -1;
    }
    if (getrandom(rack->key, sizeof rack->key, 0) != (ssize_t)sizeof rack->key) {
        snprintf(err, err_len, "no random bytes for the rack key: %s", strerror(errno));
        return -1;
    }
    plan->has_ipv6 = access("/proc/sys/net/ipv6", F_OK) == 0;
    if (opt->ipv6_only && !plan->has_ipv6) {
        snprintf(err, err_len, "this kernel has no IPv6; leave --ipv6-only out");
        return -1;
    }
    if (opt->ipv6_only) {
        rack->prefix_len = rack->prefix6_len;
    }
    snprintf(plan->conf, sizeof plan->conf, "%s/rack.conf", rack->run_dir);
    choose(plan);
    add_switch(plan);
    add_wire(plan);
    if (add_vip(plan, err, err_len) < 0) {
        return -1;
    }
    for (unsigned i = 0; i < opt->server_cnt; i++) {
        add_server(plan, i);
    }
    for (unsigned i = 0; i < opt->client_cnt; i++) {
        add_client(plan, i);
    }
    return 0;
}

struct rack_node *rack_plan_node(struct rack_plan *plan, const char *name)
{
    for (unsigned i = 0; i < plan->node_cnt; i++) {
        if (strcmp(plan->node[i].name, name) == 0) {
            return &plan->node[i];
        }
    }
    return NULL;
}
