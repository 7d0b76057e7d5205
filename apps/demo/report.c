/* What the demo found, for people and as JSON. See report.h. */
#include "apps/demo/report.h"

#include <inttypes.h>

static json_int_t load_count(const struct demo_result *r, const char *key)
{
    return json_integer_value(json_object_get(r->load, key));
}

static double load_latency(const struct demo_result *r, const char *key)
{
    return json_number_value(json_object_get(json_object_get(r->load, "latency_us"), key));
}

static double us(struct capy_series *s, unsigned per_mille)
{
    return (double)capy_series_quantile(s, per_mille) / 1e3;
}

/* Connections that every server of the rack has answered on. */
static json_int_t served_by_all(const struct demo_result *r)
{
    const json_t *by = json_object_get(r->load, "connections_by_servers");
    return json_integer_value(json_array_get(by, r->server_cnt));
}

const char *demo_verdict(const struct demo_result *r)
{
    if (!r->load) {
        return "the load left no result";
    }
    if (load_count(r, "errors") > 0) {
        return "clients saw errors";
    }
    if (r->migrations < r->asked) {
        return "fewer migrations than asked for";
    }
    return load_count(r, "requests") > 0 ? NULL : "no request was answered";
}

static void print_series(const char *name, struct capy_series *s, FILE *out)
{
    fprintf(out, "  %-22s p50 %8.2f   p90 %8.2f   p99 %8.2f   mean %8.2f us\n", name, us(s, 500),
            us(s, 900), us(s, 990), capy_series_mean(s) / 1e3);
}

static void print_cost(struct demo_cost *cost, FILE *out)
{
    print_series("host CPU, both sides", &cost->total_ns, out);
    for (unsigned i = 0; i < DEMO_STEP_CNT; i++) {
        char name[32];
        snprintf(name, sizeof name, "    %s", demo_step_name[i]);
        print_series(name, &cost->step_ns[i], out);
    }
    print_series("pause", &cost->pause_ns, out);
}

static void print_load(const struct demo_result *r, FILE *out)
{
    const char *server, *first = json_string_value(json_object_get(r->load, "first_error"));
    json_t *cnt;
    fprintf(out, "\nrequests    %" PRId64 " answered and checked byte by byte, %.0f per second\n",
            (int64_t)load_count(r, "requests"),
            json_number_value(json_object_get(r->load, "requests_per_second")));
    fprintf(out, "  latency   p50 %.0f us, p99 %.0f us, p99.9 %.0f us\n", load_latency(r, "p50"),
            load_latency(r, "p99"), load_latency(r, "p999"));
    fprintf(out,
            "  errors    %" PRId64 ", of which resets %" PRId64 "; client retransmits %" PRId64
            "\n",
            (int64_t)load_count(r, "errors"), (int64_t)load_count(r, "resets"),
            (int64_t)load_count(r, "client_retransmits"));
    if (first && first[0]) {
        fprintf(out, "  first     %s\n", first);
    }
    fputs("  by server", out);
    json_object_foreach(json_object_get(r->load, "servers"), server, cnt)
    {
        fprintf(out, " %s %" PRId64, server, (int64_t)json_integer_value(cnt));
    }
    fprintf(out, "\n  connections answered by all %u servers: %" PRId64 " of %u\n", r->server_cnt,
            (int64_t)served_by_all(r), r->connections);
}

void demo_print(struct demo_result *r, FILE *out)
{
    const char *wrong = demo_verdict(r);
    fprintf(out,
            "migrations  %" PRIu64
            " of live connections in %.1f s, %.0f per second; refused %" PRIu64 "\n",
            r->migrations, r->seconds, r->seconds > 0 ? (double)r->migrations / r->seconds : 0,
            r->refused);
    print_cost(&r->cost, out);
    if (r->load) {
        print_load(r, out);
    }
    if (wrong) {
        fprintf(out, "\nFAILED: %s\n", wrong);
    } else if (load_count(r, "client_retransmits") > 0) {
        fprintf(out, "\nOK: %" PRIu64 " migrations; clients retransmitted, but saw no error.\n",
                r->migrations);
    } else {
        fprintf(out, "\nOK: %" PRIu64 " migrations, and no client noticed one.\n", r->migrations);
    }
}

static json_t *series_json(struct capy_series *s)
{
    return json_pack("{s:f, s:f, s:f, s:f}", "p50", us(s, 500), "p90", us(s, 900), "p99",
                     us(s, 990), "mean", capy_series_mean(s) / 1e3);
}

int demo_write_json(struct demo_result *r, const char *path)
{
    json_t *steps = json_object(), *host = series_json(&r->cost.total_ns);
    const char *wrong = demo_verdict(r);
    for (unsigned i = 0; i < DEMO_STEP_CNT; i++) {
        json_object_set_new(steps, demo_step_name[i], series_json(&r->cost.step_ns[i]));
    }
    json_object_set_new(host, "steps", steps);
    json_t *all = json_pack(
        "{s:b, s:s, s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:f, s:o, s:o, s:o, s:i, s:I, s:i, "
        "s:O, s:s}",
        "ok", wrong == NULL, "verdict", wrong ? wrong : "ok", "migrations",
        (json_int_t)r->migrations, "migrations_measured", (json_int_t)r->cost.joined,
        "migrations_refused", (json_int_t)r->refused, "migrating_seconds", r->seconds, "requests",
        load_count(r, "requests"), "errors", load_count(r, "errors"), "resets",
        load_count(r, "resets"), "client_retransmits", load_count(r, "client_retransmits"),
        "requests_per_second", json_number_value(json_object_get(r->load, "requests_per_second")),
        "migration_host_us", host, "migration_pause_us", series_json(&r->cost.pause_ns),
        "latency_us",
        json_pack("{s:f, s:f, s:f}", "p50", load_latency(r, "p50"), "p99", load_latency(r, "p99"),
                  "p999", load_latency(r, "p999")),
        "connections", (int)r->connections, "connections_served_by_all", served_by_all(r),
        "servers", (int)r->server_cnt, "requests_by_server",
        r->load ? json_object_get(r->load, "servers") : json_null(), "driver", r->driver);
    int result =
        all && json_dump_file(all, path, JSON_INDENT(2) | JSON_REAL_PRECISION(7)) == 0 ? 0 : -1;
    json_decref(all);
    return result;
}
