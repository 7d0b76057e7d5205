/* The shared part of an HTTP server: defaults, the date, and the pool of exchanges. The pool grows
 * on demand up to exchange_max and never shrinks: memory follows the most requests ever in
 * progress. */
#include "apps/httpd/site.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_MAX_BODY (1ull << 30)
#define DEFAULT_EXCHANGE_MAX 65536u

void capy_httpd_site_open(struct capy_httpd_site *site, const char *server)
{
    memset(site, 0, sizeof *site);
    site->server = server;
    site->root_fd = -1;
    site->head_max = CAPY_HTTPD_HEAD_MAX;
    site->max_body = DEFAULT_MAX_BODY;
    site->exchange_max = DEFAULT_EXCHANGE_MAX;
    site->date_s = -1;
    capy_httpd_site_clock(site, 0);
}

void capy_httpd_site_close(struct capy_httpd_site *site)
{
    while (site->free_exchange) {
        struct capy_httpd_exchange *x = site->free_exchange;
        site->free_exchange = x->next_free;
        free(x);
    }
    if (site->root_fd >= 0)
        close(site->root_fd);
    site->root_fd = -1;
}

void capy_httpd_site_clock(struct capy_httpd_site *site, time_t unix_s)
{
    struct tm tm;
    if (unix_s == site->date_s || !gmtime_r(&unix_s, &tm))
        return;
    site->date_s = unix_s;
    strftime(site->date, sizeof site->date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

struct capy_httpd_exchange *capy_httpd_exchange_take(struct capy_httpd_site *site)
{
    struct capy_httpd_exchange *x = site->free_exchange;
    if (x) {
        site->free_exchange = x->next_free;
    } else {
        if (site->exchange_cnt == site->exchange_max || !(x = malloc(sizeof *x)))
            return NULL;
        site->exchange_cnt++;
    }
    memset(x, 0, offsetof(struct capy_httpd_exchange, out)); /* out is written before it is read */
    x->fd = -1;
    return x;
}

void capy_httpd_exchange_give(struct capy_httpd_site *site, struct capy_httpd_exchange *x)
{
    if (!x)
        return;
    if (x->fd >= 0)
        close(x->fd);
    x->next_free = site->free_exchange;
    site->free_exchange = x;
}
