/* What the application asks of a connection. Every call names it by handle; a handle whose slot was
 * freed since is CAPY_E_BADQD, a connection that is frozen or suspended CAPY_E_STATE. */
#include "stack/host.h"
#include "tcp/tuning.h"

/* The connection, to be used now: CAPY_OK or the code for the caller. */
static int usable(struct capy_stack *s, capy_handle h, struct capy_conn **c, uint32_t *idx)
{
    *c = capy_conn_of(s, h, idx);
    if (!*c)
        return CAPY_E_BADQD;
    return (*c)->mode == CAPY_CONN_RUNNING ? CAPY_OK : CAPY_E_STATE;
}

int capy_stack_set(struct capy_stack *s, capy_handle h, enum capy_option option, uint64_t value,
                   uint64_t now)
{
    uint32_t idx;
    struct capy_conn *c;
    capy_now_is(s, now);
    int rc = usable(s, h, &c, &idx);
    if (rc != CAPY_OK)
        return rc;
    struct capy_tcp_env env = capy_env(s);
    rc = capy_tcp_set(&c->tcb, &env, option, value);
    if (s->foreign && rc == CAPY_OK)
        s->foreign->set(s->foreign_ctx, idx, option, value);
    capy_conn_settle(s, idx);
    return rc;
}

int capy_stack_get(struct capy_stack *s, capy_handle h, enum capy_option option, uint64_t *value)
{
    uint32_t idx;
    const struct capy_conn *c = capy_conn_of(s, h, &idx);
    if (!c)
        return CAPY_E_BADQD;
    if ((unsigned)option >= CAPY_OPTION_CNT)
        return CAPY_E_INVAL;
    *value = capy_tcp_get(&c->tcb, option);
    return CAPY_OK;
}

int capy_stack_set_user(struct capy_stack *s, capy_handle h, uint64_t user)
{
    uint32_t idx;
    struct capy_conn *c = capy_conn_of(s, h, &idx);
    if (!c)
        return CAPY_E_BADQD;
    c->user = user;
    return CAPY_OK;
}

int64_t capy_stack_readable(struct capy_stack *s, capy_handle h, bool *fin)
{
    uint32_t idx;
    struct capy_conn *c;
    int rc = usable(s, h, &c, &idx);
    *fin = false;
    if (rc != CAPY_OK)
        return rc;
    *fin = capy_tcp_at_fin(&c->tcb);
    return capy_tcp_readable(&c->tcb);
}

const uint8_t *capy_stack_read_span(struct capy_stack *s, capy_handle h, uint32_t skip,
                                    uint32_t *got)
{
    uint32_t idx;
    struct capy_conn *c;
    *got = 0;
    if (usable(s, h, &c, &idx) != CAPY_OK)
        return NULL;
    struct capy_tcp_env env = capy_env(s);
    return capy_tcp_read_span(&c->tcb, &env, skip, got);
}

int capy_stack_consume(struct capy_stack *s, capy_handle h, uint32_t n, uint64_t now)
{
    uint32_t idx;
    struct capy_conn *c;
    capy_now_is(s, now);
    int rc = usable(s, h, &c, &idx);
    if (rc != CAPY_OK)
        return rc;
    if (n > capy_tcp_readable(&c->tcb))
        return CAPY_E_INVAL;
    struct capy_tcp_env env = capy_env(s);
    capy_tcp_consume(&c->tcb, &env, n);
    if (s->foreign)
        s->foreign->consumed(s->foreign_ctx, idx);
    capy_conn_settle(s, idx);
    return CAPY_OK;
}

static int64_t write_bytes(struct capy_stack *s, capy_handle h, const uint8_t *data, uint32_t len,
                           bool more, uint64_t now)
{
    uint32_t idx;
    struct capy_conn *c;
    capy_now_is(s, now);
    int rc = usable(s, h, &c, &idx);
    if (rc != CAPY_OK)
        return rc;
    if (s->foreign)
        return capy_foreign_write(s, idx, data, len, more);
    struct capy_tcp_env env = capy_env(s);
    int64_t taken = more ? capy_tcp_write_more(&c->tcb, &env, data, len)
                         : capy_tcp_write(&c->tcb, &env, data, len);
    if (taken < 0)
        return taken;
    c->want_write = c->want_write || taken < len;
    capy_conn_settle(s, idx);
    return taken;
}

int64_t capy_stack_write(struct capy_stack *s, capy_handle h, const uint8_t *data, uint32_t len,
                         uint64_t now)
{
    return write_bytes(s, h, data, len, false, now);
}

int64_t capy_stack_write_more(struct capy_stack *s, capy_handle h, const uint8_t *data,
                              uint32_t len, uint64_t now)
{
    return write_bytes(s, h, data, len, true, now);
}

int capy_stack_shutdown(struct capy_stack *s, capy_handle h, uint64_t now)
{
    uint32_t idx;
    struct capy_conn *c;
    capy_now_is(s, now);
    int rc = usable(s, h, &c, &idx);
    if (rc != CAPY_OK)
        return rc;
    if (s->foreign)
        return CAPY_E_STATE; /* half-closed, it could not be told from one that moves */
    struct capy_tcp_env env = capy_env(s);
    capy_tcp_shutdown(&c->tcb, &env);
    capy_conn_settle(s, idx);
    return CAPY_OK;
}

int capy_stack_close(struct capy_stack *s, capy_handle h, uint64_t now)
{
    uint32_t idx;
    struct capy_conn *c;
    capy_now_is(s, now);
    int rc = usable(s, h, &c, &idx);
    if (rc != CAPY_OK)
        return rc;
    capy_conn_forget(s, idx);
    if (c->asked)
        capy_origin_veto(s, idx);
    if (s->foreign) {
        capy_foreign_let_go(s, idx);
        return CAPY_OK;
    }
    struct capy_tcp_env env = capy_env(s);
    c->want_write = false;
    capy_tcp_close(&c->tcb, &env);
    if (c->tcb.state == CAPY_TCP_CLOSED)
        capy_conn_end(s, idx, 0); /* it was not open yet: nothing to say (RFC 9293 §3.10.4) */
    else
        capy_conn_settle(s, idx);
    return CAPY_OK;
}

int capy_stack_abort(struct capy_stack *s, capy_handle h, uint64_t now)
{
    uint32_t idx;
    struct capy_conn *c;
    capy_now_is(s, now);
    int rc = usable(s, h, &c, &idx);
    if (rc != CAPY_OK)
        return rc;
    capy_conn_forget(s, idx);
    capy_conn_reset(s, idx, 0);
    return CAPY_OK;
}
