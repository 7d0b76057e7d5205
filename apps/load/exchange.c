/* A request and its answer. See exchange.h. */
#include "apps/load/exchange.h"

#include "apps/common/pattern.h"
#include <inttypes.h>
#include <string.h>

void load_question_make(struct load_question *q, const char *host, uint64_t service_us,
                        uint64_t body_len)
{
    q->body_len = body_len;
    q->before_len = (uint32_t)snprintf(
        q->before, sizeof q->before,
        "GET /synthetic?us=%" PRIu64 "&bytes=%" PRIu64 "&seed=", service_us, body_len);
    q->behind_len =
        (uint32_t)snprintf(q->behind, sizeof q->behind, " HTTP/1.1\r\nHost: %s\r\n\r\n", host);
}

/* Decimal digits; how many. */
static uint32_t write_number(char *to, uint64_t v)
{
    char digits[LOAD_SEED_DIGITS_MAX];
    uint32_t cnt = 0;
    do {
        digits[cnt++] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    for (uint32_t i = 0; i < cnt; i++)
        to[i] = digits[cnt - 1 - i];
    return cnt;
}

void load_exchange_begin(struct load_exchange *x, const struct load_question *q, uint64_t seed)
{
    uint32_t len = q->before_len;
    memcpy(x->out, q->before, len);
    len += write_number(x->out + len, seed);
    memcpy(x->out + len, q->behind, q->behind_len);
    x->out_len = len + q->behind_len;
    x->out_at = x->head_len = 0;
    x->seed = seed;
    x->body_len = q->body_len;
    x->body_at = 0;
    x->phase = LOAD_ASKING;
}

void load_exchange_sent(struct load_exchange *x, uint32_t len)
{
    x->out_at += len;
    if (x->phase == LOAD_ASKING && x->out_at == x->out_len)
        x->phase = LOAD_HEAD;
}

static enum load_step fail(struct load_failure *why, enum load_error error, const char *text)
{
    load_failure_set(why, error, text);
    return LOAD_STEP_FAILED;
}

/* The head is whole: is it the answer to our question? */
static enum load_step check_head(struct load_exchange *x, const struct load_response *got,
                                 struct load_failure *why)
{
    char text[100];
    if (got->status != 200 || !got->has_length || got->length != x->body_len) {
        snprintf(text, sizeof text, "status %u, length %" PRIu64 " instead of 200, %" PRIu64,
                 got->status, got->length, x->body_len);
        return fail(why, LOAD_ERROR_ANSWER, text);
    }
    strcpy(x->server, got->server[0] ? got->server : "?");
    x->close_after = got->close;
    x->phase = LOAD_BODY;
    return LOAD_STEP_WAIT;
}

/* Head bytes: kept only when the head comes in pieces. *used: how many of len belonged to it. */
static enum load_step take_head(struct load_exchange *x, const char *data, size_t len, size_t *used,
                                struct load_failure *why)
{
    struct load_response got;
    uint32_t before = x->head_len;
    const char *head = data;
    size_t head_len = len;
    if (before > 0 || len < LOAD_HEAD_MAX) {
        size_t n = len < sizeof x->head - before ? len : sizeof x->head - before;
        memcpy(x->head + before, data, n);
        x->head_len += (uint32_t)n;
        head = x->head;
        head_len = x->head_len;
        *used = n;
    }
    int whole = load_response_parse(head, head_len, &got);
    if (whole < 0 || (whole == 0 && head_len >= LOAD_HEAD_MAX))
        return fail(why, LOAD_ERROR_ANSWER, "not an HTTP/1.1 answer");
    if (whole == 0)
        return LOAD_STEP_WAIT;
    *used = (size_t)whole - before;
    return check_head(x, &got, why);
}

static enum load_step take_body(struct load_exchange *x, const char *data, size_t len,
                                struct load_failure *why)
{
    char text[120];
    if (len > x->body_len - x->body_at)
        return fail(why, LOAD_ERROR_ANSWER, "bytes behind the answer");
    size_t right = capy_pattern_check(x->seed, x->body_at, (const uint8_t *)data, len);
    if (right < len) {
        snprintf(text, sizeof text, "byte %" PRIu64 " of the body for seed %" PRIu64 " is wrong",
                 x->body_at + right, x->seed);
        return fail(why, LOAD_ERROR_BODY, text);
    }
    x->body_at += len;
    return LOAD_STEP_WAIT;
}

enum load_step load_exchange_take(struct load_exchange *x, const char *data, size_t len,
                                  struct load_failure *why)
{
    enum load_step step = LOAD_STEP_WAIT;
    size_t used = 0;
    if (x->phase == LOAD_HEAD)
        step = take_head(x, data, len, &used, why);
    else if (x->phase != LOAD_BODY)
        return fail(why, LOAD_ERROR_ANSWER, "bytes that nobody asked for");
    if (step == LOAD_STEP_WAIT && x->phase == LOAD_BODY)
        step = take_body(x, data + used, len - used, why);
    if (step == LOAD_STEP_WAIT && x->phase == LOAD_BODY && x->body_at == x->body_len) {
        x->phase = LOAD_AT_REST;
        return LOAD_STEP_ANSWERED;
    }
    return step;
}
