/* See stream.h. */
#include "stream.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { UP, DOWN, STATE_FIXED = 20, CHUNK = 4096, EARLIER_LIFE = STREAMS_MAX };
#define RESET_CALM_NS CAPY_MS(500)

static uint8_t pattern(uint32_t stream, unsigned dir, uint64_t i)
{
    uint64_t x = (i / 8 + 1) * 0x9e3779b97f4a7c15u + stream * 2u + dir;
    x ^= x >> 29;
    return (uint8_t)(x * 0xbf58476d1ce4e5b9u >> (8 * (i % 8)));
}

void streams_init(struct streams *st, struct sim_rack *r, uint64_t seed)
{
    memset(st, 0, sizeof *st);
    st->rack = r;
    st->not_listening = SIM_SERVERS;
    st->ipv6_from = 1;
    capy_prng_seed(&st->rng, seed);
}

/* ---- for whoever reads a failure ----------------------------------------------------------- */

static void dump_end(struct capy_stack *s, const char *who, uint16_t port,
                     const struct stream_end *e)
{
    struct capy_stack_conn_info info;
    print_error("  %s: read %llu wrote %llu of %llu", who, (unsigned long long)e->read,
                (unsigned long long)e->written, (unsigned long long)e->grant);
    for (uint32_t cursor = 0; capy_stack_next_conn(s, &cursor, &info);) {
        if (info.key.client_port == port || info.local_port == port)
            print_error("; %s epoch %u migrating %u unacked %u readable %u in flight %u wnd %u",
                        capy_tcp_state_name(info.tcp.state), info.epoch, info.migrating,
                        info.tcp.snd_queued, info.tcp.rcv_queued, info.tcp.in_flight,
                        info.tcp.snd_wnd);
    }
    print_error("\n");
}

void stream_dump(const struct streams *st, uint32_t i)
{
    static const char *const places[] = {"nowhere", "at", "between", "over"};
    const struct stream *x = &st->stream[i];
    struct sim_rack *r = st->rack;
    struct capy_switch_entry_info e;
    print_error("stream %u over IPv%u at %llu us: home %u, %s %u, %u moves%s\n", i, x->ipv6 ? 6 : 4,
                (unsigned long long)(r->now / 1000), x->home, places[x->place], x->at, x->moves,
                x->doomed ? ", doomed" : "");
    dump_end(r->host[SIM_CLIENT], "client", x->client_port, &x->client);
    for (unsigned h = 0; h < SIM_SERVERS; h++)
        if (r->down_until[h] == CAPY_NEVER)
            dump_end(r->host[h], "server", x->client_port, &x->server);
    for (uint32_t cursor = 0; capy_switch_next_entry(r->plane, &cursor, &e);)
        if (e.key.client_port == x->client_port)
            print_error("  entry: phase %d owner %u:%u previous %u:%u epoch %u%s%s\n", e.phase,
                        e.owner, e.owner_port, e.previous, e.previous_port, e.epoch,
                        e.served ? " served" : "", e.owner_dead ? " dead" : "");
}

/* ---- bytes --------------------------------------------------------------------------------- */

static void read_end(struct streams *st, uint32_t i, unsigned host, struct stream_end *e,
                     unsigned dir)
{
    struct capy_stack *s = st->rack->host[host];
    const uint8_t *data;
    uint32_t got;
    bool fin;
    while (e->read < e->take && (data = capy_stack_read_span(s, e->conn, 0, &got)) != NULL) {
        got = (uint32_t)capy_min64(got, e->take - e->read);
        for (uint32_t b = 0; b < got; b++)
            if (data[b] != pattern(i, dir, e->read + b))
                fail_msg("stream %u, direction %u: byte %llu is wrong", i, dir,
                         (unsigned long long)(e->read + b));
        e->read += got;
        assert_int_equal(capy_stack_consume(s, e->conn, got, st->rack->now), CAPY_OK);
    }
    if (capy_stack_readable(s, e->conn, &fin) == 0 && fin)
        e->saw_fin = true;
}

static void write_end(struct streams *st, uint32_t i, unsigned host, struct stream_end *e,
                      unsigned dir, uint64_t total)
{
    uint8_t chunk[CHUNK];
    uint64_t until = capy_min64(total, e->grant);
    while (e->written < until) {
        uint32_t n = (uint32_t)capy_min64(CHUNK, until - e->written);
        for (uint32_t b = 0; b < n; b++)
            chunk[b] = pattern(i, dir, e->written + b);
        int64_t took = capy_stack_write(st->rack->host[host], e->conn, chunk, n, st->rack->now);
        assert_true(took >= 0);
        e->written += (uint64_t)took;
        if (took < n)
            break; /* WRITABLE will come */
    }
}

/* Everything an end can do now. The client closes when it has said all; the server when it has and
 * the client has. */
static void work_client(struct streams *st, uint32_t i)
{
    struct stream *x = &st->stream[i];
    struct capy_stack *s = st->rack->host[SIM_CLIENT];
    if (!x->client.open)
        return;
    read_end(st, i, SIM_CLIENT, &x->client, DOWN);
    write_end(st, i, SIM_CLIENT, &x->client, UP, x->up);
    if (x->client.written == x->up && !x->client.shut) {
        x->client.shut = true;
        assert_int_equal(capy_stack_shutdown(s, x->client.conn, st->rack->now), CAPY_OK);
    }
    if (x->client.saw_fin && x->client.shut) {
        x->client.open = false;
        assert_int_equal(capy_stack_close(s, x->client.conn, st->rack->now), CAPY_OK);
    }
}

/* A server that was silent for too long may not run what migrated to it until the switch agrees. */
static bool suspended(const struct streams *st, uint32_t i)
{
    const struct stream *x = &st->stream[i];
    bool fin;
    return x->doomed && capy_stack_readable(st->rack->host[x->at], x->server.conn, &fin) < 0;
}

static void work_server(struct streams *st, uint32_t i)
{
    struct stream *x = &st->stream[i];
    if (x->place != STREAM_AT || suspended(st, i))
        return;
    read_end(st, i, x->at, &x->server, UP);
    write_end(st, i, x->at, &x->server, DOWN, x->down);
    if (x->server.saw_fin && x->server.written == x->down) {
        x->place = STREAM_OVER;
        assert_int_equal(capy_stack_close(st->rack->host[x->at], x->server.conn, st->rack->now),
                         CAPY_OK);
    }
}

static void work(struct streams *st, uint32_t i)
{
    work_client(st, i);
    work_server(st, i);
    sim_flush(st->rack, SIM_CLIENT);
    if (st->stream[i].place != STREAM_NOWHERE)
        sim_flush(st->rack, st->stream[i].at);
}

/* ---- the application's state that moves ---------------------------------------------------- */

static uint32_t encode(struct streams *st, uint32_t i, uint8_t *out)
{
    const struct stream_end *e = &st->stream[i].server;
    uint32_t filler = st->state_max > 0 ? (uint32_t)capy_prng_below(&st->rng, st->state_max) : 0;
    capy_store32(out, i | st->stream[i].life << 8);
    capy_store64(out + 4, e->read);
    capy_store64(out + 12, e->written);
    for (uint32_t b = 0; b < filler; b++)
        out[STATE_FIXED + b] = pattern(i, 3, b);
    return STATE_FIXED + filler;
}

static uint32_t decode(struct streams *st, unsigned host, capy_handle conn)
{
    static uint8_t state[CAPY_APP_STATE_MAX];
    struct capy_stack *s = st->rack->host[host];
    int64_t len = capy_stack_app_state(s, conn, state, sizeof state);
    assert_true(len >= STATE_FIXED);
    uint32_t i = capy_load32(state) & 0xff;
    assert_true(i < st->cnt);
    if (capy_load32(state) >> 8 != st->stream[i].life)
        return EARLIER_LIFE;
    assert_int_equal(capy_load64(state + 4), st->stream[i].read_at_release);
    assert_int_equal(capy_load64(state + 12), st->stream[i].written_at_release);
    for (int64_t b = STATE_FIXED; b < len; b++)
        assert_int_equal(state[b], pattern(i, 3, (uint64_t)(b - STATE_FIXED)));
    assert_int_equal(capy_stack_user_flags(s, conn), i + 1000);
    capy_stack_app_state_drop(s, conn);
    return i;
}

/* ---- events -------------------------------------------------------------------------------- */

static void arrived(struct streams *st, unsigned host, capy_handle conn, bool migrated)
{
    struct capy_stack *s = st->rack->host[host];
    struct capy_stack_conn_info info;
    uint32_t i;
    assert_int_equal(capy_stack_conn_info(s, conn, &info), CAPY_OK);
    if (migrated) {
        i = decode(st, host, conn);
        if (i == EARLIER_LIFE) { /* its client reset it while it was under way, and that got lost */
            capy_stack_abort(s, conn, st->rack->now);
            return;
        }
        st->moved++;
        st->stream[i].moves++;
        if (st->stream[i].place != STREAM_BETWEEN)
            fail_msg("stream %u: server %u runs it while server %u does", i, host,
                     st->stream[i].at);
    } else {
        for (i = 0; i < st->cnt && st->stream[i].client_port != info.key.client_port; i++)
            ;
        assert_true(i < st->cnt && st->stream[i].place == STREAM_NOWHERE);
    }
    struct stream *x = &st->stream[i];
    assert_int_equal(info.key.client_port, x->client_port);
    x->place = STREAM_AT;
    x->at = (uint16_t)host;
    x->server.conn = conn;
    x->server.open = true;
    capy_stack_set_user(s, conn, i + 1);
}

static void answer_ask(struct streams *st, unsigned host, uint32_t i)
{
    static uint8_t state[CAPY_APP_STATE_MAX];
    struct stream *x = &st->stream[i];
    struct capy_stack *s = st->rack->host[host];
    st->asked++;
    if (capy_prng_chance(&st->rng, st->ignore_ppm))
        return;
    if (capy_prng_chance(&st->rng, st->veto_ppm)) {
        st->vetoed++;
        assert_int_equal(capy_stack_veto(s, x->server.conn, st->rack->now), CAPY_OK);
        return;
    }
    uint32_t len = encode(st, i, state);
    int rc = capy_stack_release(s, x->server.conn, state, len, i + 1000, st->rack->now);
    if (rc != CAPY_OK)
        return;
    x->place = STREAM_BETWEEN;
    x->released_by = (uint16_t)host;
    x->read_at_release = x->server.read;
    x->written_at_release = x->server.written;
}

static void server_event(struct streams *st, unsigned host, const struct capy_stack_event *ev)
{
    uint32_t i = (uint32_t)ev->user - 1;
    if (ev->bits & CAPY_EV_ACCEPTED) {
        if (ev->bits & CAPY_EV_ANY_DEAD)
            return; /* came and went; the client's side tells why */
        arrived(st, host, ev->conn, ev->bits & CAPY_EV_MIGRATED_IN);
        return;
    }
    if (i >= st->cnt)
        return;
    struct stream *x = &st->stream[i];
    bool elsewhere = x->at != host && (x->place == STREAM_AT || x->place == STREAM_OVER);
    if ((ev->bits & CAPY_EV_MIGRATE_KEPT) && x->doomed && elsewhere) {
        /* It had arrived at a server that then fell silent, or died, before it said a word to
         * anybody: the switch gave the flow back, at the point where it left. */
        assert_int_equal(x->released_by, host);
        x->place = STREAM_AT;
        x->at = (uint16_t)host;
        x->server.conn = ev->conn;
        x->server.read = x->read_at_release;
        x->server.written = x->written_at_release;
        x->server.saw_fin = false;
    }
    bool mine = x->at == host && x->server.conn == ev->conn;
    if ((ev->bits & CAPY_EV_MIGRATE_KEPT) && mine) {
        st->kept++;
        if (x->place == STREAM_BETWEEN)
            x->place = STREAM_AT;
    }
    if ((ev->bits & CAPY_EV_MIGRATE_ASK) && mine && x->place == STREAM_AT)
        answer_ask(st, host, i);
    if ((ev->bits & (CAPY_EV_RESET | CAPY_EV_TIMED_OUT)) && mine && x->place == STREAM_AT) {
        if (!x->doomed)
            stream_dump(st, i);
        if (!x->doomed)
            fail_msg("stream %u: reset or timed out at server %u", i, host);
        x->place = STREAM_OVER;
    }
}

static void client_event(struct streams *st, const struct capy_stack_event *ev)
{
    struct stream *x = &st->stream[ev->user];
    if (ev->bits & CAPY_EV_CONNECTED)
        x->connected = true;
    if (ev->bits & (CAPY_EV_RESET | CAPY_EV_TIMED_OUT)) {
        if (!x->doomed)
            stream_dump(st, (uint32_t)ev->user);
        if (!x->doomed)
            fail_msg("stream %u: the client saw %s", (unsigned)ev->user,
                     ev->bits & CAPY_EV_RESET ? "RST" : "a timeout");
        x->broken = true;
        x->broken_at = st->rack->now;
        x->client.open = false;
    }
}

static void turn(struct sim_rack *r, unsigned host, void *ctx)
{
    struct streams *st = ctx;
    struct capy_stack_event ev;
    while (capy_stack_event(r->host[host], &ev)) {
        if (host == SIM_CLIENT)
            client_event(st, &ev);
        else
            server_event(st, host, &ev);
    }
    for (uint32_t i = 0; i < st->cnt; i++) {
        if (host == SIM_CLIENT)
            work_client(st, i);
        else if (st->stream[i].at == host)
            work_server(st, i);
    }
}

static void started(struct sim_rack *r, unsigned host, void *ctx)
{
    struct streams *st = ctx;
    if (host != SIM_CLIENT && host != st->not_listening)
        assert_int_equal(capy_stack_listen(r->host[host], SIM_SERVICE_PORT, 0), CAPY_OK);
}

/* ---- what scenarios do --------------------------------------------------------------------- */

static int dial(struct streams *st, uint32_t i, struct stream fresh)
{
    struct sim_rack *r = st->rack;
    fresh.ipv6 =
        (r->version == SIM_IPV6_ALONE) || (i >= st->ipv6_from && (i - st->ipv6_from) % 2 == 0);
    struct capy_ip ip = sim_ip(fresh.home, fresh.ipv6);
    fresh.client.take = fresh.server.take = CAPY_NEVER;
    fresh.client.open = true;
    fresh.client_port = (uint16_t)(20000 + i);
    int rc = capy_stack_connect(r->host[SIM_CLIENT], &ip, SIM_SERVICE_PORT, fresh.client_port, i,
                                &fresh.client.conn, r->now);
    if (rc == CAPY_OK)
        st->stream[i] = fresh;
    sim_flush(r, SIM_CLIENT);
    return rc;
}

uint32_t stream_open(struct streams *st, unsigned home, uint64_t up, uint64_t down)
{
    assert_true(st->cnt < STREAMS_MAX);
    uint32_t i = st->cnt++;
    struct stream fresh = {.home = (uint16_t)home, .up = up, .down = down};
    assert_int_equal(dial(st, i, fresh), CAPY_OK);
    return i;
}

int stream_reopen(struct streams *st, uint32_t i, uint64_t up, uint64_t down)
{
    const struct stream *old = &st->stream[i];
    if (old->broken && st->rack->now < old->broken_at + RESET_CALM_NS)
        return CAPY_E_AGAIN;
    struct stream fresh = {.home = old->home, .up = up, .down = down, .life = old->life + 1};
    return dial(st, i, fresh);
}

void stream_abort(struct streams *st, uint32_t i, bool by_client)
{
    struct stream *x = &st->stream[i];
    struct sim_rack *r = st->rack;
    if (by_client && x->client.open) {
        x->doomed = x->broken = true;
        x->broken_at = r->now;
        x->client.open = false;
        capy_stack_abort(r->host[SIM_CLIENT], x->client.conn, r->now);
        sim_flush(r, SIM_CLIENT);
    } else if (!by_client && x->place == STREAM_AT) {
        x->doomed = true;
        x->place = STREAM_OVER;
        capy_stack_abort(r->host[x->at], x->server.conn, r->now);
        sim_flush(r, x->at);
    }
}

void streams_reap(struct streams *st)
{
    for (uint32_t i = 0; i < st->cnt; i++)
        if (st->stream[i].broken)
            stream_abort(st, i, false);
}

void stream_grant(struct streams *st, uint32_t i, uint64_t n)
{
    struct stream *x = &st->stream[i];
    x->client.grant = capy_min64(x->client.grant + n, x->up);
    x->server.grant = capy_min64(x->server.grant + n, x->down);
    if (x->connected)
        work(st, i);
}

int stream_migrate(struct streams *st, uint32_t i, uint16_t target)
{
    struct stream *x = &st->stream[i];
    if (x->place != STREAM_AT)
        return CAPY_E_AGAIN;
    int rc = capy_stack_migrate(st->rack->host[x->at], x->server.conn, target, st->rack->now);
    sim_flush(st->rack, x->at);
    return rc;
}

void streams_crashed(struct streams *st, unsigned host)
{
    for (uint32_t i = 0; i < st->cnt; i++) {
        struct stream *x = &st->stream[i];
        /* It ran there; or it was between servers, and nobody outside can say who had it. */
        bool there = x->place == STREAM_AT && x->at == host;
        if (!there && x->place != STREAM_BETWEEN && x->place != STREAM_NOWHERE &&
            x->place != STREAM_OVER)
            continue;
        x->doomed = true;
        if (there)
            x->place = STREAM_OVER;
    }
}

void streams_stalled(struct streams *st, unsigned host)
{
    for (uint32_t i = 0; i < st->cnt; i++)
        if (st->stream[i].at == host || st->stream[i].place == STREAM_BETWEEN)
            st->stream[i].doomed = true;
}

bool stream_is_over(const struct streams *st, uint32_t i)
{
    const struct stream *x = &st->stream[i];
    return !x->client.open && (x->broken || x->place == STREAM_OVER);
}

bool streams_done(const struct streams *st)
{
    for (uint32_t i = 0; i < st->cnt; i++)
        if (!stream_is_over(st, i))
            return false;
    return true;
}

void streams_check(const struct streams *st)
{
    for (uint32_t i = 0; i < st->cnt; i++) {
        const struct stream *x = &st->stream[i];
        if (x->broken)
            continue;
        assert_int_equal(x->client.read, x->down);
        assert_int_equal(x->client.written, x->up);
        if (!x->doomed)
            assert_int_equal(x->server.read, x->up);
    }
}

void streams_attach(struct streams *st)
{
    st->rack->turn = turn;
    st->rack->started = started;
    st->rack->ctx = st;
}
