/* See million.h. The server is the production stack; the clients are frames made by hand, of a
 * thousand addresses, since a million real ones would be measured instead. Requests go to the
 * connections in a scattered order: each finds its control block in no cache. */
#include "million.h"
#include "served.h"
#include "stack/host.h"
#include "wire.h"

#include <stdlib.h>

enum {
    CONNS = 1000000,
    PER_ADDRESS = 1000,
    FIRST_PORT = 1024,
    LEN = 64,
    STRIDE = 618033, /* coprime to CONNS: visits all, none beside the one before */
};

struct peer {
    struct capy_seq iss; /* the server's */
    uint32_t ts;         /* and its timestamp */
};

struct bench {
    struct served server;
    struct served_out out;
    struct peer *peer;
    uint64_t ticks;
};

/* One frame of client i into the server; its answer, if any, in out.frame[0]. */
static void say(struct bench *b, uint32_t i, uint8_t flags, uint32_t seq, uint32_t ack,
                uint32_t len)
{
    static const uint8_t bytes[LEN];
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_frame_to to = {.dst_mac = served_mac(SERVED_IP),
                               .src_mac = served_mac(SERVED_CLIENT_IP),
                               .src = capy_ip_from_v4(0x0b000000u + i / PER_ADDRESS),
                               .dst = capy_ip_from_v4(SERVED_IP),
                               .src_port = (uint16_t)(FIRST_PORT + i % PER_ADDRESS),
                               .dst_port = SERVED_PORT};
    struct capy_tcp_segment seg = {.seq = {seq},
                                   .ack = capy_seq_add(b->peer[i].iss, ack),
                                   .window = UINT16_MAX,
                                   .flags = flags,
                                   .opts = CAPY_TCP_OPT_TS,
                                   .ts_val = 1,
                                   .ts_ecr = b->peer[i].ts,
                                   .data = bytes,
                                   .data_len = len};
    if (flags & CAPY_TCP_SYN) {
        seg.opts |= CAPY_TCP_OPT_MSS | CAPY_TCP_OPT_SACK_OK | CAPY_TCP_OPT_WSCALE;
        seg.mss = 1460;
        seg.wscale = 7;
    }
    size_t frame_len = capy_frame_build_tcp(frame, &to, &seg);
    b->server.now += CAPY_US(1);
    b->out.cnt = 0;
    uint64_t t0 = wire_ticks();
    b->server.turn(&b->server, frame, frame_len, &b->out);
    b->ticks += wire_ticks() - t0;
}

static struct capy_tcp_segment answer(const struct bench *b)
{
    struct capy_packet p;
    CAPY_ASSERT(b->out.cnt == 1 &&
                capy_frame_parse(b->out.frame[0].data, b->out.frame[0].len, &p) == CAPY_DROP_NONE);
    return p.tcp;
}

static void open_all(struct bench *b)
{
    for (uint32_t i = 0; i < CONNS; i++) {
        say(b, i, CAPY_TCP_SYN, 0, 0, 0);
        struct capy_tcp_segment syn_ack = answer(b);
        b->peer[i] = (struct peer){syn_ack.seq, syn_ack.ts_val};
        say(b, i, CAPY_TCP_ACK, 1, 1, 0);
    }
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* A request and the acknowledgement of its answer on every connection: the median in ticks. */
static uint32_t ask_all(struct bench *b, uint32_t *ticks)
{
    for (uint32_t n = 0; n < CONNS; n++) {
        uint32_t i = (uint32_t)((uint64_t)n * STRIDE % CONNS);
        b->ticks = 0;
        say(b, i, CAPY_TCP_ACK | CAPY_TCP_PSH, 1, 1, LEN);
        CAPY_ASSERT(answer(b).data_len == LEN);
        say(b, i, CAPY_TCP_ACK, 1 + LEN, 1 + LEN, 0);
        ticks[n] = (uint32_t)capy_min64(b->ticks, UINT32_MAX);
    }
    qsort(ticks, CONNS, sizeof *ticks, by_value);
    return ticks[CONNS / 2];
}

struct million_figures million(double tick_ns)
{
    static struct bench b;
    struct capy_stack_status status;
    served_by_capy(&b.server, CONNS);
    b.server.role = SERVED_ECHO;
    b.server.size = LEN;
    b.peer = calloc(CONNS, sizeof *b.peer);
    uint32_t *ticks = calloc(CONNS, sizeof *ticks);
    CAPY_ASSERT(b.peer && ticks);
    open_all(&b);
    struct million_figures f = {.request_ns = ask_all(&b, ticks) * tick_ns};
    struct capy_stack *s = b.server.state;
    capy_stack_status(s, &status);
    CAPY_ASSERT(status.conn_cnt == CONNS);
    /* The pool that lies ready for whoever is at work is not theirs; what they hold of it is. */
    struct capy_stack_cfg cfg = s->cfg;
    cfg.block_cnt = capy_max32(status.block_cnt - status.block_free, 1);
    f.bytes_per_connection = (double)capy_stack_size(&cfg) / CONNS;
    free(ticks);
    free(b.peer);
    served_by_capy_end(&b.server);
    return f;
}
