/* ICMPv6 for the host (RFC 4443): who may say what to whom, echo, and the parameter problems of
 * packets that the parser refused. Neighbour discovery is nd.c's. */
#include "stack/host.h"
#include "wire/addr6.h"
#include "wire/ipv6.h"
#include "wire/nd.h"

enum { ECHO_REQUEST = 128 };

/* RFC 4443 §2.4 (f): errors are limited in rate. */
#define PROBLEM_NS CAPY_MS(1)

/* DEVIATION(RFC 4443 §4.2): echo requests to a group are not answered: one frame would make a whole
 * rack send. */
void capy_icmp6_input(struct capy_stack *s, const struct capy_packet *p, const uint8_t *frame,
                      size_t len)
{
    bool alone = capy_is_own6(s, &p->dst) && capy_mac_eq(&p->dst_mac, &s->cfg.mac);
    bool as_group = !alone && capy_is_own_group(s, &p->dst) && (p->dst_mac.b[0] & 1);
    bool asks = p->icmp.type == CAPY_ND_SOLICIT && capy_ip_is_unset(&p->src);
    if (!(alone || as_group) || capy_is_own6(s, &p->src) ||
        (capy_net_is_nobody(&p->src) && !asks)) {
        s->count.not_ours++;
        return;
    }
    s->count.icmp_in++;
    if (p->icmp.type == CAPY_ND_SOLICIT || p->icmp.type == CAPY_ND_ADVERT)
        capy_nd_input(s, p);
    else if (p->icmp.type == ECHO_REQUEST && p->icmp.code == 0 && alone)
        capy_echo_answer(s, p, frame, len);
    else if (alone)
        capy_icmp_error_input(s, p);
}

void capy_icmp6_problem(struct capy_stack *s, const uint8_t *frame, size_t len)
{
    struct capy_ip dst;
    if (!s->net[CAPY_V6].on || len < CAPY_ICMP6_AT ||
        capy_load16(frame + 12) != CAPY_ETHERTYPE_IPV6 || s->now < s->problem_at)
        return;
    memcpy(dst.b, frame + CAPY_ETHER_LEN + 24, sizeof dst.b);
    bool alone = capy_is_own6(s, &dst);
    uint8_t *out = alone || capy_is_own_group(s, &dst) ? capy_control_reserve(s) : NULL;
    if (!out)
        return;
    const struct capy_ip *src = alone ? &dst : &s->net[CAPY_V6].ip;
    size_t out_len = capy_frame_build_problem(out, frame, len, &s->cfg.mac, src);
    if (out_len > 0)
        s->problem_at = s->now + PROBLEM_NS;
    capy_control_commit(s, out_len);
}
