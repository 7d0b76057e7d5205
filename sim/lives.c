/* Connections begin, write, read and end: what both applications have in common (world.h). */
#include "sim/world.h"

enum { CHUNK = 4096 };

const char *sim_place_name(enum sim_place place)
{
    static const char *const names[] = {"not yet at", "at", "let go by", "done at"};
    return names[place];
}

bool sim_life_is_over(const struct sim_life *l)
{
    return l->client_over && l->place != SIM_AT && !l->asked;
}

/* ---- opening ------------------------------------------------------------------------------- */

static enum sim_kind_of_life draw_kind(struct sim_world *w)
{
    uint32_t sum = 0, k = 0;
    for (k = 0; k < SIM_LIFE_KIND_CNT; k++)
        sum += w->plan.kind_weight[k];
    uint32_t pick = (uint32_t)sim_below(w, sum);
    for (k = 0; pick >= w->plan.kind_weight[k]; k++)
        pick -= w->plan.kind_weight[k];
    return (enum sim_kind_of_life)k;
}

static void draw_bytes(struct sim_world *w, struct sim_life *l)
{
    static const enum sim_tally_name names[] = {SIM_applications_streams, SIM_applications_requests,
                                                SIM_applications_idle,
                                                SIM_applications_short_lives};
    const uint64_t endless = 1ull << 40;
    uint32_t chunk = w->plan.chunk;
    l->kind = draw_kind(w);
    if (l->opened && l->kind == SIM_REQUESTS)
        l->kind = SIM_STREAM; /* the client would not know whose requests to send */
    l->closer = (enum sim_closer)sim_below(w, SIM_CLOSER_CNT);
    l->up = SIM_HEAD_LEN + sim_below(w, chunk);
    l->down = SIM_HEAD_LEN + sim_below(w, chunk);
    l->up_grant = l->down_grant = SIM_HEAD_LEN;
    if (l->kind == SIM_REQUESTS) {
        uint64_t rounds = sim_chance(w, 500000) ? 1u << 20 : 1 + sim_below(w, 20);
        l->ask = SIM_HEAD_LEN + (uint32_t)sim_below(w, 2000);
        l->answer = SIM_HEAD_LEN + (uint32_t)sim_below(w, chunk);
        l->up = rounds * l->ask;
        l->down = rounds * l->answer;
    } else if (l->kind == SIM_STREAM && sim_chance(w, 600000)) {
        l->up = l->down = endless;
    } else if (l->kind == SIM_SHORT) {
        l->up_grant = l->up;
        l->down_grant = l->down;
    }
    sim_count(w, names[l->kind]);
}

void sim_apply_settings(struct sim_world *w, unsigned host, capy_handle conn)
{
    struct capy_stack *s = w->r.host[host];
    uint64_t own = sim_own_now(&w->r, host);
    int rc = CAPY_OK;
    if (w->plan.keepalive) {
        rc |= capy_stack_set(s, conn, CAPY_OPTION_KEEPALIVE, 1, own);
        rc |= capy_stack_set(s, conn, CAPY_OPTION_KEEP_IDLE_NS, CAPY_SEC(1), own);
        rc |= capy_stack_set(s, conn, CAPY_OPTION_KEEP_INTERVAL_NS, CAPY_SEC(1), own);
        rc |= capy_stack_set(s, conn, CAPY_OPTION_KEEP_COUNT, 3, own);
    }
    if (w->plan.user_timeout_ns > 0)
        rc |= capy_stack_set(s, conn, CAPY_OPTION_USER_TIMEOUT_NS, w->plan.user_timeout_ns, own);
    if (rc != CAPY_OK)
        sim_fail(w, "host %u: a setting of a new connection is refused", host);
}

static void draw_ends(struct sim_world *w, struct sim_life *l, uint32_t slot)
{
    *l = (struct sim_life){.slot = (uint16_t)slot, .runner = SIM_HOSTS_MAX, .clean = true};
    l->client = (uint16_t)(w->r.server_cnt + slot % w->plan.clients);
    l->home = (uint16_t)(slot / w->plan.clients % w->plan.servers);
    if (l->home == w->plan.deaf)
        l->home = (uint16_t)((l->home + 1) % w->plan.servers);
    l->at = l->owner = l->home;
    l->opened = w->plan.opened_ppm > 0 && slot % 3 == 2;
    l->ipv6 = w->r.version == SIM_IPV6_ALONE || (w->r.version == SIM_BOTH && sim_below(w, 2));
    l->client_port = l->opened ? SIM_OPENED_TO_PORT : (uint16_t)(SIM_FIRST_CLIENT_PORT + slot);
    l->home_port = SIM_SERVICE_PORT;
    if (w->plan.vip && !l->opened && slot % 5 < 2) {
        l->home = SIM_VIP;
        l->owner = SIM_HOSTS_MAX;
    }
}

/* What capy_stack_connect said. */
static int dial(struct sim_world *w, struct sim_life *l, uint32_t id)
{
    unsigned from = l->opened ? l->home : l->client, to = l->opened ? l->client : l->home;
    struct sim_end *e = l->opened ? &l->s : &l->c;
    struct capy_ip ip = sim_ip(to, l->ipv6);
    struct capy_stack_conn_info info;
    int rc = capy_stack_connect(
        w->r.host[from], &ip, l->opened ? SIM_OPENED_TO_PORT : SIM_SERVICE_PORT,
        l->opened ? 0 : l->client_port, id + 1, &e->conn, sim_own_now(&w->r, from));
    if (rc != CAPY_OK)
        return rc;
    e->open = true;
    sim_apply_settings(w, from, e->conn);
    if (l->opened && capy_stack_conn_info(w->r.host[from], e->conn, &info) == CAPY_OK)
        l->home_port = info.local_port;
    return CAPY_OK;
}

/* What is under way could be taken for the next connection's where there is no TIME-WAIT: after a
 * reset, or when one ended it (RFC 1337). So the next one waits for longer than frames live. */
static bool is_calm(const struct sim_world *w, const struct sim_life *l)
{
    /* Nor under a name whose owner could not say so to a switch that has just booted, nor hear a RST. */
    if (l->home == SIM_VIP && w->r.rebooted_at > 0 &&
        w->r.now < w->r.rebooted_at + 2 * w->r.switch_cfg.learn_ns)
        return false;
    const struct sim_faults *f = &w->plan.faults;
    uint64_t life_ns =
        4 * (f->spike_ns + f->jitter_ns) + (w->plan.stall_ppm > 0 ? CAPY_MS(220) : 0);
    /* A hold buffer has some as soon as the switch knows of a move, also one that came to nothing; and
     * where it came to something TIME-WAIT may not be at home. */
    if (l->migrating_since > 0)
        life_ns += w->r.cfg[0].mig.hold_ns + CAPY_MS(200);
    return w->r.now > l->over_at + life_ns;
}

/* A server that was started again opens from a port that it does not know to be taken: the connection that it
 * opened there before lives elsewhere. The switch fences the new one until that is over. */
static void share_name(struct sim_world *w, struct sim_life *l)
{
    for (uint32_t id = 0; l->opened && id < w->life_cnt; id++) {
        struct sim_life *o = &w->life[id];
        if (o->opened && !sim_life_is_over(o) && o->client == l->client && o->home == l->home &&
            o->home_port == l->home_port && o->ipv6 == l->ipv6)
            o->clean = l->clean = false;
    }
}

bool sim_open(struct sim_world *w, uint32_t slot)
{
    uint32_t old = w->slot[slot], id = w->life_cnt;
    if (id == SIM_LIVES_MAX ||
        (old != SIM_NOBODY && (!sim_life_is_over(&w->life[old]) || !is_calm(w, &w->life[old]))))
        return false;
    struct sim_life *l = &w->life[id];
    draw_ends(w, l, slot);
    l->clean = old == SIM_NOBODY; /* else somebody may still answer for the one before */
    unsigned from = l->opened ? l->home : l->client;
    if (!sim_runs(&w->r, from) || dial(w, l, id) != CAPY_OK)
        return false;
    share_name(w, l);
    draw_bytes(w, l);
    w->life_cnt++;
    w->slot[slot] = id;
    l->opened_at = w->r.now;
    if (l->opened) {
        l->place = SIM_AT;
        l->arrived_at = w->r.now;
        sim_count(w, SIM_applications_opened_by_servers);
    }
    w->tally.n[SIM_applications_to_the_service_address] += l->home == SIM_VIP;
    w->tally.n[SIM_applications_ports_used_again] += old != SIM_NOBODY && !l->opened;
    sim_count(w, SIM_connections_opened);
    sim_note(w, from, "connection %u: opens, port %u to %s%u, %s", id,
             l->opened ? l->home_port : l->client_port,
             l->opened            ? "client "
             : l->home == SIM_VIP ? "service address "
                                  : "server ",
             l->opened            ? l->client - w->r.server_cnt + 1u
             : l->home == SIM_VIP ? 1u
                                  : l->home + 1u,
             l->ipv6 ? "IPv6" : "IPv4");
    sim_flush(&w->r, from);
    return true;
}

uint32_t sim_who_is(struct sim_world *w, unsigned host, capy_handle conn, unsigned dir)
{
    uint8_t head[SIM_HEAD_LEN];
    uint32_t had = 0, got;
    const uint8_t *span;
    while (had < SIM_HEAD_LEN &&
           (span = capy_stack_read_span(w->r.host[host], conn, had, &got)) != NULL) {
        got = capy_min32(got, SIM_HEAD_LEN - had);
        memcpy(head + had, span, got);
        had += got;
    }
    if (had < SIM_HEAD_LEN)
        return SIM_NOBODY;
    uint32_t id = sim_pattern_head(head, dir);
    if (id >= w->life_cnt)
        sim_fail(w, "host %u: the first bytes of a connection are not what was sent", host);
    return id;
}

/* ---- bytes --------------------------------------------------------------------------------- */

static void read_end(struct sim_world *w, uint32_t id, unsigned host, struct sim_end *e,
                     unsigned dir)
{
    struct capy_stack *s = w->r.host[host];
    const uint8_t *data;
    uint32_t got;
    bool fin = false;
    while ((data = capy_stack_read_span(s, e->conn, 0, &got)) != NULL) {
        uint32_t right = sim_pattern_check(id, dir, e->read, data, got);
        if (right < got)
            sim_fail(w, "connection %u, %s: byte %llu is wrong (read by host %u)", id,
                     dir == SIM_UP ? "up" : "down", (unsigned long long)e->read + right, host);
        e->read += got;
        if (capy_stack_consume(s, e->conn, got, sim_own_now(&w->r, host)) != CAPY_OK)
            sim_fail(w, "connection %u: what was lent cannot be consumed", id);
    }
    struct sim_life *l = &w->life[id];
    const struct sim_end *peer = dir == SIM_UP ? &l->c : &l->s;
    if (e->read > peer->written)
        sim_fail(w, "connection %u, %s: %llu bytes read, %llu were written", id,
                 dir == SIM_UP ? "up" : "down", (unsigned long long)e->read,
                 (unsigned long long)peer->written);
    if (e->saw_fin || capy_stack_readable(s, e->conn, &fin) != 0 || !fin)
        return;
    e->saw_fin = true;
    if (!peer->shut || e->read != peer->written)
        sim_fail(w, "connection %u, %s: FIN after %llu bytes, %llu were written%s", id,
                 dir == SIM_UP ? "up" : "down", (unsigned long long)e->read,
                 (unsigned long long)peer->written, peer->shut ? "" : ", and nobody closed it");
}

static void write_end(struct sim_world *w, uint32_t id, unsigned host, struct sim_end *e,
                      unsigned dir, uint64_t until)
{
    uint8_t chunk[CHUNK];
    while (e->written < until) {
        uint32_t n = (uint32_t)capy_min64(CHUNK, until - e->written);
        sim_pattern_fill(id, dir, e->written, chunk, n);
        int64_t took =
            capy_stack_write(w->r.host[host], e->conn, chunk, n, sim_own_now(&w->r, host));
        if (took < 0)
            return; /* no longer ours to write: an event says why */
        e->written += (uint64_t)took;
        if (took < n)
            return; /* WRITABLE will come */
    }
}

static void shut_end(struct sim_world *w, uint32_t id, unsigned host, struct sim_end *e)
{
    int rc = capy_stack_shutdown(w->r.host[host], e->conn, sim_own_now(&w->r, host));
    if (rc != CAPY_OK)
        sim_fail(w, "connection %u: cannot be shut at host %u (%d)", id, host, rc);
    e->shut = true;
}

/* False: it ended, and an event tells why; or it is frozen or suspended. */
static bool answers(struct sim_world *w, unsigned host, const struct sim_end *e)
{
    bool fin;
    return capy_stack_readable(w->r.host[host], e->conn, &fin) >= 0;
}

void sim_work_client(struct sim_world *w, uint32_t id)
{
    struct sim_life *l = &w->life[id];
    struct sim_end *e = &l->c;
    if (!e->open || !l->connected || e->stalled || !answers(w, l->client, e))
        return;
    read_end(w, id, l->client, e, SIM_DOWN);
    uint64_t until = l->up_grant;
    if (l->kind == SIM_REQUESTS)
        until = capy_min64(until, l->ask * (e->read / l->answer + 1));
    write_end(w, id, l->client, e, SIM_UP, capy_min64(until, l->up));
    if (!e->shut && e->written == l->up && (l->closer != SIM_SERVER_FIRST || e->saw_fin))
        shut_end(w, id, l->client, e);
    if (!e->shut || !e->saw_fin)
        return;
    (void)capy_stack_close(w->r.host[l->client], e->conn, sim_own_now(&w->r, l->client));
    e->open = false;
    l->client_over = true;
    l->over_at = w->r.now;
    sim_count(w, SIM_connections_whole);
}

void sim_work_server(struct sim_world *w, uint32_t id)
{
    struct sim_life *l = &w->life[id];
    struct sim_end *e = &l->s;
    if (l->place != SIM_AT || !l->connected || e->stalled || !sim_runs(&w->r, l->at) ||
        !answers(w, l->at, e))
        return;
    read_end(w, id, l->at, e, SIM_UP);
    uint64_t until = l->down_grant;
    if (l->kind == SIM_REQUESTS)
        until = l->answer * (e->read / l->ask);
    write_end(w, id, l->at, e, SIM_DOWN, capy_min64(until, l->down));
    bool now = l->closer == SIM_SERVER_FIRST   ? e->read == l->up
               : l->closer == SIM_CLIENT_FIRST ? e->saw_fin
                                               : true;
    if (!e->shut && e->written == l->down && now)
        shut_end(w, id, l->at, e);
    if (!e->shut || !e->saw_fin)
        return;
    (void)capy_stack_close(w->r.host[l->at], e->conn, sim_own_now(&w->r, l->at));
    e->open = false;
    l->place = SIM_OVER;
    l->asked = l->migrating = false;
}

void sim_finished(struct sim_world *w, uint32_t id, bool client)
{
    struct sim_life *l = &w->life[id];
    struct sim_end *e = client ? &l->c : &l->s, *peer = client ? &l->s : &l->c;
    if (!e->shut || !peer->shut || e->read != peer->written)
        sim_fail(w, "connection %u: finished at its %s, which has read %llu of %llu bytes", id,
                 client ? "client" : "server", (unsigned long long)e->read,
                 (unsigned long long)peer->written);
    e->open = false;
    if (client) {
        l->client_over = true;
        l->over_at = w->r.now;
        sim_count(w, SIM_connections_whole);
    } else {
        l->place = SIM_OVER;
        l->asked = l->migrating = false;
    }
}

static void work_both(struct sim_world *w, uint32_t id)
{
    struct sim_life *l = &w->life[id];
    sim_work_client(w, id);
    sim_flush(&w->r, l->client);
    if (l->place != SIM_AT || !sim_runs(&w->r, l->at))
        return;
    sim_work_server(w, id);
    sim_flush(&w->r, l->at);
}

void sim_grant(struct sim_world *w, uint32_t id, uint64_t bytes)
{
    struct sim_life *l = &w->life[id];
    l->up_grant = capy_min64(l->up_grant + bytes, l->up);
    l->down_grant = capy_min64(l->down_grant + bytes, l->down);
    work_both(w, id);
}

void sim_reset(struct sim_world *w, uint32_t id, bool by_client)
{
    struct sim_life *l = &w->life[id];
    unsigned host = by_client ? l->client : l->at;
    struct sim_end *e = by_client ? &l->c : &l->s;
    if (by_client ? !e->open : l->place != SIM_AT || !sim_runs(&w->r, host))
        return;
    if (capy_stack_abort(w->r.host[host], e->conn, sim_own_now(&w->r, host)) == CAPY_E_STATE)
        return; /* suspended: nothing can be done to it before it is confirmed, or replaced */
    sim_note(w, host, "connection %u: reset by its application", id);
    e->open = false;
    l->excuses |= SIM_EXCUSE_RESET;
    if (by_client) {
        l->client_over = l->broken = true;
        l->over_at = w->r.now;
        sim_count(w, SIM_connections_ended_by_application);
    } else {
        l->place = SIM_OVER;
        l->asked = l->migrating = false;
    }
    sim_flush(&w->r, host);
}
