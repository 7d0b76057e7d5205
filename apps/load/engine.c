/* The load's run loop. See engine.h. */
#include "apps/load/engine.h"

#include "apps/load/exchange.h"
#include "apps/load/progress.h"
#include "apps/load/supply.h"
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)
#define TICK_NS (5 * NS_PER_MS)    /* give-up times are looked at this often, */
#define TICK_SHARE 8u              /* of so large a part of the connections each */
#define RETRY_NS (100 * NS_PER_MS) /* before a failed connection connects again */
#define OPENING_MAX 256u           /* that connect at a time, when the load begins */
#define ECHO_NS (250 * NS_PER_MS) /* a second signal so soon is the first one's, sent to us twice */
#define EVENT_MAX 64u
#define DRAWN_MAX (1u << 20) /* never sent at the end, one by one; beyond, */
#define SLICES 10000u        /* by so many slices of time */
#define BUFFER_LEN 65536u
#define NONE UINT32_MAX

enum conn_state { CONN_CLOSED, CONN_OPENING, CONN_OPEN };

struct conn {
    enum conn_state state;
    bool tried, known;   /* known: opened or failed, ever */
    bool is_free;        /* in the list of those that may ask */
    uint32_t next, prev; /* in that list */
    unsigned target;
    uint64_t due_at, sent_at; /* of the request in flight: when it should have left, and did */
    uint64_t free_at;         /* when it could ask again */
    uint64_t expire_at;       /* when to give the request, or the connecting, up */
    uint64_t retry_at;        /* closed: when to connect again */
    uint64_t served;          /* bit i: server i of the result answered here */
    struct load_exchange x;
};

struct engine {
    const struct load_options *opt;
    struct load_result *result;
    struct load_transport *t;
    struct load_supply supply;
    struct load_progress progress;
    struct conn *conn;
    struct load_question question[LOAD_TARGET_MAX];
    uint32_t free_head, free_tail; /* the first has been free for longest */
    uint32_t tried_cnt, known_cnt, opening_cnt, in_flight, tick_idx;
    uint64_t asked; /* requests sent, or begun to be */
    uint64_t now, tick_at;
    uint64_t begun_at, zero_at; /* of the load, of what counts: zero_at is behind the warm-up */
    uint64_t stopped_at, signalled_at, answered_at; /* answered: last, of what counts */
    bool begun, stopping, signalled;
    char buffer[BUFFER_LEN];
};

static uint32_t number_of(const struct engine *e, const struct conn *c)
{
    return (uint32_t)(c - e->conn);
}

static bool in_flight(const struct conn *c)
{
    return c->x.phase != LOAD_AT_REST;
}

/* ---- the list of free connections ---- */

static void set_free(struct engine *e, struct conn *c)
{
    uint32_t i = number_of(e, c);
    c->is_free = true;
    c->next = NONE;
    c->prev = e->free_tail;
    if (e->free_tail == NONE)
        e->free_head = i;
    else
        e->conn[e->free_tail].next = i;
    e->free_tail = i;
}

static void set_taken(struct engine *e, struct conn *c)
{
    if (!c->is_free)
        return;
    c->is_free = false;
    *(c->prev == NONE ? &e->free_head : &e->conn[c->prev].next) = c->next;
    *(c->next == NONE ? &e->free_tail : &e->conn[c->next].prev) = c->prev;
}

/* ---- failures ---- */

/* It opened, or failed to. */
static void opening_ended(struct engine *e, struct conn *c)
{
    e->opening_cnt--;
    e->known_cnt += !c->known;
    c->known = true;
}

static void close_conn(struct engine *e, struct conn *c, uint64_t retry_ns)
{
    set_taken(e, c);
    if (c->state == CONN_OPENING)
        opening_ended(e, c);
    e->in_flight -= in_flight(c);
    c->state = CONN_CLOSED;
    c->x.phase = LOAD_AT_REST;
    c->retry_at = e->now + retry_ns;
    e->result->retransmits += e->t->ops->close(e->t, number_of(e, c));
}

static void fail(struct engine *e, struct conn *c, const struct load_failure *f)
{
    static const char *const kind[] = {"connect", "reset", "closed", "timeout", "answer", "body"};
    struct load_result *r = e->result;
    r->error[f->error]++;
    if (e->begun && e->now >= e->zero_at)
        load_timeline_error(&r->timeline, e->now - e->zero_at);
    if (!r->first_error[0]) {
        char own[CAPY_ENDPOINT_TEXT_MAX], to[CAPY_ENDPOINT_TEXT_MAX];
        e->t->ops->name(e->t, number_of(e, c), own, sizeof own);
        snprintf(r->first_error, sizeof r->first_error, "%s to %s, after %.3f s: %s: %s", own,
                 capy_endpoint_text(&e->opt->target[c->target], to),
                 e->begun ? (double)(e->now - e->begun_at) / 1e9 : 0, kind[f->error], f->why);
    }
    close_conn(e, c, RETRY_NS);
}

/* ---- asking ---- */

static void send_rest(struct engine *e, struct conn *c)
{
    struct load_failure f;
    struct load_exchange *x = &c->x;
    int64_t n =
        e->t->ops->send(e->t, number_of(e, c), x->out + x->out_at, x->out_len - x->out_at, &f);
    if (n < 0)
        fail(e, c, &f);
    else
        load_exchange_sent(x, (uint32_t)n);
}

/* due_at: when it should have left, which may be long ago. */
static void ask(struct engine *e, struct conn *c, uint64_t due_at)
{
    set_taken(e, c);
    e->now = e->t->ops->now(e->t);
    c->due_at = due_at;
    c->sent_at = e->now;
    c->expire_at = e->now + e->opt->timeout_ns;
    if (due_at >= e->zero_at) {
        uint64_t could_at = due_at > c->free_at ? due_at : c->free_at;
        capy_hist_add(&e->result->lag_ns, e->now > could_at ? e->now - could_at : 0);
    }
    load_exchange_begin(&c->x, &e->question[c->target], e->opt->seed + e->asked++);
    e->in_flight++;
    send_rest(e, c);
}

static bool may_ask_more(const struct engine *e)
{
    return e->opt->request_max == 0 || e->asked < e->opt->request_max;
}

/* Stopped by the time or a signal, what waits is not sent any more; by the number of requests, it is. */
static bool sends(const struct engine *e)
{
    return e->begun && !e->stopping;
}

/* The connection is open and at rest: what does it do now? */
static void go_on(struct engine *e, struct conn *c)
{
    uint64_t at;
    c->free_at = e->now;
    if (sends(e) && !e->opt->open_loop && may_ask_more(e))
        ask(e, c, e->now);
    else if (sends(e) && load_supply_waiting(&e->supply, number_of(e, c), &at))
        ask(e, c, e->begun_at + at);
    else
        set_free(e, c);
}

/* A request has become due. */
static void take_due(struct engine *e, uint64_t at, uint32_t conn)
{
    struct conn *c = conn != LOAD_ANYBODY   ? &e->conn[conn]
                     : e->free_head != NONE ? &e->conn[e->free_head]
                                            : NULL;
    uint64_t due_at = e->begun_at + at;
    if (due_at >= e->zero_at) {
        e->result->due++;
        load_timeline_due(&e->result->timeline, due_at - e->zero_at, 1);
    }
    if (c && c->is_free)
        ask(e, c, due_at);
    else
        load_supply_keep(&e->supply, at, conn);
}

static void ask_what_is_due(struct engine *e)
{
    uint64_t at;
    uint32_t conn;
    while (sends(e) && load_supply_due(&e->supply, e->now - e->begun_at, &at, &conn))
        take_due(e, at, conn);
}

/* ---- what comes ---- */

static void open_conn(struct engine *e, struct conn *c)
{
    struct load_failure f;
    e->tried_cnt += !c->tried;
    c->tried = true;
    c->state = CONN_OPENING;
    e->opening_cnt++;
    c->expire_at = e->now + e->opt->timeout_ns;
    if (e->t->ops->open(e->t, number_of(e, c), &e->opt->target[c->target], &f) < 0)
        fail(e, c, &f);
}

static void count_answer(struct engine *e, struct conn *c)
{
    struct load_result *r = e->result;
    int server = load_result_server(r, c->x.server);
    if (server >= 0)
        c->served |= UINT64_C(1) << server;
    if (c->due_at < e->zero_at) {
        r->warm_up_requests++;
        return;
    }
    r->requests++;
    e->answered_at = e->now;
    if (server >= 0)
        r->server_requests[server]++;
    capy_hist_add(&r->latency_ns, e->now - c->due_at);
    capy_hist_add(&r->service_ns, e->now - c->sent_at);
    load_timeline_answer(&r->timeline, e->now - e->zero_at, e->now - c->due_at, server);
}

static void answered(struct engine *e, struct conn *c)
{
    e->now = e->t->ops->now(e->t);
    e->in_flight--;
    count_answer(e, c);
    if (c->x.close_after) {
        c->x.close_after = false;
        e->result->reconnects++;
        close_conn(e, c, 0);
        if (!e->stopping)
            open_conn(e, c);
    } else {
        go_on(e, c);
    }
}

/* Reads until the answer is whole or nothing is left. */
static void receive(struct engine *e, struct conn *c)
{
    struct load_failure f;
    for (;;) {
        int64_t n = e->t->ops->receive(e->t, number_of(e, c), e->buffer, BUFFER_LEN, &f);
        enum load_step step = n < 0    ? LOAD_STEP_FAILED
                              : n == 0 ? LOAD_STEP_WAIT
                                       : load_exchange_take(&c->x, e->buffer, (size_t)n, &f);
        if (step == LOAD_STEP_FAILED)
            fail(e, c, &f);
        else if (step == LOAD_STEP_ANSWERED)
            answered(e, c);
        if (step != LOAD_STEP_WAIT || n == 0)
            return;
    }
}

/* Nothing is due any more. */
static void stop(struct engine *e)
{
    if (!e->stopping)
        e->stopped_at = e->now;
    e->stopping = true;
}

/* No answer in time, which is at least as late as it is now: percentiles that passed over the worst would be
 * better the more of them there are. */
static void time_out(struct engine *e, struct conn *c, const struct load_failure *f)
{
    if (c->due_at >= e->zero_at)
        capy_hist_add(&e->result->latency_ns, e->now - c->due_at);
    fail(e, c, f);
}

/* Who asks a second time does not want to wait for the answers in flight. */
static void give_up(struct engine *e)
{
    static const struct load_failure f = {LOAD_ERROR_TIMEOUT, "no whole answer when it was ended"};
    for (uint32_t i = 0; i < e->opt->connection_cnt; i++)
        if (in_flight(&e->conn[i]))
            time_out(e, &e->conn[i], &f);
}

static void stop_by_signal(struct engine *e)
{
    if (e->signalled && e->now - e->signalled_at >= ECHO_NS)
        give_up(e);
    if (!e->signalled)
        e->signalled_at = e->now;
    e->signalled = true;
    stop(e);
    if (e->begun && e->now - e->begun_at < e->supply.end_at)
        e->supply.end_at = e->now - e->begun_at;
}

static void take_event(struct engine *e, const struct load_event *ev)
{
    if (ev->kind == LOAD_EVENT_STOP) {
        stop_by_signal(e);
        return;
    }
    struct conn *c = &e->conn[ev->conn];
    if (c->state == CONN_CLOSED)
        return;
    switch (ev->kind) {
    case LOAD_EVENT_OPENED:
        opening_ended(e, c);
        c->state = CONN_OPEN;
        go_on(e, c);
        break;
    case LOAD_EVENT_READABLE:
        receive(e, c);
        break;
    case LOAD_EVENT_WRITABLE:
        if (c->x.phase == LOAD_ASKING)
            send_rest(e, c);
        break;
    case LOAD_EVENT_FAILED:
        fail(e, c, &ev->why);
        break;
    case LOAD_EVENT_STOP:
        break;
    }
}

/* ---- time ---- */

static void look_at(struct engine *e, struct conn *c)
{
    static const struct load_failure late = {LOAD_ERROR_TIMEOUT, "no whole answer in time"};
    static const struct load_failure far = {LOAD_ERROR_CONNECT, "no answer in time"};
    if (in_flight(c) && e->now >= c->expire_at)
        time_out(e, c, &late);
    else if (c->state == CONN_OPENING && e->now >= c->expire_at)
        fail(e, c, &far);
    else if (c->state == CONN_CLOSED && c->tried && !e->stopping && e->now >= c->retry_at)
        open_conn(e, c);
}

/* Gives up what takes too long, connects again what was closed: each tick a part of them all. */
static void tick(struct engine *e)
{
    uint32_t cnt = e->opt->connection_cnt;
    for (uint32_t i = 0; i <= cnt / TICK_SHARE; i++) {
        look_at(e, &e->conn[e->tick_idx]);
        e->tick_idx = e->tick_idx + 1 < cnt ? e->tick_idx + 1 : 0;
    }
    e->tick_at = e->now + TICK_NS;
}

static void begin(struct engine *e)
{
    e->begun = true;
    e->begun_at = e->now;
    e->zero_at = e->now + e->opt->warm_up_ns;
    e->result->begun_at_ns = e->zero_at;
    load_progress_begin(&e->progress, e->opt, e->zero_at, e->now);
    if (e->opt->open_loop)
        return;
    for (uint32_t i = 0; i < e->opt->connection_cnt && may_ask_more(e); i++)
        if (e->conn[i].is_free)
            ask(e, &e->conn[i], e->now);
}

/* One connection to each target, and when these are open, or failed, the others: a kernel keeps some hundred
 * frames for a neighbour that it is still looking for, and loses the SYNs beyond. */
static uint32_t may_be_tried(const struct engine *e)
{
    uint32_t cnt = e->opt->connection_cnt,
             first = e->opt->target_cnt < cnt ? e->opt->target_cnt : cnt;
    return e->known_cnt >= first ? cnt : first;
}

/* The load begins once every connection was tried; those that failed are tried again all the while, so
 * that there need not be a time when none is on its way. */
static void open_all(struct engine *e)
{
    while (e->tried_cnt < may_be_tried(e) && e->opening_cnt < OPENING_MAX && !e->stopping)
        open_conn(e, &e->conn[e->tried_cnt]);
    if (e->known_cnt == e->opt->connection_cnt)
        begin(e);
}

static bool is_over(struct engine *e)
{
    const struct load_options *opt = e->opt;
    bool none_due = load_supply_next_at(&e->supply) == LOAD_NEVER;
    bool room = e->supply.backlog.cnt < e->supply.backlog.room;
    if (e->begun && opt->duration_ns > 0 && e->now >= e->zero_at + opt->duration_ns &&
        (none_due || !room))
        stop(e);
    bool all_asked = opt->open_loop
                         ? load_supply_all_drawn(&e->supply) && e->supply.backlog.cnt == 0
                         : !may_ask_more(e);
    return (e->stopping || (e->begun && all_asked)) && e->in_flight == 0;
}

static uint64_t sleep_time(const struct engine *e)
{
    uint64_t until = e->tick_at;
    if (sends(e)) {
        uint64_t next = load_supply_next_at(&e->supply);
        bool room = e->supply.backlog.cnt < e->supply.backlog.room;
        if (next != LOAD_NEVER && room && e->begun_at + next < until)
            until = e->begun_at + next;
        if (e->opt->duration_ns > 0 && e->zero_at + e->opt->duration_ns < until)
            until = e->zero_at + e->opt->duration_ns;
    }
    return until > e->now ? until - e->now : 0;
}

static void loop(struct engine *e)
{
    struct load_event ev[EVENT_MAX];
    e->now = e->t->ops->now(e->t);
    while (!is_over(e)) {
        if (e->now >= e->tick_at)
            tick(e);
        if (e->begun)
            load_progress_tell(&e->progress, e->result, e->now);
        else
            open_all(e);
        ask_what_is_due(e);
        unsigned n = e->t->ops->wait(e->t, ev, EVENT_MAX, sleep_time(e));
        e->now = e->t->ops->now(e->t);
        for (unsigned i = 0; i < n; i++)
            take_event(e, &ev[i]);
    }
}

/* ---- the end ---- */

/* Due, and never sent: they have waited at least so long. */
static void count_unsent(struct engine *e, uint64_t at, uint64_t cnt)
{
    uint64_t due_at = e->begun_at + at, end_at = e->now;
    if (due_at < e->zero_at)
        return;
    e->result->never_sent += cnt;
    capy_hist_add_many(&e->result->latency_ns, end_at > due_at ? end_at - due_at : 0, cnt);
}

/* The same of those for which there was not even room to wait. */
static void count_undrawn(struct engine *e, uint64_t at, uint64_t cnt)
{
    uint64_t due_at = e->begun_at + at;
    if (due_at < e->zero_at || cnt == 0)
        return;
    e->result->due += cnt;
    load_timeline_due(&e->result->timeline, due_at - e->zero_at, cnt);
    count_unsent(e, at, cnt);
}

static void count_waiting(struct engine *e)
{
    uint64_t at, until = e->now - e->begun_at;
    uint32_t conn;
    for (uint32_t i = 0; i < e->opt->connection_cnt; i++)
        while (load_supply_waiting(&e->supply, i, &at))
            count_unsent(e, at, 1);
    for (uint32_t i = 0; i < DRAWN_MAX && load_supply_draw(&e->supply, until, &at, &conn); i++)
        count_undrawn(e, at, 1);
    /* Still more: nobody wants to wait until each of a thousand million is drawn. */
    uint64_t from = load_supply_next_at(&e->supply);
    for (uint64_t i = 1; i <= SLICES && from < until; i++) {
        uint64_t to = from + (until - from) / SLICES * i;
        count_undrawn(e, to, load_supply_pass(&e->supply, i < SLICES ? to : until));
    }
}

/* How long was measured: until the last answer, or until nothing was due any more if that is later. Not while
 * answers were awaited that never came, or the rate would be that of a time in which nobody asked. */
static uint64_t measured_ns(const struct engine *e)
{
    uint64_t until = e->stopping ? e->stopped_at : e->now;
    if (until < e->answered_at)
        until = e->answered_at;
    return e->begun && until > e->zero_at ? until - e->zero_at : 0;
}

static void end(struct engine *e)
{
    struct load_result *r = e->result;
    const struct load_options *opt = e->opt;
    if (opt->open_loop && e->begun)
        count_waiting(e);
    uint64_t measured = measured_ns(e);
    r->seconds = (double)measured / 1e9;
    load_timeline_end(&r->timeline, measured);
    if (!opt->open_loop)
        r->due = r->requests;
    for (uint32_t i = 0; i < opt->connection_cnt; i++) {
        r->served_by[__builtin_popcountll(e->conn[i].served)]++;
        close_conn(e, &e->conn[i], 0);
    }
    load_progress_end(&e->progress, r, e->now);
}

static int set_up(struct engine *e, char *err, size_t err_len)
{
    const struct load_options *opt = e->opt;
    char host[CAPY_ENDPOINT_TEXT_MAX];
    if (load_supply_init(&e->supply, opt, err, err_len) < 0)
        return -1;
    e->conn = calloc(opt->connection_cnt, sizeof *e->conn);
    if (!e->conn) {
        snprintf(err, err_len, "out of memory for %u connections", opt->connection_cnt);
        load_supply_free(&e->supply);
        return -1;
    }
    for (uint32_t i = 0; i < opt->connection_cnt; i++)
        e->conn[i].target = i % opt->target_cnt;
    for (unsigned i = 0; i < opt->target_cnt; i++)
        load_question_make(&e->question[i], capy_endpoint_host(&opt->target[i], host),
                           opt->service_us, opt->bytes);
    return 0;
}

int load_run(const struct load_options *opt, struct load_transport *t, struct load_result *result,
             char *err, size_t err_len)
{
    static struct engine e; /* its buffer is large */
    e = (struct engine){.opt = opt, .result = result, .t = t, .free_head = NONE, .free_tail = NONE};
    *result = (struct load_result){.rate = opt->open_loop ? opt->phase[0].rate : 0};
    snprintf(result->transport, sizeof result->transport, "%s", t->detail);
    load_timeline_init(&result->timeline, opt->interval_ns);
    if (set_up(&e, err, err_len) < 0)
        return -1;
    loop(&e);
    end(&e);
    free(e.conn);
    load_supply_free(&e.supply);
    return e.signalled ? 1 : 0;
}
