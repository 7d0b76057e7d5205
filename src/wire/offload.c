/* A device's work in software (wire/offload.h). */
#include "wire/offload.h"

#include "base/assert.h"
#include "wire/frame.h"
#include "wire/ip.h"
#include "wire/ipv6.h"

enum { AT_SEQ = 4, AT_HEADER_LEN = 12, AT_FLAGS = 13 }; /* from the TCP header on */

static bool begin_ipv4(struct capy_cutter *c, const uint8_t *ip, size_t len, size_t *tcp_len)
{
    size_t header_len = (size_t)(ip[0] & 15u) * 4, total = capy_load16(ip + CAPY_IPV4_AT_TOTAL);
    if (ip[0] >> 4 != 4 || header_len < CAPY_IPV4_LEN || total < header_len || total > len ||
        ip[CAPY_IPV4_AT_PROTOCOL] != CAPY_PROTOCOL_TCP)
        return false;
    c->tcp_at = c->ip_at + header_len;
    *tcp_len = total - header_len;
    return true;
}

static bool begin_ipv6(struct capy_cutter *c, const uint8_t *ip, size_t len, size_t *tcp_len)
{
    struct capy_ipv6 walked;
    if (capy_ipv6_walk(ip, len, &walked) != CAPY_DROP_NONE || walked.protocol != CAPY_PROTOCOL_TCP)
        return false;
    c->tcp_at = c->ip_at + walked.at;
    *tcp_len = walked.len;
    return true;
}

bool capy_cutter_begin(struct capy_cutter *c, const uint8_t *frame, size_t len,
                       const struct capy_offload *how)
{
    *c = (struct capy_cutter){.frame = frame, .ip_at = CAPY_ETHER_LEN};
    if (len < CAPY_ETHER_LEN + CAPY_IPV4_LEN)
        return false;
    const uint8_t *ip = frame + CAPY_ETHER_LEN;
    size_t tcp_len, room = len - CAPY_ETHER_LEN;
    uint16_t type = capy_load16(frame + 12);
    bool found = type == CAPY_ETHERTYPE_IPV4   ? begin_ipv4(c, ip, room, &tcp_len)
                 : type == CAPY_ETHERTYPE_IPV6 ? begin_ipv6(c, ip, room, &tcp_len)
                                               : false;
    if (!found || tcp_len < CAPY_TCP_LEN_MIN)
        return false;
    size_t header_len = (size_t)(frame[c->tcp_at + AT_HEADER_LEN] >> 4) * 4;
    if (header_len < CAPY_TCP_LEN_MIN || header_len > tcp_len)
        return false;
    c->data_at = c->tcp_at + header_len;
    c->data_len = (uint32_t)(tcp_len - header_len);
    c->piece_max = how->segment ? how->segment : c->data_len;
    return true;
}

/* Writes the IP header's length, and IPv4's checksum. Returns the pseudo-header's sum. */
static uint64_t fix_ip(const struct capy_cutter *c, uint8_t *ip, size_t tcp_len)
{
    size_t header_len = c->tcp_at - c->ip_at;
    if (ip[0] >> 4 == 6) {
        capy_store16(ip + CAPY_IPV6_AT_LEN, (uint16_t)(header_len - CAPY_IPV6_LEN + tcp_len));
        return capy_pseudo_sum6(ip + CAPY_IPV6_AT_SRC, CAPY_PROTOCOL_TCP, tcp_len);
    }
    capy_store16(ip + CAPY_IPV4_AT_TOTAL, (uint16_t)(header_len + tcp_len));
    capy_store16(ip + CAPY_IPV4_AT_CHECK, 0);
    capy_store16(ip + CAPY_IPV4_AT_CHECK, capy_sum_finish(capy_sum(0, ip, header_len)));
    return capy_pseudo_sum4(capy_load32(ip + CAPY_IPV4_AT_SRC), capy_load32(ip + CAPY_IPV4_AT_DST),
                            CAPY_PROTOCOL_TCP, tcp_len);
}

size_t capy_cutter_next(struct capy_cutter *c, uint8_t *out)
{
    if (c->any && c->done == c->data_len)
        return 0;
    uint32_t n = capy_min32(c->piece_max, c->data_len - c->done);
    size_t tcp_len = c->data_at - c->tcp_at + n;
    memcpy(out, c->frame, c->data_at);
    memcpy(out + c->data_at, c->frame + c->data_at + c->done, n);
    uint8_t *tcp = out + c->tcp_at;
    capy_store32(tcp + AT_SEQ, capy_load32(tcp + AT_SEQ) + c->done);
    if (c->done > 0)
        tcp[AT_FLAGS] &= (uint8_t)~CAPY_TCP_CWR;
    if (c->done + n < c->data_len)
        tcp[AT_FLAGS] &= (uint8_t) ~(CAPY_TCP_FIN | CAPY_TCP_PSH);
    uint64_t pseudo = fix_ip(c, out + c->ip_at, tcp_len);
    capy_store16(tcp + CAPY_TCP_AT_CHECK, 0);
    capy_store16(tcp + CAPY_TCP_AT_CHECK, capy_sum_finish(capy_sum(pseudo, tcp, tcp_len)));
    c->done += n;
    c->any = true;
    return c->data_at + n;
}
