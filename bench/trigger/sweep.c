/* How good the trigger is with other settings than the defaults: each setting by itself, in scenes that
 * ask different things of it. JSON on stdout, a list of points; bench/README.md says how to read it.
 * All on virtual time: the same build prints the same numbers. */
#include "bench/trigger/scene.h"
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS 3u
#define THRESHOLD 8u /* what docs/operating.md recommends to begin with */

#define CNT(a) (sizeof(a) / sizeof(a)[0])

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
};

/* A setting of the rack file, and the values tried; their unit is the rack file's. */
static const struct setting {
    const char *name;
    size_t offset;
    uint32_t value[8]; /* ends with a 0, but for a first one */
} settings[] = {
    {"load_threshold", offsetof(struct scene, threshold), {2, 4, 8, 16, 32, 64}},
    {"load_low", offsetof(struct scene, low), {0, 1, 2, 4, 6, 7}},
    {"patience_us",
     offsetof(struct scene, patience_us),
     {0, 10000, 30000, 100000, 300000, 1000000}},
    {"interval_us", offsetof(struct scene, interval_us), {1000, 3000, 10000, 30000, 100000}},
    {"cool_down_ms", offsetof(struct scene, cool_down_ms), {0, 30, 100, 300, 1000, 3000}},
    {"budget", offsetof(struct scene, budget), {1, 2, 4, 8, 16}},
    {"heartbeat_us", offsetof(struct scene, heartbeat_us), {1000, 5000, 20000, 50000, 100000}},
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

static int by_late_p99(const void *a, const void *b)
{
    const struct scene_outcome *x = a, *y = b;
    return (x->late_p99_ns > y->late_p99_ns) - (x->late_p99_ns < y->late_p99_ns);
}

/* One line of the list: the run with the median tail of the seeds. */
static void point(const struct scene *base, unsigned scene, const char *name, uint32_t value)
{
    static struct scene_outcome out[SEEDS];
    static bool any;
    for (unsigned i = 0; i < SEEDS; i++) {
        struct scene s = *base;
        s.seed = i + 1;
        scene_run(&s, &out[i]);
    }
    qsort(out, SEEDS, sizeof out[0], by_late_p99);
    const struct scene_outcome *o = &out[SEEDS / 2];
    printf("%s\n  {\"scene\": \"%s\", \"setting\": \"%s\", \"value\": %" PRIu32
           ", \"p50_us\": %.1f, \"p99_us\": %.1f, \"late_p50_us\": %.1f, \"late_p99_us\": %.1f, "
           "\"late_p999_us\": %.1f, \"asked\": %" PRIu64 ", \"answered\": %" PRIu64
           ", \"moves\": %" PRIu32 ", \"late_moves\": %" PRIu32 ", \"moves_of_one\": %" PRIu32
           ", \"turned_back\": %" PRIu32 ", \"slow_until_ms\": %" PRIu64 "}",
           any ? "," : "", scenes[scene].name, name, value, (double)o->p50_ns / 1e3,
           (double)o->p99_ns / 1e3, (double)o->late_p50_ns / 1e3, (double)o->late_p99_ns / 1e3,
           (double)o->late_p999_ns / 1e3, o->asked, o->answered, o->moves, o->late_moves,
           o->moves_of_one_max, o->turned_back, o->slow_until_ns / 1000000u);
    any = true;
    (void)fflush(stdout);
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
            sweep(&settings[k], i);
    }
    printf("\n],\n");
    series("series_off", 0);
    printf(",\n");
    series("series_on", THRESHOLD);
    printf("}\n");
    return 0;
}
