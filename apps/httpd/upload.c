/* /upload, and the reading of every request body. The digest's state and the parser's are plain
 * values, so an upload moves in the middle of a chunk header or of a hash block. */
#include "apps/httpd/resources.h"
#include "apps/httpd/response.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* http_parser's callbacks find it at parser->data while bytes are fed. */
struct intake {
    struct capy_httpd_exchange *x;
    uint64_t max_body;
    bool ended, too_large;
};

static int on_body(struct http_parser *p, const char *at, size_t len)
{
    struct intake *in = p->data;
    in->x->received += len;
    if (in->x->received > in->max_body) {
        in->too_large = true;
        return -1;
    }
    if (in->x->intake == CAPY_HTTPD_INTAKE_HASH)
        crypto_hash_sha256_update(&in->x->sha256, (const unsigned char *)at, len);
    return 0;
}

/* The next request's bytes may follow: stop here. */
static int on_complete(struct http_parser *p)
{
    struct intake *in = p->data;
    in->ended = true;
    http_parser_pause(p, 1);
    return 0;
}

static const struct http_parser_settings body_settings = {
    .on_body = on_body,
    .on_message_complete = on_complete,
};

static void answer_upload(struct capy_httpd_site *site, struct capy_httpd_exchange *x)
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof digest + 1], text[sizeof hex + 64];
    capy_httpd_serve(site, site->service_ns);
    crypto_hash_sha256_final(&x->sha256, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        sprintf(hex + 2 * i, "%02x", digest[i]);
    snprintf(text, sizeof text, "{\"bytes\":%" PRIu64 ",\"sha256\":\"%s\"}\n", x->received, hex);
    capy_httpd_text(site, x, HTTP_STATUS_OK, "application/json", NULL, text);
}

void capy_httpd_open_upload(struct capy_httpd_site *site, struct capy_httpd_exchange *x,
                            const struct capy_httpd_request *req, uint64_t now)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    (void)now;
    crypto_hash_sha256_init(&x->sha256);
    if (!req->has_body) {
        answer_upload(site, x);
        return;
    }
    x->intake = CAPY_HTTPD_INTAKE_HASH;
    x->parser = req->parser;
    if (req->expect_continue && req->http11) { /* RFC 9110 §10.1.1 */
        memcpy(x->out, go_on, sizeof go_on - 1);
        x->out_len = sizeof go_on - 1;
    }
}

enum capy_httpd_intake_result capy_httpd_take_in(struct capy_httpd_site *site,
                                                 struct capy_httpd_exchange *x, const uint8_t *data,
                                                 size_t len, size_t *used)
{
    struct intake in = {.x = x, .max_body = site->max_body};
    x->parser.data = &in;
    *used = http_parser_execute(&x->parser, &body_settings, (const char *)data, len);
    x->parser.data = NULL;
    if (in.ended) {
        if (x->intake == CAPY_HTTPD_INTAKE_HASH)
            answer_upload(site, x);
        x->intake = CAPY_HTTPD_INTAKE_NONE;
        return CAPY_HTTPD_INTAKE_ENDED;
    }
    if (HTTP_PARSER_ERRNO(&x->parser) == HPE_OK)
        return CAPY_HTTPD_INTAKE_MORE;
    x->close_after = x->linger = true; /* where the next request starts is unknown now */
    x->intake = CAPY_HTTPD_INTAKE_NONE;
    capy_httpd_error(site, x,
                     in.too_large ? HTTP_STATUS_PAYLOAD_TOO_LARGE : HTTP_STATUS_BAD_REQUEST, NULL);
    return CAPY_HTTPD_INTAKE_FAILED;
}
