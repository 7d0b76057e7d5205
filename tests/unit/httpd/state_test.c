/* What moves with a connection: moved between any two of its steps, the client receives the same
 * bytes; a damaged state is refused. */
#include "apps/httpd/files.h"
#include "apps/httpd/state.h"
#include "fake_io.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define CAP (1u << 17)
#define HOST " HTTP/1.1\r\nHost: a\r\n"

/* A root with one file, made for this run. */
static char root_path[] = "/tmp/capy-httpd-XXXXXX";
static int root_fd = -1;

static void write_file(const char *name, size_t len)
{
    int fd = openat(root_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)(i * 31 >> 3);
        assert_int_equal(write(fd, &c, 1), 1);
    }
    close(fd);
}

static int make_root(void **state)
{
    (void)state;
    if (!mkdtemp(root_path) || (root_fd = open(root_path, O_RDONLY | O_DIRECTORY)) < 0)
        return -1;
    write_file("file", 3000);
    return 0;
}

static int remove_root(void **state)
{
    (void)state;
    unlinkat(root_fd, "file", 0);
    close(root_fd);
    return rmdir(root_path);
}

static void open_site(struct capy_httpd_site *site)
{
    capy_httpd_site_open(site, "s1");
    site->root_fd = dup(root_fd);
    assert_true(site->root_fd >= 0);
}

/* The session goes to another site as it would to another server, whose clock shows another time.
 */
static void move(struct capy_httpd_session *s, struct capy_httpd_site *from,
                 struct capy_httpd_site *to, uint64_t now, uint64_t there)
{
    uint8_t wire[CAPY_HTTPD_STATE_MAX];
    s->seen = 0;
    if (!s->x)
        return;
    uint32_t len = capy_httpd_state_encode(s->x, now, wire);
    capy_httpd_session_end(from, s);
    s->x = capy_httpd_exchange_take(to);
    assert_non_null(s->x);
    assert_true(capy_httpd_state_decode(s->x, wire, len, there));
    if (s->x->body == CAPY_HTTPD_BODY_FILE)
        assert_true(capy_httpd_reopen_file(to, s->x));
}

/* Feeds requests `step` bytes at a time with as much room each round, moving every round or never;
 * stops when the session closes or has nothing left to do. */
static void converse(const char *requests, size_t step, bool moving, struct fake *f)
{
    static struct capy_httpd_site site[2];
    struct capy_httpd_session s = {0};
    struct capy_httpd_io io = fake_io(f);
    size_t len = strlen(requests), sent = 0;
    uint64_t now = 1;
    unsigned here = 0;
    enum capy_httpd_next next = CAPY_HTTPD_NEXT_INPUT;

    open_site(&site[0]);
    open_site(&site[1]);
    do {
        size_t n = len - sent < step ? len - sent : step;
        fake_send(f, requests + sent, n);
        sent += n;
        f->room = step;
        next = capy_httpd_session_run(&site[here], &s, &io, now);
        if (moving && next != CAPY_HTTPD_NEXT_CLOSE) {
            uint64_t there = now / 2 + 5; /* times move as durations */
            move(&s, &site[here], &site[here ^ 1], now, there);
            here ^= 1;
            now = there;
        }
        if (next == CAPY_HTTPD_NEXT_TIME)
            now = s.x->due_at;
    } while (next != CAPY_HTTPD_NEXT_CLOSE && next != CAPY_HTTPD_NEXT_ABORT &&
             !(next == CAPY_HTTPD_NEXT_INPUT && sent == len && f->in_at == f->in_len));
    assert_int_not_equal(next, CAPY_HTTPD_NEXT_ABORT);
    for (int i = 0; i < 2; i++) {
        capy_httpd_session_end(&site[here], &s);
        capy_httpd_site_close(&site[i]);
    }
}

static void moved_between_any_two_steps_the_bytes_are_the_same(void **state)
{
    (void)state;
    static const char *const scripts[] = {
        "GET /synthetic?bytes=3000&seed=9" HOST "\r\nHEAD /file" HOST "\r\nGET /none" HOST "\r\n",
        "GET /file" HOST "\r\nGET /file" HOST "\r\n",
        "GET /events?interval_ms=5&count=4" HOST "\r\nGET /synthetic?bytes=1" HOST "\r\n",
        "GET /events?interval_ms=5&count=3 HTTP/1.0\r\n\r\n",
        "PUT /upload" HOST "Content-Length: 70\r\n\r\n"
        "0123456789012345678901234567890123456789012345678901234567890123456789"
        "GET /synthetic?bytes=5" HOST "\r\n",
        "POST /upload" HOST "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
        "3;ext\r\nabc\r\n0041\r\n"
        "01234567890123456789012345678901234567890123456789012345678901234\r\n"
        "0\r\nTrailer: x\r\n\r\nGET /none" HOST "\r\n",
        "GET /none" HOST "Content-Length: 30\r\n\r\n012345678901234567890123456789"
        "GET /file" HOST "Connection: close\r\n\r\n",
        "PUT /upload" HOST "Transfer-Encoding: chunked\r\n\r\nnonsense\r\n",
    };
    static const size_t steps[] = {1, 7, 100, 5000};
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        for (size_t j = 0; j < sizeof steps / sizeof *steps; j++) {
            struct fake still, moved;
            fake_open(&still, CAP);
            fake_open(&moved, CAP);
            converse(scripts[i], steps[j], false, &still);
            converse(scripts[i], steps[j], true, &moved);
            assert_true(still.out_len > 0);
            assert_int_equal(moved.out_len, still.out_len);
            assert_memory_equal(moved.out, still.out, still.out_len);
            fake_close(&still);
            fake_close(&moved);
        }
    }
}

/* One exchange of each kind, in the middle. */
static void make_examples(struct capy_httpd_exchange x[4])
{
    memset(x, 0, 4 * sizeof *x);
    x[0].body = CAPY_HTTPD_BODY_PATTERN;
    x[0].offset = 5;
    x[0].length = 1ull << 40;
    x[0].seed = 77;
    x[0].out_at = 3;
    x[0].out_len = 9;
    memcpy(x[0].out, "HTTP/1.1 ", 9);
    x[1].body = CAPY_HTTPD_BODY_FILE;
    x[1].length = 3000;
    x[1].mtime_ns = -1;
    strcpy(x[1].path, "a/b.html");
    x[2].body = CAPY_HTTPD_BODY_EVENTS;
    x[2].interval_ms = 1000;
    x[2].next_id = 12;
    x[2].due_at = 500;
    x[3].intake = CAPY_HTTPD_INTAKE_HASH;
    http_parser_init(&x[3].parser, HTTP_REQUEST);
    x[3].received = 10;
    crypto_hash_sha256_init(&x[3].sha256);
    crypto_hash_sha256_update(&x[3].sha256, (const unsigned char *)"0123456789", 10);
}

static void decoding_what_was_encoded_gives_the_same_state(void **state)
{
    (void)state;
    static struct capy_httpd_exchange x[4], y;
    uint8_t wire[CAPY_HTTPD_STATE_MAX], again[CAPY_HTTPD_STATE_MAX];
    make_examples(x);
    for (int i = 0; i < 4; i++) {
        memset(&y, 0, sizeof y);
        uint32_t len = capy_httpd_state_encode(&x[i], 100, wire);
        assert_true(len <= 256); /* small: it is on the path of every busy connection's move */
        assert_true(capy_httpd_state_decode(&y, wire, len, 40));
        assert_int_equal(capy_httpd_state_encode(&y, 40, again), len);
        assert_memory_equal(wire, again, len);
    }
    assert_int_equal(x[2].due_at, 500);
}

/* Both directions forgetting a field would not show above: each is looked at. */
static void no_field_is_forgotten(void **state)
{
    (void)state;
    static struct capy_httpd_exchange x, y;
    uint8_t wire[CAPY_HTTPD_STATE_MAX];
    memset(&x, 0, sizeof x);
    memset(&y, 0, sizeof y);
    x.intake = CAPY_HTTPD_INTAKE_DISCARD;
    x.head_only = x.http11 = x.close_after = x.linger = true;
    x.received = 1;
    http_parser_init(&x.parser, HTTP_REQUEST);
    struct http_parser *p = &x.parser;
    p->flags = 0xa5;
    p->state = 0x55;
    p->header_state = 0x2a;
    p->index = 0x15;
    p->uses_transfer_encoding = p->upgrade = 1;
    p->nread = 0x01020304;
    p->content_length = 0x0102030405060708;
    p->http_major = 0x0102;
    p->http_minor = 0x0304;
    p->method = HTTP_SOURCE;
    uint32_t len = capy_httpd_state_encode(&x, 100, wire);
    assert_true(capy_httpd_state_decode(&y, wire, len, 40));
    assert_memory_equal(&x.parser, &y.parser, sizeof x.parser);
    assert_true(y.head_only && y.http11 && y.close_after && y.linger);
    assert_int_equal(y.intake, CAPY_HTTPD_INTAKE_DISCARD);
    assert_int_equal(y.received, 1);
    assert_int_equal(y.due_at, 0);
}

static void every_truncation_and_flip_is_refused(void **state)
{
    (void)state;
    static struct capy_httpd_exchange x[4], y;
    uint8_t wire[CAPY_HTTPD_STATE_MAX];
    make_examples(x);
    for (int i = 0; i < 4; i++) {
        uint32_t len = capy_httpd_state_encode(&x[i], 100, wire);
        for (uint32_t n = 0; n < len; n++)
            assert_false(capy_httpd_state_decode(&y, wire, n, 40));
        for (uint32_t bit = 0; bit < len * 8; bit++) {
            wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_false(capy_httpd_state_decode(&y, wire, len, 40));
            wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

/* Behind a right checksum, values out of range are still refused: each case breaks one. */
static void values_out_of_range_are_refused(void **state)
{
    (void)state;
    static struct capy_httpd_exchange x[4], y;
    uint8_t wire[CAPY_HTTPD_STATE_MAX];
    make_examples(x);
    x[0].offset = x[0].length + 1;
    x[1].path[0] = 0;
    x[2].interval_ms = 0;
    x[3].due_at = 100 + 3ull * 3600u * 1000000000u;
    for (int i = 0; i < 4; i++) {
        uint32_t len = capy_httpd_state_encode(&x[i], 100, wire);
        assert_false(capy_httpd_state_decode(&y, wire, len, 40));
    }
}

static void another_file_on_the_target_is_noticed(void **state)
{
    (void)state;
    static struct capy_httpd_site site;
    static struct capy_httpd_exchange x;
    struct stat st;
    open_site(&site);
    assert_int_equal(fstatat(root_fd, "file", &st, 0), 0);
    strcpy(x.path, "file");
    x.length = (uint64_t)st.st_size;
    x.mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    assert_true(capy_httpd_reopen_file(&site, &x));
    close(x.fd);
    x.mtime_ns++;
    assert_false(capy_httpd_reopen_file(&site, &x));
    close(x.fd);
    x.mtime_ns--;
    x.length--;
    assert_false(capy_httpd_reopen_file(&site, &x));
    close(x.fd);
    strcpy(x.path, "../../etc/passwd");
    assert_false(capy_httpd_reopen_file(&site, &x));
    assert_int_equal(x.fd, -1);
    capy_httpd_site_close(&site);
}

static void a_file_that_shrinks_ends_the_connection(void **state)
{
    (void)state;
    static struct capy_httpd_site site;
    struct capy_httpd_session s = {0};
    struct fake f;
    fake_open(&f, CAP);
    struct capy_httpd_io io = fake_io(&f);
    open_site(&site);
    fake_say(&f, "GET /file" HOST "\r\n");
    f.room = 1000;
    assert_int_equal(capy_httpd_session_run(&site, &s, &io, 1), CAPY_HTTPD_NEXT_ROOM);
    write_file("file", 10);
    f.room = 1000;
    assert_int_equal(capy_httpd_session_run(&site, &s, &io, 1), CAPY_HTTPD_NEXT_ABORT);
    assert_int_equal(site.cnt.file_changed, 1);
    write_file("file", 3000);
    capy_httpd_session_end(&site, &s);
    capy_httpd_site_close(&site);
    fake_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moved_between_any_two_steps_the_bytes_are_the_same),
        cmocka_unit_test(decoding_what_was_encoded_gives_the_same_state),
        cmocka_unit_test(no_field_is_forgotten),
        cmocka_unit_test(every_truncation_and_flip_is_refused),
        cmocka_unit_test(values_out_of_range_are_refused),
        cmocka_unit_test(another_file_on_the_target_is_noticed),
        cmocka_unit_test(a_file_that_shrinks_ends_the_connection),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
