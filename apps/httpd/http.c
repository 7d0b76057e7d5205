/* Request heads over libhttp-parser, which checks the grammar and the framing (it refuses what
 * could be read in two ways: Content-Length beside Transfer-Encoding, repeated or odd lengths).
 * Here is what it leaves to the server: Host, versions, transfer codings, expectations and lengths.
 */
#include "apps/httpd/http.h"
#include "apps/common/option.h"
#include "apps/httpd/site.h"
#include <string.h>
#include <strings.h>

/* A parse in progress; http_parser's callbacks find it at parser->data. */
struct head {
    struct capy_httpd_request *req;
    const char *target, *field;
    size_t target_len, field_len;
    unsigned host_cnt;
    bool value_seen; /* for the current field: a second value is a folded line */
    bool folded;
    bool coding, other_coding; /* Transfer-Encoding: there is one; one that is not "chunked" */
    bool expect_other;
    bool complete;
};

static bool equals(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(text, word, len) == 0;
}

static int on_url(struct http_parser *p, const char *at, size_t len)
{
    struct head *h = p->data;
    h->target = at;
    h->target_len = len;
    return 0;
}

static int on_field(struct http_parser *p, const char *at, size_t len)
{
    struct head *h = p->data;
    h->field = at;
    h->field_len = len;
    h->value_seen = false;
    return 0;
}

static int on_value(struct http_parser *p, const char *at, size_t len)
{
    struct head *h = p->data;
    if (h->value_seen) /* obs-fold: RFC 9112 §5.2 has a server refuse it */
        h->folded = true;
    h->value_seen = true;
    while (len > 0 && (at[len - 1] == ' ' || at[len - 1] == '\t'))
        len--;
    if (equals(h->field, h->field_len, "Host")) {
        h->host_cnt++;
    } else if (equals(h->field, h->field_len, "Transfer-Encoding")) {
        h->coding = true;
        if (!equals(at, len, "chunked"))
            h->other_coding = true;
    } else if (equals(h->field, h->field_len, "Expect")) {
        if (equals(at, len, "100-continue"))
            h->req->expect_continue = true;
        else
            h->expect_other = true;
    }
    return 0;
}

static int on_complete(struct http_parser *p)
{
    struct head *h = p->data;
    h->complete = true;
    return 0;
}

static const struct http_parser_settings head_settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_message_complete = on_complete,
};

size_t capy_httpd_skip_empty(const uint8_t *data, size_t len)
{
    size_t n = 0;
    while (n < len && (data[n] == '\r' || data[n] == '\n'))
        n++;
    return n;
}

size_t capy_httpd_head_len(const uint8_t *data, size_t len, size_t from)
{
    size_t at = from > 3 ? from - 3 : 0; /* the empty line may straddle what was seen */
    while (at < len) {
        const uint8_t *nl = memchr(data + at, '\n', len - at);
        if (!nl)
            return 0;
        at = (size_t)(nl - data) + 1;
        if (at < len && data[at] == '\n')
            return at + 1;
        if (at + 1 < len && data[at] == '\r' && data[at + 1] == '\n')
            return at + 2;
    }
    return 0;
}

unsigned capy_httpd_overlong(const uint8_t *data, size_t len)
{
    const uint8_t *nl = memchr(data, '\n', len);
    size_t line_len = nl ? (size_t)(nl - data) : len;
    return line_len > CAPY_HTTPD_TARGET_MAX ? HTTP_STATUS_URI_TOO_LONG
                                            : HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE;
}

static size_t token_len(const uint8_t *head, size_t len)
{
    size_t n = 0;
    while (n < len &&
           ((head[n] >= 'A' && head[n] <= 'Z') || (head[n] >= 'a' && head[n] <= 'z') ||
            (head[n] >= '0' && head[n] <= '9') || (head[n] && strchr("!#$%&'*+-.^_`|~", head[n]))))
        n++;
    return n;
}

bool capy_httpd_is_token(const uint8_t *data, size_t len)
{
    return token_len(data, len) == len;
}

/* An unknown method is a token followed by a space (RFC 9110 §9.1: 501); all else is malformed. */
static bool starts_with_token(const uint8_t *head, size_t len)
{
    size_t n = token_len(head, len);
    return n > 0 && n < len && head[n] == ' ';
}

static unsigned parser_error(const struct head *h, const uint8_t *head, size_t len)
{
    enum http_errno err = HTTP_PARSER_ERRNO(&h->req->parser);
    if (err == HPE_INVALID_METHOD && starts_with_token(head, len))
        return HTTP_STATUS_NOT_IMPLEMENTED;
    if (err == HPE_INVALID_TRANSFER_ENCODING && h->other_coding)
        return HTTP_STATUS_NOT_IMPLEMENTED;
    if (err == HPE_HEADER_OVERFLOW)
        return HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE;
    return HTTP_STATUS_BAD_REQUEST;
}

/* What a well-formed head may still not say. */
static unsigned head_error(const struct head *h, uint64_t max_body)
{
    const struct http_parser *p = &h->req->parser;
    if (p->http_major != 1)
        return HTTP_STATUS_HTTP_VERSION_NOT_SUPPORTED;
    if (h->target_len > CAPY_HTTPD_TARGET_MAX)
        return HTTP_STATUS_URI_TOO_LONG;
    if (h->folded || h->host_cnt > 1 || (h->req->http11 && h->host_cnt == 0))
        return HTTP_STATUS_BAD_REQUEST; /* RFC 9112 §3.2 */
    if (h->other_coding)
        return HTTP_STATUS_NOT_IMPLEMENTED; /* RFC 9112 §6.1 */
    if (h->coding && !h->req->http11)
        return HTTP_STATUS_BAD_REQUEST; /* RFC 9112 §6.1: faulty framing */
    if (h->expect_other)
        return HTTP_STATUS_EXPECTATION_FAILED;
    if (h->req->has_body && !h->coding && p->content_length > max_body)
        return HTTP_STATUS_PAYLOAD_TOO_LARGE;
    return 0;
}

/* Splits the target into path and query. Absolute form (RFC 9112 §3.2.2) loses its authority. */
static void split_target(struct capy_httpd_request *req, const char *target, size_t len)
{
    const char *end = target + len;
    const char *colon = len > 0 && target[0] != '/' ? memchr(target, ':', len) : NULL;
    if (colon && end - colon >= 3 && memcmp(colon, "://", 3) == 0) {
        const char *slash = memchr(colon + 3, '/', (size_t)(end - colon) - 3);
        target = slash ? slash : "/";
        end = slash ? end : target + 1;
    }
    const char *hash = memchr(target, '#', (size_t)(end - target));
    if (hash)
        end = hash;
    const char *mark = memchr(target, '?', (size_t)(end - target));
    req->path = target;
    req->path_len = (size_t)((mark ? mark : end) - target);
    req->query = mark ? mark + 1 : end;
    req->query_len = (size_t)(end - req->query);
}

void capy_httpd_parse(struct capy_httpd_request *req, const uint8_t *head, size_t len,
                      uint64_t max_body)
{
    struct head h = {.req = req};
    memset(req, 0, sizeof *req);
    http_parser_init(&req->parser, HTTP_REQUEST);
    req->parser.data = &h;
    size_t n = http_parser_execute(&req->parser, &head_settings, (const char *)head, len);
    req->parser.data = NULL;
    req->method = (enum http_method)req->parser.method;
    req->http11 = req->parser.http_major == 1 && req->parser.http_minor >= 1;
    req->has_body = !h.complete;
    if (HTTP_PARSER_ERRNO(&req->parser) != HPE_OK)
        req->error = parser_error(&h, head, len);
    else
        req->error =
            n == len || req->parser.upgrade ? head_error(&h, max_body) : HTTP_STATUS_BAD_REQUEST;
    req->keep_alive = req->error == 0 && http_should_keep_alive(&req->parser);
    split_target(req, h.target ? h.target : "", h.target_len);
}

const char *capy_httpd_query(const struct capy_httpd_request *req, const char *name, size_t *len)
{
    size_t name_len = strlen(name);
    const char *at = req->query, *end = req->query + req->query_len;
    while (at < end) {
        const char *amp = memchr(at, '&', (size_t)(end - at));
        const char *stop = amp ? amp : end;
        if ((size_t)(stop - at) > name_len && at[name_len] == '=' &&
            memcmp(at, name, name_len) == 0) {
            *len = (size_t)(stop - at) - name_len - 1;
            return at + name_len + 1;
        }
        at = amp ? amp + 1 : end;
    }
    return NULL;
}

bool capy_httpd_query_number(const struct capy_httpd_request *req, const char *name, uint64_t max,
                             uint64_t *out)
{
    size_t len;
    const char *text = capy_httpd_query(req, name, &len);
    return !text || capy_option_number(text, len, max, out);
}
