/* One seed from beginning to end:
 *
 *   settle      no fault; the switch learns, the servers' quiet time passes
 *   safety      connections, policy and faults by the plan; nothing forbidden may happen
 *   calm        all faults stop; every migration must end, and all must agree who owns what
 *   work        every connection is moved once more, with nothing in the way
 *   finish      every connection is let run to its end, and must arrive whole
 *   rest        time passes; nothing may be left anywhere */
#include "sim/world.h"
#include <stdarg.h>

#define SETTLE_NS CAPY_MS(400)
#define CALM_NS CAPY_SEC(10) /* 8 leases, the hold's and PENDING's longest time, and some */
#define WORK_NS CAPY_SEC(5)
#define FINISH_NS CAPY_SEC(120)
#define REST_NS CAPY_SEC(8) /* TIME_WAIT, linger, FIN-WAIT-2, the age of entries */

void sim_print_last(struct sim_world *w)
{
    if (w->out && w->trace->cnt != w->printed)
        sim_trace_print_one(w->trace, &w->trace->record[(w->trace->cnt - 1) % SIM_TRACE_MAX],
                            w->out);
    w->printed = w->trace->cnt;
}

void sim_note(struct sim_world *w, unsigned host, const char *format, ...)
{
    struct sim_record *r = sim_trace_add(w->trace, w->r.now, host);
    va_list args;
    va_start(args, format);
    vsnprintf(r->note, sizeof r->note, format, args);
    va_end(args);
    sim_print_last(w);
}

_Noreturn void sim_fail(struct sim_world *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(w->why, sizeof w->why, format, args);
    va_end(args);
    w->failed = true;
    sim_note(w, SIM_HOSTS_MAX, "VIOLATION: %.100s", w->why);
    longjmp(w->end, 1);
}

/* ---- the rack's callbacks ------------------------------------------------------------------ */

static void turn(struct sim_rack *r, unsigned host, void *ctx)
{
    struct sim_world *w = ctx;
    (void)r;
    if (sim_is_server(w, host))
        sim_server_turn(w, host);
    else
        sim_client_turn(w, host);
}

static void started(struct sim_rack *r, unsigned host, void *ctx)
{
    struct sim_world *w = ctx;
    bool server = sim_is_server(w, host);
    if (host == w->plan.deaf)
        return;
    int rc = capy_stack_listen(r->host[host], server ? SIM_SERVICE_PORT : SIM_OPENED_TO_PORT, 0);
    if (rc == CAPY_OK && server)
        rc = capy_stack_take_opened(r->host[host], 0);
    if (rc != CAPY_OK)
        sim_fail(w, "host %u cannot listen", host);
    sim_note(w, host, "starts");
}

/* ---- phases -------------------------------------------------------------------------------- */

static void run_for(struct sim_world *w, uint64_t ns)
{
    sim_run_until(&w->r, w->r.now + ns);
}

static void safety(struct sim_world *w)
{
    enum { JUDGE_EVERY = 4 };
    w->r.faults = w->plan.faults;
    for (uint32_t i = 0; i < w->plan.ticks; i++) {
        run_for(w, 1 + sim_below(w, w->plan.tick_ns));
        sim_act(w);
        if (i % JUDGE_EVERY == 0)
            sim_judge_now(w);
    }
    w->tally.n[SIM_faults_jittered] += w->plan.faults.jitter_ns > 0 ? w->r.count.sent : 0;
}

static void stop_faults(struct sim_world *w)
{
    w->calm_now = true;
    w->r.faults = (struct sim_faults){0};
    memset(w->r.cut_until, 0, sizeof w->r.cut_until);
    sim_end_drain(w);
    for (unsigned h = 0; h < w->r.server_cnt; h++)
        if (w->r.stalled_until[h] > w->r.now)
            sim_stall(&w->r, h, 0);
    sim_note(w, SIM_HOSTS_MAX, "all faults stop");
    for (uint32_t id = 0; id < w->life_cnt; id++)
        w->life[id].c.stalled = w->life[id].s.stalled = false;
}

static void answer_all(struct sim_world *w)
{
    for (uint32_t id = 0; id < w->life_cnt; id++)
        if (w->life[id].asked && sim_runs(&w->r, w->life[id].at)) {
            unsigned at = w->life[id].at;
            sim_answer(w, id);
            sim_flush(&w->r, at);
        }
}

/* Who is not at rest, for whoever reads the trace. */
static void note_unrest(struct sim_world *w)
{
    struct capy_stack_status s;
    for (unsigned h = 0; h < w->r.server_cnt; h++) {
        if (!sim_runs(&w->r, h))
            continue;
        capy_stack_status(w->r.host[h], &s);
        sim_note(w, h, "%u migrations from here, %u to here", s.origin_cnt, s.target_cnt);
    }
    for (uint32_t id = 0; id < w->life_cnt; id++)
        if (w->life[id].migrating && !sim_life_is_over(&w->life[id]))
            sim_note(w, w->life[id].at, "connection %u: %s %u, migrating", id,
                     sim_place_name(w->life[id].place), w->life[id].at + 1);
}

static void until_rest(struct sim_world *w, uint64_t ns, const char *what)
{
    const uint64_t step = CAPY_MS(10);
    for (uint64_t spent = 0; !sim_is_at_rest(w); spent += step) {
        if (spent >= ns) {
            note_unrest(w);
            sim_fail(w, "%s: migrations have not ended within %llu ms", what,
                     (unsigned long long)(ns / 1000000));
        }
        answer_all(w);
        run_for(w, step);
        sim_judge_now(w);
    }
}

static void calm(struct sim_world *w)
{
    stop_faults(w);
    until_rest(w, CALM_NS, "after the faults");
    run_for(w, CAPY_MS(100)); /* the last ANNOUNCEs */
    if (w->plan.vip)          /* the entry of one may have given way before it was a connection's */
        run_for(w, w->r.cfg[0].announce_ns);
    until_rest(w, WORK_NS, "after the faults");
    sim_judge_owners(w);
}

static void work(struct sim_world *w)
{
    for (uint32_t id = 0; id < w->life_cnt; id++)
        sim_migrate(w, id, CAPY_SERVER_ANY);
    until_rest(w, WORK_NS, "without faults");
    sim_judge_owners(w);
}

/* Connections that might go on for ever end where they are, or soon after. */
static void cut_short(struct sim_life *l)
{
    if (l->kind == SIM_REQUESTS && !l->c.shut && !l->s.shut) {
        uint64_t rounds = capy_max64((l->c.written + l->ask - 1) / l->ask, 1);
        l->up = rounds * l->ask;
        l->down = rounds * l->answer;
    } else if (l->kind != SIM_REQUESTS) {
        if (!l->c.shut)
            l->up = l->up_grant;
        if (!l->s.shut)
            l->down = l->down_grant;
    }
}

/* An application has closed, and its stack gave up what was left to send, as it was asked to. */
static bool gave_up(struct sim_world *w, unsigned host, const struct sim_end *e)
{
    struct capy_stack_conn_info info;
    return !e->open && (w->plan.keepalive || w->plan.user_timeout_ns > 0) &&
           w->r.down_until[host] == CAPY_NEVER &&
           capy_stack_conn_info(w->r.host[host], e->conn, &info) != CAPY_OK;
}

/* Ends whose other end is gone, by a reset or with its server: nobody else would ever tell an idle
 * one. */
static void reap(struct sim_world *w)
{
    for (uint32_t id = 0; id < w->life_cnt; id++) {
        struct sim_life *l = &w->life[id];
        if (l->opened && !l->c.open && l->place != SIM_AT && sim_excused(w, l))
            l->client_over = l->broken = true; /* its server was gone before it had spoken */
        else if (l->broken ||
                 (l->client_over && (sim_excused(w, l) || gave_up(w, l->client, &l->c))))
            sim_reset(w, id, false);
        else if (l->place != SIM_AT &&
                 (sim_excused(w, l) || (l->place == SIM_OVER && gave_up(w, l->at, &l->s))))
            sim_reset(w, id, true);
    }
}

/* Its server has the one before of the same name still, and waits for its last acknowledgement: what
 * the client says goes there (docs/protocol.md, "Known limits"). A client that gives up, ends both. */
static bool is_overshadowed(const struct sim_world *w, const struct sim_life *l)
{
    for (unsigned h = 0; h < w->r.server_cnt; h++) {
        struct capy_stack_conn_info i;
        if (h == l->home || w->r.down_until[h] != CAPY_NEVER)
            continue;
        for (uint32_t cursor = 0; capy_stack_next_conn(w->r.host[h], &cursor, &i);)
            if ((i.tcp.state == CAPY_TCP_LAST_ACK || i.tcp.state == CAPY_TCP_CLOSING) &&
                i.key.client_port == l->client_port && i.key.home_port == l->home_port &&
                sim_host_of(&i.key.client) == l->client && sim_host_of(&i.key.home) == l->home &&
                capy_ip_is_v4(&i.key.client) != l->ipv6)
                return true;
    }
    return false;
}

static void reap_overshadowed(struct sim_world *w)
{
    for (uint32_t id = 0; id < w->life_cnt; id++)
        if (!sim_life_is_over(&w->life[id]) && !w->life[id].clean && w->life[id].moves == 0 &&
            is_overshadowed(w, &w->life[id])) {
            sim_reset(w, id, true);
            sim_flush(&w->r, w->life[id].client);
        }
}

/* Connections that no application has taken up, for their other end was gone before it spoke. */
static void reap_nameless(struct sim_world *w)
{
    for (unsigned h = 0; h < w->r.host_cnt; h++) {
        struct capy_stack_conn_info info;
        for (uint32_t cursor = 0; capy_stack_next_conn(w->r.host[h], &cursor, &info);)
            if (info.user == 0 &&
                (info.tcp.state == CAPY_TCP_ESTABLISHED || info.tcp.state == CAPY_TCP_CLOSE_WAIT))
                (void)capy_stack_abort(w->r.host[h], info.conn, sim_own_now(&w->r, h));
        sim_flush(&w->r, h);
    }
}

static uint32_t first_not_over(const struct sim_world *w)
{
    for (uint32_t id = 0; id < w->life_cnt; id++)
        if (!sim_life_is_over(&w->life[id]))
            return id;
    return SIM_NOBODY;
}

/* How an end stands, for whoever reads the trace of one that does not end. */
static void note_end(struct sim_world *w, unsigned host, const struct sim_end *e)
{
    struct capy_stack_conn_info i;
    if (w->r.down_until[host] == CAPY_NEVER &&
        capy_stack_conn_info(w->r.host[host], e->conn, &i) == CAPY_OK)
        sim_note(w, host,
                 "%s: %u unacked, %u in flight, window %u, %u unread, %u beyond holes, rto %llu us",
                 capy_tcp_state_name(i.tcp.state), i.tcp.snd_queued, i.tcp.in_flight, i.tcp.snd_wnd,
                 i.tcp.rcv_queued, i.tcp.ooo_queued, (unsigned long long)(i.tcp.rto_ns / 1000));
    else
        sim_note(w, host, "has nothing of it");
}

static void finish(struct sim_world *w)
{
    const uint64_t step = CAPY_MS(100);
    for (uint32_t id = 0; id < w->life_cnt; id++)
        cut_short(&w->life[id]);
    for (uint32_t id = 0; id < w->life_cnt; id++)
        sim_grant(w, id, 1ull << 40);
    uint32_t id;
    run_for(w, step);
    reap_overshadowed(w);
    for (uint64_t spent = 0; (id = first_not_over(w)) != SIM_NOBODY; spent += step) {
        struct sim_life *l = &w->life[id];
        if (spent >= FINISH_NS) {
            note_end(w, l->client, &l->c);
            note_end(w, l->at, &l->s);
            sim_fail(w,
                     "connection %u does not end: client read %llu of %llu, server (%s %u) %llu of "
                     "%llu",
                     id, (unsigned long long)l->c.read, (unsigned long long)l->down,
                     sim_place_name(l->place), l->at + 1, (unsigned long long)l->s.read,
                     (unsigned long long)l->up);
        }
        run_for(w, step);
        reap(w);
    }
    run_for(w, CAPY_SEC(3));
    reap_nameless(w);
}

static void count_outcomes(struct sim_world *w)
{
    struct sim_tally *t = &w->tally;
    const struct sim_counts *n = &w->r.count;
    t->n[SIM_faults_lost] += n->lost;
    t->n[SIM_faults_repeated] += n->repeated;
    t->n[SIM_faults_spiked] += n->spiked;
    t->n[SIM_faults_corrupted] += n->corrupted;
    t->n[SIM_faults_cut] += n->cut;
    for (unsigned h = 0; h < w->r.server_cnt; h++) {
        const struct capy_stack_counters *c = capy_stack_counters(w->r.host[h]);
        t->n[SIM_faults_pools_exhausted] += c->tcp.no_block_drops > 0;
        t->n[SIM_migrations_hold_drops] += c->hold_drops;
        t->n[SIM_migrations_put_back] += c->put_back_frames;
        t->n[SIM_migrations_relayed] += c->relayed_frames;
    }
}

/* ---- all of it ----------------------------------------------------------------------------- */

static void begin(struct sim_world *w, uint64_t seed, struct sim_trace *trace, FILE *out)
{
    struct sim_rack r = w->r;
    memset(w, 0, sizeof *w);
    w->r = r;
    w->seed = seed;
    w->trace = trace;
    w->out = out;
    w->draining = SIM_HOSTS_MAX;
    trace->cnt = 0;
    sim_plan(&w->plan, &w->r, seed, &w->tally);
    trace->server_cnt = w->plan.servers;
    capy_prng_seed(&w->rng, seed ^ 0x5eed5eed5eed5eedu);
    for (uint32_t i = 0; i < SIM_SLOTS_MAX; i++)
        w->slot[i] = SIM_NOBODY;
    w->r.turn = turn;
    w->r.started = started;
    w->r.watch = sim_watch;
    w->r.ctx = w;
}

static void all_phases(struct sim_world *w)
{
    sim_note(w, SIM_HOSTS_MAX, "seed %llu: %u servers, %u clients, policy %s%s",
             (unsigned long long)w->seed, w->plan.servers, w->plan.clients,
             sim_policy_name(w->plan.policy), w->plan.calm ? ", no faults" : "");
    sim_start(&w->r);
    run_for(w, SETTLE_NS);
    safety(w);
    calm(w);
    work(w);
    finish(w);
    run_for(w, REST_NS);
    sim_judge_end(w);
}

void sim_run(struct sim_world *w, uint64_t seed, struct sim_trace *trace, FILE *out,
             struct sim_result *result)
{
    begin(w, seed, trace, out);
    uint64_t from = w->r.now;
    if (setjmp(w->end) == 0)
        all_phases(w);
    count_outcomes(w);
    *result = (struct sim_result){.failed = w->failed,
                                  .digest = w->r.digest,
                                  .events = w->r.count.delivered + w->r.count.timers,
                                  .simulated_ns = w->r.now - from,
                                  .tally = w->tally};
    memcpy(result->why, w->why, sizeof result->why);
}

void sim_world_free(struct sim_world *w)
{
    sim_free(&w->r);
}
