/* From a request to its resource. */
#ifndef CAPY_APPS_HTTPD_ROUTE_H
#define CAPY_APPS_HTTPD_ROUTE_H

#include "apps/httpd/http.h"
#include "apps/httpd/site.h"

/* Fills a fresh exchange with the answer to req, or with the intake of its body that comes first.
 * Counted as a request. */
void capy_httpd_route(struct capy_httpd_site *site, struct capy_httpd_exchange *x,
                      const struct capy_httpd_request *req, uint64_t now);

#endif
