/* One request being answered: a cursor over the bytes of the answer, and over the body of the
 * request. It is a value: everything needed to go on with it on another server (state.c encodes
 * it). Only the open file stays behind; the other server opens its own. Exists from the request's
 * head until the last byte of the answer is pushed, so an idle connection has none. */
#ifndef CAPY_APPS_HTTPD_EXCHANGE_H
#define CAPY_APPS_HTTPD_EXCHANGE_H

#include <http_parser.h>
#include <sodium/crypto_hash_sha256.h>
#include <stdbool.h>
#include <stdint.h>

#define CAPY_HTTPD_OUT_MAX 2048u  /* an answer's head with a short text: well below 1.5 KiB */
#define CAPY_HTTPD_PATH_MAX 1024u /* of a static file below the root, with its NUL */

/* Where the bytes behind `out` come from. */
enum capy_httpd_body {
    CAPY_HTTPD_BODY_NONE,
    CAPY_HTTPD_BODY_PATTERN, /* bytes of stream `seed` (apps/common/pattern.h) */
    CAPY_HTTPD_BODY_FILE,
    CAPY_HTTPD_BODY_EVENTS, /* server-sent events, one at a time through `out` */
};

/* What becomes of the request's body. */
enum capy_httpd_intake {
    CAPY_HTTPD_INTAKE_NONE,    /* there is none, or it has ended */
    CAPY_HTTPD_INTAKE_DISCARD, /* the answer in `out` waits for its end */
    CAPY_HTTPD_INTAKE_HASH,    /* /upload: the answer is written at its end */
};

struct capy_httpd_exchange {
    struct capy_httpd_exchange *next_free;

    /* the answer */
    enum capy_httpd_body body;
    bool head_only, http11;   /* HEAD; the request's version is 1.1 */
    bool close_after;         /* the connection ends with this answer */
    bool linger;              /* ... and then input is discarded until due_at (see session.c) */
    uint32_t out_at, out_len; /* out[out_at .. out_len) is still to be pushed, before the body */
    uint64_t offset, length;  /* of the body: next byte, whole length */
    uint64_t due_at;          /* EVENTS: the next one; linger: the end of it. Monotonic ns */

    uint64_t seed; /* PATTERN */

    int fd;                         /* FILE: -1 none; stays */
    int64_t mtime_ns;               /* FILE: with length, what identifies it */
    char path[CAPY_HTTPD_PATH_MAX]; /* FILE: relative to the root, sanitised */

    uint32_t interval_ms;      /* EVENTS */
    uint64_t next_id, last_id; /* EVENTS: last_id 0 = endless */

    /* the request's body */
    enum capy_httpd_intake intake;
    struct http_parser parser; /* after the head, or somewhere in the body */
    uint64_t received;         /* decoded bytes */
    crypto_hash_sha256_state sha256;

    uint8_t out[CAPY_HTTPD_OUT_MAX];
};

static inline bool capy_httpd_out_empty(const struct capy_httpd_exchange *x)
{
    return x->out_at == x->out_len;
}

#endif
