/* Carrying: every connection of one stack into a fresh one of the same configuration, at the same
 * time, without TCPMig. The record of a connection is its place in the host, then its value: the
 * snapshot that CONN_STATE carries (tcp/snapshot.h) for synchronized connections; for the others,
 * which no migration moves, the snapshot's head and their few bytes. Records go from a stack to
 * one built of the same source, so they carry no version of their own.
 *
 * Memory: the caller's buffer; the new stack's blocks. */
#include "stack/host.h"
#include "tcp/codec.h"
#include "tcp/open.h"
#include "tcp/position.h"
#include "tcp/snapshot.h"
#include "tcp/snapshot_head.h"

#define PLACE_MAX 128u /* bytes of everything that walk_place writes */

enum { KNOWN = 1, HAS_NEXT_HOP = 2, WANT_WRITE = 4, HALF_OPEN = 8, FLAGS_END = 16 };

/* Gathers, writes or reads, spreads: one of the last two has nothing to change. */
static void walk_flags(struct capy_codec *c, struct capy_conn *conn)
{
    uint8_t flags =
        (uint8_t)((conn->known ? KNOWN : 0) | (conn->has_next_hop ? HAS_NEXT_HOP : 0) |
                  (conn->want_write ? WANT_WRITE : 0) | (conn->half_open ? HALF_OPEN : 0));
    capy_codec_u8(c, &flags);
    if (flags >= FLAGS_END)
        capy_codec_fail(c);
    conn->known = flags & KNOWN;
    conn->has_next_hop = flags & HAS_NEXT_HOP;
    conn->want_write = flags & WANT_WRITE;
    conn->half_open = flags & HALF_OPEN;
}

static void walk_place(struct capy_codec *c, struct capy_conn *conn, uint16_t *listener_port)
{
    walk_flags(c, conn);
    capy_codec_bytes(c, conn->remote.b, sizeof conn->remote.b);
    capy_codec_u16(c, &conn->remote_port);
    capy_codec_u16(c, &conn->local_port);
    capy_codec_u16(c, &conn->home);
    capy_codec_u16(c, &conn->home_port);
    capy_codec_u16(c, listener_port);
    capy_codec_fixed64(c, &conn->user);
    capy_codec_u32(c, &conn->epoch);
    capy_codec_u8(c, &conn->tcb.state);
}

/* ---- out ---- */

/* Of a connection that is not synchronized: the head, what is unread and what is unsent. */
static uint32_t write_part(struct capy_stack *s, struct capy_conn *conn,
                           const struct capy_snap_meta *meta, uint8_t *out, uint32_t cap)
{
    struct capy_tcp_env env = capy_env(s);
    uint8_t head[CAPY_SNAP_HEAD_MAX];
    struct capy_codec c = {.p = head, .max = sizeof head, .now = s->now};
    struct capy_tcp copy = conn->tcb;
    struct capy_snap_meta m = *meta;
    capy_snap_head_walk(&c, &copy, &env, NULL, &m);
    struct capy_tcp *tcb = &conn->tcb;
    uint32_t unread = capy_tcp_readable(tcb), unsent = capy_tcp_unacked(tcb);
    CAPY_ASSERT(!c.bad && tcb->rcv.ooo == 0);
    if (c.at + unread + unsent <= cap) {
        memcpy(out, head, c.at);
        if (unread > 0)
            capy_stream_read(&tcb->rcv.queue, &s->blocks, tcb->rcv.queue.start, out + c.at, unread);
        if (unsent > 0)
            capy_stream_read(&tcb->snd.queue, &s->blocks, tcb->snd.queue.start, out + c.at + unread,
                             unsent);
    }
    return c.at + unread + unsent;
}

static uint32_t write_value(struct capy_stack *s, struct capy_conn *conn, uint8_t *out,
                            uint32_t cap)
{
    struct capy_tcp_env env = capy_env(s);
    struct capy_snap_meta meta = {conn->next_hop, conn->app_len, conn->user_flags};
    struct capy_snap snap;
    if (!capy_conn_synchronized(conn))
        return write_part(s, conn, &meta, out, cap);
    capy_snap_take(&snap, &conn->tcb, &env, &meta, &conn->app);
    uint32_t len = capy_snap_len(&snap);
    if (len <= cap)
        capy_snap_read(&snap, &s->blocks, 0, out, len);
    return len;
}

uint32_t capy_stack_carry_out(struct capy_stack *s, uint32_t *cursor, uint8_t *out, uint32_t cap)
{
    while (*cursor < s->cfg.conn_max && s->conns[*cursor].mode != CAPY_CONN_RUNNING)
        (*cursor)++;
    if (*cursor == s->cfg.conn_max)
        return 0;
    struct capy_conn *conn = &s->conns[*cursor];
    uint8_t place[PLACE_MAX];
    struct capy_codec c = {.p = place, .max = sizeof place, .now = s->now};
    uint16_t listener_port = conn->half_open ? s->listeners[conn->listener].port : 0;
    walk_place(&c, conn, &listener_port);
    CAPY_ASSERT(!c.bad);
    uint32_t room = cap > c.at ? cap - c.at : 0;
    uint32_t len = c.at + write_value(s, conn, out + (room > 0 ? c.at : 0), room);
    if (len > cap)
        return len;
    memcpy(out, place, c.at);
    (*cursor)++;
    return len;
}

/* ---- in ---- */

/* Bytes n at p behind what the stream begins with. */
static bool fill(struct capy_stack *s, struct capy_stream *stream, const uint8_t *p, uint32_t n)
{
    return n == 0 || capy_stream_write(stream, &s->blocks, stream->start, p, n) == CAPY_OK;
}

static int read_part(struct capy_stack *s, struct capy_conn *conn, struct capy_snap_meta *meta,
                     const uint8_t *in, uint32_t len)
{
    struct capy_tcp_env env = capy_env_with(s, &conn->remote);
    struct capy_tcp *tcb = &conn->tcb;
    struct capy_tcp_marks none;
    struct capy_codec c = {.p = (uint8_t *)in,
                           .max = capy_min32(len, CAPY_SNAP_HEAD_MAX),
                           .decoding = true,
                           .now = s->now};
    uint8_t state = tcb->state; /* of its place */
    capy_tcp_blank(tcb);
    if (capy_snap_head_walk(&c, tcb, &env, &none, meta) || c.bad || meta->app_len > 0 ||
        tcb->state != state)
        return CAPY_E_FORMAT;
    if (tcb->snd.una == CAPY_TCP_POS_SYN) { /* the walk takes una for the queue's first byte */
        tcb->snd.end += CAPY_TCP_POS_DATA - CAPY_TCP_POS_SYN;
        capy_stream_init(&tcb->snd.queue, CAPY_TCP_POS_DATA);
    }
    uint32_t unread = capy_tcp_readable(tcb), unsent = capy_tcp_unacked(tcb);
    if ((uint64_t)c.at + unread + unsent != len)
        return CAPY_E_FORMAT;
    if (fill(s, &tcb->rcv.queue, in + c.at, unread) &&
        fill(s, &tcb->snd.queue, in + c.at + unread, unsent))
        return CAPY_OK;
    capy_tcp_free(tcb, &env);
    return CAPY_E_NOMEM;
}

static int read_value(struct capy_stack *s, struct capy_conn *conn, struct capy_snap_meta *meta,
                      const uint8_t *in, uint32_t len)
{
    struct capy_tcp_env env = capy_env_with(s, &conn->remote);
    const struct capy_snap_source whole = {.piece = in};
    if (!capy_conn_synchronized(conn))
        return read_part(s, conn, meta, in, len);
    uint8_t state = conn->tcb.state;
    int rc = capy_snap_restore(&whole, len, &conn->tcb, &env, meta, &conn->app);
    if (rc != CAPY_OK || conn->tcb.state == state)
        return rc;
    capy_tcp_free(&conn->tcb, &env); /* it was decoded, and is none that we wrote */
    capy_stream_clear(&conn->app, &s->blocks);
    return CAPY_E_FORMAT;
}

static bool is_home(const struct capy_stack *s, uint16_t home)
{
    return home == s->cfg.self || home == CAPY_HOME_VIP || home < CAPY_STACK_PEER_MAX;
}

/* The connection runs here from now on. */
static void settle_in(struct capy_stack *s, uint32_t idx, struct capy_listener *l)
{
    struct capy_conn *conn = &s->conns[idx];
    uint32_t epoch = conn->epoch;
    conn->mode = CAPY_CONN_RUNNING;
    conn->epoch = 0;
    if (l) {
        conn->listener = (uint16_t)(l - s->listeners);
        l->syn_cnt++;
    }
    capy_demux_insert(s, idx);
    capy_conn_set_epoch(s, idx, epoch);
    capy_conn_settle(s, idx);
}

int capy_stack_carry_in(struct capy_stack *s, const uint8_t *in, uint32_t len, capy_handle *out,
                        uint64_t *user)
{
    uint32_t idx = capy_conn_take(s);
    if (idx == CAPY_NONE)
        return CAPY_E_NOMEM;
    struct capy_conn *conn = &s->conns[idx];
    struct capy_codec c = {.p = (uint8_t *)in, .max = len, .decoding = true, .now = s->now};
    struct capy_snap_meta meta = {0};
    uint16_t listener_port = 0;
    walk_place(&c, conn, &listener_port);
    struct capy_listener *l = conn->half_open ? capy_listener_of(s, listener_port) : NULL;
    bool sound = !c.bad && conn->tcb.state < CAPY_TCP_STATE_CNT && is_home(s, conn->home) &&
                 (conn->half_open ? l != NULL : listener_port == 0);
    int rc = sound ? read_value(s, conn, &meta, in + c.at, len - c.at) : CAPY_E_FORMAT;
    if (rc != CAPY_OK) {
        conn->mode = CAPY_CONN_FREE;
        capy_pool_give(&s->conn_pool, idx);
        return rc;
    }
    conn->app_len = meta.app_len;
    conn->user_flags = meta.user_flags;
    conn->next_hop = meta.next_hop;
    settle_in(s, idx, l);
    *out = conn->known ? capy_conn_handle(s, idx) : CAPY_HANDLE_NONE;
    *user = conn->user;
    return CAPY_OK;
}

void capy_stack_carry_host(struct capy_stack *from, struct capy_stack *to)
{
    capy_now_is(from, to->now); /* what remains of a timer is counted from now */
    CAPY_ASSERT(from->cfg.listener_max == to->cfg.listener_max);
    for (uint32_t i = 0; i < from->cfg.listener_max; i++) {
        to->listeners[i] = from->listeners[i];
        to->listeners[i].syn_cnt = 0; /* counted again as they come in */
    }
    memcpy(to->port_counters, from->port_counters, sizeof to->port_counters);
    capy_rate_carry(from, to);
}

/* ---- what a socket layer asks beside the calls of calls.c ---- */

int64_t capy_stack_room(struct capy_stack *s, capy_handle h)
{
    uint32_t idx;
    struct capy_conn *c = capy_conn_of(s, h, &idx);
    struct capy_tcp_env env = capy_env(s);
    return c ? (int64_t)capy_tcp_room(&c->tcb, &env) : CAPY_E_BADQD;
}

int capy_stack_set_nagle(struct capy_stack *s, capy_handle h, bool nagle)
{
    uint32_t idx;
    struct capy_conn *c = capy_conn_of(s, h, &idx);
    if (!c)
        return CAPY_E_BADQD;
    c->tcb.tune.nagle = nagle;
    capy_conn_settle(s, idx);
    return CAPY_OK;
}

int capy_stack_conn_more(struct capy_stack *s, capy_handle h, struct capy_stack_conn_more *out)
{
    uint32_t idx;
    const struct capy_conn *c = capy_conn_of(s, h, &idx);
    if (!c)
        return CAPY_E_BADQD;
    const struct capy_tcp *tcb = &c->tcb;
    *out = (struct capy_stack_conn_more){.snd_mss = tcb->snd.mss,
                                         .rcv_mss = tcb->rcv.mss,
                                         .snd_wscale = tcb->snd.wscale,
                                         .rcv_wscale = tcb->rcv.wscale,
                                         .timestamps = tcb->ts_ok,
                                         .sack = tcb->sack_ok,
                                         .window_scale = tcb->wscale_ok,
                                         .rttvar_ns = tcb->rtt.rttvar_ns};
    return CAPY_OK;
}
