/* Requests to an HTTP session (apps/httpd). The same bytes come at once, or in pieces, to a session
 * that is encoded and decoded between two of them: the answers must be the same. Only refusals may
 * differ: garbage is refused at first sight, and what is seen first depends on the pieces.
 *
 * Input: one byte per piece's length, count first; then what the client sends. */
#include "apps/httpd/session.h"
#include "apps/httpd/state.h"
#include "bytes.h"
#include "target.h"
#include <stdbool.h>

enum { OUT_MAX = 1 << 16, PIECES_MAX = 32 };

struct side {
    const uint8_t *in;
    size_t in_at, in_len, out_len;
    uint8_t out[OUT_MAX];
};

static int64_t peek(void *ctx, uint32_t skip, void *out, uint32_t len)
{
    struct side *s = ctx;
    size_t left = s->in_len - s->in_at;
    size_t n = skip >= left ? 0 : left - skip < len ? left - skip : len;
    if (n > 0)
        memcpy(out, s->in + s->in_at + skip, n);
    return (int64_t)n;
}

static int consume(void *ctx, uint32_t n)
{
    struct side *s = ctx;
    fuzz_check(n <= s->in_len - s->in_at, "consumes %u of %zu", n, s->in_len - s->in_at);
    s->in_at += n;
    return 0;
}

/* A client that reads no more than OUT_MAX. */
static int64_t push(void *ctx, const void *data, uint32_t len)
{
    struct side *s = ctx;
    size_t room = OUT_MAX - s->out_len, n = len < room ? len : room;
    memcpy(s->out + s->out_len, data, n);
    s->out_len += n;
    return (int64_t)n;
}

static struct capy_httpd_site site;
static const uint64_t now = 1000;

/* As a migration does it between two calls. False: the connection ends. */
static bool move(struct capy_httpd_session *s)
{
    uint8_t state[CAPY_HTTPD_STATE_MAX];
    struct capy_httpd_session fresh = {.fin = s->fin};
    if (s->x) {
        uint32_t len = capy_httpd_state_encode(s->x, now, state);
        fresh.x = capy_httpd_exchange_take(&site);
        fuzz_check(fresh.x && capy_httpd_state_decode(fresh.x, state, len, now),
                   "a state of %u bytes is refused", len);
    }
    capy_httpd_session_end(&site, s);
    *s = fresh;
    return true;
}

/* True: it goes on when more comes. */
static bool run(struct capy_httpd_session *s, struct side *side)
{
    struct capy_httpd_io io = {side, peek, consume, push};
    enum capy_httpd_next next;
    do
        next = capy_httpd_session_run(&site, s, &io, now);
    while (next == CAPY_HTTPD_NEXT_AGAIN);
    fuzz_check(next != CAPY_HTTPD_NEXT_ABORT, "aborts");
    return next == CAPY_HTTPD_NEXT_INPUT;
}

static void serve(struct side *side, const uint8_t *in, size_t len, const uint8_t *pieces,
                  unsigned piece_cnt)
{
    struct capy_httpd_session s = {.x = NULL};
    bool more = true;
    side->in = in;
    side->in_at = side->in_len = side->out_len = 0;
    for (unsigned i = 0; more && i < piece_cnt && side->in_len < len; i++) {
        size_t piece = 1u + pieces[i] % 128u;
        side->in_len = side->in_len + piece < len ? side->in_len + piece : len;
        more = run(&s, side);
        if (more && pieces[i] & 128)
            (void)move(&s);
    }
    side->in_len = len;
    more = more && run(&s, side);
    if (more) {
        s.fin = true;
        (void)run(&s, side);
    }
    capy_httpd_session_end(&site, &s);
}

/* Requests that keep the processor busy for longer than a fuzzer waits. */
static bool is_slow(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 3 <= size; i++)
        if (memcmp(data + i, "us=", 3) == 0)
            return true;
    return false;
}

/* The answer that byte `at` of the output belongs to is a refusal. */
static bool is_refusal(const struct side *s, size_t at)
{
    static const char version[] = "HTTP/1.1 ";
    enum { VERSION_LEN = sizeof version - 1 };
    for (size_t from = at + 1; from-- > 0;)
        if (from + VERSION_LEN < s->out_len && memcmp(s->out + from, version, VERSION_LEN) == 0)
            return s->out[from + VERSION_LEN] >= '4';
    return false;
}

static bool same_answers(const struct side *a, const struct side *b)
{
    size_t at = 0;
    while (at < a->out_len && at < b->out_len && a->out[at] == b->out[at])
        at++;
    return (at == a->out_len && at == b->out_len) || is_refusal(a, at) || is_refusal(b, at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct side whole, pieces;
    struct fuzz_bytes b = {data, size, NULL};
    unsigned piece_cnt = fuzz_below(&b, PIECES_MAX);
    uint8_t lengths[PIECES_MAX];
    for (unsigned i = 0; i < piece_cnt; i++)
        lengths[i] = fuzz_u8(&b);
    if (is_slow(b.p, b.left))
        return 0;
    if (!site.server)
        capy_httpd_site_open(&site, "s1");
    serve(&whole, b.p, b.left, NULL, 0);
    serve(&pieces, b.p, b.left, lengths, piece_cnt);
    fuzz_check(same_answers(&whole, &pieces), "answers differ:\n%.*s\n---- in pieces:\n%.*s",
               (int)whole.out_len, (const char *)whole.out, (int)pieces.out_len,
               (const char *)pieces.out);
    return 0;
}
