/* A server that a test makes up, behind the load's transport table, with a clock of its own: it answers
 * each connection a fixed time after it was asked, but stands still from stall_from to stall_to. Header
 * only. */
#ifndef CAPY_TESTS_UNIT_LOAD_FAKE_H
#define CAPY_TESTS_UNIT_LOAD_FAKE_H

#include "apps/common/pattern.h"
#include "apps/load/transport.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FAKE_CONN_MAX 64u
#define FAKE_NEVER UINT64_MAX
#define FAKE_START UINT64_C(5000000000000) /* of its clock */

enum fake_sin {
    FAKE_GOOD,
    FAKE_WRONG_BYTE,
    FAKE_WRONG_STATUS,
    FAKE_CLOSES,
    FAKE_RESETS,
    FAKE_LAST
};

struct fake_conn {
    bool open, opening, says_closed;
    uint64_t ready_at; /* when it has something for the client */
    char out[2048];    /* what it has */
    uint32_t out_len;
    uint64_t asked; /* requests */
    uint64_t opened_at;
};

struct fake {
    struct load_transport base;
    uint64_t now, service_ns, stall_from, stall_to, open_ns;
    uint64_t stop_at;              /* a signal comes then, */
    uint64_t stop_cnt, stop_every; /* and as many in all, so far apart */
    uint64_t sin_at;               /* the request with this number meets the sin */
    enum fake_sin sin;
    uint64_t asked, opened;
    uint32_t piece; /* largest piece that a receive gives; 0: all */
    struct fake_conn conn[FAKE_CONN_MAX];
};

static struct fake *fake_of(struct load_transport *t)
{
    return (struct fake *)t;
}

static uint64_t fake_now(struct load_transport *t)
{
    return fake_of(t)->now;
}

static int fake_open(struct load_transport *t, uint32_t conn, const union capy_endpoint *to,
                     struct load_failure *why)
{
    struct fake *f = fake_of(t);
    (void)to;
    (void)why;
    f->opened++;
    f->conn[conn] = (struct fake_conn){.open = true,
                                       .opening = true,
                                       .ready_at = f->now + f->open_ns,
                                       .opened_at = f->now,
                                       .asked = f->conn[conn].asked};
    return 0;
}

/* When an answer that would be ready now, is. */
static uint64_t fake_delay(const struct fake *f, uint64_t at)
{
    return at >= f->stall_from && at < f->stall_to ? f->stall_to : at;
}

static void fake_answer(struct fake *f, struct fake_conn *c, uint64_t seed, uint64_t bytes)
{
    enum fake_sin sin = f->asked == f->sin_at ? f->sin : FAKE_GOOD;
    c->out_len = (uint32_t)snprintf(
        c->out, sizeof c->out,
        "HTTP/1.1 %s\r\nX-Capy-Server: s%u\r\nContent-Length: %llu\r\n%s\r\n",
        sin == FAKE_WRONG_STATUS ? "503 No" : "200 OK", (unsigned)(c - f->conn) % 3 + 1,
        (unsigned long long)bytes, sin == FAKE_LAST ? "Connection: close\r\n" : "");
    capy_pattern_fill(seed, 0, (uint8_t *)c->out + c->out_len, bytes);
    c->out_len += (uint32_t)bytes;
    if (sin == FAKE_WRONG_BYTE)
        c->out[c->out_len - 1] ^= 1;
    c->says_closed = sin == FAKE_CLOSES || sin == FAKE_RESETS;
    c->ready_at = fake_delay(f, f->now + f->service_ns);
    f->asked++;
    c->asked++;
}

static int64_t fake_send(struct load_transport *t, uint32_t conn, const void *data, uint32_t len,
                         struct load_failure *why)
{
    struct fake *f = fake_of(t);
    char text[512];
    (void)why;
    memcpy(text, data, len);
    text[len] = 0;
    const char *bytes = strstr(text, "bytes="), *seed = strstr(text, "seed=");
    fake_answer(f, &f->conn[conn], strtoull(seed + 5, NULL, 10), strtoull(bytes + 6, NULL, 10));
    return len;
}

static int64_t fake_receive(struct load_transport *t, uint32_t conn, void *out, uint32_t len,
                            struct load_failure *why)
{
    struct fake *f = fake_of(t);
    struct fake_conn *c = &f->conn[conn];
    if (c->ready_at > f->now)
        return 0;
    if (c->says_closed) {
        load_failure_set(why, f->sin == FAKE_RESETS ? LOAD_ERROR_RESET : LOAD_ERROR_CLOSED, "so");
        return -1;
    }
    uint32_t n = c->out_len < len ? c->out_len : len;
    n = f->piece > 0 && n > f->piece ? f->piece : n;
    memcpy(out, c->out, n);
    memmove(c->out, c->out + n, c->out_len - n);
    c->out_len -= n;
    if (c->out_len == 0)
        c->ready_at = FAKE_NEVER;
    return n;
}

static uint64_t fake_close(struct load_transport *t, uint32_t conn)
{
    struct fake_conn *c = &fake_of(t)->conn[conn];
    uint64_t retransmits = c->open ? 2 : 0;
    c->open = false;
    c->ready_at = FAKE_NEVER;
    return retransmits;
}

static unsigned fake_wait(struct load_transport *t, struct load_event *out, unsigned max,
                          uint64_t timeout_ns)
{
    struct fake *f = fake_of(t);
    uint64_t at = f->now + timeout_ns;
    unsigned cnt = 0;
    for (unsigned i = 0; i < FAKE_CONN_MAX; i++)
        if (f->conn[i].open && f->conn[i].ready_at < at)
            at = f->conn[i].ready_at;
    at = f->stop_at < at ? f->stop_at : at;
    f->now = at > f->now ? at : f->now;
    if (f->stop_at <= f->now) {
        f->stop_at = f->stop_cnt > 1 ? f->stop_at + f->stop_every : FAKE_NEVER;
        f->stop_cnt -= f->stop_cnt > 1;
        out[cnt++] = (struct load_event){.kind = LOAD_EVENT_STOP};
    }
    for (uint32_t i = 0; i < FAKE_CONN_MAX && cnt < max; i++) {
        struct fake_conn *c = &f->conn[i];
        if (!c->open || c->ready_at > f->now)
            continue;
        out[cnt++] = (struct load_event){
            .conn = i, .kind = c->opening ? LOAD_EVENT_OPENED : LOAD_EVENT_READABLE};
        if (c->opening)
            c->ready_at = FAKE_NEVER;
        c->opening = false;
    }
    return cnt;
}

static void fake_name(struct load_transport *t, uint32_t conn, char *out, size_t len)
{
    (void)t;
    snprintf(out, len, "fake %u", conn);
}

static const struct load_transport_ops fake_ops = {
    .now = fake_now,
    .open = fake_open,
    .send = fake_send,
    .receive = fake_receive,
    .close = fake_close,
    .wait = fake_wait,
    .name = fake_name,
};

static void fake_init(struct fake *f, uint64_t service_ns)
{
    memset(f, 0, sizeof *f);
    f->base.ops = &fake_ops;
    f->now = FAKE_START;
    f->service_ns = service_ns;
    f->stop_at = f->sin_at = f->stall_from = FAKE_NEVER;
    for (unsigned i = 0; i < FAKE_CONN_MAX; i++)
        f->conn[i].ready_at = FAKE_NEVER;
}

#endif
