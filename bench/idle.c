/* See idle.h. */
#include "idle.h"
#include "client.h"
#include "wire.h"

enum {
    SILENCE_AFTER = 1000, /* connections opened */
    PER_PORT = 25000,     /* of them: a client has only so many ports toward one of the server's */
};

/* Memory of one connection more, everything included but what it holds of the pool. */
static double bytes_per_connection(void)
{
    struct capy_stack_cfg cfg;
    capy_stack_cfg_default(&cfg);
    cfg.ip = capy_ip_from_v4(SERVED_IP);
    cfg.netmask = capy_ip_from_v4(0xffffff00u);
    cfg.conn_max = 1u << 17;
    size_t some = capy_stack_size(&cfg);
    cfg.conn_max = 1u << 18;
    CAPY_ASSERT(some > 0);
    return (double)(capy_stack_size(&cfg) - some) / (1u << 17);
}

/* One request on each. */
static void open_all(struct bench *b, struct served *server)
{
    served_by_capy(server, IDLE_CONNS + 16);
    server->role = SERVED_ECHO;
    bench_open(b, server, IDLE_CONNS + 16);
    for (uint32_t i = 1; i < IDLE_CONNS; i++) {
        uint16_t port = (uint16_t)(SERVED_PORT + i / PER_PORT);
        if (i % PER_PORT == 0)
            CAPY_ASSERT(capy_stack_listen(server->state, port, 0) == CAPY_OK);
        b->client.conn = bench_connect(b, port);
        bench_request(b, 64);
        if (i % SILENCE_AFTER == 0)
            bench_fall_silent(b);
    }
    bench_fall_silent(b);
}

BENCH_AS_WRITTEN void measured_tick(struct capy_stack *s, uint64_t now);
void measured_tick(struct capy_stack *s, uint64_t now)
{
    capy_stack_expire(s, now);
}

struct idle_figures idle(double tick_ns)
{
    static struct bench b;
    struct served server;
    struct capy_stack_status status;
    open_all(&b, &server);
    capy_stack_status(server.state, &status);
    CAPY_ASSERT(status.conn_cnt == IDLE_CONNS);
    uint32_t held = status.block_cnt - status.block_free;
    uint64_t t0 = wire_ticks();
    for (unsigned i = 0; i < IDLE_TICKS; i++)
        measured_tick(server.state, server.now += 1u << CAPY_WHEEL_TICK_BITS);
    struct idle_figures f = {
        .tick_ns = (double)(wire_ticks() - t0) / IDLE_TICKS * tick_ns,
        .bytes_per_connection = bytes_per_connection() + (double)held * CAPY_BLOCK_LEN / IDLE_CONNS,
    };
    bench_close(&b);
    served_by_capy_end(&server);
    return f;
}
