/* A frame's header in one line, for people. Never fails: what is no frame is said to be none. */
#include "replay/machine.h"
#include "wire/frame.h"
#include "wire/tcpmig.h"

static const char *endpoint(const struct capy_ip *ip, uint16_t port, char out[64])
{
    char text[CAPY_IP_TEXT_MAX];
    capy_ip_format(ip, text);
    (void)snprintf(out, 64, capy_ip_is_v4(ip) ? "%s:%u" : "[%s]:%u", text, port);
    return out;
}

static int tcp(const struct capy_tcp_segment *s, char *out, size_t room)
{
    static const struct {
        uint8_t flag;
        char name;
    } names[] = {{CAPY_TCP_SYN, 'S'}, {CAPY_TCP_FIN, 'F'}, {CAPY_TCP_RST, 'R'},
                 {CAPY_TCP_PSH, 'P'}, {CAPY_TCP_ACK, '.'}, {CAPY_TCP_URG, 'U'},
                 {CAPY_TCP_ECE, 'E'}, {CAPY_TCP_CWR, 'C'}};
    char flags[9] = "";
    unsigned cnt = 0;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (s->flags & names[i].flag)
            flags[cnt++] = names[i].name;
    flags[cnt] = 0;
    return snprintf(out, room, "[%s] seq %u ack %u win %u len %u%s", flags, s->seq.v, s->ack.v,
                    s->window, s->data_len, s->sack_cnt ? " sack" : "");
}

/* The header's fields lie as docs/protocol.md §2 has them; nothing is verified. */
static int tcpmig(const struct capy_udp *u, char *out, size_t room)
{
    enum { TYPE = 1, VERDICT = 88 };
    if (u->data_len < CAPY_MIG_HEADER_LEN)
        return snprintf(out, room, "TCPMig, too short");
    uint8_t verdict = u->data[VERDICT];
    return snprintf(out, room, "TCPMig %s%s%s", capy_mig_type_name(u->data[TYPE]),
                    verdict != CAPY_VERDICT_NONE ? " verdict " : "",
                    verdict != CAPY_VERDICT_NONE ? capy_mig_verdict_name(verdict) : "");
}

const char *replay_describe(const uint8_t *frame, size_t len, uint16_t tcpmig_port,
                            char out[REPLAY_FRAME_TEXT_MAX])
{
    struct capy_packet p;
    char from[64], to[64];
    enum capy_drop why = capy_frame_parse_checked(frame, len, &p);
    if (why != CAPY_DROP_NONE) {
        (void)snprintf(out, REPLAY_FRAME_TEXT_MAX, "%zu bytes, no packet (%s)", len,
                       capy_drop_name(why));
        return out;
    }
    if (p.kind == CAPY_PACKET_ARP) {
        char ip[CAPY_IP_TEXT_MAX];
        (void)snprintf(
            out, REPLAY_FRAME_TEXT_MAX, "ARP %s %s",
            p.arp.op == CAPY_ARP_REQUEST ? "who has" : "here is",
            capy_ip_format(p.arp.op == CAPY_ARP_REQUEST ? &p.arp.target_ip : &p.arp.sender_ip, ip));
        return out;
    }
    int n = snprintf(out, REPLAY_FRAME_TEXT_MAX, "%s > %s ", endpoint(&p.src, p.src_port, from),
                     endpoint(&p.dst, p.dst_port, to));
    size_t at = n > 0 ? (size_t)n : 0, room = REPLAY_FRAME_TEXT_MAX - at;
    if (p.kind == CAPY_PACKET_TCP)
        (void)tcp(&p.tcp, out + at, room);
    else if (p.kind == CAPY_PACKET_UDP && p.dst_port == tcpmig_port)
        (void)tcpmig(&p.udp, out + at, room);
    else if (p.kind == CAPY_PACKET_UDP)
        (void)snprintf(out + at, room, "UDP len %u", p.udp.data_len);
    else
        (void)snprintf(out + at, room, "ICMP type %u code %u", p.icmp.type, p.icmp.code);
    return out;
}
