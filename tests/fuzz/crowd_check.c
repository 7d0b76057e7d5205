/* What must be true of a crowd's connections, at any time and in the end (crowd.h). */
#include "crowd.h"
#include "stack/host.h"
#include "target.h"

#define PATIENCE 400u /* tenths of a virtual second, about, for everything to come to rest */

void crowd_check_owners(const struct crowd *c)
{
    unsigned owners[CROWD_MAX] = {0};
    for (unsigned h = 0; h < WORLD_SERVERS; h++) {
        struct capy_stack_conn_info info;
        for (uint32_t cursor = 0; capy_stack_next_conn(c->w.host[h], &cursor, &info);) {
            unsigned i = info.key.client_port - 20000u;
            if (i >= CROWD_MAX || info.migrating == 2)
                continue;
            const struct capy_conn *conn = &c->w.host[h]->conns[cursor - 1];
            owners[i] += conn->mode == CAPY_CONN_RUNNING;
        }
    }
    for (unsigned i = 0; i < CROWD_MAX; i++)
        fuzz_check(owners[i] <= 1 || c->conn[i].doomed, "connection %u runs on %u servers", i,
                   owners[i]);
}

/* One side says and hears the rest. Its application is content when it heard everything. */
static bool finish_end(struct crowd *c, unsigned i, bool server)
{
    struct crowd_conn *x = &c->conn[i];
    struct crowd_end *e = server ? &x->server : &x->client;
    crowd_shutdown(c, i, server);
    crowd_read(c, i, server, UINT32_MAX);
    if (e->saw_fin && e->shut)
        crowd_close(c, i, server);
    if (x->doomed && !x->client.open && x->place == CROWD_AT)
        crowd_abort(c, i, true); /* the client is gone without a word */
    return !e->open;
}

/* One that was cut meanwhile need not arrive: its client's RST may have been held for it. */
static bool on_its_way(const struct crowd_conn *x)
{
    return x->place == CROWD_BETWEEN && !x->doomed;
}

static bool finish_all(struct crowd *c)
{
    bool all = true;
    for (unsigned i = 0; i < CROWD_MAX; i++) {
        struct crowd_conn *x = &c->conn[i];
        if (!x->used)
            continue;
        if (x->client.open && !x->connected) { /* let it open first */
            all = false;
            continue;
        }
        all = finish_end(c, i, false) && all;
        all = finish_end(c, i, true) && !on_its_way(x) && all;
        all = (x->place != CROWD_NOWHERE || x->doomed) && all;
    }
    return all;
}

static bool is_empty(const struct crowd *c)
{
    struct capy_stack_status s;
    uint32_t left = capy_switch_entry_cnt(c->w.plane);
    for (unsigned h = 0; h < WORLD_HOSTS; h++) {
        capy_stack_status(c->w.host[h], &s);
        left += s.conn_cnt + s.origin_cnt + s.target_cnt + s.away_cnt;
    }
    return left == 0;
}

static void check_empty(const struct crowd *c)
{
    for (unsigned h = 0; h < WORLD_HOSTS; h++) {
        struct capy_stack_status s;
        capy_stack_status(c->w.host[h], &s);
        fuzz_check(s.conn_cnt == 0 && s.origin_cnt == 0 && s.target_cnt == 0 && s.away_cnt == 0,
                   "host %u keeps %u connections, %u and %u slots, %u flows", h, s.conn_cnt,
                   s.origin_cnt, s.target_cnt, s.away_cnt);
        fuzz_check(s.block_free == s.block_cnt, "host %u keeps %u blocks", h,
                   s.block_cnt - s.block_free);
    }
    fuzz_check(capy_switch_entry_cnt(c->w.plane) == 0, "the switch keeps %u entries",
               capy_switch_entry_cnt(c->w.plane));
}

void crowd_finish(struct crowd *c)
{
    bool done = false;
    c->manner = CROWD_RELEASES;
    for (unsigned guard = 0; guard < PATIENCE && !done; guard++) {
        done = finish_all(c);
        world_run(&c->w, guard < 10 ? CAPY_MS(10) : CAPY_MS(100));
        crowd_check_owners(c);
    }
    for (unsigned i = 0; i < CROWD_MAX; i++) {
        const struct crowd_conn *x = &c->conn[i];
        bool over = x->place == CROWD_OVER || (x->place == CROWD_BETWEEN && x->doomed);
        fuzz_check(done || !x->used || (!x->client.open && over),
                   "connection %u does not end: client open %u, place %u at %u", i, x->client.open,
                   x->place, x->at);
        fuzz_check(!x->used || x->doomed ||
                       (x->client.read == x->server.written && x->server.read == x->client.written),
                   "connection %u: bytes are missing", i);
    }
    for (unsigned guard = 0; guard < 20 && !is_empty(c); guard++) {
        (void)finish_all(c);            /* one that was cut may arrive only now */
        world_run(&c->w, CAPY_MS(200)); /* TIME_WAIT, linger, the age of entries */
    }
    check_empty(c);
}
