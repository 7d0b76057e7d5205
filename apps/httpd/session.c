/* One HTTP connection: head, body, answer, and again. After an answer that lost the framing, input
 * is read and thrown away for a while before closing: bytes arriving at a closed connection would
 * be answered by a reset, which may overtake the answer (RFC 9112 §9.6). */
#include "apps/httpd/session.h"
#include "apps/httpd/http.h"
#include "apps/httpd/resources.h"
#include "apps/httpd/response.h"
#include "apps/httpd/route.h"

#define FIRST_LOOK_LEN 2048u /* most heads are shorter: do not copy a whole pipeline for one */
#define LINGER_NS 1000000000ull

/* Opens an exchange for a head of head_len bytes in site->in; error: refuse it so, 0: parse it. */
static enum capy_httpd_next begin(struct capy_httpd_site *site, struct capy_httpd_session *s,
                                  const struct capy_httpd_io *io, struct capy_httpd_request *req,
                                  uint32_t head_len, uint64_t now)
{
    s->x = capy_httpd_exchange_take(site);
    if (!s->x)
        return CAPY_HTTPD_NEXT_ABORT;
    s->seen = 0;
    capy_httpd_route(site, s->x, req, now);
    return io->consume(io->ctx, head_len) < 0 ? CAPY_HTTPD_NEXT_ABORT : CAPY_HTTPD_NEXT_AGAIN;
}

/* The head is not all there. Garbage is refused at first sight, without waiting for its empty line.
 */
static enum capy_httpd_next unfinished_head(struct capy_httpd_site *site,
                                            struct capy_httpd_session *s,
                                            const struct capy_httpd_io *io, uint32_t len,
                                            uint64_t now)
{
    struct capy_httpd_request req = {.error = 0};
    if (len >= site->head_max)
        req.error = capy_httpd_overlong(site->in, len);
    else if (s->seen == 0) {
        capy_httpd_parse(&req, site->in, len, site->max_body);
        if (HTTP_PARSER_ERRNO(&req.parser) == HPE_OK || capy_httpd_is_token(site->in, len))
            req.error = 0; /* what is missing may still come */
    }
    if (req.error)
        return begin(site, s, io, &req, len, now);
    s->seen = len;
    return s->fin ? CAPY_HTTPD_NEXT_CLOSE : CAPY_HTTPD_NEXT_INPUT;
}

static enum capy_httpd_next read_head(struct capy_httpd_site *site, struct capy_httpd_session *s,
                                      const struct capy_httpd_io *io, uint64_t now)
{
    uint32_t look_len = FIRST_LOOK_LEN;
    for (;;) {
        int64_t got = io->peek(io->ctx, 0, site->in, look_len);
        if (got < 0)
            return CAPY_HTTPD_NEXT_ABORT;
        uint32_t len = (uint32_t)got;
        uint32_t empty = (uint32_t)capy_httpd_skip_empty(site->in, len);
        if (empty > 0) {
            if (io->consume(io->ctx, empty) < 0)
                return CAPY_HTTPD_NEXT_ABORT;
            continue;
        }
        if (len == 0)
            return s->fin ? CAPY_HTTPD_NEXT_CLOSE : CAPY_HTTPD_NEXT_INPUT;
        uint32_t head_len = (uint32_t)capy_httpd_head_len(site->in, len, s->seen);
        if (head_len > 0) {
            struct capy_httpd_request req;
            capy_httpd_parse(&req, site->in, head_len, site->max_body);
            return begin(site, s, io, &req, head_len, now);
        }
        if (len < look_len || look_len >= site->head_max)
            return unfinished_head(site, s, io, len, now);
        look_len = site->head_max;
    }
}

/* Pushes what the exchange has to say. AGAIN: all of it went. */
static enum capy_httpd_next write_out(struct capy_httpd_site *site, struct capy_httpd_exchange *x,
                                      const struct capy_httpd_io *io)
{
    for (;;) {
        int64_t len = capy_httpd_fill(x, site->out, sizeof site->out);
        if (len < 0) {
            site->cnt.file_changed++;
            return CAPY_HTTPD_NEXT_ABORT;
        }
        if (len == 0)
            return CAPY_HTTPD_NEXT_AGAIN;
        int64_t took = io->push(io->ctx, site->out, (uint32_t)len);
        if (took < 0)
            return CAPY_HTTPD_NEXT_ABORT;
        capy_httpd_sent(x, (uint32_t)took);
        if (took < len)
            return CAPY_HTTPD_NEXT_ROOM;
    }
}

/* Reads the request's body. AGAIN: it has ended, one way or the other. */
static enum capy_httpd_next read_body(struct capy_httpd_site *site, struct capy_httpd_session *s,
                                      const struct capy_httpd_io *io)
{
    for (;;) {
        int64_t len = io->peek(io->ctx, 0, site->in, sizeof site->in);
        if (len < 0)
            return CAPY_HTTPD_NEXT_ABORT;
        if (len == 0)
            return s->fin ? CAPY_HTTPD_NEXT_CLOSE : CAPY_HTTPD_NEXT_INPUT;
        size_t used;
        enum capy_httpd_intake_result result =
            capy_httpd_take_in(site, s->x, site->in, (size_t)len, &used);
        if (io->consume(io->ctx, (uint32_t)used) < 0)
            return CAPY_HTTPD_NEXT_ABORT;
        if (result != CAPY_HTTPD_INTAKE_MORE)
            return CAPY_HTTPD_NEXT_AGAIN;
    }
}

/* The answer is out; the client may be sending still. */
static enum capy_httpd_next linger(struct capy_httpd_site *site, struct capy_httpd_session *s,
                                   const struct capy_httpd_io *io, uint64_t now)
{
    int64_t len;
    if (s->x->due_at == 0)
        s->x->due_at = now + LINGER_NS;
    while ((len = io->peek(io->ctx, 0, site->in, sizeof site->in)) > 0) {
        if (io->consume(io->ctx, (uint32_t)len) < 0)
            return CAPY_HTTPD_NEXT_ABORT;
    }
    return s->fin || len < 0 || now >= s->x->due_at ? CAPY_HTTPD_NEXT_CLOSE : CAPY_HTTPD_NEXT_TIME;
}

enum capy_httpd_next capy_httpd_session_run(struct capy_httpd_site *site,
                                            struct capy_httpd_session *s,
                                            const struct capy_httpd_io *io, uint64_t now)
{
    enum capy_httpd_next next = CAPY_HTTPD_NEXT_AGAIN;
    if (!s->x)
        next = read_head(site, s, io, now);
    while (next == CAPY_HTTPD_NEXT_AGAIN) {
        struct capy_httpd_exchange *x = s->x;
        bool reading = x->intake != CAPY_HTTPD_INTAKE_NONE;
        if (x->intake != CAPY_HTTPD_INTAKE_DISCARD)
            next = write_out(site, x, io);
        if (next != CAPY_HTTPD_NEXT_AGAIN)
            break;
        if (reading) {
            next = read_body(site, s, io);
        } else if (x->body == CAPY_HTTPD_BODY_EVENTS) {
            if (s->fin) /* a reader that left: its next event may be an hour away */
                return CAPY_HTTPD_NEXT_CLOSE;
            if (now < x->due_at)
                return CAPY_HTTPD_NEXT_TIME;
            capy_httpd_next_event(site, x, now);
        } else if (x->linger) {
            return linger(site, s, io, now);
        } else {
            next = x->close_after ? CAPY_HTTPD_NEXT_CLOSE : CAPY_HTTPD_NEXT_AGAIN;
            capy_httpd_session_end(site, s);
            break;
        }
    }
    return next;
}

void capy_httpd_session_end(struct capy_httpd_site *site, struct capy_httpd_session *s)
{
    capy_httpd_exchange_give(site, s->x);
    s->x = NULL;
    s->seen = 0;
}
