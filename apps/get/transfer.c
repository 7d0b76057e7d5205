/* One connection's transfer. See transfer.h. */
#include "apps/get/transfer.h"

#include "apps/common/pattern.h"
#include "apps/load/response.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PIECE 65536u /* copied at a time */

static enum get_step fail(const char **why, const char *what)
{
    *why = what;
    return GET_STEP_FAILED;
}

void get_transfer_begin(struct get_transfer *t)
{
    char length[48] = "";
    if (t->send_len > 0)
        snprintf(length, sizeof length, "Content-Length: %" PRIu64 "\r\n", t->send_len);
    t->out_len = (uint32_t)snprintf(t->out, sizeof t->out, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n",
                                    t->method, t->path, t->host, length);
    t->out_at = t->head_len = 0;
    t->send_at = t->body_at = t->body_len = 0;
    t->phase = GET_SENDING;
    crypto_hash_sha256_init(&t->sha256);
}

/* What is to be sent is the same on every connection, and pushed in more than one go: the piece made
 * last is kept. */
static struct {
    uint64_t from;
    size_t len;
    uint8_t bytes[PIECE];
} made;

/* The next piece of the request's body, *len long: 0 when the file has less than it had. */
static const uint8_t *next_piece(const struct get_transfer *t, const struct get_files *files,
                                 size_t *len)
{
    if (t->send_at < made.from || t->send_at >= made.from + made.len) {
        uint64_t left = t->send_len - t->send_at;
        made.from = t->send_at;
        made.len = left < PIECE ? (size_t)left : PIECE;
        if (t->from_file) {
            ssize_t n = pread(files->in, made.bytes, made.len, (off_t)made.from);
            made.len = n > 0 ? (size_t)n : 0;
        } else {
            capy_pattern_fill(GET_PATTERN_SEED, made.from, made.bytes, made.len);
        }
    }
    *len = made.len - (size_t)(t->send_at - made.from);
    return made.bytes + (t->send_at - made.from);
}

enum get_step get_transfer_send(struct get_transfer *t, struct capy *os, int qd,
                                const struct get_files *files, const char **why)
{
    if (t->phase != GET_SENDING)
        return GET_STEP_WAIT;
    while (t->out_at < t->out_len || t->send_at < t->send_len) {
        bool head = t->out_at < t->out_len;
        size_t len = t->out_len - t->out_at;
        const void *data = head ? (const void *)(t->out + t->out_at) : next_piece(t, files, &len);
        if (len == 0)
            return fail(why, "the file to send has become shorter");
        int64_t n = capy_push(os, qd, data, (uint32_t)len);
        if (n < 0)
            return fail(why, capy_strerror((int)n));
        if (head)
            t->out_at += (uint32_t)n;
        else
            t->send_at += (uint64_t)n;
        if ((size_t)n < len) /* a PUSH comes when there is room */
            return GET_STEP_WAIT;
    }
    t->phase = GET_HEAD;
    return GET_STEP_WAIT;
}

/* The head, once it is whole. *used: its bytes. */
static enum get_step take_head(struct get_transfer *t, struct capy *os, int qd, const char **why)
{
    struct load_response got;
    uint32_t before = t->head_len;
    int64_t n = capy_peek(os, qd, 0, t->head + before, GET_HEAD_MAX - before);
    if (n < 0)
        return fail(why, capy_strerror((int)n));
    t->head_len += (uint32_t)n;
    int head = load_response_parse(t->head, t->head_len, &got);
    if (head < 0 || (head == 0 && t->head_len == GET_HEAD_MAX))
        return fail(why, "not an HTTP/1.1 answer");
    (void)capy_consume(os, qd, head > 0 ? (uint32_t)head - before : (uint32_t)n);
    if (head == 0)
        return GET_STEP_WAIT;
    if (got.status != 200)
        return fail(why, "the answer's status is not 200");
    if (!got.has_length)
        return fail(why, "the answer does not tell its length");
    t->body_len = got.length;
    t->close_after = got.close;
    t->phase = GET_BODY;
    return GET_STEP_WAIT;
}

static bool write_out(int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static enum get_step take_body(struct get_transfer *t, struct capy *os, int qd,
                               const struct get_files *files, const char **why)
{
    static uint8_t piece[PIECE];
    while (t->body_at < t->body_len) {
        uint64_t left = t->body_len - t->body_at;
        int64_t n = capy_peek(os, qd, 0, piece, left < PIECE ? (uint32_t)left : PIECE);
        if (n <= 0)
            return n == 0 ? GET_STEP_WAIT : fail(why, capy_strerror((int)n));
        if (t->hashed)
            crypto_hash_sha256_update(&t->sha256, piece, (size_t)n);
        if (files->out >= 0 && !write_out(files->out, piece, (size_t)n))
            return fail(why, "the output cannot be written");
        (void)capy_consume(os, qd, (uint32_t)n);
        t->body_at += (uint64_t)n;
    }
    if (t->hashed)
        crypto_hash_sha256_final(&t->sha256, t->digest);
    t->bytes += t->body_len + t->send_len;
    t->phase = GET_DONE;
    t->requests_left--;
    return GET_STEP_ANSWER;
}

enum get_step get_transfer_receive(struct get_transfer *t, struct capy *os, int qd, bool fin,
                                   const struct get_files *files, const char **why)
{
    enum get_step step = GET_STEP_WAIT;
    if (t->phase ==
        GET_SENDING) /* an early answer, an error most likely: it is read all the same */
        t->phase = GET_HEAD;
    if (t->phase == GET_HEAD)
        step = take_head(t, os, qd, why);
    if (step == GET_STEP_WAIT && t->phase == GET_BODY)
        step = take_body(t, os, qd, files, why);
    if (step == GET_STEP_WAIT && fin)
        return fail(why, "closed in the middle of an answer");
    return step;
}

char *get_digest_text(const struct get_transfer *t, char out[2 * crypto_hash_sha256_BYTES + 1])
{
    for (unsigned i = 0; i < sizeof t->digest; i++)
        sprintf(out + 2u * i, "%02x", t->digest[i]);
    return out;
}
