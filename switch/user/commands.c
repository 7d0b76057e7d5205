/* What the control socket answers (switch.h lists the requests). Everything shown is read from the
 * plane and the drivers when asked; nothing is kept for it. Addresses and ports as "10.0.0.1:80" or
 * "[::1]:80"; ids that do not fit a JSON number of every reader as hexadecimal text. */
#include "switch/user/program.h"
#include "wire/addr6.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#define ENTRIES_DEFAULT 100
#define ENTRIES_MAX 10000

static json_t *refusal(const char *why)
{
    return json_pack("{s:b, s:s}", "ok", 0, "error", why);
}

static json_t *hex64(uint64_t v)
{
    return json_sprintf("%016llx", (unsigned long long)v);
}

static json_t *endpoint(const struct capy_ip *ip, uint16_t port)
{
    char text[CAPY_IP_TEXT_MAX];
    capy_ip_format(ip, text);
    return json_sprintf(capy_ip_is_v4(ip) ? "%s:%u" : "[%s]:%u", text, port);
}

/* JSON null when nothing is recorded. */
static json_t *recording(const struct program *p)
{
    struct capy_record_status st;
    if (!p->record)
        return json_null();
    capy_record_status(p->record, &st);
    return json_pack("{s:s, s:s, s:I, s:I}", "file", st.path, "state", st.state, "calls",
                     (json_int_t)st.call_cnt, "bytes", (json_int_t)st.bytes);
}

static json_t *wire_status(const struct program *p)
{
    return json_pack("{s:b, s:s, s:s, s:i, s:f, s:i}", "ok", 1, "plane", "none, these are cables",
                     "rack", p->rack.path, "pid", (int)getpid(), "uptime_s",
                     (double)(p->now - p->started_at) / 1e9, "ports", (int)p->cable_cnt);
}

static json_t *answer_status(struct program *p, const json_t *request)
{
    (void)request;
    if (p->cable_cnt)
        return wire_status(p);
    return json_pack("{s:b, s:s, s:s, s:i, s:o, s:f, s:b, s:I, s:I, s:i, s:i, s:o}", "ok", 1,
                     "plane", p->xdp ? "xdp" : "user", "rack", p->rack.path, "pid", (int)getpid(),
                     "boot_id", hex64(p->cfg.boot_id), "uptime_s",
                     (double)(p->now - p->started_at) / 1e9, "learning",
                     capy_switch_learning(p->plane, p->now), "entries",
                     (json_int_t)capy_switch_entry_cnt(p->plane), "capacity",
                     (json_int_t)p->cfg.levels * p->cfg.slots, "servers", (int)p->cfg.server_cnt,
                     "ports", (int)p->port_cnt, "recording", recording(p));
}

static json_t *server_json(struct program *p, uint16_t id)
{
    struct capy_switch_server_info info;
    char ip[CAPY_IP_TEXT_MAX], mac[18];
    capy_switch_server(p->plane, id, p->now, &info);
    json_t *s =
        json_pack("{s:i, s:s, s:s, s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:o}", "id", (int)id, "name",
                  p->rack.server[id].name, "ip", capy_ip_format(&p->cfg.server[id].ip, ip), "mac",
                  capy_mac_format(&p->cfg.server[id].mac, mac), "port", p->rack.server[id].port,
                  "alive", info.alive, "draining", info.draining, "load", (json_int_t)info.load,
                  "free", (json_int_t)info.free_cnt, "conns", (json_int_t)info.conn_cnt,
                  "incarnation", hex64(info.incarnation));
    if (!capy_ip_is_unset(&p->cfg.server[id].ip6))
        json_object_set_new(s, "ip6", json_string(capy_ip_format(&p->cfg.server[id].ip6, ip)));
    if (info.incarnation != 0) /* heard of at least once */
        json_object_set_new(s, "heard_ms_ago",
                            json_integer((json_int_t)((p->now - info.heard_at) / CAPY_MS(1))));
    return s;
}

static json_t *answer_servers(struct program *p, const json_t *request)
{
    (void)request;
    json_t *list = json_array();
    for (uint16_t i = 0; i < p->cfg.server_cnt; i++)
        json_array_append_new(list, server_json(p, i));
    return json_pack("{s:b, s:o}", "ok", 1, "servers", list);
}

/* A server's name; an owner that is not in the rack is known by the flow's home address only. */
static const char *owner_name(const struct program *p, uint16_t id)
{
    return id < p->cfg.server_cnt ? p->rack.server[id].name : "home";
}

static json_t *entry_json(const struct program *p, const struct capy_switch_entry_info *e)
{
    static const char *const phase[] = {"NONE", "PENDING", "SETTLED"};
    return json_pack("{s:o, s:o, s:s, s:s, s:i, s:s, s:i, s:I, s:b, s:b, s:I}", "client",
                     endpoint(&e->key.client, e->key.client_port), "home",
                     endpoint(&e->key.home, e->key.home_port), "phase", phase[e->phase], "owner",
                     owner_name(p, e->owner), "owner_port", (int)e->owner_port, "previous",
                     owner_name(p, e->previous), "previous_port", (int)e->previous_port, "epoch",
                     (json_int_t)e->epoch, "served", e->served, "owner_dead", e->owner_dead,
                     "idle_ms", (json_int_t)((p->now - e->touched_at) / CAPY_MS(1)));
}

static json_t *answer_entries(struct program *p, const json_t *request)
{
    const json_t *limit_json = json_object_get(request, "limit");
    json_int_t limit = limit_json ? json_integer_value(limit_json) : ENTRIES_DEFAULT;
    if (limit < 0 || limit > ENTRIES_MAX)
        return refusal("limit is 0..10000");
    struct capy_switch_entry_info e;
    uint32_t cursor = 0;
    json_t *list = json_array();
    while (json_array_size(list) < (size_t)limit && capy_switch_next_entry(p->plane, &cursor, &e))
        json_array_append_new(list, entry_json(p, &e));
    return json_pack("{s:b, s:I, s:o}", "ok", 1, "total",
                     (json_int_t)capy_switch_entry_cnt(p->plane), "entries", list);
}

static json_t *answer_counters(struct program *p, const json_t *request)
{
    (void)request;
    json_t *all = json_object();
    uint64_t value = 0;
    const char *name;
    for (unsigned i = 0; (name = capy_switch_counter(p->plane, i, &value)) != NULL; i++)
        json_object_set_new(all, name, json_integer((json_int_t)value));
    return json_pack("{s:b, s:o}", "ok", 1, "counters", all);
}

static json_t *fault_json(const struct capy_fault *fault)
{
    struct capy_fault_cfg c;
    struct capy_fault_counters n;
    capy_fault_get(fault, &c, &n);
    json_t *j =
        json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
                  "active", capy_fault_active(fault), "loss_ppm", (json_int_t)c.loss_ppm, "dup_ppm",
                  (json_int_t)c.dup_ppm, "reorder_ppm", (json_int_t)c.reorder_ppm, "delay_us",
                  (json_int_t)c.delay_us, "jitter_us", (json_int_t)c.jitter_us, "seed",
                  (json_int_t)c.seed, "entered", (json_int_t)n.entered, "lost", (json_int_t)n.lost,
                  "duplicated", (json_int_t)n.duplicated, "reordered", (json_int_t)n.reordered,
                  "delayed", (json_int_t)n.delayed, "filtered", (json_int_t)n.filtered,
                  "overflowed", (json_int_t)n.overflowed);
    if (c.drop_type)
        json_object_set_new(j, "drop_type", json_string(capy_mig_type_name(c.drop_type)));
    return j;
}

static json_t *line_json(const struct capy_fault *line)
{
    struct capy_fault_cfg c;
    struct capy_fault_counters n;
    capy_fault_get(line, &c, &n);
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "rate", (json_int_t)c.rate, "queue",
                     (json_int_t)c.queue, "entered", (json_int_t)n.entered, "queue_full",
                     (json_int_t)n.queue_full, "overflowed", (json_int_t)n.overflowed);
}

static json_t *port_json(struct port *port)
{
    struct capy_drv *d = port->drv;
    if (d->ops->count)
        d->ops->count(d);
    json_t *j = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "port", d->ifname, "role",
                          port->role == CAPY_PORT_SERVER ? "server" : "client", "driver", d->detail,
                          "rx_frames", (json_int_t)d->rx_frames, "tx_frames",
                          (json_int_t)d->tx_frames, "rx_drops", (json_int_t)d->rx_drops, "tx_drops",
                          (json_int_t)d->tx_drops, "tx_full", (json_int_t)port->tx_full);
    if (port->fault)
        json_object_set_new(j, "fault", fault_json(port->fault));
    if (port->line)
        json_object_set_new(j, "line", line_json(port->line));
    return j;
}

static json_t *answer_ports(struct program *p, const json_t *request)
{
    (void)request;
    json_t *list = json_array();
    for (unsigned i = 0; i < ports_named(p); i++)
        json_array_append_new(list, port_json(&p->port[i]));
    return json_pack("{s:b, s:o}", "ok", 1, "ports", list);
}

/* A number of the request, 0 when it is not there; false when it is not a number from 0 to max. */
static bool number(const json_t *request, const char *key, json_int_t max, json_int_t *out)
{
    const json_t *v = json_object_get(request, key);
    *out = v ? json_integer_value(v) : 0;
    return (!v || json_is_integer(v)) && *out >= 0 && *out <= max;
}

/* False when there is no such type. */
static bool type_by_name(const char *name, uint8_t *type)
{
    for (*type = CAPY_MIG_PREPARE_MIG; *type < CAPY_MIG_TYPE_END; (*type)++) {
        if (strcmp(capy_mig_type_name(*type), name) == 0)
            return true;
    }
    return false;
}

/* False when the request has a key that means nothing: a slip must not look like a success. */
static bool fault_keys_known(const json_t *request)
{
    static const char *const known[] = {
        "cmd",       "port",      "clear",    "loss_ppm",    "dup_ppm", "seed", "delay_us",
        "jitter_us", "drop_type", "drop_cnt", "reorder_ppm", "rate",    "queue"};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)request, key, value)
    {
        unsigned i = 0;
        while (i < sizeof known / sizeof known[0] && strcmp(known[i], key) != 0)
            i++;
        if (i == sizeof known / sizeof known[0])
            return false;
    }
    return true;
}

/* NULL, or what is wrong. */
static const char *read_fault(const json_t *request, struct capy_fault_cfg *cfg)
{
    if (!fault_keys_known(request))
        return "unknown fault; known are loss_ppm, dup_ppm, reorder_ppm, delay_us, jitter_us, "
               "rate, queue, seed, drop_type, drop_cnt";
    json_int_t loss, dup, reorder, delay, jitter, seed, drop_cnt, rate, queue;
    if (!number(request, "loss_ppm", CAPY_FAULT_PPM_MAX, &loss) ||
        !number(request, "dup_ppm", CAPY_FAULT_PPM_MAX, &dup) ||
        !number(request, "reorder_ppm", CAPY_FAULT_PPM_MAX, &reorder))
        return "rates are whole numbers, 0..1000000 ppm";
    if (!number(request, "delay_us", CAPY_FAULT_DELAY_MAX_US, &delay) ||
        !number(request, "jitter_us", CAPY_FAULT_DELAY_MAX_US, &jitter))
        return "times are whole numbers, 0..10000000 us";
    if (!number(request, "seed", INT64_MAX, &seed) ||
        !number(request, "drop_cnt", UINT32_MAX, &drop_cnt))
        return "seed and drop_cnt are whole numbers from 0 on";
    if (!number(request, "rate", UINT32_MAX, &rate) ||
        !number(request, "queue", UINT32_MAX, &queue))
        return "rate (bytes/s) and queue (bytes) are whole numbers from 0 on";
    *cfg = (struct capy_fault_cfg){
        .loss_ppm = (uint32_t)loss,
        .dup_ppm = (uint32_t)dup,
        .reorder_ppm = (uint32_t)reorder,
        .delay_us = (uint32_t)delay,
        .jitter_us = (uint32_t)jitter,
        .rate = (uint32_t)rate,
        .queue = (uint32_t)queue,
        .seed = (uint64_t)seed,
        .drop_cnt = (uint32_t)drop_cnt,
    };
    const json_t *type = json_object_get(request, "drop_type");
    if (type && (!json_is_string(type) || !type_by_name(json_string_value(type), &cfg->drop_type)))
        return "drop_type is the name of a TCPMig message, say \"CONN_STATE_ACK\"";
    return NULL;
}

static json_t *answer_fault(struct program *p, const json_t *request)
{
    char err[160];
    struct capy_fault_cfg cfg = {0};
    const json_t *port = json_object_get(request, "port");
    if (port && !json_is_string(port))
        return refusal("port is a name, or \"all\"");
    const char *why =
        json_is_true(json_object_get(request, "clear")) ? NULL : read_fault(request, &cfg);
    if (why)
        return refusal(why);
    if (p->xdp)
        return refusal(
            "the plane in the kernel injects no faults; start the switch with --plane user, or the "
            "rack with --wire");
    if (ports_set_fault(p, json_string_value(port), &cfg, err, sizeof err) != CAPY_OK)
        return refusal(err);
    return json_pack("{s:b}", "ok", 1);
}

static json_t *answer(struct program *p, const json_t *request)
{
    static const struct {
        const char *cmd;
        json_t *(*answer)(struct program *p, const json_t *request);
        bool of_plane;
    } commands[] = {
        {"status", answer_status, false},  {"servers", answer_servers, true},
        {"entries", answer_entries, true}, {"counters", answer_counters, true},
        {"ports", answer_ports, false},    {"fault", answer_fault, false},
    };
    const char *cmd = json_string_value(json_object_get(request, "cmd"));
    if (p->xdp)
        capy_xdp_count(p->xdp);
    for (unsigned i = 0; cmd && i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].cmd, cmd) == 0)
            return commands[i].of_plane && p->cable_cnt
                       ? refusal("these are the cables; ask the switch")
                       : commands[i].answer(p, request);
    }
    return refusal("cmd is one of status, servers, entries, counters, ports, fault");
}

char *program_answer(struct program *p, const char *line, size_t len)
{
    json_error_t error;
    json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
    json_t *reply =
        json_is_object(request) ? answer(p, request) : refusal("send one JSON object per line");
    json_decref(request);
    char *text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
    json_decref(reply);
    if (!text)
        return NULL;

    size_t text_len = strlen(text);
    char *answer_line = realloc(text, text_len + 2);
    if (!answer_line) {
        free(text);
        return NULL;
    }
    memcpy(answer_line + text_len, "\n", 2);
    return answer_line;
}
