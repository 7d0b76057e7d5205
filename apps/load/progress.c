/* What a run tells while it lasts. See progress.h. */
#include "apps/load/progress.h"

#include <inttypes.h>
#include <unistd.h>

#define TERMINAL_NS UINT64_C(500000000) /* between lines on a terminal */

void load_progress_begin(struct load_progress *p, const struct load_options *opt, uint64_t zero_at,
                         uint64_t now)
{
    bool terminal = opt->live_ns == 0 && isatty(STDERR_FILENO);
    *p = (struct load_progress){.every_ns = terminal ? TERMINAL_NS : opt->live_ns,
                                .zero_at = zero_at,
                                .told_at = now,
                                .json = !terminal};
    p->next_at = now + p->every_ns;
}

static double seconds_since(uint64_t zero_at, uint64_t now)
{
    return ((double)now - (double)zero_at) / 1e9;
}

static void tell_people(struct load_progress *p, const struct load_result *r, uint64_t now)
{
    double passed = (double)(now - p->told_at) / 1e9;
    fprintf(stderr,
            "\r%.1f s: %.0f per second, p50 %.0f us, p99 %.0f us, %" PRIu64 " errors \033[K",
            seconds_since(p->zero_at, now), (double)(r->requests - p->told_requests) / passed,
            (double)capy_hist_quantile(&r->latency_ns, 50000) / 1e3,
            (double)capy_hist_quantile(&r->latency_ns, 99000) / 1e3, load_errors(r));
    p->told_at = now;
    p->told_requests = r->requests;
}

static void tell_program(const struct load_progress *p, const struct load_result *r, uint64_t now)
{
    printf("{\"seconds\":%.2f,\"requests\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"resets\":%" PRIu64
           ",\"first_error\":\"%s\"}\n",
           seconds_since(p->zero_at, now), r->requests, load_errors(r), r->error[LOAD_ERROR_RESET],
           r->first_error);
    fflush(stdout);
}

void load_progress_tell(struct load_progress *p, const struct load_result *r, uint64_t now)
{
    if (p->every_ns == 0 || now < p->next_at)
        return;
    if (p->json)
        tell_program(p, r, now);
    else
        tell_people(p, r, now);
    p->next_at = now + p->every_ns;
}

void load_progress_end(struct load_progress *p, const struct load_result *r, uint64_t now)
{
    if (p->every_ns > 0 && p->json)
        tell_program(p, r, now);
    else if (p->every_ns > 0)
        fputs("\r\033[K", stderr);
}
