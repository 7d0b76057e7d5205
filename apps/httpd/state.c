/* The migration state codec. Layout, version 1 (lengths in bytes):
 *
 *   version 1, body 1, intake 1, flags 1, due left 8 (all ones: not set), out length 2, out
 *   body PATTERN:  offset 8, length 8, seed 8
 *   body FILE:     offset 8, length 8, mtime 8, path length 2, path
 *   body EVENTS:   interval 4, next id 8, last id 8
 *   with intake:   parser version 4, flags 1, state 1, header state 1, index 1, bits 1, nread 4,
 *                  content length 8, major 2, minor 2, method 1, received 8
 *   intake HASH:   SHA-256: state 8 x 4, count 8, buffer 64
 *   checksum 8:    SipHash of all before it, under a fixed key: it catches damage, not forgery
 *                  (that is TCPMig's tag) */
#include "apps/httpd/state.h"
#include <sodium/crypto_shorthash.h>
#include <string.h>

#define STATE_VERSION 1u
#define CHECK_LEN crypto_shorthash_BYTES
#define DUE_LEFT_MAX (2ull * 3600u * 1000000000u) /* twice the longest event interval */
#define FLAG_HEAD_ONLY 1u
#define FLAG_HTTP11 2u
#define FLAG_CLOSE_AFTER 4u
#define FLAG_LINGER 8u
#define FLAGS_ALL 15u
#define PARSER_UPGRADE 1u
#define PARSER_CODING 2u

_Static_assert(HTTP_PARSER_VERSION_MAJOR == 2 && HTTP_PARSER_VERSION_MINOR == 9,
               "the fields of struct http_parser that move are those of 2.9");
_Static_assert(crypto_shorthash_KEYBYTES == 16, "the checksum's key is as long as its text");

static const unsigned char check_key[] = "capy httpd state";

/* One list of fields serves both ways: a cursor that writes, or reads and checks. */
struct codec {
    uint8_t *at;
    const uint8_t *end;
    bool reading;
    bool failed; /* reading: too short, or a value out of range */
};

static void bytes(struct codec *c, void *value, size_t len)
{
    if ((size_t)(c->end - c->at) < len) {
        c->failed = true;
        return;
    }
    if (c->reading)
        memcpy(value, c->at, len);
    else
        memcpy(c->at, value, len);
    c->at += len;
}

/* A big-endian number of len bytes. */
static uint64_t number(struct codec *c, unsigned len, uint64_t value)
{
    uint8_t b[8] = {0};
    for (unsigned i = 0; i < len; i++)
        b[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
    bytes(c, b, len);
    uint64_t got = 0;
    for (unsigned i = 0; i < len; i++)
        got = got << 8 | b[i];
    return got;
}

static uint64_t number_to(struct codec *c, unsigned len, uint64_t value, uint64_t max)
{
    uint64_t got = number(c, len, value);
    if (got <= max)
        return got;
    c->failed = true;
    return 0;
}

static void code_head(struct codec *c, struct capy_httpd_exchange *x, uint64_t now)
{
    unsigned flags = (x->head_only ? FLAG_HEAD_ONLY : 0) | (x->http11 ? FLAG_HTTP11 : 0) |
                     (x->close_after ? FLAG_CLOSE_AFTER : 0) | (x->linger ? FLAG_LINGER : 0);
    uint64_t left = x->due_at == 0 ? UINT64_MAX : x->due_at > now ? x->due_at - now : 0;

    if (number(c, 1, STATE_VERSION) != STATE_VERSION)
        c->failed = true;
    x->body = (enum capy_httpd_body)number_to(c, 1, x->body, CAPY_HTTPD_BODY_EVENTS);
    x->intake = (enum capy_httpd_intake)number_to(c, 1, x->intake, CAPY_HTTPD_INTAKE_HASH);
    flags = (unsigned)number_to(c, 1, flags, FLAGS_ALL);
    left = number(c, 8, left);
    uint32_t out_len = (uint32_t)number_to(c, 2, x->out_len - x->out_at, CAPY_HTTPD_OUT_MAX);
    if (!c->reading) {
        bytes(c, x->out + x->out_at, out_len);
        return;
    }
    bytes(c, x->out, out_len);
    x->out_len = out_len;
    x->head_only = flags & FLAG_HEAD_ONLY;
    x->http11 = flags & FLAG_HTTP11;
    x->close_after = flags & FLAG_CLOSE_AFTER;
    x->linger = flags & FLAG_LINGER;
    if (left != UINT64_MAX && left > DUE_LEFT_MAX)
        c->failed = true;
    x->due_at = left == UINT64_MAX ? 0 : now + left;
}

static void code_file(struct codec *c, struct capy_httpd_exchange *x)
{
    x->mtime_ns = (int64_t)number(c, 8, (uint64_t)x->mtime_ns);
    size_t path_len = number_to(c, 2, strlen(x->path), CAPY_HTTPD_PATH_MAX - 1);
    bytes(c, x->path, path_len);
    if (path_len == 0 || strnlen(x->path, path_len) != path_len)
        c->failed = true;
    else
        x->path[path_len] = 0;
}

static void code_body(struct codec *c, struct capy_httpd_exchange *x)
{
    if (x->body == CAPY_HTTPD_BODY_PATTERN || x->body == CAPY_HTTPD_BODY_FILE) {
        x->offset = number(c, 8, x->offset);
        x->length = number(c, 8, x->length);
        if (x->offset > x->length)
            c->failed = true;
    }
    if (x->body == CAPY_HTTPD_BODY_PATTERN)
        x->seed = number(c, 8, x->seed);
    if (x->body == CAPY_HTTPD_BODY_FILE)
        code_file(c, x);
    if (x->body == CAPY_HTTPD_BODY_EVENTS) {
        x->interval_ms = (uint32_t)number_to(c, 4, x->interval_ms, UINT32_MAX);
        x->next_id = number(c, 8, x->next_id);
        x->last_id = number(c, 8, x->last_id);
        if (x->interval_ms == 0 || x->next_id == 0)
            c->failed = true;
    }
}

static void code_parser(struct codec *c, struct http_parser *p)
{
    unsigned bits =
        (p->upgrade ? PARSER_UPGRADE : 0) | (p->uses_transfer_encoding ? PARSER_CODING : 0);
    if (number(c, 4, http_parser_version()) != http_parser_version())
        c->failed = true;
    p->type = HTTP_REQUEST;
    p->flags = (unsigned)number(c, 1, p->flags) & 0xff;
    p->state = (unsigned)number_to(c, 1, p->state, 127) & 127;
    p->header_state = (unsigned)number_to(c, 1, p->header_state, 127) & 127;
    p->index = (unsigned)number_to(c, 1, p->index, 31) & 31;
    bits = (unsigned)number_to(c, 1, bits, PARSER_UPGRADE | PARSER_CODING);
    p->upgrade = (bits & PARSER_UPGRADE) != 0;
    p->uses_transfer_encoding = (bits & PARSER_CODING) != 0;
    p->nread = (uint32_t)number(c, 4, p->nread);
    p->content_length = number(c, 8, p->content_length);
    p->http_major = (unsigned short)number(c, 2, p->http_major);
    p->http_minor = (unsigned short)number(c, 2, p->http_minor);
    p->method = (unsigned)number(c, 1, p->method) & 0xff;
}

static void code_intake(struct codec *c, struct capy_httpd_exchange *x)
{
    if (x->intake == CAPY_HTTPD_INTAKE_NONE)
        return;
    code_parser(c, &x->parser);
    x->received = number(c, 8, x->received);
    if (x->intake != CAPY_HTTPD_INTAKE_HASH)
        return;
    for (unsigned i = 0; i < 8; i++)
        x->sha256.state[i] = (uint32_t)number(c, 4, x->sha256.state[i]);
    x->sha256.count = number(c, 8, x->sha256.count);
    bytes(c, x->sha256.buf, sizeof x->sha256.buf);
}

static void code(struct codec *c, struct capy_httpd_exchange *x, uint64_t now)
{
    code_head(c, x, now);
    if (!c->failed)
        code_body(c, x);
    if (!c->failed)
        code_intake(c, x);
}

uint32_t capy_httpd_state_encode(const struct capy_httpd_exchange *x, uint64_t now,
                                 uint8_t out[CAPY_HTTPD_STATE_MAX])
{
    struct codec c = {.at = out, .end = out + CAPY_HTTPD_STATE_MAX - CHECK_LEN};
    code(&c, (struct capy_httpd_exchange *)x, now); /* writing, it changes nothing in x */
    uint32_t len = (uint32_t)(c.at - out);
    crypto_shorthash(c.at, out, len, check_key);
    return len + CHECK_LEN;
}

bool capy_httpd_state_decode(struct capy_httpd_exchange *x, const uint8_t *data, uint32_t len,
                             uint64_t now)
{
    uint8_t check[CHECK_LEN];
    if (len < CHECK_LEN || len > CAPY_HTTPD_STATE_MAX)
        return false;
    len -= CHECK_LEN;
    crypto_shorthash(check, data, len, check_key);
    if (memcmp(check, data + len, CHECK_LEN) != 0)
        return false;
    struct codec c = {.at = (uint8_t *)data, .end = data + len, .reading = true};
    code(&c, x, now);
    return !c.failed && c.at == c.end;
}
