/* How good the trigger is with other settings than the defaults: each setting by itself, in scenes that
 * ask different things of it. JSON on stdout, a list of points; bench/README.md says how to read it.
 * All on virtual time: the same build prints the same numbers. */
#include "base/bits.h"
#include "bench/trigger/scene.h"
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEEDS 4u
#define THRESHOLD 8u /* what docs/operating.md recommends to begin with */

#define CNT(a) (sizeof(a) / sizeof(a)[0])

enum { SKEW = 1, UNIFORM = 2, BURSTS = 4, OVERLOAD = 8, HEAVY = 16, ALL = 31 };

/* In the order of their bits. */
static const struct {
    const char *name, *text;
    unsigned group_cnt;
    struct scene_group group[3];
} scenes[] = {
    {"skew",
     "one of three servers has work for 1.5 cores, the others for 0.2 each",
     3,
     {{.server = 0, .connections = 64, .load_percent = 150},
      {.server = 1, .connections = 16, .load_percent = 20},
      {.server = 2, .connections = 16, .load_percent = 20}}},
    {"uniform",
     "all three servers are 90 % busy: there is nothing to gain",
     3,
     {{.server = 0, .connections = 32, .load_percent = 90},
      {.server = 1, .connections = 32, .load_percent = 90},
      {.server = 2, .connections = 32, .load_percent = 90}}},
    {"bursts",
     "one server has work for two cores in 100 ms of each second, and for none in between; the "
     "others for 0.2",
     3,
     {{.server = 0, .connections = 64, .load_percent = 20, .burst_ms = 100, .every_ms = 1000},
      {.server = 1, .connections = 16, .load_percent = 20},
      {.server = 2, .connections = 16, .load_percent = 20}}},
    {"overload",
     "all three servers have work for 1.2 cores: moving helps nobody",
     3,
     {{.server = 0, .connections = 32, .load_percent = 120},
      {.server = 1, .connections = 32, .load_percent = 120},
      {.server = 2, .connections = 32, .load_percent = 120}}},
    {"heavy",
     "one server has work for 1.3 cores, 0.7 of it on a single connection; the others for 0.5",
     3,
     {{.server = 0, .connections = 32, .load_percent = 130, .heaviest_percent = 54},
      {.server = 1, .connections = 32, .load_percent = 50},
      {.server = 2, .connections = 32, .load_percent = 50}}},
};

/* A setting of the rack file, the scenes in which it matters, and the values tried; their unit is the
 * rack file's. */
static const struct setting {
    const char *name;
    size_t offset;
    unsigned scenes;
    uint32_t value[8]; /* ends with a 0, but for a first one */
} settings[] = {
    {"load_threshold", offsetof(struct scene, threshold), ALL, {2, 4, 8, 16, 32, 64}},
    {"load_low", offsetof(struct scene, low), SKEW | UNIFORM | BURSTS, {0, 1, 2, 4, 7}},
    {"patience_us",
     offsetof(struct scene, patience_us),
     SKEW | UNIFORM | BURSTS,
     {0, 30000, 100000, 300000, 1000000}},
    {"interval_us",
     offsetof(struct scene, interval_us),
     SKEW | UNIFORM | BURSTS,
     {1000, 3000, 10000, 30000, 100000}},
    {"cool_down_ms", offsetof(struct scene, cool_down_ms), HEAVY, {0, 100, 1000, 3000}},
    {"budget", offsetof(struct scene, budget), SKEW | BURSTS, {1, 2, 4, 8, 16}},
    {"heartbeat_us", offsetof(struct scene, heartbeat_us), SKEW, {1000, 5000, 20000, 50000}},
};

static void set_up(struct scene *s, unsigned scene)
{
    scene_default(s);
    s->exponential = true;
    s->threshold = THRESHOLD;
    s->low = THRESHOLD / 2;
    s->heartbeat_us = 1000; /* cores of their own */
    s->group_cnt = scenes[scene].group_cnt;
    memcpy(s->group, scenes[scene].group, sizeof scenes[scene].group);
}

/* One run of each seed, each in a process of its own: as many at a time as there are cores. */
static void run_seeds(const struct scene *base, struct scene_outcome *out)
{
    (void)fflush(stdout);
    for (unsigned i = 0; i < SEEDS; i++) {
        pid_t pid = fork();
        if (pid < 0) {
            perror("bench-trigger: fork");
            exit(EXIT_FAILURE);
        }
        if (pid == 0) {
            struct scene s = *base;
            s.seed = i + 1;
            scene_run(&s, &out[i]);
            _exit(EXIT_SUCCESS);
        }
    }
    int status;
    while (wait(&status) > 0)
        if (status != 0)
            exit(EXIT_FAILURE); /* it has said why */
}

/* Of all seeds together. */
struct sum {
    struct capy_hist all, late;
    uint64_t asked, answered, slow_until_ns;
    uint32_t moves, late_moves, turned_back, moves_of_one;
};

static void sum_up(const struct scene_outcome *out, struct sum *s)
{
    *s = (struct sum){0};
    capy_hist_init(&s->all);
    capy_hist_init(&s->late);
    for (unsigned i = 0; i < SEEDS; i++) {
        capy_hist_merge(&s->all, &out[i].all);
        capy_hist_merge(&s->late, &out[i].late);
        s->asked += out[i].asked;
        s->answered += out[i].answered;
        s->moves += out[i].moves;
        s->late_moves += out[i].late_moves;
        s->turned_back += out[i].turned_back;
        s->moves_of_one = capy_max32(s->moves_of_one, out[i].moves_of_one_max);
        s->slow_until_ns = capy_max64(s->slow_until_ns, out[i].slow_until_ns);
    }
}

static double us(const struct capy_hist *h, uint32_t per_100k)
{
    return (double)capy_hist_quantile(h, per_100k) / 1e3;
}

/* One line of the list. */
static void point(const struct scene *base, unsigned scene, const char *name, uint32_t value)
{
    static struct scene_outcome *out;
    static struct sum s;
    const char *comma = out ? "," : "";
    if (!out) {
        out = mmap(NULL, SEEDS * sizeof *out, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                   -1, 0);
        if (out == MAP_FAILED) {
            perror("bench-trigger: mmap");
            exit(EXIT_FAILURE);
        }
    }
    run_seeds(base, out);
    sum_up(out, &s);
    printf("%s\n  {\"scene\": \"%s\", \"setting\": \"%s\", \"value\": %" PRIu32
           ", \"p50_us\": %.1f, \"p99_us\": %.1f, \"late_p50_us\": %.1f, \"late_p99_us\": %.1f, "
           "\"late_p999_us\": %.1f, \"asked\": %" PRIu64 ", \"answered\": %" PRIu64
           ", \"moves\": %" PRIu32 ", \"late_moves\": %" PRIu32 ", \"moves_of_one\": %" PRIu32
           ", \"turned_back\": %" PRIu32 ", \"slow_until_ms\": %" PRIu64 "}",
           comma, scenes[scene].name, name, value, us(&s.all, 50000), us(&s.all, 99000),
           us(&s.late, 50000), us(&s.late, 99000), us(&s.late, 99900), s.asked, s.answered, s.moves,
           s.late_moves, s.moves_of_one, s.turned_back, s.slow_until_ns / 1000000u);
}

static void sweep(const struct setting *setting, unsigned scene)
{
    for (unsigned i = 0; i < CNT(setting->value) && (i == 0 || setting->value[i] > 0); i++) {
        struct scene s;
        set_up(&s, scene);
        memcpy((char *)&s + setting->offset, &setting->value[i], sizeof setting->value[i]);
        if (setting->offset == offsetof(struct scene, threshold))
            s.low = s.threshold / 2;
        point(&s, scene, setting->name, setting->value[i]);
    }
}

/* How a rack comes to rest, 20 ms by 20 ms. */
static void series(const char *name, uint32_t threshold)
{
    static struct scene_outcome o;
    struct scene s;
    set_up(&s, 0);
    s.threshold = threshold;
    scene_run(&s, &o);
    printf("\"%s\": [", name);
    for (unsigned i = 0; i < o.window_cnt; i++)
        printf("%s\n  {\"ms\": %u, \"p99_us\": %.1f, \"answered\": %" PRIu64 ", \"moves\": %" PRIu32
               ", \"load\": [%" PRIu32 ", %" PRIu32 ", %" PRIu32 "]}",
               i ? "," : "", i * (SCENE_WINDOW_NS / 1000000u), (double)o.window[i].p99_ns / 1e3,
               o.window[i].answered, o.window[i].moves, o.window[i].load[0], o.window[i].load[1],
               o.window[i].load[2]);
    printf("\n]");
}

int main(void)
{
    struct scene d;
    set_up(&d, 0);
    printf(
        "{\"bench\": \"trigger\", \"time\": \"virtual\", \"servers\": %u, \"service_us\": %" PRIu32
        ", \"service\": \"exponential\", \"duration_ms\": %" PRIu32 ", \"seeds\": %u,\n",
        d.servers, d.service_us, d.duration_ms, SEEDS);
    printf(
        "\"defaults\": {\"load_threshold\": %" PRIu32 ", \"load_low\": %" PRIu32
        ", \"patience_us\": %" PRIu32 ", \"interval_us\": %" PRIu32 ", \"cool_down_ms\": %" PRIu32
        ", \"budget\": %" PRIu32 ", \"heartbeat_us\": %" PRIu32 "},\n\"scenes\": {",
        d.threshold, d.low, d.patience_us, d.interval_us, d.cool_down_ms, d.budget, d.heartbeat_us);
    for (unsigned i = 0; i < CNT(scenes); i++)
        printf("%s\n  \"%s\": \"%s\"", i ? "," : "", scenes[i].name, scenes[i].text);
    printf("\n},\n\"points\": [");
    for (unsigned i = 0; i < CNT(scenes); i++) {
        struct scene off;
        set_up(&off, i);
        off.threshold = 0;
        point(&off, i, "off", 0);
        for (unsigned k = 0; k < CNT(settings); k++)
            if (settings[k].scenes >> i & 1)
                sweep(&settings[k], i);
    }
    printf("\n],\n");
    series("series_off", 0);
    printf(",\n");
    series("series_on", THRESHOLD);
    printf("}\n");
    return 0;
}
