/* The applications of a world (crowd.h). */
#include "crowd.h"
#include "target.h"

enum { STATE_FIXED = 20, CLIENT_PORT_FIRST = 20000, CHUNK_MAX = 16384 };

static uint8_t pattern(unsigned i, bool by_server, uint64_t at)
{
    return (uint8_t)((at * 0x9e3779b97f4a7c15u >> 32) + i * 2 + by_server);
}

static struct crowd_end *end_of(struct crowd *c, unsigned i, bool server)
{
    return server ? &c->conn[i].server : &c->conn[i].client;
}

/* The stack where an end can be used now, or NULL. */
static struct capy_stack *stack_of(struct crowd *c, unsigned i, bool server)
{
    const struct crowd_conn *x = &c->conn[i];
    if (!x->used || !end_of(c, i, server)->open || (server && x->place != CROWD_AT))
        return NULL;
    return c->w.host[server ? x->at : WORLD_CLIENT];
}

void crowd_doom(struct crowd *c, unsigned i)
{
    c->conn[i].doomed = true;
    c->conn[i].spared = false;
}

static void flush(struct crowd *c, unsigned i, bool server)
{
    world_flush(&c->w, server ? c->conn[i].at : WORLD_CLIENT);
}

/* ---- calls --------------------------------------------------------------------------------- */

void crowd_connect(struct crowd *c, unsigned i, unsigned home, bool ipv6)
{
    struct crowd_conn *x = &c->conn[i];
    if (x->used)
        return;
    *x = (struct crowd_conn){
        .home = (uint8_t)home, .ipv6 = ipv6 || c->w.ipv6_only, .left = WORLD_SERVERS};
    struct capy_ip ip = world_ip(home, x->ipv6);
    int rc = capy_stack_connect(c->w.host[WORLD_CLIENT], &ip, WORLD_PORT,
                                (uint16_t)(CLIENT_PORT_FIRST + i), i, &x->client.conn, c->w.now);
    fuzz_check(rc == CAPY_OK, "connect: %s", capy_strerror(rc));
    x->used = x->client.open = true;
    world_flush(&c->w, WORLD_CLIENT);
}

void crowd_write(struct crowd *c, unsigned i, bool server, uint32_t len)
{
    uint8_t data[CHUNK_MAX];
    struct capy_stack *s = stack_of(c, i, server);
    struct crowd_end *e = end_of(c, i, server);
    if (!s || e->shut)
        return;
    len = capy_min32(len, sizeof data);
    for (uint32_t b = 0; b < len; b++)
        data[b] = pattern(i, server, e->written + b);
    int64_t took = capy_stack_write(s, e->conn, data, len, c->w.now);
    fuzz_check(took >= 0 || took == CAPY_E_STATE, "write: %s", capy_strerror((int)took));
    e->written += took > 0 ? (uint64_t)took : 0;
    flush(c, i, server);
}

void crowd_read(struct crowd *c, unsigned i, bool server, uint32_t max)
{
    struct capy_stack *s = stack_of(c, i, server);
    struct crowd_end *e = end_of(c, i, server);
    const struct crowd_end *other = end_of(c, i, !server);
    const uint8_t *data;
    uint32_t got;
    bool fin;
    if (!s)
        return;
    for (; max > 0 && (data = capy_stack_read_span(s, e->conn, 0, &got)) != NULL; max -= got) {
        got = capy_min32(got, max);
        for (uint32_t b = 0; b < got; b++)
            fuzz_check(data[b] == pattern(i, !server, e->read + b),
                       "connection %u: byte %llu to the %s is wrong", i,
                       (unsigned long long)(e->read + b), server ? "server" : "client");
        e->read += got;
        fuzz_check(capy_stack_consume(s, e->conn, got, c->w.now) == CAPY_OK, "consume");
        fuzz_check(e->read <= other->written, "connection %u: invented bytes", i);
    }
    if (capy_stack_readable(s, e->conn, &fin) == 0 && fin) {
        fuzz_check(e->read == other->written || c->conn[i].doomed,
                   "connection %u: FIN at %llu of %llu", i, (unsigned long long)e->read,
                   (unsigned long long)other->written);
        e->saw_fin = true;
    }
    flush(c, i, server);
}

void crowd_shutdown(struct crowd *c, unsigned i, bool server)
{
    struct capy_stack *s = stack_of(c, i, server);
    struct crowd_end *e = end_of(c, i, server);
    if (!s || e->shut)
        return;
    if (capy_stack_shutdown(s, e->conn, c->w.now) == CAPY_OK)
        e->shut = true;
    flush(c, i, server);
}

static void let_go(struct crowd *c, unsigned i, bool server, bool reset)
{
    struct capy_stack *s = stack_of(c, i, server);
    struct crowd_end *e = end_of(c, i, server);
    if (!s)
        return;
    int rc =
        reset ? capy_stack_abort(s, e->conn, c->w.now) : capy_stack_close(s, e->conn, c->w.now);
    fuzz_check(rc == CAPY_OK || rc == CAPY_E_STATE, "close: %s", capy_strerror(rc));
    if (rc != CAPY_OK)
        return;
    if (reset || !e->saw_fin)
        crowd_doom(c, i);
    e->open = false;
    e->shut = true;
    if (server)
        c->conn[i].place = CROWD_OVER;
    flush(c, i, server);
}

void crowd_close(struct crowd *c, unsigned i, bool server)
{
    let_go(c, i, server, false);
}

void crowd_abort(struct crowd *c, unsigned i, bool server)
{
    let_go(c, i, server, true);
}

void crowd_migrate(struct crowd *c, unsigned i, uint16_t target)
{
    struct capy_stack *s = stack_of(c, i, true);
    if (!s)
        return;
    (void)capy_stack_migrate(s, c->conn[i].server.conn, target, c->w.now);
    flush(c, i, true);
}

void crowd_set(struct crowd *c, unsigned i, bool server, enum capy_option option, uint64_t value)
{
    struct capy_stack *s = stack_of(c, i, server);
    if (!s)
        return;
    (void)capy_stack_set(s, end_of(c, i, server)->conn, option, value, c->w.now);
    flush(c, i, server);
}

/* ---- moving -------------------------------------------------------------------------------- */

static void release(struct crowd *c, unsigned i)
{
    static uint8_t state[CAPY_APP_STATE_MAX];
    struct crowd_conn *x = &c->conn[i];
    uint32_t len = STATE_FIXED + capy_min32(c->state_len, sizeof state - STATE_FIXED);
    capy_store32(state, i);
    capy_store64(state + 4, x->server.read);
    capy_store64(state + 12, x->server.written);
    for (uint32_t b = STATE_FIXED; b < len; b++)
        state[b] = pattern(i, true, b);
    int rc = capy_stack_release(c->w.host[x->at], x->server.conn, state, len, i + 1000, c->w.now);
    if (rc != CAPY_OK)
        return;
    x->place = CROWD_BETWEEN;
    x->left = x->at;
    x->released = x->server;
}

static unsigned read_state(struct crowd *c, unsigned host, capy_handle conn)
{
    static uint8_t state[CAPY_APP_STATE_MAX];
    struct capy_stack *s = c->w.host[host];
    int64_t len = capy_stack_app_state(s, conn, state, sizeof state);
    fuzz_check(len >= STATE_FIXED && capy_load32(state) < CROWD_MAX, "state of %lld bytes",
               (long long)len);
    unsigned i = capy_load32(state);
    const struct crowd_conn *x = &c->conn[i];
    fuzz_check(capy_load64(state + 4) == x->released.read &&
                   capy_load64(state + 12) == x->released.written,
               "connection %u arrived from another moment", i);
    for (int64_t b = STATE_FIXED; b < len; b++)
        fuzz_check(state[b] == pattern(i, true, (uint64_t)b), "byte %lld of the state is wrong",
                   (long long)b);
    fuzz_check(capy_stack_user_flags(s, conn) == i + 1000, "flags");
    capy_stack_app_state_drop(s, conn);
    return i;
}

static void arrived(struct crowd *c, unsigned host, const struct capy_stack_event *ev)
{
    struct capy_stack_conn_info info;
    bool moved = ev->bits & CAPY_EV_MIGRATED_IN;
    fuzz_check(capy_stack_conn_info(c->w.host[host], ev->conn, &info) == CAPY_OK, "info");
    unsigned i = info.key.client_port - CLIENT_PORT_FIRST;
    fuzz_check(i < CROWD_MAX, "client port %u", info.key.client_port);
    struct crowd_conn *x = &c->conn[i];
    if (moved)
        fuzz_check(read_state(c, host, ev->conn) == i, "somebody else's state");
    else
        fuzz_check(x->home == WORLD_VIP || x->home == host, "connection %u begins at server %u", i,
                   host);
    if (x->doomed && x->place != (moved ? CROWD_BETWEEN : CROWD_NOWHERE)) {
        (void)capy_stack_abort(c->w.host[host], ev->conn, c->w.now);
        return;
    }
    fuzz_check(x->place == (moved ? CROWD_BETWEEN : CROWD_NOWHERE),
               "connection %u begins at server %u, and is %u at server %u", i, host, x->place,
               x->at);
    x->place = CROWD_AT;
    x->moved = x->moved || moved;
    x->at = (uint8_t)host;
    x->server.conn = ev->conn;
    x->server.open = true;
    fuzz_check(capy_stack_set_user(c->w.host[host], ev->conn, i + 1) == CAPY_OK, "user");
}

/* It had arrived at a server that died before the client heard from it: it goes on where it left. */
static void reclaimed(struct crowd *c, unsigned i)
{
    struct crowd_conn *x = &c->conn[i];
    x->place = CROWD_AT;
    x->at = x->left;
    x->server = x->released;
    x->died = false;
    if (!x->spared)
        return;
    fuzz_check(x->client.open, "connection %u lives, and its client was told that it is over", i);
    x->doomed = x->spared = false;
}

static void server_event(struct crowd *c, unsigned host, const struct capy_stack_event *ev)
{
    if (ev->bits & CAPY_EV_ACCEPTED) {
        if (!(ev->bits & CAPY_EV_ANY_DEAD))
            arrived(c, host, ev);
        return;
    }
    unsigned i = (unsigned)ev->user - 1;
    if (i >= CROWD_MAX)
        return;
    struct crowd_conn *x = &c->conn[i];
    if (ev->bits & CAPY_EV_MIGRATE_KEPT && x->died && x->left == host &&
        x->released.conn == ev->conn)
        reclaimed(c, i);
    if (x->at != host || x->server.conn != ev->conn)
        return;
    if (ev->bits & CAPY_EV_MIGRATE_KEPT && x->place == CROWD_BETWEEN)
        x->place = CROWD_AT;
    if (ev->bits & CAPY_EV_MIGRATE_ASK && x->place == CROWD_AT) {
        if (c->manner == CROWD_RELEASES)
            release(c, i);
        else if (c->manner == CROWD_VETOES)
            (void)capy_stack_veto(c->w.host[host], x->server.conn, c->w.now);
    }
    if (ev->bits & (CAPY_EV_RESET | CAPY_EV_TIMED_OUT | CAPY_EV_FINISHED) && x->place == CROWD_AT) {
        fuzz_check(x->doomed || ev->bits & CAPY_EV_FINISHED, "connection %u: %s at server %u", i,
                   ev->bits & CAPY_EV_RESET ? "reset" : "timed out", host);
        x->place = CROWD_OVER;
        x->server.open = false;
    }
}

static void client_event(struct crowd *c, const struct capy_stack_event *ev)
{
    struct crowd_conn *x = &c->conn[ev->user];
    if (ev->bits & CAPY_EV_CONNECTED)
        x->connected = true;
    if (!(ev->bits & CAPY_EV_ANY_DEAD) || x->client.conn != ev->conn)
        return;
    fuzz_check(x->doomed || ev->bits & CAPY_EV_FINISHED, "connection %u: the client saw %s",
               (unsigned)ev->user, ev->bits & CAPY_EV_RESET ? "RST" : "a timeout");
    x->client.open = false;
}

/* ---- what befalls servers ------------------------------------------------------------------- */

void crowd_drain(struct crowd *c, unsigned server, bool draining)
{
    if (c->w.up_at[server] > 0)
        return;
    capy_stack_set_draining(c->w.host[server], draining);
    for (unsigned i = 0; draining && i < CROWD_MAX; i++)
        if (c->conn[i].at == server)
            crowd_migrate(c, i, CAPY_SERVER_ANY);
    world_flush(&c->w, server);
}

/* Has the server anything of it that its client may know? */
static bool has_begun_at(struct crowd *c, unsigned i, unsigned server)
{
    struct capy_stack_conn_info info;
    for (uint32_t cursor = 0; capy_stack_next_conn(c->w.host[server], &cursor, &info);)
        if (info.key.client_port == CLIENT_PORT_FIRST + i)
            return true;
    return false;
}

void crowd_crash(struct crowd *c, unsigned server, uint64_t down_ns)
{
    if (c->w.up_at[server] > 0)
        return;
    for (unsigned i = 0; i < CROWD_MAX; i++) {
        struct crowd_conn *x = &c->conn[i];
        if (!x->used || (x->place == CROWD_NOWHERE ? !has_begun_at(c, i, server) : x->at != server))
            continue;
        bool spared = !x->doomed && x->place == CROWD_AT && x->moved;
        crowd_doom(c, i);
        x->spared = spared;
        x->died = x->place == CROWD_AT;
        if (x->died) {
            x->place = CROWD_OVER;
            x->server.open = false;
        }
    }
    world_crash(&c->w, server, down_ns);
}

void crowd_reboot_switch(struct crowd *c)
{
    c->reboots++;
    for (unsigned i = 0; i < CROWD_MAX; i++) /* docs/protocol.md, Known limits */
        c->conn[i].spared = false;
    world_reboot_switch(&c->w);
}

/* ---- the world's calls ----------------------------------------------------------------------- */

static void turn(struct world *w, unsigned host)
{
    struct crowd *c = (struct crowd *)(void *)w;
    struct capy_stack_event ev;
    while (capy_stack_event(w->host[host], &ev)) {
        if (host == WORLD_CLIENT)
            client_event(c, &ev);
        else
            server_event(c, host, &ev);
    }
}

/* What the client is sent has its connection's name, wherever that runs. */
static void sent(struct world *w, unsigned link, bool to_switch, const uint8_t *frame, size_t len)
{
    const struct crowd *c = (const struct crowd *)(const void *)w;
    struct capy_packet p;
    if (link != WORLD_CLIENT || to_switch || capy_frame_parse(frame, len, &p) != CAPY_DROP_NONE ||
        p.kind != CAPY_PACKET_TCP)
        return;
    unsigned i = p.dst_port - CLIENT_PORT_FIRST;
    fuzz_check(i < CROWD_MAX && c->conn[i].used, "a segment to the client's port %u", p.dst_port);
    struct capy_ip home = world_ip(c->conn[i].home, c->conn[i].ipv6);
    fuzz_check(p.src_port == WORLD_PORT && capy_ip_eq(&p.src, &home),
               "connection %u: the client is sent a segment in another name, port %u", i,
               p.src_port);
}

void crowd_open(struct crowd *c, const struct crowd_rack *rack)
{
    memset(c->conn, 0, sizeof c->conn);
    c->manner = CROWD_RELEASES;
    c->state_len = c->reboots = 0;
    c->w.sent = sent;
    world_configure(&c->w, rack->ipv6_only, rack->blocks);
    world_add_vip(&c->w, rack->vip_by_load);
    world_start(&c->w, turn);
}
