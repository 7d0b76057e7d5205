/* What a run found, as JSON. See report.h. */
#include "apps/load/report.h"

static json_t *count(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *times(const struct capy_hist *h)
{
    static const struct {
        const char *name;
        uint32_t per_100k;
    } quantile[] = {{"p50", 50000},  {"p90", 90000},   {"p99", 99000},
                    {"p999", 99900}, {"p9999", 99990}, {"max", 100000}};
    json_t *all = json_object();
    for (unsigned i = 0; i < sizeof quantile / sizeof quantile[0]; i++)
        json_object_set_new(all, quantile[i].name,
                            json_real((double)capy_hist_quantile(h, quantile[i].per_100k) / 1e3));
    json_object_set_new(all, "mean", json_real(h->cnt ? (double)h->sum / (double)h->cnt / 1e3 : 0));
    return all;
}

static json_t *errors(const struct load_result *r)
{
    static const char *const kind[LOAD_ERROR_CNT] = {"connect", "reset",  "closed",
                                                     "timeout", "answer", "body"};
    json_t *all = json_object();
    for (unsigned i = 0; i < LOAD_ERROR_CNT; i++)
        json_object_set_new(all, kind[i], count(r->error[i]));
    return all;
}

/* What was asked for. */
static json_t *asked(const struct load_options *opt, const struct load_result *r)
{
    json_t *all = json_pack(
        "{s:b, s:I, s:f, s:f, s:I, s:I, s:I}", "open_loop", opt->open_loop, "rate",
        (json_int_t)r->rate, "warm_up_seconds", (double)opt->warm_up_ns / 1e9, "duration_seconds",
        (double)opt->duration_ns / 1e9, "service_us", (json_int_t)opt->service_us, "bytes",
        (json_int_t)opt->bytes, "seed", (json_int_t)opt->seed);
    const struct load_process *p = &opt->process;
    if (!opt->open_loop)
        return all;
    const char *how = p->burst_period_ns > 0 ? "bursty" : p->poisson ? "poisson" : "constant";
    json_object_set_new(all, "arrivals", json_string(how));
    if (p->burst_period_ns > 0) {
        json_object_set_new(all, "burst_period_us", json_real((double)p->burst_period_ns / 1e3));
        json_object_set_new(all, "burst_factor", count(p->burst_factor));
    }
    json_object_set_new(all, "skew",
                        json_string(opt->spread == LOAD_SPREAD_FREE ? "free"
                                    : opt->zipf_milli > 0           ? "zipf"
                                                                    : "uniform"));
    json_object_set_new(all, "zipf_s", json_real((double)opt->zipf_milli / 1e3));
    json_t *phases = json_array();
    for (unsigned i = 0; i < opt->phase_cnt; i++) {
        const struct load_phase *phase = &opt->phase[i];
        json_t *weights = json_array();
        for (unsigned k = 0; k < phase->weights_cnt; k++)
            json_array_append_new(weights, count(phase->weights[k]));
        json_array_append_new(phases,
                              json_pack("{s:f, s:I, s:i, s:o}", "seconds",
                                        (double)phase->at_ns / 1e9, "rate", (json_int_t)phase->rate,
                                        "rotate", (int)phase->rotate, "weights", weights));
    }
    json_object_set_new(all, "phases", phases);
    return all;
}

static json_t *series(const struct load_result *r)
{
    const struct load_timeline *t = &r->timeline;
    json_t *all = json_array();
    for (size_t i = 0; i < t->cnt; i++) {
        const struct load_interval *row = &t->row[i];
        json_t *by = json_array();
        for (unsigned k = 0; k < r->server_cnt; k++)
            json_array_append_new(by, count(row->by_server[k]));
        json_array_append_new(
            all, json_pack("{s:f, s:I, s:I, s:I, s:f, s:f, s:f, s:i, s:o}", "seconds",
                           (double)(i * t->interval_ns) / 1e9, "due", (json_int_t)row->due,
                           "answered", (json_int_t)row->answered, "errors", (json_int_t)row->errors,
                           "p50_us", (double)row->p50_ns / 1e3, "p99_us", (double)row->p99_ns / 1e3,
                           "max_us", (double)row->max_ns / 1e3, "migrations", (int)row->migrations,
                           "by_server", by));
    }
    return all;
}

static void set_servers(json_t *all, const struct load_result *r)
{
    json_t *servers = json_object(), *served_by = json_array();
    for (unsigned i = 0; i < r->server_cnt; i++)
        json_object_set_new(servers, r->server[i], count(r->server_requests[i]));
    for (unsigned i = 0; i <= r->server_cnt; i++)
        json_array_append_new(served_by, count(r->served_by[i]));
    json_object_set_new(all, "servers", servers);
    json_object_set_new(all, "connections_by_servers", served_by);
}

json_t *load_json(const struct load_options *opt, const struct load_result *r,
                  const struct load_marks *marks)
{
    json_t *all = json_pack(
        "{s:s, s:o, s:f, s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:o, s:s, s:I, s:I, s:I}", "transport",
        r->transport, "asked", asked(opt, r), "seconds", r->seconds, "requests",
        (json_int_t)r->requests, "requests_per_second", load_per_second(r), "due",
        (json_int_t)r->due, "never_sent", (json_int_t)r->never_sent, "warm_up_requests",
        (json_int_t)r->warm_up_requests, "errors", (json_int_t)load_errors(r), "resets",
        (json_int_t)r->error[LOAD_ERROR_RESET], "errors_by_kind", errors(r), "first_error",
        r->first_error, "reconnects", (json_int_t)r->reconnects, "client_retransmits",
        (json_int_t)r->retransmits, "connections", (json_int_t)opt->connection_cnt);
    json_object_set_new(all, "latency_us", times(&r->latency_ns));
    json_object_set_new(all, "service_us", times(&r->service_ns));
    json_object_set_new(all, "lag_us", times(&r->lag_ns));
    set_servers(all, r);
    if (opt->interval_ns > 0) {
        json_object_set_new(all, "interval_us", json_real((double)opt->interval_ns / 1e3));
        json_object_set_new(all, "series", series(r));
    }
    if (opt->marks_cnt > 0) {
        json_t *at = json_array();
        for (size_t i = 0; i < marks->cnt; i++)
            json_array_append_new(at,
                                  json_real((double)(marks->mark[i].at_ns - r->begun_at_ns) / 1e9));
        json_object_set_new(all, "migrations_at", at);
    }
    return all;
}
