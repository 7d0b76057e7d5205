/* /synthetic and the default page. The service time is spent spinning, as the paper's workload does
 * (§5): it stands for the work of a real request, and must occupy the server's one core. Where servers
 * have none of their own, it is slept through: then each has one of a known speed all the same. */
#include "apps/httpd/resources.h"
#include "apps/httpd/response.h"
#include <errno.h>
#include <stdio.h>
#include <time.h>

#define SERVICE_US_MAX 1000000u /* a second: beyond it the server would miss its own heartbeats */
#define BYTES_MAX (1ull << 40)

static uint64_t clock_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* A core of a known speed that is not really there. A sleep ends late, so work that follows work begins
 * when the one before should have ended: so many requests a second, and no fewer. */
static void sleep_through(struct capy_httpd_site *site, uint64_t ns)
{
    uint64_t now = clock_ns();
    site->free_at = (now - site->free_at < ns ? site->free_at : now) + ns;
    const struct timespec until = {.tv_sec = (time_t)(site->free_at / 1000000000u),
                                   .tv_nsec = (long)(site->free_at % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

void capy_httpd_serve(struct capy_httpd_site *site, uint64_t ns)
{
    if (ns == 0)
        return;
    site->busy = true;
    if (site->sleeps) {
        sleep_through(site, ns);
        return;
    }
    uint64_t end = clock_ns() + ns;
    while (clock_ns() < end)
        ;
}

static void answer_pattern(const struct capy_httpd_site *site, struct capy_httpd_exchange *x,
                           uint64_t seed, uint64_t length)
{
    struct capy_httpd_answer answer = {
        .status = HTTP_STATUS_OK, .type = "application/octet-stream", .length = length};
    capy_httpd_head(site, x, &answer);
    if (x->head_only)
        return;
    x->body = CAPY_HTTPD_BODY_PATTERN;
    x->seed = seed;
    x->length = length;
}

void capy_httpd_open_synthetic(struct capy_httpd_site *site, struct capy_httpd_exchange *x,
                               const struct capy_httpd_request *req, uint64_t now)
{
    uint64_t us = site->service_ns / 1000, bytes = site->body_len, seed = 0;
    (void)now;
    if (!capy_httpd_query_number(req, "us", SERVICE_US_MAX, &us) ||
        !capy_httpd_query_number(req, "bytes", BYTES_MAX, &bytes) ||
        !capy_httpd_query_number(req, "seed", UINT64_MAX, &seed)) {
        capy_httpd_error(site, x, HTTP_STATUS_BAD_REQUEST, NULL);
        return;
    }
    capy_httpd_serve(site, us * 1000);
    answer_pattern(site, x, seed, bytes);
}

void capy_httpd_open_page(struct capy_httpd_site *site, struct capy_httpd_exchange *x,
                          const struct capy_httpd_request *req, uint64_t now)
{
    static const char page[] =
        "<!doctype html>\n<title>Capybara</title>\n<h1>Server %s</h1>\n"
        "<p>This answer came from server <b>%s</b>. Your connection may have been moved here\n"
        "while it was open; you would not have noticed.\n"
        "<ul>\n<li><a "
        "href=\"/synthetic?bytes=64&amp;seed=1\">/synthetic?us=N&amp;bytes=N&amp;seed=S</a>"
        " busy time and a checkable body\n"
        "<li><a href=\"/events?interval_ms=500&amp;count=10\">/events?interval_ms=N&amp;count=M</a>"
        " server-sent events\n"
        "<li>POST /upload: length and SHA-256 of what you send\n</ul>\n";
    char text[sizeof page + 128];
    (void)req;
    (void)now;
    capy_httpd_serve(site, site->service_ns);
    if (site->plain_root) {
        answer_pattern(site, x, 0, site->body_len);
        return;
    }
    snprintf(text, sizeof text, page, site->server, site->server);
    capy_httpd_text(site, x, HTTP_STATUS_OK, "text/html; charset=utf-8", NULL, text);
}
