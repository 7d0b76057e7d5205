/* What must be true of a crowd's connections, at any time and in the end (crowd.h). */
#include "crowd.h"
#include "stack/host.h"
#include "target.h"

#define PATIENCE 400u /* tenths of a virtual second, about, for everything to come to rest */
#define SILENT 60u    /* of them: longer than a switch takes to give back what a dead server had */
#define HALF_OPEN                                                                                  \
    400u /* fifths of a virtual second: a server repeats its SYN-ACK for a minute or so */

/* Of the service address: who was given it. Another one by a repeated SYN, after a reboot of the switch and
 * before the first could say that it has it: the two are at one epoch (docs/protocol.md, Known limits). */
static void note_given(struct crowd *c)
{
    struct capy_switch_entry_info e;
    for (uint32_t cursor = 0; capy_switch_next_entry(c->w.plane, &cursor, &e);) {
        unsigned i = e.key.client_port - 20000u;
        if (i >= CROWD_MAX || c->conn[i].home != WORLD_VIP || e.epoch != 1)
            continue;
        struct crowd_conn *x = &c->conn[i];
        if (x->given > 0 && x->given != e.owner + 1 && c->reboots > 0 && !x->moved)
            crowd_doom(c, i);
        x->given = (uint8_t)(e.owner + 1);
    }
}

static void count_owners(const struct crowd *c, unsigned owners[CROWD_MAX])
{
    for (unsigned h = 0; h < WORLD_SERVERS; h++) {
        struct capy_stack_conn_info info;
        for (uint32_t cursor = 0;
             c->w.up_at[h] == 0 && capy_stack_next_conn(c->w.host[h], &cursor, &info);) {
            unsigned i = info.key.client_port - 20000u;
            if (i >= CROWD_MAX || info.migrating == 2)
                continue;
            const struct capy_conn *conn = &c->w.host[h]->conns[cursor - 1];
            owners[i] += conn->mode == CAPY_CONN_RUNNING && !conn->half_open;
        }
    }
}

void crowd_check_owners(struct crowd *c)
{
    unsigned owners[CROWD_MAX] = {0};
    note_given(c);
    count_owners(c, owners);
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

/* What the client waits for died with a server: it has heard so long nothing that it gives up. */
static void lose_patience(struct crowd *c)
{
    for (unsigned i = 0; i < CROWD_MAX; i++)
        if (c->conn[i].doomed &&
            (c->conn[i].place == CROWD_OVER || c->conn[i].place == CROWD_BETWEEN))
            crowd_abort(c, i, false);
}

/* One that was cut meanwhile need not arrive: its client's RST may have been held for it. Nor one of which
 * nothing was left to come but the acknowledgement of its FIN. */
static bool on_its_way(const struct crowd_conn *x)
{
    bool all_said = x->released.shut && !x->client.open && x->released.read == x->client.written;
    return x->place == CROWD_BETWEEN && !x->doomed && !all_said;
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
        all = (finish_end(c, i, true) || x->place == CROWD_BETWEEN) && !on_its_way(x) && all;
        all = (x->place != CROWD_NOWHERE || x->doomed) && all;
    }
    return all;
}

static bool is_empty(const struct crowd *c)
{
    struct capy_stack_status s;
    uint32_t left = 0;
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
    world_heal(&c->w);
    for (unsigned h = 0; h < WORLD_SERVERS; h++)
        crowd_drain(c, h, false);
    for (unsigned guard = 0; guard < PATIENCE && !done; guard++) {
        done = finish_all(c);
        if (guard >= SILENT)
            lose_patience(c);
        world_run(&c->w, guard < 10 ? CAPY_MS(10) : CAPY_MS(100));
        crowd_check_owners(c);
    }
    for (unsigned i = 0; i < CROWD_MAX; i++) {
        const struct crowd_conn *x = &c->conn[i];
        bool over = x->place == CROWD_OVER || (x->place == CROWD_BETWEEN && !on_its_way(x));
        fuzz_check(done || !x->used || (!x->client.open && over),
                   "connection %u does not end: client open %u, place %u at %u", i, x->client.open,
                   x->place, x->at);
        fuzz_check(!x->used || x->doomed ||
                       (x->client.read == x->server.written && x->server.read == x->client.written),
                   "connection %u: bytes are missing", i);
    }
    for (unsigned guard = 0; guard < HALF_OPEN && !is_empty(c); guard++) {
        (void)finish_all(c);            /* one that was cut may arrive only now */
        world_run(&c->w, CAPY_MS(200)); /* TIME_WAIT */
    }
    world_age_entries(&c->w);
    check_empty(c);
}
