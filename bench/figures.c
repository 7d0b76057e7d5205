/* See figures.h. The median of a round counts, since others use the machine. */
#include "figures.h"
#include "tcp/snapshot.h"
#include "wire.h"

#include <stdlib.h>

#define SAMPLES_MAX 20000u

static double sample[SAMPLES_MAX];

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double figure_median(double *v, unsigned cnt)
{
    qsort(v, cnt, sizeof *v, by_value);
    return v[cnt / 2];
}

static uint64_t request_64(struct bench *b)
{
    bench_request(b, 64);
    return 1;
}

static uint64_t request_1k(struct bench *b)
{
    bench_request(b, 1024);
    return 1;
}

/* As much as a window holds. */
static uint64_t bulk_segment_in(struct bench *b)
{
    static const uint8_t bytes[65536];
    b->segments_in = 0;
    bench_pass_time(b, CAPY_US(10));
    bench_write(b, bytes, sizeof bytes);
    bench_settle(b);
    (void)bench_read(b);
    return b->segments_in;
}

/* The source wakes by a byte from the client; the window of the client paces it. */
static uint64_t bulk_segment_out(struct bench *b)
{
    b->segments_out = 0;
    bench_pass_time(b, CAPY_US(10));
    bench_write(b, "!", 1);
    bench_settle(b);
    (void)bench_read(b);
    return b->segments_out;
}

/* What the source had on its way when it stopped. */
static void drain(struct bench *b)
{
    b->server->role = SERVED_SINK;
    do
        bench_settle(b);
    while (bench_read(b) > 0);
}

static uint64_t accept_close(struct bench *b)
{
    bench_pass_time(b, CAPY_MS(1));
    capy_handle c = bench_connect(b, SERVED_PORT);
    (void)capy_stack_close(b->client.stack, c, b->server->now);
    bench_settle(b);
    (void)bench_read(b);
    return 1;
}

/* ---- the codec: of the first connection that runs ---- */

static struct coding {
    uint8_t bytes[CAPY_SNAP_HEAD_MAX];
    uint32_t len;
    struct capy_stream encoded;
} coding;

static struct capy_conn *first_running(struct capy_stack *s)
{
    uint32_t idx = 0;
    while (s->conns[idx].mode != CAPY_CONN_RUNNING)
        idx++;
    return &s->conns[idx];
}

BENCH_AS_WRITTEN void measured_encode(struct capy_stack *s, struct capy_conn *c);
void measured_encode(struct capy_stack *s, struct capy_conn *c)
{
    struct capy_tcp_env env = capy_env(s);
    struct capy_snap_meta meta = {.app_len = 0};
    struct capy_snap snap;
    capy_snap_take(&snap, &c->tcb, &env, &meta, &c->app);
    coding.len = capy_snap_len(&snap);
    capy_snap_read(&snap, &s->blocks, 0, coding.bytes, coding.len);
}

BENCH_AS_WRITTEN int measured_decode(struct capy_stack *s);
int measured_decode(struct capy_stack *s)
{
    struct capy_tcp_env env = capy_env(s);
    struct capy_snap_meta meta = {.app_len = 0};
    struct capy_stream app;
    struct capy_tcp tcb;
    const struct capy_snap_source encoded = {.stream = &coding.encoded};
    return capy_snap_restore(&encoded, coding.len, &tcb, &env, &meta, &app);
}

static uint64_t encode(struct bench *b)
{
    struct capy_stack *s = b->server->state;
    struct capy_conn *c = first_running(s);
    uint64_t t0 = wire_ticks();
    measured_encode(s, c);
    b->ticks += wire_ticks() - t0;
    return 1;
}

static uint64_t decode(struct bench *b)
{
    uint64_t t0 = wire_ticks();
    int rc = measured_decode(b->server->state);
    b->ticks += wire_ticks() - t0;
    CAPY_ASSERT(rc == CAPY_OK);
    return 1;
}

static void keep_encoded(struct bench *b)
{
    struct capy_stack *s = b->server->state;
    bench_fall_silent(b);
    measured_encode(s, first_running(s));
    capy_stream_init(&coding.encoded, 0);
    int rc = capy_stream_write(&coding.encoded, &s->blocks, 0, coding.bytes, coding.len);
    CAPY_ASSERT(rc == CAPY_OK);
}

static void drop_encoded(struct bench *b)
{
    struct capy_stack *s = b->server->state;
    capy_stream_clear(&coding.encoded, &s->blocks);
}

uint32_t figure_encoded_len(struct bench *b)
{
    bench_fall_silent(b);
    (void)encode(b);
    return coding.len;
}

/* ---- all of them ---- */

static const struct {
    const char *name;
    unsigned samples;
    enum served_role role;
    void (*before)(struct bench *b);
    uint64_t (*one)(struct bench *b); /* one sample; how many things */
    void (*after)(struct bench *b);
    bool lwip;
} figures[FIGURE_CNT] = {
    [FIGURE_REQUEST_64] = {"request_64", 20000, SERVED_ECHO, NULL, request_64, NULL, true},
    [FIGURE_REQUEST_1K] = {"request_1k", 20000, SERVED_ECHO, NULL, request_1k, NULL, true},
    [FIGURE_BULK_SEGMENT_IN] = {"bulk_segment_in", 1000, SERVED_SINK, NULL, bulk_segment_in, NULL,
                                false},
    [FIGURE_BULK_SEGMENT_OUT] = {"bulk_segment_out", 1000, SERVED_SOURCE, NULL, bulk_segment_out,
                                 drain, false},
    [FIGURE_ACCEPT_CLOSE] = {"accept_close", 2000, SERVED_SINK, NULL, accept_close, NULL, false},
    [FIGURE_ENCODE] = {"encode", 2000, SERVED_SINK, bench_fall_silent, encode, NULL, false},
    [FIGURE_DECODE] = {"decode", 2000, SERVED_SINK, keep_encoded, decode, drop_encoded, false},
};

const char *figure_name(enum figure f)
{
    return figures[f].name;
}

unsigned figure_samples(enum figure f)
{
    return figures[f].samples;
}

bool figure_is_of_lwip(enum figure f)
{
    return figures[f].lwip;
}

double figure_take(struct bench *b, enum figure f, unsigned samples, uint64_t *things)
{
    unsigned taken = 0;
    *things = 0;
    b->server->role = figures[f].role;
    if (figures[f].before)
        figures[f].before(b);
    for (unsigned i = 0; i < samples; i++) {
        b->ticks = 0;
        uint64_t cnt = figures[f].one(b);
        *things += cnt;
        if (cnt > 0 && taken < SAMPLES_MAX)
            sample[taken++] = (double)b->ticks / (double)cnt;
    }
    if (figures[f].after)
        figures[f].after(b);
    CAPY_ASSERT(taken > 0);
    return figure_median(sample, taken);
}
