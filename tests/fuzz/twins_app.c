/* The applications of the twins and of their peer (twins.h). The twins' is one: it makes each call
 * twice and gets each answer twice. */
#include "target.h"
#include "twins.h"

#define CHUNK_MAX 8192u
#define LIVES_MAX 4u

/* The hosts of a side: first and behind the last. */
struct hosts {
    unsigned first, end;
};

static struct hosts hosts_of(bool peer)
{
    return peer ? (struct hosts){TWINS_PEER, TWINS_HOSTS} : (struct hosts){TWINS_STAYS, TWINS_PEER};
}

static uint8_t pattern(bool peer, uint64_t i)
{
    return (uint8_t)((i * 0x9e3779b97f4a7c15u >> 32) + peer);
}

static void check_equal(const char *what, int64_t stays, int64_t moves)
{
    fuzz_check(stays == moves, "%s: %lld at the one that stays, %lld at the one that moves", what,
               (long long)stays, (long long)moves);
}

/* ---- events -------------------------------------------------------------------------------- */

/* Its bits; the end learns of new and dead connections. */
static bool take_event(struct twins *t, unsigned h, uint32_t *bits)
{
    struct capy_stack_event ev;
    struct twins_end *e = &t->end[h];
    *bits = 0;
    if (!capy_stack_event(t->host[h], &ev))
        return false;
    *bits = ev.bits;
    if (ev.bits & CAPY_EV_ACCEPTED && e->conn == CAPY_HANDLE_NONE)
        *e = (struct twins_end){.conn = ev.conn};
    if (ev.bits & CAPY_EV_ANY_DEAD && e->conn == ev.conn)
        e->conn = CAPY_HANDLE_NONE;
    return true;
}

static void take_events(struct twins *t, bool peer)
{
    uint32_t bits, other;
    if (peer) {
        while (take_event(t, TWINS_PEER, &bits))
            ;
        return;
    }
    bool more;
    do {
        more = take_event(t, TWINS_STAYS, &bits);
        check_equal("events", more, take_event(t, TWINS_MOVES, &other));
        check_equal("event bits", bits, other);
    } while (more);
}

/* ---- calls --------------------------------------------------------------------------------- */

static int64_t read_one(struct twins *t, unsigned h, uint32_t max)
{
    struct twins_end *e = &t->end[h];
    const uint8_t *span;
    uint32_t got, sum = 0;
    bool fin;
    int64_t readable = capy_stack_readable(t->host[h], e->conn, &fin);
    while (sum < max && (span = capy_stack_read_span(t->host[h], e->conn, 0, &got)) != NULL) {
        got = capy_min32(got, max - sum);
        for (uint32_t i = 0; i < got; i++)
            fuzz_check(span[i] == pattern(h != TWINS_PEER, e->read + i) || t->forge > 0,
                       "byte %llu of the stream is wrong", (unsigned long long)e->read + i);
        fuzz_check(capy_stack_consume(t->host[h], e->conn, got, t->now) == CAPY_OK, "consume");
        e->read += got;
        sum += got;
    }
    return readable < 0 ? readable : (int64_t)sum << 1 | fin;
}

static int64_t write_one(struct twins *t, unsigned h, uint32_t len, bool more)
{
    uint8_t data[CHUNK_MAX];
    struct twins_end *e = &t->end[h];
    for (uint32_t i = 0; i < len; i++)
        data[i] = pattern(h == TWINS_PEER, e->written + i);
    int64_t took = more ? capy_stack_write_more(t->host[h], e->conn, data, len, t->now)
                        : capy_stack_write(t->host[h], e->conn, data, len, t->now);
    e->written += took > 0 ? (uint64_t)took : 0;
    return took;
}

enum call { READ, WRITE, WRITE_MORE, SHUTDOWN, CLOSE, ABORT, SET };

static int64_t call_one(struct twins *t, unsigned h, enum call call, uint32_t n, uint64_t value)
{
    struct capy_stack *s = t->host[h];
    capy_handle conn = t->end[h].conn;
    switch (call) {
    case READ:
        return read_one(t, h, n);
    case WRITE:
    case WRITE_MORE:
        return write_one(t, h, n, call == WRITE_MORE);
    case SHUTDOWN:
        return capy_stack_shutdown(s, conn, t->now);
    case CLOSE:
        t->end[h].conn = CAPY_HANDLE_NONE;
        return capy_stack_close(s, conn, t->now);
    case ABORT:
        t->end[h].conn = CAPY_HANDLE_NONE;
        return capy_stack_abort(s, conn, t->now);
    case SET:
        return capy_stack_set(s, conn, (enum capy_option)n, value, t->now);
    }
    return 0;
}

static void call(struct twins *t, bool peer, enum call what, uint32_t n, uint64_t value)
{
    static const char *const names[] = {"read",  "write", "write_more", "shutdown",
                                        "close", "abort", "set"};
    struct hosts hosts = hosts_of(peer);
    int64_t said = call_one(t, hosts.first, what, n, value);
    if (!peer)
        check_equal(names[what], said, call_one(t, TWINS_MOVES, what, n, value));
}

/* ---- habits -------------------------------------------------------------------------------- */

static void set_something(struct twins *t, bool peer)
{
    uint8_t what = fuzz_u8(t->b), value = fuzz_u8(t->b);
    static const struct {
        uint8_t option;
        uint64_t unit;
    } settings[] = {
        {CAPY_OPTION_NAGLE, 1},
        {CAPY_OPTION_CORK, 1},
        {CAPY_OPTION_KEEPALIVE, 1},
        {CAPY_OPTION_KEEP_IDLE_NS, CAPY_SEC(1)},
        {CAPY_OPTION_CONGESTION, 1},
        {CAPY_OPTION_DELAYED_ACK_NS, CAPY_MS(4)},
        {CAPY_OPTION_USER_TIMEOUT_NS, CAPY_MS(100)},
        {CAPY_OPTION_SEND_BUFFER, 2048},
        {CAPY_OPTION_RECEIVE_BUFFER, 2048},
        {CAPY_OPTION_MAX_SEGMENT, 16},
        {CAPY_OPTION_KEEP_COUNT, 1},
        {CAPY_OPTION_SACK, 1},
        {CAPY_OPTION_MAX_PACING_RATE, 20000},
        {CAPY_OPTION_MAX_PACING_RATE, 16843009}, /* 255 of it: the window's own pace */
    };
    what %= sizeof settings / sizeof *settings;
    uint64_t flags = settings[what].unit == 1 ? value % 3 : value;
    call(t, peer, SET, settings[what].option, flags * settings[what].unit);
}

static void end_something(struct twins *t, bool peer, uint8_t how)
{
    if (t->steps < t->calm)
        return;
    call(t, peer, how < 4 ? SHUTDOWN : how < 7 ? CLOSE : ABORT, 0, 0);
}

static void stall(struct twins *t, bool peer)
{
    struct hosts hosts = hosts_of(peer);
    for (unsigned h = hosts.first; h < hosts.end; h++)
        t->end[h].stalled = !t->end[h].stalled;
}

void twins_app_turn(struct twins *t, bool peer)
{
    take_events(t, peer);
    struct hosts hosts = hosts_of(peer);
    const struct twins_end *e = &t->end[hosts.first];
    uint8_t act = fuzz_u8(t->b);
    if (!peer)
        check_equal("a connection", t->end[0].conn != CAPY_HANDLE_NONE,
                    t->end[1].conn != CAPY_HANDLE_NONE);
    if (e->conn == CAPY_HANDLE_NONE) {
        if (!peer && act >= 250 && t->lives < LIVES_MAX)
            twins_open(t);
        return;
    }
    if (!e->stalled)
        call(t, peer, READ, act < 160 ? UINT32_MAX : act * 8u, 0);
    if (act < 150)
        return;
    if (act < 215)
        call(t, peer, WRITE, 1 + (fuzz_u8(t->b) << (act % 6)) % CHUNK_MAX, 0);
    else if (act < 222)
        call(t, peer, WRITE_MORE, 1 + fuzz_u8(t->b) * 4u, 0);
    else if (act < 232)
        set_something(t, peer);
    else if (act < 240)
        end_something(t, peer, act - 232);
    else if (act < 248)
        stall(t, peer);
}

/* ---- opening ------------------------------------------------------------------------------- */

static void connect(struct twins *t, bool peer, uint16_t from, uint16_t to)
{
    struct capy_ip ip = twins_ip(t, !peer);
    struct hosts hosts = hosts_of(peer);
    int rc[TWINS_HOSTS];
    for (unsigned h = hosts.first; h < hosts.end; h++) {
        capy_handle conn;
        rc[h] = capy_stack_connect(t->host[h], &ip, to, from, 0, &conn, t->now);
        if (rc[h] == CAPY_OK)
            t->end[h] = (struct twins_end){.conn = conn};
    }
    if (!peer)
        check_equal("connect", rc[TWINS_STAYS], rc[TWINS_MOVES]);
}

void twins_open(struct twins *t)
{
    enum { TO_TWINS = 5000, BY_TWINS = 6000, TWINS_BOTH = 6001, PEER_BOTH = 7001 };
    uint8_t how = fuzz_u8(t->b);
    t->lives++;
    if (t->end[TWINS_PEER].conn != CAPY_HANDLE_NONE) { /* an end that is left of the last one */
        call(t, true, ABORT, 0, 0);
    }
    if (how % 8 < 4) {
        connect(t, true, TO_TWINS, TWINS_PORT);
    } else if (how % 8 < 7) {
        connect(t, false, how & 8 ? 0 : BY_TWINS, TWINS_PORT);
    } else { /* at once: RFC 9293 §3.5 figure 8 */
        connect(t, true, PEER_BOTH, TWINS_BOTH);
        connect(t, false, TWINS_BOTH, PEER_BOTH);
    }
}
