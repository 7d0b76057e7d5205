/* The clients' applications. They know nothing of migration: what they see must be one TCP connection
 * to one server, whole, unless somebody ended it. */
#include "sim/world.h"

/* A connection that a server opened says by its first bytes which it is. */
static void take_up(struct sim_world *w, unsigned host, capy_handle conn)
{
    uint32_t id = sim_who_is(w, host, conn, SIM_DOWN);
    if (id == SIM_NOBODY)
        return;
    struct sim_life *l = &w->life[id];
    if (!l->opened || l->client != host || l->c.open)
        sim_fail(w, "connection %u: client %u got it, and it is not its own", id, host);
    if (l->client_over) { /* its server reset it; the word of that is not here yet */
        (void)capy_stack_abort(w->r.host[host], conn, sim_own_now(&w->r, host));
        return;
    }
    l->c.conn = conn;
    l->c.open = true;
    (void)capy_stack_set_user(w->r.host[host], conn, id + 1);
    sim_work_client(w, id);
}

static void ended(struct sim_world *w, uint32_t id, uint32_t bits)
{
    struct sim_life *l = &w->life[id];
    l->c.open = false;
    l->client_over = l->broken = true;
    l->over_at = w->r.now;
    bool patience = /* its own; or its server's, whose application had closed */
        ((bits & CAPY_EV_TIMED_OUT) || l->place == SIM_OVER) &&
        (w->plan.keepalive || w->plan.user_timeout_ns > 0);
    if (patience)
        l->excuses |= SIM_EXCUSE_PATIENCE;
    if (!l->connected && (bits & CAPY_EV_TIMED_OUT) && !w->plan.calm)
        l->excuses |= SIM_EXCUSE_UNREACHED;
    sim_note(w, l->client, "connection %u: its client sees %s", id,
             bits & CAPY_EV_RESET ? "RST" : "a timeout");
    if (!sim_excused(w, l))
        sim_fail(w, "connection %u: its client saw %s, and nobody ended it", id,
                 bits & CAPY_EV_RESET ? "RST" : "a timeout");
    sim_count(w, l->excuses & SIM_EXCUSE_RESET      ? SIM_connections_ended_by_application
                 : l->excuses & SIM_EXCUSE_PRESSURE ? SIM_connections_ended_by_pressure
                 : l->excuses & SIM_EXCUSE_CRASH    ? SIM_connections_ended_by_crash
                 : l->excuses & SIM_EXCUSE_SILENCE  ? SIM_connections_ended_by_silence
                                                    : SIM_connections_ended_by_patience);
}

static void event(struct sim_world *w, unsigned host, const struct capy_stack_event *ev)
{
    if (ev->bits & CAPY_EV_ACCEPTED && !(ev->bits & CAPY_EV_ANY_DEAD))
        sim_apply_settings(w, host, ev->conn);
    if (ev->user == 0) {
        if (!(ev->bits & CAPY_EV_ANY_DEAD))
            take_up(w, host, ev->conn);
        return;
    }
    uint32_t id = (uint32_t)ev->user - 1;
    struct sim_life *l = &w->life[id];
    if (l->c.conn != ev->conn || !l->c.open)
        return;
    if (ev->bits & CAPY_EV_CONNECTED)
        l->connected = true;
    if (ev->bits & (CAPY_EV_RESET | CAPY_EV_TIMED_OUT))
        ended(w, id, ev->bits);
    else if (ev->bits & CAPY_EV_FINISHED)
        sim_finished(w, id, true);
    else
        sim_work_client(w, id);
}

void sim_client_turn(struct sim_world *w, unsigned host)
{
    struct capy_stack_event ev;
    while (capy_stack_event(w->r.host[host], &ev))
        event(w, host, &ev);
}
