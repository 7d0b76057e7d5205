/* The loop of `capy get`. See run.h. */
#include "apps/get/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DONE_MAX 64
#define TICK_NS 20000000  /* give-up times are looked at this often */
#define LEAVE_NS 50000000 /* at the end: FINs and their ACKs pass */

struct conn {
    int qd;    /* -1: free, or over */
    bool came; /* began on another server: when is not ours to say */
    uint64_t asked_at, expire_at;
    struct get_transfer t;
};

struct run {
    const struct get_options *opt;
    struct get_result *result;
    struct capy *os;
    int arrivals;
    uint32_t conn_cnt, live, awaited;
    uint64_t started_at;
    struct conn *conn;
};

static void end(struct run *r, struct conn *c)
{
    if (c->qd >= 0)
        r->live--;
    c->qd = -1;
}

static void fail(struct run *r, struct conn *c, const char *why)
{
    struct get_result *res = r->result;
    if (res->errors++ == 0)
        snprintf(res->first_error, sizeof res->first_error, "%s", why);
    end(r, c);
}

/* Every answer's digest is the first one's, or there is none to tell. */
static void note_digest(struct get_result *res, const struct get_transfer *t)
{
    char text[sizeof res->digest];
    get_digest_text(t, text);
    if (res->answers == 0)
        strcpy(res->digest, text);
    res->one_digest =
        t->hashed && (res->answers == 0 || res->one_digest) && strcmp(res->digest, text) == 0;
}

static void ask(struct run *r, struct conn *c)
{
    get_transfer_begin(&c->t);
    c->came = false;
    c->asked_at = capy_now(r->os);
    c->expire_at = c->asked_at + r->opt->timeout_ns;
}

static void answered(struct run *r, struct conn *c)
{
    struct get_result *res = r->result;
    note_digest(res, &c->t);
    res->answers++;
    res->bytes += c->t.body_len + c->t.send_len;
    if (!c->came)
        capy_series_add(&res->latency_ns, capy_now(r->os) - c->asked_at);
    res->seconds = (double)(capy_now(r->os) - r->started_at) / 1e9;
    if (c->t.requests_left > 0 && !c->t.close_after) {
        ask(r, c);
        return;
    }
    if (c->t.requests_left > 0) {
        fail(r, c, "the server closes before the last request");
        return;
    }
    capy_close(r->os, c->qd);
    end(r, c);
}

/* Sends and asks for more until there is nothing to do but wait. */
static void go_on(struct run *r, struct conn *c, enum get_step step, const char *why)
{
    if (step == GET_STEP_ANSWER)
        answered(r, c);
    if (step != GET_STEP_FAILED && c->qd >= 0)
        step = get_transfer_send(&c->t, r->os, c->qd, &r->opt->files, &why);
    if (step == GET_STEP_FAILED) {
        capy_abort(r->os, c->qd);
        fail(r, c, why);
    } else if (c->qd >= 0) {
        capy_pop(r->os, c->qd, 0);
    }
}

static void open_all(struct run *r)
{
    for (uint32_t i = 0; i < r->opt->connection_cnt; i++) {
        struct conn *c = &r->conn[i];
        r->live++;
        c->t = r->opt->request;
        c->expire_at = r->started_at + r->opt->timeout_ns;
        c->qd = capy_connect(r->os, &r->opt->target);
        if (c->qd < 0) {
            int rc = c->qd;
            r->live--;
            fail(r, c, capy_strerror(rc));
            continue;
        }
        capy_set_user(r->os, c->qd, i);
        capy_ask_before_migration(r->os, c->qd);
    }
}

/* A transfer that another server began. */
static void on_arrival(struct run *r, const struct capy_done *d)
{
    struct get_transfer t;
    uint32_t i = 0;
    capy_accept(r->os, r->arrivals);
    while (i < r->conn_cnt && r->conn[i].qd >= 0)
        i++;
    int64_t len = capy_migrated_state(r->os, d->accepted, &t, sizeof t);
    if (i == r->conn_cnt || len != sizeof t || t.version != GET_STATE_VERSION) {
        capy_abort(r->os, d->accepted); /* from a program that is not ours, or too many */
        return;
    }
    r->conn[i] = (struct conn){.qd = d->accepted, .came = true, .t = t};
    r->conn[i].expire_at = capy_now(r->os) + r->opt->timeout_ns;
    r->live++;
    r->awaited -= r->awaited > 0;
    r->result->moved_in++;
    capy_set_user(r->os, d->accepted, i);
    go_on(r, &r->conn[i], GET_STEP_WAIT, NULL);
}

static void on_done(struct run *r, const struct capy_done *d)
{
    const char *why = NULL;
    if (d->op == CAPY_OP_ACCEPT) {
        on_arrival(r, d);
        return;
    }
    struct conn *c = d->user < r->conn_cnt ? &r->conn[d->user] : NULL;
    if (!c || c->qd != d->qd)
        return;
    switch (d->op) {
    case CAPY_OP_CONNECT:
        if (d->status != CAPY_OK) {
            fail(r, c, capy_strerror(d->status));
            break;
        }
        ask(r, c);
        go_on(r, c, GET_STEP_WAIT, NULL);
        break;
    case CAPY_OP_POP: {
        enum get_step step =
            get_transfer_receive(&c->t, r->os, c->qd, d->fin, &r->opt->files, &why);
        go_on(r, c, step, why);
        break;
    }
    case CAPY_OP_PUSH:
    case CAPY_OP_MIGRATE_KEPT:
        go_on(r, c, GET_STEP_WAIT, NULL);
        break;
    case CAPY_OP_MIGRATE:
        if (c->t.from_file || r->opt->files.out >= 0)
            capy_veto(r->os, c->qd); /* its file is here */
        else
            capy_release(r->os, c->qd, &c->t, sizeof c->t);
        break;
    case CAPY_OP_MIGRATED_OUT:
        r->result->moved_out++;
        end(r, c);
        break;
    case CAPY_OP_CLOSED:
        fail(r, c, capy_strerror(d->status));
        break;
    case CAPY_OP_ACCEPT:
    case CAPY_OP_FD:
        break;
    }
}

static void give_up_late_ones(struct run *r)
{
    for (uint32_t i = 0; i < r->conn_cnt; i++) {
        struct conn *c = &r->conn[i];
        if (c->qd >= 0 && capy_now(r->os) >= c->expire_at) {
            capy_abort(r->os, c->qd);
            fail(r, c, "no whole answer in time");
        }
    }
}

static void loop(struct run *r)
{
    struct capy_done done[DONE_MAX];
    uint64_t tick_at = r->started_at, awaited_until = r->started_at + r->opt->timeout_ns;
    while (r->live > 0 || (r->awaited > 0 && capy_now(r->os) < awaited_until)) {
        int cnt = capy_wait(r->os, done, DONE_MAX, TICK_NS);
        for (int i = 0; i < cnt; i++)
            on_done(r, &done[i]);
        if (capy_now(r->os) >= tick_at + TICK_NS) {
            tick_at = capy_now(r->os);
            give_up_late_ones(r);
        }
    }
    uint64_t until = capy_now(r->os) + LEAVE_NS;
    while (capy_now(r->os) < until)
        (void)capy_wait(r->os, done, DONE_MAX, LEAVE_NS / 10);
}

int get_run(const struct get_options *opt, struct get_result *result, char *err, size_t err_len)
{
    struct run r = {.opt = opt, .result = result, .arrivals = -1, .awaited = opt->arrival_cnt};
    struct capy_done none;
    r.conn_cnt = opt->connection_cnt + opt->arrival_cnt;
    r.conn = calloc(r.conn_cnt, sizeof *r.conn);
    r.os = r.conn ? capy_open(&opt->os, err, err_len) : NULL;
    if (!r.os) {
        if (!r.conn)
            snprintf(err, err_len, "out of memory");
        free(r.conn);
        return -1;
    }
    for (uint32_t i = 0; i < r.conn_cnt; i++)
        r.conn[i].qd = -1;
    if (opt->os.rack_file) {
        r.arrivals = capy_arrivals(r.os);
        capy_ask_before_migration(r.os, r.arrivals);
        capy_accept(r.os, r.arrivals);
    }
    snprintf(result->driver, sizeof result->driver, "%s", capy_driver(r.os));
    (void)capy_wait(r.os, &none, 1, 0); /* reads the clock */
    r.started_at = capy_now(r.os);
    open_all(&r);
    loop(&r);
    if (r.awaited > 0 && result->errors++ == 0)
        snprintf(result->first_error, sizeof result->first_error, "nothing arrived in time");
    capy_close_os(r.os);
    free(r.conn);
    return 0;
}
