/* One keep-alive connection of the load. See conn.h. */
#include "apps/load/conn.h"

#include "apps/common/pattern.h"
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static enum load_step fail(struct load_failure *f, enum load_error error, const char *why)
{
    f->error = error;
    snprintf(f->why, sizeof f->why, "%s", why);
    return LOAD_STEP_FAILED;
}

static enum load_step fail_errno(const struct load_conn *c, struct load_failure *f, int err)
{
    if (c->phase == LOAD_CONNECTING || c->phase == LOAD_CLOSED) {
        return fail(f, LOAD_ERROR_CONNECT, strerror(err));
    }
    return fail(f, err == ECONNRESET || err == EPIPE ? LOAD_ERROR_RESET : LOAD_ERROR_TIMEOUT,
                strerror(err));
}

enum load_step load_conn_open(struct load_conn *c, struct load_failure *why)
{
    int one = 1;
    c->fd = socket(c->target.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        return fail_errno(c, why, errno);
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, &c->target.any, capy_endpoint_len(&c->target)) < 0 && errno != EINPROGRESS) {
        return fail_errno(c, why, errno);
    }
    c->phase = LOAD_CONNECTING;
    return LOAD_STEP_WAIT;
}

/* Sends what is left of the request. */
static enum load_step send_rest(struct load_conn *c, struct load_failure *why)
{
    while (c->out_at < c->out_len) {
        ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);
        if (n < 0) {
            return errno == EAGAIN || errno == EINTR ? LOAD_STEP_WAIT : fail_errno(c, why, errno);
        }
        c->out_at += (uint32_t)n;
    }
    c->phase = LOAD_HEAD;
    return LOAD_STEP_WAIT;
}

enum load_step load_conn_ask(struct load_conn *c, const struct load_options *opt, uint64_t seed,
                             struct load_failure *why)
{
    char host[CAPY_ENDPOINT_TEXT_MAX];
    capy_endpoint_host(&c->target, host);
    c->seed = seed;
    c->body_len = opt->bytes;
    c->body_at = 0;
    c->head_len = 0;
    c->out_at = 0;
    c->out_len = (uint32_t)snprintf(c->out, sizeof c->out,
                                    "GET /synthetic?us=%" PRIu64 "&bytes=%" PRIu64 "&seed=%" PRIu64
                                    " HTTP/1.1\r\nHost: %s\r\n\r\n",
                                    opt->service_us, opt->bytes, seed, host);
    c->phase = LOAD_ASKING;
    return send_rest(c, why);
}

/* Counts the answer for the server that gave it. False: more names than a rack can have. */
static bool note_server(struct load_conn *c, struct load_result *r, const char *name)
{
    unsigned i = 0;
    while (i < r->server_cnt && strcmp(r->server[i], name) != 0) {
        i++;
    }
    if (i == LOAD_SERVER_MAX) {
        return false;
    }
    if (i == r->server_cnt) {
        snprintf(r->server[r->server_cnt++], LOAD_SERVER_NAME_MAX, "%s", name);
    }
    r->server_requests[i]++;
    c->served |= UINT64_C(1) << i;
    return true;
}

/* The head is whole: is it the answer to our question? */
static enum load_step check_head(struct load_conn *c, struct load_result *r,
                                 const struct load_response *got, struct load_failure *why)
{
    char text[100];
    if (got->status != 200 || !got->has_length || got->length != c->body_len ||
        !note_server(c, r, got->server[0] ? got->server : "?")) {
        snprintf(text, sizeof text, "status %u, length %" PRIu64 " instead of 200, %" PRIu64,
                 got->status, got->length, c->body_len);
        return fail(why, LOAD_ERROR_ANSWER, text);
    }
    c->close_after = got->close;
    c->phase = LOAD_BODY;
    return LOAD_STEP_WAIT;
}

/* Head bytes: collects until the head is whole. *used: how many of len belonged to it. */
static enum load_step take_head(struct load_conn *c, struct load_result *r, const char *data,
                                size_t len, size_t *used, struct load_failure *why)
{
    struct load_response got;
    uint32_t before = c->head_len;
    size_t room = sizeof c->head - before;
    size_t n = len < room ? len : room;
    memcpy(c->head + before, data, n);
    c->head_len += (uint32_t)n;
    int head = load_response_parse(c->head, c->head_len, &got);
    if (head < 0 || (head == 0 && c->head_len == sizeof c->head)) {
        return fail(why, LOAD_ERROR_ANSWER, "not an HTTP/1.1 answer");
    }
    *used = head > 0 ? (size_t)head - before : n;
    return head > 0 ? check_head(c, r, &got, why) : LOAD_STEP_WAIT;
}

/* Body bytes, each compared. */
static enum load_step take_body(struct load_conn *c, const char *data, size_t len,
                                struct load_failure *why)
{
    char text[120];
    if (len > c->body_len - c->body_at) {
        return fail(why, LOAD_ERROR_ANSWER, "bytes behind the answer");
    }
    size_t right = capy_pattern_check(c->seed, c->body_at, (const uint8_t *)data, len);
    if (right < len) {
        snprintf(text, sizeof text, "byte %" PRIu64 " of the body for seed %" PRIu64 " is wrong",
                 c->body_at + right, c->seed);
        return fail(why, LOAD_ERROR_BODY, text);
    }
    c->body_at += len;
    return LOAD_STEP_WAIT;
}

static enum load_step take(struct load_conn *c, struct load_result *r, const char *data, size_t len,
                           struct load_failure *why)
{
    enum load_step step = LOAD_STEP_WAIT;
    size_t used = 0;
    if (c->phase == LOAD_HEAD) {
        step = take_head(c, r, data, len, &used, why);
    } else if (c->phase != LOAD_BODY) {
        return fail(why, LOAD_ERROR_ANSWER, "bytes that nobody asked for");
    }
    if (step == LOAD_STEP_WAIT && c->phase == LOAD_BODY) {
        step = take_body(c, data + used, len - used, why);
    }
    if (step == LOAD_STEP_WAIT && c->phase == LOAD_BODY && c->body_at == c->body_len) {
        c->phase = LOAD_IDLE;
        return LOAD_STEP_READY;
    }
    return step;
}

/* Reads until the answer is whole or the socket is empty. */
static enum load_step receive(struct load_conn *c, struct load_result *r, char *buffer,
                              size_t buffer_len, struct load_failure *why)
{
    for (;;) {
        ssize_t n = recv(c->fd, buffer, buffer_len, 0);
        if (n < 0) {
            return errno == EAGAIN || errno == EINTR ? LOAD_STEP_WAIT : fail_errno(c, why, errno);
        }
        if (n == 0) {
            return fail(why, LOAD_ERROR_CLOSED, "closed by the server");
        }
        enum load_step step = take(c, r, buffer, (size_t)n, why);
        if (step != LOAD_STEP_WAIT) {
            return step;
        }
    }
}

enum load_step load_conn_step(struct load_conn *c, struct load_result *r, char *buffer,
                              size_t buffer_len, struct load_failure *why)
{
    if (c->phase == LOAD_CLOSED) {
        return LOAD_STEP_WAIT;
    }
    if (c->phase == LOAD_CONNECTING) {
        int err = 0;
        socklen_t len = sizeof err;
        union capy_endpoint peer;
        socklen_t peer_len = sizeof peer;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
        if (err) {
            return fail_errno(c, why, err);
        }
        if (getpeername(c->fd, &peer.any, &peer_len) < 0) {
            return LOAD_STEP_WAIT; /* woken too early */
        }
        c->phase = LOAD_IDLE;
        return LOAD_STEP_READY;
    }
    if (c->phase == LOAD_ASKING) {
        enum load_step step = send_rest(c, why);
        if (step != LOAD_STEP_WAIT) {
            return step;
        }
    }
    return receive(c, r, buffer, buffer_len, why);
}

void load_conn_close(struct load_conn *c, struct load_result *r)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    if (c->fd >= 0) {
        if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0) {
            r->retransmits += info.tcpi_total_retrans;
        }
        close(c->fd);
    }
    c->fd = -1;
    c->phase = LOAD_CLOSED;
}
