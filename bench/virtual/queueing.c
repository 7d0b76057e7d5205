/* See queueing.h. Everything happens at a time of sim_run_until's: either the rack's own next event, or
 * the next of ours: a request is due, a server is done with one, a held connection goes on, a
 * migration begins. */
#include "queueing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SERVERS = 2, CLIENT = SERVERS, WAITING_MAX = 1 << 18, ASKED_MAX = 1 << 14 };
#define FIRST_PORT 20000u
#define SETTLE_NS CAPY_MS(200)
#define WARM_UP_NS CAPY_MS(200)
#define AFTERWARDS_NS CAPY_SEC(1)

struct conn {
    capy_handle client, server;
    unsigned at;          /* the server that has it; SERVERS: none at the moment */
    uint32_t turn;        /* counts its arrivals: what waits for it elsewhere is void */
    uint32_t counted;     /* its requests that wait at its server or are served there */
    uint32_t unsent;      /* bytes that found no room in the client's send queue */
    uint32_t part;        /* bytes of an answer that is not whole */
    uint64_t held_until;  /* not served before */
    bool asked_to_leave;  /* at its next quiet point */
    uint64_t asked_first; /* of the ring of times at which requests were due */
    uint64_t asked_cnt;
    uint64_t *asked_at;
};

struct waiting {
    uint32_t conn, turn;
};

struct server {
    struct waiting *ring;
    uint64_t first, end;
    bool serves; /* conn, until done_at */
    uint32_t conn;
    uint64_t done_at, free_at;
};

struct queueing {
    struct sim_rack r;
    const struct queueing_plan *plan;
    struct queueing_result *result;
    struct capy_prng rng;
    struct conn conn[QUEUEING_CONNS_MAX];
    struct server server[SERVERS];
    uint64_t next_request_at, next_migration_at;
    unsigned migrations_begun;
    uint64_t count_from, count_until; /* requests due then are counted */
};

static struct capy_stack *stack(struct queueing *q, unsigned host)
{
    return q->r.host[host];
}

/* ---- a server's processor ------------------------------------------------------------------ */

static void serve_next(struct queueing *q, unsigned host)
{
    struct server *s = &q->server[host];
    while (!s->serves && s->first < s->end) {
        struct waiting w = s->ring[s->first % WAITING_MAX];
        const struct conn *c = &q->conn[w.conn];
        s->first++;
        if (c->at != host || c->turn != w.turn)
            continue; /* it moved on, and its requests with it */
        s->serves = true;
        s->conn = w.conn;
        s->done_at = capy_max64(q->r.now, s->free_at) + q->plan->service_ns;
        q->result->busy_ns[host] += q->plan->service_ns;
    }
}

/* Takes processor time for something else than a request, before all that waits. */
static void spend(struct queueing *q, unsigned host, uint64_t ns)
{
    struct server *s = &q->server[host];
    q->result->busy_ns[host] += ns;
    if (s->serves)
        s->done_at += ns;
    else
        s->free_at = capy_max64(s->free_at, q->r.now) + ns;
}

/* Whole requests that came and are not in the queue yet. A held connection waits outside of it. */
static void queue_up(struct queueing *q, uint32_t id)
{
    struct conn *c = &q->conn[id];
    bool fin;
    if (c->at == SERVERS || c->held_until > q->r.now)
        return;
    struct server *s = &q->server[c->at];
    int64_t bytes = capy_stack_readable(stack(q, c->at), c->server, &fin);
    for (; bytes >= (int64_t)(c->counted + 1) * QUEUEING_MESSAGE; c->counted++) {
        CAPY_ASSERT(s->end - s->first < WAITING_MAX);
        s->ring[s->end++ % WAITING_MAX] = (struct waiting){id, c->turn};
    }
    serve_next(q, c->at);
}

static void let_go(struct queueing *q, uint32_t id)
{
    struct conn *c = &q->conn[id];
    unsigned from = c->at;
    c->asked_to_leave = false;
    if (capy_stack_release(stack(q, from), c->server, NULL, 0, 0, q->r.now) != CAPY_OK)
        return; /* it stays */
    c->at = SERVERS;
    c->turn++;
    c->counted = 0;
    spend(q, from, q->plan->origin_ns);
}

static void done(struct queueing *q, unsigned host)
{
    static const uint8_t answer[QUEUEING_MESSAGE];
    struct server *s = &q->server[host];
    struct conn *c = &q->conn[s->conn];
    s->serves = false;
    s->free_at = s->done_at;
    (void)capy_stack_consume(stack(q, host), c->server, QUEUEING_MESSAGE, q->r.now);
    int64_t sent = capy_stack_write(stack(q, host), c->server, answer, QUEUEING_MESSAGE, q->r.now);
    CAPY_ASSERT(sent == QUEUEING_MESSAGE);
    c->counted--;
    if (c->asked_to_leave)
        let_go(q, s->conn);
    serve_next(q, host);
    sim_flush(&q->r, host);
}

/* ---- a server's events --------------------------------------------------------------------- */

static void arrived(struct queueing *q, unsigned host, const struct capy_stack_event *ev)
{
    struct capy_stack_conn_info info;
    CAPY_ASSERT(capy_stack_conn_info(stack(q, host), ev->conn, &info) == CAPY_OK);
    uint32_t id = info.key.client_port - FIRST_PORT;
    struct conn *c = &q->conn[id];
    (void)capy_stack_set_user(stack(q, host), ev->conn, id + 1);
    c->server = ev->conn;
    c->at = host;
    if (ev->bits & CAPY_EV_MIGRATED_IN) {
        q->result->migrations++;
        spend(q, host, q->plan->target_ns + (q->plan->hold ? 0 : q->plan->delay_ns));
        c->held_until = q->plan->hold ? q->r.now + q->plan->delay_ns : 0;
    }
    queue_up(q, id);
}

static void server_event(struct queueing *q, unsigned host, const struct capy_stack_event *ev)
{
    CAPY_ASSERT(!(ev->bits & (CAPY_EV_RESET | CAPY_EV_TIMED_OUT)));
    if (ev->bits & CAPY_EV_MIGRATED_OUT)
        return;
    if (ev->bits & CAPY_EV_ACCEPTED) {
        arrived(q, host, ev);
        return;
    }
    uint32_t id = (uint32_t)ev->user - 1;
    struct conn *c = &q->conn[id];
    if (ev->bits & CAPY_EV_MIGRATE_KEPT && c->at == SERVERS)
        c->at = host;
    if (ev->bits & CAPY_EV_MIGRATE_KEPT)
        c->asked_to_leave = false;
    const struct server *s = &q->server[host];
    if (ev->bits & CAPY_EV_MIGRATE_ASK && s->serves && s->conn == id)
        c->asked_to_leave = true;
    else if (ev->bits & CAPY_EV_MIGRATE_ASK)
        let_go(q, id);
    queue_up(q, id);
}

/* ---- the clients --------------------------------------------------------------------------- */

static void answered(struct queueing *q, struct conn *c)
{
    uint64_t due = c->asked_at[c->asked_first++ % ASKED_MAX];
    c->asked_cnt--;
    if (due >= q->count_from && due < q->count_until)
        capy_hist_add(&q->result->latency_ns, q->r.now - due);
}

static void send_more(struct queueing *q, struct conn *c)
{
    static const uint8_t bytes[16 * QUEUEING_MESSAGE];
    int64_t n = 1;
    while (c->unsent > 0 && n > 0) {
        uint32_t len = (uint32_t)capy_min64(c->unsent, sizeof bytes);
        n = capy_stack_write(stack(q, CLIENT), c->client, bytes, len, q->r.now);
        CAPY_ASSERT(n >= 0);
        c->unsent -= (uint32_t)n;
    }
}

static void client_event(struct queueing *q, const struct capy_stack_event *ev)
{
    struct conn *c = &q->conn[ev->user - 1];
    bool fin;
    CAPY_ASSERT(!(ev->bits & CAPY_EV_ANY_DEAD));
    int64_t bytes = capy_stack_readable(stack(q, CLIENT), c->client, &fin);
    (void)capy_stack_consume(stack(q, CLIENT), c->client, (uint32_t)bytes, q->r.now);
    for (c->part += (uint32_t)bytes; c->part >= QUEUEING_MESSAGE; c->part -= QUEUEING_MESSAGE)
        answered(q, c);
    send_more(q, c);
}

static uint64_t exponential(struct queueing *q, double mean_ns)
{
    double uniform = (double)(capy_prng_next(&q->rng) >> 11) * 0x1p-53;
    return 1 + (uint64_t)(-log1p(-uniform) * mean_ns);
}

static void request(struct queueing *q)
{
    struct conn *c = &q->conn[capy_prng_below(&q->rng, q->plan->connections)];
    CAPY_ASSERT(c->asked_cnt < ASKED_MAX);
    c->asked_at[(c->asked_first + c->asked_cnt++) % ASKED_MAX] = q->next_request_at;
    c->unsent += QUEUEING_MESSAGE;
    q->result->requests += q->next_request_at >= q->count_from;
    q->next_request_at += exponential(q, 1e9 / (double)q->plan->rate);
    send_more(q, c);
    sim_flush(&q->r, CLIENT);
}

/* ---- all together -------------------------------------------------------------------------- */

/* From either server by turns, so that the load stays even; any connection of its. */
static void migration(struct queueing *q)
{
    uint64_t cnt = q->plan->connections, first = capy_prng_below(&q->rng, cnt);
    unsigned from = q->migrations_begun++ % SERVERS;
    q->next_migration_at += CAPY_SEC(1) / q->plan->per_s;
    for (uint64_t i = 0; i < cnt; i++) {
        struct conn *c = &q->conn[(first + i) % cnt];
        if (c->at == from && capy_stack_migrate(stack(q, from), c->server, (uint16_t)(1 - from),
                                                q->r.now) == CAPY_OK)
            break;
    }
    sim_flush(&q->r, from);
}

static void turn(struct sim_rack *r, unsigned host, void *ctx)
{
    struct queueing *q = ctx;
    struct capy_stack_event ev;
    while (capy_stack_event(r->host[host], &ev)) {
        if (host == CLIENT)
            client_event(q, &ev);
        else
            server_event(q, host, &ev);
    }
}

static void started(struct sim_rack *r, unsigned host, void *ctx)
{
    (void)ctx;
    CAPY_ASSERT(host == CLIENT || capy_stack_listen(r->host[host], SIM_SERVICE_PORT, 0) == CAPY_OK);
}

/* What is held goes on at its time. */
static uint64_t next_release(const struct queueing *q)
{
    uint64_t at = CAPY_NEVER;
    for (uint32_t id = 0; q->plan->hold && id < q->plan->connections; id++)
        if (q->conn[id].held_until > q->r.now)
            at = capy_min64(at, q->conn[id].held_until);
    return at;
}

static void act(struct queueing *q, uint64_t released_at)
{
    for (unsigned host = 0; host < SERVERS; host++)
        if (q->server[host].serves && q->server[host].done_at <= q->r.now)
            done(q, host);
    for (uint32_t id = 0; released_at <= q->r.now && id < q->plan->connections; id++)
        if (q->conn[id].held_until == released_at)
            queue_up(q, id);
    if (q->next_migration_at <= q->r.now)
        migration(q);
    if (q->next_request_at <= q->r.now)
        request(q);
}

static void run_until(struct queueing *q, uint64_t until)
{
    while (q->r.now < until) {
        uint64_t released_at = next_release(q), at = capy_min64(released_at, sim_next_at(&q->r));
        at = capy_min64(at, capy_min64(q->next_request_at, q->next_migration_at));
        for (unsigned host = 0; host < SERVERS; host++)
            if (q->server[host].serves)
                at = capy_min64(at, q->server[host].done_at);
        sim_run_until(&q->r, capy_max64(capy_min64(at, until), q->r.now));
        act(q, released_at);
    }
}

static void open(struct queueing *q)
{
    for (unsigned h = 0; h < SERVERS; h++)
        CAPY_ASSERT((q->server[h].ring = calloc(WAITING_MAX, sizeof *q->server[h].ring)));
    for (uint32_t id = 0; id < q->plan->connections; id++) {
        struct conn *c = &q->conn[id];
        const struct capy_ip ip = sim_ip(id % SERVERS, false);
        c->at = SERVERS;
        CAPY_ASSERT((c->asked_at = calloc(ASKED_MAX, sizeof *c->asked_at)));
        CAPY_ASSERT(capy_stack_connect(stack(q, CLIENT), &ip, SIM_SERVICE_PORT,
                                       (uint16_t)(FIRST_PORT + id), id + 1, &c->client,
                                       q->r.now) == CAPY_OK);
    }
    sim_flush(&q->r, CLIENT);
}

static void close_all(struct queueing *q)
{
    for (unsigned h = 0; h < SERVERS; h++)
        free(q->server[h].ring);
    for (uint32_t id = 0; id < q->plan->connections; id++)
        free(q->conn[id].asked_at);
    sim_free(&q->r);
    free(q);
}

static void set_up(struct queueing *q)
{
    sim_setup(&q->r, q->plan->seed, SERVERS, 1, SIM_IPV4_ALONE);
    q->r.delay_ns = q->plan->link_ns;
    q->r.switch_cfg.slots = 65536;
    for (unsigned h = 0; h <= CLIENT; h++)
        q->r.cfg[h].block_cnt = 32768;
    q->r.turn = turn;
    q->r.started = started;
    q->r.ctx = q;
    capy_prng_seed(&q->rng, q->plan->seed);
    q->next_request_at = q->next_migration_at = CAPY_NEVER;
}

void queueing_run(const struct queueing_plan *plan, struct queueing_result *result)
{
    struct queueing *q = calloc(1, sizeof *q);
    CAPY_ASSERT(q && plan->connections <= QUEUEING_CONNS_MAX);
    memset(result, 0, sizeof *result);
    capy_hist_init(&result->latency_ns);
    q->plan = plan;
    q->result = result;
    set_up(q);
    sim_start(&q->r);
    run_until(q, q->r.now + SETTLE_NS);
    open(q);
    run_until(q, q->r.now + SETTLE_NS);
    q->next_request_at = q->r.now;
    q->count_from = q->r.now + WARM_UP_NS;
    q->count_until = q->count_from + plan->migrations * CAPY_SEC(1) / plan->per_s;
    run_until(q, q->count_from);
    memset(result->busy_ns, 0, sizeof result->busy_ns);
    q->next_migration_at = q->r.now;
    run_until(q, q->count_until);
    result->seconds_ns = q->count_until - q->count_from;
    uint64_t busy[2] = {result->busy_ns[0], result->busy_ns[1]};
    q->next_request_at = q->next_migration_at = CAPY_NEVER;
    run_until(q, q->r.now + AFTERWARDS_NS);
    memcpy(result->busy_ns, busy, sizeof busy);
    for (uint32_t id = 0; id < plan->connections; id++)
        for (result->unanswered += q->conn[id].asked_cnt; q->conn[id].asked_cnt > 0;)
            answered(q, &q->conn[id]);
    result->lost_frames = q->r.count.overflowed;
    close_all(q);
}
