/* What the triggers do; see trigger.h. */
#include "apps/ctl/trigger.h"
#include "apps/ctl/table.h"
#include <inttypes.h>

/* A decision of any server, for a list in the order of time. */
struct decision {
    uint64_t at_ns;
    json_t *json;
};

static void load(struct ctl_table *t, const json_t *at, const char *key)
{
    const json_t *value = json_object_get(at, key);
    if (json_is_number(value))
        ctl_cell(t, "%.1f", json_number_value(value));
    else
        ctl_cell(t, "-");
}

static void row(struct ctl_table *t, const char *name, const json_t *at)
{
    ctl_cell(t, "%s", name);
    ctl_cell(t, "%s", ctl_text(at, "state"));
    load(t, at, "load");
    load(t, at, "load_threshold");
    load(t, at, "load_low");
    load(t, at, "least_load");
    ctl_cell(t, "%" PRIu64, ctl_number(at, "in_flight"));
    ctl_cell(t, "%" PRIu64, ctl_number(at, "moved"));
    ctl_cell(t, "%" PRIu64, ctl_number(at, "refused"));
    ctl_cell(t, "%s", ctl_text(at, "why"));
}

int ctl_trigger(const struct ctl *ctl, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (!ctl_anybody(ctl))
        return CTL_EXIT_USAGE;
    json_t *all = json_object();
    for (unsigned i = 0; i < ctl->rack.server_cnt; i++) {
        const char *name = ctl->rack.server[i].name;
        json_t *status = ctl_try(ctl, name, ctl_question("status"));
        json_t *at = json_object_get(status, "trigger");
        (void)json_object_set(all, name, at ? at : json_null());
        json_decref(status);
    }
    if (ctl->json)
        return ctl_print_json(json_pack("{s:o}", "servers", all));
    struct ctl_table t;
    ctl_table_init(&t, "SERVER STATE #LOAD #HIGH #LOW #LEAST #MOVING #MOVED #REFUSED WHY");
    for (unsigned i = 0; i < ctl->rack.server_cnt; i++)
        row(&t, ctl->rack.server[i].name, json_object_get(all, ctl->rack.server[i].name));
    ctl_table_print(&t, stdout);
    json_decref(all);
    return 0;
}

/* All that a server still has, page by page, each with the server's name; appended to list. */
static bool gather(const struct ctl *ctl, const char *server, json_t *list)
{
    bool more = true;
    for (json_int_t since = 0; more;) {
        json_t *page =
            ctl_ask(ctl, server, json_pack("{s:s,s:I}", "cmd", "decisions", "since", since));
        size_t i;
        json_t *one;
        if (!page)
            return false;
        json_array_foreach(json_object_get(page, "decisions"), i, one)
        {
            json_t *named = json_pack("{s:s}", "server", server);
            (void)json_object_update(named, one);
            (void)json_array_append_new(list, named);
        }
        since = (json_int_t)ctl_number(page, "next");
        more = ctl_flag(page, "more");
        json_decref(page);
    }
    return true;
}

static int by_time(const void *a, const void *b)
{
    const struct decision *x = a, *y = b;
    return (x->at_ns > y->at_ns) - (x->at_ns < y->at_ns);
}

static int print_in_time(json_t *list)
{
    size_t cnt = json_array_size(list), i;
    struct decision *all = calloc(cnt + 1, sizeof *all);
    json_t *one;
    if (!all)
        return ctl_fail(CTL_EXIT_FAILED, "out of memory");
    json_array_foreach(list, i, one) all[i] = (struct decision){ctl_number(one, "at_ns"), one};
    qsort(all, cnt, sizeof *all, by_time);
    for (i = 0; i < cnt; i++)
        (void)ctl_print_json(json_incref(all[i].json));
    free(all);
    return 0;
}

int ctl_decisions(const struct ctl *ctl, int argc, char **argv)
{
    json_t *list = json_array();
    bool good = argc > 0 ? ctl_know(ctl, argv[0]) && gather(ctl, argv[0], list) : ctl_anybody(ctl);
    for (unsigned i = 0; good && argc == 0 && i < ctl->rack.server_cnt; i++) {
        json_t *status = ctl_try(ctl, ctl->rack.server[i].name, ctl_question("status"));
        good = !status || gather(ctl, ctl->rack.server[i].name, list);
        json_decref(status);
    }
    int rc = good ? print_in_time(list) : CTL_EXIT_USAGE;
    json_decref(list);
    return rc;
}
