/* See plan.h. Half of the seeds are plain in most respects, so that each extreme is also met alone. */
#include "sim/plan.h"

struct draw {
    struct capy_prng rng;
    struct sim_plan *p;
    struct sim_rack *r;
    struct sim_tally *t;
};

static uint64_t between(struct draw *d, uint64_t least, uint64_t most)
{
    return least + capy_prng_below(&d->rng, most - least + 1);
}

static bool chance(struct draw *d, uint32_t per_cent)
{
    return capy_prng_chance(&d->rng, per_cent * 10000u);
}

/* Of any order of magnitude up to most, each as likely. */
static uint64_t magnitude(struct draw *d, uint64_t least, uint64_t most)
{
    uint64_t doublings = 0;
    while (least << doublings < most)
        doublings++;
    uint64_t top = least << between(d, 1, doublings);
    return between(d, top / 2, capy_min64(top, most));
}

static bool extreme(struct draw *d, enum sim_tally_name name, uint32_t per_cent)
{
    bool yes = chance(d, per_cent);
    d->t->n[name] += yes;
    return yes;
}

/* ---- topology ------------------------------------------------------------------------------ */

static void draw_topology(struct draw *d)
{
    struct sim_plan *p = d->p;
    p->servers = chance(d, 70) ? (unsigned)between(d, 2, 4) : (unsigned)between(d, 1, 8);
    p->clients = chance(d, 70) ? (unsigned)between(d, 1, 2) : (unsigned)between(d, 1, 8);
    p->version = chance(d, 60) ? SIM_BOTH : chance(d, 50) ? SIM_IPV6_ALONE : SIM_IPV4_ALONE;
    d->t->n[SIM_extremes_ipv4_alone] += p->version == SIM_IPV4_ALONE;
    d->t->n[SIM_extremes_ipv6_alone] += p->version == SIM_IPV6_ALONE;
    d->t->n[SIM_extremes_one_server] += p->servers == 1;
    d->t->n[SIM_extremes_eight_servers] += p->servers == 8;
    p->calm = extreme(d, SIM_extremes_calm, 12);
    p->deaf = SIM_HOSTS_MAX;
    if (p->servers >= 3 && extreme(d, SIM_extremes_deaf_server, 10))
        p->deaf = (unsigned)between(d, 0, p->servers - 1);
}

/* ---- workload ------------------------------------------------------------------------------ */

static void draw_workload(struct draw *d)
{
    struct sim_plan *p = d->p;
    p->slots = (uint32_t)between(d, 2, chance(d, 30) ? 40 : 16);
    p->ticks = (uint32_t)between(d, 150, 500);
    p->tick_ns = CAPY_US(40) << between(d, 0, 9);
    for (unsigned k = 0; k < SIM_LIFE_KIND_CNT; k++)
        p->kind_weight[k] = (uint32_t)between(d, 0, 4);
    p->kind_weight[SIM_STREAM]++;
    p->chunk = (uint32_t)magnitude(d, 500, 30000);
    p->opened_ppm = chance(d, 30) ? 300000 : 0;
    p->policy = (enum sim_policy)between(d, 0, SIM_POLICY_CNT - 1);
    p->migrate_ppm = (uint32_t)between(d, 100000, 900000);
    p->state_max = chance(d, 20) ? CAPY_APP_STATE_MAX - 64 : (uint32_t)between(d, 0, 3000);
    if (chance(d, 50)) {
        p->late_ppm = (uint32_t)between(d, 0, 200000);
        p->ignore_ppm = (uint32_t)between(d, 0, 50000);
        p->veto_ppm = (uint32_t)between(d, 0, 200000);
        p->close_ppm = (uint32_t)between(d, 0, 50000);
        p->abort_ppm = (uint32_t)between(d, 0, 30000);
    }
    p->stall_app_ppm = chance(d, 40) ? 50000 : 0;
    p->reset_ppm = chance(d, 40) ? (uint32_t)between(d, 1000, 20000) : 0;
    d->t->n[SIM_policies_random + p->policy]++;
}

/* ---- faults -------------------------------------------------------------------------------- */

static void draw_faults(struct draw *d)
{
    struct sim_plan *p = d->p;
    struct sim_faults *f = &p->faults;
    if (p->calm)
        return;
    if (chance(d, 50))
        f->loss_ppm = (uint32_t)magnitude(d, 500, 80000);
    if (chance(d, 50))
        f->repeat_ppm = (uint32_t)magnitude(d, 500, 100000);
    if (chance(d, 50))
        f->jitter_ns = magnitude(d, CAPY_US(1), CAPY_MS(1));
    if (chance(d, 30))
        f->corrupt_ppm = (uint32_t)magnitude(d, 500, 30000);
    if (chance(d, 30)) {
        f->spike_ppm = (uint32_t)magnitude(d, 500, 10000);
        f->spike_ns = magnitude(d, CAPY_MS(1), CAPY_MS(20));
    }
    uint32_t once = 1000000 / p->ticks; /* per turn, for once in a run */
    p->worst_ppm = chance(d, 25) ? (uint32_t)between(d, 5000, 50000) : 0;
    p->crash_ppm = chance(d, 35) ? once * (uint32_t)between(d, 1, 3) : 0;
    p->reboot_ppm = chance(d, 35) ? once * (uint32_t)between(d, 1, 3) : 0;
    p->stall_ppm = chance(d, 35) ? once * (uint32_t)between(d, 1, 4) : 0;
    p->cut_ppm = chance(d, 35) ? once * (uint32_t)between(d, 1, 4) : 0;
}

static void draw_clocks(struct draw *d)
{
    bool drifts = extreme(d, SIM_faults_drifting_clocks, 40);
    for (unsigned h = 0; h <= SIM_HOSTS_MAX; h++) {
        d->r->clock[h].own_at = between(d, CAPY_SEC(1), CAPY_SEC(100000));
        if (drifts)
            d->r->clock[h].drift_ppm = (int32_t)between(d, 0, 400) - 200;
    }
}

/* ---- configuration ------------------------------------------------------------------------- */

static void draw_tcp(struct draw *d, struct capy_tcp_cfg *tcp)
{
    if (extreme(d, SIM_extremes_small_buffers, 12)) {
        tcp->snd_buf_max = (uint32_t)between(d, 2048, 9000);
        tcp->rcv_buf_max = (uint32_t)between(d, 2048, 9000);
    }
    if (extreme(d, SIM_extremes_newreno, 20))
        tcp->congestion = CAPY_TCP_NEWRENO;
    else if (extreme(d, SIM_extremes_dctcp, 20))
        tcp->congestion = CAPY_TCP_DCTCP;
    if (extreme(d, SIM_extremes_ecn_off, 15))
        tcp->ecn = CAPY_TCP_ECN_OFF;
    else if (extreme(d, SIM_extremes_ecn_offered, 30))
        tcp->ecn = CAPY_TCP_ECN_OFFER;
    tcp->timestamps = !extreme(d, SIM_extremes_no_timestamps, 20);
    tcp->sack = !extreme(d, SIM_extremes_no_sack, 20);
    tcp->window_scale = !extreme(d, SIM_extremes_no_window_scale, 15);
    tcp->nagle = !extreme(d, SIM_extremes_no_nagle, 20);
}

static void draw_servers(struct draw *d, struct capy_stack_cfg *c, struct capy_mig_cfg *mig)
{
    if (extreme(d, SIM_extremes_tiny_pool, 15)) {
        c->block_cnt = (uint32_t)magnitude(d, 16, 120);
        c->sit_ns = CAPY_SEC(2);
    }
    if (extreme(d, SIM_extremes_few_connections, 8))
        c->conn_max = (uint32_t)between(d, 3, 10);
    if (extreme(d, SIM_extremes_few_migration_slots, 10))
        c->migrate_max = (uint32_t)between(d, 1, 2);
    if (extreme(d, SIM_extremes_little_memory, 8))
        c->memory_max = (uint32_t)between(d, 8, 32);
    if (extreme(d, SIM_extremes_cookies, 12))
        c->syn_backlog_max = 1;
    c->syn_cookies = !extreme(d, SIM_extremes_no_cookies, 8);
    c->seal = extreme(d, SIM_extremes_encrypted, 20);
    if (extreme(d, SIM_extremes_tiny_hold, 12))
        mig->hold_frames_max = (uint32_t)between(d, 0, 3);
    if (extreme(d, SIM_extremes_tiny_hold_bytes, 8))
        mig->hold_bytes_max = (uint32_t)between(d, 0, 4000);
    if (extreme(d, SIM_extremes_small_states, 8))
        mig->state_max = (uint32_t)between(d, 500, 8000);
}

static void draw_switch(struct draw *d, uint64_t beat_ns)
{
    struct capy_switch_cfg *c = &d->r->switch_cfg;
    if (extreme(d, SIM_extremes_tiny_directory, 10))
        c->slots = 1u << between(d, 0, 3);
    if (extreme(d, SIM_extremes_one_level, 10))
        c->levels = 1;
    else
        c->levels = (uint32_t)between(d, 1, 4);
    c->lease_ns = 3 * beat_ns;
    c->learn_ns = 10 * beat_ns + 6 * d->p->faults.spike_ns; /* as the defaults are related */
}

/* The same for all servers and clients, but for a little less room at some. */
static void draw_hosts(struct draw *d)
{
    struct sim_rack *r = d->r;
    struct capy_stack_cfg like = r->cfg[0];
    uint64_t beat_ns = CAPY_MS(5) << between(d, 0, 3);
    if (!d->p->calm)
        draw_servers(d, &like, &like.mig);
    draw_tcp(d, &like.tcp);
    bool small = extreme(d, SIM_extremes_small_mtu, 10);
    uint16_t mtu = small ? (r->version == SIM_IPV4_ALONE ? 576 : 1280) : 1500;
    for (unsigned h = 0; h < r->host_cnt; h++) {
        struct capy_stack_cfg *c = &r->cfg[h];
        c->tcp = like.tcp;
        c->tcp.time_wait_ns = CAPY_MS(300);
        c->tcp.rto_max_ns = CAPY_SEC(2);
        c->tcp.syn_retries = 60;
        bool v4_only = r->version == SIM_IPV4_ALONE && h < r->server_cnt;
        c->mtu = v4_only || mtu > 1280 ? mtu : 1280;
        c->block_cnt = 4096;
        if (h >= r->server_cnt)
            continue;
        c->conn_max = like.conn_max;
        c->block_cnt = capy_min32(like.block_cnt, 4096);
        c->sit_ns = like.sit_ns;
        c->migrate_max = like.migrate_max;
        c->memory_max = like.memory_max;
        c->syn_backlog_max = like.syn_backlog_max;
        c->syn_cookies = like.syn_cookies;
        c->seal = like.seal;
        c->mig = like.mig;
        c->heartbeat_ns = beat_ns;
    }
    draw_switch(d, beat_ns);
}

/* Settings that connections ask for, and that may end them. */
static void draw_patience(struct draw *d)
{
    d->p->keepalive = extreme(d, SIM_extremes_keepalive, 15);
    if (extreme(d, SIM_extremes_user_timeout, 10))
        d->p->user_timeout_ns = CAPY_MS(between(d, 300, 5000));
}

/* All servers have its service; and where there is no room for an entry a connection to it cannot begin. */
static void draw_service_address(struct draw *d)
{
    if (d->p->deaf != SIM_HOSTS_MAX || !extreme(d, SIM_extremes_service_address, 30))
        return;
    d->p->vip = true;
    sim_add_vip(d->r, chance(d, 50) ? CAPY_VIP_MAGLEV : CAPY_VIP_LEAST_LOADED);
    d->r->switch_cfg.slots = capy_max32(d->r->switch_cfg.slots, 64);
}

void sim_plan(struct sim_plan *p, struct sim_rack *r, uint64_t seed, struct sim_tally *t)
{
    struct draw d = {.p = p, .r = r, .t = t};
    *p = (struct sim_plan){0};
    capy_prng_seed(&d.rng, seed);
    draw_topology(&d);
    sim_setup(r, capy_prng_next(&d.rng), p->servers, p->clients, p->version);
    draw_workload(&d);
    draw_faults(&d);
    draw_clocks(&d);
    draw_hosts(&d);
    draw_patience(&d);
    draw_service_address(&d);
}

const char *sim_policy_name(enum sim_policy policy)
{
    static const char *const names[] = {"random", "drain", "least loaded", "ping-pong", "storm"};
    return names[policy];
}
