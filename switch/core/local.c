/* What the switch answers itself: ARP and neighbour solicitations (RFC 4861) for its own addresses
 * and for those of a server that is down (its migrated-away flows must stay reachable to a client
 * whose neighbour entry ran out), and ICMP echo. */
#include "switch/core/rewrite.h"
#include "switch/core/state.h"
#include "wire/addr6.h"
#include "wire/nd.h"

enum { ICMP_ECHO = 8, ICMP6_ECHO = 128, ICMP_HEADER_LEN = 8 };

/* ---- who has this address? ---- */

struct owner {
    const struct capy_mac *mac; /* NULL: not ours to answer */
    bool proxied;               /* another's address */
};

static struct owner owner_of(const struct capy_job *j, const struct capy_ip *ip)
{
    const struct capy_switch *sw = j->sw;
    if (capy_switch_is_own(sw, ip))
        return (struct owner){&sw->cfg.mac, false};
    uint16_t id = capy_switch_server_of(sw, ip);
    /* Never to the server itself, who may be probing for its own address as it starts. */
    if (id == CAPY_SERVER_ANY || sw->cfg.server[id].port == j->port ||
        capy_switch_server_alive(sw, id, j->now))
        return (struct owner){NULL, false};
    return (struct owner){&sw->cfg.server[id].mac, true};
}

void capy_switch_arp(struct capy_job *j)
{
    struct capy_arp arp, reply;
    struct owner owner = {NULL, false};
    if (capy_arp_parse(j->frame + CAPY_ETHER_LEN, j->len - CAPY_ETHER_LEN, &arp) &&
        arp.op == CAPY_ARP_REQUEST)
        owner = owner_of(j, &arp.target_ip);
    if (!owner.mac) {
        capy_switch_forward(j);
        return;
    }
    reply = (struct capy_arp){.op = CAPY_ARP_REPLY,
                              .sender_mac = *owner.mac,
                              .target_mac = arp.sender_mac,
                              .sender_ip = arp.target_ip,
                              .target_ip = arp.sender_ip};
    size_t len = capy_arp_build(j->out->extra, &arp.sender_mac, &reply);
    capy_switch_count(j->sw, owner.proxied ? CAPY_COUNT_arp_proxied : CAPY_COUNT_arp_answered);
    capy_job_send(j, j->port, j->out->extra, len);
}

/* The advertisement that answers a solicitation. A question without a source address (is it taken?
 * RFC 4862 §5.4) is answered to all, unsolicited; a proxy does not override (RFC 4861 §7.2.8). */
static size_t build_advert(struct capy_job *j, const struct capy_packet *ask,
                           const struct capy_nd *nd, const struct owner *owner)
{
    bool known = !capy_ip_is_unset(&ask->src);
    const struct capy_ip all = capy_ip_all_nodes();
    const struct capy_frame_to to = {
        .dst_mac = known ? ask->src_mac : capy_mac_of_group(&all),
        .src_mac = *owner->mac,
        .src = nd->target,
        .dst = known ? ask->src : all,
    };
    const struct capy_nd advert = {
        .type = CAPY_ND_ADVERT,
        .solicited = known,
        .override = !owner->proxied,
        .has_mac = true,
        .target = nd->target,
        .mac = *owner->mac,
    };
    return capy_nd_build(j->out->extra, &to, &advert);
}

/* False: not a question that is ours to answer. */
static bool answer_solicit(struct capy_job *j)
{
    struct capy_packet packet;
    struct capy_nd nd;
    if (j->view.data_len == 0 || j->frame[j->view.l4_at] != CAPY_ND_SOLICIT ||
        capy_frame_parse(j->frame, j->len, &packet) != CAPY_DROP_NONE ||
        !capy_nd_parse(&packet, &nd))
        return false;
    const struct owner owner = owner_of(j, &nd.target);
    if (!owner.mac)
        return false;
    size_t len = build_advert(j, &packet, &nd, &owner);
    capy_switch_count(j->sw, owner.proxied ? CAPY_COUNT_nd_proxied : CAPY_COUNT_nd_answered);
    capy_job_send(j, j->port, j->out->extra, len);
    return true;
}

/* ---- echo ---- */

static void echo(struct capy_job *j)
{
    uint8_t wanted = j->view.kind == CAPY_VIEW_ICMP ? ICMP_ECHO : ICMP6_ECHO;
    struct capy_packet packet; /* the view alone is not strict enough for build_echo_reply */
    if (j->view.data_len < ICMP_HEADER_LEN || j->frame[j->view.l4_at] != wanted ||
        capy_frame_parse(j->frame, j->len, &packet) != CAPY_DROP_NONE) {
        capy_job_drop(j, CAPY_COUNT_drop_to_switch);
        return;
    }
    size_t len = capy_frame_build_echo_reply(j->frame, j->len);
    capy_switch_count(j->sw, CAPY_COUNT_echo_answered);
    capy_job_send(j, j->port, j->frame, len);
}

void capy_switch_icmp(struct capy_job *j)
{
    if (j->view.kind == CAPY_VIEW_ICMP6 && answer_solicit(j))
        return;
    if (capy_switch_is_own(j->sw, &j->view.dst))
        echo(j);
    else if (!capy_switch_error(j))
        capy_switch_forward(j);
}
