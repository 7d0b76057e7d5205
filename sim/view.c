/* See view.h. */
#include "sim/view.h"
#include <stdio.h>

#define ETHER_LEN 14u
#define MIG_LEN 96u

static void view_mig(const uint8_t *p, size_t len, struct sim_view *v)
{
    if (len < MIG_LEN)
        return;
    v->kind = SIM_MIG;
    v->type = p[1];
    v->reason = p[2];
    v->origin = capy_load16(p + 4);
    v->target = capy_load16(p + 6);
    v->mig_id = capy_load64(p + 8);
    v->epoch = capy_load32(p + 16);
    v->total = capy_load32(p + 20);
    v->offset = capy_load32(p + 24);
    v->length = capy_load16(p + 28);
    memcpy(v->key.client.b, p + 32, 16);
    memcpy(v->key.home.b, p + 48, 16);
    v->key.client_port = capy_load16(p + 64);
    v->key.home_port = capy_load16(p + 66);
    v->verdict = p[88];
    v->phase = p[89];
    v->owner = capy_load16(p + 90);
    v->entry_epoch = capy_load32(p + 92);
}

/* The transport header at p, and what is left of the packet from there on. */
static void view_transport(const uint8_t *p, size_t len, uint8_t protocol, uint16_t tcpmig_port,
                           struct sim_view *v)
{
    if (protocol == 1 || protocol == 58)
        v->kind = SIM_ICMP;
    if ((protocol != 6 && protocol != 17) || len < (protocol == 6 ? 20u : 8u))
        return;
    v->src_port = capy_load16(p);
    v->dst_port = capy_load16(p + 2);
    if (protocol == 17) {
        v->kind = SIM_UDP;
        if (v->src_port == tcpmig_port && v->dst_port == tcpmig_port)
            view_mig(p + 8, len - 8, v);
        return;
    }
    size_t head = (size_t)(p[12] >> 4) * 4;
    v->kind = SIM_TCP;
    v->seq = capy_load32(p + 4);
    v->ack = capy_load32(p + 8);
    v->flags = p[13];
    v->data_len = head <= len ? (uint32_t)(len - head) : 0;
}

static void view_v4(const uint8_t *p, size_t len, uint16_t tcpmig_port, struct sim_view *v)
{
    size_t head = (size_t)(p[0] & 15) * 4, total = capy_load16(p + 2);
    if (head < 20 || total < head || total > len)
        return;
    v->src = capy_ip_from_v4(capy_load32(p + 12));
    v->dst = capy_ip_from_v4(capy_load32(p + 16));
    v->ttl = p[8];
    view_transport(p + head, total - head, p[9], tcpmig_port, v);
}

/* Our hosts send no extension headers. */
static void view_v6(const uint8_t *p, size_t len, uint16_t tcpmig_port, struct sim_view *v)
{
    size_t total = capy_load16(p + 4);
    if (len < 40 || total > len - 40)
        return;
    v->ttl = p[7];
    v->label = capy_load32(p) & 0xfffffu;
    memcpy(v->src.b, p + 8, 16);
    memcpy(v->dst.b, p + 24, 16);
    view_transport(p + 40, total, p[6], tcpmig_port, v);
}

void sim_view_of(const uint8_t *frame, size_t len, uint16_t tcpmig_port, struct sim_view *v)
{
    v->kind = SIM_OTHER;
    v->ttl = 255;
    if (len < ETHER_LEN + 20)
        return;
    uint16_t type = capy_load16(frame + 12);
    if (type == 0x0806)
        v->kind = SIM_ARP;
    else if (type == 0x0800)
        view_v4(frame + ETHER_LEN, len - ETHER_LEN, tcpmig_port, v);
    else if (type == 0x86dd)
        view_v6(frame + ETHER_LEN, len - ETHER_LEN, tcpmig_port, v);
}

/* ---- text ---- */

static const char *type_name(unsigned type)
{
    static const char *const names[] = {
        "?",    "PREPARE_MIG", "PREPARE_MIG_ACK", "CONN_STATE", "CONN_STATE_ACK", "CANCEL",
        "NACK", "HEARTBEAT",   "HEARTBEAT_ACK",   "ANNOUNCE",   "FLOW_CLOSED"};
    return type < sizeof names / sizeof *names ? names[type] : "?";
}

static const char *verdict_name(unsigned verdict)
{
    static const char *const names[] = {"",       " OK",      " NO_TARGET", " FULL",
                                        " STALE", " SETTLED", " LEARNING"};
    return verdict < sizeof names / sizeof *names ? names[verdict] : " ?";
}

static void ends_text(const struct capy_ip *a, uint16_t a_port, const struct capy_ip *b,
                      uint16_t b_port, const char *between, char out[128])
{
    char x[CAPY_IP_TEXT_MAX], y[CAPY_IP_TEXT_MAX];
    snprintf(out, 128, "%s:%u%s%s:%u", capy_ip_format(a, x), a_port, between, capy_ip_format(b, y),
             b_port);
}

char *sim_view_text(const struct sim_view *v, char out[SIM_VIEW_TEXT_MAX])
{
    char ends[128];
    switch (v->kind) {
    case SIM_OTHER:
    case SIM_ARP:
    case SIM_ICMP:
    case SIM_UDP:
        snprintf(out, SIM_VIEW_TEXT_MAX, "%s",
                 v->kind == SIM_ARP    ? "ARP"
                 : v->kind == SIM_ICMP ? "ICMP"
                 : v->kind == SIM_UDP  ? "UDP"
                                       : "other");
        break;
    case SIM_TCP:
        ends_text(&v->src, v->src_port, &v->dst, v->dst_port, " > ", ends);
        snprintf(out, SIM_VIEW_TEXT_MAX, "TCP %s %s%s%s%s seq %u ack %u len %u", ends,
                 v->flags & SIM_SYN ? "S" : "", v->flags & SIM_FIN ? "F" : "",
                 v->flags & SIM_RST ? "R" : "", v->flags & SIM_ACK ? "." : "", v->seq, v->ack,
                 v->data_len);
        break;
    case SIM_MIG:
        ends_text(&v->key.client, v->key.client_port, &v->key.home, v->key.home_port, "/", ends);
        snprintf(out, SIM_VIEW_TEXT_MAX,
                 "%s%s epoch %u s%d>s%d %s reason %u part %u+%u/%u; entry phase %u s%d epoch %u",
                 type_name(v->type), verdict_name(v->verdict), v->epoch, (int16_t)v->origin + 1,
                 (int16_t)v->target + 1, ends, v->reason, v->offset, v->length, v->total, v->phase,
                 (int16_t)v->owner + 1, v->entry_epoch);
        break;
    }
    return out;
}
