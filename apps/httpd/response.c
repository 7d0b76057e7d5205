/* Answer heads (RFC 9110 §6, RFC 9112 §4) and the cursor over an answer's bytes. */
#include "apps/httpd/response.h"
#include "apps/common/pattern.h"
#include "apps/httpd/files.h"
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static void append(struct capy_httpd_exchange *x,
                                                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf((char *)x->out + x->out_len, CAPY_HTTPD_OUT_MAX - x->out_len, format, args);
    va_end(args);
    assert(n >= 0 && (uint32_t)n < CAPY_HTTPD_OUT_MAX - x->out_len); /* sized by our own texts */
    x->out_len += (uint32_t)n;
}

void capy_httpd_head(const struct capy_httpd_site *site, struct capy_httpd_exchange *x,
                     const struct capy_httpd_answer *answer)
{
    if (answer->unbounded && !x->http11)
        x->close_after = true; /* the end of the connection is the end of the body */
    x->out_at = x->out_len = 0;
    append(x, "HTTP/1.1 %u %s\r\nDate: %s\r\nServer: capybara\r\nX-Capy-Server: %s\r\n",
           answer->status, http_status_str((enum http_status)answer->status), site->date,
           site->server);
    if (answer->type)
        append(x, "Content-Type: %s\r\n", answer->type);
    if (!answer->unbounded)
        append(x, "Content-Length: %" PRIu64 "\r\n", answer->length);
    else if (x->http11)
        append(x, "Transfer-Encoding: chunked\r\n");
    if (x->close_after)
        append(x, "Connection: close\r\n");
    else if (!x->http11)
        append(x, "Connection: keep-alive\r\n");
    append(x, "%s\r\n", answer->fields ? answer->fields : "");
}

void capy_httpd_text(const struct capy_httpd_site *site, struct capy_httpd_exchange *x,
                     unsigned status, const char *type, const char *fields, const char *text)
{
    struct capy_httpd_answer answer = {
        .status = status, .type = type, .fields = fields, .length = strlen(text)};
    capy_httpd_head(site, x, &answer);
    x->body = CAPY_HTTPD_BODY_NONE;
    if (!x->head_only)
        append(x, "%s", text);
}

void capy_httpd_error(struct capy_httpd_site *site, struct capy_httpd_exchange *x, unsigned status,
                      const char *fields)
{
    char text[128];
    site->cnt.errors++;
    snprintf(text, sizeof text, "%u %s\n", status, http_status_str((enum http_status)status));
    capy_httpd_text(site, x, status, "text/plain; charset=utf-8", fields, text);
}

int64_t capy_httpd_fill(const struct capy_httpd_exchange *x, uint8_t *out, uint32_t cap)
{
    uint32_t head_len = x->out_len - x->out_at;
    if (head_len > cap)
        head_len = cap;
    memcpy(out, x->out + x->out_at, head_len);
    uint64_t left = x->length - x->offset;
    uint32_t n = left < cap - head_len ? (uint32_t)left : cap - head_len;
    if (n == 0)
        return head_len;
    switch (x->body) {
    case CAPY_HTTPD_BODY_NONE:
    case CAPY_HTTPD_BODY_EVENTS:
        return head_len;
    case CAPY_HTTPD_BODY_PATTERN:
        capy_pattern_fill(x->seed, x->offset, out + head_len, n);
        return head_len + n;
    case CAPY_HTTPD_BODY_FILE:
        if (!capy_httpd_file_read(x, out + head_len, n))
            return -1;
        return head_len + n;
    }
    return -1;
}

void capy_httpd_sent(struct capy_httpd_exchange *x, uint32_t n)
{
    uint32_t head_len = x->out_len - x->out_at;
    if (n <= head_len) {
        x->out_at += n;
        return;
    }
    x->out_at = x->out_len;
    x->offset += n - head_len;
    assert(x->offset <= x->length);
}
