/* The load on libcapy's own TCP. See own.h. A pop is always outstanding on an open connection; what it
 * brings is copied out, so nothing stays lent. */
#include "apps/load/own.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define DONE_MAX 64u
#define LEAVE_NS (50 * NS_PER_MS) /* at the end: FINs and their ACKs pass */

struct own_conn {
    int qd;   /* -1: closed */
    bool fin; /* the peer sends no more than is unread */
};

struct load_own {
    struct load_transport base;
    struct capy *os;
    int signals;
    uint32_t cnt;
    struct own_conn conn[];
};

static struct load_own *of(struct load_transport *t)
{
    return (struct load_own *)t;
}

/* Not capy_now, which stands still between waits. */
static uint64_t own_now(struct load_transport *t)
{
    struct timespec ts;
    (void)t;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* What the kernel's socket address says, as libcapy has it. */
static struct capy_address address_of(const union capy_endpoint *e)
{
    struct capy_address out = {.ip = {[10] = 0xff, [11] = 0xff}};
    if (e->any.sa_family == AF_INET6) {
        memcpy(out.ip, &e->v6.sin6_addr, sizeof out.ip);
        out.port = ntohs(e->v6.sin6_port);
    } else {
        memcpy(out.ip + 12, &e->v4.sin_addr, sizeof e->v4.sin_addr);
        out.port = ntohs(e->v4.sin_port);
    }
    return out;
}

static int own_open(struct load_transport *t, uint32_t conn, const union capy_endpoint *to,
                    struct load_failure *why)
{
    struct load_own *o = of(t);
    struct capy_address target = address_of(to);
    int qd = capy_connect(o->os, &target);
    o->conn[conn] = (struct own_conn){.qd = qd < 0 ? -1 : qd};
    if (qd < 0) {
        load_failure_set(why, LOAD_ERROR_CONNECT, capy_strerror(qd));
        return -1;
    }
    (void)capy_set_user(o->os, qd, conn);
    return 0;
}

static int fail(int status, struct load_failure *why)
{
    enum load_error error = status == CAPY_E_RESET ? LOAD_ERROR_RESET
                            : status == CAPY_OK    ? LOAD_ERROR_CLOSED
                                                   : LOAD_ERROR_TIMEOUT;
    load_failure_set(why, error,
                     status == CAPY_OK ? "closed by the server" : capy_strerror(status));
    return -1;
}

static int64_t own_send(struct load_transport *t, uint32_t conn, const void *data, uint32_t len,
                        struct load_failure *why)
{
    int64_t n = capy_push(of(t)->os, of(t)->conn[conn].qd, data, len);
    return n < 0 ? fail((int)n, why) : n;
}

static int64_t own_receive(struct load_transport *t, uint32_t conn, void *out, uint32_t len,
                           struct load_failure *why)
{
    struct load_own *o = of(t);
    struct own_conn *c = &o->conn[conn];
    int64_t n = capy_peek(o->os, c->qd, 0, out, len);
    if (n < 0 || (n == 0 && c->fin))
        return fail((int)n, why);
    if (n > 0)
        (void)capy_consume(o->os, c->qd, (uint32_t)n);
    (void)capy_pop(o->os, c->qd, 0);
    return n;
}

static uint64_t own_close(struct load_transport *t, uint32_t conn)
{
    struct load_own *o = of(t);
    struct own_conn *c = &o->conn[conn];
    struct capy_traffic traffic;
    if (c->qd < 0)
        return 0;
    uint64_t retransmits =
        capy_traffic(o->os, c->qd, &traffic) == CAPY_OK ? traffic.retransmissions : 0;
    (void)capy_close(o->os, c->qd);
    c->qd = -1;
    return retransmits;
}

/* False: it is nothing for the engine. */
static bool translate(struct load_own *o, const struct capy_done *d, struct load_event *out)
{
    struct signalfd_siginfo info;
    if (d->op == CAPY_OP_FD) {
        (void)!read(o->signals, &info, sizeof info);
        out->kind = LOAD_EVENT_STOP;
        return true;
    }
    struct own_conn *c = d->user < o->cnt ? &o->conn[d->user] : NULL;
    if (!c || c->qd != d->qd)
        return false; /* closed meanwhile */
    out->conn = (uint32_t)d->user;
    switch (d->op) {
    case CAPY_OP_CONNECT:
        out->kind = d->status == CAPY_OK ? LOAD_EVENT_OPENED : LOAD_EVENT_FAILED;
        if (d->status == CAPY_OK) {
            (void)capy_pop(o->os, d->qd, 0);
            return true;
        }
        load_failure_set(&out->why, LOAD_ERROR_CONNECT, capy_strerror(d->status));
        c->qd = -1; /* the queue is gone */
        return true;
    case CAPY_OP_POP:
        c->fin = d->fin;
        out->kind = LOAD_EVENT_READABLE;
        return true;
    case CAPY_OP_PUSH:
        out->kind = LOAD_EVENT_WRITABLE;
        return true;
    case CAPY_OP_CLOSED:
        out->kind = LOAD_EVENT_FAILED;
        (void)fail(d->status, &out->why);
        c->qd = -1;
        return true;
    case CAPY_OP_ACCEPT:
    case CAPY_OP_FD:
    case CAPY_OP_MIGRATE:
    case CAPY_OP_MIGRATE_KEPT:
    case CAPY_OP_MIGRATED_OUT:
        break; /* not of a host in no rack */
    }
    return false;
}

static unsigned own_wait(struct load_transport *t, struct load_event *out, unsigned max,
                         uint64_t timeout_ns)
{
    struct load_own *o = of(t);
    struct capy_done done[DONE_MAX];
    int n = capy_wait(o->os, done, (int)(max < DONE_MAX ? max : DONE_MAX), (int64_t)timeout_ns);
    unsigned cnt = 0;
    for (int i = 0; i < n; i++)
        cnt += translate(o, &done[i], &out[cnt]);
    return cnt;
}

static void own_name(struct load_transport *t, uint32_t conn, char *out, size_t len)
{
    struct capy_traffic traffic;
    union capy_endpoint e;
    char text[CAPY_ENDPOINT_TEXT_MAX] = "?";
    if (capy_traffic(of(t)->os, of(t)->conn[conn].qd, &traffic) == CAPY_OK) {
        capy_endpoint_make(traffic.own.ip, traffic.own.port, &e);
        capy_endpoint_text(&e, text);
    }
    snprintf(out, len, "%s", text);
}

static void own_free(struct load_transport *t)
{
    struct load_own *o = of(t);
    struct capy_done done[DONE_MAX];
    uint64_t until = own_now(t) + (uint64_t)LEAVE_NS;
    while (own_now(t) < until)
        (void)capy_wait(o->os, done, DONE_MAX, LEAVE_NS / 10);
    capy_close_os(o->os);
    free(o);
}

static const struct load_transport_ops own_ops = {
    .now = own_now,
    .open = own_open,
    .send = own_send,
    .receive = own_receive,
    .close = own_close,
    .wait = own_wait,
    .name = own_name,
    .free = own_free,
};

struct load_transport *load_own_open(const struct capy_options *opt, uint32_t cnt, int signals,
                                     char *err, size_t err_len)
{
    struct load_own *o = calloc(1, sizeof *o + cnt * sizeof o->conn[0]);
    if (!o) {
        snprintf(err, err_len, "out of memory for %u connections", cnt);
        return NULL;
    }
    *o = (struct load_own){.base = {.ops = &own_ops}, .signals = signals, .cnt = cnt};
    for (uint32_t i = 0; i < cnt; i++)
        o->conn[i].qd = -1;
    o->os = capy_open(opt, err, err_len);
    if (o->os && cnt > capy_rack(o->os)->conn_max) {
        snprintf(err, err_len, "libcapy holds %u connections here; lower --connections",
                 capy_rack(o->os)->conn_max);
        capy_close_os(o->os);
        o->os = NULL;
    }
    if (!o->os) {
        free(o);
        return NULL;
    }
    (void)capy_watch_fd(o->os, signals);
    snprintf(o->base.detail, sizeof o->base.detail, "libcapy, %s", capy_driver(o->os));
    return &o->base;
}
