/* apps/load/exchange: the request's bytes, and answers in one piece, in every two pieces, and wrong. */
#include "apps/common/pattern.h"
#include "apps/load/exchange.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

enum { BODY = 2000 };
static const uint64_t seed = UINT64_C(281474976710656);

static struct load_question question;
static struct load_exchange x;
static struct load_failure why;
static char answer[4096];
static size_t answer_len;

static int set_up(void **state)
{
    (void)state;
    answer_len = (size_t)sprintf(answer,
                                 "HTTP/1.1 200 OK\r\ncontent-length: %d\r\n"
                                 "X-Capy-Server: s2\r\n\r\n",
                                 BODY);
    capy_pattern_fill(seed, 0, (uint8_t *)answer + answer_len, BODY);
    answer_len += BODY;
    load_question_make(&question, "[fd99::11]", 5, BODY);
    memset(&x, 0, sizeof x);
    load_exchange_begin(&x, &question, seed);
    return 0;
}

static void all_was_sent(void)
{
    load_exchange_sent(&x, x.out_len - 1);
    assert_int_equal(x.phase, LOAD_ASKING);
    load_exchange_sent(&x, 1);
    assert_int_equal(x.phase, LOAD_HEAD);
}

static void the_request_is_whole(void **state)
{
    (void)state;
    static const char want[] = "GET /synthetic?us=5&bytes=2000&seed=281474976710656 HTTP/1.1\r\n"
                               "Host: [fd99::11]\r\n\r\n";
    assert_int_equal(x.out_len, sizeof want - 1);
    assert_memory_equal(x.out, want, x.out_len);
    load_exchange_begin(&x, &question, 0);
    x.out[x.out_len] = 0;
    assert_non_null(strstr(x.out, "&seed=0 HTTP"));
}

static void an_answer_in_any_two_pieces_is_right(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < answer_len; cut++) {
        set_up(NULL);
        all_was_sent();
        if (cut > 0)
            assert_int_equal(load_exchange_take(&x, answer, cut, &why), LOAD_STEP_WAIT);
        assert_int_equal(load_exchange_take(&x, answer + cut, answer_len - cut, &why),
                         LOAD_STEP_ANSWERED);
        assert_int_equal(x.phase, LOAD_AT_REST);
        assert_string_equal(x.server, "s2");
    }
}

static void every_wrong_byte_is_found(void **state)
{
    (void)state;
    size_t head = answer_len - BODY;
    for (size_t at = 0; at < BODY; at++) {
        set_up(NULL);
        all_was_sent();
        answer[head + at] ^= 0x10;
        assert_int_equal(load_exchange_take(&x, answer, answer_len, &why), LOAD_STEP_FAILED);
        assert_int_equal(why.error, LOAD_ERROR_BODY);
    }
}

static void fails(const char *text, enum load_error error)
{
    set_up(NULL);
    all_was_sent();
    assert_int_equal(load_exchange_take(&x, text, strlen(text), &why), LOAD_STEP_FAILED);
    assert_int_equal(why.error, error);
}

static void other_answers_are_refused(void **state)
{
    (void)state;
    char endless[LOAD_HEAD_MAX + 1] = "HTTP/1.1 200 OK\r\nX: ";
    size_t len = strlen(endless);
    memset(endless + len, 'y', LOAD_HEAD_MAX - len);
    fails("HTTP/1.1 404 No\r\nContent-Length: 2000\r\n\r\n", LOAD_ERROR_ANSWER);
    fails("HTTP/1.1 200 OK\r\nContent-Length: 1999\r\n\r\n", LOAD_ERROR_ANSWER);
    fails("HTTP/1.1 200 OK\r\n\r\n", LOAD_ERROR_ANSWER);
    fails("SSH-2.0", LOAD_ERROR_ANSWER);
    fails(endless, LOAD_ERROR_ANSWER);
}

static void nothing_may_come_unasked_or_behind(void **state)
{
    (void)state;
    assert_int_equal(load_exchange_take(&x, "H", 1, &why), LOAD_STEP_FAILED);
    set_up(NULL);
    all_was_sent();
    assert_int_equal(load_exchange_take(&x, answer, answer_len + 1, &why), LOAD_STEP_FAILED);
    assert_string_equal(why.why, "bytes behind the answer");
}

int main(void)
{
#define RUN(test) cmocka_unit_test_setup(test, set_up)
    const struct CMUnitTest tests[] = {
        RUN(the_request_is_whole),
        RUN(an_answer_in_any_two_pieces_is_right),
        RUN(every_wrong_byte_is_found),
        RUN(other_answers_are_refused),
        RUN(nothing_may_come_unasked_or_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
