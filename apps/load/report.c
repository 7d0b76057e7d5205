/* What a load run found, for people and as JSON. See engine.h. */
#include "apps/load/engine.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>

static double us(struct capy_series *s, unsigned per_mille)
{
    return (double)capy_series_quantile(s, per_mille) / 1e3;
}

static double per_second(const struct load_result *r)
{
    return r->seconds > 0 ? (double)r->requests / r->seconds : 0;
}

void load_print(const struct load_options *opt, struct load_result *r, FILE *out)
{
    struct capy_series *l = &r->latency_ns;
    fprintf(out, "requests      %" PRIu64 " in %.1f s, %.0f per second, %u connections\n",
            r->requests, r->seconds, per_second(r), opt->connection_cnt);
    fprintf(out, "latency       p50 %.0f us, p99 %.0f us, p99.9 %.0f us, max %.0f us\n", us(l, 500),
            us(l, 990), us(l, 999), us(l, 1000));
    fprintf(out,
            "errors        %" PRIu64 ": %" PRIu64 " connect, %" PRIu64 " reset, %" PRIu64
            " closed, %" PRIu64 " timeout, %" PRIu64 " answer, %" PRIu64 " body\n",
            load_errors(r), r->error[LOAD_ERROR_CONNECT], r->error[LOAD_ERROR_RESET],
            r->error[LOAD_ERROR_CLOSED], r->error[LOAD_ERROR_TIMEOUT], r->error[LOAD_ERROR_ANSWER],
            r->error[LOAD_ERROR_BODY]);
    if (r->first_error[0]) {
        fprintf(out, "first error   %s\n", r->first_error);
    }
    fprintf(out, "retransmits   %" PRIu64 " by the client\n", r->retransmits);
    fputs("answered by  ", out);
    for (unsigned i = 0; i < r->server_cnt; i++) {
        fprintf(out, " %s %" PRIu64, r->server[i], r->server_requests[i]);
    }
    fputc('\n', out);
}

static json_t *errors_json(const struct load_result *r)
{
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I}", "connect", (json_int_t)r->error[LOAD_ERROR_CONNECT],
        "reset", (json_int_t)r->error[LOAD_ERROR_RESET], "closed",
        (json_int_t)r->error[LOAD_ERROR_CLOSED], "timeout",
        (json_int_t)r->error[LOAD_ERROR_TIMEOUT], "answer", (json_int_t)r->error[LOAD_ERROR_ANSWER],
        "body", (json_int_t)r->error[LOAD_ERROR_BODY]);
}

static json_t *latency_json(struct capy_series *l)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "p50", us(l, 500), "p90", us(l, 900), "p99",
                     us(l, 990), "p999", us(l, 999), "max", us(l, 1000), "mean",
                     capy_series_mean(l) / 1e3);
}

int load_write_json(const struct load_options *opt, struct load_result *r)
{
    json_t *servers = json_object(), *served_by = json_array();
    for (unsigned i = 0; i < r->server_cnt; i++) {
        json_object_set_new(servers, r->server[i], json_integer((json_int_t)r->server_requests[i]));
    }
    for (unsigned i = 0; i <= r->server_cnt; i++) {
        json_array_append_new(served_by, json_integer((json_int_t)r->served_by[i]));
    }
    json_t *all = json_pack(
        "{s:f, s:I, s:f, s:I, s:I, s:o, s:s, s:I, s:I, s:I, s:o, s:o, s:o}", "seconds", r->seconds,
        "requests", (json_int_t)r->requests, "requests_per_second", per_second(r), "errors",
        (json_int_t)load_errors(r), "resets", (json_int_t)r->error[LOAD_ERROR_RESET],
        "errors_by_kind", errors_json(r), "first_error", r->first_error, "reconnects",
        (json_int_t)r->reconnects, "client_retransmits", (json_int_t)r->retransmits, "connections",
        (json_int_t)opt->connection_cnt, "latency_us", latency_json(&r->latency_ns), "servers",
        servers, "connections_by_servers", served_by);
    int result = all && json_dump_file(all, opt->json, JSON_INDENT(2) | JSON_REAL_PRECISION(7)) == 0
                     ? 0
                     : -1;
    json_decref(all);
    return result;
}
