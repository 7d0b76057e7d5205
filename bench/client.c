/* See client.h. */
#include "client.h"
#include "wire.h"

#include <stdlib.h>

/* Callgrind counts in here. */
BENCH_AS_WRITTEN void measured_turn(struct served *s, const uint8_t *frame, size_t len,
                                    struct served_out *out);
void measured_turn(struct served *s, const uint8_t *frame, size_t len, struct served_out *out)
{
    s->turn(s, frame, len, out);
}

void bench_turn(struct bench *b, const uint8_t *frame, size_t len)
{
    uint64_t t0 = wire_ticks();
    measured_turn(b->server, frame, len, &b->out);
    b->ticks += wire_ticks() - t0;
}

static void client_open(struct client *c, uint32_t conn_max)
{
    struct capy_stack_cfg cfg;
    capy_stack_cfg_default(&cfg);
    cfg.mac = served_mac(SERVED_CLIENT_IP);
    cfg.ip = capy_ip_from_v4(SERVED_CLIENT_IP);
    cfg.netmask = capy_ip_from_v4(0xffffff00u);
    cfg.conn_max = conn_max;
    cfg.block_cnt = 4096;
    cfg.hash_key = (struct capy_key){3, 4};
    cfg.tcp.time_wait_ns = CAPY_US(100); /* its ports are needed again */
    size_t size = capy_stack_size(&cfg);
    c->mem = aligned_alloc(64, (size + 63u) & ~(size_t)63u);
    CAPY_ASSERT(size > 0 && c->mem);
    c->stack = capy_stack_init(c->mem, &cfg, CAPY_SEC(1));
}

void bench_settle(struct bench *b)
{
    static uint8_t frame[CAPY_FRAME_MAX];
    uint64_t now = b->server->now;
    size_t len;
    bool busy = true;
    while (busy) {
        busy = b->full;
        while ((len = capy_stack_output(b->client.stack, frame, now)) > 0) {
            bench_turn(b, frame, len);
            b->segments_in += len >= BULK_MSS;
            busy = true;
        }
        if (b->server->role == SERVED_SOURCE || b->full)
            bench_turn(b, NULL, 0);
        b->full = b->out.cnt == SERVED_FRAMES;
        for (unsigned i = 0; i < b->out.cnt; i++) {
            capy_stack_input(b->client.stack, b->out.frame[i].data, b->out.frame[i].len, now);
            b->segments_out += b->out.frame[i].len >= BULK_MSS;
            busy = true;
        }
        b->out.cnt = 0;
    }
}

void bench_pass_time(struct bench *b, uint64_t ns)
{
    b->server->now += ns;
    capy_stack_expire(b->client.stack, b->server->now);
}

uint64_t bench_read(struct bench *b)
{
    struct capy_stack_event ev;
    uint64_t sum = 0;
    while (capy_stack_event(b->client.stack, &ev)) {
        bool fin;
        int64_t n = capy_stack_readable(b->client.stack, ev.conn, &fin);
        if (n > 0) {
            (void)capy_stack_consume(b->client.stack, ev.conn, (uint32_t)n, b->server->now);
            sum += (uint64_t)n;
        }
    }
    return sum;
}

void bench_write(struct bench *b, const void *bytes, uint32_t len)
{
    (void)capy_stack_write(b->client.stack, b->client.conn, bytes, len, b->server->now);
}

capy_handle bench_connect(struct bench *b, uint16_t port)
{
    struct capy_ip ip = capy_ip_from_v4(SERVED_IP);
    capy_handle c;
    int rc = capy_stack_connect(b->client.stack, &ip, port, 0, 0, &c, b->server->now);
    CAPY_ASSERT(rc == CAPY_OK);
    bench_settle(b);
    (void)bench_read(b);
    return c;
}

void bench_open(struct bench *b, struct served *server, uint32_t conn_max)
{
    *b = (struct bench){.server = server};
    client_open(&b->client, conn_max);
    server->now = CAPY_SEC(1);
    b->client.conn = bench_connect(b, SERVED_PORT);
}

void bench_request(struct bench *b, uint32_t size)
{
    static const uint8_t bytes[2048];
    b->server->size = size;
    bench_pass_time(b, CAPY_US(1));
    bench_write(b, bytes, size);
    bench_settle(b);
    uint64_t got = bench_read(b);
    CAPY_ASSERT(got == size);
}

void bench_fall_silent(struct bench *b)
{
    bench_pass_time(b, CAPY_SEC(1));
    bench_turn(b, NULL, 0);
    bench_settle(b);
}

void bench_close(struct bench *b)
{
    free(b->client.mem);
    b->client.mem = NULL;
}
