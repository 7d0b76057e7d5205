/* What must hold of the whole rack: while it runs, when faults have stopped, and when all is over.
 * Read from the outside, by what the stacks and the switch tell tools. */
#include "sim/world.h"

/* ---- at any time --------------------------------------------------------------------------- */

static struct sim_life *life_of(struct sim_world *w, const struct capy_stack_conn_info *info)
{
    return info->user > 0 && info->user <= w->life_cnt ? &w->life[info->user - 1] : NULL;
}

/* At most one server runs a connection: not frozen, not suspended, not over. */
void sim_judge_now(struct sim_world *w)
{
    static uint8_t runs[SIM_LIVES_MAX];
    memset(runs, 0, w->life_cnt);
    for (unsigned h = 0; h < w->r.server_cnt; h++) {
        struct capy_stack_conn_info info;
        bool fin;
        if (w->r.down_until[h] != CAPY_NEVER || w->r.stalled_until[h] > w->r.now)
            continue; /* a stalled one learns that its lease is over before anything else */
        for (uint32_t cursor = 0; capy_stack_next_conn(w->r.host[h], &cursor, &info);) {
            struct sim_life *l = life_of(w, &info);
            if (!l || l->place == SIM_OVER || info.migrating == 2 ||
                capy_stack_readable(w->r.host[h], info.conn, &fin) < 0)
                continue;
            if (++runs[l - w->life] > 1)
                sim_fail(w, "connection %u: two servers run it, %u is one", (uint32_t)(l - w->life),
                         h + 1);
        }
    }
}

/* ---- at rest: no fault, no migration under way --------------------------------------------- */

static bool entry_of(const struct sim_world *w, const struct sim_life *l,
                     struct capy_switch_entry_info *out)
{
    for (uint32_t cursor = 0; capy_switch_next_entry(w->r.plane, &cursor, out);)
        if (out->key.client_port == l->client_port && out->key.home_port == l->home_port &&
            sim_host_of(&out->key.client) == l->client && sim_host_of(&out->key.home) == l->home &&
            capy_ip_is_v4(&out->key.client) != l->ipv6)
            return true;
    return false;
}

/* Let go of, and kept frozen until the directory has room (docs/protocol.md, "Known limits"). CANCEL is
 * repeated, so it was refused a moment ago. */
static bool waits_for_room(const struct sim_world *w, const struct sim_life *l)
{
    return l->place == SIM_BETWEEN && l->no_cancel_at > 0 &&
           w->r.now < l->no_cancel_at + 3 * w->r.cfg[l->released_by].mig.rto_max_ns;
}

static uint32_t waiting_at(const struct sim_world *w, unsigned host)
{
    uint32_t cnt = 0;
    for (uint32_t id = 0; id < w->life_cnt; id++)
        cnt += w->life[id].released_by == host && waits_for_room(w, &w->life[id]);
    return cnt;
}

bool sim_is_at_rest(struct sim_world *w)
{
    for (unsigned h = 0; h < w->r.server_cnt; h++) {
        struct capy_stack_status s;
        if (!sim_runs(&w->r, h))
            return false;
        capy_stack_status(w->r.host[h], &s);
        if (s.origin_cnt + s.target_cnt > waiting_at(w, h))
            return false;
    }
    for (uint32_t id = 0; id < w->life_cnt; id++)
        if (w->life[id].migrating && !sim_life_is_over(&w->life[id]) &&
            !waits_for_room(w, &w->life[id]))
            return false;
    return true;
}

/* Directory, origin and target agree who has each connection that lives. */
void sim_judge_owners(struct sim_world *w)
{
    for (uint32_t id = 0; id < w->life_cnt; id++) {
        struct sim_life *l = &w->life[id];
        struct capy_switch_entry_info e;
        if (l->client_over || l->place == SIM_OVER || l->place == SIM_NOWHERE || !l->c.open ||
            waits_for_room(w, l))
            continue;
        if (l->place == SIM_BETWEEN && !sim_excused(w, l))
            sim_fail(w, "connection %u: nobody has it; server %u let go of it", id,
                     l->released_by + 1);
        if (sim_excused(w, l))
            continue;
        /* After a reboot others may have come first (docs/protocol.md, "Known limits"). */
        if (l->no_room_at > 0 && w->r.now < l->no_room_at + 3 * w->r.cfg[l->at].announce_ns)
            continue;
        bool has = entry_of(w, l, &e);
        if (has ? e.owner != l->at || e.owner_dead || e.phase != CAPY_PHASE_SETTLED
                : l->at != l->home)
            sim_fail(w, "connection %u: server %u runs it; the directory says %s%u, epoch %u%s", id,
                     l->at + 1, has ? "" : "home, ", has ? e.owner + 1u : l->home + 1u,
                     has ? e.epoch : 0, has && e.owner_dead ? ", dead" : "");
    }
}

/* ---- when all is over ---------------------------------------------------------------------- */

void sim_judge_end(struct sim_world *w)
{
    for (unsigned h = 0; h < w->r.host_cnt; h++) {
        struct capy_stack_status s;
        capy_stack_status(w->r.host[h], &s);
        if (s.conn_cnt + s.origin_cnt + s.target_cnt + s.away_cnt > 0)
            sim_fail(w, "%s %u: left over %u connections, %u and %u migrations, %u flows away",
                     sim_is_server(w, h) ? "server" : "client",
                     sim_is_server(w, h) ? h + 1 : h - w->r.server_cnt + 1, s.conn_cnt,
                     s.origin_cnt, s.target_cnt, s.away_cnt);
        if (s.block_free != s.block_cnt)
            sim_fail(w, "host %u: %u of %u blocks are left over", h, s.block_cnt - s.block_free,
                     s.block_cnt);
    }
    if (capy_switch_entry_cnt(w->r.plane) > 0)
        sim_fail(w, "%u directory entries are left over", capy_switch_entry_cnt(w->r.plane));
}
