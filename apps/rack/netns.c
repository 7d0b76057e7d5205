/* Network namespaces and the veth cables between them. A namespace has no name anywhere: it lives
 * as long as a descriptor or a process holds it. See netns.h. */
#define _GNU_SOURCE /* unshare, setns, pipe2 */
#include "apps/rack/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CABLE "-v" /* what a cable's end is called behind the name, where that is a TAP's */

/* The child's part: `ip -batch -` in the namespace, commands on stdin, complaints to a pipe. */
static void exec_ip(int netns, int in, int complaints)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (setns(netns, CLONE_NEWNET) < 0 || dup2(in, 0) < 0 || dup2(null, 1) < 0 ||
        dup2(complaints, 2) < 0) {
        _exit(126);
    }
    execlp("ip", "ip", "-batch", "-", (char *)NULL);
    dprintf(2, "ip: %s; install iproute2\n", strerror(errno));
    _exit(127);
}

/* Runs `ip` on the lines of batch inside a namespace. */
static int run_ip(int netns, const char *batch, char *err, size_t err_len)
{
    int in[2], out[2], status = 0;
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0) {
        snprintf(err, err_len, "pipe: %s", strerror(errno));
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        exec_ip(netns, in[0], out[1]);
    }
    close(in[0]);
    close(out[1]);
    /* Short next to a pipe's 64 KiB; a child that died early shows in its status. */
    ssize_t put = write(in[1], batch, strlen(batch));
    close(in[1]);
    ssize_t said = read(out[0], err, err_len - 1);
    close(out[0]);
    if (pid < 0 || waitpid(pid, &status, 0) < 0) {
        snprintf(err, err_len, "fork: %s", strerror(errno));
        return -1;
    }
    if (status == 0 && put == (ssize_t)strlen(batch)) {
        return 0;
    }
    err[said > 0 ? said : 0] = 0;
    err[strcspn(err, "\n")] = 0;
    return -1;
}

/* Switches one off- or onload of a device in the present namespace. */
static int set_feature(int sock, const char *device, uint32_t command, uint32_t on)
{
    struct ethtool_value value = {.cmd = command, .data = on};
    struct ifreq req = {.ifr_data = (char *)&value};
    strncpy(req.ifr_name, device, sizeof req.ifr_name - 1);
    return ioctl(sock, SIOCETHTOOL, &req);
}

/* A kernel's end of a cable, which is up, whose other end is user space: its checksums must be filled in
 * by the kernel, for no NIC will; and GRO, turned on while the device is up, makes veth poll by NAPI,
 * without which a frame that XDP redirects here is dropped without a word. */
static int tune_kernel(char *err, size_t err_len)
{
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sock < 0 || set_feature(sock, RACK_DEVICE, ETHTOOL_STXCSUM, 0) < 0 ||
        set_feature(sock, RACK_DEVICE, ETHTOOL_SGRO, 0) < 0 ||
        set_feature(sock, RACK_DEVICE, ETHTOOL_SGRO, 1) < 0) {
        snprintf(err, err_len, "checksum offload of a kernel's device: %s", strerror(errno));
        if (sock >= 0) {
            close(sock);
        }
        return -1;
    }
    close(sock);
    return 0;
}

/* Where our own stack owns the device, the kernel must not speak on it: no IPv6 autoconfiguration. A
 * client's kernel, or that of a server on kernel sockets, speaks IPv6 whatever the machine's own setting is. A kernel without IPv6 has no
 * such file, and no need. */
static void allow_ipv6(bool allow)
{
    const char *files[] = {"/proc/sys/net/ipv6/conf/all/disable_ipv6",
                           "/proc/sys/net/ipv6/conf/default/disable_ipv6"};
    for (unsigned i = 0; i < sizeof files / sizeof files[0]; i++) {
        int fd = open(files[i], O_WRONLY | O_CLOEXEC);
        if (fd >= 0) {
            (void)!write(fd, allow ? "0" : "1", 1);
            close(fd);
        }
    }
}

/* Makes the node's namespace; the caller is inside it afterwards. */
static int make_namespace(struct rack_node *node, char *err, size_t err_len)
{
    if (unshare(CLONE_NEWNET) < 0 ||
        (node->netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) < 0) {
        snprintf(err, err_len, "network namespace of %s: %s", node->name, strerror(errno));
        return -1;
    }
    allow_ipv6(node->kernel);
    return 0;
}

/* The tap driver wants a TAP device where AF_XDP takes the cable's end itself: a bridge then joins
 * the TAP, which bears the end's name, and the cable. */
static void join_tap(FILE *f, const char *name)
{
    fprintf(f,
            "tuntap add dev %s mode tap\n"
            "link add %s-br type bridge mcast_snooping 0\n"
            "link set %s master %s-br up\n"
            "link set %s" CABLE " master %s-br up\n"
            "link set %s-br up\n",
            name, name, name, name, name, name, name);
}

/* One cable, from the present namespace to the node's. tap: see join_tap. */
static void lay_cable(FILE *f, const struct rack_plan *plan, const struct rack_node *n, bool tap)
{
    fprintf(f, "link add name %s%s mtu %u type veth peer name " RACK_DEVICE "%s mtu %u", n->name,
            tap ? CABLE : "", plan->rack.mtu, tap && n->role == RACK_SERVER ? CABLE : "",
            plan->rack.mtu);
    if (!tap || n->role == RACK_CLIENT) {
        fprintf(f, " address %02x:%02x:%02x:%02x:%02x:%02x", n->mac[0], n->mac[1], n->mac[2],
                n->mac[3], n->mac[4], n->mac[5]);
    }
    fprintf(f, " netns /proc/1/fd/%d\n", n->netns);
    if (tap) {
        join_tap(f, n->name);
    } else {
        fprintf(f, "link set %s up\n", n->name);
    }
}

/* From the wire on, in whose namespace we are, to the switch. */
static void lay_uplink(FILE *f, const struct rack_plan *plan, const struct rack_node *n)
{
    fprintf(f, "link add name %s-up mtu %u type veth peer name %s mtu %u netns /proc/1/fd/%d\n",
            n->name, plan->rack.mtu, n->name, plan->rack.mtu, plan->node[0].netns);
    fprintf(f, "link set %s-up up\n", n->name);
}

/* The switch's ends of cables that were laid from the wire. */
static int raise_switch(const struct rack_plan *plan, char *err, size_t err_len)
{
    char batch[64 + RACK_NODE_MAX * (CAPY_RACK_NAME_MAX + 16)] = "";
    FILE *f = fmemopen(batch, sizeof batch, "w");
    if (!f) {
        snprintf(err, err_len, "out of memory");
        return -1;
    }
    fputs("link set lo up\n", f);
    for (unsigned i = 2; i < plan->node_cnt; i++) {
        fprintf(f, "link set %s up\n", plan->node[i].name);
    }
    fclose(f);
    return run_ip(plan->node[0].netns, batch, err, err_len);
}

/* The cables, laid from the switch's side, or from the wire in the middle. */
static int lay_cables(struct rack_plan *plan, char *err, size_t err_len)
{
    char *batch = NULL;
    size_t batch_len = 0;
    FILE *f = open_memstream(&batch, &batch_len);
    if (!f) {
        snprintf(err, err_len, "out of memory");
        return -1;
    }
    const unsigned from = plan->opt->wire ? 1 : 0;
    const bool tap = strcmp(plan->rack.driver, "tap") == 0;
    fputs("link set lo up\n", f);
    for (unsigned i = from + 1; i < plan->node_cnt; i++) {
        lay_cable(f, plan, &plan->node[i], tap);
        if (plan->opt->wire) {
            lay_uplink(f, plan, &plan->node[i]);
        }
    }
    fclose(f);
    int result = run_ip(plan->node[from].netns, batch, err, err_len);
    free(batch);
    return result == 0 && plan->opt->wire ? raise_switch(plan, err, err_len) : result;
}

/* Brings the node's own end up. Where our own stack owns the device, the kernel has no addresses. */
static int raise_node(const struct rack_plan *plan, const struct rack_node *node, char *err,
                      size_t err_len)
{
    char batch[400] = "";
    FILE *f = fmemopen(batch, sizeof batch, "w");
    if (!f) {
        snprintf(err, err_len, "out of memory");
        return -1;
    }
    fputs("link set lo up\n", f);
    if (node->role == RACK_SERVER && strcmp(plan->rack.driver, "tap") == 0) {
        join_tap(f, RACK_DEVICE);
    } else {
        fputs("link set " RACK_DEVICE " up\n", f);
    }
    if (node->kernel) {
        /* Nobody else in this namespace's link has them: no waiting for that to be found out. */
        const char *nodad = strchr(node->ip, ':') ? " nodad" : "";
        fprintf(f, "addr add %s/%u dev " RACK_DEVICE "%s\n", node->ip, plan->rack.prefix_len,
                nodad);
        if (node->ip6[0]) {
            fprintf(f, "addr add %s/%u dev " RACK_DEVICE " nodad\n", node->ip6,
                    plan->rack.prefix6_len);
        }
    }
    fclose(f);
    if (run_ip(node->netns, batch, err, err_len) < 0) {
        return -1;
    }
    if (!node->kernel) {
        return 0;
    }
    return setns(node->netns, CLONE_NEWNET) < 0 ? -1 : tune_kernel(err, err_len);
}

int rack_netns_make(struct rack_plan *plan, char *err, size_t err_len)
{
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int result = home < 0 ? -1 : 0;
    for (unsigned i = 0; result == 0 && i < plan->node_cnt; i++) {
        result = make_namespace(&plan->node[i], err, err_len);
    }
    if (result == 0) {
        result = lay_cables(plan, err, err_len);
    }
    for (unsigned i = plan->opt->wire ? 2 : 1; result == 0 && i < plan->node_cnt; i++) {
        result = raise_node(plan, &plan->node[i], err, err_len);
    }
    if (home >= 0) {
        (void)!setns(home, CLONE_NEWNET);
        close(home);
    }
    return result;
}
