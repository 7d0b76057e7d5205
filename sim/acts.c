/* What befalls the rack in one turn of the safety phase: connections begin and go on, applications
 * stall and reset, machines crash and stall, links are cut. */
#include "sim/world.h"

static void move_on(struct sim_world *w)
{
    for (int i = 0; i < 3; i++) {
        uint32_t slot = (uint32_t)sim_below(w, w->plan.slots), id = w->slot[slot];
        if (id == SIM_NOBODY || sim_life_is_over(&w->life[id]))
            (void)sim_open(w, slot);
        else if (w->life[id].kind == SIM_REQUESTS)
            sim_grant(w, id, w->life[id].ask);
        else if (w->life[id].kind != SIM_IDLE)
            sim_grant(w, id, 1 + sim_below(w, w->plan.chunk));
    }
}

static void stall_application(struct sim_world *w)
{
    uint32_t id = w->slot[sim_below(w, w->plan.slots)];
    if (id == SIM_NOBODY)
        return;
    struct sim_life *l = &w->life[id];
    struct sim_end *e = sim_below(w, 2) ? &l->c : &l->s;
    e->stalled = !e->stalled;
    w->tally.n[SIM_applications_stalled] += e->stalled;
    sim_grant(w, id, 0);
}

static void reset_application(struct sim_world *w)
{
    uint32_t id = w->slot[sim_below(w, w->plan.slots)];
    bool by_client = sim_below(w, 2) != 0;
    if (id == SIM_NOBODY || (by_client ? !w->life[id].c.open : w->life[id].place != SIM_AT))
        return;
    sim_count(w, by_client ? SIM_applications_reset_by_client : SIM_applications_reset_by_server);
    sim_reset(w, id, by_client);
}

/* Asks that wait: some are answered now. */
static void answer_some(struct sim_world *w)
{
    for (uint32_t i = 0; i < w->plan.slots; i++)
        if (w->slot[i] != SIM_NOBODY && w->life[w->slot[i]].asked && sim_below(w, 8) == 0) {
            unsigned at = w->life[w->slot[i]].at;
            if (!sim_runs(&w->r, at))
                continue;
            sim_answer(w, w->slot[i]);
            sim_flush(&w->r, at);
        }
}

static void crash(struct sim_world *w, unsigned victim, uint64_t down_ns)
{
    sim_note(w, victim, "dies, for %llu us", (unsigned long long)(down_ns / 1000));
    sim_crash(&w->r, victim, down_ns);
    sim_server_died(w, victim);
    if (w->draining == victim)
        w->draining = SIM_HOSTS_MAX;
}

static void crash_some(struct sim_world *w)
{
    unsigned victim = (unsigned)sim_below(w, w->r.server_cnt);
    if (w->r.down_until[victim] != CAPY_NEVER)
        return;
    sim_count(w, SIM_faults_crashes);
    crash(w, victim, CAPY_MS(1) + sim_below(w, CAPY_MS(1) << sim_below(w, 11)));
}

void sim_worst_moment(struct sim_world *w, unsigned host)
{
    if (w->calm_now || !sim_chance(w, w->plan.worst_ppm))
        return;
    unsigned victim = sim_below(w, 3) ? host : (unsigned)sim_below(w, w->r.server_cnt);
    if (w->r.down_until[victim] != CAPY_NEVER)
        return;
    sim_count(w, SIM_faults_crashes_in_a_move);
    crash(w, victim, CAPY_US(1) << sim_below(w, 20));
}

/* Of any order of magnitude; now and then just so long that the server is taken for dead. */
static uint64_t duration(struct sim_world *w)
{
    uint64_t dead_ns = 8 * w->r.switch_cfg.lease_ns;
    if (sim_below(w, 5) == 0)
        return dead_ns - dead_ns / 16 + sim_below(w, dead_ns / 4);
    return sim_below(w, CAPY_MS(2) << sim_below(w, 11));
}

static void trouble(struct sim_world *w, unsigned host, uint64_t until)
{
    w->troubled_until[host] = capy_max64(w->troubled_until[host], until);
}

static void stall(struct sim_world *w)
{
    unsigned victim = (unsigned)sim_below(w, w->r.server_cnt);
    if (!sim_runs(&w->r, victim))
        return;
    uint64_t stall_ns = duration(w);
    w->r.ring[victim] = sim_below(w, 2) && stall_ns < CAPY_MS(100);
    sim_note(w, victim, "stalls for %llu us", (unsigned long long)(stall_ns / 1000));
    sim_count(w, w->r.ring[victim] ? SIM_faults_stalls_with_ring : SIM_faults_stalls);
    sim_stall(&w->r, victim, stall_ns);
    trouble(w, victim, w->r.now + stall_ns);
}

static void cut(struct sim_world *w)
{
    unsigned victim = (unsigned)sim_below(w, w->r.host_cnt);
    uint64_t until = w->r.now + duration(w), way = sim_below(w, 3);
    trouble(w, victim, until);
    if (way != 0)
        w->r.cut_until[victim][0] = until;
    if (way != 1)
        w->r.cut_until[victim][1] = until;
    sim_note(w, victim, "is cut off%s for %llu us",
             way == 0   ? " towards the switch"
             : way == 1 ? " from the switch"
                        : "",
             (unsigned long long)((until - w->r.now) / 1000));
    sim_count(w, way == 2 ? SIM_faults_partitions : SIM_faults_partitions_one_way);
}

void sim_act(struct sim_world *w)
{
    const struct sim_plan *p = &w->plan;
    move_on(w);
    answer_some(w);
    sim_policy_act(w);
    if (sim_chance(w, p->stall_app_ppm))
        stall_application(w);
    if (sim_chance(w, p->reset_ppm))
        reset_application(w);
    if (sim_chance(w, p->crash_ppm))
        crash_some(w);
    if (sim_chance(w, p->stall_ppm))
        stall(w);
    if (sim_chance(w, p->cut_ppm))
        cut(w);
    if (sim_chance(w, p->reboot_ppm)) {
        sim_note(w, SIM_HOSTS_MAX, "the switch reboots");
        sim_count(w, SIM_faults_reboots);
        sim_reboot_switch(&w->r);
    }
}
