/* What the switch answers with a host's parser: neighbour solicitations (RFC 4861), as own.h does ARP, and
 * ICMP echo. */
#include "switch/core/one.h"

#include "switch/core/own.h"
#include "wire/nd.h"

enum { ICMP_ECHO = 8, ICMP6_ECHO = 128, ICMP_HEADER_LEN = 8 };

/* The advertisement that answers a solicitation. A question without a source address (is it taken?
 * RFC 4862 §5.4) is answered to all, unsolicited; a proxy does not override (RFC 4861 §7.2.8). */
static size_t build_advert(struct capy_job *j, const struct capy_packet *ask,
                           const struct capy_nd *nd, const struct capy_own *owner)
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
    if (j->view->data_len == 0 || j->frame[j->view->l4_at] != CAPY_ND_SOLICIT ||
        capy_frame_parse(j->frame, (size_t)(j->end - j->frame), &packet) != CAPY_DROP_NONE ||
        !capy_nd_parse(&packet, &nd))
        return false;
    const struct capy_own owner = capy_own_of(j, &nd.target);
    if (!owner.mac)
        return false;
    size_t len = build_advert(j, &packet, &nd, &owner);
    capy_switch_count(j->sw, owner.proxied ? CAPY_COUNT_nd_proxied : CAPY_COUNT_nd_answered);
    capy_plane_put(j, j->port, j->out->extra, len);
    return true;
}

/* ---- echo ---- */

static void echo(struct capy_job *j)
{
    uint8_t wanted = j->view->kind == CAPY_VIEW_ICMP ? ICMP_ECHO : ICMP6_ECHO;
    struct capy_packet packet; /* the view alone is not strict enough for build_echo_reply */
    if (j->view->data_len < ICMP_HEADER_LEN || j->frame[j->view->l4_at] != wanted ||
        capy_frame_parse(j->frame, (size_t)(j->end - j->frame), &packet) != CAPY_DROP_NONE) {
        capy_job_drop(j, CAPY_COUNT_drop_to_switch);
        return;
    }
    capy_plane_cut(j, capy_frame_build_echo_reply(j->frame, (size_t)(j->end - j->frame)));
    capy_switch_count(j->sw, CAPY_COUNT_echo_answered);
    capy_plane_send(j, j->port);
}

void capy_switch_icmp(struct capy_job *j)
{
    if (j->view->kind == CAPY_VIEW_ICMP6 && answer_solicit(j))
        return;
    const bool vip = capy_vip_is(j->sw->cfg, &j->view->dst);
    bool own = capy_switch_is_own(j->sw, &j->view->dst);
    if (!own && capy_flow_error(j)) /* about the service address's connections, too */
        return;
    if (own || vip)
        echo(j);
    else
        capy_flow_forward(j);
}
