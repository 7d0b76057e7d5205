/* Who moves, and where to: what operators and triggers do. */
#include "sim/world.h"

static uint16_t some_target(struct sim_world *w)
{
    uint64_t pick = sim_below(w, w->r.server_cnt + 1);
    return pick == w->r.server_cnt ? CAPY_SERVER_ANY : (uint16_t)pick;
}

static uint32_t some_life(struct sim_world *w)
{
    return w->slot[sim_below(w, w->plan.slots)];
}

static void count_loads(struct sim_world *w, uint32_t load[SIM_SERVERS_MAX])
{
    memset(load, 0, SIM_SERVERS_MAX * sizeof *load);
    for (uint32_t i = 0; i < w->plan.slots; i++)
        if (w->slot[i] != SIM_NOBODY && w->life[w->slot[i]].place == SIM_AT)
            load[w->life[w->slot[i]].at]++;
}

/* Moves up to cnt connections from a server to wherever the switch says. */
static void shed(struct sim_world *w, unsigned server, uint32_t cnt)
{
    for (uint32_t i = 0; i < w->plan.slots && cnt > 0; i++) {
        uint32_t id = w->slot[i];
        if (id == SIM_NOBODY || w->life[id].place != SIM_AT || w->life[id].at != server)
            continue;
        sim_migrate(w, id, CAPY_SERVER_ANY);
        cnt--;
    }
}

static void drain(struct sim_world *w)
{
    uint32_t load[SIM_SERVERS_MAX];
    count_loads(w, load);
    if (w->draining == SIM_HOSTS_MAX || load[w->draining] == 0 || sim_chance(w, 20000)) {
        sim_end_drain(w);
        w->draining = (unsigned)sim_below(w, w->r.server_cnt);
        if (w->r.down_until[w->draining] == CAPY_NEVER) {
            capy_stack_set_draining(w->r.host[w->draining], true);
            sim_flush(&w->r, w->draining);
        }
    }
    shed(w, w->draining, 4);
}

void sim_end_drain(struct sim_world *w)
{
    if (w->draining != SIM_HOSTS_MAX && w->r.down_until[w->draining] == CAPY_NEVER) {
        capy_stack_set_draining(w->r.host[w->draining], false);
        sim_flush(&w->r, w->draining);
    }
    w->draining = SIM_HOSTS_MAX;
}

static void level(struct sim_world *w)
{
    uint32_t load[SIM_SERVERS_MAX];
    unsigned fullest = 0;
    count_loads(w, load);
    for (unsigned h = 0; h < w->r.server_cnt; h++) {
        if (w->r.down_until[h] == CAPY_NEVER)
            capy_stack_set_load(w->r.host[h], load[h]);
        if (load[h] > load[fullest])
            fullest = h;
    }
    shed(w, fullest, 1);
}

static void ping_pong(struct sim_world *w)
{
    for (uint32_t i = 0; i < 2 && i < w->plan.slots; i++) {
        uint32_t id = w->slot[i];
        if (id != SIM_NOBODY && w->life[id].place == SIM_AT)
            sim_migrate(w, id, (uint16_t)((w->life[id].at + 1) % w->r.server_cnt));
    }
}

static void storm(struct sim_world *w)
{
    if (!sim_chance(w, 50000))
        return;
    for (uint32_t i = 0; i < w->plan.slots; i++)
        if (w->slot[i] != SIM_NOBODY)
            sim_migrate(w, w->slot[i], some_target(w));
}

void sim_policy_act(struct sim_world *w)
{
    uint32_t id;
    if (!sim_chance(w, w->plan.migrate_ppm))
        return;
    switch (w->plan.policy) {
    case SIM_POLICY_RANDOM:
        if ((id = some_life(w)) != SIM_NOBODY)
            sim_migrate(w, id, some_target(w));
        break;
    case SIM_POLICY_DRAIN:
        drain(w);
        break;
    case SIM_POLICY_LEAST_LOADED:
        level(w);
        break;
    case SIM_POLICY_PING_PONG:
        ping_pong(w);
        break;
    case SIM_POLICY_STORM:
        storm(w);
        break;
    case SIM_POLICY_CNT:
        break;
    }
}
