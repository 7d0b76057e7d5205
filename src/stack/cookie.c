/* SYN cookies (RFC 4987 §3.6): when a listener has no room for another half-open connection, its
 * SYN-ACK carries in its sequence number all that would have been stored, and the ACK that brings
 * it back makes the connection. Until then nothing is kept, so a flood has nothing to exhaust.
 *
 *   sequence number   31            5 4    3 2   0
 *                    | keyed tag     | age | mss |
 *   age: the low bits of a counter of 32 s; a cookie is good while the counter is at its own value
 *   or the next. mss: a row of the table below. The tag (SipHash-2-4, 27 bits) covers both, the whole
 *   counter, the addresses and ports, the client's sequence number, and the options:
 *
 *   timestamp         31              6   5     4   3      0
 *                    | our clock      | ECN | SACK | wscale |     wscale 15: none offered
 *   The low bits of the SYN-ACK's timestamp are what the client's ACK echoes (RFC 7323 §3): without
 *   timestamps there are no other options either. The timestamp is never later than our clock.
 *
 * A guess is right once in 2^28. ACKs are looked at only for as long as a cookie can be good after
 * the last one was sent; then a listener without a flood treats them as ever. What cannot be kept:
 * the SYN's own timestamp and window, which the ACK says anew, and our SYN-ACK's repetition, which
 * the client's repeated SYN replaces. */
#include "stack/host.h"

#define AGE_NS CAPY_SEC(32) /* a client may take this long at least: five of its SYNs */
#define AGE_BITS 2u
#define AGES_GOOD 2u /* this one and the one before */
#define MSS_BITS 3u
#define TAG_SHIFT (AGE_BITS + MSS_BITS)

#define WSCALE_NONE 15u
#define TS_WSCALE 0x0fu
#define TS_SACK 0x10u
#define TS_ECN 0x20u
#define TS_MASK 0x3fu

#define ECN_SETUP (CAPY_TCP_ECE | CAPY_TCP_CWR) /* of a SYN: RFC 3168 §6.1.1 */

/* Segment sizes to round down to: RFC 9293's default, IPv6's minimum MTU, tunnels, PPPoE and
 * Ethernet, over IPv4 and IPv6; and one small enough for anybody. */
static const uint16_t mss_table[1u << MSS_BITS] = {88, 536, 1220, 1360, 1400, 1432, 1440, 1460};

static unsigned mss_row(const struct capy_tcp_segment *syn, uint16_t mss_default)
{
    uint16_t mss = syn->opts & CAPY_TCP_OPT_MSS ? syn->mss : mss_default;
    unsigned row = 0;
    while (row + 1 < 1u << MSS_BITS && mss_table[row + 1] <= mss)
        row++;
    return row;
}

/* What a SYN offers, as the bits that its SYN-ACK's timestamp carries. */
static uint32_t ts_bits(const struct capy_tcp_segment *syn)
{
    uint32_t bits = syn->opts & CAPY_TCP_OPT_WSCALE ? syn->wscale : WSCALE_NONE;
    if (syn->opts & CAPY_TCP_OPT_SACK_OK)
        bits |= TS_SACK;
    if ((syn->flags & ECN_SETUP) == ECN_SETUP)
        bits |= TS_ECN;
    return bits;
}

/* A SYN as far as a cookie can hold it: from an mss row, the timestamp bits, and what the segment
 * that is at hand (the SYN itself, or the ACK) says of sequence number, timestamp and window. */
static struct capy_tcp_segment recalled_syn(const struct capy_tcp_segment *seg, struct capy_seq irs,
                                            unsigned row, uint32_t bits)
{
    struct capy_tcp_segment syn = {.seq = irs,
                                   .window = seg->window,
                                   .flags = CAPY_TCP_SYN,
                                   .opts = CAPY_TCP_OPT_MSS,
                                   .mss = mss_table[row]};
    if (!(seg->opts & CAPY_TCP_OPT_TS))
        return syn;
    syn.opts |= CAPY_TCP_OPT_TS;
    syn.ts_val = seg->ts_val;
    if ((bits & TS_WSCALE) != WSCALE_NONE) {
        syn.opts |= CAPY_TCP_OPT_WSCALE;
        syn.wscale = bits & TS_WSCALE;
    }
    if (bits & TS_SACK)
        syn.opts |= CAPY_TCP_OPT_SACK_OK;
    if (bits & TS_ECN)
        syn.flags |= ECN_SETUP;
    return syn;
}

/* The sequence number for a SYN-ACK made in period `age`. */
static struct capy_seq cookie(const struct capy_stack *s, const struct capy_packet *p,
                              struct capy_seq irs, uint64_t age, unsigned row, uint32_t bits)
{
    struct capy_tuple tuple = {p->src, p->dst, p->src_port, p->dst_port};
    uint8_t bytes[sizeof tuple + 4 + 8 + 3];
    memcpy(bytes, &tuple, sizeof tuple);
    capy_store32(bytes + sizeof tuple, irs.v);
    capy_store64(bytes + sizeof tuple + 4, age);
    bytes[sizeof tuple + 12] = (uint8_t)row;
    bytes[sizeof tuple + 13] = (p->tcp.opts & CAPY_TCP_OPT_TS) != 0;
    bytes[sizeof tuple + 14] = (uint8_t)bits;
    uint32_t tag = (uint32_t)capy_siphash24(s->cookie_key, bytes, sizeof bytes);
    uint32_t low = (uint32_t)(age % (1u << AGE_BITS)) << MSS_BITS | row;
    return (struct capy_seq){tag << TAG_SHIFT | low};
}

void capy_cookie_answer(struct capy_stack *s, struct capy_listener *l, const struct capy_packet *p)
{
    uint8_t *frame = s->cfg.syn_cookies ? capy_control_reserve(s) : NULL;
    if (!frame)
        return;
    struct capy_tcp_env env = capy_listener_env(s, l, &p->src);
    struct capy_tuple tuple = {p->src, p->dst, p->src_port, p->dst_port};
    struct capy_tcp tcb;
    struct capy_tcp_segment reply;
    uint32_t ts_offset, bits = p->tcp.opts & CAPY_TCP_OPT_TS ? ts_bits(&p->tcp) : 0;
    uint64_t unused;
    unsigned row = mss_row(&p->tcp, env.cfg->mss_default);
    struct capy_tcp_segment syn = recalled_syn(&p->tcp, p->tcp.seq, row, bits);
    (void)capy_isn(s, &tuple, &ts_offset);
    struct capy_seq iss = cookie(s, p, p->tcp.seq, s->now / AGE_NS, row, bits);
    capy_tcp_open_passive(&tcb, &env, &syn, iss, ts_offset);
    bool any = capy_tcp_output(&tcb, &env, &reply, &unused);
    CAPY_ASSERT(any &&
                (reply.flags & CAPY_TCP_SYN)); /* and the block is forgotten: it holds nothing */
    uint32_t ts = (reply.ts_val & ~TS_MASK) | bits;
    reply.ts_val = (int32_t)(ts - reply.ts_val) > 0 ? ts - (TS_MASK + 1) : ts;
    struct capy_frame_to to = {.dst_mac = p->src_mac,
                               .src_mac = s->cfg.mac,
                               .src = p->dst,
                               .dst = p->src,
                               .src_port = p->dst_port,
                               .dst_port = p->src_port,
                               .ecn = reply.ecn,
                               .flow_label = capy_flow_label(s, &p->src, iss)};
    l->cookies_until = s->now + AGES_GOOD * AGE_NS;
    s->count.syn_cookies_sent++;
    capy_control_commit(s, capy_frame_build_tcp(frame, &to, &reply));
}

bool capy_cookie_check(struct capy_stack *s, const struct capy_listener *l,
                       const struct capy_packet *p, struct capy_tcp_segment *syn)
{
    const uint8_t completing = CAPY_TCP_SYN | CAPY_TCP_ACK | CAPY_TCP_RST;
    if (s->now >= l->cookies_until || (p->tcp.flags & completing) != CAPY_TCP_ACK)
        return false;
    struct capy_seq irs = capy_seq_add(p->tcp.seq, UINT32_MAX); /* the one before */
    struct capy_seq iss = capy_seq_add(p->tcp.ack, UINT32_MAX);
    uint64_t age = s->now / AGE_NS;
    uint32_t behind = ((uint32_t)age - (iss.v >> MSS_BITS)) % (1u << AGE_BITS);
    unsigned row = iss.v % (1u << MSS_BITS);
    uint32_t bits = p->tcp.opts & CAPY_TCP_OPT_TS ? p->tcp.ts_ecr & TS_MASK : 0;
    if (behind >= AGES_GOOD || behind > age ||
        !capy_seq_eq(cookie(s, p, irs, age - behind, row, bits), iss)) {
        s->count.syn_cookies_bad++;
        return false;
    }
    *syn = recalled_syn(&p->tcp, irs, row, bits);
    return true;
}
