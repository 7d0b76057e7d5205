/* The paper's Fig. 1 on virtual time: what a migration's delay does to the latency of requests. One
 * point of it, as JSON.
 *
 *   bench-delay [KEY=VALUE]...       the keys, and what they are by default: the table below
 *
 * The same arguments give the same result on every machine. */
#include "queueing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct key {
    const char *name;
    uint64_t value, min, max;
};

enum {
    RATE,
    CONNECTIONS,
    SERVICE,
    ORIGIN,
    TARGET,
    DELAY,
    HOLD,
    MIGRATIONS,
    PER_S,
    LINK,
    SEED,
    KEY_CNT
};

static struct key key[KEY_CNT] = {
    [RATE] = {"rate", 150000, 1, 1000000}, /* requests/s */
    [CONNECTIONS] = {"connections", 150, 2, QUEUEING_CONNS_MAX},
    [SERVICE] = {"service_ns", 1200, 0, 1000000000}, /* processor time of a request */
    [ORIGIN] = {"origin_ns", 1000, 0, 1000000000},   /* of a migration, at either side */
    [TARGET] = {"target_ns", 1300, 0, 1000000000},
    [DELAY] = {"delay_us", 0, 0, 1000000}, /* added to each */
    [HOLD] = {"hold", 0, 0, 1},            /* 1: it holds the connection, not the server */
    [MIGRATIONS] = {"migrations", 10000, 1, 10000000},
    [PER_S] = {"per_s", 1000, 1, 1000000},
    [LINK] = {"link_ns", 2500, 0, 1000000000}, /* host to switch, one way */
    [SEED] = {"seed", 1, 0, UINT64_MAX},
};

static bool set(const char *argument)
{
    for (unsigned i = 0; i < KEY_CNT; i++) {
        size_t len = strlen(key[i].name);
        char *end;
        if (strncmp(argument, key[i].name, len) != 0 || argument[len] != '=')
            continue;
        key[i].value = strtoull(argument + len + 1, &end, 10);
        return argument[len + 1] >= '0' && argument[len + 1] <= '9' && *end == 0 &&
               key[i].value >= key[i].min && key[i].value <= key[i].max;
    }
    return false;
}

static void print(const struct queueing_result *r)
{
    static const struct {
        const char *name;
        uint32_t per_100k;
    } at[] = {{"p50", 50000}, {"p90", 90000}, {"p99", 99000}, {"p999", 99900}, {"max", 100000}};
    printf("{\n  \"arguments\": {");
    for (unsigned i = 0; i < KEY_CNT; i++)
        printf("%s\"%s\": %" PRIu64, i ? ", " : "", key[i].name, key[i].value);
    printf("},\n  \"requests\": %" PRIu64 ",\n  \"unanswered\": %" PRIu64 ",\n", r->requests,
           r->unanswered);
    printf("  \"migrations\": %" PRIu64 ",\n  \"latency_us\": {", r->migrations);
    for (unsigned i = 0; i < sizeof at / sizeof *at; i++)
        printf("\"%s\": %.1f, ", at[i].name,
               (double)capy_hist_quantile(&r->latency_ns, at[i].per_100k) / 1e3);
    printf("\"mean\": %.1f},\n", (double)capy_hist_mean(&r->latency_ns) / 1e3);
    printf("  \"busy\": [%.4f, %.4f]\n}\n", (double)r->busy_ns[0] / (double)r->seconds_ns,
           (double)r->busy_ns[1] / (double)r->seconds_ns);
}

int main(int argc, char **argv)
{
    static struct queueing_result result; /* large */
    for (int i = 1; i < argc; i++)
        if (!set(argv[i])) {
            fprintf(stderr,
                    "delay: %s: no such KEY=VALUE, or not in range; bench/virtual/delay.c has the "
                    "keys\n",
                    argv[i]);
            return 2;
        }
    const struct queueing_plan plan = {.rate = key[RATE].value,
                                       .connections = key[CONNECTIONS].value,
                                       .service_ns = key[SERVICE].value,
                                       .origin_ns = key[ORIGIN].value,
                                       .target_ns = key[TARGET].value,
                                       .delay_ns = CAPY_US(key[DELAY].value),
                                       .hold = key[HOLD].value != 0,
                                       .migrations = key[MIGRATIONS].value,
                                       .per_s = key[PER_S].value,
                                       .link_ns = key[LINK].value,
                                       .seed = key[SEED].value};
    queueing_run(&plan, &result);
    if (result.lost_frames > 0) {
        fprintf(stderr, "delay: more frames under way than the simulator holds; lower rate=\n");
        return 1;
    }
    print(&result);
    return EXIT_SUCCESS;
}
