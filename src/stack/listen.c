/* Listeners and the passive open (RFC 9293 §3.10.7.2). A listener is a port and a bound on
 * half-open connections; beyond it SYNs are answered with cookies (cookie.c), which keep nothing.
 * A paused listener, whose application has not accepted what it has, opens nothing: SYNs and the ACKs
 * that would complete a handshake are dropped, and clients repeat them. */
#include "stack/host.h"
#include "tcp/tuning.h"

struct capy_listener *capy_listener_of(struct capy_stack *s, uint16_t port)
{
    for (uint32_t i = 0; port != 0 && i < s->cfg.listener_max; i++)
        if (s->listeners[i].port == port)
            return &s->listeners[i];
    return NULL;
}

int capy_stack_listen(struct capy_stack *s, uint16_t port, uint64_t user)
{
    if (port == 0 || capy_in_mig_range(s, port) || capy_is_opened_port(s, port) ||
        capy_vip_service_of(s, port) != 0)
        return CAPY_E_INVAL;
    if (capy_listener_of(s, port))
        return CAPY_E_INUSE;
    for (uint32_t i = 0; i < s->cfg.listener_max; i++) {
        if (s->listeners[i].port == 0) {
            int rc = s->foreign ? s->foreign->listen(s->foreign_ctx, port) : CAPY_OK;
            if (rc != CAPY_OK)
                return rc;
            s->listeners[i] = (struct capy_listener){.user = user, .port = port};
            capy_tcp_tuning_default(&s->listeners[i].tuning, &s->cfg.tcp);
            return CAPY_OK;
        }
    }
    return CAPY_E_NOMEM;
}

int capy_stack_listener_set(struct capy_stack *s, uint16_t port, enum capy_option option,
                            uint64_t value)
{
    struct capy_listener *l = capy_listener_of(s, port);
    if (!l)
        return CAPY_E_BADQD;
    l->cookies_until = 0; /* those that are out promised what was set before */
    return capy_tcp_tuning_set(&l->tuning, &s->cfg.tcp, option, value);
}

int capy_stack_listener_get(const struct capy_stack *s, uint16_t port, enum capy_option option,
                            uint64_t *value)
{
    const struct capy_listener *l = capy_listener_of((struct capy_stack *)s, port);
    if (!l)
        return CAPY_E_BADQD;
    if ((unsigned)option >= CAPY_OPTION_CNT)
        return CAPY_E_INVAL;
    *value = capy_tcp_tuning_get(&l->tuning, option);
    return CAPY_OK;
}

int capy_stack_take_opened(struct capy_stack *s, uint64_t user)
{
    if (s->takes_opened)
        return CAPY_E_INUSE;
    s->opened.user = user;
    s->takes_opened = true;
    return CAPY_OK;
}

void capy_stack_refuse_opened(struct capy_stack *s)
{
    s->takes_opened = false;
}

struct capy_listener *capy_listener_of_arrival(struct capy_stack *s, bool opened,
                                               uint16_t home_port)
{
    if (opened)
        return s->takes_opened ? &s->opened : NULL;
    return capy_listener_of(s, home_port);
}

int capy_stack_unlisten(struct capy_stack *s, uint16_t port)
{
    struct capy_listener *l = capy_listener_of(s, port);
    if (!l)
        return CAPY_E_INVAL;
    /* Half-open connections go without a word: the client's next segment is answered with RST. */
    for (uint32_t i = 0; l->syn_cnt > 0 && i < s->cfg.conn_max; i++)
        if (s->conns[i].half_open && s->conns[i].listener == l - s->listeners)
            capy_conn_end(s, i, 0);
    CAPY_ASSERT(l->syn_cnt == 0);
    if (s->foreign)
        s->foreign->unlisten(s->foreign_ctx, port);
    *l = (struct capy_listener){0};
    return CAPY_OK;
}

/* RFC 6528 §3: ISN = M + F(tuple, key), M a 4 us clock. The timestamp offset comes from the same
 * function with another last byte (RFC 7323 §7.1: per-connection, unguessable). */
struct capy_seq capy_isn(const struct capy_stack *s, const struct capy_tuple *t,
                         uint32_t *ts_offset)
{
    enum { ISN_TICK_NS = 4000, ISN = 0, TIMESTAMP = 1 };
    uint8_t bytes[sizeof *t + 1];
    memcpy(bytes, t, sizeof *t);
    bytes[sizeof *t] = TIMESTAMP;
    *ts_offset = (uint32_t)capy_siphash24(s->isn_key, bytes, sizeof bytes);
    bytes[sizeof *t] = ISN;
    uint32_t f = (uint32_t)capy_siphash24(s->isn_key, bytes, sizeof bytes);
    return (struct capy_seq){(uint32_t)(s->now / ISN_TICK_NS) + f};
}

void capy_listen_begin(struct capy_stack *s, uint32_t idx, const struct capy_ip *client,
                       uint16_t client_port, uint16_t local_port)
{
    struct capy_conn *c = &s->conns[idx];
    c->mode = CAPY_CONN_RUNNING;
    c->remote = *client;
    c->remote_port = client_port;
    c->local_port = c->home_port = local_port;
    if (capy_vip_service_of(s, local_port) != 0) { /* the switch made its entry */
        c->home = CAPY_HOME_VIP;
        c->home_port = capy_vip_service_of(s, local_port);
        capy_conn_set_epoch(s, idx, 1);
    }
    if (s->cfg.peer_cnt > 0) {
        struct capy_flow_key key = capy_conn_key(s, c);
        capy_closed_forget(s, &key);
    }
}

/* The host's part of a connection that a client opens. */
static void begin(struct capy_stack *s, uint32_t idx, struct capy_listener *l,
                  const struct capy_packet *p)
{
    struct capy_conn *c = &s->conns[idx];
    capy_listen_begin(s, idx, &p->src, p->src_port, p->dst_port);
    capy_learn_next_hop(s, c, p);
    c->half_open = true;
    c->listener = (uint16_t)(l - s->listeners);
    l->syn_cnt++;
}

/* The connection in SYN_RECEIVED that this SYN opens. iss: NULL for a sequence number of RFC 6528's.
 */
static void open_passive(struct capy_stack *s, uint32_t idx, const struct capy_tcp_segment *syn,
                         const struct capy_seq *iss)
{
    struct capy_conn *c = &s->conns[idx];
    struct capy_tcp_env env = capy_listener_env(s, &s->listeners[c->listener], &c->remote);
    struct capy_tuple tuple = capy_conn_tuple(s, c);
    uint32_t ts_offset;
    struct capy_seq fresh = capy_isn(s, &tuple, &ts_offset);
    capy_tcp_open_passive(&c->tcb, &env, syn, iss ? *iss : fresh, ts_offset);
    capy_demux_insert(s, idx);
}

static void syn_input(struct capy_stack *s, struct capy_listener *l, const struct capy_packet *p)
{
    if (!capy_rate_take(s, CAPY_RATE_SYN, &p->src))
        return;
    if (!capy_vip_may_begin(s, p->dst_port)) {
        s->count.vip_too_early++;
        return;
    }
    if (l->paused) {
        s->count.accept_full++;
        return;
    }
    if (l->syn_cnt >= s->cfg.syn_backlog_max) {
        s->count.backlog_full++;
        capy_cookie_answer(s, l, p);
        return;
    }
    uint32_t idx = capy_conn_take(s);
    if (idx == CAPY_NONE) {
        s->count.no_slot++;
        if (s->aged[CAPY_AGE_HALF_OPEN].cnt > 0) /* they will make room; what is open will not */
            capy_cookie_answer(s, l, p);
        return;
    }
    begin(s, idx, l, p);
    open_passive(s, idx, &p->tcp, NULL);
    capy_conn_settle(s, idx);
}

/* A segment that may bring a cookie back. False: it does not. */
static bool cookie_input(struct capy_stack *s, struct capy_listener *l, const struct capy_packet *p)
{
    struct capy_tcp_segment syn;
    if (!capy_cookie_check(s, l, p, &syn))
        return false;
    if (l->paused) { /* the client's next segment tries again */
        s->count.accept_full++;
        return true;
    }
    uint32_t idx = capy_conn_take(s);
    if (idx == CAPY_NONE && capy_age_evict_half_open(s))
        idx = capy_conn_take(s);
    if (idx == CAPY_NONE) {
        s->count.no_slot++;
        return true;
    }
    struct capy_tcp_env env = capy_listener_env(s, l, &p->src);
    struct capy_seq iss = capy_seq_add(p->tcp.ack, UINT32_MAX);
    s->count.syn_cookies_ok++;
    begin(s, idx, l, p);
    open_passive(s, idx, &syn, &iss);
    capy_tcp_syn_ack_left(&s->conns[idx].tcb, &env);
    capy_conn_input(s, idx, p);
    return true;
}

bool capy_listen_overtakes(struct capy_stack *s, uint32_t idx, const struct capy_packet *p)
{
    struct capy_tcp_segment syn;
    const struct capy_conn *c = &s->conns[idx];
    if (capy_seq_eq(p->tcp.ack, capy_seq_add(c->tcb.snd.iss, 1)) ||
        !capy_cookie_check(s, &s->listeners[c->listener], p, &syn))
        return false;
    capy_conn_end(s, idx, 0);
    return true;
}

bool capy_listen_input(struct capy_stack *s, const struct capy_packet *p)
{
    const uint8_t flags = p->tcp.flags;
    const uint16_t service = capy_vip_service_of(s, p->dst_port);
    struct capy_listener *l = capy_listener_of(s, service ? service : p->dst_port);
    if (!l)
        s->count.no_listener++;
    if (!l || flags & CAPY_TCP_RST)
        return false;
    if (s->foreign) /* it is the other TCP's, and came before that listened; a SYN comes again */
        return !(flags & CAPY_TCP_ACK);
    if (flags & CAPY_TCP_ACK)
        return cookie_input(s, l, p);
    /* Neither SYN, nor ACK, nor RST: dropped without a word; nobody means SYN with FIN. */
    if ((flags & (CAPY_TCP_SYN | CAPY_TCP_FIN)) == CAPY_TCP_SYN && p->src_port != 0)
        syn_input(s, l, p);
    return true;
}

int capy_stack_listen_pause(struct capy_stack *s, uint16_t port, bool paused)
{
    struct capy_listener *l = capy_listener_of(s, port);
    if (!l)
        return CAPY_E_INVAL;
    l->paused = paused;
    if (s->foreign)
        s->foreign->pause(s->foreign_ctx, port, paused);
    return CAPY_OK;
}

bool capy_listen_holds_back(struct capy_stack *s, const struct capy_conn *c,
                            const struct capy_packet *p)
{
    if (!c->half_open || !s->listeners[c->listener].paused ||
        (p->tcp.flags & (CAPY_TCP_SYN | CAPY_TCP_RST)))
        return false;
    s->count.accept_full++;
    return true;
}
