/* What the stack costs a server, on an in-memory link without delay: request and response, bulk
 * segments, accept and close, idle connections, and the snapshot codec. Everything but the network
 * is the production code. lwIP, where it is installed, serves the same requests of the same client
 * in the same run.
 *
 *   stack                         prints JSON: medians of interleaved rounds
 *   stack count WHO FIGURE CNT    CNT samples of one figure of "capybara" or "lwip" and nothing else,
 *   stack count idle_tick         for callgrind, which counts inside measured_* (bench/run-stack);
 *                                 prints how many things were done
 *
 * Times are of the time stamp counter around each turn of the server: a frame in, the application's
 * reads and writes, everything it sends. The client is not in the figures. */
#include "figures.h"
#include "idle.h"
#include "million.h"
#include "wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum {
    ROUNDS = 15, /* of which the median is taken; all figures take turns in each */
    CLIENT_CONNS = 4096,
};

enum who { CAPYBARA, LWIP, WHO_CNT };

static const char *const prefix[WHO_CNT] = {"", "lwip_"}; /* of their keys */

static bool is_measured(enum who who, enum figure f)
{
    return who == CAPYBARA || figure_is_of_lwip(f);
}

struct results {
    double ns[WHO_CNT][FIGURE_CNT];
    uint32_t encoded_len;
};

static void measure(struct results *r, bool with_lwip)
{
    static struct bench bench[WHO_CNT];
    static double taken[WHO_CNT][FIGURE_CNT][ROUNDS];
    struct served server[WHO_CNT];
    unsigned who_cnt = with_lwip ? WHO_CNT : LWIP;
    double tick_ns = wire_tick_ns();
    served_by_capy(&server[CAPYBARA], CLIENT_CONNS);
    CAPY_ASSERT(!with_lwip || served_by_lwip(&server[LWIP]));
    for (unsigned who = 0; who < who_cnt; who++)
        bench_open(&bench[who], &server[who], CLIENT_CONNS);
    for (unsigned i = 0; i < ROUNDS; i++) {
        for (enum figure f = 0; f < FIGURE_CNT; f++) {
            for (enum who who = 0; who < who_cnt; who++) {
                uint64_t things;
                if (is_measured(who, f))
                    taken[who][f][i] = figure_take(&bench[who], f, figure_samples(f), &things);
            }
        }
    }
    for (unsigned who = 0; who < who_cnt; who++)
        for (unsigned f = 0; f < FIGURE_CNT; f++)
            r->ns[who][f] = figure_median(taken[who][f], ROUNDS) * tick_ns;
    r->encoded_len = figure_encoded_len(&bench[CAPYBARA]);
    for (unsigned who = 0; who < who_cnt; who++)
        bench_close(&bench[who]);
    served_by_capy_end(&server[CAPYBARA]);
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
    struct results r = {.encoded_len = 0};
    measure(&r, with_lwip);
    struct idle_figures still = idle(wire_tick_ns());
    struct million_figures many = million(wire_tick_ns());
    printf("{\n");
    print_machine();
    printf("  \"rounds\": %d,\n", ROUNDS);
    for (enum who who = 0; who < (with_lwip ? WHO_CNT : LWIP); who++)
        for (enum figure f = 0; f < FIGURE_CNT; f++)
            if (is_measured(who, f))
                printf("  \"%s%s_ns\": %.1f,\n", prefix[who], figure_name(f), r.ns[who][f]);
    printf("  \"requests_per_second_per_core\": %.0f,\n", 1e9 / r.ns[CAPYBARA][FIGURE_REQUEST_64]);
    printf("  \"idle_connections\": %d,\n", IDLE_CONNS);
    printf("  \"idle_tick_ns\": %.1f,\n", still.tick_ns);
    printf("  \"bytes_per_idle_connection\": %.1f,\n", still.bytes_per_connection);
    printf("  \"million_bytes_per_connection\": %.1f,\n", many.bytes_per_connection);
    printf("  \"million_request_ns\": %.1f,\n", many.request_ns);
    printf("  \"encoded_idle_bytes\": %u\n}\n", r.encoded_len);
}

/* Nothing but one figure, for callgrind. */
static int count(const char *who, const char *name, unsigned cnt)
{
    static struct bench b;
    struct served server;
    uint64_t things;
    enum figure f = 0;
    while (f < FIGURE_CNT && strcmp(figure_name(f), name) != 0)
        f++;
    bool lwip = strcmp(who, "lwip") == 0;
    if (f == FIGURE_CNT || (lwip && (!figure_is_of_lwip(f) || !served_by_lwip(&server))))
        return EXIT_FAILURE;
    if (!lwip)
        served_by_capy(&server, CLIENT_CONNS);
    bench_open(&b, &server, CLIENT_CONNS);
    (void)figure_take(&b, f, cnt, &things);
    printf("%" PRIu64 "\n", things);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    bool counts = argc > 2 && strcmp(argv[1], "count") == 0;
    if (counts && argc == 5)
        return count(argv[2], argv[3], (unsigned)atoi(argv[4]));
    if (counts && argc == 3 && strcmp(argv[2], "idle_tick") == 0) {
        (void)idle(1);
        printf("%d\n", IDLE_TICKS);
        return EXIT_SUCCESS;
    }
    if (argc != 1) {
        fprintf(stderr, "usage: bench-stack [count capybara|lwip FIGURE CNT | count idle_tick]\n");
        return 2;
    }
    if (!BENCH_LWIP)
        fprintf(stderr, "stack: lwip_request_64_ns skipped: liblwip-dev is not installed\n");
    print_all(BENCH_LWIP);
    return EXIT_SUCCESS;
}
