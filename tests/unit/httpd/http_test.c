/* Request heads: their end, their refusals, their targets and queries. */
#include "apps/httpd/http.h"
#include "apps/httpd/site.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BODY 1000u

static struct capy_httpd_request parse(const char *head)
{
    struct capy_httpd_request req;
    capy_httpd_parse(&req, (const uint8_t *)head, strlen(head), MAX_BODY);
    return req;
}

static void finds_the_end_wherever_it_is_cut(void **state)
{
    (void)state;
    static const char *const heads[] = {"GET / HTTP/1.1\r\nHost: a\r\n\r\nREST",
                                        "GET / HTTP/1.1\nHost: a\n\nREST",
                                        "GET / HTTP/1.1\r\nHost: a\n\r\nREST"};
    for (size_t i = 0; i < 3; i++) {
        size_t whole = strlen(heads[i]) - 4, from = 0;
        for (size_t len = 0; len < whole; len++) { /* one byte more each time, as drips come */
            assert_int_equal(capy_httpd_head_len((const uint8_t *)heads[i], len, from), 0);
            from = len;
        }
        assert_int_equal(capy_httpd_head_len((const uint8_t *)heads[i], whole + 4, from), whole);
    }
}

static void skips_empty_lines_before_a_request(void **state) /* RFC 9112 §2.2 */
{
    (void)state;
    assert_int_equal(capy_httpd_skip_empty((const uint8_t *)"\r\n\r\nGET", 7), 4);
    assert_int_equal(capy_httpd_skip_empty((const uint8_t *)"GET", 3), 0);
}

static void refuses_by_name(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        const char *head;
    } cases[] = {
        {0, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {0, "GET / HTTP/1.0\r\n\r\n"},
        {0, "GET / HTTP/1.7\r\nHost: a\r\n\r\n"},
        {0, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n\r\n"},                          /* RFC 9112 §3.2: Host */
        {400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},    /* RFC 9112 §3.2: one Host */
        {400, "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n"}, /* RFC 9112 §5.2: obs-fold */
        {400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"},              /* RFC 9112 §5.1 */
        {400, "G@T\x01 / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
              "Transfer-Encoding: chunked\r\n\r\n"}, /* RFC 9112 §6.1 */
        {400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {413, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n"},
        {417, "POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n"},
        {501, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"}, /* RFC 9110 §9.1 */
        {501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"},
        {501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"},
        {505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
        {505, "GET /\r\n\r\n"}, /* HTTP/0.9 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct capy_httpd_request req = parse(cases[i].head);
        if (req.error != cases[i].status)
            print_error("%s", cases[i].head);
        assert_int_equal(req.error, cases[i].status);
    }
}

static void refuses_long_targets(void **state)
{
    (void)state;
    static char head[CAPY_HTTPD_HEAD_MAX];
    for (unsigned over = 0; over < 2; over++) {
        int n = sprintf(head, "GET /%0*d HTTP/1.1\r\nHost: a\r\n\r\n",
                        (int)(CAPY_HTTPD_TARGET_MAX - 1 + over), 0);
        assert_true(n > 0);
        assert_int_equal(parse(head).error, over ? 414 : 0);
    }
    memset(head, 'x', sizeof head);
    assert_int_equal(capy_httpd_overlong((uint8_t *)head, sizeof head), 414);
    head[100] = '\n';
    assert_int_equal(capy_httpd_overlong((uint8_t *)head, sizeof head), 431);
}

static void knows_when_a_connection_persists(void **state) /* RFC 9112 §9.3 */
{
    (void)state;
    assert_true(parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n").keep_alive);
    assert_false(parse("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").keep_alive);
    assert_false(parse("GET / HTTP/1.0\r\n\r\n").keep_alive);
    assert_true(parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
    assert_false(parse("GET / HTTP/1.1\r\n\r\n").keep_alive);
}

static void expect_path(const char *target, const char *path, const char *query)
{
    char head[256];
    snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target);
    struct capy_httpd_request req = parse(head);
    assert_int_equal(req.error, 0);
    assert_int_equal(req.path_len, strlen(path));
    assert_memory_equal(req.path, path, req.path_len);
    assert_int_equal(req.query_len, strlen(query));
    assert_memory_equal(req.query, query, req.query_len);
}

static void splits_targets(void **state)
{
    (void)state;
    expect_path("/", "/", "");
    expect_path("/a/b?c=d&e=f", "/a/b", "c=d&e=f");
    expect_path("/a?", "/a", "");
    expect_path("http://host/a?b", "/a", "b"); /* RFC 9112 §3.2.2 */
    expect_path("http://host", "/", "");
    expect_path("/a?u=http://x/y", "/a", "u=http://x/y");
}

static void reads_query_numbers(void **state)
{
    (void)state;
    struct capy_httpd_request req =
        parse("GET /synthetic?us=10&bytes=&seed=18446744073709551616&n=5x&xus=3 HTTP/1.1\r\n"
              "Host: a\r\n\r\n");
    uint64_t v = 7;
    assert_true(capy_httpd_query_number(&req, "us", 100, &v));
    assert_int_equal(v, 10);
    assert_false(capy_httpd_query_number(&req, "us", 9, &v));
    assert_false(capy_httpd_query_number(&req, "bytes", 100, &v));
    assert_false(capy_httpd_query_number(&req, "seed", UINT64_MAX, &v));
    assert_false(capy_httpd_query_number(&req, "n", 100, &v));
    assert_true(capy_httpd_query_number(&req, "absent", 100, &v));
    assert_int_equal(v, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_end_wherever_it_is_cut),
        cmocka_unit_test(skips_empty_lines_before_a_request),
        cmocka_unit_test(refuses_by_name),
        cmocka_unit_test(refuses_long_targets),
        cmocka_unit_test(knows_when_a_connection_persists),
        cmocka_unit_test(splits_targets),
        cmocka_unit_test(reads_query_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
