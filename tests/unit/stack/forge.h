/* One host against clients that are only frames: made by hand, from any address, keeping the few
 * numbers that a test wants. For floods, lies and millions. Virtual time; header only. */
#ifndef CAPY_TESTS_STACK_FORGE_H
#define CAPY_TESTS_STACK_FORGE_H

#include "stack/host.h"
#include <stdlib.h>

struct forge {
    struct capy_stack *s;
    void *mem;
    uint64_t now;
    size_t size;
    uint8_t frame[CAPY_FRAME_MAX]; /* the host's last, which the last packet points into */
};

/* A client's end of a connection. */
struct forged {
    struct capy_ip ip;
    uint16_t port, to_port;
    struct capy_seq snd_nxt, rcv_nxt;
    bool ts;
    uint32_t ts_val, ts_ecr;
};

static inline struct capy_stack_cfg forge_cfg(void)
{
    struct capy_stack_cfg cfg;
    capy_stack_cfg_default(&cfg);
    cfg.conn_max = 64;
    cfg.block_cnt = 1024;
    cfg.mac = (struct capy_mac){{2, 0, 0, 0, 0, 1}};
    cfg.ip = capy_ip_from_v4(0x0a000001u);
    cfg.netmask = capy_ip_from_v4(0xff000000u);
    cfg.ip6 = (struct capy_ip){{0x20, 1, 0xd, 0xb8, [15] = 1}};
    cfg.prefix6_len = 64;
    cfg.hash_key = (struct capy_key){11, 12};
    return cfg;
}

static inline void forge_open(struct forge *f, const struct capy_stack_cfg *cfg)
{
    f->now = CAPY_SEC(1000);
    f->size = capy_stack_size(cfg);
    CAPY_ASSERT(f->size > 0);
    f->mem = aligned_alloc(64, (f->size + 63) & ~(size_t)63);
    CAPY_ASSERT(f->mem);
    f->s = capy_stack_init(f->mem, cfg, f->now);
}

static inline void forge_close(struct forge *f)
{
    free(f->mem);
}

static inline void forge_pass(struct forge *f, uint64_t ns)
{
    f->now += ns;
    capy_stack_expire(f->s, f->now);
}

/* A segment of any contents, from a client. */
static inline void forge_inject(struct forge *f, const struct forged *c,
                                const struct capy_tcp_segment *seg)
{
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_frame_to to = {.dst_mac = f->s->cfg.mac,
                               .src_mac = {{2, 0, 0, 0, 1, 0}},
                               .src = c->ip,
                               .dst = capy_ip_is_v4(&c->ip) ? f->s->cfg.ip : f->s->cfg.ip6,
                               .src_port = c->port,
                               .dst_port = c->to_port};
    capy_stack_input(f->s, frame, capy_frame_build_tcp(frame, &to, seg), f->now);
}

/* What a client in order says next; its numbers move on. */
static inline void forge_say(struct forge *f, struct forged *c, uint8_t flags, const void *data,
                             uint32_t len)
{
    struct capy_tcp_segment seg = {.seq = c->snd_nxt,
                                   .ack = c->rcv_nxt,
                                   .window = UINT16_MAX,
                                   .flags = flags,
                                   .opts = c->ts ? CAPY_TCP_OPT_TS : 0,
                                   .ts_val = c->ts_val,
                                   .ts_ecr = c->ts_ecr,
                                   .data = data,
                                   .data_len = len};
    forge_inject(f, c, &seg);
    c->snd_nxt = capy_seq_add(c->snd_nxt, capy_tcp_segment_len(&seg));
}

/* The host's next frame; false when it has none, or none that a client would understand. */
static inline bool forge_hear(struct forge *f, struct capy_packet *p)
{
    size_t len = capy_stack_output(f->s, f->frame, f->now);
    return len > 0 && capy_frame_parse(f->frame, len, p) == CAPY_DROP_NONE;
}

/* The host's next segment to this client, taken note of; what others get is lost. */
static inline bool forge_answer(struct forge *f, struct forged *c, struct capy_packet *p)
{
    do {
        if (!forge_hear(f, p))
            return false;
    } while (p->kind != CAPY_PACKET_TCP || p->dst_port != c->port || !capy_ip_eq(&p->dst, &c->ip));
    c->rcv_nxt = capy_seq_add(p->tcp.seq, capy_tcp_segment_len(&p->tcp));
    if (p->tcp.opts & CAPY_TCP_OPT_TS)
        c->ts_ecr = p->tcp.ts_val;
    return true;
}

static inline struct forged forge_client(uint32_t ip, uint16_t port, uint16_t to_port)
{
    return (struct forged){.ip = capy_ip_from_v4(ip),
                           .port = port,
                           .to_port = to_port,
                           .snd_nxt = {UINT32_MAX - 1}, /* wraps as soon as it can */
                           .ts_val = 5000};
}

/* A SYN with the options that every kernel sends today, or (ts false) none but the MSS. */
static inline struct capy_tcp_segment forge_syn(const struct forged *c)
{
    struct capy_tcp_segment syn = {.seq = c->snd_nxt,
                                   .window = UINT16_MAX,
                                   .flags = CAPY_TCP_SYN,
                                   .opts = CAPY_TCP_OPT_MSS,
                                   .mss = 1460};
    if (c->ts) {
        syn.opts |= CAPY_TCP_OPT_TS | CAPY_TCP_OPT_WSCALE | CAPY_TCP_OPT_SACK_OK;
        syn.wscale = 7;
        syn.ts_val = c->ts_val;
    }
    return syn;
}

/* SYN, SYN-ACK, ACK. False: the SYN was not answered by a SYN-ACK. */
static inline bool forge_connect(struct forge *f, struct forged *c)
{
    struct capy_packet p;
    struct capy_tcp_segment syn = forge_syn(c);
    forge_inject(f, c, &syn);
    c->snd_nxt = capy_seq_add(c->snd_nxt, 1);
    if (!forge_answer(f, c, &p) || !(p.tcp.flags & CAPY_TCP_SYN))
        return false;
    forge_say(f, c, CAPY_TCP_ACK, NULL, 0);
    return true;
}

/* Takes everything the host has to send; how many frames. */
static inline unsigned forge_drain(struct forge *f)
{
    unsigned cnt = 0;
    while (capy_stack_output(f->s, f->frame, f->now) > 0)
        cnt++;
    return cnt;
}

#endif
