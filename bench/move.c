/* See move.h. */
#include "move.h"
#include "cold.h"
#include "stack/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PER_CLIENT = 20000, /* connections: as many as a client has ports for, and some to spare */
    STRIDE = 618033,    /* coprime to any power of ten: none beside the one before */
    PIECE = 1024,
};

/* Takes the events of a server; the connection's handle there if one arrived. */
BENCH_AS_WRITTEN capy_handle measured_events(struct capy_stack *s, uint64_t now);
capy_handle measured_events(struct capy_stack *s, uint64_t now)
{
    struct capy_stack_event ev;
    capy_handle arrived = CAPY_HANDLE_NONE;
    while (capy_stack_event(s, &ev)) {
        if (ev.bits & CAPY_EV_MIGRATE_ASK)
            CAPY_ASSERT(capy_stack_release(s, ev.conn, NULL, 0, 0, now) == CAPY_OK);
        if (ev.bits & CAPY_EV_ACCEPTED)
            arrived = ev.conn;
        if (ev.bits & CAPY_EV_MIGRATE_KEPT)
            fprintf(stderr, "migrate: refused: %s, %s\n", capy_mig_reason_name(ev.reason),
                    capy_mig_verdict_name(ev.verdict));
    }
    return arrived;
}

BENCH_AS_WRITTEN void measured_migrate(struct capy_stack *s, capy_handle conn, unsigned to,
                                       uint64_t now);
void measured_migrate(struct capy_stack *s, capy_handle conn, unsigned to, uint64_t now)
{
    CAPY_ASSERT(capy_stack_migrate(s, conn, (uint16_t)to, now) == CAPY_OK);
}

static capy_handle drain_events(struct wire *w, unsigned host)
{
    uint64_t t0 = wire_ticks();
    capy_handle arrived = measured_events(w->host[host], w->now);
    wire_called(w, host, t0);
    return arrived;
}

static capy_handle open_connection(struct wire *w)
{
    capy_handle client;
    struct capy_stack_event ev;
    struct capy_ip server = capy_ip_from_v4(0x0a630001u);
    uint64_t t0 = wire_ticks();
    CAPY_ASSERT(capy_stack_connect(w->host[WIRE_CLIENT], &server, WIRE_SERVICE_PORT, 0, 0, &client,
                                   w->now) == CAPY_OK);
    wire_called(w, WIRE_CLIENT, t0);
    wire_settle(w);
    capy_handle c = drain_events(w, WIRE_S1);
    CAPY_ASSERT(c != CAPY_HANDLE_NONE);
    while (capy_stack_event(w->host[WIRE_CLIENT], &ev))
        ;
    return c;
}

/* Delayed acknowledgements come. */
static void pass_time(struct wire *w)
{
    for (unsigned ms = 0; ms < 50; ms++) { /* heartbeats go on */
        w->now += CAPY_MS(1);
        wire_settle(w);
    }
}

/* The client reads nothing: first its receive queue fills up, then ours, to this length. */
static void fill(struct wire *w, capy_handle c, uint32_t len)
{
    static const uint8_t bytes[PIECE];
    struct capy_stack *s = w->host[WIRE_S1];
    uint32_t idx;
    const struct capy_conn *conn = capy_conn_of(s, c, &idx);
    CAPY_ASSERT(conn);
    while (capy_tcp_unacked(&conn->tcb) < len) {
        uint32_t left = len - capy_tcp_unacked(&conn->tcb);
        int64_t wrote = capy_stack_write(s, c, bytes, capy_min32(left, PIECE), w->now);
        CAPY_ASSERT(wrote > 0);
        w->awake[WIRE_S1] = true;
        wire_settle(w);
        if (capy_tcp_unacked(&conn->tcb) == len)
            pass_time(w);
    }
    drain_events(w, WIRE_S1);
}

void move_open(struct move *m, unsigned conn_cnt, uint32_t queued)
{
    const struct wire_size size = {
        .conn_max = {[WIRE_S1] = conn_cnt + 16u,
                     [WIRE_S2] = capy_min32(conn_cnt, MOVE_SPREAD) + 16u,
                     [WIRE_CLIENT] = PER_CLIENT + 16u},
        .queue_max = queued > 0 ? queued + PIECE : 0,
    };
    memset(m, 0, sizeof *m);
    m->conn_cnt = conn_cnt;
    m->conn = calloc(conn_cnt, sizeof *m->conn);
    CAPY_ASSERT(m->conn);
    wire_open(&m->wire, &size);
    wire_settle(&m->wire);
    for (unsigned i = 0; i < conn_cnt; i++) {
        if (i > 0 && i % PER_CLIENT == 0)
            wire_next_client(&m->wire);
        m->conn[i] = (struct placed){open_connection(&m->wire), WIRE_S1};
        if (queued > 0)
            fill(&m->wire, m->conn[i].conn, queued);
    }
}

void move_close(struct move *m)
{
    wire_close(&m->wire);
    free(m->conn);
}

static void probe(void *ctx, enum capy_mig_step step, uint64_t mig_id, int begin)
{
    struct move *m = ctx;
    (void)mig_id;
    if (begin)
        m->step_at[step] = wire_ticks();
    else
        m->step[step] += wire_ticks() - m->step_at[step];
}

void move_probe(struct move *m, bool on)
{
    for (unsigned host = WIRE_S1; host <= WIRE_S2; host++)
        capy_stack_set_probe(m->wire.host[host], on ? probe : NULL, m);
}

uint64_t move_once(struct move *m)
{
    struct wire *w = &m->wire;
    uint64_t nth = m->turn++ % capy_min32(m->conn_cnt, MOVE_SPREAD);
    struct placed *c = &m->conn[nth * STRIDE % m->conn_cnt];
    unsigned from = c->at, to = from == WIRE_S1 ? WIRE_S2 : WIRE_S1;
    memset(m->step, 0, sizeof m->step);
    w->ticks[WIRE_S1] = w->ticks[WIRE_S2] = 0;
    if (w->cold)
        cold_caches();
    uint64_t t0 = wire_ticks();
    measured_migrate(w->host[from], c->conn, to, w->now);
    wire_called(w, from, t0);
    wire_settle(w);        /* PREPARE_MIG and its answer */
    drain_events(w, from); /* asked, and let go */
    wire_settle(w);        /* CONN_STATE and its answer */
    drain_events(w, from);
    *c = (struct placed){drain_events(w, to), to};
    CAPY_ASSERT(c->conn != CAPY_HANDLE_NONE);
    return w->ticks[WIRE_S1] + w->ticks[WIRE_S2];
}
