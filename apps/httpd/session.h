/* One HTTP connection. It reads and writes through a narrow seam (struct capy_httpd_io), so that it
 * runs over libcapy and in tests alike, and tells its caller what it waits for.
 *
 * The rule that makes it movable (capy.h): bytes are consumed only when what they mean is captured,
 * in an answer already pushed or in the exchange, which state.c can encode at any time between two
 * calls of capy_httpd_session_run. */
#ifndef CAPY_APPS_HTTPD_SESSION_H
#define CAPY_APPS_HTTPD_SESSION_H

#include "apps/httpd/site.h"

/* Received bytes and room to send, as capy_peek, capy_consume and capy_push give them. */
struct capy_httpd_io {
    void *ctx;
    int64_t (*peek)(void *ctx, uint32_t skip, void *out, uint32_t len);
    int (*consume)(void *ctx, uint32_t n);
    int64_t (*push)(void *ctx, const void *data, uint32_t len);
};

struct capy_httpd_session {
    struct capy_httpd_exchange *x; /* NULL between requests */
    uint32_t seen;                 /* bytes of an unfinished head, searched for its end already */
    bool fin;                      /* the client sends no more: set by the caller */
};

enum capy_httpd_next {
    CAPY_HTTPD_NEXT_INPUT, /* needs more bytes than are unread now */
    CAPY_HTTPD_NEXT_ROOM,  /* a push was short */
    CAPY_HTTPD_NEXT_TIME,  /* run again at x->due_at, or when bytes arrive */
    CAPY_HTTPD_NEXT_AGAIN, /* one request answered: run again when it is this connection's turn */
    CAPY_HTTPD_NEXT_CLOSE, /* orderly */
    CAPY_HTTPD_NEXT_ABORT, /* reset: the promised answer cannot be finished */
};

/* Does what can be done now, up to the end of one request. */
enum capy_httpd_next capy_httpd_session_run(struct capy_httpd_site *site,
                                            struct capy_httpd_session *s,
                                            const struct capy_httpd_io *io, uint64_t now);
/* Gives back what it holds. */
void capy_httpd_session_end(struct capy_httpd_site *site, struct capy_httpd_session *s);

#endif
