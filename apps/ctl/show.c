/* Showing; see show.h. What an answer does not have is shown as "-": tool and rack may be of
 * different versions. */
#include "apps/ctl/show.h"
#include "apps/ctl/table.h"
#include <string.h>
#include <unistd.h>

/* The switch's view of each server, by name; an empty object when it does not answer. */
static json_t *switch_view(const struct ctl *ctl)
{
    json_t *view = json_object(), *one;
    json_t *answer = ctl_try(ctl, CTL_SWITCH, ctl_question("servers"));
    size_t i;
    json_array_foreach(json_object_get(answer, "servers"), i, one)
        json_object_set(view, ctl_text(one, "name"), one);
    json_decref(answer);
    return view;
}

static const char *state_of(const json_t *status, const json_t *seen)
{
    if (!status)
        return "down";
    if (ctl_flag(status, "draining"))
        return "draining";
    if (!ctl_flag(status, "switch_alive"))
        return "no switch";
    if (ctl_flag(status, "switch_learning"))
        return "learning";
    if (json_is_false(json_object_get(seen, "alive")))
        return "unheard";
    return "up";
}

static void uptime(struct ctl_table *t, uint64_t us)
{
    uint64_t s = us / 1000000u;
    if (s < 3600)
        ctl_cell(t, "%lu:%02lu", (unsigned long)(s / 60), (unsigned long)(s % 60));
    else
        ctl_cell(t, "%luh%02lum", (unsigned long)(s / 3600), (unsigned long)(s / 60 % 60));
}

static void number(struct ctl_table *t, const json_t *at, const char *key)
{
    if (json_is_integer(json_object_get(at, key)))
        ctl_cell(t, "%lu", (unsigned long)ctl_number(at, key));
    else
        ctl_cell(t, "-");
}

static void server_row(struct ctl_table *t, const struct ctl *ctl, unsigned i, const json_t *view)
{
    const char *name = ctl->rack.server[i].name;
    json_t *st = ctl_try(ctl, name, ctl_question("status"));
    ctl_cell(t, "%s", name);
    ctl_cell(t, "%s", state_of(st, json_object_get(view, name)));
    ctl_cell(t, "%s", ctl_text(st, "ip"));
    number(t, st, "load");
    number(t, st, "connections");
    number(t, st, "away");
    number(t, st, "migrations_out");
    number(t, st, "migrations_in");
    if (st)
        uptime(t, ctl_number(st, "uptime_us"));
    else
        ctl_cell(t, "-");
    ctl_cell(t, "%s", ctl_text(st, "driver"));
    ctl_cell(t, "%s", ctl_text(st, "app"));
    json_decref(st);
}

static void print_servers(const struct ctl *ctl, FILE *out)
{
    struct ctl_table t;
    json_t *view = switch_view(ctl);
    ctl_table_init(&t, "SERVER STATE ADDRESS #LOAD #CONNS #AWAY #OUT #IN #UPTIME DRIVER APP");
    for (unsigned i = 0; i < ctl->rack.server_cnt; i++)
        server_row(&t, ctl, i, view);
    ctl_table_print(&t, out);
    json_decref(view);
    json_t *st = ctl_try(ctl, CTL_SWITCH, ctl_question("status"));
    if (st)
        fprintf(out, "switch: up%s, %lu of %lu directory slots in use\n",
                ctl_flag(st, "learning") ? " (learning: installs nothing yet)" : "",
                (unsigned long)ctl_number(st, "entries"),
                (unsigned long)ctl_number(st, "capacity"));
    else
        fputs("switch: no answer\n", out);
    json_decref(st);
}

static int servers_json(const struct ctl *ctl)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < ctl->rack.server_cnt; i++) {
        const char *name = ctl->rack.server[i].name;
        json_t *st = ctl_try(ctl, name, ctl_question("status"));
        if (!st)
            st = json_pack("{s:s}", "name", name);
        json_object_set_new(st, "running", json_boolean(json_object_get(st, "pid") != NULL));
        json_array_append_new(list, st);
    }
    json_t *st = ctl_try(ctl, CTL_SWITCH, ctl_question("status"));
    return ctl_print_json(json_pack("{s:o,s:o}", "servers", list, "switch", st ? st : json_null()));
}

int ctl_servers(const struct ctl *ctl, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (!ctl_anybody(ctl))
        return CTL_EXIT_USAGE;
    if (ctl->json)
        return servers_json(ctl);
    print_servers(ctl, stdout);
    return 0;
}

int ctl_watch(const struct ctl *ctl, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (!ctl_anybody(ctl))
        return CTL_EXIT_USAGE;
    bool terminal = isatty(STDOUT_FILENO);
    for (;;) { /* until Ctrl-C, or until nobody reads */
        if (terminal)
            fputs("\033[H\033[2J", stdout); /* home, clear */
        print_servers(ctl, stdout);
        if (fflush(stdout) != 0)
            return CTL_EXIT_FAILED;
        sleep(1);
    }
}

/* All connections of one server, page by page, appended to list. False: it did not answer. */
static bool gather(const struct ctl *ctl, const char *server, json_t *list)
{
    json_int_t since = 0;
    for (;;) {
        json_t *page =
            ctl_ask(ctl, server, json_pack("{s:s,s:I}", "cmd", "connections", "since", since));
        if (!page)
            return false;
        json_array_extend(list, json_object_get(page, "connections"));
        const json_t *next = json_object_get(page, "next");
        bool more = json_is_integer(next);
        since = json_integer_value(next);
        json_decref(page);
        if (!more)
            return true;
    }
}

static void print_connections(const json_t *list)
{
    struct ctl_table t;
    size_t i;
    json_t *c;
    ctl_table_init(&t,
                   "CLIENT HOME OWNER #EPOCH STATE #RTT_US #CWND #SENDQ #RECVQ #IN #OUT MOVING");
    json_array_foreach(list, i, c)
    {
        const char *home = json_string_value(json_object_get(c, "home_server"));
        ctl_cell(&t, "%s", ctl_text(c, "client"));
        ctl_cell(&t, "%s", home ? home : ctl_text(c, "home"));
        ctl_cell(&t, "%s", ctl_text(c, "owner"));
        number(&t, c, "epoch");
        ctl_cell(&t, "%s", ctl_text(c, "state"));
        number(&t, c, "rtt_us");
        number(&t, c, "cwnd");
        number(&t, c, "send_queue");
        number(&t, c, "recv_queue");
        number(&t, c, "bytes_in");
        number(&t, c, "bytes_out");
        ctl_cell(&t, "%s", ctl_text(c, "migrating"));
    }
    ctl_table_print(&t, stdout);
}

int ctl_connections(const struct ctl *ctl, int argc, char **argv)
{
    json_t *list = json_array();
    bool good = true;
    if (argc > 0) {
        good = ctl_know(ctl, argv[0]) && gather(ctl, argv[0], list);
    } else if ((good = ctl_anybody(ctl))) {
        for (unsigned i = 0; i < ctl->rack.server_cnt; i++) {
            json_t *st = ctl_try(ctl, ctl->rack.server[i].name, ctl_question("status"));
            if (st)
                good &= gather(ctl, ctl->rack.server[i].name, list);
            json_decref(st);
        }
    }
    if (good && ctl->json)
        return ctl_print_json(json_pack("{s:o}", "connections", list));
    if (good)
        print_connections(list);
    json_decref(list);
    return good ? 0 : CTL_EXIT_USAGE;
}

int ctl_entries(const struct ctl *ctl, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    enum { ALL = 10000 }; /* the most that the switch lists */
    json_t *answer =
        ctl_ask(ctl, CTL_SWITCH, json_pack("{s:s,s:i}", "cmd", "entries", "limit", ALL));
    if (!answer)
        return CTL_EXIT_USAGE;
    if (ctl->json)
        return ctl_print_json(answer);
    struct ctl_table t;
    size_t i;
    json_t *e;
    ctl_table_init(&t, "CLIENT HOME PHASE OWNER #PORT PREVIOUS #EPOCH SERVED #IDLE_MS");
    json_array_foreach(json_object_get(answer, "entries"), i, e)
    {
        ctl_cell(&t, "%s", ctl_text(e, "client"));
        ctl_cell(&t, "%s", ctl_text(e, "home"));
        ctl_cell(&t, "%s", ctl_flag(e, "owner_dead") ? "OWNER_DEAD" : ctl_text(e, "phase"));
        ctl_cell(&t, "%s", ctl_text(e, "owner"));
        number(&t, e, "owner_port");
        ctl_cell(&t, "%s", ctl_text(e, "previous"));
        number(&t, e, "epoch");
        ctl_cell(&t, "%s", ctl_flag(e, "served") ? "yes" : "no");
        number(&t, e, "idle_ms");
    }
    ctl_table_print(&t, stdout);
    json_decref(answer);
    return 0;
}

int ctl_ports(const struct ctl *ctl, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    json_t *answer = ctl_ask(ctl, CTL_SWITCH, ctl_question("ports")), *p;
    size_t i;
    if (!answer)
        return CTL_EXIT_USAGE;
    if (ctl->json)
        return ctl_print_json(answer);
    struct ctl_table t;
    ctl_table_init(&t, "PORT ROLE #RX #TX #RX_DROPS #TX_DROPS FAULTS DRIVER");
    json_array_foreach(json_object_get(answer, "ports"), i, p)
    {
        ctl_cell(&t, "%s", ctl_text(p, "port"));
        ctl_cell(&t, "%s", ctl_text(p, "role"));
        number(&t, p, "rx_frames");
        number(&t, p, "tx_frames");
        number(&t, p, "rx_drops");
        number(&t, p, "tx_drops");
        ctl_cell(&t, "%s", ctl_flag(json_object_get(p, "fault"), "active") ? "yes" : "no");
        ctl_cell(&t, "%s", ctl_text(p, "driver"));
    }
    ctl_table_print(&t, stdout);
    json_decref(answer);
    return 0;
}

/* Counters that are not zero, one a line: "tcp.segs_in  1234". Groups nest by one level. */
static void print_counters(const char *prefix, const json_t *at, struct ctl_table *t)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)at, key, value)
    {
        char name[160];
        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", key);
        if (json_is_object(value)) {
            print_counters(name, value, t);
        } else if (json_integer_value(value) != 0) {
            ctl_cell(t, "%s", name);
            ctl_cell(t, "%lld", (long long)json_integer_value(value));
        }
    }
}

static bool counters_of(const struct ctl *ctl, const char *name, json_t *all)
{
    json_t *answer = ctl_ask(ctl, name, ctl_question("counters"));
    if (!answer)
        return false;
    const json_t *inner = json_object_get(answer, "counters"); /* the switch wraps its own */
    json_object_set(all, name, inner ? (json_t *)(uintptr_t)inner : answer);
    json_decref(answer);
    return true;
}

int ctl_counters(const struct ctl *ctl, int argc, char **argv)
{
    json_t *all = json_object();
    bool good = true;
    if (argc > 0) {
        good = (strcmp(argv[0], CTL_SWITCH) == 0 || ctl_know(ctl, argv[0])) &&
               counters_of(ctl, argv[0], all);
    } else if ((good = ctl_anybody(ctl))) {
        for (unsigned i = 0; i <= ctl->rack.server_cnt; i++) {
            const char *name = i < ctl->rack.server_cnt ? ctl->rack.server[i].name : CTL_SWITCH;
            json_t *st = ctl_try(ctl, name, ctl_question("status"));
            if (st)
                good &= counters_of(ctl, name, all);
            json_decref(st);
        }
    }
    if (good && ctl->json)
        return ctl_print_json(all);
    if (good) {
        struct ctl_table t;
        ctl_table_init(&t, "COUNTER #VALUE");
        print_counters("", all, &t);
        ctl_table_print(&t, stdout);
    }
    json_decref(all);
    return good ? 0 : CTL_EXIT_USAGE;
}
