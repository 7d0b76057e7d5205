/* The resources other than files. Each open function fills a fresh exchange with its answer. */
#ifndef CAPY_APPS_HTTPD_RESOURCES_H
#define CAPY_APPS_HTTPD_RESOURCES_H

#include "apps/httpd/http.h"
#include "apps/httpd/site.h"

/* "/" of a server without a root: a page for people that says who answered. */
void capy_httpd_open_page(struct capy_httpd_site *site, struct capy_httpd_exchange *x,
                          const struct capy_httpd_request *req, uint64_t now);

/* /synthetic?us=N&bytes=N&seed=S: busy for N microseconds, then N bytes of pattern stream S. */
void capy_httpd_open_synthetic(struct capy_httpd_site *site, struct capy_httpd_exchange *x,
                               const struct capy_httpd_request *req, uint64_t now);
/* Keeps the processor busy for the service time of a request or an arrival, and notes in site->busy that it did.
 */
void capy_httpd_serve(struct capy_httpd_site *site, uint64_t ns);

/* /events?interval_ms=N&count=M: server-sent events (WHATWG HTML §9.2), the first at once. */
void capy_httpd_open_events(struct capy_httpd_site *site, struct capy_httpd_exchange *x,
                            const struct capy_httpd_request *req, uint64_t now);
/* Writes the due event, or the end of the stream, into the empty x->out. */
void capy_httpd_next_event(const struct capy_httpd_site *site, struct capy_httpd_exchange *x,
                           uint64_t now);

/* /upload: the body's length and SHA-256. Answers at once when there is no body. */
void capy_httpd_open_upload(struct capy_httpd_site *site, struct capy_httpd_exchange *x,
                            const struct capy_httpd_request *req, uint64_t now);
enum capy_httpd_intake_result {
    CAPY_HTTPD_INTAKE_MORE,   /* all len bytes read; more to come */
    CAPY_HTTPD_INTAKE_ENDED,  /* the body is whole; for /upload the answer is in x->out */
    CAPY_HTTPD_INTAKE_FAILED, /* an error answer is in x->out; the connection ends with it */
};
/* Reads request body bytes; *used says how many of len belong to it. */
enum capy_httpd_intake_result capy_httpd_take_in(struct capy_httpd_site *site,
                                                 struct capy_httpd_exchange *x, const uint8_t *data,
                                                 size_t len, size_t *used);

#endif
