/* A connection from request to answer, over a transport in memory. */
#include "apps/common/pattern.h"
#include "fake_io.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#define CAP (1u << 20)
#define HOST " HTTP/1.1\r\nHost: a\r\n"

struct fixture {
    struct capy_httpd_site site;
    struct capy_httpd_session s;
    struct fake f;
    uint64_t now;
};

static int set_up(void **state)
{
    static struct fixture fix;
    memset(&fix, 0, sizeof fix);
    capy_httpd_site_open(&fix.site, "s1");
    fake_open(&fix.f, CAP);
    fix.now = 1000;
    *state = &fix;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fix = *state;
    capy_httpd_session_end(&fix->site, &fix->s);
    capy_httpd_site_close(&fix->site);
    fake_close(&fix->f);
    return 0;
}

/* Runs until it waits for something or ends. */
static enum capy_httpd_next run(struct fixture *fix)
{
    struct capy_httpd_io io = fake_io(&fix->f);
    enum capy_httpd_next next;
    do
        next = capy_httpd_session_run(&fix->site, &fix->s, &io, fix->now);
    while (next == CAPY_HTTPD_NEXT_AGAIN);
    return next;
}

/* The answer to one request, as text; earlier ones are forgotten. */
static const char *ask(struct fixture *fix, const char *request, enum capy_httpd_next want)
{
    fix->f.out_len = 0;
    fake_say(&fix->f, request);
    assert_int_equal(run(fix), want);
    return (const char *)fix->f.out;
}

static void expect_status(const char *answer, unsigned status)
{
    char line[32];
    snprintf(line, sizeof line, "HTTP/1.1 %u ", status);
    if (strncmp(answer, line, strlen(line)) != 0)
        print_error("wanted %u, got: %s\n", status, answer);
    assert_memory_equal(answer, line, strlen(line));
}

static void says_who_answers(void **state)
{
    struct fixture *fix = *state;
    capy_httpd_site_clock(&fix->site, 784111777); /* RFC 9110 §5.6.7's example */
    const char *a = ask(fix, "GET /" HOST "\r\n", CAPY_HTTPD_NEXT_INPUT);
    expect_status(a, 200);
    assert_non_null(strstr(a, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"));
    assert_non_null(strstr(a, "Server: capybara\r\nX-Capy-Server: s1\r\n"));
    assert_non_null(strstr(a, "server <b>s1</b>"));
    assert_null(strstr(a, "Connection:"));
    assert_null(fix->s.x);
}

static void keeps_and_closes_connections(void **state)
{
    struct fixture *fix = *state;
    const char *a =
        ask(fix, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", CAPY_HTTPD_NEXT_INPUT);
    assert_non_null(strstr(a, "Connection: keep-alive\r\n"));
    a = ask(fix, "GET / HTTP/1.0\r\n\r\n", CAPY_HTTPD_NEXT_CLOSE);
    assert_non_null(strstr(a, "Connection: close\r\n"));
    a = ask(fix, "GET /" HOST "Connection: close\r\n\r\n", CAPY_HTTPD_NEXT_CLOSE);
    assert_non_null(strstr(a, "Connection: close\r\n"));
    fix->s.fin = true;
    assert_int_equal(run(fix), CAPY_HTTPD_NEXT_CLOSE);
}

static void answers_one_request_per_turn(void **state)
{
    struct fixture *fix = *state;
    struct capy_httpd_io io = fake_io(&fix->f);
    for (int i = 0; i < 3; i++)
        fake_say(&fix->f, "\r\nGET /synthetic?bytes=5" HOST "\r\n");
    size_t request_len = fix->f.in_len / 3;
    for (size_t i = 1; i <= 3; i++) {
        assert_int_equal(capy_httpd_session_run(&fix->site, &fix->s, &io, 0),
                         CAPY_HTTPD_NEXT_AGAIN);
        assert_int_equal(fix->f.in_at, i * request_len);
        assert_int_equal(fix->site.cnt.requests, i);
    }
    assert_int_equal(run(fix), CAPY_HTTPD_NEXT_INPUT);
}

static void head_has_the_fields_and_no_body(void **state) /* RFC 9110 §9.3.2 */
{
    struct fixture *fix = *state;
    const char *a = ask(fix, "HEAD /synthetic?bytes=77" HOST "\r\n", CAPY_HTTPD_NEXT_INPUT);
    assert_non_null(strstr(a, "Content-Length: 77\r\n"));
    assert_string_equal(a + strlen(a) - 4, "\r\n\r\n");
    a = ask(fix, "HEAD /nothing" HOST "\r\n", CAPY_HTTPD_NEXT_INPUT);
    expect_status(a, 404);
    assert_string_equal(a + strlen(a) - 4, "\r\n\r\n");
    a = ask(fix, "HEAD /events" HOST "\r\n", CAPY_HTTPD_NEXT_INPUT);
    expect_status(a, 200);
}

static void synthetic_bodies_are_the_pattern_through_any_room(void **state)
{
    struct fixture *fix = *state;
    const size_t len = 100000;
    fix->f.room = 777;
    assert_non_null(
        ask(fix, "GET /synthetic?us=1&bytes=100000&seed=42" HOST "\r\n", CAPY_HTTPD_NEXT_ROOM));
    assert_true(fix->site.busy);
    do
        fix->f.room = 777;
    while (run(fix) == CAPY_HTTPD_NEXT_ROOM);
    const uint8_t *body = fix->f.out + fix->f.out_len - len;
    assert_int_equal(capy_pattern_check(42, 0, body, len), len);
    assert_memory_equal(body - 4, "\r\n\r\n", 4);
}

static void names_every_refusal(void **state)
{
    struct fixture *fix = *state;
    const char *a = ask(fix, "GET /nothing" HOST "\r\n", CAPY_HTTPD_NEXT_INPUT);
    expect_status(a, 404);
    a = ask(fix, "DELETE /" HOST "\r\n", CAPY_HTTPD_NEXT_INPUT);
    expect_status(a, 405);
    assert_non_null(strstr(a, "Allow: GET, HEAD\r\n"));
    a = ask(fix, "GET /upload" HOST "\r\n", CAPY_HTTPD_NEXT_INPUT);
    expect_status(a, 405);
    assert_non_null(strstr(a, "Allow: POST, PUT\r\n"));
    a = ask(fix, "GET /synthetic?bytes=-1" HOST "\r\n", CAPY_HTTPD_NEXT_INPUT);
    expect_status(a, 400);
    a = ask(fix, "GET /events?interval_ms=0" HOST "\r\n", CAPY_HTTPD_NEXT_INPUT);
    expect_status(a, 400);
    assert_int_equal(fix->site.cnt.errors, 5);
}

/* Where framing is lost the connection ends, but not before the client's bytes were taken in. */
static void lingers_after_a_broken_request(void **state)
{
    struct fixture *fix = *state;
    const char *a = ask(fix, "BREW /" HOST "\r\nmore", CAPY_HTTPD_NEXT_TIME);
    expect_status(a, 501);
    assert_non_null(strstr(a, "Connection: close\r\n"));
    assert_int_equal(fix->f.in_at, fix->f.in_len);
    a = ask(fix, "GET /" HOST "\r\n", CAPY_HTTPD_NEXT_TIME);
    assert_int_equal(fix->f.out_len, 0);
    fix->now = fix->s.x->due_at;
    assert_int_equal(run(fix), CAPY_HTTPD_NEXT_CLOSE);
}

static void refuses_garbage_at_first_sight(void **state)
{
    struct fixture *fix = *state;
    expect_status(ask(fix, "\x16\x03\x01\x02", CAPY_HTTPD_NEXT_TIME), 400);
}

/* The beginning of a method's name is no garbage, even if it is nobody's we know. */
static void waits_for_the_rest_of_a_method(void **state)
{
    struct fixture *fix = *state;
    (void)ask(fix, "BRE", CAPY_HTTPD_NEXT_INPUT);
    assert_int_equal(fix->f.out_len, 0);
    expect_status(ask(fix, "W /" HOST "\r\n", CAPY_HTTPD_NEXT_TIME), 501);
}

static void refuses_heads_that_never_end(void **state)
{
    struct fixture *fix = *state;
    fake_say(&fix->f, "GET /" HOST);
    for (size_t n = 0; n < CAPY_HTTPD_HEAD_MAX; n += 1000) {
        static char field[1001];
        snprintf(field, sizeof field, "X-%zu: %0*d\r\n", n, 900, 0);
        assert_int_equal(run(fix), CAPY_HTTPD_NEXT_INPUT);
        assert_int_equal(fix->f.in_at, 0);
        fake_say(&fix->f, field);
    }
    fake_say(&fix->f, "X: ");
    while (fix->f.in_len < CAPY_HTTPD_HEAD_MAX)
        fake_say(&fix->f, "y");
    assert_int_equal(run(fix), CAPY_HTTPD_NEXT_TIME);
    expect_status((char *)fix->f.out, 431);
}

static void uploads_are_hashed(void **state) /* FIPS 180-4's "abc" */
{
    struct fixture *fix = *state;
    static const char json[] =
        "{\"bytes\":3,\"sha256\":"
        "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"}\n";
    const char *a =
        ask(fix, "PUT /upload" HOST "Content-Length: 3\r\n\r\nabc", CAPY_HTTPD_NEXT_INPUT);
    assert_non_null(strstr(a, json));
    a = ask(fix,
            "POST /upload" HOST "Transfer-Encoding: chunked\r\n\r\n"
            "1\r\na\r\n2;x=y\r\nbc\r\n0\r\nTrailer: 1\r\n\r\n",
            CAPY_HTTPD_NEXT_INPUT);
    assert_non_null(strstr(a, json));
    a = ask(fix, "POST /upload" HOST "\r\n", CAPY_HTTPD_NEXT_INPUT);
    assert_non_null(strstr(a, "{\"bytes\":0,\"sha256\":\"e3b0c442"));
}

static void a_body_ends_where_the_next_request_starts(void **state)
{
    struct fixture *fix = *state;
    const char *a = ask(fix,
                        "PUT /upload" HOST "Content-Length: 3\r\n\r\nabcPUT /upload" HOST
                        "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
                        "GET /nothing" HOST "\r\n",
                        CAPY_HTTPD_NEXT_INPUT);
    assert_int_equal(fix->site.cnt.requests, 3);
    const char *first = strstr(a, "{\"bytes\":3,"), *second = strstr(a, "{\"bytes\":1,");
    assert_non_null(first);
    assert_non_null(second);
    assert_true(first < second && second < strstr(a, "404 Not Found"));
}

static void asks_for_the_body_when_it_is_awaited(void **state) /* RFC 9110 §10.1.1 */
{
    struct fixture *fix = *state;
    const char *a = ask(fix, "PUT /upload" HOST "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n",
                        CAPY_HTTPD_NEXT_INPUT);
    assert_string_equal(a, "HTTP/1.1 100 Continue\r\n\r\n");
    expect_status(ask(fix, "abc", CAPY_HTTPD_NEXT_INPUT), 200);
    a = ask(fix, "PUT /" HOST "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n",
            CAPY_HTTPD_NEXT_TIME);
    expect_status(a, 405);
    assert_non_null(strstr(a, "Connection: close\r\n"));
}

static void bodies_nobody_wants_are_skipped(void **state)
{
    struct fixture *fix = *state;
    const char *a = ask(fix, "GET /synthetic?bytes=1" HOST "Content-Length: 9\r\n\r\nGET / HT",
                        CAPY_HTTPD_NEXT_INPUT);
    assert_int_equal(fix->f.out_len, 0);
    a = ask(fix, "T", CAPY_HTTPD_NEXT_INPUT);
    expect_status(a, 200);
    expect_status(ask(fix, "GET /nothing" HOST "\r\n", CAPY_HTTPD_NEXT_INPUT), 404);
}

static void bodies_are_limited(void **state)
{
    struct fixture *fix = *state;
    fix->site.max_body = 4;
    const char *a = ask(fix, "PUT /upload" HOST "Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n",
                        CAPY_HTTPD_NEXT_INPUT);
    assert_int_equal(fix->f.out_len, 0);
    a = ask(fix, "1\r\ne\r\n", CAPY_HTTPD_NEXT_TIME);
    expect_status(a, 413);
}

static void broken_chunks_end_the_connection(void **state)
{
    struct fixture *fix = *state;
    const char *a = ask(fix, "PUT /upload" HOST "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
                        CAPY_HTTPD_NEXT_TIME);
    expect_status(a, 400);
    assert_non_null(strstr(a, "Connection: close\r\n"));
}

static void events_come_in_time_and_end(void **state)
{
    struct fixture *fix = *state;
    const char *a =
        ask(fix, "GET /events?interval_ms=10&count=2" HOST "\r\n", CAPY_HTTPD_NEXT_TIME);
    assert_non_null(strstr(a, "Content-Type: text/event-stream\r\n"));
    assert_non_null(strstr(a, "\r\n\r\n12\r\nid: 1\ndata: s1 1\n\n\r\n"));
    assert_true(fix->s.x->due_at == fix->now + 10000000);
    fix->f.out_len = 0;
    assert_int_equal(run(fix), CAPY_HTTPD_NEXT_TIME);
    assert_int_equal(fix->f.out_len, 0);
    fix->now = fix->s.x->due_at;
    assert_int_equal(run(fix), CAPY_HTTPD_NEXT_INPUT);
    assert_string_equal((char *)fix->f.out, "12\r\nid: 2\ndata: s1 2\n\n\r\n0\r\n\r\n");
}

static void events_wait_for_a_slow_reader(void **state)
{
    struct fixture *fix = *state;
    assert_non_null(ask(fix, "GET /events?interval_ms=10 HTTP/1.0\r\n\r\n", CAPY_HTTPD_NEXT_TIME));
    assert_true(fix->s.x->close_after);
    fix->f.room = fix->f.out_len = 0;
    for (int i = 0; i < 100; i++) {
        fix->now += 10000000;
        assert_int_equal(run(fix), CAPY_HTTPD_NEXT_ROOM);
    }
    fix->f.room = SIZE_MAX;
    assert_int_equal(run(fix), CAPY_HTTPD_NEXT_TIME);
    assert_memory_equal(fix->f.out, "id: 2\ndata: s1 2\n\nid: 3\n", 24);
    assert_true(fix->s.x->next_id == 4); /* ninety-eight intervals were missed, no number was */
}

static void events_end_when_the_reader_leaves(void **state)
{
    struct fixture *fix = *state;
    assert_non_null(ask(fix, "GET /events?interval_ms=3600000" HOST "\r\n", CAPY_HTTPD_NEXT_TIME));
    fix->s.fin = true;
    assert_int_equal(run(fix), CAPY_HTTPD_NEXT_CLOSE);
}

static uint32_t roll(uint64_t *seed, uint32_t below)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33) % below;
}

/* Requests with bytes changed, lost and repeated, in random pieces through random room: whatever is
 * asked, every conversation ends, and nothing is read or written out of bounds (under sanitizers).
 */
static void survives_any_bytes(void **state)
{
    struct fixture *fix = *state;
    static const char base[] = "GET /synthetic?us=0&bytes=70000&seed=2" HOST "\r\n"
                               "PUT /upload" HOST "Transfer-Encoding: chunked\r\n\r\n"
                               "5\r\nhello\r\n00a;x\r\n0123456789\r\n0\r\nT: 1\r\n\r\n"
                               "POST /upload?x" HOST "Content-Length: 4\r\n\r\nabcd"
                               "GET /events?interval_ms=3&count=2" HOST "\r\n"
                               "HEAD http://a/%2e%2e/x" HOST "Connection: close\r\n\r\n";
    static const char marks[] = "\r\n :%0/?";
    uint64_t seed = 20;
    for (int round = 0; round < 3000; round++) {
        char text[sizeof base];
        size_t len = sizeof base - 1, sent = 0;
        memcpy(text, base, len);
        for (uint32_t n = roll(&seed, 6); n > 0; n--) {
            size_t at = roll(&seed, (uint32_t)len);
            if (roll(&seed, 3) > 0)
                text[at] = roll(&seed, 2) ? (char)roll(&seed, 256) : marks[roll(&seed, 8)];
            else
                memmove(text + at, text + at + 1, --len - at);
        }
        fix->f.in_at = fix->f.in_len = 0;
        enum capy_httpd_next next = CAPY_HTTPD_NEXT_INPUT;
        for (int turns = 0; next != CAPY_HTTPD_NEXT_CLOSE && next != CAPY_HTTPD_NEXT_ABORT;
             turns++) {
            size_t n = 1 + roll(&seed, 200);
            n = n < len - sent ? n : len - sent;
            fake_send(&fix->f, text + sent, n);
            sent += n;
            fix->s.fin = sent == len;
            fix->f.out_len = 0;
            fix->f.room = roll(&seed, 30000);
            next = run(fix);
            fix->now += 1000000000u;
            assert_true(turns < 10000);
        }
        capy_httpd_session_end(&fix->site, &fix->s);
        fix->s.fin = false;
    }
}

static void runs_out_of_exchanges_by_reset(void **state)
{
    struct fixture *fix = *state;
    fix->site.exchange_max = 0;
    fake_say(&fix->f, "GET /" HOST "\r\n");
    assert_int_equal(run(fix), CAPY_HTTPD_NEXT_ABORT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(says_who_answers),
        TEST(keeps_and_closes_connections),
        TEST(answers_one_request_per_turn),
        TEST(head_has_the_fields_and_no_body),
        TEST(synthetic_bodies_are_the_pattern_through_any_room),
        TEST(names_every_refusal),
        TEST(lingers_after_a_broken_request),
        TEST(refuses_garbage_at_first_sight),
        TEST(waits_for_the_rest_of_a_method),
        TEST(refuses_heads_that_never_end),
        TEST(uploads_are_hashed),
        TEST(a_body_ends_where_the_next_request_starts),
        TEST(asks_for_the_body_when_it_is_awaited),
        TEST(bodies_nobody_wants_are_skipped),
        TEST(bodies_are_limited),
        TEST(broken_chunks_end_the_connection),
        TEST(events_come_in_time_and_end),
        TEST(events_wait_for_a_slow_reader),
        TEST(events_end_when_the_reader_leaves),
        TEST(survives_any_bytes),
        TEST(runs_out_of_exchanges_by_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
