/* Request heads: where one ends in the bytes received, and what it says (RFC 9112 §2-§7). */
#ifndef CAPY_APPS_HTTPD_HTTP_H
#define CAPY_APPS_HTTPD_HTTP_H

#include <http_parser.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Views into the head it was parsed from. */
struct capy_httpd_request {
    unsigned error; /* 0, or the status to refuse it with; the connection then ends */
    enum http_method method;
    bool http11; /* answer as 1.1 does: chunked is understood */
    bool keep_alive;
    bool expect_continue;     /* RFC 9110 §10.1.1 */
    bool has_body;            /* more than the head follows; parser reads it */
    const char *path, *query; /* of the target: undecoded; query without '?' */
    size_t path_len, query_len;
    struct http_parser parser;
};

/* The empty lines that may precede a request line (RFC 9112 §2.2): how many bytes. */
size_t capy_httpd_skip_empty(const uint8_t *data, size_t len);
/* Length of the head that data starts with, its final empty line included; 0 when the end is not in
 * the len bytes. from: bytes that an earlier call has seen already. */
size_t capy_httpd_head_len(const uint8_t *data, size_t len, size_t from);
/* Reads a whole head of exactly len bytes. Fills *req; refusals are in req->error. */
void capy_httpd_parse(struct capy_httpd_request *req, const uint8_t *head, size_t len,
                      uint64_t max_body);
/* All of it may be (the beginning of) a method's name (RFC 9110 §9.1). */
bool capy_httpd_is_token(const uint8_t *data, size_t len);
/* The status for a head of more than the allowed length: 414 or 431. */
unsigned capy_httpd_overlong(const uint8_t *data, size_t len);

/* The value of a query parameter, undecoded; NULL when it is not there. */
const char *capy_httpd_query(const struct capy_httpd_request *req, const char *name, size_t *len);
/* A numeric one: true with *out set or left alone when absent; false when it is not 0..max. */
bool capy_httpd_query_number(const struct capy_httpd_request *req, const char *name, uint64_t max,
                             uint64_t *out);

#endif
