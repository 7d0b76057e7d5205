/* The network between the twins and their peer (twins.h): it loses, repeats, delays, reorders and
 * marks, and somebody on it forges segments out of those that pass. */
#include "frames.h"
#include "twins.h"

static void fly(struct twins *t, bool to_peer, const uint8_t *frame, size_t len, bool late)
{
    if (t->flying_cnt == TWINS_FLYING_MAX)
        return; /* one more loss */
    struct twins_flying *f = &t->flying[t->flying_cnt++];
    f->at = t->now + t->delay_ns;
    if (t->jitter_ns > 0 || late)
        f->at += (t->jitter_ns + (late ? 4 * t->delay_ns : 0)) / 256 * fuzz_u8(t->b);
    f->order = t->order++;
    f->to_peer = to_peer;
    f->len = len;
    memcpy(f->data, frame, len);
}

/* The same addresses and nearly the same segment. */
static void forge(struct twins *t, bool to_peer, const uint8_t *frame, size_t len)
{
    static const uint8_t flags[] = {CAPY_TCP_RST,
                                    CAPY_TCP_RST | CAPY_TCP_ACK,
                                    CAPY_TCP_SYN,
                                    CAPY_TCP_FIN | CAPY_TCP_ACK,
                                    CAPY_TCP_ACK,
                                    CAPY_TCP_ACK | CAPY_TCP_ECE,
                                    CAPY_TCP_ACK | CAPY_TCP_URG,
                                    CAPY_TCP_SYN | CAPY_TCP_ACK};
    uint8_t out[CAPY_FRAME_MAX];
    struct capy_packet p;
    if (capy_frame_parse(frame, len, &p) != CAPY_DROP_NONE || p.kind != CAPY_PACKET_TCP)
        return;
    uint8_t how = fuzz_u8(t->b), far = fuzz_u8(t->b);
    int32_t off = (int32_t)(far - 128) * (how & 128 ? 400 : 1);
    p.tcp.flags = flags[how % 8];
    if (how / 8 % 4 != 1)
        p.tcp.seq.v += (uint32_t)off;
    if (how / 8 % 4 != 2)
        p.tcp.ack.v += (uint32_t)off;
    if (how / 32 % 2)
        p.tcp.data_len = 0;
    struct capy_frame_to to = {.dst_mac = p.dst_mac,
                               .src_mac = p.src_mac,
                               .src = p.src,
                               .dst = p.dst,
                               .src_port = p.src_port,
                               .dst_port = p.dst_port,
                               .ecn = p.ecn};
    if (capy_frame_tcp_data_at(&to, &p.tcp) + p.tcp.data_len <= sizeof out)
        fly(t, to_peer, out, capy_frame_build_tcp(out, &to, &p.tcp), false);
}

void twins_send(struct twins *t, bool to_peer, const uint8_t *frame, size_t len)
{
    uint8_t copy[CAPY_FRAME_MAX];
    memcpy(copy, frame, len);
    if (t->forge > 0 && fuzz_chance(t->b, t->forge))
        forge(t, to_peer, frame, len);
    if (t->mark > 0 && fuzz_chance(t->b, t->mark))
        fuzz_mark_frame(copy, len);
    if (t->loss > 0 && fuzz_chance(t->b, t->loss))
        return;
    bool late = t->late > 0 && fuzz_chance(t->b, t->late);
    fly(t, to_peer, copy, len, late);
    if (t->repeat > 0 && fuzz_chance(t->b, t->repeat))
        fly(t, to_peer, copy, len, late);
}

unsigned twins_next(const struct twins *t)
{
    unsigned best = TWINS_FLYING_MAX;
    for (unsigned i = 0; i < t->flying_cnt; i++) {
        const struct twins_flying *f = &t->flying[i], *g = &t->flying[best % TWINS_FLYING_MAX];
        if (best == TWINS_FLYING_MAX || f->at < g->at || (f->at == g->at && f->order < g->order))
            best = i;
    }
    return best;
}
