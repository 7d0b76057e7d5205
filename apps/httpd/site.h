/* What all connections of one HTTP server share: its configuration, counters, scratch memory and
 * the pool of exchanges. One thread; the caller of capy_httpd_site_open owns it. */
#ifndef CAPY_APPS_HTTPD_SITE_H
#define CAPY_APPS_HTTPD_SITE_H

#include "apps/httpd/exchange.h"
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define CAPY_HTTPD_HEAD_MAX (32u * 1024u)  /* request line and fields; above: 431 */
#define CAPY_HTTPD_TARGET_MAX (8u * 1024u) /* RFC 9112 §3 asks for 8000 at least; above: 414 */
#define CAPY_HTTPD_PIECE_LEN (16u * 1024u) /* body bytes read, made or hashed at a time */

struct capy_httpd_counters {
    uint64_t requests, errors;    /* answered; of these with a 4xx or 5xx status */
    uint64_t moved_in, moved_out; /* connections that came and left */
    uint64_t state_refused;       /* arrived with a state that does not decode: aborted */
    uint64_t file_changed; /* arrived or reading, and the file is not the one promised: aborted */
};

struct capy_httpd_site {
    const char *server;    /* our name: X-Capy-Server */
    int root_fd;           /* directory of static files, -1: none */
    uint32_t head_max;     /* CAPY_HTTPD_HEAD_MAX, or less when the receive buffer is smaller */
    uint64_t max_body;     /* of requests, bytes; above: 413 */
    uint64_t service_ns;   /* busy time of a request that does not name its own */
    uint64_t arrival_ns;   /* and of a connection that arrives by migration */
    uint64_t body_len;     /* of a /synthetic that does not name its own */
    bool plain_root;       /* "/" answers with body_len pattern bytes instead of the page */
    uint32_t exchange_max; /* requests in progress at once */

    struct capy_httpd_counters cnt;
    bool sleeps; /* service time is slept through, up to free_at */
    uint64_t free_at;
    bool busy;     /* service time was spent since the caller cleared this */
    time_t date_s; /* the second that date names */
    char date[32]; /* RFC 9110 §5.6.7 IMF-fixdate */
    struct capy_httpd_exchange *free_exchange;
    uint32_t exchange_cnt; /* made so far; given back ones are kept */
    uint8_t in[CAPY_HTTPD_HEAD_MAX];
    uint8_t out[CAPY_HTTPD_OUT_MAX + CAPY_HTTPD_PIECE_LEN];
};

/* All defaults; no root directory. */
void capy_httpd_site_open(struct capy_httpd_site *site, const char *server);
void capy_httpd_site_close(struct capy_httpd_site *site);
/* Tells the site the time of day, for the Date field (RFC 9110 §6.6.1). */
void capy_httpd_site_clock(struct capy_httpd_site *site, time_t unix_s);

/* A cleared exchange, or NULL when exchange_max are in use or memory is out. */
struct capy_httpd_exchange *capy_httpd_exchange_take(struct capy_httpd_site *site);
/* Closes what it holds and keeps its memory for the next. NULL is fine. */
void capy_httpd_exchange_give(struct capy_httpd_site *site, struct capy_httpd_exchange *x);

#endif
