/* What the switch answers itself: ARP for its own address, ARP for a server that is down (its
 * migrated-away flows must stay reachable to a client whose ARP entry ran out), and ICMP echo. */
#include "switch/core/rewrite.h"
#include "switch/core/state.h"

enum { ICMP_ECHO = 8, ICMP_HEADER_LEN = 8 };

/* Whose MAC to answer with for an address, or NULL: not ours to answer. */
static const struct capy_mac *answer_for(struct capy_job *j, const struct capy_arp *arp)
{
    struct capy_switch *sw = j->sw;
    if (capy_ip_eq(&arp->target_ip, &sw->cfg.ip)) {
        capy_switch_count(sw, CAPY_COUNT_arp_answered);
        return &sw->cfg.mac;
    }
    uint16_t id = capy_switch_server_of(sw, &arp->target_ip);
    /* Never to the server itself, who may be probing for its own address as it starts. */
    if (id == CAPY_SERVER_ANY || sw->cfg.server[id].port == j->port ||
        capy_switch_server_alive(sw, id, j->now))
        return NULL;
    capy_switch_count(sw, CAPY_COUNT_arp_proxied);
    return &sw->cfg.server[id].mac;
}

void capy_switch_arp(struct capy_job *j)
{
    struct capy_arp arp, reply;
    const struct capy_mac *mac = NULL;
    if (capy_arp_parse(j->frame + CAPY_ETHER_LEN, j->len - CAPY_ETHER_LEN, &arp) &&
        arp.op == CAPY_ARP_REQUEST)
        mac = answer_for(j, &arp);
    if (!mac) {
        capy_switch_forward(j);
        return;
    }
    reply = (struct capy_arp){.op = CAPY_ARP_REPLY,
                              .sender_mac = *mac,
                              .target_mac = arp.sender_mac,
                              .sender_ip = arp.target_ip,
                              .target_ip = arp.sender_ip};
    size_t len = capy_arp_build(j->out->extra, &arp.sender_mac, &reply);
    capy_job_send(j, j->port, j->out->extra, len);
}

bool capy_switch_echo(struct capy_job *j)
{
    if (!capy_ip_eq(&j->view.dst, &j->sw->cfg.ip))
        return false;
    if ((size_t)j->view.l4_at + ICMP_HEADER_LEN > j->len || j->frame[j->view.l4_at] != ICMP_ECHO) {
        capy_job_drop(j, CAPY_COUNT_drop_to_switch);
        return true;
    }
    size_t len = capy_frame_build_echo_reply(j->frame, j->len);
    capy_switch_count(j->sw, CAPY_COUNT_echo_answered);
    capy_job_send(j, j->port, j->frame, len);
    return true;
}
