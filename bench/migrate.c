/* Host cost of one migration, origin plus target, stack only (paper Fig. 4 and 5; design §8): an
 * idle connection of a real client goes back and forth between two servers. Everything but the
 * network is the production code: TCPMig with tags, directory, snapshot, import, timers.
 *
 *   migrate [MIGRATIONS] [CONNECTIONS]      prints JSON; under callgrind count `instructions` with
 *                                           tools of your own: the measured calls are the same
 *
 * Figures are of the time stamp counter around every call into the two stacks, so they include two
 * counter reads per call (about 20 ns each) and nothing else. */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Takes the events of a server; the connection's handle there if one arrived. */
static capy_handle drain_events(struct wire *w, unsigned host)
{
    struct capy_stack_event ev;
    capy_handle arrived = CAPY_HANDLE_NONE;
    uint64_t t0 = wire_ticks();
    while (capy_stack_event(w->host[host], &ev)) {
        if (ev.bits & CAPY_EV_MIGRATE_ASK)
            CAPY_ASSERT(capy_stack_release(w->host[host], ev.conn, NULL, 0, 0, w->now) == CAPY_OK);
        if (ev.bits & CAPY_EV_ACCEPTED)
            arrived = ev.conn;
        if (ev.bits & CAPY_EV_MIGRATE_KEPT)
            fprintf(stderr, "migrate: refused: %s, %s\n", capy_mig_reason_name(ev.reason),
                    capy_mig_verdict_name(ev.verdict));
    }
    w->ticks[host] += wire_ticks() - t0;
    return arrived;
}

static capy_handle open_connection(struct wire *w)
{
    capy_handle client;
    struct capy_stack_event ev;
    struct capy_ip server = capy_ip_from_v4(0x0a630001u);
    CAPY_ASSERT(capy_stack_connect(w->host[WIRE_CLIENT], &server, WIRE_SERVICE_PORT, 0, 0, &client,
                                   w->now) == CAPY_OK);
    wire_settle(w);
    capy_handle c = drain_events(w, WIRE_S1);
    CAPY_ASSERT(c != CAPY_HANDLE_NONE);
    while (capy_stack_event(w->host[WIRE_CLIENT], &ev))
        ;
    return c;
}

/* Ticks that both servers spent. */
static uint64_t migrate_once(struct wire *w, capy_handle *c, unsigned *at)
{
    unsigned from = *at, to = from == WIRE_S1 ? WIRE_S2 : WIRE_S1;
    capy_handle arrived;
    w->ticks[WIRE_S1] = w->ticks[WIRE_S2] = 0;
    uint64_t t0 = wire_ticks();
    CAPY_ASSERT(capy_stack_migrate(w->host[from], *c, (uint16_t)to, w->now) == CAPY_OK);
    w->ticks[from] += wire_ticks() - t0;
    wire_settle(w);        /* PREPARE_MIG and its answer */
    drain_events(w, from); /* asked, and let go */
    wire_settle(w);        /* CONN_STATE and its answer */
    drain_events(w, from);
    arrived = drain_events(w, to);
    CAPY_ASSERT(arrived != CAPY_HANDLE_NONE);
    *c = arrived;
    *at = to;
    return w->ticks[WIRE_S1] + w->ticks[WIRE_S2];
}

int main(int argc, char **argv)
{
    unsigned cnt = argc > 1 ? (unsigned)atoi(argv[1]) : 100000u;
    unsigned conn_cnt = argc > 2 ? (unsigned)atoi(argv[2]) : 1u;
    if (cnt < 1 || conn_cnt < 1 || conn_cnt > 50000u) {
        fprintf(stderr, "migrate: MIGRATIONS >= 1 and CONNECTIONS in 1..50000 are needed\n");
        return 2;
    }
    struct wire w;
    capy_handle *conn = calloc(conn_cnt, sizeof *conn);
    unsigned *at = calloc(conn_cnt, sizeof *at);
    double *ns = calloc(cnt, sizeof *ns), sum = 0, tick_ns = wire_tick_ns();
    CAPY_ASSERT(conn && at && ns);
    wire_open(&w, conn_cnt + 16u);
    wire_settle(&w);
    for (unsigned i = 0; i < conn_cnt; i++)
        conn[i] = open_connection(&w);
    for (unsigned i = 0; i < cnt; i++) {
        ns[i] = (double)migrate_once(&w, &conn[i % conn_cnt], &at[i % conn_cnt]) * tick_ns;
        sum += ns[i];
    }
    qsort(ns, cnt, sizeof *ns, by_value);
    printf("{\"migrations\": %u, \"connections\": %u, \"host_ns\": {\"p50\": %.0f, \"p90\": %.0f, "
           "\"p99\": %.0f, \"mean\": %.0f}}\n",
           cnt, conn_cnt, ns[cnt / 2], ns[cnt * 9ul / 10], ns[cnt * 99ul / 100], sum / cnt);
    wire_close(&w);
    free(conn);
    free(at);
    free(ns);
    return 0;
}
