/* Active open (RFC 9293 §3.10.1), with a local port of our choosing: the double-hash algorithm of
 * RFC 6056 §3.3.4. Toward one remote service ports are taken in turn from a secret offset, so that
 * none is used again soon; and a peer that watches its own sees nothing of what we open elsewhere,
 * since the turn is counted apart for each of many groups of services. */
#include "stack/host.h"

#define EPHEMERAL_FIRST 32768u /* of a host in no rack, and when the movable ones are used up */

/* Ports first .. first + step * cnt, each step-th. */
struct ports {
    uint32_t first, cnt, step;
};

/* Our share of those that keep their number wherever the connection goes. */
static struct ports movable_ports(const struct capy_stack *s)
{
    uint32_t n = s->cfg.peer_cnt, end = s->cfg.mig_port_first;
    if (n == 0 || end <= CAPY_OPENED_PORT_CNT)
        return (struct ports){0};
    uint32_t first = end - CAPY_OPENED_PORT_CNT;
    first += (s->cfg.self + n - first % n) % n;
    return (struct ports){first, (end - first + n - 1) / n, n};
}

/* RFC 6335 §6 dynamic ports, below or above all that the rack uses for moving. */
static struct ports other_ports(const struct capy_stack *s)
{
    uint32_t first = EPHEMERAL_FIRST, end = UINT16_MAX;
    if (s->cfg.peer_cnt > 0 && s->cfg.mig_port_first > first + CAPY_OPENED_PORT_CNT)
        end = s->cfg.mig_port_first - CAPY_OPENED_PORT_CNT;
    else if (s->cfg.peer_cnt > 0)
        first = capy_max32(first, (uint32_t)s->cfg.mig_port_first + s->cfg.mig_port_cnt);
    return (struct ports){first, end > first ? end - first : 0, 1};
}

/* The name is a flow's that runs here, or that was opened here and lives on another server now. */
static bool is_taken(struct capy_stack *s, const struct capy_ip *remote, uint16_t remote_port,
                     uint16_t port)
{
    if (capy_demux_find(s, remote, remote_port, port) != CAPY_NONE)
        return true;
    if (s->cfg.peer_cnt == 0)
        return false;
    const struct capy_flow_key key = {*remote, capy_net_of(s, remote)->ip, remote_port, port};
    const struct capy_mig_record *r = capy_mig_memory_find(&s->memory, &key);
    return r && r->left_epoch > 0;
}

/* A free one toward remote, 0 when all are taken. */
static uint16_t choose_among(struct capy_stack *s, struct ports p, const struct capy_ip *remote,
                             uint16_t remote_port)
{
    struct capy_tuple t = {*remote, capy_net_of(s, remote)->ip, remote_port, 0};
    uint64_t hash = capy_siphash24(s->port_key, (const uint8_t *)&t, sizeof t);
    uint32_t offset = (uint32_t)hash; /* F and G of the algorithm: halves of one keyed hash */
    uint32_t *counter = &s->port_counters[(hash >> 32) % CAPY_PORT_COUNTERS];
    for (uint32_t i = 0; i < p.cnt; i++) {
        uint16_t port = (uint16_t)(p.first + (offset + (*counter)++) % p.cnt * p.step);
        if (!is_taken(s, remote, remote_port, port) && !capy_listener_of(s, port))
            return port;
    }
    return 0;
}

static uint16_t choose_port(struct capy_stack *s, const struct capy_ip *remote,
                            uint16_t remote_port)
{
    uint16_t port = choose_among(s, movable_ports(s), remote, remote_port);
    return port != 0 ? port : choose_among(s, other_ports(s), remote, remote_port);
}

int capy_stack_connect(struct capy_stack *s, const struct capy_ip *ip, uint16_t port,
                       uint16_t local_port, uint64_t user, capy_handle *out, uint64_t now)
{
    capy_now_is(s, now);
    if (s->foreign)
        return CAPY_E_STATE; /* the other TCP opens none for us */
    /* RFC 9293 MUST-46: no OPEN to an address that cannot be one host's. */
    if (port == 0 || capy_in_mig_range(s, local_port) || capy_vip_service_of(s, local_port) != 0 ||
        !capy_net_of(s, ip)->on || capy_is_martian(s, ip))
        return CAPY_E_INVAL;
    if (!capy_net_reaches(capy_net_of(s, ip), ip))
        return CAPY_E_UNREACHABLE;
    if (local_port == 0)
        local_port = choose_port(s, ip, port);
    else if (is_taken(s, ip, port, local_port))
        return CAPY_E_INUSE;
    uint32_t idx = local_port == 0 ? CAPY_NONE : capy_conn_take(s);
    if (idx == CAPY_NONE)
        return CAPY_E_NOMEM;
    struct capy_conn *c = &s->conns[idx];
    struct capy_tcp_env env = capy_env_with(s, ip);
    uint32_t ts_offset;
    c->mode = CAPY_CONN_RUNNING;
    c->remote = *ip;
    c->remote_port = port;
    c->local_port = c->home_port = local_port;
    c->user = user;
    c->known = c->opened = true;
    struct capy_tuple tuple = capy_conn_tuple(s, c);
    struct capy_seq iss = capy_isn(s, &tuple, &ts_offset);
    if (s->cfg.peer_cnt > 0) {
        const struct capy_flow_key key = capy_conn_key(s, c);
        capy_closed_forget(s, &key);
    }
    capy_tcp_open_active(&c->tcb, &env, iss, ts_offset);
    capy_demux_insert(s, idx);
    capy_conn_settle(s, idx);
    *out = capy_conn_handle(s, idx);
    return CAPY_OK;
}
