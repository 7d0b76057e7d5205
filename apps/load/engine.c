/* The load's run loop: epoll, pacing, give-up times, the end. See engine.h. */
#include "apps/load/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define TICK_NS (20 * NS_PER_MS)   /* give-up times are looked at this often */
#define RETRY_NS (100 * NS_PER_MS) /* before a failed connection connects again */
#define EVENT_MAX 64
#define BUFFER_LEN 65536u
#define SIGNAL_TAG UINT32_MAX /* in epoll data; connections have their index */

struct engine {
    const struct load_options *opt;
    struct load_result *result;
    int epoll, signals;
    struct load_conn *conn;
    uint32_t *idle; /* stack of connections that may ask */
    uint32_t idle_cnt, in_flight;
    uint64_t asked, started_at, now, tick_at, live_at;
    bool stopping;
    char buffer[BUFFER_LEN];
};

static uint64_t clock_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static bool in_flight(const struct load_conn *c)
{
    return c->phase == LOAD_ASKING || c->phase == LOAD_HEAD || c->phase == LOAD_BODY;
}

static void drop_idle(struct engine *e, uint32_t idx)
{
    for (uint32_t i = 0; i < e->idle_cnt; i++) {
        if (e->idle[i] == idx) {
            e->idle[i] = e->idle[--e->idle_cnt];
            return;
        }
    }
}

/* Closes, and connects again a little later. */
static void close_conn(struct engine *e, struct load_conn *c, uint64_t retry_ns)
{
    if (c->phase == LOAD_IDLE) {
        drop_idle(e, (uint32_t)(c - e->conn));
    }
    load_conn_close(c, e->result);
    c->polls_out = false;
    c->retry_at = e->now + retry_ns;
}

/* "10.99.0.101:40000 to 10.99.0.11:80", to be found again in captures and directories. */
static void name_conn(const struct load_conn *c, char *out, size_t out_len)
{
    union capy_endpoint own = {.any.sa_family = c->target.any.sa_family};
    socklen_t len = sizeof own;
    char from[CAPY_ENDPOINT_TEXT_MAX], to[CAPY_ENDPOINT_TEXT_MAX];
    getsockname(c->fd, &own.any, &len);
    snprintf(out, out_len, "%s to %s", capy_endpoint_text(&own, from),
             capy_endpoint_text(&c->target, to));
}

static void count_failure(struct engine *e, struct load_conn *c, const struct load_failure *f)
{
    static const char *const kind[] = {"connect", "reset", "closed", "timeout", "answer", "body"};
    struct load_result *r = e->result;
    r->error[f->error]++;
    if (!r->first_error[0]) {
        char name[2 * CAPY_ENDPOINT_TEXT_MAX + 4];
        name_conn(c, name, sizeof name);
        snprintf(r->first_error, sizeof r->first_error, "%s, after %.3f s: %s: %s", name,
                 (double)(e->now - e->started_at) / 1e9, kind[f->error], f->why);
    }
}

/* Polls for writing only while there is something to write. */
static void poll_for(struct engine *e, struct load_conn *c)
{
    bool out = c->phase == LOAD_CONNECTING || c->phase == LOAD_ASKING;
    if (c->fd >= 0 && out != c->polls_out) {
        struct epoll_event ev = {.events = EPOLLIN | (out ? (uint32_t)EPOLLOUT : 0u),
                                 .data.u32 = (uint32_t)(c - e->conn)};
        epoll_ctl(e->epoll, EPOLL_CTL_MOD, c->fd, &ev);
        c->polls_out = out;
    }
}

/* Acts on what a step of a connection brought. was_asking: a request was in flight before it. */
static void settle(struct engine *e, struct load_conn *c, enum load_step step, bool was_asking,
                   const struct load_failure *f)
{
    bool asks = in_flight(c);
    e->in_flight += (uint32_t)asks - (uint32_t)was_asking;
    switch (step) {
    case LOAD_STEP_WAIT:
        break;
    case LOAD_STEP_READY:
        if (was_asking) {
            e->result->requests++;
            capy_series_add(&e->result->latency_ns, e->now - c->due_at);
        }
        e->idle[e->idle_cnt++] = (uint32_t)(c - e->conn);
        if (c->close_after) {
            c->close_after = false;
            e->result->reconnects++;
            close_conn(e, c, 0);
        }
        break;
    case LOAD_STEP_FAILED:
        e->in_flight -= asks ? 1 : 0;
        count_failure(e, c, f);
        close_conn(e, c, RETRY_NS);
        break;
    }
    poll_for(e, c);
}

static void open_conn(struct engine *e, struct load_conn *c)
{
    struct load_failure f;
    enum load_step step = load_conn_open(c, &f);
    if (step == LOAD_STEP_WAIT) {
        struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT, .data.u32 = (uint32_t)(c - e->conn)};
        epoll_ctl(e->epoll, EPOLL_CTL_ADD, c->fd, &ev);
        c->polls_out = true;
        c->expire_at = e->now + e->opt->timeout_ns;
    }
    settle(e, c, step, false, &f);
}

/* When the next request is due: open loop by the clock, else at once. */
static uint64_t next_due(const struct engine *e)
{
    if (e->opt->rate == 0) {
        return e->now;
    }
    return e->started_at + e->asked / e->opt->rate * NS_PER_S +
           e->asked % e->opt->rate * NS_PER_S / e->opt->rate;
}

/* Lets idle connections ask, as many as are due. */
static void ask(struct engine *e)
{
    while (!e->stopping && e->idle_cnt > 0 && next_due(e) <= e->now &&
           (e->opt->request_max == 0 || e->asked < e->opt->request_max)) {
        struct load_failure f;
        struct load_conn *c = &e->conn[e->idle[--e->idle_cnt]];
        c->due_at = next_due(e);
        c->expire_at = e->now + e->opt->timeout_ns;
        enum load_step step = load_conn_ask(c, e->opt, e->opt->seed + e->asked++, &f);
        settle(e, c, step, false, &f);
    }
}

/* Gives up what takes too long, connects again what was closed. */
static void tick(struct engine *e)
{
    static const struct load_failure late = {LOAD_ERROR_TIMEOUT, "no whole answer in time"};
    static const struct load_failure far = {LOAD_ERROR_CONNECT, "no answer in time"};
    for (uint32_t i = 0; i < e->opt->connection_cnt; i++) {
        struct load_conn *c = &e->conn[i];
        bool asks = in_flight(c);
        if ((asks || c->phase == LOAD_CONNECTING) && e->now >= c->expire_at) {
            settle(e, c, LOAD_STEP_FAILED, asks, asks ? &late : &far);
        } else if (c->phase == LOAD_CLOSED && !e->stopping && e->now >= c->retry_at) {
            open_conn(e, c);
        }
    }
    e->tick_at = e->now + TICK_NS;
}

/* One line of progress for whoever started us. */
static void tell(struct engine *e)
{
    const struct load_result *r = e->result;
    printf("{\"seconds\":%.2f,\"requests\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"resets\":%" PRIu64
           ",\"first_error\":\"%s\"}\n",
           (double)(e->now - e->started_at) / 1e9, r->requests, load_errors(r),
           r->error[LOAD_ERROR_RESET], r->first_error);
    fflush(stdout);
    e->live_at = e->now + e->opt->live_ns;
}

/* How long epoll may sleep: until the tick, or the next request that is due. */
static struct timespec sleep_time(const struct engine *e)
{
    uint64_t until = e->tick_at;
    if (e->opt->rate && !e->stopping && e->idle_cnt > 0 && next_due(e) < until) {
        until = next_due(e);
    }
    uint64_t ns = until > e->now ? until - e->now : 0;
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
}

static void dispatch(struct engine *e, const struct epoll_event *ev)
{
    if (ev->data.u32 == SIGNAL_TAG) {
        struct signalfd_siginfo info;
        (void)!read(e->signals, &info, sizeof info);
        e->stopping = true;
        return;
    }
    struct load_conn *c = &e->conn[ev->data.u32];
    struct load_failure f;
    bool asks = in_flight(c);
    if (c->phase != LOAD_CLOSED) {
        settle(e, c, load_conn_step(c, e->result, e->buffer, BUFFER_LEN, &f), asks, &f);
    }
}

static bool is_over(struct engine *e)
{
    const struct load_options *opt = e->opt;
    if ((opt->duration_ns && e->now - e->started_at >= opt->duration_ns) ||
        (opt->request_max && e->asked >= opt->request_max)) {
        e->stopping = true;
    }
    return e->stopping && e->in_flight == 0;
}

static void run(struct engine *e)
{
    struct epoll_event ev[EVENT_MAX];
    e->now = e->started_at = clock_ns();
    e->live_at = e->now + e->opt->live_ns;
    while (!is_over(e)) {
        if (e->now >= e->tick_at) {
            tick(e);
        }
        if (e->opt->live_ns && e->now >= e->live_at) {
            tell(e);
        }
        ask(e);
        struct timespec sleep = sleep_time(e);
        int n = epoll_pwait2(e->epoll, ev, EVENT_MAX, &sleep, NULL);
        e->now = clock_ns();
        for (int i = 0; i < n; i++) {
            dispatch(e, &ev[i]);
        }
    }
    e->result->seconds = (double)(e->now - e->started_at) / 1e9;
}

static int set_up(struct engine *e)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGTERM);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    e->epoll = epoll_create1(EPOLL_CLOEXEC);
    e->signals = signalfd(-1, &mask, SFD_CLOEXEC);
    e->conn = calloc(e->opt->connection_cnt, sizeof *e->conn);
    e->idle = calloc(e->opt->connection_cnt, sizeof *e->idle);
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = SIGNAL_TAG};
    if (e->epoll < 0 || e->signals < 0 || !e->conn || !e->idle ||
        epoll_ctl(e->epoll, EPOLL_CTL_ADD, e->signals, &ev) < 0) {
        return -1;
    }
    for (uint32_t i = 0; i < e->opt->connection_cnt; i++) {
        e->conn[i].fd = -1;
        e->conn[i].target = e->opt->target[i % e->opt->target_cnt];
    }
    return 0;
}

int load_run(const struct load_options *opt, struct load_result *result, char *err, size_t err_len)
{
    static struct engine e; /* its buffer is large */
    e = (struct engine){.opt = opt, .result = result};
    *result = (struct load_result){0};
    if (set_up(&e) < 0) {
        snprintf(err, err_len, "setting up %u connections: %s", opt->connection_cnt,
                 strerror(errno));
        return -1;
    }
    run(&e);
    for (uint32_t i = 0; i < opt->connection_cnt; i++) {
        result->served_by[__builtin_popcountll(e.conn[i].served)]++;
        load_conn_close(&e.conn[i], result);
    }
    close(e.epoll);
    close(e.signals);
    free(e.conn);
    free(e.idle);
    return 0;
}

uint64_t load_errors(const struct load_result *r)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < LOAD_ERROR_CNT; i++) {
        sum += r->error[i];
    }
    return sum;
}
