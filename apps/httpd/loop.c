/* libcapy's completions -> connections, and back.
 *
 * Turns. A connection with input does not run when its completion is seen: it joins the run queue,
 * and what it asks stays unread in libcapy. So pipelines share the server fairly, and a connection
 * that waits behind others can still be moved to an idle server with its request (paper §3.3).
 * libcapy counts it as load meanwhile, since no pop of it is outstanding.
 *
 * Moving. A MIGRATE completion comes between two turns, when the session is a value: it is encoded,
 * released, and left alone until MIGRATED_OUT frees it or MIGRATE_KEPT lets it run again. */
#include "apps/httpd/loop.h"
#include "apps/httpd/files.h"
#include "apps/httpd/resources.h"
#include "apps/httpd/state.h"
#include "apps/httpd/table.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DONE_MAX 64
#define ACCEPTS 64   /* outstanding, so that a burst of connections needs no round trips */
#define TURNS_MAX 32 /* between two looks at the network */
#define LABEL_NS 1000000000ull

struct loop {
    struct capy *os;
    struct capy_httpd_site *site;
    struct capy_httpd_table table;
    int lqd, stop_fd;
    uint16_t port;
    bool stopped;
    struct capy_httpd_counters told; /* what label says */
    char label[160];
};

/* ---- the seam to session.c ---- */

struct seam {
    struct loop *l;
    struct capy_httpd_slot *slot;
};

static int64_t seam_peek(void *ctx, uint32_t skip, void *out, uint32_t len)
{
    struct seam *m = ctx;
    return capy_peek(m->l->os, m->slot->qd, skip, out, len);
}

static int seam_consume(void *ctx, uint32_t n)
{
    struct seam *m = ctx;
    m->slot->avail -= n < m->slot->avail ? n : m->slot->avail; /* more may have come since told */
    return capy_consume(m->l->os, m->slot->qd, n);
}

static int64_t seam_push(void *ctx, const void *data, uint32_t len)
{
    struct seam *m = ctx;
    return capy_push(m->l->os, m->slot->qd, data, len);
}

/* ---- one connection ---- */

/* The queue is gone, or goes by `end` (capy_close, capy_abort). */
static void drop(struct loop *l, struct capy_httpd_slot *slot, int (*end)(struct capy *, int))
{
    if (end)
        (void)end(l->os, slot->qd); /* BADQD: it ended meanwhile, which is what we want */
    capy_httpd_session_end(l->site, &slot->session);
    capy_httpd_slot_give(&l->table, slot);
}

/* Hears of bytes beyond those known. After the end of stream there is nothing to hear. */
static void listen_on(struct loop *l, struct capy_httpd_slot *slot)
{
    if (slot->popped || slot->session.fin)
        return;
    slot->popped = capy_pop(l->os, slot->qd, slot->avail) == CAPY_OK;
    if (!slot->popped)
        drop(l, slot, capy_abort);
}

static void take_turn(struct loop *l, struct capy_httpd_slot *slot)
{
    struct seam seam = {l, slot};
    const struct capy_httpd_io io = {&seam, seam_peek, seam_consume, seam_push};

    switch (capy_httpd_session_run(l->site, &slot->session, &io, capy_now(l->os))) {
    case CAPY_HTTPD_NEXT_INPUT:
        listen_on(l, slot);
        break;
    case CAPY_HTTPD_NEXT_ROOM: /* a PUSH completion follows */
        break;
    case CAPY_HTTPD_NEXT_TIME:
        capy_httpd_timer_set(&l->table, slot, slot->session.x->due_at);
        listen_on(l, slot);
        break;
    case CAPY_HTTPD_NEXT_AGAIN:
        capy_httpd_run_later(&l->table, slot);
        break;
    case CAPY_HTTPD_NEXT_CLOSE:
        drop(l, slot, capy_close);
        break;
    case CAPY_HTTPD_NEXT_ABORT:
        drop(l, slot, capy_abort);
        break;
    }
}

/* Takes up what another server left. False: it cannot be continued here. */
static bool restore(struct loop *l, struct capy_httpd_slot *slot)
{
    uint8_t state[CAPY_HTTPD_STATE_MAX];
    int64_t len = capy_migrated_state(l->os, slot->qd, state, sizeof state);
    l->site->cnt.moved_in++;
    if (len == 0)
        return true; /* between two requests */
    struct capy_httpd_exchange *x = capy_httpd_exchange_take(l->site);
    if (!x)
        return false;
    if (len < 0 || len > CAPY_HTTPD_STATE_MAX ||
        !capy_httpd_state_decode(x, state, (uint32_t)len, capy_now(l->os))) {
        l->site->cnt.state_refused++;
        capy_httpd_exchange_give(l->site, x);
        return false;
    }
    slot->session.x = x;
    if (x->body == CAPY_HTTPD_BODY_FILE && !capy_httpd_reopen_file(l->site, x)) {
        l->site->cnt.file_changed++;
        return false;
    }
    return true;
}

static void on_accept(struct loop *l, const struct capy_done *d)
{
    (void)capy_accept(l->os, l->lqd);
    if (d->status != CAPY_OK)
        return;
    struct capy_httpd_slot *slot = capy_httpd_slot_take(&l->table, d->accepted);
    if (!slot) {
        (void)capy_abort(l->os, d->accepted);
        return;
    }
    (void)capy_set_user(l->os, slot->qd, capy_httpd_slot_user(&l->table, slot));
    if (d->migrated)
        capy_httpd_serve(l->site, l->site->arrival_ns);
    if (d->migrated && !restore(l, slot))
        drop(l, slot, capy_abort);
    else if (slot->session.x)
        capy_httpd_run_later(&l->table, slot);
    else
        listen_on(l, slot);
}

static void on_migrate(struct loop *l, struct capy_httpd_slot *slot)
{
    uint8_t state[CAPY_HTTPD_STATE_MAX];
    uint32_t len = 0;
    if (slot->session.x)
        len = capy_httpd_state_encode(slot->session.x, capy_now(l->os), state);
    if (capy_release(l->os, slot->qd, state, len) != CAPY_OK) {
        (void)capy_veto(l->os, slot->qd); /* no memory for it, or the move is off already */
        return;
    }
    slot->released = true;
    capy_httpd_run_never(&l->table, slot);
    capy_httpd_timer_set(&l->table, slot, CAPY_HTTPD_NEVER);
}

static void on_done(struct loop *l, const struct capy_done *d)
{
    if (d->op == CAPY_OP_ACCEPT) {
        on_accept(l, d);
        return;
    }
    if (d->op == CAPY_OP_FD) {
        l->stopped = d->accepted == l->stop_fd;
        return;
    }
    struct capy_httpd_slot *slot = capy_httpd_slot_find(&l->table, d->user);
    if (!slot || slot->qd != d->qd)
        return; /* we closed it in this very round */
    switch (d->op) {
    case CAPY_OP_POP:
        slot->popped = false;
        slot->avail = d->avail;
        slot->session.fin = d->fin || d->len == 0;
        break;
    case CAPY_OP_PUSH:
        break;
    case CAPY_OP_MIGRATE:
        on_migrate(l, slot);
        return;
    case CAPY_OP_MIGRATE_KEPT:
        slot->released = false;
        break;
    case CAPY_OP_MIGRATED_OUT:
        l->site->cnt.moved_out++;
        drop(l, slot, NULL);
        return;
    case CAPY_OP_CLOSED:
        drop(l, slot, NULL);
        return;
    case CAPY_OP_ACCEPT:
    case CAPY_OP_CONNECT: /* we open none */
    case CAPY_OP_FD:
        return;
    }
    if (!slot->released)
        capy_httpd_run_later(&l->table, slot);
}

/* ---- the whole ---- */

/* Once a second, and as long as there is news: the Date field, and the line for `capy ctl`. */
static void tell_time(struct loop *l)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME_COARSE, &ts);
    if (ts.tv_sec == l->site->date_s)
        return;
    const struct capy_httpd_counters *c = &l->site->cnt;
    capy_httpd_site_clock(l->site, ts.tv_sec);
    l->told = *c;
    snprintf(l->label, sizeof l->label,
             "httpd port %u: %llu requests, %llu refused, %llu moved in, %llu moved out, %llu lost",
             l->port, (unsigned long long)c->requests, (unsigned long long)c->errors,
             (unsigned long long)c->moved_in, (unsigned long long)c->moved_out,
             (unsigned long long)c->state_refused + c->file_changed);
    capy_set_label(l->os, l->label);
}

static int64_t patience(const struct loop *l)
{
    uint64_t next = capy_httpd_timer_next(&l->table), now = capy_now(l->os);
    if (l->table.run_head != CAPY_HTTPD_NO_SLOT)
        return 0;
    if (memcmp(&l->told, &l->site->cnt, sizeof l->told) != 0 && next > now + LABEL_NS)
        next = now + LABEL_NS;
    if (next == CAPY_HTTPD_NEVER)
        return -1;
    return next > now ? (int64_t)(next - now) : 0;
}

/* Stops early when a request had a service time: what it answered is to be sent before the next. */
static void take_turns(struct loop *l)
{
    struct capy_httpd_slot *slot;
    while ((slot = capy_httpd_timer_due(&l->table, capy_now(l->os))))
        capy_httpd_run_later(&l->table, slot);
    l->site->busy = false;
    for (int i = 0; i < TURNS_MAX && !l->site->busy; i++) {
        slot = capy_httpd_run_next(&l->table);
        if (!slot)
            return;
        take_turn(l, slot);
    }
}

static int begin(struct loop *l)
{
    l->lqd = capy_listen(l->os, l->port);
    if (l->lqd < 0)
        return l->lqd;
    int status = capy_ask_before_migration(l->os, l->lqd);
    for (int i = 0; status == CAPY_OK && i < ACCEPTS; i++)
        status = capy_accept(l->os, l->lqd);
    return status == CAPY_OK ? capy_watch_fd(l->os, l->stop_fd) : status;
}

int capy_httpd_loop(struct capy *os, struct capy_httpd_site *site, uint16_t port, int stop_fd)
{
    struct loop l = {.os = os, .site = site, .port = port, .stop_fd = stop_fd};
    struct capy_done done[DONE_MAX];

    if (!capy_httpd_table_open(&l.table, capy_rack(os)->conn_max))
        return CAPY_E_NOMEM;
    int status = begin(&l);
    while (status == CAPY_OK && !l.stopped) {
        tell_time(&l);
        int n = capy_wait(os, done, DONE_MAX, patience(&l));
        if (n < 0)
            status = n;
        for (int i = 0; i < n; i++)
            on_done(&l, &done[i]);
        take_turns(&l);
    }
    capy_set_label(os, NULL);
    for (uint32_t i = 0; i < l.table.cnt; i++) {
        if (l.table.slots[i].live)
            drop(&l, &l.table.slots[i], capy_abort);
    }
    capy_httpd_table_close(&l.table);
    return status;
}
