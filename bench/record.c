/* What a recording costs the program that is recorded: requests and answers of two library OSes on one
 * link in memory, without and with one, by turns; the median of the rounds. One line of JSON.
 *   record [ROUNDS] [on|off]     on, off: only that, for counting instructions */
#include "sock/host.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CONNS = 32, REQUESTS = 200000, BYTES = 64, PORT = 80, LINK_DEPTH = 1024, ROUNDS_MAX = 99 };

static uint64_t now = 1000000000;

static uint64_t clock_of(void *ctx)
{
    (void)ctx;
    return now;
}

static uint64_t cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "bench-record: %s\n", what);
    exit(1);
}

static struct capy *open_host(struct capy_drv *drv, const char *address, uint8_t mac)
{
    struct capy_rack rack;
    char err[256];
    const struct capy_options opt = {.device = "link", .address = address};
    if (capy_alone_read(&opt, &rack, err, sizeof err) != CAPY_OK)
        fail(err);
    memcpy(rack.server[0].mac, (uint8_t[]){2, 0, 0, 0, 0, mac}, 6);
    rack.conn_max = 256;
    rack.buffer_mib = 4;
    struct capy *os = capy_open_with(drv, &rack, NULL, clock_of, NULL, err, sizeof err);
    if (!os)
        fail(err);
    return os;
}

/* Answers what has come, and takes the next. How many answers. */
static unsigned turn(struct capy *os, uint64_t *server_ns)
{
    static const char bytes[BYTES];
    struct capy_done done[64];
    unsigned answers = 0;
    uint64_t before = server_ns ? cpu_ns() : 0;
    int cnt = capy_wait(os, done, 64, 0);
    for (int i = 0; i < cnt; i++) {
        if (done[i].op == CAPY_OP_ACCEPT) {
            capy_accept(os, done[i].qd);
            capy_pop(os, done[i].accepted, 0);
            continue;
        }
        if (done[i].op == CAPY_OP_POP)
            capy_consume(os, done[i].qd, done[i].avail);
        capy_push(os, done[i].qd, bytes, BYTES);
        capy_pop(os, done[i].qd, 0);
        answers++;
    }
    if (server_ns)
        *server_ns += cpu_ns() - before;
    return answers;
}

struct cost {
    double ns, bytes;
};

static struct cost measure(bool on)
{
    struct capy_drv *a, *b;
    char err[256], path[] = "/tmp/capy-bench-XXXXXX";
    if (capy_drv_link_pair(LINK_DEPTH, &a, &b) != CAPY_OK)
        fail("no link");
    struct capy *server = open_host(a, "10.0.0.1/24", 1), *client = open_host(b, "10.0.0.2/24", 2);
    struct capy_options opt = {.record = path};
    int fd = mkstemp(path);
    if (fd < 0 || close(fd) != 0 || unlink(path) != 0)
        fail(path);
    if (on && capy_host_record(server, &opt, err, sizeof err) != CAPY_OK)
        fail(err);
    capy_accept(server, capy_listen(server, PORT));
    struct capy_address to;
    capy_address_parse("10.0.0.1", PORT, &to);
    for (unsigned i = 0; i < CONNS; i++)
        if (capy_connect(client, &to) < 0)
            fail("no connection");
    struct capy_record_status st = {0}, st2 = {0};
    uint64_t ns = 0;
    for (unsigned warm = 0; warm < 5000;) {
        now += 1000;
        turn(client, NULL);
        warm += turn(server, NULL);
    }
    if (on)
        capy_record_status(server->record, &st);
    unsigned answers = 0;
    while (answers < REQUESTS) {
        now += 1000;
        turn(client, NULL);
        answers += turn(server, &ns);
    }
    if (on) {
        capy_record_rest(server->record, now, UINT64_MAX);
        capy_record_status(server->record, &st2);
        if (strcmp(st2.state, "recording") != 0)
            fail(st2.state);
    }
    capy_close_os(client);
    capy_close_os(server);
    (void)unlink(path);
    return (struct cost){(double)ns / answers, (double)(st2.bytes - st.bytes) / answers};
}

static int by_ns(const void *a, const void *b)
{
    const struct cost *x = a, *y = b;
    return (x->ns > y->ns) - (x->ns < y->ns);
}

int main(int argc, char **argv)
{
    static struct cost off[ROUNDS_MAX], on[ROUNDS_MAX];
    unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 9;
    const char *only = argc > 2 ? argv[2] : "";
    if (rounds < 1 || rounds > ROUNDS_MAX)
        fail("1 to 99 rounds");
    for (unsigned i = 0; i < rounds; i++) {
        if (strcmp(only, "on") != 0)
            off[i] = measure(false);
        if (strcmp(only, "off") != 0)
            on[i] = measure(true);
    }
    qsort(off, rounds, sizeof off[0], by_ns);
    qsort(on, rounds, sizeof on[0], by_ns);
    printf("{\"requests\": %u, \"rounds\": %u, \"server_ns_per_request_off\": %.1f, "
           "\"server_ns_per_request_on\": %.1f, \"recorded_bytes_per_request\": %.1f}\n",
           REQUESTS, rounds, off[rounds / 2].ns, on[rounds / 2].ns, on[rounds / 2].bytes);
    return 0;
}
