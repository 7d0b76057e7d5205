/* Answers: their heads, and the bytes of one as a cursor. fill() shows the next bytes without
 * moving; sent() moves past those that were taken. So a short push, or a move to another server
 * between any two bytes, loses and repeats nothing. */
#ifndef CAPY_APPS_HTTPD_RESPONSE_H
#define CAPY_APPS_HTTPD_RESPONSE_H

#include "apps/httpd/site.h"

struct capy_httpd_answer {
    unsigned status;
    const char *type;   /* Content-Type, NULL: none */
    const char *fields; /* more header lines, each with its CRLF; NULL: none */
    uint64_t length;    /* of the body */
    bool unbounded;     /* length unknown: chunked (RFC 9112 §7.1), or until close for HTTP/1.0 */
};

/* Puts the answer's head into x->out, replacing what is there. The body is up to the caller. */
void capy_httpd_head(const struct capy_httpd_site *site, struct capy_httpd_exchange *x,
                     const struct capy_httpd_answer *answer);
/* A whole answer with a short text body, which must fit beside the head (about 1.5 KiB). */
void capy_httpd_text(const struct capy_httpd_site *site, struct capy_httpd_exchange *x,
                     unsigned status, const char *type, const char *fields, const char *text);
/* A refusal that says its name; counted. */
void capy_httpd_error(struct capy_httpd_site *site, struct capy_httpd_exchange *x, unsigned status,
                      const char *fields);

/* Copies the next bytes of the answer, at most cap, at least 1 while there are any. 0: nothing to
 * send now. -1: the file is no longer what the head promised. */
int64_t capy_httpd_fill(const struct capy_httpd_exchange *x, uint8_t *out, uint32_t cap);
/* n bytes that fill showed are on their way. */
void capy_httpd_sent(struct capy_httpd_exchange *x, uint32_t n);

#endif
