/* What a local rack will consist of, before anything is made: names, addresses, devices. */
#ifndef CAPY_APPS_RACK_PLAN_H
#define CAPY_APPS_RACK_PLAN_H

#include "apps/common/endpoint.h"
#include "apps/rack/local.h"

#define RACK_NODE_MAX (2u + CAPY_RACK_SERVER_MAX + CAPY_RACK_CLIENT_MAX)
#define RACK_DEVICE "eth0" /* what a server or client calls its end of the cable */

enum rack_role { RACK_SWITCH, RACK_WIRE, RACK_SERVER, RACK_CLIENT };

/* One machine of the rack: a network namespace. The switch's end of its cable bears its name. With a wire
 * each cable is two, and between them the wire's ends: NAME, and NAME-up towards the switch. */
struct rack_node {
    enum rack_role role;
    char name[CAPY_RACK_NAME_MAX];
    char ip[CAPY_ADDRESS_TEXT_MAX];  /* its primary address: IPv6 in a rack without IPv4 */
    char ip6[CAPY_ADDRESS_TEXT_MAX]; /* the second one; "": none */
    uint8_t mac[6];
    bool kernel; /* its TCP/IP is the kernel's */
    int netns;   /* -1 until made */
};

struct rack_plan {
    struct capy_rack rack;
    bool has_ipv6; /* the kernel, which is the clients' */
    unsigned node_cnt;
    struct rack_node node[RACK_NODE_MAX]; /* the switch first, then the wire if there is one */
    char exe[300];                        /* this program's file */
    char conf[300];                       /* the rack file's path */
    char root[300];                       /* what the servers serve, absolute; "": no files */
    char capture[256];                    /* where the switch captures to; "": nowhere */
    char record[256];                     /* where each program records to; "": nowhere */
    const struct capy_rack_local_options *opt;
};

/* Makes the directories, and fills in everything. 0, or -1 with one line in err. */
int rack_plan_make(struct rack_plan *plan, const struct capy_rack_local_options *opt, char *err,
                   size_t err_len);
struct rack_node *rack_plan_node(struct rack_plan *plan, const char *name);
/* The primary address of client i, which has no place in a rack file: that of its rack's servers'
 * version. */
void rack_plan_client_ip(const struct capy_rack *rack, unsigned i, uint8_t ip[16]);

#endif
