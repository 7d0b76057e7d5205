/* What a local rack will consist of. Everything sits in 10.99.0.0/24: servers from .11 on,
 * clients from .101 on, the switch at .254. See plan.h. */
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
#define HTTP_PORT 80u

/* A socket's path has 108 bytes: "/<server name>.sock" must fit behind the directory. */
#define RUN_DIR_MAX (108 - 39)
#define CAPTURE_DIR_MAX 256

/* 10.99.0.host as an IPv4-mapped address, as text, and the MAC that follows from it. */
static void address(unsigned host, uint8_t ip[16], char text[16], uint8_t mac[6])
{
    const uint8_t mapped[16] = {[10] = 0xff, 0xff, 10, 99, 0, (uint8_t)host};
    const uint8_t derived[6] = {0x02, 0xca, 10, 99, 0, (uint8_t)host};
    memcpy(ip, mapped, sizeof mapped);
    memcpy(mac, derived, sizeof derived);
    snprintf(text, 16, "10.99.0.%u", host & 0xffu);
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
    address(SWITCH_HOST, plan->rack.switch_ip, node->ip, node->mac);
    memcpy(plan->rack.switch_mac, node->mac, sizeof node->mac);
}

static void add_server(struct rack_plan *plan, unsigned i)
{
    struct rack_node *node = add_node(plan, RACK_SERVER);
    struct capy_rack_server *server = &plan->rack.server[plan->rack.server_cnt++];
    snprintf(node->name, sizeof node->name, "s%u", i + 1);
    address(SERVER_HOST + i, server->ip, node->ip, server->mac);
    memcpy(node->mac, server->mac, sizeof node->mac);
    strcpy(server->name, node->name);
    strcpy(server->device, RACK_DEVICE);
    snprintf(server->port, sizeof server->port, "s%u", i + 1);
}

static void add_client(struct rack_plan *plan, unsigned i)
{
    struct rack_node *node = add_node(plan, RACK_CLIENT);
    struct capy_rack_port *port = &plan->rack.client_port[plan->rack.client_port_cnt++];
    uint8_t ip[16]; /* a client has no place in the rack file, only its port has */
    snprintf(node->name, sizeof node->name, "c%u", i + 1);
    address(CLIENT_HOST + i, ip, node->ip, node->mac);
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

int rack_plan_make(struct rack_plan *plan, const struct capy_rack_local_options *opt, char *err,
                   size_t err_len)
{
    memset(plan, 0, sizeof *plan);
    plan->opt = opt;
    struct capy_rack *rack = &plan->rack;
    capy_rack_default(rack);
    if (opt->server_cnt < 1 || opt->server_cnt > CAPY_RACK_SERVER_MAX || opt->client_cnt < 1 ||
        opt->client_cnt > CAPY_RACK_CLIENT_MAX) {
        snprintf(err, err_len, "a rack has 1..%u servers and 1..%u clients", CAPY_RACK_SERVER_MAX,
                 CAPY_RACK_CLIENT_MAX);
        return -1;
    }
    if (make_dir("--dir", opt->dir, RUN_DIR_MAX, rack->run_dir, err, err_len) < 0 ||
        find_root(plan, err, err_len) < 0 ||
        (opt->capture &&
         make_dir("--capture", opt->capture, CAPTURE_DIR_MAX, plan->capture, err, err_len) < 0)) {
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
    snprintf(plan->conf, sizeof plan->conf, "%s/rack.conf", rack->run_dir);
    rack->encrypt = opt->encrypt;
    rack->offload = opt->offload;
    rack->load_threshold = opt->threshold;
    if (opt->driver) {
        snprintf(rack->driver, sizeof rack->driver, "%s", opt->driver);
    }
    strcpy(rack->service[0].name, "http");
    rack->service[0].port = HTTP_PORT;
    rack->service_cnt = 1;
    add_switch(plan);
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
