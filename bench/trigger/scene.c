/* One run of a scene, and what came of it. */
#include "bench/trigger/scene.h"
#include "bench/trigger/world.h"
#include <stdlib.h>
#include <string.h>

#define TICK_NS CAPY_US(5)

void scene_default(struct scene *s)
{
    struct capy_rack rack;
    capy_rack_default(&rack);
    *s = (struct scene){
        .seed = 1,
        .servers = 3,
        .service_us = 50,
        .duration_ms = 2000,
        .heartbeat_us = rack.heartbeat_us,
        .patience_us = rack.load_patience_us,
        .interval_us = rack.load_interval_us,
        .cool_down_ms = rack.load_cool_ms,
        .budget = rack.load_budget,
    };
}

static void turn(struct world *w)
{
    w->now += TICK_NS;
    client_turn(w);
    for (unsigned i = 0; i < w->scene->servers; i++)
        server_turn(&w->server[i]);
    (void)capy_switch_expire(w->tor, w->now);
}

static void run_until(struct world *w, uint64_t until)
{
    while (w->now < until)
        turn(w);
}

/* From here on until the next call another window counts. */
static void end_window(struct world *w)
{
    struct scene_outcome *out = w->out;
    struct scene_window *at = &out->window[out->window_cnt];
    at->answered = w->client.window.cnt;
    at->p99_ns = capy_hist_quantile(&w->client.window, 99000);
    capy_hist_init(&w->client.window);
    if (at->p99_ns > SCENE_SLOW * CAPY_US(w->scene->service_us))
        out->slow_until_ns = w->now - w->began_at;
    for (unsigned i = 0; i < w->scene->servers; i++) {
        uint64_t load = capy_load_own(w->server[i].os) / CAPY_LOAD_ONE;
        at->load[i] = (uint32_t)capy_min64(load, UINT32_MAX);
    }
    if (out->window_cnt + 1 < SCENE_WINDOWS_MAX)
        out->window_cnt++;
}

static void sum_up(struct world *w)
{
    struct scene_outcome *out = w->out;
    const struct client *c = &w->client;
    out->all = c->all;
    out->late = c->late;
    out->answered = c->all.cnt;
    out->late_answered = c->late.cnt;
    out->p50_ns = capy_hist_quantile(&c->all, 50000);
    out->p99_ns = capy_hist_quantile(&c->all, 99000);
    out->p999_ns = capy_hist_quantile(&c->all, 99900);
    out->late_p50_ns = capy_hist_quantile(&c->late, 50000);
    out->late_p99_ns = capy_hist_quantile(&c->late, 99000);
    out->late_p999_ns = capy_hist_quantile(&c->late, 99900);
    for (unsigned i = 0; i < w->scene->servers; i++) {
        const struct server *s = &w->server[i];
        out->busy_percent[i] = (uint32_t)(s->late_busy_ns * 100 / (w->ends_at - w->half_at));
        out->waits += s->os->trigger.why_cnt[CAPY_WHY_WAITING];
        out->refused += (uint32_t)s->os->trigger.refused_cnt;
    }
}

void scene_run(const struct scene *s, struct scene_outcome *out)
{
    struct world *w = calloc(1, sizeof *w);
    if (!w)
        world_fail("no memory");
    *out = (struct scene_outcome){0};
    w->scene = s;
    w->out = out;
    w->half_at = w->ends_at = CAPY_NEVER;
    world_open(w);
    /* What a server that has just started would refuse, and what the switch has to learn. */
    run_until(w, w->now + 3ull * CAPY_US(w->rack.learn_us) + CAPY_MS(1));
    w->now += CAPY_MIG_QUIET_NS;
    run_until(w, w->now + 3ull * CAPY_US(w->rack.learn_us));
    client_open(w);
    run_until(w, w->now + CAPY_MS(20)); /* all are connected */
    w->began_at = w->now;
    w->ends_at = w->now + CAPY_MS(s->duration_ms);
    w->half_at = w->now + CAPY_MS(s->duration_ms) / 2;
    for (uint64_t at = w->began_at; at < w->ends_at; at += SCENE_WINDOW_NS) {
        run_until(w, capy_min64(at + SCENE_WINDOW_NS, w->ends_at));
        end_window(w);
    }
    sum_up(w);
    world_close(w);
    free(w);
}
