/* The resources and their methods (RFC 9110 §9, §15.5.6). */
#include "apps/httpd/route.h"
#include "apps/httpd/files.h"
#include "apps/httpd/resources.h"
#include "apps/httpd/response.h"
#include <string.h>

static const struct route {
    const char *path;
    bool takes_body; /* POST and PUT; the others GET and HEAD */
    void (*open)(struct capy_httpd_site *, struct capy_httpd_exchange *,
                 const struct capy_httpd_request *, uint64_t now);
} routes[] = {
    {"/synthetic", false, capy_httpd_open_synthetic},
    {"/events", false, capy_httpd_open_events},
    {"/upload", true, capy_httpd_open_upload},
    {"/", false, capy_httpd_open_page}, /* of a server without a root */
};

static const struct route *find_route(const struct capy_httpd_site *site,
                                      const struct capy_httpd_request *req)
{
    size_t cnt = sizeof routes / sizeof *routes - (site->root_fd >= 0 ? 1 : 0);
    for (size_t i = 0; i < cnt; i++) {
        if (req->path_len == strlen(routes[i].path) &&
            memcmp(req->path, routes[i].path, req->path_len) == 0)
            return &routes[i];
    }
    return NULL;
}

static bool method_fits(const struct capy_httpd_request *req, bool takes_body)
{
    if (takes_body)
        return req->method == HTTP_POST || req->method == HTTP_PUT;
    return req->method == HTTP_GET || req->method == HTTP_HEAD;
}

void capy_httpd_route(struct capy_httpd_site *site, struct capy_httpd_exchange *x,
                      const struct capy_httpd_request *req, uint64_t now)
{
    const struct route *route = find_route(site, req);
    bool takes_body = route && route->takes_body;
    site->cnt.requests++;
    x->head_only = req->method == HTTP_HEAD;
    x->http11 = req->http11;
    x->close_after = !req->keep_alive;
    if (req->error) {
        x->close_after = x->linger = true;
        capy_httpd_error(site, x, req->error, NULL);
        return;
    }
    if (req->has_body && !(takes_body && method_fits(req, true))) {
        if (req->expect_continue) { /* a final answer instead; the body may come or not */
            x->close_after = x->linger = true;
        } else {
            x->intake = CAPY_HTTPD_INTAKE_DISCARD;
            x->parser = req->parser;
        }
    }
    if (!route && site->root_fd < 0)
        capy_httpd_error(site, x, HTTP_STATUS_NOT_FOUND, NULL);
    else if (!method_fits(req, takes_body))
        capy_httpd_error(site, x, HTTP_STATUS_METHOD_NOT_ALLOWED,
                         takes_body ? "Allow: POST, PUT\r\n" : "Allow: GET, HEAD\r\n");
    else if (route)
        route->open(site, x, req, now);
    else
        capy_httpd_open_file(site, x, req);
}
