/* The servers' applications: one service, whose state per connection (how far it has read and
 * written) moves along and is checked where it arrives. */
#include "sim/world.h"

enum { STATE_FIXED = 24, FILLER = 3 /* a direction of its own in the pattern */ };

static uint64_t ended_by_policy(struct sim_world *w, unsigned host)
{
    const struct capy_stack_counters *n = capy_stack_counters(w->r.host[host]);
    return n->pressure_resets + n->orphans_reset + n->half_open_evicted;
}

static void place_at(struct sim_world *w, uint32_t id, unsigned host, capy_handle conn)
{
    struct sim_life *l = &w->life[id];
    l->place = SIM_AT;
    l->at = (uint16_t)host;
    l->arrived_at = w->r.now;
    l->policy_ends = ended_by_policy(w, host);
    l->asked = l->migrating = false;
    l->s.conn = conn;
    l->s.open = true;
    (void)capy_stack_set_user(w->r.host[host], conn, id + 1);
}

/* ---- a connection is accepted -------------------------------------------------------------- */

static void take_up(struct sim_world *w, unsigned host, capy_handle conn)
{
    uint32_t id = sim_who_is(w, host, conn, SIM_UP);
    if (id == SIM_NOBODY)
        return;
    struct sim_life *l = &w->life[id];
    if (l->opened || (l->home != SIM_VIP && l->home != host) ||
        (l->place != SIM_NOWHERE && !sim_excused(w, l)))
        sim_fail(w, "connection %u: server %u accepts it, and has no right to", id, host + 1);
    if (l->place != SIM_NOWHERE || l->client_over) {
        (void)capy_stack_abort(w->r.host[host], conn, sim_own_now(&w->r, host));
        return;
    }
    place_at(w, id, host, conn);
    sim_work_server(w, id);
}

/* ---- it leaves ----------------------------------------------------------------------------- */

static uint32_t encode(struct sim_world *w, uint32_t id, uint8_t *out)
{
    const struct sim_life *l = &w->life[id];
    uint32_t filler = (uint32_t)sim_below(w, (uint64_t)w->plan.state_max + 1);
    capy_store32(out, id);
    capy_store32(out + 4, l->releases + 1);
    capy_store64(out + 8, l->s.read);
    capy_store64(out + 16, l->s.written);
    sim_pattern_fill(id, FILLER, 8, out + STATE_FIXED, filler);
    w->tally.n[SIM_applications_large_state] += filler > 30000;
    return STATE_FIXED + filler;
}

static void let_go(struct sim_world *w, uint32_t id)
{
    static uint8_t state[CAPY_APP_STATE_MAX];
    struct sim_life *l = &w->life[id];
    uint32_t len = encode(w, id, state);
    l->asked = false;
    if (capy_stack_release(w->r.host[l->at], l->s.conn, state, len, id + 1000,
                           sim_own_now(&w->r, l->at)) != CAPY_OK)
        return; /* the ask is over, or no block is free: then it stays */
    l->place = SIM_BETWEEN;
    l->released_at = w->r.now;
    l->released_by = l->at;
    l->releases++;
    l->read_at_release = l->s.read;
    l->written_at_release = l->s.written;
    l->shut_at_release = l->s.shut;
    sim_note(w, l->at, "connection %u: let go of, %u bytes of application state", id, len);
    sim_worst_moment(w, l->at);
}

/* The server has nothing more to say, here and now. */
static void say_no_more(struct sim_world *w, uint32_t id)
{
    struct sim_life *l = &w->life[id];
    if (l->kind == SIM_REQUESTS || l->s.shut || l->s.written < SIM_HEAD_LEN)
        return;
    l->down = l->down_grant = l->s.written;
    l->closer = SIM_EACH_WHEN_DONE;
    sim_count(w, SIM_applications_closed_when_asked);
    sim_work_server(w, id);
}

void sim_answer(struct sim_world *w, uint32_t id)
{
    struct sim_life *l = &w->life[id];
    if (l->place != SIM_AT || !l->asked)
        return;
    if (!w->calm_now && sim_chance(w, w->plan.close_ppm))
        say_no_more(w, id);
    if (l->place != SIM_AT)
        return;
    if (!w->calm_now && sim_chance(w, w->plan.abort_ppm)) {
        sim_count(w, SIM_applications_reset_when_asked);
        sim_reset(w, id, false);
    } else if (!w->calm_now && sim_chance(w, w->plan.veto_ppm)) {
        l->asked = false;
        sim_count(w, SIM_applications_vetoed);
        (void)capy_stack_veto(w->r.host[l->at], l->s.conn, sim_own_now(&w->r, l->at));
    } else {
        let_go(w, id);
    }
}

static void asked(struct sim_world *w, uint32_t id)
{
    struct sim_life *l = &w->life[id];
    sim_count(w, SIM_applications_asked);
    if (!w->calm_now && sim_chance(w, w->plan.ignore_ppm)) {
        sim_count(w, SIM_applications_never_let_go);
        return;
    }
    l->asked = true;
    if (!w->calm_now && sim_chance(w, w->plan.late_ppm))
        sim_count(w, SIM_applications_let_go_late);
    else
        sim_answer(w, id);
}

void sim_migrate(struct sim_world *w, uint32_t id, uint16_t target)
{
    struct sim_life *l = &w->life[id];
    if (l->place != SIM_AT || l->migrating || !sim_runs(&w->r, l->at))
        return;
    int rc = capy_stack_migrate(w->r.host[l->at], l->s.conn, target, sim_own_now(&w->r, l->at));
    sim_count(w, rc == CAPY_OK ? SIM_migrations_begun : SIM_migrations_not_begun);
    if (rc != CAPY_OK)
        return;
    sim_note(w, l->at, "connection %u: shall move to %s%u", id,
             target == CAPY_SERVER_ANY ? "any" : "server ",
             target == CAPY_SERVER_ANY ? 0 : target + 1u);
    l->migrating = true;
    l->migrating_since = w->r.now;
    sim_flush(&w->r, l->at);
}

/* ---- it arrives ---------------------------------------------------------------------------- */

static uint32_t decode(struct sim_world *w, unsigned host, capy_handle conn)
{
    static uint8_t state[CAPY_APP_STATE_MAX];
    struct capy_stack *s = w->r.host[host];
    int64_t len = capy_stack_app_state(s, conn, state, sizeof state);
    uint32_t id = len >= STATE_FIXED ? capy_load32(state) : SIM_NOBODY;
    if (id >= w->life_cnt)
        sim_fail(w, "server %u: a connection arrives without its state", host + 1);
    struct sim_life *l = &w->life[id];
    if (capy_load32(state + 4) != l->releases || capy_load64(state + 8) != l->read_at_release ||
        capy_load64(state + 16) != l->written_at_release ||
        capy_stack_user_flags(s, conn) != id + 1000)
        sim_fail(w, "connection %u: arrives at server %u with an older state (release %u of %u)",
                 id, host + 1, capy_load32(state + 4), l->releases);
    uint32_t filler = (uint32_t)len - STATE_FIXED;
    if (sim_pattern_check(id, FILLER, 8, state + STATE_FIXED, filler) != filler)
        sim_fail(w, "connection %u: its application state is wrong", id);
    capy_stack_app_state_drop(s, conn);
    return id;
}

static void arrived(struct sim_world *w, unsigned host, capy_handle conn)
{
    uint32_t id = decode(w, host, conn);
    struct sim_life *l = &w->life[id];
    if (l->place != SIM_BETWEEN || l->arrivals == l->releases)
        sim_fail(w, "connection %u: server %u runs it, server %u let go of it only once", id,
                 host + 1, l->released_by + 1);
    sim_note(w, host, "connection %u: arrived", id);
    place_at(w, id, host, conn);
    l->s.read = l->read_at_release;
    l->s.written = l->written_at_release;
    l->arrivals = l->releases;
    l->arrived_event = w->event;
    l->moves++;
    sim_count(w, SIM_migrations_moved);
    sim_worst_moment(w, host);
    if (l->place != SIM_AT)
        return;
    if (l->client_over && l->broken)
        sim_reset(w, id, false); /* nobody is there any more */
    else
        sim_work_server(w, id);
}

/* ---- it stays ------------------------------------------------------------------------------ */

static void count_kept(struct sim_world *w, uint32_t id, const struct capy_stack_event *ev)
{
    static const enum sim_tally_name by_verdict[CAPY_VERDICT_CNT] = {
        [CAPY_VERDICT_NO_TARGET] = SIM_migrations_verdict_no_target,
        [CAPY_VERDICT_FULL] = SIM_migrations_verdict_full,
        [CAPY_VERDICT_STALE] = SIM_migrations_verdict_stale,
        [CAPY_VERDICT_LEARNING] = SIM_migrations_verdict_learning};
    if (ev->reason == CAPY_REASON_NONE && ev->verdict == CAPY_VERDICT_NONE)
        sim_fail(w, "connection %u: kept, and nobody knows why", id);
    if (ev->reason != CAPY_REASON_NONE)
        sim_count(w, SIM_migrations_kept_draining + ev->reason - 1u);
    if (by_verdict[ev->verdict] != 0)
        sim_count(w, by_verdict[ev->verdict]);
    sim_count(w, SIM_migrations_kept);
}

/* The switch rebooted, its time to learn is over, and the server that has it, cut off or stalled, could
 * not say so. */
static bool is_forgotten(const struct sim_world *w, const struct sim_life *l)
{
    return w->r.rebooted_at > 0 && l->named_at <= w->r.rebooted_at &&
           w->troubled_until[l->at] > w->r.rebooted_at &&
           w->r.now > w->r.rebooted_at + w->r.switch_cfg.learn_ns;
}

/* It died with its server before a switch that rebooted had heard of it: who was cut off from the moment when it left him
 * until all had forgotten it may be given it back (docs/protocol.md, "Known limits"). */
static bool is_orphan(const struct sim_world *w, const struct sim_life *l)
{
    return (l->excuses & SIM_EXCUSE_CRASH) && w->r.rebooted_at > 0 &&
           l->died_at <= w->r.rebooted_at + w->r.switch_cfg.learn_ns &&
           w->r.now > w->r.rebooted_at + w->r.switch_cfg.learn_ns;
}

/* It had arrived at a server that then died, or fell silent, before the client heard from it: the
 * switch gave it back, and it goes on from where it left. */
static void reclaimed(struct sim_world *w, uint32_t id, unsigned host, capy_handle conn)
{
    struct sim_life *l = &w->life[id];
    bool over = l->client_over || (l->place == SIM_OVER && (l->excuses & SIM_EXCUSE_RESET)) ||
                (l->place == SIM_OVER && l->s.shut && l->s.saw_fin) ||
                (is_orphan(w, l) && (l->released_by != host || l->served > l->arrived_event));
    bool lost = (l->place == SIM_OVER && l->excuses != 0) ||
                sim_silent_since(w, l->at, l->arrived_at) || is_forgotten(w, l);
    if (!over && (l->released_by != host || l->arrivals != l->releases || !lost))
        sim_fail(w, "connection %u: server %u runs it on, and server %u has it", id, host + 1,
                 l->at + 1);
    if (l->served > l->arrived_event && !over && !is_forgotten(w, l))
        sim_fail(w, "connection %u: server %u runs an older copy than the client has heard from",
                 id, host + 1);
    place_at(w, id, host, conn);
    l->excuses &= ~(uint32_t)SIM_EXCUSE_CRASH;
    l->s = (struct sim_end){.conn = conn,
                            .open = true,
                            .shut = l->shut_at_release,
                            .saw_fin = false,
                            .read = l->read_at_release,
                            .written = over ? l->s.written : l->written_at_release};
    sim_count(w, SIM_migrations_reclaimed);
    if (over) /* and the switch forgot that before its origin heard of it */
        sim_reset(w, id, false);
}

static bool is_suspended(const struct sim_world *w, unsigned host, capy_handle conn)
{
    bool fin;
    return capy_stack_readable(w->r.host[host], conn, &fin) == CAPY_E_STATE;
}

static void kept(struct sim_world *w, uint32_t id, unsigned host, const struct capy_stack_event *ev)
{
    struct sim_life *l = &w->life[id];
    bool mine = l->at == host && l->s.conn == ev->conn;
    sim_note(w, host, "connection %u: kept, reason %u verdict %u", id, ev->reason, ev->verdict);
    count_kept(w, id, ev);
    if (l->place == SIM_OVER && mine)
        return;
    if (!mine && is_suspended(w, host, ev->conn))
        return; /* its move is over, and it still waits to hear that it was replaced */
    if (!mine || l->place == SIM_OVER)
        reclaimed(w, id, host, ev->conn);
    else if (l->place == SIM_BETWEEN)
        place_at(w, id, host, ev->conn);
    l->asked = l->migrating = false;
}

/* ---- it ends ------------------------------------------------------------------------------- */

static void ended(struct sim_world *w, uint32_t id, unsigned host, uint32_t bits)
{
    struct sim_life *l = &w->life[id];
    if (bits & CAPY_EV_TIMED_OUT) {
        if (ended_by_policy(w, host) > l->policy_ends)
            l->excuses |= SIM_EXCUSE_PRESSURE;
        if (w->plan.keepalive || w->plan.user_timeout_ns > 0)
            l->excuses |= SIM_EXCUSE_PATIENCE;
        if (!l->connected && !w->plan.calm)
            l->excuses |= SIM_EXCUSE_UNREACHED;
    }
    sim_note(w, host, "connection %u: ends here by %s", id,
             bits & CAPY_EV_RESET ? "RST" : "a timeout");
    if (!sim_excused(w, l))
        sim_fail(w, "connection %u: its server %u saw %s, and nobody ended it", id, host + 1,
                 bits & CAPY_EV_RESET ? "RST" : "a timeout");
    l->place = SIM_OVER;
    l->s.open = false;
    l->asked = l->migrating = false;
}

/* The target died, or fell silent, before it had the state, but a late segment of its first time with the
 * connection made it look served (docs/protocol.md, "Known limits"). */
static bool looked_served(const struct sim_world *w, const struct sim_life *l)
{
    unsigned target = l->said_late_by;
    return l->said_late_at > 0 && l->said_late_at >= l->released_at &&
           (w->died_at[target] >= l->released_at || sim_silent_since(w, target, l->released_at));
}

/* Its origin has freed it: somebody must have taken it up. */
static void left(struct sim_world *w, uint32_t id, unsigned host)
{
    struct sim_life *l = &w->life[id];
    if (l->place != SIM_BETWEEN || l->released_by != host)
        return;
    if (looked_served(w, l))
        l->excuses |= SIM_EXCUSE_CRASH;
    if (!l->client_over && !sim_excused(w, l))
        sim_fail(w, "connection %u: server %u freed it, and nobody has it", id, host + 1);
    l->asked = l->migrating = false; /* with whoever was taken for dead */
}

static void event(struct sim_world *w, unsigned host, const struct capy_stack_event *ev)
{
    if (ev->bits & CAPY_EV_ACCEPTED) {
        if (ev->bits & CAPY_EV_ANY_DEAD)
            return; /* came and went; the client's side tells why */
        if (ev->bits & CAPY_EV_MIGRATED_IN) {
            arrived(w, host, ev->conn);
        } else {
            sim_apply_settings(w, host, ev->conn);
            take_up(w, host, ev->conn);
        }
        return;
    }
    if (ev->user == 0) {
        if (!(ev->bits & CAPY_EV_ANY_DEAD))
            take_up(w, host, ev->conn);
        return;
    }
    uint32_t id = (uint32_t)ev->user - 1;
    struct sim_life *l = &w->life[id];
    if (ev->bits & CAPY_EV_MIGRATED_OUT)
        left(w, id, host);
    if (ev->bits & CAPY_EV_MIGRATE_KEPT)
        kept(w, id, host, ev);
    if (l->place != SIM_AT || l->at != host || l->s.conn != ev->conn)
        return;
    if (ev->bits & CAPY_EV_CONNECTED)
        l->connected = true;
    if (ev->bits & (CAPY_EV_RESET | CAPY_EV_TIMED_OUT)) {
        ended(w, id, host, ev->bits);
        return;
    }
    if (ev->bits & CAPY_EV_FINISHED) {
        sim_finished(w, id, false);
        return;
    }
    if (ev->bits & CAPY_EV_MIGRATE_ASK)
        asked(w, id);
    sim_work_server(w, id);
}

void sim_server_turn(struct sim_world *w, unsigned host)
{
    struct capy_stack_event ev;
    while (sim_runs(&w->r, host) && capy_stack_event(w->r.host[host], &ev))
        event(w, host, &ev);
}

void sim_server_died(struct sim_world *w, unsigned host)
{
    w->died_at[host] = w->r.now;
    for (uint32_t id = 0; id < w->life_cnt; id++) {
        struct sim_life *l = &w->life[id];
        bool unborn = l->place == SIM_NOWHERE &&
                      (l->home == SIM_VIP ? (l->answered >> host & 1) : l->home == host);
        bool frozen = l->place == SIM_BETWEEN && l->released_by == host;
        if (!unborn && !frozen &&
            (l->at != host || l->place == SIM_BETWEEN || l->place == SIM_NOWHERE))
            continue;
        l->excuses |= SIM_EXCUSE_CRASH;
        l->died_at = w->r.now;
        if (unborn || l->place == SIM_AT)
            l->place = SIM_OVER;
        l->asked = l->migrating = false;
    }
}
