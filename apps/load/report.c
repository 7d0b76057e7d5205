/* What a run found, for people and as CSV. See report.h. */
#include "apps/load/report.h"

#include <inttypes.h>

static double us(const struct capy_hist *h, uint32_t per_100k)
{
    return (double)capy_hist_quantile(h, per_100k) / 1e3;
}

static void print_times(const char *name, const struct capy_hist *h, FILE *out)
{
    fprintf(out,
            "%-13s p50 %.0f us, p90 %.0f us, p99 %.0f us, p99.9 %.0f us, p99.99 %.0f us, max %.0f "
            "us\n",
            name, us(h, 50000), us(h, 90000), us(h, 99000), us(h, 99900), us(h, 99990),
            (double)h->max / 1e3);
}

static void print_errors(const struct load_result *r, FILE *out)
{
    fprintf(out,
            "errors        %" PRIu64 ": %" PRIu64 " connect, %" PRIu64 " reset, %" PRIu64
            " closed, %" PRIu64 " timeout, %" PRIu64 " answer, %" PRIu64 " body\n",
            load_errors(r), r->error[LOAD_ERROR_CONNECT], r->error[LOAD_ERROR_RESET],
            r->error[LOAD_ERROR_CLOSED], r->error[LOAD_ERROR_TIMEOUT], r->error[LOAD_ERROR_ANSWER],
            r->error[LOAD_ERROR_BODY]);
    if (r->first_error[0])
        fprintf(out, "first error   %s\n", r->first_error);
}

void load_print(const struct load_options *opt, const struct load_result *r, FILE *out)
{
    fprintf(out, "requests      %" PRIu64 " in %.1f s, %.0f per second, %u connections, %s\n",
            r->requests, r->seconds, load_per_second(r), opt->connection_cnt, r->transport);
    print_times("latency", &r->latency_ns, out);
    if (opt->open_loop) {
        fprintf(out, "              from when a request was due; of %" PRIu64 " due", r->due);
        fprintf(out, " %" PRIu64 " were never sent\n", r->never_sent);
        print_times("from sending", &r->service_ns, out);
        print_times("sent late by", &r->lag_ns, out);
    }
    print_errors(r, out);
    fprintf(out, "retransmits   %" PRIu64 " by the client\n", r->retransmits);
    fputs("answered by  ", out);
    for (unsigned i = 0; i < r->server_cnt; i++)
        fprintf(out, " %s %" PRIu64, r->server[i], r->server_requests[i]);
    fputc('\n', out);
}

void load_print_sweep_head(FILE *out)
{
    fprintf(out, "%10s %10s %9s %9s %9s %9s %9s %7s %10s\n", "rate", "answered/s", "p50 us",
            "p99 us", "p99.9 us", "max us", "late p99", "errors", "never sent");
}

void load_print_sweep_row(const struct load_result *r, FILE *out)
{
    fprintf(out, "%10" PRIu64 " %10.0f %9.0f %9.0f %9.0f %9.0f %9.0f %7" PRIu64 " %10" PRIu64 "\n",
            r->rate, load_per_second(r), us(&r->latency_ns, 50000), us(&r->latency_ns, 99000),
            us(&r->latency_ns, 99900), (double)r->latency_ns.max / 1e3, us(&r->lag_ns, 99000),
            load_errors(r), r->never_sent);
    fflush(out);
}

void load_csv_series(const struct load_result *r, FILE *out)
{
    const struct load_timeline *t = &r->timeline;
    fputs("seconds,due,answered,errors,p50_us,p99_us,max_us,migrations", out);
    for (unsigned k = 0; k < r->server_cnt; k++)
        fprintf(out, ",%s", r->server[k]);
    fputc('\n', out);
    for (size_t i = 0; i < t->cnt; i++) {
        const struct load_interval *row = &t->row[i];
        fprintf(out, "%.6f,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.3f,%.3f,%.3f,%u",
                (double)(i * t->interval_ns) / 1e9, row->due, row->answered, row->errors,
                (double)row->p50_ns / 1e3, (double)row->p99_ns / 1e3, (double)row->max_ns / 1e3,
                row->migrations);
        for (unsigned k = 0; k < r->server_cnt; k++)
            fprintf(out, ",%u", row->by_server[k]);
        fputc('\n', out);
    }
}

void load_csv_sweep_head(FILE *out)
{
    fputs("rate,due,answered,never_sent,errors,resets,retransmits,seconds,requests_per_second,"
          "p50_us,p90_us,p99_us,p999_us,p9999_us,max_us,service_p50_us,service_p99_us,lag_p99_us\n",
          out);
}

void load_csv_sweep_row(const struct load_result *r, FILE *out)
{
    const struct capy_hist *l = &r->latency_ns;
    fprintf(out,
            "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
            ",%.6f,%.1f,",
            r->rate, r->due, r->requests, r->never_sent, load_errors(r), r->error[LOAD_ERROR_RESET],
            r->retransmits, r->seconds, load_per_second(r));
    fprintf(out, "%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f\n", us(l, 50000), us(l, 90000),
            us(l, 99000), us(l, 99900), us(l, 99990), (double)l->max / 1e3,
            us(&r->service_ns, 50000), us(&r->service_ns, 99000), us(&r->lag_ns, 99000));
    fflush(out);
}
