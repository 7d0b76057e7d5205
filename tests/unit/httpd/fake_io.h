/* A byte transport in memory for session tests: what the client sent, what it received, and how
 * much room there is. */
#ifndef CAPY_TESTS_HTTPD_FAKE_IO_H
#define CAPY_TESTS_HTTPD_FAKE_IO_H

#include "apps/httpd/session.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct fake {
    uint8_t *in, *out;
    size_t in_at, in_len, out_len, cap;
    size_t room; /* what push still takes */
};

static inline void fake_open(struct fake *f, size_t cap)
{
    *f = (struct fake){.in = malloc(cap), .out = malloc(cap + 1), .cap = cap, .room = SIZE_MAX};
    assert(f->in && f->out);
}

static inline void fake_close(struct fake *f)
{
    free(f->in);
    free(f->out);
}

static inline void fake_send(struct fake *f, const void *data, size_t len)
{
    assert(f->in_len + len <= f->cap);
    memcpy(f->in + f->in_len, data, len);
    f->in_len += len;
}

static inline void fake_say(struct fake *f, const char *text)
{
    fake_send(f, text, strlen(text));
}

static inline int64_t fake_peek(void *ctx, uint32_t skip, void *out, uint32_t len)
{
    struct fake *f = ctx;
    size_t left = f->in_len - f->in_at;
    size_t n = skip >= left ? 0 : left - skip < len ? left - skip : len;
    memcpy(out, f->in + f->in_at + skip, n);
    return (int64_t)n;
}

static inline int fake_consume(void *ctx, uint32_t n)
{
    struct fake *f = ctx;
    assert(n <= f->in_len - f->in_at);
    f->in_at += n;
    return 0;
}

static inline int64_t fake_push(void *ctx, const void *data, uint32_t len)
{
    struct fake *f = ctx;
    size_t n = len < f->room ? len : f->room;
    assert(f->out_len + n <= f->cap);
    memcpy(f->out + f->out_len, data, n);
    f->out_len += n;
    f->out[f->out_len] = 0;
    f->room -= n;
    return (int64_t)n;
}

static inline struct capy_httpd_io fake_io(struct fake *f)
{
    return (struct capy_httpd_io){f, fake_peek, fake_consume, fake_push};
}

#endif
