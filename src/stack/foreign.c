/* See foreign.h. Everything that tells a connection of another TCP from our own is here, and one line
 * at each of the places that call it. */
#include "stack/host.h"

void capy_stack_set_foreign(struct capy_stack *s, const struct capy_foreign_ops *ops, void *ctx,
                            uint8_t *room, uint32_t room_len)
{
    s->foreign = ops;
    s->foreign_ctx = ctx;
    s->foreign_buf = room;
    s->foreign_max = room_len;
}

/* ---- what it tells ---- */

void capy_foreign_now(struct capy_stack *s, uint64_t now)
{
    capy_now_is(s, now);
}

/* An older connection of this name that closes, or waits for its end to be told, is over: the client
 * has begun anew. False: it is in use, so the new one cannot be. */
static bool make_way(struct capy_stack *s, const struct capy_ip *client, uint16_t client_port,
                     uint16_t local_port)
{
    uint32_t idx = capy_demux_find(s, client, client_port, local_port);
    if (idx == CAPY_NONE)
        return true;
    if (s->conns[idx].mode != CAPY_CONN_RUNNING || s->conns[idx].slot != CAPY_NONE)
        return false;
    capy_conn_end(s, idx, s->conns[idx].known ? CAPY_EV_FINISHED : 0);
    return true;
}

uint32_t capy_foreign_opened(struct capy_stack *s, const struct capy_ip *client,
                             uint16_t client_port, uint16_t local_port)
{
    uint16_t service = capy_vip_service_of(s, local_port);
    struct capy_listener *l = capy_listener_of(s, service ? service : local_port);
    if (!l || !make_way(s, client, client_port, local_port))
        return CAPY_NONE;
    uint32_t idx = capy_conn_take(s);
    if (idx == CAPY_NONE) {
        s->count.no_slot++;
        return CAPY_NONE;
    }
    struct capy_conn *c = &s->conns[idx];
    struct capy_tcp_env env = capy_listener_env(s, l, client);
    capy_tcp_foreign_open(&c->tcb, &env);
    capy_listen_begin(s, idx, client, client_port, local_port);
    c->known = true;
    c->user = l->user;
    capy_demux_insert(s, idx);
    capy_post(s, idx, CAPY_EV_ACCEPTED);
    return idx;
}

uint32_t capy_foreign_wanted(const struct capy_stack *s, uint32_t conn)
{
    const struct capy_tcp *tcb = &s->conns[conn].tcb;
    /* The other half is the socket's: all of it must fit in what a target takes. */
    uint32_t unread = capy_tcp_readable(tcb), most = tcb->tune.rcv_buf / 2;
    return unread < most
               ? capy_stream_room(&tcb->rcv.queue, &s->blocks, tcb->rcv.nxt, most - unread)
               : 0;
}

void capy_foreign_received(struct capy_stack *s, uint32_t conn, const uint8_t *data, uint32_t len)
{
    struct capy_tcp_env env = capy_env(s);
    int rc = capy_tcp_foreign_received(&s->conns[conn].tcb, &env, data, len);
    CAPY_ASSERT(rc == CAPY_OK);
    if (s->conns[conn].known)
        capy_post(s, conn, CAPY_EV_READABLE);
    if (s->blocks.pool.free_cnt < s->tight)
        capy_pressure_begin(s);
}

void capy_foreign_fin(struct capy_stack *s, uint32_t conn)
{
    capy_tcp_foreign_fin(&s->conns[conn].tcb);
    if (s->conns[conn].known)
        capy_post(s, conn, CAPY_EV_READABLE);
}

void capy_foreign_room(struct capy_stack *s, uint32_t conn)
{
    struct capy_conn *c = &s->conns[conn];
    if (!c->want_write || c->mode != CAPY_CONN_RUNNING)
        return;
    c->want_write = false;
    capy_post(s, conn, CAPY_EV_WRITABLE);
}

void capy_foreign_ended(struct capy_stack *s, uint32_t conn, uint32_t bits)
{
    capy_conn_end(s, conn, s->conns[conn].known ? bits : 0);
}

/* ---- what the application asks ---- */

int64_t capy_foreign_write(struct capy_stack *s, uint32_t conn, const uint8_t *data, uint32_t len,
                           bool more)
{
    struct capy_conn *c = &s->conns[conn];
    int64_t taken = s->foreign->write(s->foreign_ctx, conn, data, len, more);
    if (taken > 0)
        capy_tcp_foreign_sent(&c->tcb, (uint32_t)taken);
    if (taken >= 0 && taken < len)
        c->want_write = true;
    return taken;
}

void capy_foreign_let_go(struct capy_stack *s, uint32_t conn)
{
    bool unread = capy_tcp_readable(&s->conns[conn].tcb) > 0;
    s->conns[conn].want_write = false;
    if (!unread) {
        s->foreign->close(s->foreign_ctx, conn);
        return;
    }
    s->foreign->reset(s->foreign_ctx, conn); /* the peer must learn that bytes were lost */
    capy_conn_end(s, conn, 0);
}

/* ---- moving ---- */

int capy_foreign_leave(struct capy_stack *s, uint32_t conn)
{
    struct capy_conn *c = &s->conns[conn];
    struct capy_tcp_env env = capy_env(s);
    struct capy_tcp_foreign f;
    const uint8_t *snd;
    s->foreign->stop(s->foreign_ctx, conn);
    int rc = CAPY_E_STATE;
    if (c->tcb.state == CAPY_TCP_ESTABLISHED && s->foreign->tell(s->foreign_ctx, conn, &f, &snd))
        rc = capy_tcp_foreign_take(&c->tcb, &env, &f, snd);
    if (rc != CAPY_OK)
        s->foreign->go_on(s->foreign_ctx, conn);
    return rc;
}

void capy_foreign_stay(struct capy_stack *s, uint32_t conn)
{
    struct capy_tcp_env env = capy_env(s);
    capy_tcp_foreign_quiet(&s->conns[conn].tcb, &env);
    s->foreign->go_on(s->foreign_ctx, conn);
}

bool capy_foreign_arrive(struct capy_stack *s, uint32_t conn)
{
    struct capy_conn *c = &s->conns[conn];
    struct capy_tcp_env env = capy_env(s);
    struct capy_tuple name = capy_conn_tuple(s, c);
    struct capy_tcp_foreign f;
    bool ok = capy_tcp_foreign_give(&c->tcb, &env, &f) && f.snd_queued <= s->foreign_max;
    if (ok && f.snd_queued > 0)
        capy_stream_read(&c->tcb.snd.queue, &s->blocks, c->tcb.snd.una, s->foreign_buf,
                         f.snd_queued);
    ok = ok && s->foreign->begin(s->foreign_ctx, conn, &name, &f, s->foreign_buf);
    if (ok)
        capy_tcp_foreign_quiet(&c->tcb, &env);
    return ok;
}
