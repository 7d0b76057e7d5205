/* What the stack costs a server, on an in-memory link without delay: request and response, bulk
 * segments, accept and close, idle connections, and the snapshot codec. Everything but the network
 * is the production code. lwIP, where it is installed, serves the same requests of the same client
 * in the same run.
 *
 *   stack                       prints JSON: medians of interleaved rounds
 *   stack count NAME CNT        CNT requests of 64 B to "capybara" or "lwip" and nothing else: for
 *                               callgrind, which counts inside server_turn (bench/run-stack)
 *
 * Times are of the time stamp counter around each turn of the server: a frame in, the application's
 * reads and writes, everything it sends. The client is not in the figures. */
#include "million.h"
#include "served.h"
#include "stack/host.h"
#include "tcp/snapshot.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

enum {
    ROUNDS = 15,          /* of which the median is taken; all figures take turns in each */
    REQUESTS = 20000,     /* per round */
    BURSTS = 1000,        /* of bulk segments per round, as many as a window holds */
    BULK_MSS = 1448,      /* 1500 less IP and TCP headers with timestamps */
    OPENINGS = 2000,      /* accepts and closes per round */
    IDLE = 100000,        /* connections that only lie there */
    SILENCE_AFTER = 1000, /* connections opened */
    PER_PORT = 25000,     /* of them: a client has only so many ports toward one of the server's */
    TICKS = 20000,
    CODINGS = 2000,
    CLIENT_CONNS = 4096,
};

struct client {
    void *mem;
    struct capy_stack *stack;
    capy_handle conn;
};

struct bench {
    struct served *server;
    struct client client;
    struct served_out out;
    bool full;                          /* the server may have more to send than out took */
    uint64_t ticks;                     /* in the server's turns since the last reset */
    uint64_t segments_in, segments_out; /* of the server, with data */
};

#if defined(__clang__) /* never clones */
#define AS_WRITTEN __attribute__((noinline))
#else
#define AS_WRITTEN __attribute__((noinline, noclone))
#endif

/* One turn of the server. Callgrind counts in here: neither inlined nor cloned. */
AS_WRITTEN void server_turn(struct served *s, const uint8_t *frame, size_t len,
                            struct served_out *out);
void server_turn(struct served *s, const uint8_t *frame, size_t len, struct served_out *out)
{
    s->turn(s, frame, len, out);
}

static void timed_turn(struct bench *b, const uint8_t *frame, size_t len)
{
    uint64_t t0 = wire_ticks();
    server_turn(b->server, frame, len, &b->out);
    b->ticks += wire_ticks() - t0;
}

/* ---- the client ---- */

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

/* Passes frames until both ends are silent; the server gets one per turn. */
static void settle(struct bench *b)
{
    static uint8_t frame[CAPY_FRAME_MAX];
    uint64_t now = b->server->now;
    size_t len;
    bool busy = true;
    while (busy) {
        busy = b->full;
        while ((len = capy_stack_output(b->client.stack, frame, now)) > 0) {
            timed_turn(b, frame, len);
            b->segments_in += len >= BULK_MSS;
            busy = true;
        }
        if (b->server->role == SERVED_SOURCE || b->full)
            timed_turn(b, NULL, 0);
        b->full = b->out.cnt == SERVED_FRAMES;
        for (unsigned i = 0; i < b->out.cnt; i++) {
            capy_stack_input(b->client.stack, b->out.frame[i].data, b->out.frame[i].len, now);
            b->segments_out += b->out.frame[i].len >= BULK_MSS;
            busy = true;
        }
        b->out.cnt = 0;
    }
}

static void pass_time(struct bench *b, uint64_t ns)
{
    b->server->now += ns;
    capy_stack_expire(b->client.stack, b->server->now);
}

/* Takes the client's events and reads everything: how many bytes. */
static uint64_t client_read(struct bench *b)
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

static capy_handle connect_client(struct bench *b, uint16_t port)
{
    struct capy_ip ip = capy_ip_from_v4(SERVED_IP);
    capy_handle c;
    int rc = capy_stack_connect(b->client.stack, &ip, port, 0, 0, &c, b->server->now);
    CAPY_ASSERT(rc == CAPY_OK);
    settle(b);
    (void)client_read(b);
    return c;
}

static void bench_open(struct bench *b, struct served *server, uint32_t conn_max)
{
    *b = (struct bench){.server = server};
    client_open(&b->client, conn_max);
    server->now = CAPY_SEC(1);
    b->client.conn = connect_client(b, SERVED_PORT);
}

static void request(struct bench *b, uint32_t size)
{
    static const uint8_t bytes[2048];
    b->server->size = size;
    pass_time(b, CAPY_US(1));
    (void)capy_stack_write(b->client.stack, b->client.conn, bytes, size, b->server->now);
    settle(b);
    uint64_t got = client_read(b);
    CAPY_ASSERT(got == size);
}

/* ---- one figure each, in ticks per thing: the median of a round, since others use the machine --- */

struct samples {
    unsigned cnt;
    double v[REQUESTS];
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, unsigned cnt)
{
    qsort(v, cnt, sizeof *v, by_value);
    return v[cnt / 2];
}

/* Ticks since the last sample, for this many things. */
static void sample(struct bench *b, struct samples *s, uint64_t things)
{
    if (things > 0 && s->cnt < REQUESTS)
        s->v[s->cnt++] = (double)b->ticks / (double)things;
    b->ticks = 0;
}

static struct samples samples;

static double requests(struct bench *b, uint32_t size)
{
    b->server->role = SERVED_ECHO;
    b->ticks = 0;
    for (samples.cnt = 0; samples.cnt < REQUESTS; sample(b, &samples, 1))
        request(b, size);
    return median(samples.v, samples.cnt);
}

static double bulk_in(struct bench *b)
{
    static const uint8_t bytes[65536];
    b->server->role = SERVED_SINK;
    b->ticks = 0;
    for (samples.cnt = 0; samples.cnt < BURSTS; sample(b, &samples, b->segments_in)) {
        b->segments_in = 0;
        pass_time(b, CAPY_US(10));
        (void)capy_stack_write(b->client.stack, b->client.conn, bytes, sizeof bytes,
                               b->server->now);
        settle(b);
        (void)client_read(b);
    }
    return median(samples.v, samples.cnt);
}

/* The source wakes by a byte from the client; the window of the client paces it. */
static double bulk_out(struct bench *b)
{
    b->server->role = SERVED_SOURCE;
    b->ticks = 0;
    for (samples.cnt = 0; samples.cnt < BURSTS; sample(b, &samples, b->segments_out)) {
        b->segments_out = 0;
        pass_time(b, CAPY_US(10));
        (void)capy_stack_write(b->client.stack, b->client.conn, (const uint8_t *)"!", 1,
                               b->server->now);
        settle(b);
        (void)client_read(b);
    }
    b->server->role = SERVED_SINK;
    settle(b);
    while (client_read(b) > 0)
        settle(b);
    return median(samples.v, samples.cnt);
}

static double accept_close(struct bench *b)
{
    b->server->role = SERVED_SINK;
    b->ticks = 0;
    for (samples.cnt = 0; samples.cnt < OPENINGS; sample(b, &samples, 1)) {
        pass_time(b, CAPY_MS(1));
        capy_handle c = connect_client(b, SERVED_PORT);
        (void)capy_stack_close(b->client.stack, c, b->server->now);
        settle(b);
        (void)client_read(b);
    }
    return median(samples.v, samples.cnt);
}

/* ---- the codec ---- */

struct codec_figures {
    double encode, decode;
    uint32_t len;
};

static struct codec_figures code(struct bench *b)
{
    static uint8_t bytes[CAPY_SNAP_HEAD_MAX];
    struct capy_stack *s = b->server->state;
    struct capy_tcp_env env = capy_env(s);
    struct capy_snap_meta meta = {.app_len = 0};
    struct capy_stream app, in;
    struct codec_figures f = {0};
    uint32_t idx = 0;
    while (s->conns[idx].mode != CAPY_CONN_RUNNING)
        idx++;
    uint64_t t0 = wire_ticks();
    for (unsigned i = 0; i < CODINGS; i++) {
        struct capy_snap snap;
        capy_snap_take(&snap, &s->conns[idx].tcb, &env, &meta, &s->conns[idx].app);
        f.len = capy_snap_len(&snap);
        capy_snap_read(&snap, &s->blocks, 0, bytes, f.len);
    }
    f.encode = (double)(wire_ticks() - t0) / CODINGS;
    capy_stream_init(&in, 0);
    int rc = capy_stream_write(&in, &s->blocks, 0, bytes, f.len);
    t0 = wire_ticks();
    for (unsigned i = 0; i < CODINGS && rc == CAPY_OK; i++) {
        struct capy_tcp tcb;
        rc = capy_snap_restore(&in, f.len, &tcb, &env, &meta, &app);
    }
    f.decode = (double)(wire_ticks() - t0) / CODINGS;
    CAPY_ASSERT(rc == CAPY_OK);
    capy_stream_clear(&in, &s->blocks);
    return f;
}

/* ---- idle connections ---- */

/* Memory of one connection more, everything included. */
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

/* Lets delayed acknowledgements come, so that no answer is kept for sending it again. */
static void fall_silent(struct bench *b)
{
    pass_time(b, CAPY_SEC(1));
    timed_turn(b, NULL, 0);
    settle(b);
}

/* Opens IDLE connections, makes one request on each, and looks what they hold; then time passes. */
static void idle(double tick_ns, double *expire_ns, uint32_t *blocks_held)
{
    static struct bench b;
    struct served server;
    struct capy_stack_status status;
    served_by_capy(&server, IDLE + 16);
    server.role = SERVED_ECHO;
    bench_open(&b, &server, IDLE + 16);
    for (uint32_t i = 1; i < IDLE; i++) {
        uint16_t port = (uint16_t)(SERVED_PORT + i / PER_PORT);
        if (i % PER_PORT == 0)
            CAPY_ASSERT(capy_stack_listen(server.state, port, 0) == CAPY_OK);
        b.client.conn = connect_client(&b, port);
        request(&b, 64);
        if (i % SILENCE_AFTER == 0)
            fall_silent(&b);
    }
    fall_silent(&b);
    capy_stack_status(server.state, &status);
    CAPY_ASSERT(status.conn_cnt == IDLE);
    *blocks_held = status.block_cnt - status.block_free;
    uint64_t t0 = wire_ticks();
    for (unsigned i = 0; i < TICKS; i++)
        capy_stack_expire(server.state, server.now += 1u << CAPY_WHEEL_TICK_BITS);
    *expire_ns = (double)(wire_ticks() - t0) / TICKS * tick_ns;
    free(b.client.mem);
    served_by_capy_end(&server);
}

/* ---- the run ---- */

enum figure {
    REQUEST_64,
    REQUEST_1K,
    LWIP_REQUEST_64,
    LWIP_REQUEST_1K,
    BULK_IN,
    BULK_OUT,
    ACCEPT_CLOSE,
    ENCODE,
    DECODE,
    FIGURE_CNT
};

static void measure(double median_ns[FIGURE_CNT], bool with_lwip, uint32_t *encoded_len)
{
    static struct bench own, other;
    struct served capy, lwip;
    double taken[FIGURE_CNT][ROUNDS] = {{0}}, tick_ns = wire_tick_ns();
    served_by_capy(&capy, CLIENT_CONNS);
    bench_open(&own, &capy, CLIENT_CONNS);
    if (with_lwip) {
        CAPY_ASSERT(served_by_lwip(&lwip));
        bench_open(&other, &lwip, CLIENT_CONNS);
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        taken[REQUEST_64][i] = requests(&own, 64);
        taken[LWIP_REQUEST_64][i] = with_lwip ? requests(&other, 64) : 0;
        taken[REQUEST_1K][i] = requests(&own, 1024);
        taken[LWIP_REQUEST_1K][i] = with_lwip ? requests(&other, 1024) : 0;
        taken[BULK_IN][i] = bulk_in(&own);
        taken[BULK_OUT][i] = bulk_out(&own);
        taken[ACCEPT_CLOSE][i] = accept_close(&own);
        fall_silent(&own);
        struct codec_figures f = code(&own);
        taken[ENCODE][i] = f.encode;
        taken[DECODE][i] = f.decode;
        *encoded_len = f.len;
    }
    for (unsigned f = 0; f < FIGURE_CNT; f++) {
        median_ns[f] = median(taken[f], ROUNDS) * tick_ns;
    }
    free(own.client.mem);
    free(other.client.mem);
    served_by_capy_end(&capy);
}

/* The processor as it calls itself. */
static void print_machine(void)
{
    char line[256], model[200] = "unknown";
    FILE *f = fopen("/proc/cpuinfo", "r");
    struct utsname u;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "model name : %199[^\n\"]", model) == 1)
            break;
    if (f)
        fclose(f);
    printf("  \"machine\": {\"cpu\": \"%s\", \"cores\": %ld, \"system\": \"%s %s\", "
           "\"compiler\": \"%s\"},\n",
           model, sysconf(_SC_NPROCESSORS_ONLN), uname(&u) == 0 ? u.sysname : "?",
           uname(&u) == 0 ? u.release : "?", __VERSION__);
}

static void print_all(bool with_lwip)
{
    double ns[FIGURE_CNT], expire_ns;
    uint32_t encoded_len, blocks_held;
    measure(ns, with_lwip, &encoded_len);
    idle(wire_tick_ns(), &expire_ns, &blocks_held);
    struct million_figures many = million(wire_tick_ns());
    printf("{\n");
    print_machine();
    printf("  \"rounds\": %d,\n", ROUNDS);
    printf("  \"request_64_ns\": %.1f,\n", ns[REQUEST_64]);
    printf("  \"request_1k_ns\": %.1f,\n", ns[REQUEST_1K]);
    printf("  \"requests_per_second_per_core\": %.0f,\n", 1e9 / ns[REQUEST_64]);
    if (with_lwip) {
        printf("  \"lwip_request_64_ns\": %.1f,\n", ns[LWIP_REQUEST_64]);
        printf("  \"lwip_request_1k_ns\": %.1f,\n", ns[LWIP_REQUEST_1K]);
    }
    printf("  \"bulk_segment_in_ns\": %.1f,\n", ns[BULK_IN]);
    printf("  \"bulk_segment_out_ns\": %.1f,\n", ns[BULK_OUT]);
    printf("  \"accept_close_ns\": %.1f,\n", ns[ACCEPT_CLOSE]);
    printf("  \"idle_connections\": %d,\n", IDLE);
    printf("  \"idle_tick_ns\": %.1f,\n", expire_ns);
    printf("  \"bytes_per_idle_connection\": %.1f,\n",
           bytes_per_connection() + (double)blocks_held * CAPY_BLOCK_LEN / IDLE);
    printf("  \"million_bytes_per_connection\": %.1f,\n", many.bytes_per_connection);
    printf("  \"million_request_ns\": %.1f,\n", many.request_ns);
    printf("  \"encoded_idle_bytes\": %u,\n", encoded_len);
    printf("  \"encode_ns\": %.1f,\n", ns[ENCODE]);
    printf("  \"decode_ns\": %.1f\n}\n", ns[DECODE]);
}

/* Nothing but requests, for callgrind. */
static int count(const char *name, unsigned cnt)
{
    static struct bench b;
    struct served server;
    if (strcmp(name, "lwip") != 0)
        served_by_capy(&server, CLIENT_CONNS);
    else if (!served_by_lwip(&server))
        return 1;
    bench_open(&b, &server, CLIENT_CONNS);
    for (unsigned i = 0; i < cnt; i++)
        request(&b, 64);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "count") == 0)
        return count(argv[2], (unsigned)atoi(argv[3]));
    if (argc != 1) {
        fprintf(stderr, "usage: bench-stack [count capybara|lwip CNT]\n");
        return 2;
    }
    if (!BENCH_LWIP)
        fprintf(stderr, "stack: lwip_request_64_ns skipped: liblwip-dev is not installed\n");
    print_all(BENCH_LWIP);
    return 0;
}
