/* The words of the control socket (docs/operating.md, "The control socket"): each takes a request
 * object and returns the answer object. Answers are pages of bounded size; a long list goes on at
 * the "next" that the page before named. */
#include "sock/control.h"
#include "sock/counters.h"
#include "sock/os.h"
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECTION_PAGE 256u /* connections per answer, at most */
#define SAMPLE_PAGE 1024u
#define BAD_CLIENT "client is not \"ADDRESS:PORT\""

static json_t *error_line(const char *text)
{
    return json_pack("{s:s}", "error", text);
}

static json_t *count(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static void set_count(json_t *to, const char *name, uint64_t n)
{
    (void)json_object_set_new(to, name, count(n));
}

static void set_text(json_t *to, const char *name, const char *text)
{
    (void)json_object_set_new(to, name, text ? json_string(text) : json_null());
}

static void set_bool(json_t *to, const char *name, bool value)
{
    (void)json_object_set_new(to, name, json_boolean(value));
}

/* "10.99.0.11:80", "[fd00::11]:80". */
static void set_endpoint(json_t *to, const char *name, const struct capy_ip *ip, uint16_t port)
{
    char ip_text[CAPY_IP_TEXT_MAX], text[CAPY_IP_TEXT_MAX + 8];
    capy_ip_format(ip, ip_text);
    (void)snprintf(text, sizeof text, capy_ip_is_v4(ip) ? "%s:%u" : "[%s]:%u", ip_text, port);
    set_text(to, name, text);
}

/* An address of the rack file; null for none. */
static void set_ip(json_t *to, const char *name, const uint8_t bytes[16])
{
    static const uint8_t none[16];
    char text[CAPY_IP_TEXT_MAX];
    struct capy_ip ip;
    memcpy(ip.b, bytes, sizeof ip.b);
    set_text(to, name, memcmp(bytes, none, sizeof none) ? capy_ip_format(&ip, text) : NULL);
}

/* The server of the rack that has this address, or NULL. */
static const char *server_name(const struct capy *os, const struct capy_ip *ip)
{
    for (unsigned i = 0; i < os->rack.server_cnt; i++)
        if (memcmp(os->rack.server[i].ip, ip->b, sizeof ip->b) == 0 ||
            memcmp(os->rack.server[i].ip6, ip->b, sizeof ip->b) == 0)
            return os->rack.server[i].name;
    return NULL;
}

static json_t *mover_status(const struct capy *os)
{
    const struct capy_mover *m = &os->mover;
    json_t *at = json_object();
    set_bool(at, "draining", m->draining);
    set_count(at, "remaining", os->live_cnt);
    set_count(at, "to_start", m->todo);
    set_count(at, "in_flight", m->in_flight);
    set_count(at, "window", m->flight.window);
    set_count(at, "started", m->started);
    set_count(at, "moved", m->moved);
    set_count(at, "refused", m->refused);
    set_count(at, "took_us", (m->moved_at - m->began_at) / CAPY_US(1));
    set_text(at, "last_verdict", m->verdict ? capy_mig_verdict_name(m->verdict) : NULL);
    set_text(at, "last_reason", m->reason ? capy_mig_reason_name(m->reason) : NULL);
    return at;
}

/* JSON null when nothing is recorded. */
static json_t *recording(const struct capy *os)
{
    struct capy_record_status st;
    if (!os->record)
        return json_null();
    capy_record_status(os->record, &st);
    json_t *at = json_object();
    set_text(at, "file", st.path);
    set_text(at, "state", st.state);
    set_count(at, "calls", st.call_cnt);
    set_count(at, "bytes", st.bytes);
    return at;
}

static json_t *on_status(struct capy *os, const json_t *request)
{
    (void)request;
    struct capy_stack_status st;
    capy_stack_status(os->stack, &st);
    const struct capy_stack_counters *n = capy_stack_counters(os->stack);
    const struct capy_rack_server *me = &os->rack.server[os->self];
    json_t *reply = json_object();
    set_text(reply, "name", me->name);
    set_text(reply, "app", os->label);
    set_text(reply, "driver", os->drv->detail);
    set_text(reply, "device", os->drv->ifname);
    set_ip(reply, "ip", me->ip);
    set_ip(reply, "ip6", me->ip6);
    set_count(reply, "pid", (uint64_t)getpid());
    set_count(reply, "uptime_us", (os->now - os->opened_at) / CAPY_US(1));
    set_count(reply, "load", os->load.value);
    set_count(reply, "connections", os->live_cnt);
    set_count(reply, "tcp_connections", st.conn_cnt);
    set_count(reply, "conn_max", st.conn_max);
    set_count(reply, "away", st.away_cnt);
    set_count(reply, "blocks_free", st.block_free);
    set_count(reply, "blocks", st.block_cnt);
    set_count(reply, "migrating_out", st.origin_cnt);
    set_count(reply, "migrating_in", st.target_cnt);
    set_count(reply, "migrations_out", n->migrations_out);
    set_count(reply, "migrations_in", n->migrations_in);
    set_count(reply, "migrations_automatic", os->trigger.moved_cnt);
    set_bool(reply, "switch_alive", st.switch_alive);
    set_bool(reply, "switch_learning", st.switch_learning);
    set_bool(reply, "draining", os->mover.draining);
    (void)json_object_set_new(reply, "moves", mover_status(os));
    (void)json_object_set_new(reply, "trigger", capy_trigger_json(os));
    (void)json_object_set_new(reply, "recording", recording(os));
    return reply;
}

static json_t *connection(const struct capy *os, const struct capy_stack_conn_info *info)
{
    static const char *const migrating[] = {"no", "asking", "frozen"};
    json_t *at = json_object();
    set_endpoint(at, "client", &info->key.client, info->key.client_port);
    set_endpoint(at, "home", &info->key.home, info->key.home_port);
    set_text(at, "home_server", server_name(os, &info->key.home));
    set_text(at, "owner", os->rack.server[os->self].name);
    set_endpoint(at, "local", &info->local, info->local_port);
    set_text(at, "state", capy_tcp_state_name(info->tcp.state));
    set_count(at, "epoch", info->epoch);
    set_text(at, "migrating", migrating[info->migrating <= 2 ? info->migrating : 0]);
    set_count(at, "rtt_us", info->tcp.srtt_ns / CAPY_US(1));
    set_count(at, "cwnd", info->tcp.cwnd);
    set_count(at, "send_queue", info->tcp.snd_queued);
    set_count(at, "recv_queue", info->tcp.rcv_queued);
    set_count(at, "in_flight", info->tcp.in_flight);
    set_count(at, "retransmissions", info->tcp.retrans_segs);
    set_count(at, "bytes_in", info->bytes_in);
    set_count(at, "bytes_out", info->bytes_out);
    return at;
}

/* "ADDRESS:PORT", the address of IPv6 in brackets. */
static bool parse_endpoint(const char *text, struct capy_ip *ip, uint16_t *port)
{
    char address[CAPY_IP_TEXT_MAX];
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;
    bool brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    const char *from = brackets ? text + 1 : text;
    len -= brackets ? 2 : 0;
    if (!colon || len == 0 || len >= sizeof address || strspn(colon + 1, "0123456789") == 0)
        return false;
    memcpy(address, from, len);
    address[len] = '\0';
    char *end;
    unsigned long n = strtoul(colon + 1, &end, 10);
    *port = (uint16_t)n;
    return *end == '\0' && n >= 1 && n <= 65535 && capy_ip_parse(address, ip) == CAPY_OK;
}

/* The one connection of a client, or none. */
static json_t *connection_of(struct capy *os, const char *client)
{
    struct capy_ip ip;
    uint16_t port;
    if (!parse_endpoint(client, &ip, &port))
        return error_line(BAD_CLIENT);
    json_t *list = json_array();
    struct capy_stack_conn_info info;
    for (uint32_t cursor = 0; capy_stack_next_conn(os->stack, &cursor, &info);)
        if (info.key.client_port == port && capy_ip_eq(&info.key.client, &ip))
            (void)json_array_append_new(list, connection(os, &info));
    return json_pack("{s:o,s:n}", "connections", list, "next");
}

/* {"limit": N, "since": CURSOR} or {"client": "ADDRESS:PORT"} -> {"connections": [...],
 * "next": CURSOR or null} */
static json_t *on_connections(struct capy *os, const json_t *request)
{
    const char *client = json_string_value(json_object_get(request, "client"));
    if (client)
        return connection_of(os, client);
    const json_t *limit_at = json_object_get(request, "limit");
    json_int_t limit = json_is_integer(limit_at) ? json_integer_value(limit_at) : CONNECTION_PAGE;
    json_int_t since = json_integer_value(json_object_get(request, "since"));
    if (limit < 1 || since < 0 || since > UINT32_MAX)
        return error_line("limit or since is out of range");
    if (limit > CONNECTION_PAGE)
        limit = CONNECTION_PAGE;
    uint32_t cursor = (uint32_t)since;
    struct capy_stack_conn_info info;
    json_t *list = json_array();
    bool more = true;
    while ((json_int_t)json_array_size(list) < limit &&
           (more = capy_stack_next_conn(os->stack, &cursor, &info)))
        (void)json_array_append_new(list, connection(os, &info));
    json_t *reply = json_object();
    (void)json_object_set_new(reply, "connections", list);
    (void)json_object_set_new(reply, "next", more ? count(cursor) : json_null());
    return reply;
}

/* null or absent: any. False: no such server. */
static bool parse_target(const struct capy *os, const json_t *request, uint16_t *target)
{
    const json_t *at = json_object_get(request, "target");
    int idx = CAPY_SERVER_ANY;
    if (at && !json_is_null(at))
        idx = json_is_string(at) ? capy_rack_server_index(&os->rack, json_string_value(at)) : -1;
    *target = (uint16_t)idx;
    return idx >= 0;
}

static const char *why_not(int rc)
{
    switch (rc) {
    case CAPY_E_STATE:
        return "the connection is not open, or is moving already";
    case CAPY_E_AGAIN:
        return "the connection is in the middle of a request; try again";
    case CAPY_E_NOMEM:
        return "too many migrations in flight; raise migrate_max in the rack file";
    case CAPY_E_INVAL:
        return "the target is this server itself";
    default:
        return capy_strerror(rc);
    }
}

static json_t *on_migrate(struct capy *os, const json_t *request)
{
    struct capy_ip ip;
    uint16_t port, target;
    const char *client = json_string_value(json_object_get(request, "client"));
    if (!client || !parse_endpoint(client, &ip, &port))
        return error_line(BAD_CLIENT);
    if (!parse_target(os, request, &target))
        return error_line("no such target server in the rack file");
    capy_handle conn;
    if (capy_stack_find(os->stack, &ip, port, &conn) != CAPY_OK)
        return error_line("no such connection here");
    for (uint32_t idx = 0; idx < os->pool.cnt; idx++) {
        if (!capy_pool_is_taken(&os->pool, idx) || os->queues[idx].conn != conn ||
            (os->queues[idx].flags & CAPY_QUEUE_DEAD))
            continue;
        bool moving = (os->queues[idx].flags & CAPY_QUEUE_MOVING) != 0;
        int rc = moving || capy_migrate_can(os, idx) ? capy_migrate_queue(os, idx, target)
                                                     : CAPY_E_AGAIN;
        return rc == CAPY_OK ? json_pack("{s:b,s:i}", "ok", 1, "started", 1)
                             : error_line(why_not(rc));
    }
    return error_line("the application has closed this connection");
}

static json_t *on_migrate_n(struct capy *os, const json_t *request)
{
    uint16_t target;
    json_int_t n = json_integer_value(json_object_get(request, "count"));
    if (n < 1 || n > UINT32_MAX)
        return error_line("count is not a number from 1 on");
    if (!parse_target(os, request, &target))
        return error_line("no such target server in the rack file");
    if (target == os->self)
        return error_line(why_not(CAPY_E_INVAL));
    uint32_t started = capy_mover_begin(os, (uint32_t)n, target);
    json_t *reply = json_object();
    set_bool(reply, "ok", true);
    set_count(reply, "started", started);
    set_count(reply, "to_start", os->mover.todo);
    return reply;
}

static json_t *on_drain(struct capy *os, const json_t *request)
{
    (void)request;
    capy_mover_drain(os, true);
    return mover_status(os);
}

static json_t *on_undrain(struct capy *os, const json_t *request)
{
    (void)request;
    capy_mover_drain(os, false);
    return mover_status(os);
}

static json_t *on_counters(struct capy *os, const json_t *request)
{
    (void)request;
    return capy_counters_json(os);
}

/* {"since": K} -> samples K, K+1, ... as far as they are still there. A mig_id is 16 hex digits,
 * for JSON's integers are signed. */
static json_t *on_samples(struct capy *os, const json_t *request)
{
    const struct capy_samples *s = &os->samples;
    json_int_t since = json_integer_value(json_object_get(request, "since"));
    uint64_t oldest = s->cnt > CAPY_SAMPLE_MAX ? s->cnt - CAPY_SAMPLE_MAX : 0;
    uint64_t at = since > 0 ? capy_max64((uint64_t)since, oldest) : oldest;
    uint64_t end = capy_min64(at + SAMPLE_PAGE, capy_max64(at, s->cnt));
    json_t *list = json_array(), *reply = json_object();
    set_text(reply, "clock", capy_ticks_name(&s->ticks));
    set_count(reply, "clock_cost_ns", s->clock_cost_ns);
    set_count(reply, "first", at);
    for (; at < end; at++) {
        const struct capy_sample *one = &s->ring[at % CAPY_SAMPLE_MAX];
        char id[17];
        (void)snprintf(id, sizeof id, "%016" PRIx64, one->mig_id);
        json_t *row = json_object();
        set_text(row, "mig_id", id);
        set_text(row, "step", capy_mig_step_name((enum capy_mig_step)one->step));
        set_count(row, "at_ns", one->at_ns);
        set_count(row, "duration_ns", one->duration_ns);
        (void)json_array_append_new(list, row);
    }
    (void)json_object_set_new(reply, "samples", list);
    set_count(reply, "next", at);
    set_bool(reply, "more", at < s->cnt);
    return reply;
}

/* {"since": K} -> the trigger's decisions K, K+1, ... as far as they are still there. */
static json_t *on_decisions(struct capy *os, const json_t *request)
{
    json_int_t since = json_integer_value(json_object_get(request, "since"));
    return capy_decisions_json(os, since > 0 ? (uint64_t)since : 0);
}

static const struct {
    const char *name;
    json_t *(*run)(struct capy *os, const json_t *request);
} words[] = {
    {"status", on_status},       {"connections", on_connections},
    {"migrate", on_migrate},     {"migrate_n", on_migrate_n},
    {"drain", on_drain},         {"undrain", on_undrain},
    {"counters", on_counters},   {"samples", on_samples},
    {"decisions", on_decisions},
};

json_t *capy_command(struct capy *os, const json_t *request)
{
    const char *cmd = json_string_value(json_object_get(request, "cmd"));
    for (size_t i = 0; cmd && i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i].name, cmd) == 0)
            return words[i].run(os, request);
    return error_line("unknown cmd; known are status, connections, migrate, migrate_n, drain, "
                      "undrain, counters, samples, decisions");
}
